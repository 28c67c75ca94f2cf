"""Addresses of fields as rules write them: names with `*`, and paths below JSON fields.

A name with a dot in it may stand without quotes as long as only one field can be meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from envclone.address import Address, Piece, pieces
from envclone.models import Field, FieldKind

__all__ = [
    "SPARSE",
    "Patterns",
    "below",
    "canonical",
    "exact",
    "known_as",
    "matches",
    "meant",
    "most_specific",
    "specificity",
    "steps_below",
]

T = TypeVar("T")

SPARSE = "sparse"
"""The type of a collection's sparse vectors."""


def exact(pattern: str) -> bool:
    """Whether a pattern names one field and nothing else."""
    return specificity(pattern) == 0


def specificity(pattern: str) -> int:
    """Sorts the most specific pattern first: the number of its `*`."""
    return sum(piece.text.replace("[*]", "[]").count("*") for piece in pieces(pattern) if not piece.quoted)


def most_specific(patterns: Sequence[str]) -> list[str]:
    """Those with the fewest `*`, without any that matches all that another of them does (`a.*` beside `a.b*`)."""
    fewest = min(map(specificity, patterns), default=0)
    best = [p for p in patterns if specificity(p) == fewest]
    return [p for p in best if not any(_wider(p, q) for q in best)]


def _wider(one: str, other: str) -> bool:
    """Whether a pattern matches all that another does, and more; two spellings of one address (`"a".b`) do not."""
    covers = _covers(pieces(one), Address.parse(other).parts)
    return covers and not _covers(pieces(other), Address.parse(one).parts)


def matches(pattern: str, field: Field) -> bool:
    """Whether a rule with this pattern is about the whole field.

    Vectors are matched by their exact address alone, or dense ones by that of all vectors of their collection: a sparse
    vector's indices are words, and want a decision of their own.
    """
    if pattern == field.address:
        return True
    its, names = pieces(pattern), Address.parse(field.address).parts
    if field.kind is FieldKind.VECTOR:
        of_collection = len(names) > 2 and names[-2] == "vectors" and field.type != SPARSE
        return exact(pattern) and (_covers(its, names) or (of_collection and _covers(its, names[:-1])))
    return _covers(its, names)


class Patterns:
    """Patterns of rules, found by the field that they can be about."""

    def __init__(self, patterns: Collection[str]) -> None:
        self._order = {pattern: number for number, pattern in enumerate(patterns)}
        self._wild: list[str] = []
        self._exact: dict[str, list[str]] = {}
        for pattern in patterns:
            its = pieces(pattern)
            if any("*" in piece.text for piece in its if not piece.quoted):
                self._wild.append(pattern)
            else:
                self._exact.setdefault(".".join(piece.text + piece.lists for piece in its), []).append(pattern)

    def about(self, field: Field) -> list[str]:
        """Those for which `matches` is possible, in their order."""
        names = Address.parse(field.address).parts
        found = {*self._wild, *self._exact.get(".".join(names), ())}
        if field.kind is FieldKind.VECTOR:
            found.update(self._exact.get(".".join(names[:-1]), ()))
        if field.address in self._order:
            found.add(field.address)
        return sorted(found, key=self._order.__getitem__)


def below(pattern: str, field: Field) -> str | None:
    """The path inside a JSON field that a longer pattern means, or None; a last `*` is anything below.

    A `~` at the end means keys, as it does in a path.
    """
    if field.kind is not FieldKind.JSON:
        return None
    its, names = pieces(pattern), Address.parse(field.address).parts
    length = next((n for n in range(len(names), len(its)) if _covers(its[:n], names)), None)
    if length is None:
        return None
    path = "$"
    for i, piece in enumerate(its[length:], start=length + 1):
        name = piece.text if piece.quoted else re.sub(r"(\[\*?\])+$", "", piece.text)
        lists = "[*]" * (piece.lists if piece.quoted else piece.text[len(name) :]).count("[")
        keys = "~" if i == len(its) and not piece.quoted and len(name) > 1 and name.endswith("~") else ""
        name = name.removesuffix("~") if keys else name
        if name == "*" and not lists and not keys and not piece.quoted and i == len(its):
            path += ".**"
        elif (name in ("*", "**") and not piece.quoted) or re.fullmatch(r"[^\W\d]\w*", name):
            path += f".{name}{lists}{keys}"
        else:
            escaped = name.replace("\\", "\\\\").replace("'", "\\'")
            path += f"['{escaped}']{lists}{keys}"
    return path


def meant(address: str, fields: Collection[str]) -> list[str]:
    """The fields of these addresses that an address without `*` can mean; one that is written so means itself alone."""
    if address in fields:
        return [address]
    its = pieces(address)
    return [] if not exact(address) else [known for known in fields if _covers(its, Address.parse(known).parts)]


def known_as(address: str, fields: Collection[str]) -> str:
    """The address as its field's is written, when it can mean one field only; else as it is."""
    found = meant(address, fields) if address else []
    return found[0] if len(found) == 1 else address


def canonical(rules: Mapping[str, T], fields: Mapping[str, Field]) -> dict[str, T]:
    """The rules with every address that can mean one field only written as that field's; the others as they are."""
    if not any('"' in address for address in fields):
        return dict(rules)
    out: dict[str, T] = {}
    for pattern, rule in rules.items():
        found = meant(pattern, fields)
        alone = len(found) == 1 and not any(below(pattern, field) for field in fields.values())
        out[found[0] if alone and found[0] not in rules and found[0] not in out else pattern] = rule
    return out


def steps_below(address: str, field: str) -> tuple[str, ...] | None:
    """The keys below the field of this address that a longer address means, '[]' for each list; None when it does not.

    >>> steps_below('public.events."full data".people[].id', 'public.events."full data"')
    ('people', '[]', 'id')
    """
    its, names = pieces(address), Address.parse(field).parts
    length = next((n for n in range(len(names), len(its)) if _covers(its[:n], names)), None)
    if length is None:
        return None
    steps: list[str] = []
    for piece in its[length:]:
        name = piece.text if piece.quoted else re.sub(r"(\[\*?\])+$", "", piece.text)
        lists = piece.lists if piece.quoted else piece.text[len(name) :]
        steps += [name, *["[]"] * lists.count("[")]
    return tuple(steps)


def _covers(pattern: Sequence[Piece], names: Sequence[str]) -> bool:
    """Whether a pattern's pieces are these names: an unquoted name with dots is several pieces."""
    if not names:
        return not pattern
    for taken in range(1, len(pattern) - len(names) + 2):
        group = pattern[:taken]
        if taken > 1 and any(piece.quoted for piece in group):
            return False
        if _means(group, names[0]) and _covers(pattern[taken:], names[1:]):
            return True
    return False


def _means(group: Sequence[Piece], name: str) -> bool:
    if group[0].quoted:
        return group[0].text + group[0].lists == name
    return _regex(".".join(piece.text for piece in group)).fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _regex(part: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, part.split("*"))), re.DOTALL)
