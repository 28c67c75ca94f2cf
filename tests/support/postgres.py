"""A production-like PostgreSQL server for tests: real, with a password, TCP, and replication allowed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from envclone import process
from envclone.accounts import hand_over, service_account
from envclone.stores.postgres.server import engine as engines
from tests.support.leftovers import RUN
from tests.support.ports import unused_port

PASSWORD = "s3cret/pass word"  # with characters that a URL must quote


@dataclass(frozen=True)
class Production:
    """A running server; `dsn` is a superuser's, over TCP, with its password."""

    dsn: str
    data: Path
    socket_dir: Path
    port: int
    engine: engines.Engine
    password: str
    superuser: str = "postgres"

    def dsn_for(self, database: str, user: str | None = None, password: str | None = None) -> str:
        """The DSN of another database or user."""
        user, password = user or self.superuser, password or self.password
        return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres", **kwargs: Any) -> psycopg.Connection[Any]:
        """An autocommit connection as the superuser."""
        return psycopg.connect(self.dsn_for(database), autocommit=True, **kwargs)

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one or more statements; the rows of the last, if any."""
        with self.connect(database) as conn:
            cur = conn.execute(sql.encode())
            while cur.nextset():
                pass
            return cur.fetchall() if cur.description else []

    def create_database(self, name: str) -> None:
        """Make an empty database."""
        self.execute(f'CREATE DATABASE "{name}"')

    def stop(self) -> None:
        """Stop the server; a directory source needs it stopped."""
        account = service_account()
        process.run([self.engine.bindir / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop"], account=account)

    def start(self) -> None:
        """Start it again after `stop`."""
        account = service_account()
        log = self.data.parent / "server.log"
        pg_ctl = self.engine.bindir / "pg_ctl"
        done = process.run(
            [pg_ctl, "-D", self.data, "-l", log, "-w", "-t", "60", "start"], account=account, check=False
        )
        if done.returncode:
            raise AssertionError(f"the test's server did not start: {done.stderr}\n{log.read_text()}")

    @property
    def running(self) -> bool:
        """Whether it has not been stopped."""
        return (self.data / "postmaster.pid").exists()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory that the servers' account can enter (pytest's own are closed to it)."""
    place = Path(tempfile.mkdtemp(prefix=f"envclone-test-{RUN}-", dir="/tmp"))
    place.chmod(0o711)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def production(
    major: int = 18,
    settings: Mapping[str, str] | None = None,
    initdb_args: Sequence[str] = (),
    *,
    superuser: str = "postgres",
) -> Iterator[Production]:
    """A running PostgreSQL of that major version with `settings` in its postgresql.conf."""
    engine = engines.find(major)
    account = service_account()
    with scratch() as place:
        for name in ("data", "socket"):
            (place / name).mkdir(mode=0o700)
        (place / "pw").write_text(PASSWORD + "\n")
        (place / "pw").chmod(0o600)
        (place / "server.log").touch(mode=0o600)
        for name in ("data", "socket", "pw", "server.log"):
            hand_over(place / name, account)
        process.run(
            [engine.bindir / "initdb", "-D", place / "data", "-U", superuser, "--no-sync", "--encoding=UTF8",
             "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={place / 'pw'}",
             *initdb_args],
            account=account,
        )  # fmt: skip
        (place / "pw").unlink()
        port = unused_port()
        conf = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(place / "socket"),
            "fsync": "off",
            # dead rows, statistics and transaction numbers stay as a test left them, however long it takes
            "autovacuum_naptime": "1h",
            "wal_level": "replica",
            **(settings or {}),
        }
        with (place / "data" / "postgresql.conf").open("a") as file:
            for name, value in conf.items():
                file.write(f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n")
        dsn = f"postgresql://{quote(superuser, safe='')}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        server = Production(dsn, place / "data", place / "socket", port, engine, PASSWORD, superuser)
        server.start()
        try:
            yield server
        finally:
            if server.running:
                with contextlib.suppress(Exception):
                    server.stop()
