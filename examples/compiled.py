"""The teaching code is the fast code: a network of single numbers, traced once, and run by the hundred.

    python -m examples compiled

Nothing in the networks (``examples/single_numbers.py``) is written for speed. The compiler finds the matrices that
their loops spelled out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import getsource
from itertools import pairwise
from pathlib import Path
from statistics import median
from textwrap import indent
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import viz
from autodiff import Value, compile
from autodiff.trees import flatten
from examples import pictures
from examples.compiled_sun import forecast_the_sun
from examples.refused import what_is_refused
from examples.single_numbers import as_values, loss, network, neuron
from examples.stopwatch import compared, duration, timed
from examples.sunspots import EPOCHS, Sun
from examples.telling import part, tell
from nn import Adam
from viz import plots
from viz.views.model import in_order

POINTS = 100  # on two spirals
WIDTHS = (2, 16, 16, 1)  # of the network that tells the spirals apart
STEPS = 1000  # of its training, compiled
SLOW_STEPS = 3  # of its training, one number at a time
RATE = 0.01
COMMITTEES = 5  # of networks that forecast the sun

Array = NDArray[np.float64]
Seconds = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        nodes, operations: how many the graph of one point has; ``boxes``: the operations left when it is re-rolled.
        difference: the largest between a gradient of the Values and a compiled one, relative to the largest gradient.
        seconds: each way of computing the loss and all gradients, for one point and for all.
        quicker: by what factor the training became quicker.
        slow_losses, losses: during the slow training, and the compiled one from the same start.
        right: the share of points that end on their side.
        refusals: what the compiler said to two functions that no trace can capture.
        linear, linear_of_roots: errors of the linear forecasts of the sun, as in the lesson ``sunspots``.
        errors: of the committees, one for each seed.
        drawings: the graphs of one point, number by number and re-rolled, and that of the LSTM, re-rolled.
        pictures: the spirals, and the sun; None without matplotlib.
    """

    nodes: int
    operations: int
    boxes: int
    difference: float
    seconds: Seconds
    quicker: float
    slow_losses: list[float]
    losses: list[float]
    right: float
    refusals: list[str]
    linear: float
    linear_of_roots: float
    errors: Array
    drawings: list[Path]
    pictures: list[Path | None]


def run(output: Path, seed: int = 1, epochs: int = EPOCHS, steps: int = STEPS, committees: int = COMMITTEES) -> Result:
    """The lesson; ``epochs`` are those of the LSTM, and each of its committees has a seed, from ``seed`` on."""
    output.mkdir(parents=True, exist_ok=True)
    points, sides = spirals(np.random.default_rng(seed))

    part("Part 1. A network, one number at a time")
    layers = first_weights(seed)
    nodes, operations, drawing = one_number_at_a_time(layers, points, sides, output)
    slow_losses, slow = train_slowly(layers, points, sides, operations)

    part("Part 2. Compiled: what is found in it")
    layers = first_weights(seed)
    fast = compile(loss)
    boxes, rerolled = what_is_found(fast, layers, points, sides, operations, output)

    part("Part 3. The same numbers, sooner")
    difference = the_same_gradients(fast, layers, points, sides)
    losses, right, quicker, spiral = train(fast, layers, points, sides, steps, slow_losses, slow, output)
    seconds = how_long(fast, layers, points, sides, slow)
    why_it_is_quicker(seconds, operations, boxes, quicker, len(flatten(layers)[0]))
    what_is_fair_to_say(layers, points, sides, seconds)

    part("Part 4. What a trace cannot see")
    refusals = what_is_refused()

    part("Part 5. The sun, from single numbers")
    sun = Sun()
    linear, errors, unrolled, forecasts = forecast_the_sun(sun, seed, epochs, committees, output)
    rivals = [sun.rmse(line, sun.test) for line in linear.values()]
    drawings, drawn = [drawing, rerolled, unrolled], [spiral, forecasts]
    return Result(
        nodes,
        operations,
        boxes,
        difference,
        seconds,
        quicker,
        slow_losses,
        losses,
        right,
        refusals,
        *rivals,
        errors,
        drawings,
        drawn,
    )


# ── Part 1 ───────────────────────────────────────────────────────────────────────────────────────────
def one_number_at_a_time(layers: Any, points: Array, sides: Array, folder: Path) -> tuple[int, int, Path]:
    """The source of the network, and its graph for one point, counted and drawn."""
    tell(f"""
        Two spirals in the plane are wound around each other: {POINTS // 2} points on the one, {POINTS // 2} on the
        other. A network shall tell them apart. Here it is, whole, as a first lesson writes it: for one point, one
        number at a time.
        """)
    print(indent("\n\n".join(getsource(function).rstrip() for function in (neuron, network, loss)), "  ") + "\n")
    weights = flatten(layers)[0]
    counts = [(n, m, n * (2 * m + 1)) for m, n in pairwise(WIDTHS)]
    tell(f"""
        Each layer holds its weights W, a list for each neuron, and its biases b. There are {len(weights)} of them, and
        each is a Value: it remembers how it is used, so that the backward pass can find its gradient.

        Predict: how many operations does it take to get from one point to its loss? A neuron with m inputs has m
        products, m sums and a tanh: 2m + 1. The layers have {WIDTHS[1]}, {WIDTHS[2]} and {WIDTHS[3]} neurons.
        """)
    for k, (n, m, count) in enumerate(counts, 1):
        neurons = f"{n} neuron{'s' * (n > 1)} of {m} inputs"
        print(f"  layer {k}    {neurons:<24} {n:>2} × {2 * m + 1:<2} = {count:>4}")
    print(f"  loss       a difference, a square {'':>12} 2")
    print(f"  together {sum(count for *_, count in counts) + 2:>37}\n")

    x = [Value(number, label=f"point[{k}]") for k, number in enumerate(points[0].tolist())]
    first = {"W[0][0]": layers[0]["W"][0][0], "W[0][1]": layers[0]["W"][0][1], "b[0]": layers[0]["b"][0]}
    for name, weight in first.items():
        weight.label = name
    one = loss(layers, x, Value(float(sides[0]), label="side"))
    one.label = "loss"
    one.backward()
    found = in_order([one])
    operations = sum(node.op is not None for node in found)
    title = "One point: a network of single numbers"
    picture = viz.draw(one, title=title, level="neuron", open="layer 1/neuron 1", layout="builtin", direction="TB")
    drawing = picture.save(folder / "compiled_numbers.svg")
    tell(f"""
        Counted in the graph: {operations} operations on {len(found) - operations} numbers that were given
        ({len(weights)} weights, two coordinates, and the side). The picture has a box for each neuron, and the first
        one is open: its weights are {" and ".join(list(first)[:2])}, its bias is {list(first)[2]}.
        """)
    print(f"The graph, neuron by neuron: {drawing}\n")
    for node in weights:
        node.grad = None
    return len(found), operations, drawing


def train_slowly(layers: Any, points: Array, sides: Array, operations: int) -> tuple[list[float], float]:
    """A few steps of training, point by point; returns the losses, and the seconds for all gradients of one step."""
    tell(f"""
        Now train it. The optimizer takes all Values in one list, which flatten of autodiff.trees makes:

          optimizer = Adam(flatten(layers)[0], learning_rate={RATE})

        Each step takes all {POINTS} points, one after the other, and follows the mean of their gradients:

          optimizer.zero_grad()
          for point, side in zip(points, sides):
              (loss(layers, point, side) / {POINTS}).backward()
          optimizer.step()
        """)
    optimizer = Adam(flatten(layers)[0], learning_rate=RATE)
    losses, seconds = [], []
    for step in range(1, SLOW_STEPS + 1):
        optimizer.zero_grad()
        started = perf_counter()
        losses.append(point_by_point(layers, points, sides))
        seconds.append(perf_counter() - started)
        optimizer.step()
        print(f"  step {step}   loss {losses[-1]:.6f}   {1000 * seconds[-1]:4.0f} ms")
    print()
    slow = median(seconds)
    tell(f"""
        {POINTS * operations:,} operations forward and as many steps back: {1e6 * slow / operations / POINTS / 2:.1f}
        millionths of a second for each. The multiplication itself takes the processor about a billionth. The rest is
        what Python does around it: it looks up what × means for these two, makes a node, and lets it remember where it
        came from. That is why we can look at every number. It is also why {STEPS} steps would take
        {duration(STEPS * slow)}.""")
    return losses, slow


# ── Part 2 ───────────────────────────────────────────────────────────────────────────────────────────
def what_is_found(
    fast: Any, layers: Any, points: Array, sides: Array, operations: int, folder: Path
) -> tuple[int, Path]:
    """The program that was traced, what it is re-rolled into, and the picture of that."""
    tell("""
        One line more:

          fast = compile(loss)

        When fast is called for the first time, it calls loss, once, with one point, and writes down every operation
        that happens. That list is called a trace:
        """)
    lines = str(fast.program(layers, points, sides)).splitlines()
    print("\n".join(f"  {line}" for line in [*lines[:8], "    ...", *lines[-4:]]) + "\n")
    given = len(flatten(layers)[0]) + 3
    tell(f"""
        Leaves are the numbers that are given: the weights, which all points share, and the two coordinates and the
        side, which vary from point to point. They are v0 to v{given - 1}, so the first result is v{given}.

        From now on loss itself is not needed: to compute it for another point, go through the list. But a list is not
        yet quick, if every line is about one number.

        Look at the picture of Part 1 again. Predict: what do all neurons have in common that stand side by side? Take
        your time.
        """)
    blocks = fast.blocks(layers, points, sides)
    program = blocks.program(POINTS)
    boxes = program.instructions
    tell(f"""
        They read the same numbers. The first neuron of a layer computes w₁·x₁ + w₂·x₂ + ... + b, with weights of its
        own; the next one takes the same x₁, x₂, ... with other weights. Sums of products, many of them, over the same
        numbers: that is what a matrix does to a vector. It is W @ x. What is left over in each sum makes a vector too,
        b. So a layer of 16 such sums is W @ x + b.

        That is what the compiler looks for: sums of products that share what they read. Nobody told it that there are
        layers; it has seen the list and nothing else. Then it looks for equal operations side by side: 16 times tanh
        is one tanh, of a block of 16. And all {POINTS} points go the same way, so they can go side by side: x is no
        longer two numbers, but 2 rows of {POINTS}. What the loops had rolled out is rolled up again. (That is its name,
        re-rolling.)

        Predict: of {operations} operations, how many are left?
        """)
    print("\n".join(f"  {line}" for line in str(program).splitlines()) + "\n")
    graph = blocks.graph()
    graph.label = "loss"
    graph.backward()
    for node in in_order([graph]):
        node.scope = ""  # no frames: without them, all of it fits a slide
    title = "The same point, re-rolled: W @ x + b, three times"
    picture = viz.draw(graph, title=title, statistics=False, layout="builtin", direction="LR")
    drawing = picture.save(folder / "compiled_blocks.svg")
    tell(f"""
        {boxes}: three for each layer, tanh(W @ x + b), and two for the loss. That fits a picture. It shows the same
        first point, with the same numbers as before: the loss is {graph.item():.6f}. A block has a cell for each of its
        numbers, and to the right one for each gradient: orange is above 0, blue with a dash is below. So all gradients
        of a W stand in its box. The first row of the first W is what the picture before showed as W[0][0] and W[0][1].
        """)
    print(f"The graph, re-rolled: {drawing}\n")
    return boxes, drawing


# ── Part 3 ───────────────────────────────────────────────────────────────────────────────────────────
def the_same_gradients(fast: Any, layers: Any, points: Array, sides: Array) -> float:
    """Compare all gradients of a batch; returns the largest difference."""
    weights = flatten(layers)[0]
    gradients = []
    for compute in (point_by_point, fast.backward):
        for w in weights:
            w.grad = None
        compute(layers, points, sides)
        gradients.append(np.array([w.grad for w in weights]))
    difference = float(abs(gradients[1] - gradients[0]).max() / abs(gradients[0]).max())
    tell(f"""
        Is it the same? In a step of Part 1, the loop becomes one line:

          optimizer.zero_grad()
          fast.backward(layers, points, sides)
          optimizer.step()

        fast.backward takes all points at once, and the mean of their losses by itself: / {POINTS} is not needed. Take
        the same first weights, all {POINTS} points, and compare the {len(weights)} gradients. The largest difference,
        relative to the largest gradient: {difference:.0e}. (It is not always 0, because sums are taken in another
        order, and the last of 16 digits can round differently.)""")
    return difference


def train(
    fast: Any,
    layers: Any,
    points: Array,
    sides: Array,
    steps: int,
    slow_losses: list[float],
    slow: float,
    folder: Path,
) -> tuple[list[float], float, float, Path | None]:
    """The whole training, compiled, from the same start.

    Returns:
        The losses, the share that is right, by what factor it was quicker, and the picture.
    """
    predict = compile(network)
    optimizer = Adam(flatten(layers)[0], learning_rate=RATE)
    losses: list[float] = []
    early = layers
    tell(f"""
        So train, from the same start. Predict: a step took {1000 * slow:.0f} ms. What will {steps} steps take now?
        """)
    seconds = 0.0
    for step in range(1, steps + 1):
        started = perf_counter()
        optimizer.zero_grad()
        losses.append(fast.backward(layers, points, sides))
        optimizer.step()
        seconds += perf_counter() - started
        if step == SLOW_STEPS:
            early = arrays_of(layers)
        if step <= SLOW_STEPS or step in (steps // 10, steps):
            was = f"   (before: {slow_losses[step - 1]:.6f})" if step <= SLOW_STEPS else ""
            print(f"  step {step:>4}   loss {losses[-1]:.6f}{was}")
    print()
    right = float(np.mean((predict(layers, points) > 0) == (sides > 0)))
    tell(f"""
        {duration(seconds)} for {steps} steps, and the optimizer is in it; one number at a time it would have been
        {duration(steps * slow)}. Now {right:.0%} of the points are on their side.""")

    def draw(figure: Any) -> None:
        left, middle = figure.subplots(1, 2)
        for axes, weights, title in (
            (left, early, f"After {SLOW_STEPS} steps: one number at a time, {duration(SLOW_STEPS * slow)}"),
            (middle, layers, f"After {steps} steps: compiled, {duration(seconds)}"),
        ):
            ask = lambda where, weights=weights: predict(weights, where)
            plots.decision_boundary(ask, points, sides > 0, threshold=0.0, classes=["one", "other"], axes=axes)
            pictures.label(axes, title, "x", "y")

    picture = pictures.save_picture(folder / "compiled_spirals.png", draw, size=(11, 5))
    return losses, right, steps * slow / seconds, picture


def how_long(fast: Any, layers: Any, points: Array, sides: Array, slow: float) -> Seconds:
    """The table: each way, one point and all of them."""
    arrays = arrays_of(layers)
    ways: dict[str, Callable[[Array, Array], Any]] = {
        "Values, one by one": lambda x, y: point_by_point(layers, x, y),
        "compiled, weights as Values": lambda x, y: fast.backward(layers, x, y),
        "compiled, weights as arrays": lambda x, y: fast.value_and_grad(arrays, x, y),
        "NumPy, by hand": lambda x, y: by_hand(arrays, x, y),
    }
    first, *others = ways
    alone = timed(ways, points[:1], sides[:1])
    together = {first: slow} | timed({name: ways[name] for name in others}, points, sides)
    seconds = {name: (alone[name], together[name]) for name in ways}
    print(
        f"\n  {'loss and all gradients':<27} {'one point':>12} {'quicker':>11} {f'{POINTS} points':>12} {'quicker':>11}"
    )
    for name in ways:
        line = f"  {name:<27}"
        for taken, eager in ((alone[name], alone[first]), (together[name], together[first])):
            times = f"{eager / taken:,.0f} times" if name != first else ""
            line += f" {1000 * taken:9.3f} ms {times:>11}"
        print(line)
    print()
    tell("""
        In the third row the weights are arrays, in the same list of dicts. An array has no .grad, so there the call is
        value, gradients = fast.value_and_grad(arrays, points, sides), and the gradients are such a list again.
        """)
    return seconds


def why_it_is_quicker(seconds: Seconds, operations: int, boxes: int, quicker: float, weights: int) -> None:
    """Where the factor of the table comes from, and why that of the training is smaller."""
    slow, _, arrays, _ = (together for _, together in seconds.values())
    tell(f"""
        Predict: {operations} operations became {boxes}, which is {operations / boxes:.0f} times fewer. Why is it
        {slow / arrays:,.0f} times as quick?

        The arithmetic is the same: {operations} operations for each of {POINTS} points are {operations * POINTS:,}. But
        what cost the time in Part 1 was Python, and now Python is asked {boxes} times, not {operations * POINTS:,}
        times: each @ or tanh does its whole block, of all {POINTS} points, in one call of NumPy. (Likewise on the way
        back.) That makes {operations * POINTS / boxes:,.0f} times fewer calls: {operations / boxes:.0f} of the factor
        are the blocks, and {POINTS} the points. {slow / arrays:,.0f} is what is left of it, as a call for a whole block
        takes longer than one for a number.

        And why was the training only {quicker:,.0f} times as quick? Each of its steps reads {weights} Values, one by
        one, and writes their gradients back, as in the second row; and Adam moves them, which the table leaves out.
        """)


def what_is_fair_to_say(layers: Any, points: Array, sides: Array, seconds: Seconds) -> None:
    """What the first call costs, what one point gains, and how far it is to NumPy by hand."""
    arrays, fresh = arrays_of(layers), compile(loss)
    started = perf_counter()
    fresh.value_and_grad(arrays, points, sides)
    once = perf_counter() - started
    *_, compiled, by_hand_too = (together for _, together in seconds.values())
    tell(f"""
        What is fair to say? A first call takes longer, as it traces and compiles: {duration(once)} here. (A function
        without matrices may take half a second more the first time, where numba is installed and has to be loaded.)
        For one point alone there is least to gain, as a call has its price, however little there is to do. NumPy by
        hand is what somebody writes who finds the matrices without help, and the derivatives too: a dozen lines, each
        of which can be wrong. The compiled network takes {compared(compiled, by_hand_too)} as that, and nobody had
        to write it.""")


# ── what they share ──────────────────────────────────────────────────────────────────────────────────
def spirals(rng: np.random.Generator) -> tuple[Array, Array]:
    """Points of shape (POINTS, 2), and for each on which of two spirals it lies: 1 or -1."""
    radius = np.linspace(0.25, 1, POINTS // 2)
    angle = 2.5 * np.pi * radius
    arm = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    points = np.concatenate([arm, -arm]) + rng.normal(0, 0.025, (POINTS, 2))
    return points, np.repeat([1.0, -1.0], POINTS // 2)


def first_weights(seed: int) -> list[dict[str, Any]]:
    """The network before it has learnt: random weights, no biases."""
    rng = np.random.default_rng(seed)
    return [{"W": as_values(rng.normal(0, m**-0.5, (n, m))), "b": as_values(np.zeros(n))} for m, n in pairwise(WIDTHS)]


def arrays_of(layers: list[dict[str, Any]]) -> list[dict[str, Array]]:
    """The numbers of a network."""
    plain = lambda values: [plain(part) for part in values] if isinstance(values, list) else values.data
    return [{name: np.array(plain(values)) for name, values in layer.items()} for layer in layers]


def point_by_point(layers: Any, points: Array, sides: Array) -> float:
    """The mean loss; its gradients are added to those of the Values."""
    total = 0.0
    for point, side in zip(points.tolist(), sides.tolist(), strict=True):
        one = loss(layers, point, side) / len(points)
        one.backward()
        total += one.item()
    return total


def by_hand(layers: list[dict[str, Array]], X: Array, y: Array) -> tuple[float, list[dict[str, Array]]]:
    """The mean loss and its gradients, with the matrices and the derivatives found by hand."""
    outputs = [X]
    for layer in layers:
        outputs.append(np.tanh(outputs[-1] @ layer["W"].T + layer["b"]))
    off = outputs[-1] - y[:, None]
    back = 2 * off / len(X)
    gradients = []
    for layer, given, out in zip(layers[::-1], outputs[-2::-1], outputs[:0:-1], strict=True):
        back = back * (1 - out * out)
        gradients.append({"W": back.T @ given, "b": back.sum(axis=0)})
        back = back @ layer["W"]
    return float((off * off).mean()), gradients[::-1]
