"""The bug lab: five classic mistakes of a backward pass, each in the smallest graph that shows it.

    python -m examples bug_lab

Predict the wrong number and the right one, then see both, beside a third that needs no backward pass at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import viz
from autodiff import GradientMismatchError, Value, check_gradients, square
from autodiff.explanation import BackwardStep
from autodiff.formula import number_text
from examples.telling import part, tell
from nn import SGD
from viz.bugs import BrokenPass, Bug

EPOCHS = 12  # training steps with and without zero_grad
GRAPHS = 100  # of each kind, to see where bugs hide
NUDGE = 0.001
LEARNING_RATE = 0.1

PROGRAMS = {
    "overwrite": "a = 3;  y = a * a",
    "depth_first": "a = 2;  b = a * a;  c = b * b;  y = b + c",
    "stale": "a = 2;  b = a * a;  y = b * b;  and y.backward() is called twice",
    "no_zero_grad": "w = 3;  loss = w ** 2;  and this is the second training step on the same number",
    "wrong_local": "a = 3;  y = a ** 2",
}

QUESTIONS = {
    "overwrite": """
        The node a is used twice, as the left and as the right factor. Over the one arrow comes 1 × 3, the other
        factor; over the other comes 1 × 3 as well. Predict: what is ∇a with =, and what is it with +=?
        """,
    "depth_first": """
        First y hands 1 to b and 1 to c. The wrong code now goes on with b: it hands on what it has, 1 × 2 over each
        of the two arrows to a. Only then comes c, which hands 4 to b over each of its arrows. Predict: what is ∇a?
        And what would it be, had b waited until all had come to it, 1 + 4 + 4?
        """,
    "stale": """
        The first backward leaves 8 in b and 8 × 4 = 32 in a, and both are right. The second should bring a another
        32, so 64 in all. In the wrong code b begins with the 8 that is still there, and another 4 + 4 comes to it.
        Predict: what does b hand on now, and what is ∇a after that?
        """,
    "no_zero_grad": """
        The gradient of w² at 3 is 2 × 3 = 6. The training step before this one has left 6 in w, and nobody has
        set it back. Predict: with which gradient will the optimizer move w?
        """,
    "wrong_local": """
        The local derivative of a² is 2 × a. The wrong rule takes the output in the place of the input: 2 × y.
        Predict both.
        """,
}


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        numbers: for each bug the wrong and the right gradient of the leaf of its example.
        shows: for each bug in how many random graphs it shows: where everything is used once, and where it is not.
        weights: the weight after each training step, without and with zero_grad.
        message: what check_gradients says of a wrong rule.
        pictures, pages: the drawings, and the pages to step through.
    """

    numbers: dict[str, tuple[float, float]]
    shows: dict[str, tuple[int, int]]
    weights: tuple[list[float], list[float]]
    message: str
    pictures: list[Path]
    pages: list[Path]


def run(output: Path, seed: int = 1, epochs: int = EPOCHS) -> Result:
    """All parts of the lesson; pictures and pages go to the folder ``output``."""
    output.mkdir(parents=True, exist_ok=True)
    introduce()
    numbers, pictures, pages = {}, [], []
    for number, bug in enumerate(viz.BUGS.values(), 1):
        part(f"Bug {number}. {bug.title}")
        found = meet(bug)
        (leaf,) = found.leaves
        numbers[bug.name] = found.gradients[leaf], found.right[leaf]
        pictures.append(found.draw().save(output / f"bug_{bug.name}.svg"))
        pages.append(viz.steps(bug.example(), bugs=[bug.name]).save(output / f"bug_{bug.name}.html"))
        print(f"Side by side: {pictures[-1]}")
        print(f"Step by step: {pages[-1]} (choose the bug under “Break it”)\n")
    part("What this engine does")
    ask_the_engine()
    part("Where bugs hide")
    shows = count_graphs(np.random.default_rng(seed))
    part("How to find them")
    message = check_a_wrong_rule()
    part("What a forgotten zero_grad does to training")
    weights = train_twice(epochs)
    return Result(numbers, shows, weights, message, pictures, pages)


def introduce() -> None:
    """What a gradient is, and how to find one without any backward pass."""
    tell("""
        The gradient of a number says how much the output moves when that number moves a little. It is written ∇:
        ∇a = 6 means that the output moves six times as far as a.

        There are two ways to find it. The first needs no theory: move a to both sides, compute the output again, and
        divide. This is a finite difference. For y = a * a at a = 3:
        """)
    above, below = (3 + NUDGE) ** 2, (3 - NUDGE) ** 2
    print(f"  ({above:.6f} - {below:.6f}) / {2 * NUDGE} = {(above - below) / (2 * NUDGE):.4f}\n")
    tell("""
        It is slow: a network with a million weights would have to be computed two million times. The second way,
        backpropagation, finds all gradients in one walk back from the output: each node hands to each of its inputs
        its own gradient × how much it changes with that input (the local derivative). What arrives over several
        arrows is added up.

        That is one sentence and four lines of code, and nearly everybody who writes them makes one of these five
        mistakes first. None of them stops the program. The numbers are merely wrong.
        """)


def meet(bug: Bug) -> BrokenPass:
    """One bug: its code, a question, the wrong pass step by step, and the numbers."""
    print(f"  {PROGRAMS[bug.name]}\n")
    print("The wrong line (✗) and the right one (✓):\n")
    print("\n".join(f"  {line}" for line in bug.code.splitlines()) + "\n")
    tell(bug.what)
    tell(QUESTIONS[bug.name])
    found = viz.broken(bug.example(), bug)
    print("What the wrong code does, arrow by arrow:\n")
    for number, step in enumerate(found.steps, 1):
        print(f"  {'✗' if number - 1 in found.slips else ' '} {number}. {told(step)}")
    _, *table, verdict = str(found).splitlines()
    print("\n" + "\n".join(table) + "\n")
    tell(verdict)
    tell(f"{bug.why} {bug.fix}")
    tell(f"It shows {bug.where}.")
    return found


def told(step: BackwardStep) -> str:
    """One arrow of a backward pass in numbers, with what was there before."""
    upstream, local, flow, total = map(number_text, (step.upstream, step.local, step.contribution, step.total))
    before = "" if step.before is None else f"{number_text(step.before)} + {flow} = "
    arrow = f"{step.name} → {step.input_name}:"
    return f"{arrow}  {upstream} × {local} = {flow}, so ∇{step.input_name} = {before}{total}"


def ask_the_engine() -> None:
    """The same calls, by the engine of this project."""
    tell("""
        Here are the same examples once more, with y.backward() of this engine. It walks from the newest node to the
        oldest, so that each has received everything before it hands on; it adds up; it keeps the gradients of one
        pass apart from those of the last; and zero_grad() of the optimizer forgets those of the parameters.
        """)
    for bug in viz.BUGS.values():
        y = bug.example()
        (leaf,) = viz.broken(y, bug).leaves
        for _ in range(bug.passes):
            y.backward()
        calls = "y.backward() twice" if bug.passes == 2 else "y.backward()"
        print(f"  {bug.name:<13} {calls:<19} ∇{leaf.label} = {leaf.grad:g}")
    print()


def count_graphs(rng: np.random.Generator) -> dict[str, tuple[int, int]]:
    """In how many random graphs each bug gives a wrong gradient."""
    trees = [random_tree(rng) for _ in range(GRAPHS)]
    tangles = [random_tangle(rng) for _ in range(GRAPHS)]
    tell(f"""
        A wrong backward pass often gives right numbers, and that is why these bugs live long. Here are {GRAPHS} random
        graphs in which every number is used once, as in most first tests, and {GRAPHS} in which numbers are used again.
        Predict: which two bugs does the first kind never show?
        """)
    shows: dict[str, tuple[int, int]] = {}
    print("  wrong gradients in         used once   used again")
    for name in viz.BUGS:
        in_trees, in_tangles = (sum(viz.broken(y, name).shows for y in graphs) for graphs in (trees, tangles))
        shows[name] = in_trees, in_tangles
        print(f"  {name:<24} {in_trees:>7} %   {in_tangles:>8} %")
    print()
    tell("""
        Where every number is used once, one contribution arrives at each node. There is nothing to overwrite, and no
        order is wrong. A network with one neuron in each layer is such a graph; a network with two is not.
        """)
    return shows


def random_tree(rng: np.random.Generator) -> Value:
    """A graph in which every number is used once."""
    waiting = [random_number(rng) for _ in range(6)]
    while len(waiting) > 1:
        first, second = (waiting.pop(rng.integers(len(waiting))) for _ in range(2))
        waiting.append(combined(first, second, rng))
    return waiting[0]


def random_tangle(rng: np.random.Generator) -> Value:
    """A graph in which each operation takes the latest number and any other, in either order."""
    numbers = [random_number(rng) for _ in range(3)]
    for _ in range(6):
        operands = [numbers[-1], numbers[rng.integers(len(numbers) - 1)]]
        rng.shuffle(operands)
        numbers.append(combined(*operands, rng))
    return numbers[-1]


def random_number(rng: np.random.Generator) -> Value:
    return Value(float(rng.uniform(-2, 2)))


def combined(a: Value, b: Value, rng: np.random.Generator) -> Value:
    """One of a few operations, at random."""
    operations: list[Callable[[Value, Value], Value]] = [
        lambda a, b: a * b,
        lambda a, b: a + b,
        lambda a, b: (a + b).tanh(),
        lambda a, b: a - b,
    ]
    return operations[rng.integers(len(operations))](a, b)


def check_a_wrong_rule() -> str:
    """Let check_gradients find a wrong rule; returns what it says."""
    tell("""
        The cure for all five is the same: do not trust a backward pass that you have not compared with finite
        differences, on a graph where numbers are used more than once, and twice in a row.

        In this engine check_gradients(function, numbers) compares. Here is the rule of the square, once as it is and
        once with the fifth bug:
        """)
    print("  right = square")
    print("  wrong = dataclasses.replace(square, partials=[lambda x, out: 2 * out])\n")
    print(f"  check_gradients(right, 3.0)   largest relative error {check_gradients(square, 3.0):.0e}")
    message = "nothing"
    try:
        check_gradients(replace(square, partials=[lambda x, out: 2 * out]), 3.0)
    except GradientMismatchError as error:
        message = str(error)
    print("  check_gradients(wrong, 3.0)   raises GradientMismatchError:\n")
    tell(message)
    tell("""
        (It weighs the output with a random number first, so that no two errors cancel. Three times too large is
        three times too large in any case.) At 1 it would find nothing, as 2 × 1² is 2 × 1: check at several numbers,
        and at crooked ones.

        Overwriting and a wrong order are found in the same way, by any function that uses a number again. The other
        two are found only by whoever calls backward a second time: a check that starts afresh each time is blind to
        what was left over.
        """)
    return message


def train_twice(epochs: int) -> tuple[list[float], list[float]]:
    """Find the lowest point of w² without and with zero_grad; returns the weights after each step."""
    tell(f"""
        The loss is w², and its lowest point is at w = 0. Start at w = 3, and move against the gradient with a
        learning rate of {LEARNING_RATE}. Predict: how does w move if the gradients are never forgotten?
        """)
    forgetful, tidy = (descent(epochs, zero) for zero in (False, True))
    print("  step   w without zero_grad   w with zero_grad")
    for step, (wrong, right) in enumerate(zip(forgetful, tidy, strict=True)):
        if step < 10 or step % 10 == 0 or step == epochs:
            print(f"  {step:>4}   {wrong:>19.4f}   {right:>16.4f}")
    print()
    tell("""
        With zero_grad the weight comes to rest. Without, each step goes along the sum of all gradients so far, and w
        swings about 0 like a pendulum without friction: that sum is still pointing downhill from where w was, long
        after w has passed the lowest point. The loss falls, rises and falls again, and nothing tells you why.
        """)
    return forgetful, tidy


def descent(steps: int, zero: bool) -> list[float]:
    """The weight before and after each step of training."""
    w = Value(3.0, label="w")
    optimizer = SGD([w], learning_rate=LEARNING_RATE)
    weights = [w.data]
    for _ in range(steps):
        if zero:
            optimizer.zero_grad()
        (w**2).backward()
        optimizer.step()
        weights.append(w.data)
    return weights
