"""Pooling: one number in the place of a window, or of a whole channel."""

from __future__ import annotations

from itertools import chain
from typing import Any

from autodiff import max as largest
from autodiff import mean, reshape
from nn.checks import axes_of, floats, tensor
from nn.layers.windows import Sizes, per_axis, shown, windows_of
from nn.module import Module


class Pooling(Module):
    """What max and average pooling have in common: the windows."""

    axes: str
    padding_value = 0.0

    def __init__(self, kernel_size: int | Sizes, stride: int | Sizes | None = None, padding: int | Sizes = 0) -> None:
        count = len(self.axes.split()) - 2
        self.kernel_size = per_axis(kernel_size, "kernel_size", count)
        self.stride = self.kernel_size if stride is None else per_axis(stride, "stride", count)
        self.padding = per_axis(padding, "padding", count, least=0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"padding is at most half of kernel_size={shown(self.kernel_size)}, so that no window lies outside,"
                f" and was given {shown(self.padding)}"
            )

    def windows(self, x: Any) -> tuple[Any, tuple[int, ...]]:
        """What each window shows, and the axes in which it does.

        Windows that lie side by side are the array itself with its axes cut in two, which is quicker.
        """
        x = floats(self, axes_of(self, x, self.axes))  # no integer is as small as what is padded
        pairs = list(zip(x.shape[2:], self.kernel_size, strict=True))
        if self.stride == self.kernel_size and not any(self.padding) and not any(n % k or n < k for n, k in pairs):
            parts = chain.from_iterable((n // k, k) for n, k in pairs)
            return reshape(x, (*x.shape[:2], *parts)), tuple(range(3, 3 + 2 * len(pairs), 2))
        ones = (1,) * len(pairs)
        seen = windows_of(self, x, self.kernel_size, self.stride, self.padding, ones, self.padding_value)
        return seen, tuple(range(-len(pairs), 0))

    def extra_repr(self) -> str:
        """The arguments."""
        stride = f", stride={shown(self.stride)}" if self.stride != self.kernel_size else ""
        padding = f", padding={shown(self.padding)}" if any(self.padding) else ""
        return f"{shown(self.kernel_size)}{stride}{padding}"


class MaxPool1d(Pooling):
    """The largest number in each window of a sequence. Where several are equally large, they share the gradient.

    Args:
        kernel_size: the length of a window.
        stride: by how many steps it moves on: by default by its own length.
        padding: how many steps are put at both ends, at most half of a window; no number there is ever the largest.

    Shapes: x (N, C, L); output (N, C, (L + 2 · padding - kernel_size) // stride + 1).

    >>> MaxPool1d(2)([[[1.0, 3.0, 5.0, 4.0]]]).data
    array([[[3., 5.]]])

    Raises:
        ValueError: a size below one, padding of more than half of a window; x has other axes or is too short.
    """

    axes = "N C L"
    padding_value = float("-inf")

    def forward(self, x: Any) -> Any:
        """The largest number in each window."""
        seen, inside = self.windows(x)
        return largest(seen, axis=inside)


class MaxPool2d(MaxPool1d):
    """The largest number in each window of an image: :class:`MaxPool1d` in height and width.

    Args: those of :class:`MaxPool1d`, each also as a pair (height, width).

    Shapes: x (N, C, H, W); output (N, C, H', W').

    >>> import numpy as np
    >>> MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4)).data
    array([[[[ 5.,  7.],
             [13., 15.]]]])

    Raises:
        ValueError: as :class:`MaxPool1d`.
    """

    axes = "N C H W"


class AvgPool1d(Pooling):
    """The mean of each window of a sequence; padded zeros count, as they do in PyTorch by default.

    Args:
        kernel_size: the length of a window.
        stride: by how many steps it moves on: by default by its own length.
        padding: how many zeros are put at both ends, at most half of a window.

    Shapes: x (N, C, L); output (N, C, (L + 2 · padding - kernel_size) // stride + 1).

    >>> AvgPool1d(2)([[[1.0, 3.0, 5.0, 4.0]]]).data
    array([[[2. , 4.5]]])

    Raises:
        ValueError: as :class:`MaxPool1d`.
    """

    axes = "N C L"

    def forward(self, x: Any) -> Any:
        """The mean of each window."""
        seen, inside = self.windows(x)
        return mean(seen, axis=inside)


class AvgPool2d(AvgPool1d):
    """The mean of each window of an image: :class:`AvgPool1d` in height and width.

    Args: those of :class:`AvgPool1d`, each also as a pair (height, width).

    Shapes: x (N, C, H, W); output (N, C, H', W').

    >>> AvgPool2d(2)([[[[1.0, 2.0], [3.0, 4.0]]]]).data
    array([[[[2.5]]]])

    Raises:
        ValueError: as :class:`MaxPool1d`.
    """

    axes = "N C H W"


class GlobalMaxPool(Module):
    """The largest number of each channel, wherever it is: whether something was seen at all.

    Shapes: x (N, C, L) or (N, C, H, W); output (N, C).

    >>> GlobalMaxPool()([[[1.0, 3.0, 2.0]]]).data
    array([[3.]])

    Raises:
        ValueError: x has no axes after its channels.
    """

    def forward(self, x: Any) -> Any:
        """The largest number of each channel."""
        x, places = _channels(self, x)
        return largest(x, axis=places)

    def extra_repr(self) -> str:
        """The arguments."""
        return ""


class GlobalAvgPool(Module):
    """The mean of each channel.

    Source: Lin, Chen, Yan 2013, "Network in network", arXiv:1312.4400.

    Shapes: x (N, C, L) or (N, C, H, W); output (N, C).

    >>> GlobalAvgPool()([[[1.0, 3.0, 2.0]]]).data
    array([[2.]])

    Raises:
        ValueError: x has no axes after its channels.
    """

    def forward(self, x: Any) -> Any:
        """The mean of each channel."""
        x, places = _channels(self, x)
        return mean(x, axis=places)

    def extra_repr(self) -> str:
        """The arguments."""
        return ""


def _channels(layer: Module, x: Any) -> tuple[Any, tuple[int, ...]]:
    """``x`` as a tensor, and its axes behind the channels."""
    x = tensor(layer, x)
    if x.ndim < 3:
        raise ValueError(f"{layer!r} takes arrays of shape (N, C, L) or (N, C, H, W), and was given shape {x.shape}")
    return x, tuple(range(2, x.ndim))
