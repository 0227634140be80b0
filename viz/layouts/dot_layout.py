"""Layout by Graphviz: its program ``dot`` is told sizes and edges, and answers with positions.

No label reaches ``dot``: boxes go by numbers (n0, n1, ...), and the SVG is written by this package in any case.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from math import isfinite

from viz.layouts.builtin import Direction, Layout, Point, fitted
from viz.views.model import Edge

_INCH = 72.0  # dot measures in inches, and 72 of our pixels make one
_LONGEST = 200_000_000  # bytes of an answer: a hundred times what a readable picture takes


class DotError(RuntimeError):
    """Graphviz is not installed, or gave no layout."""


def by_dot(sizes: Sequence[Point], edges: Sequence[Edge], direction: Direction = "LR", limit: float = 10.0) -> Layout:
    """Lay out boxes of the given sizes with ``dot``, which is killed after ``limit`` seconds.

    Raises:
        DotError: ``dot`` or the package ``graphviz`` is missing, took too long, failed, or answered nonsense.
    """
    answer = _run(_source(sizes, edges, direction), limit)
    try:
        return _read(answer, sizes, edges)
    except (ValueError, LookupError) as error:
        raise DotError("dot answered something that is no layout") from error


def _source(sizes: Sequence[Point], edges: Sequence[Edge], direction: Direction) -> str:
    try:
        import graphviz
    except ImportError:
        raise DotError("the Python package graphviz is missing: pip install graphviz") from None
    graph = graphviz.Digraph(
        graph_attr={"rankdir": direction, "nodesep": "0.2", "ranksep": "0.45" if direction == "LR" else "0.6"},
        node_attr={"shape": "record", "fixedsize": "true", "margin": "0", "fontsize": "1"},
        edge_attr={"arrowhead": "none"},
    )
    ports = {edge.target: edge.ports for edge in edges}
    for k, (width, height) in enumerate(sizes):
        slots = graphviz.nohtml("|".join(f"<i{port}>" for port in range(ports.get(k, 0))))
        graph.node(f"n{k}", label=slots, width=f"{width / _INCH:.4f}", height=f"{height / _INCH:.4f}")
    leaves, arrives = ("e", "w") if direction == "LR" else ("s", "n")
    for edge in edges:
        graph.edge(f"n{edge.source}:{leaves}", f"n{edge.target}:i{edge.port}:{arrives}")
    return str(graph.source)


def _run(source: str, limit: float) -> str:
    """What ``dot`` answers. It reads and writes files: no pipe can break, fill up, or be kept open by others."""
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answer:
        asked.write(source.encode())
        asked.seek(0)
        try:
            process = subprocess.Popen(
                ["dot", "-Tplain"], stdin=asked, stdout=answer, stderr=subprocess.DEVNULL, start_new_session=True
            )
        except FileNotFoundError:
            raise DotError("Graphviz is not installed (there is no program dot)") from None
        except OSError as error:
            raise DotError(f"the program dot cannot be started ({error.strerror})") from None
        try:
            _wait(process, answer.fileno(), limit)
        finally:
            _end(process)
        if process.returncode:
            raise DotError(f"dot failed with exit code {process.returncode}")
        answer.seek(0)
        return answer.read().decode("ascii", "replace")


def _wait(process: subprocess.Popen[bytes], answer: int, limit: float) -> None:
    """Until it has ended, unless that takes longer than ``limit`` seconds or its answer has no end."""
    stop = time.monotonic() + limit
    while True:
        left = stop - time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, min(left, 0.2)))
            return
        if left <= 0:
            raise DotError(f"dot was stopped after {limit:g} s")
        if os.fstat(answer).st_size > _LONGEST:
            raise DotError("dot was stopped, since its answer had no end")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop it and whatever it has started, so that nothing is left behind."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def _read(answer: str, sizes: Sequence[Point], edges: Sequence[Edge]) -> Layout:
    """Positions and routes from dot's plain format, in which y points up."""
    middles: dict[str, Point] = {}
    curves: defaultdict[tuple[str, str], deque[list[Point]]] = defaultdict(deque)
    for line in answer.splitlines():
        kind, *words = line.split()
        if kind == "node":
            (middles[words[0]],) = _points(words[1:3])
        elif kind == "edge":
            count = int(words[2])
            curve = list(_points(words[3 : 3 + 2 * count]))
            if count < 4 or count % 3 != 1 or len(curve) != count:
                raise ValueError("an edge that is no chain of Bezier curves")
            curves[words[0], words[1]].append(curve)
    corners = []
    for k, (width, height) in enumerate(sizes):
        x, y = middles[f"n{k}"]
        corners.append((x - width / 2, y - height / 2))
    routes = [curves[f"n{edge.source}", f"n{edge.target}"].popleft() for edge in edges]
    return fitted(sizes, corners, routes, "dot")


def _points(words: Sequence[str]) -> Iterator[Point]:
    numbers = [_INCH * float(word) for word in words]
    if not all(map(isfinite, numbers)):
        raise ValueError("a position that is no number")
    yield from ((x, -y) for x, y in zip(numbers[::2], numbers[1::2], strict=True))
