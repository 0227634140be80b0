"""A sample of ``python -m tests.autodiff.random_graphs``, and that it would notice a wrong rule."""

import random

import pytest

from autodiff import Tensor, Value
from tests.autodiff.mutants import Mutant, damaged
from tests.autodiff.random_graphs import ELEMENTWISE, UNARY, Rejected, compare, scalar_recipe, tensor_recipe


@pytest.mark.parametrize(("kind", "count"), [(Value, 1000), (Tensor, 150)], ids=["scalar", "tensor"])
def test_gradients_agree_with_the_complex_step(kind: type, count: int) -> None:
    for number in range(count):
        outcome = compare(kind, 2024, number)
        assert not outcome.wrong, outcome.wrong


@pytest.mark.parametrize("mutant", [Mutant("log", 0), Mutant("hypot", 1), Mutant("where", 2)], ids=str)
def test_a_wrong_rule_is_noticed(mutant: Mutant) -> None:
    with damaged(mutant):
        assert any(compare(Value, 2024, number).wrong for number in range(300))


def test_every_kind_of_operation_is_drawn() -> None:
    drawn = set()
    for number in range(400):
        for recipe_of in (scalar_recipe, tensor_recipe):
            try:
                drawn.update(step.name for step in recipe_of(random.Random(number)).steps)
            except Rejected:
                continue
    assert drawn >= {row.name for row in ELEMENTWISE} | set(UNARY) | {"matmul", "einsum", "concatenate", "stack"}
