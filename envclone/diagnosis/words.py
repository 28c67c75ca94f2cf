"""Texts as words: which field of a record is its text, how alike two texts are, which words are rare."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import unescape
from typing import Any

from envclone.models import Record

__all__ = ["flat", "held", "shared", "shingles", "text_field", "text_of", "words"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SHINGLE = 3


def words(text: str) -> list[str]:
    """The words of a text, in lower case, however it is written: in JSON, in HTML, its accents apart."""
    return [word.lower() for word in _WORD.findall(_plain(text))]


def _plain(text: str) -> str:
    if "\\" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else " ", text)
        if _PAIR.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = unescape(text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|[nrt\"/])")
_PAIR = re.compile("[\ud800-\udfff]")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Runs of three words; of a shorter text the whole."""
    said = words(text)
    if len(said) < _SHINGLE:
        return frozenset({tuple(said)}) if said else frozenset()
    return frozenset(tuple(said[i : i + _SHINGLE]) for i in range(len(said) - _SHINGLE + 1))


def held(text: str, within: frozenset[tuple[str, ...]]) -> float:
    """Which part of a text stands in another one, whose shingles these are: from 0 to 1."""
    mine = shingles(text)
    return len(mine & within) / len(mine) if mine else 0.0


def shared(left: str, right: str) -> float:
    """How much two texts have in common, from 0 to 1."""
    a, b = shingles(left), shingles(right)
    return len(a & b) / len(a | b) if a or b else 1.0


def flat(fields: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Fields by their path, those in objects, too."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        path = f"{before}{name}"
        found |= flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return found


def text_field(records: Sequence[Record]) -> str | None:
    """The field that holds the text: the one of the most words; None when no field has more than a few."""
    sizes: Counter[str] = Counter()
    for record in records:
        for name, value in flat(record.fields).items():
            if isinstance(value, str):
                sizes[name] += value.count(" ")
    best = sizes.most_common(1)
    return best[0][0] if best and best[0][1] >= 2 * len(records) else None


def text_of(record: Record, name: str | None) -> str:
    """A record's text."""
    value = flat(record.fields).get(name) if name else None
    return value if isinstance(value, str) else ""


def rarity(texts: Iterable[str]) -> dict[str, float]:
    """How much each word tells: the inverse frequency of the texts that have it."""
    counts: Counter[str] = Counter()
    total = 0
    for text in texts:
        total += 1
        counts.update(set(words(text)))
    return {word: math.log((1 + total) / (1 + count)) for word, count in counts.items()}
