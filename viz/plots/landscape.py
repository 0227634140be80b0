"""The loss as a landscape over two directions, and the way that the optimizer took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff import Node, no_grad
from viz.plots.canvas import axes_for
from viz.plots.numbers import Array, plain
from viz.plots.planes import Plane, flat, plane_of
from viz.plots.style import FEW, GREY, RED, emptiest, ink, legend, tidy
from viz.plots.trajectory import leaves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = 12
LOWEST = 2  # per cent of the points lie beneath the lowest line
DECADE = 10.0  # from this ratio of the largest loss to the least, levels are spaced by ratios


def loss_surface(
    loss: Callable[[], Any],
    parameters: Any,
    *,
    directions: Any = "auto",
    path: Any = None,
    span: float | None = None,
    resolution: int = 41,
    seed: int | np.random.Generator = 0,
    axes: Axes | None = None,
) -> Axes:
    """Lines of equal loss in a plane of the parameters, and the way of the optimizer in it.

    The parameters are moved over a grid, and put back exactly, also after an error or Ctrl-C. Where the loss spans
    decades, levels are spaced by ratios. A place where the loss is not finite stays empty.

    A plane is two directions of very many. What leaves it is seen as its shadow: beside a path, the share of its
    movement that the plane holds stands on the axes.

    Args:
        loss: a function of nothing that computes the loss with the parameters as they are, always from the same data:
            ``lambda: mse(model(X), y)``. Switch dropout off (``model.eval()``): it must give the same every time, and
            it must leave everything as it is.
        parameters: the leaves that it depends on, such as ``model.parameters()``.
        directions: "random": two random directions, each filter as long as that of the parameters (Li et al. 2018);
            "pca": the two in which the path moves the most; "parameters": two numbers are coordinates themselves; or
            two directions, each a list of arrays in the shapes of the parameters. By default the last for two
            numbers, else "pca" where there is a path, else "random".
        path: where the parameters were: a :class:`Trajectory`, or any list of lists of arrays.
        span: how far to look to each side of where the parameters are now, in lengths of the directions; by default
            as far as the path goes, and a little more, or 1 without a path.
        resolution: points in each direction.
        seed: of random directions.
        axes: where to draw; by default on a figure of its own, which notebooks show.

    Source: Li, Xu, Taylor, Studer, Goldstein 2018, "Visualizing the loss landscape of neural nets".

    >>> from autodiff import Value
    >>> from viz import plots
    >>> w, b = Value(3.0, label="w"), Value(1.0, label="b")
    >>> axes = plots.loss_surface(lambda: w * w + 10 * b * b, [w, b], path=[[6.0, 2.0], [3.0, 1.0]])
    >>> axes.get_xlabel(), axes.get_ylabel(), w.data
    ('w', 'b', 3.0)

    Raises:
        TypeError: the loss is no function or gives no single number; a parameter is no leaf.
        ValueError: the loss gives two numbers for the same parameters, or is finite nowhere; a path or a direction
            does not fit; an option is out of range.
        ImportError: matplotlib is missing.
    """
    if not callable(loss):
        hint = "write lambda: mse(model(X), y)" if isinstance(loss, Node) else "expected a function of nothing"
        raise TypeError(f"loss: it is computed again at every point, and {type(loss).__name__} cannot be; {hint}")
    nodes = leaves(parameters)
    if resolution < 2 or (span is not None and not span > 0):
        raise ValueError(f"resolution={resolution!r}, span={span!r}: expected at least 2 points, and a span above 0")
    points = None if path is None else snapshots(path, nodes)
    plane = plane_of(nodes, directions, points, seed)
    way = None if points is None else plane.project(points)
    horizontal, vertical = _ticks(plane, way, span, resolution)
    losses = losses_on(loss, nodes, plane, horizontal, vertical)
    if not np.isfinite(losses).any():
        raise ValueError("loss: it is finite nowhere in this part of the plane; write a smaller span=…")
    axes = axes_for(axes, (6.0, 5.2))
    _draw(axes, horizontal, vertical, losses, plane)
    if way is not None:
        _draw_way(axes, way)
    is_end = way is not None and np.allclose(way[-1], plane.here, rtol=1e-9, atol=1e-9 * float(np.ptp(horizontal)))
    star: dict[str, Any] = {"color": ink(axes), "markersize": 13, "linestyle": "none", "zorder": 4}
    axes.plot(*plane.here, "*", label="its end" if is_end else "now", **star)
    tidy(axes, "The loss around here" if way is None else "The way down (lines: equal loss)", *plane.names)
    legend(
        axes,
        emptiest(axes, np.array([plane.here]) if way is None else way),
        frameon=True,
        framealpha=0.85,
        edgecolor="none",
    )
    return axes


def snapshots(path: Any, parameters: Sequence[Node]) -> Array:
    """A path as a matrix: a row for each snapshot, with all numbers of all parameters.

    Raises:
        ValueError: there are none, or one has other shapes than the parameters.
    """
    shapes = [np.shape(parameter.data) for parameter in parameters]
    count = sum(int(np.prod(shape)) for shape in shapes)
    rows = []
    for k, snapshot in enumerate(path):
        arrays = plain(list(snapshot.values()) if isinstance(snapshot, Mapping) else snapshot)
        is_flat = isinstance(arrays, np.ndarray) and arrays.shape == (count,)
        got = shapes if is_flat else [np.shape(array) for array in arrays]
        if got != shapes:
            raise ValueError(f"path[{k}]: expected arrays in the shapes of the parameters, {shapes}; got {got}")
        rows.append(np.asarray(arrays, dtype=float) if is_flat else flat(arrays))
    if not rows:
        raise ValueError("path: expected at least one snapshot of the parameters; call trajectory.record() in the loop")
    return np.stack(rows)


def losses_on(
    loss: Callable[[], Any], parameters: Sequence[Node], plane: Plane, horizontal: Array, vertical: Array
) -> Array:
    """The loss at every point of a grid of the plane, of shape (vertical, horizontal); the parameters are put back.

    Raises:
        ValueError: the loss gives two numbers for the same parameters.
        TypeError: it gives no single number.
    """
    with no_grad(), kept(parameters):
        once, again = _number(loss()), _number(loss())
        if once != again and not (np.isnan(once) and np.isnan(again)):
            raise ValueError(
                f"loss: for the same parameters it gave {once!r} and then {again!r}; switch off what draws at random"
                " (model.eval()), and take the same data every time"
            )
        losses = np.empty((len(vertical), len(horizontal)))
        for i, b in enumerate(vertical):
            for j, a in enumerate(horizontal):
                _put(parameters, plane.at(a, b))
                losses[i, j] = _number(loss())
    return losses


@contextmanager
def kept(parameters: Sequence[Node]) -> Iterator[None]:
    """Whatever happens inside: afterwards the parameters are what they were, bit for bit.

    Their clocks too: a graph that was recorded before is not out of date, as what it was recorded with stands again.
    """
    before = [(parameter, parameter.data, parameter.clock) for parameter in parameters]
    try:
        yield
    finally:
        for parameter, data, clock in before:
            parameter.data = data
            parameter.clock = clock


def _put(parameters: Sequence[Node], numbers: Array) -> None:
    start = 0
    for parameter in parameters:
        shape = np.shape(parameter.data)
        size = int(np.prod(shape))
        part = numbers[start : start + size]
        parameter.data = part.reshape(shape) if shape else float(part[0])
        start += size


def _number(given: Any) -> float:
    data = given.data if isinstance(given, Node) else given
    if np.size(data) != 1:
        raise TypeError(f"loss: expected one number, and it gives the shape {np.shape(data)}; take its mean")
    return float(np.asarray(data).item())


def _ticks(plane: Plane, way: Array | None, span: float | None, resolution: int) -> tuple[Array, Array]:
    """Where the plane is asked, in both directions: around where the parameters are, and where they were."""
    here = np.array([plane.here])
    reached = here if way is None else np.concatenate([here, way])
    low, high = reached.min(axis=0), reached.max(axis=0)
    if span is not None:
        low, high = here[0] - span, here[0] + span
    elif (high - low).max() > 0:
        middle, half = (low + high) / 2, (high - low) / 2
        half = np.maximum(1.35 * half, 0.8 * half.max())  # a narrow way is seen with what is beside it
        low, high = middle - half, middle + half
    else:
        size = np.maximum(1.0, np.abs(here[0])) if plane.here != (0.0, 0.0) else 1.0
        low, high = here[0] - size, here[0] + size
    return np.linspace(low[0], high[0], resolution), np.linspace(low[1], high[1], resolution)


def levels_of(losses: Array) -> Array:
    """The levels of the lines: spaced by equal ratios where losses are positive and span a decade, else equally."""
    finite = losses[np.isfinite(losses)]
    low, high = float(np.percentile(finite, LOWEST)), float(finite.max())  # a point at the bottom by chance says little
    if low == high:
        return np.array([low])
    spaced = np.geomspace if low > 0 and high >= DECADE * low else np.linspace
    return np.asarray(spaced(low, high, LEVELS + 2)[1:-1])


def _draw(axes: Any, horizontal: Array, vertical: Array, losses: Array, plane: Plane) -> None:
    shown = np.ma.masked_invalid(losses)
    levels = levels_of(losses)
    if len(levels) > 1:
        ends = np.concatenate([[shown.min()], levels, [shown.max()]])
        axes.contourf(horizontal, vertical, shown, levels=ends, colors=_blues(len(ends) - 1), zorder=0)
        lines = axes.contour(horizontal, vertical, shown, levels=levels, colors=[GREY], linewidths=0.8, zorder=1)
        axes.clabel(lines, levels[::3], fontsize=8, fmt=lambda level: f"{float(f'{level:.2g}'):g}", colors=[ink(axes)])
    axes.set_xlim(horizontal[0], horizontal[-1])
    axes.set_ylim(vertical[0], vertical[-1])


def _blues(count: int) -> list[tuple[float, float, float]]:
    """Pale colours from deep (low loss) to white, all of them light enough for dark lines and text."""
    deep, white = np.array([0.62, 0.80, 0.92]), np.array([1.0, 1.0, 1.0])
    return [tuple(deep + share * (white - deep)) for share in np.linspace(0, 1, count)]


def _draw_way(axes: Any, way: Array) -> None:
    few = len(way) <= 2 * FEW
    axes.plot(
        *way.T, "-", color=RED, linewidth=1.4, marker="o", markersize=3.5 if few else 0, label="the path", zorder=3
    )
    start: dict[str, Any] = {"color": RED, "markerfacecolor": "white", "markersize": 8, "linestyle": "none"}
    axes.plot(*way[0], "o", label="its start", zorder=4, **start)
