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
from nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nn.checkpoint_errors import CheckpointError
from nn.clipping import clip_by_norm, clip_by_value
from nn.convolution import Conv1d, Conv2d
from nn.dense import Dense, Linear
from nn.embedding import Embedding
from nn.flatten import Flatten
from nn.initializers import INITIALIZERS, initializer
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
from nn.pooling import AvgPool1d, AvgPool2d, GlobalAvgPool, GlobalMaxPool, MaxPool1d, MaxPool2d
from nn.regularization import Dropout
from nn.schedules import CosineAnnealingLR, ExponentialLR, ReduceLROnPlateau, Schedule, StepLR, WarmUp
from nn.sequential import Residual, Sequential
from nn.training import History, fit, predict
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
    "Checkpoint",
    "CheckpointError",
    "Conv1d",
    "Conv2d",
    "CosineAnnealingLR",
    "Dense",
    "Dropout",
    "ELU",
    "Embedding",
    "ExponentialLR",
    "Flatten",
    "GELU",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "History",
    "INITIALIZERS",
    "Identity",
    "LOSSES",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "METRICS",
    "MLP",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "Network",
    "Neuron",
    "Normalizer",
    "OPTIMIZERS",
    "Optimizer",
    "RMSprop",
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
    "Tanh",
    "WarmUp",
    "activation",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "clip_by_norm",
    "clip_by_value",
    "cross_entropy",
    "elu",
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
]
