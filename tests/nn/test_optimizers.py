"""Optimizers beside PyTorch's numbers, one tier beside the other, and what may not be given to them."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
from autodiff import Tensor, Value, maximum, sign, sqrt, square
from autodiff.trees import flatten
from nn import SGD, Adagrad, Adam, AdamW, Dense, Network, Optimizer, RMSprop
from nn.optimizers.rules import OPTIMIZERS, optimizer_named
from tests.nn.optimizer_cases import CASES, DEFAULTS, DENSE, GROUPS, KEPT, START, run

REFERENCE = np.load(Path(__file__).parent / "reference" / "optimizers.npz")
EVERY = [SGD, Adagrad, RMSprop, Adam, AdamW]


# ── beside PyTorch ───────────────────────────────────────────────────────────────────────────────────
def trajectory(case, leaves_of, rule=None, kept=None):
    """The case, on what ``leaves_of`` makes of an array: a list of leaves."""
    name, options, variant = CASES[case]
    leaves = {name: leaves_of(x) for name, x in START.items()}
    parameters = [p for ps in leaves.values() for p in ps]
    if variant == "groups":
        parameters = [{"parameters": [p for n in names for p in leaves[n]], **own} for names, own in GROUPS]
    optimizer = getattr(nn, name)(parameters, **options)
    if rule is not None:
        optimizer.rule = rule

    def move(count, found):
        for name, ps in leaves.items():
            parts = [None] * len(ps) if found[name] is None else _parts(found[name], len(ps))
            for p, g in zip(ps, parts, strict=True):
                p.grad = g
        optimizer.step()
        if variant == "slower" and count == 20:
            optimizer.learning_rate /= 4
        return {
            name: np.reshape([p.data for p in ps] if len(ps) > 1 else ps[0].data, START[name].shape)
            for name, ps in leaves.items()
        }

    kept = kept or (KEPT if case in DEFAULTS else KEPT[:DENSE])
    return np.array(list(run(case, kept, move)))


def _parts(gradient, count):
    return [gradient] if count == 1 and gradient.ndim else gradient.ravel().tolist()


def one_array(x):
    return [Tensor(x)]


def many_values(x):
    return [Value(number) for number in x.ravel()]


def check(case, found):
    expected = REFERENCE[f"optimizer {case}"]
    np.testing.assert_allclose(found[:DENSE], expected[:DENSE], rtol=1e-12, atol=0)
    np.testing.assert_allclose(found, expected[: len(found)], rtol=1e-10, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_pytorch(case):
    check(case, trajectory(case, one_array))


@pytest.mark.parametrize("case", CASES)
def test_single_numbers_move_as_arrays_do(case):
    kept = KEPT[:DENSE]
    values, arrays = trajectory(case, many_values, kept=kept), trajectory(case, one_array, kept=kept)
    assert np.array_equal(values, arrays), "the same rule on the same floats: bit for bit"


def test_the_reference_can_tell():
    """The numbers in the file move, and none of the small arrays hides behind a large one."""
    for case in CASES:
        moved = np.abs(np.diff(REFERENCE[f"optimizer {case}"], axis=0))
        assert (moved.max(axis=0) > 1e-6).all(), case


def _adam(w, g, t=0, m=0.0, v=0.0, *, learning_rate, betas, eps, weight_decay, wrong="", **_):
    """Adam as in the paper, or with one of the mistakes that are easily made."""
    if weight_decay and wrong != "decoupled":
        g = g + weight_decay * w
    if weight_decay and wrong == "decoupled":
        w = (1 - learning_rate * weight_decay) * w
    t, m, v = t + 1, betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
    m_hat = m if wrong == "first bias" else m / (1 - betas[0] ** (t - (wrong == "t from 0") or 1))
    v_hat = v if wrong == "second bias" else v / (1 - betas[1] ** t)
    root = sqrt(v_hat + eps) if wrong == "eps inside" else sqrt(v_hat) + eps
    if wrong == "eps before bias":
        root = (sqrt(v) + eps) / sqrt(1 - betas[1] ** t)
    return {"t": t, "m": m, "v": v, "w": w - learning_rate * m_hat / root}


@pytest.mark.parametrize(
    ("wrong", "case"),
    [
        ("", None),
        ("first bias", "adam"),
        ("second bias", "adam"),
        ("t from 0", "adam"),
        ("eps inside", "adam betas eps"),
        ("eps before bias", "adam betas eps"),
        ("decoupled", "adam decay"),
    ],
)
def test_a_wrong_adam_is_noticed(wrong, case):
    rule = lambda *a, **k: _adam(*a, **k, wrong=wrong)
    for name in [case] if case else ["adam", "adam betas eps", "adam decay"]:
        found = trajectory(name, one_array, rule=rule)
        if wrong:
            with pytest.raises(AssertionError):
                check(name, found)
        else:
            check(name, found)


MISTAKES = {
    "coupled decay": ("adamw", lambda w, g, *a, weight_decay, learning_rate, **k: Adam.rule(
        w, g, *a, weight_decay=weight_decay, learning_rate=learning_rate, **k)),
    "decay not times the rate": ("adamw", lambda w, g, *a, weight_decay, **k: Adam.rule(
        (1 - weight_decay) * w, g, *a, weight_decay=0.0, **k)),
    "momentum dampened": ("sgd momentum", lambda w, g, v=0.0, *, learning_rate, momentum, **_: {
        "v": (u := momentum * v + (1 - momentum) * g), "w": w - learning_rate * u}),
    "rate inside the velocity": ("sgd slower", lambda w, g, v=0.0, *, learning_rate, momentum, **_: {
        "v": (u := momentum * v + learning_rate * g), "w": w - u}),
    "nesterov without the look": ("sgd nesterov", lambda *a, nesterov, **k: SGD.rule(*a, nesterov=False, **k)),
    "no centre": ("rmsprop centered", lambda *a, centered, **k: RMSprop.rule(*a, centered=False, **k)),
    "rmsprop eps inside": ("rmsprop alpha eps", lambda w, g, s=0.0, m=0.0, v=0.0, *, learning_rate, alpha, eps, **_: {
        "s": (a := alpha * s + (1 - alpha) * square(g)), "w": w - learning_rate * g / sqrt(a + eps)}),
    "adagrad forgets": ("adagrad", lambda w, g, s=0.0, *, learning_rate, eps, **_: {
        "s": square(g), "w": w - learning_rate * g / (abs(g) + eps)}),
    "amsgrad not kept": ("adam amsgrad", lambda *a, amsgrad, **k: Adam.rule(*a, amsgrad=False, **k)),
    "gradient times 1.001": ("sgd", lambda w, g, v=0.0, *, learning_rate, **_: {"w": w - learning_rate * 1.001 * g}),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_rule_is_noticed(mistake):
    case, rule = MISTAKES[mistake]
    with pytest.raises(AssertionError):
        check(case, trajectory(case, one_array, rule=rule))


@pytest.mark.parametrize("case", ["adam", "sgd all", "rmsprop all", "adamw all", "adagrad all"])
def test_float32_stays_float32(case):
    found = trajectory(case, lambda x: [Tensor(x, dtype=np.float32)], kept=KEPT[:20])
    np.testing.assert_allclose(found, REFERENCE[f"optimizer {case}"][:20], rtol=2e-4)
    name, options, _ = CASES[case]
    leaf = Tensor(START["W"], dtype=np.float32)
    optimizer = getattr(nn, name)([leaf], **options | {"learning_rate": np.float64(0.01)})
    for _ in range(2):
        leaf.grad = START["W"].astype(np.float32)
        optimizer.step()
    arrays = [x for x in optimizer.state_dict()["state"]["0"].values() if isinstance(x, np.ndarray)]
    assert leaf.dtype == np.float32
    assert arrays
    assert all(x.dtype == np.float32 for x in arrays)


# ── which parameters move ────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", EVERY)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_together_or_alone_makes_no_difference(kind, data):
    """Whatever parameters have a gradient at whatever steps, each moves as if it were the only one."""
    options = {"weight_decay": 0.1} | ({"momentum": 0.9} if kind in (SGD, RMSprop) else {})
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    starts = [rng.normal(size=s) for s in [(2, 3), (), (4,), (1, 1), (0, 2)]]
    starts.append(np.asfortranarray(rng.normal(size=(3, 2))))
    together = [Tensor(x) for x in starts] + [Value(0.5), Value(-2.0), Tensor([1.0, 2.0], dtype=np.float32)]
    alone = [type(p)(p.data) for p in together]
    optimizer, single = kind(together, **options), [kind([p], **options) for p in alone]
    for _ in range(5):
        present = data.draw(st.lists(st.booleans(), min_size=len(together), max_size=len(together)))
        present[data.draw(st.integers(0, len(together) - 1))] = True
        for p, q, there in zip(together, alone, present, strict=True):
            grad = rng.normal(size=np.shape(p.data))
            grad = float(grad) if isinstance(p, Value) else np.asarray(grad.astype(p.dtype), order="F")
            p.grad = q.grad = grad if there else None
        optimizer.step()
        for s, there in zip(single, present, strict=True):
            if there:
                s.step()
        for p, q in zip(together, alone, strict=True):
            assert np.array_equal(p.data, q.data)
            assert isinstance(p, Value) or p.dtype == q.dtype
    states = optimizer.state_dict()["state"]
    for i, s in enumerate(single):
        expected = s.state_dict()["state"].get("0", {})
        assert {n: np.array(x).tolist() for n, x in states.get(str(i), {}).items()} == {
            n: np.array(x).tolist() for n, x in expected.items()
        }


def test_a_training_step_moves_every_parameter_of_both_tiers():
    rng = np.random.default_rng(0)
    dense, network = Dense(3, 2, seed=0), Network([3, 2], seed=0)
    for model, loss in (
        (dense, lambda: (dense(rng.normal(size=(5, 3))) ** 2).sum()),
        (network, lambda: sum(out * out for out in network([0.1, -0.4, 2.0]))),
    ):
        before = [np.array(p.data) for p in model.parameters()]
        optimizer = Adam(model.named_parameters())
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        assert all((np.array(p.data) != x).all() for p, x in zip(model.parameters(), before, strict=True))


def test_a_graph_recorded_before_the_step_refuses_to_go_back():
    x = Tensor([1.0, 2.0])
    loss = (x * x).sum()
    loss.backward()
    Adam([x]).step()
    with pytest.raises(Exception, match="changed"):
        loss.backward()


@pytest.mark.parametrize("kind", EVERY)
def test_after_an_error_nothing_has_moved(kind):
    a, b, c = Tensor([1.0, 2.0]), Tensor([[3.0]]), Value(4.0)
    optimizer = kind([a, b, c])
    for p in (a, b, c):
        (p * p).sum().backward() if p is not c else (c * c).backward()
    optimizer.step()
    state, data = optimizer.state_dict(), [a.data, b.data, c.data]
    for p, wrong in ((b, np.ones((1, 2))), (b, 1.0), (c, np.ones(1)), (c, [1.0])):
        good, p.grad = p.grad, wrong
        with pytest.raises(
            ValueError, match=r"the gradient of parameter \d has shape \(.*\), and the parameter \(.*\)"
        ):
            optimizer.step()
        with pytest.raises(ValueError, match="has shape"):
            optimizer.explain(p)
        p.grad = good
    a.grad = a.grad + 1j
    with pytest.raises(TypeError, match="complex"):
        optimizer.step()
    assert [a.data is data[0], b.data is data[1], c.data is data[2]] == [True] * 3
    assert repr(optimizer.state_dict()) == repr(state)


@pytest.mark.parametrize("kind", EVERY)
def test_nothing_is_said_about_nan_and_infinity(kind):
    """They go where IEEE arithmetic takes them, without warnings, and stay with the number that they belong to."""
    t = Tensor([1.0, 2.0, 3.0, 4.0])
    v = Value(1.0)
    optimizer = kind([t, v])
    t.grad, v.grad = np.array([np.nan, np.inf, 1e300, 0.0]), 0.0
    optimizer.step()
    assert np.isfinite(t.data).tolist()[3]
    assert math.isfinite(v.data)
    assert not np.isfinite(t.data[0])


def test_nothing_divides_by_zero_aloud():
    v, t = Value(1.0), Tensor([1.0])
    for kind in (Adagrad, RMSprop, Adam, AdamW):
        v.data, t.data = 1.0, [1.0]
        v.grad, t.grad = 0.0, np.zeros(1)
        kind([v, t], eps=0.0).step()
        assert math.isnan(v.data)
        assert np.isnan(t.data).all()


def test_the_variance_of_a_constant_gradient_is_not_negative():
    w = Tensor(np.linspace(-1, 1, 50))
    optimizer = RMSprop([w], centered=True, alpha=0.5)
    for _ in range(200):
        w.grad = np.linspace(0.1, 7.7, 50)
        optimizer.step()
    assert np.isfinite(w.data).all()


def test_exact_fractions_step_exactly():
    x, y = Value(Fraction(1, 3)), Value(Fraction(2))
    optimizer = SGD([x, y], Fraction(1, 10), momentum=Fraction(1, 2))
    for _ in range(2):
        optimizer.zero_grad()
        (x * x + y * y).backward()
        optimizer.step()
    # v = 2/3, x = 1/3 - 1/15 = 4/15; then v = 1/3 + 8/15 = 13/15, x = 4/15 - 13/150
    assert (x.data, y.data) == (Fraction(9, 50), Fraction(27, 25))
    with pytest.raises(Exception, match="Fraction"):
        SGD([x], 0.1).step()
    assert x.data == Fraction(9, 50)


# ── groups, the learning rate, rules of one's own ────────────────────────────────────────────────────
def test_groups_keep_their_parameters():
    """Parameters that are put into a group later would else be left alone without a word."""
    for change in (
        lambda groups, late: groups.append({**groups[0], "parameters": (late,)}),
        lambda groups, late: groups[0].update(parameters=(late,)),
        lambda groups, late: groups.pop(),
    ):
        first, late = Value(1.0), Value(1.0)
        optimizer = SGD([first], learning_rate=0.5)
        first.grad = late.grad = 1.0
        change(optimizer.groups, late)
        with pytest.raises(ValueError, match="the groups of an optimizer keep their parameters"):
            optimizer.step()
        assert (first.data, late.data) == (1.0, 1.0)


def test_groups_have_their_own_options():
    a, b = Value(1.0), Value(1.0)
    optimizer = SGD([{"parameters": [a], "learning_rate": 0.5}, {"parameters": iter([b])}], 0.125, 0.9)
    assert [(g["learning_rate"], g["momentum"]) for g in optimizer.groups] == [(0.5, 0.9), (0.125, 0.9)]
    a.grad = b.grad = 1.0
    optimizer.step()
    assert (a.data, b.data) == (0.5, 0.875)
    assert optimizer.learning_rate == 0.5
    optimizer.learning_rate = 0.25
    assert [g["learning_rate"] for g in optimizer.groups] == [0.25, 0.25]
    optimizer.groups[1]["momentum"] = 0.0
    optimizer.step()
    assert (a.data, b.data) == (0.5 - 0.25 * 1.9, 0.875 - 0.25)
    assert repr(optimizer) == "SGD(2 parameters in 2 groups, learning_rate=0.25, nesterov=False, weight_decay=0.0)"


def test_what_is_remembered_stays_while_it_is_not_used():
    x = Value(0.0)
    optimizer = SGD([x], 1.0, momentum=0.5)
    for momentum, expected in ((0.5, -1.0), (0.0, -2.0), (0.5, -3.5)):  # v = 1; 1 stays; v = 0.5 + 1
        optimizer.groups[0]["momentum"] = momentum
        x.grad = 1.0
        optimizer.step()
        assert x.data == expected


def test_a_numpy_number_among_the_options_does_not_widen_float32():
    x = Tensor([1.0], dtype=np.float32)
    optimizer = SGD([x], 0.1, momentum=0.5)
    optimizer.groups[0]["momentum"] = np.float64(0.9)
    for _ in range(2):
        x.grad = np.ones(1, np.float32)
        optimizer.step()
    assert optimizer.state_dict()["state"]["0"]["v"].dtype == np.float32


def test_a_rule_of_ones_own_with_a_count_and_a_memory():
    class Slowing(Optimizer):
        @staticmethod
        def rule(w, g, count=0, largest=0.0, *, learning_rate, floor):
            largest = maximum(largest, abs(g))
            return {
                "count": count + 1,
                "largest": largest,
                "w": w - learning_rate * sign(g) / (largest + floor + count),
            }

    w = Tensor([1.0, 2.0])
    optimizer = Slowing([w], 0.5, floor=1.0)
    for g in ([1.0, -3.0], [-1.0, 1.0]):
        w.grad = np.array(g)
        optimizer.step()
    np.testing.assert_allclose(w.data, [1 - 0.5 / 2 + 0.5 / 3, 2 + 0.5 / 4 - 0.5 / 5], rtol=1e-15)
    assert optimizer.state_dict()["state"]["0"]["count"] == 2
    with pytest.raises(TypeError, match="Slowing needs floor"):
        Slowing([w], 0.5)


def test_a_rule_may_be_an_ordinary_function_and_must_be_there():
    class Plain(Optimizer):
        def rule(w, g, *, learning_rate):
            return {"w": w - learning_rate * g}

    x = Value(1.0)
    x.grad = 2.0
    Plain([x], 0.25).step()
    assert x.data == 0.5
    with pytest.raises(
        TypeError, match=r"Lazy has no rule; write def rule\(w, g, \*, learning_rate\): ... in class Lazy"
    ):
        type("Lazy", (Optimizer,), {})([x])


# ── SGD by hand, and what every optimizer does ───────────────────────────────────────────────────────


def bowl(x0, x1):
    """½ x·Ax - b·x, with A = [[3, 1], [1, 2]] and b = [1, -1]."""
    return 1.5 * x0 * x0 + x0 * x1 + x1 * x1 - x0 + x1


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_steps_are_those_of_a_numpy_loop(momentum):
    A, b = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -1.0])
    p, v = np.array([2.0, -3.0]), np.zeros(2)
    x = [Value(2.0), Value(-3.0)]
    t = Tensor([2.0, -3.0])
    scalars, array = SGD(x, 0.05, momentum), SGD([t], 0.05, momentum)
    for _ in range(50):
        v = momentum * v + (A @ p - b)
        p = p - 0.05 * v
        for optimizer, leaves in ((scalars, x), (array, t)):
            optimizer.zero_grad()
            bowl(*leaves).backward()
            optimizer.step()
        np.testing.assert_allclose([node.data for node in x], p, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(t.data, p, rtol=1e-13, atol=1e-15)
    if momentum:
        assert not np.allclose(v, 0, atol=1e-4), "the velocity should still matter"


def test_gradients_add_up_until_zero_grad():
    x = Value(0.0)
    optimizer = SGD([x], 0.5)
    for _ in range(2):
        (3 * x).backward()
    optimizer.step()
    assert x.data == -3.0
    optimizer.zero_grad()
    assert x.grad is None


def test_a_parameter_without_a_gradient_stays():
    x, unused = Value(1.0), Value(5.0)
    (x * x).backward()
    SGD([x, unused], 0.25, momentum=0.9).step()
    assert (x.data, unused.data) == (0.5, 5.0)


# ── nested parameters ────────────────────────────────────────────────────────────────────────────────
def test_nested_lists_and_dicts_of_parameters():
    w, v, b = [Value(1.0), Value(2.0)], [[Value(3.0)], (Value(4.0), Value(5.0))], Value(6.0)
    for tree in (
        {"w": w, "v": v, "b": b},
        [w, v, b],
        (w, v, b),
        iter([w, v, b]),
        [{"w": w, "v": v}, b],
        [{"w": w}, [v, b]],
    ):
        optimizer = SGD(tree, 0.5)
        assert optimizer.parameters == flatten([w, v, b])[0]
        assert len(optimizer.groups) == 1
    by_name = SGD({"w": w, "v": v, "b": b}, 0.5)
    (w[1] * b + v[1][0]).backward()
    by_name.step()
    assert [p.data for p in by_name.parameters] == [1.0, -1.0, 3.0, 3.5, 5.0, 5.0]
    assert "the next step of v.1.0" in str(by_name.explain("v.1.0"))
    assert SGD([*{"w": w}.values()], 0.5).parameters == w
    assert SGD([{"parameters": {"w": w}, "learning_rate": 0.1}, {"parameters": [[b]]}]).parameters == [*w, b]


def test_two_leaves_in_a_tuple_are_two_parameters():
    a, b = Value(1.0), Value(2.0)
    assert SGD([(a, b)], 0.5).parameters == [a, b]
    assert SGD([("a", a), ("b", b)], 0.5).parameters == [a, b]


def test_labels_are_names():
    a = Value(1.0, label="slope")
    optimizer = SGD({"w": [a]}, 0.5)
    (a * a).backward()
    assert "slope" in str(optimizer.explain())


V = Value(1.0)
BAD = {
    "an array": (lambda: Adam(np.ones(3)), TypeError, r"given ndarray; make it a Value .*gradient = value_and_grad"),
    "arrays": (lambda: Adam({"w": np.ones(3)}), TypeError, r"given array.*or step by hand"),
    "numbers": (lambda: Adam({"w": [1.0, 2.0]}), TypeError, r"given 1.0; make it a Value or a Tensor"),
    "none": (lambda: SGD([], 0.1), ValueError, "no parameters"),
    "no groups": (lambda: SGD([{"parameters": []}], 0.1), ValueError, "no parameters"),
    "constant": (lambda: SGD([Value(1.0, requires_grad=False)], 0.1), TypeError, "a leaf that carries a gradient"),
    "computed": (lambda: SGD([Value(1.0) * 2], 0.1), TypeError, "a leaf that carries a gradient, and was given Value"),
    "number": (lambda: SGD([1.0], 0.1), TypeError, "was given 1.0"),
    "complex": (lambda: SGD([Value(1j)], 0.1), TypeError, "a parameter is real"),
    "not a list": (lambda: Adam(V), TypeError, r"parameters is a list, such as \[weight, bias\], and was given Value"),
    "a tensor": (lambda: Adam(Tensor([1.0])), TypeError, r"parameters is a list.* given Tensor"),
    "a model": (lambda: Adam(Dense(1, 1)), TypeError, r"such as model.parameters\(\), and was given Dense"),
    "one group": (lambda: Adam({"parameters": [V]}), TypeError, "parameters is a list"),
    "mixed": (lambda: Adam([{"parameters": [V]}, V]), TypeError, "either a list of groups or a list of leaves"),
    "params": (lambda: Adam([{"params": [V], "lr": 1.0}]), ValueError, '"parameters", and was given params, lr'),
    "lr": (
        lambda: Adam([{"parameters": [V], "lr": 1.0}]),
        TypeError,
        "Adam has no option 'lr'. There are: learning_rate",
    ),
    "typo": (lambda: Adam([{"parameters": [V], "learning_rat": 1.0}]), TypeError, "did you mean 'learning_rate'"),
    "foreign": (lambda: Adam([{"parameters": [V], "momentum": 0.9}]), TypeError, "Adam has no option 'momentum'"),
    "in a group": (lambda: SGD([{"parameters": [V], "momentum": 2}]), ValueError, "momentum .* given 2"),
    "twice in groups": (lambda: SGD([{"parameters": [V]}, {"parameters": [V]}]), ValueError, "given twice"),
    "rate 0": (lambda: SGD([Value(1.0)], 0.0), ValueError, "learning_rate is a number above 0, and was given 0.0"),
    "rate nan": (lambda: SGD([Value(1.0)], math.nan), ValueError, "was given nan"),
    "rate inf": (lambda: SGD([Value(1.0)], math.inf), ValueError, "was given inf"),
    "rate set": (lambda: setattr(SGD([V]), "learning_rate", -1), ValueError, "learning_rate .* was given -1"),
    "rate text": (lambda: SGD([V], "0.1"), TypeError, "learning_rate is a number above 0, and was given '0.1'"),
    "momentum": (lambda: SGD([Value(1.0)], 0.1, momentum=1.0), ValueError, "momentum is from 0 to below 1"),
    "nesterov": (lambda: SGD([V], 0.1, nesterov=True), ValueError, "needs a momentum above 0"),
    "flag": (lambda: SGD([V], 0.1, 0.9, nesterov="yes"), ValueError, "nesterov is True or False, and was given 'yes'"),
    "decay": (
        lambda: SGD([V], weight_decay=-0.1),
        ValueError,
        "weight_decay is a number, at least 0, and was given -0.1",
    ),
    "alpha": (lambda: RMSprop([V], alpha=1.0), ValueError, "alpha is from 0 to below 1, and was given 1.0"),
    "betas": (lambda: Adam([V], betas=(0.9, 1.0)), ValueError, r"betas is two numbers.* given \(0.9, 1.0\)"),
    "one beta": (lambda: AdamW([V], betas=0.9), TypeError, "betas is two numbers from 0 to below 1, and was given 0.9"),
    "eps": (lambda: Adagrad([V], eps=-1e-8), ValueError, "eps is a number, at least 0, and was given -1e-08"),
    "name": (lambda: optimizer_named("adm"), ValueError, "no optimizer 'adm'; did you mean 'adam'"),
    "capitals": (lambda: optimizer_named("Adam"), ValueError, "did you mean 'adam'"),
    "instance": (
        lambda: optimizer_named(SGD([V])),
        TypeError,
        r"optimizer is a name or a function, and was given SGD\(",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()


def test_the_same_parameter_twice():
    x = Value(1.0)
    with pytest.raises(ValueError, match="given twice"):
        SGD([x, x], 0.1)


def test_a_step_without_gradients_is_an_error():
    x = Value(1.0)
    with pytest.raises(ValueError, match=r"no parameter has a gradient yet; call backward\(\)"):
        SGD([x], 0.1).step()
    assert x.data == 1.0


def test_names_give_classes():
    assert list(OPTIMIZERS) == ["sgd", "adagrad", "rmsprop", "adam", "adamw"]
    for name, kind in OPTIMIZERS.items():
        assert optimizer_named(name) is kind
        assert kind([Value(1.0)], 0.25).learning_rate == 0.25
    assert optimizer_named(Adam) is Adam
