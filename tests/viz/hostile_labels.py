"""Labels as an attacker, an accident or another alphabet would write them.

``hostile_labels(10_000, seed=0)`` gives the same ones again; whatever shows labels is tested with them.
"""

from __future__ import annotations

import random

MARKUP = [
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "</title></style></textarea><script>alert(1)</script>",
    "</text></svg><script>alert(1)</script>",
    '<svg onload="alert(1)">',
    "<style>*{display:none}</style>",
    '<a xlink:href="javascript:alert(1)">x</a>',
    '<image href="http://example.com/x.png"/>',
    '<use href="#n0"/>',
    "<foreignObject><iframe src=//example.com></iframe></foreignObject>",
    "]]>",
    "<![CDATA[ x ]]>",
    "<!--",
    "-->",
    "--!><script>",
    "<?xml version='1.0'?>",
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "&e; &lt; &#60; &#x3c;script&#x3e; &amp;amp; &nbsp; &bogus;",
    "<%= x %> {{ x }} ${x} #{x}",
]
QUOTES = [
    '"',
    "'",
    "`",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    '"/><rect/>',
    "\\",
    "\\\\",
    '\\"',
    "\\n",
    "\\u0041",
]
DOT = [
    '"];',
    '"] ; n1 [label="x" URL="http://example.com"] //',
    "} digraph { a -> b",
    "\\N \\G \\L \\T \\H \\l \\r",
    "{a|b|<p> c}",
    "<<TABLE><TR><TD HREF='http://example.com'>x</TD></TR></TABLE>>",
    "<b>",
    "// comment",
    "# define",
    "/* comment",
    "n0 -> n1;",
    "\\",
    "=",
]
ADDRESSES = [
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "http://example.com",
    "file:///etc/passwd",
    "url(http://example.com)",
    "@import 'x.css';",
    "//example.com",
]
FORMATS = [
    "{0}",
    "{}",
    "{title}",
    "{root}",
    "{{",
    "}}",
    "%s",
    "%(x)s",
    "%n%n%n",
    "%%",
    "$css",
    "${css}",
    "$policy",
    "\\1",
    "\\g<0>",
    "__css__",
]
CONTROLS = [chr(k) for k in [*range(32), *range(0x7F, 0xA0)]] + ["\x1b[31m", "\x1b]0;title\x07", "\r\n", "\b" * 9]
DIRECTIONS = [
    "\u202a",
    "\u202b",
    "\u202c",
    "\u202d",
    "\u202e",
    "\u2066",
    "\u2067",
    "\u2068",
    "\u2069",
    "\u200e",
    "\u200f",
    "\u061c",
]
INVISIBLE = [
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u2028",
    "\u2029",
    "\u00a0",
    "\u3000",
    "\u034f",
    "\U000e0041",
]
LONERS = ["\ud800", "\udfff", "\udc80", "\ud83d", "\ufffe", "\uffff", "\U0001ffff", "\ufdd0", "\U0010ffff", "\ue000"]
MARKS = ["\u0301", "\u0301" * 60, "\u20dd", "\u0489" * 9, "\ufe0f", "\u0e47" * 20]
SCRIPTS = ["עברית", "العربية", "漢字", "한국어", "ไทย", "हिन्दी", "𝒳𝓎", "﷽", "Å", "ß", "ı", "ﬁ", "½", "∇", "→"]
EMOJI = ["🚀", "👩‍🔬", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "1️⃣", "☺"]
PLAIN = [
    "w",
    "weight",
    "layers.0",
    "x y",
    "0",
    "-1.5",
    "None",
    "node",
    "tanh",
    "",
    " ",
    "constructor",
    "__proto__",
    "toString",
]
LONG = 200_000

FAMILIES = [
    MARKUP,
    QUOTES,
    DOT,
    ADDRESSES,
    FORMATS,
    CONTROLS,
    DIRECTIONS,
    INVISIBLE,
    LONERS,
    MARKS,
    SCRIPTS,
    EMOJI,
    PLAIN,
]


def hostile_labels(count, seed=0):
    """``count`` labels: first every piece by itself and long ones, then mixtures of pieces."""
    chance = random.Random(seed)
    pieces = [piece for family in FAMILIES for piece in family]
    labels = pieces + [(piece or "x") * (LONG // len(piece or "x")) for piece in pieces[::7]]
    while len(labels) < count:
        parts = [chance.choice(chance.choice(FAMILIES)) for _ in range(chance.choice([1, 2, 2, 3, 3, 4, 6]))]
        parts += (
            ["".join(chr(_any_character(chance)) for _ in range(chance.randrange(12)))] if chance.random() < 0.3 else []
        )
        chance.shuffle(parts)
        labels.append(chance.choice(["", "", " ", "\n"]).join(parts))
    chance.shuffle(labels)
    return labels[:count]


def _any_character(chance):
    return chance.randrange(chance.choice([0x80, 0x250, 0x3000, 0x10000, 0x110000]))
