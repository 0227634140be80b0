"""The errors of the engine. Each is also the built-in error a reader would expect to catch."""


class AutodiffError(Exception):
    """Base of every error that only an autograd engine can raise."""


class GraphError(AutodiffError, RuntimeError):
    """The graph cannot do what was asked: no gradient flows, a leaf has changed, a seed is missing."""


class ExactError(AutodiffError, ArithmeticError):
    """An operation on fractions has no exact answer."""


class AnomalyError(AutodiffError, ArithmeticError):
    """A NaN or an infinity appeared inside ``detect_anomaly()``."""


class GradientMismatchError(AutodiffError, AssertionError):
    """``check_gradients`` found a gradient that differs from its reference."""
