"""The texts in a CBOR value, as Qdrant's own indexes store them: arrays, maps, texts, integers (RFC 8949).

Only what such an index writes is read: definite lengths, no tags. Anything else is Damaged.
"""

from __future__ import annotations

from collections.abc import Iterator

from envclone.stores.qdrant.account.claims import Damaged

__all__ = ["texts"]

_DEEPEST = 16
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP = range(6)


def texts(data: bytes) -> list[str]:
    """Every text of one value that takes up all of `data`. Raises Damaged."""
    found: list[str] = []
    end = _value(data, 0, found, 0)
    if end != len(data):
        raise Damaged("a CBOR value ends before its record")
    return found


def _value(data: bytes, position: int, found: list[str], depth: int) -> int:
    if depth > _DEEPEST:
        raise Damaged("a CBOR value is too deep")
    kind, number, position = _head(data, position)
    if kind in (_UNSIGNED, _NEGATIVE):
        return position
    if kind in (_BYTES, _TEXT):
        end = position + number
        if end > len(data):
            raise Damaged("a CBOR text goes on behind its record")
        try:
            found.append(data[position:end].decode("utf-8"))
        except UnicodeDecodeError:
            raise Damaged("a CBOR text is not UTF-8") from None
        return end
    if kind in (_ARRAY, _MAP):
        for _ in _bounded(number * (kind == _MAP) + number, len(data) - position):
            position = _value(data, position, found, depth + 1)
        return position
    raise Damaged("a CBOR value has a type that is not read here")


def _bounded(count: int, left: int) -> Iterator[int]:
    """As many items as announced; each takes at least a byte."""
    if count > left:
        raise Damaged("a CBOR array is longer than its record")
    return iter(range(count))


def _head(data: bytes, position: int) -> tuple[int, int, int]:
    if position >= len(data):
        raise Damaged("a CBOR value breaks off")
    first = data[position]
    kind, number = first >> 5, first & 31
    position += 1
    if number < 24:
        return kind, number, position
    if number > 27:
        raise Damaged("a CBOR value has no definite length")
    width = 1 << (number - 24)
    if position + width > len(data):
        raise Damaged("a CBOR value breaks off")
    return kind, int.from_bytes(data[position : position + width], "big"), position + width
