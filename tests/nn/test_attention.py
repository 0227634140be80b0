"""Attention and the transformer block beside PyTorch's numbers, and what may see what."""

import re

import numpy as np
import pytest

from autodiff import Tensor, check_gradients
from nn import MultiHeadAttention, TransformerBlock, positional_encoding
from tests.nn.by_pytorch import close, part
from tests.nn.test_recurrent import numbers

RNG = np.random.default_rng(9)

# PyTorch keeps queries, keys and values in one matrix; its names, and ours for the blocks of rows.
OURS = {
    "self_attn.": "attention.",
    "linear1": "wide",
    "linear2": "narrow",
    "norm1": "attention_norm",
    "norm2": "network_norm",
    "out_proj": "output",
}


def by_our_names(found):
    arrays = {}
    for name, array in found.items():
        for theirs, ours in OURS.items():
            name = name.replace(theirs, ours)
        if "in_proj" in name:
            start, kind = name.rsplit("in_proj_", 1)
            arrays |= {f"{start}{part}.{kind}": block for part, block in zip(PARTS, np.split(array, 3), strict=True)}
        else:
            arrays[name] = array
    return arrays


PARTS = ("query", "key", "value")


def agrees(module, wanted, *, outputs=1, **options):
    module.load_state_dict(by_our_names(part(wanted, "weights/")))
    given = {name: Tensor(array) for name, array in part(wanted, "in/").items()}
    found = module(**given, **options)
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == outputs
    total = 0.0
    for i, out in enumerate(found):
        close(out.data, wanted[f"out/{i}"])
        total = total + (out * wanted[f"upstream/{i}"]).sum()
    total.backward()
    gradients = by_our_names({name: g for name, g in part(wanted, "grad/").items() if name not in given})
    assert set(gradients) == {name for name, _ in module.named_parameters()}
    for name, parameter in module.named_parameters():
        if name.endswith("key.bias"):  # softmax does not see what all keys share: the true gradient is 0
            np.testing.assert_allclose(parameter.grad, 0.0, atol=1e-13)
        else:
            close(parameter.grad, gradients[name])
    for name, x in given.items():
        close(x.grad, wanted[f"grad/{name}"])


@pytest.mark.parametrize("case", ["plain", "without bias", "causal", "mask", "source", "source, mask", "causal, mask"])
def test_pytorch(case):
    wanted = numbers(f"attention {case}")
    positions = wanted.get("in/source", wanted["in/x"]).shape[1]
    mask = np.ones((2, positions), bool)
    mask[1, -2:] = False
    options = {"mask": mask} if "mask" in case else {}
    module = MultiHeadAttention(6, 3, bias="bias" not in case)
    agrees(module, wanted, outputs=2, causal="causal" in case, return_weights=True, **options)


def test_a_block_by_pytorch():
    agrees(TransformerBlock(6, 3, 10, "relu"), numbers("block relu"))
    agrees(TransformerBlock(6, 3, 10, "gelu", norm_first=False), numbers("block gelu, norm last"))


def test_the_definition_of_one_head():
    attention = MultiHeadAttention(4, 1, seed=0)
    x = RNG.normal(size=(1, 3, 4))
    q, k, v = ((x @ layer.weight.data.T)[0] for layer in (attention.query, attention.key, attention.value))
    scores = np.exp(q @ k.T / 2)
    wanted = scores / scores.sum(axis=1, keepdims=True) @ v @ attention.output.weight.data.T
    np.testing.assert_allclose(attention(x).data[0], wanted, rtol=1e-12)


def test_the_future_is_not_seen():
    block = TransformerBlock(4, 2, seed=0)
    x = Tensor(RNG.normal(size=(1, 5, 4)))
    block(x, causal=True)[0, 2].sum().backward()
    assert x.grad[0, :3].all()
    assert not x.grad[0, 3:].any()


def test_masks_of_every_layout_agree():
    attention = MultiHeadAttention(4, 2, seed=0)
    x = RNG.normal(size=(2, 3, 4))
    mask = np.array([[True, True, False], [True, True, True]])
    pairs = np.tri(3, dtype=bool)
    by_sample = attention(x, mask=mask).data
    np.testing.assert_array_equal(by_sample, attention(x, mask=np.repeat(mask[:, None], 3, axis=1)).data)
    np.testing.assert_array_equal(attention(x, mask=pairs).data, attention(x, causal=True).data)
    np.testing.assert_array_equal(by_sample[1], attention(x).data[1])
    np.testing.assert_array_equal(by_sample, attention(x, mask=mask[:, None]).data)
    np.testing.assert_array_equal(attention(x, mask=pairs[None]).data, attention(x, causal=True).data)
    both = attention(x, mask=mask[:, None], causal=True).data
    np.testing.assert_array_equal(both, attention(x, mask=mask[:, None] & pairs).data)


def test_the_advice_for_as_many_samples_as_steps_works():
    attention = MultiHeadAttention(4, 2, seed=0)
    x = RNG.normal(size=(2, 2, 4))
    mask = np.array([[True, False], [True, True]])
    with pytest.raises(ValueError, match=r"write mask\[:, None, :\] for the first, mask\[None\] for the second"):
        attention(x, mask=mask)
    weights = attention(x, mask=mask[:, None, :], return_weights=True)[1].data
    assert ((weights > 0) == mask[:, None, None]).all()
    weights = attention(x, mask=mask[None], return_weights=True)[1].data
    assert ((weights > 0) == mask).all()


def test_gradients_by_the_complex_step():
    # the norms and the softmax are not analytic in all their steps: central differences where they are not
    block = TransformerBlock(4, 2, 3, "tanh", seed=0)
    assert check_gradients(lambda x: block(x, causal=True), RNG.normal(size=(1, 3, 4))) < 1e-6


def test_positions_are_told_apart():
    table = positional_encoding(50, 7)
    assert table.shape == (50, 7)
    np.testing.assert_allclose(table[:, 3], np.cos(np.arange(50) / 10000 ** (2 / 7)), rtol=1e-12)
    assert len(np.unique(table.round(9), axis=0)) == 50


MESSAGES = {
    "heads": (lambda: MultiHeadAttention(6, 4), "features is a multiple of heads, and was given 6 with 4 heads"),
    "shape": (
        lambda: MultiHeadAttention(4, 2)(np.zeros((3, 4))),
        "MultiHeadAttention(4, heads=2) takes arrays of shape (N, T, F) with F = 4, and was given shape (3, 4)",
    ),
    "source": (
        lambda: MultiHeadAttention(4, 2)(np.zeros((3, 2, 4)), np.zeros((2, 2, 4))),
        "takes arrays of shape (N, S, F) with N = 3, F = 4, and was given shape (2, 2, 4)",
    ),
    "mask": (
        lambda: MultiHeadAttention(4, 2)(np.zeros((3, 2, 4)), mask=np.ones((3, 3), bool)),
        "mask has booleans of shape (N, S) = (3, 2), (T, S) = (2, 2) or (N, T, S) = (3, 2, 2), and was given bool of shape (3, 3)",
    ),
    "numbers for a mask": (
        lambda: MultiHeadAttention(4, 2)(np.zeros((3, 2, 4)), mask=np.ones((3, 2))),
        "and was given float64 of shape (3, 2)",
    ),
    "two meanings": (
        lambda: MultiHeadAttention(4, 2)(np.zeros((2, 2, 4)), mask=np.ones((2, 2), bool)),
        "a mask of shape (2, 2) is both (N, S) and (T, S)",
    ),
    "nothing to see": (
        lambda: MultiHeadAttention(4, 2)(np.zeros((3, 2, 4)), mask=np.array([[True] * 2, [False] * 2, [True] * 2])),
        "the mask leaves position 0 of sample 1 nothing to see",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_bad_input(case):
    call, words = MESSAGES[case]
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_nothing_to_attend_to(shape):
    assert MultiHeadAttention(4, 2, seed=0)(np.zeros(shape)).shape == shape
    assert TransformerBlock(4, 2, seed=0)(np.zeros(shape)).shape == shape


def test_a_mask_for_one_query_of_one_sample_has_one_meaning():
    attention = MultiHeadAttention(4, 2, seed=0)
    x, source = np.ones((1, 1, 4)), np.random.default_rng(0).normal(size=(1, 3, 4))
    got = attention(x, source, mask=np.array([[True, True, False]]))
    np.testing.assert_allclose(got.data, attention(x, source[:, :2]).data, rtol=1e-14)
