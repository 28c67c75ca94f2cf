"""Where a document stands in a prompt, and how much of it: words that a mask made others are not gone."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping
from difflib import SequenceMatcher

from envclone.diagnosis.words import words

__all__ = ["Prompt"]

_RUN = 3
_SHARE = 0.25
"""Of a document's runs of words in one place, so that it stands there."""
_MOST = 4000
"""Words of a document that are held against the prompt."""


class Prompt:
    """A prompt's words, and the place at which each of some documents begins in it."""

    def __init__(self, text: str, documents: Mapping[str, str]) -> None:
        self._words: list[str] = []
        self._lines: list[int] = []
        for number, line in enumerate(text.splitlines()):
            said = words(line)
            self._words += said
            self._lines += [number] * len(said)
        self._runs: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place in range(len(self._words) - _RUN + 1):
            self._runs[tuple(self._words[place : place + _RUN])].append(place)
        self._begins: dict[str, int] = {}
        self._whole: list[str] = []
        for ident, text in documents.items():
            place, share = self._begin(text)
            if share:
                self._begins[ident] = place
            if share >= _SHARE:
                self._whole.append(ident)
        self._documents = documents

    def _begin(self, text: str) -> tuple[int, float]:
        """Where a document's first word would be, by most of its runs of words, and the share of them that says so."""
        mine = words(text)[:_MOST]
        places: Counter[int] = Counter()
        for number in range(len(mine) - _RUN + 1):
            for place in self._runs.get(tuple(mine[number : number + _RUN]), ())[:20]:
                places[place - number] += 1
        if not places:
            return 0, 0.0
        ((place, count),) = places.most_common(1)
        return max(0, place), count / (len(mine) - _RUN + 1)

    def order(self) -> list[str]:
        """The documents that stand in the prompt, in their order; masks may have changed some of their words."""
        return sorted(self._whole, key=self._begins.__getitem__)

    def lacks(self, ident: str) -> int:
        """How many words of a document are gone from the prompt, without others in their place.

        All of them, where another document stands in its place.
        """
        mine = words(self._documents[ident])[:_MOST]
        begin = self._begins.get(ident)
        if begin is None or begin >= len(self._words):
            return len(mine)
        lines = self._lines[begin] + self._documents[ident].strip().count("\n")
        end = bisect_left(self._lines, lines + 1)
        end = min([end, *(place for place in self._begins.values() if place > begin + _RUN)])
        there = self._words[begin:end]
        same = _in_common(mine, there)
        for other, place in self._begins.items():
            if (
                other != ident
                and abs(place - begin) <= _RUN
                and _in_common(words(self._documents[other]), there) > same
            ):
                return len(mine)
        return max(0, (len(mine) - same) - (len(there) - same))


def _in_common(mine: list[str], there: list[str]) -> int:
    return sum(one.size for one in SequenceMatcher(None, mine[:_MOST], there, autojunk=False).get_matching_blocks())
