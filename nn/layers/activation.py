"""Activations as modules, to stand between the layers of a ``Sequential``."""

from __future__ import annotations

from typing import Any, ClassVar

from nn.activations import activation, gelu, gelu_tanh
from nn.lookup import Function, lookup, name_of
from nn.module import Module


class Activation(Module):
    """A function as a module: without parameters, the output in the shape of the input.

    Args:
        function: a name (see ``nn.activations``) or a function of a tensor.
        options: of the function, such as ``alpha=0.2``.

    >>> Activation("leaky_relu", alpha=0.5)([-1.0, 1.0])
    array([-0.5,  1. ])
    >>> Activation("leaky_relu", alpha=0.5)
    Activation('leaky_relu(alpha=0.5)')

    Raises:
        ValueError: there is no activation of that name.
        TypeError: it is neither a name nor a function, or does not have that option.
    """

    def __init__(self, function: str | Function, **options: Any) -> None:
        self.function = activation(function, **options)

    def forward(self, x: Any) -> Any:
        """The function of x."""
        return self.function(x)

    def extra_repr(self) -> str:
        """The function."""
        return repr(name_of(self.function))


class _Named(Activation):
    """An activation that has a class of its own."""

    name: ClassVar[str]

    def __init__(self, **options: Any) -> None:
        super().__init__(self.name, **options)
        self.options = options

    def extra_repr(self) -> str:
        """The options."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


class Identity(_Named):
    """``x`` itself."""

    name = "linear"


class ReLU(_Named):
    """``max(x, 0)``.

    >>> ReLU()([-1.0, 2.0])
    array([0., 2.])
    """

    name = "relu"


class LeakyReLU(_Named):
    """``x`` where it is positive, else ``alpha · x``."""

    name = "leaky_relu"

    def __init__(self, alpha: float = 0.01) -> None:
        super().__init__(alpha=alpha)


class ELU(_Named):
    """``x`` where it is positive, else ``alpha (exp(x) - 1)``."""

    name = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)


class SELU(_Named):
    """The scaled ``elu`` that keeps mean 0 and variance 1."""

    name = "selu"


class GELU(_Named):
    """``x Φ(x)`` with the normal distribution function Φ, or its approximation by tanh.

    >>> GELU(approximate="tanh")
    GELU(approximate='tanh')

    Raises:
        ValueError: ``approximate`` is neither "none" nor "tanh".
    """

    def __init__(self, approximate: str = "none") -> None:
        self.function = lookup("approximation of gelu", approximate, {"none": gelu, "tanh": gelu_tanh})
        self.options = {"approximate": approximate}


class SiLU(_Named):
    """``x sigmoid(x)``, also called swish."""

    name = "silu"


class Sigmoid(_Named):
    """``1 / (1 + exp(-x))``."""

    name = "sigmoid"


class Tanh(_Named):
    """The hyperbolic tangent."""

    name = "tanh"


class Softplus(_Named):
    """``log(1 + exp(x))``."""

    name = "softplus"


class Softmax(_Named):
    """Scores as probabilities, which add up to 1 along ``axis``.

    >>> Softmax()([[0.0, 0.0]])
    array([[0.5, 0.5]])
    """

    name = "softmax"

    def __init__(self, axis: int = -1) -> None:
        super().__init__(axis=axis)


class LogSoftmax(_Named):
    """The logarithm of softmax along ``axis``."""

    name = "log_softmax"

    def __init__(self, axis: int = -1) -> None:
        super().__init__(axis=axis)
