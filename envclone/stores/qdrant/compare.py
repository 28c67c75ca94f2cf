"""The proof of a collection's points: what the masks make of production's is what the clone holds, part by part."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envclone.forked import fork_map, processors
from envclone.masking.jsonpaths import PathRules
from envclone.models import Compared, ProgressEvent, Rows, StorePlan
from envclone.packed import TextBlock
from envclone.protocols import FieldMask, Look, Masks, Progress
from envclone.stores.qdrant import digest, identity, indexes, payloads
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.layout import Collection
from envclone.stores.qdrant.points import PointNames

__all__ = ["Side", "compare", "definitions"]


PlacedMask = Callable[[Sequence[int], Sequence[str]], Sequence[Any]]
"""A mask of payload texts that is told the offsets of their points."""


@dataclass(frozen=True, slots=True)
class Side:
    """The collections of one store by address, and how many points each has."""

    collections: Mapping[str, Collection]
    points: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Job:
    """A part of one side that is hashed, or payloads of production's with the storage of the clone's segment."""

    raw: bool
    address: str
    part: digest.Part
    other: Path | None = None


def compare(raw: Side, clean: Side, plan: StorePlan, masks: Masks, look: Look, progress: Progress) -> Compared:
    """Compare both sides: payloads text by text, all other parts by their digests under one key that is made here.

    `look` is shown the payloads on the way. Parts are read by copies of this process, those under a mask that cannot be
    separated by itself.
    """
    key = secrets.token_bytes(32)
    rules = {address: plan.rules.get(address) for address in raw.collections}
    json = {address: PathRules(rule.json) if rule else None for address, rule in rules.items()}
    made = {a: masks.field(rule) if rule is not None and rule.masked else None for a, rule in rules.items()}
    names: dict[Any, PointNames] = {}

    def work(job: _Job) -> tuple[_Job, digest.Sums, set[str], Any]:
        if job.other is None:
            return job, digest.read(job.part, job.address, None, None, key), set(), None
        segment = job.part.segment.path
        if segment not in names:
            names.clear()
            names[segment] = PointNames(segment)
        mask = _shown(job.address, made[job.address], look, names[segment])
        return job, {}, set(_different(job.part, job.other, job.address, json.get(job.address), mask)), look.found()

    jobs: list[_Job] = []
    problems: dict[str, set[str]] = {}
    for address in sorted(raw.collections.keys() | clean.collections.keys()):
        sides = [side.collections.get(address) for side in (raw, clean)]
        ours, theirs = (
            [] if one is None else [*digest.parts(one, digest.masked_keys(one, plan.rules))] for one in sides
        )
        others = {part.where: part.path for part in theirs if part.payloads}
        jobs += [_Job(True, address, part) for part in ours if not part.payloads]
        jobs += [_Job(True, address, one, others[one.where]) for one in ours if one.payloads and one.where in others]
        jobs += [_Job(False, address, part) for part in theirs if not part.payloads]
        if _points(ours) != _points(theirs):
            problems.setdefault(address, set()).add(address)
    apart = {a for a, rule in rules.items() if rule is not None and rule.masked and not masks.separable(rule)}
    alone = [job for job in jobs if job.other is not None and job.address in apart]
    together = [job for job in jobs if not (job.other is not None and job.address in apart)]
    sums: dict[tuple[bool, str], list[digest.Sums]] = {}
    done = 0
    for some, workers in ((together, processors()), (alone, 1)):
        for job, one, differ, found in fork_map(work, some, workers):
            if job.other is None:
                sums.setdefault((job.raw, job.address), []).append(one)
            else:
                problems.setdefault(job.address, set()).update(differ)
                look.take(found)
            done += 1
            progress(ProgressEvent("point by point", done, len(jobs), "parts"))
    before, after = (
        {a: digest.total(points, a, sums.get((which, a), ())) for a, points in side.points.items()}
        for which, side in ((True, raw), (False, clean))
    )
    for address, texts in definitions(raw.collections):
        look.batch(address, texts, texts)
    told = [digest.told(sorted(fields)) for fields in problems.values() if fields]
    return Compared({name: one.rows for name, one in after.items()}, (*told, *digest.differences(before, after)))


def _points(parts: Sequence[digest.Part]) -> dict[str, bytes]:
    """The offsets of the points with a payload, per segment."""
    found: dict[str, bytes] = {}
    for part in parts:
        if part.payloads and part.where not in found:
            with Gridstore(part.path) as store:
                found[part.where] = store.present().tobytes()
    return found


def _different(
    part: digest.Part, other: Path, address: str, rules: PathRules | None, mask: PlacedMask
) -> Iterator[str]:
    """The fields of some payloads in which the clone's are not what `mask` makes of production's."""
    with Gridstore(part.path) as ours, Gridstore(other) as theirs:
        present = theirs.slots["present"] != 0
        for offsets, records in ours.batches(points=ours.points()[part.first : part.end]):
            made = mask(offsets, _texts(records))
            held = [theirs.value(one) if one < len(present) and present[one] else b"" for one in offsets]
            if isinstance(made, TextBlock) and len(made) == len(held) and made.block == b"\0".join(held):
                continue  # a text holds no zero, so each is the same
            for text, there in zip(made, held, strict=True):
                if there != text.encode("utf-8", "surrogatepass"):
                    yield from _fields(address, rules, text, there)


def _texts(records: Sequence[bytes]) -> Sequence[str]:
    """Stored payloads as a block; as texts where one holds a zero. Raises UnsafeError where one is no text."""
    block = b"\0".join(records)
    payloads.text(block)
    try:
        return TextBlock(block, np.zeros(len(records), np.bool_))  # type: ignore[return-value]  # none of them is None
    except ValueError:
        return [payloads.text(record) for record in records]


def _fields(address: str, rules: PathRules | None, text: str, held: bytes) -> Iterator[str]:
    """A collection whose payloads differ, and the masked paths that have other values in one of two."""
    yield address
    ours, theirs = (
        {
            (rule.public, payloads.canonical(leaf))
            for steps, leaf in payloads.leaves(payloads.parse(one))
            if rules is not None and (rule := rules.decide(steps)) is not None and rule.domain != "keep"
        }
        for one in (text, payloads.text(held) or "null")
    )
    yield from (f"{address}.{public}" for public, _ in ours ^ theirs)


def definitions(collections: Mapping[str, Collection]) -> Iterator[tuple[str, list[Any]]]:
    """What names a collection, its vectors, indexes and shards have, and what other names it has itself."""
    for address, collection in collections.items():
        vectors = sorted({name for _, segment in collection.segments() for name in segment.vectors if name})
        keys = sorted(indexes.keys(segment for _, segment in collection.segments()))
        others = [*identity.shard_keys(collection), *identity.aliases(collection.root, [collection.name])]
        yield f"definition of {address}", [collection.name, *vectors, *keys, *others]


def _shown(address: str, mask: FieldMask | None, look: Look, names: PointNames) -> PlacedMask:
    """The mask, which shows what it is given and what it makes of it, with the points."""

    def shown(offsets: Sequence[int], before: Sequence[str]) -> Sequence[Any]:
        after = before if mask is None else mask(before)
        rows = Rows(address, {address: before}, {}, [names.place(offset) for offset in offsets])
        look.rows(rows, {address: after} if mask is not None else {})
        return after

    return shown
