"""Text that came from elsewhere, as a terminal or a page may show it: nothing in it moves, colours or reorders."""

from __future__ import annotations

import unicodedata

__all__ = ["visible"]

_KEPT = frozenset("\n\t")
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Control characters, what changes the direction of writing or has no width, halves of pairs, other line ends."""

_JOINERS = frozenset("\u200c\u200d")
"""Needed inside words of several scripts, and in emoji."""


def visible(text: str) -> str:
    """The text with control characters, marks of direction and lone surrogates written out, as `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_written(char) for char in text)


def _written(char: str) -> str:
    if char in _KEPT or char in _JOINERS or unicodedata.category(char) not in _UNSEEN:
        return char
    return char.encode("unicode_escape").decode()
