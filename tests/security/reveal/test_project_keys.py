"""Two projects have unlinkable pseudonyms: in one pool, and under one key that the environment gives to two pools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = pytest.mark.real

STACK = """\
version: 1
project: PROJECT
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.id: integer
      public.people.name: person
      public.people.email: email
      public.people.born: date
"""
PEOPLE = 200


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text, born date);"
            "INSERT INTO people SELECT 100000 + i, 'Zanna' || chr(97 + i % 26) || chr(97 + i / 26) || ' Quimbyton',"
            f" 'zanna' || i || '@corp.example', date '1970-01-01' + i FROM generate_series(1, {PEOPLE}) i",
            "app",
        )
        yield server


def _people(here: Place, project: str) -> list[tuple[Any, ...]]:
    """What the branch of a project holds, in the order of production's rows."""
    here.write(STACK.replace("PROJECT", project))
    name = f"of-{project}"
    with psycopg.connect(here.json("branch", "prod", "--name", name)["urls"]["main"]) as conn:
        rows = conn.execute("SELECT id, name, email, born FROM public.people ORDER BY ctid").fetchall()
    here.call("rm", name)
    assert len(rows) == PEOPLE
    return rows


def test_two_projects_share_no_pseudonym(prod: Production) -> None:
    with place() as first, place() as second:
        first.env["DSN"] = second.env["DSN"] = prod.dsn_for("app")
        acme, other = _people(first, "acme"), _people(first, "other")
        second.env["ENVCLONE_MASKING_KEY"] = (first.pool / "keys" / "masking.key").read_text().strip()
        third = _people(second, "third")
        assert not (second.pool / "keys" / "masking.key").exists()
    for one, two in ((acme, other), (acme, third), (other, third)):
        for column in range(4):
            same = sum(a[column] == b[column] for a, b in zip(one, two, strict=True))
            # chance gives one of 900,000 ids, of millions of names, of a year's days
            assert same <= (8 if column == 3 else 1), f"column {column}: {same} of {PEOPLE} are linkable"
