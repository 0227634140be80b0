"""Models in single precision: all of them computes there, and the leaves stay who they are."""

import re

import numpy as np
import pytest

from autodiff import GraphError, Tensor, observe
from nn import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    BatchNorm,
    Conv2d,
    Dense,
    Embedding,
    Flatten,
    LayerNorm,
    MaxPool2d,
    Module,
    Network,
    Sequential,
    TransformerBlock,
    mse,
)

MODELS = {
    "dense": (lambda: Sequential(Dense(3, 4, "gelu", seed=0), BatchNorm(4), Dense(4, 2, "softmax", seed=1)), (5, 3)),
    "images": (
        lambda: Sequential(Conv2d(1, 2, 3, activation="relu", seed=0), MaxPool2d(2), Flatten(), LayerNorm(8)),
        (2, 1, 6, 6),
    ),
    "rnn": (lambda: RNN(3, 2, layers=2, bidirectional=True, dropout=0.5, seed=0), (2, 4, 3)),
    "lstm": (lambda: LSTM(3, 2, layers=2, bidirectional=True, seed=0), (2, 4, 3)),
    "gru": (lambda: GRU(3, 2, seed=0), (2, 4, 3)),
    "transformer": (lambda: TransformerBlock(4, 2, dropout=0.5, seed=0), (2, 3, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_no_step_of_the_computation_leaves_single_precision(name):
    make, shape = MODELS[name]
    model = make().astype(np.float32)
    x = Tensor(np.random.default_rng(0).normal(size=shape), dtype=np.float32)
    with observe(lambda node, op, inputs: seen.add(node.dtype)):
        seen = set()
        (model(x) ** 2).sum().backward()
    leaves = [leaf for _, leaf in (*model.named_parameters(), *model.named_buffers())]
    assert seen == {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)}
    assert {p.grad.dtype for p in (*model.parameters(), x)} == {np.dtype(np.float32)}


def test_and_back_in_double_precision():
    model = MODELS["dense"][0]()
    before = model.state_dict()
    assert model.astype(np.float32).astype("float64") is model
    for name, data in model.state_dict().items():
        assert data.dtype == np.float64
        assert (data == before[name].astype(np.float32)).all()


def test_leaves_stay_the_same_ones():
    model = Sequential(Dense(2, 2, seed=0), Dense(2, 2, bias=False, seed=1))
    model[1].weight = model[0].weight
    model[0].bias.requires_grad = False
    before = [(id(p), p.label, p.scope) for p in model.parameters()]
    model.astype(np.float32)
    assert [(id(p), p.label, p.scope) for p in model.parameters()] == before
    assert model[1].weight is model[0].weight
    assert not model[0].bias.requires_grad


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, momentum=0.9), lambda p: Adam(p, 0.1)])
def test_an_optimizer_goes_on(make):
    x, y = np.random.default_rng(0).normal(size=(5, 2)), np.ones((5, 1))
    weights = []
    for dtype in (np.float64, np.float32):
        model = Dense(2, 1, seed=0)
        optimizer = make(model.parameters())
        for step in range(4):
            if step == 2:
                model.astype(dtype)
            optimizer.zero_grad()
            mse(model(x.astype(model.weight.dtype)), y).backward()
            optimizer.step()
        assert model.weight.dtype == dtype
        weights.append(model.weight.data)
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-5)


def test_training_and_predictions_stay_in_single_precision():
    model = Dense(2, 1, seed=0).astype(np.float32)
    model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0)
    assert model.weight.dtype == model.predict(np.ones((4, 2))).dtype == np.float32


def test_whole_numbers_stay_whole():
    class Counting(Module):
        def __init__(self):
            self.letters, self.count = Embedding(3, 2, seed=0), Tensor([1, 2])

        def forward(self, x):
            return self.letters(x)

    model = Counting().astype(np.float32)
    assert (model.letters.weight.dtype, model.count.dtype) == (np.float32, np.int64)


def test_a_graph_recorded_before_is_known_to_be_old():
    layer = Dense(2, 1, seed=0)
    output = layer(np.ones(2))
    layer.astype(np.float32)
    with pytest.raises(GraphError, match="was changed after"):
        output.backward()


def test_what_cannot_be():
    network = Network([2, 1], seed=0)
    assert network.astype(np.float64) is network
    wrong = {
        "Network is made of Values, which hold Python's floats; nn.to_sequential(network)": (network, np.float32),
        "a model computes in float32 or float64, and was asked for int64": (Dense(2, 1, seed=0), int),
        "a model computes in float32 or float64, and was asked for float16": (Dense(2, 1, seed=0), np.float16),
    }
    for message, (model, dtype) in wrong.items():
        with pytest.raises(TypeError, match=re.escape(message)):
            model.astype(dtype)
