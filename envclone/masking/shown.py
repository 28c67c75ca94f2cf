"""How a value, a JSON key or a path is shown to people: its shape, never what it says.

Names of tables, columns and collections are the schema's own. A JSON key is data: it can be an e-mail address or a
person. One is shown as it stands only when it is a word that schemas use, or when so many documents have it that it is
no single person's, and it is spelled like a word and is not a name of the dictionary.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from envclone.address import Address
from envclone.errors import ConfigError
from envclone.masking.jsonpaths import parse_path
from envclone.masking.jsonscan import Path, render
from envclone.masking.keywords import KEY_WORDS
from envclone.masking.outline import shape

__all__ = ["KeyCounter", "foreign", "general", "is_plain", "shown_address", "shown_path"]

_FEWEST, _PART = 3, 0.2
_MOST_DOCUMENTS = 5000
_SPELLED = re.compile(r"[A-Za-z_$][A-Za-z_$-]{0,39}")
_ANY_SPELLED = re.compile(r"[A-Za-z_$][\w$ -]{0,39}", re.ASCII)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def is_plain(key: str, common: Collection[str] | None = None) -> bool:
    """Whether a key can be shown: `common` are those that many documents have, None when that was not counted."""
    if key in ("*", "**"):
        return True
    if not _ANY_SPELLED.fullmatch(key):
        return False
    parts = [part.lower() for part in _PARTS.findall(key)]
    if parts and all(part in KEY_WORDS for part in parts) and len(re.findall(r"\d", key)) <= 2:
        return True
    if not _SPELLED.fullmatch(key) or (common is not None and key not in common and not _of_a_schema(parts)):
        return False
    from envclone.masking.names import is_name

    whole = re.sub(r"[^a-z]", "", key.lower())
    return bool(parts) and not any(is_name(part) and part not in KEY_WORDS for part in (*parts, whole))


def _of_a_schema(parts: Sequence[str]) -> bool:
    """Whether a key of several words ends in one that schemas use, behind everyday ones: `guest_emails`."""
    from envclone.masking.common_words import is_common

    return len(parts) > 1 and parts[-1] in KEY_WORDS and all(part in KEY_WORDS or is_common(part) for part in parts)


def shown_path(path: str, common: Collection[str] | None = None) -> str:
    """A JSON path with the shape of each key that may be somebody's: `$.shares['xx#@xxxx.xxxxxxx']`."""
    steps = _steps(path)
    if steps is None:
        return shape(path) or "a path"
    return _written(tuple(_shown(step, common) for step in steps))


def shown_address(address: str) -> str:
    """A rule's address as the stack file spells it, with the shape of each part that may be somebody's."""
    parts = list(Address.parse(address).parts)
    for i, part in enumerate(parts):
        if not (_ADDRESS_PART.fullmatch(part) and _unnamed(part)):
            return ".".join([*parts[:i], *(shape(rest) or "?" for rest in parts[i:])])
    return address


def general(path: str, common: Collection[str] | None = None) -> str:
    """A path that covers this one and names no key that may be somebody's: `$.shares.*`."""
    steps = _steps(path)
    if steps is None:
        return "$.**"
    return _written(tuple(".*" if step[:1] == "." and not is_plain(step[1:], common) else step for step in steps))


def foreign(text: str, limit: int = 300) -> str:
    """The first line of another program's message, with the shape of all that it quotes and of long numbers."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = _QUOTED.sub(lambda found: f"{found[1]}{shape(found[2]) or '…'}{found[3]}", line)
    return _TELLING.sub(lambda found: shape(found[0]), line)[:limit]


_QUOTED = re.compile(r"""([`"'(\[{])([^`"'()\[\]{}]+)([`"')\]}])""")
_TELLING = re.compile(r"[^\s`\"']+@[^\s`\"']+|\+?\d[\d .-]{4,}\d")


class KeyCounter:
    """Which keys so many documents have that they belong to the schema; the first few thousand documents count."""

    def __init__(self) -> None:
        self._documents = 0
        self._seen: Counter[Path] = Counter()

    def add(self, paths: Iterable[Path]) -> None:
        """Count one document by the ways to its leaves."""
        if self._documents >= _MOST_DOCUMENTS:
            return
        self._documents += 1
        self._seen.update({path[:length] for path in paths for length in range(len(path) + 1)})

    def common(self) -> frozenset[str]:
        """The keys that, wherever they stand, a good part of the documents with their holder have."""
        ratio: dict[str, bool] = {}
        for path, count in self._seen.items():
            if path and path[-1].startswith("."):
                often = count >= _FEWEST and count >= _PART * self._seen[path[:-1]]
                ratio[path[-1][1:]] = ratio.get(path[-1][1:], True) and often
        return frozenset(key for key, often in ratio.items() if often)


_ADDRESS_PART = re.compile(r"[\w*$\[\]-]{1,63}", re.ASCII)


def _unnamed(part: str) -> bool:
    """Whether no name of the dictionary stands in a part of an address, and few digits."""
    from envclone.masking.names import is_name

    words = [word.lower() for word in _PARTS.findall(part)]
    return not any(is_name(word) and word not in KEY_WORDS for word in words) and len(re.findall(r"\d", part)) <= 4


def _written(steps: Path) -> str:
    """A path with `*` and `**` in it as rules write it."""
    wild = {".*": ".*", "**": ".**", "~": "~"}
    return "$" + "".join(wild.get(step) or render((step,))[1:] for step in steps)


def _steps(path: str) -> Path | None:
    try:
        return parse_path(path)
    except ConfigError:
        return None


def _shown(step: str, common: Collection[str] | None) -> str:
    if not step.startswith(".") or is_plain(step[1:], common):
        return step
    return "." + (shape(step[1:]) or "?")
