"""What a person sees of training."""

import re
import subprocess
import sys

import numpy as np
import pytest

from nn import Callback, Checkpoint, Dense, StepLR, fit

X = np.linspace(-1, 1, 10)[:, None]


def train(**options):
    return fit(Dense(1, 1, seed=0), X, 2 * X, **{"epochs": 5, "batch_size": 4, "seed": 0} | options)


@pytest.fixture
def terminal(monkeypatch):
    """A function after which the output, though captured, counts as a terminal."""

    def begin():
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True)

    return begin


def test_a_bar_for_a_terminal(terminal, capsys):
    terminal()
    history = train(metrics=["mae"], validation_split=0.2, schedule=StepLR(step_size=1, gamma=0.1))
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.split("\r")[-1]
    assert "10/10" in last
    numbers = f"epoch 5/5   loss {history['loss'][-1]:.4f}   mae {history['mae'][-1]:.4f}"
    assert numbers in last
    assert "learning rate 1e-05" in last


def test_the_bar_counts_every_batch_and_begins_where_training_goes_on(terminal, capsys, tmp_path):
    terminal()

    class Fail(Callback):
        def on_batch_end(self, training):
            if training.steps == 8:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        train(callbacks=[Checkpoint(tmp_path / "run.npz", every_batches=7), Fail()])
    assert re.search(r"[78]/15", capsys.readouterr().err.split("\r")[-1]), "the bar stays where it was"
    train(resume_from=tmp_path / "run.npz")
    shown = capsys.readouterr().err.split("\r")
    assert any(" 7/15" in state for state in shown[:3])
    assert " 15/15" in shown[-1]


def test_lines_for_every_kth_epoch_even_on_a_terminal(terminal, capsys):
    terminal()
    train(verbose=2)
    shown = capsys.readouterr()
    assert [line[:9] for line in shown.out.splitlines()] == ["epoch 2/5", "epoch 4/5", "epoch 5/5"]
    assert shown.err == ""


def test_lines_where_output_goes_to_a_file(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train()
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 5
    assert shown.err == ""


def test_what_stands_in_for_a_stream_may_not_know_of_terminals(monkeypatch):
    class Tee:
        text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    tee = Tee()
    monkeypatch.setattr(sys, "stdout", tee)
    train(epochs=2)
    assert tee.text.count("epoch") == 2


def test_lines_where_tqdm_is_missing(terminal, monkeypatch, capsys):
    terminal()
    monkeypatch.setitem(sys.modules, "tqdm", None)
    history = train()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert re.fullmatch(rf"epoch 5/5   loss {history['loss'][-1]:.4f}   \d+ ms", lines[-1])


def test_the_last_line_of_a_training_that_is_stopped(capsys):
    class Stop(Callback):
        def on_epoch_end(self, training):
            if training.epoch == 3:
                training.stop()

    train(verbose=2, callbacks=[Stop()])
    assert [line[:9] for line in capsys.readouterr().out.splitlines()] == ["epoch 2/5", "epoch 3/5"]


def test_silence_needs_no_tqdm():
    program = (
        "import sys, nn; nn.fit(nn.Dense(1, 1, seed=0), [[1.0]], [1.0], epochs=2, verbose=0); "
        "print('tqdm' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False False\n", "")
