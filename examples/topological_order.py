"""Why the order matters: a node must not hand on its gradient before all of it has arrived.

    python -m examples topological_order

A graph of four nodes, walked back in a wrong order and in a right one, and counted by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import viz
from autodiff import Node, Value, explain
from autodiff.explanation import BackwardStep, Explanation
from autodiff.formula import number_text
from examples.telling import part, tell

DOUBLINGS = 40  # how long the chain of Part 5 gets
NUDGE = 1e-4


@dataclass(frozen=True)
class Result:
    """What the lesson told.

    Attributes:
        wrong, right, nudged: the gradient of a, depth first, in topological order, and by nudges.
        order: the nodes of the graph in the order in which they hand on.
        paths: for each chain of Part 5 its doublings, its arrows and its paths.
        answer: the gradient of the exercise, by the backward pass and by nudges.
        pictures, page: the drawings, and the page to step through.
    """

    wrong: float
    right: float
    nudged: float
    order: list[str]
    paths: list[tuple[int, int, int]]
    answer: tuple[float, float]
    pictures: list[Path]
    page: Path


def run(output: Path, seed: int = 1, epochs: int = DOUBLINGS) -> Result:
    """All parts of the lesson; ``epochs`` is the number of doublings in Part 5, and ``seed`` draws the exercise."""
    part("Part 1. Two ways from a to y")
    right, nudged = by_hand()
    part("Part 2. In haste: hand on whatever has arrived")
    wrong = in_haste()
    part("Part 3. The rule: wait until all has arrived")
    order = in_order()
    part("Part 4. An order that costs nothing")
    by_age()
    part("Part 5. Why not walk every way by itself?")
    paths = every_way(epochs)
    part("Part 6. See it")
    pictures, page = see_it(output)
    part("Part 7. Your turn")
    answer = your_turn(np.random.default_rng(seed))
    return Result(wrong, right, nudged, order, paths, answer, pictures, page)


def program() -> Value:
    """A number that is used twice: by y, and by c, which y uses too."""
    a = Value(2.0, label="a")
    b = 3 * a
    c = b**2
    y = b + c
    return named(y=y, c=c, b=b)


def named(**nodes: Value) -> Value:
    """Give each node the name of its argument; returns the first."""
    for label, node in nodes.items():
        node.label = label
    return next(iter(nodes.values()))


def by_hand() -> tuple[float, float]:
    """The gradient way by way, and by nudges."""
    tell("""
        A small program, at a = 2:

          b = 3 · a        so b = 6
          c = b²           so c = 36
          y = b + c        so y = 42

        How much does y move when a moves? Two ways lead from a to y: a short one, a → b → y, and a long one,
        a → b → c → y. Along a way the factors multiply. And what comes over two ways adds up: a moves y over the
        one, and over the other as well.

          the short way:   3 × 1 = 3            (b is in the sum y with factor 1)
          the long way:    3 × 12 × 1 = 36      (b² has the slope 2b, and that is 12)

        Predict the gradient of a, then look at what a nudge of a says:
        """)
    a, f = 2.0, lambda a: 3 * a + (3 * a) ** 2
    nudged = (f(a + NUDGE) - f(a - NUDGE)) / (2 * NUDGE)
    steps = explain(program())
    right = gradient(steps, "a")
    print(f"  ({f(a + NUDGE):.6f} - {f(a - NUDGE):.6f}) / {2 * NUDGE:g} = {nudged:.4f}\n")
    tell(f"It is 3 + 36 = {number_text(right)}. Now let nodes find it, each of which sees only its own arrows.")
    return right, nudged


def gradient(steps: Explanation, name: str) -> float:
    """The final gradient of the node of that name."""
    return next(float(g) for node, g in steps.adjoints.items() if steps.names[node] == name)


def in_haste() -> float:
    """The backward pass depth first; returns its gradient of a."""
    tell("""
        Backpropagation begins at y, whose gradient is 1. A node multiplies its gradient by the local derivative of
        each of its arrows, and hands the product to the input at the other end.

        y hands 1 to b and 1 to c. Who is next? A program in haste goes as deep as it can: to b, the first input of y,
        which hands on what it has, and only after that to c. Nobody hands on twice.

        Predict, with a pencil: what has a got in the end? Here is that program at work:
        """)
    haste = viz.broken(program(), "depth_first")
    for number, step in enumerate(haste.steps, 1):
        print(f"  {number}. {told(step)}{'   ← too early' if number - 1 in haste.slips else ''}")
    (a,) = haste.leaves
    wrong = float(haste.gradients[a])
    print(f"\n  ∇a = {number_text(wrong)}, and it should be {number_text(haste.right[a])}\n")
    tell("""
        Nothing crashed, and every product is right. But b handed on 1 when only y had come by. When c came with 12
        more, b had been dealt with, so these 12 never got to a. The long way is lost.

        Worse: write y = c + b in the place of y = b + c, and the same program goes to c first, so that b has it all
        when its turn comes:
        """)
    other = lucky()
    found = viz.broken(other, "depth_first")
    (a,) = found.leaves
    print(f"  ∇a = {number_text(found.gradients[a])}, by luck\n")
    tell("""
        A mistake that comes and goes with the order of a sum is hard to find. That is what makes it a famous one.
        """)
    return wrong


def lucky() -> Value:
    """The same sum the other way round."""
    a = Value(2.0, label="a")
    b = 3 * a
    c = b**2
    return named(y=c + b, c=c, b=b)


def told(step: BackwardStep) -> str:
    """One arrow of a backward pass in numbers."""
    flow = f"{number_text(step.upstream)} × {number_text(step.local)} = {number_text(step.contribution)}"
    before = "" if step.before is None else f"{number_text(step.before)} + {number_text(step.contribution)} = "
    return f"{step.name} → {step.input_name}:  {flow:<14}   ∇{step.input_name} = {before}{number_text(step.total)}"


def in_order() -> list[str]:
    """The same with waiting, and with a count of what is still to come; returns the order of the nodes."""
    tell("""
        So there is one rule: a node hands on only when it has heard from everybody who used it. How does it know?
        It counts the arrows that leave it in the forward direction. b is used by y and by c: it waits for two.

        Predict in which order y, b and c may hand on. There is only one. The engine walks it:
        """)
    steps = explain(program())
    waiting: dict[Node, int] = {}
    for step in steps.backward:
        waiting[step.input] = step.paths
    order: list[str] = []
    for number, step in enumerate(steps.backward, 1):
        if step.name not in order:
            order.append(step.name)
        waiting[step.input] -= 1
        still = waiting[step.input]
        state = f"waits for {still} more" if still else "has it all" if step.input.op else "done"
        print(f"  {number}. {told(step):<46} {step.input_name} {state}")
    print()
    tell(f"""
        The order is {", ".join(order)}: c before b, because b still waits for what c brings. Now b hands on 13, and
        ∇a = 13 × 3 = {number_text(gradient(steps, "a"))}, and nothing is lost. An order in which no node comes before
        its inputs is called a topological order; the way back takes it from its end to its front.
        """)
    return order


def by_age() -> None:
    """Creation order is a topological order: show it."""
    tell("""
        Must one search for such an order? No. A number can only be computed from numbers that are there already. So
        every node is younger than its inputs, and whoever uses it is younger still. Predict: which simple order
        is right for every program that can be run at all?
        """)
    steps = explain(program())
    names = {node: steps.names[node] for node in steps.adjoints}
    by_clock = sorted(names, key=lambda node: node.clock)
    print("  made as number   node   from          hands on as number")
    for number, node in enumerate(by_clock, 1):
        inputs = " and ".join(names.get(x) or number_text(x.data) for x in node.inputs) or "(given)"
        turn = str(len(by_clock) - number + 1) if node.op else "(a leaf: it keeps its gradient)"
        print(f"  {number:<14}   {names[node]:<4}   {inputs:<11}   {turn}")
    print()
    tell("""
        From the newest to the oldest. Every node of this engine notes when it was made, and the backward pass sorts by
        that. The program that you wrote was itself run in a topological order, so the order is there for nothing.
        """)


def every_way(longest: int) -> list[tuple[int, int, int]]:
    """Chains in which each node uses the one before twice: count arrows and ways."""
    tell("""
        There is another correct program: walk every way from y to a by itself, multiply along it, and add up the
        products. No waiting. What is wrong with that?

        Take a chain in which each node uses the one before it twice: b = a + a, c = b + b, and so on. Each doubling
        adds two arrows. Predict: how many ways are there after 3 doublings? And after 10?
        """)
    counted = []
    print("  doublings   arrows                 ways")
    for doublings in sorted({1, 2, 3, 10, 20, longest}):
        a = Value(1.0, label="a")
        y = a
        for _ in range(doublings):
            y = y + y
        arrows = len(explain(y).backward)
        ways = viz.paths(y, a).count
        counted.append((doublings, arrows, ways))
        print(f"  {doublings:>9}   {arrows:>6}   {ways:>18,}")
    doublings, arrows, ways = counted[-1]
    print()
    tell(f"""
        Twice as many with every doubling. Waiting makes all the difference: a node that has heard from everybody
        hands on the sum of all ways at once. So {doublings} doublings take {arrows} products, one for each arrow, in
        the place of {ways:,} ways. And ten layers of a hundred neurons, a small network, have 100⁹ ways from one
        input to one output: a billion billion.
        """)
    return counted


def see_it(folder: Path) -> tuple[list[Path], Path]:
    """Draw the graph, the wrong pass beside the right one, and write the page."""
    folder.mkdir(parents=True, exist_ok=True)
    y = program()
    y.backward()
    right = viz.draw(y, title="Two ways from a to y").save(folder / "topological_order.svg")
    wrong = viz.broken(program(), "depth_first").draw().save(folder / "topological_order_wrong.svg")
    page = viz.steps(program, bugs=["depth_first"], title="b waits for c").save(folder / "topological_order.html")
    tell("""
        On the page, walk back with the right pass first: b shows a dot for each of its two arrows, and a running sum.
        Then choose the mistake under “Break it”, and see b go too early.
        """)
    print(f"  the picture:        {right}\n  wrong beside right: {wrong}\n  the page:           {page}\n")
    return [right, wrong], page


def your_turn(rng: np.random.Generator) -> tuple[float, float]:
    """A graph with numbers drawn at random: its order and its gradient are asked for, and then told."""
    at, factor = int(rng.integers(1, 4)), int(rng.integers(2, 5))

    def compute(a: Value) -> Value:
        b = factor * a
        c = b * a
        d = b + c
        return named(y=c * d, d=d, c=c, b=b)

    tell(f"""
        At a = {at}:

          b = {factor} · a
          c = b · a
          d = b + c
          y = c · d

        In which order may y, d, c and b hand on? For how many contributions does each of b, c, d and a wait? And how
        large is ∇a? (The answer is below. Remember: the factor of c in c · d is d.)
        """)
    a = Value(float(at), label="a")
    steps = explain(compute(a))
    print("\nThe answer:\n")
    for number, step in enumerate(steps.backward, 1):
        print(f"  {number}. {told(step)}")
    answer = float(steps.adjoints[a])
    above, below = (compute(Value(at + move)).item() for move in (NUDGE, -NUDGE))
    nudged = (above - below) / (2 * NUDGE)
    order = ", ".join(_distinct([step.name for step in steps.backward]))
    waits = {step.input_name: step.paths for step in steps.backward}
    counts = ", ".join(f"{name} {waits[name]}" for name in "bcda")
    print(f"\n  The order is {order}. Contributions to wait for: {counts}.")
    print(f"  ∇a = {number_text(answer)}, and nudges say {nudged:.4f}.\n")
    tell("""
        More mistakes that everybody makes once, each in the smallest graph that shows it:

          python -m examples bug_lab
        """)
    return answer, nudged


def _distinct(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))
