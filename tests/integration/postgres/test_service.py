"""A branch's server: who gets in, with which rights, how fast, and what is left when it stops."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone import process
from envclone.accounts import hand_over, service_account
from envclone.errors import BusyError
from envclone.models import Credentials, Endpoint, Secret, StoreSnapshot
from envclone.stores.postgres.rights import logins
from envclone.stores.postgres.server import control, server, service
from envclone.stores.postgres.server.engine import for_snapshot
from envclone.stores.postgres.server.private import open_private
from envclone.stores.postgres.snapshot.source import snapshot_physical
from tests.support.postgres import production, scratch

PASSWORD = "branch's own/word"
CREDENTIALS = Credentials("envclone", Secret(PASSWORD))
SCHEMA = """
CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE shop_app LOGIN PASSWORD 'raw-password';
CREATE ROLE admin LOGIN IN ROLE pg_execute_server_program;
CREATE ROLE second LOGIN SUPERUSER;
CREATE ROLE through_second LOGIN IN ROLE second;
CREATE TABLE owned (id int PRIMARY KEY, name text);
ALTER TABLE owned OWNER TO shop_owner;
INSERT INTO owned SELECT g, 'n' || g FROM generate_series(1, 100) g;
CREATE TABLE by_boss AS SELECT 1 AS id;
"""


@pytest.fixture(params=[16, 18], ids=["pg16", "pg18"], scope="module")
def image(request: pytest.FixtureRequest) -> Iterator[tuple[Path, StoreSnapshot]]:
    """A configured clone, cleanly stopped, as a branch gets it."""
    from envclone.config.schema import StoreConfig

    with scratch() as place:
        into = place / "main"
        into.mkdir(mode=0o700)
        with production(request.param) as prod:
            prod.create_database("shop")
            prod.execute(SCHEMA, "shop")
            config = {"kind": "postgres", "source": {"method": "physical", "dsn": prod.dsn_for("shop")}}
            snapshot = snapshot_physical("main", StoreConfig.model_validate(config), into, lambda event: None)
        hand_over(into, service_account())
        with open_private(into, snapshot, log=place / "private.log"):
            pass
        yield into, snapshot


@pytest.fixture
def branch(image: tuple[Path, StoreSnapshot], place: Path) -> Iterator[tuple[Path, StoreSnapshot]]:
    """A copy of the image of one test's own."""
    directory = place / "main"
    process.run(["cp", "-a", "--reflink=auto", image[0], directory])
    yield directory, image[1]
    service.stop(directory)


def served(branch: tuple[Path, StoreSnapshot], port: int | None = None) -> Endpoint:
    directory, snapshot = branch
    return service.serve(directory, snapshot, CREDENTIALS, port=port, log=directory.parent / "main.log")


def login(endpoint: Endpoint, **other: Any) -> psycopg.Connection[Any]:
    given = {"host": endpoint.host, "port": endpoint.port, "dbname": endpoint.database, "user": endpoint.user}
    return psycopg.connect(**{**given, "password": PASSWORD, "autocommit": True, **other})


def test_the_login_reads_writes_and_alters_but_is_no_superuser(branch: tuple[Path, StoreSnapshot]) -> None:
    endpoint = served(branch)
    assert (endpoint.host, endpoint.database, endpoint.user) == ("127.0.0.1", "shop", "envclone")
    assert endpoint.pid is not None and process.alive(endpoint.pid)
    with login(endpoint) as conn:
        assert conn.execute("SELECT count(*) FROM owned").fetchone() == (100,)
        conn.execute("INSERT INTO by_boss VALUES (2)")
        conn.execute("ALTER TABLE owned ADD COLUMN more int")
        conn.execute("CREATE TEMPORARY TABLE mine (id int)")
        conn.execute("CREATE SCHEMA own")
        row = conn.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, False, False, False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("COPY by_boss TO PROGRAM 'cat'")
        lent = {name for (name,) in conn.execute(
            "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
            " WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        )}  # fmt: skip
    assert {"shop_owner", "shop_app", "pg_read_all_data"} <= lent
    assert not lent & {"pg_execute_server_program", "second", "through_second", "postgres"}


def test_nobody_else_gets_in(branch: tuple[Path, StoreSnapshot]) -> None:
    endpoint = served(branch)
    for user, password in (("shop_app", "raw-password"), ("postgres", PASSWORD), ("envclone", "wrong")):
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry|rejects|authentication failed"):
            login(endpoint, user=user, password=password)
    with pytest.raises(psycopg.OperationalError):
        login(endpoint, replication="true")
    listening = process.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).stdout
    assert endpoint.port is not None
    assert f"0100007F:{endpoint.port:04X}" in listening
    assert f"00000000:{endpoint.port:04X}" not in listening


def test_the_password_is_not_in_logs_or_arguments(branch: tuple[Path, StoreSnapshot]) -> None:
    directory = branch[0]
    with (directory / "data" / "postgresql.conf").open("a") as file:
        file.write("log_statement = 'all'\n")
    endpoint = served(branch)
    with login(endpoint) as conn:
        conn.execute("SELECT 'statements are logged'")
    log = (directory.parent / "main.log").read_text()
    assert "statements are logged" in log and PASSWORD not in log and PASSWORD.replace("'", "''") not in log
    arguments = Path(f"/proc/{endpoint.pid}/cmdline").read_text()
    assert PASSWORD not in arguments
    assert f"listen_addresses={'' if os.geteuid() == 0 else '127.0.0.1'}\0" in arguments  # root's is behind a gate


def test_serving_is_quick(branch: tuple[Path, StoreSnapshot]) -> None:
    """Against the bare server in the same minute: machines differ, and so does what else they do."""
    times, bare = [], []
    engine, data = for_snapshot(branch[1]), branch[0] / "data"
    for _ in range(3):
        began = time.monotonic()
        served(branch)
        times.append(time.monotonic() - began)
        service.stop(branch[0])
        began = time.monotonic()
        server.start(engine, data, socket_dir=server.socket_dir_for(data), log=branch[0].parent / "bare.log")
        bare.append(time.monotonic() - began)
        server.stop(data)
    assert min(times) < 4 * min(bare), (times, bare)


def test_stop_is_clean_and_idempotent_and_a_restart_keeps_what_was_written(branch: tuple[Path, StoreSnapshot]) -> None:
    directory = branch[0]
    endpoint = served(branch, 15_000 + os.getpid() % 15_000)  # nobody who asks for a free one is given it meanwhile
    assert service.running(directory)
    with login(endpoint) as conn:
        conn.execute("DELETE FROM owned WHERE id > 10")
    assert service.stop(directory) is True
    assert service.stop(directory) is False
    assert not service.running(directory)
    assert not server.socket_dir_for(directory / "data").exists()
    assert control.read(directory / "data").state is control.State.SHUT_DOWN
    again = served(branch, endpoint.port)
    assert again.port == endpoint.port
    with login(again) as conn:
        assert conn.execute("SELECT count(*) FROM owned").fetchone() == (10,)


def test_a_taken_port_is_an_error_only_when_it_was_asked_for(
    branch: tuple[Path, StoreSnapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BusyError, match=r"already in use|is taken"):
            served(branch, port)
        assert not service.running(branch[0])
        free, offered = server.free_port, [port]
        monkeypatch.setattr(server, "free_port", lambda: offered.pop() if offered else free())
        assert served(branch).port not in (None, port)  # taken between the kernel's answer and the server's bind


def test_a_failure_after_the_start_leaves_nothing_running(branch: tuple[Path, StoreSnapshot]) -> None:
    directory, snapshot = branch
    broken = replace(snapshot, details={**snapshot.details, "database": "gone"})
    with pytest.raises(Exception, match="gone"):
        served((directory, broken))
    assert not service.running(directory)


def test_a_role_of_the_same_name_in_production_loses_its_powers(branch: tuple[Path, StoreSnapshot]) -> None:
    directory, snapshot = branch
    engine, log = service.engines.for_snapshot(snapshot), directory.parent / "log"
    running = service._start(engine, directory / "data", None, log, {}, None)
    with server.connect(running, "shop", logins.require(directory).operator) as conn:
        conn.execute("CREATE ROLE envclone LOGIN SUPERUSER BYPASSRLS PASSWORD 'theirs'")
        conn.execute("GRANT envclone TO shop_app")
    service.stop(directory)
    with login(served(branch)) as conn:
        assert conn.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone() == (
            False,
            False,
        )
        assert conn.execute("SELECT count(*) FROM owned").fetchone() == (100,)
