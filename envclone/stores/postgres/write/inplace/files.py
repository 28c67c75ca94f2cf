"""The work on the files of a stopped server: every relation, in parallel, and what follows from it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from envclone.errors import UnsafeError
from envclone.forked import fork_map, processors
from envclone.models import ProgressEvent
from envclone.protocols import FieldMask, Progress
from envclone.stores.postgres.format.segments import Extent, extents
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.visibility import Transactions
from envclone.stores.postgres.server import control
from envclone.stores.postgres.write.inplace import pagefile
from envclone.stores.postgres.write.inplace.heap import HeapWriter
from envclone.stores.postgres.write.inplace.settle import settle
from envclone.stores.postgres.write.inplace.staged import StagedValues
from envclone.stores.postgres.write.inplace.toasting import Chunk, Toaster
from envclone.stores.postgres.write.inplace.work import LeafWork, Spilled

__all__ = ["LeafDone", "write_files"]

_PAGES_AT_ONCE = 256
"""Few enough that every processor has work to the end, and that little is held at once."""
_LOOSE_AT_ONCE = 4096


@dataclass(slots=True)
class LeafDone:
    """What was done to one relation; `left` are rows that only SQL can write.

    With `moved_chunks` the index of its TOAST table must be rebuilt. Of the pages `written` so many are
    `shared` with an earlier image.
    """

    pages: int = 0
    written: int = 0
    shared: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    left: list[Spilled] = field(default_factory=list)
    moved_chunks: int = 0


def write_files(
    data: Path,
    works: Sequence[LeafWork],
    masks: Callable[[LeafWork], Mapping[str, FieldMask]],
    separable: Callable[[LeafWork], bool],
    progress: Progress,
    earlier: Path | None = None,
) -> list[LeafDone]:
    """Mask the values of each relation in its pages. The server must be stopped cleanly.

    Only pages that change are written; those that the data directory `earlier` of an image has share its blocks.
    Raises UnsafeError when a server runs, or a file is not understood.
    """
    if (data / "postmaster.pid").exists():
        raise UnsafeError(f"a server runs on {data}", hint="report this as a bug")
    found = control.read(data)
    if sys.byteorder != "little" or found.maximum_alignment != 8:
        raise UnsafeError(
            f"{data} is of a machine whose records are laid out in another way",
            hint="set sanitize.method to sql in the stack file",
        )
    if found.state is not control.State.SHUT_DOWN:
        raise UnsafeError(f"{data} was not shut down cleanly: {found.state}", hint="report this as a bug")
    return [_Leaf(data, work, found, progress, earlier).write(masks(work), parallel=separable(work)) for work in works]


class _Leaf:
    def __init__(
        self, data: Path, work: LeafWork, found: control.Control, progress: Progress, earlier: Path | None
    ) -> None:
        self._data = data
        self._earlier = earlier / Path(work.relation.path).parent if earlier is not None else None
        self._work = work
        self._control = found
        self._progress = progress
        self._checksums = bool(found.checksums)
        self._transactions: Transactions = control.transactions(data)
        self._done = LeafDone()
        self._dirty: set[int] = set()
        self._hidden: set[int] = set()
        self._spilled: list[Spilled] = []
        self._loose: list[Chunk] = []

    def write(self, masks: Mapping[str, FieldMask], *, parallel: bool) -> LeafDone:
        work, found = self._work, self._control
        size, segment_pages = found.block_size, found.relation_segment_blocks
        path = self._data / work.relation.path
        jobs = list(extents(path, size, segment_pages=segment_pages, at_once=_PAGES_AT_ONCE))
        staged = StagedValues(self._data, work.staging, size, segment_pages) if work.staging else None
        workers = processors() if parallel else 1
        with ExitStack() as stack:

            def writer(toaster: Toaster | None, *, defer: bool) -> HeapWriter:
                return HeapWriter(
                    work,
                    masks,
                    self._transactions,
                    page_size=size,
                    checksums=self._checksums,
                    toaster=toaster,
                    staged=staged,
                    defer=defer,
                    earlier=self._earlier,
                )

            total = sum(job.pages for job in jobs)
            deferred = self._pass(writer(None, defer=True), jobs, workers, total)
            toaster = self._toaster(stack) if deferred or self._spilled else None
            self._pass(writer(toaster, defer=False), deferred, workers, total)
            self._done.left = settle(
                self._data,
                work,
                self._spilled,
                toaster,
                page_size=size,
                segment_pages=segment_pages,
                checksums=self._checksums,
            )
            if toaster is not None:
                self._done.moved_chunks += len(toaster.loose)
                self._append([*self._loose, *toaster.loose])
        self._finish_toast(self._dirty, self._hidden)
        return self._done

    def _pass(self, writer: HeapWriter, jobs: Sequence[Extent], workers: int, total: int) -> list[Extent]:
        """Write extents, and take in what came of it; returns those that were deferred, in their order."""
        deferred: list[Extent] = []
        done = self._done
        for written in fork_map(writer.write, jobs, workers):
            if written.deferred is not None:
                deferred.append(written.deferred)
                continue
            done.pages += written.bytes // self._control.block_size
            done.written += written.pages
            done.shared += written.shared
            for counted, into in ((written.rows, done.rows), (written.values, done.values)):
                for address, count in counted.items():
                    into[address] = into.get(address, 0) + count
            self._dirty |= written.dirty
            self._hidden |= written.hidden
            self._spilled += written.spilled
            self._loose += written.loose
            done.moved_chunks += len(written.loose)
            if len(self._loose) >= _LOOSE_AT_ONCE:
                self._append(self._loose)
                self._loose = []
            self._progress(ProgressEvent(self._work.relation.name, done.pages, total, "pages"))
        return sorted(deferred, key=lambda extent: extent.first_block)

    def _toaster(self, stack: ExitStack) -> Toaster | None:
        if self._work.toast is None:
            return None
        found = self._control
        chunks = Chunks(
            self._data / self._work.toast.path,
            found.block_size,
            found.relation_segment_blocks,
            transactions=self._transactions,
            writable=True,
        )
        return Toaster(stack.enter_context(chunks), found.block_size, found.toast_chunk_size)

    def _append(self, loose: Sequence[Chunk]) -> None:
        assert self._work.toast is not None or not loose
        if self._work.toast is not None and loose:
            pagefile.append_chunks(
                self._data / self._work.toast.path,
                loose,
                self._control.block_size,
                self._control.relation_segment_blocks,
                self._checksums,
            )

    def _finish_toast(self, dirty: set[int], hidden: set[int]) -> None:
        if self._work.toast is None:
            return
        path = self._data / self._work.toast.path
        if self._checksums:
            pagefile.seal(path, dirty, self._control.block_size, self._control.relation_segment_blocks)
        pagefile.hide(path, hidden, self._control.block_size, self._checksums)
