"""A search that can be asked otherwise: what it is, how it is asked, what it gives, and the records behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Asked", "Condition", "Hits", "Record", "Retrieval"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition that a result has to fulfil: as it is written, and the fields that it looks at.

    `policy` is a condition that the store adds for the role, and no query has; `ranks` one on a place in an order.
    """

    text: str
    fields: tuple[str, ...] = ()
    policy: bool = False
    ranks: bool = False


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a step searches, and how.

    `place` is the table or collection; `index` the method of the index in use (`hnsw`, `ivfflat`), '' for an exact
    search; `breadth` what it keeps in sight (`hnsw.ef_search`, `hnsw_ef`) or how many lists it probes; `late` whether
    conditions are looked at behind the index, so that they can leave too few; `bounded` whether such a search goes on,
    and to which bound; `vectors` are the record's other vectors that are as long as the query, `distance` what it is
    compared by (`cosine`, `dot`, `euclid`, `manhattan`; '' for another), `weighted` whether a fusion weighs its parts;
    `sparse` says that only records with a term of the query are compared at all, `examples` are the records that the
    query itself names; `within` is the function that asks it, and `around` what decides there whether a row is given
    on; `why_not` says why the step cannot be asked otherwise.
    """

    step: str
    store: str
    place: str
    limit: int = 0
    offset: int = 0
    key: str = ""
    vector: str = ""
    index: str = ""
    breadth: int = 0
    breadths: tuple[int, ...] = ()
    breadth_name: str = ""
    late: bool = False
    bounded: str = ""
    conditions: tuple[Condition, ...] = ()
    dimensions: int | None = None
    composed: bool = False
    compressed: str = ""
    indexed_only: bool = False
    vectors: tuple[str, ...] = ()
    distance: str = ""
    weighted: bool = False
    within: str = ""
    around: tuple[str, ...] = ()
    sparse: bool = False
    examples: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def last(self) -> int:
        """The last rank that is returned."""
        return self.limit + self.offset


@dataclass(frozen=True, slots=True)
class Asked:
    """How a search is asked otherwise than it was: everything that is not said stays as it was.

    `limit` counts from the first rank; `without` are numbers of conditions that are left out; `only` leaves nothing in
    but these ids, `excluded` leaves one out; `unbounded` lets an index go on for as long as there are results;
    `unindexed` looks at records that no index has yet, too; `unquantized` compares the vectors themselves, where the
    index has compressed ones; `using` compares another vector of the records, `distance` by another distance; `evenly`
    weighs the parts of a fusion alike; `place` looks into the table of the same name in another schema.
    """

    exact: bool = False
    breadth: int | None = None
    limit: int | None = None
    without: frozenset[int] = frozenset()
    only: tuple[str, ...] | None = None
    excluded: str | None = None
    unbounded: bool = False
    unindexed: bool = False
    unquantized: bool = False
    using: str | None = None
    distance: str | None = None
    evenly: bool = False
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search gave: ids as text and scores in order, and `command`, what somebody types to see the same."""

    ids: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    error: str | None = None
    seconds: float = 0.0
    command: str = ""

    def rank(self, ident: str) -> int | None:
        """The rank of an id, from 1; None when it is not there."""
        return self.ids.index(ident) + 1 if ident in self.ids else None


@dataclass(frozen=True, slots=True)
class Record:
    """A row or point: its id as text, its fields but the vector, and the vector, None when it has none."""

    id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    vector: tuple[float, ...] | None = None
