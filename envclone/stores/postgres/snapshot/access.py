"""The DSN that production is reached by, the password from a command where the stack file names one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envclone import process
from envclone.errors import ConfigError, EnvcloneError, UnreachableError

if TYPE_CHECKING:
    from envclone.config.schema import SourceConfig

__all__ = ["dsn_of"]

_SECONDS = 60.0


def dsn_of(source: SourceConfig) -> str:
    """The source's DSN, with the password that `password_command` prints.

    The command has this process's whole environment, no shell and no input; what it prints is neither shown nor
    logged. Raises UnreachableError when it fails, ConfigError for a DSN that cannot be read.
    """
    assert source.dsn is not None
    dsn = source.dsn.get_secret_value()
    if source.password_command is None:
        return dsn
    import psycopg
    from psycopg.conninfo import make_conninfo

    try:
        return make_conninfo(dsn, password=_password(source.password_command))
    except psycopg.ProgrammingError:  # its message quotes the part of the string that it could not read
        raise ConfigError(
            "the DSN cannot be read",
            hint="postgresql://user:password@host:port/database, special characters as %XX",
        ) from None


def _password(command: list[str]) -> str:
    name = os.path.basename(command[0])  # noqa: PTH119 - a name for people
    hint = "run it by hand: it must print the password in one line within a minute; nothing of what it says is shown"
    try:
        done = process.run(command, env=dict(os.environ), timeout=_SECONDS, check=False)
    except EnvcloneError as exc:  # not there, or too slow
        raise UnreachableError(f"the password command {name} gave no password: {exc.message}", hint=hint) from None
    if done.returncode != 0:
        raise UnreachableError(
            f"the password command {name} gave no password: it ended with exit code {done.returncode}", hint=hint
        )
    lines = done.stdout.splitlines()
    if len(lines) != 1 or not lines[0]:
        raise UnreachableError(
            f"the password command {name} gave no password: it printed {len(lines)} lines", hint=hint
        )
    return lines[0]
