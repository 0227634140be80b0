"""Makes metrics.npz, the reference of test_metrics.py, with scikit-learn: python make_metrics.py (1.9.1 was used).

Arguments of metrics are (true, predicted) there, and (predicted, true) here.
"""

from pathlib import Path

import numpy as np
import sklearn.metrics as sk

rng = np.random.default_rng(42)
data = {}

# four classes of six occur in the targets, five in the predictions
labels = rng.choice([0, 1, 2, 4], 200, p=[0.5, 0.2, 0.2, 0.1])
logits = rng.normal(size=(200, 6)) + 1.5 * np.eye(6)[labels]
logits[:, 5] -= 100
predicted = logits.argmax(axis=1)
data |= {"labels": labels, "logits": logits}
data["accuracy"] = sk.accuracy_score(labels, predicted)
data["confusion"] = sk.confusion_matrix(labels, predicted, labels=range(6))
for k in (1, 2, 3, 6):
    data[f"top_{k}"] = np.mean([label in np.argsort(-row)[:k] for row, label in zip(logits, labels, strict=True)])
    if k < 6:
        assert data[f"top_{k}"] == sk.top_k_accuracy_score(labels, logits, k=k, labels=range(6))
for name, score in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
    for average in ("macro", "micro"):
        data[f"{name}_{average}"] = score(labels, predicted, average=average, zero_division=0)
    data[f"{name}_each"] = score(labels, predicted, average=None, labels=range(6), zero_division=0)
probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
probabilities /= probabilities.sum(axis=1, keepdims=True)
data["perplexity"] = np.exp(sk.log_loss(labels, probabilities, labels=range(6)))

# two classes; scores with many ties
truth = rng.integers(0, 2, 150)
scores = np.round(rng.normal(size=150) + truth, 1)
data |= {"truth": truth, "scores": scores, "roc_auc": sk.roc_auc_score(truth, scores)}
decided = scores > 0.3
data["binary_accuracy"] = sk.accuracy_score(truth, decided)
for name, score in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
    data[f"{name}_binary"] = score(truth, decided)

# numbers: one and three for each sample
for shape in ((80,), (80, 3)):
    x = rng.normal(5, 2, shape)
    y = x + rng.normal(0, 1, shape)
    key = f"{len(shape)}d"
    data |= {f"numbers_{key}": y, f"guesses_{key}": x}
    data[f"mse_{key}"] = sk.mean_squared_error(y, x)
    data[f"rmse_{key}"] = np.sqrt(sk.mean_squared_error(y, x))  # there, of several outputs, a mean of roots
    data[f"mae_{key}"] = sk.mean_absolute_error(y, x)
    data[f"r2_{key}"] = sk.r2_score(y, x)

np.savez_compressed(Path(__file__).with_name("metrics.npz"), **data)
