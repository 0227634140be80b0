"""Press Ctrl-C anywhere in training, once or twice, and see whether what is left is whole.

    python -m tests.nn.faults.interrupt --signals 100

Each run trains in this process and sends itself SIGINT at a random line of code; every other run sends a second one a
little later. Then the weights, running averages, random generators and the optimizer's state must be those of an
uninterrupted training after some whole step; the modes of all modules, the handler of SIGINT and the recording of
graphs as they were before; and the checkpoint, if there is one, must be readable and go on to the very bits of the
uninterrupted training. Every tenth run is a process of its own that gets its signals from outside. The exit code is 1
if anything failed.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path

from autodiff import Value
from nn import Callback, Checkpoint
from tests.nn.faults.resume import go_on, lines
from tests.nn.faults.trainings import KINDS, Run, acting


class Recorder(Callback):
    """What had been learnt after each step, after an order was drawn, and at the end of the training."""

    def __init__(self, run):
        self.run = run
        self.states = [run.learnt()]

    def on_epoch_begin(self, training):
        self.states.append(self.run.learnt())

    def on_batch_end(self, training):
        self.states.append(self.run.learnt())

    def on_train_end(self, training):
        self.states.append(self.run.learnt())


@cache
def whole_steps(kind):
    run = Run(kind)
    recorder = Recorder(run)
    run.fit(recorder)
    return [*recorder.states, run.learnt()]


def one_run(kind, path, moments):
    """(what happened, how many signals were sent, what is wrong afterwards)."""
    sent = 0

    def interrupt():
        nonlocal sent
        sent += 1
        signal.raise_signal(signal.SIGINT)

    path.unlink(missing_ok=True)
    run, problems = Run(kind), []
    for i, (_, module) in enumerate(run.model.named_modules()):
        module.training = i % 2 == 0
    modes, handler = [module.training for _, module in run.model.named_modules()], signal.getsignal(signal.SIGINT)
    happened = "finished"
    try:
        with acting(dict.fromkeys(moments, interrupt)):
            run.fit(Checkpoint(path, every_batches=1000))
    except KeyboardInterrupt as error:
        happened = "broken off" if "second" in str(error) else "interrupted" if str(error) else "not begun"

    if sent and happened == "finished":
        problems.append("nothing came of it")
    if [module.training for _, module in run.model.named_modules()] != modes:
        problems.append("a mode was changed")
    if signal.getsignal(signal.SIGINT) != handler:
        problems.append("the handler was changed")
    probe = Value(1.0) * 2
    if probe.scope or not probe.requires_grad:
        problems.append("the recording of graphs was changed")
    if run.learnt() not in whole_steps(kind):
        problems.append("a step is half made")
    if happened == "interrupted" and len(moments) == 1 and not path.exists():
        problems.append("there is no checkpoint")
    if path.exists():
        problems += left_behind(kind, path)
    return happened, sent, problems


def left_behind(kind, path):
    """What is wrong with a checkpoint."""
    others = [other.name for other in path.parent.iterdir() if other.name != path.name]
    return ([f"beside it there is {others}"] if others else []) + [p for p in [go_on(kind, path)[1]] if p]


def random_moments(kind, rng, signals):
    """At which lines of code to send signals: the second soon after the first, or much later."""
    first = rng.randrange(1, lines(kind, 1000))
    return [first] if signals == 1 else [first, first + rng.randrange(1, rng.choice([30, 300, 3000]))]


def one_process(kind, path, rng):
    """The same from outside: a process is sent one signal, and must say what became of it."""
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.nn.faults.interrupt", "--child", kind, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.3))
        process.send_signal(signal.SIGINT)
        said, wrong = process.communicate()
    happened = said.strip()
    if happened not in ("interrupted", "not begun"):
        return happened, [f"it said {said + wrong!r}"]
    if not path.exists():
        return happened, ["there is no checkpoint"] if happened == "interrupted" else []
    return happened, left_behind(kind, path)


def child(kind, path):
    """Train over and over, until a signal comes."""
    try:
        print("ready", flush=True)
        while True:
            Run(kind).fit(Checkpoint(path, every_batches=1000))
    except KeyboardInterrupt as error:
        print("interrupted" if str(error) else "not begun", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Press Ctrl-C anywhere in training.")
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored at first
    if arguments.child:
        child(arguments.child[0], Path(arguments.child[1]))
        return 0
    rng, count, began = random.Random(arguments.seed), Counter(), time.perf_counter()
    sent = runs = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.npz")
        while sent < arguments.signals:
            kind, moments = rng.choice(list(KINDS)), "from outside"
            if runs % 10 == 9:
                happened, problems = one_process(kind, path, rng)
                sent += 1
            else:
                moments = random_moments(kind, rng, signals=rng.choice([1, 2]))
                happened, arrived, problems = one_run(kind, path, moments)
                sent += arrived
            runs += 1
            count[happened] += 1
            failed += bool(problems)
            for problem in problems:
                print(f"{kind}, {happened}, signals at lines {moments}: {problem}")
    ended = ", ".join(f"{n} {happened}" for happened, n in count.items())
    print(
        f"{sent} signals to {runs} trainings of {len(KINDS)} kinds in {time.perf_counter() - began:.0f} s: {ended}; "
        f"{failed} left something half done"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
