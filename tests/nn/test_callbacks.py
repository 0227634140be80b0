"""Callbacks: when they are called, what they see, and what the ones of this library do."""

import math

import numpy as np
import pytest

from autodiff import Tensor, Value, log, sqrt
from nn import (
    SGD,
    Adam,
    BatchNorm,
    Callback,
    Checkpoint,
    Dense,
    Dropout,
    EarlyStopping,
    HistoryLogger,
    Module,
    Network,
    Sequential,
    StopOnNaN,
    fit,
    load_checkpoint,
)
from tests.nn.faults.trainings import exact

X = np.linspace(-1, 1, 10)[:, None]
Y = 2 * X[:, 0] + 1


def train(model=None, X=X, y=Y, **options):
    model = model or Dense(1, 1, seed=0)
    return fit(model, X, y, **{"epochs": 3, "batch_size": 4, "seed": 0, "verbose": 0} | options)


# ── when ─────────────────────────────────────────────────────────────────────────────────────────────
class Diary(Callback):
    def __init__(self):
        self.seen = []

    def note(self, event, training):
        history = {name: len(numbers) for name, numbers in training.history.items()}
        self.seen.append((event, training.epoch, training.batch, history.get("loss", 0)))

    def on_train_begin(self, training):
        self.note("begin", training)

    def on_epoch_begin(self, training):
        self.note("epoch", training)

    def on_gradients(self, training):
        self.note("gradients", training)

    def on_batch_end(self, training):
        self.note("batch", training)

    def on_epoch_end(self, training):
        self.note("done", training)

    def on_train_end(self, training):
        self.note("end", training)


def test_the_order_of_events():
    diary = Diary()
    train(epochs=2, batch_size=5, callbacks=[diary])
    assert diary.seen == [
        ("begin", 1, 0, 0),
        *[("epoch", 1, 0, 0), ("gradients", 1, 0, 0), ("batch", 1, 1, 0)],
        *[("gradients", 1, 1, 0), ("batch", 1, 2, 0), ("done", 1, 2, 1)],
        *[("epoch", 2, 0, 1), ("gradients", 2, 0, 1), ("batch", 2, 1, 1)],
        *[("gradients", 2, 1, 1), ("batch", 2, 2, 1), ("done", 2, 2, 2)],
        ("end", 3, 0, 2),
    ]


def test_what_a_callback_sees():
    model = Dense(1, 1, seed=0)
    optimizer = SGD(model.parameters(), 0.1)
    rows, losses = [], []

    class Look(Callback):
        def on_gradients(self, training):
            assert (training.model, training.optimizer) == (model, optimizer)
            assert [name for name, _ in training.named_parameters] == ["weight", "bias"]
            assert all(parameter.grad is not None for _, parameter in training.named_parameters)
            expected = np.mean((model(X[training.rows]).data[:, 0] - Y[training.rows]) ** 2)
            assert training.batch_loss == pytest.approx(expected, rel=1e-14)

        def on_batch_end(self, training):
            assert (training.epochs, training.batches) == (2, 3)
            rows.append(training.rows.tolist())
            losses.append(training.batch_loss * len(training.rows))

    history = train(model, optimizer=optimizer, epochs=2, callbacks=[Look()])
    for epoch in (0, 1):
        assert sorted(np.concatenate(rows[3 * epoch : 3 * epoch + 3])) == list(range(10))
        assert history["loss"][epoch] == pytest.approx(sum(losses[3 * epoch : 3 * epoch + 3]) / 10, rel=1e-14)


def test_what_raises_before_the_step_prevents_it():
    model = Sequential(Dense(1, 2, seed=0), BatchNorm(2), Dropout(0.5, seed=0), Dense(2, 1, seed=1))
    before = exact([dict(model.state_dict()), model[2].rng.bit_generator.state])

    class Refuse(Callback):
        def on_gradients(self, training):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        train(model, callbacks=[Refuse()])
    assert exact([dict(model.state_dict()), model[2].rng.bit_generator.state]) == before


def test_gradients_may_be_changed_before_the_step():
    class Freeze(Callback):
        def on_gradients(self, training):
            dict(training.named_parameters)["bias"].zero_grad()

    model = Dense(1, 1, seed=0)
    train(model, callbacks=[Freeze()])
    assert model.bias.data.tolist() == [0.0]
    assert model.weight.data != Dense(1, 1, seed=0).weight.data


def test_stop_ends_with_the_epoch():
    class Stop(Callback):
        def on_batch_end(self, training):
            if training.steps == 4:
                training.stop()

    assert len(train(epochs=9, callbacks=[Stop()])["loss"]) == 2


def test_a_callback_may_record_and_watch_what_it_records():
    class Slope(Callback):
        def on_train_begin(self, training):
            training.measures.append("slope")

        def on_epoch_end(self, training):
            training.history.record(slope=training.model.weight.data[0, 0])

    history = train(callbacks=[Slope(), EarlyStopping("slope", mode="max")])
    assert len(history["slope"]) == 3


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([EarlyStopping], r"callbacks has <class .*EarlyStopping'>, which is no callback; write EarlyStopping\(\)"),
        ([print], "callbacks has <built-in function print>, which is no callback; write a subclass of nn.Callback"),
        (StopOnNaN(), r"callbacks is a list, such as \[EarlyStopping\(\)\], and was given "),
        (None, "callbacks is a list"),
    ],
)
def test_what_is_no_callback(callbacks, message):
    with pytest.raises(TypeError, match=message):
        train(callbacks=callbacks)


# ── early stopping ───────────────────────────────────────────────────────────────────────────────────
class Scripted(Callback):
    """Gives the history the numbers that a test needs, and the model a weight that tells the epoch."""

    def __init__(self, numbers, name="score"):
        self.numbers, self.name = numbers, name

    def on_train_begin(self, training):
        training.measures.append(self.name)

    def on_epoch_end(self, training):
        training.history.record(**{self.name: self.numbers[training.epoch - 1]})
        training.model.weight.data = [[float(training.epoch)]]


@pytest.mark.parametrize(
    ("numbers", "options", "epochs", "best"),
    [
        ([5, 4, 3, 2, 1, 0], {"patience": 1}, 6, 6),
        ([5, 4, 4, 4, 1, 0], {"patience": 2}, 4, 2),
        ([5, 4, 4, 3, 9, 9], {"patience": 2}, 6, 4),
        ([5, 4.5, 4, 3.5, 3, 2.5], {"patience": 2, "min_delta": 0.9}, 6, 5),
        ([5, 4.5, 4.2, 4.1, 4, 3], {"patience": 2, "min_delta": 1}, 3, 1),
        ([1, 2, 3, 3, 2, 1], {"patience": 3, "mode": "max"}, 6, 3),
        ([math.nan, math.nan, 1, 2, 3, 4], {"patience": 2}, 2, 0),
        ([math.nan, 3, math.nan, 2, 2, 2], {"patience": 2}, 6, 4),
        ([math.inf, 3, 3, 2, 2, 2], {"patience": 1}, 3, 2),
        ([-math.inf, -math.inf, 3, 3, 3, 3], {"patience": 2}, 3, 1),
    ],
)
def test_early_stopping(numbers, options, epochs, best):
    stopping, model = EarlyStopping("score", **{"mode": "min"} | options), Dense(1, 1, seed=0)
    history = train(model, epochs=6, callbacks=[Scripted(numbers), stopping])
    assert (len(history["score"]), stopping.best_epoch) == (epochs, best)
    if best:
        assert model.weight.data.tolist() == [[best]]
    again = train(model, epochs=6, callbacks=[Scripted(numbers), stopping])
    assert len(again["score"]) == epochs, "it forgets the training before"


def test_the_last_weights_may_stay():
    model = Dense(1, 1, seed=0)
    stopping = EarlyStopping("score", mode="min", patience=2, restore_best_weights=False)
    train(model, epochs=6, callbacks=[Scripted([1, 2, 3, 4]), stopping])
    assert model.weight.data.tolist() == [[3.0]]
    assert stopping.best_epoch == 1


def test_running_averages_are_restored_with_the_weights():
    model, kept = Sequential(Dense(1, 3, seed=0), BatchNorm(3), Dense(3, 1, seed=0)), []

    class Keep(Callback):
        def on_epoch_end(self, training):
            kept.append(exact(dict(model.state_dict())))

    stopping = EarlyStopping(patience=3)
    options = {"validation_data": (X, -Y), "epochs": 20, "callbacks": [Keep(), stopping], "learning_rate": 0.2}
    history = train(model, **options)
    best = int(np.argmin(history["validation_loss"]))
    assert stopping.best_epoch == best + 1 < len(kept)
    assert exact(dict(model.state_dict())) == kept[best]


def test_accuracy_is_known_to_be_better_when_higher():
    for name in ("accuracy", "validation_accuracy", "f1", "validation_r2"):
        assert EarlyStopping(name).best.sign == -1
    for name in ("loss", "validation_loss", "validation_mse", "perplexity", "mean_absolute_error"):
        assert EarlyStopping(name).best.sign == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: EarlyStopping("speed"),
            "mode is 'min' or 'max', to say what is better of 'speed', and was given None",
        ),
        (lambda: EarlyStopping("loss", mode="down"), "mode is 'min' or 'max'.*given 'down'"),
        (lambda: EarlyStopping(patience=0), "patience is at least 1, and was given 0"),
        (lambda: EarlyStopping(min_delta=-1), "min_delta is at least 0, and was given -1"),
        (lambda: EarlyStopping(min_delta=math.nan), "min_delta is at least 0"),
        (lambda: Checkpoint("run.npz", every=0), "every is at least 1, and was given 0"),
        (lambda: Checkpoint("run.npz", every_batches=0), "every_batches is at least 1"),
        (lambda: Checkpoint("run.npz", every=2, every_batches=3), "every_batches stands alone"),
        (lambda: Checkpoint("run.npz", save_best_only=True, every_batches=3), "every_batches stands alone"),
    ],
)
def test_options_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_number_that_is_not_measured_is_named_before_training():
    model = Dense(1, 1, seed=0)
    for watching in (EarlyStopping(), Checkpoint("run.npz", save_best_only=True)):
        message = (
            "'validation_loss' is watched, and training measures loss; give fit validation_data or validation_split"
        )
        with pytest.raises(ValueError, match=message):
            train(model, callbacks=[watching])
    with pytest.raises(ValueError, match=r"'validation_r2' is watched, and training measures loss, validation_loss$"):
        train(model, callbacks=[EarlyStopping("validation_r2")], validation_split=0.2)
    assert exact(dict(model.state_dict())) == exact(dict(Dense(1, 1, seed=0).state_dict()))


def test_callbacks_have_a_readable_repr():
    shown = repr([EarlyStopping(patience=3), Checkpoint("run.npz"), HistoryLogger("run.csv")])
    assert shown == "[EarlyStopping('validation_loss', patience=3), Checkpoint('run.npz'), HistoryLogger('run.csv')]"


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({}, [3, 6, 9, 12, 15]),
        ({"every": 2}, [6, 12, 15]),
        ({"every": 100}, [15]),
        ({"every_batches": 4}, [4, 8, 12, 15]),
        ({"every_batches": 100}, [15]),
    ],
)
def test_when_checkpoints_are_written(options, written, tmp_path, monkeypatch):
    seen = []

    def note(path, *, progress, **rest):
        seen.append(3 * (progress["epoch"] - 1) + progress["batch"])

    monkeypatch.setattr("nn.training.resuming.save_checkpoint", note)
    train(epochs=5, callbacks=[Checkpoint(tmp_path / "run.npz", **options)])
    assert seen == written


def test_a_training_that_is_stopped_writes_its_last_epoch(tmp_path):
    path = tmp_path / "run.npz"
    stopping = EarlyStopping("score", mode="min", patience=2)
    train(epochs=9, callbacks=[Checkpoint(path, every=4), Scripted([1, 2, 3]), stopping])
    assert load_checkpoint(path).progress["epoch"] == 4


def test_any_callback_may_save(tmp_path):
    path = tmp_path / "middle.npz"

    class Middle(Callback):
        def on_batch_end(self, training):
            if training.steps == 5:
                training.save(path)

    train(callbacks=[Middle()])
    assert (load_checkpoint(path).progress["epoch"], load_checkpoint(path).progress["batch"]) == (2, 2)


def test_what_is_saved_at_the_end_is_written(tmp_path):
    class AtEnd(Callback):
        def on_train_end(self, training):
            training.save(tmp_path / "end.npz")

    model = Dense(1, 1, seed=0)
    train(model, callbacks=[AtEnd()])
    assert exact(load_checkpoint(tmp_path / "end.npz").weights) == exact(dict(model.state_dict()))
    assert train(epochs=5, resume_from=tmp_path / "end.npz") == train(epochs=5)


def test_the_normalizer_is_kept_beside_the_model(tmp_path):
    from nn import Normalizer

    path, normalizer = tmp_path / "run.npz", Normalizer()
    train(X=normalizer.fit_transform(X), callbacks=[Checkpoint(path, normalizer=normalizer)])
    other = Normalizer()
    load_checkpoint(path).restore(normalizer=other)
    assert (other.transform(X) == normalizer.transform(X)).all()


# ── numbers that are none ────────────────────────────────────────────────────────────────────────────
class Root(Module):
    """The gradient of its root is infinite at 0, where the loss is a number."""

    def __init__(self):
        self.weight = Tensor([[1.0]], label="w")
        self.norm = BatchNorm(1)

    def forward(self, x):
        self.norm(np.asarray(x))
        return sqrt(abs(x @ self.weight))


def test_a_gradient_that_is_none_is_traced_to_its_operation():
    model = Root()
    optimizer = Adam(model.parameters(), 0.01)
    learnt = []

    class Keep(Callback):
        def on_batch_end(self, training):
            learnt[:] = [exact([dict(model.state_dict()), optimizer.state_dict()])]

    bad = np.array([[1.0], [2.0], [3.0], [0.0], [4.0], [5.0]])
    with pytest.raises(FloatingPointError) as caught:
        train(model, bad, bad, optimizer=optimizer, batch_size=2, shuffle=False, callbacks=[StopOnNaN(), Keep()])
    first, second, *rest = str(caught.value).splitlines()
    assert first == "the gradient of weight holds nan in epoch 1, batch 2 (rows 2, 3)"
    assert second.startswith("  the backward pass of sqrt produced nan in 1 of 2 entries for abs(...) = shape (2, 1)")
    assert "test_callbacks.py" in rest[0]
    assert "return sqrt(abs(x @ self.weight))" in rest[0]
    assert exact([dict(model.state_dict()), optimizer.state_dict()]) == learnt[0]


def test_a_loss_that_is_none_is_traced_to_its_operation():
    class Logarithm(Module):
        def __init__(self):
            self.slope = Value(1.0, label="slope")

        def forward(self, row):
            return log(self.slope * row[0])

    model = Logarithm()
    with pytest.raises(FloatingPointError) as caught:
        fit(model, [[1.0], [2.0], [-1.0]], [0.0, 0.7, 0.0], batch_size=1, shuffle=False, callbacks=[StopOnNaN()],
            verbose=0)  # fmt: skip
    assert str(caught.value).startswith(
        "the loss is nan in epoch 1, batch 3 (rows 2)\n  log produced nan from multiply(...) ="
    )


def test_the_batch_is_computed_again_with_the_same_dropout():
    """Only what was not dropped can be blamed."""
    model = Sequential(Dropout(0.5, seed=3), Dense(4, 1, seed=0), lambda x: log(x * 0 + 1 - abs(x)))
    data = np.random.default_rng(0).normal(size=(8, 4)) * 3
    state = model[0].rng.bit_generator.state
    for _ in range(3):
        with pytest.raises(FloatingPointError, match=r"(?s)batch 1 .*log produced (nan|-inf)"):
            fit(model, data, np.zeros(8), epochs=1, batch_size=4, shuffle=False, callbacks=[StopOnNaN()], verbose=0)
        assert model[0].rng.bit_generator.state == state


def test_the_same_numbers_are_dropped_again():
    """Only with the first mask is there a logarithm of 0."""
    seed = next(s for s in range(99) if (np.random.default_rng(s).random(2) < 0.5).tolist() == [True, False])
    model = Sequential(Dropout(0.5, seed=seed), Dense(1, 1, seed=0), abs, log)
    with pytest.raises(
        FloatingPointError, match=r"the loss is inf in epoch 1, batch 1 \(rows 0\)\n  log produced -inf"
    ):
        train(model, X=[[1.0]], y=[0.0], callbacks=[StopOnNaN()])


def test_without_the_callback_the_loss_alone_is_looked_at():
    with pytest.raises(FloatingPointError, match=r"the loss is nan in epoch 1, batch 1; .*callbacks=\[StopOnNaN\(\)\]"):
        train(Sequential(Dense(1, 1, seed=0), lambda x: log(x * 0 - 1)))


def test_many_rows_are_not_all_listed():
    model = Sequential(Dense(1, 1, seed=0), lambda x: log(x * 0 - 1))
    rows = np.ones((30, 1))
    with pytest.raises(FloatingPointError, match=r"\(rows 0, 1, .*, 19, \.\.\.\)"):
        train(model, rows, rows, batch_size=30, shuffle=False, callbacks=[StopOnNaN()])


def test_what_happens_only_once_is_said_to():
    numbers = iter([math.nan, 1.0, 1.0])

    class Moody(Module):
        def __init__(self):
            self.weight = Tensor([[1.0]])

        def forward(self, x):
            return Tensor(x, requires_grad=False) @ self.weight * next(numbers)

    def loss(predictions, targets):
        return predictions.sum()

    with pytest.raises(FloatingPointError, match="computed once more, no operation gives such a number"):
        train(Moody(), loss=loss, callbacks=[StopOnNaN()])


def test_good_numbers_pass():
    assert train(callbacks=[StopOnNaN()]) == train()
    assert train(Network([1, 2, 1], seed=0), callbacks=[StopOnNaN()]) == train(Network([1, 2, 1], seed=0))
