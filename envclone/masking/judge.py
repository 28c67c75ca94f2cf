"""Whether a word that is somebody's name means a person where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from envclone.masking.letters import is_mark
from envclone.masking.lexicon import PatternType

__all__ = ["Candidate", "Judge"]

_LONGEST_GAP = 3
_GAPS = frozenset((" ", "  ", ", ", "-", ". ", ".", "_", "+", "\u00a0", "\n", ",", "'", "’"))
_OPENING = frozenset(" \t\"'“”‘’«»()[]{}*_>#\u00a0")
_SENTENCE_END = frozenset(".!?:;\n\r\x00•–—|/…。¿¡-")


Candidate = tuple[int, int, PatternType]
"""Where a name's token begins and ends that stands as a word of its own in the text."""


class Judge:
    """Judges one text's candidates; `folded` is the text in lower case, `pairs` are 'first last' of known persons."""

    def __init__(self, text: str, folded: str, pairs: Set[str]) -> None:
        self._text = text
        self._folded = folded
        self._pairs = pairs

    def accepted(self, candidates: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
        """Where the candidates stand that are taken for persons; `candidates` in any order."""
        ordered = (
            sorted(candidates) if self._folded.isascii() else sorted(c for c in candidates if not self._continued(c[1]))
        )
        last = len(ordered) - 1
        for i, here in enumerate(ordered):
            start, end, its_type = here
            first = self._text[start]
            capital = not first.islower()
            if capital and its_type is PatternType.TOKEN:
                yield start, end
                continue
            before = ordered[i - 1] if i and self._beside(ordered[i - 1], here) else None
            after = ordered[i + 1] if i < last and self._beside(here, ordered[i + 1]) else None
            if (
                self._is_pair(before, here)
                or self._is_pair(here, after)
                or (capital and (self._is_name(before) or self._is_name(after)))
                or (capital and its_type is PatternType.NAME_TOO and self._inside_sentence(start, end))
            ):
                yield start, end

    def _continued(self, end: int) -> bool:
        """Whether a combining mark follows, so that the word is another one."""
        return is_mark(self._folded[end : end + 1] or " ")

    def _beside(self, left: Candidate, right: Candidate) -> bool:
        end, start = left[1], right[0]
        return end < start <= end + _LONGEST_GAP and self._text[end:start] in _GAPS

    def _is_pair(self, left: Candidate | None, right: Candidate | None) -> bool:
        if left is None or right is None:
            return False
        words = left[2] is not PatternType.TOKEN and right[2] is not PatternType.TOKEN
        if words and "," in self._text[left[1] : right[0]] and self._text[left[0] : right[1]].islower():
            return False  # 'brown, may' is rather an enumeration than May Brown
        return f"{self._folded[left[0] : left[1]]} {self._folded[right[0] : right[1]]}" in self._pairs

    def _is_name(self, other: Candidate | None) -> bool:
        return other is not None and other[2] is PatternType.TOKEN and not self._text[other[0]].islower()

    def _inside_sentence(self, start: int, end: int) -> bool:
        if self._text[start:end].isupper():
            return False  # capitals say nothing in a text of capitals
        position = start - 1
        while position >= 0 and self._text[position] in _OPENING:
            position -= 1
        return position >= 0 and self._text[position] not in _SENTENCE_END
