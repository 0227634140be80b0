"""The wrong gradients beside the right ones: read off the SVG, and compared with those of the pass."""

import pytest

from autodiff import Value
from tests.viz import graphs
from tests.viz.graphs import HARMLESS, SVG, Drawing, crossed, entered, overlapping, words
from viz.bugs import BUGS, broken
from viz.bugs.drawing import WIDEST
from viz.drawing.face import face_of
from viz.drawing.format import number
from viz.views.model import in_order

EXAMPLES = [bug.example for bug in BUGS.values()]


def halves(found, **options):
    """The boxes of the wrong drawing and those of the right one, in topological order."""
    drawing = Drawing(found.draw(layout="builtin", **options))
    count = len(drawing.nodes) // 2
    return drawing, drawing.nodes[:count], drawing.nodes[count:]


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("make", [*EXAMPLES, graphs.neuron, graphs.network])
def test_both_drawings_show_the_numbers_of_the_pass(bug, make):
    output = make()
    found = broken(output, bug)
    drawing, wrong, right = halves(found)
    nodes = in_order([output])
    assert len(nodes) == len(wrong) == len(right)
    for node, left_box, right_box in zip(nodes, wrong, right, strict=True):
        if not node.requires_grad:
            assert words(left_box) == words(right_box)
            continue
        gradient, truth = number(found.gradients[node]), number(found.right[node])
        is_wrong = node in found.wrong_nodes
        assert words(left_box).endswith(f"✗ ∇ {gradient}" if is_wrong else f" ∇ {gradient}")
        assert ("✗" in words(left_box)) == is_wrong == ("wrong" in left_box.get("class").split())
        assert words(right_box).endswith(f" ∇ {truth}")
        assert "✗" not in words(right_box)
        assert f"gradient {gradient}" in left_box.get("aria-label")
    headings = [e.text for e in drawing.root.iter(f"{SVG}text") if e.text and e.text[0] in "✗✓" and "∇" not in e.text]
    assert headings == [f"✗ {BUGS[bug].title}", "✓ Right"]
    assert all(node.grad is None for node in nodes)


@pytest.mark.parametrize("bug", BUGS)
def test_the_arrows_that_go_wrong_are_marked(bug):
    output = BUGS[bug].example()
    found = broken(output, bug)
    drawing, _, _ = halves(found)
    titles = [e.find(f"{SVG}title").text for e in drawing.edges]
    slips = [titles[k] for k, e in enumerate(drawing.edges) if "slip" in e.get("class").split()]
    assert len(slips) == len(found.slips)
    for slip in found.slips:
        step = found.steps[slip]
        assert any(title.startswith(f"{step.input_name} → {step.name}") for title in slips)
    assert all(k < len(titles) // 2 for k, e in enumerate(drawing.edges) if "slip" in e.get("class").split())


@pytest.mark.parametrize("make", [*EXAMPLES, graphs.neuron, graphs.horner, graphs.network, graphs.tensors])
def test_nothing_overlaps(make):
    picture = broken(make(), "no_zero_grad").draw(layout="builtin")
    faces = [face_of(box) for box in picture.graph.boxes]
    sizes = [(face.width, face.height) for face in faces]
    assert not overlapping(picture.layout, sizes)
    assert not crossed(picture.layout, sizes, picture.graph.edges)
    assert not entered(picture.layout, sizes, picture.graph.edges)
    right, bottom = picture.layout.width, picture.layout.height
    assert all(x >= 0 and x + w <= right + 0.1 for (x, _), (w, _) in zip(picture.layout.corners, sizes, strict=True))
    assert all(y + h <= bottom + 0.1 for (_, y), (_, h) in zip(picture.layout.corners, sizes, strict=True))


def test_a_long_number_with_a_cross_fits_its_box():
    a = Value(-1.2345e-13, label="a")
    _, (box, _), _ = halves(broken(a * a, "overwrite"))
    (text,) = [t for t in box.iter(f"{SVG}text") if "✗" in (t.text or "")]
    width = float(next(box.iter(f"{SVG}rect")).get("width"))
    assert float(text.get("x")) == pytest.approx(width / 2)
    assert len(text.text) * 0.6021 * 13 <= width


def test_beside_or_above_each_other():
    small, large = broken(graphs.square(), "overwrite").draw(), broken(graphs.network(), "overwrite").draw()
    left, right = small.layout.corners[0], small.layout.corners[2]
    assert left[1] == right[1]
    assert left[0] < right[0]
    count = len(large.graph.boxes) // 2
    assert large.layout.corners[0][1] < large.layout.corners[count][1]
    assert small.layout.width <= WIDEST


def test_it_is_safe_the_same_each_time_and_saved(tmp_path):
    def made():
        a = Value(3.0, label="<script>alert(1)</script>")
        y = a * a
        y.label = "]]></title>"
        return broken(y, "overwrite")

    assert made().draw().svg == made().draw().svg
    drawing, _, _ = halves(made())
    assert {e.tag.removeprefix(SVG) for e in drawing.root.iter()} <= HARMLESS | {"svg"}
    path = made().draw(theme="dark").save(tmp_path / "wrong.svg")
    assert "clearprop-dark" in path.read_text(encoding="utf-8")


def test_a_notebook_shows_what_can_be_read():
    found = broken(graphs.shared(), "overwrite")
    assert found._repr_svg_() == found.draw().svg
    assert repr(found) == "<BrokenPass 'overwrite': 1 of 4 steps do the wrong thing>"
    x = Value(1.0)
    for _ in range(60):
        x = x * 0.5
    assert broken(x, "no_zero_grad")._repr_svg_() is None
    for _ in range(500):
        x = x * 0.5
    with pytest.raises(ValueError, match="this graph has 1,121 nodes, and a picture of it twice cannot be read"):
        broken(x, "no_zero_grad").draw()
