"""The sun, from single numbers, Part 5 of the lesson ``compiled``: an LSTM of Values learns from real data."""

from __future__ import annotations

from inspect import getsource
from pathlib import Path
from textwrap import indent
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import viz
from autodiff import Node, Value, compile
from autodiff.trees import flatten
from examples import pictures, sunspots
from examples.single_numbers import as_values, error, gate, lstm
from examples.stopwatch import duration, timed
from examples.sunspots import BATCH, HIDDEN, LEARNING_RATE, MEMBERS, WINDOW, Sun
from examples.telling import tell
from nn import Adam, CosineAnnealingLR
from viz import plots
from viz.views.model import in_order

SLOW_RUNS = 9  # of the LSTM, one number at a time
NAME = "LSTM of single numbers"

Array = NDArray[np.float64]


def forecast_the_sun(
    sun: Sun, seed: int, epochs: int, committees: int, folder: Path
) -> tuple[dict[str, Array], Array, Path, Path | None]:
    """Train committees of LSTMs of single numbers; returns the rivals, the errors, and two pictures."""
    X, y = sun.exercises()
    fast = compile(error)
    slow = introduce_the_lstm(fast, X, y, epochs)
    drawing = draw_the_lstm(fast, X, y, folder)

    tell(f"""
        The task is that of the lesson sunspots, with all that was chosen there: from the roots of {WINDOW} years (their
        square roots, scaled) forecast the next year; learn from 1700 to 1920; validate on 1921 to 1955; the test is
        from 1956 on. A forecast is the mean of a committee of {MEMBERS} networks, which differ in their first weights.
        In the lesson sunspots they are made of matrices. Here every weight is a Value, and the training is the loop of
        Part 3.
        """)
    ask = compile(lstm)
    windows = sun.scaled(sun.windows())
    said, seconds = [], 0.0
    for k in range(committees):
        rng = np.random.default_rng(seed + k)
        started = perf_counter()
        members = [trained(fast, X, y, epochs, rng) for _ in range(MEMBERS)]
        seconds += perf_counter() - started
        said.append(sunspots.whole(np.mean([sun.unscaled(ask(params, windows)) for params in members], axis=0)))
        print(f"  seed {seed + k}   test {sun.rmse(said[-1], sun.test):.2f}", flush=True)
    networks = committees * MEMBERS
    print()
    tell(f"""
        {networks} networks were trained in {duration(seconds)}: {duration(seconds / networks)} for one. One number at a
        time, one would take {duration(slow)}, and all of them {duration(networks * slow)}. (That is not measured, but
        reckoned from the time of one window, the median of {SLOW_RUNS}.)

        Is it any good? Its rivals are two straight rules, weighted sums of the last nine years. Here is how they are
        made:
        """)
    linear = sunspots.linear_forecasts(sun)
    errors = np.array([sun.rmse(line, sun.test) for line in said])
    rivals = [sun.rmse(line, sun.test) for line in linear.values()]
    print("  errors (RMSE, in sunspot numbers) of the test, 1956 to 2008")
    for name, rival in zip(linear, rivals, strict=True):
        print(f"  {name:<25} {rival:6.2f}")
    span = f"{errors.min():.2f} to {errors.max():.2f}"
    print(f"  {NAME:<25} {errors.mean():6.2f}   (mean of {committees} committees, {span})\n")
    better = [int((errors < rival).sum()) for rival in rivals]
    tell(f"""
        Of {committees} committees, {better[0]} are better than the linear forecast, and {better[1]} better than that of
        roots. Nothing was tuned for these numbers: all choices are those of the lesson sunspots, which made them by
        other years.""")
    if better[0] == committees:
        tell("What was written down are sums, products, σ and tanh of single numbers. They forecast the sun.")
    else:
        tell("So the networks do not always win. Have they learnt for long enough? Try more --epochs.")
    middle = int(np.argsort(errors)[(committees - 1) // 2])
    title = f"Forecasts for one year ahead (errors of the test; of all committees: {span})"

    def draw(figure: Any) -> None:
        shown = sun.years > sunspots.LEARNT
        lines = linear | {f"LSTM, median (seed {seed + middle})": said[middle]}
        axes = plots.forecast(
            sun.activity[shown],
            {name: line[shown] for name, line in lines.items()},
            times=sun.years[shown],
            split={"validation": sunspots.LEARNT + 1, "test": sunspots.CHOSEN + 1},
            name="the sun",
            axes=figure.subplots(),
        )
        pictures.label(axes, title, "", "yearly sunspot number")
        figure.axes[1].set_xlabel("year")

    return linear, errors, drawing, pictures.save_picture(folder / "compiled_sun.png", draw, size=(11, 6))


def introduce_the_lstm(fast: Any, X: Array, y: Array, epochs: int) -> float:
    """Its source, and how long it takes one number at a time: returns the seconds for a whole training."""
    tell(f"""
        Now something larger, also one number at a time: an LSTM, trained on real data. (The lesson lstm_cell
        explains the cell.) Its memory has {HIDDEN} numbers, so each of its four gates has {HIDDEN} neurons, and each
        of them looks at this year, x, and at the last outputs, h:
        """)
    print(indent("\n\n".join(getsource(function).rstrip() for function in (gate, lstm, error)), "  ") + "\n")
    params = first_lstm(np.random.default_rng(0))
    backward = lambda x, y: error(params, x, y).backward()
    window = timed({NAME: backward}, X[0].tolist(), y[0].item(), times=SLOW_RUNS)[NAME]
    program = fast.program(params, X[:BATCH], y[:BATCH])
    seconds = epochs * len(X) * window
    tell(f"""
        {len(flatten(params)[0])} Values, and {program.instructions:,} operations from {X.shape[1]} years to the error
        of one forecast. There are {len(X):,} windows to learn from, and {epochs} epochs. Predict: at
        {1000 * window:.0f} ms for one window, forward and back, how long is one training?

        {len(X):,} × {epochs} × {1000 * window:.0f} ms: {duration(seconds)}.""")
    return seconds


def draw_the_lstm(fast: Any, X: Array, y: Array, folder: Path) -> Path:
    """The re-rolled graph, with the last year open."""
    params = first_lstm(np.random.default_rng(0))
    blocks = fast.blocks(params, X[:BATCH], y[:BATCH])
    graph = blocks.graph()
    graph.label = "error"
    graph.backward()
    years = X.shape[1]
    last, title = f"year {years}", "An LSTM of single numbers, re-rolled"
    fold(graph, last)
    picture = viz.draw(graph, title=title, open=last, roll=True, statistics=False, layout="builtin", direction="LR")
    drawing = picture.save(folder / "compiled_lstm.svg")
    tell(f"""
        Compiled, {blocks.program(BATCH).instructions} operations are left, most of them on blocks of {HIDDEN},
        {2 * HIDDEN} or {4 * HIDDEN} numbers. In the picture the last year is open. Years 2 to {years - 1} are one box,
        as each does the same with the numbers of the one before; year 1 has zeros before it. What W makes of x needs no
        memory: so all {years} years are computed at once, in front of them.

        Look in the open year for @, which is U @ h for all four gates at once. When + has added the rest, [0:{HIDDEN}]
        is that of i; f, g and o follow. (i and f both need σ, so one σ makes both, of [0:{2 * HIDDEN}].) Then look for
        c = f · c + i · g, and for h = o · tanh(c). One kind of box computes nothing: [ ] cuts a part out of a block.
        """)
    print(f"The graph, re-rolled: {drawing}\n")
    return drawing


def fold(graph: Node, last: str) -> None:
    """Give the operations before and after the years a place, so that they share a box, and the last c and h names."""
    nodes = in_order([graph])
    inside = [node for node in nodes if node.scope == last]
    h = max(inside, key=lambda node: node.clock)
    c = next(x.inputs[0] for x in h.inputs if x.op is not None and x.op.name == "tanh")
    c.label, h.label = "c", "h"
    for node in nodes:
        if node.op is not None and not node.scope:
            node.scope = "forecast" if node.clock > h.clock else "all years at once"


def trained(fast: Any, X: Array, y: Array, epochs: int, rng: np.random.Generator) -> Any:
    """The parameters of one LSTM that has learnt."""
    params = first_lstm(rng)
    optimizer = Adam(flatten(params)[0], learning_rate=LEARNING_RATE)
    schedule = CosineAnnealingLR(optimizer, T_max=epochs)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            fast.backward(params, X[rows], y[rows])
            optimizer.step()
        schedule.step()
    return params


def first_lstm(rng: np.random.Generator) -> dict[str, Any]:
    """An LSTM before it has learnt: random weights, and forget gates that stand more open than shut."""
    draw = lambda *shape: as_values(rng.uniform(-1, 1, shape) / HIDDEN**0.5)
    biases = np.zeros((4, HIDDEN))
    biases[1] = 1
    return {
        "W": draw(4, HIDDEN),
        "U": draw(4, HIDDEN, HIDDEN),
        "b": as_values(biases),
        "V": draw(HIDDEN),
        "a": Value(0.0),
    }
