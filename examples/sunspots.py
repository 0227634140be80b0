"""Sunspots: forecast the next year of the sun, with a straight rule first, and then with networks that remember.

    python -m examples sunspots

A recurrent network from primitives, in four lines; and the same from nn, with gates too. All against one rival.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from autodiff import Tensor, no_grad, tanh
from examples import pictures
from examples.datasets import read_sunspots
from examples.telling import part, tell
from nn import GRU, LSTM, RNN, Adam, CosineAnnealingLR, Dense, Sequential
from viz import plots

EPOCHS = 16
LEARNT, CHOSEN = 1920, 1955  # the last year to learn from, and the last for validation; the test follows
LAGS = 9  # years that the linear forecast looks back
WINDOW = 12  # years that a network looks back: one cycle of the sun, and a little more
STRENGTHS = (0.7, 0.85, 1.0, 1.2, 1.4)
HIDDEN = 8
MEMBERS = 5  # networks of a committee
BATCH = 64  # windows
LEARNING_RATE = 0.01

Array = NDArray[np.float64]


class Sun:
    """The series, and the scale on which it is forecast: roots, in standard deviations from their mean until 1920."""

    def __init__(self) -> None:
        self.years, self.activity = read_sunspots()
        self.learning = self.years <= LEARNT
        self.validation = (self.years > LEARNT) & (self.years <= CHOSEN)
        self.test = self.years > CHOSEN
        self.roots = np.sqrt(self.activity)
        self.mean, self.spread = self.roots[self.learning].mean(), self.roots[self.learning].std()

    def scaled(self, roots: Any) -> Any:
        """Roots on the scale of the networks."""
        return (roots - self.mean) / self.spread

    def unscaled(self, scaled: Array) -> Array:
        """What a network says, as sunspot numbers; a root is not below 0."""
        return np.maximum(scaled * self.spread + self.mean, 0) ** 2

    def windows(self) -> Array:
        """The roots of the years before each year that can be forecast, of shape (years - WINDOW, WINDOW)."""
        return sliding_window_view(self.roots, WINDOW)[:-1]

    def exercises(self) -> tuple[Array, Array]:
        """The windows until 1920, each in every strength, and what followed, all scaled."""
        known = self.learning[WINDOW:]
        windows, following = self.windows()[known], self.roots[WINDOW:][known]
        X = np.concatenate([self.scaled(k * windows) for k in STRENGTHS])
        return X, np.concatenate([self.scaled(k * following) for k in STRENGTHS])

    def rmse(self, forecast: Array, which: NDArray[np.bool_]) -> float:
        """The root of the mean squared error in these years, in sunspot numbers."""
        return float(np.sqrt(np.mean((forecast - self.activity)[which] ** 2)))


@dataclass(frozen=True)
class Result:
    """What the lesson found. Errors are root mean squares of one-year-ahead forecasts from 1956 to 2008.

    Attributes:
        linear: the error of the linear forecast from nine years; and ``linear_of_roots``, on the scale of roots.
        errors: of each kind of network, the errors of its committees, one for each seed.
        chosen: the kind that was best on the years for validation.
        picture: the file, or None without matplotlib.
    """

    linear: float
    linear_of_roots: float
    errors: dict[str, Array]
    chosen: str
    picture: Path | None


def run(output: Path, seed: int = 1, epochs: int = EPOCHS, committees: int = 10) -> Result:
    """The lesson; ``committees`` of networks are trained of each kind, with seeds that follow ``seed``."""
    sun = Sun()
    part("Part 1. The sun, and how to judge a forecast")
    introduce(sun)

    part("Part 2. A linear forecast")
    linear = linear_forecasts(sun)

    part("Part 3. A network with a memory, from primitives")
    explain_the_network(sun, seed, epochs)

    part("Part 4. The same from nn, and with gates")
    explain_gates(seed)
    kinds: dict[str, Callable[[np.random.Generator], Array]] = {
        "RNN by hand": lambda rng: by_hand(sun, epochs, rng)[0],
        "nn.RNN": lambda rng: by_nn(RNN, sun, epochs, rng),
        "nn.LSTM": lambda rng: by_nn(LSTM, sun, epochs, rng),
        "nn.GRU": lambda rng: by_nn(GRU, sun, epochs, rng),
    }
    forecasts = {}
    for name, forecast in kinds.items():
        started = perf_counter()
        forecasts[name] = [forecast(np.random.default_rng(seed + i)) for i in range(committees)]
        found = np.mean([sun.rmse(f, sun.validation) for f in forecasts[name]])
        seconds = perf_counter() - started
        print(f"  {name:<12} {committees} × {MEMBERS} networks   validation {found:.2f}   {seconds:.0f} s", flush=True)
    print()

    part("Part 5. The test")
    errors = {name: np.array([sun.rmse(f, sun.test) for f in found]) for name, found in forecasts.items()}
    chosen = min(forecasts, key=lambda name: float(np.mean([sun.rmse(f, sun.validation) for f in forecasts[name]])))
    report(sun, linear, forecasts, errors, chosen)

    draw = lambda figure: draw_result(figure, sun, linear, forecasts[chosen][0], errors, chosen)
    picture = pictures.save_picture(output / "sunspots.png", draw, size=(14, 6))
    plain, of_roots = (sun.rmse(forecast, sun.test) for forecast in linear.values())
    return Result(plain, of_roots, errors, chosen, picture)


def introduce(sun: Sun) -> None:
    """The data, the split and the measure."""
    tell(f"""
        Every year since {sun.years[0]} somebody has counted the spots on the sun. They come and go in about eleven
        years, but no two cycles are alike: the weakest peaks below 50, the strongest at {sun.activity.max():.0f}. Here
        is one cycle:
        """)
    for year, activity in zip(sun.years[143:156], sun.activity[143:156], strict=True):
        print(f"    {year}   {activity:5.1f}   {'•' * round(activity / 2)}")
    print()
    tell(f"""
        The task: knowing all years up to now, what will the next one be? We learn from 1700 to {LEARNT}. From
        {LEARNT + 1} to {CHOSEN} is for validation: by those years we choose. The test is {CHOSEN + 1} to
        {sun.years[-1]}, and that is for the end. These are the years that forecasters have used since the
        1980s. The split is by time and not at random, since a forecast that has seen 1958 is no forecast of 1957.

        The measure is the root of the mean squared error (RMSE), in sunspot numbers. Every forecast is for one year
        ahead, and may look at all true values before it: the linear one and the networks alike.""")


def linear_forecasts(sun: Sun) -> dict[str, Array]:
    """By least squares, from the numbers and from their roots; NaN in the first years."""
    same = np.r_[np.nan, sun.activity[:-1]]
    plain = autoregression(sun.activity, sun.learning)
    of_roots = np.maximum(autoregression(sun.roots, sun.learning), 0) ** 2
    tell(f"""
        Who says "as this year" is wrong by {sun.rmse(same, sun.validation):.2f} on the years for validation. A better
        rule: next year is a weighted sum of the last {LAGS} years and a constant (statistics calls it an
        autoregression, AR({LAGS})). The best weights come from least squares, at one stroke: {LAGS + 1} numbers to
        learn, and an error of {sun.rmse(plain, sun.validation):.2f}. This is the rival.

        It can be helped. Strong years are uncertain by more than weak ones, and least squares listen most to what errs
        most. On the scale of roots all years are about equally uncertain, and the same rule for roots, its forecast
        squared, errs by {sun.rmse(of_roots, sun.validation):.2f}. It would be unfair to give the networks the roots,
        and not the rival: both are kept.""")
    return {f"linear, {LAGS} years": plain, f"linear, {LAGS} years, of roots": of_roots}


def autoregression(series: Array, learning: NDArray[np.bool_]) -> Array:
    """Forecasts of every year from the years before it, with weights that are best where ``learning``."""
    before = np.column_stack([sliding_window_view(series, LAGS)[:-1], np.ones(len(series) - LAGS)])
    known = learning[LAGS:]
    weights, *_ = np.linalg.lstsq(before[known], series[LAGS:][known])
    return np.r_[np.full(LAGS, np.nan), before @ weights]


def explain_the_network(sun: Sun, seed: int, epochs: int) -> None:
    """Tell how the network by hand works, and train one committee."""
    tell(f"""
        The rival looks at {LAGS} years at once and has a weight for each. A recurrent network reads the years one after
        the other. It has a memory h of {HIDDEN} numbers, and for each year x

            h = tanh(x @ W + h @ U + b)

        the same W, U and b every time. After {WINDOW} years, one cycle and a little more, h @ V + c is the forecast.
        Tanh bends: so what last year means can depend on whether the sun is rising or falling, and how strongly. No
        weighted sum can do that. Backward goes through all {WINDOW} years; nothing has to be added for it.

        With {sun.learning.sum() - WINDOW} windows to learn from, two things need care. One: a network knows nothing of
        a sun stronger than any it has learnt from, and the next cycle may be just that. So it learns each window in
        {len(STRENGTHS)} strengths, with all roots times {", ".join(f"{k:g}" for k in STRENGTHS)}. That is a belief, not
        a fact: that a strong cycle goes as a weak one, enlarged.

        Two: each network errs in its own way, depending on the weights it began with. So we train a committee of
        {MEMBERS}, and their mean is the forecast. In the source W has shape ({MEMBERS}, 1, {HIDDEN}): {MEMBERS}
        networks, which learn beside each other and know nothing of each other. The first committee:
        """)
    _, difference = by_hand(sun, epochs, np.random.default_rng(seed), shown=True)
    print()
    tell(f"""
        All of it is in the function by_hand, and no more than tanh, @ and + is in it. nn.RNN, given the weights of the
        first member, says the same for every year, but for {difference:.1e}.""")


def by_hand(sun: Sun, epochs: int, rng: np.random.Generator, shown: bool = False) -> tuple[Array, float]:
    """The forecast of a committee made of primitives, for every year; and how far nn.RNN is from its first member."""
    X, y = sun.exercises()
    draw = lambda *shape: Tensor(rng.standard_normal(shape) / np.sqrt(shape[-2]))
    W, U, V = draw(MEMBERS, 1, HIDDEN), draw(MEMBERS, HIDDEN, HIDDEN), draw(MEMBERS, HIDDEN, 1)
    b, c = Tensor(np.zeros((MEMBERS, 1, HIDDEN))), Tensor(np.zeros((MEMBERS, 1, 1)))

    def forecast(x: Array) -> Any:
        h: Any = np.zeros((MEMBERS, len(x), HIDDEN))
        for year in range(WINDOW):
            h = tanh(x[:, year, None] @ W + h @ U + b)
        return h @ V + c  # of shape (members, windows, 1)

    optimizer = Adam([W, U, b, V, c], learning_rate=LEARNING_RATE)
    schedule = CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(X))
        losses = []
        for start in range(0, len(X), BATCH):
            rows = order[start : start + BATCH]
            loss = ((forecast(X[rows]) - y[rows, None]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        if shown and (epoch % 4 == 0 or epoch == epochs):
            print(f"  epoch {epoch:>2}/{epochs}   mean squared error of scaled roots {np.mean(losses):.4f}")

    with no_grad():
        scaled = forecast(sun.scaled(sun.windows())).data[..., 0]
    twin = Sequential(RNN(1, HIDDEN, return_sequences=False), Dense(HIDDEN, 1))
    cell, output = twin[0].cells[0], twin[1]
    cell.weight_ih.data, cell.weight_hh.data, cell.bias_ih.data = W.data[0].T, U.data[0].T, b.data[0, 0]
    output.weight.data, output.bias.data = V.data[0].T, c.data[0, 0]
    said = twin.predict(sun.scaled(sun.windows())[..., None])[:, 0]
    return whole(sun.unscaled(scaled).mean(axis=0)), float(abs(said - scaled[0]).max())


def explain_gates(seed: int) -> None:
    """Tell what LSTM and GRU are, and what fit does."""
    model = Sequential(GRU(1, HIDDEN, return_sequences=False, seed=seed), Dense(HIDDEN, 1, seed=seed))
    tell("""
        A plain memory is written anew every year, and on the way back through the years the gradient is multiplied by
        U and by the slope of tanh every time: it fades. LSTM and GRU have gates, numbers from 0 to 1, themselves
        learnt, that say how much of the old to keep. (The lesson lstm_cell opens one.) From nn each is one line, and
        fit is the loop of Part 3:
        """)
    print(f"{model.summary((WINDOW, 1))}\n")
    tell(f"""
        How far to look back, how many hidden numbers, how many epochs: all that was chosen by years up to {CHOSEN}. Now
        committees of each kind, one for each seed, so that luck can be told from skill:
        """)


def by_nn(kind: type[RNN] | type[LSTM] | type[GRU], sun: Sun, epochs: int, rng: np.random.Generator) -> Array:
    """The forecast of a committee of networks of nn, for every year."""
    X, y = sun.exercises()
    said = []
    for _ in range(MEMBERS):
        model = Sequential(kind(1, HIDDEN, return_sequences=False, seed=rng), Dense(HIDDEN, 1, seed=rng))
        model.fit(
            X[..., None],
            y,
            loss="mse",
            optimizer=Adam(model.parameters(), learning_rate=LEARNING_RATE),
            schedule=CosineAnnealingLR(T_max=epochs),
            epochs=epochs,
            batch_size=BATCH,
            seed=rng,
            verbose=0,
        )
        said.append(sun.unscaled(model.predict(sun.scaled(sun.windows())[..., None])[:, 0]))
    return whole(np.mean(said, axis=0))


def whole(forecast: Array) -> Array:
    """A forecast for all years; NaN for the first, which have no window before them."""
    return np.r_[np.full(WINDOW, np.nan), forecast]


def report(
    sun: Sun, linear: dict[str, Array], forecasts: dict[str, list[Array]], errors: dict[str, Array], chosen: str
) -> None:
    """The table of errors, and what it says."""
    committees = len(forecasts[chosen])
    linear_line, line = next(iter(linear.values())), forecasts[chosen][0]
    rose = sun.test & (np.diff(sun.activity, prepend=0) > 0)
    fell = sun.test & ~rose
    worst = int(np.argmax(np.where(sun.test, abs(linear_line - sun.activity), 0)))
    wrong = sun.rmse
    rivals = [sun.rmse(forecast, sun.test) for forecast in linear.values()]
    print(f"  {'':<25} {'validation':>10} {'test':>8} {'least':>7} {'most':>7}   better than linear, and of roots")
    for name, forecast in linear.items():
        print(f"  {name:<25} {sun.rmse(forecast, sun.validation):10.2f} {sun.rmse(forecast, sun.test):8.2f}")
    for name, found in errors.items():
        validation = np.mean([sun.rmse(forecast, sun.validation) for forecast in forecasts[name]])
        better = "   ".join(f"{(found < rival).sum():2} of {committees}" for rival in rivals)
        numbers = f"{validation:10.2f} {found.mean():8.2f} {found.min():7.2f} {found.max():7.2f}"
        print(f"  {name:<25} {numbers}   {better}")
    print()
    tell(f"""
        Validation is the column that we choose by, and it says {chosen}. And the test? Its committees err by
        {errors[chosen].mean():.2f} on average; the linear forecast errs by {rivals[0]:.2f}, and that of roots by
        {rivals[1]:.2f}.""")
    if errors[chosen].mean() > rivals[0]:
        tell("So the networks lose. They have not learnt for long enough: try more --epochs.")
        return
    tell(f"""
        Where is the difference? In the years in which the sun rose, the linear forecast errs by
        {wrong(linear_line, rose):.1f} and the first committee of {chosen} by {wrong(line, rose):.1f}; in those in which
        it fell, by {wrong(linear_line, fell):.1f} and {wrong(line, fell):.1f}. Cycles rise faster than they fall, and
        strong ones rise the fastest. A weighted sum has one set of weights for the way up and the way down. A network
        can bend.

        And look at {sun.years[worst]} in the picture: from {sun.activity[worst - 1]:.0f} the sun jumped to
        {sun.activity[worst]:.0f}, the linear forecast said {linear_line[worst]:.0f} and the network {line[worst]:.0f}.
        Some of the sun is beyond all of them.""")


def draw_result(
    figure: Any, sun: Sun, linear: dict[str, Array], forecast: Array, errors: dict[str, Array], chosen: str
) -> None:
    """The series with two forecasts, and their errors year by year; the error of every committee."""
    left, right = figure.subfigures(1, 2, width_ratios=[2.2, 1])
    by_kind = right.subplots()
    shown = sun.years > LEARNT
    rival = next(iter(linear.values()))
    series = plots.forecast(
        sun.activity[shown],
        {f"linear, {LAGS} years": rival[shown], f"{chosen}, a committee": forecast[shown]},
        times=sun.years[shown],
        split={"validation": LEARNT + 1, "test": CHOSEN + 1},
        name="the sun",
        axes=left.subplots(),
    )
    pictures.label(series, "Forecasts for one year ahead (the errors: of the test)", "", "yearly sunspot number")
    left.axes[1].set_xlabel("year")

    names = list(errors)
    for i, name in enumerate(names):
        colour = pictures.RED if name == chosen else pictures.GREY
        by_kind.plot(errors[name], np.full(len(errors[name]), i), "o", color=colour, alpha=0.6, markersize=6)
    for (name, line), style in zip(linear.items(), ("--", ":"), strict=True):
        by_kind.axvline(sun.rmse(line, sun.test), color=pictures.BLUE, linestyle=style, label=name)
    by_kind.set_yticks(range(len(names)), names)
    by_kind.set_ylim(-0.6, len(names) + 0.4)
    by_kind.legend(fontsize=9, frameon=False, loc="upper left")
    pictures.label(by_kind, "Error in the test: a dot is a committee", "RMSE (sunspot number)")
