"""An index that production has and does not use is as unused in a branch, and holds nobody; a domain's constraint that
production's own rows break binds no pseudonym."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: invalid
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  method: METHOD
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.people.city: keep
      public.people.nick: NICK
"""
INDEXES = (
    "CREATE UNIQUE INDEX CONCURRENTLY people_email_key ON people (email)",
    "CREATE INDEX CONCURRENTLY people_ratio ON people ((1 / (length(name) - length(name))), name)",
    "CREATE UNIQUE INDEX CONCURRENTLY people_town ON people (name) WHERE city = 'Town 1'",
)
STATE = """
    SELECT indexrelid::regclass::text, indisvalid, indisready, indislive, pg_get_indexdef(indexrelid)
    FROM pg_index WHERE indrelid = 'people'::regclass ORDER BY 1
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            """CREATE DOMAIN nick AS text CHECK (length(VALUE) > 4);
               CREATE TABLE people (id int PRIMARY KEY, name text, email text, city text, nick nick);
               INSERT INTO people SELECT i, 'Zanna Quimby' || chr(97 + i % 26), 'zq' || (i % 190) || '@corp.example',
                 'Town ' || i % 9, 'Brunhild' FROM generate_series(1, 300) AS i;
               CREATE INDEX people_name ON people (name);
               ALTER DOMAIN nick ADD CONSTRAINT short CHECK (length(VALUE) < 5) NOT VALID""",
            "app",
        )
        with server.connect("app") as conn:
            conn.autocommit = True
            for statement in INDEXES:
                with pytest.raises(psycopg.Error):
                    conn.execute(statement)
        yield server


@pytest.fixture(params=["in-place", "sql"])
def here(request: pytest.FixtureRequest, prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        nick = "person" if request.param == "in-place" else "keep"  # an UPDATE checks all constraints
        made.write(STACK.replace("METHOD", request.param).replace("NICK", nick))
        yield made


def test_an_invalid_index_stays_invalid_and_is_empty(prod: Production, here: Place) -> None:
    before = prod.execute(STATE, "app")
    assert [row[1] for row in before] == [False, True, True, False, False]
    branch = here.json("branch", "prod", "--name", "b")
    with psycopg.connect(branch["urls"]["main"]) as conn:
        assert conn.execute(STATE).fetchall() == before
        pages = "SELECT pg_relation_size('people_email_key') / 8192, pg_relation_size('people_ratio') / 8192"
        assert conn.execute(pages).fetchone() == (1, 1)  # of a B-tree of no row there is the metapage
        asked = "SELECT DISTINCT nick = 'Brunhild', length(nick) FROM people"
        assert conn.execute(asked).fetchall() == [("nick: keep" in here.file.read_text(), 8)]
        temporary = "SELECT count(*) FROM pg_class WHERE relname ~ 'envclone_no'"
        assert conn.execute(temporary).fetchone() == (0,)
    differs = [row for row in here.json("parity", "b")["rows"] if row["parity"] == "differs"]
    assert "people_" not in json.dumps(differs)
    here.call("rm", "b")


def test_what_production_breaks_itself_is_no_fault_of_a_proposal(prod: Production) -> None:
    with place() as here:
        here.env.update({"ENVCLONE_POOL": str(here.pool), "PROD_PG_DSN": prod.dsn_for("app")})
        here.call("init", "--project", "app", "--from", "PROD_PG_DSN")
        text = here.file.read_text()
        assert "public.people.name: person" in text and "public.people.email: email" in text
