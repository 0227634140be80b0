"""History: what was measured in training, epoch by epoch, in memory and in files."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator
from itertools import zip_longest

from nn.files.replacing import replacing


class History(dict[str, list[float]]):
    """What happened in training: for each name ("loss", "validation_loss") one number per epoch.

    Attributes:
        compiled: whether the model was compiled, to the end.
        eager_because: what stood in the way, the first line of the error, where ``fit`` would have compiled it.

    >>> history = History()
    >>> history.record(loss=0.5)
    >>> history.record(loss=0.25)
    >>> history
    {'loss': [0.5, 0.25]}
    """

    compiled: bool = False
    eager_because: str | None = None

    def record(self, **numbers: float) -> None:
        """Append the numbers of one epoch."""
        for name, number in numbers.items():
            self.setdefault(name, []).append(float(number))

    def rows(self) -> Iterator[dict[str, float | None]]:
        """One dictionary per epoch, which begins with its number; None where a name was not recorded so long.

        >>> list(History(loss=[0.5, 0.25]).rows())
        [{'epoch': 1, 'loss': 0.5}, {'epoch': 2, 'loss': 0.25}]
        """
        for epoch, numbers in enumerate(zip_longest(*self.values()), start=1):
            yield {"epoch": epoch, **dict(zip(self, numbers, strict=True))}

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a table with a line for each epoch: every digit of every number, the file whole or not at all.

        Raises:
            OSError: it cannot be written; a file that was there stands.
        """
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["epoch", *self])
        table.writerows(["" if number is None else repr(number) for number in row.values()] for row in self.rows())
        _write(path, text.getvalue())

    def to_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write a line of JSON for each epoch, as :meth:`from_jsonl` reads it; as exact and as safe as `to_csv`.

        JSON has no word for a NaN and for infinities: they are written null and ±1e999.

        Raises:
            OSError: it cannot be written; a file that was there stands.
        """
        lines = []
        for row in self.rows():
            pairs = [f"{json.dumps(name)}: {_spelt(number)}" for name, number in row.items() if number is not None]
            lines.append("{" + ", ".join(pairs) + "}\n")
        _write(path, "".join(lines))

    @classmethod
    def from_jsonl(cls, path: str | os.PathLike[str]) -> History:
        """The history that was written to this file.

        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "history.jsonl")
        >>> History(loss=[1 / 3, math.inf]).to_jsonl(path)
        >>> History.from_jsonl(path)
        {'loss': [0.3333333333333333, inf]}

        Raises:
            ValueError: a line is not what :meth:`to_jsonl` writes.
            OSError: it cannot be read.
        """
        history = cls()
        with open(path, encoding="utf-8") as file:
            for place, line in enumerate(file, start=1):
                try:
                    row = dict(json.loads(line))
                    del row["epoch"]
                    history.record(**{name: math.nan if number is None else number for name, number in row.items()})
                except (ValueError, TypeError, KeyError):
                    raise ValueError(f"{path}, line {place}: {line.strip()[:80]!r} is no epoch of a history") from None
        return history


def _spelt(number: float) -> str:
    if math.isnan(number):
        return "null"
    return repr(number) if math.isfinite(number) else "1e999" if number > 0 else "-1e999"


def _write(path: str | os.PathLike[str], text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode("utf-8"))
