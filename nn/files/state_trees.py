"""The state of an object as JSON and arrays, and back, exactly.

A state is a tree of dictionaries, lists and tuples with numbers, strings and arrays for leaves, as ``state_dict()``
gives it. Arrays are taken out, each under the name of the path to it; the rest is what JSON can say, with a
dictionary of one "$..." key for what it cannot.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from reprlib import repr as shown
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.files.errors import FlawError

DEEPEST = 60  # levels of a tree; a level takes up to three of JSON


def pack(tree: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
    """``tree`` as a tree that JSON keeps exactly, and the arrays taken out of it.

    Whole numbers of any size, tuples, NumPy's numbers, arrays of text, infinities and every NaN come back from
    :func:`unpack` as they are, bit by bit and in the same types.

    >>> pack({"step": 3, "rates": (0.1, float("inf")), "moments": [np.zeros(2)]})
    ({'step': 3, 'rates': {'$tuple': [0.1, {'$float': '7ff0000000000000'}]}, 'moments': [{'$array': 'moments/0'}]}, \
{'moments/0': array([0., 0.])})

    Raises:
        TypeError: something that is no number, string, array, list, tuple or dictionary; the message says where.
        ValueError: the tree is deeper than 60 levels, as one that contains itself is.
    """
    arrays: dict[str, NDArray[Any]] = {}
    return _packed(tree, (), arrays), arrays


def _packed(tree: Any, path: tuple[str | int, ...], arrays: dict[str, NDArray[Any]]) -> Any:
    if len(path) > DEEPEST:
        raise ValueError(f"a state is at most {DEEPEST} levels deep, and this one goes on: {_spelt(path[:6])} ...")
    kind = type(tree)
    if tree is None or kind in (bool, int, str) or (kind is float and math.isfinite(tree)):
        return tree
    if kind is float:
        return {"$float": struct.pack(">d", tree).hex()}
    if isinstance(tree, np.ndarray) and tree.dtype.kind == "U":
        return {"$text": _put(_code_points(tree), path, arrays)}
    if isinstance(tree, np.ndarray):
        return {"$array": _put(tree, path, arrays)}
    if isinstance(tree, np.bool_ | np.number):
        return {"$scalar": _put(np.asarray(tree), path, arrays)}
    if kind in (list, tuple):
        items = [_packed(item, (*path, i), arrays) for i, item in enumerate(tree)]
        return items if kind is list else {"$tuple": items}
    if kind is dict:
        for key in tree:
            if type(key) not in (str, int):
                raise TypeError(f"{_spelt(path)} has the key {key!r}; expected strings or whole numbers")
        pairs = [(key, _packed(item, (*path, key), arrays)) for key, item in tree.items()]
        plain = all(type(key) is str and not key.startswith("$") for key in tree)
        return dict(pairs) if plain else {"$items": [list(pair) for pair in pairs]}
    raise TypeError(
        f"{_spelt(path)} is {tree!r:.100} ({kind.__name__}), which a checkpoint cannot hold; "
        "expected numbers, strings, arrays, and lists, tuples or dictionaries of them"
    )


def unpack(tree: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The tree of which :func:`pack` made these two.

    >>> unpack({"rates": {"$tuple": [0.1, {"$float": "fff0000000000000"}]}}, {})
    {'rates': (0.1, -inf)}

    Raises:
        FlawError: it is not of ``pack``'s making, or an array is missing, or nothing refers to one.
    """
    unused = dict(arrays)
    unpacked = _unpacked(tree, unused)
    if unused:
        raise FlawError(f"nothing refers to the array {next(iter(unused))!r}")
    return unpacked


def _unpacked(tree: Any, unused: dict[str, NDArray[Any]]) -> Any:
    if isinstance(tree, list):
        return [_unpacked(item, unused) for item in tree]
    if not isinstance(tree, dict):
        return tree
    tag = next(iter(tree), "")
    if not tag.startswith("$"):
        return {key: _unpacked(item, unused) for key, item in tree.items()}
    held = tree[tag]
    if tag in ("$array", "$scalar", "$text") and isinstance(held, str) and held in unused:
        array = unused.pop(held)
        if tag == "$array":
            return array
        if tag == "$scalar" and array.ndim == 0:
            return array[()]
        if (
            tag == "$text"
            and array.ndim
            and array.shape[-1]
            and array.dtype.str[1:] == "u4"
            and np.all(array < 0x110000)
        ):
            return _text(array)
    if tag == "$float" and isinstance(held, str) and re.fullmatch("[0-9a-f]{16}", held):
        return struct.unpack(">d", bytes.fromhex(held))[0]
    if tag == "$tuple" and isinstance(held, list):
        return tuple([_unpacked(item, unused) for item in held])
    if tag == "$items" and isinstance(held, list) and all(_is_item(item) for item in held):
        return {key: _unpacked(item, unused) for key, item in held}
    raise FlawError(f"its state has {shown(tree)}, which means nothing")


def _code_points(text: NDArray[Any]) -> NDArray[Any]:
    """An array of text as NumPy holds it, numbers of characters, with an axis more; so the file needs no text."""
    return np.ascontiguousarray(text).reshape(*text.shape, 1).view(text.dtype.str[0] + "u4")


def _text(points: NDArray[Any]) -> NDArray[Any]:
    letters = f"{points.dtype.str[0]}U{points.shape[-1]}"
    return np.ascontiguousarray(points).view(letters).reshape(points.shape[:-1])


def _is_item(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and type(pair[0]) in (str, int)


def _put(array: NDArray[Any], path: tuple[str | int, ...], arrays: dict[str, NDArray[Any]]) -> str:
    """Keep the array under the name of its path, made harmless and, where need be, unlike all others."""
    parts = [re.sub(r"[^\w.+-]", "_", str(key)) for key in path] or ["array"]
    stem = "/".join("_" if part in ("", ".", "..") else part for part in parts)[:120].rstrip("/.") or "_"
    name, number = stem, 1
    while name in arrays:
        number += 1
        name = f"{stem}~{number}"
    arrays[name] = array
    return name


def _spelt(path: tuple[str | int, ...]) -> str:
    return "the state" + "".join(f"[{key!r}]" for key in path)
