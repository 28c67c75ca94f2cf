"""Other ways to write a name, which the proof looks for too: another apostrophe or none (O'Neill, O’Neill, ONeill), Mc
and Mac, letters without their accents, names of Cyrillic and Greek letters in Latin ones, East Asian ones with a blank
or in the other order, cases of Slavic ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product
from unicodedata import normalize

from envclone.verifier.slaviccases import in_cases

__all__ = ["ODD_NAME", "joined_names", "name_variants", "with_variants"]

_APOSTROPHES = "'\u2018\u2019`\u00b4\u02bc\u02b9"
_APOSTROPHE = re.compile(rf"(?<=[^\W\d_])[{_APOSTROPHES}](?=[^\W\d_])")
_INSTEAD = ("", " ", "'", "\u2019", "\u2018", "`", "\u00b4", "\u02bc", "-", "?", "''", "\\'")
_SON = re.compile(r"(?<![^\W_])(?:Ma?c[ \-]?|MA?C[ \-]|MC|M')(?=[A-Z])")
_SONS = ("Mc", "Mac", "Mc ", "Mac ", "M'", "Mc-", "M\u2019", "M")
ODD_NAME = re.compile(rb"'|Ma?c[ \-]?[A-Z]|M[Cc]|\wsk[iya]\b|\wck[iya]\b|[^\x00-\x7f]|`")
"""What a name has that can be written otherwise, in bytes."""
_NORTHERN = (
    str.maketrans("øØæÆ", "öÖäÄ"), str.maketrans("öÖäÄ", "øØæÆ"), str.maketrans({"ð": "th", "Ð": "Th"}),
    str.maketrans({"ß": "s"}), str.maketrans({"å": "aa", "Å": "Aa"}), str.maketrans("İı", "Ii"),
    str.maketrans("đĐ", "ðÐ"), str.maketrans({"ß": "\u03b2"}),
    str.maketrans("őűŐŰ", "öüÖÜ"), str.maketrans("öüÖÜ", "őűŐŰ"),
)  # fmt: skip
_CYRILLIC = "абвгґдеёєжзиіїйклмнопрстуфхцчшщъыьэюя"
_TABLES = (
    "a b v g g d e e ye zh z i i yi y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya",
    "a b v g g d e e ie zh z i i i i k l m n o p r s t u f kh ts ch sh shch ie y - e iu ia",
    "a b v g g d e ë je ž z i i ji j k l m n o p r s t u f ch c č š šč - y ' è ju ja",
    "a b w g g d e jo je sch s i i ji j k l m n o p r s t u f ch z tsch sch schtsch - y - e ju ja",
    "a b v g g d e e e zh z i i i j k l m n o p r s t u f h c ch sh sch - y ' e yu ya",
    "a b v h g d e e ye zh z y i yi y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya",
)
_ENDING = ((re.compile(r"(?:yy|iy|ij|ii)\b"), ("y", "i", "iy")),)
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψω"
_LATIN = (
    "a v g d e z i th i k l m n x o p r s s t y f ch ps o",
    "a b g d e z e th i k l m n x o p r s s t u ph ch ps o",
)
_DIGRAPHS = (("ου", "ou"), ("μπ", "b"), ("ντ", "nt"), ("γγ", "ng"), ("αυ", "av"), ("ευ", "ef"))
_EAST = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{3,6}|[\uac00-\ud7a3]{3,5}")
_EAST_APART = re.compile(
    r"([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{1,4})[ \u3000·・]([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{1,4})"
)
_ARABIC = str.maketrans({**dict.fromkeys("أإآٱ", "ا"), "ة": "ه", "ى": "ي", "ؤ": "و", "ئ": "ي", "ـ": None})
_MAQAF = "\u05be"
_MOST = 40
_PARTICLES = frozenset(
    (*("van", "von", "vom", "zu", "zur", "ter", "ten", "de", "del", "della"),
     *("dalla", "da", "dos", "das", "la", "le", "el", "al", "ibn", "bin", "ben"))
)  # fmt: skip
"""Words that a family name begins with, where no other name stands before it."""


def with_variants(values: Iterable[str]) -> Iterator[str]:
    """Names, each with the other ways to write it behind it."""
    for value in values:
        yield value
        if ODD_NAME.search(value.encode("utf-8", "surrogatepass")):
            yield from name_variants(value)


def name_variants(value: str) -> tuple[str, ...]:
    """The other ways to write a name."""
    found: dict[str, None] = {}
    for way in _ways(normalize("NFC", value)):
        if way != value and len(found) < _MOST:
            found.setdefault(way)
    return tuple(found)


def _ways(value: str) -> Iterator[str]:
    if _APOSTROPHE.search(value):
        yield from (_APOSTROPHE.sub(sign.replace("\\", r"\\"), value) for sign in _INSTEAD)
    if _SON.search(value):
        yield from (_SON.sub(way, value) for way in _SONS)
    if value.isascii():
        yield from in_cases(value)
        return
    yield from (value.translate(table) for table in _NORTHERN)
    yield _bare(value)
    lowered = value.lower()
    if any("\u0400" <= char <= "\u052f" for char in lowered):
        yield from _in_latin(lowered)
        yield value.replace("ё", "е").replace("Ё", "Е").replace("ї", "и").replace("Ї", "И")
    elif any("\u0370" <= char <= "\u03ff" for char in lowered):
        yield from _of_greek(_bare(lowered))
    elif any("\u0590" <= char <= "\u06ff" for char in lowered):
        yield from _semitic(value)
    yield from _eastern(value)
    yield from in_cases(value)


def _bare(value: str) -> str:
    """Letters without marks, and the small sigma of a word's end as within it."""
    return "".join(char for char in normalize("NFD", value) if not "\u0300" <= char <= "\u036f").replace("ς", "σ")


def _in_latin(lowered: str) -> Iterator[str]:
    for table in _TABLES:
        plain = dict(zip(_CYRILLIC, table.replace("-", "\0").split(), strict=True))
        way = "".join(plain.get(char, char) for char in lowered).replace("\0", "")
        yield way
        for pattern, ends in _ENDING:
            if pattern.search(way):
                yield from (pattern.sub(end, way) for end in ends)


def _of_greek(lowered: str) -> Iterator[str]:
    for table in _LATIN:
        plain = dict(zip(_GREEK, table.split(), strict=True))
        for pairs in (_DIGRAPHS, _DIGRAPHS[:1]):
            way = lowered
            for pair, latin in pairs:
                way = way.replace(pair, latin)
            yield "".join(plain.get(char, char) for char in way)


def _semitic(value: str) -> Iterator[str]:
    bare = "".join(char for char in value if not ("\u0591" <= char <= "\u05bd" or "\u064b" <= char <= "\u0652"))
    yield bare
    yield bare.translate(_ARABIC)
    for sign in ("-", " ", _MAQAF, ""):
        yield re.sub(rf"(?<=\w)[{_MAQAF}\-](?=\w)", sign, bare)
    yield bare.replace("عبدال", "عبد ال")
    yield bare.replace("عبد ال", "عبدال")


def _eastern(value: str) -> Iterator[str]:
    if _EAST.fullmatch(value):
        cuts = {3: (1, 2), 4: (2, 1), 5: (2, 3), 6: (3, 2)}[len(value)]
        for cut, joint in product(cuts, (" ", "·", "・", "\u3000")):
            yield value[:cut] + joint + value[cut:]
        yield from (value[cut:] + joint + value[:cut] for cut in cuts for joint in ("", " "))
    elif (match := _EAST_APART.fullmatch(value)) is not None:
        for joint in ("", " ", "·", "・"):
            yield match[1] + joint + match[2]
            if len(match[1] + match[2]) > 2:
                yield match[2] + joint + match[1]


def joined_names(value: str) -> Iterator[str]:
    """The parts of a name that are written in one where nothing may stand between: vanderberg, oneill, jeanbaptiste."""
    words = value.split()
    for i, word in enumerate(words):
        parts = re.split(rf"[{_APOSTROPHES}\-]", word)
        if len(parts) > 1 and all(parts) and all(map(str.isalpha, parts)):
            yield "".join(parts)
        if i and word[:1].isupper() and words[i - 1].islower():
            first = i
            while first and words[first - 1].islower() and (first > 1 or words[0] in _PARTICLES):
                first -= 1
            if first == 1 and words[0].lower() in _PARTICLES:
                first = 0  # Van der Berg is a family name alone, and Vanderberg says no more
            if first < i:
                yield "".join(words[first:i]) + "".join(parts)
        elif i == 1 and len(words) > 3 and word[:1].isupper() and words[0].isalpha() and word.isalpha():
            yield words[0] + word
