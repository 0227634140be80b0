"""History: columns of numbers, written and read to the last digit."""

import csv
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn import History, HistoryLogger, Network, fit


def same(a, b):
    return len(a) == len(b) and all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True))


NAMES = st.text(min_size=1).filter(lambda name: name != "epoch" and name.isprintable())
COLUMNS = st.integers(1, 5).flatmap(
    lambda n: st.dictionaries(NAMES, st.lists(st.floats(), min_size=n, max_size=n), min_size=1)
)


@settings(max_examples=30)
@given(COLUMNS)
def test_jsonl_keeps_every_bit(tmp_path_factory, columns):
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    History(columns).to_jsonl(path)
    read = History.from_jsonl(path)
    assert list(read) == list(columns)
    assert all(same(read[name], columns[name]) for name in columns)
    for line in path.read_text(encoding="utf-8").splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_csv_keeps_every_digit(tmp_path):
    path = tmp_path / "history.csv"
    history = History({"loss": [1 / 3, 1e-300, 0.1 + 0.2], 'an "odd", name': [math.inf, math.nan, -0.0]})
    history.to_csv(path)
    assert path.read_bytes().count(b"\n") == 4
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["epoch", *history]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"]
    for i, numbers in enumerate(history.values(), start=1):
        assert same([float(row[i]) for row in rows[1:]], numbers)


def test_columns_of_unequal_length(tmp_path):
    history = History(loss=[0.5, 0.25])
    history.record(loss=0.125, extra=1)
    history.to_csv(tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text() == "epoch,loss,extra\n1,0.5,1.0\n2,0.25,\n3,0.125,\n"
    history.to_jsonl(tmp_path / "h.jsonl")
    assert History.from_jsonl(tmp_path / "h.jsonl") == history


def test_an_empty_history(tmp_path):
    History().to_csv(tmp_path / "h.csv")
    History().to_jsonl(tmp_path / "h.jsonl")
    assert (tmp_path / "h.csv").read_text() == "epoch\n"
    assert History.from_jsonl(tmp_path / "h.jsonl") == {}


@pytest.mark.parametrize("line", ["{", "[1, 2]", '{"loss": 1}', '{"epoch": 1, "loss": "low"}', "7", ""])
def test_other_files_are_refused(line, tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_text('{"epoch": 1, "loss": 0.5}\n' + line + "\n")
    with pytest.raises(ValueError, match=r"h.jsonl, line 2: .* is no epoch of a history"):
        History.from_jsonl(path)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_logger_writes_every_epoch(ending, tmp_path):
    path = tmp_path / f"history.{ending}"
    options = {"epochs": 3, "seed": 0, "verbose": 0, "callbacks": [HistoryLogger(path)]}
    history = fit(Network([1, 1], seed=0), [[0.0], [1.0]], [1.0, 2.0], **options)
    lines = path.read_text().splitlines()
    assert len(lines) == 3 + (ending == "csv")
    if ending == "jsonl":
        assert History.from_jsonl(path) == history
    else:
        assert lines[3] == f"3,{history['loss'][2]!r}"


def test_the_logger_refuses_other_endings_and_missing_folders(tmp_path):
    with pytest.raises(ValueError, match=r"a .csv or a .jsonl file, and was given 'log.txt'"):
        HistoryLogger("log.txt")
    network = Network([1, 1], seed=0)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        network.fit([[0.0]], [1.0], callbacks=[HistoryLogger(tmp_path / "no" / "h.csv")], verbose=0)
