"""The mask of free text: every known identity in it, and everything that looks like an address or a number.

One Aho–Corasick automaton finds the tokens of all known names (CACM 18/6, 1975), RE2 the patterns; what they find is
judged by its surroundings and then masked by the masks of the columns, so an identity has one pseudonym everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from envclone.masking.corpus import Corpus
from envclone.masking.judge import Candidate, Judge
from envclone.masking.lexicon import Lexicon, PatternType, lower
from envclone.masking.numbers import phones_in
from envclone.protocols import Mask

__all__ = ["FreeText", "Span"]

BATCH = 1 << 20
"""Characters searched at once."""

_SEPARATOR = "\x00"
_LONE = re.compile("[\ud800-\udfff]")
_EMAIL = (
    r"[\p{L}\p{M}\p{N}._%+'\-]*[\p{L}\p{M}\p{N}_%+\-]@[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}\-]*[\p{L}\p{M}\p{N}])?"
    r"(?:\.[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}\-]*[\p{L}\p{M}\p{N}])?)+"
)
_NUMBER = r"(?:\+|\(|\d)(?:[ ().\-/\x{a0}]{0,3}\d){6,18}(?:\s?(?i:x|ext\.?|#)\s?\d{1,6})?"
_EXACT = {PatternType.PERSON: "person", PatternType.EMAIL: "email", PatternType.PHONE: "phone"}


Span = tuple[int, int, str]
"""Where an identity begins, minus where it ends (so that the longest sorts first), and its kind."""


class FreeText:
    """Masks identities inside texts; `masks` holds the masks of the kinds person, email and phone.

    Texts keep their length in characters and bytes. The automaton is made at the first text.
    """

    def __init__(self, corpus: Corpus, masks: Mapping[str, Mask]) -> None:
        self._corpus = corpus
        self._masks = masks

    def mask(self, values: Sequence[str]) -> list[str]:
        """The texts with every identity in them replaced, in order."""
        out: list[str] = []
        batch: list[str] = []
        size = 0
        for value in values:
            if _SEPARATOR in value:
                out += self._batch(batch)
                out += self._apart(value)
                batch, size = [], 0
                continue
            batch.append(value)
            size += len(value)
            if size >= BATCH:
                out += self._batch(batch)
                batch, size = [], 0
        return out + self._batch(batch)

    def _apart(self, value: str) -> list[str]:
        return [_SEPARATOR.join(self._batch(value.split(_SEPARATOR)))]

    def _batch(self, values: Sequence[str]) -> list[str]:
        if not values:
            return []
        text = _SEPARATOR.join(values)
        searched = _LONE.sub("\ufffd", text)
        out = []
        position = 0
        spans = list(_leftmost_longest([*self._patterns(searched), *self._identities(searched)]))
        fresh = self._pseudonyms(text, spans)
        for start, end, kind in spans:
            out += [text[position:start], fresh[text[start:-end], kind]]
            position = -end
        out.append(text[position:])
        return "".join(out).split(_SEPARATOR)

    def _pseudonyms(self, text: str, spans: Sequence[Span]) -> Mapping[tuple[str, str], str]:
        distinct: dict[str, dict[str, None]] = {kind: {} for kind in self._masks}
        for start, end, kind in spans:
            distinct[kind][text[start:-end]] = None
        return {
            (value, kind): masked
            for kind, values in distinct.items()
            for value, masked in zip(values, self._masks[kind].mask(list(values)), strict=True)
        }

    def _patterns(self, text: str) -> Iterator[Span]:
        email, number = self._compiled
        if "@" in text:
            for match in email.finditer(text):
                yield match.start(), -match.end(), "email"
        for match in number.finditer(text):
            start = match.start()
            for a, b in phones_in(text, start, match.end(), self._lexicon.numbers):
                yield a, -b, "phone"

    def _identities(self, text: str) -> Iterator[Span]:
        if not self._lexicon.patterns:
            return
        folded = lower(text)
        candidates: list[Candidate] = []
        types, unspaced = self._types, PatternType.UNSPACED
        for pattern, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            its_type = types[pattern]
            if its_type < unspaced:
                # the commonest case first: a piece of a longer word
                if (start and folded[start - 1].isalpha()) or folded[end : end + 1].isalpha():
                    continue
                candidates.append((start, end, its_type))
            elif _stands_alone(folded, start, end, its_type):
                yield start, -end, _EXACT.get(its_type, "person")
        for start, end in Judge(text, folded, self._lexicon.pairs).accepted(candidates):
            yield start, -end, "person"

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self._corpus)

    @cached_property
    def _types(self) -> list[PatternType]:
        return [PatternType(number) for number in self._lexicon.types]

    @cached_property
    def _automaton(self) -> Any:
        import ahocorasick_rs

        return ahocorasick_rs.AhoCorasick(
            self._lexicon.patterns, implementation=ahocorasick_rs.Implementation.ContiguousNFA, store_patterns=False
        )

    @cached_property
    def _compiled(self) -> tuple[Any, Any]:
        import re2

        return re2.compile(_EMAIL), re2.compile(_NUMBER)


def _stands_alone(text: str, start: int, end: int, its_type: PatternType) -> bool:
    if its_type is PatternType.UNSPACED:
        return True
    before = text[start - 1] if start else " "
    if its_type is PatternType.PREFIXED:
        return not before.isalpha()
    after = text[end] if end < len(text) else " "
    if its_type is PatternType.PHONE:
        return not before.isalnum() and not after.isalnum()
    return not (before.isalnum() and text[start].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())


def _leftmost_longest(spans: list[Span]) -> Iterator[Span]:
    spans.sort()
    position = 0
    for span in spans:
        if span[0] >= position:
            yield span
            position = -span[1]
