"""Networks as a first lesson writes them: for one example, one number at a time. The lesson ``compiled`` runs them.

There are no arrays in here. A layer is a list of neurons, a neuron a list of numbers, and each number can be a Value.
"""

# No types either: what a learner reads here, and what the lesson prints, is all there is.

from autodiff import Value, scope, sigmoid, tanh

GATES = (sigmoid, sigmoid, tanh, sigmoid)  # of an LSTM, in nn's order: input, forget, candidate, output


def neuron(weights, inputs, bias):
    total = bias
    for w, x in zip(weights, inputs, strict=True):
        total = total + w * x
    return total


def network(layers, point):
    numbers = point
    for k, layer in enumerate(layers, 1):
        outputs = []
        for i, (weights, bias) in enumerate(zip(layer["W"], layer["b"], strict=True), 1):
            with scope(f"layer {k}/neuron {i}"):
                outputs.append(tanh(neuron(weights, numbers, bias)))
        numbers = outputs
    return numbers[0]


def loss(layers, point, side):
    return (network(layers, point) - side) ** 2


def gate(squash, W, U, b, x, h):
    return [squash(neuron(u, h, w * x + bias)) for w, u, bias in zip(W, U, b, strict=True)]


def lstm(params, years):
    h = c = [0.0] * len(params["V"])
    for year, x in enumerate(years, 1):
        with scope(f"year {year}"):
            parts = zip(GATES, params["W"], params["U"], params["b"], strict=True)
            i, f, g, o = (gate(squash, W, U, b, x, h) for squash, W, U, b in parts)
            c = [f * c + i * g for f, c, i, g in zip(f, c, i, g, strict=True)]
            h = [o * tanh(c) for o, c in zip(o, c, strict=True)]
    return neuron(params["V"], h, params["a"])


def error(params, years, following):
    return (lstm(params, years) - following) ** 2


def as_values(numbers):
    """An array, or nested lists of numbers, as nested lists of Values."""
    return [as_values(part) for part in numbers] if hasattr(numbers, "__len__") else Value(float(numbers))
