"""Vanishing and exploding gradients: what is multiplied again and again dies out or blows up.

    python -m examples vanishing_gradients

A network with a memory is asked at the end of a sequence what came first. To learn that, the gradient has to come
back through all steps. Predict each time what is left of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import viz
from autodiff import Tensor, Value, scope, tanh
from examples.telling import part, tell
from nn import LSTM, RNN, SGD, clip_by_norm
from viz.drawing.format import number

STEPS = 30
UNITS = 8
RADII = (0.6, 1.0, 1.6)  # of the recurrent weights: what one step does to the length of a state
FACTORS = (0.5, 0.9, 1.0, 1.1, 2.0)
LIMITS = (1e-8, 1e8)  # of the shades, the same in all pictures, so that they can be compared
SHOUT = 1.1  # a radius at which gradients explode, in the training of Part 5
CLIPPED_TO = 0.1
TRAINING = 100  # steps
RATE = 0.01

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        left: for each factor what is left of the gradient at the other end.
        single: the paths of one unit back to its weight.
        many: the paths of several units back to the first state.
        flows: for each radius the gradient over time of a network without squashing.
        squashed: the same of one with tanh, and of LSTM layers, by name.
        losses: of a training without and with clipping.
        norms: of the gradient in the training without clipping.
        pictures, page: what was drawn, and the page to step through.
    """

    left: dict[float, float]
    single: viz.Paths
    many: viz.Paths
    flows: dict[float, viz.GradientFlow]
    squashed: dict[str, viz.GradientFlow]
    losses: tuple[list[float], list[float]]
    norms: list[float]
    pictures: list[Path]
    page: Path


def run(output: Path, seed: int = 1, epochs: int = TRAINING) -> Result:
    """The lesson; ``seed`` draws weights and inputs, and ``epochs`` is how many training steps Part 5 takes."""
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    part(f"Part 1. One number, {STEPS} steps")
    left = one_number()
    part("Part 2. With tanh, and an input at each step")
    single = one_unit(rng)
    page = viz.steps(tiny_network(), title="Three steps of a network with a memory").save(output / "vanishing.html")
    pictures = [single.save(output / "vanishing_paths.svg")]
    part(f"Part 3. {UNITS} units: heat maps")
    inputs = rng.normal(size=(1, STEPS, 1))
    flows = three_radii(inputs, rng)
    many = all_ways(inputs, rng)
    part("Part 4. What helps against vanishing")
    squashed = against_vanishing(inputs, rng)
    part("Part 5. What helps against exploding")
    losses, norms = against_exploding(inputs, rng, epochs)
    names = ("vanishing", "kept", "exploding", "tanh", "lstm", "lstm_open")
    for name, flow in zip(names, [*flows.values(), *squashed.values()], strict=True):
        pictures.append(flow.save(output / f"gradients_{name}.svg"))
    print("The pictures:")
    print("\n".join(f"  {picture}" for picture in pictures))
    print(f"Three steps of a network, to step through: {page}")
    return Result(left, single, many, flows, squashed, losses, norms, pictures, page)


def one_number() -> dict[float, float]:
    """A memory of one number, which each step multiplies by w."""
    tell(f"""
        The smallest memory is one number h. Each step multiplies it by a weight w, and nothing else:

          h = w * h

        After {STEPS} steps, how much does the last h move when the first one moves a little? Going back, each step
        multiplies the gradient by its local derivative, and that is w. So the gradient of the first h is

          w × w × w × ... × w, {STEPS} times.

        Predict, for w = 0.5, 0.9, 1, 1.1 and 2: is it about 0, about 1, or huge? Guess before you read on; most people
        are off by a factor of a million.
        """)
    left = {}
    print(f"  {'w':>4}   gradient after 10 steps, 20 steps, {STEPS} steps")
    for w in FACTORS:
        h, states = Value(1.0), []
        weight = Value(w, label="w")
        for _ in range(STEPS):
            states.append(h)
            h = weight * h
        h.backward()
        left[w] = states[0].grad
        shown = [f"{states[-back].grad:>10.3g}" for back in (10, 20, STEPS)]
        print(f"  {w:>4}   {'  '.join(shown)}")
    print()
    tell("""
        Only a factor of exactly 1 is harmless. A little less, and the gradient vanishes: the first number cannot tell
        the weights anything any more. A little more, and it explodes: the weights jump anywhere. It is compound
        interest, and it is the whole problem.
        """)
    return left


def one_unit(rng: np.random.Generator) -> viz.Paths:
    """One unit with tanh, which hears a new input at each step; the paths from the last state back to its weight."""
    tell("""
        A real unit hears an input x at each step, and squashes its sum: h = tanh(u * h + x). The slope of tanh is
        1 - h², and that is 1 at most. So each step now multiplies the gradient by u × (1 - h²).

        Let u be 1.2. Predict: does the gradient explode, as 1.2 alone would?
        """)
    u = Value(1.2, label="u")
    h: Any = Value(0.0, label="h0")
    states = [h]
    for t, x in enumerate(rng.normal(size=STEPS).tolist(), 1):
        with scope(f"step {t}"):
            h = tanh(u * h + x)
            h.label = f"h{t}"
        states.append(h)
    flow = viz.gradient_flow(h, states, title=f"One unit with tanh, u = {u:g}")
    print("  back to   gradient   the step multiplied by   as h was")
    for t in range(STEPS - 1, STEPS - 6, -1):
        h_next = states[t + 1].data
        print(f"  h{t:<8} {flow.norms[t]:>8.2g}   {flow.tracks[0].ratios[t]:>22.2f}   {h_next:>8.2f}")
    print("  ...")
    print(f"  h0        {flow.norms[0]:>8.2g}\n")
    tell("""
        No: wherever h is near 1 or -1, tanh is flat, and a flat place lets nothing through. The more a unit has to say,
        the less comes back.

        The weight u is used at every step. So its gradient is a sum over paths, one for each step: from the last h back
        to step t, and there to u. Predict which paths are the largest.
        """)
    found = viz.paths(h, u, k=5)
    print("\n".join(f"  {line}" for line in str(found).splitlines()) + "\n")
    tell(f"""
        The short ones, which come from the last steps. The largest brings {number(found[0].product)}, and the
        {found.count - len(found)} that are not listed bring {number(found.rest)} all together: they are there,
        but nobody hears them. So u learns from what has just been, and not from what was long ago.
        """)
    return found


def tiny_network() -> Value:
    """Three steps of one unit, and a loss: small enough to step through."""
    u, h = Value(0.5, label="u"), Value(0.8, label="h0")
    for t, x in enumerate((0.3, -0.2, 0.1), 1):
        with scope(f"step {t}"):
            h = tanh(u * h + x)
            h.label = f"h{t}"
    loss = (h - 1) ** 2
    loss.label = "loss"
    return loss


def three_radii(inputs: Array, rng: np.random.Generator) -> dict[float, viz.GradientFlow]:
    """A linear network whose recurrent weights make each state 0.6, 1 or 1.6 times as long."""
    tell(f"""
        Now {UNITS} units, and each hears all of them. The recurrent weights are a matrix U. Going back one step
        multiplies the gradient by U, turned over (U.T). To see clearly, leave tanh away for a moment, and take a U that
        turns every state, and makes it r times as long: a rotation times r. (What a matrix does to lengths in the long
        run is called its spectral radius.)

        At the end, the network answers with the sum of its {UNITS} units. So each unit of the last state has
        gradient 1, and the length (the norm) of that is √{UNITS} = {UNITS**0.5:.2f}. Here are the norms for
        r = 0.6, 1 and 1.6, with a line for every fifth step. Predict the three numbers for step 0.
        """)
    turn = rotation(rng)
    listen = rng.normal(size=(UNITS, 1)) * 0.5
    flows = {}
    for radius in RADII:
        layer = RNN(1, UNITS, activation="linear", bias=False)
        layer.cells[0].weight_hh.data = radius * turn
        layer.cells[0].weight_ih.data = listen
        flow = viz.gradient_flow(
            answer(layer, inputs),
            limits=LIMITS,
            title=f"Recurrent weights of radius {radius:g}: the gradient over time",
        )
        flows[radius] = flow
        print(f"  r = {radius:g}")
        for step in range(STEPS - 1, -1, -5):
            print(f"    step {step:>2}   {flow.norms[step]:>9.2g}   {bar(flow.norms[step])}")
        if (STEPS - 1) % 5:
            print(f"    step  0   {flow.norms[0]:>9.2g}   {bar(flow.norms[0])}")
        print(f"    {flow.tracks[0].verdict}\n")
    tell(f"""
        Every step back is a factor of r, exactly. The heat maps show it unit by unit: from right to left the cells
        fade, or stay, or grow strong. A shade means the same in all pictures: the faintest is {LIMITS[0]:g}.
        """)
    return flows


def all_ways(inputs: Array, rng: np.random.Generator) -> viz.Paths:
    """The paths from the last state of several units back to one number of the first state."""
    units = 3
    U = [[Value(float(w), label="u") for w in row] for row in rotation(rng)[:units, :units]]
    first = [Value(0.1, label=f"h{k}") for k in range(units)]
    h: list[Any] = first
    for t, x in enumerate((0.3 * inputs[0, :10, 0]).tolist()):
        with scope(f"step {t}"):
            h = [tanh(sum(u * part for u, part in zip(row, h, strict=True)) + x) for row in U]
    found = viz.paths(h[0], first[0], k=1)
    tell(f"""
        With several units there are many ways back: at each step a gradient may go to any of them. Over 10 steps of
        only {units} units, {units}^9 = {found.count:,} paths lead from one unit back to one unit. The largest brings
        {found[0].amount}, and all together {number(found.gradient)}.
        """)
    return found


def against_vanishing(inputs: Array, rng: np.random.Generator) -> dict[str, viz.GradientFlow]:
    """tanh can only take; an LSTM can keep."""
    tell("""
        Back to tanh. It can only make a factor smaller. So with r = 1, which kept all, something is lost now. An LSTM
        has a memory c that is not squashed at each step: c = f · c + something new. Going back, c is multiplied by f,
        its forget gate. (The lesson lstm_cell looks inside.) A gate that is open, f near 1, lets the gradient pass. It
        is opened by its bias: b_f = 1 makes f about 0.7, b_f = 5 about 0.99.

        Predict, for the three of them: what is left after all steps?
        """)
    plain = RNN(1, UNITS, bias=False)
    plain.cells[0].weight_hh.data = rotation(rng)
    plain.cells[0].weight_ih.data = rng.normal(size=(UNITS, 1))
    layers: dict[str, Any] = {"RNN with tanh, radius 1": plain}
    for bias in (1.0, 5.0):
        layer = LSTM(1, UNITS, seed=rng)
        biases = layer.cells[0].bias_ih.data.copy()
        biases[UNITS : 2 * UNITS] = bias
        layer.cells[0].bias_ih.data = biases
        layers[f"LSTM, b_f = {bias:g}"] = layer
    flows = {}
    for name, layer in layers.items():
        flow = viz.gradient_flow(answer(layer, inputs), limits=LIMITS, title=f"{name}: the gradient over time")
        flows[name] = flow
        print(f"  {name}\n    {flow.tracks[0].verdict}\n")
    tell("""
        (More may be left than there was: the ways through the outputs h add theirs.)

        An open gate does for the memory what the factor 1 did in Part 1. That is all that is behind "long short-term
        memory", and behind the shortcuts of other deep networks: a straight way on which nothing is multiplied.
        """)
    return flows


def against_exploding(
    inputs: Array, rng: np.random.Generator, steps: int
) -> tuple[tuple[list[float], list[float]], list[float]]:
    """Train the network whose gradients explode, without and with clipping."""
    tell(f"""
        Exploding needs no new network. The gradient still points in a good direction, it is only far too long. So cut
        it: where its norm is above {CLIPPED_TO:g}, divide it by its norm. That is clipping. Let the network with
        r = {SHOUT:g} learn to answer with the first input it heard; the loss is its error, squared. Train it for
        {steps} steps without clipping, and with. Predict the losses.
        """)
    turn, listen = rotation(rng), rng.normal(size=(UNITS, 1)) * 0.5
    losses: tuple[list[float], list[float]] = ([], [])
    norms: list[float] = []
    for clipped, found in zip((False, True), losses, strict=True):
        layer = RNN(1, UNITS, activation="linear", bias=False)
        layer.cells[0].weight_hh.data, layer.cells[0].weight_ih.data = SHOUT * turn, listen
        optimizer = SGD(layer.parameters(), learning_rate=RATE)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (answer(layer, inputs) - inputs[0, 0, 0]) ** 2
            loss.backward()
            found.append(loss.item())
            with np.errstate(over="ignore"):
                norm = float(np.sqrt(sum((p.grad**2).sum() for p in layer.parameters())))
            if not clipped:
                norms.append(norm)
            if not np.isfinite(norm):
                break
            if clipped:
                clip_by_norm(layer.parameters(), CLIPPED_TO)
            optimizer.step()
    print(f"  {'step':>4}   {'loss without':>12}   {'loss with clipping':>18}")
    for t in sorted({t for t in (0, 1, 2, 3, steps // 10, steps // 2, steps - 1) if t < steps}):
        without = f"{losses[0][t]:.3g}" if t < len(losses[0]) else "(over)"
        print(f"  {t:>4}   {without:>12}   {losses[1][t]:>18.3g}")
    print()
    tell(f"""
        The first gradient had the norm {norms[0]:.1e}. Without clipping, the weights jump by {RATE:g} of that, and what
        was a network is rubble after two steps. With clipping, the same network goes down.

        Clipping does nothing against vanishing: a gradient of 0 has no direction that could be kept.
        """)
    return losses, norms


def answer(layer: Any, inputs: Array) -> Tensor:
    """What the network says at the end: the sum of its last state."""
    said: Tensor = layer(inputs)[0, -1].sum()
    said.label = "answer"
    return said


def rotation(rng: np.random.Generator) -> Array:
    """A matrix that keeps the length of every vector."""
    q, r = np.linalg.qr(rng.normal(size=(UNITS, UNITS)))
    return np.asarray(q * np.sign(np.diag(r)))


def bar(norm: float) -> str:
    """A bar of one character for each factor of 3, from the faintest shade on."""
    return "█" * max(round(np.log(norm / LIMITS[0]) / np.log(3)), 0) if norm > 0 else ""
