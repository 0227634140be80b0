"""What a module holds, and how its state is taken out and put in again: all of it, or nothing."""

import copy
import re

import numpy as np
import pytest

from autodiff import Tensor, Value
from nn import BatchNorm, Dense, Dropout, Module, Network, Sequential


def model(seed=0):
    rng = np.random.default_rng(seed)
    return Sequential(Dense(2, 3, seed=rng), BatchNorm(3), Dropout(0.5, seed=rng), Dense(3, 1, seed=rng))


def test_the_state_has_parameters_and_buffers_by_name():
    state = model().state_dict()
    assert list(state) == [
        "layers.0.weight",
        "layers.0.bias",
        *(f"layers.1.{name}" for name in ("weight", "bias", "running_mean", "running_var")),
        "layers.3.weight",
        "layers.3.bias",
    ]
    assert not any(array.flags.writeable for array in state.values())


def test_buffers_are_no_parameters():
    found = model()
    assert [name for name, _ in found.named_buffers()] == ["layers.1.running_mean", "layers.1.running_var"]
    assert not {name for name, _ in found.named_parameters()} & {name for name, _ in found.named_buffers()}
    assert [name for name, _ in found.named_generators()] == ["layers.2.rng"]


def test_there_and_back():
    one, other = model(0), model(1)
    x = np.random.default_rng(5).normal(size=(8, 2))
    one(x)  # moves the running averages
    other.load_state_dict(one.state_dict())
    assert (other.eval()(x).data == one.eval()(x).data).all()


def test_a_snapshot_does_not_move_with_the_model():
    one = model()
    before = one.state_dict()
    kept = {name: array.copy() for name, array in before.items()}
    for p in one.parameters():
        p.data = p.data + 1
    assert all((before[name] == kept[name]).all() for name in kept)


def test_values_too():
    network, other = Network([2, 2, 1], seed=0), Network([2, 2, 1], seed=1)
    other.load_state_dict(network.state_dict())
    assert other([0.3, 0.4]).data == network([0.3, 0.4]).data
    assert all(type(p.data) is float for p in other.parameters())


def test_all_that_is_wrong_is_listed_and_nothing_changed():
    one = model()
    before = one.state_dict()
    state = dict(before)
    del state["layers.0.bias"]
    state["layers.0.weight"] = np.zeros((2, 3))
    state["layers.3.bias"] = ["cat"]
    state["extra"] = 1.0
    with pytest.raises(ValueError, match="does not fit") as caught:
        one.load_state_dict(state)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the state does not fit Sequential:"
    assert "  missing: layers.0.bias" in lines
    assert "  unexpected: extra" in lines
    assert "  layers.0.weight: has shape (2, 3), and the model has (3, 2) there" in lines
    assert any(line.startswith("  layers.3.bias: ") for line in lines)
    after = one.state_dict()
    assert all(after[name] is before[name] for name in before)


def test_not_strict_takes_what_fits():
    one = model()
    one.load_state_dict({"layers.3.bias": [7.0], "extra": 1.0}, strict=False)
    assert one[3].bias.data.tolist() == [7.0]
    with pytest.raises(ValueError, match=re.escape("layers.3.bias: has shape (2,)")):
        one.load_state_dict({"layers.3.bias": [7.0, 8.0]}, strict=False)


def test_two_leaves_with_one_path():
    class Twice(Module):
        def __init__(self):
            self.table = {1: Value(1.0), "1": Value(2.0)}

    with pytest.raises(ValueError, match=r"two parameters or buffers of Twice have the path 'table.1'"):
        Twice().state_dict()


def test_shared_parameters_are_saved_once_and_stay_shared():
    layer = Dense(2, 2, seed=0)
    tied = Sequential(layer, layer)
    assert list(tied.state_dict()) == ["layers.0.weight", "layers.0.bias"]
    tied.load_state_dict({"layers.0.weight": np.eye(2), "layers.0.bias": [1.0, 1.0]})
    assert tied(np.zeros((1, 2))).data.tolist() == [[2.0, 2.0]]
    twin = copy.deepcopy(tied)
    assert twin[0] is twin[1]
    assert twin[0] is not layer


def test_frozen_parameters_are_saved_and_not_trained():
    one = model()
    one[0].weight.requires_grad = False
    assert "layers.0.weight" in one.state_dict()
    assert "layers.0.weight" not in dict(one.named_parameters())


def test_train_and_eval_reach_everything():
    one = model()
    assert one.eval() is one
    assert not any(module.training for _, module in one.named_modules())
    assert one.train() is one
    assert all(module.training for _, module in one.named_modules())


def test_tensors_in_tuples_and_dictionaries():
    class Odd(Module):
        def __init__(self):
            self.parts = ({"w": Tensor([1.0, 2.0])}, [Value(3.0)])

    assert [name for name, _ in Odd().named_parameters()] == ["parts.0.w", "parts.1.0"]
