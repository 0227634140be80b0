"""Layers that bring their inputs to mean 0 and variance 1, and then learn another mean and spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff import Tensor, add, mean, multiply, sqrt, var
from nn.checks import floats, size
from nn.layers.windows import Sizes
from nn.module import Module


class BatchNorm(Module):
    """Each feature less its mean in the batch, over its standard deviation in the batch; times weight, plus bias.

    In training the mean and variance are those of the batch (and all places in it), and running averages of them are
    kept. After ``model.eval()`` those averages are used, so that a prediction does not depend on the others beside it.
    BatchNorm1d and BatchNorm2d are other names of it.

    Source: Ioffe, Szegedy 2015, arXiv:1502.03167.

    Args:
        features: the length of axis 1: features, or channels.
        eps: what is added to the variance, so that nothing is divided by 0.
        momentum: the share of the new batch in the running averages, from 0 to 1.
        affine: whether weight and bias are learnt; they start at 1 and 0.

    Shapes: x (N, features), (N, features, L) or (N, features, H, W); the output has the same; weight, bias,
    running_mean and running_var (features,).

    running_var takes in the unbiased variance, Σ(x - mean)² / (n - 1), as in PyTorch; x is divided by the biased one.

    >>> layer = BatchNorm(1)
    >>> layer([[1.0], [3.0]]).data.round(4)
    array([[-1.],
           [ 1.]])
    >>> layer.running_mean.data, layer.running_var.data
    (array([0.2]), array([1.1]))

    Raises:
        ValueError: features below one, eps below 0, momentum outside 0 to 1; x has other axes, or in training only
            one number for each feature.
    """

    def __init__(self, features: int, eps: float = 1e-5, momentum: float = 0.1, *, affine: bool = True) -> None:
        self.features = size(features, "features")
        self.eps = _small(eps)
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum is the share of the new batch, from 0 to 1, and was given {momentum!r}")
        self.momentum = momentum
        self.weight = Tensor(np.ones(self.features), label="γ") if affine else None
        self.bias = Tensor(np.zeros(self.features), label="β") if affine else None
        self.running_mean = Tensor(np.zeros(self.features), requires_grad=False)
        self.running_var = Tensor(np.ones(self.features), requires_grad=False)

    def forward(self, x: Any) -> Any:
        """x, normalized feature by feature."""
        x = floats(self, x)
        if x.ndim < 2 or x.shape[1] != self.features:
            raise ValueError(f"{self!r} takes shapes (N, {self.features}, ...), and was given shape {x.shape}")
        column = (self.features, *(1,) * (x.ndim - 2))  # the shape that lies beside x
        if self.training:
            centered, variance = self._of_batch(x)
        else:
            centered, variance = x - self.running_mean.reshape(column), self.running_var.reshape(column)
        normalized = centered / sqrt(variance + self.eps)
        if self.weight is None or self.bias is None:
            return normalized
        return add(multiply(normalized, self.weight.reshape(column)), self.bias.reshape(column))

    def _of_batch(self, x: Any) -> tuple[Any, Any]:
        """x less its mean, and its variance, while the running averages move on."""
        count = x.size // self.features
        if count < 2:
            raise ValueError(
                f"{self!r} needs more than one number for each feature to train on, and was given shape {x.shape};"
                " use larger batches, or model.eval()"
            )
        centered, center, variance = moments(x, (0, *range(2, x.ndim)))
        share = self.momentum
        for running, new in ((self.running_mean, center.data), (self.running_var, variance.data * count / (count - 1))):
            running.data = (1 - share) * running.data + share * new.reshape(self.features)
        return centered, variance

    def extra_repr(self) -> str:
        """The arguments."""
        eps = f", eps={self.eps:g}" if self.eps != 1e-5 else ""
        momentum = f", momentum={self.momentum:g}" if self.momentum != 0.1 else ""
        return f"{self.features}{eps}{momentum}{', affine=False' if self.weight is None else ''}"


BatchNorm1d = BatchNorm2d = BatchNorm


class LayerNorm(Module):
    """Each sample less its own mean, over its own standard deviation; times weight, plus bias.

    Nothing depends on the other samples, so that training and evaluation are the same.

    Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450.

    Args:
        shape: the lengths of the last axes, over which is normalized; one number for the last axis alone.
        eps: what is added to the variance, so that nothing is divided by 0.
        affine: whether weight and bias are learnt; they start at 1 and 0.

    Shapes: x (..., *shape); the output has the same; weight and bias have the given shape.

    >>> layer = LayerNorm(2)
    >>> layer([[1.0, 3.0], [50.0, 30.0]]).data.round(4)
    array([[-1.,  1.],
           [ 1., -1.]])

    Raises:
        ValueError: a length below one, eps below 0; the last axes of x have other lengths.
    """

    def __init__(self, shape: int | Sizes, eps: float = 1e-5, *, affine: bool = True) -> None:
        lengths = shape if isinstance(shape, tuple | list) else (shape,)
        if not lengths:
            raise ValueError("shape is the lengths of the last axes, such as 64 or (16, 64), and was given ()")
        self.shape = tuple(size(n, "each length in shape") for n in lengths)
        self.eps = _small(eps)
        self.weight = Tensor(np.ones(self.shape), label="γ") if affine else None
        self.bias = Tensor(np.zeros(self.shape), label="β") if affine else None

    def forward(self, x: Any) -> Any:
        """x, normalized sample by sample."""
        x = floats(self, x)
        if x.shape[-len(self.shape) :] != self.shape:
            shown = ", ".join(map(str, self.shape))
            raise ValueError(f"{self!r} takes shapes (..., {shown}), and was given shape {x.shape}")
        centered, _, variance = moments(x, tuple(range(-len(self.shape), 0)))
        normalized = centered / sqrt(variance + self.eps)
        if self.weight is None or self.bias is None:
            return normalized
        return add(multiply(normalized, self.weight), self.bias)

    def extra_repr(self) -> str:
        """The arguments."""
        shape = str(self.shape[0] if len(self.shape) == 1 else self.shape)
        eps = f", eps={self.eps:g}" if self.eps != 1e-5 else ""
        return f"{shape}{eps}{', affine=False' if self.weight is None else ''}"


def moments(x: Tensor, axes: Sizes) -> tuple[Any, Any, Any]:
    """x less its mean over ``axes``, that mean as a constant, and the variance; axes are kept with length 1.

    One entry is taken off before, as a constant: it changes neither result nor gradient, and what is left of a large
    offset has all its digits.

    >>> centered, center, variance = moments(Tensor([1e9, 1e9 + 1, 1e9 + 2]), (0,))
    >>> centered.data, center.data, variance.data
    (array([-1.,  0.,  1.]), array([1.e+09]), array([0.66666667]))
    """
    one = tuple(slice(0, 1) if i in axes or i - x.ndim in axes else slice(None) for i in range(x.ndim))
    offset = x.detach()[one]
    shifted = x - offset
    center = mean(shifted, axis=axes, keepdims=True)
    return shifted - center, offset + center.detach(), var(shifted, axis=axes, keepdims=True)


def _small(eps: float) -> float:
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps is a small number of at least 0, and was given {eps!r}")
    return eps
