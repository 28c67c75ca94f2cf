"""Makes the dictionary of names that ships with the package, from Faker's: `python -m envclone.masking.names_build`.

The dictionary is a file of its own, so that another version of Faker does not change pseudonyms.
"""

from __future__ import annotations

import pkgutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from unicodedata import normalize

from envclone.masking.letters import fold, is_mark
from envclone.masking.names import DICTIONARY

__all__ = ["build", "main"]

_SHORTEST = 2
_ENGLISH = "english"
"""Names in use where English is spoken are apart: a text about Jane is no text about Ngoc."""


def build() -> str:
    """A line per role (`female`, `male`, `given`, `family`, and each of them `-english`) with its names."""
    roles: dict[str, set[str]] = defaultdict(set)
    for role, name in _faker():
        for token in _tokens(normalize("NFC", name)):
            if len(token) >= _SHORTEST and _casing_is_regular(token):
                roles[token].add(role)
    by_role: dict[str, list[str]] = defaultdict(list)
    for token, found in roles.items():
        by_role[_role(found)].append(token)
    return "".join(f"{role} {' '.join(sorted(by_role[role]))}\n" for role in sorted(by_role))


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
