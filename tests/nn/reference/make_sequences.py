"""Writes sequences.npz: what PyTorch computes for recurrent layers and attention, forward and backward, in float64.

Run: python tests/nn/reference/make_sequences.py (needs torch 2.13; the tests need NumPy only). For each case: the inputs
("in/..."), the weights by PyTorch's names ("weights/..."), the outputs ("out/..."), the gradients that come from above
("upstream/...") and what flows back to inputs and weights ("grad/...").
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
rng = np.random.default_rng(5)
LENGTHS = [4, 2, 3]

RECURRENT = {
    "rnn": (torch.nn.RNN, {}),
    "rnn relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
    "rnn without bias, 2 layers, both ways": (torch.nn.RNN, {"bias": False, "num_layers": 2, "bidirectional": True}),
    "lstm": (torch.nn.LSTM, {}),
    "lstm without bias": (torch.nn.LSTM, {"bias": False}),
    "lstm, 2 layers, both ways": (torch.nn.LSTM, {"num_layers": 2, "bidirectional": True}),
    "gru": (torch.nn.GRU, {}),
    "gru without bias": (torch.nn.GRU, {"bias": False}),
    "gru, 2 layers, both ways": (torch.nn.GRU, {"num_layers": 2, "bidirectional": True}),
}


def run(module, inputs, function) -> dict[str, np.ndarray]:
    """Everything about one case, by name."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.tensor(rng.normal(0.0, 0.7, tuple(parameter.shape))))
    given = {name: torch.tensor(x, requires_grad=True) for name, x in inputs.items()}
    outputs = function(**given)
    upstream = [torch.tensor(rng.normal(size=tuple(out.shape))) for out in outputs]
    torch.autograd.backward(outputs, upstream)
    found = {f"in/{name}": x.detach().numpy() for name, x in given.items()}
    found |= {f"weights/{name}": p.detach().numpy() for name, p in module.named_parameters()}
    for i, (out, g) in enumerate(zip(outputs, upstream, strict=True)):
        found |= {f"out/{i}": out.detach().numpy(), f"upstream/{i}": g.numpy()}
    found |= {f"grad/{name}": x.grad.numpy() for name, x in given.items()}
    return found | {f"grad/{name}": p.grad.numpy() for name, p in module.named_parameters()}


def recurrent(kind, options, lengths) -> dict[str, np.ndarray]:
    module = kind(2, 3, batch_first=True, **options)
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    names = ("h", "c") if kind is torch.nn.LSTM else ("h",)
    inputs = {"x": rng.normal(size=(3, 4, 2))} | {name: rng.normal(size=(count, 3, 3)) for name in names}

    def function(x, **state):
        before = tuple(state.values()) if len(state) > 1 else state["h"]
        if lengths is None:
            output, after = module(x, before)
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            output, after = module(packed, before)
            output, _ = pad_packed_sequence(output, batch_first=True)
        return [output, *(after if isinstance(after, tuple) else (after,))]

    return run(module, inputs, function)


def cell(kind) -> dict[str, np.ndarray]:
    module = kind(2, 3)
    names = ("h", "c") if kind is torch.nn.LSTMCell else ("h",)
    inputs = {"x": rng.normal(size=(4, 2))} | {name: rng.normal(size=(4, 3)) for name in names}

    def function(x, **state):
        after = module(x, tuple(state.values()) if len(state) > 1 else state["h"])
        return list(after) if isinstance(after, tuple) else [after]

    return run(module, inputs, function)


def attention(case) -> dict[str, np.ndarray]:
    module = torch.nn.MultiheadAttention(6, 3, batch_first=True, bias="bias" not in case)
    inputs = {"x": rng.normal(size=(2, 4, 6))}
    if "source" in case:
        inputs["source"] = rng.normal(size=(2, 5, 6))

    def function(x, source=None):
        source = x if source is None else source
        hidden = None
        padding = None
        if "causal" in case:
            hidden = torch.triu(torch.ones(4, 4, dtype=torch.bool), diagonal=1)
        if "mask" in case:
            padding = torch.zeros(2, source.shape[1], dtype=torch.bool)
            padding[1, -2:] = True  # the last two positions of sample 1 are filling
        output, weights = module(
            x, source, source, attn_mask=hidden, key_padding_mask=padding, average_attn_weights=False
        )
        return [output, weights]

    return run(module, inputs, function)


def block(norm_first, activation) -> dict[str, np.ndarray]:
    module = torch.nn.TransformerEncoderLayer(
        6, 3, 10, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first
    )
    return run(module, {"x": rng.normal(size=(2, 4, 6))}, lambda x: [module(x)])


def main() -> None:
    cases = {name: recurrent(kind, options, None) for name, (kind, options) in RECURRENT.items()}
    cases |= {f"{name}, lengths": recurrent(kind, options, LENGTHS) for name, (kind, options) in RECURRENT.items()}
    cases |= {f"{k.__name__}": cell(k) for k in (torch.nn.RNNCell, torch.nn.LSTMCell, torch.nn.GRUCell)}
    for name in ("plain", "without bias", "causal", "mask", "source", "source, mask", "causal, mask"):
        cases[f"attention {name}"] = attention(name)
    cases["block relu"] = block(True, "relu")
    cases["block gelu, norm last"] = block(False, "gelu")
    flat = {f"{case}/{name}": array for case, found in cases.items() for name, array in found.items()}
    np.savez_compressed(Path(__file__).with_name("sequences.npz"), **flat)


if __name__ == "__main__":
    main()
