"""Something to save: a model and an optimizer reduced to what a checkpoint asks of them."""

from __future__ import annotations

import numpy as np

from nn.files.checkpoint import load_checkpoint, save_checkpoint
from nn.files.state_trees import pack


class Model:
    """Weights by name and a random generator. What it refuses, it refuses before anything has changed."""

    def __init__(self, weights, seed=0):
        self.weights = {name: np.array(array) for name, array in weights.items()}
        self.rng = np.random.default_rng(seed)

    def state_dict(self):
        return {name: array.copy() for name, array in self.weights.items()}

    def load_state_dict(self, state, strict=True):
        if strict and state.keys() != self.weights.keys():
            raise ValueError("other names")
        self.weights = {name: np.array(array) for name, array in state.items()}

    def named_generators(self):
        yield "dropout.rng", self.rng

    def __repr__(self):
        return f"Model({', '.join(self.weights)})"


class Optimizer:
    """Numbers, lists and arrays; it believes the state it is given, as many do, and fails where it uses it."""

    def __init__(self, weights):
        self.state = {
            "step": 0,
            "groups": [{"learning_rate": 0.1, "betas": (0.9, 0.999), "limit": float("inf")}],
            "moments": [np.zeros_like(array) for array in weights.values()],
        }

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state
        self.state["step"] = int(state["step"])
        self.state["moments"] = [np.array(array + 0) for array in state["moments"]]
        self.state["groups"][0]["betas"][1] * 1.0


def small(number=7):
    """A model and an optimizer of 60 numbers; all of them tell ``number``."""
    shapes = {"layers.0.weight": (4, 3), "layers.0.bias": (4,), "scale": ()}
    model = Model({name: np.full(shape, float(number)) for name, shape in shapes.items()})
    model.weights["layers.1.weight"] = np.full((2, 4), number, np.float32)
    optimizer = Optimizer(model.weights)
    optimizer.state["step"] = number
    optimizer.state["moments"][0] += np.arange(12.0).reshape(4, 3)
    return model, optimizer


def save(path, number, size=0):
    """A checkpoint in which everything tells ``number``; with ``size`` more weights, in twenty arrays."""
    model, optimizer = small(number)
    if size:
        model.weights |= {f"large.{i}": np.full(size // 20, float(number)) for i in range(20)}
    save_checkpoint(path, model=model, optimizer=optimizer, progress={"number": number})


def number_in(path):
    """The number a checkpoint tells; it has to tell it everywhere."""
    checkpoint = load_checkpoint(path)
    (number,) = {float(x) for array in checkpoint.weights.values() for x in np.unique(array)}
    assert checkpoint.progress == {"number": number}
    assert checkpoint.optimizer["step"] == number
    return int(number)


def temporaries(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp"))


def exact(checkpoint):
    """All of a checkpoint in a form in which == sees every bit."""
    tree, arrays = pack({name: value for name, value in vars(checkpoint).items() if name != "path"})
    return repr(tree), {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}
