"""The masks that need no key: keep, null and redact."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["KeepMask", "RedactMask"]

_NARROW = re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]")
_CASED = {2: ("øØ", "þÞ"), 3: ("ỻỺ", "ỽỼ"), 4: ("𐐨𐐀", "𐐩𐐁")}
_CASELESS = {2: "ƻʔ", 3: "中文", 4: "𠀀𠀁"}


class KeepMask:
    """Leaves every value as it is."""

    def mask(self, values: Sequence[str]) -> list[str]:
        """The values themselves."""
        return list(values)


class RedactMask:
    """Overwrites: letters by x or X, digits by 0, other letters by one letter of the same casing and size in UTF-8.

    A value that already looks so is overwritten by y, Y and 1 instead, so that nothing with a letter or digit in it
    stays. Not injective: only lengths, casing and punctuation are left of the original.
    """

    def mask(self, values: Sequence[str]) -> list[str]:
        """The overwritten values, in order."""
        return [self._text(value) for value in values]

    def mask_numbers(self, values: Sequence[str]) -> list[str]:
        """JSON numbers overwritten digit by digit, the first by 1 so that they stay numbers; exponents are kept."""
        return [_number(value) for value in values]

    def _text(self, value: str) -> str:
        masked = _overwrite(value, 0)
        return masked if masked != value else _overwrite(value, 1)


def _overwrite(value: str, choice: int) -> str:
    if value.isascii():
        lower, upper, digit = _NARROW
        return digit.sub("01"[choice], upper.sub("XY"[choice], lower.sub("xy"[choice], value)))
    return "".join([_character(char, choice) for char in value])


def _character(char: str, choice: int) -> str:
    if char.isdecimal():
        return chr(ord(char) - int(char) + choice)
    if not char.isalpha():
        return char
    width = len(char.encode("utf-8"))
    if width == 1:
        return ("Xx" if choice == 0 else "Yy")[char.islower()]
    if char.isupper() or char.islower():
        return _CASED[width][choice][char.isupper()]
    return _CASELESS[width][choice]


def _number(value: str) -> str:
    mantissa = re.split(r"[eE]", value)[0]
    for first, rest in (("1", "0"), ("2", "0")):
        sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        whole, dot, fraction = digits.partition(".")
        if len(whole) == 1 and not dot:
            masked = "0" if first == "1" else "1"
        else:
            masked = first + rest * (len(whole) - 1) + dot + rest * len(fraction)
        masked = sign + masked + value[len(mantissa) :]
        if masked != value:
            return masked
    return masked
