"""Models built on nodes; gradients follow from the graph, never by hand.

>>> from nn import Network
>>> network = Network([2, 4, 1], activation="tanh", seed=1)
>>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [-1, 1, 1, -1]
>>> history = network.fit(X, y, loss="hinge", learning_rate=0.3, epochs=200, batch_size=4, seed=1, verbose=0)
>>> (network.predict(X) > 0).tolist()
[False, True, True, False]
"""

from nn import metrics
from nn.activation_layers import (
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
from nn.attention import MultiHeadAttention, TransformerBlock, positional_encoding
from nn.callback import Callback
from nn.callbacks import Checkpoint, EarlyStopping, HistoryLogger
from nn.checkpoint import load_checkpoint, save_checkpoint
from nn.checkpoint_errors import CheckpointError
from nn.clipping import clip_by_norm, clip_by_value
from nn.convolution import Conv1d, Conv2d
from nn.dense import Dense, Linear
from nn.embedding import Embedding
from nn.flatten import Flatten
from nn.history import History
from nn.initializers import INITIALIZERS, initializer
from nn.linear_models import LinearNetwork, LinearRegression, LogisticRegression
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
from nn.normalization import BatchNorm, BatchNorm1d, BatchNorm2d, LayerNorm
from nn.normalizer import Normalizer
from nn.optimizer import Optimizer
from nn.optimizers import OPTIMIZERS, SGD, Adagrad, Adam, AdamW, RMSprop
from nn.plateau import ReduceLROnPlateau
from nn.pooling import AvgPool1d, AvgPool2d, GlobalAvgPool, GlobalMaxPool, MaxPool1d, MaxPool2d
from nn.prediction import evaluate, predict
from nn.recurrent import GRU, LSTM, RNN
from nn.recurrent_cells import GRUCell, LSTMCell, RNNCell
from nn.regularization import Dropout
from nn.schedules import CosineAnnealingLR, ExponentialLR, Schedule, StepLR, WarmUp
from nn.sequential import Residual, Sequential
from nn.stop_on_nan import StopOnNaN
from nn.summary import Summary
from nn.tiers import to_network, to_sequential
from nn.training import fit
from nn.weights import load_weights, save_weights

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
