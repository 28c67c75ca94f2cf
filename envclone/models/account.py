"""What the bytes of a store's files are: each byte of each published file belongs to one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["APART", "Accounted", "ByteClass", "Flaw", "Values"]


APART = "\x1f"
"""What stands between the values of several fields in one text."""


class ByteClass(StrEnum):
    """Why a byte is nobody's original."""

    STRUCTURE = "structure"
    """headers, pointers, transaction ids, graph links, numbers of catalogs, vectors under a written rule: parsed"""
    MASKED = "masked"
    """of a value that was compared with the mask of its counterpart in production"""
    KEPT = "kept"
    """of a value that was compared with production's, and searched as a value, under a rule that keeps it"""
    DERIVED = "derived"
    """made by the engine from other values (index entries, statistics, catalogs): decoded and searched as values"""
    ZERO = "zero"
    """a byte that is zero where nothing has to stand"""
    UNDECODED = "not decoded"
    """nothing here reads it: searched as raw bytes"""


@dataclass(frozen=True, slots=True)
class Values:
    """Values to be searched one by one, of one place in words, such as `index public.people_name_idx`.

    A value is text, or the bytes of one in UTF-8; many lie together in a `TextBlock`. `sources` are the addresses of
    the fields that the values come from; they are `copies` when each is one of such a field's values as it stands, and
    made of them otherwise (an element, a word, an expression's result). `at` says where each value stands (`page 3
    item 7`) or is empty. `numbers` are whole numbers in decimal, in which few digits are somebody's by chance only.
    `new` ones nobody looked at before, so that they are read through the decoders too; copies and definitions were,
    where they come from. `stale` says what helps where the values stand that no row has any more; it is empty where
    there are none.

    `kept`: they come from fields that a rule keeps, and can be of rows that are gone, which nobody looked at. They are
    searched like kept values of rows. `together`: each text holds what one entry has of several such fields, with
    `APART` between two; only parts of one person's identity in two of them count.
    """

    place: str
    texts: Sequence[str | bytes | None]
    sources: tuple[str, ...] = ()
    copies: bool = False
    numbers: bool = False
    new: bool = False
    at: Sequence[str] = ()
    stale: str = ""
    kept: bool = False
    together: bool = False


@dataclass(frozen=True, slots=True)
class Flaw:
    """Bytes that no class claims: where, in words, what is wrong with them, and what helps. No value is in it."""

    place: str
    what: str
    remedy: str = "Sanitization does not reach this place: please report it."


@dataclass(frozen=True, slots=True)
class Accounted:
    """A piece of a file: how many bytes of which class it has, and what of it is to be searched.

    `path` is relative to the store's directory. The pieces of a file add up to its size, or it enters no image.
    `undecoded` are stretches (offset in the file, length) that are searched as they are: all bytes counted as such, and
    others that the adapter wants to have searched besides. What one holds decompressed or put together is given as
    `values`. `name` says in words what the file is, such as `index public.people_at_idx (spgist)`; '' for its path.
    """

    path: str
    classes: Mapping[ByteClass, int]
    values: Sequence[Values] = ()
    undecoded: Sequence[tuple[int, int]] = ()
    flaws: Sequence[Flaw] = field(default=())
    name: str = ""
