"""Graphs made in scopes, and what must hold for every view of one."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import nullcontext
from graphlib import TopologicalSorter

import numpy as np
from hypothesis import strategies as st

from autodiff import Tensor, Value, scope, tanh
from nn import Network

PLACES = ["", "", "a", "a/b", "a/c", "b", "step 0", "step 1", "step 2", "step 3/x", "a/step 1", "outside scopes", "d.1"]
OPERATIONS = [
    lambda a, b: a * b,
    lambda a, _: tanh(a),
    lambda a, _: a + 0.5,
    lambda a, _: a * Value(0.5),
    lambda a, _: a * a,
]


@st.composite
def scoped_graphs(draw):
    """Outputs of a graph with places that are entered again and again, in any order."""
    chance = random.Random(draw(st.integers(0, 10**6)))
    count = draw(st.integers(1, 40))
    places = chance.sample(PLACES, draw(st.integers(1, len(PLACES))))
    stays = draw(st.sampled_from([0.0, 0.5, 0.9]))
    values = [Value(chance.uniform(-1, 1), label=f"x{k}", requires_grad=k > 0) for k in range(3)]
    place = places[0]
    for _ in range(count):
        if chance.random() > stays:
            place = chance.choice(places)
        near = values[-chance.choice([2, 4, 60]) :]
        with scope(place) if place else nullcontext():
            a, b = chance.choice(near), chance.choice(near)
            made = chance.choice(OPERATIONS)(a, b)
        values.append(made)
    return [values[-1], *chance.sample(values, draw(st.integers(0, 2)))]


def network(sizes, samples=1):
    """The loss of a network of neurons: (output - 1)² summed over outputs and samples."""
    model, chance = Network(sizes, seed=0), random.Random(0)
    total = None
    for _ in range(samples):
        outputs = model([chance.gauss(0, 1) for _ in range(sizes[0])])
        for y in outputs if isinstance(outputs, list) else [outputs]:
            error = (y - 1.0) ** 2
            total = error if total is None else total + error
    total.label = "loss"
    return total


def recurrent(steps, hidden=3, name="step {}", irregular=()):
    """h' = tanh(U x + W h), one number at a time; ``irregular`` steps have one operation more."""
    chance = random.Random(0)
    W = [[Value(chance.gauss(0, 0.5), label=f"W{i}{j}") for j in range(hidden)] for i in range(hidden)]
    U = [Value(chance.gauss(0, 0.5), label=f"U{i}") for i in range(hidden)]
    h = [Value(0.0, label=f"h{i}") for i in range(hidden)]
    for t in range(steps):
        with scope(name.format(t)):
            x = Value(chance.gauss(0, 1), label="x", requires_grad=False)
            sums = [U[i] * x for i in range(hidden)]
            for j in range(hidden):
                sums = [sums[i] + W[i][j] * h[j] for i in range(hidden)]
            h = [tanh(s) for s in sums]
            if t in irregular:
                h[0] = -h[0]
    loss = h[0] * h[0]
    for y in h[1:]:
        loss = loss + y * y
    loss.label = "loss"
    return loss


def chain(length):
    """x → tanh(x · w) → ..., without a scope."""
    y, w = Value(0.5, label="x"), Value(0.9, label="w")
    for _ in range(length // 2):
        y = (y * w).tanh()
    return y


def array_steps(steps):
    """The same operation on arrays, step by step."""
    W, h = Tensor(np.eye(3) * 0.5, label="W"), Tensor(np.ones((3, 2)), label="h")
    for t in range(steps):
        with scope(f"step {t}"):
            h = (W @ h).tanh()
    return h.sum()


def check(view, outputs):
    """All that must hold for a view, whatever was collapsed: exactly once, no cycle, exact counts."""
    graph = view.graph
    nodes, wanted = set(view.nodes), set(outputs)
    assert wanted <= nodes == set(view.box_of)
    assert all(x in nodes for node in view.nodes for x in node.inputs)
    members = Counter(view.box_of.values())
    assert set(members) == set(range(len(graph.boxes)))
    inside = {k: [] for k in members}
    for node in view.nodes:
        inside[view.box_of[node]].append(node)
    for k, box in enumerate(graph.boxes):
        own = inside[k]
        assert box.is_output == any(node in wanted for node in own)
        if box.group is None:
            assert len(own) == 1
            assert box.data is own[0].data or box.data == own[0].data or own[0].data != own[0].data
            continue
        leaves = [node for node in own if node.op is None]
        assert box.group.nodes == len(own) > 1
        assert box.group.operations == len(own) - len(leaves)
        assert box.group.parameters == sum(np.size(node.data) for node in leaves if node.requires_grad)
        assert box.group.constants == sum(np.size(node.data) for node in leaves if not node.requires_grad)
    used = {}
    for (node, position), edge in view.edge_of.items():
        source, target = view.box_of[node.inputs[position]], view.box_of[node]
        if edge is None:
            assert source == target
        else:
            assert (graph.edges[edge].source, graph.edges[edge].target) == (source, target)
            used.setdefault(edge, []).append((node, position))
    assert set(used) == set(range(len(graph.edges)))
    assert len(view.edge_of) == sum(len(node.inputs) for node in view.nodes)
    for k, inputs in used.items():
        edge = graph.edges[k]
        assert edge.source < edge.target
        assert edge.numbers == sum(np.size(x.data) for x in {node.inputs[position] for node, position in inputs})
        if graph.boxes[edge.target].group is None:
            assert edge.ports == len(inputs[0][0].inputs)
            assert (inputs[0][0], edge.port) in inputs
            assert len(inputs) == 1 or graph.boxes[edge.source].group is not None
    framed = [box for frame in graph.frames for box in frame.boxes]
    assert len(framed) == len(set(framed))
    stands_for = {box: ("frame", f) for f, frame in enumerate(graph.frames) for box in frame.boxes}
    outer = TopologicalSorter()
    for edge in graph.edges:
        a, b = stands_for.get(edge.source, edge.source), stands_for.get(edge.target, edge.target)
        if a != b:
            outer.add(b, a)
    list(outer.static_order())  # raises where there is a cycle
