"""Keys that are equal and not spelled alike: under a collation, by their type, or padded."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from envclone.errors import UnsafeError
from envclone.masking.kinds import DomainSpec
from envclone.masking.masks import MaskSet
from envclone.masking.rules import plan
from envclone.stores.postgres.catalog.inventory import read_inventory
from envclone.stores.postgres.catalog.tables import read_tables
from envclone.stores.postgres.write.likeness import require, unlike
from tests.support.postgres import production

pytestmark = pytest.mark.real

_SCHEMA = """
    CREATE EXTENSION citext;
    CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    CREATE TABLE people (email citext PRIMARY KEY, name text COLLATE loose UNIQUE, badge numeric UNIQUE,
      code char(9) UNIQUE);
    CREATE TABLE visits (id int PRIMARY KEY, email citext REFERENCES people,
      name text COLLATE loose REFERENCES people (name),
      badge numeric REFERENCES people (badge), code char(12) REFERENCES people (code));
    INSERT INTO people VALUES ('Anna.Lind@example.com', 'Zoé Müller', 491511.0, 'ab12'),
      ('bob@example.com', 'Bob Stone', 7, 'cd34');
    INSERT INTO visits VALUES (1, 'ANNA.LIND@example.com', 'Zoe MULLER', 491511.00, 'ab12'),
      (2, 'bob@example.com', 'Bob Stone', 7, 'cd34');
"""
_RULES = {"public.people.email": "email", "public.people.name": "person", "public.people.badge": "integer",
          "public.people.code": "key", "public.visits.id": "keep"}  # fmt: skip


@pytest.fixture(scope="module")
def conn() -> Iterator[psycopg.Connection]:
    """A production whose keys are equal by more than their bytes; the collation wants a server that knows ICU."""
    with production(17) as server:
        server.create_database("keys")
        with psycopg.connect(server.dsn_for("keys")) as conn:
            conn.execute(_SCHEMA)
            yield conn


def _unlike(conn: psycopg.Connection, rules: dict[str, str]) -> dict[str, str]:
    tables = read_tables(conn)
    masks = MaskSet(b"a key of thirty-two bytes, no less", {"mail": DomainSpec("mail", "email")})
    return unlike(conn, plan(rules, {}, read_inventory(conn, "main")), masks, tables)


def test_a_rule_that_parts_equal_keys_is_refused_with_what_to_do(conn: psycopg.Connection) -> None:
    found = _unlike(conn, _RULES)
    assert list(found) == ["public.visits.name"]  # casing, digits and padding are equal under their masks
    assert "visits_name_fkey" in found["public.visits.name"] and "public.people.name" in found["public.visits.name"]
    assert not any(name in str(found).lower() for name in ("zoe", "zoé", "muller"))
    with pytest.raises(UnsafeError, match="1 rule") as raised:
        masks = MaskSet(b"a key of thirty-two bytes, no less", {})
        require(conn, plan(_RULES, {}, read_inventory(conn, "main")), masks, read_tables(conn))
    assert raised.value.problems == (f"public.visits.name: {found['public.visits.name']}",)
    assert "one spelling" in (raised.value.hint or "")


def test_one_spelling_passes(conn: psycopg.Connection) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("UPDATE visits AS v SET name = p.name FROM people AS p WHERE p.name = v.name")
        assert _unlike(conn, _RULES) == {}
    assert _unlike(conn, {**_RULES, "public.people.name": "keep"}) == {}
