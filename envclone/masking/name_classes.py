"""Which names may stand for each other: classes of one shape, and as near in role and language as numbers allow.

A class has SMALLEST names at least, or a pseudonym would tell its name without the key. Names of one shape whose role
has fewer are put together with those of the next role; where all of a shape are too few, built names make them up, and
where even that would be a class of mostly built names, they count as unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from unicodedata import name as character_name
from unicodedata import normalize

from envclone.masking.letters import is_mark
from envclone.masking.words import NAMES_TOO, WORDS_FIRST

__all__ = ["FEWEST_REAL", "SMALLEST", "Shape", "grouped", "merged", "shape"]

SMALLEST = 64
"""Names in the smallest class."""
FEWEST_REAL = 16
"""Real names in a class that is made up with built ones."""

Shape = tuple[bool, object]
"""Whether a name is a word of everyday English too, and what its letters must have in common with another's."""

_Tree = str | tuple["_Tree", ...]
_ROLES: _Tree = (
    (("female", "female-english"), ("male", "male-english"), ("given", "given-english")),
    ("family", "family-english"),
)
"""Roles, the near ones together; English are those in use where English is spoken."""


def shape(name: str) -> Shape:
    """The shape of a name in lower case and NFC."""
    word = name in NAMES_TOO or name in WORDS_FIRST
    return word, len(name) if name.isascii() else tuple(map(_traits, name))


def grouped(roles: Mapping[str, Iterable[str]]) -> dict[Shape, dict[str, list[str]]]:
    """The names of each shape by role."""
    found: dict[Shape, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for role, names in roles.items():
        for name in names:
            found[shape(name)][role].append(name)
    return found


def merged(names: Mapping[str, Sequence[str]], tree: _Tree = _ROLES) -> tuple[list[list[str]], list[str]]:
    """The classes that names of one shape make, by role, and the names that are too few for one."""
    if isinstance(tree, str):
        classes, rest = [], list(names.get(tree, ()))
    else:
        parts = [merged(names, part) for part in tree]
        classes = [one for part, _ in parts for one in part]
        rest = [name for _, part in parts for name in part]
    if len(rest) >= SMALLEST:
        return [*classes, rest], []
    if rest and classes:
        max(classes, key=len).extend(rest)
        return classes, []
    return classes, rest


@lru_cache(maxsize=4096)
def _traits(char: str) -> object:
    """What two letters at one place must have in common."""
    decomposed = tuple(len(c.encode()) for c in normalize("NFD", char))
    return character_name(char).split()[0], len(char.encode()), decomposed, char.upper() == char, is_mark(char)
