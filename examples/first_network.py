"""A first network: train single neurons on real flowers, then follow one backward pass by hand.

    python -m examples first_network

Every weight in this lesson is one ``Value``: one number in a graph, with one gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import numpy as np
from numpy.typing import NDArray

import viz
from autodiff import Value, explain
from examples.datasets import IRIS_FEATURES, Dataset, read_iris, stratified_split
from nn import SGD, Network, Neuron

EPOCHS = 40
NUDGE = 1e-4
STEP = 0.05


@dataclass(frozen=True)
class Result:
    """What the lesson found: the share of unseen flowers it named correctly, and the picture it drew."""

    accuracy: float
    picture: Path


def run(output: Path, seed: int = 1, epochs: int = EPOCHS) -> Result:
    """Both parts of the lesson; the picture goes to the folder ``output``."""
    flowers = read_iris()
    rng = np.random.default_rng(seed)
    say("Part 1. A network learns to tell flowers apart")
    accuracy = train_a_network(flowers, epochs, rng)
    say("Part 2. One backward pass, number by number")
    picture = follow_one_backward_pass(flowers, output, rng)
    return Result(accuracy, picture)


def train_a_network(flowers: Dataset, epochs: int, rng: np.random.Generator) -> float:
    """Train on two thirds of the flowers; returns the accuracy on the third that was held out."""
    train, test = stratified_split(flowers.labels, 1 / 3, rng)

    # A network learns best from numbers around 0. Mean and spread come from the training flowers alone:
    # nothing about the test flowers may leak into training.
    X = standardised(flowers.features, flowers.features[train])

    # One output for each species: 1 for the right one, 0 for the others.
    y = np.eye(len(flowers.classes))[flowers.labels]

    network = Network([4, 8, 3], activation="tanh", seed=rng)
    optimizer = SGD(network.parameters(), learning_rate=0.2, momentum=0.9)
    print(f"{len(flowers.labels)} irises of three species: {', '.join(flowers.classes)}.")
    print(f"Each is four numbers: {', '.join(IRIS_FEATURES)}.")
    print(f"{len(train)} are for learning, {len(test)} are held out for the test.")
    print(f"The network, {network}, has {len(network.parameters())} numbers to learn, random at first.")
    print("An epoch is once through the flowers for learning. The loss is the mean squared error of the outputs;")
    print("it need not fall every time, since each step sees only some of the flowers:\n")

    network.fit(X[train], y[train], loss="mse", optimizer=optimizer, epochs=epochs, batch_size=25, seed=rng, verbose=5)

    guesses = network.predict(X[test]).argmax(axis=1)
    right = guesses == flowers.labels[test]
    print(f"\nTest accuracy: {right.mean():.3f} ({right.sum()} of {len(test)} flowers it had never seen)")
    for i, guess in zip(test[~right], guesses[~right], strict=True):
        truth = flowers.classes[flowers.labels[i]]
        print(f"  mistaken: flower {i + 1} is {truth}, the network says {flowers.classes[guess]}")
    return float(right.mean())


def follow_one_backward_pass(flowers: Dataset, folder: Path, rng: np.random.Generator) -> Path:
    """One neuron, one flower, every gradient; returns where the picture of the graph is."""
    flower = standardised(flowers.features, flowers.features)[0]
    species = flowers.classes[flowers.labels[0]]
    print(
        dedent(f"""\
        The network learnt because each weight knew which way to move. How did it know?
        Take a single untrained neuron, tanh(w · x + b), and a single flower, a {species}:
        """)
    )
    for i, (name, x) in enumerate(zip(IRIS_FEATURES, flower, strict=True)):
        print(f"  x{i} = {x:7.4f}   {name}, in standard deviations from the mean")
    print(f"\nIts output should be 1 for {species}. The loss is how far it is from that, squared.\n")

    neuron = Neuron(4, activation="tanh", seed=rng)
    output = neuron(flower)
    loss = squared_error(output)
    output.label, loss.label = "output", "loss"

    loss.backward()
    before = loss.data
    print(explain(loss))

    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "one_neuron.svg"
    viz.draw(loss).save(str(picture))
    print(f"\nThe same graph as a picture: {picture}")

    print(f"\nIs it true? Move w2 by {NUDGE:g} to both sides, and see how the loss follows:\n")
    w = neuron.weights[2]
    start = w.data
    w.data = start + NUDGE
    above = squared_error(neuron(flower)).data
    w.data = start - NUDGE
    below = squared_error(neuron(flower)).data
    w.data = start
    print(f"  the loss is {above:.8f} above and {below:.8f} below")
    print(f"  so its slope is ({above:.8f} - {below:.8f}) / {2 * NUDGE:g} = {(above - below) / (2 * NUDGE):.4f}")
    print(f"  and the backward pass said ∇w2 = {w.grad:.4f}")

    print(f"\nAnd now learn: move the four weights and b by {-STEP} × their gradients.\n")
    SGD(neuron.parameters(), learning_rate=STEP).step()
    print(f"  w2: {start:.4f} - {STEP} × {w.grad:.3f} = {w.data:.4f}, and so on")
    print(f"  loss before the step: {before:.4f}")
    print(f"  loss after the step:  {squared_error(neuron(flower)):.4f}")
    print("\nTraining is this step, many times over. Part 1 took four in each epoch, each with the gradient averaged")
    print("over about 25 flowers, and with momentum: a part of the step before is kept.")
    return picture


def squared_error(output: Value) -> Value:
    """How far the neuron's output is from 1, squared."""
    return (output - 1) ** 2


def standardised(features: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features in standard deviations from the mean, both as ``reference`` has them."""
    mean, spread = reference.mean(axis=0), reference.std(axis=0)
    return np.asarray((features - mean) / spread)


def say(title: str) -> None:
    print(f"\n{title}\n{'─' * len(title)}")
