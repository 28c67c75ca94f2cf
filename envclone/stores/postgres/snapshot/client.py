"""PostgreSQL's own client programs, connecting to where a session of ours is; no secret in their arguments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError, EnvcloneError, ResourceError, UnreachableError
from envclone.stores.postgres.server.engine import Engine, installed

if TYPE_CHECKING:
    import psycopg

__all__ = ["command", "connect_hint", "explained", "no_tls"]

_OWN_PARAMETERS = (
    "dbname", "application_name", "fallback_application_name", "client_encoding", "connect_timeout", "options",
    "target_session_attrs", "load_balance_hosts", "service", "servicefile",
)  # fmt: skip
"""Parameters of our own connection that are not a program's; what a service file said is among the others."""


def command(
    conn: psycopg.Connection[Any], engine: Engine, program: str, **given: str
) -> tuple[Path, str, dict[str, str] | None]:
    """The program, its connection string, and its environment, in which the password is.

    It connects to the server that answered, in the way that was agreed with it. Raises ConfigError for what a program
    could only be told in its arguments, ResourceError when it is not installed.
    """
    from psycopg.conninfo import make_conninfo

    parameters = dict(conn.info.get_parameters())
    for key in _OWN_PARAMETERS:
        parameters.pop(key, None)
    if parameters.get("sslcertmode") == "allow":  # the default, which versions before 16 have no word for
        del parameters["sslcertmode"]
    if "sslpassword" in parameters:
        raise ConfigError(
            f"the DSN holds an sslpassword, which {program} could only be given in its arguments",
            hint="use a key without a passphrase, readable by this user alone",
        )
    parameters |= {"host": conn.info.host, "port": str(conn.info.port), "user": conn.info.user}  # the one that answered
    if "hostaddr" in parameters:
        parameters["hostaddr"] = conn.info.hostaddr
    parameters |= given
    conninfo = make_conninfo("", **{key: value for key, value in parameters.items() if value != ""})
    env = {"PGPASSWORD": conn.info.password} if conn.info.password else None
    return _program(engine, str(parameters.get("sslmode", "")), program), conninfo, env


def no_tls(program: str) -> ResourceError:
    """The error of a program that was built without TLS."""
    return ResourceError(
        f"production wants TLS, which the embedded {program} does not know",
        hint="apt install postgresql-client of production's major version or later",
    )


def explained(program: str, what: str, said: str, message: str) -> EnvcloneError:
    """Why a client program failed, by its last words; `what` is what it was to do."""
    errors = [line for line in said.splitlines() if "error:" in line or "FATAL" in line]
    errors = [line for line in errors if not line.endswith("error: disconnected")] or errors  # follows the reason
    text = re.sub(r"^(pg_\w+: )?(error: )?", "", errors[-1] if errors else message)
    text = text.rpartition("FATAL:")[2].strip() or text
    if "SSL support is not compiled in" in said or "no encryption" in text:
        return no_tls(program)
    if "No space left on device" in said:
        return ResourceError(f"{what} failed: {text}", hint="envclone gc, or a larger pool (pool.path)")
    return UnreachableError(f"{what} failed: {text}", hint=connect_hint(text))


def connect_hint(text: str) -> str:
    """What to do about the words in which a server, or libpq, refuses a connection."""
    for pattern, hint in (
        (r"password authentication failed|no password supplied", "check user and password in the DSN"),
        (r"no pg_hba\.conf entry.*replication", "add to production's pg_hba.conf: host replication <user> <this host>"
         "/32 scram-sha-256, and reload; or use method: directory"),
        (r"no pg_hba\.conf entry", "allow this host and user in production's pg_hba.conf, or use sslmode=require"),
        (r"database .* does not exist", "correct the DSN's database"),
        (r"translate host name|resolve|Name or service", "check the DSN's host name"),
        (r"too many (clients|connections)|number of requested standby connections exceeds",
         "raise max_wal_senders or max_connections in production, or wait"),
        (r"must be superuser or replication role|permission denied to (start|initiate) (WAL sender|replication)",
         "ALTER ROLE <user> REPLICATION"),
    ):  # fmt: skip
        if re.search(pattern, text):
            return hint
    if "startup parameter" in text:
        return "give the DSN of the server itself: what stands before it takes no settings of a session"
    return "check the DSN's host and port, and that the server is up and lets this host in"


def _program(engine: Engine, sslmode: str, name: str) -> Path:
    """The engine's program, or one that knows TLS where the DSN asks for it (the embedded one does not)."""
    if sslmode in ("require", "verify-ca", "verify-full"):
        for other in (engine, *installed()):
            if other.major >= engine.major and other.bindir.is_relative_to("/usr/lib/postgresql"):
                return other.program(name)
    return engine.program(name)
