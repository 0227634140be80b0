"""The pictures that are kept: one for each thing that a drawing can show."""

import math
from fractions import Fraction

from autodiff import Value, scope
from tests.viz.graphs import horner, network, neuron, shared, tensors
from viz import draw


def after_backward(make, *arguments):
    output = make(*arguments)
    output.backward()
    return output


def long_labels():
    a = Value(2.0, label="the learning rate of the second layer")
    b = Value(-0.5, label="<b>bold</b> & \"quoted\" 'text'")
    y = (a * b).exp()
    y.label = "what all of it comes to in the end"
    return y * Value(3.0, label="a\u202ebc\x00 größe ∇σ")


def odd_numbers():
    numbers = [math.nan, math.inf, -math.inf, 1e-300, -1.2345e200, -0.0, 0.1 + 0.2, 999_999.5, 123_456_789.0]
    first, *others = [Value(x, label=f"x{k}") for k, x in enumerate(numbers)]
    return sum(others, first)


def exact_numbers():
    x, y = Value(Fraction(7, 3), label="x"), Value(Fraction(10**30, 7), label="y")
    z = Value(1.5 - 2e-7j, label="z")
    return [after_backward(lambda: (x * y + Fraction(1, 10**9)) ** 2), z * z]


def recurrent():
    w, u, h = Value(0.9, label="w"), Value(0.2, label="u"), Value(0.1, label="h0")
    for step in range(12):
        with scope(f"step {step}"):
            h = (w * h + u * float(step % 3)).tanh()
    h.label = "h"
    return h


PICTURES = {
    "neuron": lambda: draw(after_backward(neuron), layout="builtin", theme="light"),
    "neuron before backward": lambda: draw(neuron(), layout="builtin", theme="light"),
    "neuron in the dark": lambda: draw(after_backward(neuron), layout="builtin", theme="dark"),
    "neuron on paper": lambda: draw(after_backward(neuron), layout="builtin", theme="print"),
    "shared": lambda: draw(after_backward(shared), layout="builtin", theme="light"),
    "from top to bottom": lambda: draw(after_backward(horner), layout="builtin", theme="light", direction="TB"),
    "sixty": lambda: draw(after_backward(network, (3, 3, 1)), layout="builtin", theme="light", level="scalar"),
    "sixty in the dark": lambda: draw(network((2, 2, 2, 1)), layout="builtin", theme="dark", level="scalar"),
    "tensors": lambda: draw(after_backward(tensors), layout="builtin", theme="light"),
    "tensors in the dark": lambda: draw(tensors(), layout="builtin", theme="dark"),
    "long labels": lambda: draw(after_backward(long_labels), layout="builtin", theme="light"),
    "odd numbers": lambda: draw(after_backward(odd_numbers), layout="builtin", theme="light"),
    "exact numbers": lambda: draw(exact_numbers(), layout="builtin", theme="light"),
    "neurons": lambda: draw(after_backward(network, (3, 4, 4, 1)), layout="builtin", theme="light", level="neuron"),
    "rolled steps": lambda: draw(after_backward(recurrent), layout="builtin", theme="light", level="step"),
    "rolled steps on paper": lambda: draw(recurrent(), layout="builtin", theme="print", level="step", open=None),
}


def drawn(name):
    """The picture of that name."""
    return PICTURES[name]()
