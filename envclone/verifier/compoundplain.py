"""The loops of `compoundkernels` in plain Python, where nothing is compiled: the same numbers, many times slower."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from envclone.verifier.compoundkernels import (
    BASE,
    FEWEST_BEHIND,
    LONGEST_CODE,
    LONGEST_JOINT,
    MOST_DIALLED,
    PARTED,
    PLACES,
    SHORTEST_PARTED,
    SHORTEST_SIDE,
    marks,
)

__all__ = ["BASE", "PLACES", "digits", "enter", "hashes", "marks", "numbers", "words"]

_BASE, _64 = int(BASE), (1 << 64) - 1
_LETTERS = re.compile(rb"[a-z\x80-\xfe]+")
_GROUPS = re.compile(rb"[0-9]+(?:[ /'()]{1,2}[0-9]+){0,23}")
_GROUP = re.compile(rb"[0-9]+")
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")


def hashes(block: Any, starts: Any, ends: Any, out: Any, powers: Any) -> None:
    """Of each text its hash, and the base to the power of its length."""
    data = block.tobytes()
    for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        out[i], powers[i] = _hash(data[start:end]), pow(_BASE, max(0, end - start), 1 << 64)


def enter(keys: Any, wanted: Any, bits: int) -> None:
    """Enter hashes into a filter of 2**bits bits."""
    places, its = marks(keys, bits)
    np.bitwise_or.at(wanted, places, its)


def numbers(block: Any, bounds: Any, which: Any, sizes: Any, signs: Any, hashed: Any) -> None:
    """Of some strings how many digits each has (-1 where a letter stands, or what is not ASCII), whether other signs
    stand among them, and the hash of the digits."""
    for i, at in enumerate(which.tolist()):
        text = block[int(bounds[at]) : int(bounds[at + 1])].tobytes()
        found = b"".join(_GROUP.findall(text))
        sizes[i] = -1 if _LETTER.search(text) else len(found)
        signs[i], hashed[i] = len(found) != len(text), _hash(found)


def words(data: Any, least: int, most: int, wanted: Any, bits: int, out: Any) -> int:
    """Runs of letters of some length whose hash may be wanted; returns how many."""
    return _filled(_words(data.tobytes(), least, most), wanted, bits, out)


def digits(data: Any, lengths: Any, wanted: Any, bits: int, out: Any) -> int:
    """Runs of digits in groups, one or two signs between two, whose hash may be wanted; returns how many."""
    return _filled(_digits(data.tobytes(), lengths.tolist()), wanted, bits, out)


def _words(data: bytes, least: int, most: int) -> Iterator[tuple[int, int, int]]:
    for match in _LETTERS.finditer(data):
        if least <= match.end() - match.start() <= most:
            yield _hash(match[0]), match.start(), match.end()
        if SHORTEST_PARTED <= match.end() - match.start() <= PARTED:
            yield from _parted(match[0], match.start(), match.end())


def _parted(word: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    for second in range(SHORTEST_SIDE + 1, len(word) - SHORTEST_SIDE + 1):
        for joint in range(1, min(LONGEST_JOINT, second - SHORTEST_SIDE) + 1):
            both = _hash(word[: second - joint] + word[second:])
            yield both, start, end | second << PLACES | joint << PLACES + 8


def _digits(data: bytes, lengths: list[bool]) -> Iterator[tuple[int, int, int]]:
    longest = len(lengths) - 1
    for match in _GROUPS.finditer(data):
        groups = [(one.start() + match.start(), one[0]) for one in _GROUP.finditer(match[0])]
        for first, (_, its) in enumerate(groups):
            zeros = min(len(its) - len(its.lstrip(b"0")), len(its) - 1)
            for skipped in sorted({0, zeros}):
                yield from _joined(groups[first:], skipped, lengths, longest)
        whole = sum(len(its) for _, its in groups)
        if FEWEST_BEHIND < whole <= MOST_DIALLED:
            its = groups[0][1]
            zeros = min(len(its) - len(its.lstrip(b"0")), len(its) - 1)
            for skipped in range(zeros + 1, zeros + LONGEST_CODE + 1):
                if skipped < len(its) and whole - skipped >= FEWEST_BEHIND:
                    yield from _joined(groups, skipped, lengths, longest)


def _joined(
    groups: list[tuple[int, bytes]], skipped: int, lengths: list[bool], longest: int
) -> Iterator[tuple[int, int, int]]:
    """The digits of the first groups, of the first two, and so on, without so many before them."""
    found, begin = groups[0][1][skipped:], groups[0][0]
    for at, (start, group) in enumerate(groups):
        found += group if at else b""
        if len(found) > longest:
            break
        if lengths[len(found)]:
            yield _hash(found), begin, start + len(group)


def _hash(text: bytes) -> int:
    value = 0
    for byte in text:
        value = (value * _BASE + byte + 1) & _64
    return value


def _filled(found: Iterator[tuple[int, int, int]], wanted: Any, bits: int, out: Any) -> int:
    count = 0
    for value, start, end in found:
        places, its = marks(np.array([value], np.uint64), bits)
        if wanted[places[0]] & its[0] == its[0]:
            if count < len(out):
                out[count] = np.array([value, start, end], np.uint64)
            count += 1
    return count
