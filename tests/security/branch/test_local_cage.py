"""A local branch seen from inside, by a superuser and by a program beside it: no way out, no file of another."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone import process, wait
from tests.security.cagedprobe import found, status_of
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: caged
pool: {path: "{pool}"}
environments:
  prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: "${PROD_DSN}", database: app}}}}
sanitize:
  rules: {main: {public.people.id: keep, public.people.name: person}}
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute("CREATE TABLE people (id int PRIMARY KEY, name text)", "app")
        server.execute("INSERT INTO people SELECT i, 'Jane Doe' FROM generate_series(1, 50) i", "app")
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["PROD_DSN"] = prod.dsn_for("app")
        made.write(STACK)
        for name in ("one", "two"):
            made.call("branch", "prod", "--name", name)
        yield made


@pytest.fixture(scope="module")
def listener() -> Iterator[int]:
    """A service of this host that listens on every address."""
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        sock.listen(64)
        yield sock.getsockname()[1]


def _branch(here: Place, name: str) -> dict[str, Any]:
    (found,) = [one for one in here.json("ls") if one["name"] == name]
    return dict(found)


def _pid(here: Place, name: str) -> int:
    return int((here.pool / "branches" / name / "main" / "data" / "postmaster.pid").read_text().split()[0])


def _addresses() -> list[str]:
    said = process.run(["ip", "-o", "-4", "addr"], check=False).stdout if Path("/sbin/ip").exists() else ""
    named = [word.split("/")[0] for line in said.splitlines() for word in line.split() if word.count(".") == 3]
    return sorted({"127.0.0.1", "169.254.169.254", "172.17.0.1", "1.1.1.1", *named})


def test_from_inside_nothing_is_reached(here: Place, prod: Production, listener: int) -> None:
    pid, other = _pid(here, "one"), _pid(here, "two")
    uid = (here.pool / "branches" / "one" / "main" / "data").stat().st_uid
    two = _branch(here, "two")
    ports = [listener, prod.port, int(two["urls"]["main"].rsplit(":", 1)[1].split("/")[0])]
    (image,) = (here.pool / "images").iterdir()
    (raw,) = (here.pool / "raw").iterdir()
    files = [
        *map(
            str,
            (
                here.pool / "pool.json",
                here.pool / "images",
                image,
                image / "main",
                raw,
                raw / "main" / "data",
                here.pool / "keys",
                here.file,
            ),
        ),
        *map(str, (here.pool / "branches" / "two", here.pool / "branches" / "two" / "main" / "data", prod.data)),
        *("/root", "/home", "/etc/shadow", "/proc/1", "/bin/sh", "/usr/bin/env", "/var", "/sys", "/boot"),
    ]
    assert found(pid, uid, ports, _addresses(), files, [1, os.getpid(), other]) == []
    assert found(pid, uid, [], [], [str(here.pool / "branches" / "one" / "main" / "data")], []) != [], "a blind probe"


def test_the_server_has_no_rights_and_an_account_of_its_own(here: Place) -> None:
    accounts = set()
    for name in ("one", "two"):
        status = status_of(_pid(here, name))
        assert {int(status[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == "1"
        accounts |= set(status["Uid"].split())
        data = here.pool / "branches" / name / "main" / "data"
        assert {str(path.lstat().st_uid) for path in (data, *data.rglob("*"))} == {status["Uid"].split()[0]}
    assert len(accounts) == 2 and "0" not in accounts
    (image,) = (here.pool / "images").iterdir()
    assert {path.lstat().st_uid for path in image.rglob("*")} == {0}


def test_a_superuser_of_the_server_sees_nothing_but_its_own(here: Place) -> None:
    """What a superuser could do who does not exist: programs and files of the server's process."""
    operator = _operator(here, "one")
    with operator as conn:
        for sql in (
            "COPY (SELECT 1) TO PROGRAM 'cat'",
            "SELECT pg_catalog.pg_read_file('/etc/shadow')",
            f"SELECT pg_catalog.pg_ls_dir('{here.pool}/branches/two/main/data')",
            f"SELECT pg_catalog.pg_ls_dir('{here.pool}/images')",
        ):
            with pytest.raises(psycopg.Error):
                conn.execute(sql.encode())
        way = conn.execute(f"SELECT pg_catalog.pg_ls_dir('{here.pool}')".encode()).fetchall()
        assert way == [("branches",)], "nothing but the way to its own directory"
        accounts = conn.execute("SELECT pg_catalog.pg_read_file('/etc/passwd')").fetchone()
        assert accounts is not None and len(accounts[0].splitlines()) == 2


def _operator(here: Place, name: str) -> psycopg.Connection[Any]:
    from envclone.stores.postgres import server
    from envclone.stores.postgres.rights import logins

    directory = here.pool / "branches" / name / "main"
    running = server.status(directory / "data")
    assert running is not None
    return server.connect(running, "app", logins.require(directory).operator, autocommit=True)


def test_the_gate_leads_to_the_branch_s_login_and_to_no_other(here: Place) -> None:
    url = _branch(here, "one")["urls"]["main"]
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT count(*) FROM people").fetchone() == (50,)
    from envclone.stores.postgres.rights import logins

    operator = logins.require(here.pool / "branches" / "one" / "main").operator
    for user in (operator, "postgres"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url, user=user)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url, password="wrong")


def test_one_gate_serves_the_pool_and_is_started_again_when_it_died(here: Place) -> None:
    gates = _gates(here)
    assert len(gates) == 1
    status = status_of(gates[0])
    assert "0" not in status["Uid"].split() and int(status["CapEff"], 16) == 0
    os.kill(gates[0], signal.SIGKILL)
    wait.until(lambda: True if not process.alive(gates[0]) else None, what="the gate goes on", timeout=20)
    for name in ("one", "two"):
        here.call("start", name)
        with psycopg.connect(_branch(here, name)["urls"]["main"]) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
    assert len(_gates(here)) == 1


def test_it_goes_with_the_last_branch(here: Place) -> None:
    here.call("rm", "two")
    assert len(_gates(here)) == 1
    here.call("rm", "one")
    wait.until(lambda: True if not _gates(here) else None, what="the gate goes on", timeout=20)


def _gates(here: Place) -> list[int]:
    gates = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if b"/cage/gate.py" in words and str(here.pool).encode() in words and process.alive(int(entry.name)):
                gates.append(int(entry.name))
    return gates
