"""What several values of a row spell together is no value; what one of them holds, or a dead row, is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.config.schema import StoreConfig
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.prove.neighbours import Neighbours
from envclone.stores.postgres.store import PostgresStore
from tests.support.postgres import production, scratch

pytestmark = pytest.mark.real

TABLE = """
CREATE TABLE people (id int PRIMARY KEY, name text, code text, doc jsonb, tags text[], raw bytea, long text, gone text);
INSERT INTO people VALUES
  (1, 'Eva Roth', repeat('x', 49), '{"a": "Kim Sand", "bb": "ers in jsonb"}', '{one}', 'Ida Weiss', NULL, 'Max Drop'),
  (2, 'whole Ben Hollow inside', 'c', '{}', '{}', NULL, repeat('Ada Li ', 300), NULL),
  (3, 'Tom Killed', 'c', '{}', '{}', NULL, NULL, NULL);
DELETE FROM people WHERE id = 3;
ALTER TABLE people DROP COLUMN gone;
CREATE INDEX people_both ON people (name, code);
CREATE TABLE chunks (id int, long text);
INSERT INTO chunks SELECT 1, string_agg(md5(i::text) || repeat(' Lea Moor ', 5), '') FROM generate_series(1, 400) i;
INSERT INTO chunks SELECT 2, 'Jon Field ' || string_agg(md5(i::text), '') FROM generate_series(1, 200) i;
CREATE TABLE often (who text);
INSERT INTO often SELECT 'Ann Foster' FROM generate_series(1, 30);
INSERT INTO often SELECT 'Uwe Brandt and others' FROM generate_series(1, 20);
ANALYZE often;
"""


@pytest.fixture(scope="module", params=[18, 16])
def clone(request: pytest.FixtureRequest) -> Iterator[Path]:
    with production(request.param) as running, scratch() as place:
        running.create_database("shop")
        running.execute(TABLE, "shop")
        running.stop()
        directory = place / "raw"
        directory.mkdir(mode=0o711)
        source = {"method": "directory", "path": str(running.data), "database": "shop"}
        config = StoreConfig.model_validate({"kind": "postgres", "source": source})
        snapshot = PostgresStore().snapshot("main", config, directory, lambda event: None)
        with PostgresStore().open(directory, snapshot, log=place / "log") as session:
            session.defang()
        yield directory


@pytest.mark.parametrize(
    ("text", "several"),
    [
        (b"Eva Rothe", True),  # the next value's length byte is an e
        (b"Kim Sanders", True),  # two strings of one document
        (b"Eva Roth", False),
        (b"Ben Hollow", False),
        (b"Ida Weiss", False),  # bytes are not searched as text: what they hold counts
        (b"Ada Li", True),  # the beginning of a compressed value, which is searched decompressed
        (b"Tom Killed", False),  # nobody sees this row, and nobody compared it
        (b"Max Drop", False),  # a column that was dropped
    ],
)
def test_what_stands_side_by_side(clone: Path, text: bytes, several: bool) -> None:
    people = next(r for d in layout.load(clone).databases for r in d.relations if r.name == "public.people")
    path = clone / "data" / people.path
    data = path.read_bytes()
    start = data.find(text)
    assert start > 0 and data.count(text) == 1
    assert Neighbours(clone).side_by_side(path, start, start + len(text)) is several


@pytest.mark.parametrize(
    ("relation", "text", "several"),
    [
        ("public.people_both", b"Eva Rothe", True),  # an entry's next key
        ("public.people_both", b"Eva Roth", False),
        ("pg_toast.chunks", b"Lea", True),  # a compressed value, which is put together and searched
        ("pg_toast.chunks", b"Jon Field", False),  # lies in its chunks as it is
        ("pg_catalog.pg_statistic", b"Uwe Brandt", False),
        ("pg_catalog.pg_statistic", b"Foster\0\0d", True),  # the most common values, one behind another
    ],
)
def test_what_stands_side_by_side_elsewhere(clone: Path, relation: str, text: bytes, several: bool) -> None:
    everything = [r for d in layout.load(clone).databases if d.name == "shop" for r in d.relations]
    if relation == "pg_toast.chunks":
        found = next(r for r in everything if r.oid == next(c.toast for c in everything if c.name == "public.chunks"))
    else:
        found = next(r for r in everything if r.name == relation)
    path = clone / "data" / found.path
    start = path.read_bytes().find(text)
    assert start > 0
    assert Neighbours(clone).side_by_side(path, start, start + len(text)) is several


def test_other_files_tell_nothing(clone: Path) -> None:
    ask = Neighbours(clone).side_by_side
    known = layout.load(clone)
    people = next(r for d in known.databases for r in d.relations if r.name == "public.people")
    index = next(r for d in known.databases for r in d.relations if r.name == "public.people_pkey")
    catalog = next(r for d in known.databases for r in d.relations if r.name == "pg_catalog.pg_type")
    for path in (clone / "data" / index.path, clone / "data" / catalog.path, clone / "data" / "PG_VERSION"):
        assert ask(path, 10, 20) is False
    heap = clone / "data" / people.path
    assert ask(heap, 10, 20) is False  # a page's header
    assert ask(heap, 100, 120) is False  # free space
    assert ask(heap, 8190, 8195) is False  # two pages
