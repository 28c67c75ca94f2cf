"""Batches of codes through the compiled loops: texts within their shape, bank accounts, cards, hardware addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from envclone.masking.domains import Batch, DomainTable
from envclone.masking.kernels import codes
from envclone.masking.kernels.shapes import Values

__all__ = ["cards", "hexadecimals", "ibans", "macs", "shapes"]

_LENGTHS = 32


def shapes(key: bytes) -> Batch:
    """The mask of texts within their shape."""
    return _through(lambda values, *room: codes.mask_codes(values, False, *room), DomainTable(key, _shape))


def hexadecimals(key: bytes) -> Batch:
    """The mask of hexadecimal digits in lower case."""
    return _through(lambda values, *room: codes.mask_codes(values, True, *room), DomainTable(key, _shape))


def ibans(key: bytes) -> Batch:
    """The mask of bank account numbers; the key is that of their shapes."""
    return _through(codes.mask_ibans, DomainTable(key, _shape))


def cards(key: bytes) -> Batch:
    """The mask of card numbers."""
    return _through(codes.mask_cards, DomainTable(key, _of_scheme))


def macs(key: bytes) -> Batch:
    """The mask of hardware addresses."""
    return _through(codes.mask_macs, DomainTable(key, _of_flags))


def _through(loop: Callable[..., Any], table: DomainTable) -> Batch:
    digits, radices = codes.code_room()

    def masked(values: Values) -> None:
        loop(values, digits, radices, table.arrays)

    return Batch(masked, table)


def _shape(key: int) -> tuple[bytes, Sequence[int]]:
    """The tweak and the radices of a shape, as `shape.Shape` makes them."""
    if key & int(codes.HEXADECIMAL):
        size = key ^ int(codes.HEXADECIMAL)
        return b"h" * size, [16] * size
    names = "".join("ld"[int(bit)] for bit in f"{key:b}"[1:])
    return names.encode(), [10 if name == "d" else 26 for name in names]


def _of_scheme(key: int) -> tuple[bytes, Sequence[int]]:
    """Those of a card: a 1 and the digits of its scheme, times 32, and how many digits move."""
    return str(key // _LENGTHS)[1:].encode(), [10] * (key % _LENGTHS)


def _of_flags(key: int) -> tuple[bytes, Sequence[int]]:
    """Those of a hardware address: four times its bytes, and its flags."""
    return b"mac%d" % (key & 3), [64] + [256] * (key // 4 - 1)
