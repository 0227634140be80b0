"""What an optimizer remembers goes out and comes back bit for bit, or not at all."""

import copy
import json

import numpy as np
import pytest

import nn
from autodiff import Tensor, Value
from nn import SGD, Adam, AdamW, RMSprop
from tests.nn.optimizer_cases import CASES, START, gradients, sometimes


def leaves_and_optimizer(case, dtype=np.float64):
    kind, options, variant = CASES[case]
    leaves = {name: Tensor(x, dtype=dtype) for name, x in START.items()} | {"s": Value(START["s"])}
    given = list(leaves.values())
    if variant == "groups":
        given = [{"parameters": given[:1], "learning_rate": 0.1}, {"parameters": given[1:], "weight_decay": 0.3}]
    return leaves, getattr(nn, kind)(given, **options)


def train(leaves, optimizer, counts):
    for count in counts:
        for name, g in gradients({name: leaf.data for name, leaf in leaves.items()}, count).items():
            leaf = leaves[name]
            leaf.grad = (float(g) if isinstance(leaf, Value) else g) if sometimes(name, count) else None
        if any(leaf.grad is not None for leaf in leaves.values()):
            optimizer.step()
    return [np.array(leaf.data) for leaf in leaves.values()]


def through_files(state):
    """As a file has it: JSON, and arrays apart."""
    arrays = []

    def apart(x):
        arrays.append(x)
        return {"array": len(arrays) - 1}

    text = json.dumps(state, default=apart)
    back = lambda d: arrays[d["array"]].copy() if set(d) == {"array"} else d
    return json.loads(text, object_hook=back)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cut", [0, 1, 8, 20])
@pytest.mark.parametrize("case", CASES)
def test_a_state_goes_on_bit_for_bit(case, cut, dtype):
    leaves, optimizer = leaves_and_optimizer(case, dtype)
    train(leaves, optimizer, range(1, cut + 1))
    data, state = {name: leaf.data for name, leaf in leaves.items()}, through_files(optimizer.state_dict())
    expected = train(leaves, optimizer, range(cut + 1, 31))
    others, resumed = leaves_and_optimizer(case, dtype)
    train(others, resumed, range(3, 6))  # what it remembered before must not matter
    for name, leaf in others.items():
        leaf.data = data[name]
    resumed.load_state_dict(state)
    found = train(others, resumed, range(cut + 1, 31))
    assert all(np.array_equal(x, y) for x, y in zip(found, expected, strict=True))
    assert repr(resumed.state_dict()) == repr(optimizer.state_dict())


def test_the_state_is_plain_and_a_snapshot():
    W, v = Tensor([[1.0, 2.0]]), Value(3.0)
    optimizer = Adam([{"parameters": [v]}, {"parameters": [W], "learning_rate": 0.5}])
    assert optimizer.state_dict()["state"] == {}
    W.grad, v.grad = np.array([[1.0, 0.0]]), 2.0
    optimizer.step()
    state = optimizer.state_dict()
    assert state["rule"] == "Adam"
    assert state["groups"][1] == {
        "learning_rate": 0.5, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False,
        "parameters": [1],
    }  # fmt: skip
    assert state["state"]["0"] == {"t": 1, "m": 2 * (1 - 0.9), "v": 4 * (1 - 0.999)}
    assert state["state"]["1"]["m"].tolist() == [[1 - 0.9, 0.0]]
    before = copy.deepcopy(state)
    state["state"]["1"]["m"][:] = 7.0
    state["groups"][1]["learning_rate"] = 7.0
    assert repr(optimizer.state_dict()) == repr(before)
    optimizer.load_state_dict(before)
    optimizer.step()
    assert before["state"]["1"]["m"].tolist() == [[1 - 0.9, 0.0]], "and the state given stays as it is"
    assert optimizer.groups[1]["betas"] == (0.9, 0.999)


def test_a_learning_rate_that_a_schedule_brought_to_0_comes_back():
    optimizer = SGD([Value(1.0)], 0.5)
    schedule = nn.CosineAnnealingLR(optimizer, T_max=1)
    schedule.step()
    state = optimizer.state_dict()
    other = SGD([Value(1.0)], 0.5)
    other.load_state_dict(state)
    assert other.learning_rate == 0


def test_counts_may_be_numpy_numbers():
    v = Value(1.0)
    optimizer = Adam([v])
    v.grad = 1.0
    optimizer.step()
    state = optimizer.state_dict()
    state["state"]["0"] = {"t": np.array(1), "m": np.float64(0.25), "v": np.array(0.5)}
    optimizer.load_state_dict(state)
    assert optimizer.state_dict()["state"]["0"] == {"t": 1, "m": 0.25, "v": 0.5}


def trained(kind, *shapes, **options):
    leaves = [Tensor(np.ones(shape)) for shape in shapes]
    optimizer = kind(leaves, **options)
    for leaf in leaves:
        leaf.grad = np.ones(leaf.shape)
    optimizer.step()
    return optimizer


def changed(**paths):
    """A state of Adam on shapes (2,) and (2, 3), with something else at some places."""
    state = trained(Adam, (2,), (2, 3)).state_dict()
    for path, x in paths.items():
        *way, last = path.split("__")
        place = state
        for key in way:
            place = place[int(key) if isinstance(place, list) else key]
        place[last] = x
    return state


BAD = {
    "another rule": (lambda: trained(RMSprop, (2,), (2, 3)).state_dict(), "that of RMSprop, and the optimizer is Adam"),
    "its child": (lambda: trained(AdamW, (2,), (2, 3)).state_dict(), "that of AdamW, and the optimizer is Adam"),
    "no state": (lambda: {"rule": "Adam"}, "has rule, groups and state, and here is no groups, state"),
    "no dictionary": (lambda: changed(state=[1.0]), "its state is a dictionary"),
    "no list": (lambda: changed(groups={}), "groups of an optimizer's state are a list"),
    "fewer parameters": (
        lambda: trained(Adam, (2,)).state_dict(),
        r"group 0: parameters \[0\] in the state, \[0, 1\] here",
    ),
    "more parameters": (lambda: trained(Adam, (2,), (2, 3), ()).state_dict(), "parameter 2: there are only 2"),
    "shapes": (
        lambda: trained(Adam, (3,), (3, 2)).state_dict(),
        r"parameter 0: m has shape \(3,\), and the parameter \(2,\)\n.*parameter 0: v(.|\n)*"
        r"parameter 1: m has shape \(3, 2\), and the parameter \(2, 3\)",
    ),
    "dtype": (lambda: changed(state__0__m=np.ones(2, np.float32)), "parameter 0: m is float32, and the parameter flo"),
    "unexpected": (lambda: changed(state__0__mean=np.ones(2)), "parameter 0: unexpected mean"),
    "part of a count": (lambda: changed(state__0__t=1.5), "parameter 0: t .*'float' object"),
    "below 0": (lambda: changed(state__0__t=-1), "parameter 0: t is -1, and a count is at least 0"),
    "key": (lambda: changed(state__x={}), "parameter x: there are only 2"),
    "groups": (lambda: changed(groups=[]), "groups: 0 in the state, 1 here"),
    "option": (lambda: changed(groups__0__lr=0.1), "group 0: unexpected lr"),
    "range": (lambda: changed(groups__0__betas=[0.9, 2.0]), r"group 0: betas is two numbers .* given \(0.9, 2.0\)"),
    "rate": (lambda: changed(groups__0__learning_rate=-1.0), "group 0: learning_rate is a number above 0"),
    "text": (lambda: changed(groups__0__eps="small"), "group 0: eps is a number, at least 0, and was given 'small'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_state_that_does_not_fit_is_refused_whole(case):
    make, message = BAD[case]
    optimizer = trained(Adam, (2,), (2, 3))
    before = repr(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(make())
    assert repr(optimizer.state_dict()) == before


def test_all_that_differs_is_listed():
    state = changed(state__0__m=np.ones(3), groups__0__lr=0.1)
    del state["groups"][0]["eps"]
    with pytest.raises(ValueError, match="the state does not fit this Adam:") as caught:
        trained(Adam, (2,), (2, 3)).load_state_dict(state)
    assert str(caught.value).splitlines()[1:] == [
        "  group 0: missing eps",
        "  group 0: unexpected lr",
        "  parameter 0: m has shape (3,), and the parameter (2,)",
    ]


def test_a_copy_of_model_and_optimizer_goes_on_alone():
    W = Tensor([1.0, 2.0])
    optimizer = Adam([W])
    W.grad = np.ones(2)
    optimizer.step()
    other, twin = copy.deepcopy((W, optimizer))
    other.grad = W.grad
    twin.step()
    assert not np.array_equal(W.data, other.data)
    optimizer.step()
    assert np.array_equal(W.data, other.data)
