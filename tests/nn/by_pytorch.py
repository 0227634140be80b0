"""Layers beside PyTorch's: the numbers in reference/layers.npz, written by reference/make_layers.py."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from autodiff import Tensor


@cache
def _arrays():
    with np.load(Path(__file__).parent / "reference" / "layers.npz") as file:
        return dict(file)


def numbers(case):
    """The arrays of one case by name."""
    found = {name.removeprefix(f"{case}/"): a for name, a in _arrays().items() if name.startswith(f"{case}/")}
    assert found, f"layers.npz has no case {case!r}"
    return found


def part(wanted, prefix):
    return {name.removeprefix(prefix): a for name, a in wanted.items() if name.startswith(prefix)}


def close(got, wanted, rtol=1e-10):
    """Equal to a relative 1e-10; a number that is nearly 0 beside the others, to 1e-13 of the largest."""
    assert np.shape(got) == np.shape(wanted)
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=1e-3 * rtol * np.abs(wanted).max(initial=0))


def agrees(layer, case, rename=str):
    """The layer, with the state of the case, gives PyTorch's output, gradients and buffers.

    ``rename`` turns our names of parameters into PyTorch's.
    """
    wanted = numbers(case)
    before = part(wanted, "before/")
    layer.load_state_dict({name: before[rename(name)] for name in layer.state_dict()})
    assert len(before) == len(layer.state_dict())
    x = Tensor(wanted["x"])
    output = layer(x)
    output.backward(wanted["upstream"])
    gradients = {rename(name): p.grad for name, p in layer.named_parameters()}
    if x.requires_grad:
        gradients["x"] = x.grad
    close(output.data, wanted["output"])
    assert set(gradients) == set(part(wanted, "gradient/"))
    for name, gradient in part(wanted, "gradient/").items():
        close(gradients[name], gradient)
    state = layer.state_dict()
    for name, buffer in part(wanted, "after/").items():
        close(state[name], buffer)
