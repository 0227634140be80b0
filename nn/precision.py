"""astype: a model in single precision, and back in double."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from autodiff import Node, Tensor, Value

Model = TypeVar("Model")


def astype(model: Model, dtype: Any) -> Model:
    """Every parameter and buffer of floats as one of ``dtype``, such as ``np.float32``; returns the model.

    Single precision takes half of the memory and less time, and has 7 digits instead of 16. ``fit``, ``predict`` and
    ``evaluate`` then bring samples and targets to it too. Who calls the model gives it float32 arrays, for NumPy makes
    float64 of the two together.

    The leaves stay the same ones, so what is shared stays shared, and an optimizer that has them goes on with them.
    Their gradients and hooks are forgotten.

    >>> from nn import Dense
    >>> layer = Dense(3, 2, seed=0).astype(np.float32)
    >>> layer.weight.dtype, layer(np.ones((5, 3), np.float32)).dtype
    (dtype('float32'), dtype('float32'))

    Raises:
        TypeError: the dtype is neither float32 nor float64; or float32 is asked of a model that is made of Values,
            which hold Python's floats.
    """
    wanted = np.dtype(dtype)
    if wanted not in (np.float32, np.float64):
        raise TypeError(f"a model computes in float32 or float64, and was asked for {wanted}")
    leaves = _leaves(model)
    if wanted != np.float64 and any(isinstance(leaf, Value) for leaf in leaves):
        hint = "nn.to_sequential(network) makes a model of arrays"
        raise TypeError(f"{type(model).__name__} is made of Values, which hold Python's floats; {hint}")
    for leaf in leaves:
        if isinstance(leaf, Tensor) and leaf.dtype.kind == "f" and leaf.dtype != wanted:
            place = leaf.scope
            Tensor.__init__(leaf, leaf.data, dtype=wanted, requires_grad=leaf.requires_grad, label=leaf.label)
            leaf.scope = place
    return model


def _leaves(model: Any) -> list[Node]:
    return [leaf for _, leaf in (*model.named_parameters(), *model.named_buffers())]
