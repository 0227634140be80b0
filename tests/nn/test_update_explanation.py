"""The explained step is the step, bit for bit, and says how it is computed."""

import re
from fractions import Fraction

import numpy as np
import pytest

import nn
from autodiff import Tensor, Value
from nn import SGD, Adam, AdamW, Dense
from tests.nn.optimizer_cases import CASES, START, gradients


def move(leaves, count):
    for name, g in gradients({name: leaf.data for name, leaf in leaves.items()}, count).items():
        leaves[name].grad = g if isinstance(leaves[name], Tensor) else float(g)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", [name for name, (_, _, variant) in CASES.items() if variant is None])
def test_what_is_explained_is_what_happens(case, dtype):
    kind, options, _ = CASES[case]
    leaves = {name: Tensor(x, dtype=dtype) for name, x in START.items()} | {"s": Value(START["s"])}
    optimizer = getattr(nn, kind)(leaves.items(), **options)
    for count in range(1, 5):
        move(leaves, count)
        state = repr(optimizer.state_dict())
        before = {name: leaf.data for name, leaf in leaves.items()}
        updates = {name: optimizer.explain(name) for name in leaves}
        entry = optimizer.explain(leaves["W"], index=(1, 2))
        assert repr(optimizer.state_dict()) == state
        assert all(leaf.data is before[name] for name, leaf in leaves.items())
        optimizer.step()
        for name, update in updates.items():
            assert np.array_equal(update.result, leaves[name].data)
            remembered = optimizer.state_dict()["state"].get(str(list(leaves).index(name)), {})
            shown = {step.name: step.result for step in update.steps}
            assert all(np.array_equal(shown[n], x) for n, x in remembered.items())
        assert entry.result == leaves["W"].data[1, 2]
        assert type(updates["s"].result) is float


# Python's own arithmetic on the written numbers must give what is written behind them.
SAFE = {"sqrt": lambda x: x**0.5, "maximum": max}


def evaluated(text):
    """Addition, product and so on of the numbers in a line such as "0.9 * 0 + (1 - 0.9) * (-0.88)"."""
    tree = compile(text, "line", "eval")
    assert set(tree.co_names) <= set(SAFE)
    return eval(tree, {"__builtins__": {}}, SAFE)


@pytest.mark.parametrize("case", [name for name, (_, _, variant) in CASES.items() if variant is None])
def test_formulas_and_numbers_are_python_and_true(case):
    kind, options, _ = CASES[case]
    leaf = Value(0.75)
    optimizer = getattr(nn, kind)([leaf], **options)
    for g in (0.5, -0.25, 1.0):
        leaf.grad = g
        update = optimizer.explain()
        space = {**update.given, **update.options, **SAFE}
        for step in update.steps:
            exact = eval(step.formula, {"__builtins__": {}}, space)
            assert exact == pytest.approx(step.result, rel=1e-14)
            space[step.name] = step.result
            assert evaluated(step.numbers) == pytest.approx(step.result, rel=0.02), step
        optimizer.step()


def test_adam_by_hand():
    w = Value(0.5, label="w")
    optimizer = Adam([w], learning_rate=0.1)
    w.grad = -0.44
    assert [str(step) for step in optimizer.explain().steps] == [
        "t = t + 1 = 0 + 1 = 1",
        "m = beta1 * m + (1 - beta1) * g = 0.9 * 0 + (1 - 0.9) * (-0.44) = -0.044",
        "v = beta2 * v + (1 - beta2) * g ** 2 = 0.999 * 0 + (1 - 0.999) * (-0.44) ** 2 = 0.0001936",
        "m_hat = m / (1 - beta1 ** t) = -0.044 / (1 - 0.9 ** 1) = -0.44",
        "v_hat = v / (1 - beta2 ** t) = 0.0001936 / (1 - 0.999 ** 1) = 0.1936",
        "w = w - learning_rate * m_hat / (sqrt(v_hat) + eps) = 0.5 - 0.1 * (-0.44) / (sqrt(0.1936) + 1e-08) = 0.6",
    ]
    optimizer.step()
    w.grad = 0.2
    assert str(optimizer.explain().steps[1]) == (
        "m = beta1 * m + (1 - beta1) * g = 0.9 * (-0.044) + (1 - 0.9) * 0.2 = -0.0196"
    )


def test_latex():
    w = Value(0.5)
    optimizer = AdamW([w], learning_rate=0.1, weight_decay=0.5)
    w.grad = -1e-5
    lines = optimizer.explain().to_latex().splitlines()
    assert lines[0] == r"\begin{aligned}"
    assert lines[1] == (
        r"w_{\mathrm{decayed}} &\leftarrow \left(1 - \eta \cdot \lambda\right) \cdot w"
        r" = \left(1 - 0.1 \cdot 0.5\right) \cdot 0.5 = 0.475 \\"
    )
    assert r"\left(-1 \cdot 10^{-5}\right)^{2}" in lines[4], "a power of a power needs brackets"
    assert lines[5].startswith(r"\hat{m} &\leftarrow \frac{m}{1 - \beta_1^{t}} = ")
    assert lines[7].startswith(
        r"w &\leftarrow w_{\mathrm{decayed}} - \frac{\eta \cdot \hat{m}}{\sqrt{\hat{v}} + \epsilon} ="
    )
    assert lines[8] == r"\end{aligned}"
    for line in lines[1:8]:
        assert line.count("{") == line.count("}")
        assert not re.search(r"\^\{[^}]*\}\^", line)
    assert optimizer.explain()._repr_latex_().startswith(r"$\displaystyle \begin{aligned}")


def test_fractions_stay_exact():
    x = Value(Fraction(1, 3), label="x")
    optimizer = SGD([x], Fraction(1, 10), momentum=Fraction(1, 2))
    (x * x).backward()
    update = optimizer.explain()
    assert [str(step) for step in update.steps] == [
        "v = momentum * v + g = 1/2 * 0 + 2/3 = 2/3",
        "w = w - learning_rate * v = 1/3 - 1/10 * (2/3) = 4/15",
    ]
    optimizer.step()
    assert x.data == update.result == Fraction(4, 15)


def test_arrays_are_shown_shortened_or_by_one_entry():
    W = Tensor(np.arange(12.0).reshape(3, 4), label="W")
    optimizer = SGD([W], learning_rate=0.5)
    W.grad = np.ones((3, 4))
    assert str(optimizer.explain().steps[0]) == (
        "w = w - learning_rate * g = [0, 1, ..., 11] - 0.5 * [1, 1, ..., 1] = [-0.5, 0.5, ..., 10.5]"
    )
    assert np.array_equal(optimizer.explain().result, W.data - 0.5)
    assert str(optimizer.explain(index=(2, -1))).splitlines() == [
        "SGD, the next step of W[2, -1] (w: the parameter, g: its gradient)",
        "  from w = 11, g = 1",
        "  with learning_rate = 0.5",
        "  1. w = w - learning_rate * g = 11 - 0.5 * 1 = 10.5",
    ]


def test_parameters_are_found_by_themselves_their_names_and_their_places():
    model = Dense(2, 2, seed=0)
    (model(np.ones((1, 2))) ** 2).sum().backward()
    optimizer = Adam(model.named_parameters())
    first = str(optimizer.explain("weight"))
    assert first.startswith("Adam, the next step of weight (")
    assert first == str(optimizer.explain(model.weight)) == str(optimizer.explain(0))


def test_what_cannot_be_explained_is_named():
    a, b = Value(1.0, label="a"), Tensor([1.0, 2.0])
    optimizer = Adam([a, b, Value(3.0, label="a")])
    with pytest.raises(ValueError, match="a has no gradient yet"):
        optimizer.explain(0)
    a.grad, b.grad = 1.0, np.ones(2)
    for wrong, message in (
        (None, "say which parameter to explain; there are: a, parameter 1, a"),
        ("a", "there is no single parameter 'a'"),
        (3, "there is no single parameter 3"),
        (-1, "there is no single parameter -1"),
        (Value(1.0), "there is no single parameter Value"),
    ):
        with pytest.raises(ValueError, match=message):
            optimizer.explain(wrong)
    for parameter, index in ((1, 2), (1, slice(None)), (0, 0), (1, (0, 0)), (1, "x")):
        with pytest.raises(IndexError, match=r"index is that of one entry of .*, of shape \(2?,?\); given"):
            optimizer.explain(parameter, index=index)
