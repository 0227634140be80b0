"""PyTorch's activations in float64: values and gradients. Run: python -m tests.nn.reference.make_activations

The gradient is that of sum(g * activation(x)), with g as stored, so that a row of softmax has one worth the name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

SIZES = [1e-300, 1e-9, 1e-3, 0.1, 0.5, 1, 2, 3, 5, 7.5, 10, 20, 40, 100, 745, 1e4]
POINTS = np.array([0.0, *SIZES, *(-x for x in SIZES)])

rng = np.random.default_rng(7)
BLOCK = rng.normal(0, 3, (2, 3, 4))
FAR = np.array([[1e4, -1e4, 0.0], [40, 0, -40], [745, -745, 744], [0, 0, 0], [1e-9, -1e-9, 0], [-1e4, -1e4, -9999]])
SHIFTED = np.array([[1e4, 9970, 9999.5], [-9999, -1e4, -1e4], [745, 744, 730]])  # small differences of large numbers

CASES: dict[str, tuple[Any, Any]] = {
    "linear": (lambda x: x * 1, POINTS),
    "sigmoid": (torch.sigmoid, POINTS),
    "tanh": (torch.tanh, POINTS),
    "relu": (torch.relu, POINTS),
    "leaky_relu": (F.leaky_relu, POINTS),
    "leaky_relu alpha=0.2": (lambda x: F.leaky_relu(x, 0.2), POINTS),
    "leaky_relu alpha=0": (lambda x: F.leaky_relu(x, 0), POINTS),
    "leaky_relu alpha=1.5": (lambda x: F.leaky_relu(x, 1.5), POINTS),
    "elu": (F.elu, POINTS),
    "elu alpha=0.3": (lambda x: F.elu(x, 0.3), POINTS),
    "elu alpha=2.5": (lambda x: F.elu(x, 2.5), POINTS),
    "selu": (F.selu, POINTS),
    "gelu": (F.gelu, POINTS),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), POINTS),
    "silu": (F.silu, POINTS),
    "softplus": (F.softplus, POINTS),
    "sin": (torch.sin, POINTS),
    "softmax": (lambda x: F.softmax(x, -1), BLOCK),
    "softmax axis=0": (lambda x: F.softmax(x, 0), BLOCK),
    "softmax axis=1": (lambda x: F.softmax(x, 1), BLOCK),
    "softmax far": (lambda x: F.softmax(x, -1), FAR),
    "softmax shifted": (lambda x: F.softmax(x, -1), SHIFTED),
    "log_softmax": (lambda x: F.log_softmax(x, -1), BLOCK),
    "log_softmax axis=0": (lambda x: F.log_softmax(x, 0), BLOCK),
    "log_softmax axis=1": (lambda x: F.log_softmax(x, 1), BLOCK),
    "log_softmax far": (lambda x: F.log_softmax(x, -1), FAR),
    "log_softmax shifted": (lambda x: F.log_softmax(x, -1), SHIFTED),
}


def main() -> None:
    found: dict[str, Any] = {"torch": np.array(torch.__version__)}
    for name, (function, data) in CASES.items():
        x = torch.tensor(data, requires_grad=True)
        upstream = rng.uniform(0.5, 1.5, data.shape)
        y = function(x)
        y.backward(torch.tensor(upstream))
        found |= {f"{name}/x": data, f"{name}/g": upstream}
        found |= {f"{name}/value": y.detach().numpy(), f"{name}/gradient": x.grad.numpy()}
    np.savez_compressed(Path(__file__).with_name("activations.npz"), **found)
    print(f"{len(CASES)} cases")


if __name__ == "__main__":
    main()
