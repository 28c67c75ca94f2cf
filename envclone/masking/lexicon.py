"""What is looked for in free text, made from a corpus: the tokens of names, pairs of tokens, and exact spellings."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import pairwise
from unicodedata import category, normalize

from envclone.masking.corpus import Corpus
from envclone.masking.phone import national_number
from envclone.masking.words import NAMES_TOO, WORDS_FIRST

__all__ = ["Lexicon", "PatternType", "lower"]

_SHORTEST_TOKEN = 3
_SHORTEST_UNSPACED = 2
SHORTEST_NUMBER = 6
"""Digits of a phone number that is told from any other number."""

_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]+")
_HANGUL = re.compile(r"[\uac00-\ud7a3]+")


class PatternType(IntEnum):
    """How a pattern that was found is to be judged."""

    TOKEN = 0
    """a name: when capitalised"""
    NAME_TOO = 1
    """a name that is a word too: when its place in the sentence says so"""
    WORD_FIRST = 2
    """a word that can be a name: beside another name only"""
    UNSPACED = 3
    """a name in a script without spaces: everywhere"""
    PREFIXED = 4
    """a Hangul name, which particles follow: where a word begins"""
    PERSON = 5
    """a name as it is spelled, in any casing"""
    EMAIL = 6
    """an address that does not look like one"""
    PHONE = 7
    """a number as it is spelled"""


class Lexicon:
    """Patterns in lower case with their types, the pairs of tokens that are one person's, and all national numbers."""

    __slots__ = ("numbers", "pairs", "patterns", "types")

    def __init__(self, corpus: Corpus) -> None:
        found: dict[str, PatternType] = {}
        self.pairs: set[str] = set()
        for name in corpus.values("person"):
            self._add_person(name, found)
        for email in corpus.values("email"):
            if "@" not in email and len(email) >= _SHORTEST_TOKEN:
                _put(found, email, PatternType.EMAIL)
        self.numbers: set[str] = set()
        for phone in corpus.values("phone"):
            number = national_number(phone)
            if len(number) >= SHORTEST_NUMBER:
                self.numbers.add(number)
                _put(found, phone, PatternType.PHONE)
        self.patterns: Sequence[str] = list(found)
        self.types = array("B", found.values())

    def _add_person(self, name: str, found: dict[str, PatternType]) -> None:
        family, comma, given = name.partition(",")
        words = _words(f"{given} {family}" if comma else name)
        for word in words:
            if _UNSPACED.fullmatch(word):
                if len(word) >= _SHORTEST_UNSPACED:
                    _put(found, word, PatternType.UNSPACED)
            elif _HANGUL.fullmatch(word):
                if len(word) >= _SHORTEST_UNSPACED:
                    _put(found, word, PatternType.PREFIXED)
            elif len(word) >= _SHORTEST_TOKEN:
                _put(found, word, _token_type(word))
        if len(words) > 1:
            self.pairs.update(f"{a} {b}" for a, b in _neighbours(words))
            if any(len(word) < _SHORTEST_TOKEN for word in words):
                plain = " ".join(name.split())
                for spelling in {plain, *_turned(plain)}:
                    _put(found, spelling, PatternType.PERSON)


def lower(text: str) -> str:
    """The text in lower case, character by character, so that places in it stay the same."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join([c if len(c.lower()) != 1 else c.lower() for c in text])


def _put(found: dict[str, PatternType], pattern: str, its_type: PatternType) -> None:
    composed = lower(pattern)
    found.setdefault(composed, its_type)
    if not composed.isascii():
        found.setdefault(normalize("NFD", composed), its_type)


def _token_type(word: str) -> PatternType:
    if word in WORDS_FIRST:
        return PatternType.WORD_FIRST
    return PatternType.NAME_TOO if word in NAMES_TOO else PatternType.TOKEN


def _words(name: str) -> list[str]:
    """The name's tokens in lower case, combining marks included."""
    if name.isascii():
        return _WORD.findall(lower(name))
    spaced = "".join([c if c.isalpha() or category(c)[0] == "M" else " " for c in lower(name)])
    return spaced.split()


def _neighbours(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield from pairwise(words)
    yield words[0], words[-1]
    yield words[-1], words[0]


def _turned(name: str) -> Iterable[str]:
    family, comma, given = name.partition(", ")
    if comma:
        return (f"{given} {family}",)
    first, _, last = name.rpartition(" ")
    return (f"{last}, {first}",)
