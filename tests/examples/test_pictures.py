"""Pictures are saved without global state, and lessons go on without matplotlib."""

import subprocess
import sys
from pathlib import Path

import pytest

from examples import pictures
from tests.examples.lessons import assert_png, run_lesson, without_matplotlib

LESSONS = ["linear_regression", "logistic_regression", "iris", "digits", "digits_convolution", "deep_linear"]


def draw(figure):
    pictures.label(figure.subplots(), "A title", "x (cm)", "y")


def test_a_picture_is_saved_and_the_folder_is_made(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / "folder" / "line.png"
    assert pictures.save_picture(path, draw, size=(4, 3)) == path
    assert_png(path, least=2_000)
    assert capsys.readouterr().out == f"The picture: {path}\n"


def test_svg_too(tmp_path):
    pytest.importorskip("matplotlib")
    path = pictures.save_picture(tmp_path / "line.svg", draw)
    assert "<svg" in path.read_text(encoding="utf-8")


def test_without_matplotlib_a_line_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    without_matplotlib(monkeypatch)
    assert pictures.save_picture(tmp_path / "line.png", draw) is None
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert 'pip install "clearprop[plot]"' in shown
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_goes_on_without_matplotlib_and_with_the_shortest_training(lesson, tmp_path, monkeypatch):
    without_matplotlib(monkeypatch)
    result, shown = run_lesson(lesson, tmp_path, epochs=1)
    assert result.picture is None
    assert shown.count('pip install "clearprop[plot]"') == 1


def test_no_window_system_is_touched(tmp_path):
    pytest.importorskip("matplotlib")
    program = (
        "import sys; from pathlib import Path; from examples.digits import run\n"
        f"run(Path({str(tmp_path)!r}), epochs=1)\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=root, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert_png(tmp_path / "digits.png")
