"""MessagePack as plain values, with the objects that LangGraph writes into it; no class of it is ever made.

Sources: the MessagePack specification, and `serde/jsonplus.py` of langgraph-checkpoint 4.3 for its extensions.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from envclone.incidents.traces.span import DEEPEST

__all__ = ["unpacked"]

_NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h",
            0xD2: ">i", 0xD3: ">q"}  # fmt: skip
_SIZED = {
    **{0xD9: (">B", "text"), 0xDA: (">H", "text"), 0xDB: (">I", "text"), 0xC4: (">B", "bytes"), 0xC5: (">H", "bytes")},
    **{0xC6: (">I", "bytes"), 0xDC: (">H", "list"), 0xDD: (">I", "list"), 0xDE: (">H", "map"), 0xDF: (">I", "map")},
    **{0xC7: (">B", "object"), 0xC8: (">H", "object"), 0xC9: (">I", "object")},
}
_PLAIN = {0xC0: None, 0xC2: False, 0xC3: True}
_KEYWORDS = (2, 4, 5)
"""Extensions whose object has its members by name."""
_ARRAY, _DELTA = 6, 7


def unpacked(data: bytes) -> Any:
    """The value in some bytes. Raises ValueError for what is none."""
    reader = _Reader(data, 0)
    try:
        value = reader.value(0)
    except (struct.error, IndexError, RecursionError) as exc:
        raise ValueError(f"no MessagePack: {exc}") from None
    if reader.at != len(data):
        raise ValueError("something follows the document")
    return value


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    def value(self, depth: int) -> Any:
        if depth > DEEPEST // 2:
            raise ValueError("nested too deep")
        mark = self._take(1)[0]
        if mark < 0x80:
            return mark
        if mark >= 0xE0:
            return mark - 0x100
        if mark in _PLAIN:
            return _PLAIN[mark]
        if mark in _NUMBERS:
            number = self._number(_NUMBERS[mark])
            return number if not isinstance(number, float) or math.isfinite(number) else str(number)
        if 0xD4 <= mark <= 0xD8:
            return self._of("object", 1 << (mark - 0xD4), depth)
        if mark in _SIZED:
            form, kind = _SIZED[mark]
            return self._of(kind, int(self._number(form)), depth)
        kind, size = ("text", mark & 0x1F) if mark >= 0xA0 else ("list" if mark >= 0x90 else "map", mark & 0x0F)
        if mark > 0xC0:
            raise ValueError("no such mark")
        return self._of(kind, size, depth)

    def _of(self, kind: str, size: int, depth: int) -> Any:
        if size > len(self._data) - self.at and kind != "object":
            raise ValueError("a length that is longer than the document")
        if kind == "text":
            return self._take(size).decode("utf-8", "replace")
        if kind == "bytes":
            return {"bytes": self._take(size).hex()}
        if kind == "list":
            return [self.value(depth + 1) for _ in range(size)]
        if kind == "map":
            return {_name(self.value(depth + 1)): self.value(depth + 1) for _ in range(size)}
        code = self._take(1)[0]
        return _object(code, self._take(size), depth)

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise ValueError("the document ends early")
        self.at += size
        return self._data[self.at - size : self.at]


def _name(key: Any) -> str:
    return key if isinstance(key, str) else str(key)


def _object(code: int, data: bytes, depth: int) -> Any:
    """An object as its members and the name of its class; a time, a UUID and their like as their text."""
    if code > _DELTA:
        return {"extension": code, "bytes": data.hex()}
    reader = _Reader(data, 0)
    value = reader.value(depth + 1)
    if reader.at != len(data):
        raise ValueError("something follows an object")
    if code == _DELTA or not isinstance(value, list) or len(value) < 3:
        return value
    if code == _ARRAY:
        return {"array": value}
    module, name, given = value[:3]
    if code in _KEYWORDS and isinstance(given, dict):
        return {**given, "class": f"{module}.{name}"}
    return given
