"""A neuron learns: forward, backward, one step, and again.

    python -m examples neuron

Two inputs, two weights, a bias and a target: every number of training, on one page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import viz
from autodiff import Value, explain, tanh
from autodiff.formula import number_text
from examples.telling import part, tell
from nn import SGD

INPUTS = (1.5, -0.5)
TARGET = 1.0
LEARNING_RATE = 0.1  # small enough for these inputs that the loss falls with every step
NUDGE = 1e-4
STEPS = 10
ROUNDS = 3  # training steps on the page


@dataclass(frozen=True)
class Result:
    """What the lesson told.

    Attributes:
        gradients: of each weight and the bias, at the start.
        nudged: the same by nudges.
        predicted, fell: by how much the first step should change the loss, and by how much it did.
        losses: before the first step, and after each.
        picture, page: the drawing, and the page to step through.
    """

    gradients: dict[str, float]
    nudged: dict[str, float]
    predicted: float
    fell: float
    losses: list[float]
    picture: Path
    page: Path


class Neuron:
    """``tanh(w1 · x1 + w2 · x2 + b)``, and how far it is from the target."""

    def __init__(self, w1: float, w2: float, b: float) -> None:
        self.parameters = [Value(w1, label="w1"), Value(w2, label="w2"), Value(b, label="b")]
        self.inputs = [Value(x, requires_grad=False, label=f"x{k}") for k, x in enumerate(INPUTS, 1)]
        self.out = float("nan")  # what it said last

    def loss(self) -> Value:
        """One forward pass."""
        w1, w2, b = self.parameters
        x1, x2 = self.inputs
        z = w1 * x1 + w2 * x2 + b
        out = tanh(z)
        loss = (out - TARGET) ** 2
        z.label, out.label, loss.label = "z", "out", "loss"
        self.out = out.item()
        return loss


def run(output: Path, seed: int = 7, epochs: int = STEPS) -> Result:
    """All parts of the lesson; ``seed`` draws the first weights, ``epochs`` is the number of training steps."""
    rng = np.random.default_rng(seed)
    neuron = Neuron(*(round(float(w), 2) for w in rng.uniform(-0.8, 0.8, 3)))
    part("Part 1. Forward: what does it say?")
    loss = forward(neuron)
    part("Part 2. Which way should each weight move?")
    which_way(neuron)
    part("Part 3. Backward: every gradient")
    gradients, nudged = backward(neuron, loss)
    part("Part 4. See it")
    picture, page = see_it(neuron, output)
    part("Part 5. One step of learning")
    predicted, fell = one_step(neuron, loss.item())
    part("Part 6. Again and again")
    losses = learn(neuron, epochs)
    return Result(gradients, nudged, predicted, fell, losses, picture, page)


def forward(neuron: Neuron) -> Value:
    """The forward pass, number by number; returns the loss."""
    numbers = {x.label: number_text(x.data) for x in (*neuron.inputs, *neuron.parameters)}
    tell(f"""
        A neuron weighs its inputs, adds them up with a number of its own, the bias b, and squashes the sum z with
        tanh, a curve that rises from -1 to 1:

          z = w1 · x1 + w2 · x2 + b
          out = tanh(z)

        The inputs are x1 = {numbers["x1"]} and x2 = {numbers["x2"]}. The weights and the bias were drawn at random:
        w1 = {numbers["w1"]}, w2 = {numbers["w2"]}, b = {numbers["b"]}. We want the answer {TARGET:g}. How wrong it is,
        squared, is the loss: loss = (out - {TARGET:g})². Learning means to make it small.

        Predict z with a pencil, then look. (v1, v2, ... are numbers on the way that have no name of their own.)
        """)
    loss = neuron.loss()
    for step in explain(loss).forward:
        print(f"  {step}")
    print()
    return loss


def which_way(neuron: Neuron) -> None:
    """Predict the signs of the gradients before any is computed."""
    x1, x2 = (number_text(x.data) for x in neuron.inputs)
    tell(f"""
        The answer {number_text(neuron.out)} is below {TARGET:g}, as tanh always is. So it should rise, and
        for that z should rise. Predict, before any gradient is computed: which of w1, w2 and b should go up, and which
        should go down? And which of them matters most?

        x1 is {x1}, a positive number, so a larger w1 makes z larger: w1 should go up. x2 is
        {x2}, a negative number, so a larger w2 makes z smaller: w2 should go down. b is simply
        added: up.

        And w1 matters most, since it has the largest input: when w1 moves, z moves {x1} times
        as far; when b moves, just as far; and when w2 moves, only {number_text(abs(INPUTS[1]))} times as far.
        """)


def backward(neuron: Neuron, loss: Value) -> tuple[dict[str, float], dict[str, float]]:
    """Every gradient, arrow by arrow, and then by nudges."""
    tell("""
        Now the gradients. Each says how much the loss moves when that number moves. From the loss back to the leaves,
        each arrow multiplies what has come from upstream by its own local derivative. (The slope of tanh is 1 - out².)
        """)
    for step in explain(loss).backward:
        print(f"  {step}")
    loss.backward()
    gradients = {str(p.label): p.grad for p in neuron.parameters}
    shown = {name: number_text(gradient) for name, gradient in gradients.items()}
    print()
    tell(f"""
        ∇w1 = {shown["w1"]} and ∇b = {shown["b"]} are negative: the loss falls when they rise. ∇w2 = {shown["w2"]} is
        positive: the loss falls when w2 falls. That is what we predicted; and ∇w1 and ∇w2 are ∇b times their inputs.

        Is it true? Move each a little to both sides, and see how the loss follows:
        """)
    nudged = {}
    for p in neuron.parameters:
        start = p.data
        p.data = start + NUDGE
        above = neuron.loss().item()
        p.data = start - NUDGE
        below = neuron.loss().item()
        p.data = start
        nudged[str(p.label)] = (above - below) / (2 * NUDGE)
        print(f"  {p.label:<2}   nudged: {nudged[str(p.label)]:8.4f}   backward: {gradients[str(p.label)]:8.4f}")
    print()
    return gradients, nudged


def see_it(neuron: Neuron, folder: Path) -> tuple[Path, Path]:
    """Draw the neuron, and write the page on which it takes three steps."""
    folder.mkdir(parents=True, exist_ok=True)
    optimizer = SGD(neuron.parameters, learning_rate=LEARNING_RATE)
    optimizer.zero_grad()
    loss = neuron.loss()  # the one of before was computed from weights that have been nudged since
    loss.backward()
    picture = viz.draw(loss, title="A neuron and its loss").save(folder / "neuron.svg")
    player = viz.steps(neuron.loss, optimizer=optimizer, rounds=ROUNDS, title="A neuron learns")
    page = player.save(folder / "neuron.html")
    tell(f"""
        In the picture, w1, w2 and b have round corners: they are what can be moved. x1, x2 and the target are small and
        grey: they are given. On the page the optimizer moves the weights after each backward pass, and the next forward
        pass shows what that has brought, {ROUNDS} times.
        """)
    print(f"  the picture: {picture}\n  the page:    {page}\n")
    return picture, page


def one_step(neuron: Neuron, loss: float) -> tuple[float, float]:
    """One step against the gradient: what it should bring, and what it brings. The neuron stays as it was."""
    tell(f"""
        Each number now moves against its gradient, by a small part of it, {LEARNING_RATE} times. This part is called
        the learning rate. It is small because a gradient is a promise for small moves only.

          new = old - {LEARNING_RATE} × gradient

        Predict the new w1, w2 and b. The optimizer does this:
        """)
    before = {str(p.label): p.data for p in neuron.parameters}
    SGD(neuron.parameters, learning_rate=LEARNING_RATE).step()
    for p in neuron.parameters:
        sign = "-" if p.grad >= 0 else "+"
        change = f"{LEARNING_RATE} × {number_text(abs(p.grad))}"
        print(f"  {p.label:<2} = {number_text(before[str(p.label)])} {sign} {change} = {number_text(p.data)}")
    print()
    predicted = -LEARNING_RATE * sum(p.grad**2 for p in neuron.parameters)
    after = neuron.loss().item()
    for p in neuron.parameters:
        p.data = before[str(p.label)]
    tell(f"""
        And the loss? A number that moves by -{LEARNING_RATE} × its gradient moves the loss by its gradient times that.
        All three together: -{LEARNING_RATE} × (∇w1² + ∇w2² + ∇b²) = {predicted:.4f}. Predict the new loss, then look.

        It was {loss:.4f}, and now it is {after:.4f}: it moved by {after - loss:.4f}. That this is not quite what was
        promised is due to the bend of the curve: a step is not as tiny as a nudge.
        """)
    return predicted, after - loss


def learn(neuron: Neuron, steps: int) -> list[float]:
    """All steps from the start, as a table; returns the loss before the first, and after each."""
    tell("""
        Training is nothing but this, again and again: forward, backward, step. After each step the old gradients are
        forgotten (zero_grad), since the weights have moved, and since gradients add up. Predict: what becomes of the
        steps when the answer comes near to the target?
        """)
    optimizer = SGD(neuron.parameters, learning_rate=LEARNING_RATE)
    losses = []
    print("  step       w1       w2        b      out     loss")
    for step in range(steps + 1):
        losses.append(neuron.loss().item())
        row = [*(p.data for p in neuron.parameters), neuron.out, losses[-1]]
        print(f"  {step:>4} {' '.join(f'{number:8.4f}' for number in row)}")
        optimizer.zero_grad()
        neuron.loss().backward()
        optimizer.step()
    print()
    tell("""
        The loss falls with every step. Near the target the gradients are small, and so are the steps: little is left to
        mend, and tanh, which is flat out there, hands on only a small part of it.

        Nobody told the neuron which way to go. Each weight asked its own gradient. A whole network does the same, on
        real flowers:

          python -m examples first_network
        """)
    return losses
