"""A drawing as PNG or PDF, by cairosvg: for slides, papers and chats that show no SVG."""

from __future__ import annotations

import re
import sys
from math import ceil
from typing import Any
from xml.etree import ElementTree

from viz.drawing.style import FONT

SCALE = 2.0
"""Pixels of a PNG for each pixel of the drawing, where it is not too large."""

_LONGEST, _LARGEST = 32_000, 100_000_000  # pixels: a side that cairo can draw, and what 400 MB hold
_LEAST = 0.5  # times its own size, below which text cannot be read
_LONGEST_PAGE = 14_400 * 4 / 3  # pixels: beyond 200 inches, programs do not show a PDF

_FRAME = re.compile(r'width="[\d.]+" height="[\d.]+" viewBox="0 0 [\d.]+ [\d.]+"')
_MEDIA = re.compile(r"@media[^{]*\{(?:[^{}]|\{[^{}]*\})*\}")
# cairo takes the first font of a list, whether it is there or not, and no other one for signs that it lacks.
_OWN_FONTS = {"darwin": "Menlo", "win32": "Consolas"}
_OTHER_SCRIPTS = "[class] svg text { font-family: sans-serif; }"


def png_of(svg: str) -> bytes:
    """The drawing as PNG, twice as large, in the light colours if they follow the reader.

    >>> from autodiff import Value
    >>> from viz import draw
    >>> png_of(draw(Value(2.0, label="x"), layout="builtin").svg)[1:4]  # doctest: +SKIP
    b'PNG'

    Raises:
        ImportError: the package cairosvg, or the library that it draws with, is missing.
        ValueError: the drawing is too large for a PNG in which it can be read.
    """
    width, height = _size(svg)
    scale = min(SCALE, _LONGEST / max(width, height), (_LARGEST / (width * height)) ** 0.5)
    if scale < _LEAST:
        raise ValueError(
            f"a drawing of {width:,.0f} by {height:,.0f} pixels is too large for a PNG; save it as .svg or .html,"
            " or draw a part of the graph"
        )
    png: bytes = _cairosvg().svg2png(bytestring=_plain(svg), scale=scale)
    return png


def pdf_of(svg: str) -> bytes:
    """The drawing as one page of PDF, of its own size, with text that can be searched.

    Raises:
        ImportError: the package cairosvg, or the library that it draws with, is missing.
    """
    cairosvg = _cairosvg()
    cairo = cairosvg.surface.cairo
    title = ElementTree.fromstring(svg).findtext("{*}title", "")

    class Page(cairosvg.surface.PDFSurface):  # type: ignore[name-defined, misc]
        """A page with a title, and without the hour it was made in: the same drawing is the same bytes."""

        def _create_surface(self, width: float, height: float) -> Any:
            created = super()._create_surface(width, height)
            created[0].set_metadata(cairo.PDF_METADATA_TITLE, title)
            created[0].set_metadata(cairo.PDF_METADATA_CREATE_DATE, "2000-01-01T00:00:00Z")
            return created

    pdf: bytes = Page.convert(bytestring=_plain(svg), scale=min(1.0, _LONGEST_PAGE / max(_size(svg))))
    return pdf


def _cairosvg() -> Any:
    try:
        import cairosvg
    except ImportError:
        raise ImportError('PNG and PDF are made by cairosvg: pip install "clearprop[image]"') from None
    except OSError:
        raise ImportError(
            "PNG and PDF are made by cairosvg, which is installed, with the system library cairo, which is not:"
            " apt install libcairo2 (Debian, Ubuntu), brew install cairo (macOS), or the GTK runtime (Windows)"
        ) from None
    return cairosvg


def _size(svg: str) -> tuple[float, float]:
    root = ElementTree.fromstring(svg)
    return float(root.get("width", 0)), float(root.get("height", 0))


def _plain(svg: str) -> bytes:
    """Of whole pixels, without what is for a screen or for dark rooms, and in fonts that are there."""
    width, height = map(ceil, _size(svg))
    svg = _FRAME.sub(f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"', svg, count=1)
    if own := _OWN_FONTS.get(sys.platform):
        svg = svg.replace(FONT, f"{own}, {FONT}")
    return _MEDIA.sub("", svg).replace("</style>", f"{_OTHER_SCRIPTS}</style>", 1).encode()
