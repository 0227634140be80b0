"""What optimizers are tested on, here and in PyTorch: parameters, their gradients, and options.

Gradients are made by additions and multiplications alone, in a fixed order, so that they are the same numbers
everywhere: those of a double well, pushed to and fro, at three very different scales.
"""

import numpy as np

START = {
    "W": np.array([[0.9, -0.4, 1.1], [-0.7, 0.2, 0.55]]),
    "b": np.array([-1.05, 0.3, 0.65]),
    "s": np.array(0.8),
}
SCALES = {"W": 1.0, "b": 4.0, "s": 0.02}
DENSE, STEPS = 70, 300
KEPT = [*range(1, DENSE + 1), *range(100, STEPS + 1, 20)]  # the steps whose numbers are in the reference


def gradients(parameters, count):
    """The gradient of each of the three arrays at step ``count``, for NumPy arrays and PyTorch tensors."""
    push = ((count * 7) % 11 - 5) / 6
    return {name: SCALES[name] * (x * x * x - x + push * (x + 0.25)) for name, x in parameters.items()}


def sometimes(name, count):
    """Whether an array has a gradient, in the cases in which not all have one always."""
    return {"W": count % 3 > 0, "b": count > 8, "s": count % 7 > 1}[name]


# name: optimizer, options, and what else: "sometimes", "groups" or "slower" (the rate divided by 4 after step 20)
CASES = {
    "sgd": ("SGD", {"learning_rate": 0.01}, None),
    "sgd momentum": ("SGD", {"learning_rate": 0.01, "momentum": 0.9}, None),
    "sgd nesterov": ("SGD", {"learning_rate": 0.01, "momentum": 0.8, "nesterov": True}, None),
    "sgd decay": ("SGD", {"learning_rate": 0.01, "weight_decay": 0.1}, None),
    "sgd all": ("SGD", {"learning_rate": 0.01, "momentum": 0.7, "nesterov": True, "weight_decay": 0.1}, None),
    "sgd sometimes": ("SGD", {"learning_rate": 0.01, "momentum": 0.9}, "sometimes"),
    "sgd slower": ("SGD", {"learning_rate": 0.01, "momentum": 0.9}, "slower"),
    "adagrad": ("Adagrad", {}, None),
    "adagrad all": ("Adagrad", {"learning_rate": 0.2, "eps": 1e-2, "weight_decay": 0.1}, None),
    "rmsprop": ("RMSprop", {}, None),
    "rmsprop alpha eps": ("RMSprop", {"alpha": 0.9, "eps": 1e-2}, None),
    "rmsprop momentum": ("RMSprop", {"momentum": 0.9}, None),
    "rmsprop centered": ("RMSprop", {"centered": True}, None),
    "rmsprop decay": ("RMSprop", {"weight_decay": 0.1}, None),
    "rmsprop all": (
        "RMSprop",
        {"alpha": 0.95, "eps": 1e-3, "momentum": 0.5, "centered": True, "weight_decay": 0.1},
        None,
    ),
    "adam": ("Adam", {}, None),
    "adam betas eps": ("Adam", {"learning_rate": 0.05, "betas": (0.8, 0.95), "eps": 1e-2}, None),
    "adam decay": ("Adam", {"learning_rate": 0.02, "weight_decay": 0.1}, None),
    "adam amsgrad": ("Adam", {"learning_rate": 0.02, "betas": (0.9, 0.9), "amsgrad": True}, None),
    "adam sometimes": ("Adam", {"learning_rate": 0.02}, "sometimes"),
    "adam groups": ("Adam", {"learning_rate": 0.02}, "groups"),
    "adamw": ("AdamW", {}, None),
    "adamw decay": ("AdamW", {"learning_rate": 0.02, "weight_decay": 0.5}, None),
    "adamw all": (
        "AdamW",
        {"learning_rate": 0.02, "betas": (0.7, 0.9), "eps": 1e-2, "weight_decay": 0.3, "amsgrad": True},
        None,
    ),
}
DEFAULTS = ["sgd", "adagrad", "rmsprop", "adam", "adamw"]  # these go on to the end
GROUPS = [(["W", "s"], {"learning_rate": 0.1, "weight_decay": 0.2}), (["b"], {"betas": (0.5, 0.6)})]


def run(case, kept, move):
    """The parameters after each step of ``kept``, made by ``move(count, gradients) -> parameters``."""
    _, _, variant = CASES[case]
    parameters = {name: x.copy() for name, x in START.items()}
    for count in range(1, max(kept) + 1):
        given = gradients(parameters, count)
        if variant == "sometimes":
            given = {name: g if sometimes(name, count) else None for name, g in given.items()}
        parameters = move(count, given)
        if count in kept:
            yield np.concatenate([np.ravel(parameters[name]) for name in START])


# schedules: two groups with these learning rates, so many steps, and what a plateau is told
RATES = [0.4, 0.03]
COUNT = 60
METRICS = [3.0, 2.5, 2.5, 2.49999, 2.6, 2.4, 2.41, 2.42, 2.3, 2.31, 2.32, 2.33, 2.34, 2.2, 2.2, 2.2, 2.2, 2.2, 2.2]
METRICS = [*METRICS, *(2.2 - 0.0001 * i for i in range(20)), *(1.5 + 0.3 * (i % 4) for i in range(21))]
PLATEAUS = {
    "min": {"patience": 2, "factor": 0.5},
    "max": {"mode": "max", "patience": 3, "factor": 0.3},
    "cooldown": {"patience": 1, "factor": 0.6, "cooldown": 4},
    "absolute": {"patience": 1, "factor": 0.8, "threshold": 0.05, "threshold_mode": "abs"},
    "absolute max": {"mode": "max", "patience": 1, "factor": 0.8, "threshold": 0.05, "threshold_mode": "abs"},
    "relative": {"patience": 1, "factor": 0.8, "threshold": 0.03},
    "minimum": {"patience": 0, "factor": 0.5, "minimum": 0.01},
    "eps": {"patience": 0, "factor": 0.5, "eps": 1e-3},
}
