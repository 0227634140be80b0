"""fit on models of arrays: what it learns, of every shape and type of data, and what its options do."""

import math
from functools import partial

import numpy as np
import pytest

import autodiff
from autodiff import Tensor
from nn import (
    SGD,
    Adam,
    BatchNorm,
    Conv2d,
    CosineAnnealingLR,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    Module,
    Network,
    ReduceLROnPlateau,
    Sequential,
    StepLR,
    WarmUp,
    clip_by_norm,
    clip_by_value,
    cross_entropy,
    evaluate,
    fit,
    mse,
    predict,
    to_sequential,
)
from nn.metrics import accuracy, f1
from tests.nn.faults.trainings import exact

pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")

RNG = np.random.default_rng(5)
X = RNG.normal(size=(23, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0] + 0.3
LABELS = (X @ RNG.normal(size=(4, 3))).argmax(axis=1)


def deep(seed=0):
    rng = np.random.default_rng(seed)
    return Sequential(
        Dense(4, 8, "relu", seed=rng), BatchNorm(8), Dropout(0.25, seed=seed), Dense(8, 3, seed=rng)
    )  # fmt: skip


def weights(model):
    return exact(dict(model.state_dict()))


def quietly(model, X=X, y=LABELS, **options):
    return fit(
        model, X, y, **{"loss": "cross_entropy", "epochs": 3, "batch_size": 5, "seed": 0, "verbose": 0} | options
    )


# ── what it learns ───────────────────────────────────────────────────────────────────────────────────
def test_linear_regression_as_numpy_computes_it():
    model = Dense(4, 1, seed=3)
    history = fit(model, X, Y, learning_rate=0.05, epochs=5, batch_size=7, seed=9, verbose=0)
    reference = Dense(4, 1, seed=3)
    w, b, rng, losses = reference.weight.data[0], 0.0, np.random.default_rng(9), []
    for _ in range(5):
        total, order = 0.0, rng.permutation(23)
        for rows in (order[:7], order[7:14], order[14:21], order[21:]):
            error = X[rows] @ w + b - Y[rows]
            total += (error**2).sum()
            w, b = w - 0.1 * X[rows].T @ error / len(rows), b - 0.1 * error.mean()
        losses.append(total / 23)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-12)
    np.testing.assert_allclose(model.weight.data[0], w, rtol=1e-12)
    np.testing.assert_allclose(model.bias.data[0], b, rtol=1e-12)


def test_the_explicit_loop_gives_the_same_bits():
    """Dropout, BatchNorm, Adam, a schedule and clipping, written out."""
    model, by_hand = deep(), deep()
    options = {"optimizer": "adam", "learning_rate": 0.01, "schedule": StepLR(step_size=1, gamma=0.5), "clip": 0.7}
    history = quietly(model, **options)

    optimizer = Adam(by_hand.parameters(), learning_rate=0.01)
    schedule = StepLR(optimizer, step_size=1, gamma=0.5)
    rng, losses = np.random.default_rng(0), []
    for _ in range(3):
        total, order = 0.0, rng.permutation(23)
        for start in range(0, 23, 5):
            rows = order[start : start + 5]
            optimizer.zero_grad()
            loss = cross_entropy(by_hand(X[rows]), LABELS[rows])
            loss.backward()
            clip_by_norm(by_hand.parameters(), 0.7)
            optimizer.step()
            total += loss.data * len(rows)
        schedule.step()
        losses.append(total / 23)
    assert history["loss"] == losses
    assert weights(model) == weights(by_hand)
    assert history["learning_rate"] == [0.01, 0.005, 0.0025]


def test_both_tiers_learn_the_same():
    network = Network([4, 3, 1], seed=0)
    arrays = to_sequential(network)
    options = {"loss": "mse", "epochs": 4, "batch_size": 6, "seed": 1, "verbose": 0, "validation_split": 0.2}
    ours, theirs = fit(network, X, Y, **options), fit(arrays, X, Y, **options)
    for name in ("loss", "validation_loss"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12)
    np.testing.assert_allclose(predict(network, X), predict(arrays, X)[:, 0], rtol=1e-11)


@pytest.mark.parametrize("shape", [(23,), (23, 1)])
def test_targets_of_one_column_are_numbers(shape):
    histories = [
        fit(Dense(4, 1, seed=0), X, Y.reshape(shape), epochs=3, seed=0, verbose=0, validation_split=0.25),
        fit(Dense(4, 1, seed=0), X, Y, epochs=3, seed=0, verbose=0, validation_split=0.25),
    ]
    assert histories[0] == histories[1]
    model = Dense(4, 1, seed=0)
    expected = np.mean((predict(model, X)[:, 0] - Y) ** 2)
    found = evaluate(model, X, Y.reshape(shape), metrics=["mse", "r2"])
    assert found["loss"] == pytest.approx(expected, rel=1e-13) == pytest.approx(found["mse"], rel=1e-13)
    assert found["r2"] == pytest.approx(1 - expected / Y.var(), rel=1e-12)


def test_images():
    images = RNG.normal(size=(9, 2, 6, 6))
    labels = np.arange(9) % 3
    model = Sequential(Conv2d(2, 3, 3, seed=0), Flatten(), Dense(48, 3, seed=1))
    history = fit(model, images, labels, loss="cross_entropy", optimizer="adam", epochs=30, batch_size=4, seed=0,
                  verbose=0, learning_rate=0.02, metrics=["accuracy"])  # fmt: skip
    assert history["accuracy"][-1] == 1.0
    assert predict(model, images).shape == (9, 3)


def test_sequences_of_tokens():
    """Each token has a target of its own."""
    tokens = RNG.integers(0, 5, size=(12, 6))
    model = Sequential(Embedding(5, 4, seed=0), Dense(4, 5, seed=0))
    history = fit(model, tokens, (tokens + 1) % 5, loss="cross_entropy", optimizer="adam", learning_rate=0.1,
                  epochs=40, seed=0, verbose=0, metrics=["accuracy", "perplexity"])  # fmt: skip
    assert history["accuracy"][-1] == 1.0
    assert history["perplexity"][-1] == pytest.approx(math.exp(history["loss"][-1]), rel=1e-2)
    assert (predict(model, tokens).argmax(axis=-1) == (tokens + 1) % 5).all()


def test_single_tokens():
    model = Sequential(Embedding(5, 5, seed=0))
    fit(model, np.arange(5), np.arange(5), loss="cross_entropy", learning_rate=2.0, epochs=60, seed=0, verbose=0)
    assert predict(model, [3, 1]).argmax(axis=1).tolist() == [3, 1]


def test_float32_stays_float32():
    model = Sequential(Dense(4, 3, "tanh", seed=0), Dense(3, 1, seed=0))
    for layer in model:
        layer.weight, layer.bias = (Tensor(leaf.data, dtype=np.float32) for leaf in (layer.weight, layer.bias))
    seen = set()

    class Watched(Module):
        def __init__(self):
            self.inner = model

        def forward(self, x):
            output = self.inner(x)
            seen.add((np.asarray(x).dtype, output.dtype))
            return output

    fit(Watched(), X, Y, epochs=2, validation_split=0.2, optimizer="adam", seed=0, verbose=0)
    assert seen == {(np.dtype(np.float32), np.dtype(np.float32))}
    assert {parameter.data.dtype for parameter in model.parameters()} == {np.dtype(np.float32)}
    assert predict(model, X).dtype == np.float32


def test_lists_arrays_and_frames_are_the_same():
    names = ["a", "b", "c", "d"]
    expected = quietly(deep())
    for data, labels in (
        (X.tolist(), LABELS.tolist()),
        (Tensor(X), LABELS),
        (pandas.DataFrame(X, columns=names), pandas.Series(LABELS)),
        (polars.DataFrame(X, schema=names), polars.Series(LABELS)),
    ):
        assert quietly(deep(), data, labels) == expected


def test_columns_are_remembered():
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    for model, y in ((deep(), LABELS), (Network([4, 3], seed=0), LABELS)):
        quietly(model, frame, y, epochs=1)
        turned = frame[["b", "a", "c", "d"]]
        message = r"X has its columns in another order; .*X = X\[\['a', 'b', 'c', 'd'\]\]"
        with pytest.raises(ValueError, match=message):
            predict(model, turned)
        with pytest.raises(ValueError, match=message):
            evaluate(model, turned, y, loss="cross_entropy")
        with pytest.raises(ValueError, match="validation X has its columns in another order"):
            quietly(model, frame, y, validation_data=(turned, y))
        assert (predict(model, frame) == predict(model, X)).all()
        quietly(model, turned, y, epochs=1)
        assert predict(model, turned).shape == (23, 3), "the last training counts"
        quietly(model, X, y, epochs=1)
        assert predict(model, frame).shape == (23, 3), "it was trained on columns without names"


# ── validation and metrics ───────────────────────────────────────────────────────────────────────────
def test_validation_split_holds_out_the_end():
    apart, split = deep(), deep()
    histories = [
        quietly(apart, X[:17], LABELS[:17], validation_data=(X[17:], LABELS[17:]), metrics=["accuracy"]),
        quietly(split, validation_split=0.25, metrics=["accuracy"]),
    ]
    assert histories[0] == histories[1]
    assert weights(apart) == weights(split)
    assert list(histories[0]) == ["loss", "accuracy", "validation_loss", "validation_accuracy"]


def test_validation_teaches_nothing():
    alone, watched = deep(), deep()
    history = quietly(watched, validation_data=(X * 3, LABELS), metrics=["accuracy"])
    assert quietly(alone)["loss"] == history["loss"]
    assert weights(alone) == weights(watched)


def test_the_last_validation_is_what_evaluate_says():
    model, macro = deep(), partial(f1, average="macro")
    history = quietly(model, validation_data=(X[:7], LABELS[:7]), metrics=["accuracy", macro])
    found = evaluate(model, X[:7], LABELS[:7], loss="cross_entropy", metrics=["accuracy", macro])
    assert found == {name: history[f"validation_{name}"][-1] for name in ("loss", "accuracy", "f1(average='macro')")}


def test_metrics_are_of_the_whole_epoch_as_it_went():
    """Of all predictions together: the mean of the values of batches is something else."""
    seen = []

    def record(predictions, targets):
        seen.append((predictions, targets))
        return len(targets)

    class Gather(Dense):
        def forward(self, x):
            output = super().forward(x)
            if self.training:
                given.append(output.data)
            return output

    given, model = [], Gather(4, 1, seed=0)
    history = fit(model, X, Y, epochs=1, batch_size=5, seed=0, verbose=0, metrics=[record, "r2"])
    order = np.random.default_rng(0).permutation(23)
    assert history["record"] == [23.0]
    np.testing.assert_array_equal(seen[0][0], np.concatenate(given))
    np.testing.assert_array_equal(seen[0][1], Y[order])
    error = np.concatenate(given)[:, 0] - Y[order]
    assert history["r2"][0] == pytest.approx(1 - np.mean(error**2) / Y.var(), rel=1e-12)


def test_metrics_know_what_the_loss_means():
    y = (Y > 0).astype(int)
    model = Dense(4, 1, seed=0)
    history = fit(model, X, y, loss="binary_cross_entropy_with_logits", metrics=["accuracy"], epochs=30, seed=0,
                  verbose=0)  # fmt: skip
    assert history["accuracy"][-1] > 0.8
    found = evaluate(model, X, y, loss="binary_cross_entropy_with_logits", metrics=["accuracy"])
    assert found["accuracy"] == np.mean((predict(model, X)[:, 0] > 0) == y)


def test_a_model_says_what_its_loss_is():
    class Classifier(Dense):
        default_loss = "cross_entropy"

    spoken, given = Classifier(4, 3, seed=0), Dense(4, 3, seed=0)
    assert quietly(spoken, loss=None) == quietly(given)
    assert evaluate(spoken, X, LABELS) == evaluate(given, X, LABELS, loss="cross_entropy")


def test_evaluate_and_predict_do_not_depend_on_batches():
    model = deep()
    for size in (1, 4, 23, 100):
        np.testing.assert_allclose(predict(model, X, batch_size=size), predict(model, X), rtol=1e-13)
        found = evaluate(model, X, LABELS, loss="cross_entropy", metrics=[accuracy], batch_size=size)
        assert found == pytest.approx(evaluate(model, X, LABELS, loss="cross_entropy", metrics=[accuracy]), rel=1e-13)


def test_predict_sees_so_many_at_a_time():
    sizes = []

    class Counting(Dense):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    predict(Counting(4, 1, seed=0), X, batch_size=10)
    assert sizes == [10, 10, 3]


# ── modes ────────────────────────────────────────────────────────────────────────────────────────────
def modes(model):
    return [module.training for _, module in model.named_modules()]


def test_modes_are_those_of_the_work_and_afterwards_as_before():
    seen = []

    class Watched(Dense):
        def forward(self, x):
            seen.append(self.training)
            return super().forward(x)

    model = Sequential(Watched(4, 3, seed=0), BatchNorm(3))
    for before in (True, False):
        model.train(before)
        model[1].training = not before
        was = modes(model)
        seen.clear()
        quietly(model, epochs=1, batch_size=12, validation_split=0.2, loss=lambda p, t: cross_entropy(p, t))
        assert seen == [True, True, False]
        assert modes(model) == was
        seen.clear()
        predict(model, X)
        evaluate(model, X, LABELS, loss="cross_entropy")
        assert seen == [False, False]
        assert modes(model) == was


def test_modes_come_back_after_an_error():
    class Fails(Dense):
        def forward(self, x):
            if len(x) == 3:
                raise RuntimeError("three")
            return super().forward(x)

    model = Sequential(Dropout(0.5, seed=0), Fails(4, 3, seed=0))
    model[0].eval()
    was = modes(model)
    for work in (lambda: quietly(model), lambda: predict(model, X[:3]), lambda: evaluate(model, X[:3], LABELS[:3])):
        with pytest.raises(RuntimeError, match="three"):
            work()
        assert modes(model) == was


def test_nothing_is_recorded_by_predict_and_evaluate():
    model, recorded = Dense(4, 1, seed=0), []

    def loss(predictions, targets):
        recorded.append(predictions.requires_grad)
        return mse(predictions, targets)

    evaluate(model, X, Y, loss=loss)
    assert recorded == [False]


# ── options ──────────────────────────────────────────────────────────────────────────────────────────
def test_optimizers_by_name():
    for name, rate in (("adam", 0.001), ("sgd", 0.01), ("rmsprop", 0.01)):
        by_name, spelt_out = quietly(deep(), optimizer=name), quietly(deep(), optimizer=name, learning_rate=rate)
        assert by_name == spelt_out
    model = deep()
    assert quietly(model, optimizer=Adam(model.parameters())) == quietly(deep(), optimizer="adam")
    assert quietly(deep()) == quietly(deep(), optimizer="sgd", learning_rate=0.1)


def test_part_of_the_parameters():
    model = deep()
    before = model[0].weight.data
    quietly(model, optimizer=SGD(model[3].parameters(), 0.1), clip=1.0)
    assert model[0].weight.data is before
    assert (model[3].weight.data != deep()[3].weight.data).any()


def test_clipping_by_value():
    model, by_hand = Dense(4, 3, seed=0), Dense(4, 3, seed=0)
    quietly(model, clip=("value", 0.01), epochs=1, batch_size=23, shuffle=False)
    cross_entropy(by_hand(X), LABELS).backward()
    clip_by_value(by_hand.parameters(), 0.01)
    SGD(by_hand.parameters(), 0.1).step()
    assert weights(model) == weights(by_hand)
    assert quietly(deep(), clip=("norm", 0.3)) == quietly(deep(), clip=0.3) != quietly(deep())


def test_schedules_count_epochs_or_batches():
    by_epoch = quietly(deep(), epochs=4, schedule=CosineAnnealingLR(T_max=4))["learning_rate"]
    np.testing.assert_allclose(by_epoch, 0.05 * (1 + np.cos(np.pi * np.arange(4) / 4)), rtol=1e-14)
    by_batch = quietly(deep(), schedule=("batch", WarmUp(steps=10, start_factor=0.1)))["learning_rate"]
    np.testing.assert_allclose(by_batch, [0.055, 0.1, 0.1], rtol=1e-14)
    assert quietly(deep(), schedule=("epoch", StepLR(step_size=1))) == quietly(deep(), schedule=StepLR(step_size=1))


def test_a_schedule_that_is_given_alone_can_be_used_again():
    schedule = StepLR(step_size=1, gamma=0.5)
    assert quietly(deep(), schedule=schedule) == quietly(deep(), schedule=schedule)
    assert schedule.optimizer is None
    model = deep()
    optimizer = SGD(model.parameters(), 0.1)
    bound = StepLR(optimizer, step_size=1, gamma=0.5)
    assert quietly(model, optimizer=optimizer, schedule=bound) == quietly(deep(), schedule=schedule)
    assert optimizer.learning_rate == 0.1 * 0.5**3
    rates = quietly(model, optimizer=optimizer, schedule=bound)["learning_rate"]
    assert rates == [0.1 * 0.5**n for n in (3, 4, 5)], "one that is bound goes on counting"


def test_plateau_watches_the_validation_or_else_the_loss():
    options = {"learning_rate": 1e-9, "epochs": 4, "y": LABELS}
    never = ReduceLROnPlateau(patience=0, factor=0.5, threshold=0.5)
    assert quietly(deep(), schedule=never, **options)["learning_rate"] == [1e-9] * 4, "steps of 1e-8 are not made"
    options["learning_rate"] = 1e-6
    rates = [1e-6, 1e-6, 0.5e-6, 0.25e-6]
    assert quietly(deep(), schedule=never, **options)["learning_rate"] == rates
    watched = []

    class Watch(ReduceLROnPlateau):
        def step(self, metric):
            watched.append(metric)
            super().step(metric)

    history = quietly(deep(), schedule=Watch(), validation_split=0.2)
    assert watched == history["validation_loss"]
    watched.clear()
    history = quietly(deep(), schedule=Watch())
    assert watched == history["loss"]


def test_without_shuffling_the_order_is_that_of_the_samples():
    seen = []

    def loss(predictions, targets):
        seen.append(targets)
        return cross_entropy(predictions, targets)

    quietly(deep(), loss=loss, shuffle=False, epochs=2, seed=None)
    np.testing.assert_array_equal(np.concatenate(seen), [*LABELS, *LABELS])


def test_seeds():
    assert quietly(deep(), seed=1) == quietly(deep(), seed=np.random.default_rng(1)) != quietly(deep(), seed=2)
    rng = np.random.default_rng(1)
    assert quietly(deep(), seed=rng) != quietly(deep(), seed=rng), "the generator goes on"
    assert quietly(deep(), seed=None) != quietly(deep(), seed=None)


def test_a_layer_of_neurons_and_a_model_without_parameters_in_the_way():
    layer = Layer(4, 3, "linear", seed=0)
    assert quietly(layer)["loss"][-1] < 1.2
    assert predict(Sequential(Flatten()), np.ones((3, 2, 2))).shape == (3, 4)


def test_a_loss_of_ones_own_is_called_for_training_only():
    calls = []

    def loss(predictions, targets):
        calls.append(len(targets))
        return mse(predictions, targets)

    fit(Dense(4, 1, seed=0), X, Y, loss=loss, batch_size=10, epochs=1, seed=0, verbose=0)
    assert calls == [10, 10, 3]


# ── before the first step ────────────────────────────────────────────────────────────────────────────
def wrong_label(place=22, label=3):
    labels = LABELS.copy()
    labels[place] = label
    return labels


BAD = {
    "label": ({"y": wrong_label()}, IndexError, "label 22 is 3, and with 3 classes labels go from 0 to 2"),
    "label -1": ({"y": wrong_label(7, -1)}, IndexError, "label 7 is -1"),
    "label of validation": ({"validation_data": (X, wrong_label())}, IndexError, "label 22 is 3"),
    "labels of floats": ({"y": LABELS + 0.5}, TypeError, "whole number"),
    "features": ({"X": X[:, :3]}, ValueError, r"Dense\(4, 8, .*\) takes 4 features .*, and was given shape \(5, 3\)"),
    "features of validation": ({"validation_data": (X[:, 1:], LABELS)}, ValueError, "takes 4 features"),
    "length": ({"y": LABELS[:20]}, ValueError, "X has 23 rows and y has 20 targets"),
    "length of validation": (
        {"validation_data": (X, LABELS[:2])},
        ValueError,
        "validation X has 23 rows and validati",
    ),
    "empty": ({"X": [], "y": []}, ValueError, r"X is empty, with shape \(0,\); expected rows of numbers"),
    "no features": ({"X": np.ones((23, 0))}, ValueError, "X is empty"),
    "one axis": (
        {"X": X[:, 0]},
        ValueError,
        r"X has shape \(23,\); expected rows of numbers; for one row write \[X\]",
    ),
    "NaN": ({"X": np.where(X[4, 2] == X, np.nan, X)}, ValueError, r"X\[4, 2\] is nan; expected finite numbers"),
    "inf in y": ({"y": np.where(LABELS == 2, np.inf, 0)}, ValueError, r"y\[\d+\] is inf"),
    "strings": ({"y": ["a"] * 23}, TypeError, r"y holds 'a' .*; class labels are whole numbers: names, y = numpy.uni"),
    "ragged": ({"X": [[1.0, 2.0], [3.0]]}, ValueError, "X has rows of unequal length"),
    "shapes": ({"loss": "mse", "y": X[:, :2]}, ValueError, r"\(23, 3\).*\(23, 2\)"),
    "loss": ({"loss": "cross_entropie"}, ValueError, "no loss 'cross_entropie'; did you mean 'cross_entropy'"),
    "loss of no kind": ({"loss": 7}, TypeError, "loss is a name or a function, and was given 7"),
    "optimizer": ({"optimizer": "adm"}, ValueError, "no optimizer 'adm'; did you mean 'adam'"),
    "optimizer class": (
        {"optimizer": Adam},
        TypeError,
        r"optimizer is a name such as 'adam', or Adam\(model.paramete",
    ),
    "optimizer of no kind": ({"optimizer": 0.1}, TypeError, r"or Adam\(model.parameters\(\)\); was given 0.1"),
    "foreign optimizer": (
        {"optimizer": SGD(deep().parameters())},
        ValueError,
        "SGD.* moves no parameter of this model",
    ),
    "learning rate": ({"learning_rate": 0}, ValueError, "learning_rate is a number above 0, and was given 0"),
    "metric": ({"metrics": ["acuracy"]}, ValueError, "no metric 'acuracy'; did you mean 'accuracy'"),
    "metric of no kind": ({"metrics": [3]}, TypeError, "metric is a name or a function, and was given 3"),
    "metric twice": ({"metrics": ["accuracy", accuracy]}, ValueError, "two measures are called 'accuracy'"),
    "metric that does not fit": ({"metrics": ["f1"]}, ValueError, "there are 3 classes, and average='binary' is abo"),
    "both validations": (
        {"validation_data": (X, LABELS), "validation_split": 0.1},
        ValueError,
        "either validation_data or validation_split",
    ),
    "split of 0": (
        {"validation_split": 0},
        ValueError,
        "held out for validation is above 0 and below 1, and was given 0",
    ),
    "split of 1": ({"validation_split": 1.0}, ValueError, "above 0 and below 1, and was given 1.0"),
    "split of all": ({"X": X[:1], "y": LABELS[:1], "validation_split": 0.5}, ValueError, "leave none to train on"),
    "no pair": ({"validation_data": X}, TypeError, r"validation_data is a pair \(X, y\), and was given ndarray"),
    "epochs": ({"epochs": 0}, ValueError, "epochs is at least 1, and was given 0"),
    "epochs of no kind": ({"epochs": 1.5}, TypeError, "epochs is a whole number, and was given 1.5"),
    "batch size": ({"batch_size": 0}, ValueError, "batch_size is at least 1, and was given 0"),
    "verbose": ({"verbose": -1}, ValueError, "verbose is at least 0, and was given -1"),
    "clip": ({"clip": 0}, ValueError, "clip is above 0, and was given 0"),
    "clip NaN": ({"clip": math.nan}, ValueError, "clip is above 0, and was given nan"),
    "clip of no kind": (
        {"clip": "1"},
        TypeError,
        r"clip is the largest norm of the gradient, or \('value', la.*given '1'",
    ),
    "clip of another way": ({"clip": ("size", 1)}, TypeError, r"was given \('size', 1\)"),
    "schedule class": (
        {"schedule": StepLR},
        TypeError,
        r"schedule is such as StepLR\(step_size=30\), or \('batch', sch",
    ),
    "schedule of weeks": (
        {"schedule": ("week", StepLR(step_size=1))},
        ValueError,
        "counts 'epoch' or 'batch', .* 'week'",
    ),
    "plateau of batches": ({"schedule": ("batch", ReduceLROnPlateau())}, ValueError, "waits for a metric"),
    "foreign schedule": (
        {"schedule": StepLR(SGD(deep().parameters()), step_size=1)},
        ValueError,
        "is bound to another optimizer",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_before_anything_is_learnt(case):
    options, kind, message = BAD[case]
    model = deep()
    before, generator, was = weights(model), model[2].rng.bit_generator.state, modes(model)
    with pytest.raises(kind, match=message):
        quietly(model, **options)
    assert weights(model) == before
    assert model[2].rng.bit_generator.state == generator
    assert modes(model) == was
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_is_wrong_in_the_validation_data_is_said_to_be_there():
    with pytest.raises(IndexError) as caught:
        quietly(deep(), validation_data=(X, wrong_label()))
    assert caught.value.__notes__ == ["in the validation data, counted from sample 0"]


def test_many_targets_are_compared_piece_by_piece(monkeypatch):
    monkeypatch.setattr("nn.training.trial.MOST", 10)
    with pytest.raises(IndexError) as caught:
        quietly(deep(), y=wrong_label())
    assert caught.value.__notes__ == ["in the training data, counted from sample 21"]
    assert "label 1 is 3" in str(caught.value)
    quietly(deep())


class Odd(Module):
    def __init__(self, what):
        self.weight, self.what = Tensor(np.ones((4, 1))), what

    def forward(self, x):
        return self.what(Tensor(x, requires_grad=False) @ self.weight)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            lambda out: (out, out),
            "the model gives a tuple for a batch; expected a Tensor with an output for each sample",
        ),
        (lambda out: out.sum(), "the model gives one number for a batch"),
        (lambda out: out.data, "the model gives a ndarray for a batch"),
    ],
)
def test_models_that_give_something_else(what, message):
    for work in (lambda m: fit(m, X, Y, verbose=0), lambda m: predict(m, X), lambda m: evaluate(m, X, Y)):
        with pytest.raises(TypeError, match=message):
            work(Odd(what))


def test_a_loss_of_ones_own_may_take_anything():
    model = Odd(lambda out: (out, out))
    fit(model, X, Y, loss=lambda p, t: mse(p[0], t), epochs=1, verbose=0)
    assert (model.weight.data != 1).any()


def test_what_is_no_model():
    for thing in (Dense, 3, lambda x: x):
        with pytest.raises(
            TypeError, match=r"the model is .*; expected an object that can be called and has parameters"
        ):
            fit(thing, X, Y, verbose=0)
    mixed = Sequential(Dense(4, 3, seed=0), Layer(3, 1, seed=0))
    with pytest.raises(TypeError, match="Values and Tensors among its parameters"):
        predict(mixed, X)
    with pytest.raises(ValueError, match="no parameters to optimize"):
        fit(Sequential(Flatten()), X, Y, verbose=0)


@pytest.mark.parametrize("work", [predict, lambda model, X: evaluate(model, X, LABELS[: len(X)])])
def test_predict_and_evaluate_refuse_what_fit_refuses(work):
    model = deep()
    for data, message in (([], "X is empty"), (X * np.nan, r"X\[0, 0\] is nan"), (X[:, 1:], "takes 4 features")):
        with pytest.raises(ValueError, match=message):
            work(model, data)
    with pytest.raises(TypeError, match="X holds 'a'"):
        work(model, [["a", "b", "c", "d"]])


def test_predict_and_evaluate_refuse_options():
    model = deep()
    with pytest.raises(ValueError, match="batch_size is at least 1, and was given 0"):
        predict(model, X, batch_size=0)
    with pytest.raises(ValueError, match="batch_size is at least 1"):
        evaluate(model, X, LABELS, batch_size=0)
    with pytest.raises(ValueError, match="did you mean 'mse'"):
        evaluate(model, X, LABELS, loss="mes")
    with pytest.raises(ValueError, match="did you mean 'accuracy'"):
        evaluate(model, X, LABELS, metrics="accurac")
    with pytest.raises(ValueError, match="X has 23 rows and y has 3 targets"):
        evaluate(model, X, LABELS[:3])
    with pytest.raises(TypeError, match=r"the metric <lambda> gives an array of shape \(23, 3\); expected one number"):
        evaluate(model, X, LABELS, loss="cross_entropy", metrics=[lambda p, t: p])


# ── what would go wrong without a word ───────────────────────────────────────────────────────────────
@pytest.mark.parametrize("model", [lambda: Dense(4, 4, seed=0), lambda: Network([4, 4], seed=0)])
def test_no_targets_are_a_mistake(model):
    """They would else be X itself, as in an autoencoder."""
    for attempt in (
        lambda: fit(model(), X, None, verbose=0),
        lambda: fit(model(), X, X, validation_data=(X, None), verbose=0),
        lambda: evaluate(model(), X, None),
    ):
        with pytest.raises(TypeError, match="y is the NoneType None; expected real numbers"):
            attempt()


class MeanOfBatch(Module):
    def __init__(self):
        self.w = Tensor(np.ones((4, 1)))

    def forward(self, x):
        return (x @ self.w).mean(axis=0)


def test_every_sample_has_an_output():
    message = r"the model gives an array of shape \(1,\) for a batch of \d+; expected an output for each sample"
    for attempt in (lambda m: predict(m, X), lambda m: evaluate(m, X, Y), lambda m: fit(m, X, Y, verbose=0)):
        with pytest.raises(ValueError, match=message):
            attempt(MeanOfBatch())
    with pytest.raises(ValueError, match=r"shape \(2,\) for a batch of 3; .* \(one sample of X has shape \(\)\)"):
        predict(Dense(3, 2, seed=0), [1, 2, 3])  # three samples of one whole number, and not one of three


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_loss_is_one_number(batch_size):
    each = partial(mse, reduction="none")
    with pytest.raises(
        TypeError, match=r"the loss of a batch has shape \(\d, 1\); expected one number, such as a mean"
    ):
        fit(Dense(4, 1, seed=0), X, Y, loss=each, batch_size=batch_size, verbose=0)
    with pytest.raises(TypeError, match=r"the loss gives an array of shape \(23, 1\); expected one number"):
        evaluate(Dense(4, 1, seed=0), X, Y, loss=each)


def test_a_metric_may_give_its_number_in_an_array():
    def share(predictions, targets):
        return np.array([0.25])

    assert evaluate(Dense(4, 1, seed=0), X, Y, metrics=[share])["share"] == 0.25


def test_an_optimizer_whose_learning_rate_ended_at_0_does_not_go_on_with_it():
    model = Dense(4, 1, seed=0)
    optimizer = SGD(model.parameters(), learning_rate=0.1)
    options = {"loss": "mse", "optimizer": optimizer, "epochs": 2}
    quietly(model, y=Y, schedule=CosineAnnealingLR(T_max=2), **options)
    for again in ({}, {"schedule": CosineAnnealingLR(T_max=2)}):
        with pytest.raises(ValueError, match="the learning rate of the optimizer is 0, where a schedule may have left"):
            quietly(model, y=Y, **options, **again)
    optimizer.learning_rate = 0.1
    assert quietly(model, y=Y, **options)["loss"][1] > 0
    bound = CosineAnnealingLR(optimizer, T_max=2)
    first = quietly(model, y=Y, schedule=bound, **options)["learning_rate"]
    second = quietly(model, y=Y, schedule=bound, **options)["learning_rate"]  # it goes up again from 0
    assert first[0] == 0.1
    assert second[0] == 0.0
    assert 0 < second[1] < 0.1


def test_a_metric_has_its_own_name_whatever_the_loss():
    labels = (Y > 0).astype(int)
    found = evaluate(Dense(4, 1, seed=0), X, labels, loss="binary_cross_entropy_with_logits", metrics=[accuracy])
    assert list(found) == ["loss", "accuracy"]


@pytest.mark.parametrize("clip", [np.float32(0.5), np.int64(1), ("value", np.float64(0.5))])
def test_clip_takes_numbers_of_numpy(clip):
    assert len(quietly(deep(), clip=clip)["loss"]) == 3


def test_a_gradient_that_is_no_number_stops_before_the_update():
    class Kink(Module):
        def __init__(self):
            self.w = Tensor([0.0])

        def forward(self, x):
            return autodiff.sqrt(autodiff.square(Tensor(x, requires_grad=False) @ self.w))  # at 0: inf · 0

    model = Kink()
    with pytest.raises(
        FloatingPointError, match=r"the gradient of w is not finite in epoch 1, batch 1, though the loss"
    ):
        fit(model, [[1.0], [2.0]], [0.0, 0.0], epochs=1, batch_size=2, verbose=0)
    assert model.w.data.tolist() == [0.0]
