"""A store's clone opened in private: each method of the protocol, handed to the module that does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from envclone.ahead import ahead
from envclone.models import (
    Change,
    Cleaned,
    Compared,
    Integrity,
    Inventory,
    Probe,
    Questions,
    RewriteReport,
    Rows,
    RowsDigest,
    StorePlan,
    Unanswered,
)
from envclone.packed import Columns
from envclone.protocols import Look, Masks, Progress, StoreSession
from envclone.stores.postgres.catalog import definitions, inventory, layout, read, sampling
from envclone.stores.postgres.catalog.tables import read_tables
from envclone.stores.postgres.prove import compare, digest, disarmed, fields, integrity, pairs, probe
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.rights.taken import Taken, as_cleaned
from envclone.stores.postgres.scrub import defang, quiesce
from envclone.stores.postgres.write import rehearsal, rewrite, statements
from envclone.stores.postgres.write.inplace.writer import rewrite as write_in_place

__all__ = ["PREPARATION", "REPLICA", "PostgresSession"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]

PREPARATION = """
    SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
    SET idle_session_timeout = 0; SET default_transaction_read_only = off; SET row_security = off;
    SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off;
    SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;
    SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET bytea_output = 'hex';
    SET extra_float_digits = 1; SET xmlbinary = 'base64'; SET lc_monetary = 'C'; SET lc_numeric = 'C';
    SET check_function_bodies = off; SET maintenance_work_mem = '256MB'; SET work_mem = '64MB';
    SET synchronous_commit = off; SET synchronize_seqscans = off; SET client_min_messages = error
"""
"""What a role's or a database's settings in production must not decide for a private session."""

REPLICA = "; SET session_replication_role = replica"
"""For who is a superuser; the worker has it as a setting of his role."""


class PostgresSession:
    """The private session on one store's database.

    `connect(dbname=None, autocommit=…, login=…)` is a context manager that opens a connection to the private server
    with the rights of a `Login` (the worker's, unless another is named), and closes it; without a name it goes to the
    store's own database. `changes` are what the clone's new configuration changed, `taken` whose rights are gone,
    `cleaned` what else was put out of action at the start; `defang` reports them. `stopped` stops the server for the
    time of work on its files; without it rows are written through SQL.
    """

    apart: ClassVar[bool] = False

    def __init__(
        self,
        connect: Connect,
        store: str,
        database: str,
        directory: Path,
        changes: Sequence[Change] = (),
        stopped: Callable[[], AbstractContextManager[Path]] | None = None,
        taken: Sequence[Taken] = (),
        cleaned: Sequence[Cleaned] = (),
    ) -> None:
        self._connect = connect
        self._store = store
        self._database = database
        self._directory = self._files = directory
        self._changes = changes
        self._stopped = stopped
        self._changed = False
        self._earlier: Path | None = None
        self._taken = taken
        self._cleaned = cleaned

    def inventory(self) -> Inventory:
        """Every column of every user table, and the large objects."""
        with self._connect(autocommit=True) as conn:
            return inventory.read_inventory(conn, self._store)

    def read(self, addresses: Collection[str] | None = None) -> Iterator[tuple[str, list[Any]]]:
        """Batches of non-null values, streamed; with everything also the schema's own definitions."""
        with self._connect(autocommit=True) as conn:
            yield from read.read_values(conn, addresses)
            if addresses is None:
                yield from read.read_objects(conn)
                for address, texts, _ in definitions.read_definitions(conn):
                    yield address, texts

    def rows(self, addresses: Collection[str] | None = None) -> Iterator[Rows]:
        """Batches of whole rows with their keys and addresses, streamed."""
        with self._connect(autocommit=True) as conn:
            yield from read.read_rows(conn, addresses)

    def alive(self, addresses: Collection[str]) -> Iterator[Rows]:
        """Batches of whole rows: a server shows no others."""
        with self._connect(autocommit=True) as conn:
            yield from read.read_alive(conn, addresses)

    def columns(self, addresses: Collection[str]) -> Iterator[Columns]:
        """The values of columns, range by range, texts packed, from the files where they can be read there."""
        with self._connect(autocommit=True) as conn:
            side = pairs.Side(self._connect, self._directory / "data")
            yield from ahead(fields.read_columns(conn, side, addresses))

    def links(self) -> Sequence[tuple[str, str]]:
        """The columns of every foreign key and what each refers to."""
        with self._connect(autocommit=True) as conn:
            return inventory.foreign_keys(conn, read_tables(conn))

    def rewrite(self, plan: StorePlan, masks: Masks, progress: Progress) -> RewriteReport:
        """Replace every value of the plan's masked columns; raises UnsafeError when that cannot be done."""
        self._touch()
        quiesce.release_horizon(self._connect)
        if plan.method == rewrite.METHOD or self._stopped is None:
            return rewrite.rewrite(self._connect, plan, masks, progress)
        return write_in_place(self._connect, self._stopped, plan, masks, progress, self._earlier)

    def follow(self, earlier: Path) -> None:
        """Share pages that become what an earlier image has in their places."""
        self._earlier = earlier / "data"

    def digest(self, plan: StorePlan, masks: Masks | None, placed: Collection[str] = ()) -> Mapping[str, RowsDigest]:
        """Digests per table of what is stored, or of what the masks would make of it."""
        with self._connect(autocommit=True) as conn:
            return digest.digest(conn, plan, masks, placed)

    def reads(self, closed: Path) -> None:
        """Read pages in `closed`, which are in memory already, and are the very ones that are published."""
        self._files = closed

    def compare(
        self,
        clean: StoreSession,
        plan: StorePlan,
        masks: Masks,
        placed: Collection[str],
        look: Look,
        progress: Progress,
    ) -> Compared:
        """Compare this raw session's rows under the masks with a sanitized clone's, by all processors."""
        assert isinstance(clean, PostgresSession)
        raw, other = (pairs.Side(one._connect, one._files / "data") for one in (self, clean))
        return compare.compare(raw, other, plan, masks, placed, look, progress)

    def probes(self, most: int) -> Sequence[Questions]:
        """Questions for each vector index of pgvector and of extensions like it."""
        with self._connect(autocommit=True) as conn:
            return probe.probes(conn, most)

    def answers(self, probes: Sequence[Probe], placed: Collection[str]) -> Sequence[list[Any] | Unanswered]:
        """What the indexes answer, or why one does not."""
        with self._connect(autocommit=True) as conn:
            return probe.answers(conn, probes, placed)

    def integrity(self) -> Integrity:
        """Search for orphans of every foreign key, and for unique indexes out of use."""
        with self._connect(autocommit=True) as conn:
            return integrity.check(conn)

    def armed(self) -> Sequence[str]:
        """Passwords, subscriptions, mappings, addresses, jobs, settings that act, other databases."""
        return disarmed.armed(self._connect, self._database)

    def decisive(self, kept: Collection[str]) -> Mapping[str, str]:
        """Statistics of kept columns, sizes of tables, parameters of indexes; rights that the clone does not give."""
        from envclone.stores.postgres.catalog.planner import planner

        with self._connect(autocommit=True, login=Login.OPERATOR) as conn:
            found = planner(conn, kept)
        return {**found, **{f"rights of {item.what}": item.right for item in self._taken}}

    def sample(self, addresses: Sequence[str], rows: int, *, spread: bool = False) -> Mapping[str, list[Any]]:
        """The values of columns in the first rows by the tables' keys, or from all over the tables."""
        with self._connect(autocommit=True) as conn:
            return sampling.read_sample(conn, addresses, rows, spread=spread)

    def some(self, rows: int) -> Iterator[Rows]:
        """Some rows of every table, as they lie in its files."""
        with self._connect(autocommit=True) as conn:
            yield from sampling.read_some(conn, rows)

    def rehearse(self, plan: StorePlan, masks: Masks, rows: int) -> Mapping[str, str]:
        """Write the pseudonyms of some rows into copies of their tables, and roll back."""
        with self._connect(autocommit=False) as conn:
            return rehearsal.rehearse(conn, plan, masks, rows)

    def run(self, text: str, name: str, *, writes: Collection[str] = (), timeout: float) -> int:
        """Run an SQL file in one transaction; the statistics of the columns that it writes are made again."""
        self._touch()
        return statements.run(self._connect, text, name, writes, timeout)

    def defang(self) -> Sequence[Cleaned]:
        """Neutralize what could reach out or let somebody in, and drop the cluster's other databases."""
        self._touch()
        names = ", ".join(change.name for change in self._changes)
        settings = [Cleaned("settings and files that differ from production", len(self._changes), names)]
        done = [*as_cleaned(self._taken), *self._cleaned]
        return [*(settings if self._changes else []), *done, *defang.defang(self._connect, self._database)]

    def finish(self) -> None:
        """Before the server stops: remove the catalogs' dead rows and note the layout of the files for `scrub`.

        Nothing to do when this session changed nothing.
        """
        if not self._changed:
            return
        quiesce.release_horizon(self._connect)
        with quiesce.every_database_open(self._connect):
            quiesce.vacuum_catalogs(self._connect)
            found = layout.read_layout(self._connect)
        quiesce.count_anew(self._connect)
        layout.save(found, self._directory)

    def _touch(self) -> None:
        """Before the first change: what is known of the layout is void."""
        if self._changed:
            return
        self._changed = True
        layout.forget(self._directory)
