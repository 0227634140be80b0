"""Files that are not what they seem: damaged bytes, and zip files, arrays and metadata that lie consistently."""

from __future__ import annotations

import copy
import json
import pickle
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np

from nn.files.archive import FORMAT
from nn.files.zip_members import CENTRAL, END, LARGE, LOCAL

STORED, DEFLATED = 0, 8


@dataclass
class Entry:
    """A member of a zip file, with everything that can be a lie. None: the truth."""

    name: bytes
    content: bytes
    method: int = STORED
    flags: int = 0
    crc: int | None = None
    size: int | None = None
    stored: int | None = None
    offset: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    local_stored: int | None = None
    local_crc: int | None = None
    local_flags: int | None = None
    local_extra: bytes = b""
    extra: bytes = b""
    comment: bytes = b""
    version: int = 20
    raw: bytes | None = None  # the bytes in the file, in the place of the compressed content
    in_directory: bool = True


def entries_of(data: bytes) -> list[Entry]:
    """The members of a well-formed zip file."""
    archive = zipfile.ZipFile(BytesIO(data))
    return [Entry(info.filename.encode(), archive.read(info), info.compress_type) for info in archive.infolist()]


def build(entries, *, before=b"", between=b"", comment=b"", order=None, **end) -> bytes:
    """A zip file of these entries; ``end`` replaces fields of its end record."""
    body, directory = bytearray(before), []
    for entry in entries:
        raw = entry.raw
        if raw is None:
            squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
            deflated = entry.method == DEFLATED
            raw = squeeze.compress(entry.content) + squeeze.flush() if deflated else entry.content
        true = {"crc": zlib.crc32(entry.content), "size": len(entry.content), "stored": len(raw), "offset": len(body)}
        said = {key: value if getattr(entry, key) is None else getattr(entry, key) for key, value in true.items()}
        said = {key: value & 0xFFFFFFFF for key, value in said.items()}
        local_name = entry.name if entry.local_name is None else entry.local_name
        local_size = said["size"] if entry.local_size is None else entry.local_size
        local_crc = said["crc"] if entry.local_crc is None else entry.local_crc
        local_flags = entry.flags if entry.local_flags is None else entry.local_flags
        local_stored = 0xFFFFFFFF if entry.local_extra else said["stored"]
        local_stored = local_stored if entry.local_stored is None else entry.local_stored
        body += LOCAL.pack(
            b"PK\x03\x04", entry.version, local_flags, entry.method, 0, 33, local_crc, local_stored, local_size,
            len(local_name), len(entry.local_extra),
        )  # fmt: skip
        body += local_name + entry.local_extra + raw
        if entry.in_directory:
            central = CENTRAL.pack(
                b"PK\x01\x02", 20, entry.version, entry.flags, entry.method, 0, 33, said["crc"], said["stored"],
                said["size"], len(entry.name), len(entry.extra), len(entry.comment), 0, 0, 0, said["offset"],
            )  # fmt: skip
            directory.append(central + entry.name + entry.extra + entry.comment)
    body += between
    if order:
        directory = [directory[i] for i in order]
    listed = b"".join(directory)
    fields = {
        "disk": 0,
        "here": len(directory),
        "count": len(directory),
        "size": len(listed),
        "offset": len(body),
    } | end
    body += listed + END.pack(
        b"PK\x05\x06", fields["disk"], 0, fields["here"] & 0xFFFF, fields["count"] & 0xFFFF,
        fields["size"] & 0xFFFFFFFF, fields["offset"] & 0xFFFFFFFF, len(comment),
    )  # fmt: skip
    return bytes(body + comment)


def npy(text: str | bytes, numbers: bytes = b"", version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    """An .npy file with this header, whatever it says."""
    encoded = text.encode() if isinstance(text, str) else text
    said = len(encoded) if length is None else length
    size = struct.pack("<H", said & 0xFFFF) if version == (1, 0) else struct.pack("<I", said & 0xFFFFFFFF)
    return b"\x93NUMPY" + bytes(version) + size + encoded + numbers


def header(descr: str, shape: str, order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


class Touch:
    """Unpickling it writes a file: code that must not run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


# ── damage to the bytes: each takes (data, rng, other data) ──────────────────────────────────────────
def _somewhere(data, rng):
    return int(rng.integers(len(data) + 1))


def flip_bits(data, rng, _):
    damaged = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 9)):
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def set_bytes(data, rng, _):
    damaged = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 5)):
        damaged[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))]))
    return bytes(damaged)


def flip_in_headers(data, rng, _):
    """Bits of the zip headers alone, where most bytes mean something."""
    places = [i for sign in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x93NUMPY") for i in _all(data, sign)]
    place = min(int(rng.choice(places)) + int(rng.integers(46)), len(data) - 1)
    return data[:place] + bytes([data[place] ^ 1 << int(rng.integers(8))]) + data[place + 1 :]


def _all(data, sign):
    places, at = [], data.find(sign)
    while at >= 0:
        places.append(at)
        at = data.find(sign, at + 1)
    return places


def truncate(data, rng, _):
    return data[: int(rng.integers(len(data)))]


def cut_front(data, rng, _):
    return data[int(rng.integers(1, len(data))) :]


def insert(data, rng, _):
    at = _somewhere(data, rng)
    return data[:at] + rng.bytes(int(rng.integers(1, 100))) + data[at:]


def delete(data, rng, _):
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + int(rng.integers(1, 100)) :]


def repeat(data, rng, _):
    start, end = sorted(rng.integers(len(data) + 1, size=2))
    at = _somewhere(data, rng)
    return data[:at] + data[start:end] + data[at:]


def zero(data, rng, _):
    start = int(rng.integers(len(data)))
    end = min(len(data), start + int(rng.integers(1, 200)))
    return data[:start] + bytes(end - start) + data[end:]


def splice(data, rng, other):
    """The front of one file and the rear of another."""
    return data[: _somewhere(data, rng)] + other[_somewhere(other, rng) :]


def patch(data, rng, other):
    """A piece of another file over this one."""
    start = _somewhere(other, rng)
    piece = other[start : start + int(rng.integers(1, 200))]
    at = _somewhere(data, rng)
    return data[:at] + piece + data[at + len(piece) :]


DAMAGE = [flip_bits, set_bytes, flip_in_headers, truncate, cut_front, insert, delete, repeat, zero, splice, patch]


# ── forgery: consistent zip files around lies; each takes (entries, rng, marker path) ────────────────
def _one(entries, rng, change, metadata=True):
    """All entries, one of them changed."""
    count = len(entries) if metadata else len(entries) - 1
    k = int(rng.integers(count))
    return [change(entry) if i == k else entry for i, entry in enumerate(entries)]


def lie_in_headers(entries, rng, _):
    """One field of one entry, in the directory, in the header beside the content, or in both."""
    field = str(rng.choice(["crc", "size", "stored", "offset", "local_size", "local_crc", "local_name", "flags", "local_flags", "method", "version", "extra", "comment", "local_extra"]))  # fmt: skip

    def change(entry):
        size = len(entry.content)
        number = int(rng.choice([0, 1, size - 1, size + 1, 2 * size, 2**31 - 1, 2**31, 2**32 - 1]))
        large = LARGE.pack(1, 16, number, int(rng.choice([size, number])))
        value = {
            "local_name": bytes(rng.permutation(list(entry.name)).astype(np.uint8)),
            "flags": 1 << int(rng.integers(16)),
            "local_flags": 1 << int(rng.integers(16)),
            "method": int(rng.choice([1, 8, 9, 12, 14, 93, 95, 99])),
            "version": int(rng.choice([0, 10, 46, 63, 64, 0xFFFF])),
            "extra": bytes(rng.choice([large, b"\x01\x00\x04\x00abcd", b"\x01\x00\xff\xff", b"x"])),
            "local_extra": bytes(rng.choice([large, LARGE.pack(1, 16, size, size), b"\x01\x00\xff\xff", b"x"])),
            "comment": b"hello",
        }.get(field, number)
        lied = replace(entry, **{field: value})
        return replace(lied, local_size=0xFFFFFFFF) if field == "local_extra" else lied

    return build(_one(entries, rng, change))


def lie_at_end(entries, rng, _):
    field = str(rng.choice(["disk", "here", "count", "size", "offset"]))
    number = int(rng.choice([0, 1, len(entries) - 1, len(entries) + 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]))
    fields = {field: number & 0xFFFF if field in ("disk", "here", "count") else number}
    if field in ("here", "count") and rng.random() < 0.5:
        fields = {"here": number & 0xFFFF, "count": number & 0xFFFF}
    return build(entries, **fields)


def move_members(entries, rng, _):
    """Members in another order, twice, missing, hidden, or with the content of another."""
    what = rng.integers(8)
    k, other = (int(i) for i in rng.integers(len(entries), size=2))
    shuffled = [entries[i] for i in rng.permutation(len(entries))]
    if what == 0:
        return build(shuffled)
    if what == 1:
        return build(entries, order=[int(i) for i in rng.permutation(len(entries))])
    if what == 2:
        return build([*entries[:k], entries[other], *entries[k:]])
    if what == 3:
        return build(entries[:k] + entries[k + 1 :])
    if what == 4:
        return build(_one(entries, rng, lambda entry: replace(entry, in_directory=False)))
    if what == 5:
        return build([replace(e, content=entries[other].content) if i == k else e for i, e in enumerate(entries)])
    if what == 6:  # two entries of the directory that share the same bytes
        return build(entries, order=[*range(len(entries)), k])
    return build(entries, before=rng.bytes(5), between=rng.bytes(int(rng.integers(6))), comment=rng.bytes(5))


NAMES = [b"../up.npy", b"/root.npy", b"C:\\x.npy", b"a\\b.npy", b"a\0b.npy", b"", b".npy", b"a//b.npy", b"a/./b.npy",
         b"x.exe", b"metadata.json", b"metadata.json.npy", b"\xff\xfe.npy", b"a" * 5000 + b".npy", b"caf\xc3\xa9.npy",
         b"a\x1b[2J.npy", b"weights/scale.npy"]  # fmt: skip


def rename_member(entries, rng, _):
    name = NAMES[int(rng.integers(len(NAMES)))]
    change = lambda entry: replace(entry, name=name, flags=0x800 if rng.random() < 0.5 else 0)
    return build(_one(entries, rng, change))


def bombs(entries, rng, _):
    """Little that becomes much, or says so."""
    what = rng.integers(7)
    count = int(rng.choice([100_000, 450_000, 1_000_000, 8_000_000]))
    head = npy(header("'|u1'", f"({count},)"))
    if what == 0:  # honest, but large
        bomb = Entry(b"weights/bomb.npy", head + bytes(count), DEFLATED)
    elif what == 1:  # says it is small
        bomb = Entry(b"weights/bomb.npy", npy(header("'|u1'", "(10,)")) + bytes(count), DEFLATED, size=len(head) + 10)
    elif what == 2:  # says it is large, and is small
        bomb = Entry(b"weights/bomb.npy", head + bytes(10), DEFLATED, size=len(head) + count)
    elif what == 3:  # many of a middling size
        many = [Entry(b"weights/%d.npy" % i, npy(header("'|u1'", "(90000,)")) + bytes(90_000), DEFLATED) for i in range(count // 90_000)]  # fmt: skip
        return build([*many, *entries])
    elif what == 4:  # many empty ones
        many = [Entry(b"%d.npy" % i, npy(header("'<f8'", "(0,)"))) for i in range(count // 1000)]
        return build([*many, *entries])
    elif what == 5:  # honest, large and not compressed
        bomb = Entry(b"weights/bomb.npy", head + bytes(count))
    else:
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        raw = squeeze.compress(head + bytes(count)) + squeeze.flush() + rng.bytes(20)
        bomb = Entry(b"weights/bomb.npy", head + bytes(count), DEFLATED, raw=raw)
    place = int(rng.integers(len(entries)))
    return build([*entries[:place], bomb, *entries[place:]])


def forge_arrays(entries, rng, marker):
    """A header of an array that NumPy would take, half take, or choke on."""
    pickled = pickle.dumps(np.array([Touch(marker)], dtype=object))
    call = f"__import__('builtins').open({marker!r}, 'w')"
    forged = [
        npy(header("'|O'", "(1,)"), pickled),
        npy(header("'|O'", "()"), pickle.dumps(Touch(marker))),
        pickle.dumps(Touch(marker)),
        npy(header("[('a', '<f8'), ('b', '|O')]", "(1,)"), bytes(16)),
        npy(header("'<U4'", "(2,)"), bytes(32)),
        npy(header("'|S4'", "(2,)"), bytes(8)),
        npy(header("'|V8'", "(2,)"), bytes(16)),
        npy(header("'<M8[s]'", "(2,)"), bytes(16)),
        npy(header("'<f16'", "(2,)"), bytes(32)),
        npy(header("'<f3'", "(2,)"), bytes(6)),
        npy(header("'float64'", "(2,)"), bytes(16)),
        npy(header("'=f8'", "(2,)"), bytes(16)),
        npy(header("'|f8'", "(2,)"), bytes(16)),
        npy(header("'>f8'", "(2,)"), bytes(16)),
        npy(header("'<f8'", "(2,)"), bytes(15)),
        npy(header("'<f8'", "(2,)"), bytes(17)),
        npy(header("'<f8'", "(-2,)"), bytes(16)),
        npy(header("'<f8'", "(-1, -2)"), bytes(16)),
        npy(header("'<f8'", "(2.0,)"), bytes(16)),
        npy(header("'<f8'", "(True, 2)"), bytes(16)),
        npy(header("'<f8'", "2"), bytes(16)),
        npy(header("'<f8'", "[2]"), bytes(16)),
        npy(header("'<f8'", "(02,)"), bytes(16)),
        npy(header("'<f8'", "(2L,)"), bytes(16)),
        npy(header("'<f8'", "(٢,)"), bytes(16)),
        npy(header("'<f8'", f"({2**61 + 2},)"), bytes(16)),
        npy(header("'<f8'", f"({2**32}, {2**32})"), b""),
        npy(header("'<f8'", f"(0, {2**62}, {2**62})"), b""),
        npy(header("'<f8'", f"(0, {10**30})"), b""),
        npy(header("'<f8'", f"({2**63}, 0)"), b""),
        npy(header("'<f8'", "(1000000000, 0, 1000000000)"), b""),
        npy(header("'<f8'", "(" + "1, " * 65 + ")"), bytes(8)),
        npy(header("'<f8'", "(" + ", ".join("1" * 64) + ")"), bytes(8)),
        npy(header("'<f8'", "(" + "9" * 5000 + ",)"), bytes(8)),
        npy(header("'<f8'", "(" * 5000 + ")" * 5000), bytes(8)),
        npy(header("'<f8'", "(2,)", order="1"), bytes(16)),
        npy(header("'<f8'", "(2,)", order="True"), bytes(16)),
        npy(header("'<f8'", "(2,)", order=call), bytes(16)),
        npy(header(call, "(2,)"), bytes(16)),
        npy("(" * 60_000, bytes(16)),
        npy("-" * 60_000 + "1", bytes(16)),
        npy("[" + "1," * 30_000 + "]", bytes(16)),
        npy("{'a':" * 5000, bytes(16)),
        npy("{'shape': (2,), 'fortran_order': False, 'descr': '<f8'}\n", bytes(16)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'more': 1, }\n", bytes(16)),
        npy(header("'<f8'", "(2,)") + "x" * 20, bytes(16)),
        npy(header("'<f8'", "(2,)"), bytes(16), version=(2, 0)),
        npy(header("'<f8'", "(2,)"), bytes(16), version=(3, 0)),
        npy(header("'<f8'", "(2,)"), bytes(16), version=(0, 0)),
        npy(header("'<f8'", "(2,)"), bytes(16), version=(2, 0), length=2**32 - 1),
        npy(header("'<f8'", "(2,)"), bytes(16), length=0xFFFF),
        npy(header("'<f8'", "(2,)"), bytes(16), length=3),
        npy(header("'<f8'", "(2,)") + " " * 70_000, bytes(16), version=(2, 0)),
        npy(b"\xff" * 100, bytes(16)),
        npy(header("'|b1'", "(3,)"), b"\x00\x01\x7f"),
        b"\x93NUMPY", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x01\x00\x10", b"", b"PK\x05\x06" + bytes(18),
    ]  # fmt: skip
    content = forged[int(rng.integers(len(forged)))]
    method = int(rng.choice([STORED, DEFLATED]))
    return build(_one(entries, rng, lambda entry: replace(entry, content=content, method=method), metadata=False))


VALUES = [None, True, 0, -1, 7, 1.5, -0.0, 1e300, 2**127, -(2**200), "", "x", "weights/scale", [], {}, [[]], {"$array": "weights/scale"},
          {"$array": "nowhere"}, {"$array": 3}, {"$scalar": "weights/layers.0.weight"}, {"$float": "7ff0000000000000"}, {"$float": "x"},
          {"$float": 1.0}, {"$tuple": [1, 2]}, {"$tuple": 3}, {"$items": [[1, 2]]}, {"$items": [[[], 2]]}, {"$items": [[1]]}, {"$new": 1},
          {"$array": "weights/scale", "b": 1}, {"a": 1, "$array": "weights/scale"}]  # fmt: skip


def _value(rng):
    return copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])


def forge_metadata(entries, rng, _):
    """Some place of the metadata holds something else."""
    about = json.loads(entries[-1].content)
    for _ in range(int(rng.integers(1, 3))):
        tree = about if rng.random() < 0.2 else about["metadata"]
        while isinstance(tree, dict | list) and tree:
            keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
            key = keys[int(rng.integers(len(keys)))]
            if rng.random() < 0.25 or not isinstance(tree[key], dict | list) or not tree[key]:
                what = rng.integers(4)
                if what == 0:
                    del tree[key]
                elif what == 1 and isinstance(tree, dict):
                    tree[str(_value(rng))] = tree.pop(key)
                else:
                    tree[key] = _value(rng)
                break
            tree = tree[key]
        if not isinstance(about.get("metadata"), dict):
            break
    return build([*entries[:-1], replace(entries[-1], content=json.dumps(about).encode())])


def forge_json(entries, rng, _):
    """Metadata that are no JSON, or too much of it."""
    whole = entries[-1].content
    wrapped = lambda text: (
        json.dumps(
            {
                "format": FORMAT,
                "version": 1,
                "arrays": [e.name.decode()[:-4] for e in entries[:-1]],
                "metadata": {"x": 0},
            }
        )
        .replace('"x": 0', '"x": ' + text)
        .encode()
    )
    forged = [
        b"", b"null", b"[]", b"{}", b"7", b'"', whole[:-1], whole + b"}", whole + b"\0", b"\xef\xbb\xbf" + whole,
        whole.decode().encode("utf-16"), whole.decode().encode("utf-32"), whole[:50] + b"\xff" + whole[50:],
        wrapped("[" * 900 + "]" * 900), wrapped("[" * 3000 + "]" * 3000), wrapped("[" * 3000), wrapped('{"a":' * 1500),
        wrapped("[" * 300 + "]" * 300), wrapped("NaN"), wrapped("-Infinity"), wrapped("1e999"), wrapped("9" * 4000),
        wrapped("9" * 5000), wrapped("-" + "9" * 100_000), wrapped('"' + "a" * 200_000 + '"'), wrapped("[" + "{}," * 2500 + "{}]"),
        wrapped("[" + "[[]]," * 1500 + "0]"), wrapped("[" + "{}," * 100_000 + "{}]"), wrapped('"\\ud800"'), wrapped('"\\u0000"'),
        whole.replace(b'"version": 1', b'"version": 2'), whole.replace(b'"version": 1', b'"version": true'),
        whole.replace(b'"checkpoint_version": 1', b'"checkpoint_version": 99'), whole.replace(b'"checkpoint"', b'"weights"'),
        whole.replace(b'"format"', b'"Format"'),
    ]  # fmt: skip
    return build([*entries[:-1], replace(entries[-1], content=forged[int(rng.integers(len(forged)))])])


def forge_generators(entries, rng, _):
    """The state of a random generator that its C code would follow anywhere."""
    about = json.loads(entries[-1].content)
    try:
        state = about["metadata"]["state"]["generators"]["dropout.rng"]
    except KeyError:  # a file of weights has none
        return build(entries)
    number = int(rng.choice([-1, 2, 625, 2**31, 2**63 - 1])) * 2 ** int(rng.choice([0, 64, 128]))
    changes = [
        {"has_uint32": number},
        {"uinteger": number},
        {"state": {"state": number, "inc": 1}},
        {"state": {"state": 1, "inc": number}},
        {"state": number},
        {"bit_generator": "MT19937"},
        {"bit_generator": "MT19937", "state": {"key": [0] * 624, "pos": number}},
        {"bit_generator": "__import__"},
        {"bit_generator": number},
        {"pos": number},
    ]
    state |= changes[int(rng.integers(len(changes)))]
    return build([*entries[:-1], replace(entries[-1], content=json.dumps(about).encode())])


FORGERIES = [lie_in_headers, lie_at_end, move_members, rename_member, bombs, forge_arrays, forge_metadata, forge_json, forge_generators]  # fmt: skip
