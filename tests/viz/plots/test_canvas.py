"""Where plots are drawn: no windows, no figures left over, a picture in a notebook, and no matplotlib without need."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autodiff import Tensor, Value, tanh
from tests.examples.lessons import without_matplotlib
from viz import plots
from viz.plots.canvas import stacked

ROOT = Path(__file__).parents[3]


def weight():
    w = Tensor([[1.0, -2.0], [0.5, 0.0]], label="w")
    (w**2).sum().backward()
    return {"w": w}


def surface(axes=None):
    w, b = Value(1.0, label="w"), Value(2.0, label="b")
    return plots.loss_surface(lambda: w * w + b * b, [w, b], resolution=5, axes=axes)


def boundary(axes=None):
    X = [[0.0, 0.0], [1.0, 2.0]]
    return plots.decision_boundary(lambda P: P[:, 0] - P[:, 1], X, threshold=0, resolution=9, axes=axes)


ALL = {
    "learning_curves": lambda axes=None: plots.learning_curves({"loss": [3, 1], "accuracy": [0.1, 0.9]}, axes=axes),
    "decision_boundary": boundary,
    "activation": lambda axes=None: plots.activation(tanh, axes=axes),
    "histograms": lambda axes=None: plots.histograms(weight(), axes=axes),
    "confusion_matrix": lambda axes=None: plots.confusion_matrix([0, 1, 1], [0, 0, 1], axes=axes),
    "loss_surface": surface,
    "forecast": lambda axes=None: plots.forecast([1, 2, 3, 4], [3, 5], split=2, axes=axes),
}


def test_all_plots_are_tried_here():
    assert {name for name in plots.__all__ if name != "Trajectory"} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_plot_returns_axes_that_can_be_saved(name, tmp_path):
    axes = ALL[name]()
    assert isinstance(axes, Axes)
    assert axes.get_title("left")
    for ending in ("png", "svg", "pdf"):
        axes.figure.savefig(tmp_path / f"plot.{ending}")
        assert (tmp_path / f"plot.{ending}").stat().st_size > 2000


@pytest.mark.parametrize("name", ALL)
def test_axes_that_are_given_are_drawn_on_and_returned(name):
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    right.set_title("mine")
    assert ALL[name](right) is right
    assert right.has_data()
    assert not left.has_data()
    assert (right.get_title(), right.get_title("left")) == ("mine", "")
    figure.draw_without_rendering()


@pytest.mark.parametrize("name", ALL)
def test_subfigures_too(name):
    figure = Figure(layout="constrained")
    part = figure.subfigures(1, 2)[1]
    axes = ALL[name](part.subplots())
    assert axes.figure is part
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    "wrong", [3, "axes", Figure(), Figure().subplots(1, 2)], ids=lambda wrong: type(wrong).__name__
)
@pytest.mark.parametrize("name", ALL)
def test_what_is_no_axes_is_refused(name, wrong):
    with pytest.raises(TypeError, match=r"axes: expected an Axes of matplotlib, and was given .*; write "):
        ALL[name](wrong)


@pytest.mark.parametrize("name", ALL)
def test_without_matplotlib_it_says_what_to_install(name, monkeypatch):
    without_matplotlib(monkeypatch)
    with pytest.raises(ImportError, match=r'pip install "clearprop\[plot\]"'):
        ALL[name]()


def run(program):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_importing_viz_imports_no_matplotlib():
    done = run("import sys, viz, viz.plots\nprint([name for name in sys.modules if name.startswith('matplotlib')])")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_hundred_plots_leave_no_figure_and_know_no_pyplot():
    done = run(
        "import gc, sys, weakref\n"
        "from tests.viz.plots.test_canvas import ALL\n"
        "figures = []\n"
        "for k in range(100):\n"
        "    axes = list(ALL.values())[k % len(ALL)]()\n"
        "    figures.append(weakref.ref(axes.figure))\n"
        "del axes\n"
        "gc.collect()\n"
        "print(len(figures), sum(figure() is not None for figure in figures), 'matplotlib.pyplot' in sys.modules)"
    )
    assert (done.stdout, done.stderr) == ("100 0 False\n", "")


class Shell:
    """What a notebook's shell does after a cell: it calls those who asked for it."""

    def __init__(self):
        self.waiting, self.shown = [], []
        self.events = SimpleNamespace(register=self.register, unregister=self.unregister)
        self.display_pub = SimpleNamespace(publish=lambda data, metadata: self.shown.append((data, metadata)))

    def register(self, event, function):
        assert event == "post_execute"
        self.waiting.append(function)

    def unregister(self, event, function):
        self.waiting.remove(function)

    def end_of_cell(self):
        for function in self.waiting[:]:
            function()


def notebook(monkeypatch, shell):
    module = ModuleType("IPython")
    module.get_ipython, module.version_info = lambda: shell, (9, 0)  # the second is for matplotlib
    monkeypatch.setitem(sys.modules, "IPython", module)


def test_a_notebook_shows_every_plot_of_a_cell_once(monkeypatch):
    shell = Shell()
    notebook(monkeypatch, shell)
    for draw in ALL.values():
        draw()
    assert shell.shown == []
    shell.end_of_cell()
    shell.end_of_cell()
    assert len(shell.shown) == len(ALL)
    for data, metadata in shell.shown:
        assert data["image/png"].startswith(b"\x89PNG")
        assert "Figure" in data["text/plain"]
        assert metadata["image/png"]["width"] > 300


def test_a_notebook_shows_what_was_done_to_the_axes_later_in_the_cell(monkeypatch):
    shell = Shell()
    notebook(monkeypatch, shell)
    axes = plots.learning_curves([2.0, 1.0])
    before = axes.figure.get_size_inches()[0]
    axes.figure.set_figwidth(2 * before)
    shell.end_of_cell()
    assert shell.shown[0][1]["image/png"]["width"] == round(2 * before * axes.figure.dpi)


def test_a_plot_that_failed_shows_nothing(monkeypatch):
    shell = Shell()
    notebook(monkeypatch, shell)
    with pytest.raises(ValueError, match="empty"):
        plots.learning_curves({})
    assert shell.waiting == []


def test_given_axes_and_terminals_are_shown_by_others(monkeypatch):
    shell = Shell()
    notebook(monkeypatch, shell)
    plots.learning_curves([2.0, 1.0], axes=Figure().subplots())
    monkeypatch.setattr(Shell, "__module__", "IPython.terminal.interactiveshell")
    plots.learning_curves([2.0, 1.0])
    notebook(monkeypatch, None)
    plots.learning_curves([2.0, 1.0])
    assert shell.waiting == []


@pytest.mark.parametrize("placed", ["on a grid", "by hand"])
def test_panels_share_the_place_of_their_axes(placed):
    figure = Figure()
    axes = figure.subplots(1, 2)[1] if placed == "on a grid" else figure.add_axes((0.5, 0.2, 0.4, 0.6))
    place = axes.get_position()
    panels = stacked(axes, [2, 1, 1])
    boxes = [panel.get_position() for panel in panels]
    assert panels[0] is axes
    assert all(box.x0 == pytest.approx(place.x0) and box.x1 == pytest.approx(place.x1) for box in boxes)
    assert boxes[0].y1 == pytest.approx(place.y1)
    assert boxes[-1].y0 >= place.y0 - 1e-9
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(boxes))
    assert boxes[0].height > 1.5 * boxes[1].height
    axes.set_xlim(3, 7)
    assert all(panel.get_xlim() == (3, 7) for panel in panels)
