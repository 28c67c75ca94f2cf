"""The adapter for Qdrant: storage directories, shards run in process, records rewritten in place."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from envclone.errors import EnvcloneError, ResourceError, UsageError
from envclone.models import (
    Cleaned,
    Container,
    Counters,
    Credentials,
    Endpoint,
    Inventory,
    Secret,
    ServerFiles,
    StorePlan,
    StoreSnapshot,
)
from envclone.protocols import (
    Alike,
    Examiner,
    Ledger,
    Notes,
    Progress,
    Same,
    Since,
    SourceRunner,
    StepRunner,
)
from envclone.stores.qdrant.layout import STORAGE

if TYPE_CHECKING:
    from envclone.config.schema import SourceConfig, StoreConfig
    from envclone.incidents.terms import Terms
    from envclone.protocols.asking import Asking
    from envclone.stores.qdrant.session import QdrantSession

__all__ = ["QdrantStore"]


class QdrantStore:
    """A store's directory in the pool is `<store>/storage/collections/<name>/<shard>/…`, as a server lays it out.

    Nothing is imported that a branch does not need: its start has to be quick.
    """

    kind: ClassVar[str] = "qdrant"
    works_on: ClassVar[tuple[str, ...]] = ()

    def snapshot(self, name: str, config: StoreConfig, into: Path, progress: Progress) -> StoreSnapshot:
        """Copy a stopped server's storage directory, or a running one's shards; see `snapshot.take`, `live.take`."""
        if config.source.method == "snapshot":
            from envclone.stores.qdrant.live.take import take as take_live

            return take_live(name, config, into, progress)
        from envclone.stores.qdrant.snapshot import take

        return take(name, config, into, progress)

    def snapshot_noting(
        self, name: str, config: StoreConfig, into: Path, progress: Progress, notes: Notes
    ) -> StoreSnapshot:
        """The same, with notes of the snapshots that a running server makes meanwhile."""
        if config.source.method != "snapshot":
            return self.snapshot(name, config, into, progress)
        from envclone.stores.qdrant.live.take import take

        return take(name, config, into, progress, notes)

    def snapshot_since(
        self, name: str, config: StoreConfig, into: Path, progress: Progress, notes: Notes, since: Since | None
    ) -> StoreSnapshot:
        """The same; files that an earlier snapshot has share its blocks."""
        if config.source.method == "snapshot":
            from envclone.stores.qdrant.live.take import take as take_live

            return take_live(name, config, into, progress, notes, since)
        from envclone.stores.qdrant.snapshot import take

        return take(name, config, into, progress, since)

    def same(self, snapshot: StoreSnapshot, place: Path, since: Since) -> Same:
        """Its files, byte by byte."""
        from envclone.stores.qdrant.same import same

        return same(snapshot, place, since)

    def settle_note(self, config: StoreConfig, facts: Mapping[str, Any]) -> bool:
        """Remove a snapshot that a killed run left on its server; see `live.making`."""
        from envclone.stores.qdrant.live.take import settle_note

        return settle_note(config, facts)

    def obstacles(self, config: StoreConfig, place: Path) -> Sequence[EnvcloneError]:
        """Whether the storage directory can be read, is of a form that is known, and nobody writes to it.

        Of a running server, whether it answers, knows the key, and has every shard of the collections somewhere active.
        """
        from envclone.stores.intake import unreadable

        if config.source.method == "snapshot":
            from envclone.stores.qdrant.live.check import obstacles as of_server

            return list(of_server(config))

        if config.source.method == "directory" and (found := unreadable(config.source.path)):
            return found
        from envclone.stores.qdrant.snapshot import obstacles

        return list(obstacles(config))

    def foreseen(self, name: str, config: StoreConfig) -> Inventory | None:
        """The ids, vectors and some payloads of its collections, read where they are; see `foreseen`."""
        from envclone.stores.qdrant.foreseen import foreseen

        return foreseen(name, config)

    def resources(self, config: StoreConfig) -> Mapping[str, Any]:
        """What the server's telemetry says, when there is a URL."""
        from envclone.profiles.servers import from_telemetry
        from envclone.stores.qdrant.live.source import client_of

        if config.source.url is None:
            return {}
        return from_telemetry(client_of(config.source).get("/telemetry?details_level=2").result)

    @contextlib.contextmanager
    def open(self, directory: Path, snapshot: StoreSnapshot, *, log: Path) -> Iterator[QdrantSession]:
        """Open a private clone; the embedded engine writes no log file. Raises UnsafeError, BusyError."""
        from envclone.stores.qdrant.session import open_session

        with open_session(directory, snapshot) as session:
            yield session

    def scrub(self, directory: Path, snapshot: StoreSnapshot, plan: StorePlan) -> Sequence[Cleaned]:
        """Empty the logs and zero every byte that no record refers to."""
        from envclone.stores.qdrant.residue import scrub

        return scrub(directory)

    def examine(self, directory: Path) -> Mapping[str, int]:
        """The vectors of deleted points, which stay in the files; `integrity` has the engine read every other point."""
        from envclone.stores.qdrant import points
        from envclone.stores.qdrant.layout import collections

        found = collections(directory / STORAGE)
        segments = [segment for collection in found for _, segment in collection.segments()]
        return {"dead_vectors": sum(points.deleted(one.path) * len(one.vectors) for one in segments)}

    def alike(self, directory: Path, again: Path) -> Alike:
        """Its files, byte by byte; see `remade`."""
        from envclone.stores.qdrant.remade import alike

        return alike(directory, again)

    def account(
        self, directory: Path, snapshot: StoreSnapshot, plan: StorePlan, rows: Mapping[str, int], ledger: Ledger
    ) -> None:
        """Each file by the decoder of its name; see `account.files`."""
        from envclone.stores.qdrant.account.files import account

        account(directory, plan, ledger)

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
        """Start the server that QDRANT_BIN names, or say where the files lie, which is all without one.

        `port` is used by a server only. Raises ResourceError for files that are not there, and as `service.serve` does.
        """
        from envclone.stores.qdrant import service

        if not (directory / STORAGE / "collections").is_dir():
            raise ResourceError(f"{directory} holds no Qdrant storage", hint="envclone reset makes the branch again")
        if note := service.lacking(directory):
            return Endpoint(store=snapshot.store, kind=self.kind, path=directory / STORAGE, note=note)
        return service.serve(directory, snapshot, credentials, port=port, log=log, overrides=overrides, started=started)

    def stop(self, directory: Path) -> bool:
        """Stop the server that runs on the directory, if one does."""
        from envclone.stores.qdrant import service

        return service.stop(directory)

    def running(self, directory: Path) -> bool:
        """Whether the files are there, and the server that was started on them answers."""
        from envclone.stores.qdrant import service

        return (directory / STORAGE / "collections").is_dir() and service.running(directory)

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
        from envclone.stores.qdrant.contained import container

        return container(directory, snapshot, credentials, port=port, overrides=overrides)

    def base_port(self) -> int:
        """Qdrant's own."""
        return 6333

    def own_files(self, snapshot: StoreSnapshot) -> ServerFiles | None:
        """The server that QDRANT_BIN names; None without one: then the embedded engine reads the files."""
        from envclone.stores.qdrant import service
        from envclone.stores.qdrant.contained import own_files

        return own_files(service.binary(), snapshot)

    def make_ready(self, directory: Path, snapshot: StoreSnapshot, credentials: Credentials) -> None:
        """Give the files to the account that the server runs as."""
        from envclone.stores.qdrant.contained import make_ready

        make_ready(directory)

    def outside(self, directory: Path, inside: Endpoint, port: int) -> Endpoint:
        """The server as this host reaches it."""
        return replace(inside, host="127.0.0.1", port=port)

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
        """Wait until the server says that it is ready."""
        from envclone.stores.qdrant.contained import settle

        settle(outside, ended=ended)

    def production(self, snapshot: StoreSnapshot) -> Mapping[str, str]:
        """A running server said its version when it was copied; files do not say which server wrote them."""
        said = snapshot.details.get("server_version")
        return {"engine": f"qdrant {said}"} if said else {}

    def facts(self, endpoint: Endpoint, snapshot: StoreSnapshot, kept: Collection[str]) -> Mapping[str, str]:
        """The engine's version, and the parameters of the collections' indexes where the files can be seen."""
        from envclone.stores.qdrant.engine import ENGINE, engine_version
        from envclone.stores.qdrant.live.client import Client
        from envclone.stores.qdrant.live.source import server
        from envclone.stores.qdrant.parameters import parameters_below

        seen = parameters_below(endpoint.path) if endpoint.path is not None else {}
        if endpoint.host is None:
            return {"engine": f"{ENGINE} {engine_version()}", **seen}
        said = server(Client(f"http://{endpoint.host}:{endpoint.port}", endpoint.password))
        return {"engine": f"qdrant {said.version}", **seen}

    def content(self, endpoint: Endpoint, *, whole: bool) -> Mapping[str, str]:
        """The points of each collection; the parameters of its indexes are among the facts."""
        from envclone.stores.qdrant.held import held

        return held(endpoint, whole=whole)

    def counted(self, endpoint: Endpoint) -> Counters:
        """Nothing."""
        return Counters()

    def changed(self, endpoint: Endpoint) -> Sequence[str]:
        """Nothing is counted."""
        return ()

    def in_use(self, endpoint: Endpoint) -> bool:
        """It does not say."""
        return False

    def asking(self) -> Asking:
        """How an agent asks a branch's store."""
        from envclone.stores.qdrant.asked import QdrantAsking

        return QdrantAsking()

    def connect(self, endpoint: Endpoint) -> AbstractContextManager[StepRunner]:
        """A runner for vector searches: on the endpoint's directory, or on its server when it has a host."""
        from envclone.stores.qdrant.search import embedded, to_server

        if endpoint.host is not None and endpoint.port is not None:
            return to_server(f"http://{endpoint.host}:{endpoint.port}", endpoint.password)
        if endpoint.path is not None:
            return embedded(endpoint.path)
        raise UsageError(f"the endpoint of '{endpoint.store}' has neither a directory nor a server")

    def examiner(self, endpoint: Endpoint) -> AbstractContextManager[Examiner]:
        """Who asks a branch's store what a search would have given otherwise."""
        from envclone.stores.qdrant.examine import examiner

        return examiner(endpoint)

    @contextlib.contextmanager
    def connect_source(
        self, name: str, config: StoreConfig, source: SourceConfig, terms: Terms
    ) -> Iterator[SourceRunner]:
        """A runner on production: its server by `url`, or a private copy of its directory, removed at the end."""
        from envclone.stores.qdrant.search import Bounded, embedded, to_server

        if source.url is not None:
            url, key = source.url.get_secret_value(), source.api_key
            secret = Secret(key.get_secret_value()) if key else None
            with to_server(url, secret, seconds=terms.seconds, ca_file=source.ca_file) as remote:
                yield Bounded(remote, terms)
            return
        with tempfile.TemporaryDirectory(prefix="envclone-record-") as place:  # mode 0700
            copied = config.model_copy(update={"source": source})
            self.snapshot(name, copied, Path(place), lambda event: None)
            with embedded(Path(place) / STORAGE) as local:
                yield Bounded(local, terms)
