"""Every PostgreSQL that comes along, from its stopped files and from its running server, under load, to a branch."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from tests.support.postgres import production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: versions
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {SOURCE}}
sanitize:
  domains:
    email: {kind: email, unique: true}
  rules:
    main:
      public.people.email: email
      public.people.name: person
      public.people.*: keep
      public.ledger.*: keep
"""

SCHEMA = """
CREATE TABLE people (email text PRIMARY KEY, name text, boss text REFERENCES people, balance int NOT NULL);
CREATE TABLE ledger (id bigserial PRIMARY KEY, amount int NOT NULL);
INSERT INTO people SELECT 'jané.doe' || i || '@corp.example', 'Jané Doe', NULL, 0 FROM generate_series(1, 3000) i;
UPDATE people SET boss = 'jané.doe1@corp.example';
"""


def _transfer(dsn: str, stop: threading.Event) -> None:
    """Writes whose sum is always zero, as fast as one session can."""
    with psycopg.connect(dsn) as conn:
        number = 0
        while not stop.is_set():
            number += 1
            one, other = (f"jané.doe{1 + (number * step) % 3000}@corp.example" for step in (7, 13))
            conn.execute("UPDATE people SET balance = balance + 5 WHERE email = %s", [one])
            conn.execute("UPDATE people SET balance = balance - 5 WHERE email = %s", [other])
            conn.execute("INSERT INTO ledger (amount) VALUES (5), (-5)")
            conn.commit()


def _consistent(branch: dict[str, Any]) -> None:
    with psycopg.connect(branch["urls"]["main"]) as conn:
        assert conn.execute("SELECT count(*), sum(balance) FROM people").fetchone() == (3000, 0)
        assert conn.execute("SELECT coalesce(sum(amount), 0) FROM ledger").fetchone() == (0,)
        (bosses,) = conn.execute("SELECT count(*) FROM people p JOIN people b ON b.email = p.boss").fetchone() or (0,)
        assert bosses == 3000
        assert conn.execute("SELECT count(*) FROM people WHERE email LIKE 'jané%' OR name LIKE 'Jané%'").fetchone() == (
            0,
        )
        assert conn.execute("SELECT count(DISTINCT email), count(DISTINCT name) FROM people").fetchone() == (3000, 1)


@pytest.mark.parametrize("major", [18, 16])
def test_running_under_load_and_stopped(major: int) -> None:
    with production(major) as server, place() as here:
        server.create_database("app")
        server.execute(SCHEMA, "app")
        stop = threading.Event()
        writer = threading.Thread(target=_transfer, args=(server.dsn_for("app"), stop))
        writer.start()
        try:
            here.env["DSN"] = server.dsn_for("app")
            here.write(STACK.replace("{SOURCE}", '{method: physical, dsn: "${DSN}"}'))
            branch = here.json("branch", "prod", "--name", "physical")
        finally:
            stop.set()
            writer.join()
        _consistent(branch)
        (written,) = server.execute("SELECT count(*) FROM ledger", "app")[0]
        with psycopg.connect(branch["urls"]["main"]) as conn:
            (copied,) = conn.execute("SELECT count(*) FROM ledger").fetchone() or (0,)
        assert 0 < copied < written, "the snapshot is of a moment while the load ran"
        _stopped(here, server)


def test_a_production_whose_superuser_has_our_name() -> None:
    with production(18, superuser="envclone") as server, place() as here:
        server.create_database("app")
        server.execute(SCHEMA, "app")
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK.replace("{SOURCE}", '{method: physical, dsn: "${DSN}"}'))
        branch = here.json("branch", "prod", "--name", "named")
        _consistent(branch)
        here.call("stop", "named")
        again = here.json("start", "named")
        with psycopg.connect(again["urls"]["main"]) as conn:
            row = conn.execute(
                "SELECT current_user::text, rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        assert row == ("envclone_branch", False)


def _stopped(here: Place, server: Any) -> None:
    """The same from the files of the stopped server; of a running one they are refused."""
    here.write(STACK.replace("{SOURCE}", f"{{method: directory, path: {server.data}, database: app}}"))
    refused = here.call("branch", "prod", "--fresh", "--name", "directory", check=False)
    assert refused.returncode in (4, 8), refused.stderr
    assert "hint: " in refused.stderr
    server.stop()
    before = sorted((path, path.stat().st_mtime_ns) for path in server.data.rglob("*"))
    _consistent(here.json("branch", "prod", "--fresh", "--name", "directory"))
    assert sorted((path, path.stat().st_mtime_ns) for path in server.data.rglob("*")) == before
