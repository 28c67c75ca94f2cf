"""The dictionary of real names: a known name becomes another one of its like, so that a reader does not stumble.

Names are of one kind when they have the same role (given to women, to men, to both, family; in use where English is
spoken or elsewhere), are or are not words of everyday English too, and agree letter by letter in script, bytes, casing
and decomposition. Each kind is one keyed cycle: a bijection without fixed points. A name that is alone of its kind
counts as unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple
from unicodedata import name as character_name
from unicodedata import normalize

from envclone.masking.fpe import NumberCycle, number_cycle, subkey
from envclone.masking.letters import is_mark
from envclone.masking.walk import walk
from envclone.masking.words import NAMES_TOO, WORDS_FIRST

__all__ = ["DICTIONARY", "KnownNames", "dictionary_digest", "given_names", "is_name"]

DICTIONARY = Path(__file__).parent / "data" / "names.txt"
"""A line per role with its names, in lower case and NFC; made by `envclone.masking.names_build`."""

_SHORTEST_PART = 3


class KnownNames:
    """The permutation of known names, and of what is written together from them: `jdoe`, `janedoe`.

    `initial` is the permutation of the letters a to z that a single letter undergoes.
    """

    def __init__(self, key: bytes, initial: Callable[[str], str]) -> None:
        self._key = subkey(key, "known names")
        self._initial = initial
        self._names = _load()
        self._cycle = lru_cache(maxsize=8192)(self._make)
        self._proper = lru_cache(maxsize=1 << 16)(self._is_proper)

    def known(self, name: str) -> bool:
        """Whether this token in lower case and NFC is a name of the dictionary."""
        return name in self._names.places

    def mask(self, name: str) -> str:
        """The pseudonym of a known name."""
        kind, place = self._names.places[name]
        return self._names.kinds[kind][self._cycle(kind)(place)]

    def compound(self, token: str) -> bool:
        """Whether a token is two names, or an initial and a name, with nothing between them."""
        return self._split(token) > 0 and self._proper(token)

    def mask_compound(self, token: str) -> str:
        """The pseudonym of a token that `compound` found to be one: its parts' pseudonyms, walked on while they are
        not read in the same way."""
        at = self._split(token)
        return walk(token, lambda t: self._step(t, at), lambda t: self._split(t) == at)

    def _step(self, token: str, at: int) -> str:
        return (self._initial(token[0]) if at == 1 else self.mask(token[:at])) + self.mask(token[at:])

    def _split(self, token: str) -> int:
        """Where the second name of a compound begins; 0 when the token is none."""
        names = self._names
        if len(token) <= _SHORTEST_PART or not token.isascii() or token in names.places:
            return 0
        for at in range(len(token) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
            if token[:at] in names.given and token[at:] in names.places:
                return at
        return 1 if token[1:] in names.places else 0

    def _is_proper(self, token: str) -> bool:
        """Whether there is another compound on the cycle of this one: else it would be its own pseudonym."""
        at = self._split(token)
        image = self._step(token, at)
        while image != token and self._split(image) != at:
            image = self._step(image, at)
        return image != token

    def _make(self, kind: int) -> NumberCycle:
        names = self._names.kinds[kind]
        return number_cycle(self._key, blake2b("\n".join(names).encode(), digest_size=16).digest(), len(names))


class _Names(NamedTuple):
    """Every known name's kind and its place in it; the names of each kind; those that are given names, and of
    these the ones that are no words."""

    places: Mapping[str, tuple[int, int]]
    kinds: Sequence[Sequence[str]]
    given: frozenset[str]
    firsts: frozenset[str]


@cache
def _load() -> _Names:
    kinds: dict[object, list[str]] = defaultdict(list)
    given: set[str] = set()
    for line in DICTIONARY.read_text(encoding="utf-8").splitlines():
        role, *names = line.split(" ")
        if not role.startswith("family"):
            given.update(names)
        for name in names:
            word = name in NAMES_TOO or name in WORDS_FIRST
            kinds[role, word, len(name) if name.isascii() else tuple(map(_traits, name))].append(name)
    proper = [names for names in kinds.values() if len(names) > 1]
    places = {name: (kind, place) for kind, names in enumerate(proper) for place, name in enumerate(names)}
    given &= places.keys()
    return _Names(places, proper, frozenset(given), frozenset(given - NAMES_TOO - WORDS_FIRST))


@lru_cache(maxsize=4096)
def _traits(char: str) -> object:
    """What two letters at one place must have in common."""
    decomposed = tuple(len(c.encode()) for c in normalize("NFD", char))
    return character_name(char).split()[0], len(char.encode()), decomposed, char.upper() == char, is_mark(char)


def is_name(word: str) -> bool:
    """Whether a word in lower case is in the dictionary."""
    return word in _load().places


def given_names() -> frozenset[str]:
    """The given names of the dictionary that are no words of everyday English too, in lower case."""
    return _load().firsts


def dictionary_digest() -> str:
    """16 hex digits that change with the dictionary."""
    return blake2b(DICTIONARY.read_bytes(), digest_size=8).hexdigest()
