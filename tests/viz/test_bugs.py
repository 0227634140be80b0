"""Every broken pass against an engine that really has the bug, and every example against all that are smaller."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

import viz
from autodiff import Tensor, Value, explain, gradients
from autodiff.graph import Node
from autodiff.primitives.row import Primitive
from tests.viz import graphs
from tests.viz.naive import (
    ALL,
    CURVED,
    INTEGERS,
    OPERATIONS,
    REALS,
    backward,
    backward_depth_first,
    on_nums,
    on_values,
    overwrite,
    programs,
    reachable,
)
from viz.bugs import BUGS, broken
from viz.views.model import in_order


def with_bug(bug, program):
    """The gradients that an engine with the bug really leaves, node by node."""
    nodes = on_nums(program)
    if bug == "overwrite":
        backward(nodes[-1], overwrite)
    elif bug == "depth_first":
        backward_depth_first(nodes[-1])
    elif bug == "stale":
        backward(nodes[-1])
        backward(nodes[-1])
    elif bug == "no_zero_grad":
        backward(nodes[-1])
        nodes = on_nums(program, leaves=nodes[: len(program[0])])
        backward(nodes[-1])
    return nodes


def right_engine(bug, program, kind):
    """What ``.backward()`` itself leaves after the same calls."""
    nodes = on_values(program, kind)
    for _ in range(2 if bug == "stale" else 1):
        nodes[-1].backward()
    return nodes


FOUR = ["overwrite", "depth_first", "stale", "no_zero_grad"]


@pytest.mark.parametrize("bug", FOUR)
@settings(max_examples=150, deadline=None)
@given(program=programs(OPERATIONS, INTEGERS))
def test_exactly_what_an_engine_with_the_bug_computes(bug, program):
    values = on_values(program, Value)
    if not values[-1].requires_grad:
        return
    found = broken(values[-1], bug)
    wrong, right = with_bug(bug, program), right_engine(bug, program, Value)
    used = reachable(wrong[-1])
    differs = False
    for value, num, engine in zip(values, wrong, right, strict=True):
        assert value.grad is None
        if num not in used or not value.requires_grad:
            assert value not in found.gradients
            continue
        assert found.gradients[value] == num.grad
        assert found.right[value] == engine.grad
        differs |= value.op is None and num.grad != engine.grad
    assert found.shows == differs
    assert found.slips or not differs
    assert len(found.steps) == len(explain(values[-1]).backward)
    totals = {step.input: step.total for step in found.steps}
    assert all(found.gradients[node] == total for node, total in totals.items())


@pytest.mark.parametrize("bug", FOUR)
@settings(max_examples=60, deadline=None)
@given(program=programs(ALL, REALS))
def test_on_floats_too(bug, program):
    values = on_values(program, Value)
    if not values[-1].requires_grad:
        return
    found = broken(values[-1], bug)
    wrong, right = with_bug(bug, program), right_engine(bug, program, Value)
    for value, num, engine in zip(values, wrong, right, strict=True):
        if value in found.gradients:
            assert found.gradients[value] == pytest.approx(num.grad, rel=1e-9, abs=0, nan_ok=True)
            assert found.right[value] == pytest.approx(engine.grad, rel=1e-12, abs=0, nan_ok=True)


USUAL = {
    "tanh": ([lambda a, o: 1 - a * a], "the input stands where the output should"),
    "sin": ([lambda a, o: math.cos(o)], "the output stands where the input should"),
    "square": ([lambda a, o: 2 * o], "the output stands where the input should"),
    "cos": ([lambda a, o: math.sin(a)], "the minus sign is forgotten"),
    "neg": ([lambda a, o: 1], "the minus sign is forgotten"),
}
TWO_INPUTS = {
    ("-", 1): (lambda a, b, o: 1, "the minus sign is forgotten"),
    ("-", 0): (lambda a, b, o: -1, "it is the derivative by another input"),
    ("*", 0): (lambda a, b, o: a, "it is the derivative by another input"),
    ("*", 1): (lambda a, b, o: b, "it is the derivative by another input"),
    ("+", 0): (lambda a, b, o: -1, "there is a minus sign too many"),
}


@settings(max_examples=150, deadline=None)
@given(program=programs(ALL, REALS))
def test_a_wrong_rule_is_wrong_wherever_its_operation_is_used(program):
    values = on_values(program, Value)
    found = broken(values[-1], "wrong_local") if values[-1].requires_grad else None
    if found is None or not found.mistake:
        return
    first = found.steps[found.first_slip]
    line = values.index(first.node) - len(program[0])
    name = program[2][line][0]
    slopes, words = list(ALL[name][2]), found.mistake
    if name in USUAL:
        if words != USUAL[name][1]:  # the usual mistake changes nothing at this point
            return
        slopes = USUAL[name][0]
    elif (name, first.position) in TWO_INPUTS and TWO_INPUTS[name, first.position][1] == words:
        slopes[first.position] = TWO_INPUTS[name, first.position][0]
    else:
        return
    wrong = on_nums(program, wrong=(name, slopes))
    backward(wrong[-1])
    for value, num in zip(values, wrong, strict=True):
        if value in found.gradients:
            assert found.gradients[value] == pytest.approx(num.grad, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("make", "position", "local", "words"),
    [
        (lambda a, b: a.tanh(), 0, 1 - 2.0**2, "the input stands where the output should"),
        (lambda a, b: a.exp(), 0, 2.0, "the input stands where the output should"),
        (lambda a, b: a.log(), 0, 1 / math.log(2.0), "the output stands where the input should"),
        (lambda a, b: a**2, 0, 8.0, "the output stands where the input should"),
        (lambda a, b: a.cos(), 0, math.sin(2.0), "the minus sign is forgotten"),
        (lambda a, b: -a, 0, 1, "the minus sign is forgotten"),
        (lambda a, b: a - b, 1, 1, "the minus sign is forgotten"),
        (lambda a, b: a / b, 1, 2 / 25, "the minus sign is forgotten"),
        (lambda a, b: a.erfc(), 0, 2 / math.sqrt(math.pi) * math.exp(-4.0), "the minus sign is forgotten"),
        (lambda a, b: a * b, 0, 2.0, "it is the derivative by another input"),
        (lambda a, b: a / b, 0, -2 / 25, "it is the derivative by another input"),
        (lambda a, b: (-a).relu(), 0, 1, "the gradient is handed on as it came"),
        (lambda a, b: a + b, 0, -1, "there is a minus sign too many"),
    ],
)
def test_usual_mistakes(make, position, local, words):
    a, b = Value(2.0, label="a"), Value(5.0, label="b")
    y = make(a, b)
    found = broken(y, "wrong_local", edge=(y, position))
    assert found.mistake == words
    (step,) = [step for step in found.steps if step.node is y and step.position == position]
    assert step.local == pytest.approx(local, rel=1e-12)
    assert "-(-" not in step.formula
    assert broken(y, "wrong_local", edge=(y, position)).shows


def test_the_formula_of_a_mistake():
    a = Value(2.0, label="a")
    formula = lambda y: broken(y, "wrong_local").steps[0].formula
    assert formula(a.cos()) == "sin(a)"
    assert formula(1 / a) == "v1 / a"
    assert formula(a.tanh()) == "1 - a * a"
    latex = broken(a.cos(), "wrong_local").steps[0].latex
    assert r"\sin" in latex
    assert "-" not in latex


def test_a_row_of_the_readers_own_can_be_wrong_too():
    power = lambda x: x * x * x
    cube = Primitive("cube", power, power, partials=[lambda x, out: 3 * x * x])
    a = Value(2.0, label="a")
    found = broken(cube(a), "wrong_local")
    assert (found.gradients[a], found.right[a], found.numerical[a]) == (3 * 8 * 8, 12, pytest.approx(12, rel=1e-9))


@pytest.mark.parametrize("bug", BUGS)
def test_the_example_shows_its_bug(bug):
    output = BUGS[bug].example()
    found = broken(output, bug)
    assert found.shows
    assert output is not BUGS[bug].example()
    assert all(node.label for node in in_order([output]))
    leaves = [node for node in in_order([output]) if node.op is None]
    assert all(node.data == int(node.data) < 10 for node in leaves)
    for leaf in leaves:
        assert found.gradients[leaf] != found.right[leaf]
        assert found.numerical[leaf] == pytest.approx(found.right[leaf], rel=1e-9)


def test_the_numbers_of_the_examples():
    numbers = {}
    for name, bug in BUGS.items():
        found = broken(bug.example(), name)
        (leaf,) = found.leaves
        numbers[name] = (found.gradients[leaf], found.right[leaf])
    assert numbers == {
        "overwrite": (3, 6),
        "depth_first": (4, 36),
        "stale": (96, 64),
        "no_zero_grad": (12, 6),
        "wrong_local": (18, 6),
    }


def test_which_steps_do_the_wrong_thing():
    slips = {name: list(broken(bug.example(), name).slips) for name, bug in BUGS.items()}
    assert slips == {"overwrite": [1], "depth_first": [2, 3], "stale": [0], "no_zero_grad": [0], "wrong_local": [0]}
    a = Value(2.0, label="a")
    b = a * a
    late_but_nothing = b + b * 0.0
    assert broken(late_but_nothing, "depth_first").slips == {}
    late = b + b * 1.0
    assert list(broken(late, "depth_first").slips) == [2, 3]


def test_between_leaf_and_output_the_difference_counts_once():
    output = BUGS["stale"].example()
    found = broken(output, "stale")
    b = output.inputs[0]
    assert (found.gradients[b], found.right[b], found.numerical[b]) == (16.0, 8.0, 8.0)


def test_nan_is_not_wrong_where_it_is_right():
    a, b = Value(math.nan, label="a"), Value(2.0, label="b")
    y = a * a + b
    assert broken(y, "stale").wrong_nodes == [y.inputs[0]]
    assert broken(y, "no_zero_grad").wrong_nodes == [b]


def own_row(number, partial):
    return Primitive("own", number, number, partials=[partial])


def test_a_mistake_without_a_number_is_passed_over():
    y = Value(1.0).log()  # 1 / out would be 1 / 0, and the slope is 1 already
    assert broken(y, "wrong_local").mistake == "there is a minus sign too many"
    f = own_row(lambda x: x * x - x, lambda x, out: (2 * x * x - x) / x)
    y = f(Value(Fraction(3))) + f(Value(Fraction(1)))  # at 1 the output is 0, and no fraction is divided by it
    assert broken(y, "wrong_local").mistake == "the gradient is handed on as it came"


def test_which_minus_signs_can_be_forgotten():
    a = Value(2.0, label="a")
    sum_of_two = own_row(lambda x: -x * x / 2 - x, lambda x, out: -x - 1.0)
    assert "minus" not in broken(sum_of_two(a), "wrong_local").mistake
    product = own_row(lambda x: 1 / x, lambda x, out: -out * 3.0 * x / (x + 1.0))
    (step,) = broken(product(a), "wrong_local").steps
    assert step.formula == "v1 * 3 * a / (a + 1)"
    assert step.local == 0.5 * 3.0 * 2.0 / 3.0


SMALL_OPERATIONS = [
    *((1, f) for f in (lambda a: -a, lambda a: a**2, lambda a: a.tanh(), lambda a: a.exp())),
    *((2, f) for f in (lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: a / b)),
]


def all_graphs(size):
    """Every graph of so many nodes, one of them computed at least, all used; leaves may be constants."""
    for leaves in range(1, size):
        for carries in itertools.product([True, False], repeat=leaves):
            choices = []
            for k in range(leaves, size):
                choices.append([(f, i) for n, f in SMALL_OPERATIONS for i in itertools.product(range(k), repeat=n)])
            for lines in itertools.product(*choices):
                nodes = [Value(2.0 + k, requires_grad=flag) for k, flag in enumerate(carries)]
                for function, inputs in lines:
                    nodes.append(function(*(nodes[i] for i in inputs)))
                if nodes[-1].requires_grad and len(in_order([nodes[-1]])) == size:
                    yield nodes[-1]


@pytest.mark.parametrize("bug", BUGS)
def test_no_smaller_graph_shows_it(bug):
    size = len(in_order([BUGS[bug].example()]))
    smaller = [output for nodes in range(2, size) for output in all_graphs(nodes)]
    assert len(smaller) > 100 or size <= 3
    assert not any(broken(output, bug).shows for output in smaller)


@pytest.mark.parametrize("bug", FOUR)
@settings(max_examples=25, deadline=None)
@given(program=programs(OPERATIONS, INTEGERS, longest=8))
def test_a_tensor_is_as_many_numbers(bug, program):
    numbers, constants, lines = program
    shifted = [np.array([float(x), float(x) + 1, 2 - float(x)]) for x in numbers]
    output = on_values((shifted, constants, lines), Tensor)
    if not output[-1].requires_grad:
        return
    found = broken(output[-1], bug, seed=np.ones(3))
    for entry in range(3):
        values = on_values(([x[entry] for x in shifted], constants, lines), Value)
        alone = broken(values[-1], bug)
        for tensor, value in zip(output, values, strict=True):
            if tensor in found.gradients:
                assert np.broadcast_to(found.gradients[tensor], (3,))[entry] == alone.gradients[value]
                assert np.broadcast_to(found.right[tensor], (3,))[entry] == alone.right[value]


@pytest.mark.parametrize("bug", BUGS)
def test_a_graph_of_arrays(bug):
    loss = graphs.tensors()
    found = broken(loss, bug)
    (W, b) = found.leaves
    assert found.right[W].shape == found.gradients[W].shape == (3, 4)
    passes = 2 if bug == "stale" else 1
    for leaf in (W, b):
        assert np.allclose(found.right[leaf], passes * gradients(loss, [leaf])[0], rtol=1e-12, atol=0)
        assert np.allclose(found.numerical[leaf], found.right[leaf], rtol=1e-9, atol=0)
    assert found.shows == (bug in ("stale", "no_zero_grad", "wrong_local"))
    assert str(found)


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("make", [make for make in graphs.SMALL if make is not graphs.tensors])
def test_steps_are_told_by_the_engine(bug, make):
    """A step of a broken pass is a step: its numbers fit together, its texts have the names of ``explain``."""
    output = make()
    found, right = broken(output, bug), explain(output)
    rules = {(step.node, step.position): step for step in right.backward}
    assert {(step.node, step.position) for step in found.steps} == set(rules)
    for step in found.steps:
        assert step.input is step.node.inputs[step.position]
        assert step.contribution == pytest.approx(step.upstream * step.local, rel=1e-15)
        assert step.total == (step.contribution if step.before is None else step.before + step.contribution)
        rule = rules[step.node, step.position]
        assert (step.name, step.input_name, step.paths) == (rule.name, rule.input_name, rule.paths)
        if bug != "wrong_local":
            assert (step.formula, step.local) == (rule.formula, rule.local)
        assert str(step)
    assert sorted(found.slips) == list(found.slips)
    assert all(0 <= slip < len(found.steps) for slip in found.slips)
    assert all(node.grad is None for node in in_order([output]))


def test_gradients_that_are_there_are_left_alone():
    output = graphs.network()
    output.backward()
    before = {node: node.grad for node in in_order([output])}
    for bug in BUGS:
        assert broken(output, bug).right[output] == 1.0
        assert str(broken(output, bug))
    assert {node: node.grad for node in in_order([output])} == before


def test_before_the_first_slip_all_is_right():
    for make in (graphs.network, graphs.horner, graphs.neuron):
        output = make()
        adjoints = explain(output).adjoints
        found = broken(output, "depth_first")
        for step in found.steps[: found.first_slip]:
            assert step.upstream == pytest.approx(adjoints[step.node], rel=1e-12)


@pytest.mark.parametrize("bug", BUGS)
def test_thousands_of_nodes_without_recursion(bug):
    x = Value(0.3, label="x")
    y = x
    for k in range(700):
        y = (y * 0.5 + x * x).tanh() if k % 2 else y - x * 0.001
    found = broken(y, bug)
    assert len(found.steps) > 2000
    assert found.gradients[x] != found.right[x] or not found.shows


def test_where_nothing_goes_wrong():
    a, b = Value(2.0, label="a"), Value(5.0, label="b")
    y = a * b
    for bug in ("overwrite", "depth_first", "stale"):
        found = broken(y, bug)
        assert not found.shows
        assert found.first_slip is None
        assert found.gradients == found.right or bug == "stale"
        assert f"Nothing goes wrong here: this bug shows {BUGS[bug].where}." in str(found)
    assert broken(y, "stale").gradients[a] == 10.0
    flat = (a * 0.0).relu()
    flat.label = "y"
    assert broken(flat, "no_zero_grad").shows is False  # twice nothing is nothing


def test_a_difference_of_rounding_is_no_bug():
    """Depth first, contributions arrive in another order: a last digit differs, and nothing is wrong."""
    found_one = False
    for numbers in itertools.product([0.1, 0.2, 0.3, 0.7, 1.1], repeat=3):
        a = Value(1.0)
        p, q, r = (a * x for x in numbers)
        found = broken((p + q) + r, "depth_first")
        assert not found.shows
        found_one |= found.gradients[a] != found.right[a]
    assert found_one


def test_an_output_that_is_a_leaf():
    a = Value(2.0, label="a")
    assert {bug: broken(a, bug).gradients[a] for bug in BUGS} == {
        "overwrite": 1.0,
        "depth_first": 1.0,
        "stale": 2.0,
        "no_zero_grad": 2.0,
        "wrong_local": 1.0,
    }
    assert [bug for bug in BUGS if broken(a, bug).shows] == ["no_zero_grad"]


def test_hooks_see_what_a_wrong_pass_brings():
    a = Value(3.0)
    a.register_hook(lambda gradient: 10 * gradient)
    b = a * a
    b.register_hook(lambda gradient: gradient + 1)
    y = b * b
    once = explain(y).adjoints[a]
    found = broken(y, "no_zero_grad")
    assert (found.right[a], found.gradients[a]) == (once, 2 * once)
    found = broken(y, "overwrite")
    assert found.gradients[b] == 9 + 1
    assert found.gradients[a] == 10 * 3 * (9 + 1)
    assert broken(y, "stale").right[a] == 2 * once


def test_exact_and_odd_numbers():
    third = Value(Fraction(1, 3), label="t")
    found = broken(third * third, "overwrite")
    assert found.gradients[third] == Fraction(1, 3)
    assert "1/3" in str(found)
    for data in (0.0, math.inf, math.nan, 1e300, 1e-300, 2 + 1j):
        a = Value(data, label="a")
        y = (a * a + a) * a
        for bug in BUGS:
            found = broken(y, bug)
            assert str(found)
            assert len(found.steps) == 6


@pytest.mark.parametrize("seed", [3.0, -0.5])
def test_a_seed(seed):
    for bug in BUGS:
        one, more = broken(BUGS[bug].example(), bug), broken(BUGS[bug].example(), bug, seed=seed)
        (a,), (b,) = one.leaves, more.leaves
        assert more.gradients[b] == seed * one.gradients[a]
        assert more.numerical[b] == pytest.approx(seed * one.numerical[a], rel=1e-12)


def test_what_is_no_bug_or_no_edge():
    a, b = Value(2.0, label="a"), Value(5.0, label="b")
    y = a + b
    with pytest.raises(ValueError, match="no bug 'overwrit'; did you mean 'overwrite'"):
        broken(y, "overwrit")
    with pytest.raises(ValueError, match="there are 'overwrite', 'depth_first', 'stale', 'no_zero_grad', 'wrong_lo"):
        broken(y, "zzz")
    with pytest.raises(ValueError, match="'overwrite' makes no mistake in a rule"):
        broken(y, "overwrite", edge=(y, 0))
    for edge in [(y, 2), (y, -1), (a, 0), y, (0, 0), ((a * b), 0), (y, "a")]:
        with pytest.raises(ValueError, match="a pair of a computed node"):
            broken(y, "wrong_local", edge=edge)
    constant = y + 1.0
    with pytest.raises(ValueError, match="no usual mistake in ∂v2/∂1 changes a number"):
        broken(constant, "wrong_local", edge=(constant, 1))
    with pytest.raises(TypeError, match="was given the int 3"):
        broken(3, "overwrite")
    with pytest.raises(RuntimeError, match="requires_grad"):
        broken(Value(2.0, requires_grad=False) * 2, "overwrite")


def test_words():
    assert list(viz.BUGS) == ["overwrite", "depth_first", "stale", "no_zero_grad", "wrong_local"]
    for name, bug in BUGS.items():
        assert bug.name == name
        for sentence in (bug.what, bug.why, bug.fix):
            assert sentence[0].isupper()
            assert sentence.endswith(".")
        lines = bug.code.splitlines()
        assert 3 <= len(lines) <= 6
        assert max(map(len, lines)) <= 48  # a phone shows it
        assert all(line[:2] in ("✗ ", "✓ ", "  ") for line in lines)
        assert sum(line.startswith("✗") for line in lines) == sum(line.startswith("✓") for line in lines) == 1
    found = broken(graphs.shared(), "overwrite")
    assert str(found).splitlines()[1:] == [
        "          wrong   right   finite difference",
        "  a   ✗      -3      -2                  -2",
        "  b   ✓       2       2                   2",
        "It goes wrong at step 3 of 4: 1 had arrived at a, and -3 takes its place.",
    ]


class _Cell:
    """What the code on display works with."""

    def __init__(self, value):
        self.value, self.grad = value, 0


def run_code(bug, mark):
    """Really run the lines on display, the wrong or the right ones, on the example; its leaf's gradient."""
    output = BUGS[bug].example()
    cells = {node: _Cell(node.data) for node in in_order([output])}
    node_of = {cell: node for node, cell in cells.items()}
    rules = {(step.node, step.position): step.local for step in explain(output).backward}
    leaf, top = cells[in_order([output])[0]], cells[output]

    def newest_first(cell):
        return [cells[node] for node in reversed(in_order([node_of[cell]])) if node.op]

    def depth_first(cell, seen=None):
        seen = [] if seen is None else seen
        if cell not in seen and node_of[cell].op:
            seen.append(cell)
            yield cell
            for x in node_of[cell].inputs:
                yield from depth_first(cells[x], seen)

    def edges(cell):
        return [(cells[x], rules[node_of[cell], k]) for k, x in enumerate(node_of[cell].inputs)]

    def hand_on(cell):
        for x, local in edges(cell):
            x.grad += cell.grad * local

    def backward(cell):
        for other in newest_first(cell):
            other.grad = 0
        cell.grad = 1
        for other in newest_first(cell):
            hand_on(other)

    words = {name: value for name, value in locals().items() if callable(value)}
    words |= {"output": top, "parameters": [leaf], "model": lambda: top, "computed": newest_first}
    lines = [line[2:] for line in BUGS[bug].code.splitlines() if line[0] in (mark, " ")]
    if bug not in ("stale", "wrong_local"):
        top.grad = 1
    exec("\n".join(lines), words)
    if bug == "stale":
        for _ in range(2):
            words["backward"](top)
    if bug == "wrong_local":
        return words["square"](leaf.value)[1]
    return leaf.grad


@pytest.mark.parametrize("bug", BUGS)
def test_the_code_on_display_does_what_is_said_of_it(bug):
    found = broken(BUGS[bug].example(), bug)
    (leaf,) = found.leaves
    assert run_code(bug, "✗") == found.gradients[leaf]
    assert run_code(bug, "✓") == found.right[leaf]


def test_a_wrong_rule_without_an_exact_formula_is_not_taken():
    a = Value(Fraction(1), label="a")
    found = broken(a**3, "wrong_local")  # the derivative by the exponent, log(1) times 1, is no fraction
    assert found.gradients[a] != 3
    assert found.shows


def test_the_public_names():
    assert isinstance(broken(graphs.square(), viz.BUGS["overwrite"]).output, Node)
    assert viz.broken is broken
    assert set(CURVED).isdisjoint(OPERATIONS)
