"""What a store holds, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = [
    "Change",
    "Cleaned",
    "Compared",
    "Field",
    "FieldKind",
    "FieldRule",
    "Held",
    "Integrity",
    "Inventory",
    "JsonRule",
    "Probe",
    "Questions",
    "RewriteReport",
    "Rows",
    "RowsDigest",
    "StorePlan",
    "Unanswered",
]


class FieldKind(StrEnum):
    """How the values of a field are read and written."""

    TEXT = "text"
    """str"""
    ARRAY = "array"
    """(nested) list of str, each an element as the engine prints it"""
    JSON = "json"
    """the JSON document's text, exactly as stored or as the engine prints it; composite values as such a document"""
    VECTOR = "vector"
    """an embedding; never read by a mask"""
    OTHER = "other"
    """numbers, dates, uuids, booleans, bytes, …: read and written as the engine's text of them"""


class Held(NamedTuple):
    """What stands at a path inside a field ('' is the field itself) and is kept only when a rule says so by name.

    `what` is `vectors` (embeddings), `words` (of a text search) or `ids` (of a collection's points).
    """

    path: str
    what: str


@dataclass(frozen=True, slots=True)
class Field:
    """One place of a store that may hold a person's data: a table's column, a collection's payload or its vectors.

    `address` is `schema.table.column`, or `collection` for a payload and `collection.vectors[.name]` for vectors.
    `base` is the engine's name of the type below domains and modifiers (`int4`, `uuid`, `inet[]`), '' where unknown.
    `paths` are the scalar leaves seen in a JSON field, such as `$.contacts[*].phone`.
    `group` holds the addresses of all fields that must keep equal values (a foreign key's ends, transitively), `proven`
    those of them whose values are this field's by a key that the engine enforces for every row.
    `holds` is what a pattern with `*` does not keep: it wants a rule of its own name.
    `common` are the keys of a JSON field that so many documents have that they are the schema's; others are not shown.
    `opaque` fields can hold texts that nothing here can look into: arrays of rows, label trees, types of extensions.
    A materialized view's column `shows` the field of this address, or is `computed` of no or several columns.
    `partitioning` fields are a part of a partition key: which table a row lies in hangs on their values.
    """

    address: str
    type: str
    kind: FieldKind
    nullable: bool = True
    unique: bool = False
    generated: bool = False
    paths: tuple[str, ...] = ()
    group: frozenset[str] = frozenset()
    proven: frozenset[str] = frozenset()
    base: str = ""
    holds: tuple[Held, ...] = ()
    common: frozenset[str] = frozenset()
    opaque: bool = False
    shows: str = ""
    computed: bool = False
    partitioning: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every field of one store; `rows` counts rows or points per table or collection."""

    store: str
    fields: Mapping[str, Field]
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JsonRule:
    """What becomes of the leaves of a JSON document that match a path; `shown` is the path for people, when it differs.

    A key of a document can be a person: messages and the attestation show its shape instead.
    """

    path: str
    domain: str
    shown: str = field(default="", compare=False)

    @property
    def public(self) -> str:
        """The path as it may be shown."""
        return self.shown or self.path


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What becomes of one field: a domain's name, or for a JSON field a domain per path.

    The domains `keep` (unchanged), `null` and `redact` are always there. `by` is the address of the field of the same
    row whose value decides with this field's own (the subject of a date's shift). `derived` fields are made again by
    the store from others that are masked: no mask writes them. `partitioning` ones no mask can write.
    """

    address: str
    kind: FieldKind
    domain: str
    json: tuple[JsonRule, ...] = ()
    base: str = ""
    by: str = ""
    derived: bool = False
    partitioning: bool = False

    @property
    def masked(self) -> bool:
        """Whether any value of this field changes."""
        return self.domain != "keep" or any(rule.domain != "keep" for rule in self.json)


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What becomes of every field of one store; each field of the inventory has a rule.

    `method` is how values are written: `in-place` in the files wherever that is known, or `sql`. `presets` are the
    presets that rules come from, by address.
    """

    store: str
    rules: Mapping[str, FieldRule]
    method: str = "in-place"
    presets: Mapping[str, str] = field(default_factory=dict)

    @property
    def masked(self) -> Mapping[str, FieldRule]:
        """The rules that change something."""
        return {address: rule for address, rule in self.rules.items() if rule.masked}


@dataclass(frozen=True, slots=True)
class RewriteReport:
    """What a sanitizer wrote: rows and values per field, how it wrote them, and how long it took (s).

    `placed` are the tables or collections whose every record is at the address it had in production; `moved` counts the
    records of others that are not. Of `pages` that were read `pages_written` changed, and of these `pages_shared` are
    what an earlier image has there, and share its blocks. `checks` is what the engine's own checker looked at.
    """

    method: str
    rows: Mapping[str, int]
    values: Mapping[str, int]
    seconds: float
    placed: tuple[str, ...] = ()
    moved: Mapping[str, int] = field(default_factory=dict)
    pages: int = 0
    pages_written: int = 0
    pages_shared: int = 0
    checks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to a vector index: what is nearest to `query` (the engine's text, numbers) in `table`."""

    index: str
    table: str
    query: Any


@dataclass(frozen=True, slots=True)
class Questions:
    """What one vector index is asked; `unasked` says why it cannot be, `empty` why there is nothing to ask it.

    `reads` are the fields that decide which rows it holds, and what of them.
    """

    index: str
    probes: Sequence[Probe] = ()
    unasked: str = ""
    empty: str = ""
    reads: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why a vector index could not be asked a question, without anybody's value."""

    why: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of one table or collection: per field a value for each row, None where there is none.

    `fields` and `keys` (the columns of the primary key) are by address; `places` says where each row lies, such as
    `ctid (0,1)`.
    """

    table: str
    fields: Mapping[str, Sequence[Any]]
    keys: Mapping[str, Sequence[Any]]
    places: Sequence[str]


@dataclass(frozen=True, slots=True)
class RowsDigest:
    """An order-independent digest of a table's rows, or a collection's points.

    `total` is the sum modulo 2**128 of a keyless 128-bit hash of each whole row (every column, masked or not);
    `fields` is the same per field, so that a difference can be named.
    """

    rows: int
    total: int
    fields: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Compared:
    """How many rows each table or collection of a clone has, and what in them is not production's under the masks."""

    rows: Mapping[str, int]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the constraints say of a store: orphaned references, broken unique constraints, anything else."""

    foreign_keys: int
    orphans: int
    unique_indexes: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One thing that was neutralized or erased, for the attestation: what, how many, and where."""

    what: str
    count: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting whose value in the branch differs from production's, and why."""

    name: str
    production: str | None
    branch: str | None
    reason: str
