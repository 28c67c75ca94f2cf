"""PostgreSQL's own client programs, connecting to where a session of ours is; no secret in their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError, ResourceError
from envclone.stores.postgres.server.engine import Engine, installed

if TYPE_CHECKING:
    import psycopg

__all__ = ["command", "no_tls"]

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


def _program(engine: Engine, sslmode: str, name: str) -> Path:
    """The engine's program, or one that knows TLS where the DSN asks for it (the embedded one does not)."""
    if sslmode in ("require", "verify-ca", "verify-full"):
        for other in (engine, *installed()):
            if other.major >= engine.major and other.bindir.is_relative_to("/usr/lib/postgresql"):
                return other.program(name)
    return engine.program(name)
