"""Windows that slide over the last axes of an array: what convolution and pooling have in common."""

from __future__ import annotations

from typing import Any

from autodiff import Tensor, sliding_windows
from nn.checks import size

Sizes = tuple[int, ...]


def per_axis(given: Any, what: str, axes: int, least: int = 1) -> Sizes:
    """A whole number of at least ``least`` for each of ``axes`` axes; a single one holds for all.

    >>> per_axis(3, "kernel_size", 2), per_axis((3, 5), "kernel_size", 2)
    ((3, 3), (3, 5))

    Raises:
        TypeError: no whole numbers.
        ValueError: another number of them, or one that is too small.
    """
    if not isinstance(given, tuple | list):
        return (size(given, what, least),) * axes
    if len(given) != axes:
        shown = "one whole number" if axes == 1 else f"a whole number, or {axes} of them"
        raise ValueError(f"{what} is {shown}, and was given {given!r}")
    return tuple(size(n, f"each {what}", least) for n in given)


def shown(sizes: Sizes) -> str:
    """Sizes as the user may write them: one number where they are all equal.

    >>> shown((3, 3)), shown((3, 5))
    ('3', '(3, 5)')
    """
    return str(sizes[0] if len(set(sizes)) == 1 else sizes)


def windows_of(
    layer: Any, x: Tensor, window: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, padding_value: float = 0.0
) -> Any:
    """What is seen through a window at each of its positions, of shape (..., *positions, *window).

    Raises:
        ValueError: the window does not fit into the padded array.
    """
    spans = [d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True)]
    lengths = [n + 2 * p for n, p in zip(x.shape[-len(window) :], padding, strict=True)]
    if any(span > n for span, n in zip(spans, lengths, strict=True)):
        reach = f"{layer!r} looks through windows of {' x '.join(map(str, spans))}"
        padded = f", with padding {' x '.join(map(str, lengths))}" if any(padding) else ""
        raise ValueError(f"{reach}, which do not fit into an input of shape {x.shape}{padded}")
    return sliding_windows(x, window, stride, padding, dilation, padding_value)
