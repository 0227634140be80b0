"""predict and evaluate: what a trained model says, and how good that is. Nothing is learnt or recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, no_grad
from nn.checks import size
from nn.lookup import Function, name_of
from nn.losses import loss_named
from nn.metrics import metric_named
from nn.training.compiled import Forward, RefusedError, score
from nn.training.samples import Model, Rows, Samples, samples_for

WORTH = 32  # rows for which a model of Values is compiled that is only asked for its outputs
BATCH = 256  # samples at a time where nothing is recorded: enough to be quick, little enough for memory


def predict(model: Model, X: Any, *, batch_size: int = BATCH, compile: bool | None = None) -> NDArray[Any]:
    """The outputs of ``model`` for samples ``X``.

    Args:
        model: it is switched to evaluation meanwhile (no Dropout).
        X: n samples, as :func:`nn.fit` takes them.
        batch_size: how many of them an array model sees at a time, which bounds the memory it takes.
        compile: whether a model of Values is compiled, as :func:`nn.fit` does it. None compiles it for 32 rows or more,
            where that can be done: to call it on fewer is quicker than to compile it.

    Shapes: of a model of single numbers (n,) for a single output, else (n, outputs); of a model of arrays
    (n, ...), as the model gives it.

    >>> from nn import Network
    >>> predict(Network([2, 3, 2], seed=0), [[0.0, 0.0]])
    array([[0., 0.]])

    Raises:
        ValueError, TypeError: as :func:`nn.fit`, for X; TraceError, where ``compile`` is True, too.
    """
    samples = samples_for(model, X, columns=getattr(model, "columns_", None))
    return samples.numbers(outputs_of(samples, size(batch_size, "batch_size"), compile))


def evaluate(
    model: Model,
    X: Any,
    y: Any,
    *,
    loss: str | Function | None = None,
    metrics: Iterable[str | Function] = (),
    batch_size: int = BATCH,
    compile: bool | None = None,
) -> dict[str, float]:
    """The loss of ``model`` on samples ``X`` with targets ``y``, and the metrics, by name; see :func:`predict`.

    >>> from nn import Network
    >>> model = Network([1, 1], seed=0)
    >>> model.layers[0].neurons[0].weights[0].data = 2.0
    >>> evaluate(model, [[1.0], [2.0]], [2.0, 5.0])
    {'loss': 0.5}

    Raises:
        ValueError, TypeError: as :func:`nn.fit`.
    """
    samples = samples_for(model, X, y, columns=getattr(model, "columns_", None))
    loss = loss_of(model, loss)
    return scores(samples, loss, metrics_named(metrics, loss), size(batch_size, "batch_size"), compile)


def scores(
    samples: Samples,
    loss: Function,
    metrics: dict[str, Function],
    batch_size: int = BATCH,
    compile: bool | None = False,
) -> dict[str, float]:
    """The loss and the metrics of all samples at once, so that they do not depend on the size of batches."""
    return scores_of(outputs_of(samples, batch_size, compile), samples, loss, metrics)


def scores_of(outputs: Any, samples: Samples, loss: Function, metrics: dict[str, Function]) -> dict[str, float]:
    """The loss and the metrics of outputs that are there; those of a compiled model are an array."""
    array = samples.numbers(outputs)
    with no_grad():
        found = {"loss": number(score(loss, outputs, samples.y), "the loss")}
    return found | measured(metrics, array, np.asarray(samples.y))


def measured(metrics: dict[str, Function], predictions: NDArray[Any], targets: NDArray[Any]) -> dict[str, float]:
    """Each metric as a float."""
    found = {}
    for name, metric in metrics.items():
        found[name] = number(metric(predictions, targets), f"the metric {name}")
    return found


def outputs_of(samples: Samples, batch_size: int = BATCH, compile: bool | None = False) -> Any:
    """What the model gives for all samples, switched to evaluation: of a compiled model, an array."""
    known: list[Any] = []
    with switched(samples.model, training=False), no_grad():
        if isinstance(samples, Rows) and (compile or (compile is None and len(samples) >= WORTH)):
            try:
                return Forward(samples.model).outputs(np.array(samples.X, float))
            except RefusedError as refused:
                if compile:
                    raise refused.why from None
                known = refused.outputs
        return samples.all_outputs(batch_size, known)


@contextmanager
def switched(model: Model, *, training: bool) -> Iterator[None]:
    """The model and all in it in training or in evaluation, and afterwards each as it was."""
    modules = [module for _, module in model.named_modules()] if hasattr(model, "named_modules") else []
    before = [module.training for module in modules]
    try:
        for module in modules:
            module.training = training
        yield
    finally:
        for module, was in zip(modules, before, strict=True):
            module.training = was


def loss_of(model: Model, loss: str | Function | None) -> Function:
    """The loss of that name; without one, the model's ``default_loss``, or the mean squared error."""
    return loss_named(getattr(model, "default_loss", "mse") if loss is None else loss)


def metrics_named(metrics: Iterable[str | Function], loss: Function) -> dict[str, Function]:
    """Metrics by what they are called in a history; ``loss`` says what the scores of the model mean.

    Raises:
        ValueError: no such name; or two of one name.
        TypeError: neither names nor functions.
    """
    given = [metrics] if isinstance(metrics, str) or callable(metrics) else list(metrics)
    named = {}
    for metric in given:
        function = metric_named(metric, loss)
        name = metric if isinstance(metric, str) else name_of(metric)
        if name in named or name == "loss":
            raise ValueError(f"two measures are called {name!r}; give one of them another __name__")
        named[name] = function
    return named


def number(x: Any, what: str) -> float:
    """One number as a float: of a node, what it holds.

    Raises:
        TypeError: there are more of them; the message calls them ``what``.
    """
    data = x.data if isinstance(x, Node) else x
    if np.size(data) != 1:
        raise TypeError(f"{what} gives an array of shape {np.shape(data)}; expected one number, such as a mean")
    return float(np.asarray(data).item())
