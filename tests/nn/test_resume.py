"""A training that goes on from a checkpoint ends with the very bits of one that was never stopped."""

import random
import signal

import numpy as np
import pytest

import nn
from autodiff import Value
from nn import (
    SGD,
    Adam,
    Callback,
    Checkpoint,
    CheckpointError,
    Dense,
    EarlyStopping,
    Network,
    Sequential,
    StepLR,
    fit,
    load_checkpoint,
    save_checkpoint,
)
from nn.files.archive import read_archive, write_archive
from tests.nn.faults.resume import Cut, one_cut, uncut
from tests.nn.faults.trainings import KINDS, LABELS, Run, X


@pytest.mark.parametrize("kind", KINDS)
def test_killed_anywhere_it_goes_on_bit_for_bit(kind, tmp_path):
    rng = random.Random(kind)
    for _ in range(3):
        where, problem = one_cut(kind, tmp_path / "run.npz", rng)
        assert problem is None, (where, problem)


class After(Callback):
    """Stops a training after so many batches, as a crash would."""

    def __init__(self, steps):
        self.steps = steps

    def on_batch_end(self, training):
        if training.steps == self.steps:
            raise Cut


@pytest.mark.parametrize("kind", ["single", "dense"])
def test_after_every_batch(kind, tmp_path):
    """Four batches make an epoch: this meets the first, the middle, the last batch, and the border."""
    path = tmp_path / "run.npz"
    for steps in range(2, 11):
        with pytest.raises(Cut):
            Run(kind).fit(Checkpoint(path, every_batches=1), After(steps))
        progress = load_checkpoint(path).progress
        assert (progress["epoch"] - 1) * 4 + progress["batch"] == steps - 1
        assert Run(kind, seed=5).fit(resume_from=path).state() == uncut(kind)


@pytest.mark.parametrize("kind", ["scalar", "single", "tokens"])
def test_more_epochs(kind, tmp_path):
    path = tmp_path / "run.npz"
    Run(kind, epochs=2).fit(Checkpoint(path))
    assert Run(kind, seed=5).fit(resume_from=path).state() == uncut(kind)
    Run(kind).fit(Checkpoint(path))
    assert Run(kind, seed=5).fit(resume_from=path).state() == uncut(kind), "nothing is left to do"


def test_goes_on_from_a_training_that_went_on(tmp_path):
    path = tmp_path / "run.npz"
    Run("dense", epochs=1).fit(Checkpoint(path))
    Run("dense", seed=5, epochs=3).fit(Checkpoint(path), resume_from=path)
    assert Run("dense", seed=6).fit(resume_from=path).state() == uncut("dense")


def test_what_early_stopping_ended_stays_ended_while_it_is_there(tmp_path):
    path = tmp_path / "run.npz"
    stopped = Run("dense").fit(Checkpoint(path))
    epochs = len(stopped.history["loss"])
    assert epochs < stopped.options["epochs"]
    again = Run("dense", seed=5, epochs=30).fit(resume_from=path)
    assert again.state() == stopped.state() == uncut("dense")
    assert len(Run("dense", seed=5, callbacks=[]).fit(resume_from=path).history["loss"]) == stopped.options["epochs"]


def test_the_place_of_a_checkpoint_among_the_callbacks_does_not_matter(tmp_path):
    early, late = tmp_path / "early.npz", tmp_path / "late.npz"
    Run("dense", callbacks=[Checkpoint(early), EarlyStopping(patience=2), Checkpoint(late, every=2)], epochs=4).fit()
    for path in (early, late):
        assert Run("dense", seed=5).fit(resume_from=path).state() == uncut("dense")


def test_the_file_holds_the_state_of_every_callback(tmp_path):
    """Also of those that are told after the checkpoint, and of two of a kind."""

    class Counter(Callback):
        def __init__(self, step=1):
            self.count, self.step = 0, step

        def on_epoch_end(self, training):
            self.count += self.step

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state["count"]

    class Other(Counter):
        def on_batch_end(self, training):
            self.count += 1

    path = tmp_path / "run.npz"
    Run("single", epochs=2).fit(Checkpoint(path), Counter(), Other(), Counter(step=10))
    callbacks = [Other(), Counter(), Counter(step=10), EarlyStopping("loss")]
    Run("single", seed=5).fit(*callbacks, resume_from=path)
    assert [callback.count for callback in callbacks[:3]] == [4 * 4 + 4, 4, 40]
    assert callbacks[3].best_epoch in (3, 4), "what the file does not know begins afresh"


def test_generators_of_dropout_and_order_go_on(tmp_path):
    """One generator for both: it must not be drawn from twice."""
    path = tmp_path / "run.npz"
    Run("tokens", epochs=2).fit(Checkpoint(path))
    run = Run("tokens", seed=5).fit(resume_from=path)
    straight = Run("tokens").fit()
    assert repr(run.options["seed"].bit_generator.state) == repr(straight.options["seed"].bit_generator.state)


def test_a_callback_that_watches_something_else_begins_afresh(tmp_path):
    """The best loss is no best r2, and a checkpoint of the latest epoch knows no best."""

    def train(*callbacks, **given):
        return fit(Dense(5, 1, seed=0), X, X[:, 0] + 9, metrics=["r2"], seed=0, verbose=0, callbacks=callbacks, **given)

    path, best = tmp_path / "run.npz", tmp_path / "best.npz"
    train(EarlyStopping("loss"), Checkpoint(path), Checkpoint(best, save_best_only=True, monitor="loss"), epochs=2)
    watching = Checkpoint(best, save_best_only=True, monitor="loss")
    history = train(watching, resume_from=path, epochs=2)
    assert watching.best.number == history["loss"][-1]
    stopping = EarlyStopping("r2", patience=1)
    history = train(stopping, resume_from=path, epochs=4)
    assert history["loss"][1] > 1 > history["r2"][2]  # as an r2, such a loss would never be beaten
    assert (stopping.best_epoch, stopping.best.number) == (4, history["r2"][3])


def test_the_best_epoch_is_kept(tmp_path):
    path = tmp_path / "best.npz"
    run = Run("dense", epochs=6, callbacks=[])
    run.fit(Checkpoint(path, save_best_only=True))
    best = int(np.argmin(run.history["validation_loss"])) + 1
    assert load_checkpoint(path).progress["epoch"] == best + 1
    assert 1 < best < 6


# ── what does not fit ────────────────────────────────────────────────────────────────────────────────
def model(activation="tanh", hidden=4, seed=0):
    return Sequential(Dense(5, hidden, activation, seed=seed), Dense(hidden, 3, seed=seed))


def options(**changes):
    return {
        "X": X,
        "y": LABELS,
        "loss": "cross_entropy",
        "learning_rate": 0.1,
        "optimizer": "adam",
        "batch_size": 4,
        "epochs": 3,
        "seed": 0,
        "verbose": 0,
    } | changes


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("resume") / "run.npz"
    fit(model(), **options(callbacks=[Checkpoint(path)]))
    return path


OTHER = {
    "architecture": (model(hidden=6), {}, r"(?s)  model in the file:\n    .*Dense\(5, 4, .*  and here:.*Dense\(5, 6, "),
    "activation": (model("relu"), {}, r"(?s)in the file:.*activation='tanh'.*and here:.*activation='relu'"),
    "length": (model(), {"X": X[:20], "y": LABELS[:20]}, r"samples: 23 \(.*\) in the file, 20 \(.*\) here"),
    "numbers": (model(), {"X": X + 1e-12}, r"samples: 23 \(X \(23, 5\), y \(23,\), checksum \w+\) in the file, 23 "),
    "targets": (model(), {"y": (LABELS + 1) % 3}, "samples: 23"),
    "batch size": (model(), {"batch_size": 8}, "batch_size: 4 in the file, 8 here"),
    "loss": (model(), {"loss": "hinge"}, "loss: cross_entropy in the file, hinge here"),
    "optimizer": (model(), {"optimizer": "sgd"}, r"optimizer: Adam\(4 .* in the file, SGD\(4 .* here"),
    "learning rate": (model(), {"learning_rate": 0.2}, r"learning_rate=0.1, .* in the file, .*learning_rate=0.2, .* h"),
    "schedule": (
        model(),
        {"schedule": StepLR(step_size=2)},
        r"schedule: none in the file, StepLR\(step_size=2, gamma=",
    ),
    "clip": (model(), {"clip": ("value", 1.0)}, "clip: none in the file, value 1.0 here"),
    "metrics": (model(), {"metrics": ["accuracy"]}, "metrics: none in the file, accuracy here"),
    "validation": (model(), {"validation_data": (X[:3], LABELS[:3])}, "validation: none in the file, 3 "),
    "shuffle": (model(), {"shuffle": False}, "shuffle: True in the file, False here"),
    "epochs": (model(), {"epochs": 2}, "3 epochs are done, and epochs is 2"),
    "seed": (model(), {"seed": np.random.Generator(np.random.MT19937(0))}, "'seed' was saved as a .*PCG64"),
}


@pytest.mark.parametrize("case", OTHER)
def test_another_training_is_refused_and_nothing_changes(case, saved):
    other, changes, message = OTHER[case]
    before = other.state_dict()
    with pytest.raises(CheckpointError, match=message) as caught:
        fit(other, **options(**changes, resume_from=saved))
    assert str(saved) in str(caught.value)
    assert all((array == before[name]).all() for name, array in other.state_dict().items())


def test_a_refused_checkpoint_leaves_the_optimizer_alone(saved):
    other = model()
    optimizer = Adam(other.parameters(), 0.1)
    with pytest.raises(CheckpointError):
        fit(other, **options(optimizer=optimizer, learning_rate=None, schedule=nn.WarmUp(steps=3), resume_from=saved))
    assert optimizer.learning_rate == 0.1


def test_all_differences_are_listed(saved):
    with pytest.raises(CheckpointError) as caught:
        fit(model(), **options(loss="hinge", batch_size=2, clip=1.0, resume_from=saved))
    assert all(f"\n  {name}: " in str(caught.value) for name in ("loss", "batch_size", "clip"))
    assert "model" not in str(caught.value)


def test_functions_are_compared_by_name_not_by_address(tmp_path):
    def squared(predictions, targets):
        return ((predictions - targets) ** 2).mean()

    class Squared:
        def __call__(self, predictions, targets):
            return squared(predictions, targets)

    path, y = tmp_path / "run.npz", X[:, :1]
    fit(Dense(5, 1, seed=0), X, y, loss=Squared(), epochs=1, seed=0, verbose=0, callbacks=[Checkpoint(path)])
    fit(Dense(5, 1, seed=0), X, y, loss=Squared(), epochs=2, seed=0, verbose=0, resume_from=path)
    with pytest.raises(CheckpointError, match=r"loss: <.*Squared object> in the file, squared here"):
        fit(Dense(5, 1, seed=0), X, y, loss=squared, epochs=2, seed=0, verbose=0, resume_from=path)


def test_a_file_that_fit_did_not_write(tmp_path, saved):
    path = tmp_path / "weights.npz"
    save_checkpoint(path, model=model())
    with pytest.raises(CheckpointError, match=r"was not written by fit.*\n?.*load_checkpoint\(path\).restore"):
        fit(model(), **options(resume_from=path))
    with pytest.raises(FileNotFoundError):
        fit(model(), **options(resume_from=tmp_path / "nothing.npz"))
    path.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        fit(model(), **options(resume_from=path))


FORGED = {
    "epoch": 0,
    "batch": 1,
    "total": 3,
    "outputs": "nothing",
    "stopped_by": 7,
    "history": {"loss": "down"},
    "shuffling": {"bit_generator": "PCG64"},
    "callbacks": [["Checkpoint"]],
    "plan": None,
}


@pytest.mark.parametrize("field", FORGED)
def test_forged_progress_is_refused(field, saved, tmp_path):
    arrays, metadata = read_archive(saved)
    metadata["state"]["progress"][field] = FORGED[field]
    kept = {name: array for name, array in arrays.items() if f'"{name}"' in repr(metadata).replace("'", '"')}
    write_archive(tmp_path / "forged.npz", kept, metadata)
    with pytest.raises(CheckpointError):
        fit(model(), **options(resume_from=tmp_path / "forged.npz"))


def test_a_forged_order_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(Cut):
        fit(model(), **options(callbacks=[Checkpoint(path, every_batches=1), After(4)]))
    arrays, metadata = read_archive(path)
    name = metadata["state"]["progress"]["order"]["$array"]
    for wrong in (arrays[name] + 1, arrays[name][:-1], arrays[name].astype(float), arrays[name] * 0):
        write_archive(path, {**arrays, name: wrong}, metadata)
        with pytest.raises(CheckpointError, match="progress is not that of a training"):
            fit(model(), **options(resume_from=path))


def test_a_callback_that_refuses_its_state(tmp_path):
    class Picky(Callback):
        def state_dict(self):
            return {"color": "red"}

        def load_state_dict(self, state):
            raise KeyError("colour")

    path = tmp_path / "run.npz"
    fit(model(), **options(callbacks=[Checkpoint(path), Picky()]))
    with pytest.raises(CheckpointError, match="its state of Picky is refused: KeyError: 'colour'"):
        fit(model(), **options(resume_from=path, callbacks=[Picky()]))


def test_what_was_written_can_be_gone_on_with_however_large_it_is(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    Run("dense", epochs=1).fit(Checkpoint(path))
    monkeypatch.setitem(load_checkpoint.__kwdefaults__, "max_bytes", 10_000)
    with pytest.raises(CheckpointError, match="max_bytes"):
        load_checkpoint(path)
    Run("dense", epochs=2).fit(resume_from=path)


@pytest.mark.parametrize("per", ["epoch", "batch"])
def test_after_ctrl_c_the_same_optimizer_goes_on(per, tmp_path):
    """The schedule has changed its learning rate by then; in a new process, it begins as it did at first."""

    class Press(Callback):
        def on_batch_end(self, training):
            if training.steps in presses:
                signal.raise_signal(signal.SIGINT)

    def train(model, optimizer, **given):
        return fit(model, X, LABELS, loss="cross_entropy", optimizer=optimizer, schedule=(per, StepLR(step_size=1, gamma=0.9)),
                   epochs=4, batch_size=9, seed=0, verbose=0, **given)  # fmt: skip

    def made():
        model = Dense(X.shape[1], 3, seed=0)
        return model, SGD(model.parameters(), 0.1, momentum=0.9)

    path, presses = tmp_path / "run.npz", []
    expected = train(*made())
    same, presses = made(), [4, 9]
    with pytest.raises(KeyboardInterrupt):
        train(*same, callbacks=[Checkpoint(path, every=100), Press()])
    with pytest.raises(KeyboardInterrupt):
        train(*same, callbacks=[Checkpoint(path, every=100), Press()], resume_from=path)
    assert train(*made(), resume_from=path) == expected
    assert train(*same, resume_from=path) == expected
    other = made()
    other[1].learning_rate = 0.05
    with pytest.raises(CheckpointError, match=r"learning_rate=0\.1, .* in the file, .*learning_rate=0\.05"):
        train(*other, resume_from=path)


def test_what_cannot_be_saved_is_said_before_training(tmp_path):
    class Line:
        def __init__(self):
            self.slope = Value(0.0)

        def parameters(self):
            return [self.slope]

        def __call__(self, row):
            return self.slope * row[0]

    class Plain:
        def __init__(self, parameters):
            self.parameters = parameters

        def step(self):
            raise AssertionError("nothing may be learnt")

        def zero_grad(self):
            pass

    data = {"X": [[1.0], [2.0]], "y": [1.0, 2.0], "verbose": 0}
    with pytest.raises(TypeError, match=r"the model .*Line.* has no state_dict\(\)"):
        fit(Line(), **data, callbacks=[Checkpoint(tmp_path / "run.npz")])
    network = Network([1, 1], seed=0)
    with pytest.raises(TypeError, match=r"the optimizer .*Plain.* has no state_dict\(\)"):
        fit(network, **data, optimizer=Plain(network.parameters()), callbacks=[Checkpoint(tmp_path / "run.npz")])
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        fit(network, **data, callbacks=[Checkpoint(tmp_path / "no" / "run.npz")])


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    Run("single", epochs=1).fit(Checkpoint(path))
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *names: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        Run("single").fit(Checkpoint(path))
    assert path.read_bytes() == before


def test_momentum_goes_on(tmp_path):
    """A wrong moment would show: the same from a checkpoint without the optimizer's state is another training."""
    path = tmp_path / "run.npz"
    network = Network([3, 2, 1], seed=0)
    fit(network, X[:, :3], X[:, 3], optimizer=SGD(network.parameters(), 0.05, momentum=0.9), epochs=2, seed=0,
        verbose=0, callbacks=[Checkpoint(path)])  # fmt: skip
    again, alone = Network([3, 2, 1], seed=1), Network([3, 2, 1], seed=1)
    fit(again, X[:, :3], X[:, 3], optimizer=SGD(again.parameters(), 0.05, momentum=0.9), epochs=3, seed=0, verbose=0,
        resume_from=path)  # fmt: skip
    load_checkpoint(path).restore(model=alone)
    fit(alone, X[:, :3], X[:, 3], optimizer=SGD(alone.parameters(), 0.05, momentum=0.9), epochs=1, seed=0, verbose=0)
    assert again.parameters()[0].data != alone.parameters()[0].data
