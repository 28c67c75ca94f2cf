"""What a rule keeps is searched by value: an identity in it is refused, a word that is a name too is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: kept
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
{accept}
  rules:
    main:
      public.people.id: keep
      public.people.first_name: person
      public.people.last_name: person
      public.people.street: address
      public.people.zip: address
      public.people.ssn: national_id
      public.people.login: username
      public.people.mail: email
      public.calls.*: keep
      public.orders.*: keep
      public.lines.*: keep
      public.past.*: keep
"""
PEOPLE = [
    (1, "Wolfhard", "Quenzelmann", "Lindenweg 4", "80337", "536-22-8741", "wquenzel", "wolfhard.quenzelmann@q.example"),
    (2, "Brunhilda", "Drachsler", "Am Bach 7", "10115", "417-55-3021", "bdrach", "bd@q.example"),
    (3, "Jessica", "Henderson", "Oak St 9", "20095", "223-44-9910", "jhend", "jh@q.example"),
    (4, "Grace", "Moraleda", "Elm St 12", "20097", "223-44-7712", "gmoral", "gm@q.example"),
]


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, first_name text, last_name text, street text, zip text,"
            " ssn text, login text, mail text);"
            "CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people, note text, log jsonb);"
            "CREATE TABLE calls (id int PRIMARY KEY, callee bigint);"
            "INSERT INTO calls SELECT i, 223000000 + i * 7 FROM generate_series(1, 40) i;"
            "CREATE TABLE past (one text, other text); CREATE STATISTICS beside (mcv) ON one, other FROM past;"
            "CREATE TABLE lines (id int PRIMARY KEY, item int REFERENCES orders, remark text)",
            "app",
        )
        with server.connect("app") as conn, conn.cursor() as cursor:
            cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", PEOPLE)
            cursor.executemany(
                "INSERT INTO orders VALUES (%s, %s, %s, %s)",
                [(i, i % 4 + 1, f"by the grace of order {i}", json.dumps({"carrier": "swift"})) for i in range(40)],
            )
            cursor.executemany("INSERT INTO lines VALUES (%s, %s, 'a box')", [(i, i % 40) for i in range(40)])
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK.replace("{accept}", ""))
        made.call("image", "prod", "--fresh")  # without any of it an image can be made
        yield made


def _refused(here: Place, prod: Production, do: str, undo: str) -> Any:
    prod.execute(do, "app")
    try:
        done = here.call("image", "prod", "--fresh", "--json", check=False)
    finally:
        prod.execute(undo, "app")
    assert done.returncode == 4, done.stdout + done.stderr
    for person in PEOPLE:
        for value in person[1:]:
            assert str(value).lower() not in done.stdout.lower().replace("people.street", "")
    return json.loads(done.stdout)["error"]


def test_everything_is_found_in_one_run_with_rows_and_remedies(here: Place, prod: Production) -> None:
    error = _refused(
        here,
        prod,
        "UPDATE orders SET note = 'Wolfhard Quenzelmann, Lindenweg 4' WHERE id = 7;"
        "UPDATE orders SET note = 'ask wolfhard.quenzelmann@q.example' WHERE id = 8;"
        """UPDATE orders SET log = '{"pin": "536-22-8741"}' WHERE id = 9;"""
        """UPDATE orders SET log = '{"u": "wquenzel"}' WHERE id = 11;"""
        "COMMENT ON TABLE orders IS 'complaints of Wolfhard Quenzelmann (536-22-8741)';"
        "CREATE TYPE e AS ENUM ('a', 'x-417-55-3021')",
        "UPDATE orders SET note = 'none', log = '{}' WHERE id IN (7, 8, 9, 11); COMMENT ON TABLE orders IS NULL;"
        "DROP TYPE e",
    )
    found = {(one["station"], one["place"], one["kind"]): one for one in error["findings"]}
    names = found["fields", "main.public.orders.note", "person"]
    assert names["examples"][0].startswith("id=7, ctid (")
    assert names["context"].startswith("[aaaaaaaa aaaaaaaaaaa]")
    assert names["times"] == 1  # the name in the address is told once, with the address
    assert [one["kind"] for one in error["findings"] if "email" in one["kind"]] == ["email"]
    assert found["fields", "main.public.orders.note", "email"]["times"] == 1
    assert names["remedy"] == "Mask it: public.orders.note: text"
    pin = found["fields", "main.public.orders.log", "national_id"]
    assert pin["examples"][0].endswith("at $.pin")
    assert '"$.pin": national_id' in pin["remedy"] or '"$.pin": text' in pin["remedy"]
    assert ("fields", "main.public.orders.log", "username") in found
    assert ("definitions", "main.comment on table public.orders", "national_id") in found
    assert ("definitions", "main.comment on table public.orders", "person") in found
    assert ("definitions", "main.labels of enum public.e", "national_id") in found


@pytest.mark.parametrize("table", ["orders.note", "lines.remark"])
def test_a_column_that_repeats_what_its_subject_is_called_is_refused(here: Place, prod: Production, table: str) -> None:
    name, column = table.split(".")
    join = (
        "people p WHERE p.id = orders.person"
        if name == "orders"
        else "orders o JOIN people p ON p.id = o.person WHERE o.id = lines.item"
    )
    error = _refused(
        here,
        prod,
        f"UPDATE {name} SET {column} = 'for ' || p.first_name FROM {join}",
        f"UPDATE {name} SET {column} = 'by the grace of it'",
    )
    (one,) = error["findings"]
    assert one["place"] == f"main.public.{table}"
    assert "own subject" in one["what"]


def test_a_column_of_numbers_that_repeats_masked_ones_is_refused_and_an_amount_is_not(
    here: Place, prod: Production
) -> None:
    error = _refused(
        here,
        prod,
        "UPDATE calls SET callee = replace(ssn, '-', '')::bigint FROM people WHERE people.id = calls.id",
        "UPDATE calls SET callee = 223000000 + id * 7",
    )
    (one,) = error["findings"]
    assert (one["place"], one["kind"]) == ("main.public.calls.callee", "national_id")
    assert "4 different numbers" in f"{one['times']} {one['what']}" and one["examples"][0].startswith("id=")


def test_extended_statistics_of_rows_that_are_gone_are_read_row_by_row(here: Place, prod: Production) -> None:
    fill = (
        "INSERT INTO past SELECT p.first_name, q.last_name"
        " FROM people p JOIN people q ON q.id = {}, generate_series(1, 9)"
    )
    gone = "ANALYZE past; TRUNCATE past"
    error = _refused(here, prod, f"{fill.format('p.id')}; {gone}", f"{fill.format('p.id % 4 + 1')}; {gone}")
    (one,) = error["findings"]
    assert one["place"].endswith("stxdmcv of public.past.one") and one["kind"] == "person"
    here.call("image", "prod", "--fresh")  # names of two persons side by side are no leak


def test_an_exception_is_signed_and_shown(here: Place, prod: Production) -> None:
    prod.execute("UPDATE orders SET note = 'Wolfhard Quenzelmann sails' WHERE id = 7", "app")
    try:
        here.write(
            STACK.replace(
                "{accept}", "  accept: [{field: main.public.orders.note, kind: person, reason: the name of a ship}]"
            )
        )
        image = here.json("image", "prod", "--fresh")["id"]
        shown = here.call("attestation", image).stdout
        assert shown.index("Exceptions") < shown.index("Masked in main")
        assert "the name of a ship" in shown
        statement = json.loads((here.pool / "images" / image / "attestation.json").read_text())
        assert [one["times"] for one in statement["checks"]["accepted"]] == [1]
    finally:
        here.write(STACK.replace("{accept}", ""))
        prod.execute("UPDATE orders SET note = 'none' WHERE id = 7", "app")
