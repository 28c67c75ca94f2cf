"""A private clone of a Qdrant store, worked on in its files; the engine only finishes logs and builds indexes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Collection as Names
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from envclone.address import joined
from envclone.errors import ConfigError, EnvcloneError, UnsafeError
from envclone.forked import fork_map, processors
from envclone.masking.shown import KeyCounter
from envclone.models import (
    Cleaned,
    Compared,
    Field,
    FieldKind,
    FieldRule,
    Integrity,
    Inventory,
    Probe,
    ProgressEvent,
    Questions,
    RewriteReport,
    Rows,
    RowsDigest,
    StorePlan,
    StoreSnapshot,
    Unanswered,
)
from envclone.packed import Columns, of_rows
from envclone.protocols import FieldMask, Look, Masks, Progress, StoreSession
from envclone.refused import refused
from envclone.stores.qdrant import digest, engine, indexes, integrity, payloads, probe, wal
from envclone.stores.qdrant.alive import alive
from envclone.stores.qdrant.compare import Side, compare, definitions
from envclone.stores.qdrant.foreseen import fields_of
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.gridwriter import GridWriter
from envclone.stores.qdrant.layout import STORAGE, Collection, Segment, collections
from envclone.stores.qdrant.points import PointNames
from envclone.thinned import Thinned

__all__ = ["QdrantSession", "open_session"]

_FIRST_BYTES = 8 << 20
"""Of the first payloads of a collection no more are read than this holds."""


@dataclass(slots=True)
class _Written:
    """What was rewritten: records read, records changed, records that needed other blocks, indexes to be built."""

    records: int = 0
    changed: int = 0
    moved: int = 0
    indexes: int = 0


@contextmanager
def open_session(directory: Path, snapshot: StoreSnapshot) -> Iterator[QdrantSession]:
    """Open a clone. Its shards are settled meanwhile, and whatever asks the session first waits for that.

    Raises UnsafeError, BusyError, ConfigError, now or when it is asked.
    """
    found = collections(directory / STORAGE)

    def settle() -> Mapping[str, int]:
        return {one.address: sum(engine.settle(shard).points for shard in one.shards()) for one in found}

    try:
        with engine.beside(settle) as settled:
            yield QdrantSession(snapshot, found, settled)
            settled()
    finally:  # the logs that a loaded engine began, when no copy of this process is at them any more
        for collection in found:
            for shard in collection.shards():
                wal.empty(shard)


class QdrantSession:
    """The open clone; nothing is held open between its methods."""

    def __init__(
        self, snapshot: StoreSnapshot, found: Sequence[Collection], settled: Callable[[], Mapping[str, int]]
    ) -> None:
        self._snapshot = snapshot
        self._found = {collection.address: collection for collection in found}
        self._settled = settled

    @property
    def _points(self) -> Mapping[str, int]:
        return self._settled()

    @property
    def _collections(self) -> Mapping[str, Collection]:
        """By address, when every shard is settled: files that the engine is at are not looked into."""
        self._settled()
        return self._found

    def ready(self) -> None:
        """Wait until every shard is settled, before this process is copied: a copy cannot wait for another one."""
        self._settled()

    @property
    def apart(self) -> bool:
        """Whether a copy of this process can load the shards: all that it changes is in their files."""
        return engine.forkable()

    def inventory(self) -> Inventory:
        """One JSON field per collection for its payloads, one for the ids of its points, and one per vector."""
        fields: dict[str, Field] = {}
        for name, collection in self._collections.items():
            ways: set[payloads.Steps] = set()
            counter = KeyCounter()
            vectors: dict[str, str] = {}
            for _, segment in collection.segments():
                vectors |= segment.vectors
                for _, value in _parsed(segment):
                    its = {steps for steps, _ in payloads.leaves(value)}
                    ways |= its
                    counter.add(its)
            fields.update({one.address: one for one in fields_of(name, ways, counter, vectors)})
        return Inventory(self._snapshot.store, fields, dict(self._points))

    def read(self, addresses: Names[str] | None = None) -> Iterator[tuple[str, list[Any]]]:
        """Batches of payloads as they are stored, those of overwritten and deleted points that are left included.

        With everything come the names of collections, vectors and indexed keys.
        """
        if addresses is None:
            yield from definitions(self._collections)
        for name, collection in self._collections.items():
            if addresses is not None and name not in addresses:
                continue
            for _, segment in collection.segments():
                with Gridstore(segment.payload_storage) as store:
                    for _, records in store.batches():
                        yield name, [payloads.text(record) for record in records]

    def rows(self, addresses: Names[str] | None = None) -> Iterator[Rows]:
        """The same payloads, each a row of one field, with the points that they are of."""
        for name, collection in self._collections.items():
            if addresses is not None and name not in addresses:
                continue
            for _, segment in collection.segments():
                names = PointNames(segment.path)
                with Gridstore(segment.payload_storage) as store:
                    for offsets, records in store.batches():
                        texts = [payloads.text(one) for one in records]
                        yield Rows(name, {name: texts}, {}, [names.place(offset) for offset in offsets])

    def alive(self, addresses: Names[str]) -> Iterator[Rows]:
        """The payloads and the ids of those points alone that a search can find; `point_ids` is a field, too."""
        for name, collection in self._collections.items():
            asked, ids = name in addresses, joined(name, "point_ids")
            if not asked and ids not in addresses:
                continue
            for _, segment in collection.segments():
                there = alive(segment.path)
                if not asked:
                    yield Rows(name, {ids: list(there.values())}, {}, ())
                    continue
                bare = set(there)
                with Gridstore(segment.payload_storage) as store:
                    for offsets, records in store.batches():
                        some = [(there[int(at)], one) for at, one in zip(offsets, records, strict=True) if at in there]
                        bare.difference_update(int(at) for at in offsets)
                        fields = {name: [payloads.text(one) for _, one in some], ids: [ident for ident, _ in some]}
                        yield Rows(name, fields, {}, ())
                yield Rows(name, {name: [None] * len(bare), ids: [there[at] for at in sorted(bare)]}, {}, ())

    def columns(self, addresses: Names[str]) -> Iterator[Columns]:
        """The same by column."""
        return of_rows(self.rows(addresses))

    def links(self) -> Sequence[tuple[str, str]]:
        """A Qdrant store knows no references."""
        return ()

    def rewrite(self, plan: StorePlan, masks: Masks, progress: Progress) -> RewriteReport:
        """Rewrite the payload records in place; raises ConfigError for a vector that is not kept."""
        began = time.monotonic()
        for declared in plan.masked.values():
            if declared.kind is FieldKind.VECTOR:
                raise ConfigError(
                    f"the vectors or ids of {declared.address} can only be kept, not '{declared.domain}'",
                    hint=f"write {declared.address}: keep",
                )
        rows: dict[str, int] = {}
        values: dict[str, int] = {}
        total = sum(self._points.get(name, 0) for name in self._collections if self._rule(plan, name))
        done = moved = 0
        for name, collection in self._collections.items():
            rule = self._rule(plan, name)
            if rule is None:
                continue
            keys = digest.masked_keys(collection, plan.rules)
            mask = masks.field(rule)
            workers = processors() if masks.separable(rule) else 1

            def work(segment: Segment, mask: FieldMask = mask, keys: Names[str] = keys, name: str = name) -> _Written:
                written = _rewrite(segment, mask, name)
                written.indexes = indexes.drop(segment, keys)
                return written

            for shard in collection.shards():
                rebuild = 0
                # each segment is a directory of its own, and the engine has none of them open
                for written in fork_map(work, list(shard.segments()), workers):
                    rebuild += written.indexes
                    rows[name] = rows.get(name, 0) + written.records
                    values[name] = values.get(name, 0) + written.changed
                    moved += written.moved
                    done += written.records
                    progress(ProgressEvent(self._snapshot.store, done, max(total, done), "rows"))
                if rebuild:
                    engine.aside(
                        partial(engine.settle, shard)
                    )  # which builds the dropped indexes from the masked payloads
        moved_blocks = {"records moved to other blocks": moved} if moved else {}
        return RewriteReport(
            "in-place",
            rows,
            values,
            round(time.monotonic() - began, 3),
            placed=tuple(sorted(rows)),
            checks=moved_blocks,
        )

    def digest(self, plan: StorePlan, masks: Masks | None, placed: Names[str] = ()) -> Mapping[str, RowsDigest]:
        """Per collection: the payloads (masked when `masks` is given) and every byte that must stay as it is.

        Points always are where they were: that is part of those bytes.
        """
        found: dict[str, RowsDigest] = {}
        for name, collection in self._collections.items():
            rule = self._rule(plan, name)
            mask = masks.field(rule) if masks is not None and rule is not None else None
            keys = digest.masked_keys(collection, plan.rules)
            found[name] = digest.of_collection(collection, self._points[name], rule, mask, keys)
        return found

    def reads(self, closed: Path) -> None:
        """Nothing changes: the files of this session are as the engine settled them."""

    def compare(
        self,
        clean: StoreSession,
        plan: StorePlan,
        masks: Masks,
        placed: Names[str],
        look: Look,
        progress: Progress,
    ) -> Compared:
        """Compare the digests of both, part by part; the payloads are shown on the way. See `compare`."""
        assert isinstance(clean, QdrantSession)
        return compare(self._side(), clean._side(), plan, masks, look, progress)

    def _side(self) -> Side:
        return Side(self._collections, self._points)

    def decisive(self, kept: Names[str]) -> Mapping[str, str]:
        """The parameters of the collections' indexes."""
        from envclone.stores.qdrant.parameters import parameters

        return parameters(list(self._collections.values()))

    def sample(self, addresses: Sequence[str], rows: int, *, spread: bool = False) -> Mapping[str, list[Any]]:
        """The first values of each field, or some from all over it."""
        if spread:
            thinned: dict[str, Thinned[Any]] = {address: Thinned(rows) for address in addresses}
            for address, batch in self.read(set(addresses)):
                thinned[address].add(batch)
            return {address: list(its) for address, its in thinned.items()}
        found: dict[str, list[Any]] = {address: [] for address in addresses}
        for address, batch in self.read(set(addresses)):
            found[address] += batch[: rows - len(found[address])]
        return found

    def some(self, rows: int) -> Iterator[Rows]:
        """Payloads of each collection: as many of its first as of the others, from all over it."""
        for name in self._collections:
            left, size = rows // 2, 0
            rest = Thinned[tuple[str, str]](rows - rows // 2, size=lambda one: len(one[0]), most_size=_FIRST_BYTES // 2)
            for batch in self.rows({name}):
                now = left if size <= _FIRST_BYTES // 2 else 0
                some = Rows(name, {name: batch.fields[name][:now]}, {}, batch.places[:now])
                if some.places:
                    yield some
                left -= len(some.places)
                size += sum(map(len, some.fields[name]))
                rest.add(zip(batch.fields[name][now:], batch.places[now:], strict=True))
            if others := list(rest):
                yield Rows(name, {name: [text for text, _ in others]}, {}, [place for _, place in others])

    def rehearse(self, plan: StorePlan, masks: Masks, rows: int) -> Mapping[str, str]:
        """Whether the masks take the first payloads of each collection as they are."""
        found: dict[str, str] = {}
        for address, values in self.sample([a for a in plan.masked if a in self._collections], rows).items():
            try:
                masks.field(plan.rules[address])(values)
            except EnvcloneError as exc:
                found[address] = exc.message
        return found

    def run(self, text: str, name: str, *, writes: Names[str] = (), timeout: float) -> int:
        """Raises UnsafeError: Qdrant has no language that a hook's statements could be written in."""
        raise UnsafeError(f"the hook {name} is SQL, which a Qdrant store does not know")

    def probes(self, most: int) -> Sequence[Questions]:
        """Questions for each vector of each collection, in each shard."""
        self.ready()
        return engine.at_last(lambda: [each for one in self._collections.values() for each in probe.probes(one, most)])

    def answers(self, probes: Sequence[Probe], placed: Names[str]) -> Sequence[list[Any] | Unanswered]:
        """What each shard answers: ids and scores, or why it does not."""
        self.ready()
        return engine.at_last(lambda: probe.answers(self._collections, probes))

    def integrity(self) -> Integrity:
        """Whether the engine reads every point, and reads what the files hold."""
        self.ready()
        return Integrity(foreign_keys=0, orphans=0, unique_indexes=0, problems=tuple(engine.at_last(self._problems)))

    def _problems(self) -> list[str]:
        problems: list[str] = []
        for collection in self._collections.values():
            for shard in collection.shards():
                problems += integrity.problems(collection.name, shard)
                wal.empty(shard)
        return problems

    def armed(self) -> Sequence[str]:
        """Nothing: files of a collection lead nowhere."""
        return ()

    def defang(self) -> Sequence[Cleaned]:
        """What could lead out of the branch never came in: peers, cluster state and snapshots were not copied."""
        left_out = self._snapshot.details.get("left_out") or {}
        return [Cleaned("not copied from the storage directory", int(count), name) for name, count in left_out.items()]

    @staticmethod
    def _rule(plan: StorePlan, name: str) -> FieldRule | None:
        rule = plan.rules.get(name)
        return rule if rule is not None and rule.masked else None


def _parsed(segment: Segment) -> Iterator[tuple[int, Any]]:
    with Gridstore(segment.payload_storage) as store:
        for points, records in store.batches():
            for point, record in zip(points, records, strict=True):
                yield point, payloads.parse(payloads.text(record))


def _rewrite(segment: Segment, mask: FieldMask, address: str) -> _Written:
    """Mask every record of a segment where it lies."""
    done = _Written()
    with Gridstore(segment.payload_storage, writable=True) as store:
        writer = GridWriter(store)
        # the order is fixed before anything moves, so that a record that goes to other blocks is not met again
        for points, records in store.batches():
            texts = [payloads.text(record) for record in records]
            try:
                masked = mask(texts)
            except EnvcloneError as exc:
                places = list(map(PointNames(segment.path).place, points))
                raise refused(exc, address, mask, texts, places.__getitem__) from None
            if len(masked) != len(texts) or not all(isinstance(item, str) for item in masked):
                raise UnsafeError(f"the mask of {segment.payload_storage} did not give one text for each payload")
            for point, old, new in zip(points, texts, masked, strict=True):
                if new != old:
                    writer.replace(point, new.encode("utf-8"))
                    done.changed += 1
            done.records += len(points)
        writer.finish()
        done.moved = writer.moved
    return done
