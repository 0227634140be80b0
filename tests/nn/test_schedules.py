"""Schedules beside PyTorch's learning rates, their states, and what may not be given to them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Value
from nn import SGD, CosineAnnealingLR, ExponentialLR, ReduceLROnPlateau, Schedule, StepLR, WarmUp
from tests.nn.optimizer_cases import COUNT, METRICS, PLATEAUS, RATES

REFERENCE = np.load(Path(__file__).parent / "reference" / "optimizers.npz")
DESCRIBED = {
    "StepLR": StepLR(step_size=7, gamma=0.6),
    "ExponentialLR": ExponentialLR(gamma=0.93),
    "CosineAnnealingLR": CosineAnnealingLR(T_max=60, minimum=0.002),
    "CosineAnnealingLR again": CosineAnnealingLR(T_max=13),
    "LinearLR": WarmUp(steps=5),
    "LinearLR cosine": WarmUp(steps=10, start_factor=0.1, then=CosineAnnealingLR(T_max=50)),
    "LinearLR step": WarmUp(steps=4, start_factor=0.25, then=StepLR(step_size=9, gamma=0.5)),
}


def two_groups():
    return SGD([{"parameters": [Value(1.0)], "learning_rate": rate} for rate in RATES])


def rates(schedule, metrics=None):
    """The learning rates before and after each step."""
    found = [schedule.learning_rates]
    for count in range(COUNT):
        schedule.step(*([] if metrics is None else [metrics[count]]))
        found.append([group["learning_rate"] for group in schedule.optimizer.groups])
    return np.array(found)


@pytest.mark.parametrize("name", DESCRIBED)
def test_rates_are_those_of_pytorch(name):
    expected = REFERENCE[f"schedule {name}"]
    assert np.ptp(expected, axis=0).min() > 0.01
    np.testing.assert_allclose(rates(DESCRIBED[name].attach(two_groups())), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", PLATEAUS)
def test_rates_on_a_plateau_are_those_of_pytorch(name):
    expected = REFERENCE[f"plateau {name}"]
    assert len(np.unique(expected[:, 0])) > 2, "it is reduced more than once"
    schedule = ReduceLROnPlateau(two_groups(), **PLATEAUS[name])
    np.testing.assert_allclose(rates(schedule, METRICS), expected, rtol=1e-12, atol=0)


def test_bound_at_once_or_later_is_the_same_and_a_description_stays_one():
    described = StepLR(step_size=2, gamma=0.5)
    first, second = two_groups(), two_groups()
    assert np.array_equal(rates(described.attach(first)), rates(StepLR(second, step_size=2, gamma=0.5)))
    again = described.attach(first)
    assert again.optimizer is first
    assert described.optimizer is None
    assert described.step_count == 0
    assert again.base == [group["learning_rate"] for group in first.groups]
    assert repr(described) == repr(again) == "StepLR(step_size=2, gamma=0.5)"
    assert repr(WarmUp(steps=3, then=described)) == f"WarmUp(steps=3, then={described!r}, start_factor={1 / 3})"


def test_a_warm_up_begins_low_and_a_plateau_where_the_optimizer_is():
    optimizer = two_groups()
    WarmUp(optimizer, steps=4, start_factor=0.5)
    assert [group["learning_rate"] for group in optimizer.groups] == [0.2, 0.015]
    optimizer = two_groups()
    ReduceLROnPlateau(optimizer)
    assert [group["learning_rate"] for group in optimizer.groups] == RATES


@given(st.integers(1, 40), st.floats(0, 0.3), st.floats(0.3, 2))
def test_the_cosine_goes_down_all_the_way(steps, minimum, base):
    schedule = CosineAnnealingLR(T_max=steps, minimum=minimum)
    found = [schedule.rate(base, count) for count in range(steps + 1)]
    assert found[0] == pytest.approx(base, rel=1e-15)
    assert found[-1] == minimum
    assert found == sorted(found, reverse=True)
    assert schedule.rate(base, 2 * steps) == pytest.approx(base, rel=1e-12)


@pytest.mark.parametrize("cut", [0, 1, 9, 30])
@pytest.mark.parametrize("name", [*DESCRIBED, *PLATEAUS])
def test_a_state_goes_on_bit_for_bit(name, cut):
    """Through JSON, into a new schedule of an optimizer that still has other learning rates."""
    metrics = METRICS if name in PLATEAUS else None
    described = DESCRIBED.get(name) or ReduceLROnPlateau(**PLATEAUS[name])
    whole = rates(described.attach(two_groups()), metrics)
    schedule = described.attach(two_groups())
    for count in range(cut):
        schedule.step(*([] if metrics is None else [metrics[count]]))
    state = json.loads(json.dumps(schedule.state_dict()))
    optimizer = two_groups()
    optimizer.learning_rate = 7.0
    resumed = described.attach(optimizer)
    resumed.load_state_dict(state)
    rest = [resumed.learning_rates]
    for count in range(cut, COUNT):
        resumed.step(*([] if metrics is None else [metrics[count]]))
        rest.append(resumed.learning_rates)
    assert np.array_equal(rest, whole[cut:])
    assert resumed.step_count == COUNT


def test_a_plateau_with_a_metric_below_zero_and_with_nan():
    optimizer = two_groups()
    schedule = ReduceLROnPlateau(optimizer, patience=1, factor=0.5, threshold=0.01)
    for metric, best in [(math.nan, None), (-1.0, -1.0), (-1.005, -1.0), (-1.02, -1.02)]:  # by 0.5 %, by 2 %
        schedule.step(metric)
        assert schedule.best == best
    assert schedule.learning_rates == RATES
    for metric in [math.nan, np.float64(math.inf)]:
        schedule.step(metric)
    assert schedule.learning_rates == [x / 2 for x in RATES]
    schedule.step(Value(-2.0))
    assert schedule.best == -2.0


def test_a_schedule_of_ones_own():
    class Triangle(Schedule):
        def __init__(self, optimizer=None, *, half):
            super().__init__(optimizer, half=half)

        def rate(self, base, count):
            return base * (1 - abs(count % (2 * self.half) - self.half) / self.half)

    optimizer = two_groups()
    schedule = WarmUp(optimizer, steps=1, start_factor=0.5, then=Triangle(half=2))
    found = [schedule.learning_rates[0]]
    for _ in range(4):
        schedule.step()
        found.append(schedule.learning_rates[0])
    assert found == [0.2, 0.0, 0.2, 0.4, 0.2]
    assert schedule.state_dict()["options"]["then"] == {"schedule": "Triangle", "options": {"half": 2}}
    with pytest.raises(NotImplementedError, match=r"Schedule has no rate; write def rate\(self, base, count\)"):
        Schedule(optimizer)


def test_a_state_that_does_not_fit_is_refused_whole():
    schedule = StepLR(two_groups(), step_size=3)
    schedule.step()
    before = schedule.state_dict()
    wrong = {
        **ExponentialLR(SGD([Value(1.0)], 0.5), gamma=0.5).state_dict(),
        "best": 1.0,
    }
    del wrong["step_count"]
    with pytest.raises(ValueError, match="the state does not fit this StepLR:") as caught:
        schedule.load_state_dict(wrong)
    assert str(caught.value).splitlines()[1:] == [
        "  missing: step_count",
        "  unexpected: best",
        "  schedule: ExponentialLR in the state, StepLR here",
        "  options: {'gamma': 0.5} in the state, {'step_size': 3, 'gamma': 0.1} here",
        "  base: 1 groups in the state, 2 here",
        "  learning_rates: 1 groups in the state, 2 here",
    ]
    assert schedule.state_dict() == before


BAD = {
    "by place": (lambda: StepLR(30), TypeError, "step_size"),
    "no optimizer": (lambda: StepLR(30, step_size=30), TypeError, "bound to an optimizer, and was given 30"),
    "unbound": (lambda: StepLR(step_size=3).step(), ValueError, r"StepLR\(.*\) is bound to no optimizer yet"),
    "unbound plateau": (lambda: ReduceLROnPlateau().step(1.0), ValueError, "is bound to no optimizer yet"),
    "unbound state": (lambda: StepLR(step_size=3).state_dict(), ValueError, "is bound to no optimizer yet"),
    "attach": (lambda: StepLR(step_size=3).attach("adam"), TypeError, "bound to an optimizer, and was given 'adam'"),
    "no size": (lambda: StepLR(step_size=0), ValueError, "step_size is at least 1, and was given 0"),
    "half": (lambda: StepLR(step_size=1.5), TypeError, "step_size is a whole number, and was given 1.5"),
    "gamma": (lambda: ExponentialLR(gamma=0.0), ValueError, "gamma is a number above 0, and was given 0.0"),
    "text": (lambda: ExponentialLR(gamma="0.5"), TypeError, "gamma is a number above 0, and was given '0.5'"),
    "T_max": (lambda: CosineAnnealingLR(T_max=-1), ValueError, "T_max is at least 1"),
    "minimum": (lambda: CosineAnnealingLR(T_max=5, minimum=-1), ValueError, "minimum is a number, at least 0"),
    "start": (lambda: WarmUp(steps=5, start_factor=0), ValueError, "start_factor is above 0 and at most 1"),
    "then": (lambda: WarmUp(steps=5, then=ReduceLROnPlateau()), TypeError, "depends on the number of steps alone"),
    "bound then": (lambda: WarmUp(steps=5, then=StepLR(two_groups(), step_size=3)), ValueError, "is bound .* already"),
    "mode": (lambda: ReduceLROnPlateau(mode="low"), ValueError, "mode is 'min' or 'max', and was given 'low'"),
    "threshold": (lambda: ReduceLROnPlateau(threshold_mode="x"), ValueError, "threshold_mode is 'rel' or 'abs'"),
    "factor": (lambda: ReduceLROnPlateau(factor=1.0), ValueError, "factor is above 0 and below 1, and was given 1.0"),
    "patience": (lambda: ReduceLROnPlateau(patience=-1), ValueError, "patience is at least 0"),
    "metric": (lambda: ReduceLROnPlateau(two_groups()).step([1.0, 2.0]), TypeError, "the metric is one number"),
    "no metric": (lambda: ReduceLROnPlateau(two_groups()).step(None), TypeError, "the metric is one number"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()
