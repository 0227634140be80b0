"""Compiled training: the numbers of eager training, and what becomes of models that cannot be compiled."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nn
from autodiff import AnomalyError, TraceError, Value, detect_anomaly, observe, tanh, where
from nn import Module, Network, activations
from nn.losses import LOSSES
from nn.training.compiled import Forward
from nn.training.fit import fit
from nn.training.loop import Training

rng = np.random.default_rng(7)
X = rng.normal(size=(23, 4))
LABELS = rng.integers(0, 3, 23)
TOLERANCE = 1e-10


def numbers_of(model):
    return np.array([p.data for p in model.parameters()])


def both(make, X, y, **options):
    """The same training twice, eagerly and compiled; what it leaves behind agrees."""
    options = {"epochs": 4, "batch_size": 8, "seed": 3, "verbose": 0, **options}
    made = {name: option for name, option in options.items() if name in ("callbacks", "optimizer", "schedule")}
    eager, compiled = make(), make()
    histories = []
    for model, compile in ((eager, False), (compiled, True)):
        fresh = {name: option(model) if callable(option) else option for name, option in made.items()}
        histories.append(fit(model, X, y, compile=compile, **{**options, **fresh}))
    assert histories[1].compiled
    assert not histories[0].compiled
    assert histories[0].keys() == histories[1].keys()
    for name in histories[0]:
        np.testing.assert_allclose(histories[1][name], histories[0][name], rtol=TOLERANCE, atol=0, err_msg=name)
    agree(compiled, eager)
    return histories[1], compiled


def agree(compiled, eager):
    """Numbers and gradients; 0 may be off by the rounding of what was added up to it, which is of the largest's size."""
    a, b = numbers_of(compiled), numbers_of(eager)
    np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=1e-14 * np.abs(b).max())
    for p, q in zip(compiled.parameters(), eager.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None)
    g, h = ([0.0 if p.grad is None else p.grad for p in m.parameters()] for m in (compiled, eager))
    np.testing.assert_allclose(g, h, rtol=1e-9, atol=1e-13 * max(np.abs(h).max(), 1e-3))


# ── the same numbers ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", sorted(activations.ACTIVATIONS))
def test_every_activation(name):
    if activations.acts_on_rows(activations.ACTIVATIONS[name]):
        both(lambda: Network([4, 3], output=name, seed=1), X, np.eye(3)[LABELS], loss="mse")
    else:
        both(lambda: Network([4, 5, 3], name, seed=1), X, LABELS, loss="cross_entropy")


TARGETS = {
    "mse": (1, "linear", X[:, 0]),
    "mae": (2, "tanh", X[:, :2]),
    "huber": (1, "linear", 3 * X[:, :1]),
    "hinge": (3, "linear", LABELS),
    "cross_entropy": (3, "linear", LABELS),
    "nll": (3, "log_softmax", LABELS),
    "binary_cross_entropy": (1, "sigmoid", LABELS % 2),
    "binary_cross_entropy_with_logits": (1, "linear", LABELS % 2),
    "kl_divergence": (3, "log_softmax", np.eye(3)[LABELS] * 0.9 + 0.1 / 3),
}


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_loss_as_array_and_on_values(loss):
    outputs, last, y = TARGETS[loss]
    make = lambda: Network([4, 5, outputs], output=last, seed=2)
    both(make, X, y, loss=loss)
    both(make, X, y, loss=lambda p, t: LOSSES[loss](p, t))  # of one's own, for all that fit can know


@pytest.mark.parametrize(
    "loss",
    [
        nn.losses.loss_named("cross_entropy"),
        lambda p, t: nn.cross_entropy(p, t, label_smoothing=0.2),
        lambda p, t: nn.cross_entropy(p, t, reduction="sum"),
        lambda p, t: nn.hinge(p, t, multiclass="crammer-singer"),
    ],
)
def test_options_of_losses(loss):
    both(lambda: Network([4, 5, 3], seed=2), X, LABELS, loss=loss, learning_rate=0.02)


def test_options_given_by_partial():
    from functools import partial

    for loss in (partial(nn.cross_entropy, label_smoothing=0.1), partial(nn.hinge, multiclass="crammer-singer")):
        both(lambda: Network([4, 5, 3], seed=2), X, LABELS, loss=loss, optimizer="adam", learning_rate=0.02)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adagrad", "adam", "adamw"])
def test_every_optimizer(optimizer):
    if optimizer == "momentum":
        optimizer = lambda m: nn.SGD(m.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=0.01)
    both(lambda: Network([4, 6, 1], seed=4), X, X[:, 1], optimizer=optimizer)


def test_loss_near_nothing_keeps_its_digits():
    """Classes far apart: the loss is 1e-9 and less, and a log-softmax would have lost half of its digits."""
    y = (X[:, 0] > 0).astype(int)
    far = 40 * np.sign(X[:, :1]) + 0.01 * X
    history, _ = both(lambda: Network([4, 2], seed=0), far, y, loss="cross_entropy", epochs=3)
    assert 0 < history["loss"][-1] < 1e-9


def test_metrics_validation_clip_and_schedule():
    options = {
        "metrics": ["accuracy"],
        "validation_split": 0.3,
        "clip": 0.4,
        "schedule": lambda m: ("batch", nn.StepLR(step_size=3, gamma=0.7)),
        "optimizer": lambda m: nn.Adam(m.parameters(), 0.05),
    }
    both(lambda: Network([4, 6, 3], seed=4), X, LABELS, loss="cross_entropy", **options)
    both(lambda: Network([4, 6, 3], seed=4), X, LABELS, loss="cross_entropy", clip=("value", 0.01))
    of_ones_own = lambda p, t: float(np.mean(p.argmax(axis=1) == t))
    both(lambda: Network([4, 6, 3], seed=4), X, LABELS, loss="cross_entropy", metrics=[of_ones_own])


def test_groups_of_parameters():
    def in_groups(model):
        first, second = model.layers
        return nn.Adam(
            [
                {"parameters": second.parameters(), "learning_rate": 0.1},
                {"parameters": first.parameters()[::-1]},
            ],
            0.01,
        )

    both(lambda: Network([4, 6, 2], seed=4), X, X[:, :2], optimizer=in_groups, clip=0.2)


def test_an_optimizer_with_a_step_of_its_own():
    class Backwards(nn.SGD):
        def step(self):
            for p in self.parameters:
                if p.grad is not None:
                    p.data = p.data - 0.1 * p.grad

    both(lambda: Network([4, 2], seed=4), X, X[:, :2], optimizer=lambda m: Backwards(m.parameters()))


def test_one_output_column_of_targets_and_a_last_smaller_batch():
    both(lambda: Network([4, 3, 1], seed=0), X, X[:, :1], batch_size=7)
    both(lambda: Network([4, 3, 1], seed=0), X, X[:, 0], batch_size=100, shuffle=False)
    both(lambda: Network([4, 3, 1], seed=0), X, X[:, 0], batch_size=1)


def test_the_same_numbers_whoever_looks():
    """Parameters in a vector or not: to the last bit."""

    class Looks(nn.Callback):
        def on_batch_end(self, training):
            seen.append(numbers_of(training.model))

    results = []
    for callbacks in ([], [Looks()], [nn.EarlyStopping("loss", patience=9)], [nn.StopOnNaN()]):
        seen = []
        model = Network([4, 5, 3], seed=1)
        options = {"optimizer": "adam", "clip": 0.3, "loss": "cross_entropy", "batch_size": 8, "epochs": 3}
        history = model.fit(X, LABELS, callbacks=callbacks, seed=0, verbose=0, compile=True, **options)
        results.append((history, numbers_of(model).tolist(), [p.grad for p in model.parameters()]))
    assert results[0] == results[1] == results[2] == results[3]


class Recurrent(Module):
    """A cell out of single numbers, along a row."""

    def __init__(self, hidden=3, seed=0):
        draw = np.random.default_rng(seed)
        self.into = [Value(x) for x in draw.normal(size=hidden)]
        self.back = [[Value(x / 2) for x in row] for row in draw.normal(size=(hidden, hidden))]
        self.out = [Value(x) for x in draw.normal(size=hidden)]
        self.bias = Value(0.1)

    def forward(self, row):
        state = [0.0] * len(self.into)
        for x in row:
            state = [
                tanh(w * x + sum(b * s for b, s in zip(row_of, state, strict=True)))
                for w, row_of in zip(self.into, self.back, strict=True)
            ]
        return sum(w * s for w, s in zip(self.out, state, strict=True)) + self.bias


def test_recurrent_cells():
    both(Recurrent, X, X.sum(axis=1), optimizer="adam", validation_split=0.2, clip=1.0)


def test_models_that_are_no_modules():
    class Line:
        def __init__(self):
            self.slope, self.offset = Value(0.5), Value(0.0)

        def __call__(self, row):
            return self.slope * row[0] + self.offset

        def parameters(self):
            return [self.slope, self.offset]

    both(Line, X, 2 * X[:, 0] + 1)


def test_shared_and_unused_parameters():
    class Shared(Module):
        def __init__(self):
            self.w, self.unused = Value(0.3), Value(5.0)
            self.also_w = self.w

        def forward(self, row):
            return tanh(self.w * row[0]) + self.also_w * row[1]

    _, model = both(Shared, X, X[:, 2], optimizer=lambda m: nn.SGD(m.parameters(), 0.1, weight_decay=0.1))
    assert model.unused.grad is None
    assert model.unused.data == 5.0


def test_outputs_that_the_loss_does_not_look_at():
    """No gradient flows to their weights, which an optimizer with a memory would tell from a gradient of 0."""
    first = lambda predictions, targets: nn.mse([p[0] for p in predictions], targets)
    make = lambda: Network([4, 2], seed=0)
    _, model = both(make, X, X[:, 0], loss=first, optimizer=lambda m: nn.SGD(m.parameters(), 0.1, weight_decay=0.1))
    assert [p.grad is None for p in model.parameters()] == [False] * 5 + [True] * 5


def test_a_loss_that_looks_at_the_parameters():
    def make():
        made.append(Network([4, 3, 1], seed=0))
        return made[-1]

    def shrinking(k):
        return lambda p, t: nn.mse(p, t) + 0.1 * sum(w * w for w in made[k].parameters())

    made, losses = [], [shrinking(0), shrinking(1)]
    eager, compiled = make(), make()
    options = {"epochs": 3, "batch_size": 8, "seed": 0, "verbose": 0}
    a = eager.fit(X, X[:, 0], loss=losses[0], compile=False, **options)
    b = compiled.fit(X, X[:, 0], loss=losses[1], compile=True, **options)
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=TOLERANCE, atol=0)
    agree(compiled, eager)


def test_frozen_parameters():
    def make():
        model = Network([4, 3, 2], seed=0)
        for p in model.layers[0].parameters():
            p.requires_grad = False
        return model

    _, model = both(make, X, X[:, :2])
    before = Network([4, 3, 2], seed=0).layers[0].parameters()
    frozen = [p for neuron in model.layers[0].neurons for p in [*neuron.weights, neuron.bias]]
    assert [p.data for p in frozen] == [p.data for p in before]


class FreezesLater(nn.Callback):
    def on_epoch_begin(self, training):
        for p in training.model.layers[0].neurons[0].weights:
            p.requires_grad = training.epoch < 3


class GrowsWarmer(nn.Callback):
    def on_epoch_begin(self, training):
        training.model.temperature = 1.0 + training.epoch


class Replaces(nn.Callback):
    def on_epoch_begin(self, training):
        if training.epoch == 2:
            training.model.layers[-1].neurons[0].bias = Value(0.25)


class Halves(nn.Callback):
    def on_batch_end(self, training):
        for p in training.model.parameters():
            p.data = p.data / 2


@pytest.mark.parametrize("callback", [FreezesLater, Replaces, Halves])
def test_callbacks_that_change_the_model(callback):
    _, model = both(lambda: Network([4, 3, 2], seed=0), X, X[:, :2], callbacks=lambda m: [callback()])
    assert len(model.parameters()) in (23, 19)


def test_a_setting_of_the_model_that_changes():
    class Warm(Network):
        temperature = 1.0

        def forward(self, row):
            return [y / self.temperature for y in super().forward(row)]

    both(lambda: Warm([4, 3, 2], seed=0), X, X[:, :2], callbacks=lambda m: [GrowsWarmer()])


def test_models_that_differ_in_evaluation():
    class Switched(Network):
        def forward(self, row):
            outputs = super().forward(row)
            return outputs if self.training else [2 * y for y in outputs]

    _, model = both(lambda: Switched([4, 3, 2], seed=0), X, X[:, :2], validation_split=0.3)
    predicted = model.predict(np.tile(X, (3, 1)), compile=True)
    np.testing.assert_allclose(predicted, model.predict(np.tile(X, (3, 1)), compile=False), rtol=1e-12)
    assert all(module.training for _, module in model.named_modules())


# ── predict and evaluate ─────────────────────────────────────────────────────────────────────────────
def test_predict_and_evaluate():
    many = np.tile(X, (13, 1)) + rng.normal(size=(299, 4))
    for outputs in (1, 3):
        model = Network([4, 6, outputs], seed=3)
        eager = model.predict(many, compile=False)
        for compile in (None, True):
            compiled = model.predict(many, compile=compile)
            assert compiled.shape == eager.shape
            np.testing.assert_allclose(compiled, eager, rtol=1e-12, atol=1e-15)
        y = many[:, :outputs]
        found = model.evaluate(many, y, compile=True, metrics=["r2"])
        assert found == pytest.approx(model.evaluate(many, y, compile=False, metrics=["r2"]), rel=1e-12)
    assert model.predict(X[:3]).tolist() == model.predict(X[:3], compile=False).tolist(), "few rows go one by one"


# ── what cannot be compiled ──────────────────────────────────────────────────────────────────────────
class Branching(Network):
    def forward(self, row):
        return super().forward(row) * (2 if row[0] > 0 else 1)


class Drawing(Module):
    """Randomness, of a generator that the model holds, and of Python's."""

    def __init__(self):
        self.w, self.draw = Value(0.5), np.random.default_rng(5)

    def forward(self, row):
        return self.w * row[0] + self.draw.normal() + random.random()


class Counting(Network):
    def forward(self, row):
        self.count = getattr(self, "count", 0) + 1
        return super().forward(row)


class Equal(Network):
    def forward(self, row):
        return super().forward(row) * (2 if row[0] == 1 else 1)


class BranchingLate(Drawing):
    def forward(self, row):
        noisy = super().forward(row)
        return noisy if noisy.data > 0 else -noisy


ONES = np.where(X > 0.5, 1.0, X)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Branching([4, 3, 1], seed=0), "branching on a traced number"),
        (Drawing, "randomness"),
        (lambda: Counting([4, 3, 1], seed=0), "changes something"),
        (lambda: Equal([4, 3, 1], seed=0), "=="),
        (BranchingLate, "traced number leaves the graph"),
    ],
    ids=["branch", "random", "count", "equal", "late"],
)
def test_models_that_go_eagerly(make, word):
    """To the bit what compile=False gives: numbers that were drawn for a trace are drawn again, or were not in vain."""
    results = []
    for compile in (False, None):
        random.seed(1)
        model = make()
        history = fit(
            model, ONES, X[:, 0], epochs=2, seed=0, verbose=0, compile=compile, validation_split=0.3, loss=nn.mae
        )
        results.append((history, numbers_of(model).tolist(), getattr(model, "count", None)))
        assert not history.compiled
        assert (history.eager_because is None) == (compile is False)
    assert word in history.eager_because
    assert results[0] == results[1]
    before = model.state_dict()
    with pytest.raises(TraceError, match=word):
        fit(model, ONES, X[:, 0], epochs=2, seed=0, verbose=0, compile=True)
    assert {name: float(x) for name, x in model.state_dict().items()} == {name: float(x) for name, x in before.items()}
    many = np.tile(ONES, (3, 1))
    with pytest.raises(TraceError, match=word):
        model.predict(many, compile=True)
    assert model.predict(many).shape == (69,)


def test_a_row_computed_for_a_trace_that_is_of_no_use_keeps_its_graph():
    """Lists of lists go eagerly, with the outputs of the first row, and their gradients count."""

    class Nested(Module):
        def __init__(self):
            self.w = [Value(0.5), Value(-1.0), Value(2.0)]

        def forward(self, row):
            return [[self.w[0] * row[0], self.w[1] * row[1]], [self.w[2] * row[0] * row[1]]]

    def loss(outputs, targets):
        return sum((y - t) ** 2 for row, t in zip(outputs, targets, strict=True) for part in row for y in part)

    results = []
    for compile in (False, None):
        model = Nested()
        history = model.fit(X, X[:, 0], loss=loss, epochs=1, batch_size=23, seed=0, verbose=0, compile=compile)
        results.append((history, numbers_of(model).tolist()))
    assert results[0] == results[1]
    assert "nested lists" in history.eager_because


def test_a_choice_by_where_is_compiled():
    class Bent(Module):
        def __init__(self):
            self.a, self.b = Value(0.5), Value(-0.5)

        def forward(self, row):
            return where(row[0] > 0, self.a * row[0], self.b * row[0])

    both(Bent, X, abs(X[:, 0]))


def test_hooks_and_observers_are_called():
    model = Network([4, 1], seed=0)
    seen = []
    model.layers[0].neurons[0].bias.register_hook(seen.append)
    history = model.fit(X, X[:, 0], epochs=2, batch_size=23, verbose=0)
    assert len(seen) == 2
    assert "hook" in history.eager_because
    made = []
    with observe(lambda node, op, inputs: made.append(op)):
        history = Network([4, 1], seed=0).fit(X, X[:, 0], epochs=2, batch_size=23, verbose=0)
    assert len(made) > 23 * 8
    assert "observed" in history.eager_because
    with pytest.raises(AnomalyError), detect_anomaly():
        Network([4, 1], seed=0).fit(X, X[:, 0], loss=lambda p, t: nn.mse(p, t) * np.inf, epochs=1, verbose=0)


def test_a_hook_that_comes_later():
    class Hooks(nn.Callback):
        def on_epoch_begin(self, training):
            if training.epoch == 2:
                training.model.parameters()[0].register_hook(lambda gradient: 10 * gradient)
                assert training.compiled

    def train(compile):
        model = Network([4, 1], seed=0)
        history = model.fit(X, X[:, 0], epochs=3, seed=0, verbose=0, callbacks=[Hooks()], compile=compile)
        return history, numbers_of(model)

    class Hooked(Hooks):
        def on_epoch_begin(self, training):
            if training.epoch == 2:
                training.model.parameters()[0].register_hook(lambda gradient: 10 * gradient)

    model = Network([4, 1], seed=0)
    eager = model.fit(X, X[:, 0], epochs=3, seed=0, verbose=0, callbacks=[Hooked()], compile=False)
    history, numbers = train(None)
    np.testing.assert_allclose(history["loss"], eager["loss"], rtol=TOLERANCE)
    np.testing.assert_allclose(numbers, numbers_of(model), rtol=TOLERANCE)
    assert not history.compiled
    with pytest.raises(TraceError, match="hook"):
        train(True)


def test_errors_of_the_model_are_its_own():
    class Wrong(Network):
        def forward(self, row):
            raise KeyError("a mistake")

    for compile in (None, False):
        with pytest.raises(KeyError, match="a mistake"):
            Wrong([4, 1], seed=0).fit(X, X[:, 0], verbose=0, compile=compile)
    with pytest.raises(TypeError, match="compile is True, False, or None"):
        Network([4, 1], seed=0).fit(X, X[:, 0], compile="yes")


def test_eager_training_asks_nothing_of_the_compiler(monkeypatch):
    def forbidden(*args, **options):
        raise AssertionError("compile was called")

    monkeypatch.setattr("autodiff.compile", forbidden)
    model = Network([4, 1], seed=0)
    model.fit(X, X[:, 0], epochs=2, verbose=0, compile=False, validation_split=0.5)
    model.predict(np.tile(X, (3, 1)), compile=False)
    model.evaluate(X, X[:, 0], compile=False)
    with pytest.raises(AssertionError, match="compile was called"):
        model.fit(X, X[:, 0], epochs=2, verbose=0)


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("callbacks", [[], [nn.StopOnNaN()], [nn.Callback()]])
@pytest.mark.parametrize("clip", [None, 1.0])
def test_numbers_that_are_none(callbacks, clip):
    """The batch before stands, and the message names what the eager one names."""

    class Root(Module):
        def __init__(self):
            self.w = Value(1.0, label="slope")

        def forward(self, row):
            return (self.w * row[0]) ** 0.5

    messages, left = [], []
    for compile in (False, True):
        model = Root()
        with pytest.raises(FloatingPointError) as caught:
            fit(
                model,
                [[1.0], [4.0], [0.0]],
                [2.0, 3.0, 1.0],
                batch_size=1,
                shuffle=False,
                verbose=0,
                learning_rate=0.01,
                compile=compile,
                callbacks=callbacks,
                clip=clip,
            )
        messages.append(str(caught.value))
        left.append(model.w.data)
    assert messages[0] == messages[1]
    assert left[1] == pytest.approx(left[0], rel=1e-14)
    assert left[0] != 1.0


def test_ctrl_c_leaves_whole_steps(monkeypatch):
    """A second Ctrl-C, in the middle of a forward pass: the Values have what the last whole step left."""
    moves = []
    from nn.training.ways import OnRows

    def interrupted(self, rows, first=()):
        if len(moves) == 4:
            raise KeyboardInterrupt
        moves.append(rows)
        return usual(self, rows, first)

    usual = OnRows.gradients
    broken, whole = Network([4, 3, 1], seed=0), Network([4, 3, 1], seed=0)
    monkeypatch.setattr(OnRows, "gradients", interrupted)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(X, X[:, 0], batch_size=23, epochs=9, seed=0, verbose=0)
    monkeypatch.setattr(OnRows, "gradients", usual)
    whole.fit(X, X[:, 0], batch_size=23, epochs=4, seed=0, verbose=0)
    assert numbers_of(broken).tolist() == numbers_of(whole).tolist()


# ── going on ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("every", [{"every": 2}, {"every_batches": 4}])
def test_resuming_is_exact(tmp_path, every):
    path = tmp_path / "run.npz"
    options = {
        "optimizer": "adam",
        "loss": "cross_entropy",
        "batch_size": 8,
        "seed": 3,
        "verbose": 0,
        "metrics": ["accuracy"],
    }
    whole = Network([4, 5, 3], seed=1)
    expected = whole.fit(X, LABELS, epochs=6, **options)
    half = Network([4, 5, 3], seed=1)
    half.fit(X, LABELS, epochs=3, callbacks=[nn.Checkpoint(path, **every)], **options)
    resumed = Network([4, 5, 3], seed=9)
    assert resumed.fit(X, LABELS, epochs=6, resume_from=path, **options) == expected
    assert numbers_of(resumed).tolist() == numbers_of(whole).tolist()
    with pytest.raises(nn.CheckpointError, match="compile: None in the file, False here"):
        Network([4, 5, 3], seed=1).fit(X, LABELS, epochs=6, resume_from=path, compile=False, **options)


def test_forward_knows_each_structure_once():
    forward = Forward(Network([4, 3, 1], seed=0))
    first = forward.traced(X)
    assert forward.traced(X[:5]) is first
    assert first.session(5) is first.session(5)


def test_the_compiler_is_loaded_by_the_first_training_that_needs_it():
    code = """
import sys
import nn
print(*sorted(name for name in sys.modules if name.startswith(("autodiff.compiler.", "numba", "llvmlite", "casadi"))))
model = nn.Network([2, 1], seed=0)
model.fit([[0.0, 1.0]], [1.0], epochs=1, verbose=0, compile=False)
print(*[name for name in sys.modules if "replay" in name or "numpy_backend" in name])
model.fit([[0.0, 1.0]], [1.0], epochs=1, verbose=0)
print("autodiff.compiler.numpy_backend" in sys.modules)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["autodiff.compiler.compile", "", "True"]


def test_training_tells_whether_it_is_compiled():
    seen = []

    class Asks(nn.Callback):
        def on_epoch_end(self, training):
            assert isinstance(training, Training)
            seen.append(training.compiled)

    for model in (Network([4, 1], seed=0), Branching([4, 1], seed=0)):
        model.fit(X, X[:, 0], epochs=1, verbose=0, callbacks=[Asks()])
    assert seen == [True, False]


# ── models of arrays ─────────────────────────────────────────────────────────────────────────────────
SEQUENCES = rng.normal(size=(23, 5, 4))
IMAGES = rng.normal(size=(11, 1, 6, 6))


class LastState(Module):
    def __init__(self, layer):
        self.layer = layer

    def forward(self, x):
        outputs = self.layer(x)
        return (outputs[0] if isinstance(outputs, tuple) else outputs)[:, -1]


ARRAYS = {
    "dense": (lambda: nn.Sequential(nn.Dense(4, 8, "relu", seed=0), nn.Dense(8, 3, seed=1)), X, LABELS),
    "rnn": (lambda: LastState(nn.RNN(4, 3, seed=0)), SEQUENCES, LABELS),
    "gru": (lambda: LastState(nn.GRU(4, 3, seed=0)), SEQUENCES, LABELS),
    "lstm": (lambda: LastState(nn.LSTM(4, 3, seed=0)), SEQUENCES, LABELS),
    "attention": (
        lambda: nn.Sequential(
            nn.LayerNorm(4), nn.MultiHeadAttention(4, 2, seed=0), nn.Flatten(), nn.Dense(20, 3, seed=1)
        ),
        SEQUENCES,
        LABELS,
    ),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 3, seed=0), nn.tanh, nn.MaxPool2d(2), nn.Flatten(), nn.Dense(8, 3, seed=1)
        ),
        IMAGES,
        LABELS[:11],
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_models_of_arrays(name, dtype):
    make, X, y = ARRAYS[name]
    results = []
    for compile in (False, True):
        model = make().astype(dtype)
        options = {"epochs": 3, "batch_size": 8, "seed": 0, "learning_rate": 0.2, "verbose": 0}
        options |= {"loss": "cross_entropy", "metrics": ["accuracy"], "validation_split": 0.2, "clip": 1.0}
        history = model.fit(X, y, compile=compile, **options)
        assert history.compiled == compile
        results.append((history, model.state_dict()))
    tolerance = TOLERANCE if dtype is np.float64 else 1e-4
    (eager, before), (compiled, after) = results
    for column in eager:
        np.testing.assert_allclose(compiled[column], eager[column], rtol=tolerance)
    for path in before:
        assert after[path].dtype == dtype
        np.testing.assert_allclose(after[path], before[path], rtol=tolerance, atol=tolerance * 1e-2, err_msg=path)


def test_arrays_with_hooks_frozen_or_unused_parameters():
    def train(compile):
        model = nn.Sequential(nn.Dense(4, 8, "tanh", seed=0), nn.Dense(8, 3, seed=1))
        model.unused = nn.Dense(2, 2, seed=0)
        model[0].bias.requires_grad = False
        history = model.fit(
            X, LABELS, loss="cross_entropy", epochs=4, seed=0, verbose=0, callbacks=[Thaws()], compile=compile
        )
        assert model.unused.weight.grad is None
        return history, model

    class Thaws(nn.Callback):
        def on_epoch_begin(self, training):
            training.model[0].bias.requires_grad = training.epoch > 2

    (a, eager), (b, compiled) = train(False), train(True)
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=TOLERANCE)
    for p, q in zip(eager.parameters(), compiled.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=TOLERANCE)
        assert (p.grad is None) == (q.grad is None)
    compiled[0].weight.register_hook(lambda gradient: None)
    assert "hook" in compiled.fit(X, LABELS, loss="cross_entropy", epochs=1, verbose=0).eager_because


@pytest.mark.parametrize("layer", [lambda: nn.Dropout(0.5, seed=3), lambda: nn.BatchNorm(8)])
def test_layers_that_change_in_training_go_eagerly(layer):
    results = []
    for compile in (False, None):
        model = nn.Sequential(nn.Dense(4, 8, seed=0), layer(), nn.Dense(8, 1, seed=1))
        history = model.fit(X, X[:, 0], epochs=2, batch_size=8, seed=0, verbose=0, compile=compile)
        results.append((history, {name: x.tolist() for name, x in model.state_dict().items()}))
    assert results[0] == results[1]
    assert "draws random numbers or keeps averages" in history.eager_because
    with pytest.raises(TraceError, match="draws random numbers or keeps averages"):
        model.fit(X, X[:, 0], verbose=0, compile=True)


def test_a_choice_between_batches_goes_eagerly():
    class Chooses(nn.Sequential):
        def forward(self, x):
            outputs = super().forward(x)
            return outputs if outputs.data.sum() > 0 else 2 * outputs

    results = []
    for compile in (False, None):
        model = Chooses(nn.Dense(4, 8, seed=0), nn.Dense(8, 1, seed=1))
        results.append(model.fit(X, X[:, 0], epochs=2, batch_size=8, seed=0, verbose=0, compile=compile))
    assert results[0] == results[1]
    assert not results[1].compiled
