"""A running server told that its files are about to be copied by somebody else, and asked who it is.

Between `pg_backup_start` and `pg_backup_stop` the storage makes its snapshots. Volumes that are of one moment recover
from their own log; of volumes of several moments the label that the server gives at the end says from where, and the
volume with the log is taken last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError, UnreachableError, UnsafeError
from envclone.models import Fenced
from envclone.stores.postgres.snapshot.access import dsn_of
from envclone.stores.postgres.snapshot.source import open_source

if TYPE_CHECKING:
    import psycopg

    from envclone.config.schema import StoreConfig

__all__ = ["fenced"]

_NAME = "envclone"
_NEWER = 150000
"""Since PostgreSQL 15 the functions have their names of today."""


@dataclass
class _Fence:
    """An open fence; what is known of the server, and how it is ended."""

    conn: psycopg.Connection[Any]
    system: str
    since: str

    def end(self) -> Fenced:
        """End the backup; what was snapshotted so far is whole with the log up to here."""
        import psycopg

        newer = self.conn.info.server_version >= _NEWER
        # without a wait for the archive: the log is taken from its own volume
        asked = b"pg_catalog.pg_backup_stop(false)" if newer else b"pg_catalog.pg_stop_backup(false, false)"
        try:
            row = self.conn.execute(b"SELECT lsn::pg_catalog.text, labelfile, spcmapfile FROM " + asked).fetchone()
        except psycopg.Error as exc:
            raise UnreachableError(f"the fence around the snapshot did not hold: {_words(exc)}") from None
        assert row is not None
        if str(row[2] or "").strip():
            raise UnsafeError(
                "production has tablespaces outside of its data directory, which are volumes of their own",
                hint="method: physical copies them",
            )
        return Fenced(label=str(row[1]), system=self.system, since=self.since)


@contextlib.contextmanager
def fenced(config: StoreConfig) -> Iterator[_Fence]:
    """Begin a backup on the server that `source.dsn` leads to; whatever happens, it ends with the context.

    Raises UnsafeError for a standby, ConfigError for a role that may not, UnreachableError.
    """
    import psycopg

    with open_source(dsn_of(config.source)) as conn:
        row = conn.execute(
            b"SELECT pg_catalog.pg_is_in_recovery(), system_identifier::pg_catalog.text"
            b" FROM pg_catalog.pg_control_system()"
        ).fetchone()
        assert row is not None
        if row[0]:
            raise UnsafeError(
                "source.dsn leads to a standby, whose files are not whole without the log that it was still to replay",
                hint="a DSN of the primary, whose volumes are taken: target_session_attrs=read-write finds it",
            )
        newer = conn.info.server_version >= _NEWER
        begin = b"pg_catalog.pg_backup_start(%s, true)" if newer else b"pg_catalog.pg_start_backup(%s, true, false)"
        try:
            began = conn.execute(b"SELECT " + begin + b"::pg_catalog.text", (_NAME,)).fetchone()
        except psycopg.errors.InsufficientPrivilege as exc:
            names = (
                "pg_backup_start(text, boolean), pg_backup_stop(boolean)"
                if newer
                else "pg_start_backup(text, boolean, boolean), pg_stop_backup(boolean, boolean)"
            )
            raise ConfigError(
                f"the role of source.dsn may not begin a backup: {_words(exc)}",
                hint=f"the role needs EXECUTE on {names}, granted in the database of source.dsn",
            ) from None
        except psycopg.Error as exc:
            raise UnreachableError(f"no backup can be begun: {_words(exc)}") from None
        assert began is not None
        yield _Fence(conn, str(row[1]), str(began[0]))  # the session's end is the backup's, if nothing ended it before


def _words(exc: psycopg.Error) -> str:
    return (exc.diag.message_primary or type(exc).__name__)[:200]
