"""``python -m examples``: the list, a lesson that does not exist, options, files that cannot be read or written."""

import os
import pathlib
import subprocess
import sys
from importlib import import_module

import pytest

from examples import datasets, first_network
from examples.__main__ import LESSONS, main


def test_list(capsys):
    assert main([]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert len(lines) == len(LESSONS)
    for line, (name, lesson) in zip(lines, LESSONS.items(), strict=True):
        assert line.split() == [name, *lesson.time.split(), *lesson.about.split()]


def test_every_lesson_exists_and_has_a_docstring():
    for name in LESSONS:
        module = import_module(f"examples.{name}")
        assert callable(module.run)
        assert f"python -m examples {name}" in module.__doc__


@pytest.mark.parametrize(
    ("name", "hint"), [("frist_network", "did you mean 'first_network'?"), ("zzz", "lists them all")]
)
def test_an_unknown_lesson(name, hint, capsys):
    assert main([name]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"there is no lesson '{name}'; ")
    assert hint in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("options", [["--seed", "-1"], ["--seed", "x"], ["--epochs", "0"], ["--epochs", "1.5"]])
def test_bad_options(options, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["first_network", *options])
    assert exit.value.code == 2
    assert f"'{options[1]}' is not a whole number of at least" in capsys.readouterr().err.replace("\n", " ")


def test_options_reach_the_lesson(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(first_network, "run", lambda **options: given.append(options))
    main(["first_network", "--output", str(tmp_path), "--seed", "7", "--epochs", "3"])
    main(["first_network"])
    assert given == [{"output": tmp_path, "seed": 7, "epochs": 3}, {"output": pathlib.Path("lesson-output")}]


def test_damaged_data_is_a_message_and_not_a_traceback(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(first_network, "read_iris", lambda: datasets.read_iris(tmp_path / "iris.csv"))
    assert main(["first_network", "--output", str(tmp_path)]) == 1
    assert "the lesson cannot go on: " in (error := capsys.readouterr().err)
    assert "there is no such file" in error


def test_an_output_that_is_a_file(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["first_network", "--output", str(tmp_path / "taken"), "--epochs", "1"]) == 1
    assert "the lesson cannot go on: " in capsys.readouterr().err


def test_as_a_program_even_on_a_console_that_knows_only_ascii(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "examples", "first_network", "--epochs", "1", "--output", str(tmp_path)],
        cwd=pathlib.Path(__file__).parents[2],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "Test accuracy" in run.stdout
