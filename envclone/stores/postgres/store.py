"""The PostgreSQL store: each method of the protocol, handed to the module that does it, imported when needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from envclone.errors import ConfigError, EnvcloneError

if TYPE_CHECKING:
    from envclone.config.schema import SourceConfig, StoreConfig
    from envclone.incidents.terms import Terms
    from envclone.models import (
        Cleaned,
        Container,
        Counters,
        Credentials,
        Endpoint,
        Inventory,
        ServerFiles,
        StorePlan,
        StoreSnapshot,
    )
    from envclone.protocols import (
        Alike,
        Examiner,
        Fence,
        Ledger,
        Notes,
        Progress,
        Same,
        Since,
        SourceRunner,
        StepRunner,
        StoreSession,
        Tracking,
    )
    from envclone.protocols.asking import Asking

__all__ = ["PostgresStore"]


class PostgresStore:
    """PostgreSQL 14 to 18; a store's directory holds `data/`, the cluster, and `tablespaces/` when it has any."""

    kind: ClassVar[str] = "postgres"
    works_on: ClassVar[tuple[str, ...]] = ("data", "tablespaces")
    waits: ClassVar[bool] = True
    """To open a clone is to wait for a server."""

    def snapshot(self, name: str, config: StoreConfig, into: Path, progress: Progress) -> StoreSnapshot:
        """Copy a running server by its replication protocol or by a dump, or a stopped data directory."""
        if config.source.method == "directory":
            from envclone.stores.postgres.snapshot.directory import snapshot_directory

            return snapshot_directory(name, config, into, progress)
        if config.source.method == "physical":
            from envclone.stores.postgres.snapshot.source import snapshot_physical

            return snapshot_physical(name, config, into, progress)
        if config.source.method == "logical":
            from envclone.stores.postgres.snapshot.logical.take import snapshot_logical

            return snapshot_logical(name, config, into, progress)
        if config.source.method == "provider":
            from envclone.stores.postgres.snapshot.provider import snapshot_provider

            return snapshot_provider(name, config, into, progress)
        raise ConfigError(
            f"the store '{name}' cannot be taken by the method '{config.source.method}'",
            hint="use method: physical or logical for a running server, or directory for a stopped one's files",
        )

    def snapshot_noting(
        self, name: str, config: StoreConfig, into: Path, progress: Progress, notes: Notes
    ) -> StoreSnapshot:
        """The same, with a note of the temporary instance that a provider makes meanwhile."""
        if config.source.method != "provider":
            return self.snapshot(name, config, into, progress)
        from envclone.stores.postgres.snapshot.provider import snapshot_provider

        return snapshot_provider(name, config, into, progress, notes)

    def snapshot_since(
        self, name: str, config: StoreConfig, into: Path, progress: Progress, notes: Notes, since: Since | None
    ) -> StoreSnapshot:
        """The same; of a running server's files only what changed since an earlier snapshot, where that is given."""
        if config.source.method != "physical":
            return self.snapshot_noting(name, config, into, progress, notes)
        from envclone.stores.postgres.snapshot.source import snapshot_physical

        fits = since is not None and since.snapshot.method == "physical"
        return snapshot_physical(name, config, into, progress, since if fits else None)

    def same(self, snapshot: StoreSnapshot, place: Path, since: Since) -> Same:
        """Its files, byte by byte, and the log that a clone replays; see `snapshot.same`."""
        from envclone.stores.postgres.snapshot.same import same

        return same(snapshot, place, since)

    def fenced(self, config: StoreConfig) -> AbstractContextManager[Fence] | None:
        """Between pg_backup_start and pg_backup_stop; see `snapshot.fence`."""
        if config.source.dsn is None:
            return None
        from envclone.stores.postgres.snapshot.fence import fenced

        return fenced(config)

    def settle_note(self, config: StoreConfig, facts: Mapping[str, Any]) -> bool:
        """Delete a temporary instance that a killed command left; see `snapshot.provider`."""
        from envclone.stores.postgres.snapshot.provider import settle_note

        return settle_note(config, facts)

    def obstacles(self, config: StoreConfig, place: Path) -> Sequence[EnvcloneError]:
        """Reachability, role, server settings, engine, extensions, collations and space, all asked at once."""
        from envclone.stores.postgres.snapshot.source import obstacles

        if config.source.method == "physical":
            return obstacles(config, place)
        if config.source.method == "logical":
            from envclone.stores.postgres.snapshot.logical.take import obstacles_logical

            return obstacles_logical(config, place)
        if config.source.method == "provider":
            from envclone.stores.postgres.snapshot.provider import obstacles_provider

            return obstacles_provider(config)
        from envclone.stores.intake import unreadable

        return unreadable(config.source.path)

    def foreseen(self, name: str, config: StoreConfig) -> Inventory | None:
        """The columns by production's catalog, and the paths of some documents."""
        from envclone.stores.postgres.catalog.foreseen import foreseen

        return foreseen(name, config)

    def resources(self, config: StoreConfig) -> Mapping[str, Any]:
        """The server's version and the settings that decide plans and memory, when there is a DSN."""
        from envclone.profiles.servers import SETTINGS, from_postgres
        from envclone.stores.postgres.server import pinned
        from envclone.stores.postgres.snapshot.access import dsn_of
        from envclone.stores.postgres.snapshot.source import open_source

        if config.source.dsn is None:
            return {}
        pins = pinned.production(keep=SETTINGS)  # these are asked for as the role has them
        with contextlib.closing(open_source(dsn_of(config.source), pins=pins)) as conn:
            return from_postgres(conn)

    def tracking(self) -> Tracking:
        """The log, received by a slot of its own, and base backups recovered with it."""
        from envclone.stores.postgres.track.tracking import PostgresTracking

        return PostgresTracking()

    def open(self, directory: Path, snapshot: StoreSnapshot, *, log: Path) -> AbstractContextManager[StoreSession]:
        """Start a private server on the clone; stopped at the end, cleanly or with an error."""
        from envclone.stores.postgres.server.private import open_private

        return open_private(directory, snapshot, log=log)

    def scrub(self, directory: Path, snapshot: StoreSnapshot, plan: StorePlan) -> Sequence[Cleaned]:
        """Zero dead rows and free space, remove logs and stray files, reset the WAL."""
        from envclone.stores.postgres.scrub.residue import scrub

        return scrub(directory, snapshot, plan)

    def scrub_sharing(
        self, directory: Path, snapshot: StoreSnapshot, plan: StorePlan, earlier: Path
    ) -> Sequence[Cleaned]:
        """The same, with the blocks of an earlier image where its pages are the same."""
        from envclone.stores.postgres.scrub.residue import scrub

        return scrub(directory, snapshot, plan, earlier / "data")

    def examine(self, directory: Path) -> Mapping[str, int]:
        """Pages, rows and TOAST values of every table of every database."""
        from envclone.stores.postgres.prove.structure import examine

        return examine(directory)

    def alike(self, directory: Path, again: Path) -> Alike:
        """Its files, page by page; see `prove.remade`."""
        from envclone.stores.postgres.prove.remade import alike

        return alike(directory, again)

    def account(
        self, directory: Path, snapshot: StoreSnapshot, plan: StorePlan, rows: Mapping[str, int], ledger: Ledger
    ) -> None:
        """Every file, byte by byte; see `prove.account`."""
        from envclone.stores.postgres.prove.account import account

        account(directory, snapshot, plan, rows, ledger)

    def serve(
        self,
        directory: Path,
        snapshot: StoreSnapshot,
        credentials: Credentials,
        *,
        port: int | None,
        log: Path,
        overrides: Mapping[str, str] | None = None,
        started: Callable[[int], None] | None = None,
    ) -> Endpoint:
        """Start a branch's server on 127.0.0.1 with a login made for it."""
        from envclone.stores.postgres.server.service import serve

        return serve(directory, snapshot, credentials, port=port, log=log, overrides=overrides, started=started)

    def stop(self, directory: Path) -> bool:
        """Stop the server that runs on the directory, if one does."""
        from envclone.stores.postgres.server.service import stop

        return stop(directory)

    def running(self, directory: Path) -> bool:
        """Whether a server runs on the directory."""
        from envclone.stores.postgres.server.service import running

        return running(directory)

    def container(
        self,
        directory: Path,
        snapshot: StoreSnapshot,
        credentials: Credentials,
        *,
        port: int,
        overrides: Mapping[str, str],
    ) -> Container:
        """The image's own server on the branch's files; see `contained`."""
        from envclone.stores.postgres.server.contained import container

        return container(directory, snapshot, credentials, port=port, overrides=overrides)

    def base_port(self) -> int:
        """PostgreSQL's own."""
        return 5432

    def own_files(self, snapshot: StoreSnapshot) -> ServerFiles | None:
        """The engine that this machine would run the snapshot with."""
        from envclone.stores.postgres.server.contained import own_files

        return own_files(snapshot)

    def make_ready(self, directory: Path, snapshot: StoreSnapshot, credentials: Credentials) -> None:
        """Write who may log in, and make the operator's socket directory."""
        from envclone.stores.postgres.server.contained import make_ready

        make_ready(directory, snapshot, credentials)

    def outside(self, directory: Path, inside: Endpoint, port: int) -> Endpoint:
        """The server as this host reaches it."""
        from envclone.stores.postgres.server.contained import outside

        return outside(directory, inside, port)

    def settle(
        self,
        directory: Path,
        snapshot: StoreSnapshot,
        credentials: Credentials,
        outside: Endpoint,
        inside: Endpoint,
        *,
        ended: Callable[[], str | None],
    ) -> None:
        """Wait until it takes connections, and let the branch's login in over the operator's socket."""
        from envclone.stores.postgres.server.contained import settle

        settle(directory, snapshot, credentials, inside.port or self.base_port(), ended=ended)

    def production(self, snapshot: StoreSnapshot) -> Mapping[str, str]:
        """The server's version, the extensions' and the collation's, as the snapshot recorded them."""
        from envclone.stores.postgres.catalog.facts import production

        return production(snapshot)

    def facts(self, endpoint: Endpoint, snapshot: StoreSnapshot, kept: Collection[str]) -> Mapping[str, str]:
        """The same of the branch's server, its settings, statistics and index parameters."""
        from envclone.stores.postgres.catalog.facts import facts

        return facts(endpoint, kept)

    def content(self, endpoint: Endpoint, *, whole: bool) -> Mapping[str, str]:
        """Its schema, and the rows of each table."""
        from envclone.stores.postgres.catalog.facts import held

        return held(endpoint, whole=whole)

    def counted(self, endpoint: Endpoint) -> Counters:
        """Temporary files that its statements wrote."""
        from envclone.stores.postgres.catalog.facts import counted

        return counted(endpoint)

    def changed(self, endpoint: Endpoint) -> Sequence[str]:
        """The tables that were written, vacuumed or analysed since the branch's birth."""
        from envclone.stores.postgres.catalog.facts import changed

        return changed(endpoint)

    def in_use(self, endpoint: Endpoint) -> bool:
        """Whether there are other clients."""
        from envclone.stores.postgres.catalog.facts import in_use

        return in_use(endpoint)

    def asking(self) -> Asking:
        """How an agent asks a branch's store."""
        from envclone.stores.postgres.steps.asked import PostgresAsking

        return PostgresAsking()

    def connect(self, endpoint: Endpoint) -> AbstractContextManager[StepRunner]:
        """Connect to run an incident's steps, read-only."""
        from envclone.stores.postgres.steps.runner import PostgresRunner

        return PostgresRunner(endpoint)

    def examiner(self, endpoint: Endpoint) -> AbstractContextManager[Examiner]:
        """Who asks a branch's store what a search would have given otherwise."""
        from envclone.stores.postgres.examine.examiner import examiner

        return examiner(endpoint)

    def connect_source(
        self, name: str, config: StoreConfig, source: SourceConfig, terms: Terms
    ) -> AbstractContextManager[SourceRunner]:
        """Connect to production to record an incident's steps, which only read; raises ConfigError without a DSN."""
        from envclone.stores.postgres.snapshot.access import dsn_of
        from envclone.stores.postgres.steps.recorder import ProductionRunner

        if source.dsn is None:
            raise ConfigError(
                f"the source of the store '{name}' has no dsn, so nothing can be recorded there",
                hint=f"give stores.{name}.source.dsn in the stack file; it may stand beside method: directory",
            )
        return ProductionRunner(dsn_of(source), source.database, terms)
