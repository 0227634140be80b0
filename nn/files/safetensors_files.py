"""Weights as .safetensors, the format in which most models are shared (an extra)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.files.archive import BUDGET, PER_JSON_BYTE
from nn.files.errors import FlawError, reading
from nn.files.replacing import replacing


def save_file(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str] | None = None
) -> None:
    """Write arrays by name, and strings, whole or not at all.

    Raises:
        TypeError: an array of a dtype that the format does not know.
        OSError: it cannot be written; the old file stands.
        ImportError: safetensors is not installed.
    """
    library = _library()
    plain = {name: _contiguous(array) for name, array in arrays.items()}
    try:
        data = library.numpy.save(plain, metadata=metadata)
    except Exception as error:  # the library has no list of what it raises
        dtypes = sorted({str(array.dtype) for array in plain.values()})
        raise TypeError(f"safetensors does not take these arrays, of dtype {', '.join(dtypes)}: {error}") from error
    with replacing(path) as file:
        file.write(data)


def load_file(path: str | os.PathLike[str], max_bytes: int = BUDGET) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays of a file by name, and the description of the model if :func:`save_file` was given one.

    Raises:
        CheckpointError: it is damaged, too large or something else.
        OSError: it is not there, or cannot be read.
        ImportError: safetensors is not installed.
    """
    library = _library()
    with reading(path):
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = int.from_bytes(file.read(8), "little")
        if size > max_bytes:
            raise FlawError(f"it has {size:,} bytes, and max_bytes is {max_bytes:,}; give more if you trust it")
        if header > max_bytes // PER_JSON_BYTE:
            raise FlawError(f"its header has {header:,} bytes; expected at most {max_bytes // PER_JSON_BYTE:,}")
        try:
            with library.safe_open(path, framework="numpy") as tensors:
                description = (tensors.metadata() or {}).get("description", "unknown")
                return {name: tensors.get_tensor(name) for name in tensors.keys()}, description  # noqa: SIM118
        except Exception as error:  # the library has no list of what it raises
            raise FlawError(f"safetensors cannot read it: {error}") from error


def _contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """The array as the library needs it: it writes the memory as it lies, whatever the strides and byte order say."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(native).reshape(array.shape)


def _library() -> ModuleType:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('.safetensors files need safetensors: pip install "clearprop[safetensors]"') from error
    return safetensors
