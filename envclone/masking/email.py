"""The mask of e-mail addresses: the tokens of the local part and of the domain, as names are masked.

The last label of a domain is kept, and so is a second level under which countries register (co.uk, com.au), so that a
pseudonym looks like an address of the same kind. Case, dots, quotes and '+' stay where they are. Text around an
address, and text that is none, is masked as names are. A label that is not kept never turns into one that would be:
the mask is a bijection.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from envclone.masking.memo import Memo
from envclone.masking.tokens import NameTokens
from envclone.masking.walk import walk

__all__ = ["EmailMask"]

_HOST = re.compile(r"@([^\s@<>,;:\"()\[\]]*)")
_SECOND_LEVELS = frozenset(("ac", "co", "com", "edu", "gob", "gov", "net", "org"))
_COUNTRY = 2


class EmailMask:
    """Addresses, alone or several or with names around them: `Jane Doe <jane.doe@corp.co.uk>`."""

    def __init__(self, names: NameTokens) -> None:
        self._names = names
        self._before_host: Callable[[str], str] = names.text
        self.mask = Memo(self._address, batch=lambda: names.batches.emails)
        self.packed = self.mask.packed

    def _address(self, value: str) -> str:
        out = []
        position = 0
        for match in _HOST.finditer(value):
            out += [self._before_host(value[position : match.start()]), "@", self._host(match[1])]
            position = match.end()
        out.append(self._before_host(value[position:]))
        return "".join(out)

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
        """The first image of a label, under its mask again and again, that is not a kept second level."""
        return walk(label, self._names.text, lambda text: text.lower() not in _SECOND_LEVELS)


def _maskable(char: str) -> bool:
    return char.isalpha() or char.isdecimal()


def _has_maskable(text: str) -> bool:
    return any(map(_maskable, text))
