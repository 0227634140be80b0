"""The house stays in order: who may import whom, and what must never appear, read off the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import autodiff

ROOT = Path(__file__).parents[1]
PACKAGES = ("autodiff", "nn", "viz")
CORE_DEPENDENCIES = {"numpy"}
OPTIONAL = {
    "cairosvg",
    "graphviz",
    "llvmlite",
    "matplotlib",
    "numba",
    "tqdm",
    "pandas",
    "polars",
    "safetensors",
}  # imported where they are used, if they are there

# What each part of the engine may know, besides errors and context: ARCHITECTURE's chain, spelt out.
LAYERS = [
    {"autodiff.errors"},
    {"autodiff.context"},
    {"autodiff.graph"},
    {"autodiff.primitives", "autodiff.copying", "autodiff.origins"},
    {"autodiff.casting", "autodiff.hooks", "autodiff.texts"},
    {"autodiff.chain"},
    {"autodiff.backprop"},
    {"autodiff.numpy_protocols", "autodiff.exits"},
    {"autodiff.operators"},
    {"autodiff.value", "autodiff.tensor", "autodiff.trees"},
    {"autodiff.transforms", "autodiff.formula", "autodiff.anomaly"},
    {"autodiff.explanation", "autodiff.check"},
    {"autodiff.compiler"},
    {"autodiff"},
    {"autodiff.__main__"},
]

# The same inside the compiler. What stands side by side knows nothing of each other, but in one folder.
COMPILER_LAYERS = [
    {"autodiff.compiler.program", "autodiff.compiler.collector", "autodiff.compiler.quiet"},
    {"autodiff.compiler.passes", "autodiff.compiler.bound"},
    {"autodiff.compiler.rerolling", "autodiff.compiler.replay", "autodiff.compiler.tape"},
    {
        "autodiff.compiler.reroll",
        "autodiff.compiler.numpy_backend",
        "autodiff.compiler.numba_backend",
        "autodiff.compiler.reference",
    },
    {"autodiff.compiler.binding", "autodiff.compiler.cost"},
    {"autodiff.compiler.backends"},
    {
        "autodiff.compiler.tracing.sameness",
        "autodiff.compiler.tracing.ownership",
        "autodiff.compiler.tracing.code",
    },
    {"autodiff.compiler.tracing.reach", "autodiff.compiler.tracing.naming"},
    {"autodiff.compiler.tracing.guards"},
    {"autodiff.compiler.tracing"},
    {"autodiff.compiler.calling"},
    {"autodiff.compiler.options"},
    {"autodiff.compiler.compiled"},
    {"autodiff.compiler.compile"},
]

# The same for nn: what stands below knows nothing of what stands above.
NN_LAYERS = [
    {"nn.lookup", "nn.checks"},
    {"nn.data", "nn.activations", "nn.initializers"},
    {"nn.losses", "nn.optimizers", "nn.files", "nn.precision"},
    {"nn.metrics"},
    {"nn.training"},
    {"nn.module"},
    {"nn.sequential"},
    {"nn.layers", "nn.neuron"},
    {"nn.tiers", "nn.summary"},
    {"nn"},
]


def modules(package: str) -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> list[tuple[str, bool]]:
    """(module, whether it is imported at the top of the file), without imports for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names]
            found += [(name if name in ALL else base, id(node) in top) for name in names]
    return found


ALL = {name: path for package in PACKAGES for name, path in modules(package).items()}


def layer(module: str, layers: list[set[str]] = LAYERS) -> int:
    while module:
        for number, names in enumerate(layers):
            if module in names:
                return number
        module = module.rpartition(".")[0]
    raise AssertionError("no layer")


@pytest.mark.parametrize("module", ALL)
def test_imports_follow_the_architecture(module):
    for imported, at_top in imports(ALL[module]):
        root = imported.partition(".")[0]
        if root in sys.stdlib_module_names:
            assert root not in {"pickle", "marshal", "shelve"}, f"{module} imports {imported}"
        elif root in PACKAGES:
            own = module.partition(".")[0]
            assert root in {own, "autodiff"}, f"{module} imports {imported}: nn and viz know only autodiff"
            if own == "autodiff":
                assert root == "autodiff"
                same_family = imported.startswith("autodiff.primitives") and module.startswith("autodiff.primitives")
                if imported.startswith("autodiff.compiler.") and module.startswith("autodiff.compiler."):
                    below = layer(imported, COMPILER_LAYERS) < layer(module, COMPILER_LAYERS)
                    same_family = (
                        below or imported.rpartition(".")[0] == module.rpartition(".")[0] != "autodiff.compiler"
                    )
                assert same_family or layer(imported) < layer(module), f"{module} imports {imported}, which is above it"
            if own == root == "nn":
                family = imported.split(".")[:2] == module.split(".")[:2]
                assert family or layer(imported, NN_LAYERS) < layer(module, NN_LAYERS) or not at_top, (
                    f"{module} imports {imported}, which is above it"
                )
        elif root in OPTIONAL:
            assert not at_top, f"{module} imports {root} at its top; import it where it is used"
        else:
            assert root in CORE_DEPENDENCIES, f"{module} imports {imported}, which is no dependency"


def test_every_module_of_the_engine_has_its_layer():
    listed = set().union(*LAYERS)
    unlisted = [
        m
        for m in ALL
        if m.startswith("autodiff")
        and m not in listed
        and not m.startswith(("autodiff.primitives.", "autodiff.compiler."))
    ]
    assert unlisted == []
    assert listed | set().union(*COMPILER_LAYERS) <= set(ALL)


@pytest.mark.parametrize("module", ALL)
def test_what_must_never_appear(module):
    tree = ast.parse(ALL[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), f"{module}: star import"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}, f"{module}:{node.lineno} calls {node.func.id}"
        if isinstance(node, ast.Compare):
            text = ast.unparse(node)
            assert "op.name ==" not in text, f"{module}:{node.lineno}: {text}"
        if isinstance(node, ast.Global):
            raise AssertionError(f"{module}:{node.lineno}: global statement")


def test_every_row_is_public():
    private = {"pad_constant", "getitem", "einsum"}  # reached through pad, t[...] and the function einsum
    missing = [n for n, op in autodiff.TABLE.items() if n not in private and getattr(autodiff, n, None) is not op]
    assert missing == []
    assert sorted(autodiff.__all__) == autodiff.__all__
    assert all(hasattr(autodiff, name) for name in autodiff.__all__)


def test_importing_the_engine_imports_nothing_optional():
    code = "import sys, autodiff; print(*sorted({'graphviz', 'matplotlib', 'scipy', 'torch', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_table_on_the_command_line():
    run = lambda *a: subprocess.run([sys.executable, "-m", "autodiff", *a], cwd=ROOT, capture_output=True, text=True)
    done = run("tanh")
    assert done.returncode == 0
    assert "∂/∂x = 1 - out * out" in done.stdout
    rows = [name for name in autodiff.TABLE if not name.startswith("doc_")]  # doctests add some
    assert len(run().stdout.splitlines()) == len(rows)
    wrong = run("sigmoidd")
    assert (wrong.returncode, wrong.stdout) == (2, "there is no primitive 'sigmoidd'; did you mean 'sigmoid'?\n")
