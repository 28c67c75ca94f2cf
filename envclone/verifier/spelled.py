"""What values say beside what is written: the texts in bytes, and texts as `masking.decoders` reads them.

Most values say nothing else, and bytes that are noise hold nothing. So compiled loops look at a whole batch first
(`unpacking`): blocks are decoded there, and only what they leave is read by the decoders, a value at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.masking.blocks import blocks
from envclone.masking.decoders import DEPTH, View, views
from envclone.masking.escapes import firsts

__all__ = ["said"]

_SEPARATOR = "\x00"
_ROOM = 1 << 22
_CUTS = 1 << 14


def said(values: Sequence[str | bytes]) -> dict[int, set[str]]:
    """Per number of a value the texts that it holds (bytes), or that it is read as (texts), in up to DEPTH steps."""
    if not available():
        return _slowly(values)
    out: dict[int, set[str]] = {}
    level: list[tuple[int, str]] = [(i, value) for i, value in enumerate(values) if isinstance(value, str) and value]
    packed = [(i, value) for i, value in enumerate(values) if isinstance(value, bytes) and value]
    found = list(_unpacked(_bytes(packed), raw=True)) if packed else []
    for depth in range(DEPTH + 1):
        if depth < DEPTH:
            found += _once(level)
        for owner, text in found:
            out.setdefault(owner, set()).add(text)
        level, found = found, []
        if not level:
            break
    return out


class _Packed:
    """Values one behind the other: their bytes, where each begins and ends, and whose it is."""

    def __init__(self, data: bytes, starts: Any, ends: Any, owners: Sequence[int]) -> None:
        self.data = np.frombuffer(data, np.uint8)
        self.starts, self.ends, self.owners = starts, ends, owners


def _bytes(values: Sequence[tuple[int, bytes]]) -> _Packed:
    ends = np.cumsum([len(value) for _, value in values], dtype=np.int64)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    return _Packed(b"".join([value for _, value in values]), starts, ends, [owner for owner, _ in values])


def _texts(values: Sequence[tuple[int, str]]) -> _Packed:
    joined = _SEPARATOR.join([text for _, text in values])
    if joined.count(_SEPARATOR) != len(values) - 1:
        joined = _SEPARATOR.join([text.replace(_SEPARATOR, " ") for _, text in values])
    data = joined.encode("utf-8", "surrogatepass")
    breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == 0).astype(np.int64)
    starts = np.concatenate((np.zeros(1, np.int64), breaks + 1))
    return _Packed(data, starts, np.append(breaks, len(data)), [owner for owner, _ in values])


def _once(values: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Every way to read some texts, or parts of them, in one step."""
    if not values:
        return []
    from envclone.verifier import unpacking

    packed = _texts(values)
    marks = np.zeros(len(values), np.uint8)
    unpacking.sift(packed.data, packed.starts, packed.ends, firsts(), marks)
    out = list(_unpacked(packed, raw=False))
    for i in np.flatnonzero(marks).tolist():
        owner, text = values[i]
        if marks[i] & unpacking.SPELLED and (read := View(text, None).text):
            out.append((owner, read))
        if marks[i] & unpacking.BLOCKS:
            out += [(owner, View(text, None, block).text) for block in blocks(text)]
    return list(dict.fromkeys(out))


def _unpacked(packed: _Packed, *, raw: bool) -> Iterator[tuple[int, str]]:
    """The texts in bytes, or in the blocks of texts."""
    from envclone.verifier import unpacking

    longest = int((packed.ends - packed.starts).max())
    room = np.empty(longest, np.uint8)
    out, cuts, state = _buffer(), np.empty((_CUTS, 3), np.int64), np.zeros(2, np.int64)
    first = 0
    while first < len(packed.owners):
        after = int(unpacking.unpack(packed.data, packed.starts, packed.ends, first, raw, room, out, cuts, state))
        if after == first:  # one value that holds much
            out, cuts = np.empty(4 * len(out), np.uint8), np.empty((4 * len(cuts), 3), np.int64)
            continue
        text = out[: int(state[0])].tobytes()
        for number, start, end in cuts[: int(state[1])].tolist():
            yield packed.owners[number], text[start:end].decode("utf-8", "replace")
        first = after


@cache
def _buffer() -> Any:
    return np.empty(_ROOM, np.uint8)


def _slowly(values: Sequence[str | bytes]) -> dict[int, set[str]]:
    """The same by the decoders alone."""
    strings = [value if isinstance(value, str) else value.hex() for value in values]
    if next(views(_SEPARATOR.join(strings)), None) is None:
        return {}
    found = ((i, {view.text for view in views(text)}) for i, text in enumerate(strings))
    return {i: texts for i, texts in found if texts}
