"""Labels are data, whatever they contain: through SVG and through DOT."""

import re
import subprocess
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autodiff import Value, scope
from tests.viz.graphs import HARMLESS, SVG, Drawing, words
from tests.viz.test_dot import needs_dot
from viz import draw
from viz.drawing.face import LONGEST_NAME, face_of
from viz.drawing.text import clean, is_plain, width
from viz.views.model import graph_of

HOSTILE = [
    "<b>bold</b>",
    "</script><img src=x onerror=alert(1)>",
    "</text></svg><script>alert(1)</script>",
    "]]><!-- --><![CDATA[",
    "\"quoted\" & 'single' &lt; &amp;#10;",
    "NUL\x00 bell\x07 escape\x1b[31m delete\x7f next\x85",
    "lone \ud800 surrogate, \ufffe no character",
    "a\u202edesrever\u2066 isolated\u200f mark",
    "עברית العربية",
    "emoji 👩‍🔬🚀 and 漢字",
    "e" + "\u0301" * 500,
    '"] ; n1 [label="x" URL="http://example.com"] //',
    "ends with backslash\\",
    "\\N \\G \\l{|}<port>",
    "<<TABLE><TR><TD>x</TD></TR></TABLE>>",
    "two\nlines\tand\rmore",
    "a\n" * 100,
    "x" * 200_000,
    "\x00" * 5000 + "late",
    "   ",
]

labels = st.one_of(st.text(), st.text(alphabet="<>&\"'\\{}|[];:-/=\x00\x1b\n\u202e👩‍é", max_size=60))


def labelled(label):
    with scope(label or "nowhere"):
        y = Value(1.0, label=label) * Value(2.0, label="b")
    y.label = label
    return y


def through_everything(label):
    picture = draw(labelled(label), layout="builtin", title=label)
    drawing = Drawing(picture)
    assert (len(drawing.nodes), len(drawing.edges)) == (3, 2)
    assert {e.tag.removeprefix(SVG) for e in drawing.root.iter()} <= HARMLESS
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", picture.svg
    )
    assert len(picture.svg) < 40_000
    for box in graph_of([labelled(label)]).boxes:
        face = face_of(box)
        for text in face.texts:
            assert text.left >= 2
            assert text.left + text.width <= face.width - 2
    return drawing


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: ascii(label[:20]))
def test_a_hostile_label_is_only_text(label):
    through_everything(label)


@given(labels)
@settings(deadline=None, max_examples=80)
def test_any_label_is_only_text(label):
    through_everything(label)


def test_a_short_label_is_shown_as_it_is():
    drawing = through_everything("<i>&amp;\"'</i>")
    assert words(drawing.nodes[0]).startswith("<i>&amp;\"'</i> 1.0")


def test_a_label_of_any_type_is_shown():
    x = Value(1.0)
    x.label = 3
    assert words(Drawing(draw(x, layout="builtin")).nodes[0]).startswith("3 1.0")


def test_what_may_be_wider_than_measured_is_cut_off_at_the_box():
    node = Drawing(draw(Value(1.0, label="﷽﷽"), layout="builtin")).nodes[0]
    inner = node.find(f"{SVG}svg")
    assert inner.get("overflow") == "hidden"
    assert float(inner.get("width")) == pytest.approx(float(node.find(f"{SVG}rect").get("width")))


@given(st.text())
@example("\x00" * 1000 + "a")
def test_clean_text_is_short_and_harmless(text):
    assert len(clean(text, 10)) <= 10
    assert ElementTree.fromstring(f"<a>{clean(text).replace('&', '').replace('<', '')}</a>").tag == "a"
    assert clean(clean(text)) == clean(text)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=200))
def test_ordinary_text_is_kept(text):
    assert clean(text) == " ".join(text.split())
    assert is_plain(text)


def test_wide_characters_are_measured_wide():
    assert width("漢字", 10) == 2 * width("ab", 10)
    assert width("e\u0301", 10) == width("e", 10)


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: ascii(label[:20]))
@needs_dot
def test_dot_reads_hostile_labels_as_text(label):
    source = draw(labelled(label), layout="builtin").to_dot().source
    answer = subprocess.run(["dot", "-Tplain"], input=source.encode(), capture_output=True, timeout=20, check=True)
    lines = answer.stdout.decode().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("node ")] == ["n0", "n1", "n2"]
    assert sum(line.startswith("edge ") for line in lines) == 2
    svg = subprocess.run(["dot", "-Tsvg"], input=source.encode(), capture_output=True, timeout=20, check=True).stdout
    root = ElementTree.fromstring(svg)
    assert not list(root.iter(f"{SVG}a"))
    shown = " ".join("".join(e.itertext()) for e in root.iter(f"{SVG}text"))
    assert clean(label)[:LONGEST_NAME].rstrip("…") in clean(shown.replace("\xa0", " "), 1000)


@given(labels)
@settings(deadline=None, max_examples=80)
def test_dot_source_has_one_line_a_statement_and_no_markup(label):
    source = draw(labelled(label), layout="builtin").to_dot().source
    lines = [line.strip() for line in source.strip().splitlines()]
    assert len(lines) == 2 + 1 + 3 + 2
    assert all(re.match(r'(digraph \{|graph \[|n\d \[label="|n\d -> n\d$|\}$)', line) for line in lines)
    assert "label=<" not in source
