"""Optimizers: rules that change parameters by their gradients.

Each rule is written once, as the paper has it. Fed the numbers of all parameters it makes a step; fed names it
prints the formulas of ``optimizer.explain(parameter)``.
"""

from __future__ import annotations

from typing import Any

from autodiff import maximum, sqrt, square
from nn.lookup import Function, lookup
from nn.optimizers.optimizer import Optimizer, Parameters


class SGD(Optimizer):
    """Gradient descent: ``v = momentum · v + gradient``, then ``parameter = parameter - learning_rate · v``.

    Sources: Polyak 1964, "Some methods of speeding up the convergence of iteration methods", and Nesterov
    1983, in the form of Sutskever, Martens, Dahl, Hinton 2013 that PyTorch uses (the first v is the first
    gradient).

    Args:
        parameters: leaves that carry a gradient, such as ``model.parameters()``; or groups of them, see
            :class:`Optimizer`.
        learning_rate: the size of a step, above 0.
        momentum: how much of the last step's velocity is kept, from 0 to below 1.
        nesterov: look ahead along the velocity; needs momentum.
        weight_decay: how strongly parameters are pulled towards 0; added to the gradient (an L2 penalty).

    >>> from autodiff import Value
    >>> x = Value(5.0)
    >>> optimizer = SGD([x], learning_rate=0.25)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x**2).backward()
    ...     optimizer.step()
    >>> x.data
    1.25

    Raises:
        ValueError: no parameters, a parameter twice, an option out of range.
        TypeError: a parameter that is no leaf carrying a gradient, an option of the wrong kind.
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        *,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)

    @staticmethod
    def rule(
        w: Any, g: Any, v: Any = 0.0, *, learning_rate: Any, momentum: Any, nesterov: bool, weight_decay: Any
    ) -> dict[str, Any]:
        """v: the velocity."""
        if weight_decay:
            g = g + weight_decay * w
        direction = g
        if momentum:
            v = momentum * v + g
            direction = g + momentum * v if nesterov else v
        w = w - learning_rate * direction
        return {"g": g, "v": v, "direction": direction, "w": w}

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """As for all optimizers; and Nesterov's rule needs a velocity."""
        super().check(options)
        if options["nesterov"] and not options["momentum"]:
            raise ValueError("nesterov looks ahead along the velocity, and needs a momentum above 0")


class Adagrad(Optimizer):
    """Steps that shrink with the sum of all squared gradients so far, for each number by itself.

    Source: Duchi, Hazan, Singer 2011, Journal of Machine Learning Research 12.

    Args:
        parameters: as for :class:`SGD`.
        learning_rate: the size of the first step of every number.
        eps: keeps the division from 0.
        weight_decay: as for :class:`SGD`.

    >>> from autodiff import Value
    >>> x = Value(5.0)
    >>> optimizer = Adagrad([x], learning_rate=0.5)
    >>> (x**2).backward()
    >>> optimizer.step()
    >>> round(x.data, 6)
    4.5

    Raises:
        ValueError, TypeError: as :class:`SGD`.
    """

    def __init__(
        self, parameters: Parameters, learning_rate: float = 0.01, *, eps: float = 1e-10, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, learning_rate, eps=eps, weight_decay=weight_decay)

    @staticmethod
    def rule(w: Any, g: Any, s: Any = 0.0, *, learning_rate: Any, eps: Any, weight_decay: Any) -> dict[str, Any]:
        """s: the sum of the squared gradients."""
        if weight_decay:
            g = g + weight_decay * w
        s = s + square(g)
        w = w - learning_rate * g / (sqrt(s) + eps)
        return {"g": g, "s": s, "w": w}


class RMSprop(Optimizer):
    """Gradients divided by the root of a moving average of their squares.

    Sources: Tieleman, Hinton 2012, "Lecture 6.5: RMSprop"; centered: Graves 2013, arXiv:1308.0850.

    Args:
        parameters: as for :class:`SGD`.
        learning_rate: about how far a number moves in one step; the average of the squares starts at 0, and so the
            first step goes 1 / sqrt(1 - alpha) times as far, ten times by default.
        alpha: how much of the moving averages is kept in a step, from 0 to below 1.
        eps: keeps the division from 0.
        momentum, weight_decay: as for :class:`SGD`.
        centered: divide by the standard deviation of the gradients in place of the root of their mean square.

    >>> from autodiff import Value
    >>> x = Value(5.0)
    >>> optimizer = RMSprop([x])
    >>> (x**2).backward()
    >>> optimizer.step()
    >>> round(x.data, 6)
    4.9

    Raises:
        ValueError, TypeError: as :class:`SGD`.
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float = 0.01,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters,
            learning_rate,
            alpha=alpha,
            eps=eps,
            momentum=momentum,
            centered=centered,
            weight_decay=weight_decay,
        )

    @staticmethod
    def rule(
        w: Any,
        g: Any,
        s: Any = 0.0,
        m: Any = 0.0,
        v: Any = 0.0,
        *,
        learning_rate: Any,
        alpha: Any,
        eps: Any,
        momentum: Any,
        centered: bool,
        weight_decay: Any,
    ) -> dict[str, Any]:
        """s, m: moving averages of the squared gradients and of the gradients; v: the velocity."""
        if weight_decay:
            g = g + weight_decay * w
        s = alpha * s + (1 - alpha) * square(g)
        variance = s
        if centered:
            m = alpha * m + (1 - alpha) * g
            variance = maximum(s - square(m), 0.0)  # rounding must not make it negative
        direction = g / (sqrt(variance) + eps)
        if momentum:
            v = momentum * v + direction
        w = w - learning_rate * (v if momentum else direction)
        return {"g": g, "s": s, "m": m, "variance": variance, "direction": direction, "v": v, "w": w}


class Adam(Optimizer):
    """Adaptive moments: a mean of the gradients, divided by the root of a mean of their squares.

    Sources: Kingma, Ba 2015, arXiv:1412.6980; amsgrad: Reddi, Kale, Kumar 2018, arXiv:1904.09237.

    Args:
        parameters: as for :class:`SGD`.
        learning_rate: about how far a number moves in one step.
        betas: how much of the two moving averages is kept in a step, each from 0 to below 1.
        eps: keeps the division from 0.
        weight_decay: as for :class:`SGD`; see :class:`AdamW` for decay apart from the gradient.
        amsgrad: divide by the largest mean square so far.

    >>> from autodiff import Value
    >>> w = Value(0.5, label="w")
    >>> optimizer = Adam([w])
    >>> ((2 * w - 1.22) ** 2).backward()
    >>> print(optimizer.explain(w))
    Adam, the next step of w (w: the parameter, g: its gradient)
      from w = 0.5, g = -0.88, t = 0, m = 0, v = 0
      with learning_rate = 0.001, beta1 = 0.9, beta2 = 0.999, eps = 1e-08
      1. t = t + 1 = 0 + 1 = 1
      2. m = beta1 * m + (1 - beta1) * g = 0.9 * 0 + (1 - 0.9) * (-0.88) = -0.088
      3. v = beta2 * v + (1 - beta2) * g ** 2 = 0.999 * 0 + (1 - 0.999) * (-0.88) ** 2 = 0.0007744
      4. m_hat = m / (1 - beta1 ** t) = -0.088 / (1 - 0.9 ** 1) = -0.88
      5. v_hat = v / (1 - beta2 ** t) = 0.0007744 / (1 - 0.999 ** 1) = 0.7744
      6. w = w - learning_rate * m_hat / (sqrt(v_hat) + eps) = 0.5 - 0.001 * (-0.88) / (sqrt(0.7744) + 1e-08) = 0.501
    >>> optimizer.step()
    >>> round(w.data, 6)
    0.501

    Raises:
        ValueError, TypeError: as :class:`SGD`.
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, learning_rate, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)

    @staticmethod
    def rule(
        w: Any,
        g: Any,
        t: Any = 0,
        m: Any = 0.0,
        v: Any = 0.0,
        v_max: Any = 0.0,
        *,
        learning_rate: Any,
        betas: tuple[Any, Any],
        eps: Any,
        weight_decay: Any,
        amsgrad: bool,
    ) -> dict[str, Any]:
        """t: the number of the step; m, v: moving averages of the gradients and of their squares."""
        beta1, beta2 = betas
        if weight_decay:
            g = g + weight_decay * w
        t = t + 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * square(g)
        if amsgrad:
            v_max = maximum(v_max, v)
        m_hat = m / (1 - beta1**t)  # the averages start at 0, and are too small at first
        v_hat = (v_max if amsgrad else v) / (1 - beta2**t)
        w = w - learning_rate * m_hat / (sqrt(v_hat) + eps)
        return {"g": g, "t": t, "m": m, "v": v, "v_max": v_max, "m_hat": m_hat, "v_hat": v_hat, "w": w}


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: parameters shrink by ``learning_rate · weight_decay``.

    Source: Loshchilov, Hutter 2019, arXiv:1711.05101, with the decay multiplied by the learning rate as
    PyTorch does.

    Args:
        parameters, learning_rate, betas, eps, amsgrad: as for :class:`Adam`.
        weight_decay: how fast parameters shrink towards 0, beside the step of Adam.

    >>> from autodiff import Value
    >>> x = Value(5.0)
    >>> optimizer = AdamW([x], learning_rate=0.1, weight_decay=0.1)
    >>> (0 * x).backward()  # no gradient: only the decay is left
    >>> optimizer.step()
    >>> round(x.data, 6)
    4.95

    Raises:
        ValueError, TypeError: as :class:`SGD`.
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, learning_rate, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)

    @staticmethod
    def rule(
        w: Any,
        g: Any,
        t: Any = 0,
        m: Any = 0.0,
        v: Any = 0.0,
        v_max: Any = 0.0,
        *,
        learning_rate: Any,
        betas: tuple[Any, Any],
        eps: Any,
        weight_decay: Any,
        amsgrad: bool,
    ) -> dict[str, Any]:
        """First the decay, then Adam."""
        if weight_decay:
            w = (1 - learning_rate * weight_decay) * w
        options = {"learning_rate": learning_rate, "betas": betas, "eps": eps, "amsgrad": amsgrad}
        return {"w_decayed": w, **Adam.rule(w, g, t, m, v, v_max, weight_decay=0.0, **options)}


OPTIMIZERS: dict[str, Function] = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}


def optimizer_named(which: str | Function) -> Function:
    """The class of that name, to be called with parameters and a learning rate; a class of your own as it is.

    >>> optimizer_named("adam")
    <class 'nn.optimizers.rules.Adam'>

    Raises:
        ValueError: no such name; the message suggests the nearest.
        TypeError: neither a name nor a class.
    """
    return lookup("optimizer", which, OPTIMIZERS)
