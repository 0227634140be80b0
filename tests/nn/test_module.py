"""Parameters are found by walking attributes."""

import pathlib
import re
from dataclasses import dataclass, field

import numpy as np
import pytest

import nn
from autodiff import Tensor, Value
from nn import Dense, Layer, Module, Network, Neuron


class Model(Module):
    def __init__(self):
        self.body = Network([1, 2, 1], seed=0)
        self.heads = [Neuron(1, seed=1), Neuron(1, seed=2)]
        self.table = {"scale": Value(2.0), "rest": (Value(3.0),)}
        self.matrix = Tensor(np.zeros((2, 3)))
        self.constant = Value(4.0, requires_grad=False)
        self.again = self.heads[0].bias
        self.cache = Value(1.0) * 2
        self.name = "model"


def test_named_parameters():
    names = [name for name, _ in Model().named_parameters()]
    assert names == [
        *(f"body.layers.0.neurons.{i}.{part}" for i in (0, 1) for part in ("weights.0", "bias")),
        *(f"body.layers.1.neurons.0.{part}" for part in ("weights.0", "weights.1", "bias")),
        *(f"heads.{i}.{part}" for i in (0, 1) for part in ("weights.0", "bias")),
        "table.scale",
        "table.rest.0",
        "matrix",
    ]


def test_a_shared_part_counts_once_and_a_cycle_ends():
    model = Model()
    before = model.parameters()
    model.shared, model.self = model.body, model
    assert model.parameters() == before
    assert len(set(before)) == len(before)


def test_zero_grad():
    neuron = Neuron(2, seed=0)
    neuron([1, 1]).backward()
    assert all(p.grad is not None for p in neuron.parameters())
    neuron.zero_grad()
    assert all(p.grad is None for p in neuron.parameters())


def test_repr_shows_the_parts_and_counts_numbers():
    model = Model()
    assert repr(model).splitlines() == [
        "Model(19 parameters)",
        "  body: Network([1, 2, 1], activation='tanh')",
        "  heads.0: Neuron(1, activation='tanh')",
        "  heads.1: Neuron(1, activation='tanh')",
    ]


def test_count():
    assert len(Network([4, 8, 3], seed=0).parameters()) == 4 * 8 + 8 + 8 * 3 + 3
    assert len(Layer(3, 2, seed=0).parameters()) == 8


def test_no_gradient_is_written_by_hand():
    for path in pathlib.Path(nn.__file__).parent.rglob("*.py"):
        if path.name in ("clipping.py", "held.py"):  # shorten gradients, and hand them on, once they are there
            continue
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"def \w*backward|\.grad\s*[-+*/]?=(?!=| None)", source), path


def test_a_module_that_knows_its_parent_can_be_shown():
    class Parent(Module):
        def __init__(self):
            self.child = Dense(2, 2, seed=0)
            self.child.parent = self

        def forward(self, x):
            return self.child(x)

    assert repr(Parent()).splitlines() == ["Parent(6 parameters)", "  child: Dense(2, 2)", "    parent: ..."]
    assert Parent().summary(2).parameters == 6


def test_a_state_may_hold_leaves():
    one, other = Dense(2, 2, seed=0), Dense(2, 2, seed=1)
    other.load_state_dict(dict(one.named_parameters()))
    assert (other.weight.data == one.weight.data).all()
    assert other.weight is not one.weight


@pytest.mark.parametrize("state", [[1.0, 2.0], Dense(2, 2, seed=0), None])
def test_what_is_no_state(state):
    with pytest.raises(TypeError, match="a state is arrays by name, as state_dict"):
        Dense(2, 2, seed=0).load_state_dict(state)


def test_names_that_are_no_texts_are_unexpected():
    with pytest.raises(ValueError, match="unexpected: 0"):
        Dense(2, 2, seed=0).load_state_dict({0: np.zeros(2)})


def test_slots_are_walked_too():
    @dataclass(slots=True)
    class Slotted(Module):
        layer: Dense
        scale: Value
        unset: Value = field(init=False)

        def forward(self, x):
            return self.layer(x)

    model = Slotted(Dense(2, 1, seed=0), Value(1.0))
    assert [name for name, _ in model.named_parameters()] == ["layer.weight", "layer.bias", "scale"]
    assert model(np.ones(2)).shape == (1,)
    assert not model.eval().layer.training
