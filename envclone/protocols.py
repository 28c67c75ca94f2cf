"""The extension page: what an adapter must be able to do. No inheritance is needed, only these methods.

A third-party store, copy-on-write driver or runtime registers an entry point in the group `envclone.stores`,
`envclone.cow` or `envclone.runtimes`, and its name can then be used in the stack file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from envclone.errors import EnvcloneError
from envclone.models import (
    Account,
    Accounted,
    Branch,
    Cleaned,
    Compared,
    Container,
    Counters,
    Credentials,
    Endpoint,
    FieldRule,
    Integrity,
    Inventory,
    Preview,
    Probe,
    ProgressEvent,
    Questions,
    RewriteReport,
    Rows,
    RowsDigest,
    ServerFiles,
    StepResult,
    StorePlan,
    StoreSnapshot,
    Unanswered,
)

if TYPE_CHECKING:
    from envclone.config.schema import SourceConfig, StoreConfig
    from envclone.incidents.bundle import Step
    from envclone.incidents.terms import Terms
    from envclone.packed import Columns

__all__ = [
    "Contained",
    "CowDriver",
    "FieldMask",
    "Insight",
    "Ledger",
    "Look",
    "Mask",
    "Masks",
    "Observer",
    "Progress",
    "Runtime",
    "Server",
    "ServiceClient",
    "SourceRunner",
    "StepRunner",
    "Store",
    "StoreSession",
    "Witness",
]

Progress = Callable[[ProgressEvent], None]
"""Told how far a long step has come; must return at once."""


@runtime_checkable
class CowDriver(Protocol):
    """Copies directory trees inside one pool, sharing their blocks where the file system can."""

    name: ClassVar[str]

    def supports(self, path: Path) -> str | None:
        """None when trees under `path` can be cloned by this driver, else the reason why not."""
        ...

    def create(self, path: Path) -> None:
        """Make an empty tree (mode 0700) that `clone` can later copy at its best; it must not exist."""
        ...

    def clone(self, src: Path, dst: Path, *, given: Mapping[str, Account] | None = None) -> None:
        """Copy the tree `src` to `dst`, which must not exist; modes, owners, times and links are kept.

        Entries of the top that `given` names belong to its account, with all below them; a driver that does not touch
        each file leaves that to their users.
        """
        ...

    def remove(self, path: Path) -> None:
        """Remove a tree made by `clone` (or any other); nothing to do when it is not there."""
        ...

    def usage(self, path: Path) -> tuple[int, int]:
        """Bytes that the tree refers to, and bytes that it alone occupies."""
        ...


@runtime_checkable
class Mask(Protocol):
    """The mask of one domain: a pure function of the key, the domain and the value."""

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order."""
        ...


FieldMask = Callable[[Sequence[Any]], Sequence[Any]]
"""Masks a batch of one field's values as its FieldKind gives them; None stays None.

A block of texts (`packed.TextBlock`) comes back as one where its mask can."""


class Masks(Protocol):
    """All masks of one image: one key, one corpus of identities, every store."""

    @property
    def key_id(self) -> str:
        """The id of the masking key; never the key."""
        ...

    def field(self, rule: FieldRule) -> FieldMask:
        """What masks a field under this rule."""
        ...

    def separable(self, rule: FieldRule) -> bool:
        """Whether a copy of this process can mask the field as well: nothing outside the process takes part."""
        ...


class Look(Protocol):
    """Who is shown every value while a clone is compared; copies of the process look at parts of it."""

    def batch(self, address: str, before: list[Any], after: list[Any], places: Sequence[str] = ()) -> None:
        """Values beside any row (definitions, large objects), and what the clone has in their places.

        `places` says of each where it is, as it may be shown, when the address does not.
        """
        ...

    def batches(self, many: Iterable[tuple[str, list[Any], Sequence[str]]]) -> None:
        """The same of values that nothing changed, of many addresses with few values each, and where each is."""
        ...

    def rows(self, rows: Rows, made: Mapping[str, Sequence[Any]]) -> None:
        """Whole rows as production has them, and what the masks made of those fields that they change."""
        ...

    def by_others(self, address: str, made: Sequence[Any]) -> None:
        """What a mask made of a field by the value of another one, some rows at a time."""
        ...

    def found(self) -> Any:
        """What was found since this was asked last, as it can be sent from one process to another."""
        ...

    def take(self, found: Any) -> None:
        """Take in what was found, here or in a copy of this process."""
        ...


class Ledger(Protocol):
    """Who is told what the bytes of a closed clone's files are, piece by piece, by every copy of the process."""

    def enter(self, piece: Accounted) -> None:
        """Count a piece of a file, and search what is to be searched in it."""
        ...

    def found(self) -> Any:
        """What was entered since this was asked last, as it can be sent from one process to another."""
        ...

    def take(self, found: Any) -> None:
        """Take in what was entered in a copy of this process."""
        ...


class StoreSession(Protocol):
    """A store's clone, opened in private: nothing but this process can reach it."""

    @property
    def apart(self) -> bool:
        """Whether a copy of this process can do what this one would: all that it changes is in the clone's files."""
        ...

    def inventory(self) -> Inventory:
        """Every field that the store holds."""
        ...

    def read(self, addresses: Collection[str] | None = None) -> Iterator[tuple[str, list[Any]]]:
        """Batches of non-null values of the fields named, or of every field that is not a vector, as FieldKind says.

        With everything come also the texts of the schema itself that can hold values, under `definition of …`.
        """
        ...

    def rows(self, addresses: Collection[str] | None = None) -> Iterator[Rows]:
        """Batches of whole rows: of the fields named, or of every one that is not a vector."""
        ...

    def columns(self, addresses: Collection[str]) -> Iterator[Columns]:
        """The same values of the fields named by column, texts packed: for loops over many of them."""
        ...

    def links(self) -> Sequence[tuple[str, str]]:
        """Which field refers to which, as the engine's own keys say."""
        ...

    def rewrite(self, plan: StorePlan, masks: Masks, progress: Progress) -> RewriteReport:
        """Replace every value of the plan's masked fields by its pseudonym."""
        ...

    def digest(self, plan: StorePlan, masks: Masks | None, placed: Collection[str] = ()) -> Mapping[str, RowsDigest]:
        """Digests per table or collection of what is stored, or of what the masks would make of it.

        A raw store's digest under the masks equals its sanitized clone's digest without them: that is the proof
        that every masked value is the pseudonym of its raw counterpart and nothing else was touched. In tables that
        are `placed` the records' addresses count too.
        """
        ...

    def reads(self, closed: Path) -> None:
        """Read what is read in files in `closed` from now on: a closed copy of what this session was opened on."""
        ...

    def compare(
        self,
        clean: StoreSession,
        plan: StorePlan,
        masks: Masks,
        placed: Collection[str],
        look: Look,
        progress: Progress,
    ) -> Compared:
        """The same proof of this raw store and its sanitized clone (of the same kind) in one pass.

        `look` is given every value on the way, with what the masks made of it: each mask is computed once. What the
        store computes itself from others is left out, and so are fields masked by others.
        """
        ...

    def probes(self, most: int) -> Sequence[Questions]:
        """Every vector index, with at most so many questions made from the vectors that are there; the same each time.

        An index that cannot be asked is named with its reason, never left out, and no failure of one is raised.
        """
        ...

    def answers(self, probes: Sequence[Probe], placed: Collection[str]) -> Sequence[list[Any] | Unanswered]:
        """What the indexes answer: records (by address where they are `placed`) with scores, in order.

        Equal answers are equal lists; Unanswered says why an index gave none.
        """
        ...

    def integrity(self) -> Integrity:
        """Check every reference and every unique constraint."""
        ...

    def armed(self) -> Sequence[str]:
        """What of a sanitized clone could still reach out or let somebody in: of that which `defang` takes away."""
        ...

    def decisive(self, kept: Collection[str]) -> Mapping[str, str]:
        """What decides plans and answers beside settings, by name: statistics of `kept` fields, index parameters."""
        ...

    def sample(self, addresses: Sequence[str], rows: int) -> Mapping[str, list[Any]]:
        """The values of fields of one table or collection in its first rows, None included; the same rows each time."""
        ...

    def rehearse(self, plan: StorePlan, masks: Masks, rows: int) -> Mapping[str, str]:
        """Which masked fields cannot be carried out on some rows, and why, by address; nothing stays of the attempt."""
        ...

    def run(self, text: str, name: str, *, writes: Collection[str] = (), timeout: float) -> int:
        """Run a hook's statements in the store's own language; returns how many rows they gave.

        `writes` are the fields that they make; `timeout` is in seconds. Raises UnsafeError naming the hook.
        """
        ...

    def defang(self) -> Sequence[Cleaned]:
        """Neutralize what could reach out or let somebody in: roles, subscriptions, servers, jobs."""
        ...


class Store(Protocol):
    """A kind of store: how to copy one, open the copy in private, clean its files and look into them.

    The class that an entry point names also is the kind's `Server`.
    """

    kind: ClassVar[str]

    def snapshot(self, name: str, config: StoreConfig, into: Path, progress: Progress) -> StoreSnapshot:
        """Copy a production store's files into the directory `into`; production is only read."""
        ...

    def obstacles(self, config: StoreConfig, place: Path) -> Sequence[EnvcloneError]:
        """All that would keep a snapshot to where `place` is from being taken, asked without copying anything."""
        ...

    def foreseen(self, name: str, config: StoreConfig) -> Inventory | None:
        """The fields of a source that says them without being copied, with the paths of some documents; else None."""
        ...

    def resources(self, config: StoreConfig) -> Mapping[str, Any]:
        """What a running production server says of its version, settings and machine: values of a `Profile`.

        Empty when the source is not a running server. Raises UnreachableError when it does not answer.
        """
        ...

    def open(self, directory: Path, snapshot: StoreSnapshot, *, log: Path) -> AbstractContextManager[StoreSession]:
        """Open a private clone in `directory` for reading and rewriting; closed cleanly at the end."""
        ...

    def scrub(self, directory: Path, snapshot: StoreSnapshot, plan: StorePlan) -> Sequence[Cleaned]:
        """Erase from a closed clone's files what the engine no longer shows: dead rows, free space, logs, old WAL."""
        ...

    def examine(self, directory: Path) -> Mapping[str, int]:
        """Whether a closed clone's files are whole, as its engine would have them; what was looked at, counted.

        Raises UnsafeError with what is damaged.
        """
        ...

    def account(
        self, directory: Path, snapshot: StoreSnapshot, plan: StorePlan, rows: Mapping[str, int], ledger: Ledger
    ) -> None:
        """Tell the ledger what every byte of every file of a closed clone is; nothing in it is written.

        `rows` are how many rows the comparison saw per table or collection: records beyond those were not compared,
        and are a flaw. A class other than `UNDECODED` is only claimed for bytes that were parsed and shown to be of it.
        A file that the store does not know is left out, and enters no image.
        """
        ...


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


class StepRunner(Protocol):
    """Runs an incident's steps, read-only."""

    def run(self, step: Step) -> StepResult:
        """Run one step; a failure of the step itself is a result, not an exception."""
        ...


class SourceRunner(StepRunner, Protocol):
    """Runs steps in production, on terms: those that only read, and that are short."""

    def examine(self, step: Step) -> Sequence[str]:
        """Why the step may not run there, in words; nothing of it runs for that."""
        ...


class ServiceClient(Protocol):
    """How an incident's steps ask application services."""

    def connect(self, endpoint: Endpoint) -> AbstractContextManager[StepRunner]:
        """Connect to a branch's service."""
        ...

    def connect_source(self, name: str, url: str, terms: Terms) -> AbstractContextManager[SourceRunner]:
        """Connect to production's own service to record steps that only read."""
        ...


class Runtime(Protocol):
    """Where a branch's stores and services run; `directory` holds one directory per store.

    The class that an entry point names also is the runtime's `Observer`.
    """

    name: ClassVar[str]

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
