"""Models of arrays: their forward pass, replayed on batches of one shape, without its graph being built again."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

import autodiff
from autodiff import Tensor, TraceError
from nn.checks import head
from nn.training.compiled import RefusedError, check_hooks, kept, traced

if TYPE_CHECKING:
    from autodiff.compiler.calling.traced import Traced

KEPT = 4  # shapes of batches: whole ones and the last, and others where a callback changes the model


class ArrayForward:
    """What a model of arrays gives for batches.

    >>> import numpy as np
    >>> from nn import Dense
    >>> model, X = Dense(2, 3, seed=0), np.ones((5, 2))
    >>> batch = ArrayForward(model).batch(X)
    >>> bool((batch.forward(X) == model(X).data).all())
    True
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._restless = [module for module in _modules(model) if _changes_in_training(module)]

        def forward(x: Tensor) -> Any:
            return kept(model(x))

        self._compiled = autodiff.compile(forward, in_axes=None, of=Tensor, maxsize=KEPT)
        self._models: dict[Any, ArrayModel] = {}

    def batch(self, X: NDArray[Any]) -> ArrayModel:
        """The model as it is now, for batches of this shape.

        Raises:
            RefusedError: a trace cannot capture what it does, or somebody wants to see every operation or gradient.
        """
        for module in self._restless:
            if module.training and getattr(module, "p", None) != 0:
                what = f"{head(module)} draws random numbers or keeps averages in training"
                raise RefusedError(TraceError(f"{what}, which the replay of a trace would not do"), [])
        batch: ArrayModel = traced(self._compiled, X, self._models, ArrayModel, KEPT)
        check_hooks(batch.parameters)
        return batch


class ArrayModel:
    """A model of arrays as it was traced, for batches of one shape.

    Attributes:
        parameters: the leaves that it computes with.
        carried: which of them carried a gradient when it was traced.
    """

    def __init__(self, trace: Traced) -> None:
        if not isinstance(trace.returned, Tensor) or not trace.returned.ndim:
            raise TraceError("the model gives no Tensor with an output for each sample")
        self.parameters = trace.parameters
        self.carried = [p.requires_grad for p in self.parameters]
        self._trace, self._session = trace, trace.session()

    def forward(self, X: NDArray[Any]) -> NDArray[Any]:
        """The outputs."""
        outputs: NDArray[Any] = self._session.forward(self._trace.numbers(), X)
        return outputs

    def pull(self, gradient: NDArray[Any]) -> list[tuple[Any, NDArray[Any]]]:
        """From d loss / d outputs to each parameter that one flows to, with its gradient, in arrays that are new."""
        gradients = zip(self.parameters, self._session.pull(gradient), strict=True)
        return [(p, found.copy()) for p, found in gradients if found is not None]


def _modules(model: Any) -> list[Any]:
    return [module for _, module in model.named_modules()] if hasattr(model, "named_modules") else []


def _changes_in_training(module: Any) -> bool:
    """Whether it is a layer of nn that asks whether it is being trained, as Dropout and BatchNorm do."""
    own = [f for kind in type(module).__mro__ if kind.__module__.startswith("nn.layers") for f in vars(kind).values()]
    return any("training" in f.__code__.co_names for f in own if isinstance(f, FunctionType))
