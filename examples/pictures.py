"""The pictures that lessons end in: drawn with matplotlib where it is installed, and left out where it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from viz.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, tidy

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "PURPLE", "RED", "SKY", "label", "save_picture", "show_image"]


def save_picture(path: Path, draw: Callable[[Any], None], size: tuple[float, float] = (10.0, 4.0)) -> Path | None:
    """Let ``draw`` draw on a matplotlib Figure, and save it; the folder is made where it is missing.

    Args:
        path: the file, .png or .svg.
        draw: is given the figure.
        size: width and height in inches, of 150 pixels each.

    Returns:
        The path; or None without matplotlib, and then a line says how to get it.
    """
    try:
        from matplotlib.figure import Figure  # not pyplot: it keeps every figure alive, and may open windows
    except ImportError:
        print(f'No picture {path.name}: matplotlib is missing; pip install "clearprop[plot]" brings it.')
        return None
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    draw(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print(f"The picture: {path}")
    return path


def label(axes: Any, title: str, x: str = "", y: str = "") -> None:
    """A title and the names of the axes, also where a plot has set others, and no more frame than is needed."""
    tidy(axes)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set(**{side: words for side, words in (("xlabel", x), ("ylabel", y)) if words})


def show_image(axes: Any, image: Any, title: str = "", **options: Any) -> Any:
    """Numbers of shape (height, width) as greys, dark where they are large, without axes."""
    axes.set_axis_off()
    axes.set_title(title, fontsize=8)
    return axes.imshow(image, **{"cmap": "gray_r", "interpolation": "nearest", **options})
