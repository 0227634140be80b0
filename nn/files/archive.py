"""One file of named arrays and JSON metadata: an .npz file that ``np.load`` reads too.

Its last member, "metadata.json", holds the name and version of the format, the names of the arrays, and what the
writer has to say. There is no pickle anywhere. A file is believed only after its headers have been checked, and
nothing is allocated for what it claims to hold before that.

Source: NumPy, NEP 1, "A simple file format for NumPy arrays".
"""

from __future__ import annotations

import io
import json
import math
import os
import re
from collections.abc import Mapping
from itertools import chain
from reprlib import repr as shown
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nn.files.errors import FlawError, reading
from nn.files.replacing import replacing
from nn.files.zip_members import Content, Member, members_of, name_problem, write_members

FORMAT, VERSION = "clearprop archive", 1
METADATA = "metadata.json"
BUDGET = 1 << 30  # bytes that reading may allocate unless the caller says otherwise

# Numbers and booleans of the same size on every machine, by what a header calls them; no objects, structures, text.
_NUMBERS = ("bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
DTYPES = {
    order + np.dtype(name).str[1:] for name in _NUMBERS for order in ("|" if name in ("bool", "i1", "u1") else "<>")
}
HEADER = re.compile(
    rb"\{'descr': '([<>|][a-z]\d{1,2})', 'fortran_order': (True|False), 'shape': (\([\d, ]{0,1400}\)), \} *\n"
)

DEEPEST = 200  # levels of JSON
LONGEST_HEADER = 1 << 16
MOST_AXES = 64  # NumPy's own limit
MOST_BYTES = 2**63 - 1
LARGEST_RATIO = 200  # of what the members say they hold to the size of the file
PER_ARRAY = 2048  # bytes of the budget that each array takes beside its numbers
PER_JSON_BYTE = 64  # what a byte of JSON can take as Python objects: "[{},{},..." comes to 24
CHUNK = 1 << 16


def write_archive(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], metadata: dict[str, Any] | None = None
) -> None:
    """Write ``arrays`` and ``metadata`` to one file, whole or not at all.

    Args:
        path: the file; one that is there is replaced when the new one is complete and on the disk.
        arrays: by name. Booleans, integers, floats and complex numbers, in either byte order; their order in
            memory (C or Fortran) is kept.
        metadata: what JSON keeps exactly: dictionaries with string keys, lists, strings, whole and finite numbers.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.npz")
    >>> write_archive(path, {"primes": np.array([2, 3, 5])}, {"made by": "hand"})
    >>> read_archive(path)
    ({'primes': array([2, 3, 5])}, {'made by': 'hand'})
    >>> np.load(path)["primes"]
    array([2, 3, 5])

    Raises:
        TypeError: an array of objects, text or structures; metadata that JSON would change.
        ValueError: a name that would lead elsewhere if the file were unpacked.
        OSError: it cannot be written (the disk is full, say); the old file stands, and no other is left.
        OverflowError: more than 4 GiB or 65534 arrays.
    """
    for name, array in arrays.items():
        _check_writable(name, array)
    about = {"format": FORMAT, "version": VERSION, "arrays": list(arrays), "metadata": metadata or {}}
    try:
        text = json.dumps(about, allow_nan=False)
        same = json.loads(text) == about and _depth(about) <= DEEPEST
    except (ValueError, TypeError, RecursionError) as error:
        raise TypeError(f"metadata are what JSON can say, and these are not: {error}") from error
    if not same:
        raise TypeError("metadata are what JSON keeps: string keys, lists (no tuples), no more than 200 levels")

    members = ((f"{name}.npy", _encoded(array)) for name, array in arrays.items())  # one at a time in memory
    with replacing(path) as file:
        write_members(file, chain(members, [(METADATA, [text.encode()])]))


def read_archive(
    path: str | os.PathLike[str], *, max_bytes: int = BUDGET, plain: bool = False
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the metadata of a file, which may come from anywhere: nothing in it is run or trusted.

    Args:
        path: a file of :func:`write_archive`.
        max_bytes: how much reading it may allocate.
        plain: whether a file without metadata is taken too, such as ``np.savez`` writes; its metadata are {}.

    Raises:
        CheckpointError: it is damaged, cut off, forged, too large or something else; the message says what was
            found and what was expected.
        OSError: it is not there, or cannot be read.
    """
    if not os.path.isfile(path) and os.path.exists(path):
        raise OSError(f"{os.fspath(path)} is not a file")
    with open(path, "rb") as file, reading(path):
        return _read(file, max_bytes, plain)


class _Array(NamedTuple):
    """What the header of an array says."""

    member: Member
    header: int  # its length
    dtype: np.dtype[Any]
    fortran: bool
    shape: tuple[int, ...]


def _read(file: BinaryIO, max_bytes: int, plain: bool) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    members = members_of(file, most=max_bytes // PER_ARRAY)
    needed = sum(member.size + PER_ARRAY for member in members)
    if needed > max_bytes:
        raise FlawError(f"reading it takes {needed:,} bytes, and max_bytes is {max_bytes:,}; give more if you trust it")
    if needed > LARGEST_RATIO * os.fstat(file.fileno()).st_size + PER_ARRAY * len(members):
        raise FlawError(
            f"it is compressed to less than a {LARGEST_RATIO}th; expected what weights can be compressed to"
        )
    about, headers = None, {}
    for member in members:
        name = member.name.removesuffix(".npy")
        if name in headers or (name == METADATA and about is not None):
            raise FlawError(f"it has two members of the name {name!r}")
        if member.name == METADATA:
            about = _metadata(file, member, max_bytes)
        elif name == member.name or name == METADATA:
            raise FlawError(f"it holds {member.name!r}; expected arrays (.npy) and {METADATA}")
        else:
            headers[name] = _header(file, member)
    if about is None:
        if not plain:
            raise FlawError(f"it has no {METADATA}; np.savez writes such files, and they hold weights alone")
        about = {"metadata": {}}
    elif about["arrays"] != list(headers):
        raise FlawError("its arrays are not those that its metadata name")
    return {name: _array(file, header) for name, header in headers.items()}, about["metadata"]


def _metadata(file: BinaryIO, member: Member, max_bytes: int) -> dict[str, Any]:
    if member.size > max_bytes // PER_JSON_BYTE:
        raise FlawError(f"its metadata have {member.size:,} bytes; expected at most {max_bytes // PER_JSON_BYTE:,}")
    try:
        about = json.loads(_whole(file, member).decode(), parse_constant=_no_constant)
        depth = _depth(about)
    except (ValueError, RecursionError) as error:  # of text, of JSON, of its numbers, of its depth
        if isinstance(error, FlawError):
            raise
        raise FlawError(f"its metadata are not JSON: {str(error)[:200]}") from error
    if depth > DEEPEST:
        raise FlawError(f"its metadata are {depth} levels deep; expected at most {DEEPEST}")
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise FlawError(f"its metadata do not begin as expected, with the format {FORMAT!r}")
    if about.get("version") != VERSION:
        raise FlawError(f"it is of version {shown(about.get('version'))} of the format; this library reads {VERSION}")
    if set(about) != {"format", "version", "arrays", "metadata"} or not isinstance(about["metadata"], dict):
        raise FlawError("its metadata are not complete")
    return about


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _depth(tree: Any) -> int:
    """How many levels of lists and dictionaries there are, found without recursion."""
    depth, level = 0, [tree]
    while level := [
        part
        for thing in level
        if isinstance(thing, dict | list)
        for part in (thing.values() if isinstance(thing, dict) else thing)
    ]:
        depth += 1
    return depth


def _header(file: BinaryIO, member: Member) -> _Array:
    """What a member says it holds, in the words that NumPy writes; any others are refused, and nothing is evaluated."""
    content = Content(file, member)
    magic = content.read(min(8, member.size))
    if magic[:8] not in (b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00"):
        raise FlawError(f"{member.name} begins with {magic!r}; expected an array")
    digits = 2 * magic[6]
    length = int.from_bytes(content.read(digits), "little")
    if length > LONGEST_HEADER:
        raise FlawError(f"{member.name} has a header of {length:,} bytes; expected at most {LONGEST_HEADER:,}")
    text = content.read(length)
    match = HEADER.fullmatch(text)
    if match is None:
        raise FlawError(
            f"{member.name} has the header {text[:100]!r}; expected the dtype, order and shape of plain numbers"
        )
    descr, order, spelt = match.groups()
    if descr.decode() not in DTYPES:
        raise FlawError(
            f"{member.name} has the dtype {descr.decode()!r}; expected booleans, integers, floats or complex"
        )
    dtype = np.dtype(descr.decode())
    shape = tuple(map(int, re.findall(rb"\d{1,20}", spelt)))
    if str(shape).encode() != spelt or len(shape) > MOST_AXES:
        raise FlawError(f"{member.name} has the shape {spelt[:100]!r}; expected at most {MOST_AXES} lengths")
    if math.prod(max(n, 1) for n in shape) * dtype.itemsize > MOST_BYTES:
        raise FlawError(f"{member.name} has the shape {spelt[:100]!r}, which is too large")
    head, numbers = 8 + digits + length, math.prod(shape) * dtype.itemsize
    if head + numbers != member.size:
        raise FlawError(
            f"{member.name} has {member.size - head:,} bytes of numbers; "
            f"expected {numbers:,} for {dtype} of shape {spelt.decode()[:100]}"
        )
    return _Array(member, head, dtype, order == b"True", shape)


def _array(file: BinaryIO, header: _Array) -> NDArray[Any]:
    content = Content(file, header.member)
    content.read(header.header)
    try:
        array = np.empty(header.shape, header.dtype, order="F" if header.fortran else "C")
    except (MemoryError, ValueError) as error:
        raise FlawError(f"{header.member.name} cannot be held: {error}") from error
    flat: Any = array.reshape(-1, order="A")  # the same memory, in its own order
    _fill(memoryview(flat.view(np.uint8)), content)
    return array


def _whole(file: BinaryIO, member: Member) -> bytes:
    data = bytearray(member.size)
    _fill(memoryview(data), Content(file, member))
    return bytes(data)


def _fill(buffer: memoryview, content: Content) -> None:
    for start in range(0, len(buffer), CHUNK):
        piece = buffer[start : start + CHUNK]
        piece[:] = content.read(len(piece))
    content.close()


def _check_writable(name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or hasattr(array, "mask") or array.dtype.str not in DTYPES:
        what = f"dtype {array.dtype}" if isinstance(array, np.ndarray) else repr(array)[:100]
        raise TypeError(f"{name!r} is {what}; a file holds arrays of booleans, integers, floats or complex numbers")
    if not isinstance(name, str) or name == METADATA or name_problem(f"{name}.npy"):
        raise ValueError(f"an array has the name {name!r}, {name_problem(f'{name}.npy') or 'which is reserved'}")


def _encoded(array: NDArray[Any]) -> list[bytes]:
    """An array as the content of an .npy file. Its bytes are copied, so that no other thread can change them."""
    header = io.BytesIO()
    description = npy.header_data_from_array_1_0(array)
    npy.write_array_header_1_0(header, description)
    return [header.getvalue(), array.tobytes("F" if description["fortran_order"] else "C")]
