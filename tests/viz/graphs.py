"""The graphs that these tests draw, and a reader of the SVG they become."""

from __future__ import annotations

import random
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np

from autodiff import Tensor, Value, scope

SVG = "{http://www.w3.org/2000/svg}"
HARMLESS = {"svg", "title", "desc", "style", "rect", "g", "text", "path"}


def neuron():
    numbers = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
    x1, x2, w1, w2, b = (Value(number, label=label) for label, number in numbers.items())
    y = (w1 * x1 + w2 * x2 + b).tanh()
    y.label = "y"
    return y


def shared():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    return a * b + a


def square():
    a = Value(3.0, label="a")
    return a * a


def horner():
    x = Value(1.5, label="x")
    y = Value(1.0)
    for k in range(6):
        y = y * x + float(k)
    return y


def network(widths=(2, 3, 1)):
    """A small network and its loss: ten inputs and weights a neuron, bus lines for the inputs."""
    draw = random.Random(1)
    values = [Value(draw.uniform(-1, 1), label=f"x{k}") for k in range(widths[0])]
    for layer, width in enumerate(widths[1:]):
        following = []
        for neuron_number in range(width):
            with scope(f"layer {layer}"), scope(f"neuron {neuron_number}"):
                total = Value(0.1, label="b")
                for k, x in enumerate(values):
                    total = total + Value(draw.uniform(-1, 1), label=f"w{k}") * x
                following.append(total.tanh())
        values = following
    loss = (values[0] - 1.0) ** 2
    loss.label = "loss"
    return loss


def tensors():
    random_numbers = np.random.default_rng(0)
    X = Tensor(random_numbers.normal(size=(8, 3)), requires_grad=False, label="X")
    W, b = Tensor(random_numbers.normal(size=(3, 4)), label="W"), Tensor(np.zeros(4), label="b")
    return ((X @ W + b).tanh() ** 2).mean()


SMALL = [neuron, shared, square, horner, network, tensors]


class Drawing:
    """An SVG file as a test reads it."""

    def __init__(self, picture):
        self.text = picture.svg
        self.root = ElementTree.fromstring(picture.svg)
        self.nodes = self.with_class("node")
        self.edges = self.with_class("arrowed")

    def with_class(self, name):
        return [e for e in self.root.iter() if name in e.get("class", "").split()]

    def node(self, name):
        """The one node whose accessible name mentions ``name``."""
        (found,) = [e for e in self.nodes if name in e.get("aria-label").split(", ")[0].split()]
        return found


def words(element):
    """Everything that is written on an element, hover texts aside."""
    return " ".join(text.text or "" for text in element.iter(f"{SVG}text"))


def along(route, steps=24):
    """Points on a chain of Bezier curves."""
    (x0, y0), rest = route[0], route[1:]
    assert rest
    assert len(rest) % 3 == 0
    points = [(x0, y0)]
    for (x1, y1), (x2, y2), (x3, y3) in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        for k in range(1, steps + 1):
            t = k / steps
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            points.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
        x0, y0 = x3, y3
    return points


def crossed(layout, sizes, edges, tolerance=0.5):
    """Pairs of an edge and a box it passes through, which is neither its source nor its target."""
    boxes = list(zip(layout.corners, sizes, strict=True))
    found = []
    for edge, route in zip(edges, layout.routes, strict=True):
        for (x, y), (u, v) in pairwise(along(route)):
            middle_x, middle_y = (x + u) / 2, (y + v) / 2
            for k, ((left, top), (width, height)) in enumerate(boxes):
                inside_x = left + tolerance < middle_x < left + width - tolerance
                if inside_x and top + tolerance < middle_y < top + height - tolerance:
                    found.append((edge, k))
    return [(edge, k) for edge, k in found if k not in (edge.source, edge.target)]


def entered(layout, sizes, edges):
    """Edges that run through the inside of their own source or target."""
    found = []
    for edge, route in zip(edges, layout.routes, strict=True):
        for x, y in along(route):
            for k in (edge.source, edge.target):
                (left, top), (width, height) = layout.corners[k], sizes[k]
                if left + 1 < x < left + width - 1 and top + 1 < y < top + height - 1:
                    found.append((edge, k))
    return found


def overlapping(layout, sizes, tolerance=1e-6):
    """Pairs of boxes that share some area."""
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(layout.corners, sizes, strict=True)]
    return [
        (i, j)
        for i, a in enumerate(boxes)
        for j, b in enumerate(boxes[:i])
        if min(a[2], b[2]) - max(a[0], b[0]) > tolerance and min(a[3], b[3]) - max(a[1], b[1]) > tolerance
    ]
