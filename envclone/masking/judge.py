"""Whether a word that is somebody's name means a person where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from envclone.masking.lexicon import WordType
from envclone.masking.names import is_name
from envclone.masking.runs import Runs
from envclone.masking.words import SAID_OF_PERSONS

__all__ = ["Judge"]

_GAPS = frozenset((" ", "  ", ", ", "-", ". ", ".", "_", "+", "\u00a0", "\n", ",", "'", "’"))
_OPENING = frozenset(" \t\"'“”‘’«»()[]{}*_>#\u00a0")
_SENTENCE_END = frozenset(".!?:;\n\r\x00•–—|/…。¿¡-")
_BEFORE_A_VERB = frozenset((" ", "'", "’"))
_SHORTEST = 2
_TOKEN, _NAME_TOO = WordType.TOKEN, WordType.NAME_TOO


class Judge:
    """Judges the names found in one text; `pairs` are 'first last' of known persons."""

    def __init__(self, text: str, runs: Runs, pairs: Set[str]) -> None:
        self._text = text
        self._runs = runs
        self._pairs = pairs

    def accepted(self, found: Mapping[int, WordType]) -> Iterator[tuple[int, int]]:
        """Where those of the found words stand that are taken for persons; `found` are numbers of words, ascending."""
        text, pieces, starts = self._text, self._runs.pieces, self._runs.starts
        for word, its_type in found.items():
            at = 2 * word + 1
            start = starts[at]
            capital = not text[start].islower()
            if capital and its_type is _TOKEN:
                yield start, starts[at + 1]
                continue
            before = found.get(word - 1) if pieces[at - 1] in _GAPS else None
            after = found.get(word + 1) if pieces[at + 1] in _GAPS else None
            if before is None and after is None:
                if capital and its_type is _NAME_TOO and self._is_somebody(at):
                    yield start, starts[at + 1]
                continue
            if (
                (before is not None and self._is_pair(before, at - 2, its_type, at))
                or (after is not None and self._is_pair(its_type, at, after, at + 2))
                or (capital and (self._is_name(before, at - 2) or self._is_name(after, at + 2)))
                or (capital and its_type is _NAME_TOO and self._is_somebody(at))
            ):
                yield start, starts[at + 1]

    def _is_pair(self, left_type: WordType, left: int, right_type: WordType, right: int) -> bool:
        pieces, starts = self._runs.pieces, self._runs.starts
        words = left_type is not _TOKEN and right_type is not _TOKEN
        if words and "," in pieces[left + 1] and self._text[starts[left] : starts[right + 1]].islower():
            return False  # 'brown, may' is rather an enumeration than May Brown
        return f"{pieces[left]} {pieces[right]}" in self._pairs

    def _is_name(self, its_type: WordType | None, at: int) -> bool:
        return its_type is _TOKEN and not self._text[self._runs.starts[at]].islower()

    def _is_somebody(self, at: int) -> bool:
        """Whether a capitalised word that can be a name is one here: inside a sentence, or before what persons do."""
        text, starts, pieces = self._text, self._runs.starts, self._runs.pieces
        start, end = starts[at], starts[at + 1]
        if end - start > 1 and text[start:end].isupper():
            return False  # capitals say nothing in a text of capitals
        if self._in_a_title(at):
            return False
        following = pieces[at + 2] if at + 2 < len(pieces) and pieces[at + 1] in _BEFORE_A_VERB else ""
        if following in SAID_OF_PERSONS:
            return True
        position = start - 1
        while position >= 0 and text[position] in _OPENING:
            position -= 1
        return position >= 0 and text[position] not in _SENTENCE_END

    def _in_a_title(self, at: int) -> bool:
        """Whether another capitalised word follows that is nobody's name: 'Grace Period', but 'Grace Kowalski'."""
        text, starts, pieces = self._text, self._runs.starts, self._runs.pieces
        if at + 2 >= len(pieces) or pieces[at + 1] != " " or len(pieces[at + 2]) < _SHORTEST:
            return False
        return text[starts[at + 2]].isupper() and not is_name(pieces[at + 2])
