"""Pictures of paths: what is marked, what is written where, and what becomes of large graphs."""

from __future__ import annotations

import re

import pytest

from autodiff import Value, tanh
from tests.viz.graphs import HARMLESS, SVG, Drawing, network, neuron, overlapping
from viz.drawing.style import PALETTES
from viz.drawing.text import width
from viz.drawing.themed import themed
from viz.path_sums.paths import paths


def leaf(output, label):
    stack = [output]
    while stack:
        node = stack.pop()
        if node.label == label:
            return node
        stack += node.inputs
    raise AssertionError(label)


def small():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    c = a * b
    y = (c * (c + a) + a * 0.25) * 0.5
    y.label = "y"
    return y


def three_inputs():
    from autodiff import where

    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    return where(True, a * b, a * 2) + a


def long_chain(steps=300):
    h = h0 = Value(0.5, label="h0")
    u = Value(0.9, label="u")
    for _ in range(steps):
        h = tanh(u * h + 0.1)
    return h, h0, u


CASES = [
    *((neuron, "w1"), (network, "x0"), (small, "a"), (three_inputs, "a")),
    (lambda: Value(3.0, label="a") ** 2, "a"),
]


@pytest.fixture(params=range(len(CASES)), ids=["neuron", "network", "small", "three inputs", "power"])
def found(request):
    make, label = CASES[request.param]
    output = make()
    return paths(output, leaf(output, label))


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("layout", ["builtin", "dot"])
def test_every_step_is_marked_numbered_and_carries_its_factor(found, direction, layout, request):
    if layout == "dot":
        request.getfixturevalue("has_dot")
    picture = found.draw(direction=direction, layout=layout)
    drawing = Drawing(picture)
    steps = {(node, position) for path in found for node, position in zip(path.nodes, path.positions, strict=False)}
    marked = [edge for edge in drawing.edges if "path" in edge.get("class").split()]
    assert len(marked) == len(steps)
    tags = drawing.with_class("tag")
    assert len(tags) == len(steps)
    factors = [tag.find(f"{SVG}text[@class='value factor']").text for tag in tags]
    assert all(factors)
    assert len(drawing.with_class("on-path")) == len({node for path in found for node in path.nodes})
    assert {e.tag.removeprefix(SVG) for e in drawing.root.iter()} <= HARMLESS
    assert drawing.root.get("aria-label") == found.headline


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("layout", ["builtin", "dot"])
def test_nothing_lies_on_anything(found, direction, layout, request):
    """Labels stand beside boxes and inside the picture; arrows end at boxes."""
    if layout == "dot":
        request.getfixturevalue("has_dot")
    picture = found.draw(direction=direction, layout=layout)
    drawing = Drawing(picture)
    sizes = [box_size(node) for node in drawing.nodes]
    assert not overlapping(picture.layout, sizes)
    labels = [rectangle(tag) for tag in drawing.with_class("tag")]
    for left, top, right, bottom in labels:
        assert left >= -6
        assert top >= -6
        assert right <= picture.layout.width + 6
        for (x, y), (w, h) in zip(picture.layout.corners, sizes, strict=True):
            assert min(right, x + w) - max(left, x) <= 0.5 or min(bottom, y + h) - max(top, y) <= 0.5
    for i, a in enumerate(labels):
        for b in labels[:i]:
            assert min(a[2], b[2]) - max(a[0], b[0]) <= 0.5 or min(a[3], b[3]) - max(a[1], b[1]) <= 3
    for edge, route in zip(picture.graph.edges, picture.layout.routes, strict=True):
        (x, y), (left, top), (w, h) = route[-1], picture.layout.corners[edge.target], sizes[edge.target]
        if direction == "LR":
            assert x == pytest.approx(left, abs=0.5)
            assert top - 0.5 <= y <= top + h + 0.5
        else:
            assert y == pytest.approx(top, abs=0.5)
            assert left - 0.5 <= x <= left + w + 0.5


def box_size(node):
    box = next(e for e in node if e.get("class") == "box")
    return float(box.get("width")), float(box.get("height"))


def rectangle(tag):
    paper = next(e for e in tag if e.get("class") == "paper")
    x, y, w, h = (float(paper.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + w, y + h


@pytest.fixture
def has_dot():
    import shutil

    if not shutil.which("dot"):
        pytest.skip("needs Graphviz")


def test_the_legend_has_a_line_for_each_path_and_the_rest():
    y = small()
    found = paths(y, leaf(y, "a"), 2)
    drawing = Drawing(found.draw(layout="builtin"))
    (legend,) = [e for e in drawing.root.iter() if e.get("aria-label") == "The paths, largest first"]
    written = [text.text for text in legend.iter(f"{SVG}text")]
    assert written[0] == found.headline
    for path in found:
        assert path.amount in written
        assert " × ".join(path.shown_factors) in written
    assert "2 other paths together" in written
    assert len([e for e in legend.iter() if e.get("class") == "badge"]) == 2


def test_the_largest_is_the_broadest_and_no_two_look_alike():
    css = found_css("light")
    looks = re.findall(r"\.p(\d) \.edge \{ stroke-width: ([\d.]+);( stroke-dasharray: [\d ]+;)? \}", css)
    assert [int(rank) for rank, _, _ in looks] == [1, 2, 3, 4, 5]
    widths = [float(w) for _, w, _ in looks]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > 1.5  # an ordinary edge
    assert len({dashes for _, _, dashes in looks}) == 5


def found_css(theme):
    y = small()
    return re.search(r"<style>(.*?)</style>", paths(y, leaf(y, "a")).draw(theme=theme, layout="builtin").svg, re.S)[1]


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_themes(theme):
    css = found_css(theme)
    assert f".clearprop-{theme} .path .edge {{ stroke: {PALETTES[theme]['gradient']}; }}" in css
    assert "{root}" not in css


def test_automatic_theme_follows_the_reader():
    css = found_css("auto")
    for theme in ("light", "dark", "print"):
        assert f".clearprop-auto .path .edge {{ stroke: {PALETTES[theme]['gradient']}; }}" in css
    assert themed("auto", lambda palette: ["x"]).count("@media") == 2


def test_gradients_are_those_of_this_output_whatever_grad_holds():
    a = Value(3.0, label="a")
    y = a * a
    y.backward()
    y.backward()
    assert a.grad == 12.0
    drawing = Drawing(paths(y, a).draw(layout="builtin"))
    assert "gradient 6.0" in drawing.node("a").get("aria-label")
    assert a.grad == 12.0


def test_a_large_graph_is_drawn_as_its_paths():
    h, h0, u = long_chain()
    chain = paths(h, h0)
    picture = chain.draw(layout="builtin")
    assert len(picture.graph.boxes) == 3  # both ends, and what is between
    assert "900 of 1,201 nodes" in picture.note or "901 of 1,202 nodes" in picture.note
    stretch = picture.graph.boxes[1]
    assert stretch.operation == "899 steps in a row"
    assert stretch.data * (1 - h.data**2) == pytest.approx(chain.gradient)
    fan = paths(h, u, 4).draw(layout="builtin")
    assert len(fan.graph.boxes) < 20


def test_a_ladder_of_any_height():
    a = y = Value(1.001, label="a")
    for _ in range(3000):
        y = y * 0.5 + y * 0.4
    found = paths(y, a, 6)
    picture = found.draw(layout="builtin")
    assert len(picture.graph.boxes) < 60
    assert len(picture.svg) < 100_000
    assert found.count == 2**3000


def test_no_way_and_the_end_itself():
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    y = a * 2
    y.label = "y"
    none = Drawing(paths(y, b).draw(layout="builtin"))
    assert len(none.nodes) == 4
    assert "no path leads from y back to b" in "".join(none.root.itertext())
    assert len(Drawing(paths(y, b * b).draw(layout="builtin")).nodes) == 4
    itself = Drawing(paths(y, y).draw(layout="builtin"))
    assert not itself.with_class("tag")


def test_the_same_paths_are_the_same_bytes():
    def made():
        y = small()
        return paths(y, leaf(y, "a")).draw(layout="builtin").svg

    assert made() == made()


def test_hostile_labels():
    a = Value(2.0, label="</svg><script>alert(1)</script>\x00\u202e" + "x" * 100_000)
    y = a * a
    y.label = "{root} ]]> <!--"
    picture = paths(y, a).draw(layout="builtin")
    drawing = Drawing(picture)
    assert {e.tag.removeprefix(SVG) for e in drawing.root.iter()} <= HARMLESS
    assert len(drawing.nodes) == 2
    assert len(picture.svg) < 30_000


def test_text_ends_inside_the_picture():
    h, h0, _ = long_chain()
    drawing = Drawing(paths(h, h0).draw(layout="builtin"))
    wide = float(drawing.root.get("width"))
    for text in drawing.root.iter(f"{SVG}text"):
        if text.get("class") == "value" and text.get("text-anchor") == "start":
            assert float(text.get("x")) + width(text.text, 13) <= wide


def test_saved_and_shown(tmp_path):
    y = small()
    found = paths(y, leaf(y, "a"))
    assert found._repr_svg_() == found.picture.svg
    assert found.picture is found.picture
    assert found.save(tmp_path / "paths.svg").read_text(encoding="utf-8") == found.picture.svg


@pytest.mark.parametrize(("option", "given"), [("layout", "circle"), ("direction", "up"), ("theme", "blue")])
def test_unknown_options(option, given):
    y = small()
    with pytest.raises(ValueError, match=f"{option} is one of .*, not '{given}'"):
        paths(y, leaf(y, "a")).draw(**{option: given})
