"""How much a message of OTLP holds, counted in its bytes: a few bytes of protobuf can be gigabytes of objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from envclone.errors import ConfigError
from envclone.incidents.traces.span import DEEPEST, MOST

__all__ = ["measured"]

_FIELDS = 2_000_000
_SHAPE: Mapping[str, Mapping[int, str]] = {
    "logs": {1: "resource logs"}, "resource logs": {1: "resource", 2: "scope logs"},
    "scope logs": {1: "scope", 2: "record"}, "record": {5: "value", 6: "pair"},
    "data": {1: "resource spans"}, "resource spans": {1: "resource", 2: "scope spans"}, "resource": {1: "pair"},
    "scope spans": {1: "scope", 2: "span"}, "scope": {3: "pair"},
    "span": {9: "pair", 11: "event", 13: "link", 15: "status"}, "event": {3: "pair"},
    "link": {4: "pair"}, "pair": {2: "value"}, "value": {5: "list", 6: "pairs"},
    "list": {1: "value"}, "pairs": {1: "pair"}, "status": {},
}  # fmt: skip
"""Messages of `trace.proto`, `logs.proto` and `common.proto`, by the number of the field that holds them."""
_LENGTHS = {0: 0, 1: 8, 5: 4}


def measured(content: bytes, of: Literal["data", "logs"] = "data") -> bool:
    """Whether some bytes have the shape of a message of spans or logs. Raises ConfigError when it holds too much."""
    pending: list[tuple[int, int, str, int]] = [(0, len(content), of, 1)]
    fields = spans = 0
    while pending:
        at, end, message, depth = pending.pop()
        if depth > 2 * DEEPEST:
            raise ConfigError(f"the trace is nested deeper than {DEEPEST} levels")
        while at < end:
            tag, at = _varint(content, at, end)
            fields += 1
            if at < 0 or tag >> 3 == 0:
                return False
            if fields > _FIELDS or spans > MOST:
                raise ConfigError(
                    f"the trace holds more than {_FIELDS:,} values, or more than {MOST:,} spans",
                    hint="export the trace of the failing request alone",
                )
            kind, number = tag & 7, tag >> 3
            if kind == 2:
                length, at = _varint(content, at, end)
                if at < 0 or length > end - at:
                    return False  # a length that lies
                inside = _SHAPE[message].get(number)
                spans += inside in ("span", "record")
                if inside is not None:
                    pending.append((at, at + length, inside, depth + 1))
                at += length
            elif kind == 0:
                _, at = _varint(content, at, end)
                if at < 0:
                    return False
            elif kind in _LENGTHS:
                at += _LENGTHS[kind]
            else:
                return False
        if at != end:
            return False
    return True


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """A number and where it ends; -1 when it does not end."""
    value = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, -1
