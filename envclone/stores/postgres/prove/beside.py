"""One relation's rows in the files of both clones, page beside page: servers are asked only for what files cannot tell.

A kept value must be the same bytes at the same address, in a TOAST table too, a masked one what the mask makes. Types
that nothing here reads and bytes that differ though the values may not are the servers' to say, by the column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from envclone.address import Address, items
from envclone.errors import UnsafeError
from envclone.models import FieldKind
from envclone.packed import TextBlock, alike
from envclone.protocols import Look
from envclone.stores.postgres.catalog.read import placed
from envclone.stores.postgres.catalog.tables import Column, Leaf, Table
from envclone.stores.postgres.format import rows as kernels
from envclone.stores.postgres.prove.digest import canonical, server_hash
from envclone.stores.postgres.prove.pages import LARGE, Reader, Rows, Values, reader
from envclone.stores.postgres.prove.pairs import Pair
from envclone.stores.postgres.prove.sides import REST, Prover, columns, searched_as
from envclone.stores.postgres.prove.sides import Rows as Counted

__all__ = ["examine"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connections = Callable[[], tuple[Connection, Connection]]
Ways = frozenset[tuple[int, int]]
"""In what ways rows are stored: numbers of attributes, each with a form in which its values stand (`format.rows`)."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A value of each row: by the attribute at `index` where `how` can read it, else by what the server is asked."""

    index: int
    how: Reader | None
    asked: sql.Composable
    form: Callable[[Any], bytes] | None = None
    """Of two values that are written otherwise, the form in which they are equal; None: they are not."""
    searched: bool = False
    summed: bool = False
    """Whether equal texts have equal sums."""

    def of(self, rows: Rows) -> Values | None:
        """The values, where the files have them."""
        return None if self.how is None or rows.outside(self.index) else rows.values(self.index, self.how)

    def are(self, rows: Rows, values: Sequence[Any]) -> bool:
        """Whether one is large, and the files have these texts: none is copied to be told."""
        return self.how is not None and rows.longest(self.index) > LARGE and rows.are(self.index, self.how, values)


def examine(
    prover: Prover,
    pair: Pair,
    first: int,
    end: int,
    connections: Connections,
    look: Look,
    *,
    twice: Callable[[Ways], bool] = lambda ways: False,
) -> Counted:
    """Compare pages `first` to `end` (of one segment) of a relation; `look` is shown production's rows.

    `twice` is told in what ways the rows of both sides are stored, and says whether the servers read every value as
    well, and have to say the same.
    """
    return _Range(prover, pair, first, end, connections, twice).examine(look)


class _Range:
    def __init__(
        self,
        prover: Prover,
        pair: Pair,
        first: int,
        end: int,
        connections: Connections,
        twice: Callable[[Ways], bool],
    ) -> None:
        self._prover, self._pair, self._first, self._end = prover, pair, first, end
        self._connections = connections
        self._ours, self._theirs = pair.raw.read(first, end), pair.clean.read(first, end)
        self._twice = twice(frozenset(self._ours.ways() | self._theirs.ways()))
        self._numbers = {a.name: i for i, a in enumerate(pair.raw.relation.attributes) if not a.dropped}

    def examine(self, look: Look) -> Counted:
        ours, theirs = self._ours, self._theirs
        done = Counted(len(ours), len(theirs))
        mine = other = np.arange(len(ours))
        aligned = np.array_equal(ours.addresses, theirs.addresses)
        if not aligned:  # what is not the same row is not compared further
            _, mine, other = np.intersect1d(ours.addresses, theirs.addresses, True, return_indices=True)
            done.differ[REST] = max(done.raw, done.clean) - len(mine)
        if not len(ours):
            return done
        unlike = self._unlike_kept(mine, other, aligned)
        if unlike:
            done.differ[REST] = done.differ.get(REST, 0) + unlike
        prover = self._prover
        masked = [self._wanted(column) for column in prover.masked]
        subjects = [self._subject(number) for number in range(len(masked)) if prover.subjects[number]]
        shown = [self._wanted(column, search=True) for column in prover.shown]
        found = self._read(0, ours, [*masked, *subjects, *shown])
        made = prover.made(found[: len(masked)], found[len(masked) : len(masked) + len(subjects)])
        after: list[Sequence[Any]] = list(made)
        for i, stored in enumerate(self._read(1, theirs, masked, made if aligned else ())):
            expected: Sequence[Any] = made[i]
            there: Sequence[Any] = stored
            if not aligned:
                expected, there = [expected[k] for k in mine.tolist()], [there[k] for k in other.tolist()]
            if not alike(expected, there):
                prover.differences(self._connections()[0], i, expected, there, done)
            elif aligned and isinstance(stored, TextBlock):
                after[i] = stored  # the same texts, as bytes
        before = dict(zip([c.name for c in prover.masked], found, strict=False))
        prover.show(
            before,
            dict(zip([c.name for c in prover.shown], found[len(masked) + len(subjects) :], strict=True)),
            {c.name: self._key(c) for c in prover.keys},
            _Places(prover.table, self._pair.leaf, ours),
            after,
            look,
        )
        return done

    def _wanted(self, column: Column, *, search: bool = False) -> _Wanted:
        index = self._numbers[column.name]
        # a composite or hstore value is read as the document that it becomes, which only the server makes
        left = column.composite or column.base.startswith("hstore")
        # arrays of other than texts and numbers are read as one text
        left |= column.base.endswith("[]") and column.kind is not FieldKind.ARRAY
        as_bytes = search and column.type == "bytea"
        how = None if left else reader(self._pair.raw.relation.attributes[index], as_bytes=as_bytes)
        form = canonical(column) if column.kind is FieldKind.JSON else None
        asked = searched_as(column) if search else column.read_as()
        return _Wanted(index, how, asked, form, search, column.kind is not FieldKind.ARRAY)

    def _subject(self, number: int) -> _Wanted:
        asked = self._prover.subjects[number]
        assert asked is not None
        by = items(self._prover.rules[number].by)
        if len(by) > 1:
            return _Wanted(0, None, asked)
        return self._wanted(self._prover.table.columns[Address.parse(by[0]).name])

    def _read(
        self, side: int, rows: Rows, wanted: Sequence[_Wanted], expected: Sequence[Sequence[Any]] = ()
    ) -> list[Values]:
        """The values of columns; of large texts that are what is `expected` no copy is made, they are these."""
        found: list[Values | None] = [
            list(expected[i]) if i < len(expected) and one.are(rows, expected[i]) else one.of(rows)
            for i, one in enumerate(wanted)
        ]
        open_ = [i for i, one in enumerate(found) if one is None or self._twice]
        large = {i for i in open_ if found[i] is not None and self._large(rows, wanted[i])}
        asked = [_summed(wanted[i].asked) if i in large else wanted[i].asked for i in open_]
        for i, values in zip(open_, self._ask(side, rows, asked), strict=True):
            known = found[i]
            if known is None:
                found[i] = list(values)
                continue
            if i in large and _sums(known) != list(values):
                values = self._ask(side, rows, [wanted[i].asked])[0]
            elif i in large:
                continue
            if _alike(known, values, wanted[i].form):
                continue
            if wanted[i].searched:
                found[i] = list(values)  # its bytes are compared as they are
            else:
                raise UnsafeError(
                    f"the server reads other values of {self._pair.raw.relation.name} than its files hold",
                    hint="report this as a bug",
                )
        return [one for one in found if one is not None]

    def _large(self, rows: Rows, one: _Wanted) -> bool:
        """Whether a server is asked for sums, because a value is too large to be sent beside itself."""
        return one.summed and rows.longest(one.index) > LARGE

    def _ask(self, side: int, rows: Rows, expressions: Sequence[sql.Composable]) -> list[Sequence[Any]]:
        """What the server says of these rows, in their order."""
        if not expressions or not len(rows):
            return [[] for _ in expressions]
        conn = self._connections()[side]
        where = sql.SQL("ctid::pg_catalog.text")
        answer = columns(conn, self._pair.leaf, [where, *expressions], self._first, self._end)
        if not answer or list(answer[0]) != rows.places():
            raise UnsafeError(
                f"the server sees other rows of {self._pair.raw.relation.name} than its files hold",
                hint="report this as a bug",
            )
        return answer[1:]

    def _unlike_kept(self, mine: Any, other: Any, aligned: bool) -> int:
        """How many rows have a kept value that is not production's."""
        ours, theirs = self._ours, self._theirs
        a, b = (ours, theirs) if aligned else (ours.only(mine), theirs.only(other))
        sure = np.zeros(len(a), np.bool_)
        open_ = []
        for column in self._prover.kept:
            i = self._numbers[column.name]
            outside = a.outside(i) or b.outside(i)
            # of a large value a server would make several copies to take its sum
            again = self._twice and (outside or max(a.longest(i), b.longest(i)) <= LARGE)
            if again or outside or self._unlike(a, b, i, sure):
                open_.append(column)
            b.release()
        if not open_:
            return 0
        hashed = server_hash(open_, False)
        (one,), (two,) = self._ask(0, ours, [hashed]), self._ask(1, theirs, [hashed])
        if not aligned:
            one, two = [one[k] for k in mine.tolist()], [two[k] for k in other.tolist()]
        return sum(x != y for x, y in zip(one, two, strict=True))

    def _unlike(self, a: Rows, b: Rows, index: int, sure: Any) -> int:
        """How many values of a kept column are not the same bytes, as far as files tell.

        Where the chunks of both are the same ones, equal pointers to them are equal values, and the rest is compared.
        """
        out = a.forms[index] == kernels.EXTERNAL
        if not self._pair.one_toast or not out.any() or not np.array_equal(out, b.forms[index] == kernels.EXTERNAL):
            return int(kernels.unlike(*a.stored(index), *b.stored(index), sure))
        if not np.array_equal(a.pointers(index), b.pointers(index)):
            return int(kernels.unlike(*a.stored(index), *b.stored(index), sure))
        if out.all():
            return 0
        a, b = a.only(~out), b.only(~out)
        return int(kernels.unlike(*a.stored(index), *b.stored(index), np.zeros(len(a), np.bool_)))

    def _key(self, column: Column) -> Sequence[Any]:
        wanted = self._wanted(column)
        if wanted.how is None or self._ours.outside(wanted.index):
            return self._ask(0, self._ours, [wanted.asked])[0]
        return _Each(self._ours, wanted.index, wanted.how)


class _Each(Sequence[Any]):
    """A column of which few values are asked for."""

    def __init__(self, rows: Rows, index: int, how: Reader) -> None:
        self._rows, self._index, self._how = rows, index, how

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: Any) -> Any:
        return self._rows.value(self._index, row, self._how)


class _Places(Sequence[str]):
    """Where rows lie, in words; few are asked for."""

    def __init__(self, table: Table, leaf: Leaf, rows: Rows) -> None:
        self._table, self._leaf, self._rows = table, leaf, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: Any) -> Any:
        return placed(self._table, self._leaf, [self._rows.address(row)])[0]

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))


def _summed(asked: sql.Composable) -> sql.Composable:
    return sql.SQL("pg_catalog.md5({})").format(asked)


def _sums(values: Sequence[Any]) -> list[str | None]:
    """The sums of texts, or bytes, as a server gives them."""
    return [None if value is None else _sum(value) for value in _listed(values)]


def _sum(value: str | bytes) -> str:
    """The sum of one, which is not copied as a whole."""
    state = md5(usedforsecurity=False)
    for first in range(0, len(value), LARGE):
        part = value[first : first + LARGE]
        state.update(part.encode() if isinstance(part, str) else part)
    return state.hexdigest()


def _alike(values: Sequence[Any], others: Sequence[Any], form: Callable[[Any], bytes] | None) -> bool:
    mine = _listed(values)
    if mine == list(others):
        return True
    return form is not None and all(a == b or form(a) == form(b) for a, b in zip(mine, others, strict=True))


def _listed(values: Sequence[Any]) -> list[Any]:
    return values.texts() if isinstance(values, TextBlock) else list(values)
