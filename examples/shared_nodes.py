"""A number used twice: why gradients add up, and why nobody walks all the paths.

    python -m examples shared_nodes

Predict each number before you read on. Every number here is computed, none is typed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import viz
from autodiff import Value, explain
from autodiff.chain import edges
from examples.telling import part, tell
from nn import Network

RUNGS = 60  # of the ladder at the end
WALKED = (1, 2, 3, 6, 12)  # rungs of the ladders that are walked path by path
NUDGE = 0.001
A_BILLION, A_YEAR = 10**9, 60 * 60 * 24 * 365


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        square, two_ways: the paths of the first two examples.
        overwritten: what ∇a would be with = in place of +=.
        walked: for ladders of several heights the steps of the walk over all paths, and those of the backward pass.
        ladder: the paths of the highest ladder.
        network: the paths of a network.
        pictures, page: what was drawn, and the page to step through.
    """

    square: viz.Paths
    two_ways: viz.Paths
    overwritten: float
    walked: dict[int, tuple[int, int]]
    ladder: viz.Paths
    network: viz.Paths
    pictures: list[Path]
    page: Path


def run(output: Path, seed: int = 1, epochs: int = RUNGS) -> Result:
    """The lesson; ``seed`` draws the weights of the network, and ``epochs`` is the height of the last ladder."""
    output.mkdir(parents=True, exist_ok=True)
    part("Part 1. A number used twice")
    square = used_twice()
    part("Part 2. A straight way and a roundabout way")
    two_ways, overwritten = two_ways_to_the_output()
    part("Part 3. A ladder: two ways at every rung")
    walked = walk_ladders()
    high = a_high_ladder(epochs)
    part("Part 4. A network")
    network = paths_of_a_network(np.random.default_rng(seed))
    pictures = [
        square.save(output / "shared_square.svg"),
        two_ways.save(output / "shared_two_ways.svg"),
        viz.paths(*ladder(3, Value(1.0, label="a")), k=5).save(output / "shared_ladder.svg"),
        network.save(output / "shared_network.svg"),
    ]
    page = viz.steps(two_ways.output, title="Two ways from a to y").save(output / "shared_nodes.html")
    print("The pictures, with the paths in them:")
    print("\n".join(f"  {picture}" for picture in pictures))
    print(f"Two ways, step by step: {page}")
    return Result(square, two_ways, overwritten, walked, high, network, pictures, page)


def used_twice() -> viz.Paths:
    """The smallest shared number there is: a * a."""
    tell("""
        A gradient answers one question: if this number moves a little, how far does the output move? ∇a = 6 means:
        six times as far.

        Let y = a * a, at a = 3. The number a is used twice, once on each side of the ×. Look at one side at a time.
        If only the left a moved, y would move 3 times as far, because the right one is 3. If only the right a moved,
        y would move 3 times as far too, because the left one is 3.

        Predict: how far does y move when a moves? (There is only one a. When it moves, both sides move.)
        """)
    a = Value(3.0, label="a")
    y = a * a
    y.label = "y"
    print("The backward pass goes back over both arrows, and adds:\n")
    for step in explain(y).backward:
        print(f"  {step}")
    above, below = (3 + NUDGE) ** 2, (3 - NUDGE) ** 2
    print()
    tell(f"""
        Is it true? Move a by {NUDGE} to both sides:

          ({above:.6f} - {below:.6f}) / {2 * NUDGE} = {(above - below) / (2 * NUDGE):.4f}

        So: a number that is used twice hears twice, and what it hears is added up. Each way from y back to a is called
        a path. Here is the same once more, path by path:
        """)
    found = viz.paths(y, a)
    print(indented(found) + "\n")
    return found


def two_ways_to_the_output() -> tuple[viz.Paths, float]:
    """Paths of different length and sign; what overwriting would give."""
    tell("""
        Ways can be of different length. Let

          t = a * b
          y = t + a

        at a = 2 and b = -0.5. From y, a straight way leads to a, over the +. Another leads through t. On a path, the
        local derivatives are multiplied: if t moves y by 1 for 1, and a moves t by -0.5 for 1, then on this path a
        moves y by 1 × -0.5. Then the paths are added. The straight way has the + only, and brings 1.

        Predict: when a grows a little, does y grow or fall? And how fast?
        """)
    a, b = Value(2.0, label="a"), Value(-0.5, label="b")
    t = a * b
    y = t + a
    t.label, y.label = "t", "y"
    found = viz.paths(y, a)
    print(indented(found) + "\n")
    tell(f"""
        The straight way wins: y grows. Beside each path stands how much of ∇a it brings. That can be more than 100 %,
        as here, where the other pulls against it.

        Is it true? y = a * -0.5 + a = 0.5 * a, and that grows by 0.5 for each 1. Yes: ∇a = {found.gradient:g}.

        Now suppose somebody writes = where += belongs, a.grad = what comes over this arrow. Then the last path to
        arrive wipes out what was there. The arrow straight from y comes first, the one from t last. Predict what is
        left in a.grad.
        """)
    overwritten = viz.broken(y, "overwrite").gradients[a]
    tell(f"""
        It is {overwritten:g}, and {found.gradient:g} is right. Even the sign is wrong: who wants y to grow would now
        make a smaller. Nothing crashes; a network merely learns badly, or not at all. (More of these: the lesson
        bug_lab.)
        """)
    return found, overwritten


def walk_ladders() -> dict[int, tuple[int, int]]:
    """Walk all paths of small ladders, one by one, and count the steps; then let the backward pass do it."""
    tell("""
        How many paths can there be? Build a ladder. On each rung the number is used twice, and both meet again:

          left, right = a * 0.75, a * 0.5
          a = left + right

        One rung has 2 paths. Predict: how many do two rungs have? Ten? Sixty?

        Here is a program that does what the rule says, word by word: walk every path, multiply on the way, add at the
        end. Count its steps, one for each arrow, and compare with the backward pass, which goes once over each arrow:
        """)
    print(f"  {'rungs':>5}  {'paths':>6}  {'steps, path by path':>20}  {'steps, backward':>16}   gradient")
    walked = {}
    for rungs in WALKED:
        y, a = ladder(rungs, Value(Fraction(1), label="a"))
        products, steps = every_path(y, a)
        arrows = len(explain(y).backward)
        walked[rungs] = steps, arrows
        y.backward()
        agree = "the same by both" if sum(products) == a.grad else "they differ!"
        print(f"  {rungs:>5}  {len(products):>6,}  {steps:>20,}  {arrows:>16,}   {float(a.grad):.5g}, {agree}")
    print()
    tell("""
        Every rung doubles the paths. The backward pass needs four more steps. Why can it be so quick? Because it adds
        early. Where two ways meet, it adds what they have brought, and goes on with one number instead of two. That is
        all there is to backpropagation: the same sum, and nothing computed twice. It is also why it must wait at each
        number until all ways have come in, and so why the order of the nodes matters.
        """)
    return walked


def a_high_ladder(rungs: int) -> viz.Paths:
    """Count the paths that nobody can walk, and find the largest."""
    y, a = ladder(rungs, Value(1.0, label="a"))
    found = viz.paths(y, a, k=3)
    years = found.count / A_BILLION / A_YEAR
    wait = f"{years:,.0f} years" if years >= 1 else f"{found.count / A_BILLION:.1g} seconds"
    tell(f"""
        A ladder of {rungs} rungs has 2^{rungs} = {found.count:,} paths. A walker who takes a billion of them in a
        second would be on the way for {wait}. The backward pass takes {4 * rungs} steps.

        Still one can ask which paths weigh most. Nobody has to walk the others for that either: it is enough if each
        number remembers its few best. The largest path turns left at every rung, 0.75 × 0.75 × ... Predict: does the
        largest of them matter?
        """)
    print(indented(found) + "\n")
    answer = "Hardly." if found[0].share < 0.01 else "A little."
    tell(f"""
        It brings {found[0].share:.2g} of the gradient. {answer} The higher the ladder, the less any one path counts.
        The gradient of a deep network is a choir, not a solo.
        """)
    return found


def paths_of_a_network(rng: np.random.Generator) -> viz.Paths:
    """From the loss of a network back to one of its inputs."""
    network = Network([2, 3, 2, 1], seed=rng)
    x = [Value(0.8, label="x0"), Value(-0.4, label="x1")]
    loss = (network(x) - 1) ** 2
    loss.label = "loss"
    tell("""
        A network of neurons is full of shared numbers: the output of each neuron goes to all neurons of the next layer.
        Take one with 2 inputs, layers of 3 and 2 neurons, and one output.

        Predict: over how many paths does the gradient of the loss come back to the input x0?
        """)
    found = viz.paths(loss, x[0], k=4)
    print(indented(found) + "\n")
    tell(f"""
        Through any of 3 neurons and then any of 2: 3 × 2 = {found.count} paths. Each is a product of weights and of
        slopes of tanh, and some pull up and some pull down. With ten layers of a hundred neurons it would be 100^10, a
        hundred billion billion; and the backward pass would still go once over each arrow.
        """)
    return found


def ladder(rungs: int, a: Value) -> tuple[Value, Value]:
    """The top and the foot of a ladder. Fractions stay exact."""
    exact = isinstance(a.data, Fraction)
    much, little = (Fraction(3, 4), Fraction(1, 2)) if exact else (0.75, 0.5)
    y = a
    for _ in range(rungs):
        left, right = y * much, y * little
        y = left + right
    y.label = "y"
    return y, a


def every_path(output: Value, leaf: Value) -> tuple[list[Fraction], int]:
    """The product of every path, walked one by one, and how many steps that took."""
    products: list[Fraction] = []
    steps = 0
    waiting: list[tuple[Any, Fraction]] = [(output, Fraction(1))]
    while waiting:
        node, product = waiting.pop()
        if node is leaf:
            products.append(product)
        for x, through in edges(node, product) if node.op else ():
            if through is not None:
                steps += 1
                waiting.append((x, through))
    return products, steps


def indented(found: viz.Paths) -> str:
    """The list of paths, a little to the right."""
    return "\n".join(f"  {line}" for line in str(found).splitlines())
