"""Convolution: one small set of weights, applied at every place of a sequence or an image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff import Tensor, add, matmul, moveaxis, pad, reshape
from nn.activations import activation as activation_named
from nn.activations import linear
from nn.checks import Seed, axes_of, size
from nn.initializers import Initializer
from nn.initializers import initializer as initializer_named
from nn.layers.dense import start_before
from nn.layers.windows import Sizes, per_axis, shown, windows_of
from nn.lookup import Function, lookup, name_of
from nn.module import Module


class Convolution(Module):
    """What :class:`Conv1d` and :class:`Conv2d` have in common: all but the names of the axes.

    Every place of the output is a dense layer of what a window shows there. So all windows are laid under each
    other, as the rows of one matrix, and one matrix product does the work.

    Source: Chellapilla, Puri, Simard 2006, "High performance convolutional neural networks for document processing".
    """

    axes: str

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int | Sizes,
        *,
        stride: int | Sizes = 1,
        padding: int | Sizes | str = 0,
        dilation: int | Sizes = 1,
        bias: bool = True,
        activation: str | Function = "linear",
        initializer: str | Initializer | None = None,
        seed: Seed = None,
    ) -> None:
        count = len(self.axes.split()) - 2
        self.inputs, self.outputs = size(inputs, "inputs"), size(outputs, "outputs")
        self.kernel_size = per_axis(kernel_size, "kernel_size", count)
        self.stride = per_axis(stride, "stride", count)
        self.dilation = per_axis(dilation, "dilation", count)
        self.padding = _padding(padding, self.kernel_size, self.stride, self.dilation)
        self.activation = activation_named(activation)
        draw = initializer_named(initializer or start_before(self.activation))
        shape = (self.outputs, self.inputs, *self.kernel_size)
        self.weight = Tensor(draw(shape, np.random.default_rng(seed)), label="W")
        self.bias = Tensor(np.zeros(self.outputs), label="b") if bias else None

    def forward(self, x: Any) -> Any:
        """The outputs for x, at every place of the window."""
        x = axes_of(self, x, self.axes, C=self.inputs)
        before, after = self.padding
        if before != after:
            x, before = pad(x, ((0, 0), (0, 0), *zip(before, after, strict=True))), (0,) * len(after)
        windows = windows_of(self, x, self.kernel_size, self.stride, before, self.dilation)  # (N, C, *places, *kernel)
        places = (x.shape[0], *windows.shape[2 : 2 + len(after)])
        # Channels go last on both sides: reshape then copies long pieces, which takes half of the time.
        rows = reshape(moveaxis(windows, 1, -1), (math.prod(places), self.seen))
        columns = reshape(moveaxis(self.weight, 1, -1), (self.outputs, self.seen)).T
        weighted = matmul(rows, columns)
        weighted = weighted if self.bias is None else add(weighted, self.bias)
        return moveaxis(self.activation(reshape(weighted, (*places, self.outputs))), -1, 1)

    @property
    def seen(self) -> int:
        """How many numbers a window shows."""
        return self.inputs * math.prod(self.kernel_size)

    def extra_repr(self) -> str:
        """The arguments."""
        before, after = self.padding
        padding = shown(before) if before == after else "'same'"
        parts = [str(self.inputs), str(self.outputs), shown(self.kernel_size)]
        parts += [f"stride={shown(self.stride)}"] if set(self.stride) != {1} else []
        parts += [f"padding={padding}"] if any(after) else []
        parts += [f"dilation={shown(self.dilation)}"] if set(self.dilation) != {1} else []
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"activation={name_of(self.activation)!r}"] if self.activation is not linear else []
        return ", ".join(parts)


class Conv1d(Convolution):
    """Convolution over sequences: ``y[n, o, t] = b[o] + Σ weight[o, c, i] · x[n, c, stride · t + dilation · i]``.

    (As in PyTorch the kernel is not turned around, so mathematicians would say cross-correlation.)

    Args:
        inputs: how many channels x has.
        outputs: how many the output has: the number of kernels.
        kernel_size: how many steps a kernel sees.
        stride: by how many steps it moves on.
        padding: how many zeros are put at both ends; or "same", so that the output is as long as x (where one end
            needs one more it is the last), or "valid" for none.
        dilation: the distance between the steps that a kernel sees.
        bias: whether b is added.
        activation: a name (see ``nn.activations``) or a function of a tensor; softmax is over the channels, which the
            function is given in the last axis.
        initializer: of the weights, as for :class:`Dense`, which has the default too.
        seed: an integer, or the NumPy generator to draw the weights from; None draws others every time.

    Shapes: x (N, inputs, L); output (N, outputs, (L + 2 · padding - dilation · (kernel_size - 1) - 1) // stride + 1);
    weight (outputs, inputs, kernel_size); bias (outputs,).

    >>> layer = Conv1d(2, 4, 3, padding="same", seed=0)
    >>> layer(np.zeros((5, 2, 10))).shape
    (5, 4, 10)

    Raises:
        ValueError: a size below one, an unknown name, "same" with a stride; x has other axes, another number of
            channels, or is shorter than the kernel.
    """

    axes = "N C L"


class Conv2d(Convolution):
    """Convolution over images: :class:`Conv1d` in height and width.

    Args: those of :class:`Conv1d`; kernel_size, stride, padding and dilation also as a pair (height, width).

    Shapes: x (N, inputs, H, W); output (N, outputs, H', W'), each as the length of :class:`Conv1d`; weight
    (outputs, inputs, kernel height, kernel width); bias (outputs,).

    >>> layer = Conv2d(1, 16, 3, padding=1, activation="relu", seed=0)
    >>> layer(np.zeros((5, 1, 8, 8))).shape
    (5, 16, 8, 8)

    Raises:
        ValueError: as :class:`Conv1d`.
    """

    axes = "N C H W"


_PADDINGS = {"valid": lambda span: 0, "same": lambda span: span - 1}  # zeros in all, for a window of that span


def _padding(given: Any, kernel: Sizes, stride: Sizes, dilation: Sizes) -> tuple[Sizes, Sizes]:
    """The zeros put before and after each axis."""
    if not isinstance(given, str):
        both = per_axis(given, "padding", len(kernel), least=0)
        return both, both
    total = lookup("padding", given, _PADDINGS)
    if given == "same" and set(stride) != {1}:
        raise ValueError(f"padding='same' is for stride=1, and with stride={shown(stride)} the output is shorter")
    zeros = [total(d * (k - 1) + 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple(n // 2 for n in zeros), tuple(n - n // 2 for n in zeros)
