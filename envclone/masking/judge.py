"""Whether a word that is somebody's name means a person where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from envclone.masking.known import Numbers
from envclone.masking.lexicon import WordType
from envclone.masking.names import is_name
from envclone.masking.runs import Runs, in_small
from envclone.masking.words import SAID_OF_PERSONS

__all__ = ["Judge"]

_GAPS = frozenset((" ", "  ", ", ", "-", ". ", ".", "_", "+", "\u00a0", "\n", ",", "'", "’"))
_OPENING = frozenset(" \t\"'“”‘’«»()[]{}*_>#\u00a0")
_SENTENCE_END = frozenset(".!?:;\n\r\x00•–—|/…。¿¡-")
_BEFORE_A_VERB = frozenset((" ", "'", "’"))
_SHORTEST = 2
_TOKEN, _NAME_TOO = WordType.TOKEN, WordType.NAME_TOO


class Judge:
    """Judges the names found in one text: `words` are those of all known names, `pairs` are 'first last' of persons."""

    def __init__(self, runs: Runs, words: Mapping[str, WordType], pairs: Numbers) -> None:
        self._runs = runs
        self._text = runs.text
        self._words = words
        self._pairs = pairs

    def accepted(self, found: Iterable[int]) -> Iterator[int]:
        """Those of the found words that are taken for persons; `found` are numbers of words that are known names."""
        words, known = self._runs.words, self._words
        for i in found:
            its_type = known[words[i]]
            capital = self._capital(i)
            if (
                (capital and its_type is _TOKEN)
                or self._is_beside(i, its_type, capital=capital)
                or (capital and its_type is _NAME_TOO and self._is_somebody(i))
            ):
                yield i

    def _is_beside(self, i: int, its_type: WordType, *, capital: bool) -> bool:
        """Whether the word before or behind makes this one a part of a name."""
        words, known, runs = self._runs.words, self._words, self._runs
        before = known.get(words[i - 1]) if i and runs.gap(i - 1) in _GAPS else None
        if before is not None and (
            self._is_pair(before, i - 1, its_type) or (capital and before is _TOKEN and self._capital(i - 1))
        ):
            return True
        after = known.get(words[i + 1]) if runs.gap(i) in _GAPS else None
        return after is not None and (
            self._is_pair(its_type, i, after) or (capital and after is _TOKEN and self._capital(i + 1))
        )

    def _capital(self, i: int) -> bool:
        return not self._runs.small[i] and not in_small(self._text[self._runs.starts[i]])

    def _is_pair(self, left_type: WordType, left: int, right_type: WordType) -> bool:
        words, runs = self._runs.words, self._runs
        both_words = left_type is not _TOKEN and right_type is not _TOKEN
        if both_words and "," in runs.gap(left) and in_small(self._text[runs.starts[left] : runs.ends[left + 1]]):
            return False  # 'brown, may' is rather an enumeration than May Brown
        if f"{words[left]} {words[left + 1]}" not in self._pairs:
            return False
        # 'Smith will call': a word that is not a name alone is none beside one that is written in another way
        return left_type == right_type or self._capital(left) == self._capital(left + 1)

    def _is_somebody(self, i: int) -> bool:
        """Whether a capitalised word that can be a name is one here: inside a sentence, or before what persons do."""
        text, runs = self._text, self._runs
        start, end = runs.starts[i], runs.ends[i]
        if end - start > 1 and text[start:end].isupper():
            return False  # capitals say nothing in a text of capitals
        if self._in_a_title(i):
            return False
        if runs.gap(i) in _BEFORE_A_VERB and runs.words[i + 1] in SAID_OF_PERSONS:
            return True
        position = start - 1
        while position >= 0 and text[position] in _OPENING:
            position -= 1
        return position >= 0 and text[position] not in _SENTENCE_END

    def _in_a_title(self, i: int) -> bool:
        """Whether another capitalised word follows that is nobody's name: 'Grace Period', but 'Grace Kowalski'."""
        runs = self._runs
        if runs.gap(i) != " " or len(runs.words[i + 1]) < _SHORTEST:
            return False
        return self._text[runs.starts[i + 1]].isupper() and not is_name(runs.words[i + 1])
