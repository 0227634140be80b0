"""Layout by Graphviz, present, absent and broken."""

import os
import re
import shutil
import stat
import sys
import time

import psutil
import pytest

from autodiff import Value
from tests.viz.graphs import SMALL, Drawing, crossed, network, overlapping, shared, square, words
from viz import DotError, draw
from viz.drawing.face import face_of
from viz.layouts.dot_layout import by_dot
from viz.views.model import graph_of

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed: no program dot")
needs_scripts = pytest.mark.skipif(os.name != "posix", reason="the stand-ins for dot are shell scripts")


@pytest.fixture
def only(tmp_path, monkeypatch):
    """Make ``dot`` the given shell script, or nothing."""

    def install(script=None):
        if script is not None:
            dot = tmp_path / "dot"
            dot.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
            dot.chmod(dot.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))

    return install


@needs_dot
@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("make", SMALL)
def test_dot_lays_out_without_overlap_or_crossing(make, direction):
    graph = graph_of([make()])
    sizes = [(face.width, face.height) for face in map(face_of, graph.boxes)]
    layout = by_dot(sizes, graph.edges, direction)
    assert layout.engine == "dot"
    assert overlapping(layout, sizes, tolerance=0.1) == []
    assert crossed(layout, sizes, graph.edges, tolerance=3) == []
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        (x, y), (width, height) = layout.corners[edge.target], sizes[edge.target]
        assert x - 1 <= route[-1][0] <= x + width + 1
        assert y - 1 <= route[-1][1] <= y + height + 1


@needs_dot
def test_the_drawing_is_the_same_but_for_places():
    by_us, by_them = (Drawing(draw(network(), layout=engine)) for engine in ("builtin", "dot"))
    assert [words(e) for e in by_us.nodes] == [words(e) for e in by_them.nodes]
    assert [e.get("class") for e in by_us.nodes] == [e.get("class") for e in by_them.nodes]
    assert by_them.with_class("note") == []


@needs_dot
def test_auto_takes_dot_and_gives_the_same_bytes_again():
    assert draw(square()).layout.engine == "dot"
    assert draw(network()).svg == draw(network()).svg


@needs_dot
def test_both_edges_and_the_order_of_operands_survive():
    a, b = Value(5.0, label="a"), Value(3.0, label="b")
    picture = draw(b - a, layout="dot", direction="LR")
    (_, first), (_, second) = picture.layout.routes[0][-1], picture.layout.routes[1][-1]
    assert first < second
    routes = draw(square(), layout="dot").layout.routes
    assert len(set(routes)) == 2


FAILURES = {
    "absent": (None, "not installed"),
    "failing": ("exit 3", "exit code 3"),
    "failing late": ("cat >/dev/null; echo graph; exit 1", "exit code 1"),
    "crashing": ("kill -SEGV $$", "exit code"),
    "deaf": ("exec 0<&-; exit 0", "no layout"),
    "silent": ("cat >/dev/null", "no layout"),
    "garbage": ("cat >/dev/null; echo '<html>node n0'; head -c 1000 /dev/urandom", "no layout"),
    "words for numbers": ("cat >/dev/null; echo 'node n0 a b'", "no layout"),
    "not a number": ("cat >/dev/null; for k in 0 1 2 3; do echo node n$k nan inf; done", "no layout"),
    "nothing but space": ("echo; echo ' '; echo", "no layout"),
    "boxes without a place": ("echo node n0; echo stop", "no layout"),
    "numbers beyond all bounds": ("echo node n0 1e999 1; echo stop", "no layout"),
    "edges beyond all bounds": ("echo edge n0 n2 99999999999999999999 1 1", "no layout"),
    "other boxes": ("for k in 4 5 6 7; do echo node n$k $k 1; done", "no layout"),
    "half an answer": ("cat >/dev/null; echo 'node n0 1 1'; echo 'node n1 2 2'", "no layout"),
    "broken edges": (
        "cat >/dev/null; for k in 0 1 2 3; do echo node n$k $k 1; done; echo 'edge n0 n2 3 1 1 2 2 3 3'",
        "no layout",
    ),
}


@needs_scripts
@pytest.mark.parametrize("failure", FAILURES)
def test_without_a_working_dot_the_builtin_layout_takes_over(only, failure):
    script, reason = FAILURES[failure]
    only(script)
    picture = draw(shared())
    assert picture.layout.engine == "builtin"
    assert reason in picture.note
    (note,) = Drawing(picture).with_class("note")
    assert note.text == picture.note
    assert len(Drawing(picture).nodes) == 4


@needs_scripts
@pytest.mark.parametrize("failure", FAILURES)
def test_who_asks_for_dot_is_told_what_to_do(only, failure):
    script, reason = FAILURES[failure]
    only(script)
    with pytest.raises(DotError, match=reason) as error:
        draw(shared(), layout="dot")
    assert "apt install graphviz" in str(error.value)
    assert 'layout="builtin"' in str(error.value)


@needs_scripts
def test_a_hanging_dot_is_stopped_with_all_it_started(only, tmp_path):
    only(f"sleep 60 & echo $! > {tmp_path}/child; wait")
    start = time.perf_counter()
    picture = draw(shared(), time_limit=0.5)
    assert time.perf_counter() - start < 30  # and not 60
    assert "stopped after 0.5 s" in picture.note
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not _is_running(child):
            break
        time.sleep(0.1)
    assert not _is_running(child)


STUBBORN = {
    "deaf to signals": "trap '' TERM INT HUP; while :; do sleep 1; done",
    "silent and running": "exec 1>&- 2>&-; sleep 60",
    "slow to read": "sleep 60; cat > /dev/null",
    "stopped": "kill -STOP $$",
}


@needs_scripts
@pytest.mark.parametrize("kind", STUBBORN)
def test_a_dot_that_will_not_end_is_ended(only, kind):
    only(STUBBORN[kind])
    start = time.perf_counter()
    picture = draw(shared(), time_limit=0.3)
    assert time.perf_counter() - start < 20
    assert "stopped after 0.3 s" in picture.note
    assert picture.layout.engine == "builtin"


@needs_scripts
def test_an_answer_without_end_is_cut_short(only, monkeypatch):
    monkeypatch.setattr("viz.layouts.dot_layout._LONGEST", 1_000_000)
    only("exec yes 'node n0 1 1'")
    start = time.perf_counter()
    assert "its answer had no end" in draw(shared(), time_limit=60).note
    assert time.perf_counter() - start < 30


@needs_scripts
def test_what_outlives_dot_is_not_waited_for(only):
    only("setsid sleep 3 & exit 0")
    start = time.perf_counter()
    assert "no layout" in draw(shared(), time_limit=60).note
    assert time.perf_counter() - start < 30


@needs_scripts
def test_a_large_question_to_a_dot_that_does_not_listen(only):
    only("exit 4")
    y = Value(1.0)
    for _ in range(3000):
        y = -y
    assert "exit code 4" in draw(y, full=True).note


@needs_scripts
@pytest.mark.parametrize(
    ("content", "mode"), [("#!/bin/sh\n", 0o644), ("#!/nowhere/sh\n", 0o755), ("\x7fELF rubbish", 0o755), (None, 0o755)]
)
def test_what_is_called_dot_and_cannot_be_started(tmp_path, monkeypatch, content, mode):
    dot = tmp_path / "dot"
    if content is None:
        dot.mkdir()
    else:
        dot.write_text(content)
        dot.chmod(mode)
    monkeypatch.setenv("PATH", str(tmp_path))
    picture = draw(shared())
    assert picture.layout.engine == "builtin"
    assert re.search("cannot be started|not installed", picture.note)
    with pytest.raises(DotError, match='layout="builtin"'):
        draw(shared(), layout="dot")


@needs_scripts
def test_nothing_is_left_behind(only):
    """Neither a process nor an open file, however dot fails."""
    me = psutil.Process()
    before = len(me.children()), me.num_fds()
    for script, _ in FAILURES.values():
        only(script)
        draw(shared())
    assert (len(me.children()), me.num_fds()) == before


def _is_running(process):
    try:
        with open(f"/proc/{process}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@needs_scripts
def test_dot_learns_no_label(only, tmp_path):
    only(f"cat > {tmp_path}/seen; exit 1")
    y = Value(1.0, label="secret") * 2
    y.label = "hidden"
    draw(y)
    seen = (tmp_path / "seen").read_text()
    assert "n0" in seen
    assert "secret" not in seen
    assert "hidden" not in seen
    assert "ortho" not in seen


def test_without_the_python_package_the_builtin_layout_takes_over(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    picture = draw(shared())
    assert "pip install graphviz" in picture.note
    with pytest.raises(DotError, match="pip install graphviz"):
        draw(shared(), layout="dot")
    with pytest.raises(ImportError, match="pip install graphviz"):
        picture.to_dot()


def test_builtin_asks_nobody(only):
    only("exit 1")
    picture = draw(shared(), layout="builtin")
    assert picture.note == ""
    assert Drawing(picture).with_class("note") == []
