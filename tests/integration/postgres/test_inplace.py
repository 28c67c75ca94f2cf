"""Work on the files of a stopped clone: what is written, what is not touched, what is refused."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envclone.config.schema import StoreConfig
from envclone.errors import UnsafeError
from envclone.masking import rules
from envclone.masking.corpus import Corpus
from envclone.masking.kinds import DomainSpec
from envclone.masking.masks import MaskSet
from envclone.models import RewriteReport, StorePlan, StoreSnapshot
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.catalog.layout import Relation, read_relations
from envclone.stores.postgres.format import deform, varlena
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import normal_items
from envclone.stores.postgres.format.segments import ranges
from envclone.stores.postgres.prove import structure
from envclone.stores.postgres.server import server
from envclone.stores.postgres.store import PostgresStore
from envclone.stores.postgres.write.inplace import files
from envclone.stores.postgres.write.inplace.codecs import codec_for
from tests.support.postgres import production, scratch

pytestmark = pytest.mark.real

DOMAINS = {"long": DomainSpec("constant", value="z1" * 400), "wide": DomainSpec("constant", value="9" * 60)}

TABLES = """
CREATE EXTENSION vector;
CREATE TABLE people (id int PRIMARY KEY, name text, email text, note text, v vector(8));
INSERT INTO people SELECT i, 'Jane Doe', 'jane' || i || '@corp.example', repeat('the amount was wrong ', i % 30),
    ('[' || i % 7 || ',1,2,3,4,5,' || i % 11 || ',' || i || ']')::vector FROM generate_series(1, 3000) i;
CREATE INDEX people_v ON people USING hnsw (v vector_l2_ops);
CREATE INDEX people_lists ON people USING ivfflat (v vector_l2_ops) WITH (lists = 10);
CREATE INDEX people_email ON people (lower(email));
CREATE INDEX people_kept ON people (id, note) WHERE id % 2 = 0;
CREATE TABLE places (id int PRIMARY KEY, v vector(8));
INSERT INTO places SELECT i, ('[' || i % 5 || ',1,2,3,4,5,6,' || i || ']')::vector FROM generate_series(1, 500) i;
CREATE MATERIALIZED VIEW nearby AS SELECT id, v FROM places WHERE id % 2 = 0;
CREATE INDEX nearby_v ON nearby USING hnsw (v vector_l2_ops);
CREATE VIEW names AS SELECT name FROM people;
CREATE MATERIALIZED VIEW known AS SELECT DISTINCT name FROM names;
CREATE FUNCTION counted() RETURNS TABLE (name text, n bigint) LANGUAGE sql
    AS 'SELECT name, count(*) FROM public.people GROUP BY 1';
CREATE MATERIALIZED VIEW opaque AS SELECT * FROM counted();
CREATE TABLE sparse (id int PRIMARY KEY, name text, filler text STORAGE PLAIN);
INSERT INTO sparse SELECT i, CASE WHEN i = 1500 THEN 'Jane Doe' END, repeat('x', 700) FROM generate_series(1, 3000) i;
CREATE TABLE tight (id int PRIMARY KEY, amount numeric, small varchar(60)) WITH (fillfactor = 100);
INSERT INTO tight SELECT i, i, 'a' FROM generate_series(1, 2000) i;
CREATE TABLE maps (id int PRIMARY KEY, doc jsonb, raw json);
INSERT INTO maps SELECT i, d, d::json FROM (SELECT i, jsonb_build_object('kind', i, 'of', (
    SELECT jsonb_object_agg(repeat('qz', n % 3) || n * i || '@corp.example', jsonb_build_object('n', n))
    FROM generate_series(0, i % 40) n)) AS d FROM generate_series(1, 80) i) s;
CREATE TABLE long (id int PRIMARY KEY, body text);
INSERT INTO long SELECT i, (SELECT string_agg(md5((i * n)::text), ' ') FROM generate_series(1, 400) n)
    FROM generate_series(1, 60) i;
"""
RULES = {
    "public.places.id": "keep", "public.places.v": "keep",
    "public.people.id": "keep", "public.people.name": "person", "public.people.email": "email",
    "public.people.note": "keep", "public.people.v": "keep",
    "public.sparse.id": "keep", "public.sparse.name": "person", "public.sparse.filler": "keep",
    "public.tight.id": "keep", "public.tight.amount": "keep", "public.tight.small": "wide",
    "public.maps.id": "keep", "public.maps.doc": {"$.**": "keep", "$.of.*~": "email"},
    "public.maps.raw": {"$.**": "keep", "$.of.*~": "email"},
    "public.opaque.name": "person", "public.opaque.n": "keep",
    "public.long.id": "keep", "public.long.body": "redact",
}  # fmt: skip

Clone = tuple[Path, StoreSnapshot]


def _quiet(event: Any) -> None:
    """No progress."""


@contextmanager
def _raw(tables: str, major: int = 18) -> Iterator[Clone]:
    with production(major, initdb_args=["--data-checksums"] if major < 18 else []) as running, scratch() as place:
        running.create_database("app")
        running.execute(tables, "app")
        running.execute("VACUUM ANALYZE", "app")
        running.stop()
        directory = place / "raw"
        directory.mkdir(mode=0o711)
        source = {"method": "directory", "path": str(running.data), "database": "app"}
        config = StoreConfig.model_validate({"kind": "postgres", "source": source})
        yield directory, PostgresStore().snapshot("main", config, directory, _quiet)


@pytest.fixture(scope="module")
def raw() -> Iterator[Clone]:
    """A stopped server's files."""
    with _raw(TABLES) as found:
        yield found


@pytest.fixture
def clone(raw: Clone) -> Iterator[Clone]:
    """A copy of them, to be written to."""
    with scratch() as place:
        shutil.copytree(raw[0], place / "clone", symlinks=True)
        try:
            yield place / "clone", raw[1]
        finally:
            server.stop(place / "clone" / "data", "immediate")


def _sanitize(clone: Clone, declared: dict[str, Any] = RULES, *, scrub: bool = True) -> RewriteReport:
    directory, snapshot = clone
    with PostgresStore().open(directory, snapshot, log=directory.parent / "log") as session:
        plan = rules.plan(declared, DOMAINS, session.inventory())
        report = session.rewrite(plan, MaskSet(b"a key of thirty-two bytes, really", DOMAINS, Corpus()), _quiet)
    if scrub:
        PostgresStore().scrub(directory, snapshot, plan)
    return report


def _relation(directory: Path, name: str) -> Relation:
    return next(
        relation
        for database in layout.load(directory).databases
        for relation in database.relations
        if relation.name == f"public.{name}"
    )


def _files(raw: Clone, clone: Clone, name: str) -> tuple[bytes, bytes]:
    path = _relation(clone[0], name).path
    return (raw[0] / "data" / path).read_bytes(), (clone[0] / "data" / path).read_bytes()


def test_indexes_without_a_masked_column_are_the_same_to_the_byte(raw: Clone, clone: Clone) -> None:
    report = _sanitize(clone)
    for index in ("people_v", "people_lists", "people_kept", "people_pkey", "sparse_pkey"):
        before, after = _files(raw, clone, index)
        assert len(before) == len(after)
        for place in range(0, len(before), 8192):
            assert _page(before, place) == _page(after, place), (index, place)
    assert "public.people" in report.placed


def _page(data: bytes, place: int) -> bytes:
    """A page without its checksum, and without what lies between its items: what VACUUM took out is erased there."""
    page = bytearray(data[place : place + 8192])
    lower, upper = struct.unpack_from("<HH", page, 12)
    page[8:10] = bytes(2)
    page[lower:upper] = bytes(upper - lower)
    return bytes(page)


def test_materialized_views_are_masked_where_they_stand(raw: Clone, clone: Clone) -> None:
    report = _sanitize(clone)
    assert {"public.known", "public.opaque", "public.nearby"} <= set(report.placed)
    for kept in ("nearby", "nearby_v"):
        before, after = _files(raw, clone, kept)
        assert before == after, kept
    with (
        PostgresStore().open(*clone, log=clone[0].parent / "log") as session,
        session._connect(autocommit=True) as conn,  # type: ignore[attr-defined]
    ):
        names = conn.execute("SELECT DISTINCT name FROM public.people").fetchall()
        assert names != [("Jane Doe",)]
        assert conn.execute("SELECT name FROM public.known").fetchall() == names
        assert conn.execute("SELECT name FROM public.opaque").fetchall() == names


def test_masked_keys_of_jsonb_stand_where_the_server_looks_for_them(clone: Clone) -> None:
    _sanitize(clone)
    with (
        PostgresStore().open(*clone, log=clone[0].parent / "log") as session,
        session._connect(autocommit=True) as conn,  # type: ignore[attr-defined]
    ):
        row = conn.execute(
            """SELECT count(*), count(*) FILTER (WHERE m.doc -> 'of' -> e.key IS DISTINCT FROM e.value),
                 count(*) FILTER (WHERE e.key ~ 'corp'), count(*) FILTER (WHERE m.raw::jsonb <> m.doc),
                 count(*) FILTER (WHERE m.doc::text <> m.doc::text::jsonb::text)
               FROM public.maps m, jsonb_each(m.doc -> 'of') e"""
        ).fetchone()
        assert row == (1640, 0, 0, 0, 0)


def test_only_pages_with_masked_values_are_written(raw: Clone, clone: Clone) -> None:
    _sanitize(clone)
    before, after = _files(raw, clone, "sparse")
    assert len(before) == len(after) > 250 * 8192
    changed = [i for i in range(0, len(before), 8192) if before[i : i + 8192] != after[i : i + 8192]]
    assert len(changed) == 1


def test_rows_that_no_page_can_hold_are_moved_and_named(clone: Clone) -> None:
    report = _sanitize(clone)
    assert 0 < report.moved["public.tight"] < 2000
    assert report.moved.keys() == {"public.tight"}
    assert "public.tight" not in report.placed
    with (
        PostgresStore().open(*clone, log=clone[0].parent / "log") as session,
        session._connect(autocommit=True) as conn,  # type: ignore[attr-defined]
    ):
        row = conn.execute("SELECT count(*), count(DISTINCT small), max(length(small)) FROM public.tight").fetchone()
        assert row == (2000, 1, 60)


def test_one_process_and_several_give_the_same_bytes(raw: Clone, clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    _sanitize(clone)
    with scratch() as place:
        shutil.copytree(raw[0], place / "other", symlinks=True)
        monkeypatch.setattr(files, "processors", lambda: 1)
        monkeypatch.setattr(files, "_PAGES_AT_ONCE", 7)
        other = place / "other", raw[1]
        _sanitize(other)
        for table in ("people", "sparse", "long"):
            one, two = _relation(clone[0], table), _relation(other[0], table)
            assert (clone[0] / "data" / one.path).read_bytes() == (other[0] / "data" / two.path).read_bytes(), table


def test_a_long_value_stays_in_its_chunks(raw: Clone, clone: Clone) -> None:
    _sanitize(clone)
    toast = _relation(clone[0], "long").toast
    relation = next(r for d in layout.load(clone[0]).databases for r in d.relations if r.oid == toast)
    before = (raw[0] / "data" / relation.path).stat().st_size
    after = (clone[0] / "data" / relation.path).stat().st_size
    assert before <= after <= before * 1.2
    found = structure.examine(clone[0])
    assert found["toast_pointers"] >= 60


@pytest.mark.parametrize("damage", ["checksum", "overlap", "chunk", "header", "attribute"])
def test_damage_is_found(clone: Clone, damage: str) -> None:
    _sanitize(clone)
    structure.examine(clone[0])
    relation = _relation(clone[0], "people")
    if damage == "chunk":
        toast = _relation(clone[0], "long").toast
        relation = next(r for d in layout.load(clone[0]).databases for r in d.relations if r.oid == toast)
    path = clone[0] / "data" / relation.path
    page = bytearray(path.read_bytes()[:8192])
    (pointer,) = struct.unpack_from("<I", page, 24)
    offset = pointer & 0x7FFF
    if damage == "checksum":
        page[offset + 30] ^= 1
    elif damage == "overlap":
        struct.pack_into("<I", page, 28, pointer)
    elif damage == "chunk":  # the value is one chunk short
        struct.pack_into("<I", page, 24, 3 << 15)
    elif damage == "header":
        page[offset + 22] = 20
    else:  # the first attribute with a length of its own says that it goes on behind its tuple
        page[offset + 28] = 0xFF
    if damage != "checksum":
        total = int(page_checksums(np.frombuffer(bytes(page), dtype=np.uint8).reshape(1, -1), np.zeros(1, "u4"))[0])
        struct.pack_into("<H", page, 8, total)
    with path.open("r+b") as file:
        file.write(page)
    with pytest.raises(UnsafeError) as caught:
        structure.examine(clone[0])
    assert "Jane" not in f"{caught.value} {caught.value.problems}"


def test_a_running_or_crashed_server_is_not_written_under(clone: Clone) -> None:
    directory, snapshot = clone
    with (
        PostgresStore().open(directory, snapshot, log=directory.parent / "log"),
        pytest.raises(UnsafeError, match="a server runs"),
    ):
        files.write_files(directory / "data", [], lambda work: {}, lambda work: True, _quiet)
    with (
        pytest.raises(RuntimeError),
        PostgresStore().open(directory, snapshot, log=directory.parent / "log"),
    ):
        server.stop(directory / "data", "immediate")
        raise RuntimeError
    with pytest.raises(UnsafeError, match="not shut down cleanly"):
        files.write_files(directory / "data", [], lambda work: {}, lambda work: True, _quiet)


def test_a_pseudonym_that_a_constraint_refuses_is_named(clone: Clone) -> None:
    with (
        pytest.raises(UnsafeError, match=r"people_check|longer than the 60") as caught,
    ):
        _sanitize(clone, {**RULES, "public.tight.small": "long"})
    assert "Jane" not in str(caught.value)


VALUES: dict[str, list[Any]] = {
    "text": ["", "a", "Zoë 日本 🙂", "x" * 126, "x" * 127, "long " * 900],
    "varchar(9)": ["", "abc", "ÄÖÜ"],
    "char(9)": ["", "abc", "ÄÖÜ"],
    "int2": [0, -1, 32767],
    "int4": [0, -1, 2**31 - 1],
    "int8": [0, -1, 2**63 - 1],
    "numeric": ["0", "0.00", "-1.5", "NaN", "Infinity", "-Infinity", "12345678901234567890.00001", "1e-20", "1e40",
                "9999", "10000", "0.0001", "-0.00012340", "1" * 300 + "." + "2" * 70],
    "numeric(12,3)": ["0", "1.5", "-123456789.125"],
    "date": ["2000-01-01", "1999-12-31", "0001-01-01", "0044-03-15 BC", "9999-12-31", "infinity", "-infinity",
             "2024-02-29", "5874897-12-31", "1600-02-29"],
    "timestamp": ["2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "0044-03-15 12:00:00.5 BC", "infinity"],
    "timestamptz": ["2000-01-01 00:00:00+05:30", "1969-07-20 20:17:40.1+00"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "6c3ea1b4-9d5e-4d30-8f0a-0c5a8d6a1b2c"],
    "inet": ["10.1.2.3", "10.1.2.0/24", "::1", "2001:db8::1/64", "::ffff:1.2.3.4"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "bool": [True, False],
    "bytea": [b"", b"\x00\xff", b"x" * 3000],
    "json": ['{"a" : 1, "b":[ ]}', "7"],
    "jsonb": ["null", "true", '""', '"x"', "0", "-1.50", "1e30", "[]", "{}", '[1, [2, {"a": null}], "z"]',
              '{"b": 1, "aa": {"c": [true, false]}, "a": "\\u0001\\n\\"\\\\/ é 日本"}', '{"a": 1, "a": 2}',
              "[" + ", ".join(str(i) for i in range(100)) + "]",
              "{" + ", ".join(f'"key{i}": "{"v" * i}"' for i in range(80)) + "}"],
    "text[]": [[], ["a", None, ""], [["a", "b"], ["c", "d"]], ["x" * 200, "y"]],
    "jsonb[]": [[], ['{"aa": 1.50, "b": "x"}', None, "[]", "7", '"y"'], [['{"k": [1, -2.25]}', '{"k": "ü"}']]],
    "json[]": [['{"a" : 1, "b":[ ]}', "7"]],
    "int4[]": [[], [1, None, 3]],
    "int8[]": [[1, 2]],
    "uuid[]": [["6c3ea1b4-9d5e-4d30-8f0a-0c5a8d6a1b2c"]],
    "inet[]": [["10.1.2.3", "::1"]],
    "numeric[]": [["1.50", "-2"]],
    "date[]": [["2001-02-03"]],
    "bool[]": [[True, False, None]],
}  # fmt: skip


@pytest.mark.parametrize("major", [16, 18])
def test_values_are_read_and_written_as_the_server_does(major: int) -> None:
    with production(major) as running:
        running.create_database("app")
        texts: dict[str, list[Any]] = {}
        with running.connect("app") as conn:
            for number, (type_, values) in enumerate(VALUES.items()):
                conn.execute(f"CREATE TABLE v{number} (id int, v {type_})".encode())
                for i, value in enumerate(values):
                    conn.execute(f"INSERT INTO v{number} VALUES (%s, %s::{type_})".encode(), [i, value])
                cast = "text[]" if type_.endswith("[]") else "text"
                conn.execute("SET timezone = 'UTC'")
                texts[type_] = [
                    row[0] for row in conn.execute(f"SELECT v::{cast} FROM v{number} ORDER BY id".encode()).fetchall()
                ]
            types = conn.execute(
                """SELECT c.relname, t.typname, a.atttypmod, e.typname, e.typlen, e.typalign FROM pg_attribute a
                   JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
                   LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
                   WHERE a.attname = 'v' AND c.relkind = 'r'"""
            ).fetchall()
            known = {name: rest for name, *rest in types}
            relations = {r.name: r for r in read_relations(conn)}
        running.stop()
        for number, type_ in enumerate(VALUES):
            name, typmod, element, length, align = known[f"v{number}"]
            codec = codec_for(f"{element}[]" if element else name, typmod, (length, align) if element else None)
            assert codec is not None, type_
            stored = list(_stored(running.data, relations[f"public.v{number}"]))
            assert len(stored) == len(VALUES[type_])
            for body, text in zip(stored, texts[type_], strict=True):
                assert codec.decode(body) == text, type_
                assert codec.encode(text, body) == body, (type_, text)


def _stored(data: Path, relation: Relation) -> Iterator[bytes]:
    for part in ranges(data / relation.path, 8192, segment_pages=131072):
        items = normal_items(part.pages, relation.path)
        flat = np.ascontiguousarray(part.pages).reshape(-1)
        base = items.page * 8192 + items.offset
        column = deform.deform(flat, base, items.length, relation.attributes, {1})[1]
        for body, end, form in zip(column.body.tolist(), column.end.tolist(), column.form.tolist(), strict=True):
            value = flat[body:end].tobytes()
            yield varlena.expand(value) if form == deform.COMPRESSED else value


BIG = """
CREATE TABLE big (id int PRIMARY KEY, name text, filler text STORAGE PLAIN);
INSERT INTO big SELECT i, 'Jane Doe ' || i, repeat('x', 7900) FROM generate_series(1, 134000) i;
"""


def test_a_table_of_several_segments() -> None:
    with _raw(BIG) as clone:
        report = _sanitize(clone, {"public.big.id": "keep", "public.big.name": "person", "public.big.filler": "keep"})
        assert report.values["public.big.name"] == 134_000
        path = clone[0] / "data" / _relation(clone[0], "big").path
        assert path.stat().st_size == 1 << 30 and path.with_name(f"{path.name}.1").stat().st_size > 2000 * 8192
        assert b"Jane Doe" not in path.with_name(f"{path.name}.1").read_bytes()
        assert structure.examine(clone[0])["rows"] > 134_000


def test_the_plan_says_how(clone: Clone) -> None:
    directory, snapshot = clone
    with PostgresStore().open(directory, snapshot, log=directory.parent / "log") as session:
        plan = rules.plan(RULES, DOMAINS, session.inventory())
        masks = MaskSet(b"a key of thirty-two bytes, really", DOMAINS, Corpus())
        report = session.rewrite(StorePlan(plan.store, plan.rules, "sql"), masks, _quiet)
    assert report.method == "sql" and report.placed == ()
