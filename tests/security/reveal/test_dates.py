"""A date without a subject moves by an offset of its own: one birthday that is known tells no other."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = pytest.mark.real

STACK = """\
version: 1
project: dates
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.born: date
      public.people.seen: date
      public.people.valid: date
      public.people.days: date
      public.people.doc: {"$.born": date, "$.at": date}
"""
PEOPLE = 215
FIRST = dt.date(1974, 2, 28)


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, born date UNIQUE, seen timestamptz, valid daterange,"
            " days date[], doc jsonb);"
            "INSERT INTO people SELECT i, d, d + '07:30:15.25'::interval, daterange(d, d + 10), ARRAY[d, d],"
            "  jsonb_build_object('born', d::text, 'at', extract(epoch FROM d + '1 hour'::interval)::int8 * 1000)"
            f" FROM (SELECT i, '{FIRST}'::date + (i - 1) * 53 AS d FROM generate_series(1, {PEOPLE}) i) x;"
            "INSERT INTO people VALUES (1000, 'infinity', '-infinity', 'empty', '{}', '{}'),"
            " (1001, '4714-11-24 BC', NULL, '(,)', NULL, NULL), (1002, '2024-02-29', NULL, NULL, NULL, NULL),"
            " (1003, '9999-12-31', NULL, NULL, NULL, NULL)",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def rows(prod: Production) -> Iterator[list[tuple[Any, ...]]]:
    query = (
        "SELECT id, born::text, (seen AT TIME ZONE 'UTC')::text, lower(valid)::text, upper(valid) - lower(valid),"
        " days::text, doc->>'born', (to_timestamp((doc->>'at')::int8 / 1000) AT TIME ZONE 'UTC')::text, valid::text"
        " FROM public.people ORDER BY id"
    )
    with place() as here:
        here.env["DSN"] = prod.dsn_for("app")
        here.write(STACK)
        with psycopg.connect(_branch(here), options="-c TimeZone=UTC") as conn:
            yield conn.execute(query.encode()).fetchall()


def _branch(here: Place) -> str:
    return str(here.json("branch", "prod", "--name", "b")["urls"]["main"])


def test_offsets_are_spread(rows: list[tuple[Any, ...]]) -> None:
    born = [dt.date.fromisoformat(row[1]) for row in rows[:PEOPLE]]
    true = [FIRST + dt.timedelta(days=53 * i) for i in range(PEOPLE)]
    offsets = Counter((new - old).days for old, new in zip(true, born, strict=True))
    assert 0 not in offsets
    assert offsets.most_common(1)[0][1] < 8
    assert min(offsets) < -150 < 150 < max(offsets)
    assert [day.year for day in born] == [day.year for day in true]
    assert len(set(born)) == PEOPLE


def test_one_day_has_one_pseudonym_in_every_column(rows: list[tuple[Any, ...]]) -> None:
    for _, born, seen, lower, length, days, in_json, epoch, _ in rows[:PEOPLE]:
        assert seen == f"{born} 07:30:15.25"
        assert (lower, length) == (born, 10)
        assert days == f"{{{born},{born}}}"
        assert in_json == born
        assert epoch == f"{born} 01:00:00"


def test_the_ends_of_time(rows: list[tuple[Any, ...]]) -> None:
    ends, first, leap, last = rows[PEOPLE:]
    assert (ends[1], ends[2], ends[5], ends[8]) == ("infinity", "-infinity", "{}", "empty")
    assert first[1].startswith("4714-1") and first[1].endswith(" BC") and first[1] != "4714-11-24 BC"
    assert first[8] == "(,)"
    assert leap[1].startswith("2024-") and leap[1] != "2024-02-29"
    assert last[1] == "9999-12-31"  # a date that means none is nobody's
