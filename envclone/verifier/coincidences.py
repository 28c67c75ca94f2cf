"""Proven values in which an original stands although nobody put it there: a pseudonym that is somebody else's name."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from hashlib import blake2b

from envclone.verifier.foldedtexts import SEPARATOR

__all__ = ["Coincidences"]


class Coincidences:
    """Per field, by address with its store: the values themselves, as keyed hashes, and the originals in them.

    The key is made here and never kept. The engine copies such values into indexes and statistics, and makes others of
    them; what it made shows the same original again.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._values: set[tuple[str, bytes]] = set()
        self._originals: set[tuple[str, int]] = set()
        self._of_stores: set[tuple[str, int]] = set()

    def seen(self, address: str, original: int, text: bytes) -> Iterable[tuple[str, int, bytes]]:
        """What is to be `add`ed for an original that stands by chance in a value, as `loose.text_of` gives it.

        The elements of a list count as values of their own.
        """
        return {(address, original, self._hash(part)) for part in {text, *text.split(SEPARATOR)}}

    def add(self, found: Iterable[tuple[str, int, bytes]]) -> None:
        """Take in what was seen, here or in a copy of this process."""
        for address, original, value in found:
            self._values.add((address, value))
            self._originals.add((address, original))
            self._of_stores.add((address.partition(".")[0], original))

    def copied(self, sources: Collection[str], text: bytes) -> bool:
        """Whether a value is one of these, of one of the fields."""
        value = self._hash(text)
        return any((source, value) in self._values for source in sources)

    def made_of(self, sources: Collection[str], original: int) -> bool:
        """Whether the original stands by chance in a proven value of one of the fields."""
        return any((source, original) in self._originals for source in sources)

    def anywhere(self, store: str, original: int) -> bool:
        """Whether the original stands by chance in a proven value of any field of a store."""
        return (store, original) in self._of_stores

    def _hash(self, text: bytes) -> bytes:
        return blake2b(text, digest_size=8, key=self._key).digest()
