"""What sampled values are by their form alone: logins, phrases, plain words, labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from envclone.masking.names import is_name
from envclone.masking.words import WORDS_FIRST
from envclone.scan.hidden import hidden, holds_identity, names_anybody
from envclone.scan.values import look, persons
from envclone.scan.vocabulary import listed

__all__ = ["labels", "logins", "nobodys_phrases", "phrases", "plain_words", "sentences", "several_words"]

_LOGIN = re.compile(r"[^\W\d_]{2,}[._][^\W\d_]{2,}")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_PLAIN = re.compile(r"[a-z][a-z0-9]*(?:[_.:/\-][a-z0-9]+)*")
_NAMES = 0.15
"""The part of values that look like names by chance."""
_ENOUGH = 20
"""Values from which on it tells something that hardly any recurs."""
_FEW = 30
"""Different plain words that a list of them has fewer of than a table has persons."""
_MOST = 0.9
_WORDS_OF_A_LABEL = 5
_NOBODY = frozenset(("keep", "text"))
_BY_WORDS = _NOBODY | {"person", "username"}
"""What words alone make of values, with no sign of their form."""


def logins(values: Sequence[str]) -> bool:
    """Whether most of these are two names with a dot or a line between them."""
    different = {value.strip() for value in values if value.strip()}
    return sum(map(bool, map(_LOGIN.fullmatch, different))) > len(different) / 2


def phrases(values: Sequence[str]) -> bool:
    """Whether most of these are of several words, and hardly one has a second word with a capital, as names have."""
    later = [words[1:] for value in set(values) if len(words := _LATIN.findall(value)) > 1]
    capital = sum(any(word[0].isupper() for word in words) for words in later)
    return len(later) >= _ENOUGH and len(later) > len(set(values)) / 2 and capital < _NAMES * len(later)


def sentences(values: Sequence[str]) -> bool:
    """Whether most of these are of a name and other words, in lower case, that are none: `Jane Doe mentioned you`."""
    present = [value for value in values if value.strip()]
    return sum(map(_is_sentence, present)) > len(present) / 2


def _is_sentence(value: str) -> bool:
    words = _LATIN.findall(value)
    small = [w for w in words if w.islower() and len(w) > 2 and not is_name(w) and w not in _PARTICLES]
    return len(words) > 2 and bool(small) and not all(word.islower() for word in words)


_PARTICLES = frozenset(
    [
        "van",
        "von",
        "der",
        "den",
        "del",
        "della",
        "dos",
        "das",
        "los",
        "las",
        "bin",
        "ibn",
        "ter",
        "ten",
        "zur",
        "vom",
        "and",
        "und",
    ]
)


def several_words(values: Sequence[str]) -> bool:
    """Whether values are of several words each, and hardly any recurs: no list of states or kinds."""
    present = [value for value in values if value.strip()]
    several = sum(len(value.split()) > 1 for value in present)
    return len(present) >= _ENOUGH and len(set(present)) > len(present) / 2 and several > len(present) / 2


def nobodys_phrases(values: Sequence[str]) -> bool:
    """Whether these are phrases or plain words in which nothing finds anybody: no name, address or number."""
    present = [value for value in values if value.strip()]
    plain = plain_words([value.strip().replace(" ", "_") for value in present])
    spoken = several_words(present) and phrases(present)
    if not (plain or spoken or _recurring_codes(present)) or persons(set(present)) or hidden(present):
        return False
    seen = look(present)
    told = seen is not None and seen.kind not in (_BY_WORDS if plain else _NOBODY)
    return not told and not any(map(names_anybody, set(present)))


def _recurring_codes(values: Sequence[str]) -> bool:
    """Whether some of these recur and no word of any is a name: `true`, `admins`, `Spree::User;12`."""
    words = {word.lower() for value in set(values) for word in _LATIN.findall(value)}
    return len(set(values)) < len(values) and not any(
        is_name(word) and not listed([word], personal=True) for word in words
    )


def plain_words(values: Collection[str], *, recurring: bool = False) -> bool:
    """Whether these are a few words in lower case, as settings and kinds are called, and not two names each.

    That a dictionary of names has some of them (`alpha`, `grace`, `mark_read`) tells nothing: names have capitals.
    With `recurring` each must stand there twice on average.
    """
    present = [value.strip() for value in values if value.strip()]
    different = set(present)
    if not different or len(different) >= _FEW or (recurring and len(present) < 2 * len(different)):
        return False
    plain = sum(_PLAIN.fullmatch(value) is not None for value in different)
    return plain >= _MOST * len(different) and sum(map(_two_names, different)) < _NAMES * len(different)


def _two_names(value: str) -> bool:
    words = _LATIN.findall(value)
    return len(words) > 1 and all(is_name(word) and word not in WORDS_FIRST for word in words)


def labels(values: Sequence[str]) -> bool:
    """Whether these are labels that recur and name nobody: few different ones, plain words, or short phrases.

    A column whose values recur can be unique only together with others.
    """
    present = [value.strip() for value in values if value.strip()]
    different = set(present)
    if len(different) == len(present) or persons(different):
        return False
    seen = look(present)
    if (seen is not None and seen.kind not in _BY_WORDS) or hidden(present):
        return False
    short = sum(len(_LATIN.findall(value)) <= _WORDS_OF_A_LABEL for value in different) >= _MOST * len(different)
    few = len(present) >= 2 * len(different) and len(different) < _FEW and (seen is None or seen.kind in _NOBODY)
    return short and (few or plain_words(present) or phrases(present)) and not any(map(holds_identity, different))
