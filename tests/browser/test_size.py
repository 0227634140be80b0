"""A page is at most 60 KB, and 1 KB for every step: for graphs of every size and shape."""

import pytest

import autodiff
from tests.browser.random_programs import ArrayProgram, program
from tests.browser.samples import arrays, chain, network, neuron, product, training
from tests.viz.graphs import SMALL
from viz.player import steps

BASE, STEP = 60_000, 1_000

SHAPES = {
    **{f"chain {n}": lambda n=n: steps(chain(n), layout="builtin", full=True) for n in (1, 5, 20, 60, 100, 150, 400)},
    **{
        f"network {widths}": lambda widths=widths: steps(network(widths), layout="builtin")
        for widths in ((2, 3, 1), (3, 4, 4, 1), (4, 8, 8, 1), (8, 16, 16, 1))
    },
    "every number of a network": lambda: steps(network((4, 6, 6, 1)), layout="builtin", level="scalar", full=True),
    **{f"{n} rounds": lambda n=n: training(n)[0] for n in (1, 4, 20)},
    **{f"small graph {k}": lambda make=make: steps(make(), layout="builtin") for k, make in enumerate(SMALL)},
    **{make.__name__: lambda make=make: steps(make(), layout="builtin") for make in (product, neuron, arrays)},
    "a title and labels without end": lambda: steps(endless(), layout="builtin", title="t" * 10**6),
}


def endless():
    output = product()
    for node in (output, *output.inputs):
        node.label = "label " * 50_000
    return output


@pytest.mark.parametrize("shape", SHAPES)
def test_size(shape):
    player = SHAPES[shape]()
    assert len(player.html.encode()) <= BASE + STEP * len(player.steps)


def test_random_programs():
    for seed in range(15):
        player = steps(program(seed, fractions=seed % 4 == 0).nodes()[-1], layout="builtin")
        assert len(player.html.encode()) <= BASE + STEP * len(player.steps), seed


def test_array_programs():
    for seed in range(4):
        recipe = ArrayProgram(seed)
        player = steps(recipe.run(recipe.tensors(), autodiff), layout="builtin")
        assert len(player.html.encode()) <= BASE + STEP * len(player.steps), seed
