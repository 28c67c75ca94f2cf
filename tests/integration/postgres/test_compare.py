"""The proof of rows: a clone is production under the masks, and one wrong value, row or address is seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from envclone.models import Compared, FieldKind, FieldRule, Rows, StorePlan
from envclone.protocols import FieldMask
from envclone.stores.postgres.session import PostgresSession
from tests.integration.postgres import desk
from tests.support.postgres import Production, production

pytestmark = pytest.mark.real

ROWS = 20_000
"""About 8 MB: more than one range of pages."""
TABLE = "public.people"
RULES = {
    f"{TABLE}.id": FieldRule(f"{TABLE}.id", FieldKind.OTHER, "keep"),
    f"{TABLE}.name": FieldRule(f"{TABLE}.name", FieldKind.TEXT, "person"),
    f"{TABLE}.born": FieldRule(f"{TABLE}.born", FieldKind.OTHER, "date", base="date"),
    f"{TABLE}.note": FieldRule(f"{TABLE}.note", FieldKind.TEXT, "keep"),
}
PLAN = StorePlan("main", RULES)
FILL = f"""
CREATE TABLE people (id int PRIMARY KEY, name text, born date, note text);
INSERT INTO people SELECT i, CASE WHEN i % 7 > 0 THEN concat('qz name ', i) END, date '1970-01-01' + i,
  repeat(md5(i::text), 11) FROM generate_series(1, {ROWS}) AS i;
"""
MASKED = "SELECT id, reverse(name) AS name, born - 1 AS born, note FROM raw"


class Backwards:
    """Names are reversed, dates are a day earlier and written as no server writes them."""

    key_id = "test"

    def field(self, rule: FieldRule) -> FieldMask:
        return _earlier if rule.address.endswith("born") else _reversed

    def separable(self, rule: FieldRule) -> bool:
        return True


def _reversed(values: Sequence[Any]) -> list[Any]:
    return [None if value is None else value[::-1] for value in values]


def _earlier(values: Sequence[Any]) -> list[Any]:
    from datetime import date, timedelta

    days = [None if value is None else date.fromisoformat(value) - timedelta(days=1) for value in values]
    return [None if day is None else f"{day:%d %b %Y}" for day in days]


class Seen:
    """What a comparison shows, counted."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.wrong = 0
        self._found: list[tuple[str, int, int]] = []

    def batch(self, address: str, before: list[Any], after: list[Any], places: Sequence[str] = ()) -> None:
        reversing = address == f"{TABLE}.name"
        wrong = sum(a != (b[::-1] if reversing else b) for b, a in zip(before, after, strict=True))
        self._found.append((address, len(after), wrong if not address.endswith("born") else 0))

    def batches(self, many: Iterable[tuple[str, list[Any], Sequence[str]]]) -> None:
        for address, values, places in many:
            self.batch(address, values, values, places)

    def rows(self, rows: Rows, made: Mapping[str, Sequence[Any]]) -> None:
        for address, values in rows.fields.items():
            pairs = [
                (b, a) for b, a in zip(values, made.get(address, values), strict=True) if not (b is None and a is None)
            ]
            self.batch(address, [b for b, _ in pairs], [a for _, a in pairs])

    def found(self) -> Any:
        found, self._found = self._found, []
        return found

    def take(self, found: Any) -> None:
        for address, count, wrong in found:
            self.counts[address] = self.counts.get(address, 0) + count
            self.wrong += wrong


@pytest.fixture(scope="module")
def server() -> Iterator[Production]:
    with production(18) as running:
        running.create_database("raw")
        running.execute(FILL, "raw")
        yield running


def _compare(server: Production, query: str, *, placed: bool, seen: Seen | None = None) -> Compared:
    server.execute("CREATE DATABASE clean TEMPLATE raw STRATEGY file_copy")
    try:
        server.execute(
            "CREATE TEMP TABLE raw AS SELECT * FROM people; TRUNCATE people;"
            f"INSERT INTO people SELECT id, name, born, note FROM ({query}) AS masked",
            "clean",
        )
        raw, clean = (
            PostgresSession(desk.connector(server, name), "main", name, server.data.parent) for name in ("raw", "clean")
        )
        return raw.compare(clean, PLAN, Backwards(), {TABLE} if placed else (), seen or Seen(), lambda event: None)
    finally:
        server.execute("DROP DATABASE clean WITH (FORCE)")


@pytest.mark.parametrize("placed", [True, False])
def test_a_clone_that_is_what_the_masks_make(server: Production, placed: bool) -> None:
    seen = Seen()
    assert _compare(server, f"{MASKED} ORDER BY id", placed=placed, seen=seen) == Compared({TABLE: ROWS}, ())
    named = ROWS - ROWS // 7
    columns = {f"{TABLE}.id": ROWS, f"{TABLE}.name": named, f"{TABLE}.born": ROWS, f"{TABLE}.note": ROWS}
    assert columns.items() <= seen.counts.items()
    assert seen.wrong == 0


@pytest.mark.parametrize("placed", [True, False])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "CASE WHEN id = 15000 THEN name ELSE reverse(name) END"),  # as in production
        ("name", "CASE WHEN id = 15002 THEN NULL ELSE reverse(name) END"),
        ("name", "CASE WHEN id = 7 THEN 'qz' ELSE reverse(name) END"),  # where production has none
        ("born", "CASE WHEN id = 15000 THEN born ELSE born - 1 END"),
    ],
)
def test_one_wrong_pseudonym(server: Production, placed: bool, column: str, value: str) -> None:
    found = _compare(
        server, f"SELECT *, {value} AS masked FROM raw ORDER BY id".join(_replacing(column)), placed=placed
    )
    assert found.problems == (f"{TABLE}.{column} is not what the masks make of production's values",)


def _replacing(column: str) -> tuple[str, str]:
    """The masked rows, with one column that `masked` stands for."""
    columns = {"name": "reverse(name) AS name", "born": "born - 1 AS born"}
    columns[column] = f"masked AS {column}"
    return f"SELECT id, {columns['name']}, {columns['born']}, note FROM (", ") AS rows"


@pytest.mark.parametrize("placed", [True, False])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, reverse(name) AS name, born - 1 AS born, overlay(note placing '!' from 200) AS note"
        " FROM raw ORDER BY id",
        # two rows have each other's pseudonym: the sums of the field are as they were
        "SELECT id, reverse(CASE id WHEN 8 THEN 'qz name 9' WHEN 9 THEN 'qz name 8' ELSE name END) AS name,"
        " born - 1 AS born, note FROM raw ORDER BY id",
        # one row too few, one twice
        f"{MASKED} WHERE id < 20000 UNION ALL SELECT 20001, reverse(name), born - 1, note FROM raw WHERE id = 20000",
    ],
)
def test_what_no_single_field_shows(server: Production, placed: bool, query: str) -> None:
    assert len(_compare(server, query, placed=placed).problems) == 1


def test_rows_at_other_addresses_count_where_they_must_not_move(server: Production) -> None:
    swapped = f"{MASKED} ORDER BY CASE id WHEN 3 THEN 17000 WHEN 17000 THEN 3 ELSE id END"
    assert _compare(server, swapped, placed=False).problems == ()
    (problem,) = _compare(server, swapped, placed=True).problems
    assert "where a row lies" in problem
    assert _compare(server, f"{MASKED} WHERE id <> 5 ORDER BY id", placed=True).problems == (
        f"{TABLE} has {ROWS - 1} rows, production has {ROWS}",
    )
