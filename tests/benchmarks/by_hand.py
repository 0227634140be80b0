"""The problems written with NumPy by hand: what a compiled program is measured against.

Derivatives are worked out on paper, float64 throughout. Arrays that are as large as the batch are made once and kept
from step to step, as in a training loop; so are the gradients, which the next step overwrites. Each problem has the
layout, examples first or last, that was the faster one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], tuple[float, Any]]
NEWTON_STEPS = 200
add, subtract, multiply, matmul, total = np.add, np.subtract, np.multiply, np.matmul, np.add.reduce


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────
def hinge_network(layers: Any, X: Any, labels: Any) -> Step:
    (W1, b1), (W2, b2), (W3, b3) = layers
    n = len(X)
    h1, h2, d1, d2 = (np.empty((len(b), n)) for b in (b1, b2, b1, b2))
    on1, on2 = (np.empty(h.shape, bool) for h in (h1, h2))
    b1, b2, w3 = b1[:, None], b2[:, None], W3[0]

    def step() -> tuple[float, Any]:
        add(matmul(W1, X.T, out=h1), b1, out=h1)
        np.maximum(h1, 0, out=h1)
        add(matmul(W2, h1, out=h2), b2, out=h2)
        np.maximum(h2, 0, out=h2)
        score = w3 @ h2
        score += b3
        score *= labels
        margin = subtract(1, score, out=score)
        loss = total(np.maximum(margin, 0)) / n

        d = (margin > 0) * labels
        d *= -1 / n
        multiply(W3.T, d, out=d2)
        multiply(d2, np.greater(h2, 0, out=on2), out=d2)
        matmul(W2.T, d2, out=d1)
        multiply(d1, np.greater(h1, 0, out=on1), out=d1)
        return loss, [[d1 @ X, total(d1, 1)], [d2 @ h1.T, total(d2, 1)], [(h2 @ d)[None], total(d, keepdims=True)]]

    return step


def regression_network(layers: Any, X: Any, Y: Any) -> Step:
    (W1, b1), (W2, b2) = layers
    n = len(X)
    h, d, e = np.empty((n, len(b1))), np.empty((n, len(b1))), np.empty(Y.shape)
    dW1, dW2 = np.empty(W1.shape), np.empty(W2.shape)

    def step() -> tuple[float, Any]:
        add(matmul(X, W1.T, out=h), b1, out=h)
        np.tanh(h, out=h)
        add(matmul(h, W2.T, out=e), b2, out=e)
        subtract(e, Y, out=e)
        loss = np.vdot(e, e) / e.size

        multiply(e, 2 / e.size, out=e)
        matmul(e.T, h, out=dW2)
        matmul(e, W2, out=d)
        multiply(h, h, out=h)
        multiply(d, subtract(1, h, out=h), out=d)
        return loss, [[matmul(d.T, X, out=dW1), total(d, 0)], [dW2, total(e, 0)]]

    return step


def classifier(layers: Any, X: Any, labels: Any) -> Step:
    (W1, b1), (W2, b2) = layers
    n = len(X)
    h, d = np.empty((n, len(b1))), np.empty((n, len(b1)))
    on, scores, p = np.empty(h.shape, bool), np.empty(labels.shape), np.empty(labels.shape)
    dW1, dW2 = np.empty(W1.shape), np.empty(W2.shape)

    def step() -> tuple[float, Any]:
        add(matmul(X, W1.T, out=h), b1, out=h)
        np.maximum(h, 0, out=h)
        add(matmul(h, W2.T, out=scores), b2, out=scores)
        everything = total(np.exp(scores, out=p), 1, keepdims=True)
        loss = (total(np.log(everything), None) - np.vdot(labels, scores)) / n

        np.divide(p, everything, out=p)
        subtract(p, labels, out=p)
        multiply(p, 1 / n, out=p)
        matmul(p.T, h, out=dW2)
        matmul(p, W2, out=d)
        multiply(d, np.greater(h, 0, out=on), out=d)
        return loss, [[matmul(d.T, X, out=dW1), total(d, 0)], [dW2, total(p, 0)]]

    return step


# ── sequences ────────────────────────────────────────────────────────────────────────────────────────
def rnn(parameters: Any, X: Any, Y: Any, every: bool) -> Step:
    """States of all steps stand in one array, so that the sums over time are one product for each weight matrix."""
    inward, recurrent, bias, readout, offset = parameters
    n, steps = X.shape
    H, D = np.zeros((steps + 1, n, len(bias))), np.empty((steps, n, len(bias)))
    dh = np.empty((n, len(bias)))
    before, after, flat = H[:-1].reshape(steps * n, -1), H[1:].reshape(steps * n, -1), D.reshape(steps * n, -1)
    forward = list(zip(D, H, H[1:], strict=False))
    seen, target = (after, Y.T) if every else (H[-1], Y)

    def step() -> tuple[float, Any]:
        multiply(X.T[:, :, None], inward, out=D)
        add(D, bias, out=D)
        for z, h, new in forward:
            np.tanh(add(z, matmul(h, recurrent.T, out=dh), out=z), out=new)
        e = seen @ readout
        e += offset
        e -= target.reshape(-1)
        loss = np.vdot(e, e) / e.size

        e *= 2 / e.size
        multiply(H[1:], H[1:], out=D)
        subtract(1, D, out=D)
        if every:
            dh.fill(0)
            read = multiply.outer(e, readout).reshape(D.shape)
            for d, reading in zip(D[::-1], read[::-1], strict=True):
                multiply(d, add(dh, reading, out=dh), out=d)
                matmul(d, recurrent, out=dh)
        else:
            multiply.outer(e, readout, out=dh)
            for d in D[::-1]:
                matmul(multiply(d, dh, out=d), recurrent, out=dh)
        return loss, [X.T.reshape(-1) @ flat, flat.T @ before, total(flat, 0), e @ seen, total(e)]

    return step


def rnn_last(parameters: Any, X: Any, Y: Any) -> Step:
    return rnn(parameters, X, Y, every=False)


def rnn_every(parameters: Any, X: Any, Y: Any) -> Step:
    return rnn(parameters, X, Y, every=True)


def lstm_last(parameters: Any, X: Any, Y: Any) -> Step:
    """Examples last, so that each gate is one contiguous block of a step's array."""
    weights, biases, readout, offset = parameters
    (n, steps), m = X.shape, len(readout)
    Z, D = (np.empty((steps, 4 * m, n)) for _ in range(2))
    H, C = (np.zeros((steps + 1, m, n)) for _ in range(2))
    T, S = (np.empty((steps, m, n)) for _ in range(2))
    part, dh, dc = (np.empty((m, n)) for _ in range(3))
    z, dW = np.empty((4 * m, n)), np.empty((4 * m, 1 + m))
    columns, states = np.empty((4 * m, steps, n)), np.empty((m, steps, n))
    keep, write, show, new = (slice(k * m, (k + 1) * m) for k in range(4))
    gates = slice(0, 3 * m)
    forward = [
        (a, a[gates], a[keep], a[write], a[show], a[new], h, h_new, c, c_new, tanh_c)
        for a, h, h_new, c, c_new, tanh_c in zip(Z, H, H[1:], C, C[1:], T, strict=False)
    ]
    backward = [(d, d[: 2 * m].reshape(2, m, n), d[show], d[new], s, a[keep]) for a, d, s in zip(Z, D, S, strict=True)][
        ::-1
    ]

    def step() -> tuple[float, Any]:
        inward, recurrent = weights[:, :, 0].reshape(-1, 1), np.ascontiguousarray(weights[:, :, 1:]).reshape(4 * m, m)
        multiply(inward, X.T[:, None], out=Z)
        add(Z, biases.reshape(-1, 1), out=Z)
        for a, sigmoids, k, w, s, u, h, h_new, c, c_new, tanh_c in forward:
            add(a, matmul(recurrent, h, out=z), out=a)
            np.exp(np.negative(sigmoids, out=sigmoids), out=sigmoids)
            np.reciprocal(add(sigmoids, 1, out=sigmoids), out=sigmoids)
            np.tanh(u, out=u)
            add(multiply(k, c, out=c_new), multiply(w, u, out=part), out=c_new)
            multiply(s, np.tanh(c_new, out=tanh_c), out=h_new)
        e = readout @ H[-1]
        e += offset
        e -= Y
        loss = e @ e / n

        e *= 2 / n
        multiply(Z, Z, out=D)  # the local derivatives of all steps
        subtract(Z[:, gates], D[:, gates], out=D[:, gates])
        subtract(1, D[:, new], out=D[:, new])
        for gate, factor in ((keep, C[:-1]), (write, Z[:, new]), (show, T), (new, Z[:, write])):
            multiply(D[:, gate], factor, out=D[:, gate])
        subtract(1, multiply(T, T, out=S), out=S)
        multiply(S, Z[:, show], out=S)
        multiply.outer(readout, e, out=dh)
        dc.fill(0)
        for d, keep_and_write, s, u, slope, k in backward:
            multiply(s, dh, out=s)
            add(dc, multiply(dh, slope, out=dh), out=dc)
            multiply(keep_and_write, dc, out=keep_and_write)
            multiply(u, dc, out=u)
            multiply(dc, k, out=dc)
            matmul(recurrent.T, d, out=dh)
        columns[...] = D.transpose(1, 0, 2)
        states[...] = H[:-1].transpose(1, 0, 2)
        flat = columns.reshape(4 * m, -1)
        matmul(flat, X.T.reshape(-1), out=dW[:, 0])
        matmul(flat, states.reshape(m, -1).T, out=dW[:, 1:])
        return loss, [dW.reshape(weights.shape), total(flat, 1).reshape(4, m), H[-1] @ e, total(e)]

    return step


def attention_head(parameters: Any, X: Any, Y: Any) -> Step:
    n, positions, size = X.shape
    x = X.reshape(-1, size)
    q, k, v, dq, dk, dv, e = (np.empty((n, positions, size)) for _ in range(7))
    a, da, part = (np.empty((n, positions, positions)) for _ in range(3))
    scale = 1 / size**0.5

    def step() -> tuple[float, Any]:
        for weights, projected in zip(parameters, (q, k, v), strict=True):
            matmul(x, weights.T, out=projected.reshape(-1, size))
        matmul(q, k.transpose(0, 2, 1), out=a)
        np.exp(multiply(a, scale, out=a), out=a)
        np.divide(a, total(a, 2, keepdims=True), out=a)
        subtract(matmul(a, v, out=e), Y, out=e)
        loss = np.vdot(e, e) / e.size

        multiply(e, 2 / e.size, out=e)
        matmul(a.transpose(0, 2, 1), e, out=dv)
        matmul(e, v.transpose(0, 2, 1), out=da)
        multiply(da, a, out=da)
        subtract(da, multiply(a, total(da, 2, keepdims=True), out=part), out=da)
        multiply(da, scale, out=da)
        matmul(da, k, out=dq)
        matmul(da.transpose(0, 2, 1), q, out=dk)
        return loss, [d.reshape(-1, size).T @ x for d in (dq, dk, dv)]

    return step


# ── an orbit ─────────────────────────────────────────────────────────────────────────────────────────
def orbit(parameters: Any, angles: Any, seen: Any) -> Step:
    """One NumPy call for each operation, over the batch; derivatives with respect to e at each step, backward."""
    size, eccentricity = parameters
    n = len(angles)
    E, S, C, F, G = np.empty((NEWTON_STEPS + 1, n)), *(np.empty((NEWTON_STEPS, n)) for _ in range(4))
    p, q = np.empty(n), np.empty(n)
    forward = list(zip(E, E[1:], S, C, F, G, strict=False))
    backward = list(zip(S, C, F, G, strict=True))[::-1]

    def step() -> tuple[float, Any]:
        E[0] = angles
        for e, new, sine, cosine, ratio, slope in forward:
            multiply(eccentricity, np.sin(e, out=sine), out=p)
            subtract(subtract(e, p, out=p), angles, out=p)
            multiply(eccentricity, np.cos(e, out=cosine), out=slope)
            subtract(1, slope, out=slope)
            subtract(e, np.divide(p, slope, out=ratio), out=new)
        x = np.cos(E[-1])
        inward = x - eccentricity
        error = size * inward - seen
        loss = np.vdot(error, error) / n

        error *= 2 / n
        d_size = np.vdot(error, inward)
        dx = error * size
        d = np.sin(E[-1])
        d *= -dx
        d_eccentricity = -dx
        # new = e - r with r = (e - k sin e - M) / s and s = 1 - k cos e, so that dr/de = (s - r k sin e) / s = 1 - ...
        for sine, cosine, ratio, slope in backward:
            np.divide(d, slope, out=p)  # d new / dk = (sin e - r cos e) / s
            multiply(ratio, cosine, out=q)
            subtract(sine, q, out=q)
            add(d_eccentricity, multiply(q, p, out=q), out=d_eccentricity)
            multiply(ratio, sine, out=q)  # d new / de = r k sin e / s
            multiply(q, eccentricity, out=q)
            multiply(q, p, out=d)
        return loss, [d_size, total(d_eccentricity)]

    return step
