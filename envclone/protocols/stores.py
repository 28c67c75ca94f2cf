"""A kind of store: its snapshots, and what is written and proved in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from envclone.errors import EnvcloneError
from envclone.models import (
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
    StoreSnapshot,
    Unanswered,
)
from envclone.protocols.masks import Ledger, Look, Masks
from envclone.protocols.progress import Progress

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig
    from envclone.packed import Columns

__all__ = ["Settling", "Store", "StoreSession"]


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

    def alive(self, addresses: Collection[str]) -> Iterator[Rows]:
        """Batches of the rows that a reader of the store sees, with the fields named, the ids of points among them."""
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

    def sample(self, addresses: Sequence[str], rows: int, *, spread: bool = False) -> Mapping[str, list[Any]]:
        """The values of fields in the first rows of their table or collection, None included; the same rows each time.

        With `spread` in rows from all over it: the same as long as nothing is written.
        """
        ...

    def some(self, rows: int) -> Iterator[Rows]:
        """Rows of every table or collection, whole as `rows` gives them: the first, and others from all over it.

        About so many of each, and fewer where they are long.
        """
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


@runtime_checkable
class Settling(Protocol):
    """A session that is not ready when it is opened; the same class as its `StoreSession`."""

    def ready(self) -> None:
        """Wait until it is: whatever asks it waits, too, but a copy of this process cannot. Raises as `open` does."""
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
