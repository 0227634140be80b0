"""Linear regression: a straight line through a cloud of points; by hand, by graph, step by step and at one stroke.

    python -m examples linear_regression

The smallest thing that can be called learning. All larger networks learn in the same four lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import viz
from autodiff import Tensor, Value
from examples import pictures
from examples.datasets import DIABETES_FEATURES, read_diabetes
from examples.telling import part, tell
from nn import SGD, LinearRegression, Normalizer, metrics, mse

STEPS = 60
LEARNING_RATE = 0.1
KEPT = 1 - 2 * LEARNING_RATE  # of the distance from the best line, in each step
BMI = DIABETES_FEATURES.index("body mass index")


@dataclass(frozen=True)
class Descent:
    """Where the line was before each step, and at the end: slopes, heights and losses."""

    w: NDArray[np.float64]
    b: NDArray[np.float64]
    loss: NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        slope, intercept: of the line that was learnt, in progression per unit of body mass index.
        best_slope, best_intercept: of the line that has the least loss.
        r2, best_r2: the share of the variance on unseen patients that ten measurements explain, by descent and by
            least squares.
        graph, picture: the files; the picture is None without matplotlib.
    """

    slope: float
    intercept: float
    best_slope: float
    best_intercept: float
    r2: float
    best_r2: float
    graph: Path
    picture: Path | None


def run(output: Path, seed: int = 1, epochs: int = STEPS) -> Result:
    """The lesson; ``epochs`` is how many steps the line makes, and ``seed`` draws who is held out in part 4."""
    measurements, y = read_diabetes()
    x = measurements[:, BMI]

    part("Part 1. Three patients, on paper")
    graph = by_hand_and_by_graph(x[:3], y[:3], output)

    part("Part 2. All patients, step by step")
    mean, spread = float(x.mean()), float(x.std())
    z = (x - mean) / spread
    descent = descend(z, y, epochs)

    part("Part 3. The truth, at one stroke")
    best = at_one_stroke(z, y, descent)
    lines = [(w / spread, b - w * mean / spread) for w, b in [*zip(descent.w, descent.b, strict=True), best]]
    (slope, intercept), (best_slope, best_intercept) = lines[-2:]
    explained = metrics.r2(descent.w[-1] * z + descent.b[-1], y)
    tell(f"""
        In the units of the data: progression = {slope:.3f} · body mass index {intercept:+.2f}. A patient whose index
        is higher by 1 is expected to be worse by {slope:.1f} after a year. The line is a summary, not a law: it
        explains {100 * explained:.0f} % of the variance between patients, and the cloud around it is the rest.""")

    part("Part 4. Ten measurements")
    r2, best_r2 = ten_measurements(measurements, y, np.random.default_rng(seed))

    shown = [*lines[:-2][:10:2], lines[-2]]
    draw = lambda figure: draw_descent(figure, x, y, shown, descent, best)
    picture = pictures.save_picture(output / "linear_regression.png", draw, size=(13, 4.2))
    return Result(float(slope), float(intercept), best_slope, best_intercept, r2, best_r2, graph, picture)


def by_hand_and_by_graph(x: NDArray[np.float64], y: NDArray[np.float64], folder: Path) -> Path:
    """The gradient of three patients' loss, twice; returns where the picture of the graph is."""
    tell("""
        Diabetes gets worse in some patients faster than in others. Does their weight tell? Here are three patients:
        x is the body mass index (kg/m²), y how far the illness had progressed a year later. We guess that y is about
        w · x + b, a straight line, and begin with any line at all: w = 5, b = 0.""")
    errors = 5 * x + 0 - y
    for x_i, y_i, e_i in zip(x, y, errors, strict=True):
        print(f"  x = {x_i}   y = {y_i:3.0f}   the line says {y_i + e_i:5.1f}   error e = {e_i:+.1f}")
    print()
    tell(f"""
        How wrong is the line altogether? Squares cannot cancel each other, so we take the mean of e² and call it
        the loss: {np.mean(errors**2):.3f}. And how does it change when w grows a little? By the chain rule: e²
        changes by 2 · e for each unit of e, and e changes by x for each unit of w, and by 1 for each unit of b. So

          ∂loss/∂w = mean of 2 · e · x = {np.mean(2 * errors * x):.4f}
          ∂loss/∂b = mean of 2 · e     = {np.mean(2 * errors):.4f}

        Both are above 0: a smaller w and a smaller b would make the line better. That was paper. Now let the numbers
        remember where they come from, and ask them:""")

    w, b = Value(5.0, label="w"), Value(0.0, label="b")
    squares = []
    for i in range(3):
        x_i, y_i = Value(x[i], label=f"x{i}", requires_grad=False), Value(y[i], label=f"y{i}", requires_grad=False)
        error = w * x_i + b - y_i
        error.label = f"e{i}"
        squares.append(error**2)
    loss = (squares[0] + squares[1] + squares[2]) / 3
    loss.label = "loss"
    loss.backward()

    folder.mkdir(parents=True, exist_ok=True)
    graph = viz.draw(loss, title="the loss of three patients").save(folder / "three_patients.svg")
    tell(f"""
          loss   = {loss:.3f}
          w.grad = {w.grad:.4f}
          b.grad = {b.grad:.4f}

        The same. The graph knows nothing of lines or errors; it applied the chain rule at every × and +, and added up
        over the three patients. Every step of it is in the picture: {graph}""")
    return graph


def descend(z: NDArray[np.float64], y: NDArray[np.float64], steps: int) -> Descent:
    """Gradient descent on the loss of all patients."""
    tell(f"""
        Now all {len(y)} patients in one array, and many small steps against the gradient. First, x is put on a scale of
        its own: z = (x - mean) / standard deviation. Around 26 a slope and a height are hard to tell apart: a steeper
        line is a higher line too. Around 0 they are independent, and gradient descent can walk straight ahead.
        Every step is four lines, and they stay the same four for every model to come:

          loss = mse(w * z + b, y)     forward: how wrong is it?
          optimizer.zero_grad()        forget the last gradient
          loss.backward()              which way is up?
          optimizer.step()             a step down: w = w - {LEARNING_RATE} · w.grad
        """)
    w, b = Tensor(0.0, label="w"), Tensor(0.0, label="b")
    optimizer = SGD([w, b], learning_rate=LEARNING_RATE)
    path = []
    for step in range(steps):
        loss = mse(w * z + b, y)
        optimizer.zero_grad()
        loss.backward()
        path.append((w.item(), b.item(), loss.item()))
        if step < 5 or (step + 1) % 10 == 0:
            print(f"  step {step + 1:3}   loss {loss:10.4f}   w {w:8.4f}   b {b:9.4f}")
        optimizer.step()
    path.append((w.item(), b.item(), mse(w * z + b, y).item()))
    print()
    return Descent(*np.array(path).T)


def at_one_stroke(z: NDArray[np.float64], y: NDArray[np.float64], descent: Descent) -> tuple[float, float]:
    """The line of least loss, from the linear equations that say that both derivatives are 0."""
    w, b = np.linalg.lstsq(np.stack([z, np.ones_like(z)], axis=1), y, rcond=None)[0]
    steps = len(descent.w) - 1
    tell(f"""
        At the bottom both derivatives are 0. For a line that is two linear equations, and NumPy solves them at once
        (np.linalg.lstsq, least squares):

                        w            b
          descent       {descent.w[-1]:.6f}    {descent.b[-1]:.6f}
          equations     {w:.6f}    {b:.6f}

        Not equal, but as close as can be foreseen. Since z has mean 0 and variance 1, ∂loss/∂w is exactly
        2 · (w - best w): try it on paper. So every step leaves 1 - 2 · {LEARNING_RATE} = {KEPT} of the way to go,
        and {steps} steps should leave {KEPT**steps:.3e} of it. Of w's they left {(w - descent.w[-1]) / w:.3e}.

        Why descend at all, if equations can be solved? Because bend the line a little, put one tanh into it, and
        nobody can solve them any more. Descent does not mind.""")
    return float(w), float(b)


def ten_measurements(
    measurements: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, float]:
    """All measurements, with patients held out; returns R² on those, by descent and by least squares."""
    test, train = np.split(rng.permutation(len(y)), [len(y) // 3])
    normalizer = Normalizer().fit(measurements[train])  # of the patients to learn from alone: the others are the future
    Z = normalizer.transform(measurements)

    model = LinearRegression(10)
    model.fit(Z[train], y[train], learning_rate=0.1, epochs=300, batch_size=len(train), verbose=0)
    r2 = metrics.r2(model.predict(Z[test]), y[test])

    ones = np.ones((len(y), 1))
    A = np.concatenate([Z, ones], axis=1)
    solution = np.linalg.lstsq(A[train], y[train], rcond=None)[0]
    best_r2 = metrics.r2(A[test] @ solution, y[test])
    tell(f"""
        With ten measurements the line is a plane in ten dimensions, and nothing else changes. nn.LinearRegression holds
        w and b, and fit makes the loop above. This time a third of the patients is held out: what a model says about
        patients it has learnt from is no proof. Of the variance among the {len(test)} others it explains

          descent, 300 steps    {100 * r2:.2f} %
          equations             {100 * best_r2:.2f} %

        and these are the weights, in progression per standard deviation, of one and of the other:
        """)
    for name, w, best in sorted(
        zip(DIABETES_FEATURES, model.weight.data[0], solution, strict=False), key=lambda row: -abs(row[1])
    ):
        print(f"  {name:<18} {w:7.2f}  {best:7.2f}")
    correlation = np.corrcoef(Z[train].T)[DIABETES_FEATURES.index("cholesterol"), DIABETES_FEATURES.index("LDL")]
    print()
    tell(f"""
        They predict alike, and yet some weights differ. Cholesterol and LDL say nearly the same thing (correlation
        {correlation:.2f}): more of one and less of the other hardly changes a prediction, so the loss is nearly flat
        that way, and descent gets there last. Do not read such weights as causes.""")
    return r2, best_r2


def draw_descent(
    figure: Any, x: Any, y: Any, lines: list[tuple[float, float]], descent: Descent, best: tuple[float, float]
) -> None:
    """Data and lines; the way down; what is left of the loss."""
    data, surface, left = figure.subplots(1, 3)
    ends = np.array([x.min(), x.max()])
    data.scatter(x, y, s=9, color=pictures.GREY, alpha=0.5, linewidths=0, label="one patient")
    for i, (slope, intercept) in enumerate(lines):
        last = i == len(lines) - 1
        style = {"color": pictures.RED, "linewidth": 2.5} if last else {"color": pictures.ORANGE, "linewidth": 1}
        name = "the line at the end" if last else "before steps 1, 3, 5, 7, 9" if i == 0 else None
        data.plot(ends, slope * ends + intercept, label=name, **style)
    data.legend(fontsize=8, loc="upper left")
    pictures.label(data, "The line turns into place", "body mass index (kg/m²)", "progression after a year")

    z = (x - x.mean()) / x.std()
    w, b = Tensor(descent.w[-1]), Tensor(descent.b[-1])
    path = list(zip(descent.w, descent.b, strict=True))
    viz.plots.loss_surface(lambda: mse(w * z + b, y), [w, b], path=path, span=170, axes=surface)
    surface.set_aspect("equal")
    pictures.label(surface, "The way down (rings: equal loss)", "slope w (per standard deviation)", "height b")

    remaining = descent.loss - np.mean((best[0] * z + best[1] - y) ** 2)
    steps = np.arange(len(remaining))
    left.semilogy(steps, remaining, "o", color=pictures.BLUE, markersize=4, label="measured")
    left.semilogy(
        steps,
        remaining[0] * KEPT ** (2 * steps),
        color="black",
        linewidth=1,
        label="foreseen: × 0.64 each step",
    )
    left.legend(fontsize=8, frameon=False)
    pictures.label(left, "Loss above the least possible", "step", "loss - least loss")
