"""The original values of masked fields: what must be gone, and how telling each of them is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Original", "Originals", "spellings", "strong"]

_WORD = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Original:
    """Where an original value stands in production, and whether it names a person all by itself."""

    address: str
    kind: str
    strong: bool


class Originals:
    """Every distinct original value of the masked fields, of all stores. Quarantined: it lives in memory only."""

    def __init__(self) -> None:
        self._known: dict[str, Original] = {}

    def add(self, address: str, kind: str, values: Iterable[str]) -> None:
        """Take in values of one field; the first field that shows a value is the one that a report names."""
        known = self._known
        for value in values:
            stripped = value.strip()
            if stripped and stripped not in known:
                known[stripped] = Original(address, kind, strong(kind, stripped))

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, value: str) -> Original:
        return self._known[value]

    def items(self) -> Mapping[str, Original]:
        """All of them, by value."""
        return self._known


def strong(kind: str, value: str) -> bool:
    """Whether a value tells of a person wherever it stands.

    An e-mail address, a phone number of seven digits or a full name does. A single name ('Mark', 'Paris') or a short
    code does not: the same letters can stand in a kept field and mean something else.
    """
    if kind == "email":
        return "@" in value
    if kind == "phone":
        return len(_DIGIT.findall(value)) >= 7
    if kind == "person":
        return len(_WORD.findall(value)) >= 2
    return len(value) >= 12


def spellings(value: str) -> Iterator[bytes]:
    """The byte strings that a value may be written as: as it is, in lower case, escaped in JSON."""
    seen = {value.encode(), value.lower().encode()}
    if not value.isascii():
        seen.add(json.dumps(value)[1:-1].encode())
    yield from seen
