"""Makes the dictionary of names that ships with the package, from Faker's: `python -m envclone.masking.names_build`.

The dictionary is a file of its own, so that another version of Faker does not change pseudonyms. Names that nobody has
make up classes that are too small: the beginning of one real name of the script and the end of another.
"""

from __future__ import annotations

import pkgutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from importlib import import_module
from unicodedata import is_normalized, normalize

from envclone.masking.letters import fold, is_mark
from envclone.masking.name_classes import FEWEST_REAL, SMALLEST, Shape, grouped, merged, shape
from envclone.masking.names import BUILT, DICTIONARY
from envclone.masking.words import NAMES_TOO, TITLES, WORDS_FIRST

__all__ = ["build", "built", "main"]

_SHORTEST = 2
_MOST_PARTS = 80
_ENGLISH = "english"
"""Names in use where English is spoken are apart: a text about Jane is not a text about Ngoc."""


def build() -> str:
    """A line per role (`female`, `male`, `given`, `family`, each also `-english`) with its names, and built ones."""
    roles: dict[str, set[str]] = defaultdict(set)
    for role, name in _faker():
        for token in _tokens(normalize("NFC", name)):
            if len(token) >= _SHORTEST and _casing_is_regular(token):
                roles[token].add(role)
    by_role: dict[str, list[str]] = defaultdict(list)
    for token, found in roles.items():
        by_role[_role(found)].append(token)
    lines = {role: sorted(by_role[role]) for role in sorted(by_role)}
    return "".join(f"{role} {' '.join(names)}\n" for role, names in {**lines, **built(lines)}.items())


def built(roles: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The names that make up small classes, as `built` and `built-words`: the same for the same real names."""
    real = {name for names in roles.values() for name in names}
    taken = real | NAMES_TOO | WORDS_FIRST | TITLES
    heads: dict[object, Counter[str]] = defaultdict(Counter)
    tails: dict[object, Counter[str]] = defaultdict(Counter)
    for name in sorted(real):
        for at in range(1, len(name)):
            heads[_part(name[:at])][name[:at]] += 1
            tails[_part(name[at:])][name[at:]] += 1
    common_heads, common_tails = ({part: _common(those) for part, those in ends.items()} for ends in (heads, tails))
    found: dict[str, list[str]] = {BUILT: [], f"{BUILT}-words": []}
    for its_shape, names in grouped(roles).items():
        _, rest = merged(names)
        if len(rest) >= FEWEST_REAL:
            fresh = _spliced(rest, its_shape, common_heads, common_tails, taken)
            taken |= set(fresh)
            found[f"{BUILT}-words" if its_shape[0] else BUILT] += fresh
    return found


def _spliced(
    rest: Sequence[str],
    its_shape: Shape,
    heads: Mapping[object, Sequence[str]],
    tails: Mapping[object, Sequence[str]],
    taken: set[str],
) -> list[str]:
    """As many built names of a shape as its class needs; none when there are too few."""
    size, wanted = len(rest[0]), SMALLEST - len(rest)
    found: set[str] = set()
    for at in sorted(range(1, size), key=lambda at: abs(2 * at - size)):
        tail = tails.get(_part(rest[0][at:]), ())
        joined = (a + b for a in heads.get(_part(rest[0][:at]), ()) for b in tail)
        found.update(name for name in joined if name not in taken and shape(name)[1] == its_shape[1])
        if len(found) >= 4 * wanted:
            break
    fit = sorted((name for name in found if is_normalized("NFC", name)), key=_drawn)[:wanted]
    return fit if len(fit) == wanted else []


def _common(parts: Mapping[str, int]) -> list[str]:
    """The parts that the most names begin or end with."""
    return sorted(parts, key=lambda part: (-parts[part], _drawn(part)))[:_MOST_PARTS]


def _part(text: str) -> object:
    """The shape of a part of a name: a part in ASCII fits in names of other scripts only letter by letter."""
    return shape(text)[1]


def _drawn(text: str) -> bytes:
    """An order that is the same everywhere and follows no alphabet."""
    return blake2b(text.encode(), digest_size=8).digest()


def main() -> int:
    """Write the dictionary."""
    DICTIONARY.parent.mkdir(exist_ok=True)
    DICTIONARY.write_text(build(), encoding="utf-8")
    return 0


def _faker() -> Iterator[tuple[str, str]]:
    import faker.providers.person as persons

    for module in pkgutil.iter_modules(persons.__path__):
        if not module.ispkg:
            continue
        provider = import_module(f"{persons.__name__}.{module.name}").Provider
        for attribute in dir(provider):
            names = getattr(provider, attribute)
            if isinstance(names, dict | tuple | list) and ("first_name" in attribute or "last_name" in attribute):
                given = "female" if "female" in attribute else "male" if "male" in attribute else "given"
                role = "family" if "last_name" in attribute else given
                yield from ((role, name) for name in names if isinstance(name, str))
                if module.name.startswith("en_"):
                    yield from ((_ENGLISH, name) for name in names if isinstance(name, str))


def _tokens(name: str) -> Iterator[str]:
    """Runs of letters and their marks, in lower case."""
    token = ""
    for char in f"{name} ":
        if char.isalpha() or (token and is_mark(char)):
            token += fold(char)[0]
        elif token:
            yield token
            token = ""


def _casing_is_regular(token: str) -> bool:
    return all(c.upper() == c or fold(c.upper()) == (c, True) for c in token)


def _role(found: set[str]) -> str:
    genders = found & {"female", "male"}
    role = genders.pop() if len(genders) == 1 else "given" if found & {"female", "male", "given"} else "family"
    return f"{role}-{_ENGLISH}" if _ENGLISH in found else role


if __name__ == "__main__":
    sys.exit(main())
