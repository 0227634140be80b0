"""Initializers: the numbers that weights start with.

Each is a function ``(shape, rng) -> array`` of float64, drawn from the generator that it is given and from no
other. Shapes are those of weights, (outputs, inputs, *kernel): an output sees fan_in = inputs · (size of the
kernel) numbers, and an input is seen by fan_out = outputs · (size of the kernel).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps

import numpy as np
from numpy.typing import NDArray

from nn.lookup import Function, lookup, name_of

Shape = tuple[int, ...]
Array = NDArray[np.float64]
Initializer = Callable[[Shape, np.random.Generator], Array]


def initializer(which: str | Function) -> Initializer:
    """The initializer of that name; or a function ``(shape, rng) -> array`` of your own, with what it gives checked.

    >>> rng = np.random.default_rng(0)
    >>> initializer("he_normal")((3, 2), rng).shape
    (3, 2)
    >>> initializer(lambda shape, rng: 0.1 * rng.normal(size=shape))((3, 2), rng).shape
    (3, 2)

    Raises:
        ValueError: no such name, and the message suggests the nearest; later, a function of your own gives
            an array of another shape, or one with a NaN or an infinity.
        TypeError: neither a name nor a function; later, a function of your own gives no numbers.
    """
    function = lookup("initializer", which, INITIALIZERS)
    return function if function in INITIALIZERS.values() else _checked(function)


# ── without chance ───────────────────────────────────────────────────────────────────────────────────
def zeros(shape: Shape, rng: np.random.Generator) -> Array:
    """All 0: for biases. Weights that are all equal would stay equal for ever."""
    return np.zeros(shape)


def ones(shape: Shape, rng: np.random.Generator) -> Array:
    """All 1: for the scales of a normalization."""
    return np.ones(shape)


def constant(value: float) -> Initializer:
    """The initializer that gives ``value`` everywhere.

    >>> constant(0.5)((2,), np.random.default_rng(0))
    array([0.5, 0.5])
    """
    value = float(value)

    def constant(shape: Shape, rng: np.random.Generator) -> Array:
        return np.full(shape, value)

    return constant


def identity(shape: Shape, rng: np.random.Generator) -> Array:
    """1 on the diagonal, else 0: a layer that passes its inputs on.

    Source: Le, Jaitly, Hinton 2015, arXiv:1504.00941, for the recurrent weights of rectifiers.

    Raises:
        ValueError: the shape is not (outputs, inputs).
    """
    if len(shape) != 2:
        raise ValueError(f"identity is a matrix of shape (outputs, inputs), and was asked for the shape {shape}")
    return np.eye(*shape)


# ── of a spread that you choose ──────────────────────────────────────────────────────────────────────
def uniform(shape: Shape, rng: np.random.Generator, low: float = 0.0, high: float = 1.0) -> Array:
    """Uniform from ``low`` to ``high``. For other bounds than 0 and 1: ``partial(uniform, low=-0.1, high=0.1)``.

    >>> from functools import partial
    >>> bool(abs(initializer(partial(uniform, low=-0.1, high=0.1))((9, 9), np.random.default_rng(0))).max() < 0.1)
    True
    """
    return rng.uniform(low, high, shape)


def normal(shape: Shape, rng: np.random.Generator, mean: float = 0.0, std: float = 1.0) -> Array:
    """Normal, with that mean and standard deviation. For others than 0 and 1: ``partial(normal, std=0.02)``."""
    return rng.normal(mean, std, shape)


# ── of a spread that keeps the power of the signal ───────────────────────────────────────────────────
def glorot_uniform(shape: Shape, rng: np.random.Generator) -> Array:
    """Uniform with variance 2 / (fan_in + fan_out): keeps the power of signals and of gradients, for tanh.

    Source: Glorot, Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".

    Raises:
        ValueError: the shape has no fans: it is not (outputs, inputs, *kernel), each at least 1.
    """
    return _uniform(shape, rng, 2 / sum(fans(shape)))


def glorot_normal(shape: Shape, rng: np.random.Generator) -> Array:
    """Normal with variance 2 / (fan_in + fan_out). Source and errors: :func:`glorot_uniform`."""
    return rng.normal(0.0, math.sqrt(2 / sum(fans(shape))), shape)


def he_uniform(shape: Shape, rng: np.random.Generator) -> Array:
    """Uniform with variance 2 / fan_in: keeps the power of signals through rectifiers.

    Source: He, Zhang, Ren, Sun 2015, arXiv:1502.01852.

    Raises:
        ValueError: the shape has no fans: it is not (outputs, inputs, *kernel), each at least 1.
    """
    return _uniform(shape, rng, 2 / fans(shape)[0])


def he_normal(shape: Shape, rng: np.random.Generator) -> Array:
    """Normal with variance 2 / fan_in, drawn as a Layer of neurons draws. Source and errors: :func:`he_uniform`."""
    return rng.normal(0.0, math.sqrt(2) / math.sqrt(fans(shape)[0]), shape)


def lecun_uniform(shape: Shape, rng: np.random.Generator) -> Array:
    """Uniform with variance 1 / fan_in: keeps the power of signals, for tanh and selu.

    Source: LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp"; Klambauer et al. 2017, arXiv:1706.02515.

    Raises:
        ValueError: the shape has no fans: it is not (outputs, inputs, *kernel), each at least 1.
    """
    return _uniform(shape, rng, 1 / fans(shape)[0])


def lecun_normal(shape: Shape, rng: np.random.Generator) -> Array:
    """Normal with variance 1 / fan_in, drawn as a Layer of neurons draws. Source and errors: :func:`lecun_uniform`.

    >>> from nn import Layer
    >>> weights = lecun_normal((3, 2), np.random.default_rng(7))
    >>> weights.tolist() == [[w.data for w in neuron.weights] for neuron in Layer(2, 3, "tanh", seed=7).neurons]
    True
    """
    return rng.normal(0.0, 1 / math.sqrt(fans(shape)[0]), shape)


def orthogonal(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> Array:
    """``gain`` times a matrix with orthonormal rows, or columns where they are fewer: directions keep their length.

    Kernels are flattened, to (outputs, inputs · size of the kernel). Drawn evenly from all such matrices: the Q
    of a normal matrix, with the signs of R's diagonal. For another gain: ``partial(orthogonal, gain=2**0.5)``.

    Sources: Saxe, McClelland, Ganguli 2013, arXiv:1312.6120; Mezzadri 2007, arXiv:math-ph/0609050.

    >>> W = orthogonal((2, 3), np.random.default_rng(0))
    >>> np.allclose(W @ W.T, np.eye(2), rtol=0, atol=1e-14)
    True

    Raises:
        ValueError: the shape is not (outputs, inputs, *kernel), each at least 1.
    """
    outputs, inputs = shape[0], fans(shape)[0]
    tall = rng.normal(size=(max(outputs, inputs), min(outputs, inputs)))
    Q, R = np.linalg.qr(tall)
    Q *= np.where(np.diagonal(R) < 0, -gain, gain)
    return np.ascontiguousarray(Q if outputs >= inputs else Q.T).reshape(shape)


INITIALIZERS: dict[str, Initializer] = {
    "zeros": zeros,
    "ones": ones,
    "identity": identity,
    "uniform": uniform,
    "normal": normal,
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "xavier_uniform": glorot_uniform,
    "xavier_normal": glorot_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "kaiming_uniform": he_uniform,
    "kaiming_normal": he_normal,
    "lecun_uniform": lecun_uniform,
    "lecun_normal": lecun_normal,
    "orthogonal": orthogonal,
}


def fans(shape: Shape) -> tuple[int, int]:
    """How many numbers an output sees, and how many an input is seen by.

    >>> fans((16, 3, 5, 5))  # 16 outputs, 3 inputs, kernels of 5 by 5
    (75, 400)

    Raises:
        ValueError: the shape is not (outputs, inputs, *kernel), each at least 1.
    """
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"weights have a shape (outputs, inputs, *kernel), each at least 1; this one is {shape}")
    outputs, inputs, *kernel = shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _uniform(shape: Shape, rng: np.random.Generator, variance: float) -> Array:
    bound = math.sqrt(3 * variance)
    return rng.uniform(-bound, bound, shape)


def _checked(function: Function) -> Initializer:
    """``function``, with an error where it does not give what weights can start with."""

    @wraps(function)
    def draw(shape: Shape, rng: np.random.Generator) -> Array:
        given = np.asarray(function(shape, rng))
        start = f"the initializer {name_of(function)} gave"
        if given.dtype.kind not in "biuf":
            raise TypeError(f"{start} {given.dtype} values; expected real numbers of shape {shape}")
        if given.shape != tuple(shape):
            raise ValueError(f"{start} an array of shape {given.shape}; expected {shape}")
        if not np.isfinite(given).all():
            raise ValueError(f"{start} a NaN or an infinity; expected finite numbers")
        return np.array(given, float)

    return draw
