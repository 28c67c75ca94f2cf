"""An image of a production that changed a little shares the last one's pages, and is what a full run makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone import attestation
from envclone.api import Stack
from envclone.cow import extents
from envclone.errors import UnsafeError
from envclone.lifecycle import publish, quarantine
from envclone.models import Image
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

PAGE = 8192
pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: sharing
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "@DSN@", database: app}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  rules:
    main:
      {public.people.id: keep, public.people.name: person, public.people.email: email, public.people.note: text,
       public.people.sum: keep, public.people.more: keep, public.people.said: keep,
       public.kept.id: keep, public.kept.left_over: keep}
"""
SQL = """
CREATE TABLE people (id int PRIMARY KEY, name text, email text, note text, sum text, more text, said text)
  WITH (fillfactor = 80);
INSERT INTO people SELECT i, 'Zanzibar Quux' || chr(97 + i % 26), 'z' || i || '@corp.example',
  CASE WHEN i = 17 THEN 'Bartholomew Quirke called' ELSE 'Please call back, says Zanzibar Quuxa.' END,
  repeat(md5(i::text), 8),
  CASE WHEN i % 500 = 0 THEN (SELECT string_agg(md5(j::text), '') FROM generate_series(1, 300) j) END,
  CASE WHEN i = 3 THEN 'as Caractacus Plumtree said' END
FROM generate_series(1, 6000) i;
CREATE INDEX ON people (email);
CREATE TABLE kept (id int, gone text, left_over text);
INSERT INTO kept SELECT i, 'x', repeat('y', 300) FROM generate_series(1, 3000) i;
"""
DIRTY = """
UPDATE people SET sum = sum WHERE id % 20 = 0;
UPDATE kept SET id = id WHERE id % 20 = 0;
ALTER TABLE kept DROP COLUMN gone;
"""
CHANGE = """
UPDATE people SET name = 'Bartholomew Quirke' WHERE id = 5000;
UPDATE people SET note = 'Yes, says Zanzibar Quuxb, and Bartholomew Quirke agrees.' WHERE id % 500 = 7;
DELETE FROM people WHERE id = 4500;
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18, {"summarize_wal": "on", "autovacuum": "off"}) as server:
        server.create_database("app")
        server.execute(SQL, "app")
        server.execute("VACUUM (FREEZE, ANALYZE)", "app")
        server.execute(DIRTY, "app")
        server.execute("SELECT count(*) FROM people; SELECT count(*) FROM kept", "app")  # hint bits are changes, too
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.write(STACK.replace("@DSN@", prod.dsn_for("app")))
        yield made


def rewrite(here: Place, image: Image) -> dict[str, Any]:
    statement = attestation.read(here.pool / "images" / image.id, here.open().project.keys)
    return dict(statement["stores"]["main"]["rewrite"])


def table(here: Place, prod: Production, image: Image, name: str = "people") -> Path:
    path = prod.execute(f"SELECT pg_relation_filepath('{name}')", "app")[0][0]
    return here.pool / "images" / image.id / "main" / "data" / str(path)


def alone(stack: Stack) -> Image:
    """The image of the same snapshot that a full run makes."""
    with (
        quarantine.using(stack.project, "prod") as raw,
        publish.make(stack.project, raw, again=True) as image,  # type: ignore[arg-type]
    ):
        return image


@pytest.fixture(scope="module")
def first(here: Place) -> Image:
    return here.open().image("prod", fresh=True)


def test_what_did_not_change_is_shared_and_the_result_is_a_full_runs(
    here: Place, prod: Production, first: Image
) -> None:
    assert rewrite(here, first)["pages_shared"] == 0
    prod.execute(CHANGE, "app")
    prod.execute("SELECT count(*) FROM people", "app")  # hint bits alone change where rows were written
    stack = here.open()
    image = stack.image("prod", fresh=True)
    told = rewrite(here, image)
    assert 0.8 * told["pages_written"] < told["pages_shared"] < told["pages_written"]
    before, owned = extents.usage(table(here, prod, image).parent)
    full = alone(stack)
    assert rewrite(here, full)["pages_shared"] == 0
    one, other = (table(here, prod, one) for one in (image, full))
    assert one.read_bytes() == other.read_bytes() != table(here, prod, first).read_bytes()
    assert owned < before / 2, "catalogs and the index of the masked column are made again"
    kept = [table(here, prod, one, "kept") for one in (first, image, full)]
    assert extents.same_blocks(kept[0], kept[1]) and not extents.same_blocks(kept[0], kept[2])
    assert kept[0].read_bytes() == kept[2].read_bytes()
    data = one.read_bytes()
    assert b"Quux" not in data and b"Bartholomew" not in data, "the note of a row that did not change names him, too"


def test_what_was_altered_in_the_last_image_is_not_shared(here: Place, prod: Production, first: Image) -> None:
    stack = here.open()
    last = stack.images()[-1]
    page = slice(60 * PAGE, 61 * PAGE)
    right = table(here, prod, last).read_bytes()[page]
    with table(here, prod, last).open("r+b") as file:
        file.seek(61 * PAGE - 9)
        file.write(bytes([right[-9] ^ 1]))
    prod.execute("UPDATE people SET name = 'Zanzibar Quuxz' WHERE id = 4001", "app")
    image = stack.image("prod", fresh=True)
    assert rewrite(here, image)["pages_shared"] > 300
    assert table(here, prod, image).read_bytes()[page] == right != table(here, prod, last).read_bytes()[page]


def test_a_new_persons_name_in_an_old_kept_text_is_found(here: Place, prod: Production, first: Image) -> None:
    prod.execute("UPDATE people SET name = 'Caractacus Plumtree' WHERE id = 5500", "app")
    try:
        with pytest.raises(UnsafeError) as caught:
            here.open().image("prod", fresh=True)
    finally:
        prod.execute("UPDATE people SET name = 'Zanzibar Quuxa' WHERE id = 5500", "app")
    assert any("main.public.people.said" in one for one in caught.value.problems), caught.value.problems
