"""A branch's PostgreSQL in a container: the server of the container's image on the branch's own files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from envclone import wait
from envclone.accounts import MACHINE, account_of, hand_over
from envclone.errors import UnreachableError
from envclone.models import Container, Credentials, Endpoint, ServerFiles, StoreSnapshot
from envclone.stores.postgres.rights import logins
from envclone.stores.postgres.server import access, server, service
from envclone.stores.postgres.server import engine as engines
from envclone.stores.postgres.server.failures import judged

__all__ = ["container", "make_ready", "outside", "settle"]

_ACCOUNTS = "passwd"
_PROGRAMS = ("postgres", "pg_isready", "psql", "pg_controldata")
_SYSTEM = (Path("/usr/lib/locale"), Path("/usr/share/zoneinfo"))


def container(
    directory: Path,
    snapshot: StoreSnapshot,
    credentials: Credentials,
    *,
    port: int,
    overrides: Mapping[str, str],
) -> Container:
    """The server on `directory/data`, listening on 127.0.0.1 of the sandbox, and on a socket for the operator alone.

    Directories keep their places, for tablespaces are links to absolute ones.
    """
    data, account = directory / "data", account_of(directory)
    socket_dir = server.socket_dir_for(data)
    credentials = service.login(snapshot, credentials)
    given = {
        **overrides,
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    command = ["postgres", "-D", str(data)]
    for name, value in given.items():
        command += ["-c", f"{name}={value}"]
    return Container(
        command=tuple(command),
        user=f"{account.uid}:{account.gid}",
        endpoint=Endpoint(
            store=snapshot.store,
            kind=snapshot.kind,
            host=snapshot.store,
            port=port,
            database=str(snapshot.details["database"]),
            user=credentials.user,
            password=credentials.password,
        ),
        mounts=(directory, socket_dir),
        files={"/etc/passwd": directory.parent / f"{snapshot.store}.{_ACCOUNTS}"},
        health=("pg_isready", "--quiet", "--host", str(socket_dir), "--port", str(port)),
        stop_signal="SIGINT",  # the fast way to stop
    )


def own_files(snapshot: StoreSnapshot) -> ServerFiles:
    """The server of this machine with its libraries, time zones and this machine's locales.

    Raises ResourceError when there is no server of this version here.
    """
    engine = engines.for_snapshot(snapshot)
    trees = [engine.bindir, engine.libdir, engine.sharedir, *(path for path in _SYSTEM if path.exists())]
    trees.append(engine.bindir.parent / "lib")
    programs = [engine.bindir / name for name in _PROGRAMS if (engine.bindir / name).exists()]
    fixed = engine.bindir.is_relative_to("/usr") or engine.bindir.is_relative_to(MACHINE)
    root = None if fixed else engine.bindir.parents[2]  # a wheel's: it finds all of its own from where it is
    marks = f"{root};" + "".join(
        f"{path}:{path.stat().st_mtime_ns}:{path.stat().st_size};" for path in [*programs, *trees]
    )
    version = re.sub(r"[^A-Za-z0-9_.-]", "-", engine.version)
    digest = hashlib.blake2b(marks.encode(), digest_size=6).hexdigest()
    return ServerFiles(f"envclone/postgres:{version}-{digest}", tuple(trees), tuple(programs), root)


def make_ready(directory: Path, snapshot: StoreSnapshot, credentials: Credentials) -> None:
    """Make what the container mounts, and write who may log in; the server is stopped."""
    data, account = directory / "data", account_of(directory)
    access.write_hba(data, [service.login(snapshot, credentials).user])
    (data / "postmaster.pid").unlink(missing_ok=True)  # no process of another namespace can be told from its number
    server.make_socket_directory(server.socket_dir_for(data), account)
    operator = "root:x:0:0::/:/bin/false\n"
    lines = operator + f"{account.name}:x:{account.uid}:{account.gid}::/tmp:/bin/sh\n"
    (directory.parent / f"{snapshot.store}.{_ACCOUNTS}").write_text(lines)
    if data.stat().st_uid != account.uid:
        hand_over(directory, account)


def settle(
    directory: Path,
    snapshot: StoreSnapshot,
    credentials: Credentials,
    port: int,
    *,
    ended: Callable[[], str | None],
    timeout: float = 60.0,
) -> None:
    """Wait until the server takes connections, and let the branch's login in over the operator's socket.

    Raises what its last words mean when it ended, UnreachableError when it does not come up in `timeout` seconds.
    """
    data = directory / "data"
    what = f"PostgreSQL {snapshot.engine_version} in the container {snapshot.store}"

    def ready() -> bool | None:
        if server.ready(data):
            return True
        if (words := ended()) is not None:
            raise judged(what, words)
        return None

    wait.until(ready, what=f"{what} was not ready", timeout=timeout, hint="envclone logs shows what it wrote")
    running = server.Running(0, port, server.socket_dir_for(data), int(snapshot.engine_version.partition(".")[0]))
    names = logins.require(directory)
    with server.session(running, str(snapshot.details["database"]), names.operator) as session:
        if session.major != running.major:
            raise UnreachableError(
                f"{what} is a PostgreSQL {session.major}", hint="give the store an image of its own version"
            )
        service.let_in(session, service.login(snapshot, credentials), names)


def outside(directory: Path, inside: Endpoint, port: int) -> Endpoint:
    """The same server as this host reaches it."""
    return replace(
        inside, host="127.0.0.1", port=port, socket=server.socket_dir_for(directory / "data"), socket_port=inside.port
    )
