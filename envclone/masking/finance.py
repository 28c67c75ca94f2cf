"""The masks of numbers that a bank or a state gives to a person: the checksum holds where it held.

What does not satisfy its checksum (a typing error, a test number) never becomes what does, and the other way round:
both are permuted among their like, which keeps the whole a bijection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from envclone.errors import UnsafeError
from envclone.masking.fpe import Permutation, subkey
from envclone.masking.memo import Memo
from envclone.masking.shape import Shape
from envclone.masking.walk import walk, walk_all

if TYPE_CHECKING:
    from envclone.masking.domains import Batch

__all__ = ["CardMask", "IbanMask", "NationalIdMask", "iban_valid", "luhn_valid", "scheme_of"]

_IBAN = re.compile(r"([A-Za-z]{2})([0-9]{2})((?:[ \-]?[A-Za-z0-9]){11,30})")
_CARD = range(12, 20)
_NOT_DIGIT = re.compile(r"[^0-9]")
_SCHEME = {"2": 4, "3": 2, "4": 1, "5": 2, "6": 4}
"""How many leading digits tell the scheme (ISO/IEC 7812); 1 for any other first digit."""


class IbanMask:
    """International bank account numbers (ISO 13616): the country is kept, the check digits are right again."""

    def __init__(self, key: bytes) -> None:
        self._shape = Shape(key, "iban")
        self.mask = Memo(self._one, batch=lambda: self._batch)
        self.packed = self.mask.packed

    @cached_property
    def _batch(self) -> Batch:
        from envclone.masking.code_batches import ibans

        return ibans(self._shape.key)

    def _one(self, value: str) -> str:
        text = value.strip()
        valid = iban_valid(text)
        if not valid:
            return walk(value, self._shape.text, lambda v: not iban_valid(v.strip()))
        country, account = text[:2], text[4:]
        fresh = self._shape.text(account)
        check = 98 - _remainder(fresh, f"{country}00")
        return value.replace(text, f"{country}{check:02d}{fresh}")


def iban_valid(text: str) -> bool:
    """Whether this is an IBAN, blanks or hyphens allowed, with the right check digits."""
    match = _IBAN.fullmatch(text)
    return match is not None and 2 <= int(match[2]) <= 98 and _remainder(match[3], match[1] + match[2]) == 1


def _remainder(account: str, head: str) -> int:
    plain = re.sub(r"[^0-9A-Z]", "", (account + head).upper())
    return int("".join([str(int(c, 36)) for c in plain])) % 97


class CardMask:
    """Payment card numbers of 12 to 19 digits in any grouping: the scheme is kept, Luhn's check digit is right."""

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "card")
        self._shape = Shape(self._key, "text")
        self._made = lru_cache(maxsize=64)(self._make)
        self.mask = Memo(self._one, batch=lambda: self._batch)
        self.packed = self.mask.packed

    @cached_property
    def _batch(self) -> Batch:
        from envclone.masking.code_batches import cards

        return cards(self._key)

    def mask_numbers(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of whole numbers. Raises UnsafeError for others."""
        if not all(value.isdecimal() for value in values):
            raise UnsafeError("a number under the domain 'card' is not a card number", hint="declare it as `redact`")
        return self.mask(values)

    def _one(self, value: str) -> str:
        digits = _NOT_DIGIT.sub("", value)
        if len(digits) not in _CARD or any(c.isalpha() for c in value):
            return self._shape.text(value)
        fresh = iter(self._valid(digits) if luhn_valid(digits) else walk(digits, self._any, _luhn_wrong))
        return "".join(next(fresh) if "0" <= c <= "9" else c for c in value)

    def _valid(self, digits: str) -> str:
        body = self._permuted(digits[:-1])
        return body + str(next(d for d in range(10) if luhn_valid(f"{body}{d}")))

    def _any(self, digits: str) -> str:
        return self._permuted(digits)

    def _permuted(self, digits: str) -> str:
        kept = _SCHEME.get(digits[0], 1)
        image = self._made(digits[:kept], len(digits) - kept)([int(c) for c in digits[kept:]])
        return digits[:kept] + "".join(map(str, image))

    def _make(self, scheme: str, length: int) -> Permutation:
        return Permutation(self._key, scheme.encode(), [10] * length)


def luhn_valid(digits: str) -> bool:
    """Whether a number's last digit is the check digit of Luhn (ISO/IEC 7812-1, annex B)."""
    doubled = [int(d) * 2 for d in digits[-2::-2]]
    return (sum(d - 9 if d > 9 else d for d in doubled) + sum(int(d) for d in digits[::-2])) % 10 == 0


def _luhn_wrong(digits: str) -> bool:
    return not luhn_valid(digits)


class NationalIdMask:
    """Numbers of persons as states give them: those that are valid somewhere become others that are valid there.

    Known are the numbers in `_SCHEMES`, checked by `python-stdnum`; what is none of them is masked within its shape and
    becomes none of them.
    """

    def __init__(self, key: bytes) -> None:
        self._shape = Shape(key, "national id")
        self.mask = Memo(self._one, self._many)

    def _many(self, values: Sequence[str]) -> list[str]:
        schemes = [scheme_of(value) for value in values]
        return walk_all(values, self._shape.texts, lambda i, image: scheme_of(image) == schemes[i])

    def _one(self, value: str) -> str:
        scheme = scheme_of(value)
        return walk(value, self._shape.text, lambda v: scheme_of(v) == scheme)


_SCHEMES: Sequence[tuple[str, str]] = (
    (r"[0-9]{3}-[0-9]{2}-[0-9]{4}", "us.ssn"),
    (r"[0-9]{3} ?[0-9]{3} ?[0-9]{4}", "gb.nhs"),
    (r"[0-9]{8}-?[A-Za-z]", "es.dni"),
    (r"[XYZxyz]-?[0-9]{7}-?[A-Za-z]", "es.nie"),
    (r"[A-Za-z]{6}[0-9]{2}[A-Za-z][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]", "it.codicefiscale"),
    (r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "de.idnr"),
    (r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", "fr.nir"),
    (r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "br.cpf"),
    (r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}", "se.personnummer"),
    (r"[0-9]{4} [0-9]{4} [0-9]{4}", "in_.aadhaar"),
    (r"[A-Za-z]{5}[0-9]{4}[A-Za-z]", "in_.pan"),
    (r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", "ch.ssn"),
    (r"[0-9]{11}", "pl.pesel"),
    (r"[0-9]{9}", "nl.bsn"),
)


@lru_cache(maxsize=1)
def _checks() -> Sequence[tuple[re.Pattern[str], Callable[[str], bool]]]:
    from importlib import import_module

    return [(re.compile(pattern), import_module(f"stdnum.{name}").is_valid) for pattern, name in _SCHEMES]


def scheme_of(value: str) -> int:
    """Which scheme's number this is; -1 for none."""
    text = value.strip()
    for i in _like(text.translate(_SHAPES)) if text.isascii() else ():
        pattern, valid = _checks()[i]
        if pattern.fullmatch(text) and valid(text):
            return i
    return -1


@lru_cache(maxsize=4096)
def _like(shape: str) -> Sequence[int]:
    """The schemes whose numbers can have this shape."""
    return [i for i, (pattern, _) in enumerate(_SCHEMES) if re.fullmatch(_shaped(pattern), shape)]


def _shaped(pattern: str) -> str:
    """The expression for the shapes of what an expression of `_SCHEMES` matches."""
    return re.sub(r"\[[A-Za-z\-]+\]", "l", re.sub(r"\[0-9\]|\[12\]|[0-9](?![0-9]*\})", "d", pattern))


_SHAPES = str.maketrans({c: "l" if c.isalpha() else "d" for c in map(chr, range(128)) if c.isalnum()})
