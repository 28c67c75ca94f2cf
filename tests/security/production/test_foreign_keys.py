"""A foreign key that the engine does not enforce hides no column: its own end is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = pytest.mark.real

STACK = """\
version: 1
project: keys
pool: {path: "{pool}"}
environments:
  prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}}}
sanitize:
  undeclared: fail
  rules:
    main:
      public.people.id: keep
      public.people.code: keep
      public.people.name: person
      public.orders.total: keep
"""
SECRET = "Theophania Grauenfels 111-22-3333"
PEOPLE = """
CREATE TABLE people (id int, code text UNIQUE, name text, PRIMARY KEY (id), UNIQUE (code, id));
INSERT INTO people VALUES (1, 'C1', 'Wolfhard Quenzelmann');
CREATE TABLE orders (code text REFERENCES people (code), total int);
INSERT INTO orders VALUES ('C1', 5);
"""
HIDING = {
    "not_valid": "CREATE TABLE not_valid (who text); INSERT INTO not_valid VALUES (@);"
    "ALTER TABLE not_valid ADD FOREIGN KEY (who) REFERENCES people (code) NOT VALID",
    "not_enforced": "CREATE TABLE not_enforced (who text REFERENCES people (code) NOT ENFORCED);"
    "INSERT INTO not_enforced VALUES (@)",
    "half_null": "CREATE TABLE half_null (who text, id int, FOREIGN KEY (who, id) REFERENCES people (code, id));"
    "INSERT INTO half_null VALUES (@, NULL)",
    "one_partition": "CREATE TABLE one_partition (who text, part int) PARTITION BY LIST (part);"
    "CREATE TABLE one_a PARTITION OF one_partition FOR VALUES IN (1);"
    "CREATE TABLE one_b PARTITION OF one_partition FOR VALUES IN (2);"
    "ALTER TABLE one_a ADD FOREIGN KEY (who) REFERENCES people (code);"
    "INSERT INTO one_partition VALUES (@, 2)",
    "chain": "CREATE TABLE middle (who text UNIQUE); INSERT INTO middle VALUES (@);"
    "ALTER TABLE middle ADD FOREIGN KEY (who) REFERENCES people (code) NOT VALID;"
    "CREATE TABLE chain (who text REFERENCES middle (who)); INSERT INTO chain VALUES (@)",
}


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(PEOPLE, "app")
        for statements in HIDING.values():
            server.execute(statements.replace("@", f"'{SECRET}'"), "app")
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        yield made


def test_every_such_column_is_asked_for(here: Place) -> None:
    error = here.json("image", "prod", check=False)["error"]
    assert error["exit_code"] == 4
    asked = " ".join(error["problems"])  # columns that are tied to each other are one problem
    for table in (*HIDING, "middle"):
        assert f"public.{table}.who" in asked, table
    assert "public.orders.code" not in asked, "the values of a key that is enforced are those of a kept column"
    assert SECRET not in str(error)
