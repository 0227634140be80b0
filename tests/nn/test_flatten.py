"""Flatten joins axes."""

import numpy as np
import pytest

from autodiff import Tensor
from nn import Flatten


def test_axes_are_joined_in_order():
    x = Tensor(np.arange(24.0).reshape(2, 3, 4))
    output = Flatten()(x)
    assert (output.data == np.arange(24.0).reshape(2, 12)).all()
    output.backward(np.arange(24.0).reshape(2, 12))
    assert (x.grad == np.arange(24.0).reshape(2, 3, 4)).all()
    assert Flatten(0)(x).shape == (24,)
    assert Flatten(2)(x).shape == (2, 3, 4)
    assert Flatten()(np.zeros((0, 3, 4))).shape == (0, 12)


def test_bad_arguments_and_input():
    with pytest.raises(ValueError, match="start_axis is at least 0, and was given -1"):
        Flatten(-1)
    with pytest.raises(ValueError, match=r"Flatten\(\) takes more than 1 axes, and was given shape \(3,\)"):
        Flatten()(np.zeros(3))


def test_repr():
    assert [repr(Flatten()), repr(Flatten(2))] == ["Flatten()", "Flatten(start_axis=2)"]
