"""Pseudonyms of a table's columns beside the addresses of their rows, in a temporary table of the private server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import EnvcloneError
from envclone.models import FieldRule, ProgressEvent
from envclone.protocols import FieldMask, Masks, Progress
from envclone.refused import refused
from envclone.stores.postgres.catalog.read import placed, stream_leaf
from envclone.stores.postgres.catalog.tables import Column, Leaf, Table

__all__ = ["STAGING", "MaskedColumn", "fill", "joined", "staged_name"]

Connection = psycopg.Connection[tuple[Any, ...]]

_NAME = "envclone_staging"

STAGING = sql.Identifier("pg_temp", _NAME)
"""The temporary table: `tid`, then a column per masked one, named by `staged_name`."""


class MaskedColumn:
    """One column on its way: its rule, its mask, and what was counted; `subject` is what its rule is by, as SQL."""

    def __init__(self, table: Table, column: Column, rule: FieldRule, masks: Masks) -> None:
        self.column = column
        self.rule = rule
        self.subject = table.subject(rule)
        self.mask: FieldMask = masks.field(rule)
        self.rows = 0
        self.changed = 0

    def apply(self, values: Sequence[Any], subjects: Sequence[Any] | None) -> list[Any]:
        """The pseudonyms of one batch; every value counts as a row, a changed one as a value."""
        masked = list(self.mask(values if subjects is None else list(zip(values, subjects, strict=True))))
        if len(masked) != len(values):
            raise EnvcloneError(f"the mask of {self.rule.address} returned {len(masked)} values for {len(values)}")
        self.rows += sum(value is not None for value in values)
        self.changed += sum(a != b for a, b in zip(values, masked, strict=True))
        return masked


def fill(
    reader: Connection,
    writer: Connection,
    table: Table,
    leaf: Leaf,
    fields: Sequence[MaskedColumn],
    progress: Progress,
    *,
    whole: bool = False,
) -> int:
    """Make STAGING in the writer's transaction, and fill it with the rows that change (`whole`: with all of them).

    Returns how many rows it has. They come in the order in which the relation is read.
    """
    columns = [field.column for field in fields]
    definitions: list[sql.Composable] = [sql.SQL("tid pg_catalog.tid")]
    definitions += [sql.SQL("{} {}").format(staged_name(i), c.staged_as) for i, c in enumerate(columns)]
    writer.execute(sql.SQL("CREATE TEMPORARY TABLE {} ({})").format(sql.Identifier(_NAME), joined(definitions)))
    done = staged = 0
    subjects = [field.subject for field in fields if field.subject]
    expressions = [sql.SQL("ctid::pg_catalog.text"), *(column.read_as() for column in columns), *subjects]
    copy_into = sql.SQL("COPY {} FROM STDIN").format(STAGING)
    with writer.cursor() as cursor, cursor.copy(copy_into) as copy:
        for batch in stream_leaf(reader, leaf, expressions):
            tids, *read = zip(*batch, strict=True)
            old, by = read[: len(fields)], iter(read[len(fields) :])
            new = [
                _applied(field, values, next(by) if field.subject else None, table, leaf, tids)
                for field, values in zip(fields, old, strict=True)
            ]
            for tid, before, after in zip(tids, zip(*old, strict=True), zip(*new, strict=True), strict=True):
                if whole or before != after:
                    copy.write_row((tid, *after))
                    staged += 1
            done += len(batch)
            progress(ProgressEvent(table.address, done, None, "rows"))
    return staged


def _applied(
    field: MaskedColumn,
    values: Sequence[Any],
    subjects: Sequence[Any] | None,
    table: Table,
    leaf: Leaf,
    tids: Sequence[str],
) -> list[Any]:
    """The pseudonyms of one batch. Raises what the mask raises, said of the row."""
    try:
        return field.apply(values, subjects)
    except EnvcloneError as exc:
        given = values if subjects is None else list(zip(values, subjects, strict=True))
        places = placed(table, leaf, tids)
        raise refused(exc, field.rule.address, field.mask, given, lambda k: places[k]) from None


def staged_name(index: int) -> sql.Identifier:
    """The name of a column of STAGING."""
    return sql.Identifier(f"c{index}")


def joined(parts: Sequence[sql.Composable]) -> sql.Composed:
    """The parts with commas between them."""
    return sql.SQL(", ").join(parts)
