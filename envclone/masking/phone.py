"""The mask of telephone numbers: the digits of the national number, whatever their formatting.

A country calling code written with + or 00 is kept (ITU-T E.164; the list is in `regions`), trunk zeros are
kept, and so is the 1 or 8 before ten digits that North America and Russia dial first. The rest is the national number:
it is permuted among the numbers of its length that do not begin with 0, so '+1 (555) 123-4567', '1-555-123-4567' and
'555-123-4567' carry the same pseudonym. An extension is a number of its own; other words are masked as names.

A pseudonym is read in the same way as its original (the same code, the same trunk prefix, the same extension mark),
which makes the mask a bijection: an image that would be read otherwise is permuted again (cycle walking).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from envclone.errors import UnsafeError
from envclone.masking.fpe import Permutation, subkey
from envclone.masking.letters import is_mark
from envclone.masking.memo import Memo
from envclone.masking.regions import calling_codes
from envclone.masking.tokens import CHUNK, NameTokens
from envclone.masking.walk import walk

if TYPE_CHECKING:
    from envclone.masking.domains import Batch

__all__ = ["PhoneMask", "national_number", "national_starts"]

_SEPARATOR = re.compile(r"([,;|\n]|\s/\s)")
_EXTENSION_WORDS = frozenset(("#", "x", "ext", "extn", "extension", "poste", "int", "durchwahl", "dw"))
_KEPT_WORDS = _EXTENSION_WORDS | frozenset(("tel", "phone", "fax", "mobile", "cell", "home", "work", "office"))
_ABROAD = ("", "00", "011", "0")
"""What is dialled before the code of a country."""
_SHORTEST_AFTER_CODE = 4
_WITH_TRUNK = 11
_ASCII_WORD = re.compile(r"([A-Za-z]+|#)")
_NOT_DIGIT = re.compile("[^0-9]")
_INTEGER = re.compile(r"-?[0-9]+")


class PhoneMask:
    """Numbers in any formatting, several of them, with extensions and remarks."""

    def __init__(self, key: bytes, names: NameTokens) -> None:
        self._key = subkey(key, "phone")
        self._names = names
        self.mask = Memo(self._value, batch=lambda: self._batch)
        self.packed = self.mask.packed
        self._shape = lru_cache(maxsize=256)(self._make_shape)

    def mask_numbers(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of JSON integers; they stay integers. Raises UnsafeError for any other number."""
        for value in values:
            if not _INTEGER.fullmatch(value):
                raise UnsafeError(
                    "a JSON number with a fraction or an exponent is not a telephone number",
                    hint="declare the path as `redact`, `null` or `keep`",
                )
        return self.mask(values)

    @cached_property
    def _batch(self) -> Batch:
        from envclone.masking.number_batches import phones

        return phones(self._key, _national_shape, calling_codes())

    def _value(self, value: str) -> str:
        if not any(char.isdecimal() for char in value):
            return self._names.text(value)
        return "".join(part if i % 2 else self._part(part) for i, part in enumerate(_SEPARATOR.split(value)))

    def _part(self, text: str) -> str:
        if text.isascii() and not _ASCII_WORD.search(text):  # by far the commonest: digits and separators
            fresh = iter(self._number(_NOT_DIGIT.sub("", text), _plus((text,))))
            return "".join([next(fresh) if "0" <= c <= "9" else c for c in text])
        words = _words(text)
        number = range(0, len(words), 2)
        extension = next(
            (i for i in range(1, len(words), 2) if words[i].lower() in _EXTENSION_WORDS and _digits(words[:i])),
            len(words),
        )
        out = list(words)
        for i in range(1, len(words), 2):
            out[i] = self._word(words[i])
        main = [i for i in number if i < extension]
        self._replace(out, main, self._number(_digits(words[i] for i in main), _plus(words[i] for i in main)))
        late = [i for i in number if i > extension]
        self._replace(out, late, self._run(_digits(words[i] for i in late)))
        return "".join(out)

    def _replace(self, words: list[str], places: Iterable[int], digits: str) -> None:
        fresh = iter(digits)
        for i in places:
            words[i] = "".join([chr(ord(c) - int(c) + int(next(fresh))) if c.isdecimal() else c for c in words[i]])

    def _word(self, word: str) -> str:
        if word.lower() in _KEPT_WORDS:
            return word
        return walk(word, self._names.text, lambda w: w.lower() not in _KEPT_WORDS)

    def _number(self, digits: str, plus: bool) -> str:
        """The pseudonym of all digits of a number; `plus` when it begins with +."""
        if plus:
            code = _code(digits)
            if code:
                return digits[:code] + self._national(digits[code:])
            return walk(digits, self._national, lambda d: not _code(d))
        if digits.startswith("00"):
            code = _code(digits[2:])
            if code:
                return digits[: 2 + code] + self._national(digits[2 + code :])
            return walk(digits, self._national, lambda d: not _code(d[2:]))
        return self._national(digits)

    def _national(self, digits: str) -> str:
        start = _national_start(digits)
        kept, rest = digits[:start], digits[start:]
        if not rest:
            return kept
        return kept + self._permuted(rest, "eleven" if len(rest) == _WITH_TRUNK else "national")

    def _run(self, digits: str) -> str:
        return self._permuted(digits, "extension") if digits else ""

    def _permuted(self, digits: str, kind: str) -> str:
        out = []
        for start in range(0, len(digits), CHUNK):
            part = digits[start : start + CHUNK]
            if start:
                kind = "extension"  # any digits may follow
            firsts = _firsts(part, kind)
            permutation = self._shape(kind, firsts, len(part))
            image = permutation([firsts.index(part[0]), *map(int, part[1:])])
            out += [firsts[image[0]], *map(str, image[1:])]
        return "".join(out)

    def _make_shape(self, kind: str, firsts: str, length: int) -> Permutation:
        return Permutation(self._key, *_shape(kind, firsts, length))


def _shape(kind: str, firsts: str, length: int) -> tuple[bytes, Sequence[int]]:
    return f"{kind}:{firsts}:{length}".encode(), [len(firsts), *[10] * (length - 1)]


def _national_shape(length: int) -> tuple[bytes, Sequence[int]]:
    """The tweak and the radices of national numbers of a length."""
    kind = "eleven" if length == _WITH_TRUNK else "national"
    return _shape(kind, _firsts("0" * length, kind), length)


def national_number(text: str) -> str:
    """The digits by which two spellings of one number agree; '' when there is no digit before an extension."""
    words = _words(text)
    end = next((i for i in range(1, len(words), 2) if words[i].lower() in _EXTENSION_WORDS), len(words))
    main = [words[i] for i in range(0, end, 2)]
    digits = _digits(main)
    if _plus(main):
        digits = digits[_code(digits) :]
    elif digits.startswith("00"):
        code = _code(digits[2:])
        digits = digits[2 + code :] if code else digits
    return digits[_national_start(digits) :]


def national_starts(digits: str) -> Iterator[int]:
    """Where the national number can begin in the digits of a number that is dialled: behind zeros, and behind the code
    of a country, also without a + before it."""
    yield _national_start(digits)
    for abroad in _ABROAD:
        if digits.startswith(abroad) and (code := _code(digits[len(abroad) :])):
            at = len(abroad) + code
            yield at + _national_start(digits[at:])


def _national_start(digits: str) -> int:
    """How many digits stand before the national number; the last digit is always part of it."""
    start = 0
    for _ in range(2):  # zeros, a 1 or an 8, zeros
        while start < len(digits) - 1 and digits[start] == "0":
            start += 1
        if len(digits) - start == _WITH_TRUNK and digits[start] in "18":
            start += 1
        else:
            break
    return start


def _firsts(digits: str, kind: str) -> str:
    """The digits that a number like this may begin with and still be read in the same way."""
    if kind == "extension" or len(digits) == 1:
        return "0123456789"
    return "2345679" if kind == "eleven" else "123456789"


def _digits(words: Iterable[str]) -> str:
    return "".join([str(int(c)) for word in words for c in word if c.isdecimal()])


def _plus(words: Iterable[str]) -> bool:
    text = "".join(words)
    first = next((i for i, c in enumerate(text) if c.isdecimal()), 0)
    return text[:first].rstrip(" (\u00a0\u202f").endswith("+")


def _words(text: str) -> list[str]:
    """The text cut into what is not a word, a word, what is none, …; words are runs of letters, and '#'."""
    if text.isascii():
        return _ASCII_WORD.split(text)
    out = [""]
    for char in text:
        word = char.isalpha() or char == "#" or (len(out) % 2 == 0 and is_mark(char))
        if word != (len(out) % 2 == 0):
            out.append("")
        out[-1] += char
    return out if len(out) % 2 else [*out, ""]


def _code(digits: str) -> int:
    """The length of the calling code that a number begins with; 0 when there is none, or too little after it."""
    codes = calling_codes()
    for length in (1, 2, 3):  # no code is the beginning of another one
        if digits[:length] in codes:
            return length if len(digits) >= length + _SHORTEST_AFTER_CODE else 0
    return 0
