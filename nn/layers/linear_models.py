"""Linear models: regressions whose weights can be read, and deep networks without activations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import no_grad, sigmoid, softmax
from nn.checks import Seed, size
from nn.initializers import Initializer
from nn.layers.dense import Linear
from nn.sequential import Sequential
from nn.training.prediction import BATCH, predict


class LinearRegression(Linear):
    """Linear regression: ``x @ weight.T + bias``, by default trained on the mean squared error.

    Its loss has one minimum, which ``np.linalg.lstsq`` finds at once, and gradient descent step by step.

    Args:
        inputs: how many features x has.
        outputs: how many numbers are predicted.

    Shapes: x (N, inputs); output (N, outputs); weight (outputs, inputs); bias (outputs,). Both start at 0.

    >>> model = LinearRegression(2)
    >>> model.weight.data, model.bias.data = [[2.0, -1.0]], [0.5]
    >>> model.predict([[1.0, 1.0], [0.0, 0.5]])
    array([1.5, 0. ])

    Raises:
        ValueError: as :class:`Dense`.
    """

    default_loss = "mse"

    def __init__(self, inputs: int, outputs: int = 1) -> None:
        super().__init__(inputs, outputs, initializer="zeros")

    def predict(self, X: Any, *, batch_size: int = BATCH, compile: bool | None = None) -> NDArray[Any]:
        """The predictions for rows X: shape (n,) for a single output, else (n, outputs).

        Raises:
            ValueError, TypeError: as :func:`nn.predict`.
        """
        predictions = predict(self, X, batch_size=batch_size, compile=compile)
        return predictions[..., 0] if self.outputs == 1 else predictions


class LogisticRegression(Linear):
    """Logistic regression: the logarithms of the odds of each class are linear in x.

    Called on x it gives logits: for two classes one, of class 1; else one for each class. So by default it is trained
    on the cross-entropy of logits; targets are class indices. ``predict_proba`` gives probabilities.

    Source: Cox 1958, "The regression analysis of binary sequences"; Bishop 2006, "Pattern Recognition and Machine
    Learning", section 4.3.

    Args:
        inputs: how many features x has.
        classes: how many classes there are, at least 2.

    Shapes: x (N, inputs); output (N, 1) for two classes, else (N, classes); weight (1 or classes, inputs); bias
    (1 or classes,). Both start at 0.

    >>> model = LogisticRegression(1)
    >>> model.weight.data, model.bias.data = [[2.0]], [-1.0]
    >>> model.predict_proba([[0.5], [3.0]]).round(3)
    array([[0.5  , 0.5  ],
           [0.007, 0.993]])
    >>> model.predict([[0.4], [3.0]])
    array([0, 1])

    Raises:
        ValueError: fewer than one input or two classes.
    """

    def __init__(self, inputs: int, classes: int = 2) -> None:
        self.classes = size(classes, "classes", least=2)
        super().__init__(inputs, 1 if classes == 2 else classes, initializer="zeros")
        self.default_loss = "binary_cross_entropy_with_logits" if classes == 2 else "cross_entropy"

    def predict_proba(self, X: Any, *, batch_size: int = BATCH) -> NDArray[Any]:
        """The probability of each class for rows X, of shape (n, classes); every row adds up to 1.

        Raises:
            ValueError, TypeError: as :func:`nn.predict`.
        """
        logits = predict(self, X, batch_size=batch_size)
        both = np.concatenate([sigmoid(-logits), sigmoid(logits)], axis=-1) if self.classes == 2 else softmax(logits)
        return np.asarray(both)

    def predict(self, X: Any, *, batch_size: int = BATCH, compile: bool | None = None) -> NDArray[Any]:
        """The most probable class of rows X, of shape (n,).

        Raises:
            ValueError, TypeError: as :func:`nn.predict`.
        """
        logits = predict(self, X, batch_size=batch_size, compile=compile)
        return (logits[..., 0] > 0).astype(int) if self.classes == 2 else logits.argmax(axis=-1)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.inputs}, classes={self.classes}"


class LinearNetwork(Sequential):
    """A deep network without activations: ``x @ W1.T @ W2.T ...``, together no more than one matrix.

    What it can say is linear, but how it learns is not: it keeps still on plateaus and then learns one direction of
    the data after another, the strongest first.

    Source: Saxe, McClelland, Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", arXiv:1312.6120.

    Args:
        sizes: how many numbers go in, then how many each layer gives: ``[8, 16, 4]``.
        bias: whether each layer adds one; the theory has none.
        initializer: of the weights, as for :class:`Dense`; small weights give long plateaus.
        seed: an integer, or the NumPy generator to draw the weights from; None draws others every time.

    Shapes: x (..., sizes[0]); output (..., sizes[-1]).

    >>> model = LinearNetwork([3, 5, 2], seed=0)
    >>> x = np.array([1.0, -2.0, 0.5])
    >>> np.allclose(model(x).data, model.weight @ x, rtol=1e-12)
    True

    Raises:
        ValueError: fewer than two sizes, a size below one, an unknown initializer.
    """

    default_loss = "mse"

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        bias: bool = False,
        initializer: str | Initializer | None = None,
        seed: Seed = None,
    ) -> None:
        self.sizes = [size(n, "each size") for n in sizes]
        if len(self.sizes) < 2:
            raise ValueError(f"sizes are the inputs and then each layer, such as [8, 16, 4]; given {self.sizes}")
        rng = np.random.default_rng(seed)
        layers = [Linear(i, o, bias=bias, initializer=initializer, seed=rng) for i, o in pairwise(self.sizes)]
        super().__init__(*layers)

    @property
    def inputs(self) -> int:
        """How many features a row has."""
        return self.sizes[0]

    @property
    def weight(self) -> NDArray[Any]:
        """The one matrix that all layers amount to, of shape (sizes[-1], sizes[0])."""
        matrices = [layer.weight.data for layer in self]
        return np.asarray(reduce(lambda before, W: W @ before, matrices))

    @property
    def bias(self) -> NDArray[Any]:
        """What the network gives for an input of zeros, of shape (sizes[-1],)."""
        with no_grad():
            return np.asarray(self(np.zeros(self.inputs)).data)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.sizes}{'' if self[0].bias is None else ', bias=True'}"
