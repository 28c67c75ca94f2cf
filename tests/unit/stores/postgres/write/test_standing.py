"""Vector indexes that read a masked column stay production's only where their entries are what they were."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from envclone.models import FieldKind, FieldRule, JsonRule, StorePlan
from envclone.stores.postgres.catalog.dependents import Index
from envclone.stores.postgres.catalog.tables import Leaf
from envclone.stores.postgres.write import standing


class _Rows:
    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def fetchall(self) -> list[Any]:
        return self.rows

    def fetchone(self) -> Any:
        return self.rows[0] if self.rows else None


class _Answers:
    """A connection that answers what it is given, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def execute(self, query: Any, _: Any = None) -> _Rows:
        self.asked.append(query.as_string(None) if hasattr(query, "as_string") else query)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return _Rows(answer)


class _Table:
    def at(self, name: str) -> str:
        return f"public.t.{name}"


PLAN = StorePlan(
    "main",
    {
        "public.t.mail": FieldRule("public.t.mail", FieldKind.TEXT, "email"),
        "public.t.doc": FieldRule(
            "public.t.doc", FieldKind.JSON, "keep", (JsonRule("$.who", "person"), JsonRule("$.v", "keep"))
        ),
        "public.t.all": FieldRule("public.t.all", FieldKind.JSON, "keep", (JsonRule("$.who", "person"),)),
    },
)
LEAF = Leaf(7, "public", "t")


def _found(row: tuple[Any, ...], *answers: Any) -> tuple[dict[int, standing.Witness], _Answers]:
    worker = _Answers(*answers)
    index = Index(row[0], "public", "i", 7, unique=False)
    found = standing.witnesses(_Answers([row]), worker, _Table(), LEAF, [index], {"mail", "doc", "all"}, PLAN)  # type: ignore[arg-type]
    return found, worker


def test_a_masked_column_in_the_predicate_alone_asks_for_the_rows_only() -> None:
    found, worker = _found((1, "embedding", "(mail <> ''::text)", False, ["embedding"]), [(3, 17)])
    assert found[1].before == (3, 17)
    assert "THEN (true) END" in worker.asked[0] and "(mail <> ''::text)" in worker.asked[0]


def test_a_kept_part_of_a_document_is_summed_up_too() -> None:
    found, worker = _found((1, "(doc ->> 'v')::vector(3)", None, False, ["doc"]), [(3, 17)])
    assert found and "THEN ((doc ->> 'v')::vector(3)) END" in worker.asked[0]


@pytest.mark.parametrize("name", ["mail", "all"])
def test_an_expression_over_a_column_that_is_masked_as_a_whole_is_built_again(name: str) -> None:
    found, worker = _found((1, f"turned({name})", None, False, [name]))
    assert not found and not worker.asked


def test_a_whole_row_an_empty_index_and_what_cannot_be_computed_are_built_again() -> None:
    assert not _found((1, "embedding", "f(t.*)", True, ["embedding"]))[0]
    assert not _found((1, "embedding", "(mail IS NULL)", False, ["embedding"]), [(0, None)])[0]
    assert not _found((1, "embedding", "(mail IS NULL)", False, ["embedding"]), psycopg.DataError())[0]


def test_entries_hold_only_while_the_sum_is_the_same() -> None:
    found, _ = _found((1, "embedding", "(mail <> ''::text)", False, ["embedding"]), [(3, 17)])
    assert standing.holds(_Answers([(3, 17)]), found[1])  # type: ignore[arg-type]
    assert not standing.holds(_Answers([(3, 18)]), found[1])  # type: ignore[arg-type]
    assert not standing.holds(_Answers(psycopg.DataError()), found[1])  # type: ignore[arg-type]
    assert not standing.holds(_Answers(), None)  # type: ignore[arg-type]
