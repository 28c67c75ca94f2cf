"""What is to be done to one relation's files, as plain values that outlive the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from envclone.models import FieldRule
from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.write.inplace.codecs import Codec

__all__ = ["Column", "LeafWork", "Replacement", "Spilled", "Staging"]


@dataclass(frozen=True, slots=True)
class Column:
    """A masked column whose bytes are decoded, masked and encoded here; `index` counts attributes from 0.

    `subject` is what its rule is by: an attribute's index and its codec.
    """

    index: int
    address: str
    rule: FieldRule
    codec: Codec
    subject: tuple[int, Codec] | None = None


@dataclass(frozen=True, slots=True)
class Staging:
    """A table of the private server with new values: a row's address first, then the attributes `targets`."""

    table: Relation
    toast: Relation | None
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LeafWork:
    """One table or partition: `columns` are masked here, those of `staging` were made by the server.

    `keys` name a row to people: attributes of the primary key that rules keep. `part` is a partition's own name.
    """

    relation: Relation
    toast: Relation | None
    columns: tuple[Column, ...]
    staging: Staging | None = None
    keys: tuple[tuple[int, str, Codec], ...] = ()
    part: str = ""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What becomes of a value that cannot be overwritten where it stands: its bytes in the tuple (None is null).

    `raw` is the plain value when `stored` holds all of it, so that it can be stored in another way.
    """

    stored: bytes | None
    raw: bytes | None = None
    text: object = None


@dataclass(frozen=True, slots=True)
class Spilled:
    """A row whose page cannot hold its new values, by page and line pointer number."""

    block: int
    number: int
    values: Mapping[int, Replacement] = field(default_factory=dict)
