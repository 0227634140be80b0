"""Normalizer: brings every feature to the same scale, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autodiff import Tensor, astype
from nn.data import check_columns
from nn.data.arrays import as_numbers, check_finite, column_names
from nn.lookup import lookup

Array = NDArray[np.float64]


def _z_score(low: Array, spread: Array, share: Array) -> tuple[Array, Array]:
    """The mean and the standard deviation, from where each number lies between the smallest and the largest."""
    scale = spread * share.std(axis=0)
    return low + spread * share.mean(axis=0), np.where(scale > 0, scale, spread)


def _min_max(low: Array, spread: Array, share: Array) -> tuple[Array, Array]:
    return low, spread


METHODS = {"z-score": _z_score, "min-max": _min_max}


class Normalizer:
    """``(X - offset) / scale`` for every feature, with an offset and a scale that :meth:`fit` reads off the data.

    Features lie along the last axis, and all other axes are samples: rows (n, features), sequences (n, steps,
    features). Data of one axis, such as targets (n,), are n samples of one feature.

    Args:
        method: "z-score" takes the mean and the standard deviation (the features get mean 0 and variance 1);
            "min-max" takes the minimum and the range (they lie from 0 to 1).

    Attributes:
        offset_: of shape (features,), what is subtracted; None before ``fit``.
        scale_: of shape (features,), what is divided by; 1 for a feature that is constant.
        columns_: the names of the features, where they came as a frame with names.

    A constant feature becomes 0, and comes back exactly. float32 stays float32, computed in float64. A Tensor
    gives a Tensor, and gradients flow through; everything else gives an array.

    >>> normalizer = Normalizer()
    >>> normalizer.fit_transform([[1.0, 7.0], [3.0, 7.0]])
    array([[-1.,  0.],
           [ 1.,  0.]])
    >>> normalizer.inverse_transform([[0.5, 0.0]])
    array([[2.5, 7. ]])
    >>> normalizer
    Normalizer(method='z-score', fitted on 2 features)

    Raises:
        ValueError: no such method, and the message suggests the nearest.
        TypeError: the method is no name.
    """

    def __init__(self, method: str = "z-score") -> None:
        if not isinstance(method, str):
            raise TypeError(f"the method of normalization is a name, and was given {method!r}")
        lookup("method of normalization", method, METHODS)
        self.method = method
        self.offset_: Array | None = None
        self.scale_: Array | None = None
        self.columns_: tuple[str, ...] | None = None

    def fit(self, X: Any) -> Self:
        """Read offset and scale of every feature off the data; of the training data only, so that nothing leaks.

        Raises:
            ValueError: X is empty, holds a NaN or an infinity (the message says where), or is too wide for a float.
            TypeError: X holds something other than numbers.
        """
        table = as_numbers(X, "X")
        if table.size == 0 or table.ndim == 0:
            raise ValueError(f"X has shape {table.shape}; expected samples to normalize, such as rows of numbers")
        check_finite(table, "X", X)
        samples = np.ascontiguousarray(table, float).reshape(-1, _features(table))
        low, high = samples.min(axis=0), samples.max(axis=0)
        with np.errstate(over="ignore"):
            spread = np.where(high > low, high - low, 1.0)
        if not np.isfinite(spread).all():
            worst = int(np.argmax(spread))
            raise ValueError(f"feature {worst} goes from {low[worst]:.4g} to {high[worst]:.4g}, too wide for a float")
        # Everything is computed from the shares, from 0 to 1: neither a large offset nor a large or a tiny
        # spread costs digits there, and nothing overflows.
        share = (samples - low) / spread
        self.offset_, self.scale_ = METHODS[self.method](low, spread, share)
        self.columns_ = column_names(X)
        return self

    def transform(self, X: Any) -> Any:
        """``X`` on the scale of the normalized features.

        >>> from autodiff import Tensor
        >>> x = Tensor([[4.0], [6.0]])
        >>> Normalizer("min-max").fit([[0.0], [8.0]]).transform(x).sum().backward()
        >>> x.grad.tolist()
        [[0.125], [0.125]]

        Raises:
            ValueError: not fitted; X has another number of features or other columns, or holds a NaN or an infinity.
            TypeError: X holds something other than numbers.
        """
        data, offset, scale = self._beside(X)
        if not isinstance(data, Tensor):
            check_finite(data, "X", X)
        return _in_double(data, lambda x: (x - offset) / scale)

    def fit_transform(self, X: Any) -> Any:
        """:meth:`fit` and :meth:`transform` in one."""
        return self.fit(X).transform(X)

    def inverse_transform(self, X: Any) -> Any:
        """Normalized ``X``, such as predictions of normalized targets, on the scale of the data.

        Raises:
            ValueError: not fitted; X has another number of features or other columns.
            TypeError: X holds something other than numbers.
        """
        data, offset, scale = self._beside(X)
        return _in_double(data, lambda x: x * scale + offset)

    def state_dict(self) -> dict[str, Any]:
        """All that was read off the data, as strings and arrays (copies)."""
        state: dict[str, Any] = {"method": self.method}
        if self.offset_ is not None and self.scale_ is not None:
            state |= {"offset": self.offset_.copy(), "scale": self.scale_.copy()}
        if self.columns_ is not None:
            state["columns"] = np.array(self.columns_)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what the normalizer was whose :meth:`state_dict` this is, its method included.

        >>> fitted, other = Normalizer("min-max").fit([[1.0], [5.0]]), Normalizer()
        >>> other.load_state_dict(fitted.state_dict())
        >>> other
        Normalizer(method='min-max', fitted on 1 feature)

        Raises:
            ValueError: entries are missing or unexpected, or are no offsets and scales; nothing is changed then.
            TypeError: entries of another kind.
        """
        fields = set(state)
        if fields - {"columns"} not in ({"method"}, {"method", "offset", "scale"}) or fields == {"method", "columns"}:
            raise ValueError(
                f"a Normalizer is saved as method, offset, scale and maybe columns; given {sorted(fields)}"
            )
        loaded = type(self)(str(state["method"]))
        if "offset" in state:
            offset, scale = (np.array(as_numbers(state[key], key), float) for key in ("offset", "scale"))
            columns = tuple(map(str, state["columns"])) if "columns" in state else None
            if offset.ndim != 1 or offset.shape != scale.shape or (columns and len(columns) != len(offset)):
                raise ValueError(
                    f"a Normalizer has one offset and one scale for each feature; given shapes {offset.shape} and "
                    f"{scale.shape}" + (f" for {len(columns)} columns" if columns else "")
                )
            check_finite(offset, "offset")
            check_finite(scale, "scale")
            if not (scale > 0).all():
                raise ValueError(f"every scale of a Normalizer is above 0; given {scale.min():.6g}")
            loaded.offset_, loaded.scale_, loaded.columns_ = offset, scale, columns
        vars(self).update(vars(loaded))

    def __repr__(self) -> str:
        if self.offset_ is None:
            return f"Normalizer(method={self.method!r})"
        count = len(self.offset_)
        return f"Normalizer(method={self.method!r}, fitted on {count} feature{'s' if count > 1 else ''})"

    def _beside(self, X: Any) -> tuple[Any, Array, Array]:
        """``X`` as a tensor or an array, with the offset and the scale that fit it."""
        if self.offset_ is None or self.scale_ is None:
            raise ValueError("this Normalizer is not fitted; call fit(X) with the training data first")
        data = X if isinstance(X, Tensor) else as_numbers(X, "X", detach=False)
        known = len(self.offset_)
        if data.ndim == 0 or (data.ndim == 1 and known > 1):
            hint = "; for one row write [X]" if data.ndim else ""
            raise ValueError(f"X has shape {data.shape}; expected rows of {known} numbers{hint}")
        check_columns(X, self.columns_)
        if _features(data) != known:
            raise ValueError(f"X has {_features(data)} features, and this Normalizer was fitted on {known}")
        return data, self.offset_, self.scale_


def _features(data: Any) -> int:
    return data.shape[-1] if data.ndim > 1 else 1


def _in_double(data: Any, function: Any) -> Any:
    """``function(data)`` computed in double precision; single precision stays single."""
    if data.dtype == np.float32:
        return astype(function(astype(data, float)), np.float32)
    with np.errstate(over="ignore"):
        return function(data)
