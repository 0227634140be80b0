"""Graphs and gradients a person can see.

>>> from autodiff import Value
>>> from viz import draw
>>> x = Value(3.0, label="x")
>>> picture = draw(x * x)  # a notebook shows it; picture.save("square.svg") keeps it
>>> picture.svg[:4]
'<svg'
"""

from viz import plots
from viz.animation.animate import Animation, animate
from viz.bugs import BUGS, broken
from viz.expression import ExpressionError, from_expression
from viz.layouts.dot_layout import DotError
from viz.path_sums.paths import Path, Paths, paths
from viz.picture import Picture, draw
from viz.player import Player, steps
from viz.through_time.flow import GradientFlow, gradient_flow

__all__ = [
    "Animation",
    "BUGS",
    "DotError",
    "ExpressionError",
    "GradientFlow",
    "Path",
    "Paths",
    "Picture",
    "Player",
    "animate",
    "broken",
    "draw",
    "from_expression",
    "gradient_flow",
    "paths",
    "plots",
    "steps",
]
