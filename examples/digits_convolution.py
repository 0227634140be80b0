"""Handwritten digits again, by a network that knows what a neighbour is: convolution and pooling.

    python -m examples digits_convolution

The same images and the same test as in the lesson digits, so the two can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples import pictures
from examples.digits import a, draw_hardest, split_digits
from examples.telling import part, tell
from nn import (
    Adam,
    Conv2d,
    CosineAnnealingLR,
    Dense,
    Dropout,
    Flatten,
    History,
    MaxPool2d,
    Sequential,
    metrics,
    softmax,
)
from viz import plots

EPOCHS = 30


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        accuracy: the share of the test images that were read correctly.
        picture: the file, or None without matplotlib.
    """

    accuracy: float
    picture: Path | None


def run(output: Path, seed: int = 1, epochs: int = EPOCHS) -> Result:
    """The lesson; ``seed`` draws the first weights and the order of the images."""
    digits = split_digits()
    X, y = digits.images[:, None], digits.labels  # of shape (n, channels, height, width), with one channel of grey

    part("Part 1. One stroke, by hand")
    by_hand(digits.images[digits.test[0]], int(y[digits.test[0]]))

    part("Part 2. The network")
    rng = np.random.default_rng(seed)
    model = Sequential(
        Conv2d(1, 16, 3, padding=1, activation="relu", seed=rng),
        Conv2d(16, 32, 3, padding=1, activation="relu", seed=rng),
        MaxPool2d(2),
        Flatten(),
        Dropout(0.3, seed=rng),
        Dense(32 * 4 * 4, 10, seed=rng),
    )
    print(f"{model.summary((1, 8, 8))}\n")
    tell("""
        Nobody will choose the nine numbers of a kernel: they are weights, and learnt. The first layer has 16 kernels
        and makes 16 maps of where each of them found its stroke. The second has 32, and each sees 3 × 3 places of all
        16 maps: strokes of strokes, such as corners and ends.

        MaxPool2d(2) keeps the largest of each 2 × 2 places. A stroke that lies one pixel further to the right mostly
        stays in its square: the map hardly changes, and what follows has a quarter of the numbers to look at. At the
        end a dense layer weighs what was found and where, as in the lesson before.

        A convolution has few weights for what it does: the first layer has 160, and a dense layer between the same
        numbers would have 66,560. Every kernel is used at all 64 places, and so learns from all of them.""")

    part("Part 3. Learning")
    learning = np.concatenate([digits.learning, digits.validation])
    tell(f"""
        All choices (how many kernels, dropout, step size, epochs) were made with images held out for validation. They
        are made, so the validation images are free: the network learns from all {len(learning)} images that are not for
        the test. The step size falls along a cosine: bold first, careful in the end.
        """)
    history = model.fit(
        X[learning],
        y[learning],
        loss="cross_entropy",
        optimizer=Adam(model.parameters(), learning_rate=0.003),
        schedule=CosineAnnealingLR(T_max=epochs),
        epochs=epochs,
        batch_size=32,
        metrics=["accuracy"],
        seed=rng,
        verbose=5,
    )
    print()

    part("Part 4. The test")
    scores, truth = model.predict(X[digits.test]), y[digits.test]
    accuracy, guesses = metrics.accuracy(scores, truth), scores.argmax(axis=1)
    print(f"Test accuracy: {accuracy:.4f} ({(guesses == truth).sum()} of {len(truth)} digits it had never seen)\n")
    wrong = np.flatnonzero(guesses != truth)
    for i in wrong:
        print(f"  {a(truth[i])} was read as {guesses[i]}")
    print()
    tell("""
        It knows nothing more about digits than the dense network did. It only was not left to find out that pixels
        have neighbours, and that a stroke is a stroke wherever it is. (It has also learnt from the images for
        validation. Those are not what makes the difference: with them, the dense network reads no better.)""")

    draw = lambda figure: draw_result(figure, model, X[digits.test], truth, softmax(scores), history)
    picture = pictures.save_picture(output / "digits_convolution.png", draw, size=(13, 6.5))
    return Result(accuracy, picture)


def by_hand(image: NDArray[np.float64], digit: int) -> None:
    """One kernel slides over one image, in plain Python; and Conv2d gives the same."""
    kernel = np.array([[-1.0, 0.0, 1.0]] * 3)
    found = np.zeros((6, 6))
    for row in range(6):
        for column in range(6):
            window = image[row : row + 3, column : column + 3]
            found[row, column] = (window * kernel).sum()

    layer = Conv2d(1, 1, 3, bias=False)
    layer.weight.data = kernel[None, None]
    difference = abs(layer(image[None, None]).data[0, 0] - found).max()
    tell(f"""
        A dense layer has a weight of its own for each pixel. It must learn what a stroke looks like at every place
        anew, and would not notice if somebody shuffled the pixels of all images the same way. We would. So take a
        kernel, a small window of weights, and slide it over the image. At every place, multiply what lies under it and
        add up. This one adds what is on its right and subtracts what is on its left, so it finds left edges of ink:

          -1  0  +1
          -1  0  +1
          -1  0  +1

        Here is {a(digit)} of 8 × 8 pixels, and what the kernel says at its 6 × 6 places:
        """)
    for row in range(8):
        drawn = "".join(2 * " .:-=+*#%@"[int(9 * grey)] for grey in image[row])
        says = " ".join(f"{number:5.1f}" for number in found[row - 1]) if 0 < row < 7 else ""
        print(f"    {drawn}    {says}".rstrip())
    print()
    tell(f"""
        Large where ink begins, below 0 where it ends. A loop in plain Python computed it: it is at the top of
        by_hand, in the source of this lesson. The layer nn.Conv2d, given this kernel, differs from it by at most
        {difference:.1g}.""")


def draw_result(figure: Any, model: Sequential, X: Any, truth: Any, p: Any, history: History) -> None:
    """The kernels, what they find in one digit, what is left after pooling; the hardest; the learning curve."""
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.05])
    kernels, image, first, pooled = top.subfigures(1, 4, width_ratios=[1, 0.6, 1, 1])
    chosen = int(np.flatnonzero((truth == 5) & (p.argmax(axis=1) == 5))[0])
    one = X[chosen : chosen + 1]
    layers = list(model)
    first_maps = layers[0](one)
    pooled_maps = layers[2](layers[1](first_maps)).data[0]

    weights = layers[0].weight.data[:, 0]
    reach = abs(weights).max()
    grid(
        kernels,
        "The 16 kernels that were learnt\n(blue below 0, red above)",
        weights,
        cmap="RdBu_r",
        limits=(-reach, reach),
    )
    image.suptitle("One digit", fontsize=11)
    pictures.show_image(image.subplots(), one[0, 0])
    grid(first, "Where each kernel finds its stroke\n(after relu)", first_maps.data[0])
    grid(pooled, "After the second layer and pooling\n(16 of 32 maps)", pooled_maps[:16])

    hardest, curve = bottom.subfigures(1, 2, width_ratios=[1.2, 1])
    draw_hardest(hardest, X[:, 0], truth, p, rows=2)
    plots.learning_curves(history, names=["loss"], best=False, axes=curve.subplots())


def grid(
    figure: Any, title: str, images: Any, *, cmap: str = "gray_r", limits: tuple[float, float] | None = None
) -> None:
    """Sixteen small images, all on one scale."""
    low, high = limits or (0.0, float(images.max()))
    figure.suptitle(title, fontsize=11)
    for axes, image in zip(figure.subplots(4, 4).flat, images, strict=True):
        pictures.show_image(axes, image, cmap=cmap, vmin=low, vmax=high)
