"""Ten thousand hostile labels through SVG, HTML and DOT: each is shown as text, and does nothing else."""

import re
import subprocess
from functools import cache
from xml.etree import ElementTree

import pytest

from autodiff import Value, scope
from autodiff.primitives.row import Primitive
from tests.viz.graphs import HARMLESS, SVG, Drawing
from tests.viz.hostile_labels import FAMILIES, LONG, hostile_labels
from tests.viz.readers import Page
from tests.viz.test_dot import needs_dot
from viz import draw
from viz.drawing.text import clean
from viz.drawing.web_page import page_of

COUNT, BATCH = 10_000, 500
FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def operation(name):
    """A primitive of a user, with ``name`` wherever a drawing might show one."""
    number = lambda x, y, hint=name: x + y
    return Primitive(
        name or "unnamed", number, number, partials=[1, 1], symbol=name, text="{0}" + name.replace("{", "")
    )


def outputs(labels):
    """Sums in which leaves, results, places, signs and names of operations are all called by hostile labels."""
    results = []
    for a, b, c, d, e in zip(*[iter(labels)] * 5, strict=True):
        with scope(a[:3000]):  # places of a hundred thousand levels would take seconds
            y = operation(b)(Value(1.0, label=c), Value(2.0, label=d), hint=e)
        y.label = a
        results.append(y)
    return results


@cache
def drawn(batch):
    labels = hostile_labels(COUNT)[batch * BATCH : (batch + 1) * BATCH]
    return draw(outputs(labels), layout="builtin", full=True, title=labels[0])


BATCHES = pytest.mark.parametrize("batch", range(COUNT // BATCH))


def test_the_labels_are_what_they_are_said_to_be():
    labels = hostile_labels(COUNT)
    assert labels == hostile_labels(COUNT)
    assert len(labels) == COUNT
    assert {piece for family in FAMILIES for piece in family} <= set(labels)
    assert max(map(len, labels)) >= 0.99 * LONG
    assert len(set(hostile_labels(COUNT, seed=1)) & set(labels)) < COUNT / 4


@BATCHES
def test_a_drawing_is_well_formed_and_holds_nothing_but_its_graph(batch):
    drawing = Drawing(drawn(batch))
    assert len(drawing.nodes) == 3 * BATCH // 5
    assert len(drawing.edges) == 2 * BATCH // 5
    assert {element.tag.removeprefix(SVG) for element in drawing.root.iter()} <= HARMLESS
    assert not {
        name for element in drawing.root.iter() for name in element.attrib if re.match("on|.*href|style|src", name)
    }
    assert not FORBIDDEN.search(drawing.text)
    (style,) = drawing.root.iter(f"{SVG}style")
    assert not re.search(r"url|import|expression", style.text)


@BATCHES
def test_a_page_runs_follows_and_fetches_nothing(batch):
    picture = drawn(batch)
    page = Page(page_of(picture.svg))
    assert page.active == []
    assert page.tags.count("svg") >= 1
    assert page.tags.count("g") == picture.svg.count("<g ")
    assert set(page.tags) <= HARMLESS | {"html", "head", "meta", "body", "main", "label", "input"}
    assert page.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert len(page.styles) == 2


@needs_dot
@BATCHES
def test_dot_reads_every_label_as_text(batch):
    picture = drawn(batch)
    source = picture.to_dot().source
    done = subprocess.run(["dot", "-Tsvg"], input=source.encode(), capture_output=True, timeout=60, check=True)
    assert not done.stderr.replace(b"Warning: no value for width of non-ASCII character", b"").strip(b" 0123456789.\n")
    root = ElementTree.fromstring(done.stdout)
    groups = [element for element in root.iter(f"{SVG}g") if element.get("class") in ("node", "edge")]
    assert [g.get("class") for g in groups].count("node") == len(picture.graph.boxes)
    assert [g.get("class") for g in groups].count("edge") == len(picture.graph.edges)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {*HARMLESS, "polygon", "ellipse"}
    shown = {g.find(f"{SVG}title").text: [t.text or "" for t in g.iter(f"{SVG}text")] for g in groups}
    for k, box in enumerate(picture.graph.boxes):
        if box.name:
            assert _words(shown[f"n{k}"][0]) == _words(clean(box.name, 60))


@pytest.mark.parametrize("level", ["neuron", "layer", "step"])
def test_boxes_of_hostile_places_are_text_too(level):
    labels = hostile_labels(600, seed=level)
    if level == "step":
        labels = [f"step {k}/{label}" for k, label in enumerate(labels)]
    nodes = outputs(labels)
    picture = draw(nodes, layout="builtin", level=level)
    drawing = Drawing(picture)
    assert len(drawing.nodes) == len(picture.graph.boxes) > 20
    assert {element.tag.removeprefix(SVG) for element in drawing.root.iter()} <= HARMLESS
    assert not FORBIDDEN.search(drawing.text)
    assert Page(page_of(picture.svg)).active == []
    source = picture.to_dot().source.strip()
    assert len(source.splitlines()) == 3 + len(picture.graph.boxes) + len(picture.graph.edges)
    inside = draw(nodes, layout="builtin", level=level, open=nodes[0].scope)
    assert len(Drawing(inside).nodes) == len(inside.graph.boxes)


def _words(text):
    return text.replace("\xa0", " ").split()


@pytest.mark.parametrize("label", ["{root}", "</style>", "$css", "\\g<0>", "{0}%s"])
def test_templates_are_filled_once(label):
    """What a label says is not read as a place in a page, in a style or in a pattern."""
    picture = draw(Value(1.0, label=label), layout="builtin", title=label)
    drawing = Drawing(picture)
    assert drawing.root.find(f"{SVG}title").text == label
    assert label in Page(page_of(picture.svg)).texts
