"""The same graph as a fast program: trace, simplify, find the matrix products again, replay.

In the order in which a function passes through them:

- ``compile`` is the door, ``compiled`` what it returns: a function with a cache of traces.
- ``tracing`` runs the function once, writes a ``program`` down, and refuses what a program cannot hold.
- ``passes`` make the program shorter without changing a number.
- ``reroll`` (of ``rerolling``) makes an array program of a program of single numbers.
- ``numpy_backend`` (of ``replay``) runs array programs; ``numba_backend`` (of ``tape``) programs of single numbers, as
  they are; ``reference`` does it slowly and plainly. ``binding`` and ``backends`` put them beside arrays of arguments,
  ``cost`` chooses.
- ``calling`` takes the arguments of a call to them, and what they answer back; its ``traced`` and ``sessions`` are for
  a training loop, which keeps the numbers of the parameters itself.
"""
