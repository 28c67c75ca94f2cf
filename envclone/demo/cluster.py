"""A PostgreSQL cluster of the demo's own: made, started on 127.0.0.1 with passwords, stopped at the end."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envclone import process
from envclone.accounts import hand_over, require_traversable, service_account
from envclone.errors import BusyError, CommandError
from envclone.models import Secret
from envclone.stores.postgres.server import engine

__all__ = ["MAJOR", "SETTINGS", "Cluster", "Login", "cluster"]

MAJOR = 18

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "max_wal_size": "1GB",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    # rows that were updated or deleted stay where they are, as in a production between two runs of autovacuum
    "autovacuum_naptime": "1h",
    "log_min_messages": "warning",
}


@dataclass(frozen=True, slots=True)
class Login:
    """A role that can log in."""

    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster; `passfile` holds its logins' passwords in libpq's format, readable by its owner alone."""

    data: Path
    port: int
    owner: Login
    passfile: Path
    engine: engine.Engine

    def conninfo(self, *, user: str | None = None, database: str = "postgres") -> str:
        """How to connect, without a password: libpq takes it from the passfile."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(
            host="127.0.0.1",
            port=self.port,
            user=user or self.owner.user,
            dbname=database,
            passfile=str(self.passfile),
        )

    def add_login(self, login: Login) -> None:
        """Remember another login's password."""
        with self.passfile.open("a") as file:
            file.write(f"127.0.0.1:{self.port}:*:{login.user}:{login.password.reveal()}\n")


@contextmanager
def cluster(
    into: Path, *, owner: str, settings: Mapping[str, str] | None = None, durable: bool = True
) -> Iterator[Cluster]:
    """Make a cluster in `into`/data and run it until the end of the block.

    `owner` is the bootstrap superuser; it and every other login need a password. `durable` False spares the
    disk, for a cluster that is thrown away. Raises ResourceError without an engine or when `into` is closed to
    the account that servers run as, BusyError when no port can be had.
    """
    account = service_account()
    require_traversable(into, account)
    found = engine.find(MAJOR)
    data = into / "data"
    data.mkdir(mode=0o700)
    login = Login(owner, Secret(secrets.token_urlsafe(18)))
    passfile = into / "pgpass"
    passfile.touch(mode=0o600)
    password = data.parent / "initial-password"
    password.touch(mode=0o600)
    password.write_text(login.password.reveal())
    for path in (data, passfile, password):
        hand_over(path, account)
    process.run(
        [
            found.program("initdb"),
            *("-D", data, "-U", owner, "--pwfile", password, "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ],
        account=account,
    )
    password.unlink()
    chosen = dict(SETTINGS, **(settings or {}))
    if not durable:
        chosen |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in chosen.items())
    log = into / "server.log"
    log.touch(mode=0o600)
    hand_over(log, account)
    control: list[str | Path] = [found.program("pg_ctl"), "-D", data, "-s"]
    try:
        running = Cluster(data, _start(control, log), login, passfile, found)
        running.add_login(login)
        yield running
    finally:
        process.run([*control, "stop", "-m", "fast", "-t", "60"], account=account, check=False)


def _start(control: list[str | Path], log: Path) -> int:
    """Start on a free port, and again on another when somebody took it in between; returns the port."""
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        try:
            process.run([*control, "-l", log, "-o", f"-p {port}", "-w", "-t", "30", "start"], account=service_account())
        except CommandError as error:
            if "in use" not in log.read_text(errors="replace"):
                error.hint = f"the server's last words are in {log}"
                raise
            log.write_text("")
            continue
        return port
    raise BusyError("no free port on 127.0.0.1 for the demo's server", hint="try again")
