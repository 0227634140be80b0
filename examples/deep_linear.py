"""A deep linear network learns in leaps: long plateaus, sudden drops, and a theory that foretells every one.

    python -m examples deep_linear

Source: Saxe, McClelland, Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear
neural networks", arXiv:1312.6120.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples import pictures
from examples.telling import part, tell
from nn import SGD, LinearNetwork, mse
from nn.initializers import normal

STEPS = 640
LEARNING_RATE = 1.0
HIDDEN = 64
SPREAD = 1e-4  # the standard deviation of the first weights

ITEMS = ("canary", "robin", "salmon", "sunfish", "oak", "pine", "rose", "daisy")
PROPERTIES = {  # each with the items that have it
    "grows": ITEMS,
    "moves": ITEMS[:4],
    "has roots": ITEMS[4:],
    "flies": ITEMS[0:2],
    "swims": ITEMS[2:4],
    "has bark": ITEMS[4:6],
    "has petals": ITEMS[6:8],
    "sings": ("canary",),
    "is red": ("robin",),
    "leaps": ("salmon",),
    "is flat": ("sunfish",),
    "has acorns": ("oak",),
    "has cones": ("pine",),
    "has thorns": ("rose",),
    "is white": ("daisy",),
}
DISTINCTIONS = {  # what can be told apart: the items on one side, and those on the other
    "anything at all": [1, 1, 1, 1, 1, 1, 1, 1],
    "animal or plant": [1, 1, 1, 1, -1, -1, -1, -1],
    "bird or fish": [1, 1, -1, -1, 0, 0, 0, 0],
    "tree or flower": [0, 0, 0, 0, 1, 1, -1, -1],
    "canary or robin": [1, -1, 0, 0, 0, 0, 0, 0],
    "salmon or sunfish": [0, 0, 1, -1, 0, 0, 0, 0],
    "oak or pine": [0, 0, 0, 0, 1, -1, 0, 0],
    "rose or daisy": [0, 0, 0, 0, 0, 0, 1, -1],
}
KNOWLEDGE = np.array([[float(item in having) for having in PROPERTIES.values()] for item in ITEMS])


@dataclass(frozen=True)
class Modes:
    """Knowledge, taken apart into distinctions: property = Σ strength · output · (input · item).

    Attributes:
        inputs: directions among the items, of shape (modes, items), orthonormal.
        outputs: directions among the properties, of shape (modes, properties), orthonormal.
        strengths: of each mode, the strongest first: the singular values.
    """

    inputs: NDArray[np.float64]
    outputs: NDArray[np.float64]
    strengths: NDArray[np.float64]

    def of(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much of each mode there is in a matrix of shape (properties, items)."""
        return np.asarray(np.einsum("mp,pi,mi->m", self.outputs, weight, self.inputs))


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        halfway: the step at which each distinction was half learnt; NaN if it was not.
        foretold: what the theory says of that, from the first weights alone.
        picture: the file, or None without matplotlib.
    """

    halfway: NDArray[np.float64]
    foretold: NDArray[np.float64]
    picture: Path | None


@dataclass(frozen=True)
class Learning:
    """A training: the loss before each step, the strength of each mode, and what the network says of each item."""

    loss: NDArray[np.float64]
    strengths: NDArray[np.float64]
    says: NDArray[np.float64]


def run(output: Path, seed: int = 1, epochs: int = STEPS) -> Result:
    """The lesson; ``epochs`` is how many steps are made, each with all items, and ``seed`` draws the first weights."""
    part("Part 1. What there is to know")
    modes = take_apart()

    part("Part 2. A network without a bend")
    initializer = partial(normal, std=SPREAD)
    sizes = [len(ITEMS), HIDDEN, len(PROPERTIES)]
    deep = LinearNetwork(sizes, initializer=initializer, seed=seed)
    start = first_strengths(deep, modes)
    print(f"{deep!r}\n")
    tell(f"""
        Two layers, and no activation between them: W2 · W1 · x. That is one matrix, W2 · W1, so all it can say is
        linear. You might expect it to learn like a line. Its weights start very small, about {SPREAD:g}. Watch the
        loss:""")
    trained = train(deep, modes, epochs, shown=True)

    part("Part 3. Why?")
    foretold = halfway_foretold(modes.strengths, start)
    halfway = halfway_measured(modes.strengths, trained.strengths)
    explain(modes, start, halfway, foretold)

    part("Part 4. Like a child")
    stages = [step for step in between(foretold) if step < len(trained.says)]
    tell_of_the_canary(trained, stages)

    shallow = train(LinearNetwork([sizes[0], sizes[-1]], initializer=initializer, seed=seed), modes, epochs)
    usual = train(LinearNetwork(sizes, seed=seed), modes, epochs)
    tell("""
        Two more trainings are in the picture. With a single layer, also from small weights, there is no plateau:
        nothing is multiplied by anything small, and all distinctions are learnt at the same pace, strong or not. And
        with two layers and first weights of the usual size (as nn.Dense draws them) the plateaus are gone as well,
        since no strength has to grow out of nothing. That is what good first weights are for.""")

    curves = {"two layers, small weights": trained, "two layers, usual weights": usual, "one layer": shallow}
    draw = lambda figure: draw_leaps(figure, curves, modes, start, stages)
    picture = pictures.save_picture(output / "deep_linear.png", draw, size=(13, 8))
    return Result(halfway, foretold, picture)


def take_apart() -> Modes:
    """The distinctions that knowledge is made of."""
    inputs = np.array(list(DISTINCTIONS.values()), float)
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    outputs = inputs @ KNOWLEDGE
    strengths = np.linalg.norm(outputs, axis=1)
    tell("""
        Eight living things and fifteen properties. A canary grows, moves, flies and sings; a robin grows, moves, flies
        and is red; an oak grows, has roots, bark and acorns. The input is which thing, the output which properties: a
        table of 8 × 15 noughts and ones.

        Such a table can be taken apart into distinctions. Each has a direction among the things (these on one side,
        those on the other), a direction among the properties, and a strength: how much of the table it explains.
        Mathematics calls it the singular value decomposition, and the strengths singular values:
        """)
    singular = np.linalg.svd(KNOWLEDGE, compute_uv=False)
    for name, strength, value in zip(DISTINCTIONS, strengths, singular, strict=True):
        print(f"  {name:<18} strength {strength:.4f}   np.linalg.svd says {value:.4f}")
    print()
    return Modes(inputs, outputs / strengths[:, None], strengths)


def train(model: LinearNetwork, modes: Modes, steps: int, *, shown: bool = False) -> Learning:
    """Gradient descent with all items in every step; nothing but the loop."""
    items = np.eye(len(ITEMS))
    optimizer = SGD(model.parameters(), learning_rate=LEARNING_RATE)
    losses, strengths, says = [], [], []
    for step in range(steps + 1):
        predictions = model(items)
        loss = mse(predictions, KNOWLEDGE)
        losses.append(loss.item())
        strengths.append(modes.of(model.weight))
        says.append(predictions.data)
        if shown and step % 40 == 0:
            print(f"  step {step:3}   loss {loss:.4f}  {'█' * round(200 * loss.item())}".rstrip())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if shown:
        print()
    return Learning(np.array(losses), np.array(strengths), np.array(says))


# ── the theory ───────────────────────────────────────────────────────────────────────────────────────
# With one item at a time as the input, gradient descent moves W1 by (W2ᵀ · what is missing) / TAU in each step, and
# W2 by (what is missing · W1ᵀ) / TAU. For a mode of strength s, of which a is learnt: da/dt = 2 a (s - a) / TAU.
TAU = KNOWLEDGE.size / (2 * LEARNING_RATE)


def first_strengths(model: LinearNetwork, modes: Modes) -> NDArray[np.float64]:
    """The strength from which each mode starts to grow.

    The two layers see a mode as two vectors of hidden units: W1 · input and W2ᵀ · output. Their mean grows, their
    difference dies away, and so the mean counts: its squared length.
    """
    W1, W2 = (layer.weight.data for layer in model)
    mean = (modes.inputs @ W1.T + modes.outputs @ W2) / 2
    return np.asarray((mean**2).sum(axis=1))


def strength_foretold(s: Any, start: Any, step: Any) -> Any:
    """The solution of da/dt = 2 a (s - a) / TAU with a = start at step 0."""
    return s / (1 + (s / start - 1) * np.exp(-2 * s * step / TAU))


def halfway_foretold(s: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """When the strength of each mode is s / 2."""
    return np.asarray(TAU / (2 * s) * np.log(s / start - 1))


def halfway_measured(s: NDArray[np.float64], strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """When the strength of each mode was s / 2, between two steps on a straight line; NaN for never."""
    found = []
    for mode, strength in enumerate(s):
        a = strengths[:, mode]
        after = int(np.argmax(a >= strength / 2))
        share = (strength / 2 - a[after - 1]) / (a[after] - a[after - 1])
        found.append(after - 1 + share if after else np.nan)
    return np.array(found)


def explain(
    modes: Modes, start: NDArray[np.float64], halfway: NDArray[np.float64], foretold: NDArray[np.float64]
) -> None:
    """The equation, and how true it is."""
    tell(
        f"""
        Each leap is one distinction, or several of the same strength. Let a be how much of a distinction of strength
        s the network has. What reaches W1 as a gradient comes through W2, and what reaches W2 comes through W1: while
        both are small, almost nothing reaches either. For small steps, t of them, the paper shows

          da/dt = 2 · a · (s - a) / {TAU:g}

        The factor a is the plateau: what is not there yet grows only in proportion to itself, as an epidemic does.
        The factor s - a is the end: nothing is missing any more. And what is strong grows faster, so it comes first.
        The equation has a solution, an S-shaped curve, and it needs nothing but the first weights. Half of each
        distinction should be learnt"""
    )
    print("                       strength   foretold      measured")
    for name, s, said, was in zip(DISTINCTIONS, modes.strengths, foretold, halfway, strict=True):
        print(f"  {name:<18}   {s:.4f}   after {said:5.1f}   after {was:5.1f} steps")
    print()
    tell(f"""
        A little late, mostly because steps are not infinitely small. On the first plateau the equation lets weights
        grow by a factor of exp({modes.strengths[0] / TAU:.4f}) = {np.exp(modes.strengths[0] / TAU):.4f} in each step,
        and a real step makes it {1 + modes.strengths[0] / TAU:.4f}.""")


def between(foretold: NDArray[np.float64]) -> list[int]:
    """A step on each plateau: in the middle between two leaps, and after the last."""
    leaps = [foretold[0], foretold[1], foretold[2:4].mean(), foretold[4:].mean()]
    middles = [(before + after) / 2 for before, after in pairwise(leaps)]
    return [round(step) for step in (*middles, leaps[-1] + (leaps[-1] - middles[-1]))]


def tell_of_the_canary(trained: Learning, stages: list[int]) -> None:
    """What the network says of a canary on each plateau."""
    shown = ["grows", "moves", "has roots", "flies", "swims", "sings", "is red"]
    columns = [list(PROPERTIES).index(name) for name in shown]
    print(f"  of a canary        {''.join(f'{name:>11}' for name in shown)}")
    for step in stages:
        print(f"  after {step:3} steps    {''.join(f'{trained.says[step, 0, i]:11.2f}' for i in columns)}")
    print()
    tell("""
        First it knows only that there are things, and gives each the average of all: half of them move, one in eight
        sings. Then animals part from plants, and the canary has no roots any more; but it swims nearly as much as it
        flies, until birds part from fish. Last of all it sings. Children, too, are found to know animals from plants
        before robins from canaries. Here it is no lack of wit: broad distinctions explain more, so they are strong, and
        what is strong comes first. (Saxe, McClelland, Ganguli 2019, "A mathematical theory of semantic development in
        deep neural networks", Proceedings of the National Academy of Sciences 116.)""")


# ── the picture ──────────────────────────────────────────────────────────────────────────────────────
def draw_leaps(figure: Any, curves: dict[str, Learning], modes: Modes, start: Any, stages: list[int]) -> None:
    """The loss; the strength of each distinction beside the theory; what is known on each plateau."""
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.1, 1])
    left, right = top.subplots(1, 2)
    trained = next(iter(curves.values()))
    steps = np.arange(len(trained.loss))
    theory = strength_foretold(modes.strengths[:, None], start[:, None], steps)

    for (name, curve), colour in zip(curves.items(), (pictures.RED, pictures.GREEN, pictures.BLUE), strict=True):
        left.plot(steps, curve.loss, color=colour, linewidth=3 if curve is trained else 1.5, label=name)
    missing = ((modes.strengths[:, None] - theory) ** 2).sum(axis=0) / KNOWLEDGE.size
    left.plot(steps, missing, color="black", linewidth=1, linestyle="--", label="the theory for small weights")
    left.legend(fontsize=9, frameon=False)
    pictures.label(left, "Plateaus and leaps", "step", "mean squared error")

    colours = [pictures.BLUE, pictures.RED, *2 * [pictures.GREEN], *4 * [pictures.ORANGE]]
    for i, (name, colour) in enumerate(zip(DISTINCTIONS, colours, strict=True)):
        right.plot(steps, trained.strengths[:, i], color=colour, linewidth=3, alpha=0.7)
        right.plot(steps, theory[i], color="black", linewidth=1, linestyle="--")
        if i in (0, 1, 2, 4):
            several = {2: "bird or fish; tree or flower", 4: "canary or robin; and three more"}
            place = (steps[-1], modes.strengths[i] + 0.08)
            right.text(*place, several.get(i, name), color=colour, ha="right", va="bottom", fontsize=9)
    right.set_ylim(0, 4.4)
    pictures.label(right, "One distinction after the other (dashed: the theory)", "step", "strength in W2 · W1")

    tables = {f"after {step} steps": trained.says[step] for step in stages} | {"what there is to know": KNOWLEDGE}
    row = bottom.subplots(1, len(tables), squeeze=False)[0]
    for i, (axes, (title, table)) in enumerate(zip(row, tables.items(), strict=True)):
        axes.imshow(table.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(ITEMS)), ITEMS, rotation=90, fontsize=8)
        axes.set_yticks(range(len(PROPERTIES)), PROPERTIES if i == 0 else [], fontsize=8)
        axes.set_title(title, fontsize=11, loc="left")
