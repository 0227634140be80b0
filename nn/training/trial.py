"""A trial before training: what does not fit is found before anything is learnt."""

from __future__ import annotations

import numpy as np

from autodiff import no_grad
from nn.losses import LOSSES
from nn.metrics import METRICS
from nn.training.plan import Plan
from nn.training.prediction import measured, switched
from nn.training.samples import Rows

MOST = 1 << 20  # numbers, about, that targets are compared with at a time


def try_out(plan: Plan) -> None:
    """Run the model on the first samples and compare what it gives with all targets, before anything is learnt.

    So a wrong number of features, a label out of range or outputs that do not fit are found at once. Losses and
    metrics of the caller's own may count their calls, or draw random numbers: they are left alone.

    Raises:
        ValueError, TypeError, IndexError: as the model and the loss say it.
    """
    if getattr(plan.loss, "func", plan.loss) not in LOSSES.values():
        return
    ours = {
        name: metric for name, metric in plan.metrics.items() if getattr(metric, "func", metric) in METRICS.values()
    }
    with switched(plan.model, training=False), no_grad():
        for samples, which in ((plan.samples, "training"), (plan.held_out, "validation")):
            if samples is None:
                continue
            rows = np.arange(1 if isinstance(samples, Rows) else min(plan.batch_size, len(samples)))
            first = samples.outputs(rows)
            step = max(1, MOST // samples.numbers(first, len(rows))[0].size)
            for start in range(0, len(samples), step):
                targets = np.asarray(samples.y[start : start + step])
                outputs = samples.like_first(first, len(targets))
                try:
                    plan.loss(outputs, targets)
                    if len(targets) == len(samples):
                        measured(ours, samples.numbers(outputs), np.asarray(targets))
                except (ValueError, TypeError, IndexError) as error:
                    error.add_note(f"in the {which} data, counted from sample {start}")
                    raise
