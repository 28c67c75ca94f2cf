"""A value's outline: how long it is and what signs it has, never what it says."""

from __future__ import annotations

import unicodedata

__all__ = ["shape"]

LONGEST = 40
"""Characters of an outline; what is longer is cut."""

_KEPT = frozenset(" .,;:_-+/@()'\"#")


def shape(text: str, limit: int = LONGEST) -> str:
    """A value's outline: letters become x, digits #, and of other signs only common ones are left.

    '' when nothing in it is a letter or a digit: it would be shown as it stands.
    """
    out: list[str] = []
    hidden = False
    for char in unicodedata.normalize("NFC", text[: limit + 1]):
        if char.isalpha():
            out.append("X" if char.isupper() else "x")
        elif char.isnumeric():
            out.append("#")
        elif char.isspace():
            out.append(" ")
        elif unicodedata.category(char)[0] == "M":
            continue
        else:
            out.append(char if char in _KEPT else "?")
            continue
        hidden = hidden or not char.isspace()
    outline = " ".join("".join(out).split())
    return (outline[:limit] + ("…" if len(text) > limit else "")) if hidden else ""
