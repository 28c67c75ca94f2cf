"""With `consistency: person` no name has one pseudonym: in columns, documents, addresses and texts."""

from __future__ import annotations

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
project: persons
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  domains: {person: {kind: person, consistency: person}}
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.people.note: text
      public.people.doc: {"$.who": person}
      public.orders.buyer: person
"""
PEOPLE = 120


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text UNIQUE, email text UNIQUE, note text, doc jsonb);"
            "CREATE TABLE orders (buyer text REFERENCES people (name));"
            "INSERT INTO people SELECT i, 'Christopher ' || f, 'christopher.' || lower(f) || '@corp.example',"
            " 'Christopher ' || f || ' called; Christopher was cross.', jsonb_build_object('who', f || ', Christopher')"
            " FROM (SELECT i, 'Quimby' || chr(97 + i % 26) || chr(98 + i / 26) AS f"
            f"  FROM generate_series(1, {PEOPLE}) i) x;"
            "INSERT INTO orders SELECT name FROM people WHERE id % 3 = 0",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.env["ENVCLONE_MASKING_KEY"] = "5e" * 32  # what is counted below is chance under a key: so it is one key
        made.write(STACK)
        yield made


@pytest.fixture(scope="module")
def url(here: Place) -> str:
    return str(here.json("branch", "prod", "--name", "b")["urls"]["main"])


@pytest.fixture(scope="module")
def rows(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT name, email, note, doc->>'who' FROM public.people ORDER BY id").fetchall()


def test_each_christopher_has_another_pseudonym(rows: list[tuple[Any, ...]]) -> None:
    given = Counter(name.split(" ")[0] for name, *_ in rows)
    # 120 draws from a class of about 64: most are drawn once to four times, and none anywhere near all
    assert len(given) >= 40 and given.most_common(1)[0][1] <= 12
    assert "Christopher" not in given
    assert len({name for name, *_ in rows}) == PEOPLE


def test_one_person_is_one_everywhere(rows: list[tuple[Any, ...]], url: str) -> None:
    for name, email, note, who in rows:
        given, family = name.split(" ")
        assert email.split("@")[0] == f"{given}.{family}".lower()
        assert note == f"{name} called; {given} was cross."
        assert who == f"{family}, {given}"
    with psycopg.connect(url) as conn:
        (found,) = conn.execute(
            "SELECT count(*) FROM public.orders o JOIN public.people p ON p.name = o.buyer"
        ).fetchone() or (0,)
    assert found == PEOPLE // 3


def test_a_column_with_a_part_of_a_name_is_refused(prod: Production) -> None:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        prod.execute("ALTER TABLE people ADD first_name text", "app")
        try:
            made.write(
                STACK.replace(
                    "      public.people.id: keep",
                    "      public.people.id: keep\n      public.people.first_name: person",
                )
            )
            refused = made.call("image", "prod", check=False)
            assert refused.returncode == 3
            assert "public.people.first_name: holds a part of a name" in refused.stderr
        finally:
            prod.execute("ALTER TABLE people DROP first_name", "app")
