"""The lessons on digits: the dense network in full, the convolutional one shortened."""

import re

import numpy as np
import pytest

from examples.digits import split_digits
from tests.examples.lessons import accuracies, assert_png, run_lesson

SHORT = 5  # epochs; the whole lesson trains for 30


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    return run_lesson("digits", tmp_path_factory.mktemp("dense"))


@pytest.fixture(scope="module")
def convolution(tmp_path_factory):
    return run_lesson("digits_convolution", tmp_path_factory.mktemp("convolution"), epochs=SHORT)


def test_the_split_is_fixed_stratified_and_without_overlap():
    digits, again = split_digits(), split_digits()
    parts = [digits.learning, digits.validation, digits.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(1797))
    assert [len(part) for part in parts] == [1078, 269, 450]
    for part, share in zip(parts, (0.6, 0.15, 0.25), strict=True):
        counts = np.bincount(digits.labels[part]) / np.bincount(digits.labels)
        assert abs(counts - share).max() < 0.005
    assert again.test.tolist() == digits.test.tolist()
    assert digits.images.shape == (1797, 8, 8)
    assert (digits.images.min(), digits.images.max()) == (0, 1)


def test_dense_in_full(dense):
    result, shown = dense
    assert result.accuracy >= 0.96
    right = np.trace(result.confusion)
    assert f"Test accuracy: {result.accuracy:.4f} ({right} of 450 digits" in shown
    assert shown.count("was read as") == 450 - right
    assert 10 < result.epochs <= 60
    assert_png(result.picture)


def test_the_weights_that_are_kept_are_those_of_the_epoch_it_names(dense):
    result, shown = dense
    best, last = map(int, re.search(r"number\s+(\d+)\s+of\s+(\d+),", shown).groups())
    assert last == result.epochs
    assert last in (best + 10, 60)


def test_convolution_shortened(convolution):
    result, shown = convolution
    assert result.accuracy >= 0.96  # the whole lesson: 0.98
    assert f"Test accuracy: {result.accuracy:.4f} (" in shown
    assert float(re.search(r"differs from it by at\s+most\s+(\S+)\.", shown)[1]) < 1e-14
    assert_png(result.picture)


@pytest.mark.slow
def test_ten_other_seeds_of_the_dense_network(tmp_path):
    assert np.mean(found := accuracies("digits", tmp_path, range(2, 12))) >= 0.965, found


@pytest.mark.slow
def test_convolution_in_full_and_ten_other_seeds(tmp_path):
    found = accuracies("digits_convolution", tmp_path, range(1, 12))
    assert found[0] >= 0.98
    assert np.mean(found) >= 0.98, found
