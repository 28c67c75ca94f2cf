"""Find originals in texts in any spelling: upper case, NFD, `jane%40example.org`, `\\u00E9`, `jane_doe`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import available
from envclone.packed import TextBlock
from envclone.verifier.foldedtexts import FOLD, SEPARATOR, folded, folded_block, packed, text_of
from envclone.verifier.originals import Originals
from envclone.verifier.search import ByteSearch, Hit
from envclone.verifier.spelled import Readings, readings

__all__ = ["Found", "LooseSearch", "Texts", "folded", "text_of"]

SHORTEST_IN_TEXT = 3
"""Bytes; a value of two letters is compared with its pseudonym, not searched for."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BYTES = re.compile(r"\\x(?:[0-9a-f]{2}){6,}")

Seek = Callable[[bytes], Iterable[int]]


class Found(NamedTuple):
    """A hit in the value with this number of a batch; `text` is the value as it was searched, the hit's places in it.

    `unchanged`: it stands where it stood in production.
    """

    value: int
    hit: Hit
    text: bytes
    unchanged: bool


class Texts:
    """Values as they are searched, one behind the other with a byte between that no UTF-8 text holds.

    With `decoded` a value stands once more at the end when it says something else than what is written, with that
    behind it; `owners` are the numbers of the values, of those at the end too. With `seek`, which gives the places of
    everything that is searched for, only those stand there in which it finds something: noise says much.
    """

    def __init__(self, values: Sequence[Any], *, decoded: bool, seek: Seek | None = None) -> None:
        self.data, self.starts, self.ends = packed(values)
        self.count = len(values)
        self.owners: list[int] = []
        self.again: frozenset[int] = frozenset()
        if not decoded:
            return
        more: list[bytes] = []
        for number, texts in _said(values, seek).items():
            own = self.data[int(self.starts[number]) : int(self.ends[number])]
            others = {folded(text).encode("utf-8", "surrogatepass") for text in texts} - {own}
            if others:
                self.owners.append(number)
                more.append(SEPARATOR.join([own, *sorted(others)]))
        if more:
            self.again = frozenset(self.owners)
            ends = len(self.data) + np.cumsum([len(text) + 1 for text in more], dtype=np.int64)
            starts = np.concatenate((np.array([len(self.data) + 1]), ends[:-1] + 1))
            self.starts, self.ends = np.concatenate((self.starts, starts)), np.concatenate((self.ends, ends))
            self.data = SEPARATOR.join([self.data, *more])

    def __len__(self) -> int:
        return self.count

    def place(self, hit: Hit) -> tuple[int, int, int] | None:
        """The number of the value that a hit is in, and where that stands; None when it is found once more behind."""
        at = int(np.searchsorted(self.starts, hit.start, "right")) - 1
        number = self.owners[at - self.count] if at >= self.count else at
        if at < self.count and number in self.again:
            return None
        return number, int(self.starts[at]), int(self.ends[at])

    def placed(self, hits: Any) -> tuple[Any, ...]:
        """The same of many hits, rows of original, start and end, without those of which there is none: the numbers of
        the values, the originals, their starts and ends, and where the values start and end."""
        at = np.searchsorted(self.starts, hits[:, 1], "right") - 1
        if self.owners:
            again = np.zeros(self.count, np.bool_)
            again[self.owners] = True
            late = at >= self.count
            kept = late | ~again[np.minimum(at, self.count - 1)]
            hits, at, late = hits[kept], at[kept], late[kept]
            numbers = np.where(late, np.array(self.owners, np.int64)[np.maximum(at - self.count, 0)], at)
        else:
            numbers = at
        return numbers, hits[:, 0], hits[:, 1], hits[:, 2], self.starts[at], self.ends[at]


class LooseSearch:
    """Finds originals whatever their casing, escapes and the signs that join their parts."""

    def __init__(self, originals: Originals) -> None:
        self._search = ByteSearch(originals, minimum=SHORTEST_IN_TEXT, spell=_spelled, fold=FOLD)

    def find(self, values: Sequence[Any] | Texts) -> Iterator[Found]:
        """Every original in some values, and in what they say when their spellings are decoded."""
        texts = values if isinstance(values, Texts) else Texts(values, decoded=True, seek=self.places)
        for number, original, start, end, first, last in self._hits(texts):
            yield Found(number, Hit(original, start - first, end - first), texts.data[first:last], True)

    def _hits(self, texts: Texts) -> Any:
        """Rows of the number of a value, an original in it, where that starts and ends, and where the value does."""
        rows = self._search.hits(texts.data)
        return np.column_stack(texts.placed(rows)).tolist() if len(rows) else ()

    def placed(self, texts: Texts, before: Sequence[Any] | None = None) -> tuple[Any, ...]:
        """The same as arrays, as `Texts.placed` gives them; with `before` those alone that stand where they stood."""
        rows = texts.placed(self._search.hits(texts.data))
        if before is None or not len(rows[0]):
            return rows
        kept = _unchanged(texts, Texts(before, decoded=False), rows)
        return tuple(column[kept] for column in rows)

    def places(self, data: bytes) -> Iterator[int]:
        """Where anything begins in folded bytes."""
        return iter(self._search.hits(data)[:, 1].tolist())

    def compare(self, before: Sequence[Any], after: Sequence[Any] | Texts) -> Iterator[Found]:
        """Every original in `after`, as it is written, and whether it stands where it stood in `before`."""
        texts = after if isinstance(after, Texts) else Texts(after, decoded=False)
        rows = self.placed(texts)
        if not len(rows[0]):
            return
        same = _unchanged(texts, Texts(before, decoded=False), rows)
        for number, original, start, end, first, last, kept in np.column_stack((*rows, same)).tolist():
            yield Found(number, Hit(original, start - first, end - first), texts.data[first:last], bool(kept))


def _unchanged(texts: Texts, raw: Texts, rows: Sequence[Any]) -> Any:
    """Per hit whether its bytes stood in the value before: at the same place where that was as long, else anywhere."""
    numbers, _, starts, ends, firsts, lasts = rows
    begun, over = raw.starts[numbers], raw.ends[numbers]
    found = np.zeros(len(numbers), np.bool_)
    if available():
        from envclone.verifier import weakkernels  # late: it waits for the compiler

        now, then = np.frombuffer(texts.data, np.uint8), np.frombuffer(raw.data, np.uint8)
        places = map(np.ascontiguousarray, (starts, ends, firsts, lasts))  # columns of a table are another type
        weakkernels.unchanged(now, *places, then, begun, over, found)
        return found
    for i, (start, end, first, last, low, high) in enumerate(
        zip(starts, ends, firsts, lasts, begun, over, strict=True)
    ):
        word = texts.data[start:end]
        if high - low == last - first:
            found[i] = raw.data[low + start - first : low + end - first] == word
        else:
            found[i] = raw.data.find(word, low, high) >= 0
    return found


def _spelled(value: str) -> tuple[bytes, ...]:
    """How an original is looked for: as a text, and as bytes when it is some; a UUID without its dashes too."""
    text = text_of(value)
    if _UUID.fullmatch(value):
        return text, text.replace(b" ", b"")
    return (text, bytes.fromhex(value[2:]).translate(FOLD)) if _BYTES.fullmatch(value) else (text,)


def _said(values: Sequence[Any], seek: Seek | None) -> dict[int, set[str]]:
    """What texts, bytes and the elements of lists say otherwise, by the numbers of the values."""
    if isinstance(values, TextBlock):
        found, whose = readings(values), np.arange(len(values))
    elif any(isinstance(value, list) for value in values):
        flat = [(i, item) for i, value in enumerate(values) for item in _items(value)]
        found = readings([item for _, item in flat])
        whose = np.array([i for i, _ in flat], np.int64)
    else:
        found = readings([value if isinstance(value, (str, bytes)) else "" for value in values])
        whose = np.arange(len(values))
    wanted = np.ones(len(whose), np.bool_)
    if seek is not None:
        wanted[:] = False
        for part in found:
            wanted[_telling(part, seek)] = True
    out: dict[int, set[str]] = {}
    for part in found:
        for number in np.flatnonzero(wanted[part.owners]).tolist():
            out.setdefault(int(whose[part.owners[number]]), set()).add(part[number])
    return out


def _telling(part: Readings, seek: Seek) -> Any:
    """Whose readings hold something that is searched for."""
    block = part.data[: int(part.ends[-1])].tobytes()
    found = folded_block(block, len(part), "replace")
    if found is None:  # a reading says a zero
        return part.owners
    data, _, ends = found
    places = np.fromiter(seek(data), np.int64)
    return part.owners[np.searchsorted(ends, places, "right")]


def _items(value: Any) -> Iterator[str | bytes]:
    if isinstance(value, list):
        for item in value:
            yield from _items(item)
    elif isinstance(value, (str, bytes)):
        yield value
