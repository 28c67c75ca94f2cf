"""Addresses of what stands in a store, as people write them: names with dots between them, quoted where need be.

`public.orders.total`, `"Sales.EU"."Order Items"."e.mail"`: in double quotes a name may hold anything, and a double
quote in it is doubled, as in SQL. An address is written in one way, so that its text can be a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Address", "Piece", "items", "joined", "pieces", "written"]

_PLAIN = re.compile(r"""[^\s.,"'*\[\]{}()<>=\\]+""")
_QUOTED = re.compile(r'"((?:[^"]|"")+)"((?:\[\*?\])*)(?=\.|$)', re.DOTALL)


class Piece(NamedTuple):
    """A part of a written address or of a rule's pattern.

    In a `quoted` one every character stands for itself; `lists` are the `[]` and `[*]` behind its quotes.
    """

    text: str
    quoted: bool = False
    lists: str = ""


class Address(NamedTuple):
    """The names that lead to a table, a column, a collection or a key of one, outermost first."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return written(self.parts)

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that is written so; an unquoted dot always parts names.

        >>> Address.parse('public.orders."e.mail"').parts
        ('public', 'orders', 'e.mail')
        """
        return cls(tuple(piece.text + piece.lists for piece in pieces(text)))

    @property
    def name(self) -> str:
        """The innermost name: of a column, that alone."""
        return self.parts[-1]

    @property
    def holder(self) -> str:
        """The address of what holds it, as it is written; '' for a name alone."""
        return written(self.parts[:-1])


def written(parts: Iterable[str]) -> str:
    """The address of these names; a name that could be read otherwise is quoted.

    >>> written(["public", "orders", "e.mail"])
    'public.orders."e.mail"'
    """
    return ".".join(part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in parts)


def joined(holder: str, name: str) -> str:
    """The address of a name in what has the address `holder`."""
    return f"{holder}.{written([name])}" if holder else written([name])


def items(text: str) -> list[str]:
    """The addresses in a list with commas between them; a comma in quotes is none.

    >>> items('a.b, a."last, first"')
    ['a.b', 'a."last, first"']
    """
    found = [part.strip() for part in re.findall(r'(?:"(?:[^"]|"")*"|[^,])+', text)]
    return [part for part in found if part]


@lru_cache(maxsize=65536)
def pieces(text: str) -> tuple[Piece, ...]:
    """The parts of a written address; what is not wholly in quotes stands for itself up to the next dot."""
    return tuple(_pieces(text))


def _pieces(text: str) -> Iterator[Piece]:
    place = 0
    while True:
        quoted = _QUOTED.match(text, place)
        if quoted:
            yield Piece(quoted[1].replace('""', '"'), True, quoted[2])
            end = quoted.end()
        else:
            end = text.find(".", place)
            end = len(text) if end < 0 else end
            yield Piece(text[place:end])
        if end >= len(text):
            return
        place = end + 1
