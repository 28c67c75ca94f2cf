"""The mask of e-mail addresses: the tokens of the local part and of the domain, as names are masked.

The last label of a domain is kept, and so is a second level under which countries register (co.uk, com.au), so that a
pseudonym looks like an address of the same kind. Case, dots, quotes and '+' stay where they are. Text around an
address, and text that is none, is masked as names are. A label that is not kept never turns into one that would be:
the mask is a bijection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from envclone.errors import EnvcloneError
from envclone.masking.tokens import MEMO, NameTokens

__all__ = ["EmailMask"]

_HOST = re.compile(r"@([^\s@<>,;:\"()\[\]]*)")
_SECOND_LEVELS = frozenset(("ac", "co", "com", "edu", "gob", "gov", "net", "org"))
_COUNTRY = 2
_WALK = 10_000


class EmailMask:
    """Addresses, alone or several or with names around them: `Jane Doe <jane.doe@corp.co.uk>`."""

    def __init__(self, names: NameTokens) -> None:
        self._names = names
        self._known: dict[str, str] = {}

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order."""
        return [self._known.get(value) or self._address(value) for value in values]

    def _address(self, value: str) -> str:
        out = []
        position = 0
        for match in _HOST.finditer(value):
            out += [self._names.text(value[position : match.start()]), "@", self._host(match[1])]
            position = match.end()
        out.append(self._names.text(value[position:]))
        masked = "".join(out)
        if len(self._known) >= MEMO:
            self._known.clear()
        self._known[value] = masked
        return masked

    def _host(self, host: str) -> str:
        end = len(host)
        while end and not _maskable(host[end - 1]):
            end -= 1
        labels, tail = host[:end].split("."), host[end:]
        top = labels[-1]
        if len(labels) < 2 or len(top) < 2 or not top.isalpha() or not _has_maskable(labels[-2]):
            return ".".join(map(self._names.text, labels)) + tail
        second = labels[-2].lower()
        if len(labels) > 2 and len(top) == _COUNTRY and _has_maskable(labels[-3]):
            if second in _SECOND_LEVELS:
                return ".".join([*map(self._names.text, labels[:-2]), *labels[-2:]]) + tail
            return ".".join([*map(self._names.text, labels[:-2]), self._unlike(labels[-2]), top]) + tail
        return ".".join([*map(self._names.text, labels[:-1]), top]) + tail

    def _unlike(self, label: str) -> str:
        """The first image of a label, under its mask again and again, that is no kept second level."""
        for _ in range(_WALK):
            label = self._names.text(label)
            if label.lower() not in _SECOND_LEVELS:
                return label
        raise EnvcloneError("a domain's label cannot be masked", hint="report this as a bug")


def _maskable(char: str) -> bool:
    return char.isalpha() or char.isdecimal()


def _has_maskable(text: str) -> bool:
    return any(map(_maskable, text))
