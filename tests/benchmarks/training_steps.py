"""Whole training steps, forward, backward and update, beside PyTorch's in one run.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python -m tests.benchmarks.training_steps

One thread for each, because the thread pools of two libraries in one process stand in each other's way. Every
system starts with the same weights, in float64; before the timing, the losses of three steps must agree. Steps come
in blocks, as in training, so that each system works with its own data in the caches.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np

from examples.datasets import read_digits
from nn import (
    GRU,
    LSTM,
    RNN,
    Adam,
    Conv2d,
    Dense,
    Flatten,
    MaxPool2d,
    Module,
    Sequential,
    cross_entropy,
    mse,
)
from tests.benchmarks.side_by_side import available, interleaved, paired_ratio, print_table, verdict

Step = Callable[[], float]


def batches_of(count: int, size: int | None) -> Iterator[slice]:
    """One batch after the other, for ever; all samples at once where no size is given."""
    size = size or count
    return cycle([slice(start, start + size) for start in range(0, count - size + 1, size)])


def ours(model: Module, loss: Callable[..., Any], X: Any, y: Any, size: int | None = None) -> Step:
    """One step of clearprop after the other, on batches of ``size``, as a user writes it."""
    optimizer = Adam(model.parameters())
    batches = batches_of(len(X), size)

    def step() -> float:
        batch = next(batches)
        optimizer.zero_grad()
        wrong = loss(model(X[batch]), y[batch])
        wrong.backward()
        optimizer.step()
        return float(wrong.data)

    return step


def pytorch(model: Any, loss: Callable[..., Any], X: Any, y: Any, size: int | None = None) -> Step:
    """The same steps of PyTorch."""
    import torch

    optimizer = torch.optim.Adam(model.parameters())
    X, y = torch.tensor(X), torch.tensor(y)
    batches = batches_of(len(X), size)

    def step() -> float:
        batch = next(batches)
        optimizer.zero_grad()
        wrong = loss(model(X[batch]), y[batch])
        wrong.backward()
        optimizer.step()
        return wrong.item()

    return step


def copied(model: Module, theirs: Any, rename: Callable[[str], str] = str) -> Any:
    """``theirs`` in float64 with the weights of ``model``."""
    import torch

    theirs = theirs.double()
    weights = model.state_dict()
    state = {name: torch.tensor(weights[rename(name)]) for name in theirs.state_dict()}
    theirs.load_state_dict(state)
    return theirs


# ── digits ───────────────────────────────────────────────────────────────────────────────────────────
def digits() -> tuple[Any, Any]:
    """The images, scaled to 0 ... 1, and their labels."""
    data = read_digits()
    return data.features / 16, data.labels


def digits_dense() -> dict[str, Step]:
    """64-128-10 with ReLU, cross-entropy, batch 64."""
    rng = np.random.default_rng(0)
    X, y = digits()
    model = Sequential(Dense(64, 128, "relu", seed=rng), Dense(128, 10, seed=rng))

    def theirs() -> Step:
        from torch import nn

        same = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
        names = {"0": "layers.0", "2": "layers.1"}
        same = copied(model, same, lambda name: f"{names[name[0]]}.{name[2:]}")
        return pytorch(same, nn.functional.cross_entropy, X, y, 64)

    steps = {title: make() for title, make in available({"torch": ("PyTorch eager", theirs)}).items()}
    return {"clearprop": ours(model, cross_entropy, X, y, 64)} | steps


def digits_convolution() -> dict[str, Step]:
    """Two convolutions with pooling on 8 x 8 images, batch 64."""
    rng = np.random.default_rng(0)
    X, y = digits()
    X = X.reshape(-1, 1, 8, 8)
    model = Sequential(
        Conv2d(1, 16, 3, padding=1, activation="relu", seed=rng),
        MaxPool2d(2),
        Conv2d(16, 32, 3, padding=1, activation="relu", seed=rng),
        MaxPool2d(2),
        Flatten(),
        Dense(128, 10, seed=rng),
    )

    def theirs() -> Step:
        from torch import nn

        same = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(128, 10)),
        )
        names = {"0": "layers.0", "3": "layers.2", "7": "layers.5"}
        same = copied(model, same, lambda name: f"{names[name[0]]}.{name[2:]}")
        return pytorch(same, nn.functional.cross_entropy, X, y, 64)

    steps = {title: make() for title, make in available({"torch": ("PyTorch eager", theirs)}).items()}
    return {"clearprop": ours(model, cross_entropy, X, y, 64)} | steps


# ── sequences ────────────────────────────────────────────────────────────────────────────────────────
SAMPLES, STEPS, INPUTS, HIDDEN = 16, 30, 32, 32


def recurrent(kind: type, fused: str) -> dict[str, Step]:
    """T = 30, hidden 32, batch 16: the mean square of the last state."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(SAMPLES, STEPS, INPUTS)), rng.normal(size=(SAMPLES, HIDDEN))
    model = kind(INPUTS, HIDDEN, return_sequences=False, seed=rng)

    def stepped() -> Step:
        import torch

        class Stepped(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.cell = getattr(torch.nn, f"{fused}Cell")(INPUTS, HIDDEN)

            def forward(self, x: Any) -> Any:
                state = None
                for t in range(STEPS):
                    state = self.cell(x[:, t], state)
                return state[0] if isinstance(state, tuple) else state

        same = copied(model, Stepped(), lambda name: name.replace("cell.", "cells.0."))
        return pytorch(same, torch.nn.functional.mse_loss, X, y)

    def whole() -> Step:
        import torch

        class Last(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = getattr(torch.nn, fused)(INPUTS, HIDDEN, batch_first=True)

            def forward(self, x: Any) -> Any:
                return self.layer(x)[0][:, -1]

        same = copied(model, Last(), lambda name: f"cells.0.{name.removeprefix('layer.').removesuffix('_l0')}")
        return pytorch(same, torch.nn.functional.mse_loss, X, y)

    steps = {"clearprop": ours(model, mse, X, y)}
    for name, make in (("cells in Python", stepped), (f"fused torch.nn.{fused}", whole)):
        steps |= {f"PyTorch, {name}": m() for m in available({"torch": ("", make)}).values()}
    return steps


def agree(steps: dict[str, Step]) -> None:
    """Three steps of every system give the same losses."""
    losses = {name: [step() for _ in range(3)] for name, step in steps.items()}
    for name, found in losses.items():
        np.testing.assert_allclose(found, losses["clearprop"], rtol=1e-9, err_msg=name)


def main(rounds: int) -> None:
    tables = {
        "digits 64-128-10, batch 64, Adam": (digits_dense(), 50, 1.0),
        "digits, two Conv2d, batch 64, Adam": (digits_convolution(), 10, 1 / 3),
        "RNN, T = 30, hidden 32, batch 16, Adam": (recurrent(RNN, "RNN"), 20, 1.0),
        "LSTM, T = 30, hidden 32, batch 16, Adam": (recurrent(LSTM, "LSTM"), 20, 1.0),
        "GRU, T = 30, hidden 32, batch 16, Adam": (recurrent(GRU, "GRU"), 20, None),
    }
    for title, (steps, block, least) in tables.items():
        agree(steps)
        seconds = interleaved(steps, rounds, block)
        print_table(title, seconds, "clearprop")
        for name in list(steps)[1:]:
            limit = 1 / 3 if "fused" in name else least
            if limit is not None:
                ratio = paired_ratio(seconds[name], seconds["clearprop"])
                verdict(f"{name}: its time over ours", ratio, limit, at_least=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
