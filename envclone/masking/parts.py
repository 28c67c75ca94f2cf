"""Names inside other words: user names made of names (`wquenzelmann`, `JaneDoe`), genitives and other cases
(`Quenzelmanns`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from envclone.masking.known import Numbers
from envclone.masking.patterns import Span
from envclone.masking.runs import Runs, in_small

__all__ = ["ENDINGS", "SHORTEST", "Parts", "canonical"]

_MEMORY = 1 << 18
"""Words remembered as parted or not."""
SHORTEST = 5
"""Letters of a user name that is made of names, or of a name with an ending."""
_LONGEST = 64
"""Letters of such a word; each place in it is tried."""
_FAMILY = 5
"""Letters of a family name behind or before an initial."""
ENDINGS = (
    *(("s", 4), ("es", 4), ("n", 5), ("en", 5), ("a", 6), ("u", 6), ("i", 6), ("y", 6), ("e", 6), ("em", 5), ("om", 5)),
    *(("ie", 5), ("ovi", 5), ("owi", 5), ("ova", 5), ("\u0105", 5), ("\u0119", 5)),
)
"""Endings of a name, and how long the name is at least."""


class Parts:
    """Finds the names in words that are not names: `is_name` says of a word whether it is one, `pairs` are of persons.

    Words are cut once and remembered.
    """

    def __init__(self, is_name: Callable[[str], bool], pairs: Numbers) -> None:
        self._is_name = is_name
        self._pairs = pairs
        self._known: dict[str, tuple[int, ...]] = {}
        self._parted: set[str] = set()
        self._text = ("", 0, 0, False)  # the last one that was asked about, in its batch

    def find(self, runs: Runs, candidates: Sequence[int]) -> Iterator[Span]:
        """Where names stand inside the words of a text; `candidates` are the numbers of those of `SHORTEST` letters."""
        all_words = runs.words
        words = {all_words[i] for i in candidates}
        if len(self._known) > _MEMORY:
            self._known.clear()
            self._parted.clear()
        for word in words - self._known.keys():
            cuts = self._known[word] = self._cut(word)
            if cuts:
                self._parted.add(word)
        if words.isdisjoint(self._parted):
            return
        for i in candidates:
            if all_words[i] in self._parted:
                yield from self._spans(runs, i, self._known[all_words[i]])
        self._text = ("", 0, 0, False)

    def _in_small_text(self, text: str, at: int) -> bool:
        """Whether a place is in a text without any capital, as some people write."""
        whole, begin, end, small = self._text
        if whole is not text or not begin <= at < end:
            begin, end = text.rfind("\x00", 0, at) + 1, text.find("\x00", at)
            end = len(text) if end < 0 else end
            small = in_small(text[begin:end])
            self._text = text, begin, end, small
        return small

    def _cut(self, word: str) -> tuple[int, ...]:
        """Where the parts of a word end: of two names, or of a name with an ending behind it; () for none."""
        size = len(word)
        if not SHORTEST <= size <= _LONGEST or self._is_name(word):
            return ()
        for k in range(1, size):
            left, right = word[:k], word[k:]
            # an initial counts beside a family name that is long enough to be no accident
            enough = min(k, size - k) > 1 or max(k, size - k) >= _FAMILY
            if (
                enough
                and (self._is_name(right) if k == 1 else self._is_name(left))
                and f"{left} {right}" in self._pairs
            ):
                return k, size
        for ending, shortest in ENDINGS:
            if word.endswith(ending) and size - len(ending) >= shortest and self._is_name(word[: -len(ending)]):
                return (size - len(ending),)
        return ()

    def _spans(self, runs: Runs, i: int, cuts: Sequence[int]) -> Iterator[Span]:
        start = runs.starts[i]
        if len(cuts) == 1 and runs.small[i] and not self._in_small_text(runs.text, start):
            before = runs.words[i - 1] if i else ""
            if f"{before} {runs.words[i][: cuts[0]]}" not in self._pairs:
                return  # in lower case a word is a name only beside another one
        begin = 0
        for end in cuts:
            yield start + begin, -(start + end), "person"
            begin = end


def canonical(text: str) -> str:
    """A number's letters and digits."""
    return "".join(char for char in text if char.isalnum()).upper()
