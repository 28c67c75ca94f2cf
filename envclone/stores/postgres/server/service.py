"""A branch's PostgreSQL: started on 127.0.0.1 with one login of its own, stopped again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from envclone.accounts import account_of, pool_of
from envclone.cage.gatekeeper import Gatekeeper, listen
from envclone.errors import BusyError, EnvcloneError
from envclone.models import Credentials, Endpoint, StoreSnapshot
from envclone.stores.postgres.rights import logins
from envclone.stores.postgres.server import access, scram, server, wire
from envclone.stores.postgres.server import engine as engines

__all__ = ["let_in", "login", "running", "serve", "stop"]

_ATTEMPTS = 3
"""Ports that are tried when the kernel chooses: another process can take one before the server binds it."""

_PREDEFINED = ("pg_read_all_data", "pg_write_all_data", "pg_monitor")
_LOCAL_POWERS = ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files")
"""Roles that reach this machine's files and programs: nobody who has them is lent to the branch's user."""


def serve(
    directory: Path,
    snapshot: StoreSnapshot,
    credentials: Credentials,
    *,
    port: int | None,
    log: Path,
    overrides: Mapping[str, str] | None = None,
    started: Callable[[int], None] | None = None,
) -> Endpoint:
    """Start the server on `directory/data` and wait until the branch's login works.

    `port` None takes one from the kernel; `overrides` are settings above those of the files, `started` is told the
    server's process id at once. The login is not a superuser; it reads and writes all data and has the rights of
    production's own roles. When root starts it, the server is in a cage, and the pool's gate has the port. Raises
    BusyError when `port` is taken, else as `server.start` does; then nothing runs.
    """
    data = directory / "data"
    engine = engines.for_snapshot(snapshot)
    names = logins.require(directory)
    credentials = login(snapshot, credentials)
    gated = os.geteuid() == 0
    database = str(snapshot.details["database"])
    access.write_hba(data, [credentials.user], behind_gate=names.operator if gated else None)
    with contextlib.ExitStack() as stack:
        if gated:
            listener = stack.enter_context(listen(port))
            keeper = _keeper(directory)
            keeper.summon()
            server_ = _start_behind(keeper, engine, data, listener.getsockname()[1], log, overrides or {}, started)
        else:
            server_ = _start(engine, data, port, log, overrides or {}, started)
        try:
            with server.session(server_, database, names.operator) as session:
                let_in(session, credentials, names)
                if gated:
                    access.write_operator(data, session)
            if gated:
                keeper.add(_route(directory), listener, _door_of(keeper, directory) / f".s.PGSQL.{server_.port}")
        except BaseException:
            stop(directory, "immediate")
            raise
    return Endpoint(
        store=snapshot.store,
        kind=snapshot.kind,
        host="127.0.0.1",
        port=server_.port,
        database=database,
        user=credentials.user,
        password=credentials.password,
        socket=server_.socket_dir,
        pid=server_.pid,
    )


def stop(directory: Path, mode: Literal["fast", "immediate"] = "fast") -> bool:
    """Stop the server on `directory/data`, and end its route through the gate; False when none ran."""
    if os.geteuid() == 0:
        keeper = _keeper(directory)
        keeper.drop(_route(directory))
        stopped = server.stop(directory / "data", mode)
        keeper.forget(directory / "data")
        return stopped.ran
    return server.stop(directory / "data", mode).ran


def running(directory: Path) -> bool:
    """Whether a server runs on `directory/data` and can be reached; a gate that died is started again for it."""
    found = server.status(directory / "data")
    if found is None or os.geteuid() != 0:
        return found is not None
    keeper = _keeper(directory)
    if _route(directory) in (keeper.routes() or ()):
        return True
    try:
        with listen(found.port) as listener:
            keeper.add(_route(directory), listener, _door_of(keeper, directory) / f".s.PGSQL.{found.port}")
    except EnvcloneError:
        return False  # somebody else has its port now: it has to be started again
    return True


def _keeper(directory: Path) -> Gatekeeper:
    return Gatekeeper(pool_of(directory) or directory)


def _route(directory: Path) -> str:
    """The name of a store's route: its branch, and the store."""
    return f"{directory.parent.name}/{directory.name}"


def _door_of(keeper: Gatekeeper, directory: Path) -> Path:
    return keeper.door(directory / "data", account_of(directory))


def _start_behind(
    keeper: Gatekeeper,
    engine: engines.Engine,
    data: Path,
    port: int,
    log: Path,
    options: Mapping[str, str],
    started: Callable[[int], None] | None,
) -> server.Running:
    """Start the server in its cage; its number is that of the port which the gate has for it."""
    if server.status(data) is not None:
        server.stop(data)  # the gate has lost it
    return server.start(
        engine,
        data,
        socket_dir=server.socket_dir_for(data),
        port=port,
        door=_door_of(keeper, data.parent),
        log=log,
        options=options,
        started=started,
    )


def _start(
    engine: engines.Engine,
    data: Path,
    port: int | None,
    log: Path,
    options: Mapping[str, str],
    started: Callable[[int], None] | None,
) -> server.Running:
    for attempt in range(_ATTEMPTS):
        chosen = port or server.free_port()
        try:
            return server.start(
                engine,
                data,
                socket_dir=server.socket_dir_for(data),
                port=chosen,
                host="127.0.0.1",
                log=log,
                options=options,
                started=started,
            )
        except BusyError:
            if port is not None or attempt == _ATTEMPTS - 1 or server.status(data) is not None:
                raise
    raise AssertionError("unreachable")


def login(snapshot: StoreSnapshot, credentials: Credentials) -> Credentials:
    """The branch's login: its user must not be the one who may do all."""
    if credentials.user == snapshot.details["superuser"]:
        return replace(credentials, user=f"{credentials.user}_branch")
    return credentials


def let_in(session: wire.Session, credentials: Credentials, names: logins.Logins) -> None:
    """Make the branch's login, or give it its password again; the server sees the SCRAM verifier only."""
    user = wire.identifier(credentials.user)
    verifier = wire.literal(scram.verifier(credentials.password.reveal()))
    session.execute("BEGIN")
    there = session.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $1", credentials.user)
    verb = "ALTER" if there else "CREATE"
    session.execute(
        f"{verb} ROLE {user} LOGIN NOSUPERUSER INHERIT NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION"
        f" CONNECTION LIMIT -1 PASSWORD {verifier} VALID UNTIL 'infinity'"
    )
    lent = session.execute("SELECT pg_catalog.pg_has_role($1, 'pg_write_all_data', 'MEMBER')", credentials.user)
    if lent != [("t",)]:  # else it is a restart: its rights are there
        ((database,),) = session.execute("SELECT pg_catalog.current_database()")
        session.execute(f"GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {wire.identifier(str(database))} TO {user}")
        granted = [
            *_PREDEFINED,
            *(["pg_maintain"] if session.major >= 17 else []),
            *_production_roles(session, credentials.user, names),
        ]
        roles = ", ".join(map(wire.identifier, granted))
        session.execute(f"GRANT {roles} TO {user}")
    session.execute("COMMIT")


def _production_roles(session: wire.Session, user: str, names: logins.Logins) -> list[str]:
    """Production's own login and owner roles, without those that were, or could become, a superuser."""
    rows = session.execute(
        """
        WITH RECURSIVE powerful AS (
            SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper OR rolname OPERATOR(pg_catalog.=) ANY (ARRAY[$4, $5, $6,
              $7]::pg_catalog.name[])
            UNION SELECT m.member FROM pg_catalog.pg_auth_members m
              JOIN powerful p ON p.oid OPERATOR(pg_catalog.=) m.roleid),
        owners AS (
            SELECT relowner AS oid FROM pg_catalog.pg_class UNION SELECT nspowner FROM pg_catalog.pg_namespace
            UNION SELECT proowner FROM pg_catalog.pg_proc UNION SELECT typowner FROM pg_catalog.pg_type
            UNION SELECT datdba FROM pg_catalog.pg_database)
        SELECT rolname FROM pg_catalog.pg_roles r
        WHERE oid OPERATOR(pg_catalog.>=) 16384 AND rolname OPERATOR(pg_catalog.<>) $1
          AND rolname OPERATOR(pg_catalog.<>) ALL (ARRAY[$2, $3]::pg_catalog.name[])
          AND (rolcanlogin OR oid OPERATOR(pg_catalog.=) ANY (SELECT oid
            FROM owners)) AND NOT oid OPERATOR(pg_catalog.=) ANY (SELECT oid FROM powerful)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles u
                          WHERE u.rolname OPERATOR(pg_catalog.=) $1
                            AND pg_catalog.pg_has_role(r.oid, u.oid, 'MEMBER'))
        ORDER BY rolname
        """,
        user, names.worker, names.author, names.former, *_LOCAL_POWERS,
    )  # fmt: skip
    return [str(name) for (name,) in rows]
