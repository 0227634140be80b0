"""Every number on the screen is the engine's, at every step of many random programs; and the last ones are true.

The ordinary suite plays a sample; ``--slow`` plays them all.
"""

from fractions import Fraction
from itertools import chain

import numpy as np
import pytest

import autodiff
from autodiff import Value
from nn import SGD, Adam, RMSprop
from tests.browser.random_programs import ArrayProgram, program
from tests.browser.screen import Screen
from tests.browser.truth import brief, is_table, numbers, truth_of
from viz.player import steps
from viz.views.model import in_order


def sample(count, of):
    """Numbers 0, 1, ...: the first ``count`` always, all ``of`` them with --slow."""
    return [pytest.param(k, marks=[pytest.mark.slow] if k >= count else []) for k in range(of)]


def compare(frame, truth, box_of):
    """All boxes of the page as it is now with what they must show."""
    for node in truth.nodes:
        box, must = frame["boxes"][box_of[node]], truth.shown(node)
        if node.op is None and not node.requires_grad and not is_table(node.data):  # a constant is only its number
            assert box["words"] == [*([node.label] if node.label else []), brief(node.data)]
            assert box["label"].endswith(f", value {truth.spoken(node)[0].removeprefix('value ')}")
            continue
        assert {key: box[key] for key in must} == must, (box["label"], frame["where"])
        name = truth.told.names[node]
        assert box["words"][0] == (node.label or (node.op.symbol if node.op else name))
        assert node.label or name in box["words"] or not node.requires_grad
        if np.size(node.data) == 1:
            assert box["label"].split(", ", 1)[1] == ", ".join(truth.spoken(node))
            assert box["title"].split("\n")[1:2] == truth.spoken(node)[:1]


def follow(frames, start, story, truth, box_of):
    """Compare the page with ``truth`` after every step of ``story``; the number of the step after them."""
    for beginning, rows in story:
        frame = frames[start]
        assert (frame["at"], frame["steps"]) == (start, len(frames) - 1)
        assert frame["where"].startswith(f"Step {start} of {len(frames) - 1}, ")
        (sentence,) = frame["sentence"]
        assert sentence.startswith(beginning)
        assert [row for row in frame["rows"] if row[0] != "round before"] == rows
        assert frame["valuetext"].endswith(sentence)
        compare(frame, truth, box_of)
        start += 1
    return start


def boxes_of(player, drawn, again):
    """The box of every node that was made again."""
    home = player.view.box_of
    return {node: home[twin] for twin, node in zip(drawn, again, strict=True) if twin in home}


def in_full(label, form):
    """The gradient that a screen reader says of a box."""
    return form(label.partition(", gradient ")[2].partition(",")[0])


@pytest.fixture(scope="module")
def stage(chromium, tmp_path_factory):
    """One page for all programs; it must never complain."""
    screen = Screen(chromium, tmp_path_factory.mktemp("numbers") / "page.html")
    yield screen
    screen.close()
    assert screen.complaints == []
    assert screen.requests == []


@pytest.mark.parametrize("seed", sample(24, of=200))
def test_floats(stage, seed):
    check_numbers(stage, program(seed), float)


@pytest.mark.parametrize("seed", sample(6, of=40))
def test_fractions(stage, seed):
    check_numbers(stage, program(seed, fractions=True), Fraction)


def check_numbers(stage, recipe, form):
    drawn, again = recipe.nodes(), recipe.nodes()
    player = steps(drawn[-1], layout="builtin", bugs=False)
    stage.show(player)
    truth, box_of = truth_of(again), boxes_of(player, drawn, again)
    frames = stage.play()
    compare(frames[0], truth, box_of)
    assert follow(frames, 1, chain(truth.forward(), truth.backward()), truth, box_of) == len(frames)

    again[-1].backward()
    size = {truth.told.output: 1.0}  # the sum of the magnitudes of all paths: what rounding is relative to
    for step in truth.told.backward:
        size[step.input] = size.get(step.input, 0.0) + size[step.node] * abs(float(step.local))
    for leaf in recipe.leaves():
        node = again[leaf]
        said = in_full(frames[-1]["boxes"][box_of[node]]["label"], form)
        assert said == node.grad
        slope = recipe.slope(leaf)
        assert slope is None or abs(slope - said) <= 1e-12 * size[node] + 1e-24, node.label


@pytest.mark.parametrize("seed", sample(4, of=40))
def test_arrays(stage, seed):
    recipe = ArrayProgram(seed)
    made = recipe.tensors()
    output, again = recipe.run(made, autodiff), recipe.tensors()
    twin = recipe.run(again, autodiff)
    player = steps(output, layout="builtin")
    stage.show(player)
    drawn, copies = in_order([output]), in_order([twin])
    truth, box_of = truth_of(copies), boxes_of(player, drawn, copies)
    frames = stage.play()
    compare(frames[0], truth, box_of)
    assert follow(frames, 1, chain(truth.forward(), truth.backward()), truth, box_of) == len(frames)

    twin.backward()
    for name, leaf in again.items():
        if leaf.requires_grad:
            slopes = recipe.slopes(name)
            np.testing.assert_allclose(leaf.grad, slopes.astype(float), rtol=1e-7, atol=1e-9 * np.abs(slopes).max())
            shown = frames[-1]["boxes"][box_of[leaf]]["gradient"]
            assert shown == (numbers(leaf.grad) if is_table(leaf.grad) else [f"∇ {brief(leaf.grad)}"])


OPTIMIZERS = [
    lambda parameters: SGD(parameters, learning_rate=0.05),
    lambda parameters: SGD(parameters, learning_rate=0.01, momentum=0.9),
    lambda parameters: Adam(parameters, learning_rate=0.1),
    lambda parameters: RMSprop(parameters, learning_rate=0.01),
]


@pytest.mark.parametrize("seed", sample(4, of=40))
def test_rounds(stage, seed):
    recipe = program(2000 + seed)
    rounds = 1 + seed % 3

    def parameters():
        return {k: Value(recipe.steps[k].value, label=recipe.steps[k].label) for k in recipe.leaves()}

    ours, theirs = parameters(), parameters()
    made = []

    def compute():
        made.append(recipe.nodes(theirs))
        return made[-1][-1]

    optimizers = [OPTIMIZERS[seed % 4](list(leaves.values())) for leaves in (ours, theirs)]
    player = steps(compute, optimizer=optimizers[1], rounds=rounds, layout="builtin", bugs=False)
    assert [leaf.data for leaf in theirs.values()] == [recipe.steps[k].value for k in theirs]
    stage.show(player)
    frames = stage.play()

    at = 1
    for k in range(rounds):
        nodes = recipe.nodes(ours)
        truth, box_of = truth_of(nodes), boxes_of(player, made[0], nodes)
        if not k:
            compare(frames[0], truth, box_of)
        at = follow(frames, at, chain(truth.forward(), truth.backward()), truth, box_of)
        optimizers[0].zero_grad()
        nodes[-1].backward()
        optimizers[0].step()
        for leaf in ours.values():
            name = truth.told.names[leaf]
            assert frames[at]["sentence"] == [f"{type(optimizers[0]).__name__} moves {name} against its gradient."]
            assert frames[at]["rows"][-1][1].endswith(f" = {brief(leaf.data)}")
            truth.value[leaf] = leaf.data
            compare(frames[at], truth, box_of)
            at += 1
        nodes = recipe.nodes(ours)
        truth, box_of = truth_of(nodes), boxes_of(player, made[0], nodes)
        assert "zero_grad" in frames[at]["sentence"][0]
        assert frames[at]["turned"] == []
        compare(frames[at], truth, box_of)
        at += 1
    at = follow(frames, at, truth.forward(), truth, box_of)
    assert at == len(frames)
