"""Ctrl-C: the step that is being made is finished, the checkpoint written, and everything left as it was."""

import random
import signal
import threading
from collections import Counter

import pytest

from autodiff import Tensor
from nn import Callback, Checkpoint, Dense, EarlyStopping, fit, load_checkpoint
from nn.training.interrupt import Interrupt
from tests.nn.faults.interrupt import one_run, random_moments
from tests.nn.faults.resume import lines, uncut
from tests.nn.faults.trainings import KINDS, LABELS, Run, X, acting


def press():
    signal.raise_signal(signal.SIGINT)


class PressAfter(Callback):
    """Ctrl-C after the step with this number."""

    def __init__(self, steps, times=1):
        self.steps, self.times = steps, times

    def on_batch_end(self, training):
        if training.steps == self.steps:
            for _ in range(self.times):
                press()


@pytest.fixture(autouse=True)
def handler():
    """Python's own handler, also where the tests run in the background and ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    left = signal.signal(signal.SIGINT, before)
    assert left is signal.default_int_handler


# ── the handler ──────────────────────────────────────────────────────────────────────────────────────
def test_the_first_is_counted_and_the_second_raises_where_it_may():
    with Interrupt() as interrupt:
        press()
        press()
        assert interrupt.count == 2, "held, since nothing here may be broken off"
        with interrupt.leave, interrupt.stay:
            press()
        with pytest.raises(KeyboardInterrupt, match="broken off by a second Ctrl-C"), interrupt.leave:
            press()
        assert not interrupt.leave.open


def test_what_cleans_up_after_the_second_is_not_broken_off_by_a_third():
    cleaned = []

    def work():
        with Interrupt() as interrupt, interrupt.leave:
            try:
                press()
                press()
            finally:
                press()
                press()
                cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cleaned


def test_the_first_does_not_raise_even_where_it_may():
    with Interrupt() as interrupt:
        with interrupt.leave:
            press()
        assert interrupt.count == 1
        interrupt.count = 0


def test_what_nobody_looked_at_is_delivered_at_the_end(handler):
    with pytest.raises(KeyboardInterrupt, match="at its end"), Interrupt():
        press()
    assert signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(KeyboardInterrupt), Interrupt():
        press()


def test_an_error_goes_before_it():
    def fail():
        with Interrupt():
            press()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


@pytest.fixture
def presses():
    """A program with a handler of its own: the signals it was given."""
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGINT, before)


def test_a_handler_of_the_program_is_called_between_two_steps(presses, tmp_path):
    path = tmp_path / "run.npz"
    history = Run("single").fit(PressAfter(3), Checkpoint(path, every_batches=1000)).history
    assert presses == [signal.SIGINT], "it did not raise, so training went on"
    assert len(history["loss"]) == 4
    assert load_checkpoint(path).progress["epoch"] == 5
    with Interrupt() as interrupt, interrupt.leave:
        press()
        press()
        assert interrupt.leave.open
    assert presses == [signal.SIGINT] * 2


def test_a_program_that_ignores_it_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            press()
            assert interrupt.count == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_training_within_training_is_interrupted_with_it():
    class Inner(Callback):
        def on_epoch_end(self, training):
            Run("single").fit(PressAfter(2))

    with pytest.raises(KeyboardInterrupt, match="in epoch 1 after batch 2"):
        Run("single").fit(Inner())


def test_in_another_thread_the_handler_is_left_alone(handler):
    found = []

    class Look(Callback):
        def on_batch_end(self, training):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=lambda: found.append(Run("single").fit(Look()).state()))
    thread.start()
    thread.join()
    assert found[-1] == uncut("single")
    assert set(found[:-1]) == {handler}


# ── fit ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", KINDS)
def test_pressed_anywhere(kind, tmp_path):
    rng, count = random.Random(kind), Counter()
    in_the_middle = [lines(kind, 1000) // 2]  # of training; the others may be before it, where nothing holds them back
    for moments in (in_the_middle, *(random_moments(kind, rng, signals) for signals in (1, 2, 2, 2))):
        happened, _, problems = one_run(kind, tmp_path / "run.npz", moments)
        assert problems == [], (moments, happened)
        count[happened] += 1
    assert count["interrupted"]


def test_the_checkpoint_holds_the_very_batch(tmp_path):
    path = tmp_path / "run.npz"
    for steps, place in (
        (1, "in epoch 1 after batch 1"),
        (4, "in epoch 1 after batch 4"),
        (6, "in epoch 2 after batch 2"),
    ):
        with pytest.raises(KeyboardInterrupt, match=f"interrupted {place}; .*resume_from='.*run.npz'.* goes on"):
            Run("dense").fit(Checkpoint(path), PressAfter(steps))
        progress = load_checkpoint(path).progress
        assert 4 * (progress["epoch"] - 1) + progress["batch"] == steps
        assert Run("dense", seed=5).fit(resume_from=path).state() == uncut("dense")


def test_at_the_end_of_an_epoch(tmp_path):
    class AtEnd(Callback):
        def on_epoch_end(self, training):
            if training.epoch == 2:
                press()

    path = tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt, match="interrupted after epoch 2; "):
        Run("dense").fit(Checkpoint(path, every=100), AtEnd())
    assert Run("dense", seed=5).fit(resume_from=path).state() == uncut("dense")


def test_without_a_checkpoint_the_step_is_finished_all_the_same():
    run, whole = Run("dense"), []

    class Look(PressAfter):
        def on_batch_end(self, training):
            super().on_batch_end(training)
            whole.append(run.learnt())

    with pytest.raises(KeyboardInterrupt, match=r"interrupted in epoch 1 after batch 3$"):
        run.fit(Look(3))
    assert len(whole) == 3
    assert run.learnt() == whole[-1]


def test_twice_in_one_update_raises_after_it_and_writes_nothing(tmp_path):
    path, run = tmp_path / "run.npz", Run("single")
    optimizer = run.options["optimizer"]
    step = type(optimizer).step

    class Pressed(type(optimizer)):
        def step(self):
            press()
            step(self)
            press()

    optimizer.__class__ = Pressed
    seen = []

    class Look(Callback):
        def on_batch_end(self, training):
            seen.append(run.learnt())

    with pytest.raises(KeyboardInterrupt):
        run.fit(Checkpoint(path), Look())
    assert run.learnt() == seen[0]
    assert not path.exists()


def test_the_best_checkpoint_is_not_overwritten(tmp_path):
    best, latest = tmp_path / "best.npz", tmp_path / "latest.npz"
    with pytest.raises(KeyboardInterrupt):
        Run("dense").fit(Checkpoint(best, save_best_only=True), Checkpoint(latest), PressAfter(7))
    assert load_checkpoint(best).progress["epoch"] == 2
    assert load_checkpoint(latest).progress["batch"] == 3


def test_a_second_one_breaks_off_the_writing_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.npz"
    Run("dense", epochs=1).fit(Checkpoint(path))
    before = path.read_bytes()

    class Slow(Callback):
        def state_dict(self):
            press()
            raise AssertionError("the second press comes first")

    with pytest.raises(KeyboardInterrupt, match="second"):
        Run("dense").fit(Checkpoint(path, every=100), PressAfter(2), Slow())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_best_weights_are_restored_whole():
    """A second Ctrl-C while they are assigned waits."""
    run = Run("dense")
    load = run.model.load_state_dict
    moved = []

    def slowly(state, strict=True):
        press()
        press()
        load(state, strict)
        moved.append(True)

    run.model.load_state_dict = slowly
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert moved
    assert run.learnt() == uncut("dense")[0]


def test_a_step_that_is_broken_off_leaves_running_averages_and_generators():
    """The forward pass of BatchNorm and Dropout has already changed them when the second Ctrl-C comes."""
    run, before = Run("dense"), []

    class TwiceInBackward(Callback):
        def on_batch_end(self, training):
            before[:] = [run.learnt()]

        def on_gradients(self, training):
            if training.steps == 5:
                assert run.learnt() != before[0]
                press()
                press()

    with pytest.raises(KeyboardInterrupt, match="second"):
        run.fit(TwiceInBackward())
    assert run.learnt() == before[0]


def test_graphs_are_recorded_as_before_wherever_it_was_broken_off():
    """Between the opening of a scope and its protection no code can stand; a context of its own can."""
    for line in range(2000, 2400, 13):
        run = Run("single")
        with pytest.raises(KeyboardInterrupt), acting({line: press, line + 5: press}):
            run.fit()
        doubled = Tensor(1.0) * 2
        assert (doubled.requires_grad, doubled.scope) == (True, "")


def test_early_stopping_does_not_hide_it():
    with pytest.raises(KeyboardInterrupt):
        fit(Dense(5, 3, seed=0), X, LABELS, loss="cross_entropy", verbose=0, epochs=3,
            callbacks=[EarlyStopping("loss", patience=1), PressAfter(2)])  # fmt: skip
