"""Alphabets: which letters may stand for which, so that length, script, casing and normalization form are kept.

Two letters share an alphabet when they stand in the same block, take the same number of bytes in UTF-8 and behave alike
under casing (Unicode, ch. 4.2 and 5.18) and under canonical decomposition (UAX #15): then replacing one by the other
changes neither the length in characters and bytes nor the normalization form of a text, in NFC and in NFD.
Vowels of the Latin, Greek and Cyrillic scripts stand for vowels, so that a pseudonym can be pronounced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple
from unicodedata import category, is_normalized, normalize

__all__ = [
    "ANY_ASCII",
    "MARKS",
    "Alphabet",
    "alphabet",
    "fold",
    "form",
    "is_mark",
    "mark_codes",
    "meet",
    "unstable_alphabet",
]

_VOWELS = frozenset("aeiouæøаеиоуыэюяіїєαεηιουω")

_BLOCKS = (
    *((0x61, 0x7A), (0xAA, 0xFF), (0x100, 0x17F), (0x180, 0x24F), (0x250, 0x2AF), (0x386, 0x3CE), (0x370, 0x3FF)),
    *((0x430, 0x45F), (0x460, 0x52F), (0x561, 0x587), (0x5D0, 0x5EA), (0x620, 0x64A), (0x66E, 0x6D5), (0x6EE, 0x6FF)),
    # conjoining jamo: leading, vowel, trailing; in each the modern ones compose to syllables and the others do not
    *((0x1100, 0x1112), (0x1113, 0x1160), (0x1161, 0x1175), (0x1176, 0x11A7), (0x11A8, 0x11C2), (0x11C3, 0x11FF)),
    *((0x10D0, 0x10FF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x3041, 0x3096), (0x30A1, 0x30FA)),
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2EBEF)),
)
"""Ranges of code points whose letters are one script; any other letter's block is the 128 code points around it."""

_NEVER_ALONE = ((0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0x20000, 0x323AF))
_RUSSIAN = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяё")


class Alphabet(NamedTuple):
    """Letters that may stand for each other, folded to lower case; `name` tells alphabets of one length apart."""

    name: str
    letters: str
    places: dict[str, int]


class _Traits(NamedTuple):
    block: tuple[int, int]
    width: int
    cased: bool
    looks: tuple[bool, bool]
    odd: bool
    kind: str
    stable: bool
    decomposition: tuple[int, ...]


def is_mark(char: str) -> bool:
    """Whether this character is a combining mark that belongs to the letter before it."""
    return char > "\u02ff" and category(char)[0] == "M"


def mark_codes() -> Iterator[int]:
    """The code points of all combining marks, in order."""
    return (code for code in range(0x300, 0x20000) if not (char := chr(code)).isalnum() and category(char)[0] == "M")


def _marks() -> str:
    ranges: list[list[int]] = []
    for code in mark_codes():
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" if b > a else chr(a) for a, b in ranges)


MARKS = _marks()
"""All combining marks as ranges for a character class."""


def form(cluster: str) -> str:
    """'C' when the text is in NFC, 'D' when it is in NFD only, 'X' when it is in neither."""
    return "C" if is_normalized("NFC", cluster) else "D" if is_normalized("NFD", cluster) else "X"


@lru_cache(maxsize=8192)
def fold(char: str) -> tuple[str, bool]:
    """The letter in lower case and whether it was upper case; letters whose casing cannot be undone are left alone."""
    lower = char.lower()
    if lower != char and _twins(lower, char):
        return lower, True
    return char, False


ANY_ASCII = Alphabet("any", "abcdefghijklmnopqrstuvwxyz", {c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")})
"""For tokens of one or two letters, where vowels and consonants apart would leave too few."""


@lru_cache(maxsize=2048)
def alphabet(letter: str, marks: str = "", *, wide: bool = False) -> tuple[Alphabet, bool]:
    """The alphabet of a folded letter that stands in NFC before these combining marks, and whether it is an odd letter.

    Odd letters have no casing in a script that has (ß, ς, ª, modifiers): they stay as they are beside other letters.
    In a `wide` alphabet vowels and consonants stand for each other, and letters of Russian for those of its neighbours.
    """
    traits = _traits(letter)
    whole, odd = _of(_wide(traits) if wide else traits, wide=wide), traits.odd
    if not marks:
        return whole, odd
    letters = "".join(m for m in whole.letters if is_normalized("NFC", m + marks))
    return _make(f"{whole.name}+{marks}", letters), odd


def meet(chars: Iterable[str]) -> None:
    """Make the alphabets of these letters now, so that copies of this process need not make them, each for itself."""
    for folded in {fold(char)[0] for char in chars if char.isalpha()}:
        alphabet(folded)
        alphabet(folded, wide=True)


@lru_cache(maxsize=1024)
def unstable_alphabet(letter: str, marks: str) -> Alphabet:
    """The alphabet of a letter whose cluster is in no normalization form: the others of which that is true too."""
    whole = _of(_traits(letter))
    return _make(f"{whole.name}!{marks}", "".join(m for m in whole.letters if form(m + marks) == "X"))


@lru_cache(maxsize=512)
def _of(traits: _Traits, *, wide: bool = False) -> Alphabet:
    letters = _members(traits, wide=wide)
    if len(letters) > 1:
        return _make(repr(tuple(traits)), letters)
    rest = _kept(traits)
    return _make(repr(rest), _leftovers(wide=wide)[rest])


def _wide(traits: _Traits) -> _Traits:
    return traits._replace(kind="letter") if traits.cased else traits


def _make(name: str, letters: str) -> Alphabet:
    return Alphabet(name, letters, {c: i for i, c in enumerate(letters)})


def _width(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _decomposition(char: str) -> tuple[int, ...]:
    return tuple(_width(c) for c in normalize("NFD", char))


def _twins(lower: str, upper: str) -> bool:
    return (
        len(lower) == len(upper) == 1
        and lower.upper() == upper
        and upper.lower() == lower
        and _width(lower) == _width(upper)
        and is_normalized("NFC", lower)
        and is_normalized("NFC", upper)
        and _decomposition(lower) == _decomposition(upper)
    )


def _traits(char: str) -> _Traits:
    code = ord(char)
    block = next((b for b in _BLOCKS if b[0] <= code <= b[1]), (code & ~0x7F, code | 0x7F))
    width, general = _width(char), category(char)
    upper = char.upper()
    cased = upper != char and _twins(char, upper)
    stable = is_normalized("NFC", char)
    decomposition = _decomposition(char) if stable else ()
    odd = not cased and (general != "Lo" or code < 0x2B0)
    if cased:
        kind = "vowel" if block[0] != 0x1F00 and normalize("NFD", char)[0] in _VOWELS else "consonant"
        kind += " ru" if char in _RUSSIAN else ""
    elif block == (0x4E00, 0x9FFF):
        kind = _ideograph(char)
    else:
        kind = "rare" if code == 0x620 or 0x63B <= code <= 0x63F else general
    return _Traits(block, width, cased, (char.isupper(), char.islower()), odd, kind, stable, decomposition)


def _ideograph(char: str) -> str:
    """Common simplified, common traditional, or any other: the first levels of GB 2312 and of Big5."""
    simplified = char.encode("gb2312", "ignore")
    if simplified and simplified[0] <= 0xD7:
        return "simplified"
    traditional = char.encode("big5", "ignore")
    return "traditional" if traditional and traditional[0] <= 0xC6 else "other"


def _kept(traits: _Traits) -> tuple[object, ...]:
    return traits.width, traits.cased, traits.looks, traits.odd, traits.stable, traits.decomposition


def _members(traits: _Traits, *, wide: bool) -> str:
    found = _block(traits.block)
    if wide and traits.cased:
        return "".join(sorted("".join(letters for its, letters in found.items() if _wide(its) == traits)))
    return found.get(traits, "")


@cache
def _block(block: tuple[int, int]) -> dict[_Traits, str]:
    """The letters of a block, in their order, by what they have in common."""
    found: dict[_Traits, list[str]] = defaultdict(list)
    for code in range(block[0], block[1] + 1):
        char = chr(code)
        if char.isalpha() and not fold(char)[1]:
            found[_traits(char)].append(char)
    return {traits: "".join(chars) for traits, chars in found.items()}


@cache
def _leftovers(*, wide: bool) -> dict[tuple[object, ...], str]:
    """The letters that are alone of their kind in their block, by what must be kept of them."""
    alone: dict[_Traits, list[str]] = defaultdict(list)
    for char, traits in _every_letter():
        alone[_wide(traits) if wide else traits].append(char)
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for traits, chars in alone.items():
        if len(chars) == 1:
            groups[_kept(traits)] += chars
    return {key: "".join(chars) for key, chars in groups.items()}


@cache
def _every_letter() -> list[tuple[str, _Traits]]:
    """Every letter beyond ASCII that may be alone of its kind in its block, folded."""
    letters = (char for code in _outside(range(0x80, 0x20000), _NEVER_ALONE) if (char := chr(code)).isalpha())
    return [(char, _traits(char)) for char in letters if not fold(char)[1]]


def _outside(codes: range, left_out: Sequence[tuple[int, int]]) -> Iterator[int]:
    """The codes that lie in none of some ranges, which are in order and apart."""
    first = codes.start
    for begin, end in left_out:
        yield from range(first, min(begin, codes.stop))
        first = end + 1
    yield from range(first, codes.stop)
