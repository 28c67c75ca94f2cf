"""Which person a name in a text is of, when its pseudonym is a function of the whole person.

Names side by side that are together somebody of the corpus are that person. A single name is of the one person of the
corpus whom the same text names whole and whose name it is a part of, when there is exactly one; else it is a person of
its own, in every text and column alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence

from envclone.masking.corpus import Corpus
from envclone.masking.patterns import Span
from envclone.masking.whole import WholeNames, person_of

__all__ = ["Persons"]

_BETWEEN = frozenset((" ", "  ", ", ", "-", ". ", ".", "_", "\u00a0", "\n", ",", "'", "\u2019"))
_MOST = 6
"""Words of one name."""
_SEPARATOR = "\x00"


class Persons:
    """The persons of a corpus, told by the tokens of their names."""

    def __init__(self, corpus: Corpus, mask: WholeNames) -> None:
        self._mask = mask
        self._known = {hash(person) for name in corpus.each("person") if len(person := person_of(name)) > 1}

    def told(self, text: str, spans: Sequence[Span]) -> tuple[list[Span], Mapping[tuple[int, int], str]]:
        """The spans with the names of one person joined, and the pseudonyms of the single names in them."""
        joined = self._joined(text, spans)
        ends = [i for i, char in enumerate(text) if char == _SEPARATOR]
        present: dict[int, set[tuple[str, ...]]] = defaultdict(set)
        singles = []
        for start, end, kind in joined:
            if kind == "person":
                person = person_of(text[start:-end])
                if len(person) > 1:
                    present[bisect_right(ends, start)].add(person)
                elif person:
                    singles.append((start, end, person[0]))
        fresh: dict[tuple[int, int], str] = {}
        for start, end, token in singles:
            of = [person for person in present[bisect_right(ends, start)] if token in person]
            if len(of) == 1:
                rest = list(of[0])
                rest.remove(token)
                fresh[start, end] = self._mask.part(text[start:-end], rest)
        return joined, fresh

    def _joined(self, text: str, spans: Sequence[Span]) -> list[Span]:
        out: list[Span] = []
        i = 0
        while i < len(spans):
            last = i
            if spans[i][2] == "person":
                last = self._last(text, spans, i)
            out.append((spans[i][0], spans[last][1], spans[i][2]))
            i = last + 1
        return out

    def _last(self, text: str, spans: Sequence[Span], first: int) -> int:
        """The last span of the longest name of a known person that begins with a span; the first when there is none."""
        best = first
        for i in range(first + 1, min(first + _MOST, len(spans))):
            gap = text[-spans[i - 1][1] : spans[i][0]]
            words = gap.split()
            # an initial between two names is a part of them: 'Jane Q. Doe'
            if spans[i][2] != "person" or not (gap in _BETWEEN or (len(words) == 1 and len(words[0].rstrip(".")) == 1)):
                break
            if hash(person_of(text[spans[first][0] : -spans[i][1]])) in self._known:
                best = i
        return best
