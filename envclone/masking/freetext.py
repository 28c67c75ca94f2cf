"""The mask of free text: every known identity in it, and everything that looks like one.

A text is cut into words and numbers once (`runs`). Words of known names are looked up and judged by their surroundings
(`judge`); longer spellings are looked up by their rarest word (`lexicon`); names inside longer runs of letters, in
scripts without spaces, are found by an Aho–Corasick automaton (CACM 18/6, 1975); RE2 finds what tells by its form
(`patterns`). The longest span wins and is masked by the mask of its column: an identity has one pseudonym everywhere.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from envclone.masking.corpus import Corpus
from envclone.masking.decoders import Edit, View, views
from envclone.masking.edits import apart, applied
from envclone.masking.judge import Judge
from envclone.masking.lexicon import Lexicon, WordType, lower
from envclone.masking.makers import Makers
from envclone.masking.names import given_names
from envclone.masking.nobody import Nobody
from envclone.masking.parts import SHORTEST, Parts, canonical, grouped
from envclone.masking.patterns import Span, by_form
from envclone.masking.persons import Persons
from envclone.masking.runs import Runs, cut
from envclone.masking.spelled import spelled
from envclone.masking.strangers import CUES, strangers
from envclone.masking.uuids import numbers_of, uuids_in
from envclone.masking.whole import WholeNames

__all__ = ["FreeText", "Span"]

BATCH = 1 << 17
"""Characters searched at once."""

_SEPARATOR = "\x00"
_GROUPED = frozenset(("iban", "card"))
_ODD = re.compile(r"[^\w \-]|_|\s\s")
_LONE = re.compile("[\ud800-\udfff]")


class FreeText:
    """Masks identities inside texts; `makers` give the mask of a kind, `net` finds more in one text. With `whole`
    names are functions of the whole person (`persons`).

    Texts keep their length in characters and bytes, but for IP addresses. The lexicon is made at the first text.
    """

    def __init__(
        self,
        corpus: Corpus,
        makers: Makers,
        net: Callable[[str], Iterator[Span]] | None = None,
        *,
        whole: bool = False,
        nobody: Nobody | None = None,
    ) -> None:
        self._corpus = corpus
        self._makers = makers
        self._nobody = nobody or Nobody()
        self._net = net
        self._whole = whole

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
        told = spelled(values)
        if all(told) or not any(told):
            return self._masked(values, read=told[0])
        plain = iter(self._masked([value for value, odd in zip(values, told, strict=True) if not odd], read=False))
        odd = iter(self._masked([value for value, odd in zip(values, told, strict=True) if odd], read=True))
        return [next(odd if may else plain) for may in told]

    def _masked(self, values: Sequence[str], *, read: bool) -> list[str]:
        """Texts of a batch; `read` says that they are read in every way, not only as they are written."""
        text = _SEPARATOR.join(values)
        edits = self._edits(text) if read else self._plain_edits(text)
        return applied(text, edits).split(_SEPARATOR)

    def _edits(self, text: str) -> list[Edit]:
        """What is to be replaced in a text: as it is written, and in every way that it can be read."""
        found: dict[View | None, list[Edit]] = {None: self._plain_edits(text)}
        seen = list(views(text))
        if seen:
            ends: list[int] = []
            texts = [view.text for view in seen]
            for one in texts:
                ends.append((ends[-1] if ends else -1) + len(one) + 1)
            found.update({view: [] for view in seen})
            for start, end, new in self._plain_edits(_SEPARATOR.join(texts)):
                i = bisect_left(ends, end)
                begin = ends[i] - len(texts[i])
                found[seen[i]].append((start - begin, end - begin, new))
        for view in reversed(seen):  # children before their parents
            if own := apart(view.text, found[view]):
                found[view.parent] += view.edits(own)
        return apart(text, found[None])

    def _plain_edits(self, text: str) -> list[Edit]:
        searched = text if text.isascii() else _LONE.sub("\ufffd", text)
        out: list[Edit] = []
        spans = self.spans(searched)
        persons: Mapping[tuple[int, int], str] = {}
        if self._whole:
            spans, persons = self._persons.told(text, spans)
        fresh = self._pseudonyms(text, [span for span in spans if span[:2] not in persons])
        for start, end, kind in spans:
            masked = persons.get((start, end))
            out.append((start, -end, fresh[text[start:-end], kind] if masked is None else masked))
        return out  # in order and apart

    def spans(self, text: str) -> list[Span]:
        """What would be replaced in a text without lone surrogates: in order, no two overlapping."""
        lexicon, folded = self._lexicon, lower(text)
        runs = cut(text, folded)
        words, small = runs.words, runs.small
        near = lexicon.interesting.near(folded, runs)
        # in lower case a word is a name only beside another one, or a part of a spelling
        beside = np.zeros_like(near)
        beside[1:] |= near[:-1]
        beside[:-1] |= near[1:]
        found = np.flatnonzero(near & (~small | beside)).tolist()
        known, firsts = lexicon.words, given_names()
        names = set(Judge(runs, known, lexicon.pairs).accepted(i for i in found if words[i] in known))
        names.update(_in_lower_case(runs, near, known))
        out = [(runs.starts[i], -runs.ends[i], "person") for i in names]
        out += self._parts.find(runs, np.flatnonzero(~near & (runs.lengths >= SHORTEST)).tolist())
        out += by_form(runs, lexicon.numbers)
        out += self._uuids(text)
        if lexicon.lengths and runs.many_digits:
            out += grouped(text, runs.many_digits, lexicon.lengths, lexicon.kind_of_number)
        cues = [i for i in found if words[i] in CUES or (words[i] in firsts and not (i in names and i + 1 in names))]
        out += strangers(runs, cues)
        if self._net is not None:
            out += self._netted(text)
        if lexicon.spelled:
            out += self._spelled(folded, runs, np.flatnonzero(near).tolist())
        if self._patterns and not (self._letters_only and text.isascii()):
            out += self._searched(folded)
        return [span for span in _leftmost_longest(out) if span[2]]

    def _uuids(self, text: str) -> Iterator[Span]:
        """The UUIDs of masked keys; of no kind are those that nobody knows, whose digits and letters mean nobody."""
        known = self._lexicon.uuids
        for start, end in uuids_in(text):
            if numbers_of([text[start:end]])[0] in known:
                yield start, -end, "uuid"
            elif "-" in text[start:end]:
                yield start, -end, ""

    def _netted(self, text: str) -> Iterator[Span]:
        """What the extra net finds, text by text."""
        assert self._net is not None
        start = 0
        for one in text.split(_SEPARATOR):
            yield from ((start + first, last - start, kind) for first, last, kind in self._net(one))
            start += len(one) + 1

    def _pseudonyms(self, text: str, spans: Sequence[Span]) -> Mapping[tuple[str, str], str]:
        distinct: dict[str, dict[str, None]] = {}
        for start, end, kind in spans:
            distinct.setdefault(kind, {})[text[start:-end]] = None
        out: dict[tuple[str, str], str] = {}
        for kind, found in distinct.items():
            values = list(found)
            plain = [_ungrouped(value, kind) for value in values]
            masked = map(_regrouped, values, plain, self._makers.mask(kind).mask(plain))
            out.update(zip(((value, kind) for value in values), masked, strict=True))
            if kind == "person":  # a part of somebody's name, though alone it would be nobody's: 'Test Quimby'
                parts = [value for value in values if self._nobody.holds(kind, value)]
                fresh = self._makers.plain(kind).mask(parts)
                out.update(zip(((value, kind) for value in parts), fresh, strict=True))
        return out

    def _spelled(self, folded: str, runs: Runs, found: Sequence[int]) -> Iterator[Span]:
        spelled, words, starts = self._lexicon.spelled, runs.words, runs.starts
        for i in found:
            for text, offset, kind in spelled.get(words[i], ()):
                start = starts[i] - offset
                if folded.startswith(text, start) and _stands_alone(folded, start, start + len(text)):
                    yield start, -(start + len(text)), kind
                    break  # the longest comes first

    def _searched(self, folded: str) -> Iterator[Span]:
        types = self._types
        for pattern, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            its_type = types[pattern]
            if its_type is WordType.UNSPACED or (
                its_type is WordType.PREFIXED and not (start and folded[start - 1].isalpha())
            ):
                yield start, -end, "person"
            elif isinstance(its_type, str) and _stands_alone(folded, start, end):
                yield start, -end, its_type

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self._corpus, self._nobody)

    @cached_property
    def _parts(self) -> Parts:
        known = self._lexicon.words
        return Parts(lambda word: known.get(word) is WordType.TOKEN, self._lexicon.pairs)

    @cached_property
    def _persons(self) -> Persons:
        mask = self._makers.plain("person")
        assert isinstance(mask, WholeNames)
        return Persons(self._corpus, mask)

    @cached_property
    def _patterns(self) -> Mapping[str, WordType | str]:
        """What no word leads to: names inside runs of letters, and spellings without letters with their kinds."""
        return {**self._lexicon.plain, **self._lexicon.inside}

    @cached_property
    def _types(self) -> list[WordType | str]:
        return list(self._patterns.values())

    @cached_property
    def _letters_only(self) -> bool:
        return not self._lexicon.plain

    @cached_property
    def _automaton(self) -> Any:
        import ahocorasick_rs

        return ahocorasick_rs.AhoCorasick(
            list(self._patterns), implementation=ahocorasick_rs.Implementation.ContiguousNFA, store_patterns=False
        )


def _ungrouped(value: str, kind: str) -> str:
    """A number without a grouping that its mask does not know."""
    if kind in _GROUPED:
        return canonical(value)
    return canonical(value) if kind == "national_id" and _ODD.search(value) is not None else value


def _regrouped(value: str, plain: str, masked: str) -> str:
    """The pseudonym of a number with the original's grouping."""
    if plain is value or plain == value:
        return masked
    fresh = iter(masked)
    return "".join([_cased(next(fresh), char) if char.isalnum() else char for char in value])


def _cased(new: str, old: str) -> str:
    return new.lower() if old.islower() else new


def _in_lower_case(runs: Runs, near: Any, known: Mapping[str, WordType]) -> Iterator[int]:
    """The names in those of a batch's texts that are written without any capital, as some people write."""
    text = runs.text
    start = 0
    for one in text.split(_SEPARATOR):
        end = start + len(one)
        if one.islower():
            first, last = bisect_left(runs.starts, start), bisect_left(runs.starts, end)
            for i in np.flatnonzero(near[first:last]).tolist():
                if known.get(runs.words[first + i]) is WordType.TOKEN:
                    yield first + i
        start = end + 1


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
