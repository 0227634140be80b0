"""Ways to make a step: node by node, or through a compiled model; and the loss of a batch, on either way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Node, Tensor
from nn.optimizers.clipping import clipped
from nn.training.callbacks import Checkpoint
from nn.training.compiled import Forward, RefusedError, as_values, gradients_of, on_arrays
from nn.training.compiled_arrays import ArrayForward
from nn.training.held import Held, hand_out
from nn.training.prediction import scores, scores_of, switched
from nn.training.stop_on_nan import StopOnNaN

if TYPE_CHECKING:
    from nn.training.loop import Training


class Eagerly:
    """The model is called on every batch, and its graph is walked back: what fit did if nothing were compiled.

    Attributes:
        why: what stood in the way of compiling, if something did.
    """

    def __init__(self, training: Training, why: Exception | None = None) -> None:
        self.training = training
        self.why = why

    def gradients(self, rows: NDArray[np.intp], first: Any = ()) -> Any:
        """The outputs for these samples; the loss and its gradients are where they belong.

        Args:
            rows: the samples.
            first: the outputs for the first of them, where they are known.
        """
        training = self.training
        training.optimizer.zero_grad()
        outputs, loss = training.forward(rows, first)
        training.batch_loss = float(loss.data)
        loss.backward()
        return outputs

    def look(self) -> None:
        """Let others see the gradients, clip them, and refuse what is no number."""
        training = self.training
        training.show_gradients()
        _check_loss(training)
        if training.plan.clip is not None:
            training.plan.clip(training.named_parameters)
        _check_gradients(training)

    def move(self) -> None:
        """Make the step."""
        self.training.optimizer.step()

    def settle(self) -> None:
        """Let everybody see the parameters and gradients as they are."""

    def validation(self) -> dict[str, float]:
        """The loss and the metrics of what is held out."""
        plan = self.training.plan
        assert plan.held_out is not None
        return scores(plan.held_out, plan.loss, plan.metrics)


class OnRows(Eagerly):
    """A model of single numbers, compiled: its batches run through matrices.

    While nobody looks, the numbers of its parameters stand in one vector, which the optimizer moves as a whole; the
    Values get them back before somebody does: a callback, a checkpoint, a metric that a user has written.
    """

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        samples = training.plan.samples
        self.forward = Forward(training.plan.model)
        self.X, self.y = np.array(samples.X, float), np.asarray(samples.y)
        self.loss = on_arrays(training.plan.loss)
        self.quiet = self.loss is not None and not _watched(training)
        self.held: Held | None = None

    def gradients(self, rows: NDArray[np.intp], first: Any = ()) -> Any:
        """The same, through the compiled model."""
        X = self.X[rows]
        held = self.held if self.held is not None else self._hold(X)
        session = held.traced.session(len(rows))
        if held.steps is None:
            self.training.optimizer.zero_grad()
        array = session.forward(held.numbers, X)
        leaves: Any = as_values(array) if self.loss is None else Tensor(array)
        loss = self._loss(leaves, rows)
        self.training.batch_loss = float(loss.data)
        loss.backward()
        gradient, seen = gradients_of(leaves) if self.loss is None else (leaves.grad, None)
        if seen != []:
            where = held.traced.trained(seen)
            held.gradient = session.pull(gradient)
            if held.steps is None:
                held.hand_out(where)
        return leaves

    def look(self) -> None:
        """The same, on the vector where there is one."""
        held, training = self.held, self.training
        if held is None or held.steps is None:
            super().look()
            return
        g, clip = held.gradient, training.plan.clip
        if not math.isfinite(training.batch_loss):
            g = None
        elif clip is not None:
            (bound,) = clip.keywords.values()  # type: ignore[attr-defined]
            g = clipped(clip.func, g[held.steps.order], bound)  # type: ignore[attr-defined]
            if g is not None:
                held.gradient = g = _placed(g, held.steps.order, held.gradient)
        if g is None or not np.isfinite(g[held.where]).all():
            self.settle()  # and the parameters say by name what is wrong
            super().look()

    def move(self) -> None:
        """Move the vector, or the Values."""
        held = self.held
        if held is not None and held.steps is not None:
            held.steps.step(held.numbers, held.gradient)
            held.moved = True
            return
        super().move()
        self.held = None

    def settle(self) -> None:
        """Give the Values what the vector holds."""
        held, self.held = self.held, None
        if held is not None and held.steps is not None:
            held.put_back()

    def validation(self) -> dict[str, float]:
        """The same, through the compiled model."""
        plan = self.training.plan
        samples = plan.held_out
        assert samples is not None
        try:
            outputs = self._outputs(np.array(samples.X, float))
        except RefusedError:  # what it does in evaluation cannot be captured
            self.settle()
            return super().validation()
        return scores_of(outputs, samples, plan.loss, plan.metrics)

    def _outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """What the model gives for all rows in evaluation."""
        held = self.held if self.held is not None else self._hold(X)
        if not held.traced.switches:
            return held.traced.outputs(X, held.numbers)
        self.settle()
        with switched(self.forward.model, training=False):
            return self.forward.outputs(X)

    def _hold(self, X: NDArray[Any]) -> Held:
        traced = self.forward.traced(X)
        if not traced.check():
            self.forward = Forward(self.forward.model)
            traced = self.forward.traced(X)
        self.held = Held(traced)
        if self.quiet:
            self.held.bind(self.training.optimizer)
        return self.held

    def _loss(self, outputs: Any, rows: NDArray[np.intp]) -> Any:
        plan = self.training.plan
        if self.loss is not None:
            return checked_loss(self.loss(outputs, self.y[rows]))
        return checked_loss(plan.loss(outputs, plan.samples.targets(rows)))


class OnArrays(Eagerly):
    """A model of arrays, compiled: its graph is not built again for every batch."""

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self.forward = ArrayForward(training.plan.model)

    def gradients(self, rows: NDArray[np.intp], first: Any = ()) -> Any:
        """The same, through the compiled model."""
        training, plan = self.training, self.training.plan
        X: Any = plan.samples.X[rows]
        batch = self.forward.batch(X)
        if batch.carried != [p.requires_grad for p in batch.parameters]:
            self.forward = ArrayForward(plan.model)
            batch = self.forward.batch(X)
        training.optimizer.zero_grad()
        outputs = Tensor(batch.forward(X))
        loss = checked_loss(plan.loss(outputs, plan.samples.targets(rows)))
        training.batch_loss = float(loss.data)
        loss.backward()
        if outputs.grad is not None:
            hand_out(batch.pull(outputs.grad))
        return outputs


def way_for(training: Training) -> Eagerly:
    """How to make the steps of this training: compiled, if nothing is known that stands in the way.

    Raises:
        TraceError: it was asked to be compiled, and cannot be.
    """
    from nn.training.samples import Rows

    plan = training.plan
    if plan.compile is False:
        return Eagerly(training)
    return OnRows(training) if isinstance(plan.samples, Rows) else OnArrays(training)


def checked_loss(loss: Any) -> Any:
    """The loss of a batch, which is one number.

    Raises:
        TypeError: it is not, or is no node.
    """
    if not isinstance(loss, Node):
        raise TypeError(f"the loss is {loss!r}, a plain {type(loss).__name__}: compute it from the predictions")
    if np.ndim(loss.data):
        raise TypeError(f"the loss of a batch has shape {np.shape(loss.data)}; expected one number, such as a mean")
    return loss


def _check_loss(training: Training) -> None:
    if not math.isfinite(training.batch_loss):
        raise FloatingPointError(
            f"the loss is {training.batch_loss:.4g} in epoch {training.epoch}, batch {training.batch + 1}; try a "
            "smaller learning rate, or see with callbacks=[StopOnNaN()] where it comes from"
        )


def _check_gradients(training: Training) -> None:
    for name, p in training.named_parameters:
        if p.grad is not None and not _finite(p.grad):
            place = f"in epoch {training.epoch}, batch {training.batch + 1}, though the loss is"
            hint = "see with callbacks=[StopOnNaN()] where it comes from"
            raise FloatingPointError(f"the gradient of {name} is not finite {place} {training.batch_loss:.4g}; {hint}")


@np.errstate(all="ignore")
def _finite(gradient: Any) -> bool:
    if isinstance(gradient, np.ndarray):
        total = np.add.reduce(gradient, axis=None)  # quick, and finite nearly always where the numbers are
        return bool(np.isfinite(total) or np.isfinite(gradient).all())
    return math.isfinite(gradient)


def _watched(training: Training) -> bool:
    """Whether somebody looks at the parameters between two steps of an epoch, or may."""
    callbacks = [hook.__self__ for event in ("on_gradients", "on_batch_end") for hook in training.hooks[event]]
    idle = [type(c) is StopOnNaN or (type(c) is Checkpoint and not c.every_batches) for c in callbacks]
    of_ours = type(training.plan.schedule).__module__.startswith("nn.")
    return not all(idle) or (training.plan.per_batch and not of_ours)


def _placed(part: NDArray[Any], order: Any, whole: NDArray[Any]) -> NDArray[Any]:
    placed = whole.copy()
    placed[order] = part
    return placed
