"""Many values of a type of fixed length at once: their bytes as the rows of an array, and the texts that they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.packed import TextBlock
from envclone.stores.postgres.format import figures, printed
from envclone.stores.postgres.write.inplace import formed, kernels

__all__ = ["ADDRESSES", "DATES", "DOCUMENTS", "UUIDS", "Formed", "Many", "integers", "numerics", "timestamps"]

_EPOCH = np.datetime64("2000-01-01", "D")
_FIRST, _LAST = -730_119, 2_921_939
"""0001-01-01 and 9999-12-31 in days since 2000-01-01: years of four digits."""


@dataclass(frozen=True, slots=True)
class Many:
    """`decode` and `encode` of `Codec` for the bytes of many values as rows of an array (uint8).

    Both give None where one of the values has to be looked at alone: it has another form, or does not fit.
    """

    decode: Callable[[Any], list[str] | None]
    encode: Callable[[Sequence[Any]], Any]
    printed: Any = None
    """The kernel that prints such values as texts in a block."""


Made = tuple[Any, Any, Any]
"""Bytes, and where those of each value begin and end; an end of -1 for one that is to be written alone."""


@dataclass(frozen=True, slots=True)
class Formed:
    """Many values as texts in a block, and back: `printed` is the kernel that prints them, `write` makes their bytes.

    `write` is also given the old ones: the bytes of the page, where they begin and end.
    """

    printed: Any
    write: Callable[[TextBlock, Any, Any, Any], Made]

    def room(self, sizes: int, count: int) -> int:
        """Bytes of a block for so many values of so many bytes together."""
        return figures.room_of_documents(sizes, count) if self.printed is figures.documents else printed.WIDEST * count


def timestamps(*, zone: bool, digits: int) -> Formed:
    """Timestamps with so many digits behind the second."""

    def write(block: TextBlock, *_: Any) -> Made:
        out, firsts, lasts = _empty(block, 8)
        formed.timestamps(_bytes(block), block.zeros, zone, digits, out, firsts, lasts)
        return out, firsts, lasts

    return Formed(printed.zoned if zone else printed.timestamps, write)


def numerics(scale: tuple[int, int] | None) -> Formed | None:
    """Decimal numbers of a type's precision and scale."""
    if scale is not None and scale[1] < 0:
        return None
    places, most = (-1, -1) if scale is None else (scale[1], scale[0] - scale[1])

    def write(block: TextBlock, *_: Any) -> Made:
        out, firsts, lasts = _empty(block, 32)
        formed.numerics(_bytes(block), block.zeros, places, most, out, firsts, lasts)
        return out, firsts, lasts

    return Formed(figures.numerics, write)


def _uuids(block: TextBlock, *_: Any) -> Made:
    out, firsts, lasts = _empty(block, 16)
    formed.uuids(_bytes(block), block.zeros, out, firsts, lasts)
    return out, firsts, lasts


def _addresses(block: TextBlock, *_: Any) -> Made:
    out, firsts, lasts = _empty(block, 6)
    formed.addresses(_bytes(block), block.zeros, out, firsts, lasts)
    return out, firsts, lasts


def _documents(block: TextBlock, flat: Any, starts: Any, stops: Any) -> Made:
    _, firsts, lasts = _empty(block, 0)
    # a number takes more bytes than digits, a container four and one more for each child
    out = np.empty(int((stops - starts).sum()) + 4 * len(block.block) + 128, np.uint8)
    formed.documents(_bytes(block), block.zeros, flat, starts, stops, out, firsts, lasts)
    return out, firsts, lasts


def _empty(block: TextBlock, size: int) -> Made:
    count = len(block)
    return np.empty(size * count, np.uint8), np.zeros(count, np.int64), np.full(count, -1, np.int64)


def _bytes(block: TextBlock) -> Any:
    return np.frombuffer(block.block, np.uint8)


def integers(form: str) -> Many:
    """Whole numbers; `form` is that of `struct`."""
    kind = np.dtype(form)
    least, most = np.iinfo(kind).min, np.iinfo(kind).max

    def encode(texts: Sequence[Any]) -> Any:
        numbers = _read(texts, kernels.read_numbers)
        try:
            numbers = np.fromiter(map(int, texts), np.int64, len(texts)) if numbers is None else numbers
        except (ValueError, OverflowError):
            return None
        if len(numbers) and (numbers.min() < least or numbers.max() > most):
            return None
        return numbers.astype(kind).view(np.uint8).reshape(len(texts), kind.itemsize)

    return Many(lambda bodies: list(map(str, _numbers(bodies, kind).tolist())), encode, printed.numbers)


def _decode_dates(bodies: Any) -> list[str] | None:
    days = _numbers(bodies, np.dtype("<i4"))
    if len(days) and (days.min() < _FIRST or days.max() > _LAST):
        return None
    texts: list[str] = np.datetime_as_string(_EPOCH + days.astype("timedelta64[D]")).tolist()
    return texts


def _read(texts: Sequence[Any], kernel: Any) -> Any:
    """The numbers of a block's texts; None for what is no block, and where one text is read by Python alone."""
    if not isinstance(texts, TextBlock) or not available():
        return None
    numbers = np.empty(len(texts), np.int64)
    read = int(kernel(np.frombuffer(texts.block, np.uint8), texts.zeros, numbers))
    return numbers if read == len(texts) else None


def _encode_dates(texts: Sequence[Any]) -> Any:
    days = _read(texts, kernels.read_dates)
    if days is not None:
        return days.astype("<i4").view(np.uint8).reshape(len(texts), 4)
    try:
        dates = np.array(texts, "datetime64[D]")
    except ValueError:
        return None
    # what is written in any other way is read by the codec, which says what is wrong with it
    if not len(texts) or np.isnat(dates).any() or np.datetime_as_string(dates).tolist() != list(texts):
        return None
    numbers = (dates - _EPOCH).astype(np.int64)
    if numbers.min() < _FIRST or numbers.max() > _LAST:
        return None
    return numbers.astype("<i4").view(np.uint8).reshape(len(texts), 4)


def _numbers(bodies: Any, kind: Any) -> Any:
    return np.ascontiguousarray(bodies).view(kind).reshape(len(bodies))


DATES = Many(_decode_dates, _encode_dates, printed.dates)
"""Dates of the years 1 to 9999, as `DateStyle` ISO prints them."""

UUIDS = Formed(printed.uuids, _uuids)
ADDRESSES = Formed(figures.addresses, _addresses)
DOCUMENTS = Formed(figures.documents, _documents)
