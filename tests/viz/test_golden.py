"""Pictures that are kept: what is in them stays where it is, and is seen as clearly on the rendered image."""

import json
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from tests.viz.golden.__main__ import FOLDER, kept, lines_of
from tests.viz.golden.pictures import PICTURES, drawn
from tests.viz.golden.structure import Seen, differences, through
from tests.viz.readers import colour, needs_cairo, pixels
from viz.drawing.image import SCALE, png_of
from viz.drawing.lettering import SIZES
from viz.drawing.style import PALETTES
from viz.drawing.text import width

BOLD = {"name", "symbol"}
ALL = pytest.mark.parametrize("name", PICTURES)


@cache
def seen(name):
    return Seen(drawn(name))


def palette(name):
    look = seen(name).root.get("class").removeprefix("clearprop-")
    return PALETTES[look]


@ALL
def test_the_picture_is_the_one_that_was_kept(name):
    was = json.loads(kept(name).read_text(encoding="utf-8"))
    found = differences(was, seen(name).described())
    if found:
        pytest.fail("\n".join([*found[:12], "if this is meant: python -m tests.viz.golden --look FOLDER, and look"]))


def test_nothing_is_kept_that_is_not_drawn():
    assert {path.name for path in FOLDER.glob("*.json")} == {kept(name).name for name in PICTURES}


def test_a_difference_is_noticed():
    was = seen("neuron").described()
    assert differences(was, json.loads(lines_of(was))) == []
    for change in (
        lambda d: d["boxes"][0]["words"].append("x"),
        lambda d: d["boxes"].pop(),
        lambda d: d["arrows"][0].update({"to": [0, 0]}),
        lambda d: d["boxes"][1].update({"class": "node"}),
        lambda d: d["size"].__setitem__(0, d["size"][0] + 5),
    ):
        now = json.loads(lines_of(was))
        change(now)
        assert differences(was, now)


# ---- geometry, with a real font


def measured(words, style):
    """The width of a line in DejaVu Sans Mono, the widest of the common monospaced fonts."""
    fonts = pytest.importorskip("matplotlib.font_manager", reason="matplotlib is not installed")
    font = _font(fonts, style in BOLD)
    font.set_size(SIZES[style], 72 * 16)
    font.set_text(words)
    return font.get_width_height()[0] / 64 / 16


@cache
def _font(fonts, bold):
    path = fonts.findfont(fonts.FontProperties(family="DejaVu Sans Mono", weight="bold" if bold else "normal"))
    return fonts.get_font(path)


@ALL
def test_every_word_is_inside_its_box_as_measured_with_a_font(name):
    for _, (left, top, right, bottom), texts in seen(name).boxes:
        for words, style, anchor, x, y in texts:
            real = measured(words, style)
            assert real <= width(words, SIZES[style]) + 1
            start = x - {"start": 0, "middle": 0.5, "end": 1}[anchor] * real
            assert left + 1 <= start
            assert start + real <= right - 1
            assert top + 0.7 * SIZES[style] <= y <= bottom - 3


@ALL
def test_no_box_covers_another_and_no_arrow_runs_through_one(name):
    picture = seen(name)
    places = [place for _, place, _ in picture.boxes]
    for k, a in enumerate(places):
        for b in places[:k]:
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])
    for chain in picture.lines():
        inside = through(chain, places, inset=5.0)  # the shadow of several nodes is 4 pixels wide
        assert inside == set(), [picture.boxes[k][2] for k in inside]


@ALL
def test_text_can_be_read_on_a_page(name):
    picture = seen(name)
    sizes = [SIZES[style] for _, style, *_ in picture.words]
    if len(picture.boxes) <= 60:
        assert min(sizes) * min(1, 1400 / picture.width) >= 11


# ---- what is seen on the image


class Image:
    """A picture as it is rendered."""

    def __init__(self, name):
        self.seen, self.colours = seen(name), palette(name)
        self.pixels = pixels(png_of(drawn(name).svg))

    def part(self, left, top, right, bottom):
        """The pixels in a rectangle of the drawing, as a list."""
        return self.pixels[self.slices(left, top, right, bottom)].reshape(-1, 3)

    def slices(self, left, top, right, bottom):
        a, b, c, d = (max(0, round(SCALE * side)) for side in (left, top, right, bottom))
        return slice(b, d), slice(a, c)

    def is_colour(self, name):
        return (self.pixels == colour(self.colours[name])).all(axis=-1)


@pytest.fixture(scope="module", params=PICTURES)
def image(request):
    return Image(request.param)


def luminance(colours):
    channels = np.asarray(colours) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(a, b):
    one, other = luminance(a), luminance(b)
    return (np.maximum(one, other) + 0.05) / (np.minimum(one, other) + 0.05)


@needs_cairo
def test_every_word_is_seen_in_its_colour_and_stands_out(image):
    inks = dict.fromkeys(SIZES, "quiet") | dict.fromkeys(("name", "symbol", "value"), "ink") | {"gradient": "gradient"}
    for classes, _, texts in image.seen.boxes:
        for words, style, anchor, x, y in texts:
            size, wide = SIZES[style], measured(words, style)
            start = x - {"start": 0, "middle": 0.5, "end": 1}[anchor] * wide
            here = image.part(start, y - 0.8 * size, start + wide, y + 0.25 * size)
            ground = np.median(here, axis=0)
            ink = colour(image.colours["quiet" if "constant" in classes else inks[style]])
            assert (np.abs(here - ink).max(axis=1) <= 24).sum() >= 4, (words, style)
            assert contrast(here, ground).max() >= 4.5, (words, style)
            assert contrast(ink, ground) >= 4.5, (words, style)


@needs_cairo
def test_where_nothing_is_drawn_there_is_only_paper(image):
    """Words, boxes and arrows are where the structure says; everything else is paper, or the ground of a frame."""
    blank = np.ones(image.pixels.shape[:2], dtype=bool)

    def taken(left, top, right, bottom, by=3):
        blank[image.slices(left - by, top - by, right + by, bottom + by)] = False

    for _, place, _ in image.seen.boxes:
        taken(*place)
    for words, style, _, x, y in image.seen.words:
        taken(x - 3, y - SIZES[style], x + width(words, SIZES[style]) + 5, y + 5)
    for left, top, right, bottom in image.seen.frames:
        for x in (left, right):
            taken(x, top, x, bottom)
            taken(x, top, x, top, by=12)  # its corners are round
            taken(x, bottom, x, bottom, by=12)
        for y in (top, bottom):
            taken(left, y, right, y)
    for chain in image.seen.lines():
        for (x, y), (u, v) in pairwise(chain):
            steps = max(1, round(max(abs(u - x), abs(v - y)) / 4))
            for k in range(steps + 1):
                a, b = x + (u - x) * k / steps, y + (v - y) * k / steps
                taken(a, b, a, b, by=6)
    ground = image.is_colour("paper")
    if image.seen.frames:
        ground |= image.is_colour("scope")
    assert blank.mean() > 0.1
    assert not (blank & ~ground).any()


@needs_cairo
def test_every_box_and_every_arrow_is_there(image):
    places = [place for _, place, _ in image.seen.boxes]
    for classes, (left, top, right, bottom), _ in image.seen.boxes:
        kind = next(c for c in classes if c in ("leaf", "constant", "operation"))
        inner = image.part(left + 2, top + (26 if kind == "operation" else 2), right - 8, bottom - 8)
        assert (inner == colour(image.colours[kind])).all(axis=1).mean() > 0.2
    for chain in image.seen.lines():
        free = [(x, y) for x, y in chain if not through([(x, y), (x, y)], places, inset=-6)]
        for x, y in free[::3]:
            near = image.part(x - 1.5, y - 1.5, x + 1.5, y + 1.5)
            assert (np.abs(near - colour(image.colours["arrow"])).max(axis=1) <= 60).any()
