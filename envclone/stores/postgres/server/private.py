"""A clone's server for nobody but this process: where it listens, what it does not do, how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from envclone.errors import UnsafeError
from envclone.models import Cleaned, StoreSnapshot
from envclone.stores.postgres.rights import genuine, logins
from envclone.stores.postgres.rights.demotion import take_rights
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.rights.taken import Taken
from envclone.stores.postgres.scrub import quiesce
from envclone.stores.postgres.server import engine, server, settings
from envclone.stores.postgres.session import PREPARATION, REPLICA, PostgresSession

__all__ = ["open_private", "options"]

_OPTIONS = {
    "archive_mode": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "fsync": "off",
    "full_page_writes": "off",
    "huge_pages": "off",
    "jit": "off",
    "max_connections": "40",
    "max_logical_replication_workers": "0",
    "max_prepared_transactions": "100",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "max_worker_processes": "8",
    "shared_buffers": "256MB",
    "shared_preload_libraries": "",
    "synchronous_commit": "off",
    "synchronous_standby_names": "",
    "wal_init_zero": "off",  # a segment is as long as it must be, and what was not written of it takes no blocks
    "track_commit_timestamp": "off",  # a server that starts so drops what was tracked: when production's people acted
    "wal_level": "minimal",
}
"""Nothing leaves, nothing starts by itself; durability is not needed, for a clone that fails is discarded."""

_SILENCE = {
    "log_min_messages": "log",  # an ERROR's text and its statement can hold values
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_temp_files": "-1",
    "log_autovacuum_min_duration": "-1",
    "log_replication_commands": "off",
    "log_parser_stats": "off",
    "log_planner_stats": "off",
    "log_executor_stats": "off",
    "log_statement_stats": "off",
    "debug_print_parse": "off",
    "debug_print_rewritten": "off",
    "debug_print_plan": "off",
}
"""The server's log of a private session must not hold production's values."""


def options(major: int) -> dict[str, str]:
    """The settings of a private session's server, above every configuration file."""
    newer = {"event_triggers": "off", "summarize_wal": "off"} if major >= 17 else {}
    return _OPTIONS | _SILENCE | newer


@contextmanager
def open_private(directory: Path, snapshot: StoreSnapshot, *, log: Path) -> Iterator[PostgresSession]:
    """Open the clone in `directory` (which holds `data/`) and yield a session on the store's database.

    New configuration files are written before the first start, so that nothing of production's acts. The server listens
    on a Unix socket in a directory of mode 0700 only. On a clone of a raw snapshot production's superusers lose their
    rights first. It is always stopped at the end; when the session ended well,
    dead rows are gone and the layout of the files is noted before. Raises UnsafeError when it does not stop cleanly.
    """
    data = directory / "data"
    found = engine.for_snapshot(snapshot)
    changes = settings.write_configuration(
        data, found, snapshot.details.get("settings", ()), snapshot.details.get("overrides")
    )
    private = PrivateServer(found, data, snapshot, log, logins.load(directory))
    stopped = server.Stopped(False)
    try:
        private.start()  # a base backup replays its log in this start
        (data / "backup_label.old").unlink(missing_ok=True)
        taken, cleaned = private.take_rights(directory)
        session = PostgresSession(
            private.connect, snapshot.store, private.database, directory, changes, private.stopped, taken, cleaned
        )
        yield session
        session.finish()
    finally:
        stopped = server.stop(data, timeout=600.0)
        with suppress(OSError):  # not made, or another process is at it
            server.socket_dir_for(data).rmdir()
    if not stopped.clean:
        raise UnsafeError(f"the private server on {data} did not stop cleanly", hint=f"see {log}, and try again")


class PrivateServer:
    """The server behind a private session; `database` is the store's own."""

    def __init__(
        self,
        found: engine.Engine,
        data: Path,
        snapshot: StoreSnapshot,
        log: Path,
        names: logins.Logins | None,
    ) -> None:
        self._engine = found
        self._log = log
        self._superuser = str(snapshot.details["superuser"])
        self._names = names
        self._genuine: set[str] = set()
        self._running: server.Running | None = None
        self.database = str(snapshot.details["database"])
        self.data = data

    def start(self) -> None:
        """Start it; what it cannot do it raises as `server.start` does."""
        self._running = server.start(
            self._engine,
            self.data,
            socket_dir=server.socket_dir_for(self.data),
            log=self._log,
            options=options(self._engine.major),
            timeout=600.0,
        )

    def take_rights(self, directory: Path) -> tuple[list[Taken], list[Cleaned]]:
        """Take the rights of production's superusers away, unless that is done; says what was taken, and from whom."""
        if self._names is not None:
            return [], []
        # what a prepared transaction has locked in the catalogs cannot be written
        slots, prepared = quiesce.release_horizon(self.connect)
        self._names, taken, cleaned = take_rights(self._as_superuser, directory)
        quiet = [Cleaned("replication slots dropped", slots), Cleaned("prepared transactions rolled back", prepared)]
        return taken, [*cleaned, *(item for item in quiet if item.count)]

    def _as_superuser(self, *, autocommit: bool) -> AbstractContextManager[psycopg.Connection[Any]]:
        return self.connect(autocommit=autocommit, login=Login.OPERATOR)

    @contextmanager
    def connect(
        self, dbname: str | None = None, *, autocommit: bool = True, login: Login = Login.WORKER
    ) -> Iterator[psycopg.Connection[Any]]:
        """A connection with the rights of `login`, prepared; without a name to the store's own database.

        Before the rights are taken there is but one login, the operator's, under production's name of the superuser.
        """
        assert self._running is not None
        user = self._superuser if self._names is None else self._names.name(login)
        operator = login is Login.OPERATOR
        # a hook's file is the user's own text, which may leave the usual schema out
        names = {"search_path": "public"} if login is Login.AUTHOR else {}
        with closing(
            server.connect(self._running, dbname or self.database, user, autocommit=True, maintenance=operator, **names)
        ) as conn:
            if operator and conn.info.dbname not in self._genuine:
                genuine.require(conn, self._engine.sharedir)
                self._genuine.add(conn.info.dbname)
            conn.execute(PREPARATION + (REPLICA if operator else ""))
            conn.autocommit = autocommit
            yield conn

    @contextmanager
    def stopped(self) -> Iterator[Path]:
        """Stop it cleanly, for work on its files, and start it again; after an error it stays stopped.

        Yields the data directory. Raises UnsafeError when it does not stop cleanly.
        """
        if not server.stop(self.data, timeout=600.0).clean:
            raise UnsafeError(
                f"the private server on {self.data} did not stop cleanly", hint=f"see {self._log}, and try again"
            )
        self._running = None
        yield self.data
        self.start()
