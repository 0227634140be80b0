"""Checkpoints: all state comes back bit by bit, or nothing changes and the message says what does not fit."""

import copy
import json
import re
import struct
from fractions import Fraction

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Tensor, Value
from nn import (
    SGD,
    CheckpointError,
    Dense,
    Module,
    Network,
    Normalizer,
    Sequential,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from nn.files.archive import DTYPES, read_archive, write_archive
from nn.files.generator_states import generator_state, restore_generator
from nn.files.state_trees import DEEPEST, pack, unpack
from tests.nn.faults.subjects import Model, Optimizer, exact, small


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


# ── trees ────────────────────────────────────────────────────────────────────────────────────────────
def spelt(tree):
    """A tree as text in which every bit and every type shows."""
    if isinstance(tree, np.ndarray | np.generic):
        return f"{type(tree).__name__} {tree.dtype.str} {tree.shape} {tree.tobytes().hex()}"
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {spelt(item)}" for key, item in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return f"{type(tree).__name__}[{', '.join(map(spelt, tree))}]"
    return f"{type(tree).__name__} {struct.pack('>d', tree).hex() if type(tree) is float else repr(tree)}"


DTYPE = st.sampled_from(sorted(DTYPES)).map(np.dtype)
ARRAYS = hnp.arrays(DTYPE | hnp.unicode_string_dtypes(max_len=5), hnp.array_shapes(min_dims=0, min_side=0, max_dims=3))
SCALARS = DTYPE.flatmap(lambda dtype: hnp.arrays(dtype, ())).map(lambda array: array[()])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | ARRAYS | SCALARS
KEYS = st.text(max_size=5) | st.integers() | st.sampled_from(["$array", "$tuple", "", "..", "a/b", "weight"])
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(tree=TREES)
def test_every_bit_of_every_tree_comes_back(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "tree.npz"
    packed, arrays = pack(tree)
    write_archive(path, arrays, {"tree": packed})
    arrays, metadata = read_archive(path)
    assert spelt(unpack(metadata["tree"], arrays)) == spelt(tree)


def test_numbers_that_json_does_not_know():
    nan = struct.unpack(">d", bytes.fromhex("fff8000000000123"))[0]  # with a sign and a payload
    tree = [nan, float("inf"), -float("inf"), -0.0, 5e-324, 1e308, 2**128 - 1, -(2**200), True, 1, 1.0]
    packed, _ = pack(tree)
    assert spelt(unpack(json.loads(json.dumps(packed)), {})) == spelt(tree)


def test_a_tree_may_be_deep_but_not_endless(path):
    deep, endless = 1.5, []
    for level in range(DEEPEST):
        deep = {level: deep}
    packed, arrays = pack(deep)
    write_archive(path, arrays, {"tree": packed})
    assert unpack(read_archive(path)[1]["tree"], {}) == deep
    endless.append(endless)
    for tree in ([deep], endless):
        with pytest.raises(ValueError, match="at most 60 levels deep"):
            pack(tree)


def test_names_of_arrays_are_their_paths_and_never_two_alike():
    zero = np.zeros(1)
    _, arrays = pack({"w": {0: zero, "0": zero, "a/b": zero, "a_b": zero, "..": zero}, "é": [zero], "x" * 500: zero})
    assert list(arrays) == ["w/0", "w/0~2", "w/a_b", "w/a_b~2", "w/_", "é/0", "x" * 120]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": [1, {2}]}, "the state['a'][1] is {2} (set), which a checkpoint cannot hold"),
        ({"a": Fraction(1, 3)}, "the state['a'] is Fraction(1, 3) (Fraction)"),
        ({"a": {1.5: 0}}, "the state['a'] has the key 1.5; expected strings or whole numbers"),
        ({"a": {True: 0}}, "has the key True"),
        ({"a": Value(1.0)}, "which a checkpoint cannot hold"),
        ({"a": 1j}, "(complex)"),
        ({"a": np.str_("x")}, "(str_)"),
    ],
)
def test_what_a_checkpoint_cannot_hold_is_named(tree, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        pack(tree)


@pytest.mark.parametrize(
    "tree",
    [
        {"$array": "nowhere"},
        {"$array": 3},
        {"$scalar": "vector"},
        {"$text": "vector"},
        {"$float": "0"},
        {"$float": "zzzzzzzzzzzzzzzz"},
        {"$tuple": 3},
        {"$items": [[1]]},
        {"$items": [[[], 1]]},
        {"$pickle": "x"},
        [{"$array": "vector"}, {"$array": "vector"}],
        {},
    ],
)
def test_forged_trees_are_refused(tree):
    with pytest.raises(ValueError, match=r"which means nothing|nothing refers to the array 'vector'"):
        unpack(tree, {"vector": np.zeros(3)})


def test_forged_text_is_refused():
    for points in (np.array([0x110000], np.uint32), np.zeros((2, 0), np.uint32), np.array(7, np.uint32)):
        with pytest.raises(ValueError, match="means nothing"):
            unpack({"$text": "points"}, {"points": points})


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────────────
class Noisy(Module):
    """A weight, a buffer, and a generator that draws."""

    def __init__(self, seed=0, kind=np.random.PCG64):
        self.weight = Tensor(np.random.default_rng(seed).normal(size=(2, 3)))
        self.running = Tensor(np.zeros(3, np.float32), requires_grad=False)
        self.rng = np.random.Generator(kind(seed))

    def forward(self, x):
        return self.weight * self.rng.normal(size=(2, 3)) + x


def test_everything_comes_back(path):
    model, optimizer = small()
    model.rng.random(17)
    progress = {
        "epoch": 3,
        "batch": 11,
        "history": {"loss": [0.5, float("nan")]},
        "order": np.arange(5),
        "seeds": (1, 2),
    }
    save_checkpoint(path, model=model, optimizer=optimizer, progress=progress, extra=[Ellipsis is None, 2**127])
    expected = model.rng.random(5)

    other, fresh = small(3)
    checkpoint = load_checkpoint(path)
    checkpoint.restore(model=other, optimizer=fresh)
    assert spelt(other.state_dict()) == spelt(model.state_dict())
    assert spelt(fresh.state) == spelt(optimizer.state)
    assert spelt(checkpoint.progress) == spelt(progress)
    assert checkpoint.extra == [False, 2**127]
    assert (checkpoint.description, checkpoint.version, checkpoint.path) == (repr(model), 1, str(path))
    assert (checkpoint.schedule, checkpoint.normalizer) == (None, None)
    assert other.rng.random(5).tolist() == expected.tolist()


def test_a_checkpoint_can_be_restored_twice(path):
    """What is restored is a copy: training on does not change the checkpoint."""
    model, optimizer = small()
    save_checkpoint(path, model=model, optimizer=optimizer)
    checkpoint = load_checkpoint(path)
    before = exact(checkpoint)
    checkpoint.restore(model=model, optimizer=optimizer)
    optimizer.state["moments"][0] += 1
    optimizer.state["groups"][0]["learning_rate"] = 0
    model.rng.random()
    assert exact(checkpoint) == before
    checkpoint.restore(optimizer=optimizer)
    assert optimizer.state["groups"][0]["learning_rate"] == 0.1


def test_training_goes_on_bit_for_bit(path):
    """With real parts: a noisy model, momentum, a normalizer; stopped in the middle and continued elsewhere."""
    X = np.random.default_rng(5).normal(size=(2, 3)) * 3 + 1

    def parts(seed):
        model = Noisy(seed)
        return model, SGD(model.parameters(), 0.05, momentum=0.9), Normalizer()

    def step(model, optimizer, normalizer):
        optimizer.zero_grad()
        (model(normalizer.transform(X)) ** 2).mean().backward()
        optimizer.step()
        model.running.data = model.running.data + 1

    straight, other = parts(0), parts(1)
    straight[2].fit(X)
    for _ in range(5):
        step(*straight)
    save_checkpoint(path, model=straight[0], optimizer=straight[1], normalizer=straight[2])
    load_checkpoint(path).restore(model=other[0], optimizer=other[1], normalizer=other[2])
    for _ in range(5):
        step(*straight)
        step(*other)
    assert spelt(other[0].state_dict()) == spelt(straight[0].state_dict())
    assert other[0].state_dict()["running"].dtype == np.float32


def test_a_normalizer_that_knows_its_columns(path):
    state = {"columns": np.array(["length", "Größe"]), "offset": np.zeros(2)}

    class Stand:
        state_dict = staticmethod(lambda: state)

    save_checkpoint(path, model=small()[0], normalizer=Stand())
    assert spelt(load_checkpoint(path).normalizer) == spelt(state)


def test_single_values_are_state_too(path):
    network = Network([2, 3, 1], seed=0)
    save_checkpoint(path, model=network)
    other = Network([2, 3, 1], seed=1)
    load_checkpoint(path).restore(model=other)
    assert [p.data for p in other.parameters()] == [p.data for p in network.parameters()]
    assert {type(p.data) for p in other.parameters()} == {float}
    assert load_checkpoint(path).weights["layers.0.neurons.0.bias"].shape == ()


def test_numpy_reads_a_checkpoint(path):
    model, optimizer = small()
    save_checkpoint(path, model=model, optimizer=optimizer)
    with np.load(path, allow_pickle=False) as loaded:
        assert np.array_equal(loaded["weights/layers.0.weight"], model.weights["layers.0.weight"])
        assert np.array_equal(loaded["optimizer/moments/0"], optimizer.state["moments"][0])
        assert json.loads(loaded["metadata.json"])["metadata"]["kind"] == "checkpoint"


def test_another_architecture_is_refused_with_all_that_differs(path):
    save_checkpoint(path, model=Sequential(Dense(4, 3, seed=0), Dense(3, 2, seed=0)))
    other = Sequential(Dense(4, 5, seed=0))
    other.temperature = Tensor(np.zeros(3, np.float32))
    before = spelt(other.state_dict())
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path).restore(model=other)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: it holds the weights of another model"
    assert lines[1] == "  missing from the file: temperature (3,)"
    assert lines[2] == "  unexpected in the file: layers.1.weight (2, 3); layers.1.bias (2,)"
    assert lines[3] == "  of another shape: layers.0.weight (3, 4), here (5, 4); layers.0.bias (3,), here (5,)"
    text = "\n".join(lines[4:])
    assert "the file's model: Sequential" in text
    assert repr(Dense(3, 2, seed=0)) in text
    assert "the model here: Sequential" in text
    assert repr(Dense(4, 5, seed=0)) in text
    assert spelt(other.state_dict()) == before


def test_another_precision_is_no_resumption_but_weights_may_be_cast(path):
    save_checkpoint(path, model=Model({"w": np.full(2, 0.1)}))
    single = Model({"w": np.zeros(2, np.float32)})
    with pytest.raises(CheckpointError, match="of another dtype: w float64, here float32"):
        load_checkpoint(path).restore(model=single)

    class Single(Module):
        def __init__(self):
            self.w = Tensor(np.zeros(2, np.float32))

    module = Single()
    load_weights(module, path)
    assert module.w.data.tolist() == np.full(2, 0.1, np.float32).tolist()


def test_long_lists_of_differences_are_cut():
    network, other = Network([2, 9, 1], seed=0), Network([2, 1], seed=0)
    checkpoint_error = pytest.raises(CheckpointError, match=r"unexpected in the file: .* and \d+ more")
    with checkpoint_error as caught:
        path = "unused.npz"
        state = {name: np.asarray(a) for name, a in network.state_dict().items()}
        _checkpoint(path, state).restore(model=other)
    assert len(str(caught.value)) < 3000


def _checkpoint(path, weights, **parts):
    from nn.files.checkpoint import SavedRun

    none = dict.fromkeys(("optimizer", "schedule", "normalizer", "progress", "extra"))
    return SavedRun(
        **(none | {"path": path, "weights": weights, "description": "", "generators": {}, "version": 1} | parts)
    )


@pytest.mark.parametrize("part", ["optimizer", "schedule", "normalizer"])
def test_what_was_not_saved_is_not_restored(path, part):
    model, _ = small()
    save_checkpoint(path, model=model)
    before = spelt(model.state_dict())
    with pytest.raises(CheckpointError, match=f"it holds no {part}; it was saved without {part}="):
        load_checkpoint(path).restore(model=model, **{part: Optimizer({})})
    assert spelt(model.state_dict()) == before


@pytest.mark.parametrize("error", [KeyError("betas"), ValueError("no"), ZeroDivisionError(), KeyboardInterrupt()])
def test_all_is_restored_or_nothing(path, error):
    """The last part refuses after it has begun to change: the parts before it go back, and so does it."""

    class Stubborn(Optimizer):
        def load_state_dict(self, state):
            if self.state["step"] != -1 and state["step"] == 7:
                self.state["moments"][0][:] = 99.0
                raise error
            self.state = state

    model, optimizer = small(7)
    save_checkpoint(path, model=model, optimizer=optimizer, schedule=optimizer)
    model, optimizer = small(3)
    stubborn = Stubborn(model.weights)
    before = spelt([model.state_dict(), optimizer.state, stubborn.state, model.rng.bit_generator.state])
    kind = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else CheckpointError
    with pytest.raises(kind) as caught:
        load_checkpoint(path).restore(model=model, optimizer=optimizer, schedule=stubborn)
    if kind is CheckpointError:
        assert f"its state of the schedule is refused: {type(error).__name__}" in str(caught.value)
    assert spelt([model.state_dict(), optimizer.state, stubborn.state, model.rng.bit_generator.state]) == before


# ── random generators ────────────────────────────────────────────────────────────────────────────────
KINDS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_generator_goes_on_with_the_next_number(path, kind):
    model = Noisy(3, kind)
    model.rng.integers(10, size=7, dtype=np.int32)  # leaves half of a 64-bit word behind
    save_checkpoint(path, model=model)
    other = Noisy(4, kind)
    load_checkpoint(path).restore(model=other)
    for draw in (lambda rng: rng.integers(9, size=5, dtype=np.int32), lambda rng: rng.normal(size=700)):
        assert draw(other.rng).tolist() == draw(model.rng).tolist()


def test_another_kind_of_generator_is_refused_and_nothing_is_changed(path):
    save_checkpoint(path, model=Noisy(0, np.random.Philox))
    other = Noisy(1)
    before = spelt([other.state_dict(), other.rng.bit_generator.state])
    message = (
        r"'rng' was saved as a 'Philox', and is a PCG64 here; .* np\.random\.Generator\(np\.random\.Philox\(seed\)\)"
    )
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path).restore(model=other)
    assert spelt([other.state_dict(), other.rng.bit_generator.state]) == before
    with pytest.raises(ValueError, match="saved as a 'Philox', and is a PCG64 here"):
        restore_generator(other.rng, Noisy(0, np.random.Philox).rng.bit_generator.state)


@pytest.mark.parametrize("kind", KINDS)
def test_forged_states_of_generators_are_refused(kind):
    """NumPy itself would take some of these, and read outside of its memory."""
    rng = np.random.Generator(kind(0))
    rng.integers(10, size=3, dtype=np.int32)
    state = generator_state(rng)
    forgeries = [{}, None, 3, {**state, "more": 1}, {**state, "state": 0}, {**state, "state": {}}]
    for place in ("pos", "buffer_pos", "has_uint32", "uinteger"):
        for number in (-1, 625, 2**32, 2**63, 1.0, None):
            forged = copy.deepcopy(state)
            holder = forged if place in forged else forged["state"]
            if place in holder and not (place == "uinteger" and number == 625):
                forgeries.append(forged)
                holder[place] = number
    for key, item in state["state"].items() if isinstance(state["state"], dict) else []:
        for wrong in (-1, 2**128) if isinstance(item, int) else (item[:1], item.astype(float), item.tolist()):
            forgeries.append({**state, "state": {**state["state"], key: wrong}})
    for forged in forgeries:
        with pytest.raises(ValueError, match="the random generator 'rng'"):
            restore_generator(rng, forged)
    assert spelt(generator_state(rng)) == spelt(state)
    restore_generator(rng, state)


def test_a_model_with_other_generators_is_refused(path):
    save_checkpoint(path, model=Model({"w": np.zeros(2)}))
    other = Noisy()
    plain = _checkpoint("run.npz", {name: np.array(a) for name, a in other.state_dict().items()})
    with pytest.raises(
        CheckpointError, match=r"its random generators are \[\], and those of the model here are \['rng'\]"
    ):
        plain.restore(model=other)


# ── other files ──────────────────────────────────────────────────────────────────────────────────────
def test_other_files_are_no_checkpoints(path):
    save_weights(Network([1, 1], seed=0), path)
    with pytest.raises(CheckpointError, match=r"it holds 'weights'; expected a checkpoint \(see load_weights\)"):
        load_checkpoint(path)
    write_archive(path, {}, {"kind": "checkpoint", "checkpoint_version": 2, "state": {}})
    with pytest.raises(CheckpointError, match="a checkpoint of version 2; this library reads 1"):
        load_checkpoint(path)
    write_archive(path, {}, {"kind": "checkpoint", "checkpoint_version": 1, "state": {}})
    with pytest.raises(CheckpointError, match="does not have the parts of a checkpoint"):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(path.with_name("missing.npz"))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("weights", []),
        ("weights", {"w": 3}),
        ("description", None),
        ("generators", 3),
        ("optimizer", 3),
        ("progress", []),
    ],
)
def test_parts_of_a_checkpoint_have_their_types(path, part, value):
    parts = ("weights", "description", "optimizer", "schedule", "normalizer", "generators", "progress", "extra")
    state = dict.fromkeys(parts) | {"weights": {}, "description": "", "generators": {}} | {part: value}
    write_archive(path, {}, {"kind": "checkpoint", "checkpoint_version": 1, "state": state})
    with pytest.raises(CheckpointError, match=r"its (weight|description|generators|optimizer|progress)"):
        load_checkpoint(path)


# ── weights alone ────────────────────────────────────────────────────────────────────────────────────
def test_weights_come_back_and_are_named_plainly(path):
    model, other = Sequential(Dense(3, 2, seed=0)), Sequential(Dense(3, 2, seed=1))
    save_weights(model, path)
    assert set(np.load(path)) == {"layers.0.weight", "layers.0.bias", "metadata.json"}
    load_weights(other, path)
    assert spelt(other.state_dict()) == spelt(model.state_dict())


def test_weights_can_come_from_a_checkpoint_or_from_numpy(path):
    model = Sequential(Dense(3, 2, seed=0))
    for save in (
        lambda: save_checkpoint(path, model=model, progress={"epoch": 1}),
        lambda: np.savez(path, **model.state_dict()),
        lambda: np.savez_compressed(path, **model.state_dict()),
    ):
        save()
        other = Sequential(Dense(3, 2, seed=1))
        load_weights(other, path)
        assert spelt(other.state_dict()) == spelt(model.state_dict())


def test_weights_that_do_not_fit_change_nothing(path):
    save_weights(Sequential(Dense(3, 2, seed=0)), path)
    other = Sequential(Dense(3, 4, seed=1))
    before = spelt(other.state_dict())
    with pytest.raises(CheckpointError, match=r"of another shape: layers.0.weight \(2, 3\), here \(4, 3\)"):
        load_weights(other, path)
    write_archive(path, {}, {"kind": "something"})
    with pytest.raises(CheckpointError, match="it holds no weights"):
        load_weights(other, path)
    np.savez(path, **{name: array.astype(complex) for name, array in other.state_dict().items()})
    with pytest.raises(CheckpointError, match="its weights are refused"):
        load_weights(other, path)
    assert spelt(other.state_dict()) == before


def test_the_ending_says_the_format(tmp_path):
    for work in (save_weights, load_weights):
        with pytest.raises(ValueError, match=r"ends in \.npz or \.safetensors, and was given '.*weights\.pt'"):
            work(Network([1, 1], seed=0), tmp_path / "weights.pt")


def test_exact_fractions_are_refused_by_name(path):
    network = Network([1, 1], seed=0)
    network.layers[0].neurons[0].bias = Value(Fraction(1, 3))
    with pytest.raises(TypeError, match=r"'layers\.0\.neurons\.0\.bias' is dtype object"):
        save_weights(network, path)
