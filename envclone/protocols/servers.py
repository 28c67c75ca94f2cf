"""The server of a store, on this machine or in a container."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from envclone.models import Container, Counters, Credentials, Endpoint, ServerFiles, StoreSnapshot
from envclone.protocols.steps import SourceRunner, StepRunner

if TYPE_CHECKING:
    from envclone.config.schema import SourceConfig, StoreConfig
    from envclone.incidents.terms import Terms

__all__ = ["Contained", "Server"]


class Server(Protocol):
    """How a branch's store is run on this machine and asked; `directory` is the store's own in the branch."""

    kind: ClassVar[str]
    works_on: ClassVar[tuple[str, ...]]
    """What of a store's directory its local server works on: these entries belong to its account."""

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
        """Start a branch's store as a local process (or say where an embedded one lies) and wait until it answers.

        `port` None asks the kernel for a free one on 127.0.0.1. `overrides` are server settings above the store's own,
        `started` is told the process id as soon as there is one. Raises BusyError when `port` is taken.
        """
        ...

    def stop(self, directory: Path) -> bool:
        """Stop what `serve` or `open` started on this directory; False when nothing ran."""
        ...

    def running(self, directory: Path) -> bool:
        """Whether what `serve` gave still answers (an embedded store: whether its files are there)."""
        ...

    def production(self, snapshot: StoreSnapshot) -> Mapping[str, str]:
        """What the snapshot knows of production's engine, by the names that `facts` uses."""
        ...

    def facts(self, endpoint: Endpoint, snapshot: StoreSnapshot, kept: Collection[str]) -> Mapping[str, str]:
        """The same of a running branch's: versions, `setting NAME`, and what `StoreSession.decisive` says of a store.

        `kept` are the fields that no mask changes.
        """
        ...

    def content(self, endpoint: Endpoint, *, whole: bool) -> Mapping[str, str]:
        """What a running branch's store holds: definitions by name, how many rows; with `whole` their sum, too."""
        ...

    def counted(self, endpoint: Endpoint) -> Counters:
        """What a running branch's server counts of itself: temporary files, and nothing else here."""
        ...

    def changed(self, endpoint: Endpoint) -> Sequence[str]:
        """What in a running branch is no longer as it was at its birth, a line for each table or collection."""
        ...

    def in_use(self, endpoint: Endpoint) -> bool:
        """Whether somebody else is connected to a running branch's server now."""
        ...

    def connect(self, endpoint: Endpoint) -> AbstractContextManager[StepRunner]:
        """Connect to a branch's store to run an incident's steps."""
        ...

    def connect_source(
        self, name: str, config: StoreConfig, source: SourceConfig, terms: Terms
    ) -> AbstractContextManager[SourceRunner]:
        """Connect to production's store to record an incident's steps; nothing there is written."""
        ...


class Contained(Protocol):
    """How a store is run in a container; the same class as its `Server`."""

    def container(
        self,
        directory: Path,
        snapshot: StoreSnapshot,
        credentials: Credentials,
        *,
        port: int,
        overrides: Mapping[str, str],
    ) -> Container:
        """How a container runs this store on the branch's files, listening on 127.0.0.1; nothing is changed by this."""
        ...

    def base_port(self) -> int:
        """The port that it is known by."""
        ...

    def own_files(self, snapshot: StoreSnapshot) -> ServerFiles | None:
        """The server of this machine that an image can be made of, for a store that names none.

        None when such a store runs in no container, and is read as files.
        """
        ...

    def make_ready(self, directory: Path, snapshot: StoreSnapshot, credentials: Credentials) -> None:
        """Make what the container mounts; the store is stopped."""
        ...

    def outside(self, directory: Path, inside: Endpoint, port: int) -> Endpoint:
        """A store that the other containers reach as `inside`, as this host does at a port of 127.0.0.1."""
        ...

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
        """Wait until the started container answers, and let the branch's login in.

        `ended` gives the container's last words once it has ended. Raises what they mean.
        """
        ...
