"""The proof of a collection's points: what the masks make of production's is what the clone holds, part by part."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.forked import fork_map, processors
from envclone.masking.jsonpaths import PathRules
from envclone.models import Compared, ProgressEvent, Rows, StorePlan
from envclone.protocols import FieldMask, Look, Masks, Progress
from envclone.stores.qdrant import digest, indexes
from envclone.stores.qdrant.layout import Collection
from envclone.stores.qdrant.points import PointNames

__all__ = ["Side", "compare", "definitions"]


@dataclass(frozen=True, slots=True)
class Side:
    """The collections of one store by address, and how many points each has."""

    collections: Mapping[str, Collection]
    points: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Job:
    raw: bool
    address: str
    part: digest.Part


def compare(raw: Side, clean: Side, plan: StorePlan, masks: Masks, look: Look, progress: Progress) -> Compared:
    """Compare the digests of both sides under one key that is made here; `look` is shown the payloads on the way.

    Parts of collections are read by copies of this process, those under a mask that cannot be separated by itself.
    """
    key = secrets.token_bytes(32)
    rules = {address: plan.rules.get(address) for address in raw.collections}
    json = {address: PathRules(rule.json) if rule else None for address, rule in rules.items()}
    made = {a: masks.field(rule) if rule is not None and rule.masked else None for a, rule in rules.items()}
    names: dict[Any, PointNames] = {}

    def work(job: _Job) -> tuple[_Job, digest.Sums, Any]:
        mask: digest.PlacedMask | None = None
        if job.raw and job.part.payloads:
            segment = job.part.segment.path
            if segment not in names:
                names.clear()
                names[segment] = PointNames(segment)
            mask = _shown(job.address, made[job.address], look, names[segment])
        sums = digest.read(job.part, job.address, json.get(job.address), mask, key)
        return job, sums, look.found()

    jobs = [
        _Job(side is raw, address, part)
        for side in (raw, clean)
        for address, collection in side.collections.items()
        for part in digest.parts(collection, digest.masked_keys(collection, plan.rules))
    ]
    apart = {a for a, rule in rules.items() if rule is not None and rule.masked and not masks.separable(rule)}
    alone = [job for job in jobs if job.raw and job.address in apart]
    together = [job for job in jobs if not (job.raw and job.address in apart)]
    sums: dict[tuple[bool, str], list[digest.Sums]] = {}
    done = 0
    for some, workers in ((together, processors()), (alone, 1)):
        for job, one, found in fork_map(work, some, workers):
            sums.setdefault((job.raw, job.address), []).append(one)
            look.take(found)
            done += 1
            progress(ProgressEvent("point by point", done, len(jobs), "parts"))
    before, after = (
        {a: digest.total(points, a, sums.get((which, a), ())) for a, points in side.points.items()}
        for which, side in ((True, raw), (False, clean))
    )
    for address, texts in definitions(raw.collections):
        look.batch(address, texts, texts)
    return Compared({name: one.rows for name, one in after.items()}, tuple(digest.differences(before, after)))


def definitions(collections: Mapping[str, Collection]) -> Iterator[tuple[str, list[Any]]]:
    """What names a collection, its vectors and its indexes have."""
    for address, collection in collections.items():
        vectors = sorted({name for _, segment in collection.segments() for name in segment.vectors if name})
        keys = sorted(indexes.keys(segment for _, segment in collection.segments()))
        yield f"definition of {address}", [collection.name, *vectors, *keys]


def _shown(address: str, mask: FieldMask | None, look: Look, names: PointNames) -> digest.PlacedMask:
    """The mask, which shows what it is given and what it makes of it, with the points."""

    def shown(part: digest.Part, offsets: Sequence[int], texts: Sequence[str]) -> list[Any]:
        before = list(texts)
        after = before if mask is None else list(mask(before))
        rows = Rows(address, {address: before}, {}, [names.place(offset) for offset in offsets])
        look.rows(rows, {address: after} if mask is not None else {})
        return after

    return shown
