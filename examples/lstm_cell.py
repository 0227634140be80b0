"""Inside an LSTM cell: gates made of single numbers, three steps, and the way that the gradient takes back.

    python -m examples lstm_cell

Every number is a ``Value``, as in the first lesson; and nn.LSTMCell, asked the same, gives the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import viz
from autodiff import Value, scope, sigmoid, tanh
from examples import pictures
from examples.telling import part, tell
from nn import LSTMCell, Module

INPUTS = (1.0, -0.5, 2.0)  # of the three steps that we follow
STEPS = 20  # how far the gradient is followed back at the end,
SEQUENCES = 50  # and in how many sequences

Array = NDArray[np.float64]


class Gate(Module):
    """``squash(w · x + u · h + b)``: a neuron that looks at the input x and at the last output h."""

    def __init__(self, letter: str, squash: Callable[[Any], Any], w: float, u: float, b: float) -> None:
        self.letter, self.squash = letter, squash
        self.w = Value(w, label=f"w_{letter}")
        self.u = Value(u, label=f"u_{letter}")
        self.b = Value(b, label=f"b_{letter}")

    def forward(self, x: Any, h: Any) -> Value:
        """How far the gate is open."""
        opening: Value = self.squash(self.w * x + self.u * h + self.b)
        opening.label = self.letter
        return opening


class Cell(Module):
    """A long short-term memory of one number.

    Source: Hochreiter, Schmidhuber 1997, Neural Computation 9; with the forget gate of Gers, Schmidhuber, Cummins 2000.

    Args:
        w, u, b: four numbers each, for the gates in nn's order: i, f, g, o.
    """

    def __init__(self, w: Sequence[float], u: Sequence[float], b: Sequence[float]) -> None:
        self.input_gate = Gate("i", sigmoid, w[0], u[0], b[0])
        self.forget_gate = Gate("f", sigmoid, w[1], u[1], b[1])
        self.candidate = Gate("g", tanh, w[2], u[2], b[2])
        self.output_gate = Gate("o", sigmoid, w[3], u[3], b[3])

    def forward(self, x: Any, h: Any, c: Any) -> Step:
        """The next memory c and the next output h, with all that they came from."""
        i = self.input_gate(x, h)
        f = self.forget_gate(x, h)
        g = self.candidate(x, h)
        o = self.output_gate(x, h)
        c = f * c + i * g
        h = o * tanh(c)
        c.label, h.label = "c'", "h'"
        return Step(x, i, f, g, o, c, h)

    def run(self, inputs: Sequence[float]) -> list[Step]:
        """Step after step, from an empty memory."""
        h, c = Value(0.0, label="h"), Value(0.0, label="c")
        steps = []
        for t, x in enumerate(inputs, 1):
            with scope(f"step {t}"):
                steps.append(self(Value(x, label="x"), h, c))
            h, c = steps[-1].h, steps[-1].c
        return steps

    @property
    def gates(self) -> list[Gate]:
        """In nn's order: i, f, g, o."""
        return [self.input_gate, self.forget_gate, self.candidate, self.output_gate]


@dataclass
class Step:
    """The numbers of one step: the input, the gates, and the new memory and output."""

    x: Value
    i: Value
    f: Value
    g: Value
    o: Value
    c: Value
    h: Value


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        difference: the largest between a number or gradient of the cell by hand and of nn.LSTMCell.
        left: for each kind of cell, what is left of the gradient after 0, 1, ... 20 steps back.
        drawing: the graph of one step.
        picture: how gradients fade, or None without matplotlib.
    """

    difference: float
    left: dict[str, Array]
    drawing: Path
    picture: Path | None


def run(output: Path, seed: int = 1, epochs: int = SEQUENCES) -> Result:
    """The lesson; ``seed`` draws weights and inputs, and ``epochs`` is the number of sequences in Part 4."""
    rng = np.random.default_rng(seed)
    cell = Cell(rng.normal(0, 1, 4).tolist(), rng.normal(0, 1, 4).tolist(), [0.0, 1.0, 0.0, 0.0])

    part("Part 1. One step, gate by gate")
    drawing = one_step(cell, output)

    part("Part 2. Three steps, and back")
    steps = three_steps(cell)

    part("Part 3. The same from nn")
    difference = beside_nn(cell, steps)

    part(f"Part 4. {STEPS} steps: what is left of the gradient?")
    left = how_gradients_fade(epochs, rng)
    picture = pictures.save_picture(output / "lstm_fading.png", lambda figure: draw_fading(figure, left), size=(9, 5))
    return Result(difference, left, drawing, picture)


def one_step(cell: Cell, folder: Path) -> Path:
    """Explain the gates, with the numbers of one step; returns where its graph is drawn."""
    x, h, c = Value(INPUTS[0], label="x"), Value(0.3, label="h"), Value(0.8, label="c")
    step = cell(x, h, c)
    step.h.backward()
    tell(f"""
        A plain recurrent cell writes its memory anew at every step, h' = tanh(w x + u h + b). What was in it goes
        through tanh again and again, like a story told from mouth to mouth. An LSTM cell has a memory c that is not
        rewritten, but only scaled and added to; and three gates, numbers from 0 (shut) to 1 (open), decide what happens
        to it. Each gate is a neuron of its own, that sees the input x and the last output h.

        Let c = {c:.1f} be in the memory, h = {h:.1f} the last output, and now x = {x:.1f} comes in:
        """)
    meanings = (
        ("input gate", "how much of the new to let in"),
        ("forget gate", "how much of the old to keep"),
        ("candidate", "the new: what could be added"),
        ("output gate", "how much of the memory to show"),
    )
    for gate, opening, (name, meaning) in zip(cell.gates, (step.i, step.f, step.g, step.o), meanings, strict=True):
        squash = "tanh" if gate.squash is tanh else "σ"
        formula = f"{squash}({gate.w:.2f} x {signed(gate.u)} h {signed(gate.b)})"
        print(f"    {name:<12} {gate.letter} = {formula:<30} = {opening:5.2f}   {meaning}")
    print()
    tell(f"""
            memory       c' = f · c + i · g = {step.f:.2f} · {c:.2f} {signed(step.i)} · {step.g:.2f} = {step.c:.4f}
            output       h' = o · tanh(c')  = {step.o:.2f} · tanh({step.c:.4f}) = {step.h:.4f}

        Everything hangs on that plus. Whatever is added, the old memory is still there, times f. And the bias of f
        begins at 1, so that the gate stands more open than shut before anything is learnt: first remember, then learn
        what to forget.""")
    folder.mkdir(parents=True, exist_ok=True)
    drawing = folder / "lstm_step.svg"
    viz.draw(step.h, title="One step of an LSTM cell", layout="builtin", direction="TB").save(drawing)
    print(f"This step as a graph, with the gradients of h': {drawing}\n")
    return drawing


def three_steps(cell: Cell) -> list[Step]:
    """Run three steps, go back, and take the gradients of the memories apart."""
    cell.zero_grad()  # Part 1 left gradients in the weights
    steps = cell.run(INPUTS)
    steps[-1].h.backward()
    tell("""
        Now three steps, from an empty memory, and then backward from the last output, h3. The last two columns are
        gradients: how much h3 would change with each memory, and with each output, along the way.
        """)
    print("    step      x       i      f      g      o        c        h       ∇c       ∇h")
    for t, step in enumerate(steps, 1):
        openings = "  ".join(f"{gate:5.2f}" for gate in (step.i, step.f, step.g, step.o))
        states = "  ".join(f"{state:7.4f}" for state in (step.c, step.h))
        print(f"    {t:<4}  {step.x:5.2f}   {openings}  {states}  {step.c.grad:7.4f}  {step.h.grad:7.4f}")
    print()
    tell("""
        How does the gradient get to an early memory? There are two ways. One leads straight through the plus: from the
        memory of the next step, times its f, and that is all. The other leads through the output, into all gates of the
        next step, and has to pass an output gate and a tanh. Take them apart:
        """)
    for t, (step, after) in enumerate(pairwise(steps), 1):
        through_plus, through_output = ways_back(step, after)
        print(f"    ∇c{t} = ∇c{t + 1} · f{t + 1} + ∇h{t} · o{t} · (1 - tanh²(c{t}))")
        print(f"        = {through_plus:.5f} through the plus, and {through_output:.5f} through the output,")
        print(f"          together {through_plus + through_output:.5f}; the backward pass said {step.c.grad:.5f}\n")
    return steps


def ways_back(step: Step, after: Step) -> tuple[float, float]:
    """The gradient that a memory gets through the plus of the next step, and the one through its own output."""
    return after.c.grad * after.f.data, step.h.grad * step.o.data * (1 - np.tanh(step.c.data) ** 2)


def beside_nn(cell: Cell, steps: list[Step]) -> float:
    """Run nn.LSTMCell with the same weights; returns the largest difference of any number or gradient."""
    twin = LSTMCell(1, 1)
    twin.weight_ih.data = [[gate.w.data] for gate in cell.gates]
    twin.weight_hh.data = [[gate.u.data] for gate in cell.gates]
    twin.bias_ih.data = [gate.b.data for gate in cell.gates]
    state: Any = None
    numbers = []
    for x in INPUTS:
        state = twin([[x]], state)
        numbers += [part.item() for part in state]
    state[0].sum().backward()
    gradients = np.concatenate([p.grad.ravel() for p in (twin.weight_ih, twin.weight_hh, twin.bias_ih)])

    numbers_by_hand = [part.data for step in steps for part in (step.h, step.c)]
    gradients_by_hand = [getattr(gate, name).grad for name in "wub" for gate in cell.gates]
    difference = float(np.abs(np.r_[numbers, gradients] - np.r_[numbers_by_hand, gradients_by_hand]).max())
    tell(f"""
        nn.LSTMCell stacks the gates into matrices, i, f, g, o from top to bottom, and so serves any number of inputs,
        memories and samples at once. With the same weights it gives the same h and c at all three steps, and the same
        gradient for each of the {len(gradients)} weights. The largest difference: {difference:.1e}.""")
    return difference


def how_gradients_fade(sequences: int, rng: np.random.Generator) -> dict[str, Array]:
    """For several plain cells and LSTM cells, which all see the same inputs: what is left, step by step back."""
    inputs = rng.normal(0, 1, (sequences, STEPS + 1))
    left = {f"plain cell, u = {u:g}": left_of(plain_states, inputs, 1.0, u) for u in (0.5, 1.0, 2.0)}
    left["plain cell, u = 1, w = 0.1"] = left_of(plain_states, inputs, 0.1, 1.0)
    left |= {f"LSTM cell, b_f = {b:g}": left_of(lstm_memories, inputs, b) for b in (1.0, 3.0, 5.0)}
    tell(f"""
        Take {sequences} sequences of {STEPS + 1} random inputs, go back from the last state, and see what is left of
        the gradient. In a plain cell each step multiplies it by u · (1 - h²). To keep it, u would have to be larger
        than 1; but then h grows, and 1 - h² is nearly 0. So let us try several u. In an LSTM cell each step multiplies
        it by f, on the direct way: let us try several biases of the forget gate. All other weights are 1, all other
        biases 0.
        """)
    print(f"    {'left of the gradient after':<28} {'5 steps':>10} {'10 steps':>10} {f'{STEPS} steps':>10}")
    for name, part_left in left.items():
        print(f"    {name:<28} {part_left[5]:10.2g} {part_left[10]:10.2g} {part_left[STEPS]:10.2g}")
    print()
    tell("""
        A plain cell that listens to its inputs has lost almost everything after a few steps: no weight can learn from
        what happened before. It keeps more if it hardly listens (w = 0.1). It has to choose. An LSTM cell need not:
        with its forget gate open it keeps the gradient, and the other gates let in what they like. (Where more than 1
        is left, the ways through the outputs have added theirs.) And f is no constant. It is computed anew at each
        step, from x and h, so a cell can learn what to keep, how long, and when to forget.

        A network has many cells, and gradients go many ways at once, so a plain one fades more slowly than here. The
        rule stays: what is multiplied again and again dies out or blows up, and the plus is a way around.""")
    return left


def plain_states(inputs: Sequence[float], w: float, u: float) -> list[Value]:
    """The states of a plain cell, after a backward pass from the last."""
    h: Any = Value(0.0)
    states = []
    for x in inputs:
        h = tanh(w * x + u * h)
        states.append(h)
    h.backward()
    return states


def lstm_memories(inputs: Sequence[float], forget_bias: float) -> list[Value]:
    """The memories of an LSTM cell, after a backward pass from the last."""
    steps = Cell([1.0] * 4, [1.0] * 4, [0.0, forget_bias, 0.0, 0.0]).run(inputs)
    steps[-1].c.backward()
    return [step.c for step in steps]


def left_of(states: Callable[..., list[Value]], inputs: Array, *weights: float) -> Array:
    """The size of the gradient 0, 1, 2 ... steps back from the last state: the geometric mean of all sequences."""
    sizes = np.abs([[state.grad for state in states(sequence, *weights)] for sequence in inputs.tolist()])
    return np.asarray(np.exp(np.log(np.maximum(sizes[:, ::-1], 1e-300)).mean(axis=0)))


def signed(number: Value) -> str:
    """A number to be added, with its sign in front."""
    return f"{'-' if number.data < 0 else '+'} {abs(number.data):.2f}"


def draw_fading(figure: Any, left: dict[str, Array]) -> None:
    """What is left of the gradient, step by step back."""
    axes = figure.subplots()
    plain = (pictures.ORANGE, pictures.RED, pictures.PURPLE, pictures.GREY)
    for (name, line), colour, marker in zip(
        left.items(), (*plain, pictures.SKY, pictures.BLUE, "black"), "osD^vPX", strict=True
    ):
        style = "--" if name.startswith("plain") else "-"
        axes.semilogy(line, style, marker=marker, markersize=4, color=colour, label=name)
    axes.set_xlim(0, STEPS)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=9, frameon=False)
    title = "How the gradient of a cell fades on its way back (mean of random sequences)"
    pictures.label(axes, title, "steps back from the last", "left of the gradient (log scale)")
