"""The examples in the docstrings run and show what they say."""

import doctest
import importlib
import pathlib

import pytest

import nn

MODULES = sorted(
    "nn" if p.stem == "__init__" else f"nn.{p.stem}" for p in pathlib.Path(nn.__file__).parent.glob("*.py")
)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
