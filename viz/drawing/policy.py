"""What a saved page may do: nothing but show its own styles and run its own script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256


def policy_of(styles: Sequence[str], script: str | None = None) -> str:
    """A content security policy that names styles and script by their hashes, and allows nothing else.

    >>> policy_of([])
    "default-src 'none'; base-uri 'none'; form-action 'none'"
    """
    rules = ["default-src 'none'"]
    rules += [f"style-src {' '.join(map(_hash, styles))}"] if styles else []
    rules += [f"script-src {_hash(script)}"] if script is not None else []
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
