"""PyTorch's losses in float64, with every reduction. Run: python -m tests.nn.reference.make_losses

For "none" the gradient is that of sum(g * loss), with g as stored. Classes are in the last axis here, and moved to
the second for PyTorch. What PyTorch has under no name of its own (hinge) is written with its operations.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

rng = np.random.default_rng(11)
N, K = 7, 4
NUMBERS, OTHERS = rng.normal(0, 2, N), rng.normal(0, 2, N)
ROWS, OTHER_ROWS = rng.normal(0, 2, (N, K)), rng.normal(0, 2, (N, K))
SEQUENCES = rng.normal(0, 2, (2, 3, K))
P = rng.uniform(0.02, 0.98, N)
HARD, SOFT = rng.integers(0, 2, N), rng.uniform(0, 1, N)
LABELS, LABELS_T = rng.integers(0, K, N), rng.integers(0, K, (2, 3))
SHARES = rng.dirichlet(np.ones(K), N)
SPARSE = np.where(SHARES > 0.2, SHARES, 0)
SPARSE /= SPARSE.sum(axis=1, keepdims=True)
FAR = np.array([-1e4, -745, -40, -1e-9, 0, 1e-9, 40, 745, 1e4])
FAR_ROWS = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [40, 0, -40], [745, -745, 1], [0, 0, 0], [-1e-9, 1e-9, 0]])
SHIFTED = np.array([[1e4, 9970, 9999.5], [-9999, -1e4, -1e4], [745, 744, 730]])
DIAGONAL = rng.normal(0, 2, (3, 3))


def last(x: Any) -> Any:
    """The classes from the last axis to the second."""
    return x.movedim(-1, 1) if x.ndim > 2 else x


def log_of(x: Any) -> Any:
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def cross_entropy(z: Any, t: Any, reduction: str, **options: Any) -> Any:
    t = torch.tensor(t)
    return F.cross_entropy(last(z), last(t) if t.ndim == z.ndim else t, reduction=reduction, **options)


def reduced(terms: Any, reduction: str) -> Any:
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda terms: terms}[reduction](terms)


def hinge(s: Any, t: Any, reduction: str, multiclass: str = "weston-watkins") -> Any:
    t = torch.tensor(t)
    if s.shape == t.shape:
        return reduced(torch.clamp(1 - t * s, min=0), reduction)
    if multiclass == "weston-watkins":
        return F.multi_margin_loss(s, t, reduction=reduction) * s.shape[-1]  # PyTorch divides by the classes
    margins = 1 + s - s.gather(1, t[:, None])
    wrong = F.one_hot(t, s.shape[-1]) == 0
    return reduced(torch.clamp(margins[wrong].reshape(len(t), -1).max(dim=1).values, min=0), reduction)


def of(function: Any) -> Any:
    return lambda p, t, reduction, **options: function(
        p, torch.tensor(t, dtype=torch.float64), reduction=reduction, **options
    )


LOSSES: dict[str, Any] = {
    "mse": of(F.mse_loss),
    "mae": of(F.l1_loss),
    "huber": of(F.huber_loss),
    "binary_cross_entropy": of(F.binary_cross_entropy),
    "binary_cross_entropy_with_logits": of(F.binary_cross_entropy_with_logits),
    "cross_entropy": cross_entropy,
    "nll": lambda x, t, reduction: F.nll_loss(last(x), torch.tensor(t), reduction=reduction),
    "hinge": hinge,
    "kl_divergence": of(F.kl_div),
}

# name: (loss, predictions, targets, options)
CASES: dict[str, tuple[str, Any, Any, dict[str, Any]]] = {
    "mse": ("mse", NUMBERS, OTHERS, {}),
    "mse of rows": ("mse", ROWS, OTHER_ROWS, {}),
    "mse far": ("mse", FAR, FAR[::-1].copy(), {}),
    "mae": ("mae", NUMBERS, OTHERS, {}),
    "mae of rows, some equal": ("mae", ROWS, np.where(ROWS > 0, ROWS, OTHER_ROWS), {}),
    "mae far": ("mae", FAR, FAR[::-1].copy(), {}),
    "huber": ("huber", NUMBERS, OTHERS, {}),
    "huber delta=0.3": ("huber", ROWS, OTHER_ROWS, {"delta": 0.3}),
    "huber delta=5": ("huber", ROWS, OTHER_ROWS, {"delta": 5.0}),
    "huber far": ("huber", FAR, FAR[::-1].copy(), {"delta": 2.0}),
    "huber on the bound": ("huber", np.array([1.0, -1.0, 0.0]), np.zeros(3), {}),
    "bce, hard": ("binary_cross_entropy", P, HARD, {}),
    "bce, soft": ("binary_cross_entropy", P, SOFT, {}),
    "bce of columns": ("binary_cross_entropy", P[:, None], SOFT[:, None], {}),
    "bce, nearly sure": ("binary_cross_entropy", np.array([1e-6, 1 - 1e-6, 1e-11]), np.array([1, 0, 0]), {}),
    "bce, bound": ("binary_cross_entropy", np.array([0.0, 1.0, 0.0, 1.0, 1e-60]), np.array([1, 0, 0, 1, 1]), {}),
    "logits, hard": ("binary_cross_entropy_with_logits", NUMBERS, HARD, {}),
    "logits, soft": ("binary_cross_entropy_with_logits", ROWS, SHARES, {}),
    "logits far, 0": ("binary_cross_entropy_with_logits", FAR, np.zeros(len(FAR)), {}),
    "logits far, 1": ("binary_cross_entropy_with_logits", FAR, np.ones(len(FAR)), {}),
    "logits far, soft": ("binary_cross_entropy_with_logits", FAR, np.full(len(FAR), 0.3), {}),
    "labels": ("cross_entropy", ROWS, LABELS, {}),
    "labels of sequences": ("cross_entropy", SEQUENCES, LABELS_T, {}),
    "labels, smooth": ("cross_entropy", ROWS, LABELS, {"label_smoothing": 0.1}),
    "labels of sequences, smooth": ("cross_entropy", SEQUENCES, LABELS_T, {"label_smoothing": 0.3}),
    "labels, all smooth": ("cross_entropy", ROWS, LABELS, {"label_smoothing": 1.0}),
    "one-hot": ("cross_entropy", ROWS, np.eye(K)[LABELS], {}),
    "one-hot, smooth": ("cross_entropy", ROWS, np.eye(K)[LABELS], {"label_smoothing": 0.2}),
    "probabilities": ("cross_entropy", ROWS, SHARES, {}),
    "probabilities, smooth": ("cross_entropy", ROWS, SHARES, {"label_smoothing": 0.1}),
    "probabilities of sequences": ("cross_entropy", SEQUENCES, rng.dirichlet(np.ones(K), (2, 3)), {}),
    "labels far": ("cross_entropy", FAR_ROWS, np.array([0, 2, 0, 1, 2, 1]), {}),
    "labels far, smooth": ("cross_entropy", FAR_ROWS, np.array([1, 0, 2, 0, 1, 0]), {"label_smoothing": 0.1}),
    "labels shifted": ("cross_entropy", SHIFTED, np.array([0, 1, 1]), {}),
    "square": ("cross_entropy", DIAGONAL, np.array([2, 0, 1]), {}),
    "nll": ("nll", log_of(ROWS), LABELS, {}),
    "nll of sequences": ("nll", log_of(SEQUENCES), LABELS_T, {}),
    "nll far": ("nll", FAR_ROWS, np.array([1, 0, 2, 0, 1, 0]), {}),
    "nll, others impossible": ("nll", np.array([[0, -np.inf], [-np.inf, -1]]), np.array([0, 1]), {}),
    "hinge": ("hinge", NUMBERS, 2 * HARD - 1, {}),
    "hinge of rows": ("hinge", ROWS, np.where(OTHER_ROWS > 0, 1, -1), {}),
    "hinge far": ("hinge", FAR, np.where(np.arange(len(FAR)) % 2, 1, -1), {}),
    "hinge of classes": ("hinge", ROWS, LABELS, {}),
    "hinge of classes, largest": ("hinge", ROWS, LABELS, {"multiclass": "crammer-singer"}),
    "hinge of classes, far": ("hinge", FAR_ROWS[:4], np.array([1, 0, 2, 0]), {}),
    "kl": ("kl_divergence", log_of(ROWS), SHARES, {}),
    "kl, sparse": ("kl_divergence", log_of(ROWS), SPARSE, {}),
    "kl of sequences": ("kl_divergence", log_of(SEQUENCES), rng.dirichlet(np.ones(K), (2, 3)), {}),
    "kl far": (
        "kl_divergence",
        np.array([[-1e4, -745, 0.0], [-1e-9, -40, -1e4]]),
        np.array([[0, 0.5, 0.5], [1, 0, 0]]),
        {},
    ),
}


def main() -> None:
    found: dict[str, Any] = {"torch": np.array(torch.__version__)}
    about = {}
    for name, (loss, predictions, targets, options) in CASES.items():
        reductions = ["mean", "sum", *["batchmean"] * (loss == "kl_divergence"), "none"]
        about[name] = {"loss": loss, "options": options, "reductions": reductions}
        found |= {f"{name}/predictions": predictions, f"{name}/targets": targets}
        numbers, gradients = [], []
        for reduction in reductions:
            p = torch.tensor(predictions, requires_grad=True)
            value = LOSSES[loss](p, targets, reduction, **options)
            upstream = np.ones(())
            if reduction == "none":
                upstream = rng.uniform(0.5, 1.5, tuple(value.shape))
                found |= {f"{name}/each": value.detach().numpy(), f"{name}/g": upstream}
            else:
                numbers.append(value.item())
            value.backward(torch.tensor(upstream))
            gradients.append(p.grad.numpy())
        found |= {f"{name}/numbers": np.array(numbers), f"{name}/gradients": np.array(gradients)}
    found["about"] = np.array(json.dumps(about))
    np.savez_compressed(Path(__file__).with_name("losses.npz"), **found)
    print(f"{len(CASES)} cases, {sum(len(x['reductions']) for x in about.values())} with reductions")


if __name__ == "__main__":
    main()
