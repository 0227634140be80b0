"""``python -m viz``: what it prints and writes, and that nothing typed reaches the terminal raw."""

import os
import pathlib
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from viz.__main__ import PICTURE, PLAYER, WELCOME, main
from viz.expression.names import functions

ROOT = pathlib.Path(__file__).parents[2]


def program(*arguments, **environment):
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "viz", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
    )


def told(folder, capsys, *arguments):
    """What the command prints, the files going to ``folder``."""
    assert main([*arguments, "--output", str(folder), "--layout", "builtin"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


def refused(capsys, *arguments):
    assert main(list(arguments)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err


def test_as_a_program(tmp_path):
    done = program("tanh(w*x + b)", "w=0.5", "x=2", "b=-1", "--output", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode()
    assert shown.startswith("Expression:  tanh(w*x + b)\nValues:      w = 0.5, x = 2, b = -1\nResult:      0\n")
    assert "  3. output = tanh(v2) = tanh(0) = 0\n" in shown
    assert "  ∇w = 2\n  ∇x = 0.5\n  ∇b = 1\n" in shown
    for name in (PICTURE, PLAYER):
        assert str(tmp_path / name) in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == [PICTURE, PLAYER]
    words = " ".join(ElementTree.parse(tmp_path / PICTURE).getroot().itertext())
    assert all(name in words for name in ("tanh", "w", "x", "b"))
    page = (tmp_path / PLAYER).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "tanh(w*x + b)" in page  # the line of the program that the steps point at


def test_results_with_names(tmp_path, capsys):
    shown = told(tmp_path, capsys, "z = w*x; q = w + 1; y = z**2", "w=0.5", "x=3", "--constant", "x")
    assert "Results with a name:\n  z = 1.5,  ∇z = 3\n  q = 1.5\n  y = 2.25,  ∇y = 1\n" in shown
    assert "∇w = 9" in shown
    assert "∇x" not in shown


def test_exact(tmp_path, capsys):
    shown = told(tmp_path, capsys, "--exact", "x**2 / (x + y)", "x=7/3", "y=0.5")
    assert "Values:      x = 7/3, y = 1/2\nResult:      98/51\n" in shown
    assert "  ∇x = 280/289\n  ∇y = -196/289\n" in shown


def test_values_are_numbers_in_any_notation(tmp_path, capsys):
    shown = told(tmp_path, capsys, "sin(a) + b*c", "a=pi/2", "b=7/4", "c=-1e-3")
    assert "Values:      a = 1.571, b = 1.75, c = -0.001\nResult:      0.9982\n" in shown


def test_options_may_stand_anywhere(tmp_path, capsys):
    arguments = ["--constant", "y", "x*y", "x=2", "--theme", "dark", "y=3"]
    assert "Values:      x = 2, y = 3\n" in told(tmp_path, capsys, *arguments)
    assert 'class="clearprop-dark"' in (tmp_path / PICTURE).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["-x**2", " -x**2", "-(x - 1)*x - x", "- x*x"])
def test_an_expression_may_begin_with_a_minus_sign(text, tmp_path, capsys):
    assert "Result:      -9\n" in told(tmp_path, capsys, text, "x=3")


def test_quiet(tmp_path, capsys):
    assert told(tmp_path, capsys, "x*x", "x=3", "--quiet") == ""
    assert len(list(tmp_path.iterdir())) == 2


def test_files_are_replaced_and_that_is_said(tmp_path, capsys):
    assert "in the place of" not in told(tmp_path / "new" / "folder", capsys, "x", "x=3")
    before = (tmp_path / "new" / "folder" / PICTURE).read_bytes()
    assert told(tmp_path / "new" / "folder", capsys, "x*x", "x=3").count("(in the place of the one before)") == 2
    assert (tmp_path / "new" / "folder" / PICTURE).read_bytes() != before


def test_the_same_command_writes_the_same_files(tmp_path, capsys):
    for folder in "ab":
        told(tmp_path / folder, capsys, "tanh(w*x + b)", "w=0.5", "x=2", "b=-1")
    for name in (PICTURE, PLAYER):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["2x", "x=1"], "a product is written with *: 2*x\n\n  2x\n   ^\n"),
        (["x*y", "x=1"], "y has no value; give it one, such as y=0.5\n\n  x*y\n    ^\n"),
        (["x", "x=0,5"], "a number has a point: 0.5\n\n  x=0,5\n     ^\n"),
        (["x", "x=w"], "a value is one number, such as 0.5, 7/3 or pi/2\n\n  x=w\n    ^\n"),
        (["x", "x="], "a number is missing behind x=\n\n  x=\n    ^\n"),
        (["x", "x=1", "x=2"], "x is given twice\n"),
        (["x", "2x=1"], "'2x' is no name"),
        (["w*x", "+", "b"], "'+' is not NAME=NUMBER, such as w=0.5 (without blanks)"),
        (["x", "x", "=", "2"], "'x' is not NAME=NUMBER"),
        (["x", "=2"], "'=2' is not NAME=NUMBER"),
        (["x", "x=1", "q=2"], "q is given, and not in the expression\n"),
        (["x", "x=1", "--constant", "q"], "--constant 'q': no value has this name"),
        (["x", "x=1", "--constant", "x"], "every value is a constant, so there is no gradient"),
        (["x < 2", "x=1"], "the result does not move with any value"),
        (["2 + 3"], "there is nothing to differentiate"),
        (["tanh(x)", "x=1", "--exact"], "tanh has no exact answer here"),
        (["x**y", "x=2", "y=3", "--exact"], "leave out --exact, or keep such a value constant"),
        (["x**9**9**9", "x=2", "--exact"], "more than a thousand digits"),
        (["x", "x=1" + "0" * 400], "a number of 401 characters; at most 100 are read"),
        (["", "x=1"], "there is no expression"),
    ],
)  # fmt: skip
def test_mistakes(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    error = refused(capsys, "x", "x=1", "--output", str(tmp_path / "taken"))
    assert "cannot be a folder for the files: File exists" in error
    assert (tmp_path / "taken").read_text() == "mine"
    (tmp_path / PICTURE).mkdir()
    assert refused(capsys, "x", "x=1", "--output", str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [PICTURE, "taken"]  # no half a file is left


@pytest.mark.parametrize("option", [["--theme", "red"], ["--layout", "neato"], ["--them", "dark"], ["--what"]])
def test_unknown_options(option, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["x", "x=1", *option])
    assert exit.value.code == 2
    assert "python -m viz: error: " in capsys.readouterr().err


HOSTILE = "\x1b]0;title\x07\x1b[31m\u202e\x9b"


@pytest.mark.parametrize(
    "arguments",
    [
        [HOSTILE],
        [f"x + {HOSTILE}", "x=1"],
        ["x", f"x={HOSTILE}"],
        ["x", f"{HOSTILE}=1"],
        ["x", HOSTILE],
        ["x", "x=1", "--constant", HOSTILE],
        ["x", "x=1", f"--{HOSTILE}"],
        ["x", "x=1", "--theme", HOSTILE],
        ["x", "x=1", "--output", "/dev/null/" + HOSTILE],
        ["漢字🚀", "x=1"],
    ],
)
def test_nothing_typed_reaches_the_terminal_raw(arguments):
    done = program(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f\u202e]", done.stderr.decode())) <= {"\n"}
    assert "Traceback" not in done.stderr.decode()


def test_a_folder_with_a_hostile_name(tmp_path):
    folder = os.fsdecode(bytes(tmp_path) + b"/\x1b[31m\xff")
    done = program("x*x", "x=2", "--output", folder)
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert len(os.listdir(folder)) == 2


def test_bytes_that_are_no_text():
    done = subprocess.run([sys.executable, "-m", "viz", b"x\xff"], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"U+DCFF has no meaning here" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_on_a_console_of_any_encoding(encoding, tmp_path):
    done = program("θ = π*x; tanh(θ)", "x=0.5", "--output", str(tmp_path), PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.search(r"= 1\.571\b", done.stdout.decode(encoding))
    done = program("漢", "x=0.5", PYTHONIOENCODING=encoding)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough(tmp_path):
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "viz", "x*x", "x=1", "--output", tmp_path, "--layout", "builtin"],
            cwd=ROOT, stdout=nobody, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(list(tmp_path.iterdir())) == 2


def test_without_arguments_three_examples_that_work(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert shown == WELCOME + "\n"
    examples = re.findall(r'^  python -m viz "(.+?)" (.+)$', shown, re.M)
    assert len(examples) == 3
    for expression, rest in examples:
        assert main([expression, *rest.split()]) == 0


def test_the_list(capsys):
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    listed = re.findall(r"^  (\w+)\(", shown, re.M)
    assert listed == [name for name, op in functions().items() if op.partials is not None]
    assert re.search(r"^  tanh\(x\) +∂/∂x = 1 - out \* out$", shown, re.M)
    assert re.search(r"^  max\(a, b, \.\.\.\)", shown, re.M)
