"""Finds the identities in texts: known names and spellings, numbers, forms, strangers.

A compiled loop looks at a batch at once (`texts`) and says which words and places are worth a closer look; what it
leaves, and texts that only Python reads right, go the same way word by word.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from envclone.compiled import available
from envclone.masking.corpus import Corpus
from envclone.masking.held import held
from envclone.masking.judge import Judge
from envclone.masking.lexicon import Lexicon, WordType
from envclone.masking.names import given_names
from envclone.masking.nobody import Nobody
from envclone.masking.parts import SHORTEST, Parts
from envclone.masking.patterns import Places, Span, by_form
from envclone.masking.runs import Runs, cut, in_small, joined, letter_table, lower
from envclone.masking.strangers import CUES, strangers
from envclone.masking.uuids import numbers_of, uuids_in

if TYPE_CHECKING:
    from envclone.masking.texts import Look, Looker

__all__ = ["Finder", "Marks"]

_SEPARATOR = "\x00"
_LONE = re.compile("[\ud800-\udfff]")
_WORTH = 2048
"""Characters that are worth the way into a compiled loop and back."""


class Marks(NamedTuple):
    """Where identities begin and end in a text, in order and apart, and the numbers of their kinds in `kinds`."""

    starts: Any
    stops: Any
    numbers: Any
    kinds: Sequence[str]


class Finder:
    """Finds identities in texts with NUL between them; `net` finds more in one text.

    The lexicon is made when it is needed.
    """

    def __init__(
        self,
        corpus: Corpus,
        nobody: Nobody,
        net: Callable[[str], Iterator[Span]] | None = None,
        *,
        tagger: bool = True,
    ) -> None:
        self._corpus = corpus
        self._nobody = nobody
        self._net = net
        self._tagger = tagger

    def spans(self, text: str) -> list[Span]:
        """What would be replaced in a text: in order, no two overlapping."""
        if len(text) < _WORTH or not available():
            return self._slowly(text)
        look = self._looker.look(text)
        return self._apart(text) if look is None else self.quick(text, look)

    def look(self, text: str) -> Look | None:
        """What the compiled loop says of a text; None when only Python reads it right."""
        return self._looker.look(text)

    def odd(self, texts: Sequence[str]) -> Sequence[int]:
        """The numbers of the texts that only Python reads right; none of so few that the loop is not worth its way."""
        return self._looker.odd(texts) if sum(map(len, texts)) >= _WORTH else ()

    def quick(self, text: str, look: Look) -> list[Span]:
        """The same, where a compiled loop looked."""
        return self._chosen(
            text, None, look.runs, look.spans(), look.cues, look.parted, look.places, look.judged, far=look.far
        )

    def marks(self, text: str) -> Marks | None:
        """What would be replaced in a text, as arrays; None where that is not worth it, or Python has to read it."""
        from envclone.masking.kernels.pieces import leftmost

        look = self._looker.look(text) if len(text) >= _WORTH else None
        if look is None:
            return None
        places = look.places._replace(emails=())
        rest = list(self._collected(text, None, look.runs, [], look.cues, look.parted, places, far=look.far))
        kinds = sorted({*look.kinds, "email", "person", *(kind for _, _, kind in rest)})
        number = {kind: i for i, kind in enumerate(kinds)}
        found = look.marks.astype(np.int64)
        found[:, 2] = np.array([number[kind] for kind in look.kinds])[found[:, 2]]
        emails = [(begin, -end, number["email"]) for begin, end in look.places.emails]
        others = np.array([*emails, *((begin, end, number[kind]) for begin, end, kind in rest)], np.int64)
        found = np.concatenate((found, others.reshape(-1, 3)))
        found = found[np.lexsort((found[:, 2], found[:, 1], found[:, 0]))]
        if self._tagger:
            starts, stops = np.ascontiguousarray(found[:, 0]), -found[:, 1]
            more = self._tagged(text, look.runs, look.judged, starts, stops, number["person"])
            found = np.concatenate((found, more))
            found = found[np.lexsort((found[:, 2], found[:, 1], found[:, 0]))]
        starts, stops, taken = found[:, 0].copy(), -found[:, 1], np.zeros(len(found), np.bool_)
        leftmost(starts, stops, taken)
        if "" in number:
            taken &= found[:, 2] != number[""]
        return Marks(starts[taken], stops[taken], found[taken, 2], kinds)

    def _slowly(self, text: str) -> list[Span]:
        return self.reference(text if text.isascii() else _LONE.sub("\ufffd", text))

    def _apart(self, text: str) -> list[Span]:
        """The same, where the compiled loop reads some texts of a batch and not others."""
        texts = text.split(_SEPARATOR)
        odd = set(self._looker.odd(texts))
        rest = [i for i in range(len(texts)) if i not in odd]
        if not odd or not rest:
            return self._slowly(text)
        begins = [0, *accumulate(len(one) + 1 for one in texts)]
        out: list[Span] = []
        for those, find in ((sorted(odd), self._slowly), (rest, self.spans)):
            own = [0, *accumulate(len(texts[i]) + 1 for i in those)]
            for start, end, kind in find(_SEPARATOR.join([texts[i] for i in those])):
                i = bisect_right(own, start) - 1
                by = begins[those[i]] - own[i]
                out.append((start + by, end - by, kind))
        return sorted(out)

    def reference(self, text: str) -> list[Span]:
        """The same, word by word, of a text without lone surrogates."""
        lexicon, folded = self.lexicon, lower(text)
        runs = cut(text, folded)
        words, small = runs.words, runs.small
        near = lexicon.interesting.near(folded, runs)
        # in lower case a word is a name only beside another one, or a part of a spelling
        found = np.flatnonzero(near & (~small | _beside(near))).tolist()
        known, firsts = lexicon.words, given_names()
        names = set(Judge(runs, known, lexicon.pairs).accepted(i for i in found if words[i] in known))
        names.update(_in_lower_case(runs, near, known, _texts(text)))
        cues = [i for i in found if words[i] in CUES or (words[i] in firsts and not (i in names and i + 1 in names))]
        parted = np.flatnonzero(~near & (runs.lengths >= SHORTEST)).tolist()
        spans = [(runs.starts[i], -runs.ends[i], "person") for i in names]
        if lexicon.spelled:
            spans += self._spelled(folded, runs, np.flatnonzero(near).tolist())
        return self._chosen(text, folded, runs, spans, cues, parted, None, None, far=not text.isascii())

    def _chosen(
        self,
        text: str,
        folded: str | None,
        runs: Runs,
        spans: list[Span],
        cues: Sequence[int],
        parted: Sequence[int],
        places: Places | None,
        judged: Any,
        *,
        far: bool,
    ) -> list[Span]:
        """Of all spans those that stay."""
        found = self._collected(text, folded, runs, spans, cues, parted, places, far=far)
        if self._tagger:
            known = np.array(sorted((start, -end) for start, end, _ in found), np.int64).reshape(-1, 2)
            starts, stops = np.ascontiguousarray(known[:, 0]), np.ascontiguousarray(known[:, 1])
            tagged = self._tagged(text, runs, judged, starts, stops, 0)
            found += [(start, end, "person") for start, end, _ in tagged.tolist()]
        return [span for span in _leftmost_longest(found) if span[2]]

    def _collected(
        self,
        text: str,
        folded: str | None,
        runs: Runs,
        spans: list[Span],
        cues: Sequence[int],
        parted: Sequence[int],
        places: Places | None,
        *,
        far: bool,
    ) -> list[Span]:
        """Spans with those of forms, and of what numbers of words lead to; `far` says that there is a script
        without spaces."""
        lexicon, out = self.lexicon, spans
        out += self._parts.find(runs, parted)
        out += by_form(runs, lexicon.numbers, places)
        out += self._uuids(text, None if places is None else places.uuids)
        if lexicon.codes or (lexicon.numbers and runs.many_digits):
            out += held(text, runs.many_digits, lexicon.codes, lexicon.numbers)
        out += strangers(runs, cues)
        if self._net is not None:
            out += self._netted(text)
        if self._patterns and (far or not self._letters_only):
            out += self._searched(lower(text) if folded is None else folded)
        return out

    def _tagged(self, text: str, runs: Runs, judged: Any, starts: Any, stops: Any, kind: int) -> Any:
        """What the tagger finds beside spans; a single word that the judge has looked at stays what it said."""
        from envclone.masking.tagger import beside, tagged

        found = tagged(text, runs)
        if judged is None:
            known = self.lexicon.words
            judged = np.zeros(len(runs.words), np.bool_)
            for first in found[found[:, 0] == found[:, 1], 0].tolist():
                judged[first] = known.get(runs.words[first], WordType.TOKEN) is not WordType.TOKEN
        return beside(starts, stops, found, judged, runs, kind)

    def _uuids(self, text: str, starts: Sequence[int] | None) -> Iterator[Span]:
        """The UUIDs of masked keys; of no kind are those that nobody knows, whose digits and letters mean nobody."""
        known = self.lexicon.uuids
        for start, end in uuids_in(text, starts):
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

    def _spelled(self, folded: str, runs: Runs, found: Sequence[int]) -> Iterator[Span]:
        spelled, starts = self.lexicon.spelled, runs.starts
        blank = joined(folded)
        for i, word in zip(found, runs.cut_at(found), strict=True):
            for text, offset, kind in spelled.get(word, ()):
                start = starts[i] - offset
                if blank.startswith(text, start) and _stands_alone(folded, start, start + len(text), kind):
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
            elif isinstance(its_type, str) and _stands_alone(folded, start, end, its_type):
                yield start, -end, its_type

    @cached_property
    def lexicon(self) -> Lexicon:
        """All that is looked for."""
        return Lexicon(self._corpus, self._nobody)

    @cached_property
    def _parts(self) -> Parts:
        known = self.lexicon.words
        return Parts(lambda word: known.get(word) is WordType.TOKEN, self.lexicon.pairs)

    @cached_property
    def _looker(self) -> Looker:
        from envclone.masking.texts import Looker

        return Looker(self.lexicon)

    @cached_property
    def _patterns(self) -> Mapping[str, WordType | str]:
        """What no word leads to: names inside runs of letters, and spellings without letters with their kinds."""
        return {**self.lexicon.plain, **self.lexicon.inside}

    @cached_property
    def _types(self) -> list[WordType | str]:
        return list(self._patterns.values())

    @cached_property
    def _letters_only(self) -> bool:
        return not self.lexicon.plain

    @cached_property
    def _automaton(self) -> Any:
        import ahocorasick_rs

        return ahocorasick_rs.AhoCorasick(
            list(self._patterns), implementation=ahocorasick_rs.Implementation.ContiguousNFA, store_patterns=False
        )


def _beside(near: Any) -> Any:
    """Which words have one that is looked for beside them."""
    beside = np.zeros_like(near)
    beside[1:] |= near[:-1]
    beside[:-1] |= near[1:]
    return beside


def _texts(text: str) -> Iterator[tuple[int, int]]:
    """Where each text of a batch begins and ends."""
    start = 0
    for one in text.split(_SEPARATOR):
        yield start, start + len(one)
        start += len(one) + 1


def _in_lower_case(
    runs: Runs, near: Any, known: Mapping[str, WordType], texts: Iterable[Sequence[int]]
) -> Iterator[int]:
    """The names in those of a batch's texts that are written without any capital, as some people write."""
    for start, end in texts:
        if in_small(runs.text[start:end]):
            first, last = bisect_left(runs.starts, start), bisect_left(runs.starts, end)
            for i in np.flatnonzero(near[first:last]).tolist():
                if known.get(runs.words[first + i]) is WordType.TOKEN:
                    yield first + i


def _stands_alone(text: str, start: int, end: int, kind: str) -> bool:
    """Whether a spelling is no part of a longer word; names are words of letters, so digits may follow one."""
    if start < 0:
        return False
    its: Callable[[str], bool] = _is_letter if kind == "person" else str.isalnum
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (its(before) and its(text[start])) and not (its(after) and its(text[end - 1]))


def _is_letter(char: str) -> bool:
    return bool(letter_table()[ord(char)])


def _leftmost_longest(spans: list[Span]) -> Iterator[Span]:
    spans.sort()
    position = 0
    for span in spans:
        if span[0] >= position:
            yield span
            position = -span[1]
