"""Arrays on disk (`src/include/utils/array.h`): dimensions, bounds and nulls stay, elements are written again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from envclone.errors import UnsafeError

__all__ = ["decode", "encode"]

_ALIGN = {"c": 1, "s": 2, "i": 4, "d": 8}
_HEADER = 4


def decode(body: bytes, length: int, align: str, element: Callable[[bytes], Any]) -> list[Any]:
    """The elements as nested lists, nulls as None; `length` and `align` are those of the element's type."""
    dims, data, nulls = _shape(body)
    flat: list[Any] = []
    at, unit = data, _ALIGN[align]
    for null in nulls:
        if null:
            flat.append(None)
            continue
        if length != -1:
            at = -(-at // unit) * unit
            flat.append(element(body[at - _HEADER : at - _HEADER + length]))
            at += length
            continue
        first = body[at - _HEADER]
        if first & 1:
            raise UnsafeError("an array holds an element with a short header, which is not written on disk")
        at = -(-at // unit) * unit
        (word,) = struct.unpack_from("<I", body, at - _HEADER)
        if word & 2:
            raise UnsafeError("an array holds a compressed element, which is not written on disk")
        flat.append(element(body[at : at - _HEADER + (word >> 2)]))
        at += word >> 2
    values = iter(flat)
    return _nested(values, dims) if dims else []


def encode(value: list[Any], old: bytes, length: int, align: str, element: Callable[[Any], bytes]) -> bytes:
    """The array with other elements in the places of the old ones.

    Raises UnsafeError when there are more or fewer, or others are null.
    """
    _, data, nulls = _shape(old)
    flat = list(_flat(value))
    if len(flat) != len(nulls) or any((v is None) != null for v, null in zip(flat, nulls, strict=True)):
        raise UnsafeError("a masked array has other elements or nulls than before")
    unit = _ALIGN[align]
    out = bytearray(old[: data - _HEADER])
    for item in flat:
        if item is None:
            continue
        out += bytes(-(len(out) + _HEADER) % unit)
        body = element(item)
        out += body if length != -1 else struct.pack("<I", (len(body) + 4) << 2) + body
    if (length == -1 and flat and unit > 1) or length > 0:
        out += bytes(-(len(out) + _HEADER) % unit)
    return bytes(out)


def _shape(body: bytes) -> tuple[tuple[int, ...], int, list[bool]]:
    """Dimensions, where the data begin (with the header of 4 bytes counted), and which elements are null."""
    ndim, offset = struct.unpack_from("<ii", body)
    dims = struct.unpack_from(f"<{ndim}i", body, 12)
    count = 1 if ndim else 0
    for size in dims:
        count *= size
    plain = (_HEADER + 12 + 8 * ndim + 7) & ~7
    if not offset:
        return dims, plain, [False] * count
    bitmap = 12 + 8 * ndim
    return dims, offset, [not body[bitmap + (i >> 3)] >> (i & 7) & 1 for i in range(count)]


def _nested(values: Iterator[Any], dims: tuple[int, ...]) -> list[Any]:
    if len(dims) == 1:
        return [next(values) for _ in range(dims[0])]
    return [_nested(values, dims[1:]) for _ in range(dims[0])]


def _flat(value: Any) -> Iterator[Any]:
    for item in value:
        if isinstance(item, list | tuple):
            yield from _flat(item)
        else:
            yield item
