"""The type numeric on disk (`src/backend/utils/adt/numeric.c`): base 10,000 digits behind a header of 2 or 4 bytes."""

from __future__ import annotations

import re
import struct
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from envclone.errors import UnsafeError

__all__ = ["Scale", "decode", "encode", "scale_of"]

Scale = tuple[int, int]
"""Precision and scale of `numeric(p, s)`."""

_SHORT, _SPECIAL, _NEGATIVE = 0x8000, 0xC000, 0x4000
_NAMES = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}
_SPECIALS = {name.lower(): word for word, name in _NAMES.items()}
_WIDE = Context(prec=200_000, rounding=ROUND_HALF_UP)
_PLAIN = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?")


def scale_of(typmod: int) -> Scale | None:
    """Precision and scale of a type modifier; None when the type has none. A scale can be negative."""
    if typmod < 4:
        return None
    scale = (typmod - 4) & 0x7FF
    return (typmod - 4) >> 16 & 0xFFFF, (scale ^ 1024) - 1024


def decode(body: bytes) -> str:
    """The text that the server prints."""
    (head,) = struct.unpack_from("<H", body)
    if head & _SPECIAL == _SPECIAL:
        if head & 0xF000 not in _NAMES:
            raise UnsafeError("a number is stored in no known form", hint="check production with pg_amcheck")
        return _NAMES[head & 0xF000]
    if head & _SHORT:
        negative, dscale = bool(head & 0x2000), head >> 7 & 0x3F
        weight = (head & 0x3F) - (64 if head & 0x40 else 0)
        at = 2
    else:
        negative, dscale = head & _SPECIAL == _NEGATIVE, head & 0x3FFF
        (weight,) = struct.unpack_from("<h", body, 2)
        at = 4
    digits = struct.unpack_from(f"<{(len(body) - at) // 2}h", body, at)
    whole = "".join(f"{digits[i] if i < len(digits) else 0:04d}" for i in range(weight + 1)).lstrip("0") or "0"
    fraction = ""
    if dscale:
        needed = -(-dscale // 4)
        places = [weight + 1 + i for i in range(needed)]
        fraction = "." + "".join(f"{digits[p] if 0 <= p < len(digits) else 0:04d}" for p in places)[:dscale]
    return ("-" if negative else "") + whole + fraction


def encode(text: str, scale: Scale | None = None) -> bytes:
    """The bytes of a number; raises UnsafeError when it is none, or does not fit the column's precision."""
    word = _SPECIALS.get(text.strip().lower().removeprefix("+"))
    if word is not None:
        return struct.pack("<H", word)
    plain = text if scale is None and _PLAIN.fullmatch(text) else _rounded(text, scale)
    match = _PLAIN.fullmatch(plain)
    assert match is not None
    sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
    dscale = len(fraction)
    whole = whole.lstrip("0")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    run = whole + fraction
    digits = [int(run[i : i + 4]) for i in range(0, len(run), 4)]
    weight = len(whole) // 4 - 1
    while digits and digits[0] == 0:
        digits.pop(0)
        weight -= 1
    while digits and digits[-1] == 0:
        digits.pop()
    negative = sign == "-" and bool(digits)
    if not digits:
        weight = 0
    packed = struct.pack(f"<{len(digits)}h", *digits)
    if dscale <= 0x3F and -64 <= weight <= 63:
        head = _SHORT | (0x2000 if negative else 0) | dscale << 7 | (0x40 if weight < 0 else 0) | weight & 0x3F
        return struct.pack("<H", head) + packed
    return struct.pack("<Hh", (_NEGATIVE if negative else 0) | dscale, weight) + packed


def _rounded(text: str, scale: Scale | None) -> str:
    try:
        value = _WIDE.create_decimal(text)
        if not value.is_finite():
            raise InvalidOperation
        if scale is not None:
            value = value.quantize(Decimal(1).scaleb(-scale[1]), context=_WIDE)
            if value and value.adjusted() + 1 > scale[0] - scale[1]:
                raise UnsafeError(f"a number does not fit numeric({scale[0]},{scale[1]})")
    except InvalidOperation as exc:
        raise UnsafeError("a value of a numeric column is not a number") from exc
    return format(value, "f")
