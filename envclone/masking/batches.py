"""Batches of values made of name tokens, through the compiled loops: the dictionary under one key as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from envclone.masking.domains import Batch, DomainTable, Rest
from envclone.masking.kernels import names as kernels
from envclone.masking.kernels.email import mask_emails
from envclone.masking.kernels.keptwords import mask_kept
from envclone.masking.kernels.words import LONGEST, Dictionary, fill
from envclone.masking.mixed import masked_addresses, masked_texts
from envclone.masking.names import KnownNames, classes, given_parts

__all__ = ["NameBatches"]

_ANY, _DIGITS = int(kernels.ANY), int(kernels.DIGITS)
_RADIX = {"a": 26, "v": 5, "c": 21}


class NameBatches:
    """Masks of values in which every token is masked on its own; `key` is that of name tokens.

    `token` is the mask of a token of letters that are not ASCII, `text` that of any text.
    """

    def __init__(self, key: bytes, known: KnownNames, token: Callable[[str], str], text: Callable[[str], str]) -> None:
        self._known = known
        self._token = token
        self._text = text
        self._domains = DomainTable(key, _shape)

    @cached_property
    def texts(self) -> Batch:
        """The mask of values token by token."""
        return self.through(kernels.mask_texts, self._texts_left)

    @cached_property
    def _runs(self) -> Batch:
        return self.through(kernels.mask_texts)

    @cached_property
    def emails(self) -> Batch:
        """The mask of e-mail addresses."""
        return self.through(mask_emails, self._emails_left)

    @cached_property
    def _hosts(self) -> Batch:
        return self.through(mask_emails)

    def _texts_left(self, values: Sequence[str], one: Callable[[str], str]) -> list[str]:
        return masked_texts(values, lambda runs: self._runs(runs, self._text), self._token, one)

    def _emails_left(self, values: Sequence[str], one: Callable[[str], str]) -> list[str]:
        names = partial(self._texts_left, one=self._text)
        return masked_addresses(values, names, lambda hosts: self._hosts(hosts, one), one)

    def without(self, kept: Set[str]) -> Batch:
        """The mask of texts in which some words (lower case) stay."""
        words = _entered([word for word in sorted(kept) if word.isascii() and len(word) <= LONGEST])[0]
        return self.through(lambda values, room, names, domains: mask_kept(values, room, names, words, domains))

    def through(self, loop: Callable[..., Any], rest: Rest | None = None) -> Batch:
        """The mask of values by a loop over names."""
        return Batch(lambda batch: loop(batch, self._room, self._names, self._domains.arrays), self._domains, rest)

    @cached_property
    def _room(self) -> kernels.Scratch:
        return kernels.scratch()

    @cached_property
    def _names(self) -> Dictionary:
        names, words, places, kinds = _dictionary()
        images = np.empty(len(words), np.int64)
        first = 0
        for kind in kinds:
            followers = self._known.followers(kind)
            images[first : first + len(followers)] = followers
            images[first : first + len(followers)] += first
            first += len(followers)
        rows = names.rows.copy()
        rows[places, 2:] = words[images]
        return names._replace(rows=rows)


@cache
def _dictionary() -> tuple[Dictionary, Any, Any, Sequence[int]]:
    """What no key changes: the ASCII names, class after class, their places, and the numbers of the classes."""
    kinds = [kind for kind, names in enumerate(classes()) if names[0].isascii()]
    names = [name for kind in kinds for name in classes()[kind]]
    parts = given_parts()
    entered, words, places = _entered(names)
    entered.given[places] = [name in parts for name in names]
    return entered, words, places, kinds


def _entered(words: Sequence[str]) -> tuple[Dictionary, Any, Any]:
    """A dictionary of some words of ASCII letters; the words as numbers, and their places."""
    packed = np.array([word.encode("ascii") for word in words], f"S{LONGEST}").view(np.uint64).reshape(-1, 2)
    size = 1 << (2 * len(words)).bit_length()
    names = Dictionary(np.zeros((size, 4), np.uint64), np.zeros(size, np.bool_))
    places = np.empty(len(words), np.int64)
    fill(packed, names.rows, places)
    return names, packed, places


def _shape(key: int) -> tuple[bytes, Sequence[int]]:
    """The tweak and the radices of a shape, as `tokens` makes them."""
    if key & _DIGITS:
        return b"digits", [10] * (key ^ _DIGITS)
    classes = "a" * (key ^ _ANY) if key & _ANY else "".join("cv"[int(bit)] for bit in f"{key:b}"[1:])
    return b"ascii:" + classes.encode(), [_RADIX[c] for c in classes]
