"""The step player: a forward and a backward pass to walk through, as one HTML file that works offline.

>>> from autodiff import Value
>>> from viz.player import steps
>>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
>>> player = steps((a * b + a) ** 2)
>>> player
<Player of 9 steps over 5 boxes>
"""

from viz.player.player import Player, steps

__all__ = ["Player", "steps"]
