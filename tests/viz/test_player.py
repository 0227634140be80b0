"""The step player's page, as far as it can be read without a browser: its numbers, its safety, its size."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest

from autodiff import Tensor, Value, explain, scope, source_lines
from nn import SGD, Adam, Dense, Network, Sequential, cross_entropy
from tests.viz.graphs import SMALL, network, neuron, shared, square
from viz import broken, steps
from viz.bugs import BUGS
from viz.drawing.format import number
from viz.player.mistakes import MISTAKES, quiz_of
from viz.story import NOTHING


class Page(HTMLParser):
    """The parts of a page: which elements it has, and what is in its scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.inside = [], [], None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.inside = tag if tag in ("script", "style") else self.inside
        if self.inside:
            self.texts.append((self.inside, dict(attributes), ""))

    def handle_endtag(self, tag):
        self.inside = None if tag == self.inside else self.inside

    def handle_data(self, data):
        if self.inside:
            tag, attributes, text = self.texts[-1]
            self.texts[-1] = tag, attributes, text + data

    def story(self):
        (text,) = [text for tag, given, text in self.texts if tag == "script" and given.get("id") == "story"]
        return json.loads(text)


def page(*args, **options):
    return Page(steps(*args, layout="builtin", **options).html)


def program():
    w, x = Value(0.5, label="w"), Value(2.0, label="x")
    z = w * x
    loss = (z - 3) ** 2
    loss.label = "loss"
    return loss


# ── what is on it ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", SMALL, ids=lambda make: make.__name__)
def test_a_step_for_every_operation_and_every_arrow(make):
    output = make()
    explained = explain(output)
    player = steps(output, layout="builtin")
    assert len(player.steps) == len(explained.forward) + 1 + len(explained.backward)


@pytest.mark.parametrize("make", [neuron, shared, square, network], ids=lambda make: make.__name__)
def test_every_number_that_a_box_will_show_is_the_engines(make):
    output = make()
    player = steps(output, layout="builtin")
    told = Page(player.html).story()["steps"]
    for step, sent in zip(player.steps, told, strict=True):
        for change, (box, value, gradient, *_) in zip(step.changes, sent[6], strict=True):
            assert box == change.box
            if change.data is not NOTHING:
                assert value == [number(change.data)]
            if change.gradient is not NOTHING:
                assert gradient == [f"∇ {number(change.gradient)}"]
    output.backward()
    last = {box: gradient[0] for sent in told for box, _, gradient, *_ in sent[6] if gradient}
    for node in player.view.nodes:
        if node.requires_grad:
            assert last[player.view.box_of[node]] == f"∇ {number(node.grad)}"


def test_the_lines_of_the_program_go_with_the_steps():
    story = page(program).story()
    assert [text for _, text in story["program"]] == [
        "z = w * x",
        "loss = (z - 3) ** 2",
    ]
    assert [step[7] for step in story["steps"][:4]] == [0, 1, 1, -1]


def test_a_node_knows_its_lines_where_they_were_noted():
    with source_lines():
        output = program()
    assert len(page(output).story()["program"]) == 2
    assert page(program()).story()["program"] == []


@pytest.mark.parametrize("bug", BUGS)
def test_the_broken_passes_are_those_of_the_bug_lab(bug):
    output = BUGS[bug].example()
    story = page(output, bugs=[bug]).story()
    (told,) = story["bugs"]
    wrong = broken(output, bug)
    assert told["shows"]
    assert [row[1] for row in told["table"]] == [number(wrong.gradients[leaf]) for leaf in wrong.leaves]
    assert [row[2] for row in told["table"]] == [number(wrong.right[leaf]) for leaf in wrong.leaves]
    flags = [row[4] for row in told["table"]]
    assert flags == [leaf in set(wrong.wrong_nodes) for leaf in wrong.leaves]
    assert any(flags)
    earlier = BUGS[bug].leftover != "nothing"  # what an earlier pass has left is a step of its own
    assert len(told["steps"]) == len(wrong.steps) + 1 + earlier
    assert told["slip"] == min(wrong.slips) + 1 + earlier


# ── training ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_rounds_are_training_steps_and_leave_no_trace(kind):
    net = Network([2, 2, 1], activation="tanh", seed=0)

    def loss():
        return (net([0.5, -1.0]) - 1.0) ** 2

    optimizer = kind(net.parameters(), learning_rate=0.1)
    recorded = loss()
    before = [(p.data, p.grad, p.clock) for p in net.parameters()], json.dumps(optimizer.state_dict(), default=str)
    player = steps(loss, optimizer=optimizer, rounds=3, layout="builtin", level="scalar")
    after = [(p.data, p.grad, p.clock) for p in net.parameters()], json.dumps(optimizer.state_dict(), default=str)
    assert after == before
    recorded.backward()  # no leaf counts as changed

    losses = [
        step.changes[0].data for step in player.steps if step.kind == "forward" and step.told.node.op.name == "square"
    ]
    expected = []
    for _ in range(4):
        optimizer.zero_grad()
        result = loss()
        expected.append(result.data)
        result.backward()
        optimizer.step()
    assert losses == expected


def test_an_error_in_the_middle_of_a_round_puts_everything_back():
    w = Value(0.5, label="w")
    calls = []

    def loss():
        calls.append(w.data)
        if len(calls) == 2:
            raise RuntimeError("stop")
        return (w - 1) ** 2

    with pytest.raises(RuntimeError, match="stop"):
        steps(loss, optimizer=SGD([w], learning_rate=0.1), rounds=3)
    assert calls[1] != 0.5
    assert w.data == 0.5
    assert w.grad is None


def test_a_node_is_computed_anew_for_the_next_round():
    w = Value(0.5, label="w")
    player = steps((w - 1) ** 2, optimizer=SGD([w], learning_rate=0.25), layout="builtin")
    sentences = [step.sentence for step in player.steps]
    assert "SGD moves w against its gradient." in sentences
    last = player.steps[-1]
    assert last.changes[0].data == (0.5 + 0.25 - 1) ** 2
    assert last.rows[-1] == ("round before", "v2 was 0.25", ", and is 0.0625")


def test_what_is_given_to_a_round_is_shown_in_it():
    w = Value(0.5, label="w")
    samples = iter([(2.0, 1.0), (7.0, 3.0), (4.0, 2.0)])

    def loss():
        x, y = next(samples)
        return (w * Value(x, label="x", requires_grad=False) - y) ** 2

    player = steps(loss, optimizer=SGD([w], learning_rate=0.01), rounds=2, layout="builtin")
    story = Page(player.html).story()
    shown = [box[0] for box in story["boxes"]]
    x = next(k for k, box in enumerate(player.view.graph.boxes) if box.label == "x")
    assert shown[x] == ["2.0"]
    restarts = [step for step in story["steps"] if step[0] == "r"]
    assert [[change[1] for change in step[6] if change[0] == x] for step in restarts] == [[["7.0"]], [["4.0"]]]
    assert all("1.0" not in str(step[6]) and ("3.0" in str(step[6]) or "2.0" in str(step[6])) for step in restarts)


def test_a_hook_is_a_step():
    w = Value(3.0, label="w")
    w.register_hook(lambda g: 10 * g)
    player = steps(w * w, layout="builtin", bugs=False)
    last = player.steps[-1]
    assert last.sentence == "A hook of w changes its gradient."
    assert last.changes[0].gradient == 60.0
    assert last.rows == (("hook", "∇w: 6.0", " becomes 60.0"),)
    h = w * 2
    h.register_hook(lambda g: -g)
    told = [step.sentence for step in steps(h * 3, layout="builtin", bugs=False).steps]
    assert (
        told.index("A hook of v1 changes its gradient.")
        == told.index("Back from v2 to v1, its only use, so ∇v1 is complete.") + 1
    )


def test_an_output_that_is_a_leaf_can_be_trained():
    w = Value(2.0, label="w")
    player = steps(w, optimizer=SGD([w], learning_rate=0.5), layout="builtin")
    assert [step.kind for step in player.steps] == ["seed", "update", "restart"]


@pytest.mark.parametrize("wrong", [3, "sgd", SGD])
def test_what_is_no_optimizer_is_refused(wrong):
    with pytest.raises(TypeError, match="optimizer is an optimizer of nn, such as"):
        steps(square(), optimizer=wrong)


def test_an_optimizer_of_other_parameters_is_refused():
    with pytest.raises(ValueError, match="none of the optimizer's parameters is in this graph"):
        steps(square(), optimizer=SGD([Value(1.0)]))


def test_rounds_of_different_graphs_are_refused():
    w = Value(0.5, label="w")
    turns = []

    def loss():
        turns.append(1)
        return sum(w * k for k in range(len(turns) + 1))

    with pytest.raises(ValueError, match=r"round 2 computes another graph than round 1 \(\d+ nodes after \d+\)"):
        steps(loss, optimizer=SGD([w]), rounds=2)


# ── predictions ──────────────────────────────────────────────────────────────────────────────────────


def test_each_mistake_is_named_somewhere_and_means_what_it_says():
    a, w = Value(1.5, label="a"), Value(0.7, label="w")

    def loss():
        y = (a * w).tanh()
        y = y * a
        return (y - 2) ** 2

    player = steps(loss, optimizer=SGD([w], learning_rate=0.1), layout="builtin")
    named = {}
    for step in player.steps:
        quiz = quiz_of(step)
        if quiz:
            for name, wrong in quiz.mistakes:
                named.setdefault(name, []).append((step, quiz, wrong))
    assert set(named) == set(MISTAKES)
    for step, quiz, wrong in named["other_branch"]:
        assert wrong == step.told.contribution
        assert quiz.answer == step.told.before + step.told.contribution
    for step, _, wrong in named["local"]:
        assert wrong in (step.told.upstream, step.told.upstream + (step.told.before or 0))
    for step, _, wrong in named["upstream"]:
        assert wrong in (step.told.local, step.told.local + (step.told.before or 0))
    tanh = next(step for step in player.steps if step.kind == "backward" and step.told.node.op.name == "tanh")
    swapped = dict(quiz_of(tanh).mistakes)["output"]
    z = tanh.told.input.data
    assert swapped == pytest.approx(tanh.told.upstream * (1 - z * z), rel=1e-12)
    for _, quiz, wrong in named["uphill"]:
        assert wrong - 0.7 == pytest.approx(0.7 - quiz.answer, rel=1e-9)


def test_a_named_mistake_is_never_close_to_the_answer():
    for make in (neuron, shared, square, network):
        for step in steps(make(), layout="builtin").steps:
            quiz = quiz_of(step)
            if quiz:
                assert all(abs(wrong - quiz.answer) > 2 * quiz.tolerance for _, wrong in quiz.mistakes)
                told = step.told
                terms = [told.result] if step.kind == "forward" else [told.total, told.contribution, told.before or 0.0]
                assert quiz.tolerance <= max(
                    0.02 * abs(quiz.answer), 0.001 * max(map(abs, terms)), 1e-3 * abs(quiz.answer)
                )


@pytest.mark.parametrize("start", [1 / 3, 100.123, 0.5123456789])
@pytest.mark.parametrize("rate", [0.01, 1e-3, 0.3])
def test_what_the_page_shows_is_a_right_answer(start, rate):
    w = Value(start, label="w")
    story = page(lambda: (w * 0.1 - 2) ** 2, optimizer=SGD([w], learning_rate=rate), rounds=2).story()
    asked = 0
    for step in story["steps"]:
        if step[9]:
            answer, tolerance, _ = step[9]
            asked += 1
            (change,) = step[6]
            answer = float(change[4] or change[5]) if answer is None else answer
            text = (change[1] or change[2])[0].removeprefix("∇ ").replace("−", "-")
            assert abs(float(text) - answer) <= tolerance, step
            assert abs(float((change[4] or change[5]).replace("−", "-")) - answer) <= tolerance
    assert asked >= 10


def test_a_step_too_small_to_be_seen_is_not_asked_for():
    w = Value(100.123, label="w")
    player = steps(lambda: w * 0.1, optimizer=SGD([w], learning_rate=0.001), layout="builtin")
    (update,) = [step for step in player.steps if step.kind == "update"]
    assert quiz_of(update) is None


def test_two_digits_are_enough_and_the_wrong_sign_is_not():
    a = Value(1.0, label="a")
    last = steps(a * 400.0 + a * (-399.0), layout="builtin").steps[-1]
    quiz = quiz_of(last)
    assert quiz.answer == 1.0
    assert quiz.tolerance < 0.5
    assert ("sign", -1.0) in quiz.mistakes


# ── boxes of many numbers ────────────────────────────────────────────────────────────────────────────


def test_large_graphs_are_collapsed_and_said_to_be():
    net = Network([4, 8, 3], activation="tanh", seed=0)
    total = sum((y - 1.0) ** 2 for y in net([0.5, -1.0, 0.3, 0.2]))
    player = steps(total, layout="builtin")
    assert player.view.level == "neuron"
    assert "by neuron" in player.html
    groups = {k for k, box in enumerate(player.view.graph.boxes) if box.group}
    sentences = [step.sentence for step in player.steps if step.box in groups and step.kind == "forward"]
    assert any("operations, all computed in this step" in sentence for sentence in sentences)


def test_a_page_never_holds_more_than_5000_steps():
    x = Value(0.5, label="x")
    y = x
    for k in range(2600):
        with scope(f"block {k // 100}"):
            y = y * x
    player = steps(y, level="scalar", full=True, layout="builtin")
    assert len(player.steps) <= 5000
    assert player.view.level != "scalar"


def test_arrays_show_statistics_and_ask_nothing():
    model = Sequential(Dense(3, 4, "tanh", seed=0), Dense(4, 2, seed=0))
    X, y = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 1, 0, 1, 1])
    player = steps(lambda: cross_entropy(model(X), y), layout="builtin")
    arrays = [step for step in player.steps if step.kind == "backward" and np.ndim(step.told.total)]
    assert arrays
    assert not any(step.asks for step in arrays)
    assert 'bugs":[]' in player.html


# ── safe ─────────────────────────────────────────────────────────────────────────────────────────────


def policy_of(read):
    (policy,) = [a["content"] for tag, a in read.elements if tag == "meta" and "http-equiv" in a]
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_only_the_pages_own_script_and_styles_may_run():
    read = page(shared())
    policy = policy_of(read)
    assert policy["default-src"] == "'none'"

    def named(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    scripts = [text for tag, given, text in read.texts if tag == "script" and given.get("type") != "application/json"]
    styles = [text for tag, _, text in read.texts if tag == "style"]
    assert [named(text) for text in scripts] == [policy["script-src"]]
    assert sorted(map(named, styles)) == sorted(policy["style-src"].split())


NASTY = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>",
    '"><svg onload=alert(1)>',
    "{{story}}",
    "{{title}}",
    "\u2028\u2029\x00\x07\ud800",
    "javascript:alert(1)",
    "${alert(1)}`",
    "\\",
]


@pytest.mark.parametrize("label", NASTY)
def test_a_label_is_text_wherever_it_stands(label):
    with scope(label.replace("\x00", "") or "x"):
        x = Value(2.0, label=label)
        y = x * x
    y.label = label
    read = page(y, title=label, level="scalar")
    plain = page(square(), level="scalar")
    drawn = {"svg", "g", "title", "text", "rect", "path"}
    assert Counter(tag for tag, _ in read.elements if tag not in drawn) == Counter(
        tag for tag, _ in plain.elements if tag not in drawn
    )
    assert not any(name.startswith("on") for _, given in read.elements for name in given)
    assert not any(name in given for _, given in read.elements for name in ("src", "href", "style"))
    assert len(read.story()["steps"]) == 4


def test_the_frame_of_a_notebook_may_run_its_script_only():
    (tag, given) = Page(steps(square(), layout="builtin")._repr_html_()).elements[0]
    assert tag == "iframe"
    assert given["sandbox"] == "allow-scripts"
    assert given["srcdoc"] == steps(square(), layout="builtin").html


def test_numbers_that_json_does_not_know():
    x = Value(float("inf"), label="x")
    y = (x - x) * Value(1e-300, label="tiny") * -0.0
    story = page(y).story()
    values = [change[1][0] for step in story["steps"] for change in step[6] if change[1]]
    assert "NaN" in values
    assert [box[0] for box in story["boxes"]].count(["inf"]) == 1


# ── small, and the same again ────────────────────────────────────────────────────────────────────────


def sized(widths, **options):
    net = Network(list(widths), activation="tanh", seed=0)
    x = np.linspace(-1, 1, widths[0])

    def loss():
        outputs = net(x)
        return sum((y - 1.0) ** 2 for y in (outputs if isinstance(outputs, list) else [outputs]))

    return steps(loss, layout="builtin", **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: steps(square()),
        lambda: steps(neuron(), layout="builtin"),
        lambda: sized((2, 3, 1)),
        lambda: sized((4, 8, 3)),
        lambda: sized((10, 16, 16, 1)),
        lambda: sized((10, 16, 1), level="scalar", full=True),
    ],
    ids=["square", "neuron", "2-3-1", "4-8-3", "10-16-16-1", "10-16-1 in full"],
)
def test_a_page_is_small(make):
    player = make()
    assert len(player.html.encode()) <= 60 * 1024 + 1024 * len(player.steps)


def test_the_same_program_gives_the_same_page():
    assert steps(shared(), layout="builtin").html == steps(shared(), layout="builtin").html


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (3.0, {}, "steps takes the node to be differentiated, such as a loss, or a function that computes it"),
        (lambda: 3.0, {}, "the function must return the Value or Tensor to be differentiated"),
        (square, {"by": "box"}, "by is one of 'auto', 'edge', 'node', not 'box'"),
        (square, {"theme": "blue"}, "theme is one of"),
        (square, {"rounds": 0}, "rounds is how many training steps are played, at least 1, not 0"),
        (square, {"rounds": 2}, "rounds=2 needs an optimizer"),
        (square, {"bugs": ["overwritten"]}, "there is no bug 'overwritten'; did you mean 'overwrite'"),
    ],
)
def test_what_cannot_be_played_is_refused(given, options, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        steps(given, **options)


def test_it_is_saved_as_html_whole_or_not_at_all(tmp_path):
    player = steps(square(), layout="builtin")
    assert player.save(tmp_path / "x.html").read_bytes() == player.html.encode()
    with pytest.raises(ValueError, match=r"saved as \.html, and 'x\.svg' ends otherwise"):
        player.save(tmp_path / "x.svg")
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        player.save(tmp_path / "nowhere" / "x.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.html"]


def test_tensors_of_one_number_and_kinks_are_played():
    t = Tensor(2.0, label="t")
    player = steps((t.relu() * t).sum(), layout="builtin")
    assert player.steps[-1].changes[0].arrived == 2
