"""Recurrent cells and layers beside PyTorch's numbers (reference/make_sequences.py), and stepped by hand."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import autodiff
from autodiff import Tensor, Value, check_gradients, observe
from nn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell, Softmax
from tests.nn.by_pytorch import close, part

RNG = np.random.default_rng(8)


@cache
def reference():
    with np.load(Path(__file__).parent / "reference" / "sequences.npz") as file:
        return dict(file)


def numbers(case):
    found = part(reference(), f"{case}/")
    assert found, f"sequences.npz has no case {case!r}"
    return found


def our_name(name):
    """PyTorch's weight_ih_l1_reverse as backward_cells.1.weight_ih."""
    kind, depth, backwards = re.fullmatch(r"(\w+?_[ih]h)_l(\d)(_reverse)?", name).groups()
    return f"{'backward_cells' if backwards else 'cells'}.{depth}.{kind}"


LAYERS = {
    "rnn": lambda: RNN(2, 3, return_state=True),
    "rnn relu": lambda: RNN(2, 3, activation="relu", return_state=True),
    "rnn without bias, 2 layers, both ways": lambda: RNN(
        2, 3, bias=False, layers=2, bidirectional=True, return_state=True
    ),
    "lstm": lambda: LSTM(2, 3, return_state=True),
    "lstm without bias": lambda: LSTM(2, 3, bias=False, return_state=True),
    "lstm, 2 layers, both ways": lambda: LSTM(2, 3, layers=2, bidirectional=True, return_state=True),
    "gru": lambda: GRU(2, 3, return_state=True),
    "gru without bias": lambda: GRU(2, 3, bias=False, return_state=True),
    "gru, 2 layers, both ways": lambda: GRU(2, 3, layers=2, bidirectional=True, return_state=True),
}
LENGTHS = [4, 2, 3]


def agrees(module, call, wanted, rename):
    """Outputs, and the gradients of inputs and weights, are PyTorch's."""
    weights = {rename(name): array for name, array in part(wanted, "weights/").items()}
    module.load_state_dict(weights)
    given = {name: Tensor(array) for name, array in part(wanted, "in/").items()}
    outputs = call(module, **given)
    total = 0.0
    for i, out in enumerate(outputs):
        close(out.data, wanted[f"out/{i}"])
        total = total + (out * wanted[f"upstream/{i}"]).sum()
    total.backward()
    gradients = {rename(name): array for name, array in part(wanted, "grad/").items() if name not in given}
    assert set(gradients) == {name for name, _ in module.named_parameters()}
    for name, parameter in module.named_parameters():
        close(parameter.grad, gradients[name])
    for name, x in given.items():
        close(x.grad, wanted[f"grad/{name}"])


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("case", LAYERS)
def test_pytorch(case, lengths):
    def call(layer, x, h, c=None):
        output, state = layer(x, h if c is None else (h, c), lengths=lengths)
        return [output, *(state if isinstance(state, tuple) else (state,))]

    agrees(LAYERS[case](), call, numbers(f"{case}, lengths" if lengths else case), our_name)


@pytest.mark.parametrize("kind", [RNNCell, LSTMCell, GRUCell])
def test_cells_by_pytorch(kind):
    def call(cell, x, h, c=None):
        after = cell(x, h if c is None else (h, c))
        return after if isinstance(after, tuple) else (after,)

    agrees(kind(2, 3), call, numbers(kind.__name__), str)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_a_layer_is_its_cell_stepped_by_hand(kind):
    layer = kind(2, 3, seed=0)
    x = RNG.normal(size=(4, 5, 2))
    state, seen = None, []
    for t in range(5):
        state = layer.cells[0](x[:, t], state)
        seen.append(state[0] if isinstance(state, tuple) else state)
    np.testing.assert_allclose(layer(x).data, np.stack([h.data for h in seen], axis=1), rtol=1e-14)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_gradients_by_the_complex_step(kind):
    layer = kind(2, 2, layers=2, seed=1)
    assert check_gradients(lambda x: layer(x, lengths=[3, 1]), RNG.normal(size=(2, 3, 2))) < 1e-12


def test_the_last_output_alone():
    x, lengths = RNG.normal(size=(3, 4, 2)), [4, 1, 3]
    every, last = (LSTM(2, 3, return_sequences=flag, seed=4)(x, lengths=lengths) for flag in (True, False))
    np.testing.assert_array_equal(last.data, every.data[np.arange(3), np.array(lengths) - 1])
    every, last = (GRU(2, 3, bidirectional=True, return_sequences=flag, seed=4)(x) for flag in (True, False))
    np.testing.assert_array_equal(last.data, np.concatenate([every.data[:, -1, :3], every.data[:, 0, 3:]], axis=1))


def test_what_fills_up_a_sequence_is_never_seen():
    layer = GRU(2, 3, bidirectional=True, layers=2, seed=0)
    x = RNG.normal(size=(2, 5, 2))
    other = x.copy()
    other[1, 3:] = 1e6
    a, b = Tensor(x), Tensor(other)
    for given in (a, b):
        (layer(given, lengths=[5, 3]) ** 2).sum().backward()
    np.testing.assert_array_equal(a.grad, b.grad)
    assert not a.grad[1, 3:].any()
    assert a.grad[1, :3].all()
    mask = np.arange(5) < np.array([[5], [3]])
    np.testing.assert_array_equal(layer(x, mask=mask).data, layer(x, lengths=[5, 3]).data)


def test_the_first_weights():
    layer = LSTM(4, 6, seed=0)
    cell = layer.cells[0]
    assert cell.bias_ih.data.tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12  # gates open to remember
    for block in np.split(cell.weight_hh.data, 4):
        np.testing.assert_allclose(block @ block.T, np.eye(6), atol=1e-14)
    again = LSTM(4, 6, seed=0).state_dict()
    assert all((again[name] == array).all() for name, array in layer.state_dict().items())


def test_every_step_has_its_scope():
    scopes = []
    with observe(lambda node, op, inputs: scopes.append(node.scope)):
        RNN(2, 3, layers=2, seed=0)(np.zeros((1, 3, 2)))
    assert {"cells.0/step 0", "cells.0/step 2", "cells.1/step 1"} <= set(scopes)


def test_dropout_between_the_layers_only_in_training():
    layer = RNN(2, 8, layers=2, dropout=0.5, seed=0)
    x = np.ones((1, 3, 2))
    assert (layer(x).data != layer(x).data).any()
    layer.eval()
    assert (layer(x).data == layer(x).data).all()
    assert [name for name, _ in layer.named_generators()] == ["dropout.rng"]


def test_single_precision_stays():
    layer = GRU(2, 3, seed=0)
    for cell in layer.cells:
        for name, parameter in cell.named_parameters():
            setattr(cell, name, Tensor(parameter.data, dtype=np.float32))
    assert layer(np.ones((1, 2, 2), np.float32)).dtype == np.float32


MESSAGES = {
    "features": (
        lambda: RNN(2, 3, seed=0)(np.zeros((1, 4, 3))),
        "RNN(2, 3) takes arrays of shape (N, T, F) with F = 2, and was given shape (1, 4, 3)",
    ),
    "no batch": (lambda: RNN(2, 3, seed=0)(np.zeros((4, 2))), "was given shape (4, 2)"),
    "no steps": (lambda: RNN(2, 3, seed=0)(np.zeros((1, 0, 2))), "RNN(2, 3) needs sequences of at least one step"),
    "state": (
        lambda: GRU(2, 3, layers=2, seed=0)(np.zeros((5, 4, 2)), np.zeros((5, 3))),
        "the state of GRU is h of shape (2, 5, 3); given (5, 3)",
    ),
    "half a state": (
        lambda: LSTM(2, 3, seed=0)(np.zeros((5, 4, 2)), np.zeros((1, 5, 3))),
        "the state of LSTM is h of shape (1, 5, 3) and c of shape (1, 5, 3); given (1, 5, 3)",
    ),
    "state of a cell": (
        lambda: LSTMCell(2, 3, seed=0)(np.zeros((5, 2)), (np.zeros((5, 3)), np.zeros((5, 2)))),
        "the state of LSTMCell(2, 3) is h of shape (5, 3) and c of shape (5, 3); given (5, 3) and (5, 2)",
    ),
    "lengths": (
        lambda: RNN(2, 3, seed=0)(np.zeros((2, 4, 2)), lengths=[5, 1]),
        "lengths are 2 whole numbers from 1 to 4, and were given [5, 1]",
    ),
    "mask": (
        lambda: RNN(2, 3, seed=0)(np.zeros((2, 4, 2)), mask=np.ones((2, 4))),
        "mask has booleans of shape (2, 4), (N, T), and was given float64 of shape (2, 4)",
    ),
    "both": (
        lambda: RNN(2, 3, seed=0)(np.zeros((2, 4, 2)), mask=np.ones((2, 4), bool), lengths=[1, 1]),
        "give either lengths or a mask, not both",
    ),
    "size": (lambda: RNN(2, 0), "hidden is at least 1, and was given 0"),
    "layers": (lambda: RNN(2, 3, layers=0), "layers is at least 1, and was given 0"),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_bad_input(case):
    call, words = MESSAGES[case]
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


def test_values_are_refused():
    with pytest.raises(TypeError, match="takes arrays, and was given Values"):
        RNN(1, 2)([Value(1.0)])


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_no_sequences(kind):
    layer = kind(3, 2, layers=2, bidirectional=True, seed=0)
    for options in ({}, {"lengths": []}, {"lengths": np.zeros(0, int)}, {"mask": np.zeros((0, 4), bool)}):
        assert layer(np.zeros((0, 4, 3)), **options).shape == (0, 4, 4)


@pytest.mark.parametrize(
    "activation", ["softmax", autodiff.softmax, Softmax(), lambda h: h - autodiff.mean(h, axis=-1, keepdims=True)]
)
def test_an_activation_of_several_numbers_sees_those_of_one_sample(activation):
    x = RNG.normal(size=(3, 4, 2))
    layer = RNN(2, 5, activation=activation, bidirectional=True, seed=0)
    together = layer(x).data
    np.testing.assert_allclose(together, np.concatenate([layer(x[i : i + 1]).data for i in range(3)]), rtol=1e-12)
    cell, h = layer.cells[0], np.zeros((3, 5))
    for t in range(4):
        h = cell(x[:, t], h)
        np.testing.assert_allclose(h.data, together[:, t, :5], rtol=1e-12)
        np.testing.assert_allclose(
            h.data.sum(axis=1), np.full(3, round(float(h.data[0].sum()))), rtol=1e-12, atol=1e-12
        )
