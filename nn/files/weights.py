"""The weights of a model alone, in a file that other programs read too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.files.archive import BUDGET, read_archive, write_archive
from nn.files.errors import FlawError, reading
from nn.files.safetensors_files import load_file, save_file
from nn.files.state_trees import pack, unpack

KIND = "weights"


def save_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write the model's ``state_dict()``, whole or not at all.

    Args:
        model: a module.
        path: ends in ".npz" (``np.load`` reads it) or in ".safetensors" (needs ``pip install
            "clearprop[safetensors]"``; read by many other libraries).

    >>> import tempfile
    >>> from nn import Network
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.npz")
    >>> save_weights(Network([1, 1], seed=0), path)
    >>> sorted(np.load(path))
    ['layers.0.neurons.0.bias', 'layers.0.neurons.0.weights.0', 'metadata.json']

    Raises:
        ValueError: the path ends in something else.
        TypeError: weights that are no plain numbers, such as fractions.
        OSError: it cannot be written; the old file stands.
        ImportError: safetensors is not installed.
    """
    weights = dict(model.state_dict())
    if _suffix(path) == ".safetensors":
        save_file(path, weights, {"description": repr(model)})
    else:
        tree, arrays = pack(weights)
        write_archive(path, arrays, {"kind": KIND, "description": repr(model), "weights": tree})


def load_weights(model: Any, path: str | os.PathLike[str], *, max_bytes: int = BUDGET) -> None:
    """Give the model the weights in a file: all of them or, where something does not fit, none.

    Args:
        model: a module whose weights have the names and shapes of those in the file. They keep their dtype.
        path: a file of :func:`save_weights` or ``save_checkpoint``; or one that others wrote, by
            ``np.savez(path, **{"layers.0.weight": array, ...})`` or as safetensors.
        max_bytes: how much memory reading may take.

    >>> import tempfile
    >>> from nn import Network
    >>> model, path = Network([1, 1], seed=0), os.path.join(tempfile.mkdtemp(), "weights.npz")
    >>> np.savez(path, **{"layers.0.neurons.0.weights.0": 2.0, "layers.0.neurons.0.bias": 0.5})
    >>> load_weights(model, path)
    >>> model([3.0]).data
    6.5

    Raises:
        CheckpointError: the weights are those of another architecture (the message lists missing, unexpected and
            misshapen entries), or the file is damaged, forged or something else.
        ValueError: the path ends in something else than ".npz" or ".safetensors".
        OSError: it is not there, or cannot be read.
        ImportError: safetensors is not installed.
    """
    safetensors = _suffix(path) == ".safetensors"
    weights, description = load_file(path, max_bytes) if safetensors else _from_npz(path, max_bytes)
    with reading(path):
        check_weights(model, weights, description, exact=False)
        try:
            model.load_state_dict(weights)
        except (TypeError, ValueError) as error:
            raise FlawError(f"its weights are refused: {error}") from error


def _from_npz(path: str | os.PathLike[str], max_bytes: int) -> tuple[dict[str, NDArray[Any]], str]:
    arrays, metadata = read_archive(path, max_bytes=max_bytes, plain=True)
    if not metadata:
        return arrays, "unknown"
    with reading(path):
        tree = unpack(metadata.get("state") or metadata, arrays)
        weights = tree.get("weights") if isinstance(tree, dict) else None
        if not isinstance(weights, dict) or not all(isinstance(array, np.ndarray) for array in weights.values()):
            raise FlawError("it holds no weights")
        return weights, str(tree.get("description"))


def _suffix(path: str | os.PathLike[str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (".npz", ".safetensors"):
        raise ValueError(f"weights go to a file that ends in .npz or .safetensors, and was given {os.fspath(path)!r}")
    return suffix


def check_weights(model: Any, weights: Mapping[str, NDArray[Any]], description: str, *, exact: bool = True) -> None:
    """Compare ``weights`` with those the model has, by name and shape, and by dtype if ``exact``.

    Raises:
        FlawError: they differ; the message lists where, and shows both models.
    """
    own: dict[str, NDArray[Any]] = {name: np.asarray(array) for name, array in model.state_dict().items()}
    lists = {
        "missing from the file": [f"{n} {own[n].shape}" for n in own if n not in weights],
        "unexpected in the file": [f"{n} {weights[n].shape}" for n in weights if n not in own],
        "of another shape": [
            f"{n} {weights[n].shape}, here {own[n].shape}"
            for n in own
            if n in weights and weights[n].shape != own[n].shape
        ],
        "of another dtype": [
            f"{n} {weights[n].dtype}, here {own[n].dtype}"
            for n in own
            if exact and n in weights and weights[n].dtype.newbyteorder("=") != own[n].dtype.newbyteorder("=")
        ],
    }
    if any(lists.values()):
        lines = ["it holds the weights of another model"]
        for what, entries in lists.items():
            if entries:
                more = f" and {len(entries) - 8} more" if len(entries) > 8 else ""
                lines.append(f"  {what}: {'; '.join(entry[:300] for entry in entries[:8])}{more}")
        raise FlawError(
            "\n".join([*lines, f"the file's model: {description[:2000]}", f"the model here: {model!r:.2000}"])
        )
