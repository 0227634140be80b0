"""Three species at once: softmax, cross-entropy, and a network that says how sure it is and why.

    python -m examples iris

The flowers and the single numbers of the lesson first_network, with the loss that is made for classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Value
from examples import pictures
from examples.datasets import IRIS_FEATURES, Dataset, read_iris, stratified_split
from examples.telling import part, tell
from nn import SGD, History, Network, Normalizer, cross_entropy, metrics, softmax, to_sequential
from viz import plots

EPOCHS = 40


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        accuracy: the share of the flowers held out that were named correctly.
        confusion: counts of (species, what it was called).
        picture: the file, or None without matplotlib.
    """

    accuracy: float
    confusion: NDArray[np.intp]
    picture: Path | None


def run(output: Path, seed: int = 1, epochs: int = EPOCHS) -> Result:
    """The lesson; ``seed`` draws who is held out, the first weights and the order of the flowers."""
    flowers = read_iris()
    rng = np.random.default_rng(seed)
    train, test = stratified_split(flowers.labels, 1 / 3, rng)
    normalizer = Normalizer().fit(flowers.features[train])
    X, y = normalizer.transform(flowers.features), flowers.labels
    network = Network([4, 8, 3], activation="tanh", seed=rng)

    part("Part 1. Scores, probabilities, surprise")
    before_learning(network, X[train[0]], int(y[train[0]]), flowers.classes)

    part("Part 2. Learning")
    tell(f"""
        {len(train)} of the {len(y)} flowers are for learning, {len(test)} are held out for the test. Mean and standard
        deviation of the measurements are those of the {len(train)}. {network} has {len(network.parameters())} numbers
        to learn, each a Value; an epoch is once through the flowers, 25 at a time.
        """)
    history = network.fit(
        X[train],
        y[train],
        loss="cross_entropy",
        optimizer=SGD(network.parameters(), learning_rate=0.1, momentum=0.9, weight_decay=0.01),
        epochs=epochs,
        batch_size=25,
        metrics=["accuracy"],
        seed=rng,
        verbose=5,
    )
    print()

    part("Part 3. Flowers it has never seen")
    scores = network.predict(X[test])
    accuracy, confusion = metrics.accuracy(scores, y[test]), metrics.confusion_matrix(scores, y[test])
    report(scores, y[test], test, flowers.classes)

    part("Part 4. Why?")
    ask_why(network, normalizer, flowers, int(test[np.argmin(softmax(scores).max(axis=1))]))

    draw = lambda figure: draw_result(figure, network, normalizer, flowers, test, history)
    picture = pictures.save_picture(output / "iris.png", draw, size=(13, 4.6))
    return Result(accuracy, confusion, picture)


def before_learning(network: Network, flower: NDArray[np.float64], species: int, classes: tuple[str, ...]) -> None:
    """From scores to a loss, by hand and by nn."""
    scores = [score.data for score in network(flower)]
    raised = np.exp(scores)
    p = raised / raised.sum()
    tell("""
        A network has one output for each species: its score, any number at all. The largest score is the answer. But
        how sure is it? Softmax raises e to each score, which leaves nothing below 0, and divides by the sum, so that
        together they make 1. Before any learning, a flower gets
        """)
    total = raised.sum()
    for name, score, power, share in zip(classes, scores, raised, p, strict=True):
        print(f"  {name:<11} score {score:7.4f}   e^score {power:.4f}   p = {power:.4f} / {total:.4f} = {share:.4f}")
    print()
    loss = cross_entropy(network(flower), species)
    tell(f"""
        It is a {classes[species]}, and that got p = {p[species]:.4f}. The loss is the surprise, -log({p[species]:.4f})
        = {-np.log(p[species]):.4f}; nn calls it cross_entropy and gives {loss:.4f}. Why not the squared error, as in
        the first lesson? There the right score should be 1, and a score of 3, right and sure, counts as wrong.
        Surprise has none of that, and for being sure and wrong it knows no upper bound.""")


def report(
    scores: NDArray[np.float64], truth: NDArray[np.int64], numbers: NDArray[np.int64], classes: tuple[str, ...]
) -> None:
    """The accuracy and every mistake, with how sure the network was."""
    p, guesses = softmax(scores), scores.argmax(axis=1)
    right = guesses == truth
    print(f"Test accuracy: {right.mean():.3f} ({right.sum()} of {len(truth)} flowers it had never seen)\n")
    for i in np.flatnonzero(~right):
        called = f"was called {classes[guesses[i]]}, p = {p[i].max():.2f}"
        print(f"  flower {numbers[i] + 1} is {classes[truth[i]]}, and {called}")
    print()
    sure = p.max(axis=1) >= 0.9
    tell(f"""
        With {len(truth)} flowers one mistake is {100 / len(truth):.0f} %: run it with another --seed, and other flowers
        are held out. But p is worth reading too. Of {sure.sum()} flowers it was at least 90 % sure of, it mistook
        {(sure & ~right).sum()}; of the {(~sure).sum()} others {(~sure & ~right).sum()}. Somebody who must not be wrong
        could ask a botanist about those.""")


def ask_why(network: Network, normalizer: Normalizer, flowers: Dataset, which: int) -> None:
    """The gradient of a probability with respect to the measurements of one flower."""
    row = normalizer.transform(flowers.features[which : which + 1])[0]
    measurements = [Value(x, label=name) for name, x in zip(IRIS_FEATURES, row, strict=True)]
    p = softmax(network(measurements))
    guess = int(np.argmax([p_k.data for p_k in p]))
    p[guess].backward()
    tell(f"""
        Flower {which + 1} is the one of the test that it was least sure of: {flowers.classes[guess]}, with
        p = {p[guess]:.2f}. (It is {flowers.classes[flowers.labels[which]]}.) What does that p hang on? So far gradients
        told the weights how to move. But a measurement can be a Value too, and then the same backward pass says what
        each measurement does to p:
        """)
    for x, cm, scale in zip(measurements, flowers.features[which], np.asarray(normalizer.scale_), strict=True):
        print(f"  {x.label:<13} {cm:.1f} cm   p changes by {x.grad / scale / 10:+.3f} per millimetre")
    print()


def draw_result(
    figure: Any, network: Network, normalizer: Normalizer, flowers: Dataset, test: NDArray[np.int64], history: History
) -> None:
    """What it would call each flower in the plane of the petals; the learning curve."""
    regions, curve = figure.subplots(1, 2, width_ratios=[1.5, 1])
    fast = to_sequential(network)  # the same network, made of arrays
    plots.decision_boundary(
        lambda measured: softmax(fast.predict(normalizer.transform(measured))),
        flowers.features,
        flowers.labels,
        classes=flowers.classes,
        features=(2, 3),
        held_out=np.isin(np.arange(len(flowers.labels)), test),
        axes=regions,
    )
    title = "What it would say, for sepals of mean size (dashed: 90 % sure)"
    pictures.label(regions, title, "petal length (cm)", "petal width (cm)")
    plots.learning_curves(history, axes=curve)
