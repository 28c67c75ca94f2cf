"""The tables of code points say what Python says of each character."""

from __future__ import annotations

import random

from envclone.masking.kernels import texts as kernels
from envclone.masking.letters import is_mark
from envclone.masking.runs import letter_table
from envclone.masking.texts import tables

_CODES = [*range(0x600), *random.Random(7).sample(range(0x600, 0x110000), 20_000), 0x1C5, 0x3A3, 0x1F88, 0x10FFFF]


def test_classes_of_code_points_are_pythons() -> None:
    classes, fold, _ = tables()
    letters = letter_table()
    for code in _CODES:
        char, its = chr(code), int(classes[code])
        assert bool(its & kernels.ALNUM) == char.isalnum(), hex(code)
        if code < 0x20000:
            assert bool(letters[code]) == (char.isalpha() or is_mark(char)), hex(code)
            assert bool(its & kernels.UPPER) == char.isupper(), hex(code)
            assert bool(its & kernels.LOWER) == char.islower(), hex(code)
            assert bool(its & kernels.DIGIT) == (char.isdecimal() and char.isascii()), hex(code)
            assert chr(fold[code]) == (char.lower() if len(char.lower()) == 1 else char), hex(code)
        odd = char.istitle() and not char.isupper()
        odd |= char.isdecimal() and not char.isascii()
        if code < 0x20000 and not 0xD800 <= code < 0xE000 and code != 0x3A3:
            assert bool(its & kernels.ODD) == odd, hex(code)
