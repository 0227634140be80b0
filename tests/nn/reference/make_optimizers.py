"""PyTorch's optimizers and schedules in float64. Run: python -m tests.nn.reference.make_optimizers"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler

from tests.nn.optimizer_cases import CASES, COUNT, DEFAULTS, DENSE, GROUPS, KEPT, METRICS, PLATEAUS, RATES, START, run


def renamed(options: dict[str, Any]) -> dict[str, Any]:
    return {{"learning_rate": "lr", "minimum": "min_lr"}.get(name, name): x for name, x in options.items()}


def trajectory(case: str) -> np.ndarray:
    rule, options, variant = CASES[case]
    leaves = {name: torch.tensor(x, requires_grad=True) for name, x in START.items()}
    parameters: Any = list(leaves.values())
    if variant == "groups":
        parameters = [{"params": [leaves[n] for n in names], **renamed(own)} for names, own in GROUPS]
    optimizer = getattr(torch.optim, rule)(parameters, **renamed(options))

    def move(count: int, gradients: Any) -> dict[str, np.ndarray]:
        for name, leaf in leaves.items():
            leaf.grad = None if gradients[name] is None else torch.tensor(gradients[name])
        optimizer.step()
        if variant == "slower" and count == 20:
            optimizer.param_groups[0]["lr"] /= 4
        return {name: leaf.detach().numpy().copy() for name, leaf in leaves.items()}

    return np.array(list(run(case, KEPT if case in DEFAULTS else KEPT[:DENSE], move)))


def optimizer_of(rates: list[float]) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates])


SCHEDULES = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.6),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, gamma=0.93),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=60, eta_min=0.002),
    "CosineAnnealingLR again": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=13),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, total_iters=5),
    "LinearLR cosine": lambda o: lr_scheduler.SequentialLR(
        o,
        [lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=10), lr_scheduler.CosineAnnealingLR(o, T_max=50)],
        milestones=[10],
    ),
    "LinearLR step": lambda o: lr_scheduler.SequentialLR(
        o,
        [lr_scheduler.LinearLR(o, start_factor=0.25, total_iters=4), lr_scheduler.StepLR(o, step_size=9, gamma=0.5)],
        milestones=[4],
    ),
}


def rates_of(make: Any, metrics: list[float] | None = None) -> np.ndarray:
    optimizer = optimizer_of(RATES)
    schedule = make(optimizer)
    found = [[group["lr"] for group in optimizer.param_groups]]
    for count in range(COUNT):
        optimizer.step()
        schedule.step(*([] if metrics is None else [metrics[count]]))
        found.append([group["lr"] for group in optimizer.param_groups])
    return np.array(found)


def clipped() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=(3, 4)), rng.normal(size=2) * 10, rng.normal(size=()) * 0.1]
    found = {f"clip {i}": x for i, x in enumerate(arrays)}
    leaves = [torch.zeros(x.shape, dtype=torch.float64, requires_grad=True) for x in arrays]
    for leaf, x in zip(leaves, arrays, strict=True):
        leaf.grad = torch.tensor(x)
    found["clip norm"] = torch.nn.utils.clip_grad_norm_(leaves, 2.5).numpy()
    return found | {f"clip result {i}": leaf.grad.numpy() for i, leaf in enumerate(leaves)}


def main() -> None:
    warnings.simplefilter("ignore")  # PyTorch has advice about the order of calls
    found = {f"optimizer {case}": trajectory(case) for case in CASES}
    found |= {f"schedule {name}": rates_of(make) for name, make in SCHEDULES.items()}
    for name, options in PLATEAUS.items():
        make = lambda o, options=options: lr_scheduler.ReduceLROnPlateau(o, **renamed(options))
        found[f"plateau {name}"] = rates_of(make, METRICS)
    path = Path(__file__).with_name("optimizers.npz")
    np.savez_compressed(path, torch=np.array(torch.__version__), **found, **clipped())
    print(f"{path.name}: {len(found)} cases, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
