"""The heat map of a gradient flow: every cell where it belongs, signs and oddities marked, text inside."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Value, scope
from tests.viz.graphs import HARMLESS, SVG
from viz.drawing.lettering import SIZES
from viz.drawing.style import PALETTES, mixed
from viz.drawing.text import width
from viz.through_time.flow import GradientFlow, Track, gradient_flow, norm_of
from viz.through_time.picture import greatest
from viz.through_time.scale import SHADES, Scale, contrast, mark_class, scale_of, shade_class, shade_rules


def flow_of(table, steps=None, samples=1, **options):
    table = np.asarray(table, float)
    norms = np.array([norm_of(column) for column in table.T])
    steps = tuple(steps or range(table.shape[1]))
    names = tuple(str(k) for k in range(len(table)))
    return GradientFlow(Value(1.0), (Track("h", steps, table, norms, names, samples),), "A title", **options)


def cells(root):
    """Which classes of shade are drawn, and where their cells begin."""
    found = {}
    (heat,) = [e for e in root.iter() if e.get("class") == "heat"]
    for path in heat.iter(f"{SVG}path"):
        corners = re.findall(r"M([\d.e+]+) ([\d.e+]+)h[\d.]+v[\d.]+h-[\d.]+z", path.get("d"))
        if corners:
            for x, y in corners:
                found[round(float(x)), round(float(y))] = path.get("class")
    return found


def test_each_cell_has_the_shade_of_its_number():
    table = [[1e-3, -1e-3, 0.0], [0.5, -0.5, 7.0]]
    flow = flow_of(table)
    root = ElementTree.fromstring(flow.svg)
    drawn = cells(root)
    scale = scale_of([*np.ravel(table), *flow.norms])
    columns, rows = sorted({x for x, _ in drawn}), sorted({y for _, y in drawn})
    assert (len(columns), len(rows)) == (3, 2)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            assert drawn[x, y] == shade_class(scale.shade(table[i][j]))


def marks(flow):
    root = ElementTree.fromstring(flow.svg)
    (heat,) = [e for e in root.iter() if e.get("class") == "heat"]
    return {e.get("class"): e.get("d") for e in heat.iter(f"{SVG}path") if e.get("class").startswith("on")}


def test_marks():
    assert marks(flow_of([[1.0, 2.0]])) == {}
    (dash,) = marks(flow_of([[-1.0]])).values()
    assert re.fullmatch(r"M[\d.]+ [\d.]+h[\d.]+", dash)
    (ring,) = marks(flow_of([[0.0]])).values()
    assert ring.count("a") == 2
    (cross,) = marks(flow_of([[math.nan]])).values()
    assert cross.count("l") == 2
    (rings,) = marks(flow_of([[math.inf]])).values()
    assert rings.count("a") == 4
    (rings,) = marks(flow_of([[-math.inf]])).values()
    assert (rings.count("a"), rings.count("h")) == (4, 1)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([[1.0]], "Every shade is a factor of 10: faint is small, strong is large; bars have the same scale."),
        ([[1.0, 0.0]], "a ring: 0"),
        ([[1.0, math.nan]], "a cross: NaN"),
        ([[1.0, math.inf]], "two rings: infinite"),
        ([[1.0, -1.0]], "negative, with a dash"),
        ([[1e-40, 1.0]], "Every shade is a factor of 1e6"),
        (np.ones((200, 1)), "A cell shows the greatest of 4 units."),
        (np.ones((1, 300)), "A cell shows the greatest of 3 steps."),
    ],
)
def test_the_legend_says_what_is_drawn(table, words):
    assert words in flow_of(table).svg


def test_the_legend_is_silent_about_what_is_not_there():
    svg = flow_of([[1.0, 2.0]]).svg
    for words in ("ring", "cross", "negative", "greatest"):
        assert words not in svg


@pytest.mark.parametrize("shape", [(1, 1), (2, 12), (16, 30), (1, 100), (200, 300), (70, 3)])
def test_text_is_inside_and_legible(shape):
    flow = flow_of(np.exp(np.random.default_rng(0).normal(size=shape) * 9) * -1)
    root = ElementTree.fromstring(flow.svg)
    wide, tall = float(root.get("width")), float(root.get("height"))
    for text in root.iter(f"{SVG}text"):
        size = SIZES[text.get("class")]
        assert size * min(1400 / wide, 1) >= 11
        if text.get("transform"):
            continue
        x, y, w = float(text.get("x")), float(text.get("y")), width(text.text, size)
        left = x - {"end": w, "middle": w / 2}.get(text.get("text-anchor"), 0)
        assert left >= -0.5
        assert left + w <= wide
        assert 0 < y < tall
    assert wide <= 1400


def test_texts_beside_the_map_do_not_overlap():
    flow = flow_of(10.0 ** -np.arange(24).reshape(2, 12))
    root = ElementTree.fromstring(flow.svg)
    boxes = []
    for text in root.iter(f"{SVG}text"):
        if not text.get("transform"):
            w = width(text.text, SIZES[text.get("class")])
            left = float(text.get("x")) - {"end": w, "middle": w / 2}.get(text.get("text-anchor"), 0)
            boxes.append((left, float(text.get("y")), w, text.text))
    for i, (x, y, w, words) in enumerate(boxes):
        for u, v, z, others in boxes[:i]:
            assert abs(y - v) >= 10 or min(x + w, u + z) <= max(x, u) + 0.5, (words, others)


def test_bars_are_the_norms_on_the_scale():
    flow = flow_of([[2e-5, 2e-3, 2e-1]])
    root = ElementTree.fromstring(flow.svg)
    heights = [float(e.get("height")) for e in root.iter() if e.get("class") == "bar"]
    assert len(heights) == 3
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)


def test_every_step_tells_its_norm_to_who_points_at_it():
    flow = flow_of([[0.25, 0.5, 1.0]], steps=(7, 8, 9))
    titles = [e.text for e in ElementTree.fromstring(flow.svg).iter(f"{SVG}title")]
    assert titles[1:] == [
        "step 7: norm 0.25, 0.5 × that at step 8",
        "step 8: norm 0.5, 0.5 × that at step 9",
        "step 9: norm 1.0",
    ]


def test_backward_layers_stand_in_the_order_of_time():
    h, w = Value(1.0), Value(0.1)
    for t in reversed(range(3)):
        with scope(f"step {t}"):
            h = w * h
    flow = gradient_flow(h)
    assert flow.tracks[0].steps == (2, 1, 0)
    np.testing.assert_allclose(flow.norms, [1.0, 0.1, 0.01])
    drawn = cells(ElementTree.fromstring(flow.svg))
    assert [drawn[key] for key in sorted(drawn)] == ["p3", "p2", "p1"]


def test_it_is_well_formed_whatever_it_is_called(tmp_path):
    nasty = "</title><script>\x00\u202e" + "y" * 10_000
    h, w = Value(1.0), Value(0.1)
    for t in range(3):
        with scope(nasty), scope(f"step {t}"):
            h = w * h
            h.label = nasty
    flow = gradient_flow(h, title=nasty)
    root = ElementTree.fromstring(flow.svg)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= HARMLESS
    assert len(flow.svg) < 30_000
    assert flow.save(tmp_path / "flow.svg").read_text(encoding="utf-8") == flow.svg == flow._repr_svg_()
    assert root.get("aria-label").startswith("</title>")
    with pytest.raises(ValueError, match=r"a gradient flow is saved as \.svg.* 'flow\.dot'"):
        flow.save(tmp_path / "flow.dot")
    with pytest.raises(FileNotFoundError, match="make it first"):
        flow.save(tmp_path / "no" / "flow.svg")


def test_the_same_numbers_are_the_same_bytes():
    assert flow_of([[1.0, -2.0]]).svg == flow_of([[1.0, -2.0]]).svg


@pytest.mark.parametrize("theme", ["auto", "light", "dark", "print"])
def test_themes(theme):
    svg = flow_of([[1.0, -2.0]], theme=theme).svg
    assert f'class="clearprop-{theme}"' in svg
    assert "{root}" not in svg
    for name in ("light", "dark", "print") if theme == "auto" else (theme,):
        assert f"fill: {PALETTES[name]['zero']}; }}" in svg


@pytest.mark.parametrize("theme", PALETTES)
def test_marks_can_be_seen_on_every_shade_and_shades_differ(theme):
    palette = PALETTES[theme]
    rules = "\n".join(shade_rules(palette, SHADES))
    grounds = dict(re.findall(r"\.([pn]\d|shade0) \{ fill: (#\w{6}); \}", rules))
    strokes = dict(re.findall(r"\.(on[-\w]*) \{ stroke: (#\w{6})", rules))
    assert len(grounds) == len(strokes) == 2 * SHADES + 1
    for shade in range(-SHADES, SHADES + 1):
        assert contrast(grounds[shade_class(shade)], strokes[mark_class(shade)]) >= 3
    for sign in (1, -1):
        steps = [contrast(grounds[shade_class(sign * k)], palette["paper"]) for k in range(1, SHADES + 1)]
        assert steps == sorted(steps)
        assert len(set(steps)) == SHADES


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert mixed("#000000", "#ff8000", 0.5) == "#804000"


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
@settings(deadline=None)
def test_every_number_has_its_power_of_ten(numbers):
    scale = scale_of(numbers)
    assert 1 <= scale.shades <= SHADES
    for x in numbers:
        shade = scale.shade(x)
        assert (shade > 0) == (x > 0)
        assert (shade == 0) == (x == 0)
        if x and math.isfinite(x):
            low = scale.low + (abs(shade) - 1) * scale.decades
            assert low - 1e-9 <= math.log10(abs(x)) <= low + scale.decades + 1e-9


def test_limits():
    scale = scale_of([1.0], (1e-9, 1e3))
    assert (scale.low, scale.high, scale.shades) == (pytest.approx(-9), pytest.approx(3), 8)
    assert [scale.shade(x) for x in (1e-20, 1e20, -math.inf, math.nan)] == [1, 8, -8, 0]
    assert Scale(-2, 1, 3).bounds == ["0.01", "0.1", "1", "10"]
    assert "1e−9" in flow_of([[1.0]], limits=(1e-9, 1e3)).svg


def test_the_greatest_of_several():
    assert greatest(np.array([[1.0, -3.0], [2.0, 0.0]])) == -3.0
    assert math.isnan(greatest(np.array([1.0, math.nan])))
