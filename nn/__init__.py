"""Models built on nodes; gradients follow from the graph, never by hand.

>>> from nn import Network
>>> network = Network([2, 4, 1], activation="tanh", seed=1)
>>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [-1, 1, 1, -1]
>>> history = network.fit(X, y, loss="hinge", learning_rate=0.3, epochs=200, batch_size=4, seed=1, verbose=0)
>>> (network.predict(X) > 0).tolist()
[False, True, True, False]
"""

from nn import metrics
from nn.activations import (
    ACTIVATIONS,
    activation,
    elu,
    gelu,
    gelu_tanh,
    leaky_relu,
    linear,
    log_softmax,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from nn.data.normalizer import Normalizer
from nn.files.checkpoint import load_checkpoint, save_checkpoint
from nn.files.errors import CheckpointError
from nn.files.weights import load_weights, save_weights
from nn.initializers import INITIALIZERS, initializer
from nn.layers.activation import (
    ELU,
    GELU,
    SELU,
    Activation,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from nn.layers.attention import MultiHeadAttention, TransformerBlock, positional_encoding
from nn.layers.convolution import Conv1d, Conv2d
from nn.layers.dense import Dense, Linear
from nn.layers.dropout import Dropout
from nn.layers.embedding import Embedding
from nn.layers.flatten import Flatten
from nn.layers.linear_models import LinearNetwork, LinearRegression, LogisticRegression
from nn.layers.normalization import BatchNorm, BatchNorm1d, BatchNorm2d, LayerNorm
from nn.layers.pooling import AvgPool1d, AvgPool2d, GlobalAvgPool, GlobalMaxPool, MaxPool1d, MaxPool2d
from nn.layers.recurrent import GRU, LSTM, RNN
from nn.layers.recurrent_cells import GRUCell, LSTMCell, RNNCell
from nn.losses import (
    LOSSES,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge,
    huber,
    kl_divergence,
    mae,
    mse,
    nll,
)
from nn.metrics import METRICS
from nn.module import Module
from nn.neuron import MLP, Layer, Network, Neuron
from nn.optimizers.clipping import clip_by_norm, clip_by_value
from nn.optimizers.optimizer import Optimizer
from nn.optimizers.plateau import ReduceLROnPlateau
from nn.optimizers.rules import OPTIMIZERS, SGD, Adagrad, Adam, AdamW, RMSprop
from nn.optimizers.schedules import CosineAnnealingLR, ExponentialLR, Schedule, StepLR, WarmUp
from nn.sequential import Residual, Sequential
from nn.summary import Summary
from nn.tiers import to_network, to_sequential
from nn.training.callback import Callback
from nn.training.callbacks import Checkpoint, EarlyStopping, HistoryLogger
from nn.training.fit import fit
from nn.training.history import History
from nn.training.prediction import evaluate, predict
from nn.training.stop_on_nan import StopOnNaN

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Adagrad",
    "Adam",
    "AdamW",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm",
    "BatchNorm1d",
    "BatchNorm2d",
    "Callback",
    "Checkpoint",
    "CheckpointError",
    "Conv1d",
    "Conv2d",
    "CosineAnnealingLR",
    "Dense",
    "Dropout",
    "ELU",
    "EarlyStopping",
    "Embedding",
    "ExponentialLR",
    "Flatten",
    "GELU",
    "GRU",
    "GRUCell",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "History",
    "HistoryLogger",
    "INITIALIZERS",
    "Identity",
    "LOSSES",
    "LSTM",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LinearNetwork",
    "LinearRegression",
    "LogSoftmax",
    "LogisticRegression",
    "METRICS",
    "MLP",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "MultiHeadAttention",
    "Network",
    "Neuron",
    "Normalizer",
    "OPTIMIZERS",
    "Optimizer",
    "RMSprop",
    "RNN",
    "RNNCell",
    "ReLU",
    "ReduceLROnPlateau",
    "Residual",
    "SELU",
    "SGD",
    "Schedule",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "StepLR",
    "StopOnNaN",
    "Summary",
    "Tanh",
    "TransformerBlock",
    "WarmUp",
    "activation",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "clip_by_norm",
    "clip_by_value",
    "cross_entropy",
    "elu",
    "evaluate",
    "fit",
    "gelu",
    "gelu_tanh",
    "hinge",
    "huber",
    "initializer",
    "kl_divergence",
    "leaky_relu",
    "linear",
    "load_checkpoint",
    "load_weights",
    "log_softmax",
    "mae",
    "metrics",
    "mse",
    "nll",
    "positional_encoding",
    "predict",
    "relu",
    "save_checkpoint",
    "save_weights",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
    "to_network",
    "to_sequential",
]
