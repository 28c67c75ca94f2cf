"""What values say beside what is written: the texts in bytes, and texts as `masking.decoders` reads them.

Most values say nothing else, and bytes that are noise hold nothing. So compiled loops look at a whole batch first
(`unpacking`): blocks are decoded there, and only what they leave is read by the decoders, a value at a time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np

from envclone.compiled import available, frozen
from envclone.masking import markup
from envclone.masking.blocks import blocks
from envclone.masking.decoders import DEPTH, View, views
from envclone.masking.escapes import spelled_parts
from envclone.masking.spelled import marks
from envclone.packed import TextBlock

__all__ = ["Readings", "readings", "said"]

_SEPARATOR = "\x00"
_ROOM = 1 << 22
_CUTS = 1 << 14
_SHORT = 16
_ESCAPED = re.compile(rb"[%=][0-9A-Fa-f]{2}|%u[0-9A-Fa-f]|&[#A-Za-z][0-9A-Za-z]{1,8};|\\[uUx0-7]")
"""What stands for a character by its number or name."""


class Readings:
    """Texts one behind the other, a zero between two: their bytes, where each begins and ends, and whose it is.

    `noisy` are those that stood among bytes most of which are no text, and are short.
    """

    def __init__(self, data: Any, starts: Any, ends: Any, owners: Any, noisy: Any = None) -> None:
        self.data, self.starts, self.ends, self.owners, self.noisy = data, starts, ends, owners, noisy

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, number: int) -> str:
        part: bytes = self.data[self.starts[number] : self.ends[number]].tobytes()
        return part.decode("utf-8", "replace")

    def chosen(self, numbers: Any) -> Readings:
        """Some of them, where they lie."""
        return Readings(self.data, self.starts[numbers], self.ends[numbers], self.owners[numbers])

    def joined(self) -> str:
        """All of them, a zero between two."""
        whole: bytes = self.data[: int(self.ends[-1])].tobytes()
        return whole.decode("utf-8", "replace")


def said(values: Sequence[str | bytes]) -> dict[int, set[str]]:
    """Per number of a value the texts that it holds (bytes), or that it is read as (texts), in up to DEPTH steps."""
    out: dict[int, set[str]] = {}
    for part in readings(values):
        for number, owner in enumerate(part.owners.tolist()):
            out.setdefault(owner, set()).add(part[number])
    return out


def readings(values: Sequence[str | bytes] | TextBlock) -> list[Readings]:
    """The same, packed: `owners` are the numbers of the values."""
    if not available():
        return _slowly(values)
    if isinstance(values, TextBlock):
        return _in_steps([_packed(values)] if values.block.strip(_SEPARATOR.encode()) else [], [])
    strings = [(i, value) for i, value in enumerate(values) if isinstance(value, str) and value]
    packed = [(i, value) for i, value in enumerate(values) if isinstance(value, bytes) and value]
    level = [_texts(strings)] if strings else []
    found = list(_unpacked(_bytes(packed), raw=True)) if packed else []
    return _in_steps(level, found)


def _in_steps(level: list[Readings], found: list[Readings]) -> list[Readings]:
    """What texts are read as, and what was read already, in up to DEPTH steps."""
    out: list[Readings] = []
    for depth in range(DEPTH + 1):
        if depth < DEPTH:
            found += [one for part in level for one in _once(part)]
        out += found
        level, found = found, []
        if not level:
            break
    return out


def _bytes(values: Sequence[tuple[int, bytes]]) -> Readings:
    ends = np.cumsum([len(value) for _, value in values], dtype=np.int64)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    data = np.frombuffer(b"".join([value for _, value in values]), np.uint8)
    return Readings(data, starts, ends, np.array([owner for owner, _ in values], np.int64))


def _texts(values: Sequence[tuple[int, str]]) -> Readings:
    joined = _SEPARATOR.join([text for _, text in values])
    if joined.count(_SEPARATOR) != len(values) - 1:
        joined = _SEPARATOR.join([text.replace(_SEPARATOR, " ") for _, text in values])
    data = np.frombuffer(joined.encode("utf-8", "surrogatepass"), np.uint8)
    return Readings(data, *_between(data), np.array([owner for owner, _ in values], np.int64))


def _packed(values: TextBlock) -> Readings:
    data = np.frombuffer(values.block, np.uint8)
    return Readings(data, *_between(data), np.arange(len(values)))


def _between(data: Any) -> tuple[Any, Any]:
    """Where texts begin and end that have a zero between two."""
    breaks = np.flatnonzero(data == 0).astype(np.int64)
    return np.concatenate((np.zeros(1, np.int64), breaks + 1)), np.append(breaks, len(data))


def _once(level: Readings) -> Iterator[Readings]:
    """Every way to read some texts, or parts of them, in one step."""
    from envclone.masking.kernels.spelled import BLOCKS, RUN, SPELLED

    told = marks(frozen(level.data), len(level))
    yield from _unpacked(level.chosen(np.flatnonzero(told & (RUN | BLOCKS))), raw=False)
    spelled = _spelled(level, np.flatnonzero(told & SPELLED))
    found = [(int(level.owners[spelled[i]]), text) for i, text in _read([level[i] for i in spelled.tolist()])]
    for i in np.flatnonzero(told & BLOCKS).tolist():
        text = level[i]
        found += [(int(level.owners[i]), View(text, None, block).text) for block in blocks(text)]
    found = [(owner, text) for owner, text in dict.fromkeys(found) if text]
    if found:
        yield _texts(found)


def _spelled(level: Readings, numbers: Any) -> Any:
    """Those of some texts that are read in another spelling: in a few bytes of noise signs of markup mean nothing."""
    if level.noisy is None or not (few := level.noisy[numbers]).any():
        return numbers
    told = [_ESCAPED.search(level.data[level.starts[i] : level.ends[i]]) is not None for i in numbers[few].tolist()]
    few[few] = ~np.array(told)
    return numbers[~few]


def _read(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Those of some texts in which anything is spelled, as they are read, each with its number."""
    left: list[int] = []
    for number, plain in markup.readings(texts):
        if plain is None:
            left.append(number)
        else:
            yield number, plain
    chosen = [texts[number] for number in left]
    joined = _SEPARATOR.join(chosen)
    starts = [0, *accumulate(len(text) + 1 for text in chosen)]
    for start, end, found in spelled_parts(joined):
        value = joined[start:end]
        out: list[str] = []
        position = 0
        for piece in found:
            out += [value[position : piece.start], piece.plain.replace(_SEPARATOR, "\ufffd")]
            position = piece.end
        yield left[bisect_right(starts, start) - 1], "".join([*out, value[position:]])


def _unpacked(packed: Readings, *, raw: bool) -> Iterator[Readings]:
    """The texts in bytes, or in the blocks of texts."""
    from envclone.verifier import unpacking

    if not len(packed):
        return
    longest = int((packed.ends - packed.starts).max())
    rooms = np.empty((3, longest), np.uint8)
    out, cuts, state = _buffer(), np.empty((_CUTS, 4), np.int64), np.zeros(2, np.int64)
    first = 0
    while first < len(packed):
        after = int(
            unpacking.unpack(frozen(packed.data), packed.starts, packed.ends, first, raw, rooms, out, cuts, state)
        )
        if after == first:  # one value that holds much
            out, cuts = np.empty(4 * len(out), np.uint8), np.empty((4 * len(cuts), 4), np.int64)
            continue
        if state[1]:
            which, starts, ends, among = cuts[: int(state[1])].T.copy()
            noisy = (ends - starts < _SHORT) & (ends - starts < among // 2)
            yield Readings(out[: int(state[0])].copy(), starts, ends, packed.owners[which], noisy)
        first = after


@cache
def _buffer() -> Any:
    return np.empty(_ROOM, np.uint8)


def _slowly(values: Sequence[str | bytes | None]) -> list[Readings]:
    """The same by the decoders alone."""
    strings = [value.hex() if isinstance(value, bytes) else value or "" for value in values]
    if next(views(_SEPARATOR.join(strings)), None) is None:
        return []
    found = [
        (i, part) for i, text in enumerate(strings) for part in dict.fromkeys(view.text for view in views(text)) if part
    ]
    return [_texts(found)] if found else []
