"""Logistic regression: from measurements of cells to the odds that a tumour is malignant.

    python -m examples logistic_regression

A single layer without anything hidden, on data where the two kinds of mistake do not weigh the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples import pictures
from examples.datasets import BREAST_CANCER_FEATURES, read_breast_cancer, stratified_split
from examples.telling import part, tell
from nn import SGD, LogisticRegression, Normalizer, metrics

EPOCHS = 200
WEIGHT_DECAY = 0.01  # chosen among 0, 0.001, 0.003 ... 0.1, by patients held out of the part to learn from


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        accuracy: the share of unseen tumours that were named correctly.
        confusion: counts of (actual, predicted), benign first.
        area: under the receiver operating characteristic.
        picture: the file, or None without matplotlib.
    """

    accuracy: float
    confusion: NDArray[np.intp]
    area: float
    picture: Path | None


def run(output: Path, seed: int = 1, epochs: int = EPOCHS) -> Result:
    """The lesson; ``seed`` draws who is held out."""
    tumours = read_breast_cancer()
    X = tumours.features
    y = (np.array(tumours.classes)[tumours.labels] == "malignant").astype(int)

    part("Part 1. From a line to odds")
    train, test = stratified_split(y, 1 / 3, np.random.default_rng(seed))
    tell(f"""
        {len(y)} tumours, of which {y.sum()} turned out to be malignant. Of each, a computer measured {X.shape[1]}
        things on the cell nuclei in a microscope picture: radius, texture, smoothness ... Can a weighted sum of those
        tell which is which?

        A weighted sum z = w · x + b can be any number, and we want a probability. So let z be the logarithm of the
        odds: z = 0 is one to one, z = 1 is e to one for malignant, z = -1 is e to one against it. Solved for the
        probability, that is p = 1 / (1 + exp(-z)), the sigmoid, an S from 0 to 1.

        And the loss? If a tumour is malignant and the model gave it p, how surprised should it be? By -log(p): nothing
        at p = 1, and without end towards p = 0. The mean surprise is called the cross-entropy.""")

    part("Part 2. Scales, and what must not leak")
    tell(f"""
        An area is about {X[:, 3].mean():.0f} and a smoothness about {X[:, 4].mean():.1f}. One learning rate cannot
        suit both, so every measurement is brought to mean 0 and standard deviation 1.

        But whose mean? {len(test)} tumours are held out, drawn so that both parts hold the same share of malignant
        ones. They stand for patients who have not come yet: of those no mean is known. A Normalizer fitted on all
        patients would carry a little of the answer sheet into the exercise.""")
    normalizer = Normalizer().fit(X[train])
    X_train, X_test = normalizer.transform(X[train]), normalizer.transform(X[test])

    part("Part 3. Learning")
    model = LogisticRegression(X.shape[1])
    optimizer = SGD(model.parameters(), learning_rate=0.1, momentum=0.9, weight_decay=WEIGHT_DECAY)
    model.fit(
        X_train,
        y[train],
        optimizer=optimizer,
        epochs=epochs,
        batch_size=len(train),
        metrics=["accuracy"],
        verbose=max(1, epochs // 5),
    )
    print()
    tell(f"""
        Before the first step all weights are 0, every p is 1/2, and the surprise is log 2 = {np.log(2):.4f}. It could
        be driven far lower on the {len(train)} patients to learn from, by {X.shape[1]} weights that grow and grow, and
        that does not help others. So each step also pulls the weights a little towards 0
        (weight_decay={WEIGHT_DECAY}), even where that costs a little loss.""")

    part("Part 4. Patients it has never seen")
    logits = model(X_test).data[:, 0]
    p = model.predict_proba(X_test)[:, 1]
    guesses = model.predict(X_test)
    accuracy = metrics.accuracy(guesses, y[test])
    confusion = metrics.confusion_matrix(guesses, y[test], classes=2)
    area = metrics.roc_auc(logits, y[test])
    right = int((guesses == y[test]).sum())
    tell(f"""
        Test accuracy: {accuracy:.3f} ({right} of {len(test)} tumours)

                               called benign   called malignant
          really benign            {confusion[0, 0]:4}             {confusion[0, 1]:4}
          really malignant         {confusion[1, 0]:4}             {confusion[1, 1]:4}

        The two kinds of mistake are not alike. Patients frightened without need: {confusion[0, 1]}. Patients sent home
        with a malignant tumour: {confusion[1, 0]}. Accuracy counts both the same, and a doctor does not. But p is more
        than yes or no, and nobody says that the line must be drawn at one half:
        """)
    for threshold in (0.5, 0.2, 0.1, 0.05):
        alarm = p > threshold
        missed, frightened = int((~alarm & (y[test] == 1)).sum()), int((alarm & (y[test] == 0)).sum())
        print(f"  alarm above p = {threshold:4}:   missed {missed:2}   frightened {frightened:2}")
    print()
    tell(f"""
        Every threshold is one point of the curve in the picture (the ROC curve). The area under it, {area:.4f}, is how
        often a malignant tumour gets a higher p than a benign one. These rows are for seeing how the choice works.
        To make it, use patients held out for that, not the ones you report on.""")

    part("Part 5. What it looks at")
    weights = model.weight.data[0]
    order = np.argsort(-abs(weights))[:8]
    for i in order:
        odds = np.exp(weights[i])
        print(
            f"  {BREAST_CANCER_FEATURES[i]:<26} w = {weights[i]:+.2f}   odds × {odds:.2f} for each standard deviation"
        )
    print()
    tell("""
        Here is what the single layer has for it: its weights can be read, and they multiply the odds. (They share the
        work among measurements that go together, as radius, perimeter and area do, so each alone says little.)""")

    draw = lambda figure: draw_result(figure, logits, y[test], area, weights)
    picture = pictures.save_picture(output / "logistic_regression.png", draw, size=(14, 4.2))
    return Result(accuracy, confusion, area, picture)


def draw_result(figure: Any, logits: Any, y: Any, area: float, weights: Any) -> None:
    """The log-odds of both kinds; the ROC curve; the largest weights."""
    odds, roc, bars = figure.subplots(1, 3, width_ratios=[1.25, 1, 1])
    both, colours = [logits[y == 0], logits[y == 1]], [pictures.SKY, pictures.RED]
    odds.hist(both, bins=40, stacked=True, color=colours, label=["benign", "malignant"])
    odds.yaxis.get_major_locator().set_params(integer=True)
    odds.axvline(0, color="black", linewidth=1, linestyle="--", label="p = 1/2")
    odds.legend(fontsize=8, frameon=False)
    pictures.label(odds, "What it says of tumours it has never seen", "log-odds z = w · x + b", "tumours")

    by_odds = np.argsort(-logits)
    found = np.concatenate([[0], np.cumsum(y[by_odds] == 1) / (y == 1).sum()])
    alarmed = np.concatenate([[0], np.cumsum(y[by_odds] == 0) / (y == 0).sum()])
    roc.plot([0, 1], [0, 1], color=pictures.GREY, linewidth=1, linestyle=":", label="guessing")
    roc.step(alarmed, found, where="post", color=pictures.BLUE, linewidth=2, label=f"the model: area {area:.4f}")
    half = (logits[y == 0] > 0).mean(), (logits[y == 1] > 0).mean()
    roc.plot(*half, "o", color="black", label="p = 1/2")
    roc.legend(fontsize=8, frameon=False, loc="lower right")
    pictures.label(roc, "All thresholds at once (ROC)", "benign called malignant (share)", "malignant found (share)")

    order = np.argsort(-abs(weights))[:10][::-1]
    signs = np.where(weights[order] > 0, pictures.RED, pictures.SKY)
    bars.barh([BREAST_CANCER_FEATURES[i] for i in order], weights[order], color=signs)
    bars.axvline(0, color="black", linewidth=0.8)
    bars.tick_params(axis="y", labelsize=8)
    pictures.label(bars, "The ten largest weights", "log-odds per standard deviation")
