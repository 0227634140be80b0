"""Attention: every position looks at the others and takes up what it looks for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import matmul, softmax, where
from nn.checks import Seed, axes_of, size
from nn.layers.dense import Dense
from nn.layers.dropout import Dropout
from nn.layers.normalization import LayerNorm
from nn.lookup import Function
from nn.module import Module


class MultiHeadAttention(Module):
    """``softmax(Q Kᵀ / √d) V`` in several heads: each position takes a weighted mean of values from all positions.

    Queries Q, keys K and values V are linear functions of the inputs, cut into ``heads`` parts of d features; what
    the heads find is joined, and goes through one more linear function.

    Source: Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762.

    Args:
        features: how many features each position has; a multiple of ``heads``.
        heads: how many heads look at once.
        bias: whether the linear functions add one.
        dropout: the probability with which a position is not seen in training.
        seed: an integer, or the NumPy generator to draw from.

    Called on queries of shape (N, T, features) alone, it attends from the sequence to itself; ``source`` of shape
    (N, S, features) is another sequence to take up from. ``causal=True`` hides later positions. ``mask`` is a
    boolean array, True where a position may be seen: (N, S) for positions that are no filling, or (T, S) or
    (N, T, S) for pairs, where N or T may be 1. ``return_weights=True`` gives the weights too, shape (N, heads, T, S).

    >>> attention = MultiHeadAttention(8, heads=2, seed=0)
    >>> output, weights = attention(np.ones((3, 5, 8)), causal=True, return_weights=True)
    >>> output.shape, weights.data[0, 0, 1].tolist()
    ((3, 5, 8), [0.5, 0.5, 0.0, 0.0, 0.0])

    Raises:
        ValueError: features is no multiple of heads; an input or the mask has another shape; the mask leaves
            some position nothing to see.
    """

    def __init__(
        self, features: int, heads: int, *, bias: bool = True, dropout: float = 0.0, seed: Seed = None
    ) -> None:
        self.features, self.heads = size(features, "features"), size(heads, "heads")
        if features % heads:
            raise ValueError(f"features is a multiple of heads, and was given {features} with {heads} heads")
        rng = np.random.default_rng(seed)
        self.query, self.key, self.value, self.output = [
            Dense(features, features, bias=bias, initializer="glorot_uniform", seed=rng) for _ in range(4)
        ]
        self.dropout = Dropout(dropout, seed=rng)

    def forward(
        self, x: Any, source: Any = None, *, mask: Any = None, causal: bool = False, return_weights: bool = False
    ) -> Any:
        """What each position of x takes up, shape (N, T, features)."""
        x = axes_of(self, x, "N T F", F=self.features)
        source = x if source is None else axes_of(self, source, "N S F", N=x.shape[0], F=self.features)
        q, k, v = self._heads(self.query(x)), self._heads(self.key(source)), self._heads(self.value(source))
        scores = matmul(q * (1 / math.sqrt(q.shape[-1])), k.mT)  # N, heads, T, S
        visible = _visible(mask, causal, (x.shape[0], x.shape[1], source.shape[1]))
        if visible is not None:
            scores = where(visible, scores, -np.inf)
        weights = self.dropout(softmax(scores))
        found = matmul(weights, v).transpose(0, 2, 1, 3).reshape(x.shape)
        output = self.output(found)
        return (output, weights) if return_weights else output

    def _heads(self, x: Any) -> Any:
        """(N, T, features) as (N, heads, T, features / heads)."""
        return x.reshape(*x.shape[:2], self.heads, self.features // self.heads).transpose(0, 2, 1, 3)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.features}, heads={self.heads}"


class TransformerBlock(Module):
    """Attention, then a network for each position, each with a way around it: ``x + f(norm(x))``.

    Sources: Vaswani et al. 2017, arXiv:1706.03762; the norm inside the branch is that of Xiong et al. 2020,
    arXiv:2002.04745, which trains without a warm-up; ``norm_first=False`` is the original, ``norm(x + f(x))``.

    Args:
        features: how many features each position has; a multiple of ``heads``.
        heads: of the attention.
        hidden: the size of the network's hidden layer, four times the features if not given.
        activation: of that hidden layer.
        dropout: the probability with which numbers are dropped in training, in the attention and in both branches.
        norm_first: where the norms stand.
        seed: an integer, or the NumPy generator to draw from.

    Shapes: x and the output (N, T, features); ``mask`` and ``causal`` as for :class:`MultiHeadAttention`.

    >>> block = TransformerBlock(8, heads=2, seed=0)
    >>> block(np.ones((3, 5, 8)), causal=True).shape
    (3, 5, 8)

    Raises:
        ValueError: as :class:`MultiHeadAttention`.
    """

    def __init__(
        self,
        features: int,
        heads: int,
        hidden: int | None = None,
        activation: str | Function = "gelu",
        *,
        dropout: float = 0.0,
        norm_first: bool = True,
        seed: Seed = None,
    ) -> None:
        rng = np.random.default_rng(seed)
        hidden = 4 * features if hidden is None else hidden
        self.attention = MultiHeadAttention(features, heads, dropout=dropout, seed=rng)
        self.attention_norm = LayerNorm(features)
        self.wide = Dense(features, hidden, activation, seed=rng)
        self.narrow = Dense(hidden, features, seed=rng)
        self.network_norm = LayerNorm(features)
        self.dropout = Dropout(dropout, seed=rng)
        self.norm_first = norm_first

    def forward(self, x: Any, *, mask: Any = None, causal: bool = False) -> Any:
        """x, changed by attention and by the network."""
        x = axes_of(self, x, "N T F", F=self.attention.features)
        if self.norm_first:
            x = x + self.dropout(self.attention(self.attention_norm(x), mask=mask, causal=causal))
            return x + self._network(self.network_norm(x))
        x = self.attention_norm(x + self.dropout(self.attention(x, mask=mask, causal=causal)))
        return self.network_norm(x + self._network(x))

    def _network(self, x: Any) -> Any:
        return self.dropout(self.narrow(self.dropout(self.wide(x))))

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.attention.features}, heads={self.attention.heads}"


def positional_encoding(length: int, features: int) -> NDArray[np.float64]:
    """Waves of growing length that tell positions apart: an array of shape (length, features) to add to the inputs.

    Feature 2i is sin(t / 10000^(2i / features)) and feature 2i + 1 the cosine, for the positions t = 0, 1, ...

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.

    >>> positional_encoding(2, 4).round(2).tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.84, 0.54, 0.01, 1.0]]
    """
    place = np.arange(size(length, "length"))[:, None]
    even = np.arange(0, size(features, "features"), 2)
    angle = place / 10000 ** (even / features)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, -1)[:, :features]


def _visible(mask: Any, causal: bool, shape: tuple[int, int, int]) -> NDArray[np.bool_] | None:
    """Which positions may be seen, as booleans that broadcast to (N, heads, T, S); None where all may."""
    n, t, s = shape
    visible = np.tri(t, s, dtype=bool)[None, None] if causal else None
    if mask is not None:
        given = np.asarray(mask)
        of_pairs = given.ndim == 3 and all(length in (1, full) for length, full in zip(given.shape, shape, strict=True))
        if given.dtype != bool or not (of_pairs or given.shape in ((n, s), (t, s))):
            raise ValueError(
                f"mask has booleans of shape (N, S) = {(n, s)}, (T, S) = {(t, s)} or (N, T, S) = {shape}, "
                f"and was given {given.dtype} of shape {given.shape}"
            )
        if n == t > 1 and given.ndim == 2:
            raise ValueError(
                f"a mask of shape {given.shape} is both (N, S) and (T, S); write mask[:, None, :] for"
                " the first, mask[None] for the second"
            )
        given = given[:, None] if of_pairs else given[:, None, None] if given.shape == (n, s) else given[None, None]
        visible = given if visible is None else visible & given
    if visible is None:
        return None
    blind = np.argwhere(~visible.any(axis=-1))
    if len(blind):
        raise ValueError(f"the mask leaves position {blind[0][-1]} of sample {blind[0][0]} nothing to see")
    return visible
