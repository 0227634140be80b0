"""The file: what comes back is what went in, NumPy reads it too, and nothing else is ever believed or left behind."""

import errno
import io
import json
import os
import pickle
import random
import stat
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
import zlib

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.files.archive import DTYPES, METADATA, PER_ARRAY, PER_JSON_BYTE, read_archive, write_archive
from nn.files.errors import CheckpointError
from nn.files.replacing import replacing
from tests.nn.faults import disk_full, forging, kill
from tests.nn.faults.forging import DEFLATED, Entry, build, entries_of, header, npy
from tests.nn.faults.subjects import number_in, save, temporaries

MiB = 1 << 20


def bits(arrays):
    """All that there is to an array: dtype, byte order, shape, numbers, order in memory."""
    return {
        name: (a.dtype.str, a.shape, a.tobytes(), bool(a.flags.f_contiguous)) for name, a in arrays.items() if a.size
    } | {name: (a.dtype.str, a.shape) for name, a in arrays.items() if not a.size}


ARRAYS = hnp.arrays(st.sampled_from(sorted(DTYPES)).map(np.dtype), hnp.array_shapes(min_dims=0, min_side=0, max_dims=4))


@settings(deadline=None, max_examples=150)
@given(arrays=st.lists(ARRAYS, max_size=4), fortran=st.booleans())
def test_every_bit_comes_back_and_numpy_reads_it(tmp_path_factory, arrays, fortran):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    given = {f"layers.{i}/ä": np.asfortranarray(a) if fortran else a for i, a in enumerate(arrays)}
    write_archive(path, given, {"epoch": 3, "ö": [None, 0.1, -0.0, 2**200, "\ud800"]})
    read, metadata = read_archive(path)
    assert bits(read) == bits(given)
    assert repr(metadata) == repr({"epoch": 3, "ö": [None, 0.1, -0.0, 2**200, "\ud800"]})
    with np.load(path, allow_pickle=False) as loaded:
        assert bits({name: loaded[name] for name in given}) == bits(given)
        assert json.loads(loaded[METADATA])["metadata"]["epoch"] == 3
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_strided_arrays_are_written_as_they_look(tmp_path):
    table = np.arange(24.0).reshape(4, 6)
    views = {"T": table.T, "steps": table[::2, ::-3], "one": np.broadcast_to(1.5, (2, 3)), "axes": table.reshape(2, 3, 4).swapaxes(0, 1)}  # fmt: skip
    write_archive(tmp_path / "a.npz", views)
    read, _ = read_archive(tmp_path / "a.npz")
    assert all(np.array_equal(read[name], view) for name, view in views.items())
    assert read["T"].flags.f_contiguous


def test_the_same_state_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_archive(tmp_path / name, {"x": np.arange(5)}, {"epoch": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
def test_files_of_numpy_are_read_where_they_are_expected(tmp_path, writer):
    arrays = {"w": np.random.default_rng(0).normal(size=(300, 40)), "b": np.zeros(3, np.float32), "n": np.array(3)}
    writer(tmp_path / "a.npz", **arrays)
    assert bits(read_archive(tmp_path / "a.npz", plain=True)[0]) == bits(arrays)
    with pytest.raises(CheckpointError, match=r"a\.npz: it has no metadata\.json; np\.savez writes such files"):
        read_archive(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([object()]), "'x' is dtype object; a file holds arrays of booleans, integers, floats or complex"),
        (np.array(["a"]), "dtype <U1"),
        (np.zeros(2, [("a", float)]), "dtype"),
        (np.zeros(2, "M8[s]"), "dtype datetime64"),
        (np.zeros(2, np.longdouble), "'x' is dtype"),
        (np.ma.array([1.0], mask=[True]), "'x' is"),
        ([1.0], r"'x' is \[1.0\]"),
    ],
)
def test_what_is_not_plain_numbers_is_not_written(tmp_path, array, message):
    with pytest.raises(TypeError, match=message):
        write_archive(tmp_path / "a.npz", {"x": array})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a\\b", "C:x", "a\0", "a\n", "\ud800", "x" * 600, METADATA])
def test_names_that_lead_elsewhere_are_not_written(tmp_path, name):
    with pytest.raises(ValueError, match="an array has the name"):
        write_archive(tmp_path / "a.npz", {name: np.zeros(1)})


@pytest.mark.parametrize("metadata", [{"x": (1, 2)}, {1: 2}, {"x": float("nan")}, {"x": {1, 2}}, {"x": np.float32(1)}])
def test_metadata_that_json_would_change_are_not_written(tmp_path, metadata):
    with pytest.raises(TypeError, match="metadata are what JSON"):
        write_archive(tmp_path / "a.npz", {}, metadata)


def test_deep_metadata_are_not_written(tmp_path):
    deep, cycle = [], {}
    for _ in range(250):
        deep = [deep]
    cycle["x"] = cycle
    for metadata in ({"x": deep}, cycle):
        with pytest.raises(TypeError, match="metadata are what JSON"):
            write_archive(tmp_path / "a.npz", {}, metadata)


# ── forged files, and what is said of each ───────────────────────────────────────────────────────────
TWO = npy(header("'<f8'", "(2,)"), bytes(16))


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "a.npz"
    write_archive(path, {"w": np.arange(6.0).reshape(2, 3), "b": np.zeros(2)}, {"epoch": 1})
    return entries_of(path.read_bytes())


def changed(entries, **fields):
    return build([Entry(**(vars(entries[0]) | fields)), *entries[1:]])


def room(size, stored):
    """What NumPy puts behind a name, so that a member may become large."""
    return struct.pack("<2H2Q", 1, 16, size, stored)


def test_what_numpy_writes_with_an_older_python(tmp_path, entries):
    """Python before 3.11.4 says the sizes twice, in the room for large ones and in their usual place."""
    path = tmp_path / "a.npz"
    size = len(entries[0].content)
    path.write_bytes(changed(entries, local_extra=room(size, size), local_stored=size))
    arrays, metadata = read_archive(path)
    np.testing.assert_array_equal(arrays["w"], np.arange(6.0).reshape(2, 3))
    assert metadata == {"epoch": 1}


def deflated(content):
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
    return squeeze.compress(content) + squeeze.flush()


def with_header(text, numbers=bytes(16)):
    return lambda e: changed(e, content=npy(text, numbers))


FORGED = {
    "empty": (lambda e: b"", "the file has 0 bytes"),
    "cut": (lambda e: build(e)[:-1], "does not end as an .npz file does"),
    "text": (lambda e: b"hello " * 100, "does not end as an .npz file does"),
    "comment": (lambda e: build(e, comment=b"x"), "does not end"),
    "before": (lambda e: build(e, before=b"x"), "begins at byte 1; expected 0"),
    "between": (lambda e: build(e, between=b"x"), "bytes that belong to no member"),
    "fewer": (lambda e: build(e, count=2, here=2), "bytes that belong to no member"),
    "more": (lambda e: build(e, count=4, here=4), "its directory ends after 3 of 4 members"),
    "disks": (lambda e: build(e, disk=1), "its end record does not fit"),
    "encrypted": (lambda e: changed(e, flags=1), "w.npy is encrypted or streamed"),
    "streamed": (lambda e: changed(e, flags=8), "w.npy is encrypted or streamed"),
    "bzip2": (lambda e: changed(e, method=12), "w.npy is compressed by method 12"),
    "newer zip": (lambda e: changed(e, version=63), "its directory is damaged"),
    "extra": (lambda e: changed(e, extra=b"abcd"), "its directory is damaged"),
    "local size": (lambda e: changed(e, local_size=7), "w.npy has a header that differs from the directory"),
    "local name": (lambda e: changed(e, local_name=b"v.npy"), "header that differs"),
    "local extra": (lambda e: changed(e, local_extra=b"abcd"), "header that differs"),
    "other room": (lambda e: changed(e, local_extra=room(7, 7)), "header that differs"),
    "two sizes": (lambda e: changed(e, local_extra=room(7, 7), local_stored=len(e[0].content)), "header that differs"),
    "checksum": (lambda e: changed(e, crc=7), "w.npy is damaged: checksum"),
    "too short": (lambda e: changed(e, content=TWO, raw=deflated(TWO[:-1]), method=DEFLATED), "ends before the"),
    "too long": (lambda e: changed(e, content=TWO, raw=deflated(TWO + b"x"), method=DEFLATED), "has more than the"),
    "cut off": (lambda e: changed(e, content=TWO, raw=deflated(TWO)[:-3], method=DEFLATED), "ends before the"),
    "garbage": (lambda e: changed(e, content=TWO, raw=b"\xff" * 99, method=DEFLATED), "w.npy is damaged: Error"),
    "trailing": (lambda e: changed(e, content=TWO, raw=deflated(TWO) + b"x", method=DEFLATED), "has more than the"),
    "reaching": (
        lambda e: build([*e[:2], Entry(e[2].name, e[2].content, size=999, stored=999)]),
        "metadata.json reaches into the directory",
    ),
    "4 GiB": (lambda e: changed(e, size=2**32 - 1, stored=2**32 - 1), "w.npy has 4 GiB or more"),
    "name": (lambda e: build(e)[:-53] + b"\x90\x01" + build(e)[-51:], "the file ends inside of something"),
    "twice": (lambda e: build([e[0], e[0], e[2]]), "two members of the name 'w'"),
    "shared": (lambda e: build(e, order=[0, 0, 1, 2]), "expected 211, where the member before it ends"),
    "up": (lambda e: changed(e, name=b"../w.npy"), "'../w.npy', which leads elsewhere"),
    "root": (lambda e: changed(e, name=b"/w.npy"), "which leads elsewhere"),
    "Windows": (lambda e: changed(e, name=b"..\\w.npy"), "which leads elsewhere"),
    "control": (lambda e: changed(e, name=b"w\x1b[2J.npy"), "unprintable"),
    "not UTF-8": (lambda e: changed(e, name=b"\xff.npy", flags=0x800), "not UTF-8"),
    "not an array": (lambda e: changed(e, name=b"run.sh"), "it holds 'run.sh'; expected arrays"),
    "swapped": (lambda e: build([e[1], e[0], e[2]]), "not those that its metadata name"),
    "lost": (lambda e: build(e[1:]), "not those that its metadata name"),
    "no metadata": (lambda e: build(e[:2]), "it has no metadata.json"),
    "two metadata": (lambda e: build([*e, e[2]]), "two members of the name 'metadata.json'"),
    "pickle": (lambda e: changed(e, content=b"\x80\x04]\x94."), "begins with b'\\x80\\x04]\\x94.'; expected an array"),
    "objects": (with_header(header("'|O'", "(2,)")), "has the header"),
    "records": (with_header(header("[('a', '<f8')]", "(2,)")), "has the header"),
    "text array": (with_header(header("'<U2'", "(2,)")), "has the header"),
    "long double": (with_header(header("'<f16'", "(1,)")), "has the dtype '<f16'"),
    "code": (with_header(header("__import__('os')", "(2,)")), "has the header"),
    "nested": (with_header("(" * 9000), "has the header"),
    "negative": (with_header(header("'<f8'", "(-2,)")), "has the header"),
    "axes": (with_header(header("'<f8'", str((1,) * 65))), "at most 64 lengths"),
    "octal": (with_header(header("'<f8'", "(02,)")), "at most 64 lengths"),
    "huge": (with_header(header("'<f8'", f"({2**61 + 2},)")), "which is too large"),
    "huge and empty": (with_header(header("'<f8'", f"(0, {2**62})"), b""), "which is too large"),
    "short": (with_header(header("'<f8'", "(3,)")), "has 16 bytes of numbers; expected 24 for float64 of shape (3,)"),
    "long": (with_header(header("'<f8'", "(1,)")), "has 16 bytes of numbers; expected 8"),
    "version": (lambda e: changed(e, content=npy("", version=(3, 0))), "expected an array"),
    "long header": (lambda e: changed(e, content=npy(" " * 70_000, version=(2, 0))), "a header of 70,000 bytes"),
    "cut header": (lambda e: changed(e, content=TWO[:40]), "w.npy ends before the 40 bytes"),
    "not JSON": (lambda e: build([*e[:2], Entry(b"metadata.json", b"{")]), "its metadata are not JSON"),
    "NaN": (lambda e: build([*e[:2], Entry(b"metadata.json", b"NaN")]), "NaN is no number of JSON"),
    "digits": (lambda e: build([*e[:2], Entry(b"metadata.json", b"9" * 5000)]), "its metadata are not JSON"),
    "deep": (lambda e: build([*e[:2], Entry(b"metadata.json", b"[" * 300 + b"]" * 300)]), "299 levels deep"),
    "deeper": (lambda e: build([*e[:2], Entry(b"metadata.json", b"[" * 9999)]), "its metadata are not JSON"),
    "latin": (lambda e: build([*e[:2], Entry(b"metadata.json", b'"\xe9"')]), "its metadata are not JSON"),
    "other JSON": (lambda e: build([*e[:2], Entry(b"metadata.json", b"{}")]), "do not begin as expected"),
    "later": (
        lambda e: build([*e[:2], Entry(b"metadata.json", e[2].content.replace(b'"version": 1', b'"version": 2'))]),
        "it is of version 2 of the format; this library reads 1",
    ),
    "incomplete": (
        lambda e: build([*e[:2], Entry(b"metadata.json", e[2].content.replace(b'"metadata"', b'"more"'))]),
        "not complete",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_file_is_refused_and_the_message_says_why(tmp_path, entries, what):
    forge, message = FORGED[what]
    path = tmp_path / "forged.npz"
    path.write_bytes(forge(entries))
    with pytest.raises(CheckpointError) as caught:
        read_archive(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert isinstance(caught.value, ValueError)


def test_a_file_that_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    write_archive(tmp_path / "a.npz", {"w": np.zeros(3)})

    def none_left(*_, **__):
        raise MemoryError("unable to allocate")

    monkeypatch.setattr(np, "empty", none_left)
    with pytest.raises(CheckpointError, match=r"w\.npy cannot be held: unable to allocate"):
        read_archive(tmp_path / "a.npz")


def test_an_unchanged_rebuild_is_read(tmp_path, entries):
    """What the table above changes is the only thing wrong there."""
    for method in (0, DEFLATED):
        (tmp_path / "a.npz").write_bytes(build([Entry(e.name, e.content, method) for e in entries]))
        assert read_archive(tmp_path / "a.npz")[1] == {"epoch": 1}


def test_messages_show_no_control_characters_of_a_file(tmp_path, entries):
    text = entries[2].content.replace(b'"version": 1', b'"version": "\\u001b[2J"')
    (tmp_path / "a.npz").write_bytes(build([*entries[:2], Entry(b"metadata.json", text)]))
    with pytest.raises(CheckpointError) as caught:
        read_archive(tmp_path / "a.npz")
    assert "\x1b" not in str(caught.value)


# ── memory ───────────────────────────────────────────────────────────────────────────────────────────
def peak_of_reading(path, budget, **options):
    tracemalloc.start()
    try:
        read_archive(path, max_bytes=budget, **options)
    except CheckpointError as error:
        return tracemalloc.get_traced_memory()[1], str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, ""


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_may_fill_the_budget_and_no_more(tmp_path, compressed):
    budget, path = 4 * MiB, tmp_path / "a.npz"
    numbers = np.random.default_rng(0).integers(0, 255, budget - 2 * PER_ARRAY - 128 - 200, np.uint8)
    write_archive(path, {"w": numbers}, {})
    if compressed:
        path.write_bytes(build([Entry(e.name, e.content, DEFLATED) for e in entries_of(path.read_bytes())]))
    peak, problem = peak_of_reading(path, budget)
    assert problem == ""
    assert budget / 2 < peak < 1.1 * budget
    _, problem = peak_of_reading(path, budget - 512)
    assert "reading it takes 4,194," in problem
    assert "give more if you trust it" in problem


JSON_THAT_GROWS = [
    "{}",
    "[]",
    "[[]]",
    "[0]",
    '"ab"',
    "0.5",
    '{"a":{}}',
    "1" * 30,
    '[["a"]]',
    '{"":0}',
    '"\\u1234"',
    "[1e9]",
]


@pytest.mark.parametrize("item", JSON_THAT_GROWS)
def test_json_stays_within_the_budget_as_objects_too(tmp_path, item):
    budget, path = 4 * MiB, tmp_path / "a.npz"
    write_archive(path, {}, {"x": []})
    (about,) = entries_of(path.read_bytes())
    room = budget // PER_JSON_BYTE - len(about.content)
    items = f"[{','.join([item] * (room // (len(item) + 1)))}]"
    path.write_bytes(build([Entry(about.name, about.content.replace(b'"x": []', f'"x": {items}'.encode()))]))
    peak, problem = peak_of_reading(path, budget)
    assert problem == ""
    assert peak < budget
    assert "its metadata have" in peak_of_reading(path, budget - 6400)[1]


def test_many_members_stay_within_the_budget(tmp_path):
    budget, path = 2 * MiB, tmp_path / "a.npz"
    count = budget // (PER_ARRAY + 128) - 1
    empty = npy(header("'<f8'", "(0,)"))
    names = [f"{i:04}".encode() + "𝛁".encode() * 120 + b".npy" for i in range(count)]
    path.write_bytes(build([Entry(name, empty, flags=0x800) for name in names]))
    peak, problem = peak_of_reading(path, budget, plain=True)
    assert problem == ""
    assert peak < 1.5 * budget
    assert "arrays; expected at most" in peak_of_reading(path, budget // 3, plain=True)[1]


def test_a_bomb_costs_nothing(tmp_path):
    zeros = npy(header("'|u1'", f"({50 * MiB},)")) + bytes(50 * MiB)
    bomb = build([Entry(b"w.npy", zeros, DEFLATED)])
    says_little = build([Entry(b"w.npy", zeros[:-50] + bytes(50), DEFLATED, size=len(zeros) - 50 * MiB + 10)])
    for data, budget, message in (
        (bomb, 10 * MiB, "give more if you trust it"),
        (bomb, 1 << 30, "compressed to less than a 200th"),
        (says_little.replace(f"({50 * MiB},)".encode(), b"(10,)"), 1 << 30, "w.npy has"),
    ):
        (tmp_path / "bomb.npz").write_bytes(data)
        peak, problem = peak_of_reading(tmp_path / "bomb.npz", budget, plain=True)
        assert message in problem
        assert peak < MiB


# ── replacing ────────────────────────────────────────────────────────────────────────────────────────
def test_the_temporaries_of_the_dead_go_and_those_of_the_living_stay(tmp_path):
    path = tmp_path / "model.npz"
    stale = tmp_path / ".model.npz.0123456789abcdef.tmp"
    others = [
        ".other.npz.0123456789abcdef.tmp",
        ".model.npz.tmp",
        "model.npz.0123456789abcdef.tmp",
        ".model.npz.0123.tmp",
    ]
    for name in [stale.name, *others]:
        (tmp_path / name).write_bytes(b"half")
    with replacing(path) as file:
        (living,) = [name for name in temporaries(tmp_path) if name not in others]
        save(path, 1)
        assert living in temporaries(tmp_path)  # a second save left the first one's alone
        file.write(b"last")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "model.npz"])
    assert path.read_bytes() == b"last"


def test_many_writers_and_readers_at_once(tmp_path):
    path, failures, done = tmp_path / "model.npz", [], threading.Event()
    save(path, 1)

    def guarded(work):
        try:
            work()
        except BaseException as error:
            failures.append(error)

    def write(first):
        for i in range(25):
            save(path, first + i, size=random.Random(first + i).choice([10, 3000]))

    def read():
        while not done.is_set():
            number_in(path)

    writers = [threading.Thread(target=guarded, args=(lambda k=k: write(100 * k),)) for k in (1, 2, 3)]
    reader = threading.Thread(target=guarded, args=(read,))
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert failures == []
    assert os.listdir(tmp_path) == ["model.npz"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_an_interrupted_save_changes_nothing(tmp_path, error):
    path = tmp_path / "note"
    path.write_bytes(b"old")

    def interrupted():
        with replacing(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert os.listdir(tmp_path) == ["note"]
    assert path.read_bytes() == b"old"


def test_what_is_no_file_is_neither_replaced_nor_read(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", os.devnull):
        with pytest.raises(OSError, match="is not a file"):
            write_archive(path, {})
        with pytest.raises(OSError, match="is not a file"):
            read_archive(path)
    with pytest.raises(FileNotFoundError, match=r"cannot write .*missing.*: No such file or directory"):
        write_archive(tmp_path / "missing" / "a.npz", {})
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "a.npz")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode) or os.name == "nt"


@pytest.mark.skipif(os.name == "nt", reason="links and permissions of POSIX")
def test_links_and_permissions_are_kept(tmp_path, monkeypatch):
    path, link = tmp_path / "model.npz", tmp_path / "latest.npz"
    save(path, 1)
    path.chmod(0o600)
    link.symlink_to(path)
    save(link, 2)
    assert link.is_symlink()
    assert number_in(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)  # to the superuser, nothing is read-only
    with pytest.raises(PermissionError, match="marked read-only; the file that was there stands unchanged"):
        save(path, 3)


def test_a_system_without_locks(tmp_path, monkeypatch):
    """As on Windows, where an open file cannot be removed, and needs no lock."""
    monkeypatch.setattr("nn.files.replacing.fcntl", None)
    (tmp_path / ".model.npz.0123456789abcdef.tmp").write_bytes(b"half")
    for number in (1, 2):
        save(tmp_path / "model.npz", number)
        assert number_in(tmp_path / "model.npz") == number
    with disk_full.Failing(3).installed(), pytest.raises(OSError, match="No space left"):
        save(tmp_path / "model.npz", 3)
    assert os.listdir(tmp_path) == ["model.npz"]
    assert number_in(tmp_path / "model.npz") == 2


def test_too_much_for_the_format_is_refused_before_the_old_file_goes(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    write_archive(path, {"x": np.zeros(3)})
    monkeypatch.setattr("nn.files.zip_members.MOST", 3000)
    with pytest.raises(OverflowError, match="at most 4 GiB"):
        write_archive(path, {"x": np.zeros(1000)})
    assert os.listdir(tmp_path) == ["a.npz"]
    assert read_archive(path)[0]["x"].shape == (3,)


# ── samples of the fault runs: see tests/nn/faults ───────────────────────────────────────────────────
def test_each_failing_step_of_a_save_leaves_the_old_file(tmp_path):
    failures, saves, problems = disk_full.injected(tmp_path)
    assert problems == []
    assert saves - failures == 2  # the folder's fsync, after the rename, with and without an old file
    assert failures > 50


def test_the_error_of_a_full_disk_says_what_stands(tmp_path):
    path = tmp_path / "model.npz"
    save(path, 1)
    with disk_full.Failing(3).installed(), pytest.raises(OSError, match="No space left") as caught:
        save(path, 2)
    assert caught.value.errno == errno.ENOSPC
    assert f"cannot write {path}" in str(caught.value)
    assert "the file that was there stands unchanged" in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_real_limits_of_the_file_size_leave_the_old_file(tmp_path):
    command = [*disk_full.COMMAND, "--limited", str(tmp_path), "--step", "101"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 problems" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_process_leaves_a_file_that_is_whole(tmp_path):
    rng, number = random.Random(1), 0
    for _ in range(3):
        number, _, problems = kill.one_run(tmp_path / "model.npz", rng, number + 1)
        assert problems == []


def test_mutated_files_do_nothing_but_raise():
    command = [sys.executable, "-m", "tests.nn.faults.mutate", "--files", "300", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 problems" in done.stdout


def test_the_pickles_of_the_forgeries_are_live(tmp_path):
    """NumPy, when it is allowed to, does run the code in them: that ours does not is worth something."""
    marker = tmp_path / "code-ran"
    pickled = pickle.dumps(np.array([forging.Touch(os.fspath(marker))], dtype=object))
    loaded = np.load(io.BytesIO(npy(header("'|O'", "(1,)"), pickled)), allow_pickle=True)
    loaded[0].close()
    assert marker.exists()
