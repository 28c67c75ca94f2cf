"""Proven values in which an original stands although nobody put it there: a pseudonym that is somebody else's name."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np

from envclone.numberset import NumberSet
from envclone.shelf import Shelf
from envclone.verifier.foldedtexts import SEPARATOR

__all__ = ["Chance", "Coincidences", "by_address"]

Chance = tuple[str, int, int]
"""A field by its address, an original, and 64 bits of a value in which it stands by chance."""


class Coincidences:
    """Per field, by address with its store: the values themselves, as keyed hashes, and the originals in them.

    The key is made here and never kept. The engine copies such values into indexes and statistics, and makes others of
    them; what it made shows the same original again. Twice as many people have four times as many: at ten million rows
    one telephone number in nine is somebody else's. So they are numbers on the shelf, 24 bytes each.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._key = secrets.token_bytes(16)
        self._names: dict[str, int] = {}
        self._values, self._originals, self._of_stores = (NumberSet(shelf) for _ in range(3))

    def seen(self, address: str, original: int, text: bytes) -> Collection[Chance]:
        """What is to be `add`ed for an original that stands by chance in a value, as `loose.text_of` gives it.

        The elements of a list count as values of their own.
        """
        return {(address, original, self._hash(address, part)) for part in {text, *text.split(SEPARATOR)}}

    def add(self, found: Iterable[Chance]) -> None:
        """Take in what was seen."""
        for address, (originals, values) in by_address(found).items():
            self.take(address, originals, values)

    def take(self, address: str, originals: Any, values: Any) -> None:
        """The same of one field (`by_address`), as a copy of this process gives it."""
        of_field, of_store = (
            self._names.setdefault(name, len(self._names)) for name in (address, address.partition(".")[0])
        )
        numbers: list[int] = originals.tolist()
        self._values.add(values.tolist())
        self._originals.add(of_field << 32 | one for one in numbers)
        self._of_stores.add(of_store << 32 | one for one in numbers)

    def copied(self, sources: Collection[str], text: bytes) -> bool:
        """Whether a value is one of these, of one of the fields."""
        return any(source in self._names and self._hash(source, text) in self._values for source in sources)

    def made_of(self, sources: Collection[str], original: int) -> bool:
        """Whether the original stands by chance in a proven value of one of the fields."""
        return any(self._known(self._originals, source, original) for source in sources)

    def anywhere(self, store: str, original: int) -> bool:
        """Whether the original stands by chance in a proven value of any field of a store."""
        return self._known(self._of_stores, store, original)

    def _known(self, numbers: NumberSet, name: str, original: int) -> bool:
        return name in self._names and (self._names[name] << 32 | original) in numbers

    def _hash(self, address: str, text: bytes) -> int:
        whole = address.encode("utf-8", "surrogatepass") + b"\0" + text
        return int.from_bytes(blake2b(whole, digest_size=8, key=self._key).digest(), "big")


def by_address(found: Iterable[Chance]) -> Mapping[str, tuple[Any, Any]]:
    """What was seen as arrays, by field: the originals (uint32) and the values (uint64). So it takes 12 bytes each."""
    held: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for address, original, value in found:
        held[address][0].append(original)
        held[address][1].append(value)
    return {
        address: (np.array(originals, np.uint32), np.array(values, np.uint64))
        for address, (originals, values) in held.items()
    }
