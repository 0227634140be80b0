"""Names, letter by letter: a network with a memory learns how names go on, and then writes names of its own.

    python -m examples names

The loop of training is written out here, since names are of unequal length, and every batch is as long as its names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import no_grad
from examples import pictures
from examples.datasets import read_names
from examples.telling import part, tell
from nn import (
    GRU,
    AdamW,
    CosineAnnealingLR,
    Dense,
    Dropout,
    Embedding,
    Module,
    WarmUp,
    clip_by_norm,
    cross_entropy,
    softmax,
)
from viz import plots

EPOCHS = 10
BATCH = 128  # names
HIDDEN = 192
SPLIT = 0  # the seed of the split: it is fixed, so that networks can be compared
END = 0
LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # the first is the end mark
WRITTEN = 24  # names
LONGEST = 30  # letters


@dataclass(frozen=True)
class Names:
    """Names in three parts, of which none has a name of another."""

    learning: list[str]
    validation: list[str]
    test: list[str]


@dataclass(frozen=True)
class Result:
    """What the lesson found.

    Attributes:
        surprise: -log p of a character of the test names, on average, with the natural logarithm; the end mark counts.
        counted: the same for pairs of letters, counted.
        written: the names that it wrote.
        seconds: how long it learnt.
        picture: the file, or None without matplotlib.
    """

    surprise: float
    counted: float
    written: list[str]
    seconds: float
    picture: Path | None


@dataclass(frozen=True)
class Curve:
    """The surprise on the names to learn from and on those for validation, epoch by epoch."""

    learning: list[float]
    validation: list[float]


class Writer(Module):
    """Reads letters one after the other, and scores after each of them what may come next."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.letters = Embedding(len(LETTERS), 32, seed=rng)
        self.memory = GRU(32, HIDDEN, return_state=True, seed=rng)
        self.dropout = Dropout(0.3, seed=rng)
        self.next = Dense(HIDDEN, len(LETTERS), seed=rng)

    def forward(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        """Scores of shape (N, T, 27) for letters x of shape (N, T), and the state of the memory at their end."""
        memories, state = self.memory(self.letters(x), state)
        return self.next(self.dropout(memories)), state


def split_names() -> Names:
    """Every name once, 80 % to learn from, 10 % for validation and 10 % for the test."""
    distinct = sorted(set(read_names()))
    shuffled = [distinct[i] for i in np.random.default_rng(SPLIT).permutation(len(distinct))]
    first, second = round(0.8 * len(shuffled)), round(0.9 * len(shuffled))
    return Names(shuffled[:first], shuffled[first:second], shuffled[second:])


def run(output: Path, seed: int = 1, epochs: int = EPOCHS) -> Result:
    """The lesson; ``seed`` draws the first weights, the order of the names, and the names that are written."""
    names = split_names()
    rng = np.random.default_rng(seed)

    part("Part 1. What comes next?")
    counted = introduce(names)

    part("Part 2. A network that remembers")
    model = Writer(rng)
    print(f"{model!r}\n")
    tell(f"""
        Embedding gives each of the 27 characters a row of 32 numbers, random at first. GRU is the memory: {HIDDEN}
        numbers, which every letter changes. It has gates, themselves learnt, that say how much of the old to keep. And
        Dense turns the memory into 27 scores, one for each character that may come next; softmax makes probabilities
        of them. So nobody decides how many letters back to look. What should be remembered is learnt, through the loop:
        backward goes from each letter through all the letters before it.

        Names are of unequal length, and an array is a rectangle. So a batch has {BATCH} names of about one length, and
        the shorter ones are filled up with end marks. Those are no characters of the name: they are left out of the
        loss (cross_entropy is given the real ones only), and what is left out sends no gradient.

        The step size grows at first, while the weights are still random, and then falls along a cosine to 0: large
        steps to find the way, small ones to arrive. AdamW pulls all weights a little towards 0, and Dropout hides
        three in ten of the memory's numbers from Dense. Both keep it from learning names by heart.
        """)
    started = perf_counter()
    curve = learn(model, names, epochs, rng)
    seconds = perf_counter() - started
    print()

    part("Part 3. The test")
    model.eval()
    surprise = surprise_of(model, names.test)
    tell(f"""
        {len(names.test):,} names are left that it has never seen, and by which nothing was chosen either:
        """)
    print(f"Test surprise: {surprise:.4f} per character (natural logarithm, the end mark counts as a character)\n")
    tell(f"""
        Pairs gave {counted:.4f}. To see what that means, raise e to it: pairs are as unsure as if they had to guess
        among {np.exp(counted):.1f} equally likely characters, and the network among {np.exp(surprise):.1f}. It cannot
        get near 1. Nobody knows how a name goes on that parents are still free to choose.""")

    part("Part 4. It writes")
    written = write_names(model, names, rng)

    draw = lambda figure: draw_result(figure, model, curve, counted, written, names)
    picture = pictures.save_picture(output / "names.png", draw, size=(13, 8.5))
    return Result(surprise, counted, written, seconds, picture)


def introduce(names: Names) -> float:
    """What the data is, and how far one gets by counting; returns the surprise of counted pairs on the test names."""
    everyone = names.learning + names.validation + names.test
    total = len(read_names())
    tell(f"""
        {total:,} given names, such as {names.learning[0]}, {names.learning[1]} and {names.learning[2]}. Some stand
        there twice, once for girls and once for boys. We keep each once, {len(everyone):,}: a test with a name that was
        learnt would be no test. {len(names.learning):,} are for learning, {len(names.validation):,} for validation,
        {len(names.test):,} for the test.

        Writing a name is answering one question again and again: what comes next? So one name is several exercises.
        We write a dot for the end, which has to be guessed too:
        """)
    name = next(name for name in names.learning if len(name) == 4)
    for i, letter in enumerate(name + LETTERS[END]):
        print(f"    after {name[:i] or 'nothing':<8} comes {letter}")
    print()
    counted = count_pairs(names)
    tell(f"""
        The answer is a probability for each of the 27 characters, and the loss is the surprise, -log p, at the one that
        really comes. Who knows nothing gives each 1/27, and is surprised by log 27 = {np.log(27):.4f} every time. That
        is the upper end. Counting helps: of all a's in the names to learn from, how many are followed by n? Asking the
        last letter only, counted pairs have a surprise of {counted:.4f} on the test names. But after "chr", who would
        look at the r alone?""")
    return counted


def count_pairs(names: Names) -> float:
    """The surprise of the test names where the last letter alone is asked, by counts of pairs."""
    pairs = np.ones((len(LETTERS), len(LETTERS)))  # each counts once before we begin: nothing is impossible
    x, y, real = spell(names.learning)
    np.add.at(pairs, (x[real], y[real]), 1)
    p = pairs / pairs.sum(axis=1, keepdims=True)
    x, y, real = spell(names.test)
    return float(-np.log(p[x[real], y[real]]).mean())


def spell(names: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """The letters of names as numbers: what is read, what comes next, and where that is a character of the name.

    All of shape (names, length of the longest + 1).

    >>> x, y, real = spell(["ab", "c"])
    >>> x.tolist(), y.tolist(), real.tolist()
    ([[0, 1, 2], [0, 3, 0]], [[1, 2, 0], [3, 0, 0]], [[True, True, True], [True, True, False]])
    """
    lengths = np.array([len(name) for name in names])
    letters = np.full((len(names), lengths.max() + 2), END)
    for row, name in zip(letters, names, strict=True):
        row[1 : len(name) + 1] = [LETTERS.index(letter) for letter in name]
    return letters[:, :-1], letters[:, 1:], np.arange(lengths.max() + 1) <= lengths[:, None]


def learn(model: Writer, names: Names, epochs: int, rng: np.random.Generator) -> Curve:
    """Train, and print a line for each epoch."""
    optimizer = AdamW(model.parameters(), learning_rate=0.005, weight_decay=0.01)
    steps = epochs * -(-len(names.learning) // BATCH)
    warm_up = steps // 20 + 1
    schedule = WarmUp(optimizer, steps=warm_up, then=CosineAnnealingLR(T_max=max(steps - warm_up, 1)))
    curve = Curve([], [])
    for epoch in range(1, epochs + 1):
        started, total, characters = perf_counter(), 0.0, 0
        model.train()
        for batch in batches(names.learning, rng):
            x, y, real = spell(batch)
            scores, _ = model(x)
            loss = cross_entropy(scores[real], y[real])
            optimizer.zero_grad()
            loss.backward()
            clip_by_norm(optimizer.parameters, 1.0)
            optimizer.step()
            schedule.step()
            total, characters = total + loss.item() * real.sum(), characters + real.sum()
        model.eval()
        curve.learning.append(total / characters)
        curve.validation.append(surprise_of(model, names.validation))
        shown = f"surprise {curve.learning[-1]:.4f}   on validation names {curve.validation[-1]:.4f}"
        print(f"epoch {epoch:2}/{epochs}   {shown}   {perf_counter() - started:.1f} s", flush=True)
    return curve


def batches(names: Sequence[str], rng: np.random.Generator) -> list[list[str]]:
    """All names in batches of about one length, in a new order every time."""
    shuffled = sorted((names[i] for i in rng.permutation(len(names))), key=len)  # one length stays shuffled
    cut = [shuffled[i : i + BATCH] for i in range(0, len(shuffled), BATCH)]
    return [cut[i] for i in rng.permutation(len(cut))]


def surprise_of(model: Writer, names: Sequence[str]) -> float:
    """-log p of a character, on average over all characters of all names."""
    total, characters = 0.0, 0
    ordered = sorted(names, key=len)
    with no_grad():
        for i in range(0, len(ordered), 512):
            x, y, real = spell(ordered[i : i + 512])
            scores, _ = model(x)
            total += cross_entropy(scores[real], y[real], reduction="sum").item()
            characters += real.sum()
    return float(total / characters)


def next_letter(model: Writer, letter: int, state: Any) -> tuple[NDArray[np.float64], Any]:
    """The probability of each character after one more letter, and what the memory holds then."""
    with no_grad():
        scores, state = model(np.array([[letter]]), state)
    return softmax(scores.data[0, 0]), state


def write(model: Writer, rng: np.random.Generator, least: int = 1) -> tuple[str, list[NDArray[np.float64]]]:
    """A name of at least so many letters, drawn letter by letter, and the probabilities it was drawn by."""
    name, seen, letter, state = "", [], END, None
    while len(name) < LONGEST:
        p, state = next_letter(model, letter, state)
        seen.append(p)
        letter = int(rng.choice(len(LETTERS), p=p))
        if letter == END:
            break
        name += LETTERS[letter]
    return (name, seen) if len(name) >= least else write(model, rng, least)


def write_names(model: Writer, names: Names, rng: np.random.Generator) -> list[str]:
    """Print how one name is written, and a column of others."""
    tell("""
        Let it ask its own question: what comes first? It answers with probabilities. We draw a letter by them, let it
        read that letter, and ask again, until an end is drawn. This is how one name came about, with the five likeliest
        characters of each step:
        """)
    name, seen = write(model, rng, least=6)
    for i, (letter, p) in enumerate(zip(name + LETTERS[END], seen, strict=False)):
        likeliest = "   ".join(f"{LETTERS[k]} {p[k]:.3f}" for k in np.argsort(-p)[:5])
        print(f"    {name[:i] or '(start)':<12} {likeliest}   drawn: {letter} (p = {p[LETTERS.index(letter)]:.3f})")
    print()
    written = [name] + [write(model, rng)[0] for _ in range(WRITTEN - 1)]
    tell(f"And here are that one and {WRITTEN - 1} more:")
    for i in range(0, WRITTEN, 6):
        print("    " + "".join(f"{mark(name, names):<14}" for name in written[i : i + 6]).rstrip())
    print()
    tell("""
        * is a name that it was shown; + is a real name too, of those that it was never shown; and all others are of its
        own making. Can you say them aloud? Nobody told it what a vowel is. See in the picture how it keeps them
        apart.""")
    return written


def mark(name: str, names: Names) -> str:
    """The name, with a sign that says whether it is known."""
    if name in set(names.learning):
        return f"{name}*"
    return f"{name}+" if name in {*names.validation, *names.test} else name


def draw_result(figure: Any, model: Writer, curve: Curve, counted: float, written: list[str], names: Names) -> None:
    """The learning curve; what it remembers of letters; what it expects at each letter of a name; names it wrote."""
    (learning, letters), (expected, paper) = figure.subplots(2, 2, width_ratios=[1.5, 1])
    draw_learning(learning, curve, counted)
    draw_memories(letters, model)
    draw_expectations(expected, model, written[0])
    pictures.label(paper, "Names that it wrote")
    paper.set_axis_off()
    for i, name in enumerate(written):
        column, row = divmod(i, WRITTEN // 3)
        paper.text(0.34 * column, 0.97 - 0.112 * row, mark(name, names), fontsize=11, va="top")
    paper.text(0, 0.0, "* it was shown   + real, and never shown   others: its own", fontsize=9, color=pictures.GREY)


def draw_learning(axes: Any, curve: Curve, counted: float) -> None:
    """Surprise by epoch."""
    axes.axhline(counted, color="black", linewidth=1, linestyle="--", label="pairs of letters, counted (test)")
    plots.learning_curves({"loss": curve.learning, "validation_loss": curve.validation}, axes=axes)
    pictures.label(axes, "The surprise, epoch by epoch", "epoch", "-log p per character (nats)")


def draw_memories(axes: Any, model: Writer) -> None:
    """What it remembers of a name's first letter, in the plane in which the memories of all letters spread the most."""
    first_letters = np.array([[END, k] for k in range(1, len(LETTERS))])
    with no_grad():
        memories = model(first_letters)[1].data[0]
    memories = memories - memories.mean(axis=0)
    _, _, directions = np.linalg.svd(memories, full_matrices=False)
    for letter, (x, y) in zip(LETTERS[1:], memories @ directions[:2].T, strict=True):
        colour = pictures.RED if letter in "aeiouy" else pictures.BLUE
        axes.plot(x, y, alpha=0, marker=".")  # so that the axes know where the letters are
        axes.text(x, y, letter, fontsize=14, ha="center", va="center", color=colour)
    title = "Its memory of a first letter (a, e, i, o, u and y in red)"
    pictures.label(axes, title, "first principal axis", "second principal axis")


def draw_expectations(axes: Any, model: Writer, name: str) -> None:
    """The probability of each character, letter by letter."""
    x, y, _ = spell([name])
    with no_grad():
        p = softmax(model(x)[0].data[0])
    image = axes.imshow(p.T, cmap="Blues", aspect="auto", vmin=0, vmax=1)
    axes.plot(np.arange(len(p)), y[0], "s", markersize=9, markerfacecolor="none", color=pictures.RED)
    axes.set_xticks(range(len(p)), [LETTERS[END], *name])
    axes.set_yticks(range(len(LETTERS)), list(LETTERS), fontsize=7)
    axes.figure.colorbar(image, ax=axes, label="probability", shrink=0.8)
    pictures.label(axes, f"What it expected while it wrote {name} (red: what was drawn)", "just read", "comes next")
