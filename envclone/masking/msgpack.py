"""The mask of MessagePack, in which LangGraph keeps its checkpoints: every string inside is free text.

A document is read and written here byte by byte, so that what is not a string stays as it was written, also what other
programs would write in another way. Extensions that hold MessagePack themselves are read too: LangGraph writes objects
as `[module, name, arguments, method]`, whose module, name and method are code and stay.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from envclone.errors import UnsafeError
from envclone.protocols import Mask

__all__ = ["MsgpackMask", "parse"]

_DEEPEST = 200
_CODE = (0, 1, 3)
"""Where in an object's list its module, name and method stand."""
_OBJECTS = range(16)
"""Types of extensions that LangGraph gives objects."""
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, **{0xCC + i: 1 << (i % 4) for i in range(8)}}
_STRINGS, _BINARY, _LISTS, _MAPS, _EXT = (
    {0xD9: 1, 0xDA: 2, 0xDB: 4},
    {0xC4: 1, 0xC5: 2, 0xC6: 4},
    {0xDC: 2, 0xDD: 4},
    {
        0xDE: 2,
        0xDF: 4,
    },
    {0xC7: 1, 0xC8: 2, 0xC9: 4},
)
_UINT = {1: ">B", 2: ">H", 4: ">I"}


@dataclass(frozen=True, slots=True)
class _Text:
    """A string that is masked."""

    text: str


@dataclass(frozen=True, slots=True)
class _Extension:
    """An extension whose data is MessagePack itself."""

    kind: int
    parts: tuple[_Part, ...]


_Part = bytes | _Text | _Extension


def parse(data: bytes) -> tuple[_Part, ...]:
    """A document cut into bytes that stay, strings, and extensions. Raises ValueError for what is not one."""
    reader = _Reader(data)
    parts = tuple(reader.value(0, masked=True))
    if reader.at != len(data):
        raise ValueError("there is more behind the document")
    return parts


class MsgpackMask:
    r"""Masks the strings of documents, which are written as PostgreSQL writes bytes, `\x` and hexadecimal digits.

    `other` masks bytes that are no document of MessagePack.
    """

    def __init__(self, text: Mask, other: Mask) -> None:
        self._text = text
        self._other = other

    def mask(self, values: Sequence[str]) -> list[str]:
        r"""The values with their strings masked, in order. Raises UnsafeError for what is not written as `\x…`."""
        return [self._one(value) for value in values]

    def _one(self, value: str) -> str:
        if not value.startswith("\\x"):
            raise UnsafeError("bytes under the domain 'json' are none", hint="report this as a bug")
        data = bytes.fromhex(value[2:])
        if not data:
            return value
        try:
            parts = parse(data)
        except (ValueError, IndexError, struct.error, RecursionError):
            return self._other.mask([value])[0]
        fresh = iter(self._text.mask([one.text for one in _texts(parts)]))
        return "\\x" + _written(parts, lambda _: next(fresh)).hex()


def _texts(parts: Sequence[_Part]) -> Iterator[_Text]:
    for part in parts:
        if isinstance(part, _Text):
            yield part
        elif isinstance(part, _Extension):
            yield from _texts(part.parts)


def _written(parts: Sequence[_Part], new: Callable[[str], str]) -> bytes:
    out = []
    for part in parts:
        if isinstance(part, _Text):
            data = new(part.text).encode()
            out.append(_string(len(data)) + data)
        elif isinstance(part, _Extension):
            data = _written(part.parts, new)
            out.append(_extension(len(data)) + struct.pack(">B", part.kind) + data)
        else:
            out.append(part)
    return b"".join(out)


def _string(size: int) -> bytes:
    if size < 1 << 5:
        return bytes([0xA0 | size])
    return _sized(size, 0xD9, 0xDA, 0xDB)


def _extension(size: int) -> bytes:
    if size in (1, 2, 4, 8, 16):
        return bytes([0xD4 + size.bit_length() - 1])
    return _sized(size, 0xC7, 0xC8, 0xC9)


def _sized(size: int, *marks: int) -> bytes:
    if size < 1 << 8:
        return struct.pack(">BB", marks[0], size)
    return struct.pack(">BH", marks[1], size) if size < 1 << 16 else struct.pack(">BI", marks[2], size)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int, *, masked: bool) -> Iterator[_Part]:
        """The parts of the value that begins here; with `masked` its strings are texts."""
        if depth > _DEEPEST:
            raise ValueError("too deep")
        begin = self.at
        mark = self._take(1)[0]
        if mark < 0x80 or mark >= 0xE0 or mark in _FIXED:
            self._take(_FIXED.get(mark, 0))
        elif mark in _BINARY:
            self._take(self._size(_BINARY[mark]))
        elif 0xA0 <= mark < 0xC0 or mark in _STRINGS:
            size = mark & 0x1F if mark < 0xC0 else self._size(_STRINGS[mark])
            text = self._take(size).decode()
            if masked and text:
                yield _Text(text)
                return
        elif mark < 0x90 or mark in _MAPS:
            count = mark & 0x0F if mark < 0x90 else self._size(_MAPS[mark])
            yield self._data[begin : self.at]
            for _ in range(count):
                yield from self.value(depth + 1, masked=False)  # keys name members
                yield from self.value(depth + 1, masked=masked)
            return
        elif mark < 0xA0 or mark in _LISTS:
            count = mark & 0x0F if mark < 0xA0 else self._size(_LISTS[mark])
            yield self._data[begin : self.at]
            for _ in range(count):
                yield from self.value(depth + 1, masked=masked)
            return
        elif mark in _EXT or 0xD4 <= mark <= 0xD8:
            size = 1 << (mark - 0xD4) if mark >= 0xD4 else self._size(_EXT[mark])
            kind = self._take(1)[0]
            data = self._take(size)
            inner = self._inside(data) if masked and kind in _OBJECTS else None
            if inner is not None:
                yield _Extension(kind, inner)
                return
        else:
            raise ValueError("no such mark")
        yield self._data[begin : self.at]

    def _inside(self, data: bytes) -> tuple[_Part, ...] | None:
        """What an extension holds, where that is MessagePack: an object's list with its code left as it is."""
        reader = _Reader(data)
        try:
            parts: list[_Part] = []
            if data and 0x93 <= data[0] <= 0x96:
                reader._take(1)
                parts.append(data[:1])
                for i in range(data[0] & 0x0F):
                    parts += reader.value(1, masked=i not in _CODE)
            else:
                parts += reader.value(1, masked=True)
        except (ValueError, IndexError, struct.error):
            return None
        return tuple(parts) if reader.at == len(data) else None

    def _size(self, width: int) -> int:
        return int(struct.unpack(_UINT[width], self._take(width))[0])

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._data):
            raise ValueError("the document ends early")
        taken = self._data[self.at : end]
        self.at = end
        return taken
