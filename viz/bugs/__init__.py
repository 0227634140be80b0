"""The bug lab: what a backward pass with a classic mistake computes, beside what is right.

>>> from autodiff import Value
>>> from viz.bugs import BUGS, broken
>>> a = Value(3.0, label="a")
>>> wrong = broken(a * a, "overwrite")
>>> wrong.gradients[a], wrong.right[a], wrong.numerical[a]
(3.0, 6.0, 6.0)
>>> list(BUGS)
['overwrite', 'depth_first', 'stale', 'no_zero_grad', 'wrong_local']
"""

from viz.bugs.broken import BrokenPass, broken
from viz.bugs.catalogue import BUGS, Bug

__all__ = ["BUGS", "BrokenPass", "Bug", "broken"]
