"""Load damaged and forged checkpoints, and see that nothing happens but a CheckpointError.

    python -m tests.nn.faults.mutate --files 20000

Three files (a checkpoint, the same compressed, and weights of ``np.savez``) are damaged or forged in seeded, random
ways, and loaded with a budget of half a mebibyte. Each must either be refused with a CheckpointError or load exactly:
after damage to the bytes, exactly what was saved; after a forgery, exactly what NumPy, ``zipfile`` and ``json`` read.
Meanwhile no file may be opened but this one, nothing imported, compiled, run or unpickled (Python's audit events say
so), and never may more than twice the budget be allocated. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import tracemalloc
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np

from nn.files.archive import read_archive
from nn.files.checkpoint import SavedRun, load_checkpoint
from nn.files.errors import CheckpointError
from nn.files.weights import load_weights
from tests.nn.faults.forging import DAMAGE, DEFLATED, FORGERIES, build, entries_of
from tests.nn.faults.subjects import exact, save, small

BUDGET = 1 << 19
QUIET = {"object.__getattr__", "object.__setattr__", "object.__delattr__", "sys._getframe", "builtins.id"}  # harmless


class Watch:
    """Notes what Python does while it is on. An audit hook cannot be removed, so there is one."""

    def __init__(self, path: Path):
        self.path, self.on, self.events = os.fspath(path), False, Counter()
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        if self.on and event not in QUIET and not (event == "open" and arguments[:2] == (self.path, "r")):
            self.on = False
            self.events[f"{event} {arguments!r:.100}"] += 1
            self.on = True


def bases(folder: Path) -> dict[str, bytes]:
    """The files that are damaged."""
    save(folder / "base.npz", 7)
    checkpoint = (folder / "base.npz").read_bytes()
    entries = entries_of(checkpoint)
    for entry in entries:
        entry.method = DEFLATED
    model, _ = small()
    saved = BytesIO()
    np.savez(saved, **model.state_dict())
    return {"checkpoint": checkpoint, "compressed": build(entries), "weights": saved.getvalue()}


def use(kind: str, path: Path) -> tuple[object, object]:
    """Load the file as a user would: (what was loaded, what it was given to)."""
    model, optimizer = small(3)
    if kind == "weights":
        load_weights(model, path, max_bytes=BUDGET)
        return None, (model, None)
    checkpoint = load_checkpoint(path, max_bytes=BUDGET)
    try:
        checkpoint.restore(model=model, optimizer=optimizer)
    except CheckpointError:
        untouched_model, untouched = small(3)
        assert same(model.state_dict(), untouched_model.state_dict()), "a refused checkpoint changed the model"
        assert model.rng.bit_generator.state == untouched_model.rng.bit_generator.state, "... its generator"
        assert repr(optimizer.state) == repr(untouched.state), "... the optimizer"
        return checkpoint, None  # what is in the file may be well-formed and still not fit
    model.rng.random(1000)
    return checkpoint, (model, optimizer)


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(
        one[key].dtype == other[key].dtype and one[key].shape == other[key].shape and one[key].tobytes() == other[key].tobytes()
        for key in one
    )  # fmt: skip


def agrees_with_numpy(path: Path) -> bool:
    """Whether the lenient readers see in the file what ours does."""
    arrays, metadata = read_archive(path, max_bytes=BUDGET, plain=True)
    with np.load(path, allow_pickle=False) as loaded:
        theirs = {name: loaded[name] for name in loaded.files if name != "metadata.json"}
        text = loaded["metadata.json"] if "metadata.json" in loaded.files else None
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    return same(arrays, theirs) and (text is None or json.loads(text)["metadata"] == metadata)


class Run:
    """Many files, one after the other."""

    def __init__(self, folder: Path, seed: int):
        self.path, self.marker = folder / "file.npz", folder / "code-ran"
        self.bases = bases(folder)
        self.rng = np.random.default_rng(seed)
        self.count: Counter[str] = Counter()
        self.by_way: dict[str, Counter[str]] = {}
        self.problems: list[str] = []
        self.peak = 0
        self.truth = {}
        for kind, data in self.bases.items():  # what everything costs once (imports, caches) is paid here
            self.path.write_bytes(data)
            loaded, given = use(kind, self.path)
            assert given is not None
            self.truth[kind] = (loaded, given)
            for broken in (data[:-1], data.replace(b"NUMPY", b"NUMPX"), data.replace(b"'<f8'", b"'|O8'")):
                self.path.write_bytes(broken)
                try:
                    use(kind, self.path)
                except CheckpointError as error:
                    str(error)
        self.watch = Watch(self.path)

    def one(self, number: int) -> None:
        rng = self.rng
        kind, other = (str(k) for k in rng.choice(list(self.bases), size=2))
        data = self.bases[kind]
        if rng.random() < 0.4:
            way = DAMAGE[int(rng.integers(len(DAMAGE)))]
            mutated, forged = way(data, rng, self.bases[other]), False
        else:
            ways = FORGERIES if kind != "weights" else FORGERIES[:6]
            way = ways[int(rng.integers(len(ways)))]
            mutated, forged = way(entries_of(data), rng, os.fspath(self.marker)), True
        self.path.write_bytes(mutated)
        del mutated
        outcome = self.load(kind, number, way.__name__, forged)
        self.count[outcome] += 1
        self.by_way.setdefault(way.__name__, Counter())[outcome] += 1

    def load(self, kind: str, number: int, way: str, forged: bool) -> str:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        self.watch.on = True
        try:
            loaded, given = use(kind, self.path)
            outcome = "loaded" if given else "loaded, and refused by the model"
        except CheckpointError as error:
            outcome = "refused"
            if error.path != os.fspath(self.path) or not str(error).startswith(f"{self.path}: "):
                self.problems.append(f"file {number} ({way}): the error does not name the file: {error}")
        except BaseException as error:
            outcome = "failed"
            self.problems.append(f"file {number} ({kind}, {way}): {type(error).__name__}: {error}")
        self.watch.on = False
        peak = tracemalloc.get_traced_memory()[1] - before
        self.peak = max(self.peak, peak)
        if peak > 2 * BUDGET:
            self.problems.append(f"file {number} ({way}): {peak:,} bytes were allocated")
        if self.watch.events:
            self.problems.append(f"file {number} ({way}): {dict(self.watch.events)}")
            self.watch.events.clear()
        if self.marker.exists():
            self.problems.append(f"file {number} ({way}): code in the file was run")
            self.marker.unlink()
        if outcome == "loaded" and not self.is_exact(kind, loaded, given, forged):
            self.problems.append(f"file {number} ({kind}, {way}): it was loaded, and not exactly")
        return outcome

    def is_exact(self, kind, loaded, given, forged) -> bool:
        if forged:
            return agrees_with_numpy(self.path)
        if isinstance(loaded, SavedRun):
            return exact(loaded) == exact(self.truth[kind][0])
        return same(given[0].state_dict(), self.truth[kind][1][0].state_dict())


def main() -> int:
    parser = argparse.ArgumentParser(description="Load damaged and forged checkpoints.")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="also count by kind of damage")
    arguments = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tracemalloc.start()
        run = Run(Path(folder), arguments.seed)
        limit_memory()
        for number in range(arguments.files):
            run.one(number)
    for problem in run.problems[:50]:
        print(problem)
    if arguments.verbose:
        for way, counts in sorted(run.by_way.items()):
            print(f"  {way}: {dict(counts)}")
    print(
        f"{arguments.files} files in {time.perf_counter() - began:.0f} s: {run.count['refused']} refused, "
        f"{run.count['loaded'] + run.count['loaded, and refused by the model']} loaded exactly, {len(run.problems)} problems; at most {run.peak / BUDGET:.2f} times the "
        f"budget was allocated, {largest_process()} MiB is the most the process ever held"
    )
    return 1 if run.problems else 0


def limit_memory() -> None:
    """A wall behind the measurement: this process gets no more than 200 MiB on top of what it has."""
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(
            resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGESIZE") + (200 << 20), resource.RLIM_INFINITY)
        )


def largest_process() -> int:
    try:
        import resource
    except ImportError:
        return -1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1 << 20)


if __name__ == "__main__":
    sys.exit(main())
