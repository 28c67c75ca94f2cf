"""What is asked of the identities in a column, of many at once: compiled for what is ASCII, in Python for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.masking.patterns import is_email
from envclone.masking.phone import national_number
from envclone.masking.regions import calling_codes
from envclone.packed import ABSENT, Packed, pack

__all__ = [
    "LONG_NUMBER",
    "form_of",
    "loops",
    "national",
    "nationals",
    "odd_of",
    "other_addresses",
    "trimmed",
    "whole_names",
]

LONG_NUMBER = 7
"""Digits of a telephone number by which it is known."""
_ANY_LENGTH = 1 << 40

_FORMS = {
    "person": "PERSON",
    "email": "EMAIL",
    "phone": "PHONE",
    "card": "NUMBER",
    "national_id": "NUMBER",
    "iban": "CODE",
    "uuid": "CODE",
    "secret": "CODE",
    "address": "PLACE",
    "company": "COMPANY",
}
"""What kinds are for loops; `username` and `ip` are told by more than their form, and all others are OTHER."""


@cache
def loops() -> ModuleType:
    """The compiled loops over identities, loaded when they are first needed."""
    return import_module("envclone.masking.kernels.people")


def form_of(kind: str) -> int:
    """What a kind is for loops."""
    form: int = getattr(loops(), _FORMS.get(kind, "OTHER"))
    return form


def trimmed(values: Packed, longest: int = _ANY_LENGTH) -> Packed:
    """The plain values without blanks around them; others, empty ones and longer ones (in bytes) are absent."""
    if not available():
        return values.without(range(len(values)))
    made = Packed(values.block, values.starts.copy(), values.stops.copy(), values.plain)
    loops().trim(made.block, made.starts, made.stops, made.plain, longest)
    return made


def odd_of(values: Packed) -> Iterator[tuple[int, str]]:
    """The values that are not plain, with their places; without compiled loops no value is."""
    there = values.starts >= 0
    for place in np.flatnonzero(there & ~values.plain if available() else there).tolist():
        yield place, values.text(place)


def nationals(values: Packed) -> Packed:
    """The national numbers of plain telephone numbers without blanks around them, where they are long enough."""
    out, stops, odd = values.block.copy(), values.stops.copy(), np.zeros(len(values), np.bool_)
    loops().nationals(values.block, values.starts, stops, _codes(), loops().room(), out, odd)
    made = Packed(out, values.starts, stops, values.plain)
    places = np.flatnonzero(odd).tolist()
    return joined(made.without(places), [national(values.text(place)) for place in places])


def other_addresses(values: Packed) -> Packed:
    """The plain values that are not an e-mail address by their form."""
    made = Packed(values.block, values.starts.copy(), values.stops.copy(), values.plain)
    loops().other_addresses(made.block, made.starts, made.stops)
    return made.without([i for i in np.flatnonzero(made.starts >= 0).tolist() if is_email(made.text(i))])


def national(phone: str) -> str:
    """A telephone number as it is known: the national one, if that has enough digits."""
    number = national_number(phone)
    return number if len(number) >= LONG_NUMBER else phone


def whole_names(left: Packed, right: Packed) -> list[str]:
    """What two columns of names of the same rows say side by side: first name and last name."""
    both = np.flatnonzero((left.stops > left.starts) & (right.stops > right.starts)).tolist()
    return list({f"{left.text(i).strip()} {right.text(i).strip()}" for i in both})


def joined(values: Packed, more: list[str]) -> Packed:
    """Packed values, and more behind them."""
    if not more:
        return values
    other = pack(more)
    by = len(values.block)
    return Packed(
        np.concatenate((values.block, other.block)),
        np.concatenate((values.starts, np.where(other.starts < 0, ABSENT, other.starts + by))),
        np.concatenate((values.stops, np.where(other.stops < 0, ABSENT, other.stops + by))),
        np.concatenate((values.plain, other.plain)),
    )


@cache
def _codes() -> Any:
    from envclone.masking.number_batches import code_table

    return code_table(calling_codes())
