"""Pictures as files of every kind: whole, readable, and without anything foreign in them."""

import base64
import hashlib
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from autodiff import Value
from tests.viz.graphs import SMALL, SVG, Drawing, network, neuron, shared, square, tensors, words
from tests.viz.readers import Page, colour, needs_cairo, pixels
from viz import draw
from viz.drawing.export import formats, write_as
from viz.drawing.image import png_of
from viz.drawing.style import PALETTES
from viz.drawing.text import HELD
from viz.drawing.web_page import page_of


def drawn(node, **options):
    return draw(node, layout="builtin", **options)


# ---- files


@needs_cairo
@pytest.mark.parametrize(
    ("ending", "start"),
    [("svg", b"<svg"), ("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-"), ("html", b"<!DOCTYPE html>"), ("dot", b"digraph {")],
)
def test_the_ending_says_what_is_written(tmp_path, ending, start):
    for name in (f"x.{ending}", f"X.{ending.upper()}"):
        path = drawn(shared()).save(tmp_path / name)
        assert path == tmp_path / name
        assert path.read_bytes().startswith(start)
    assert len(list(tmp_path.iterdir())) == 2


@needs_cairo
@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf", ".html", ".dot"])
def test_the_same_graph_is_the_same_file(tmp_path, ending):
    first, second = (drawn(neuron()).save(tmp_path / f"{k}{ending}").read_bytes() for k in "ab")
    assert first == second


def test_other_drawings_are_saved_in_the_same_ways(tmp_path):
    svg = drawn(square()).svg
    path = write_as(tmp_path / "heat.svg", formats(svg), "a gradient flow")
    assert path.read_text(encoding="utf-8") == svg
    with pytest.raises(ValueError, match=r"a gradient flow is saved as \.svg, \.png, \.pdf or \.html, and 'heat'"):
        write_as(tmp_path / "heat", formats(svg), "a gradient flow")


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_without_cairosvg_the_error_says_what_to_install(tmp_path, monkeypatch, ending):
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(ImportError, match=r'pip install "clearprop\[image\]"'):
        drawn(shared()).save(tmp_path / f"x.{ending}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_without_its_library_too(tmp_path, monkeypatch, ending):
    stand_in = tmp_path / "cairosvg.py"
    stand_in.write_text("raise OSError('no library called \"cairo-2\" was found')\n")
    monkeypatch.delitem(sys.modules, "cairosvg", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="apt install libcairo2"):
        drawn(shared()).save(tmp_path / f"x.{ending}")
    assert not (tmp_path / f"x.{ending}").exists()


def test_nothing_is_imported_before_it_is_needed():
    code = "import sys, viz; raise SystemExit('cairosvg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- PNG


@needs_cairo
@pytest.mark.parametrize("make", SMALL)
def test_an_image_is_twice_as_large_and_cuts_nothing_off(make):
    picture = drawn(make())
    root = Drawing(picture).root
    image = pixels(png_of(picture.svg))
    height, width = image.shape[:2]
    assert (width, height) == pytest.approx((2 * float(root.get("width")), 2 * float(root.get("height"))), abs=2)
    edge = np.concatenate([image[:8].reshape(-1, 3), image[-8:].reshape(-1, 3), image[:, :8].reshape(-1, 3)])
    assert (edge == 255).all()
    assert (image[:, -8:] == 255).all()
    assert (image != 255).any(axis=-1).mean() > 0.02


@needs_cairo
@pytest.mark.parametrize(
    ("theme", "seen"), [("auto", "light"), ("light", "light"), ("dark", "dark"), ("print", "print")]
)
def test_the_colours_are_those_of_the_theme_and_automatic_ones_are_light(theme, seen):
    image = pixels(png_of(drawn(square(), theme=theme).svg))
    palette = PALETTES[seen]
    assert (image[2, 2] == colour(palette["paper"])).all()
    for part in ("leaf", "operation", "header"):
        assert (image == colour(palette[part])).all(axis=-1).sum() > 1000


@needs_cairo
@pytest.mark.parametrize("sign", sorted(HELD | set("²³±αβγθλμπ")))
def test_every_sign_that_drawings_use_is_in_the_font(sign):
    """What a font lacks is drawn as a box, or not at all."""

    def seen(character):
        picture = drawn(Value(1.0, label="x")).svg.replace(">x<", f">{character}<")
        return pixels(png_of(picture))

    lacking = seen("\U0010fffd")
    assert (seen(sign) != lacking).any()
    assert (seen(sign) != seen(" ")).any()


@needs_cairo
def test_what_is_too_large_for_an_image_is_refused_with_a_way_out(tmp_path):
    svg = drawn(square()).svg
    tall = re.sub(
        r'height="[\d.]+" viewBox="0 0 ([\d.]+) [\d.]+"', r'height="90000" viewBox="0 0 \1 90000"', svg, count=1
    )
    with pytest.raises(ValueError, match=r"by 90,000 pixels is too large for a PNG; save it as \.svg or \.html"):
        png_of(tall)
    large = tall.replace("90000", "30000")
    assert 30_000 <= pixels(png_of(large)).shape[0] <= 32_000


# ---- PDF


def streams(pdf):
    """The compressed parts of a PDF as bytes."""
    found = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return [zlib.decompress(part) for part in found if part[:1] == b"\x78"]


@needs_cairo
def test_a_page_of_its_own_size_with_text_and_title(tmp_path):
    picture = drawn(neuron(), title="A neuron")
    pdf = picture.save(tmp_path / "x.pdf").read_bytes()
    root = Drawing(picture).root
    everything = b"\n".join([pdf, *streams(pdf)])
    (box,) = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", everything)
    wanted = [0.75 * float(root.get(side)) for side in ("width", "height")]  # 72 points and 96 pixels to an inch
    assert [float(side) for side in box] == pytest.approx(wanted, abs=0.8)
    assert b"(A neuron)" in everything
    assert b"20000101" in everything
    assert everything.count(b"/Page\n") + everything.count(b"/Page ") == 1
    assert sum(part.count(b"Tj") + part.count(b"TJ") for part in streams(pdf)) >= 20  # text, not outlines


# ---- HTML


def test_a_page_holds_the_drawing_and_allows_its_own_styles_only():
    picture = drawn(network(), title="Sums & <b>products</b>")
    text = page_of(picture.svg)
    page = Page(text)
    assert picture.svg in text
    assert page.active == []
    assert page.tags.count("title") == 1 + picture.svg.count("<title>")
    assert "Sums & <b>products</b>" in page.texts
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in page.styles]
    assert len(hashes) == 2
    assert page.policy.split("; ") == [
        "default-src 'none'",
        f"style-src {' '.join(hashes)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    ("theme", "schemes"), [("auto", ["light", "dark", "light"]), ("dark", ["dark"]), ("print", ["light"])]
)
def test_the_page_has_the_colours_of_its_drawing(theme, schemes):
    text = page_of(drawn(square(), theme=theme).svg)
    assert re.findall(r"color-scheme: (\w+);", text) == schemes
    assert [PALETTES[name]["paper"] in text for name in PALETTES].count(True) >= 1


def test_a_page_is_never_shrunk_until_it_cannot_be_read():
    picture = drawn(tensors())
    width = float(Drawing(picture).root.get("width"))
    (least,) = re.findall(r"max-width: max\(100%, (\d+)px\)", page_of(picture.svg))
    assert 12 * float(least) / width == pytest.approx(11, abs=0.1)
    assert 'content="width=device-width, initial-scale=1"' in page_of(picture.svg)


# ---- notebooks


def test_notebooks_find_the_drawing_and_nothing_they_would_prefer_to_it():
    """Jupyter, VS Code and marimo ask for these, most of them before ``_repr_svg_``."""
    picture = drawn(neuron())
    assert picture._repr_svg_() == picture.svg
    others = ["html", "mimebundle", "markdown", "latex", "json", "png", "jpeg", "javascript", "pdf"]
    asked = [f"_repr_{name}_" for name in others] + ["_mime_", "_display_", "_ipython_display_", "_rich_"]
    assert [name for name in asked if hasattr(picture, name)] == []


def test_two_drawings_in_one_notebook_do_not_style_each_other():
    light, dark = (Drawing(drawn(square(), theme=theme)) for theme in ("light", "dark"))
    rules = re.findall(r"^([^@}\n][^{]*)\{", light.root.find(f"{SVG}style").text, re.MULTILINE)
    assert rules
    assert all(part.strip().startswith(".clearprop-light") for rule in rules for part in rule.split(","))
    assert not any("id" in e.attrib for e in dark.root.iter())
    assert words(light.nodes[0]) == words(dark.nodes[0])


def test_a_text_file_is_utf_8(tmp_path):
    for ending in ("svg", "html", "dot"):
        text = drawn(Value(1.0, label="größe ∇")).save(tmp_path / f"x.{ending}").read_bytes().decode()
        assert "größe ∇" in text
    assert Path(tmp_path / "x.html").read_bytes().count(b'charset="utf-8"') == 1
