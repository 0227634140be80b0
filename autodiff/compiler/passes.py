"""Making a program shorter without changing any of its numbers.

Three passes in one sweep forward and one back: what is computed from constants is a constant, what is computed
twice is computed once, what no output needs is dropped. Nothing is simplified by algebra: ``x * 0`` is not 0
where x is infinite, and ``x - x`` is not 0 where it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.compiler.program import Program
from autodiff.context import no_grad, silent, traced_by
from autodiff.primitives.row import Primitive
from autodiff.tensor import Tensor
from autodiff.value import Value


def simplify(program: Program) -> Program:
    """The same program with constants folded, common subexpressions shared and dead code dropped.

    Values are numbered anew, in the old order; leaves that are given at each run stay, used or not. It takes time
    in proportion to the length of the program.
    """
    with no_grad(), silent(), traced_by(None):
        same, constants = _merged(program)
    return _alive(program, same, constants)


def _merged(program: Program) -> tuple[list[int], dict[int, Any]]:
    """For each value the first one that is equal to it, and the constants, folded ones too."""
    same = list(range(len(program)))
    constants: dict[int, Any] = {}
    first: dict[Any, int] = {}
    keys: dict[int, Any] = {}  # of parameters, by the identity of their dictionary: many calls share one
    params, stopped, setdefault = program.params, program.stopped, first.setdefault
    for i, op in enumerate(program.ops):
        if op is None:
            if i in program.constants:
                constants[i] = program.constants[i]
                same[i] = setdefault(_number_key(constants[i]), i)
            continue
        args = tuple([same[k] for k in program.args[i]])
        key: Any = (op, args)
        given = params[i]
        if given:
            if id(given) not in keys:
                keys[id(given)] = tuple([(name, _number_key(x)) for name, x in given.items()])
            key = (op, args, keys[id(given)])
        if stopped and i in stopped:
            key = (key, "stopped")
        same[i] = found = setdefault(key, i)
        if found == i and args[0] in constants and all([k in constants for k in args]):
            constants[i] = _computed(op, [constants[k] for k in args], given or {})
            same[i] = setdefault(_number_key(constants[i]), i)
    return same, constants


def _computed(op: Primitive, args: list[Any], params: dict[str, Any]) -> Any:
    """A constant, by the row's own function, as the engine itself would compute it."""
    kind: Any = Tensor if any([isinstance(x, np.ndarray) for x in args]) else Value
    return kind.apply(op, tuple([kind(x, requires_grad=False) for x in args]), params)._held


def _number_key(x: Any) -> Any:
    """What two numbers or parameters share if they are the same to the last bit: 0.0, -0.0, 0 and False are four."""
    if type(x) is float:
        return x if x == x and x != 0.0 else (float, repr(x))
    if type(x) in (int, bool, str):
        return (type(x), x)
    if isinstance(x, np.ndarray):
        return (x.dtype.str, x.shape, x.tobytes()) if x.size <= 64 and x.dtype != object else ("array", id(x))
    if isinstance(x, tuple | list):
        return (type(x), *[_number_key(part) for part in x])
    if isinstance(x, slice):
        return (slice, *[_number_key(part) for part in (x.start, x.stop, x.step)])
    return (type(x), repr(x)) if x is None or x is Ellipsis or isinstance(x, type | np.dtype) else (type(x), id(x))


def _alive(program: Program, same: list[int], constants: dict[int, Any]) -> Program:
    """What the outputs need, and every leaf that is given; numbered anew."""
    ops, args = program.ops, program.args
    needed = bytearray(len(program))
    for i in program.outputs:
        needed[same[i]] = 1
    for i in range(len(program) - 1, -1, -1):
        if needed[i] and i not in constants:
            for k in args[i]:
                needed[same[k]] = 1
    for i in [*program.shared, *program.varying]:
        needed[i] = 1
    slim = Program(names=program.names, example=program.example)
    new = [-1] * len(program)
    for i, kept in enumerate(needed):
        if not kept:
            continue
        if i in constants:
            new[i] = slim.append(None, scope=program.scopes[i])
            slim.constants[new[i]] = constants[i]
        else:
            new[i] = slim.append(ops[i], tuple([new[same[k]] for k in args[i]]), program.params[i], program.scopes[i])
    number: Callable[[int], int] = lambda i: new[same[i]]
    slim.shared, slim.varying = [new[i] for i in program.shared], [new[i] for i in program.varying]
    slim.outputs = [number(i) for i in program.outputs]
    slim.stopped = {new[i] for i in program.stopped if needed[i] and i not in constants}
    for i, label in program.labels.items():
        if needed[same[i]]:
            slim.labels.setdefault(number(i), label)
    return slim
