"""Small trainings of several kinds, and ways to break them off at any line of code."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import nn
from autodiff import Tensor
from nn import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    Dense,
    Dropout,
    EarlyStopping,
    Embedding,
    LayerNorm,
    Network,
    ReduceLROnPlateau,
    RMSprop,
    Sequential,
    StepLR,
    WarmUp,
)
from nn.files.state_trees import pack

DATA = np.random.default_rng(17)
X = DATA.normal(size=(23, 5))
LABELS = (X @ DATA.normal(size=(5, 3))).argmax(axis=1)
NUMBERS = np.sin(X @ [1.0, -1.0, 0.5, 0.0, 2.0])
TOKENS = DATA.integers(0, 7, size=(19, 4))


def dense(seed):
    """Dropout, BatchNorm, Adam, a schedule, clipping, a metric, and early stopping that stops."""
    rng = np.random.default_rng(seed)
    layers = [Dense(5, 8, "relu", seed=rng), BatchNorm(8), Dropout(0.3, seed=seed), Dense(8, 3, seed=rng)]
    model = Sequential(*layers)
    return model, {
        "X": X,
        "y": LABELS,
        "loss": "cross_entropy",
        "optimizer": Adam(model.named_parameters(), 0.1),
        "schedule": StepLR(step_size=3, gamma=0.7),
        "clip": 1.0,
        "metrics": ["accuracy"],
        "validation_split": 0.3,
        "batch_size": 4,
        "epochs": 9,
        "seed": np.random.default_rng(seed + 1),
        "callbacks": [EarlyStopping(patience=2)],
    }


def scalar(seed):
    """A network of single numbers, with a schedule that counts batches."""
    model = Network([3, 4, 1], seed=seed)
    return model, {
        "X": X[:11, :3],
        "y": NUMBERS[:11],
        "optimizer": SGD(model.named_parameters(), 0.1, momentum=0.9),
        "schedule": ("batch", WarmUp(steps=5)),
        "batch_size": 3,
        "epochs": 4,
        "seed": seed,
    }


def tokens(seed):
    """Whole numbers, and one generator of the old kind for Dropout and the order of the samples."""
    rng = np.random.Generator(np.random.MT19937(seed))
    model = Sequential(
        Embedding(7, 3, seed=seed), LayerNorm(3), Dropout(0.2, seed=rng), lambda x: x.mean(axis=1), Dense(3, 1, seed=0)
    )
    return model, {
        "X": TOKENS,
        "y": TOKENS.sum(axis=1) / 10.0,
        "loss": "mse",
        "optimizer": AdamW(model.parameters(), 0.05),
        "schedule": ReduceLROnPlateau(patience=0, factor=0.5),
        "validation_data": (TOKENS[:6] * 6 % 7, np.ones(6)),
        "clip": ("value", 0.3),
        "batch_size": 5,
        "epochs": 4,
        "seed": rng,
    }


def single(seed):
    """float32, in the order of the samples."""
    model = Sequential(Dense(5, 4, "tanh", seed=seed), Dense(4, 1, seed=seed))
    for layer in model:
        layer.weight, layer.bias = (Tensor(leaf.data, dtype=np.float32) for leaf in (layer.weight, layer.bias))
    return model, {
        "X": X,
        "y": NUMBERS,
        "optimizer": RMSprop(model.parameters(), 0.01, momentum=0.5),
        "shuffle": False,
        "batch_size": 6,
        "epochs": 4,
    }


KINDS = {function.__name__: function for function in (dense, scalar, tokens, single)}


class Run:
    """One training of a kind. Models that start from other seeds are other models."""

    def __init__(self, kind, seed=0, **changes):
        self.model, self.options = KINDS[kind](seed)
        self.options |= {"verbose": 0} | changes
        self.callbacks = self.options.setdefault("callbacks", [])
        self.history = None

    def fit(self, *callbacks, **options):
        self.history = nn.fit(self.model, **self.options | {"callbacks": [*self.callbacks, *callbacks]} | options)
        return self

    def state(self):
        """Everything, in a form in which == sees every bit."""
        seed = self.options.get("seed")
        return self.learnt(), exact(
            {
                "optimizer": self.options["optimizer"].state_dict(),
                "shuffling": seed.bit_generator.state if isinstance(seed, np.random.Generator) else None,
                "history": dict(self.history),
                "callbacks": [callback.state_dict() for callback in self.callbacks],
            }
        )

    def learnt(self):
        """What a step changes, in such a form."""
        return exact(
            {
                "weights": dict(self.model.state_dict()),
                "optimizer": self.options["optimizer"].state_dict()["state"],
                "generators": {name: g.bit_generator.state for name, g in self.model.named_generators()},
            }
        )


def exact(tree):
    found, arrays = pack(tree)
    return repr(found), tuple((name, a.dtype.str, a.shape, a.tobytes()) for name, a in sorted(arrays.items()))


# ── any line of code ─────────────────────────────────────────────────────────────────────────────────
HERE = str(Path(nn.__file__).parent)
NUMPY = str(Path(np.__file__).parent)


@contextmanager
def acting(moments):
    """Call each action when so many lines of this project's Python code have run: ``{1000: action}``."""
    project = str(Path(HERE).parent)
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        if event == "call":
            return trace if frame.f_code.co_filename.startswith((project, "<string>")) else None
        if event == "line":
            count += 1
            if count in moments:
                moments.pop(count)()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: count
    finally:
        sys.settrace(before)


def lines_of(kind, *callbacks):
    """How many lines a whole training runs."""
    run = Run(kind)
    with acting({}) as count:
        run.fit(*callbacks)
        return count()
