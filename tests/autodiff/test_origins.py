"""Nodes that know the line of the program that made them."""

from __future__ import annotations

from autodiff import Value, source_lines
from nn import Neuron


def test_every_operation_knows_its_line():
    a, b = Value(2.0), Value(3.0)
    with source_lines():
        product = a * b
        total = product + a
    assert product.origin.code == "product = a * b"
    assert total.origin.code == "total = product + a"
    assert total.origin.line == product.origin.line + 1
    assert total.origin.function == "test_every_operation_knows_its_line"


def test_a_layer_counts_as_the_line_that_calls_it():
    neuron = Neuron(2, seed=0)
    with source_lines():
        output = neuron([1.0, 2.0])
    assert output.origin.code == "output = neuron([1.0, 2.0])"
    assert output.inputs[0].origin.code == "output = neuron([1.0, 2.0])"


def test_outside_nothing_is_noted():
    with source_lines():
        pass
    assert (Value(2.0) * 3).origin is None
