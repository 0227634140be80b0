"""The first lesson from end to end."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from examples.datasets import read_iris, stratified_split
from examples.first_network import run, train_a_network


def test_in_full(tmp_path, capsys):
    result = run(tmp_path)
    shown = capsys.readouterr().out
    assert result.accuracy >= 0.93
    accuracy, right, tested = re.search(r"Test accuracy: (\S+) \((\d+) of (\d+) flowers", shown).groups()
    assert float(accuracy) == pytest.approx(result.accuracy, abs=5e-4)
    assert int(right) / int(tested) == result.accuracy
    assert int(tested) == 51
    assert shown.count("mistaken: flower") == int(tested) - int(right)
    losses = [float(loss) for loss in re.findall(r"epoch [ \d]+/40   loss (\S+)", shown)]
    assert len(losses) == 8
    assert losses[-1] < losses[0] / 2


def test_nothing_about_the_test_flowers_leaks_into_training(capsys):
    def losses(flowers):
        train_a_network(flowers, 2, np.random.default_rng(0))
        return re.findall(r"loss (\d\S+)", capsys.readouterr().out)

    flowers = read_iris()
    _, test = stratified_split(flowers.labels, 1 / 3, np.random.default_rng(0))
    others = read_iris()
    others.features[test] *= 100
    assert len(losses(flowers)) == 1
    assert losses(others) == losses(flowers)


def test_the_backward_pass_it_tells_is_true(tmp_path, capsys):
    run(tmp_path, epochs=1)
    shown = capsys.readouterr().out
    x = [float(number) for number in re.findall(r"^  x\d = +(\S+)   (?:sepal|petal)", shown, re.M)]
    gradient = {name: float(number) for name, number in re.findall(r"^  ∇(w\d|b) = (\S+)$", shown, re.M)}
    assert list(gradient) == ["w0", "w1", "w2", "w3", "b"]
    for i in range(4):  # the neuron sees w · x + b, so ∇w = ∇b · x
        assert gradient[f"w{i}"] == pytest.approx(gradient["b"] * x[i], rel=2e-3)
    slope, said = re.search(r"/ 0.0002 = (\S+)\n.* ∇w2 = (\S+)", shown).groups()
    assert float(slope) == pytest.approx(float(said), abs=2e-4)
    assert float(said) == pytest.approx(gradient["w2"], rel=1e-3)
    before, after = re.search(r"loss before the step: (\S+)\n  loss after the step:  (\S+)", shown).groups()
    assert float(after) < float(before)


def test_the_picture(tmp_path, capsys):
    result = run(tmp_path / "new" / "folder", epochs=1)
    assert result.picture == tmp_path / "new" / "folder" / "one_neuron.svg"
    assert str(result.picture) in capsys.readouterr().out
    root = ElementTree.parse(result.picture).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join("".join(root.itertext()).split())
    for label in ("w0", "w3", "b", "x0", "x3", "output", "loss"):
        assert re.search(rf"\b{label}\b", words), label


def test_seeds_reproduce(tmp_path, capsys):
    def printed(seed):
        run(tmp_path, seed=seed, epochs=3)
        return re.sub(r"\d+ ms", "", capsys.readouterr().out)

    assert printed(3) == printed(3) != printed(4)


@pytest.mark.slow
def test_ten_other_seeds(tmp_path):
    accuracies = [run(tmp_path, seed=seed).accuracy for seed in range(2, 12)]
    assert sum(accuracy >= 0.93 for accuracy in accuracies) >= 9, accuracies
