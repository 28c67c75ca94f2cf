"""Columns read from the files hold what rows read one by one do, whatever the types, encodings and partitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from envclone.errors import UnsafeError, UsageError
from envclone.stores.postgres.format.visibility import dead
from envclone.stores.postgres.prove import fields, pages
from envclone.stores.postgres.session import PostgresSession
from tests.integration.postgres import desk
from tests.support.postgres import Production, production

pytestmark = pytest.mark.real

FILL = """
CREATE TABLE "Odd.people" (id int PRIMARY KEY, name text, code char(8), short varchar(40), own name, key uuid, big int8,
  tags text[], doc jsonb, born date, raw bytea);
ALTER TABLE "Odd.people" ALTER name SET STORAGE EXTERNAL;
INSERT INTO "Odd.people" SELECT i,
  CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN ' Jos' || chr(233) || ' ' ELSE 'qz ' || i END,
  'c' || i, repeat('é', i % 20), 'n' || i, md5(i::text)::uuid, i * 10::int8,
  CASE WHEN i % 3 > 0 THEN ARRAY['a' || i, NULL] END, jsonb_build_object('n', i), date '1970-01-01' + i, '\\xff00fe'
  FROM generate_series(1, 40000) AS i;
UPDATE "Odd.people" SET name = repeat('long ', 20000) WHERE id IN (5, 39999);
DELETE FROM "Odd.people" WHERE id BETWEEN 9000 AND 30000;
CREATE TABLE parted (id int, name text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted SELECT i, 'p' || i FROM generate_series(0, 19) AS i;
CREATE TABLE nobody (name text);
"""
COLUMNS = ("name", "code", "short", "own", "key", "big", "tags", "doc", "born", "raw")
ADDRESSES = {f'public."Odd.people".{name}' for name in COLUMNS} | {"public.parted.name", "public.nobody.name"}


@pytest.fixture(scope="module")
def server() -> Iterator[Production]:
    with production(18) as running:
        running.create_database("utf")
        running.execute(FILL, "utf")
        for name, encoding in (("latin", "LATIN1"), ("plain", "SQL_ASCII")):
            running.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
            running.execute(
                "CREATE TABLE people (name text); INSERT INTO people SELECT 'qz' || i FROM generate_series(1, 9) AS i",
                name,
            )
        running.execute("INSERT INTO people VALUES ('Jos' || chr(233))", "latin")
        yield running


def _session(server: Production, name: str) -> PostgresSession:
    return PostgresSession(desk.connector(server, name), "main", name, server.data.parent)


def _by_rows(session: PostgresSession, addresses: set[str]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (rows.table, place): {address: values[i] for address, values in rows.fields.items()}
        for rows in session.rows(addresses)
        for i, place in enumerate(rows.places)
    }


def _by_columns(session: PostgresSession, addresses: set[str]) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for columns in session.columns(addresses):
        values = {a: one.texts() for a, one in columns.packed.items()} | dict(columns.others)
        for i, place in enumerate(columns.places.texts()):
            assert place is not None
            assert (columns.table, place) not in found
            found[columns.table, place] = {address: its[i] for address, its in values.items()}
    return found


def test_columns_are_rows(server: Production) -> None:
    session = _session(server, "utf")
    assert _by_columns(session, ADDRESSES) == _by_rows(session, ADDRESSES)
    packed = {a for columns in session.columns(ADDRESSES) for a in columns.packed}
    assert packed == ADDRESSES - {'public."Odd.people".tags', 'public."Odd.people".doc', "public.nobody.name"}


def test_the_server_is_not_asked_for_what_files_tell(server: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = fields.read_range
    monkeypatch.setattr(
        fields, "read_range", lambda *args: [asked.extend(column.name for column in args[3]), ask(*args)][1]
    )
    assert list(_session(server, "utf").columns(ADDRESSES))
    assert set(asked) == {"own", "name"}  # of a type that is left to the server; long values
    assert asked.count("name") == 1  # in the range that has them


def test_a_row_that_is_taken_for_dead_is_missed(server: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_many(of: Any, items: Any, transactions: Any) -> Any:
        gone = dead(of, items, transactions)
        gone[:1] = True
        return gone

    monkeypatch.setattr(pages, "dead", too_many)
    with pytest.raises(UnsafeError, match="the server sees"):
        list(_session(server, "utf").columns({"public.parted.name"}))


@pytest.mark.parametrize("name", ["latin", "plain"])
def test_in_any_encoding(server: Production, name: str) -> None:
    session = _session(server, name)
    assert _by_columns(session, {"public.people.name"}) == _by_rows(session, {"public.people.name"})


def test_a_column_that_is_not_there(server: Production) -> None:
    with pytest.raises(UsageError, match="no column"):
        list(_session(server, "utf").columns({"public.people.other"}))


def test_a_sample_is_of_all_parts_of_a_table(server: Production) -> None:
    session, address = _session(server, "utf"), 'public."Odd.people".code'
    whole = session.read({address})
    every = {value.strip() for _, values in whole for value in values}
    first = session.sample([address], 400)[address]
    spread = [value.strip() for value in session.sample([address], 400, spread=True)[address]]
    assert [int(one[1:]) for one in first] == list(range(1, 401)), "by the key"
    numbers = sorted(int(one[1:]) for one in spread)
    assert len(set(spread)) == len(spread) and 300 < len(spread) <= 400 and set(spread) <= every
    assert sum(n > 30000 for n in numbers) > 80 and numbers[-1] > 37000 and sum(n < 9000 for n in numbers) > 80
    assert len(session.sample(["public.parted.name"], 400, spread=True)["public.parted.name"]) == 20
    assert session.sample(["public.nobody.name"], 400, spread=True) == {"public.nobody.name": []}


def test_some_rows_are_the_first_and_others_from_all_over(server: Production) -> None:
    found: dict[str, list[int]] = {}
    for rows in _session(server, "utf").some(2000):
        keys = next(iter(rows.keys.values()), [0] * len(rows.places))
        found.setdefault(rows.table, []).extend(map(int, keys))
        assert all(len(values) == len(rows.places) for values in rows.fields.values())
    ids = found['public."Odd.people"']
    assert len(set(ids)) == len(ids) and 1900 < len(ids) <= 2010
    assert ids[:3] == [1, 2, 3] and max(ids) > 35000
    assert sum(one > 30000 for one in ids) > 200
    assert len(found["public.parted"]) == 20
