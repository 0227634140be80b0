"""Writes layers.npz: what PyTorch computes for layers of every kind, forward and backward, in float64.

Run: python tests/nn/reference/make_layers.py (needs torch 2.13; the tests need NumPy only). Each case holds the input,
the state before, the gradient that comes from above, the output, the gradients and the state after.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import (
    AvgPool1d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv1d,
    Conv2d,
    Embedding,
    LayerNorm,
    Linear,
    MaxPool1d,
    MaxPool2d,
    Sequential,
)

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
rng = np.random.default_rng(3)

CASES = {
    "linear": (Linear(3, 4), (5, 3)),
    "linear without bias": (Linear(3, 2, bias=False), (5, 3)),
    "linear on sequences": (Linear(3, 2), (2, 4, 3)),
    "conv1d": (Conv1d(2, 3, 3), (2, 2, 7)),
    "conv1d stride padding dilation": (Conv1d(2, 3, 3, stride=2, padding=2, dilation=2, bias=False), (2, 2, 9)),
    "conv1d same": (Conv1d(2, 2, 4, padding="same"), (2, 2, 5)),
    "conv2d": (Conv2d(2, 3, 3, padding=1), (2, 2, 5, 4)),
    "conv2d by axis": (Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2)), (2, 2, 6, 5)),
    "conv2d same": (Conv2d(1, 2, (2, 3), padding="same", dilation=(3, 1)), (2, 1, 5, 4)),
    "conv2d valid": (Conv2d(1, 2, 2, stride=2, padding="valid", bias=False), (2, 1, 5, 4)),
    "conv2d of one place": (Conv2d(3, 2, 1), (2, 3, 2, 3)),
    "max1d": (MaxPool1d(2), (2, 2, 6)),
    "max1d overlapping": (MaxPool1d(3, stride=2, padding=1), (2, 2, 7)),
    "max2d": (MaxPool2d(2), (2, 2, 4, 6)),
    "max2d with a rest": (MaxPool2d(2), (2, 2, 5, 7)),
    "max2d overlapping": (MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0)), (2, 2, 5, 4)),
    "avg1d": (AvgPool1d(2), (2, 2, 6)),
    "avg1d overlapping": (AvgPool1d(3, stride=2, padding=1), (2, 2, 7)),
    "avg2d": (AvgPool2d((2, 3)), (2, 2, 4, 6)),
    "avg2d overlapping": (AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)), (2, 2, 5, 4)),
    "batch norm": (BatchNorm1d(3), (6, 3)),
    "batch norm of sequences": (BatchNorm1d(3, eps=1e-2, momentum=0.3), (2, 3, 4)),
    "batch norm of images": (BatchNorm2d(3), (2, 3, 3, 2)),
    "batch norm of images, not affine": (BatchNorm2d(3, affine=False), (2, 3, 3, 2)),
    "batch norm, eval": (BatchNorm1d(3).eval(), (6, 3)),
    "batch norm of images, eval": (BatchNorm2d(3).eval(), (2, 3, 3, 2)),
    "layer norm": (LayerNorm(5), (2, 3, 5)),
    "layer norm of two axes": (LayerNorm((3, 5), eps=1e-2), (2, 3, 5)),
    "layer norm, not affine": (LayerNorm(5, elementwise_affine=False), (4, 5)),
    "embedding": (Embedding(6, 3), (4, 5)),
    "stack": (Sequential(Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), MaxPool2d(2), torch.nn.Flatten(), Linear(16, 3)), (3, 1, 4, 4)),
}  # fmt: skip


def computed(layer: torch.nn.Module, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Everything about one case, by name."""
    with torch.no_grad():
        for name, tensor in layer.state_dict().items():
            if tensor.dtype == torch.float64:  # also what starts at 0 or 1
                drawn = rng.normal(size=tuple(tensor.shape))
                tensor.copy_(torch.tensor(1 + drawn**2 if "var" in name else drawn))
    is_table = isinstance(layer, Embedding)
    x = rng.integers(0, layer.num_embeddings - 1, shape) if is_table else rng.normal(1.0, 2.0, shape)
    given = torch.tensor(x, requires_grad=not is_table)
    found = {f"before/{name}": tensor.numpy().copy() for name, tensor in layer.state_dict().items()}
    output = layer(given)
    upstream = rng.normal(size=tuple(output.shape))
    output.backward(torch.tensor(upstream))
    found |= {"x": x, "upstream": upstream, "output": output.detach().numpy()}
    found |= {f"gradient/{name}": p.grad.numpy() for name, p in layer.named_parameters()}
    if not is_table:
        found["gradient/x"] = given.grad.numpy()
    found |= {f"after/{name}": tensor.numpy() for name, tensor in layer.named_buffers()}
    return {name: array for name, array in found.items() if "num_batches" not in name}


if __name__ == "__main__":
    arrays = {f"{case}/{name}": a for case, made in CASES.items() for name, a in computed(*made).items()}
    np.savez_compressed(Path(__file__).with_name("layers.npz"), **arrays)
