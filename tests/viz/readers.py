"""Readers of what drawings become: pages as a browser would take them, images as an eye would see them."""

import io
from html.parser import HTMLParser

import numpy as np
import pytest

try:
    import cairosvg
except (ImportError, OSError):  # the package, or the library libcairo behind it
    cairosvg = None

needs_cairo = pytest.mark.skipif(cairosvg is None, reason="cairosvg or its library libcairo is not installed")

ACTIVE = {"script", "iframe", "object", "embed", "link", "base", "form", "img", "image", "use", "a", "foreignobject"}
"""Elements that run, follow or fetch something."""


class Page(HTMLParser):
    """What a browser would do with a page: its elements, and what it would run, follow or fetch."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.active, self.policy, self.styles, self.texts = [], [], "", [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        given = {name: value or "" for name, value in attributes}
        if tag in ACTIVE or any(name.startswith("on") or name.endswith("href") for name in given):
            self.active.append((tag, given))
        if "style" in given or "src" in given or "refresh" in given.get("http-equiv", "").lower():
            self.active.append((tag, given))
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self.tags:
            (self.styles if self.tags[-1] == "style" and data.strip() else self.texts).append(data)


def pixels(png):
    """An image as an array of rows, columns and (red, green, blue), from 0 to 255."""
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    return np.asarray(image.open(io.BytesIO(png)).convert("RGB"), dtype=np.int16)


def colour(code):
    return np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)])
