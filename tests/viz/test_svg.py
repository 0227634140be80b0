"""What the SVG says, to the eye, to a screen reader and to a converter."""

import io
import re

import numpy as np
import pytest

from autodiff import Tensor, Value
from tests.viz.graphs import HARMLESS, SMALL, SVG, Drawing, network, neuron, shared, square, tensors, words
from viz import draw
from viz.drawing.face import SIZES, described, face_of
from viz.drawing.heat import LEVELS, heat_of
from viz.drawing.style import PALETTES, TEXT_ON, level_class, stylesheet
from viz.views.model import graph_of


def drawn(node, **options):
    return Drawing(draw(node, layout="builtin", **options))


@pytest.mark.parametrize(("make", "nodes", "edges"), [(square, 2, 2), (shared, 4, 4), (neuron, 10, 9)])
def test_every_node_and_every_edge_once(make, nodes, edges):
    drawing = drawn(make())
    assert (len(drawing.nodes), len(drawing.edges)) == (nodes, edges)


def test_the_two_edges_of_a_square_are_two_lines():
    first, second = drawn(square()).edges
    assert first.find(f"{SVG}path").get("d") != second.find(f"{SVG}path").get("d")
    assert first.find(f"{SVG}title").text == "a → ×, input 1 of 2"


@pytest.mark.parametrize("make", [neuron, tensors])
def test_before_backward_no_gradient_is_claimed(make):
    drawing = drawn(make())
    for node in drawing.nodes:
        if "constant" in node.get("class"):
            assert "∇" not in words(node)
        else:
            assert re.search(r"∇ not computed yet|∇.* not computed yet", words(node))
            assert node.get("aria-label").endswith("gradient not computed yet")


def test_after_backward_the_gradients_stand_there():
    y = neuron()
    y.backward()
    drawing = drawn(y)
    assert "not computed" not in drawing.text
    assert words(drawing.node("x1")) == "x1 2.0 ∇ −1.500"
    assert words(drawing.node("w2")) == "w2 1.0 ∇ 0.0"
    assert words(drawing.node("y")) == "y tanh 0.7071 ∇ 1.0"


def test_the_layout_does_not_move_when_gradients_arrive():
    y = neuron()
    before = draw(y, layout="builtin").layout
    y.backward()
    assert draw(y, layout="builtin").layout == before


def test_hover_shows_every_digit():
    x = Value(0.1, label="x")
    y = x * 3
    y.backward()
    title = drawn(y).node("multiply").find(f"{SVG}title").text
    assert title == "multiply\nvalue 0.30000000000000004\ngradient 1.0\nv1 in explain()"


def test_a_constant_is_small_and_quiet():
    node = drawn(Value(2.0) * 3).node("constant")
    (text,) = node.iter(f"{SVG}text")
    assert (text.text, text.get("class")) == ("3.0", "small")
    leaf, constant, _ = (face_of(box) for box in graph_of([Value(2.0) * 3]).boxes)
    assert constant.width * constant.height < leaf.width * leaf.height / 4


def test_leaves_and_operations_differ_in_shape():
    drawing = drawn(square())
    leaf, operation = drawing.node("leaf"), drawing.node("multiply")
    assert float(leaf.find(f"{SVG}rect").get("rx")) > 8
    assert operation.find(f"{SVG}rect").get("rx") is None
    assert [e.get("class") for e in operation.findall(f"{SVG}path")] == ["header", "frame"]


def test_tensors_show_shape_type_statistics_and_heat_maps():
    y = tensors()
    y.backward()
    drawing = drawn(y)
    W = next(e for e in drawing.nodes if e.get("aria-label").startswith("leaf W"))
    assert re.match(r"W \(3, 4\) float64 value ∇ min mean max −1\.010 ", words(W))
    assert len([e for e in W.iter() if e.get("class") == "heat"]) == 2
    X = next(e for e in drawing.nodes if e.get("aria-label").startswith("constant X"))
    assert len([e for e in X.iter() if e.get("class") == "heat"]) == 1


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (np.zeros((0, 3)), "(0, 3) float64 value ∇ no entries"),
        (np.ones((40, 40)), "(40, 40) float64"),
        (np.ones((2, 2, 2)), "(2, 2, 2) float64"),
        (np.array([[np.nan, 1.0], [np.inf, -np.inf]]), "NaN"),
        (np.array([3 + 4j, 0]), "|max| 0.0 2.5 5.0"),
        (np.array([1e308, 1e308, 1e308]), "1e308 inf 1e308"),
        (np.array(7.0), "() float64 7.0"),
        (np.array([1, 2, 3]), "(3,) int64 min mean max 1 2.0 3"),
        (np.array([True, False]), "bool"),
        (np.float32([1.5, 2.5]), "float32"),
    ],
    ids=str,
)
def test_any_array_can_be_shown(data, shown):
    assert shown in words(drawn(Tensor(data)).nodes[0])


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("shape", [(16, 1), (32, 1), (1, 1), (2, 3, 4), (0, 3)])
def test_without_statistics_boxes_of_arrays_are_narrower(shape, backward):
    x = Tensor(np.linspace(-1, 1, int(np.prod(shape))).reshape(shape), label="x")
    y = (x * 3.0).sum()
    if backward:
        y.backward()
    full, narrow = (drawn(y, statistics=told).node("x") for told in (True, False))
    assert narrow.get("aria-label") == full.get("aria-label")
    (box,) = graph_of([x]).boxes
    assert face_of(box, narrow=True).width < face_of(box).width or not backward  # one line says that there is none
    seen = words(narrow)
    assert str(shape) in seen
    assert "mean" not in seen
    assert ("not computed yet" in seen) != backward
    if shape == (32, 1):
        assert "−1.0 … 1.0" in seen
        assert ("|∇| 16.97" in seen) == backward  # 3 √32
    if shape == (0, 3):
        assert "no entries" in seen


def test_heat_maps_tell_signs_zero_and_no_number_apart():
    assert heat_of([[0.0, 1e-9, -1e-9, 1.0, -1.0]]).levels == ((0, 1, -1, LEVELS, -LEVELS),)
    assert heat_of([np.nan, np.inf, -np.inf, 2.0]).levels == ((None, LEVELS, -LEVELS, LEVELS),)
    assert heat_of(np.zeros((17, 2))) is None
    assert heat_of(np.zeros((16, 16))).width == pytest.approx(96)


@pytest.mark.parametrize("make", SMALL)
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("narrow", [False, True])
def test_every_word_is_inside_its_box(make, backward, narrow):
    y = make()
    if backward:
        y.backward()
    for box in graph_of([y]).boxes:
        face = face_of(box, narrow)
        for text in face.texts:
            assert text.left >= 2
            assert text.left + text.width <= face.width - 2
            assert SIZES[text.style] * 0.8 <= text.y <= face.height - 2
        for heat in face.heats:
            assert heat.x >= 2
            assert heat.x + heat.width <= face.width - 2
            assert heat.y + heat.height <= face.height - 2


@pytest.mark.parametrize("make", SMALL)
@pytest.mark.parametrize("narrow", [False, True])
def test_no_line_of_text_runs_over_another(make, narrow):
    for box in graph_of([make()]).boxes:
        texts = face_of(box, narrow).texts
        for i, a in enumerate(texts):
            for b in texts[:i]:
                beside = a.left + a.width <= b.left or b.left + b.width <= a.left
                assert beside or abs(a.y - b.y) >= 13


def test_text_stays_readable_on_a_page():
    width = float(drawn(network()).root.get("width"))
    assert min(SIZES.values()) * min(1, 1400 / width) >= 11


@pytest.mark.parametrize("make", SMALL)
def test_the_same_graph_is_the_same_bytes(make):
    assert draw(make(), layout="builtin").svg == draw(make(), layout="builtin").svg


def test_a_reader_without_eyes_is_told_the_same():
    y = shared()
    y.backward()
    root = drawn(y, title="What a + b does").root
    assert root.get("aria-label") == root.find(f"{SVG}title").text == "What a + b does"
    assert "2 leaves and 2 operations, joined by 4 arrows" in root.find(f"{SVG}desc").text
    labels = {e.get("aria-label") for e in drawn(y).nodes}
    assert "leaf a, value 2.0, gradient −2.0" in labels
    assert all(e.get("role") == "img" for e in drawn(y).nodes)
    assert described(graph_of([Tensor([1.0, 3.0])]).boxes[0]).startswith("leaf, value array of 2, min 1.0, mean 2.0")


@pytest.mark.parametrize("theme", ["auto", "light", "dark", "print"])
def test_nothing_leads_out_of_the_file(theme):
    drawing = drawn(network(), theme=theme)
    assert {e.tag.removeprefix(SVG) for e in drawing.root.iter()} <= HARMLESS
    names = {name for e in drawing.root.iter() for name in e.attrib}
    assert not any(name.startswith("on") or "href" in name for name in names)
    assert "url(" not in drawing.text
    assert "@import" not in drawing.text
    assert drawing.text.count("http") == 1  # the name of the format


def luminance(colour):
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    lighter, darker = sorted([luminance(a), luminance(b)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_measured_as_the_guidelines_say():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", PALETTES)
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_has_contrast(theme, text, ground):
    assert contrast(PALETTES[theme][text], PALETTES[theme][ground]) >= 4.5


def rules(css):
    return dict(re.findall(r"^(\S[^{]*?) \{ (.*?) \}$", css, flags=re.MULTILINE))


@pytest.mark.parametrize("theme", PALETTES)
def test_the_stylesheet_uses_the_palette_as_tested(theme):
    css, palette = rules(stylesheet(theme)), PALETTES[theme]
    root = f".clearprop-{theme}"
    assert css[f"{root} text"].endswith(f"fill: {palette['ink']};") or "font-family" in css[f"{root} text"]
    assert f"{root} text {{ fill: {palette['ink']}; }}" in stylesheet(theme)
    assert css[f"{root} .gradient"] in ("font-size: 13px;", f"fill: {palette['gradient']};")
    for kind in ("leaf", "operation", "constant"):
        assert css[f"{root} .{kind} .box"].startswith(f"fill: {palette[kind]};")
    for mark in (f".{level_class(k)}" for k in range(-LEVELS, LEVELS + 1)):
        assert f"{root} {mark}" in css


def test_marks_on_heat_maps_can_be_seen():
    for palette in PALETTES.values():
        for ground in ("negative", "zero"):
            assert contrast(palette["ink"], palette[ground]) >= 3


def test_every_rule_keeps_to_its_own_picture():
    for theme in ("auto", "light", "dark", "print"):
        for line in stylesheet(theme).splitlines():
            assert line.startswith((f".clearprop-{theme} ", "@media", "}"))


def test_automatic_colours_follow_the_reader():
    css = stylesheet("auto")
    light, rest = css.split("@media (prefers-color-scheme: dark)")
    dark, paper = rest.split("@media print")
    assert PALETTES["light"]["gradient"] in light
    assert PALETTES["dark"]["gradient"] in dark
    assert PALETTES["print"]["header"] in paper
    assert drawn(square(), theme="dark").root.get("class") == "clearprop-dark"


@pytest.mark.parametrize("theme", ["auto", "light"])
def test_a_converter_sees_the_light_colours(theme):
    try:
        import cairosvg
    except (ImportError, OSError):  # the package, or the library libcairo behind it
        pytest.skip("cairosvg is not installed")
    pyplot = pytest.importorskip("matplotlib.image", reason="matplotlib is not installed")
    png = cairosvg.svg2png(bytestring=draw(square(), layout="builtin", theme=theme).svg.encode())
    pixels = pyplot.imread(io.BytesIO(png))
    assert pixels[2, 2, :3] == pytest.approx([1, 1, 1])
    leaf = [int(PALETTES["light"]["leaf"][k : k + 2], 16) / 255 for k in (1, 3, 5)]
    assert (np.abs(pixels[..., :3] - leaf).max(axis=-1) < 0.01).mean() > 0.1
