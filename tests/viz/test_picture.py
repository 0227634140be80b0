"""``draw`` and ``Picture`` as their users meet them."""

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import viz
from autodiff import GraphError, Tensor, Value
from tests.viz.graphs import Drawing, neuron, shared
from viz import Picture, draw


def long_chain(length):
    y = Value(1.0)
    for _ in range(length):
        y = -y
    return y


def test_a_notebook_shows_the_same_as_the_file(tmp_path):
    picture = draw(neuron(), layout="builtin")
    assert isinstance(picture, Picture)
    path = picture.save(tmp_path / "neuron.svg")
    assert picture._repr_svg_() == picture.svg == path.read_text(encoding="utf-8")


def test_dot_source_is_saved_too(tmp_path):
    text = draw(shared(), layout="builtin").save(str(tmp_path / "shared.dot")).read_text(encoding="utf-8")
    assert text.startswith("digraph {")
    assert text.count("->") == 4
    assert 'n0 [label="a\\n2.0\\n∇ not computed yet" shape=ellipse]' in text


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.svg.gz", ".svg"])
def test_other_files_are_refused_with_those_that_can_be_had(tmp_path, name):
    with pytest.raises(ValueError, match=r"saved as \.svg, \.png, \.pdf, \.html or \.dot, and "):
        draw(shared(), layout="builtin").save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "graph.svg"
    draw(shared(), layout="builtin").save(path)
    before = path.read_text(encoding="utf-8")

    def full_disk(self, target):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        draw(neuron(), layout="builtin").save(path)
    assert path.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere. for .x\.svg. does not exist"):
        draw(shared(), layout="builtin").save(tmp_path / "nowhere" / "x.svg")


@pytest.mark.parametrize("nodes", [3.0, "abc", None, [Value(1.0), 2], {"a": 1}, draw])
def test_what_is_no_node_is_refused(nodes):
    with pytest.raises(TypeError, match="draw takes a node of a graph, such as the Value or Tensor"):
        draw(nodes)


def test_a_tensor_is_one_node_and_not_a_list_of_rows():
    assert len(draw(Tensor([[1.0], [2.0]]), layout="builtin").graph.boxes) == 1


def test_several_nodes_can_be_drawn_together():
    a = Value(2.0, label="a")
    picture = draw(x for x in (a + 1, a * 3))
    assert len(Drawing(picture).with_class("output")) == 2


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ({"layout": "neato"}, "'auto', 'builtin', 'dot'"),
        ({"direction": "RL"}, "'auto', 'LR', 'TB'"),
        ({"theme": "pink"}, "'light', 'dark', 'print'"),
    ],
)
def test_unknown_options_are_refused_with_the_known_ones(option, known):
    with pytest.raises(ValueError, match=known):
        draw(shared(), **option)


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="nothing to draw"):
        draw([])


def test_too_much_to_read_is_drawn_only_on_request():
    y = long_chain(2000)
    with pytest.raises(ValueError, match=r"2,001 nodes.*more than 2,000.*full=True"):
        draw(y, level="scalar")
    assert len(Drawing(draw(y, layout="builtin", full=True)).nodes) == 2001
    assert len(draw(y.inputs[0], layout="builtin", level="scalar").graph.boxes) == 2000


def test_a_graph_deeper_than_the_recursion_limit_is_drawn_in_parts():
    picture = draw(long_chain(100_000), layout="builtin")
    assert len(picture.graph.boxes) < 60
    assert "100,001 nodes" in picture.note


def test_drawing_changes_nothing():
    y = neuron()
    y.backward()
    before = [(node, node.data, node.grad, node.clock, node.label) for node in (y, *y.inputs)]
    draw(y, layout="builtin")
    assert before == [(node, node.data, node.grad, node.clock, node.label) for node in (y, *y.inputs)]


def test_it_introduces_itself():
    picture = draw(shared(), layout="builtin", direction="TB")
    assert repr(picture) == "<Picture of 4 nodes and 4 edges, builtin layout>"
    assert picture.direction == "TB"


def test_graphviz_is_imported_only_where_it_is_used():
    source = "import sys, viz; raise SystemExit('graphviz' in sys.modules or 'nn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


def test_viz_knows_the_engine_and_nobody_else():
    allowed = {"autodiff", "viz", "numpy", "graphviz", "cairosvg", "matplotlib"} | set(sys.stdlib_module_names)
    for path in Path(viz.__file__).parent.rglob("*.py"):
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in part.names] if isinstance(part, ast.Import) else []
            names += [part.module or ""] if isinstance(part, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path.name


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(viz.__file__).parent.glob("*.py")))
def test_the_examples_in_the_documentation_run(name):
    module = importlib.import_module("viz" if name == "__init__" else f"viz.{name}")
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


def test_a_changed_leaf_is_not_drawn_beside_its_old_result():
    w = Value(1.0, label="w")
    loss = (w * 3 - 1) ** 2
    loss.backward()
    w.data = 0.5
    with pytest.raises(GraphError, match="w was changed after multiply"):
        draw(loss, layout="builtin")
