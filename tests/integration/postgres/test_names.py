"""Names that must be quoted: dots, spaces, per cent signs, quotes, commas, capitals; a database with them too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = pytest.mark.real

DATABASE = "My App-1%"
SCHEMA = """
CREATE SCHEMA "Sales.EU";
CREATE TABLE "Sales.EU"."Order Items" (
    "ID" int PRIMARY KEY, "Customer Name" text, "e.mail" text UNIQUE, "% complete" numeric, "discount_%s" text,
    "say ""hi"" now" text, "last, first" text, "select" text, "naïve–col" text, "born on" date, "died, on" date,
    "seen.on" date, "full data" jsonb, words text
);
INSERT INTO "Sales.EU"."Order Items"
SELECT i, 'Zanna Quimby' || chr(97 + i % 26) || chr(97 + i / 26 % 26), 'zq' || i || '@corp.example', i % 100,
       'Zanna Quimbya', 'hello Zanna Quimbyba', 'Quimby, Zanna', 'pick', 'x', date '1980-01-01' + i * 17,
       date '2020-01-01' + i, date '2021-01-01' + i, jsonb_build_object('e.mail', 'zq' || i || '@corp.example'), 'w'
FROM generate_series(1, 60) i;
CREATE INDEX ON "Sales.EU"."Order Items" ("discount_%s");
CREATE TABLE "Sales.EU" (id int PRIMARY KEY, "Order Items.e.mail" text, "order.mail" text);
INSERT INTO "Sales.EU" SELECT i, 'zq' || i || '@corp.example', 'zq' || i || '@corp.example'
FROM generate_series(1, 9) i;
CREATE ROLE app LOGIN;
GRANT USAGE ON SCHEMA "Sales.EU" TO app; GRANT SELECT ON ALL TABLES IN SCHEMA "Sales.EU", public TO app;
ANALYZE;
"""
STACK = """\
version: 1
project: names
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: "My App-1%"}}
sanitize:
  rules:
    main:
      Sales.EU.Order Items.*: keep
      Sales.EU.Order Items.Customer Name: person
      Sales.EU.Order Items.e.mail: email
      "Sales.EU.Order Items.% complete": number
      "Sales.EU.Order Items.discount_%s": person
      'Sales.EU.Order Items.say "hi" now': text
      "Sales.EU.Order Items.last, first": person
      "Sales.EU.Order Items.born on": {domain: date, by: "e.mail"}
      "Sales.EU.Order Items.died, on": {domain: date, by: "last, first"}
      '"Sales.EU"."Order Items"."seen.on"': {domain: date, by: '"Sales.EU"."Order Items"."e.mail"'}
      Sales.EU.Order Items.full data: {"$['e.mail']": email}
      public.Sales.EU.id: keep
      'public."Sales.EU"."Order Items.e.mail"': email
  hooks: [hooks/mixed.py]
  references:
    - main.public.Sales.EU.order.mail -> main."Sales.EU"."Order Items"."e.mail"
incidents: incidents/
"""
HOOK = """\
from envclone.hooks import hook


@hook(writes='main."Sales.EU"."Order Items".words', reads=["ID", '"last, first"', "e.mail"])
def mixed(ctx, batch):
    rows = zip(batch["ID"], batch["last, first"], batch["e.mail"])
    return [f"{number} {len(name)} {len(mail)}" for number, name, mail in rows]
"""
BUNDLE = """\
version: 1
incident: odd
environment: prod
steps:
  - id: one
    kind: sql
    store: main
    role: app
    sql: >-
      SELECT "ID", "e.mail", "last, first", "born on" FROM "Sales.EU"."Order Items" WHERE "e.mail" = %(who)s
    parameters: {who: zq7@corp.example}
    domains: {who: email}
    key: ID
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database(DATABASE)
        server.execute(SCHEMA, quote(DATABASE))
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    dsn = prod.dsn_for(quote(DATABASE))
    with place() as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSN", dsn)
        found.env["DSN"] = dsn
        found.write(STACK)
        (found.directory / "hooks").mkdir()
        (found.directory / "hooks" / "mixed.py").write_text(HOOK)
        incidents = found.directory / "incidents"
        incidents.mkdir()
        (incidents / "odd.yaml").write_text(BUNDLE)
        found.call("incident", "record", str(incidents / "odd.yaml"))
        found.call("branch", "prod", "--incident", "odd", "--name", "odd")
        yield found


def _rows(prod: Production, here: Place, query: str) -> tuple[list[Any], list[Any]]:
    url = next(str(v) for v in here.json("env", "odd").values() if str(v).startswith("postgresql"))
    with psycopg.connect(url) as branch:
        return prod.execute(query, quote(DATABASE)), branch.execute(query).fetchall()


def test_every_name_is_masked_by_its_own_rule(prod: Production, here: Place) -> None:
    raw, clean = _rows(prod, here, """SELECT * FROM "Sales.EU"."Order Items" ORDER BY "ID\"""")
    kept = {0, 7, 8}
    for i in range(len(raw[0]) - 1):
        assert ({str(row[i]) for row in raw} == {str(row[i]) for row in clean}) is (i in kept), i
    pairs = zip(clean, _mails(prod), strict=True)
    assert all(row[-1] == f"{row[0]} {len(row[6])} {len(mail)}" for row, (mail,) in pairs)
    assert all(row[12]["e.mail"] == row[2] for row in clean)


def _mails(prod: Production) -> list[Any]:
    return prod.execute("""SELECT "e.mail" FROM "Sales.EU"."Order Items" ORDER BY "ID\"""", quote(DATABASE))


def test_dates_are_shifted_by_the_columns_that_were_named(prod: Production, here: Place) -> None:
    raw, clean = _rows(
        prod, here, """SELECT "born on", "died, on", "seen.on" FROM "Sales.EU"."Order Items" ORDER BY "ID\""""
    )
    shifts = [[b - a for a, b in zip(one, other, strict=True)] for one, other in zip(raw, clean, strict=True)]
    assert all(born == seen for born, _, seen in shifts) and len({born for born, _, _ in shifts}) > 30
    assert len({died for _, died, _ in shifts}) == 1  # everybody has the same name there


def test_references_and_incidents_know_the_columns(prod: Production, here: Place) -> None:
    _, clean = _rows(
        prod,
        here,
        """SELECT count(*) FROM public."Sales.EU" s JOIN "Sales.EU"."Order Items" o ON o."e.mail" = s."order.mail"
           AND o."e.mail" = s."Order Items.e.mail\"""",
    )
    assert clean == [(9,)]
    assert here.json("replay", "odd")["reproduced"] is True


def test_the_attestation_names_them_as_they_are_written(here: Place) -> None:
    (image,) = here.open().images()
    text = json.dumps(here.json("attestation", image.id))
    rules = here.json("attestation", image.id)["stores"]["main"]["plan"]["rules"]
    assert rules['"Sales.EU"."Order Items"."born on"']["by"] == '"Sales.EU"."Order Items"."e.mail"'
    assert rules['"Sales.EU"."Order Items"."died, on"']["by"] == '"Sales.EU"."Order Items"."last, first"'
    assert "zq7@" not in text
    assert '"Sales.EU"."Order Items"."born on"' in here.call("attestation", image.id).stdout
