"""Where branches run, and what can be seen of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Protocol

from envclone.models import Branch, Cassette, Counters, Credentials, Endpoint, Heard, Preview
from envclone.protocols.progress import Progress

__all__ = ["Insight", "Observer", "Playing", "Runtime", "Witness"]


class Runtime(Protocol):
    """Where a branch's stores and services run; `directory` holds one directory per store.

    The class that an entry point names also is the runtime's `Observer`.
    """

    name: ClassVar[str]
    elsewhere: ClassVar[bool]
    """Whether a branch's files are not in its directory: nothing is cloned there, and no other runtime can go on."""

    def inside(self, branch: Branch, directory: Path, credentials: Credentials) -> Mapping[str, Endpoint]:
        """How the branch's services will reach its stores."""
        ...

    def have(self, images: Mapping[str, str], progress: Progress) -> None:
        """Have each part's image, named by its digest, here. Raises ResourceError naming one that is gone."""
        ...

    def prepare(
        self, branch: Branch, directory: Path, credentials: Credentials, preview: Preview, progress: Progress
    ) -> Mapping[str, str]:
        """Write down beside the files what `start` is to start; returns the images by content, of each part."""
        ...

    def start(
        self, branch: Branch, directory: Path, credentials: Credentials, *, port: int | None = None
    ) -> Mapping[str, Endpoint]:
        """Start everything of a branch and wait until it answers; what was started is stopped again on failure."""
        ...

    def stop(self, branch: Branch, directory: Path) -> None:
        """Stop everything of a branch; nothing to do when nothing runs."""
        ...

    def remove(self, name: str, directory: Path) -> None:
        """Remove what it keeps of a branch elsewhere than in its directory; that may have no readable record."""
        ...

    def running(self, branch: Branch, directory: Path) -> Mapping[str, bool]:
        """Which of a branch's stores and services answer."""
        ...


class Observer(Protocol):
    """A runtime in its other role: what can be seen of a branch, and of what is left of branches."""

    name: ClassVar[str]

    def evidence(self, branch: Branch, directory: Path) -> AbstractContextManager[Witness]:
        """Watch what limits do to each part of a branch, for the time of a replay."""
        ...

    def playing(self, branch: Branch, directory: Path, cassette: Cassette | None) -> AbstractContextManager[Playing]:
        """Play a cassette to the branch's services for the time of a replay, and watch what leaves its network."""
        ...

    def unlimited(self) -> str | None:
        """Why CPU and memory cannot be limited on this host; None when they can."""
        ...

    def orphans(self, pool: Path) -> Mapping[str, str]:
        """What it still keeps of branches in this pool, wherever it knows that from: branch and what it is."""
        ...

    def insight(self, branch: Branch, directory: Path) -> Insight:
        """A look into a branch's parts."""
        ...


class Witness(Protocol):
    """Sees what limits do to the parts of a branch while it lives."""

    def testify(self) -> Mapping[str, Counters]:
        """What happened to each part that has limits since it began to watch."""
        ...


class Playing(Protocol):
    """A cassette that plays."""

    def heard(self) -> Heard:
        """What was asked of it so far, and what left the branch's network since it began."""
        ...


class Insight(Protocol):
    """What a person looks at in a running branch."""

    def logs(self, part: str, lines: int) -> str:
        """The last lines of what a store or service wrote."""
        ...

    def following(self, part: str) -> Sequence[str]:
        """The command line that shows them as they come."""
        ...

    def command(self, part: str, argv: Sequence[str], *, terminal: bool) -> Sequence[str]:
        """The command line that runs a program inside a part. Raises UsageError where there is no inside."""
        ...

    def stats(self) -> Mapping[str, Mapping[str, float]]:
        """Per part: `memory` and `memory_limit` (bytes), `cpu_seconds`, `pids`."""
        ...
