"""A database that nobody here wrote: loaded, declared, branched, and no customer or employee is in the result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone import process
from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, bytes_hold, place

SCRIPT = Path(__file__).parents[1] / "data" / "chinook.sql"

STACK = """\
version: 1
include: ["{rules}"]
project: chinook
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main:
        kind: postgres
        source: {method: physical, dsn: "${CHINOOK_DSN?the DSN of the chinook database}"}
"""

PEOPLE = "SELECT first_name, last_name, phone, fax, email, address FROM {} ORDER BY 1, 2"


@pytest.fixture(scope="module")
def chinook() -> Iterator[Production]:
    with production(18) as server:
        process.run(
            [server.engine.bindir / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.socket_dir, "-p",
             str(server.port), "-U", "postgres", "-d", "postgres"],
            input=SCRIPT.read_text(),
        )  # fmt: skip
        yield server


@pytest.fixture(scope="module")
def here(chinook: Production) -> Iterator[Place]:
    with place() as made:
        made.env["CHINOOK_DSN"] = chinook.dsn_for("chinook")
        made.write(STACK.replace("{rules}", str(ROOT / "hooks" / "chinook.yaml")))
        yield made


@pytest.fixture(scope="module")
def branch(here: Place) -> dict[str, Any]:
    made: dict[str, Any] = here.json("branch", "prod", "--name", "chinook")
    return made


def _rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query.encode()).fetchall()


def test_nobody_is_left(chinook: Production, here: Place, branch: dict[str, Any]) -> None:
    people = [
        row for table in ("customer", "employee") for row in _rows(chinook.dsn_for("chinook"), PEOPLE.format(table))
    ]
    assert len(people) == 59 + 8
    telling = [
        value.encode()
        for first, last, phone, fax, email, address in people
        for value in (f"{first} {last}", phone, fax, email, address)
        if value
    ]
    assert len(telling) > 250
    # the kept composers are the only names in the clear; a customer's full name is not among them
    assert bytes_hold(here.pool / "images", telling) == {}
    assert bytes_hold(here.pool / "branches", telling) == {}
    dump = process.run(
        [chinook.engine.bindir / "pg_dump", "-d", branch["urls"]["main"]],
    ).stdout
    assert [value for value in telling if value.decode() in dump] == []


def test_the_rest_is_as_it_was(chinook: Production, branch: dict[str, Any]) -> None:
    query = (
        "SELECT i.invoice_id, i.total, i.billing_country, t.name, t.composer, c.country, e.title, b.title"
        " FROM invoice i JOIN invoice_line USING (invoice_id) JOIN track t USING (track_id)"
        " JOIN customer c USING (customer_id) JOIN employee e ON e.employee_id = c.support_rep_id"
        " LEFT JOIN employee b ON b.employee_id = e.reports_to ORDER BY 1, 4"
    )
    before, after = _rows(chinook.dsn_for("chinook"), query), _rows(branch["urls"]["main"], query)
    assert len(before) == 2240
    assert before == after


def test_shape_and_identity(chinook: Production, branch: dict[str, Any]) -> None:
    query = "SELECT first_name, last_name, email, phone, length(email) FROM customer ORDER BY customer_id"
    before, after = _rows(chinook.dsn_for("chinook"), query), _rows(branch["urls"]["main"], query)
    pseudonyms: dict[str, str] = {}
    for (first, last, email, phone, length), (first2, last2, email2, phone2, length2) in zip(
        before, after, strict=True
    ):
        assert (len(first), len(last), length) == (len(first2), len(last2), length2)
        assert len(first.encode()) == len(first2.encode())
        assert re.sub(r"\w", "x", email) == re.sub(r"\w", "x", email2)
        assert (phone is None) == (phone2 is None)
        if phone:
            assert re.sub(r"\d", "0", phone) == re.sub(r"\d", "0", phone2)
        for value, pseudonym in ((first, first2), (last, last2), (email, email2)):
            assert value != pseudonym
            assert pseudonyms.setdefault(value, pseudonym) == pseudonym
    assert len({row[2] for row in after}) == len({row[2] for row in before})


def test_the_branch_s_user_is_no_superuser(branch: dict[str, Any]) -> None:
    dsn = branch["urls"]["main"]
    assert _rows(dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _rows(dsn, "COPY customer TO PROGRAM 'cat'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _rows(dsn, "SELECT pg_read_file('/etc/passwd')")
    with psycopg.connect(dsn) as conn:  # but may change what it sees
        conn.execute("UPDATE customer SET city = 'Elsewhere' WHERE customer_id = 1")
        conn.execute("CREATE SCHEMA scratch")
        conn.rollback()


def test_life_of_a_branch(here: Place, branch: dict[str, Any]) -> None:
    here, dsn = here.fresh, branch["urls"]["main"]
    assert [one["state"] for one in here.json("ls")] == ["running"]
    with psycopg.connect(dsn) as conn:
        conn.execute("DELETE FROM invoice_line")
    assert here.json("stop", "chinook")["state"] == "stopped"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn, connect_timeout=3)
    again = here.json("start", "chinook")
    assert _rows(again["urls"]["main"], "SELECT count(*) FROM invoice_line") == [(0,)]
    fresh = here.json("reset", "chinook")
    assert _rows(fresh["urls"]["main"], "SELECT count(*) FROM invoice_line") == [(2240,)]
    printed = here.call("psql", "chinook", "-Atc", "SELECT count(*) FROM album").stdout
    assert printed.strip() == "347"
    exports = here.call("env", "chinook").stdout
    assert f"export DATABASE_URL={fresh['urls']['main']}" in exports.replace("'", "")
    here.json("branch", "prod", "--name", "another")
    shown = here.json("show", "another")
    assert shown["own_bytes"] <= 40 * 2**20
    assert here.json("rm", "another", "another-that-never-was") == {
        "removed": {"another": True, "another-that-never-was": False}
    }
    assert not (here.pool / "branches" / "another").exists()
