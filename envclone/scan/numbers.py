"""Which number of a state's register integers look like, written without what their check would tell at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache

from envclone.masking.common_words import is_everyday
from envclone.masking.finance import luhn_valid

__all__ = ["article_numbers", "counted", "pass_as_ids", "series"]

_CARDS = range(14, 20)
_MOMENT = re.compile(r"\d{10}(?:\d{3}){0,2}")
_SECONDS = range(978_307_200, 1_990_000_000)
"""From 2001 to 2033."""
_FEWEST_IDS = 5
"""Different numbers from which on right check digits are no accident, though each could be a moment, too."""
_PART = 0.6
_FULL = 0.5
_LENGTHS = {
    "us.ssn": (9,), "nl.bsn": (9,), "ca.sin": (9,), "il.idnr": (9,), "pt.nif": (9,), "au.tfn": (9,), "gr.amka": (11,),
    "gb.nhs": (10,), "se.personnummer": (10, 12), "dk.cpr": (10,), "cz.rc": (10,), "bg.egn": (10,), "de.idnr": (11,),
    "pl.pesel": (11,), "br.cpf": (11,), "be.nn": (11,), "no.fodselsnummer": (11,), "ee.ik": (11,), "lt.asmens": (11,),
    "tr.tckimlik": (11,), "hr.oib": (11,), "in_.aadhaar": (12,), "ch.ssn": (13,), "ro.cnp": (13,), "za.idnr": (13,),
    "kr.rrn": (13,), "fr.nir": (15,), "cn.ric": (18,),
}  # fmt: skip
"""The numbers that are digits only, by how many; a number that begins with zeros has fewer as an integer."""


_BORN_FIRST = frozenset(
    (
        *("se.personnummer", "dk.cpr", "cz.rc", "bg.egn", "pl.pesel", "be.nn", "no.fodselsnummer", "lt.asmens"),
        *("ee.ik", "za.idnr", "kr.rrn", "gr.amka"),
    )
)
"""Registers whose numbers begin with a day of birth."""
_SAME_MONTH, _FEW = 4, 5
"""Digits that such numbers of several persons do not all begin with, and from how many numbers on check digits are
no chance, whatever the numbers begin with."""


def pass_as_ids(values: Sequence[str]) -> bool:
    """Whether most of these integers, as text, are numbers of one register: its check digits are right in all of them.

    A tenth of any numbers of that length would be right by chance.
    """
    digits = [value.strip().removesuffix(".0") for value in values if value and value.strip()]
    numbers = [value for value in digits if re.fullmatch(r"\d{7,19}", value)]
    if len(numbers) < max(1, _PART * len(digits)):
        return False
    numbers = list(dict.fromkeys(numbers))
    moments = _are_moments(numbers)
    if moments and len(numbers) < _FEWEST_IDS:
        return False
    if sum(len(number) in _CARDS and number[0] in "3456" and luhn_valid(number) for number in numbers) >= _PART * len(
        numbers
    ):
        return True
    alike = 1 < len(numbers) < _FEW and len({number[:_SAME_MONTH] for number in numbers}) == 1
    for name, lengths in _LENGTHS.items():
        if alike and name in _BORN_FIRST:
            continue
        for length in lengths:
            whole = sum(len(number) == length for number in numbers)
            if whole < _FULL * len(numbers):
                continue
            valid = _check(name)
            right = sum(len(number) <= length and valid(number.zfill(length)) for number in numbers)
            if right >= _PART * len(numbers):
                return True
    # the French number is also stored without its two check digits
    return not moments and sum(bool(_NIR.fullmatch(number)) for number in numbers) >= _PART * len(numbers)


def _are_moments(numbers: Sequence[str]) -> bool:
    """Whether all of these can be seconds or milliseconds since 1970, of the years in which programs wrote them."""
    return all(_MOMENT.fullmatch(number) and int(number[:10]) in _SECONDS for number in numbers)


def article_numbers(values: Collection[str]) -> bool:
    """Whether nearly all of these are numbers of goods: GTIN or ISBN of 8, 12 or 13 digits, the check digit right.

    Those that begin as a Swiss person's do (756) are not.
    """
    digits = [value.strip().replace("-", "") for value in values]
    valid = _check("ean")
    right = sum(
        len(number) in (8, 12, 13) and number.isdecimal() and not number.startswith("756") and valid(number)
        for number in digits
    )
    return len(digits) >= _FEWEST_GOODS and right >= _ALL * len(digits)


def counted(values: Collection[str]) -> bool:
    """Whether these were counted up by a program: the same letters, then numbers that lie close together (`R00041`)."""
    parts = [_COUNTED.fullmatch(value.strip()) for value in set(values) if value.strip()]
    found = [part for part in parts if part is not None]
    if len(found) < max(_FEWEST_GOODS, len(parts)) or len({(part[1], part[3]) for part in found}) > 1:
        return False
    numbers = [int(part[2]) for part in found]
    return max(numbers) - min(numbers) < _APART * len(numbers)


def series(values: Collection[str]) -> bool:
    """Whether only short numbers differ in these, behind the same letters: `HR-EMP-2024-00017`, `INV/0012`.

    No name can be in them: the letters are capitals, or everyday words, and a number ends all. No telephone number,
    account or social security number is: these are longer, or groups side by side of which the first is no year.
    """
    present = {value.strip() for value in values if value.strip()}
    forms = {_RUN.sub("#", value) for value in present}
    form = next(iter(forms)) if len(forms) == 1 else ""
    words = _LETTERS.findall(form)
    return (
        len(present) >= _FEWEST_SERIES
        and 0 < form.count("#") <= _MOST_RUNS
        and form.endswith("#")
        and (
            any(word.isupper() or is_everyday(word.lower()) for word in words)
            or _YEARLY.fullmatch(form) is not None
            or (form in _FILED and all(map(_OF_A_YEAR.fullmatch, present)))
            or _placed(form, present)
        )
        and all(word.isupper() or len(word) < _NAMES or is_everyday(word.lower()) for word in words)
        and not any(char in form for char in "@+")
        and all(len(run) <= _LONGEST_RUN for value in present for run in _RUN.findall(value))
        and (
            _placed(form, present)
            or all(
                _YEAR.match(value, found.start()) or _LETTER.match(value, max(0, found.start() - 1))
                for value in present
                for found in _GROUPS.finditer(value)
            )
        )
    )


def _placed(form: str, values: Collection[str]) -> bool:
    """Whether these are places in a plan: four groups of digits or more, of which the first is the same in all."""
    groups = len(re.findall(r"#[-./:]", form)) == form.count("#") - 1 and form.count("#") >= _GROUPS_OF_A_PLACE
    return groups and len({_RUN.findall(value)[0] for value in values}) == 1


_GROUPS_OF_A_PLACE = 4
_RUN = re.compile(r"\d+")
_FILED = frozenset(("#/#", "#-#", "#.#"))
_OF_A_YEAR = re.compile(r"(?:19|20)\d\d[-/.]\d{1,6}|\d{1,6}[-/.](?:19|20)\d\d")
"""Numbers of files: `2024/00017`, `123/2024`."""
_LETTER = re.compile(r"[A-Z]")
_YEARLY = re.compile(r"(?:[A-Z]#|#[A-Z])[-/._]#")
"""One letter is enough before a year and a number: `R2024-100017`."""
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_NAMES = 4
"""Letters of a word that is looked up, because it can be a name."""
_GROUPS = re.compile(r"\d+(?=[-. ]\d)")
_YEAR = re.compile(r"(?:19|20)\d\d(?!\d)")
_FEWEST_SERIES, _MOST_RUNS, _LONGEST_RUN = 3, 4, 7
_COUNTED = re.compile(r"([^\W\d]{0,4}[-/#]?)(\d{1,18})((?<=\d)[-/]?[A-Z]{0,4})")
_APART = 50
"""How many numbers there are at most for each value that was looked at."""
_FEWEST_GOODS = 5
_ALL = 0.95
_NIR = re.compile(r"[12]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)\d{8}")


@cache
def _check(name: str) -> Callable[[str], bool]:
    from importlib import import_module

    valid: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return valid
