"""CRC-32C (Castagnoli) of many files at once, as backup manifests carry it: numpy in lanes, for a loop is too slow.

A file is cut into pieces of one size, each piece is a lane, and all lanes go on together. Leading zeros do not change a
register that begins at zero, so a file's last piece is padded in front; what the register's true beginning and the
pieces before add is linear, and is added afterwards.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["of_files"]

_PIECE = 8192
_LANES = 4096
"""Pieces at once: 32 MB."""
_SHORT = 256
"""Bytes below which a plain loop is faster."""
_POLYNOMIAL = 0x82F63B78

Words = npt.NDArray[np.uint32]


def of_files(paths: Iterable[Path]) -> Iterator[tuple[Path, int, int]]:
    """Each file's path, size and checksum, in the order given. Raises OSError for one that cannot be read."""
    waiting: list[tuple[Path, int, int, int]] = []
    lanes = np.zeros((_LANES, _PIECE), np.uint8)
    used = 0
    states: dict[int, int] = {}
    for number, (path, offset, data, last) in enumerate(_pieces(paths)):
        if last:
            waiting.append((path, offset + len(data), number - offset // _PIECE, number + 1))
        if len(data) < _SHORT:
            states[number] = _plain(0, data)
            continue
        lanes[used, : _PIECE - len(data)] = 0
        lanes[used, _PIECE - len(data) :] = np.frombuffer(data, np.uint8)
        states[number] = -used - 1
        used += 1
        if used == _LANES:
            _settle(states, lanes, used)
            used = 0
            yield from _finished(waiting, states)
    _settle(states, lanes, used)
    yield from _finished(waiting, states)


def _pieces(paths: Iterable[Path]) -> Iterator[tuple[Path, int, bytes, bool]]:
    for path in paths:
        with path.open("rb") as file:
            offset, data = 0, file.read(_PIECE)
            while True:
                following = file.read(_PIECE) if len(data) == _PIECE else b""
                yield path, offset, data, not following
                if not following:
                    break
                offset, data = offset + _PIECE, following


def _settle(states: dict[int, int], lanes: npt.NDArray[np.uint8], used: int) -> None:
    """Put the registers in the places of the lanes."""
    if not used:
        return
    found = _registers(lanes[:used])
    for number, state in states.items():
        if state < 0:
            states[number] = int(found[-state - 1])


def _finished(waiting: list[tuple[Path, int, int, int]], states: dict[int, int]) -> Iterator[tuple[Path, int, int]]:
    """The files whose pieces are all there; one that is not yet at its end has not been told of."""
    for path, size, first, after in waiting:
        register, left = 0xFFFFFFFF, size
        for number in range(first, after):
            length = min(_PIECE, left)
            register = _behind_zeros(register, length) ^ states.pop(number)
            left -= length
        yield path, size, register ^ 0xFFFFFFFF
    waiting.clear()


def _registers(lanes: npt.NDArray[np.uint8]) -> Words:
    """The register of each lane, from zero."""
    words = np.ascontiguousarray(lanes.view("<u4").T)
    one, two, three, four = _tables()
    register = np.zeros(lanes.shape[0], np.uint32)
    for word in words:
        register ^= word
        register = (
            four[register & 0xFF] ^ three[register >> 8 & 0xFF] ^ two[register >> 16 & 0xFF] ^ one[register >> 24]
        )
    return register


@functools.cache
def _tables() -> tuple[Words, Words, Words, Words]:
    """What each byte of a word does to the register, from the last to the first."""
    table = np.array(_table(), np.uint32)
    two = table[table & 0xFF] ^ table >> 8
    three = table[two & 0xFF] ^ two >> 8
    return table, two, three, table[three & 0xFF] ^ three >> 8


@functools.cache
def _table() -> tuple[int, ...]:
    rows = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


def _plain(register: int, data: bytes) -> int:
    table = _table()
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ register >> 8
    return register


def _behind_zeros(register: int, count: int) -> int:
    """What a register becomes by so many zero bytes: it is linear, so bit by bit."""
    found = 0
    for bit, image in enumerate(_zeros(count)):
        if register >> bit & 1:
            found ^= image
    return found


@functools.lru_cache(64)
def _zeros(count: int) -> tuple[int, ...]:
    """What `count` zero bytes make of each bit of the register, by squaring."""
    if count == 0:
        return tuple(1 << bit for bit in range(32))
    if count == 1:
        return tuple(_plain(1 << bit, b"\0") for bit in range(32))
    half = _zeros(count // 2)

    def twice(register: int) -> int:
        found = 0
        for bit, image in enumerate(half):
            if register >> bit & 1:
                found ^= image
        return found

    doubled = tuple(twice(image) for image in half)
    return tuple(_plain(image, b"\0") for image in doubled) if count % 2 else doubled
