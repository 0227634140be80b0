"""The lesson on names, shortened: one epoch of ten."""

import re
from itertools import chain

import numpy as np
import pytest

from examples.datasets import read_names
from examples.names import BATCH, LETTERS, Names, Writer, batches, count_pairs, spell, split_names, surprise_of, write
from nn import cross_entropy
from tests.examples.lessons import assert_png, run_lesson


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return run_lesson("names", tmp_path_factory.mktemp("names"), epochs=1)


def test_the_split_is_fixed_and_has_every_name_once():
    names, again = split_names(), split_names()
    parts = [names.learning, names.validation, names.test]
    assert sorted(chain(*parts)) == sorted(set(read_names()))
    assert [len(part) for part in parts] == [23595, 2950, 2949]
    assert again == names


def test_spelling():
    x, y, real = spell(["emma", "al"])
    assert x.tolist() == [[0, 5, 13, 13, 1], [0, 1, 12, 0, 0]]
    assert y.tolist() == [[5, 13, 13, 1, 0], [1, 12, 0, 0, 0]]
    assert real.sum(axis=1).tolist() == [5, 3]  # the end mark is a character, once


def test_pairs_are_counted():
    names = Names(learning=["ab", "a"], validation=[], test=["ba"])
    # After the start: a twice; after a: b once and the end once; after b: the end. And one more of everything.
    expected = -np.log([1 / 29, 1 / 28, 2 / 29]).mean()
    assert count_pairs(names) == pytest.approx(expected, rel=1e-12)


def test_batches_hold_every_name_once_in_another_order_every_time():
    names = split_names().test
    rng = np.random.default_rng(0)
    first, second = batches(names, rng), batches(names, rng)
    for dealt in (first, second):
        assert sorted(chain(*dealt)) == sorted(names)
        assert max(map(len, dealt)) == BATCH
    assert first != second
    filled = [max(map(len, batch)) - min(map(len, batch)) for batch in first]
    assert np.median(filled) == 0


def test_what_is_filled_up_does_not_count():
    model = Writer(np.random.default_rng(0)).eval()
    names = ["al", "bartholomew", "emma"]
    alone = []
    for name in names:
        x, y, _ = spell([name])
        alone.append(cross_entropy(model(x)[0], y, reduction="sum").item())
    assert surprise_of(model, names) == pytest.approx(sum(alone) / (3 + 12 + 5), rel=1e-12)


def test_writing_stops_at_an_end_and_is_as_likely_as_it_says():
    model = Writer(np.random.default_rng(0)).eval()
    rng = np.random.default_rng(1)
    for _ in range(5):
        name, seen = write(model, rng, least=3)
        assert 3 <= len(name) <= 30
        x, y, _ = spell([name])
        p = [p[letter] for p, letter in zip(seen, y[0], strict=False)]
        assert -np.log(p).sum() == pytest.approx(
            cross_entropy(model(x)[0][:, : len(seen)], y[:, : len(seen)], reduction="sum").item(), rel=1e-9
        )


def test_shortened(short):
    result, shown = short
    assert result.counted == pytest.approx(2.4688, abs=1e-4)
    assert result.surprise < 2.3  # the whole lesson: below 2.02
    assert f"Test surprise: {result.surprise:.4f} per character" in shown
    losses = re.search(r"epoch  1/1   surprise (\S+)   on validation names (\S+)", shown).groups()
    assert all(2 < float(loss) < 2.5 for loss in losses)
    assert_png(result.picture)


def test_the_names_that_it_writes(short):
    result, shown = short
    assert len(result.written) == 24
    assert all(set(name) <= set(LETTERS[1:]) and name for name in result.written)
    names = split_names()
    for name in result.written:
        sign = "*" if name in names.learning else "+" if name in names.validation + names.test else ""
        assert re.search(rf"    {name}{re.escape(sign)}(\s|$)", shown, re.M), name
    drawn = re.findall(r"drawn: (\S) \(p = (\S+)\)", shown)
    assert "".join(letter for letter, _ in drawn) == f"{result.written[0]}."


@pytest.mark.slow
def test_in_full(tmp_path):
    result, _ = run_lesson("names", tmp_path)
    assert result.surprise < 2.02
    assert result.seconds < 300
