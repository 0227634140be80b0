"""A module runs in a scope named after its place in the module that calls it."""

import pytest

import autodiff
from autodiff import Tensor, observe, scope
from nn import Dense, Module, Neuron, Residual, Sequential


class Net(Module):
    def __init__(self):
        self.hidden = Dense(2, 3, "tanh", seed=0)
        self.heads = {"mean": Dense(3, 1, seed=1), "more": [Dense(3, 1, seed=2)]}

    def forward(self, x):
        x = self.hidden(x)
        return self.heads["mean"](x) + self.heads["more"][0](x)


def scopes_of(function):
    found = []
    with observe(lambda node, op, inputs: found.append((op.name, node.scope))):
        function()
    return found


def test_every_module_has_the_name_of_its_place():
    net = Net()
    found = scopes_of(lambda: net([[1.0, 2.0]]))
    assert ("tanh", "hidden") in found
    assert ("matmul", "heads.mean") in found
    assert ("matmul", "heads.more.0") in found
    assert found[-1] == ("add", "")  # the outermost module adds no name of its own


def test_scopes_nest_with_those_of_the_caller():
    model = Sequential(Dense(2, 2, seed=0), Residual(Sequential(Dense(2, 2, seed=1))))
    with scope("step 3"):
        places = {place for _, place in scopes_of(lambda: model([[1.0, 2.0]]))}
    assert places == {"step 3/layers.0", "step 3/layers.1", "step 3/layers.1/layer/layers.0"}


def test_a_shared_module_is_named_by_its_caller():
    shared = Dense(2, 2, seed=0)
    model = Sequential(Sequential(shared), shared)
    places = [place for name, place in scopes_of(lambda: model([[1.0, 2.0]])) if name == "matmul"]
    assert places == ["layers.0/layers.0", "layers.1"]


def test_what_has_moved_is_found_anew():
    model = Sequential(Dense(2, 2, seed=0), Dense(2, 2, seed=1))
    model([[1.0, 2.0]])
    del model.layers[0]
    assert {place for _, place in scopes_of(lambda: model([[1.0, 2.0]]))} == {"layers.0"}


def test_a_module_made_on_the_way_has_the_name_of_its_kind():
    class OnTheWay(Module):
        def forward(self, x):
            return Dense(2, 2, seed=0)(x)

    assert {place for _, place in scopes_of(lambda: OnTheWay()([[1.0, 2.0]]))} == {"Dense"}


def test_an_error_leaves_no_scope_behind():
    class Failing(Module):
        def forward(self, x):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Sequential(Failing())([1.0])
    assert (Tensor(1.0) + 1).scope == ""
    assert Neuron(1, seed=0)([1.0]).scope == ""


def test_gradients_of_a_module_of_ones_own():
    net = Net()
    x = Tensor([[0.3, -0.4]])
    net(x).sum().backward()
    by_hand = autodiff.tanh(x.data @ net.hidden.weight.data.T + net.hidden.bias.data)
    np_weight = net.heads["mean"].weight.data + net.heads["more"][0].weight.data
    wanted = (np_weight * (1 - by_hand**2)) @ net.hidden.weight.data
    assert abs(x.grad - wanted).max() < 1e-15


def test_a_module_without_forward_says_what_to_write():
    class Empty(Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no forward; write def forward"):
        Empty()(1.0)


def test_a_module_in_two_places_has_the_name_of_its_parameters():
    class Twice(Module):
        def __init__(self):
            self.first = Dense(2, 2, seed=0)
            self.again = [self.first]

        def forward(self, x):
            return self.again[0](self.first(x))

    model = Twice()
    assert {place for _, place in scopes_of(lambda: model([[1.0, 2.0]]))} == {"first"}
    assert [name for name, _ in model.named_parameters()] == ["first.weight", "first.bias"]
