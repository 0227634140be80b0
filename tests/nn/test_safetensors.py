"""Weights as .safetensors: what other libraries read, from whatever memory the arrays lie in."""

import json
import os
import struct
import sys

import numpy as np
import pytest

from nn import CheckpointError, Dense, Sequential, load_weights, save_weights
from nn.files.safetensors_files import load_file, save_file
from tests.nn.faults.disk_full import Failing

safetensors = pytest.importorskip("safetensors")
from safetensors.numpy import load  # noqa: E402 — of the library, to read what was written


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


TABLE = np.arange(12.0).reshape(3, 4)
AWKWARD = {
    "transposed": TABLE.T,
    "strided": TABLE[::2, ::-1],
    "broadcast": np.broadcast_to(np.float32(1.5), (2, 3)),
    "big-endian": TABLE.astype(">f8"),
    "Fortran": np.asfortranarray(TABLE),
    "read-only": np.frombuffer(b"\x00\x00\x80?", np.float32),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3)),
    "half": np.ones(2, np.float16),
    "counts": np.arange(3),
    "flags": np.array([True, False]),
}


def test_every_layout_is_written_as_it_looks(path):
    """The library writes the memory as it lies: a transposed array would come back as its own scramble."""
    save_file(path, AWKWARD)
    for read in (load_file(path)[0], load(path.read_bytes())):
        assert read.keys() == AWKWARD.keys()
        for name, array in AWKWARD.items():
            assert read[name].shape == array.shape, name
            assert read[name].dtype == array.dtype.newbyteorder("="), name
            assert np.array_equal(read[name], array), name


def test_the_trap_is_real():
    """If this fails, the library has learnt to look at strides, and nothing else need change."""
    read = load(safetensors.numpy.save({"x": np.asfortranarray(TABLE)}))["x"]
    assert not np.array_equal(read, TABLE)


def test_weights_of_a_model(path):
    model, other = Sequential(Dense(3, 2, seed=0)), Sequential(Dense(3, 2, seed=1))
    save_weights(model, path)
    load_weights(other, path)
    for name, array in model.state_dict().items():
        assert np.array_equal(other.state_dict()[name], array)
    assert load_file(path)[1] == repr(model)
    wider = Sequential(Dense(3, 4, seed=0))
    with pytest.raises(CheckpointError) as caught:
        load_weights(wider, path)
    assert "of another shape: layers.0.weight (2, 3), here (4, 3)" in str(caught.value)
    assert repr(Dense(3, 2, seed=0)) in str(caught.value)


def test_a_failed_save_leaves_the_old_file(path):
    save_file(path, {"x": TABLE})
    before = path.read_bytes()
    with Failing(0).installed(), pytest.raises(OSError, match="stands unchanged"):
        save_file(path, {"x": TABLE + 1})
    with pytest.raises(TypeError, match="safetensors does not take these arrays, of dtype object"):
        save_file(path, {"x": np.array([None])})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_damaged_files_raise_our_error_alone(path):
    save_file(path, {"x": TABLE, "y": TABLE[0]}, {"description": "a model"})
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    header = struct.unpack("<Q", whole[:8])[0]
    refused = 0
    for number in range(400):
        damaged = bytearray(whole)
        if number % 2:
            damaged[int(rng.integers(8 + header))] ^= 1 << int(rng.integers(8))
        else:
            del damaged[int(rng.integers(len(whole))) :]
        path.write_bytes(damaged)
        try:
            load_file(path)
        except CheckpointError as error:
            refused += str(error).startswith(f"{path}: ")
    assert refused > 300


@pytest.mark.parametrize(
    "tensors",
    [
        {"x": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F64", "shape": [1], "data_offsets": [0, 2**60]}},
        {"x": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}},
        {"x": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}},
        {"x": {"dtype": "object", "shape": [1], "data_offsets": [0, 8]}},
        {"x": None},
        [],
    ],
)
def test_forged_headers_are_refused_or_read_as_numbers(path, tensors):
    header = json.dumps(tensors).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    try:
        arrays, _ = load_file(path)
    except CheckpointError:
        return
    assert arrays["x"].nbytes <= 32


def test_too_large_is_refused_before_it_is_read(path):
    save_file(path, {"x": np.zeros(1000)})
    with pytest.raises(CheckpointError, match=r"it has 8,0.. bytes, and max_bytes is 5,000; give more if you trust it"):
        load_file(path, max_bytes=5000)
    path.write_bytes(struct.pack("<Q", 2**62) + bytes(100))
    with pytest.raises(CheckpointError, match="its header has 4,611,686,018,427,387,904 bytes"):
        load_file(path)


def test_without_the_library_the_error_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    model = Sequential(Dense(1, 1, seed=0))
    for work in (save_weights, load_weights):
        with pytest.raises(ImportError, match=r'pip install "clearprop\[safetensors\]"'):
            work(model, path)
    assert not path.exists()
