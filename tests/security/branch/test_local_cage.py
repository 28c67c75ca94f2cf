"""A local branch: its own account, no network, no file of another branch, of an image or of a build; one gate."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone import process
from envclone.accounts import RANGE
from envclone.cage.gatekeeper import Gatekeeper
from envclone.stores.postgres.rights import logins
from tests.support.cages import has_none, outside, reach
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: caged
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.name: person
"""


@dataclass(frozen=True)
class World:
    server: Production
    here: Place
    image: str
    one: dict[str, Any]
    two: dict[str, Any]

    def pid(self, branch: str) -> int:
        return int((self.here.pool / "branches" / branch / "main/data/postmaster.pid").read_text().split()[0])

    def socket(self, branch: str) -> Path:
        lines = (self.here.pool / "branches" / branch / "main/data/postmaster.pid").read_text().splitlines()
        return Path(lines[4]) / f".s.PGSQL.{lines[3].strip()}"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with production(18) as server, place() as here:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Jane Doe')", "app"
        )
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK)
        here.call("image", "prod")
        one = here.json("branch", "prod", "--name", "one")
        two = here.json("branch", "prod", "--name", "two")
        yield World(server, here, one["image"], one, two)


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5) as conn:
            return conn.execute("SELECT count(*) FROM public.people").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_from_inside_nothing_of_this_machine_is_there(world: World) -> None:
    pool = world.here.pool
    ports = [world.server.port, world.one["endpoints"]["main"]["port"], world.two["endpoints"]["main"]["port"]]
    secret = [pool / name for name in ("raw", "images", "work", "keys", "branches/two", "branches/two/main/data")]
    secret += [pool / "images" / world.image / "main/data/PG_VERSION", world.server.data, world.here.file]
    pids = [os.getpid(), world.pid("two"), 1]
    with outside() as there:
        given = {"ports": ports, "secret": secret, "sockets": [world.socket("two")], "pids": pids}
        free = reach(None, there, **given)  # type: ignore[arg-type]
        for found in (f"tcp 127.0.0.1:{there.port}", f"tcp 127.0.0.1:{ports[0]}", f"tcp 127.0.0.1:{ports[2]}",
                      "raw socket", "abstract socket", "reads /etc/shadow", f"reads {secret[0]}", "writes /etc",
                      f"socket {world.socket('two')}", f"signals {pids[1]}"):  # fmt: skip
            assert found in free, free
        assert reach(world.pid("one"), there, **given) == []  # type: ignore[arg-type]
        gate = Gatekeeper(pool)._process()
        assert gate is not None and reach(gate, there, **{**given, "sockets": []}) == []  # type: ignore[arg-type]


def test_every_branch_has_an_account_of_its_own_and_an_image_none(world: World) -> None:
    branches = world.here.pool / "branches"
    uids = {name: (branches / name / "main/data").stat().st_uid for name in ("one", "two")}
    assert len(set(uids.values())) == 2 and all(uid in RANGE for uid in uids.values())
    for name, uid in uids.items():
        status = os.stat(f"/proc/{world.pid(name)}")
        assert status.st_uid == uid and has_none(world.pid(name))
        owners = {path.lstat().st_uid for path in (branches / name / "main/data").rglob("*")}
        assert owners == {uid}
    image = world.here.pool / "images" / world.image
    assert {path.lstat().st_uid for path in (image, *image.rglob("*"))} == {0}
    assert (image / "main/data").stat().st_mode & 0o077 == 0
    gate = Gatekeeper(world.here.pool)._process()
    assert gate is not None and os.stat(f"/proc/{gate}").st_uid in set(RANGE) - set(uids.values()) and has_none(gate)


def test_a_superuser_of_the_server_gets_no_further(world: World) -> None:
    """What the login must not do anyway, done as the operator: the walls hold where rights inside have failed."""
    data = world.here.pool / "branches/one/main/data"
    other = world.here.pool / "branches/two/main/data/PG_VERSION"
    path = world.socket("one")
    superuser = _superuser(world)
    host = {"host": str(path.parent), "port": int(path.name.rpartition(".")[2]), "dbname": "app", "user": superuser}
    with contextlib.closing(psycopg.connect(**host, autocommit=True)) as conn:  # type: ignore[arg-type]
        assert conn.execute("SELECT pg_read_file('PG_VERSION')").fetchone() == ("18\n",)
        assert conn.execute("SELECT pg_ls_dir('/proc', true, false)").fetchall() == []
        for wanted in (other, "/etc/shadow", "/root", world.here.pool / "keys", world.server.data / "PG_VERSION"):
            with pytest.raises(psycopg.Error, match=r"No such file|Permission denied"):
                conn.execute("SELECT pg_read_file(%s)", [str(wanted)])
        accounts = conn.execute("SELECT pg_read_file('/etc/passwd')").fetchone()
        assert accounts is not None and accounts[0].count("\n") == 2
        with pytest.raises(psycopg.Error):  # there is no shell, and no other program
            conn.execute("COPY (SELECT 1) TO PROGRAM 'id > /tmp/proof'")
        conn.execute("CREATE TEMP TABLE bytes (line text)")
        with pytest.raises(psycopg.Error, match=r"Read-only|No such file|Permission"):
            conn.execute("COPY bytes TO '/usr/lib/envclone-proof'")
        # a library that the server wrote itself cannot be loaded: nothing writable can be run
        library = next(world.server.engine.bindir.parent.rglob("plpgsql.so")).read_bytes()
        (data / "own.so").write_bytes(library)
        (data / "own.so").chmod(0o755)
        with pytest.raises(psycopg.Error, match=r"failed to map|not permitted|Operation"):
            conn.execute(f"LOAD '{data}/own.so'")
        (data / "own.so").unlink()


def _superuser(world: World) -> str:
    return logins.require(world.here.pool / "branches/one/main").operator


def test_the_gate_lets_in_the_login_and_nobody_else(world: World) -> None:
    url, end = world.one["urls"]["main"], world.one["endpoints"]["main"]
    assert _answers(url)
    for user in (_superuser(world), "postgres"):
        for password in ("", "guess"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(
                    host="127.0.0.1", port=end["port"], dbname="app", user=user, password=password, connect_timeout=5
                )
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=end["port"], dbname="app", user=end["user"], password="wrong")
    with pytest.raises(psycopg.OperationalError):  # the login of one branch is none of the other's
        psycopg.connect(url.replace(str(end["port"]), str(world.two["endpoints"]["main"]["port"])))
    with psycopg.connect(url) as conn:  # much goes through in one piece, in both directions
        row = conn.execute("SELECT repeat('x', 30000000), length(%s)", ["y" * 5_000_000]).fetchone()
        assert row is not None and len(row[0]) == 30_000_000 and row[1] == 5_000_000


def test_a_gate_that_was_killed_is_back_and_ends_with_its_last_route(world: World) -> None:
    keeper = Gatekeeper(world.here.pool)
    gate = keeper._process()
    assert gate is not None
    process.terminate(gate, signal.SIGKILL)
    _until(lambda: not process.alive(gate))
    assert not _answers(world.one["urls"]["main"])
    assert {branch["state"] for branch in world.here.json("ls")} == {"running"}
    assert _answers(world.one["urls"]["main"]) and _answers(world.two["urls"]["main"])
    assert keeper.routes() is not None and sorted(keeper.routes() or []) == ["one/main", "two/main"]
    world.here.call("rm", "two")
    assert keeper.routes() == ["one/main"]
    world.here.call("stop", "one")
    _until(lambda: keeper._process() is None)
    world.here.call("start", "one")
    assert keeper.routes() == ["one/main"]


def _until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
