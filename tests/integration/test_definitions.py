"""A value in the schema itself is as much a leak as one in a row: refused by name, and gone when it is taken out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: definitions
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.email: email
      public.people.id: keep
      public.notes.*: keep
      public.notes.words: {words: keep}
      pg_largeobject: keep
"""
WHO = "zanzibar.quux1@corp.example"


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int, email text PRIMARY KEY);"
            "INSERT INTO people SELECT i, 'zanzibar.quux' || i || '@corp.example' FROM generate_series(1, 50) i;"
            "CREATE TABLE notes (words tsvector, link text);"
            "SELECT lo_from_bytea(0, 'nothing of anybody')",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        made.call("image", "prod", "--fresh")  # without any of it an image can be made
        yield made


@pytest.mark.parametrize(
    ("place_of_it", "create", "drop"),
    [
        ("view public.v", f"CREATE VIEW v AS SELECT id FROM people WHERE email = '{WHO}'", "DROP VIEW v"),
        (
            "default",
            f"ALTER TABLE people ALTER email SET DEFAULT '{WHO}'",
            "ALTER TABLE people ALTER email DROP DEFAULT",
        ),
        (
            "constraint ck",
            f"ALTER TABLE people ADD CONSTRAINT ck CHECK (email <> '{WHO}') NOT VALID",
            "ALTER TABLE people DROP CONSTRAINT ck",
        ),
        ("policy p", f"CREATE POLICY p ON people USING (email = '{WHO}')", "DROP POLICY p ON people"),
        ("index public.ix", f"CREATE INDEX ix ON people (id) WHERE email = '{WHO}'", "DROP INDEX ix"),
        ("function public.f", f"CREATE FUNCTION f() RETURNS text LANGUAGE sql RETURN '{WHO}'::text", "DROP FUNCTION f"),
        (
            "comment on table public.people",
            f"COMMENT ON TABLE people IS 'ask {WHO}'",
            "COMMENT ON TABLE people IS NULL",
        ),
        ("name of a role", f'CREATE ROLE "{WHO}"', f'DROP ROLE "{WHO}"'),
        ("settings of all", f"ALTER ROLE ALL SET myapp.owner = '{WHO}'", "ALTER ROLE ALL RESET myapp.owner"),
        ("labels of enum public.e", f"CREATE TYPE e AS ENUM ('a', '{WHO}')", "DROP TYPE e"),
        ("main.public.notes.words", f"INSERT INTO notes VALUES (to_tsvector('simple', '{WHO}'))", "DELETE FROM notes"),
        (
            "main.public.notes.link",
            f"INSERT INTO notes VALUES (NULL, '{WHO.replace('@', '%40')}')",
            "DELETE FROM notes",
        ),
        ("main.public.notes.link", f"INSERT INTO notes VALUES (NULL, '{WHO.upper()}')", "DELETE FROM notes"),
        (
            "pg_largeobject",  # over the border of two of its pages
            f"SELECT lo_from_bytea(4711, convert_to(repeat('x', 2038) || ' {WHO}', 'UTF8'))",
            "SELECT lo_unlink(4711)",
        ),
    ],
)
def test_a_value_in_a_definition_is_refused(
    here: Place, prod: Production, place_of_it: str, create: str, drop: str
) -> None:
    prod.execute(create, "app")
    try:
        refused = here.call("image", "prod", "--fresh", check=False)
    finally:
        prod.execute(drop, "app")
    assert refused.returncode == 4, refused.stderr
    assert place_of_it in refused.stderr
    assert "zanzibar" not in refused.stderr
    assert len([one for one in here.leftovers() if one.startswith("images/")]) == 1
