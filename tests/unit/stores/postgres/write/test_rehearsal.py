"""Blaming columns that cannot be written, without a try for each."""

from __future__ import annotations

from collections.abc import Sequence

from envclone.models import FieldKind
from envclone.stores.postgres.catalog.tables import Column
from envclone.stores.postgres.write.rehearsal import _blamed


def _columns(count: int) -> list[Column]:
    return [Column(f"c{i}", "text", FieldKind.TEXT, True, False, False, False, False, True) for i in range(count)]


def test_the_columns_that_break_alone_are_found_by_halves() -> None:
    tries: list[int] = []

    def broken(columns: Sequence[Column]) -> str:
        tries.append(len(columns))
        return "no" if {"c7", "c900"} & {column.name for column in columns} else ""

    assert _blamed(_columns(1600), "no", broken) == {"c7": "no", "c900": "no"}
    assert len(tries) <= 4 * 11


def test_columns_that_break_together_only_are_blamed_together() -> None:
    def broken(columns: Sequence[Column]) -> str:
        return "both" if len(columns) > 3 else ""

    assert _blamed(_columns(4), "both", broken) == {f"c{i}": "both" for i in range(4)}
