"""Progress: what a person sees of training, as a bar or as plain lines."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from nn.training.history import History


class Lines:
    """A line for every k-th epoch and the last.

    >>> lines = Lines(every=1, epochs=20)
    >>> lines.epoch_done(5, History(loss=[0.5], validation_accuracy=[0.75]))  # doctest: +ELLIPSIS
    epoch  5/20   loss 0.5000   validation accuracy 0.7500   ... ms
    """

    def __init__(self, every: int, epochs: int) -> None:
        self.every, self.epochs = every, epochs
        self.started = perf_counter()

    def batch_done(self) -> None:
        """Nothing: a line is for an epoch."""

    def epoch_done(self, epoch: int, history: History, last: bool = False) -> None:
        """Print the line, if it is the turn of this epoch."""
        milliseconds = 1000 * (perf_counter() - self.started)
        if epoch % self.every == 0 or last:
            counted = f"epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}"
            print(f"{counted}   {measures(history)}   {milliseconds:.0f} ms", flush=True)
        self.started = perf_counter()

    def close(self) -> None:
        """Nothing: every line is complete."""


class Bar:
    """A bar of tqdm that moves with every batch and shows the last epoch."""

    def __init__(self, tqdm: Any, epochs: int, batches: int, done: int) -> None:
        self.epochs = epochs
        self.bar = tqdm(total=epochs * batches, initial=done, unit="batch", dynamic_ncols=True)

    def batch_done(self) -> None:
        """Move."""
        self.bar.update()

    def epoch_done(self, epoch: int, history: History, last: bool = False) -> None:
        """Show what was measured."""
        self.bar.set_postfix_str(f"epoch {epoch}/{self.epochs}   {measures(history)}", refresh=last)

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()


class Silence:
    """Nothing is shown."""

    def batch_done(self) -> None:
        """Nothing."""

    def epoch_done(self, epoch: int, history: History, last: bool = False) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


Progress = Lines | Bar | Silence


def progress(verbose: int, epochs: int, batches: int, done: int = 0) -> Progress:
    """For 0 nothing; for 1 a bar, where tqdm is installed and a person watches, else lines; for k every k-th line."""
    if verbose == 0:
        return Silence()
    if verbose == 1 and _is_terminal(sys.stdout) and _is_terminal(sys.stderr):
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            return Bar(tqdm, epochs, batches, done)
    return Lines(verbose, epochs)


def _is_terminal(stream: Any) -> bool:
    """Whether a person watches; what a program has put in the place of a stream may not know."""
    return hasattr(stream, "isatty") and stream.isatty()


def measures(history: History) -> str:
    """The numbers of the last epoch."""
    shown = []
    for name, numbers in history.items():
        form = ".4g" if name == "learning_rate" else ".4f"
        shown.append(f"{name.replace('_', ' ')} {numbers[-1]:{form}}")
    return "   ".join(shown)
