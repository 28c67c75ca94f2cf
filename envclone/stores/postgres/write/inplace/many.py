"""Many values of a type of fixed length at once: their bytes as the rows of an array, and the texts that they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.packed import TextBlock
from envclone.stores.postgres.format import printed
from envclone.stores.postgres.write.inplace import kernels

__all__ = ["DATES", "Many", "integers"]

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
