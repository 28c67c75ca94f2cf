"""One table's rows in production and in the clone, a range of pages at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from typing import Any

import psycopg
from psycopg import sql

from envclone.models import Rows as ShownRows
from envclone.models import StorePlan
from envclone.packed import pairs
from envclone.protocols import Look, Masks
from envclone.stores.postgres.catalog.read import placed, shown_as
from envclone.stores.postgres.catalog.tables import Column, Leaf, Table
from envclone.stores.postgres.prove.digest import as_shown, canonical, server_hash

__all__ = ["REST", "Prover", "Rows", "Sides", "columns", "searched_as"]

Connection = psycopg.Connection[tuple[Any, ...]]

_MODULUS = 1 << 128
REST = ""
"""What differs beside the masked fields: a kept column, or where a row lies."""


class Sides(Enum):
    """Which of the two clones a range is read in."""

    BOTH = "both"
    RAW = "raw"
    CLEAN = "clean"


@dataclass(slots=True)
class Rows:
    """Rows seen in production and in the clone, how many differ by field, and sums of keyed hashes by field.

    A sum is production's under the masks less the clone's, modulo 2**128.
    """

    raw: int = 0
    clean: int = 0
    differ: dict[str, int] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)

    def add(self, other: Rows) -> None:
        """Take in what another range had."""
        self.raw += other.raw
        self.clean += other.clean
        for name, count in other.differ.items():
            self.differ[name] = self.differ.get(name, 0) + count
        for name, value in other.sums.items():
            self.sums[name] = (self.sums.get(name, 0) + value) % _MODULUS


class Prover:
    """Compares one table: `masked` columns are what the masks make, `kept` ones are equal, `shown` ones are
    looked at, `keys` are those of the primary key.

    `key` (32 bytes) is of the hashes of rows that may lie anywhere.
    """

    def __init__(
        self,
        table: Table,
        masked: Sequence[Column],
        kept: Sequence[Column],
        shown: Sequence[Column],
        keys: Sequence[Column],
        plan: StorePlan,
        masks: Masks,
        placed: bool,
        key: bytes,
    ) -> None:
        self.table, self.masked, self.kept, self.shown, self.keys = table, masked, kept, shown, keys
        self._placed, self._key, self._masks = placed, key, masks
        self._addresses = [table.at(c.name) for c in masked]
        self.rules = [plan.rules[address] for address in self._addresses]
        self.subjects = [table.subject(rule) for rule in self.rules]
        self._canonical = [canonical(column) for column in masked]
        self._clean_side = [server_hash(kept, placed), *(c.read_as() for c in masked)]
        self._raw_side = [*self._clean_side, *(s for s in self.subjects if s), *(searched_as(c) for c in shown)]
        self._raw_side += [*(c.read_as() for c in keys), sql.SQL("ctid::pg_catalog.text")]
        self._fields = [masks.field(rule) for rule in self.rules]

    @property
    def separable(self) -> bool:
        """Whether a copy of this process can compute the masks."""
        return all(self._masks.separable(rule) for rule in self.rules)

    def examine(
        self, raw: Connection, clean: Connection, leaf: Leaf, first: int, end: int | None, sides: Sides, look: Look
    ) -> Rows:
        """Compare a range of pages on both sides, or take the sums of one."""
        done = Rows()
        ours = columns(raw, leaf, self._raw_side, first, end) if sides is not Sides.CLEAN else []
        theirs = columns(clean, leaf, self._clean_side, first, end) if sides is not Sides.RAW else []
        done.raw, done.clean = len(ours[0]) if ours else 0, len(theirs[0]) if theirs else 0
        width = 1 + len(self.masked)
        made = self.made(ours[1:width], ours[width:]) if done.raw else []
        if sides is Sides.BOTH:
            if done.raw != done.clean:  # rows that moved to other pages, when the whole table has as many
                done.differ[REST] = abs(done.raw - done.clean)
            elif done.raw:
                self._side_by_side(raw, ours, theirs, made, done)
        elif done.raw:
            self._sum(ours[0], self._as_shown(raw, made), 1, done)
        elif done.clean:
            self._sum(theirs[0], theirs[1:], -1, done)
        if done.raw:
            self._show(leaf, ours, made, look)
        return done

    def problems(self, seen: Rows) -> list[str]:
        """What is wrong with the table, in words; no value is in them."""
        address = self.table.address
        if seen.raw != seen.clean:
            return [f"{address} has {seen.clean} rows, production has {seen.raw}"]
        wrong = {name for counted in (seen.differ, seen.sums) for name, value in counted.items() if value}
        if not wrong:
            return []
        fields = sorted(wrong - {REST})
        if REST in wrong and not (fields and seen.sums):
            fields.append(f"a field of {address} that no rule masks, or where a row lies,")
        where = ", ".join(fields)
        return [f"{where} is not what the masks make of production's values"]

    def made(self, values: Sequence[Sequence[Any]], subjects: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """What the masks make of the masked columns' `values`; `subjects` are those of the rules that have one."""
        by = iter(subjects)
        made = []
        for i, mask in enumerate(self._fields):
            made.append(mask(pairs(values[i], next(by)) if self.subjects[i] else values[i]))
        return made

    def _as_shown(self, conn: Connection, made: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        shown = [as_shown(conn, column) for column in self.masked]
        return [values if show is None else show(values) for values, show in zip(made, shown, strict=True)]

    def _side_by_side(
        self,
        conn: Connection,
        ours: Sequence[Sequence[Any]],
        theirs: Sequence[Sequence[Any]],
        made: Sequence[Sequence[Any]],
        done: Rows,
    ) -> None:
        if ours[0] != theirs[0]:  # what is not the same row is not compared further
            places = {value: i for i, value in enumerate(theirs[0])}
            pairs = [(i, places[value]) for i, value in enumerate(ours[0]) if value in places]
            done.differ[REST] = len(ours[0]) - len(pairs)
            made = [[values[i] for i, _ in pairs] for values in made]
            theirs = [[values[j] for _, j in pairs] for values in theirs]
        for i in range(len(self._addresses)):
            self.differences(conn, i, made[i], theirs[1 + i], done)

    def differences(
        self, conn: Connection, number: int, expected: Sequence[Any], stored: Sequence[Any], done: Rows
    ) -> None:
        """Count the values of a masked column that are not what is expected."""
        wrong = [k for k, (a, b) in enumerate(zip(expected, stored, strict=True)) if a != b]
        if wrong:
            unlike = self._unlike(conn, number, [expected[k] for k in wrong], [stored[k] for k in wrong])
            done.differ[self._addresses[number]] = unlike

    def _unlike(self, conn: Connection, number: int, expected: Sequence[Any], stored: Sequence[Any]) -> int:
        """How many values mean something else than those that are stored, when the server shows them in its own way."""
        show, form = as_shown(conn, self.masked[number]), self._canonical[number]
        shown = expected if show is None else show(expected)
        return sum(form(a) != form(b) for a, b in zip(shown, stored, strict=True))

    def _sum(self, rest: Sequence[str], masked: Sequence[Sequence[Any]], sign: int, done: Rows) -> None:
        key, from_bytes = self._key, int.from_bytes
        parts: list[Sequence[bytes]] = [[value.encode() for value in rest]]
        for address, form, values in zip(self._addresses, self._canonical, masked, strict=True):
            salt = address.encode() + b"\0"
            hashes = [blake2b(salt + form(value), digest_size=16, key=key).digest() for value in values]
            done.sums[address] = sign * sum(from_bytes(h, "big") for h in hashes) % _MODULUS
            parts.append(hashes)
        rows = zip(*parts, strict=True)
        whole = (blake2b(b"".join(row), digest_size=16, key=key, person=b"row").digest() for row in rows)
        done.sums[REST] = sign * sum(from_bytes(h, "big") for h in whole) % _MODULUS

    def _show(self, leaf: Leaf, ours: Sequence[Sequence[Any]], made: Sequence[Sequence[Any]], look: Look) -> None:
        shown, keys = len(self.shown), len(self.keys)
        first = len(ours) - shown - keys - 1
        self.show(
            dict(zip([c.name for c in self.masked], ours[1:], strict=False)),
            dict(zip([c.name for c in self.shown], ours[first : first + shown], strict=True)),
            dict(zip([c.name for c in self.keys], ours[first + shown : -1], strict=True)),
            placed(self.table, leaf, ours[-1]),
            made,
            look,
        )

    def show(
        self,
        before: Mapping[str, Sequence[Any]],
        kept: Mapping[str, Sequence[Any]],
        keys: Mapping[str, Sequence[Any]],
        places: Sequence[str],
        made: Sequence[Sequence[Any]],
        look: Look,
    ) -> None:
        """Hand on whole rows: by column what was masked (`before`) and what the masks `made`, what is kept, and keys.

        What is masked by another column's value has no place among them, and is handed on by itself.
        """
        alone = [i for i, subject in enumerate(self.subjects) if not subject]
        fields = {self._addresses[i]: before[self.masked[i].name] for i in alone}
        fields |= {self.table.at(name): values for name, values in kept.items()}
        named = {self.table.at(name): values for name, values in keys.items()}
        look.rows(ShownRows(self.table.address, fields, named, places), {self._addresses[i]: made[i] for i in alone})
        for address, subject, values in zip(self._addresses, self.subjects, made, strict=True):
            if subject:
                look.by_others(address, values)


def searched_as(column: Column) -> sql.Composable:
    """How a column is read to be searched: bytes as bytes, not as their digits."""
    return sql.Identifier(column.name) if column.type == "bytea" else shown_as(column)


def columns(
    conn: Connection, leaf: Leaf, expressions: Sequence[sql.Composable], first: int, end: int | None
) -> list[Sequence[Any]]:
    """The expressions' values in pages `first` to `end`, by address, a list for each; no list when there is no row."""
    query = sql.SQL("SELECT {} FROM ONLY {} WHERE ctid OPERATOR(pg_catalog.>=) {}::pg_catalog.tid").format(
        sql.SQL(", ").join(expressions), leaf.identifier, sql.Literal(f"({first},0)")
    )
    if end is not None:
        query += sql.SQL(" AND ctid OPERATOR(pg_catalog.<) {}::pg_catalog.tid").format(sql.Literal(f"({end},0)"))
    rows = conn.execute(query, binary=True).fetchall()
    return [list(column) for column in zip(*rows, strict=True)] if rows else []
