"""What is looked for in free text, made from a corpus: the words of names, pairs of words, and exact spellings."""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import islice, pairwise
from typing import NamedTuple, TypeVar
from unicodedata import normalize

import numpy as np

from envclone.compiled import available
from envclone.masking.company import FORMS
from envclone.masking.corpus import Corpus
from envclone.masking.held import Codes, outline
from envclone.masking.known import Numbers, number_of, number_of_pair, numbers_of_pairs
from envclone.masking.names import given_names
from envclone.masking.nobody import Nobody, usual
from envclone.masking.parts import canonical
from envclone.masking.phone import national_number
from envclone.masking.plainwords import plain_numbers, plain_words
from envclone.masking.runs import cut, joined, lower
from envclone.masking.strangers import CUES
from envclone.masking.words import NAMES_TOO, TITLES, WORDS_FIRST
from envclone.masking.wordset import WordSet
from envclone.shelf import Sorter

__all__ = ["Lexicon", "Spelling", "WordType"]

_AT_ONCE = 1 << 13
_SHORTEST_TOKEN = 3
_SHORTEST_UNSPACED = 2
_SHORTEST_SPELLING = 4
"""Characters of a user name or the like that is not an accident in a text."""
SHORTEST_NUMBER = 6
"""Digits of a phone number that is told from any other number."""

_WORD = re.compile("[a-z]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]+")
_HANGUL = re.compile(r"[\uac00-\ud7a3]+")
_NATIONAL = re.compile(r"[2-79][0-9]{6,}|[18][0-9]{6,8}", re.ASCII)
"""Numbers that are national ones as they stand."""
_FORMED = re.compile(r"(?:\+|\(|\d)(?:[ ().\-/\u00a0]{0,3}\d){6,18}")
_DOTLESS = re.compile(r"[^\s@]+@[^\s@.]+")
_GROUPED = ("iban", "card", "national_id")
_SPELLED = ("email", "username", "company", "address", "iban", "card", "national_id", "redact")


_T = TypeVar("_T")


class WordType(IntEnum):
    """How a word that was found is to be judged."""

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


class Spelling(NamedTuple):
    """An identity that is found as it is spelled, in any casing and whatever joins its parts: its text with blanks,
    where its anchor stands in it, its kind."""

    text: str
    offset: int
    kind: str


class Lexicon:
    """All that is looked for, in lower case.

    `words` with their types; `inside`: patterns that are found inside longer runs of letters; `pairs` of words that are
    one person's; `spelled`: exact spellings by the word that they are found by; `plain`: those without any letter;
    `numbers`: all national numbers; `codes`: those of other numbers without their grouping;
    `uuids`: 63 bits of each; `interesting`: every word at which to look closer.
    """

    __slots__ = (
        "_nobody",
        "codes",
        "inside",
        "interesting",
        "numbers",
        "pairs",
        "plain",
        "shelf",
        "spelled",
        "uuids",
        "words",
    )

    def __init__(self, corpus: Corpus, nobody: Nobody | None = None) -> None:
        self._nobody = nobody or usual()
        self.shelf = corpus.shelf
        """Where the sorted numbers lie."""
        self.words: dict[str, WordType] = {}
        self.inside: dict[str, WordType] = {}
        spellings: dict[str, str] = {}
        pairs = self._of_persons(corpus, spellings)
        numbers = _of_phones(corpus, spellings)
        for kind in _SPELLED:
            for value in corpus.each(kind):
                if _is_spelling(kind, value):
                    _put(spellings, value, kind)
        shapes: set[str] = set()
        codes, uuids = Sorter(corpus.shelf, np.int64), Sorter(corpus.shelf, np.int64)
        for kind in _GROUPED:
            found = array("q")
            for value in corpus.each(kind):
                code = canonical(value)
                if len(code) > SHORTEST_NUMBER:
                    found.append(number_of_pair(f"{kind} {code}"))
                    shapes.add(outline(code))
                    if len(found) >= _AT_ONCE:
                        codes.add(found)
                        found = array("q")
            codes.add(found)
        self.codes = Codes(shapes, Numbers(codes, number_of_pair), _GROUPED)
        self.pairs = Numbers(pairs, number_of_pair)
        self.numbers = Numbers(numbers, number_of)
        every = (int(code, 16) for code in corpus.each("uuid"))
        while some := array("q", islice(every, _AT_ONCE)):
            uuids.add(some)
        self.uuids = Numbers(uuids, int)
        self.spelled = _anchored(spellings)
        self.plain = {text: kind for text, kind in spellings.items() if not any(map(str.isalpha, text))}
        self.interesting = WordSet(self.words.keys() | self.spelled.keys() | given_names() | CUES)

    def _of_persons(self, corpus: Corpus, spellings: dict[str, str]) -> Sorter:
        """Take in the names; returns the numbers of their pairs of words."""
        found = Sorter(corpus.shelf, np.int64)
        texts: list[str] = []
        names: Iterable[str] = corpus.each("person")
        if available():
            words, names = plain_words(*corpus.packed("person"), found)
            for word in words:
                self._add_word(word)
        for name, named in _words_of(names):
            self._add_person(name, named, spellings, texts)
            if len(texts) >= _AT_ONCE:
                found.add(numbers_of_pairs(texts))
                texts.clear()
        found.add(numbers_of_pairs(texts))
        return found

    def _add_person(self, name: str, named: Sequence[str], spellings: dict[str, str], pairs: list[str]) -> None:
        words = [word for word in named if word not in TITLES]
        for word in words:
            self._add_word(word)
        if len(words) > 1:
            pairs.extend(f"{a} {b}" for a, b in set(_neighbours(words)))
            if len(words[-1]) >= _SHORTEST_TOKEN:  # initials, for user names: 'jdoe', 'doej'
                initial = words[0][:1]
                pairs += (f"{initial} {words[-1]}", f"{words[-1]} {initial}")
            if any(len(word) < _SHORTEST_TOKEN for word in words):
                plain = " ".join(name.split())
                for spelling in {plain, *_turned(plain)}:
                    _put(spellings, spelling, "person")

    def _add_word(self, word: str) -> None:
        if word in self.words:
            return
        if _UNSPACED.fullmatch(word):
            if len(word) >= _SHORTEST_UNSPACED:
                _put(self.inside, word, WordType.UNSPACED)
        elif _HANGUL.fullmatch(word):
            if len(word) >= _SHORTEST_UNSPACED:
                _put(self.inside, word, WordType.PREFIXED)
        elif len(word) >= _SHORTEST_TOKEN:
            # 'Test' of 'Test Quimby' means somebody beside Quimby only
            alone = not self._nobody.holds("person", word)
            _put(self.words, word, _word_type(word) if alone else WordType.WORD_FIRST)


def _of_phones(corpus: Corpus, spellings: dict[str, str]) -> Sorter:
    """The numbers of the telephone numbers; what is not written as numbers are becomes a spelling."""
    numbers = array("q")
    phones: Iterable[str] = corpus.each("phone")
    found = Sorter(corpus.shelf, np.int64)
    if available():
        phones = plain_numbers(*corpus.packed("phone"), found)
    for phone in phones:
        number = phone if _NATIONAL.fullmatch(phone) else national_number(phone)
        if len(number) >= SHORTEST_NUMBER:
            numbers.append(number_of(number))
            if not _FORMED.fullmatch(phone):
                _put(spellings, phone, "phone")
        elif sum(map(str.isdigit, phone)) > SHORTEST_NUMBER:  # read as abroad's, hardly anything of it is left
            _put(spellings, phone, "phone")
    found.add(numbers)
    return found


def _put(found: dict[str, _T], pattern: str, value: _T) -> None:
    composed = lower(pattern)
    found.setdefault(composed, value)
    if not composed.isascii():
        found.setdefault(normalize("NFD", composed), value)


def _is_spelling(kind: str, value: str) -> bool:
    """Whether an identity is looked for as it is spelled: most e-mail addresses are found by their form.

    One whose host has no dot (`jane@mailhost`) is not: in a text that can be anything.
    """
    if kind == "email":
        return len(value) >= _SHORTEST_TOKEN and ("@" not in value or _DOTLESS.fullmatch(value) is not None)
    if kind == "username":
        return len(value) >= _SHORTEST_SPELLING and lower(value) not in NAMES_TOO | WORDS_FIRST
    if kind == "company":
        words = _words(value)
        return len(words) > 1 or (len(value) >= _SHORTEST_SPELLING and words[:1] != [] and words[0] not in FORMS)
    return len(value) >= _SHORTEST_SPELLING + 2


def _anchored(spellings: Mapping[str, str]) -> dict[str, tuple[Spelling, ...]]:
    """Every spelling that has a letter under that of its words that the fewest others have."""
    counts = Counter(word for _, words, _ in _cuts(spellings) for word in set(words))
    found: dict[str, list[Spelling]] = defaultdict(list)
    for text, words, starts in _cuts(spellings):
        if words:
            rarest = min(range(len(words)), key=lambda i: (counts[words[i]], -len(words[i])))
            found[words[rarest]].append(Spelling(joined(text), starts[rarest], spellings[text]))
    return {word: tuple(sorted(those, key=lambda s: -len(s.text))) for word, those in found.items()}


def _words_of(names: Iterable[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Names with their words (`_words`), what stands before a comma last."""
    left = iter(names)
    while some := list(islice(left, _AT_ONCE)):
        parts = [name.partition(",") for name in some]
        texts = [lower(f"{given} {family}" if comma else family) for family, comma, given in parts]
        yield from ((name, words) for name, (_, words, _) in zip(some, _cuts(texts), strict=True))


def _cuts(texts: Iterable[str]) -> Iterator[tuple[str, Sequence[str], Sequence[int]]]:
    """Texts in lower case with their words and where each begins: many are cut together, and none is kept."""
    left = iter(texts)
    while some := list(islice(left, _AT_ONCE)):
        whole = "\0".join(some)
        runs = cut(whole, whole)
        begins = np.cumsum([0, *(len(text) + 1 for text in some)])
        places, starts = np.searchsorted(np.asarray(runs.starts), begins).tolist(), list(runs.starts)
        for text, begin, first, last in zip(some, begins.tolist(), places, places[1:], strict=False):
            yield text, runs.words[first:last], [start - begin for start in starts[first:last]]


def _word_type(word: str) -> WordType:
    if word in WORDS_FIRST:
        return WordType.WORD_FIRST
    return WordType.NAME_TOO if word in NAMES_TOO else WordType.TOKEN


def _words(name: str) -> list[str]:
    """The name's words in lower case, combining marks included."""
    folded = lower(name)
    return _WORD.findall(folded) if folded.isascii() else list(cut(folded, folded).words)


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
