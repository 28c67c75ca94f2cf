"""The dictionary of real names: a known name becomes another one of its like, so that a reader does not stumble.

Names of one class (`name_classes`) agree letter by letter in script, bytes, casing and decomposition, in whether they
are words of everyday English too, and, where there are enough of them, in their role: given to women, to men, to both,
family; in use where English is spoken or elsewhere. Each class has 64 names at least and is one keyed cycle: a
bijection without fixed points. A name of a shape that too few have counts as unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from typing import NamedTuple

from envclone.masking.dictionary import DICTIONARY, dictionary_digest
from envclone.masking.fpe import NumberCycle, number_cycle, subkey, tweaked_cycle
from envclone.masking.name_classes import SMALLEST, Shape, grouped, merged, shape
from envclone.masking.walk import walk
from envclone.masking.words import NAMES_TOO, WORDS_FIRST

__all__ = [
    "BUILT",
    "DICTIONARY",
    "KnownNames",
    "all_names",
    "classes",
    "dictionary_digest",
    "given_names",
    "given_parts",
    "is_name",
]

BUILT = "built"
"""The line of names that nobody has; `built-words` are those that stand beside names that are words too."""
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

    def followers(self, kind: int) -> Sequence[int]:
        """The place of the pseudonym of each name of a class."""
        cycle = self._cycle(kind)
        return [cycle(place) for place in range(len(self._names.kinds[kind]))]

    def class_of(self, name: str) -> int:
        """The number of a known name's class."""
        return self._names.places[name][0]

    def tweaked(self, name: str, tweak: bytes) -> str:
        """The pseudonym of a known name under a tweak; never the name itself."""
        kind, place = self._names.places[name]
        names = self._names.kinds[kind]
        return names[tweaked_cycle(self._key, b"%d:%b" % (kind, tweak), len(names))(place)]

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
    """Every known name's class and its place in it; the names of each class; those that are given names; every real
    name, also of shapes that too few have; the given ones of these that are not words."""

    places: Mapping[str, tuple[int, int]]
    kinds: Sequence[Sequence[str]]
    given: frozenset[str]
    real: frozenset[str]
    firsts: frozenset[str]


@cache
def _load() -> _Names:
    roles = {role: names for role, *names in map(str.split, DICTIONARY.read_text(encoding="utf-8").splitlines())}
    built: dict[Shape, list[str]] = defaultdict(list)
    for line in (BUILT, f"{BUILT}-words"):
        for name in roles.pop(line):
            built[line != BUILT, shape(name)[1]].append(name)
    proper: list[list[str]] = []
    for its_shape, names in grouped(roles).items():
        kinds, rest = merged(names)
        proper += kinds
        if rest and its_shape in built:
            proper.append([*rest, *built[its_shape][: SMALLEST - len(rest)]])
    places = {name: (kind, place) for kind, names in enumerate(proper) for place, name in enumerate(names)}
    real = frozenset(name for names in roles.values() for name in names)
    given = frozenset(name for role, names in roles.items() if not role.startswith("family") for name in names)
    return _Names(places, proper, given & places.keys(), real, given - NAMES_TOO - WORDS_FIRST)


def classes() -> Sequence[Sequence[str]]:
    """The classes of the dictionary: the names that may become each other under some key."""
    return _load().kinds


def given_parts() -> frozenset[str]:
    """The known names that are given names: what a compound may begin with."""
    return _load().given


def is_name(word: str) -> bool:
    """Whether a word in lower case is in the dictionary."""
    return word in _load().real


def all_names() -> frozenset[str]:
    """The words of which `is_name` says yes."""
    return _load().real


def given_names() -> frozenset[str]:
    """The given names of the dictionary that are not words of everyday English too, in lower case."""
    return _load().firsts
