"""Thousands of hostile expressions: ``python -m tests.viz.hostile_expressions 20000``.

Each is read and computed while Python's audit events are watched: nothing is imported, opened, started or run, and
nothing but ExpressionError is raised.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from fractions import Fraction

from viz.expression import ExpressionError, from_expression

GOOD = ["tanh(w*x + b)", "z = w*x + b; (tanh(z) - x)**2", "where(x > 0, w, b)", "max(w, x, b) / 3", "-x**-b + 1e-3*w"]
ATTACKS = [
    "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "x.data",
    "[x for x in (1,)]",
    "{x: 1}",
    "(lambda: x)()",
    "lambda x: x",
    "(y := x)",
    "f'{x}'",
    "x if w else b",
    "tanh(x=w)",
    "tanh(*x)",
    "tanh(**x)",
    "tanh(x)(w)",
    "x[0]",
    "x[::2]",
    "await x",
    "yield x",
    "x; import os",
    "import os",
    "del x",
    "x and w",
    "not x",
    "x is w",
    "x in w",
    "x == w",
    "x @ w",
    "x | w",
    "~x",
    "x // w",
    "x % w",
    "...",
    "None",
    "True",
    "1j",
    "0x10",
    "1_000",
    "9**9**9**9",
    "x**10**10**10",
    "1e999",
    "9" * 5000,
    "0." + "0" * 400 + "1",
    "x" * 5000,
    "(" * 500,
    "(" * 90 + "x" + ")" * 90,
    "-" * 3999 + "x",
    "tanh(" * 99 + "x" + ")" * 99,
    "x**" * 1300 + "x",
    "x+" * 1990 + "x",
    "exec(x)",
    "eval(x)",
    "open(x)",
    "print(x)",
    "globals()",
    "matmul(x, w)",
    "Value(x)",
    "x\x00w",
    "\x1b[31mx",
    "\ud800",
    "\u202ex",
    "ｘ",
    "𝐱 + 𝓌",
    "x٣",
    "x\\\nw",
    "# comment",
    "x # comment",
    '"""x"""',
    "b'x'",
    "x;;w",
    "\ufeffx",
    "💥",
    "x=",
    "=x",
    "x=w=b",
    "1if x else 2",
    "x<w<b",
]
PIECES = [
    *(
        [
            "(",
            ")",
            ",",
            ";",
            "=",
            "+",
            "-",
            "*",
            "/",
            "**",
            "<",
            ">",
            "<=",
            ">=",
            "\n",
            "1",
            "0.5",
            "1e3",
            ".5",
            "x",
            "w",
            "b",
            "z",
            "pi",
            "tanh",
            "exp",
            "max",
            "where",
            "clip",
            "power",
        ]
    ),
    *(
        [
            "==",
            "!=",
            "//",
            "%",
            "@",
            "&",
            "|",
            "^",
            "~",
            ".",
            ":",
            "[",
            "]",
            "{",
            "}",
            "'",
            '"',
            "`",
            "\\",
            "#",
            "!",
            "?",
            "$",
            "_",
            "__",
            "lambda",
            "if",
            "for",
            "import",
            "None",
            "_x",
            "2x",
        ]
    ),
    *(["λ", "é", "漢", "²", "×", "−", "√", "\x00", "\x1b", "\u202e", "�", "💥"]),
]


def hostile(rng: random.Random) -> str:
    """An attack, a good expression with an attack inside, or pieces in any order."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(ATTACKS)
    if kind == 1:
        good = rng.choice(GOOD)
        at = rng.randrange(len(good) + 1)
        return good[:at] + rng.choice(ATTACKS + PIECES) + good[at + rng.randrange(3) :]
    if kind == 2:
        return rng.choice(["", " "]).join(
            rng.choices(PIECES[:30] if rng.random() < 0.6 else PIECES, k=rng.randrange(12))
        )
    return "".join(chr(rng.randrange(rng.choice([128, 0x500, 0x11000]))) for _ in range(rng.randrange(20)))


def attempt(text: str, exact: bool) -> str:
    """What became of it."""
    numbers = {"w": Fraction(1, 2), "x": Fraction(7, 3), "b": Fraction(-1)} if exact else {"w": 0.5, "x": 2.0, "b": -1}
    for given in (numbers, {"x": numbers["x"]}):  # the second for expressions without w and b
        try:
            from_expression(text, **given)
        except ExpressionError as error:
            inside = error.column is None or 0 <= error.column <= len(text)
            if not inside or "\x1b" in str(error):
                raise
        else:
            return "computed"
    return "refused"


def main(count: int) -> Counter[str]:
    """Attempt so many, and count what became of them."""
    events: Counter[str] = Counter()
    watching = False

    def watch(event: str, arguments: object) -> None:
        if watching and event != "compile":  # compile is ast.parse
            events[event] += 1

    for text in ("tahn(x)", "漢", "x**x", "1/0", "x", "-" * 3999 + "x"):  # what Python loads when it is first needed
        attempt(text, False)
        attempt(text, True)
    sys.addaudithook(watch)
    rng = random.Random(0)
    done: Counter[str] = Counter()
    watching = True
    for k in range(count):
        done[attempt(hostile(rng) if k >= len(ATTACKS) else ATTACKS[k], k % 2 == 1)] += 1
    watching = False
    assert not events, events
    return done


if __name__ == "__main__":
    print(dict(main(int(sys.argv[1]))))
