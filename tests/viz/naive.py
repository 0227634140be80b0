"""Backward passes with real bugs: an engine of closures, as beginners write it, that knows nothing of autodiff.

And random programs that run on it as well as on Values.
"""

import itertools
import math
from fractions import Fraction

from hypothesis import strategies as st

clock = itertools.count()


class Num:
    """A number with a gradient and a closure that hands the gradient back."""

    def __init__(self, data, inputs=()):
        self.data, self.inputs = data, inputs
        self.grad = 0
        self.hand_back = lambda put: None
        self.born = next(clock)


def compute(function, slopes, *inputs):
    out = Num(function(*(x.data for x in inputs)), inputs)

    def hand_back(put):
        for x, slope in zip(inputs, slopes, strict=True):
            put(x, out.grad * slope(*(i.data for i in inputs), out.data))

    out.hand_back = hand_back
    return out


def add_up(x, flow):
    x.grad = x.grad + flow


def overwrite(x, flow):
    x.grad = flow


# name: the same on Values, the function, its slopes (the inputs, then the result)
OPERATIONS = {
    "+": (lambda a, b: a + b, lambda a, b: a + b, [lambda a, b, o: 1, lambda a, b, o: 1]),
    "-": (lambda a, b: a - b, lambda a, b: a - b, [lambda a, b, o: 1, lambda a, b, o: -1]),
    "*": (lambda a, b: a * b, lambda a, b: a * b, [lambda a, b, o: b, lambda a, b, o: a]),
    "neg": (lambda a: -a, lambda a: -a, [lambda a, o: -1]),
    "square": (lambda a: a**2, lambda a: a * a, [lambda a, o: 2 * a]),
}
CURVED = {
    "tanh": (lambda a: a.tanh(), math.tanh, [lambda a, o: 1 - o * o]),
    "sin": (lambda a: a.sin(), math.sin, [lambda a, o: math.cos(a)]),
    "cos": (lambda a: a.cos(), math.cos, [lambda a, o: -math.sin(a)]),
    "relu": (lambda a: a.relu(), lambda a: max(a, 0.0), [lambda a, o: float(a > 0)]),
}
ALL = {**OPERATIONS, **CURVED}


def programs(operations, numbers, longest=12):
    """Random programs: numbers to begin with, how many of these are constants, and (operation, inputs) for the rest."""

    @st.composite
    def program(draw):
        leaves = draw(st.lists(numbers, min_size=1, max_size=3))
        constants = draw(st.integers(0, len(leaves) - 1))
        lines = []
        for k in range(draw(st.integers(1, longest))):
            name = draw(st.sampled_from(sorted(operations)))
            so_far = len(leaves) + k
            # recent results rather than leaves, so that most of the program is used
            inputs = [draw(st.integers(max(0, so_far - 5), so_far - 1)) for _ in operations[name][2]]
            lines.append((name, inputs))
        return leaves, constants, lines

    return program()


INTEGERS = st.integers(-3, 3).map(Fraction)
REALS = st.floats(-2, 2).map(lambda x: round(x, 3))


def on_values(program, kind):
    """The program on Values (or Tensors): all nodes in order, the last is the output."""
    leaves, constants, lines = program
    nodes = [kind(x, requires_grad=k >= constants) for k, x in enumerate(leaves)]
    for name, inputs in lines:
        nodes.append(ALL[name][0](*(nodes[k] for k in inputs)))
    return nodes


def on_nums(program, wrong=None, leaves=None):
    """The program on Nums. ``wrong`` is (operation, slopes) with which an operation is handed back instead."""
    numbers, _, lines = program
    nodes = list(leaves) if leaves else [Num(x) for x in numbers]
    for name, inputs in lines:
        _, function, slopes = ALL[name]
        if wrong and wrong[0] == name:
            slopes = wrong[1]
        nodes.append(compute(function, slopes, *(nodes[k] for k in inputs)))
    return nodes


def reachable(output):
    found, stack = set(), [output]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += node.inputs
    return found


def backward(output, put=add_up):
    """Newest first; nothing is forgotten before, but for the seed."""
    output.grad = 1
    for node in sorted(reachable(output), key=lambda node: -node.born):
        node.hand_back(put)


def backward_depth_first(output):
    """By recursion, each node once, as soon as it is reached."""
    seen = set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            node.hand_back(add_up)
            for x in node.inputs:
                visit(x)

    output.grad = 1
    visit(output)
