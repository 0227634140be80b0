"""Handwritten digits: a network with a hidden layer learns to read, and we look at what it misreads.

    python -m examples digits

From here on a weight is one entry of an array, and a whole batch of images goes through at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples import pictures
from examples.datasets import read_digits, stratified_split
from examples.telling import part, tell
from nn import Adam, Dense, Dropout, EarlyStopping, History, Sequential, metrics, softmax
from viz import plots

EPOCHS = 60
SPLIT = 0  # the seed of the split: it is fixed, so that all networks that read digits can be compared


@dataclass(frozen=True)
class Digits:
    """Images of 8 × 8 pixels, from 0 (white) to 1 (black), in three parts.

    Attributes:
        images: of shape (n, 8, 8); and ``labels`` of shape (n,), the digits.
        learning, validation, test: the numbers of the images in each part: 60 %, 15 % and 25 % of every digit.
    """

    images: NDArray[np.float64]
    labels: NDArray[np.int64]
    learning: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        accuracy: the share of the test images that were read correctly.
        confusion: counts of (digit, what it was read as).
        epochs: how many were trained.
        picture: the file, or None without matplotlib.
    """

    accuracy: float
    confusion: NDArray[np.intp]
    epochs: int
    picture: Path | None


def split_digits() -> Digits:
    """The digits, split the same way every time."""
    data = read_digits()
    rng = np.random.default_rng(SPLIT)
    rest, test = stratified_split(data.labels, 0.25, rng)
    learning, validation = stratified_split(data.labels[rest], 0.2, rng)
    return Digits(data.features.reshape(-1, 8, 8) / 16, data.labels, rest[learning], rest[validation], test)


def run(output: Path, seed: int = 1, epochs: int = EPOCHS) -> Result:
    """The lesson; ``seed`` draws the first weights and the order of the images, and ``epochs`` is the most."""
    digits = split_digits()
    X, y = digits.images.reshape(-1, 64), digits.labels

    part("Part 1. What a machine sees")
    first = digits.learning[7]
    tell(f"""
        {len(y)} digits, written by hand, scanned, and reduced to 8 × 8 pixels. To us the one below is {a(y[first])}.
        To the network it is a row of 64 numbers, from 0 for white to 1 for black, and nothing says which are
        neighbours.
        """)
    for row in digits.images[first]:
        drawn = "".join(2 * " .:-=+*#%@"[int(9 * grey)] for grey in row)
        print(f"    {drawn}    {' '.join(f'{grey:4.2f}' for grey in row)}")
    print()

    part("Part 2. The network")
    rng = np.random.default_rng(seed)
    model = Sequential(
        Dense(64, 128, activation="relu", seed=rng),
        Dropout(0.3, seed=rng),
        Dense(128, 10, seed=rng),
    )
    print(f"{model.summary(64)}\n")
    tell("""
        Each of the 128 hidden units weighs all 64 pixels and passes on what is above 0 (relu). Each of the 10 outputs
        weighs the hidden units, and says how much speaks for its digit. Softmax makes probabilities of the ten scores,
        p = exp(score) / sum of all exp(score), and the loss is the surprise -log(p) at the digit that it really is.

        Dropout switches three in ten hidden units off, others at every step, while the network learns. No unit can
        rely on a single other one, and what is learnt that way holds better for images that were not learnt.""")

    part("Part 3. Three kinds of data")
    tell(f"""
        {len(digits.learning)} images are for learning. {len(digits.validation)} more are for validation: the network
        does not learn from them, but we do. They tell when to stop, and with them the step size and the share of
        dropout were chosen. And since choosing is a kind of learning too, {len(digits.test)} images are kept for the
        test. They are looked at once, at the end.
        """)
    best = EarlyStopping("validation_loss", patience=10)
    history = model.fit(
        X[digits.learning],
        y[digits.learning],
        loss="cross_entropy",
        optimizer=Adam(model.parameters(), learning_rate=0.003),
        epochs=epochs,
        batch_size=32,
        validation_data=(X[digits.validation], y[digits.validation]),
        metrics=["accuracy"],
        callbacks=[best],
        seed=rng,
        verbose=5,
    )
    ended = len(history["loss"])
    print()
    tell(f"""
        The loss on the images that are learnt falls and falls, and the loss on the validation images does not: from
        some epoch on the network learns images by heart. So training stops when ten epochs have brought nothing better
        (EarlyStopping), and the weights of the best epoch, number {best.best_epoch} of {ended}, come back.""")

    part("Part 4. The test")
    scores = model.predict(X[digits.test])
    p = softmax(scores)
    guesses, truth = scores.argmax(axis=1), y[digits.test]
    accuracy = metrics.accuracy(scores, truth)
    confusion = metrics.confusion_matrix(scores, truth)
    print(f"Test accuracy: {accuracy:.4f} ({(guesses == truth).sum()} of {len(truth)} digits it had never seen)\n")
    wrong = np.flatnonzero(guesses != truth)
    for i in wrong:
        read, right = guesses[i], truth[i]
        print(f"  {a(right)} was read as {read}, with p = {p[i, read]:.2f}; p = {p[i, right]:.2f} for {right}")
    print()
    tell("""
        Look at them in the picture before you blame the network: some are hard for us as well. And one warning. The
        13 people who wrote the test images also wrote the others. How well the network reads the hand of a stranger,
        this test does not say.""")

    draw = lambda figure: draw_result(figure, digits.images[digits.test], truth, p, confusion, history, best.best_epoch)
    picture = pictures.save_picture(output / "digits.png", draw, size=(13, 5))
    return Result(accuracy, confusion, ended, picture)


def a(digit: int) -> str:
    """The digit in a sentence.

    >>> a(7), a(8)
    ('a 7', 'an 8')
    """
    return f"{'an' if digit == 8 else 'a'} {digit}"


def draw_result(
    figure: Any, images: Any, truth: Any, p: Any, confusion: Any, history: History, best_epoch: int
) -> None:
    """The digits it was least sure of; the confusion matrix; the learning curve."""
    left, middle, right = figure.subfigures(1, 3, width_ratios=[1.1, 1.05, 1])
    draw_hardest(left, images, truth, p)
    plots.confusion_matrix(matrix=confusion, axes=middle.subplots())
    plots.learning_curves(history, names=["loss"], best=best_epoch, axes=right.subplots())


def draw_hardest(figure: Any, images: Any, truth: Any, p: Any, rows: int = 4) -> None:
    """The images whose digit got the least probability, five in a row, each with what it was read as."""
    figure.suptitle("The hardest of the test\n(what it is → what was read)", fontsize=11)
    hardest = np.argsort(p[np.arange(len(truth)), truth])[: 5 * rows]
    for axes, i in zip(figure.subplots(rows, 5).flat, hardest, strict=True):
        guess = p[i].argmax()
        pictures.show_image(axes, images[i])
        colour = "black" if guess == truth[i] else pictures.RED
        axes.set_title(f"{truth[i]} → {guess}", fontsize=10, color=colour, pad=2)
