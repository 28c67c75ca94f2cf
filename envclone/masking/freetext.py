"""The mask of free text: every known identity in it, and everything that looks like one.

A text is cut into words and numbers once (`runs`). Words of known names are looked up and judged by their surroundings
(`judge`); longer spellings are looked up by their rarest word (`lexicon`); names inside longer runs of letters, in
scripts without spaces, are found by an Aho–Corasick automaton (CACM 18/6, 1975); RE2 finds what tells by its form
(`patterns`). The longest span wins and is masked by the mask of its column: an identity has one pseudonym everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import compress, count
from typing import Any

from envclone.masking.corpus import Corpus
from envclone.masking.judge import Judge
from envclone.masking.lexicon import Lexicon, WordType, lower
from envclone.masking.patterns import Span, by_form
from envclone.masking.runs import Runs, cut
from envclone.masking.strangers import strangers
from envclone.protocols import Mask

__all__ = ["FreeText", "Span"]

BATCH = 1 << 20
"""Characters searched at once."""

_SEPARATOR = "\x00"
_LONE = re.compile("[\ud800-\udfff]")


class FreeText:
    """Masks identities inside texts; `mask_of` gives the mask of a kind.

    Texts keep their length in characters and bytes, but for IP addresses. The lexicon is made at the first text.
    """

    def __init__(self, corpus: Corpus, mask_of: Callable[[str], Mask]) -> None:
        self._corpus = corpus
        self._mask_of = mask_of

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
        spans = self.spans(searched)
        fresh = self._pseudonyms(text, spans)
        for start, end, kind in spans:
            out += [text[position:start], fresh[text[start:-end], kind]]
            position = -end
        out.append(text[position:])
        return "".join(out).split(_SEPARATOR)

    def spans(self, text: str) -> list[Span]:
        """What would be replaced in a text without lone surrogates: in order, no two overlapping."""
        folded = lower(text)
        runs = cut(folded)
        found = [*by_form(text, self._lexicon.numbers), *strangers(text, runs)]
        found += self._names(text, runs)
        if self._lexicon.spelled:
            found += self._spelled(folded, runs)
        if self._lexicon.inside and not text.isascii():
            found += self._inside(folded)
        return list(_leftmost_longest(found))

    def _pseudonyms(self, text: str, spans: Sequence[Span]) -> Mapping[tuple[str, str], str]:
        distinct: dict[str, dict[str, None]] = {}
        for start, end, kind in spans:
            distinct.setdefault(kind, {})[text[start:-end]] = None
        return {
            (value, kind): masked
            for kind, values in distinct.items()
            for value, masked in zip(values, self._mask_of(kind).mask(list(values)), strict=True)
        }

    def _names(self, text: str, runs: Runs) -> Iterator[Span]:
        known, words = self._lexicon.words, runs.words
        found = {i: known[words[i]] for i in compress(count(), map(known.__contains__, words))}
        for start, end in Judge(text, runs, self._lexicon.pairs).accepted(found):
            yield start, -end, "person"

    def _spelled(self, folded: str, runs: Runs) -> Iterator[Span]:
        spelled, words, starts = self._lexicon.spelled, runs.words, runs.starts
        for i in compress(count(), map(spelled.__contains__, words)):
            for text, offset, kind in spelled[words[i]]:
                start = starts[2 * i + 1] - offset
                if folded.startswith(text, start) and _stands_alone(folded, start, start + len(text)):
                    yield start, -(start + len(text)), kind
                    break  # the longest comes first

    def _inside(self, folded: str) -> Iterator[Span]:
        types = self._types
        for pattern, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if types[pattern] is WordType.UNSPACED or not (start and folded[start - 1].isalpha()):
                yield start, -end, "person"

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self._corpus)

    @cached_property
    def _types(self) -> list[WordType]:
        return list(self._lexicon.inside.values())

    @cached_property
    def _automaton(self) -> Any:
        import ahocorasick_rs

        return ahocorasick_rs.AhoCorasick(
            list(self._lexicon.inside), implementation=ahocorasick_rs.Implementation.ContiguousNFA, store_patterns=False
        )


def _stands_alone(text: str, start: int, end: int) -> bool:
    if start < 0:
        return False
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() and text[start].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())


def _leftmost_longest(spans: list[Span]) -> Iterator[Span]:
    spans.sort()
    position = 0
    for span in spans:
        if span[0] >= position:
            yield span
            position = -span[1]
