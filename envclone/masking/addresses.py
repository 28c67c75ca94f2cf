"""Addresses of fields as rules write them: names with `*`, and paths below JSON fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from envclone.models import Field, FieldKind

__all__ = ["SPARSE", "below", "exact", "matches", "most_specific", "specificity"]


SPARSE = "sparse"
"""The type of a collection's sparse vectors."""


def exact(pattern: str) -> bool:
    """Whether a pattern names one field and nothing else."""
    return "*" not in pattern.replace("[*]", "[]")


def specificity(pattern: str) -> int:
    """Sorts the most specific pattern first: the number of its `*`."""
    return pattern.replace("[*]", "[]").count("*")


def most_specific(patterns: Sequence[str]) -> list[str]:
    """Those with the fewest `*`, without any that matches all that another of them does (`a.*` beside `a.b*`)."""
    fewest = min(map(specificity, patterns), default=0)
    best = [p for p in patterns if specificity(p) == fewest]
    return [p for p in best if not any(q != p and _covers(p.split("."), q.split(".")) for q in best)]


def matches(pattern: str, field: Field) -> bool:
    """Whether a rule with this pattern is about the whole field.

    Vectors are matched by their exact address alone, or dense ones by that of all vectors of their collection: a sparse
    vector's indices are words, and want a decision of their own.
    """
    if field.kind is FieldKind.VECTOR:
        head, mark, _ = field.address.partition(".vectors.")
        its_collections = bool(mark) and field.type != SPARSE and pattern == f"{head}.vectors"
        return pattern == field.address or its_collections
    return _covers(pattern.split("."), field.address.split("."))


def below(pattern: str, field: Field) -> str | None:
    """The path inside a JSON field that a longer pattern means, or None; a last `*` is anything below."""
    if field.kind is not FieldKind.JSON:
        return None
    parts = pattern.split(".")
    length = field.address.count(".") + 1
    if len(parts) <= length or not _covers(parts[:length], field.address.split(".")):
        return None
    path = "$"
    for i, part in enumerate(parts[length:], start=length + 1):
        name = re.sub(r"(\[\*?\])+$", "", part)
        lists = "[*]" * (part[len(name) :].count("["))
        if name == "*" and not lists and i == len(parts):
            path += ".**"
        elif name in ("*", "**") or re.fullmatch(r"[^\W\d]\w*", name):
            path += f".{name}{lists}"
        else:
            escaped = name.replace("\\", "\\\\").replace("'", "\\'")
            path += f"['{escaped}']{lists}"
    return path


def _covers(pattern: Sequence[str], address: Sequence[str]) -> bool:
    return len(pattern) == len(address) and all(
        _regex(part).fullmatch(name) is not None for part, name in zip(pattern, address, strict=True)
    )


@lru_cache(maxsize=4096)
def _regex(part: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, part.split("*"))), re.DOTALL)
