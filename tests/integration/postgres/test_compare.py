"""The proof of rows: a clone is production under the masks, and one wrong value, row or address is seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from envclone.errors import UnsafeError
from envclone.models import Compared, FieldKind, FieldRule, Rows, StorePlan
from envclone.protocols import FieldMask
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.visibility import dead
from envclone.stores.postgres.prove import beside, compare, pages
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
        reversing = address.endswith(".name")
        wrong = sum(a != (b[::-1] if reversing else b) for b, a in zip(before, after, strict=True))
        self._found.append((address, len(after), wrong if not address.endswith("born") else 0))

    def batches(self, many: Iterable[tuple[str, list[Any], Sequence[str]]]) -> None:
        for address, values, places in many:
            self.batch(address, values, values, places)

    def numbers(self, address: str, values: list[Any], places: Sequence[str]) -> None: ...

    def rows(self, rows: Rows, made: Mapping[str, Sequence[Any]]) -> None:
        for address, values in rows.fields.items():
            pairs = [
                (b, a) for b, a in zip(values, made.get(address, values), strict=True) if not (b is None and a is None)
            ]
            self.batch(address, [b for b, _ in pairs], [a for _, a in pairs])

    def by_others(self, address: str, made: Sequence[Any]) -> None:
        self._found.append((address, len(made), 0))

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


def test_servers_are_not_asked_where_files_tell(server: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*args: Any) -> Any:
        raise AssertionError("asked")

    monkeypatch.setattr(beside, "columns", asked)
    monkeypatch.setattr(compare, "examine", lambda *args, twice: beside.examine(*args))
    assert _compare(server, f"{MASKED} ORDER BY id", placed=True) == Compared({TABLE: ROWS}, ())


def test_a_mistake_of_the_reader_of_pages_is_seen(server: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    read = pages.Rows.values
    monkeypatch.setattr(pages.Rows, "values", lambda self, index, how: [*read(self, index, how)][::-1])
    with pytest.raises(UnsafeError, match="the server reads other values"):
        _compare(server, f"{MASKED} ORDER BY id", placed=True)


@pytest.mark.parametrize("drawn", [True, False])
def test_of_the_other_ranges_some_are_read_by_the_servers_too(
    server: Production, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    """A mistake of the reader of pages that the first range and new ways of storing do not show."""
    bounds: list[int] = []

    def below(bound: int) -> int:
        bounds.append(bound)
        return 0 if drawn else 1

    read = pages.Rows.values

    def mistaken(self: Any, index: int, how: Any) -> Any:
        values = read(self, index, how)
        return values if int(self.addresses[0]) >> 16 == 0 else [*values][::-1]

    monkeypatch.setattr(compare.secrets, "randbelow", below)
    monkeypatch.setattr(pages.Rows, "ways", lambda self: set())
    monkeypatch.setattr(pages.Rows, "values", mistaken)
    if drawn:
        with pytest.raises(UnsafeError, match="the server reads other values"):
            _compare(server, f"{MASKED} ORDER BY id", placed=True)
    else:
        _compare(server, f"{MASKED} ORDER BY id", placed=True)
    assert bounds and set(bounds) == {64}


def test_a_row_that_is_taken_for_dead_is_missed(server: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_many(of: Any, items: Any, transactions: Any) -> Any:
        gone = dead(of, items, transactions)
        gone[:1] = True
        return gone

    monkeypatch.setattr(pages, "dead", too_many)
    with pytest.raises(UnsafeError, match="sees other rows"):
        _compare(server, f"{MASKED} ORDER BY id", placed=True)
    monkeypatch.setattr(compare, "examine", lambda *args, twice: beside.examine(*args))
    problems = _compare(server, f"{MASKED} ORDER BY id", placed=True).problems
    assert [f"{whose} server sees {ROWS} rows" in one for whose, one in zip(WHOSE, problems, strict=True)] == [True] * 2


def test_pages_that_nobody_finds_are_missed(server: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.Heap, "pages", lambda self: 0)
    problems = _compare(server, f"{MASKED} ORDER BY id", placed=True).problems
    assert problems == tuple(f"{TABLE}: {whose} server sees {ROWS} rows, its files hold 0" for whose in WHOSE)


def test_each_way_to_store_a_value_is_asked_about(server: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "processors", lambda: 1)
    monkeypatch.setattr(compare, "_ONE_IN", 1 << 40)
    ask, asked = beside.columns, list[int]()
    monkeypatch.setattr(beside, "columns", lambda *args: [ask(*args), asked.append(args[3])][0])
    assert _compare(server, f"{MASKED} ORDER BY id", placed=True) == Compared({TABLE: ROWS}, ())
    assert set(asked) == {0}
    monkeypatch.setattr(pages.Rows, "ways", lambda self: {(0, int(self.addresses[0]) >> 16)})
    assert _compare(server, f"{MASKED} ORDER BY id", placed=True) == Compared({TABLE: ROWS}, ())
    assert len(set(asked)) > 1


LONG = """CREATE TABLE long (id int PRIMARY KEY, name text, plain text, packed text);
  ALTER TABLE long ALTER plain SET STORAGE EXTERNAL;
  INSERT INTO long SELECT i, '{name}', {plain}, {packed} FROM (SELECT i, repeat(md5(i::text), 100) AS plain,
    concat(repeat('a', 999), repeat((SELECT string_agg(md5((i * k)::text), '' ORDER BY k)
      FROM generate_series(1, 100) AS k), 2)) AS packed
    FROM generate_series(1, 300) AS i) AS one ORDER BY i"""


@pytest.mark.parametrize("changed", ["", "plain", "packed"])
def test_values_in_toast_tables_are_compared_in_the_files(
    server: Production, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    asked = []
    ask = beside.columns
    monkeypatch.setattr(beside, "columns", lambda *args: [asked.append(args[1].name), ask(*args)][1])
    monkeypatch.setattr(compare, "examine", lambda *args, twice: beside.examine(*args))
    one, two = (
        {"name": "qz", "plain": "plain", "packed": "packed"},
        {"name": "zq", "plain": "plain", "packed": "packed"},
    )
    if changed:
        two[changed] = f"CASE i WHEN 200 THEN concat(left({changed}, -1), '!') ELSE {changed} END"
    rules = {f"public.long.{name}": FieldRule(f"public.long.{name}", FieldKind.TEXT, "keep") for name in ("id", *one)}
    rules["public.long.name"] = FieldRule("public.long.name", FieldKind.TEXT, "person")
    try:
        for name, made in (("one", one), ("two", two)):
            server.create_database(name)
            server.execute(LONG.format(**made), name)
        sizes = server.execute("SELECT min(pg_column_size(packed)), max(pg_column_size(packed)) FROM long", "one")[0]
        assert sizes[0] > 2040 and sizes[1] < 6400  # outside, and compressed
        raw, clean = (
            PostgresSession(desk.connector(server, name), "main", name, server.data.parent) for name in ("one", "two")
        )
        seen = Seen()
        found = raw.compare(clean, StorePlan("main", rules), Backwards(), {"public.long"}, seen, lambda event: None)
        assert bool(found.problems) == bool(changed)
        assert seen.counts["public.long.plain"] == seen.counts["public.long.packed"] == 300
        assert changed or not asked
    finally:
        for name in ("one", "two"):
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_of_a_large_value_a_server_is_asked_for_a_sum(server: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "LARGE", 3000)
    monkeypatch.setattr(pages, "LARGE", 3000)
    sent: list[int] = []
    ask = beside.columns

    def asked(*args: Any) -> Any:
        answer = ask(*args)
        sent.extend(len(value) for values in answer for value in values if isinstance(value, str))
        return answer

    monkeypatch.setattr(beside, "columns", asked)
    kept = {"name": "qz", "plain": "plain", "packed": "packed"}
    rules = {f"public.long.{name}": FieldRule(f"public.long.{name}", FieldKind.TEXT, "keep") for name in ("id", *kept)}
    rules["public.long.name"] = FieldRule("public.long.name", FieldKind.TEXT, "person")
    try:
        for name, made in (("one", kept), ("two", kept | {"name": "zq"})):
            server.create_database(name)
            server.execute(LONG.format(**made), name)
        raw, clean = (
            PostgresSession(desk.connector(server, name), "main", name, server.data.parent) for name in ("one", "two")
        )
        plan = StorePlan("main", rules)
        assert not raw.compare(clean, plan, Backwards(), {"public.long"}, Seen(), lambda event: None).problems
        assert sent and max(sent) == 32
        gather = Chunks.gather
        monkeypatch.setattr(Chunks, "gather", lambda self, *args: _spoiled(gather(self, *args), args[1], args[2]))
        raw.compare(clean, plan, Backwards(), {"public.long"}, Seen(), lambda event: None)
        assert max(sent) == 3200  # what the files seem to hold is not what the server has: that is sent, and searched
    finally:
        for name in ("one", "two"):
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.parametrize("ending", ["", "'!'", "'\u00e9'", "NULL"])
def test_a_large_masked_text_is_compared_by_its_bytes(
    server: Production, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(beside, "LARGE", 3000)
    monkeypatch.setattr(pages, "LARGE", 3000)
    told: list[bool] = []
    same = pages._same
    monkeypatch.setattr(pages, "_same", lambda *args: [told.append(same(*args)), told[-1]][1])
    rules = {
        f"public.long.{name}": FieldRule(f"public.long.{name}", FieldKind.TEXT, domain)
        for name, domain in {"id": "keep", "name": "person", "plain": "person", "packed": "keep"}.items()
    }
    wrong = f"CASE i WHEN 200 THEN left(reverse(plain), -1) || {ending} ELSE reverse(plain) END"
    made = {"name": "zq", "plain": wrong if ending else "reverse(plain)", "packed": "packed"}
    try:
        for name, values in (("one", {"name": "qz", "plain": "plain", "packed": "packed"}), ("two", made)):
            server.create_database(name)
            server.execute(LONG.format(**values), name)
        raw, clean = (
            PostgresSession(desk.connector(server, name), "main", name, server.data.parent) for name in ("one", "two")
        )
        found = raw.compare(clean, StorePlan("main", rules), Backwards(), {"public.long"}, Seen(), lambda event: None)
        assert bool(found.problems) == bool(ending)
        assert (told and all(told) != bool(ending)) or ending == "NULL"
    finally:
        for name in ("one", "two"):
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _spoiled(places: Any, sizes: Any, out: Any) -> Any:
    """A reader of TOAST tables that makes a mistake with plain values."""
    if sizes[0] == 3200:
        out[int(places[0][0])] ^= 1
    return places


WHOSE = ("production's", "the clone's")
STORED = "public.stored"
COLUMNS = {
    "id": "id",
    "name": "reverse(name)",
    "short": "short",
    "outside": "outside",
    "squeezed": "squeezed",
    "mood": "mood",
    "share": "share",
    "at": "at",
    "tags": "tags",
    "documents": "documents",
    "raw": "raw",
}
CHANGED = {
    "name": "'somebody else'",
    "short": "'other'",
    "outside": "overlay(outside placing '!' from 9000)",
    "squeezed": "overlay(squeezed placing '!' from 3000)",
    "mood": "'sad'",
    "share": "share + 1e-9",
    "at": "NULL",
    "tags": "ARRAY['a', NULL, 'c']",
    "documents": "ARRAY['{}'::jsonb]",
    "raw": "''::bytea",
}
"""A change for each way in which a value is stored, or read."""


@pytest.fixture(scope="module")
def stored(server: Production) -> Iterator[Production]:
    server.create_database("kinds")
    server.execute(
        """CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN own_bytes AS bytea;
        CREATE TABLE stored (gone int, id int PRIMARY KEY, name text, short varchar(20), outside text, squeezed text,
          mood mood, share float8, at timestamptz, tags text[],
          documents jsonb[], raw own_bytes);
        ALTER TABLE stored DROP gone; ALTER TABLE stored ALTER outside SET STORAGE EXTERNAL;
        ALTER TABLE stored ALTER squeezed SET STORAGE MAIN;
        INSERT INTO stored SELECT i, concat('qz name ', i), repeat('s', i % 20), repeat(md5(i::text), 300),
          repeat(md5(i::text), 150), 'glad', i / 7.0, timestamptz '2020-01-01 00:00+00' + i * interval '1 s 1 ms',
          ARRAY['a', 'b'], ARRAY['{"a": 1}'::jsonb], '\\x00ff'
          FROM generate_series(1, 400) AS i;"""
        + _refilled(COLUMNS | {"name": "name"}),
        "kinds",
    )
    yield server
    server.execute("DROP DATABASE kinds WITH (FORCE)")


def _refilled(made: Mapping[str, str]) -> str:
    """Every row again, by these expressions; what is copied so is stored in one way."""
    return (
        "CREATE TEMP TABLE raw (LIKE stored INCLUDING STORAGE); INSERT INTO raw SELECT * FROM stored; TRUNCATE stored;"
        f"INSERT INTO stored ({', '.join(made)}) SELECT {', '.join(made.values())} FROM raw ORDER BY id"
    )


@pytest.mark.parametrize("changed", ["", *CHANGED])
def test_every_way_in_which_a_value_is_stored(stored: Production, changed: str) -> None:
    made = {name: value if name != changed else f"CASE id WHEN 300 THEN {CHANGED[name]} ELSE {value} END"
            for name, value in COLUMNS.items()}  # fmt: skip
    stored.execute("CREATE DATABASE other TEMPLATE kinds STRATEGY file_copy")
    try:
        stored.execute(
            _refilled(made),
            "other",
        )
        raw, clean = (
            PostgresSession(desk.connector(stored, name), "main", name, stored.data.parent)
            for name in ("kinds", "other")
        )
        rules = {f"{STORED}.{name}": FieldRule(f"{STORED}.{name}", FieldKind.TEXT, "keep") for name in COLUMNS}
        rules[f"{STORED}.name"] = FieldRule(f"{STORED}.name", FieldKind.TEXT, "person")
        seen = Seen()
        found = raw.compare(clean, StorePlan("main", rules), Backwards(), {STORED}, seen, lambda event: None)
        assert found.rows == {STORED: 400}
        assert len(found.problems) == bool(changed)
        assert all(seen.counts[f"{STORED}.{name}"] == 400 for name in COLUMNS)
    finally:
        stored.execute("DROP DATABASE other WITH (FORCE)")
