"""Which decoder reads which file: the list of every name that a sanitized store may have.

A file that is in no line is left out of the account, and with it the image. A file that its decoder cannot read is not
decoded: it is searched as it is. Where the engine would stumble over it as well (payloads, ids, the log) it is a flaw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from envclone.address import joined
from envclone.forked import fork_map, processors
from envclone.masking.shown import shown_path
from envclone.models import Accounted, ByteClass, FieldRule, Flaw, StorePlan, Values
from envclone.protocols import Ledger
from envclone.stores.qdrant import identity
from envclone.stores.qdrant import indexes as index_names
from envclone.stores.qdrant.account import gridstores, ids, indexes, texts, vectors
from envclone.stores.qdrant.account.claims import Claims, Damaged
from envclone.stores.qdrant.account.containers import bitmask, bits
from envclone.stores.qdrant.account.payload import PayloadReader
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.layout import STORAGE, Collection, Segment, Shard, collections

__all__ = ["account", "jobs", "pieces"]

_Decoder = Callable[[Claims], object]
_GRIDSTORE = re.compile(r"tracker\.dat|bitmask\.dat|gaps\.dat|page_\d+\.dat")
_OF_COLLECTION = re.compile(r"(config|payload_index|shard_key_mapping)\.json")
_OF_SHARD = re.compile(r"(edge_config|shard_config)\.json")
_OF_INDEX = re.compile(r"(mmap_field_index|histogram)_(config|stats)\.json")
_STRICT = ("id_tracker.mappings", "mutable_id_tracker.mappings", "id_tracker.i2e", "id_tracker.e2i")
_ENGINE = "Check production with its own engine, then take a new snapshot."


@dataclass(frozen=True, slots=True)
class Job:
    """A file with its decoder, a page of a Gridstore with the reader of its values, or what else a Gridstore has."""

    path: Path
    decode: _Decoder | None = None
    read: gridstores.Reader = gridstores.whole
    third: ByteClass = ByteClass.STRUCTURE
    strict: bool = False
    page: int | None = None


def account(directory: Path, plan: StorePlan, ledger: Ledger) -> None:
    """Tell the ledger of every file of a closed clone, by all processors. Raises UnsafeError for a damaged one."""

    def work(job: Job) -> object:
        for piece in pieces(job, directory):
            ledger.enter(piece)
        return ledger.found()

    for found in fork_map(work, list(jobs(directory, plan)), processors()):
        ledger.take(found)


def pieces(job: Job, root: Path) -> Iterator[Accounted]:
    """What a job's file or Gridstore is."""
    if job.decode is None:
        with Gridstore(job.path) as store:
            if job.page is None:
                yield from gridstores.others(store, root)
            else:
                yield gridstores.page(store, job.page, root, job.read, job.third)
        return
    name = job.path.relative_to(root).as_posix()
    flaws: list[Flaw] = []
    with Claims(job.path) as claims:
        try:
            job.decode(claims)
            classes, left = claims.settle()
        except Damaged as exc:
            claims.nothing()
            classes, left = claims.settle()
            if job.strict:
                flaws.append(Flaw(name, str(exc), _ENGINE))
        yield Accounted(name, classes, tuple(claims.values), tuple(left), tuple(flaws))


def jobs(root: Path, plan: StorePlan) -> Iterator[Job]:
    """Every file of a closed clone that has a decoder. Raises UnsafeError when a segment cannot be read."""
    if (aliases := root / STORAGE / identity.ALIASES).is_file():
        yield Job(aliases, partial(texts.document, place="aliases"))
    for collection in collections(root / STORAGE):
        place = collection.address
        for path in sorted(entry for entry in collection.path.iterdir() if entry.is_file()):
            if _OF_COLLECTION.fullmatch(path.name):
                yield Job(path, partial(texts.document, place=f"{place}, {path.name}"))
            elif path.name == "version.info":
                yield Job(path, texts.version)
        for shard in collection.shards():
            yield from _of_shard(collection, shard)
            for segment in shard.segments():
                yield from _of_segment(collection, segment, plan.rules.get(collection.address))


def _of_shard(collection: Collection, shard: Shard) -> Iterator[Job]:
    for path in sorted(entry for entry in shard.path.iterdir() if entry.is_file()):
        if _OF_SHARD.fullmatch(path.name):
            yield Job(path, partial(texts.document, place=f"{collection.address}, {path.name}"))
        elif path.name == identity.REPLICA_STATE:
            yield Job(path, partial(texts.exactly, content=identity.REPLICAS), strict=True)
    for path in sorted(shard.path.glob("wal/closed-*")):
        yield Job(path, texts.log, strict=True)


def _of_segment(collection: Collection, segment: Segment, rule: FieldRule | None) -> Iterator[Job]:
    place = collection.address
    points = ids.points_of(segment.path)
    for path in sorted(entry for entry in segment.path.iterdir() if entry.is_file()):
        decode = _of_tracker(path.name, place, points)
        if decode is not None:
            yield Job(path, decode, strict=path.name in _STRICT)
    yield from _store(segment.payload_storage, PayloadReader(rule), ByteClass.KEPT, place)
    yield from _indexes(segment, place, points)
    for name, config in (segment.config.get("vector_data") or {}).items():
        ending = f"-{name}" if name else ""
        yield from _vectors(segment.path / f"vector_storage{ending}", points, vectors.width_of(config), place)
        yield from _graph(segment.path / f"vector_index{ending}", place)
    for name in segment.config.get("sparse_vector_data") or {}:
        yield from _vectors(segment.path / f"vector_storage-{name}", points, None, place)
        yield from _graph(segment.path / f"vector_index-{name}", place)


def _of_tracker(name: str, place: str, points: int) -> _Decoder | None:
    if name == "segment.json":
        return partial(texts.document, place=f"{place}, {name}")
    if name in _IDS:
        return partial(_named, read=_IDS[name], place=f"{place}, ids of points", field=joined(place, "point_ids"))
    decoders: dict[str, _Decoder] = {
        "version.info": texts.version,
        "id_tracker.versions": ids.versions,
        "mutable_id_tracker.versions": ids.versions,
        "id_tracker.i2e": ids.i2e,
        "id_tracker.is_uuid": bitmask,
        "id_tracker.deleted": partial(_bits, points=points),
    }
    return decoders.get(name)


_IDS: dict[str, Callable[[Claims], list[str]]] = {
    "id_tracker.mappings": lambda claims: list(ids.mappings(claims).values()),
    "mutable_id_tracker.mappings": lambda claims: ids.log(claims)[1],
    "id_tracker.e2i": ids.e2i,
}


def _named(claims: Claims, read: Callable[[Claims], list[str]], place: str, field: str) -> None:
    """Ids of points, searched as values: numbers apart from others."""
    found = dict.fromkeys(read(claims))
    for numbers in (True, False):
        claims.values.append(
            Values(place, [one for one in found if one.isdecimal() is numbers], (field,), copies=True, numbers=numbers)
        )


def _bits(claims: Claims, points: int) -> None:
    bits(claims, 0, min(points, 8 * claims.size))


def _store(path: Path, read: gridstores.Reader, third: ByteClass, place: str) -> Iterator[Job]:
    """A Gridstore's directory, its configuration apart."""
    if (path / "tracker.dat").exists():
        yield Job(path / "config.json", partial(texts.document, place=f"{place}, {path.name}/config.json"))
        yield Job(path)
        with Gridstore(path) as store:
            yield from (Job(path, read=read, third=third, page=number) for number in range(store.pages))


def _indexes(segment: Segment, place: str, points: int) -> Iterator[Job]:
    config = segment.payload_index / "config.json"
    if not config.exists():
        return
    yield Job(config, partial(texts.document, place=f"{place}, payload_index/config.json"))
    keys = {index_names.prefix(key): (key, schema) for key, schema in index_names.schemas(segment).items()}
    for folder in sorted(entry for entry in segment.payload_index.iterdir() if entry.is_dir()):
        known = keys.get(f"{folder.name.partition('-')[0]}-")
        if known is None:
            continue  # in no class: it enters no image
        index = indexes.Index(known[1], f"{place}, index on {shown_path('$.' + known[0])[2:]}", place, points)
        yield from _store(folder, indexes.stored(index), ByteClass.DERIVED, place)
        for path in sorted(folder.rglob("*")):
            if path.parent.name in ("has_values", "is_null", "trues", "falses") and path.parent.parent == folder:
                yield from _flags(path)
            elif path.parent == folder and path.name in indexes.FILES:
                yield Job(path, partial(_index_file, index=index, name=path.name))
            elif path.parent == folder and _OF_INDEX.fullmatch(path.name):
                yield Job(path, partial(texts.document, place=f"{index.place}, {path.name}"))
            elif path.parent == folder and path.name == "version.info":
                yield Job(path, texts.version)


def _index_file(claims: Claims, index: indexes.Index, name: str) -> None:
    indexes.read_file(name, claims, index)


def _flags(path: Path) -> Iterator[Job]:
    if path.name == "status.dat":
        yield Job(path, vectors.status)
    elif path.name in ("flags_a.dat", "flags_b.dat"):
        yield Job(path, vectors.flags)


_CHUNKED = re.compile(r"vectors|offsets|tq_vectors|tq_offsets|quantized_data|quantized_offsets_data")
_CHUNK = re.compile(r"chunk_(\d+)\.mmap")


def _vectors(folder: Path, points: int, width: int | None, place: str) -> Iterator[Job]:
    """A vector's storage: one matrix, or chunks; which are deleted; the quantized ones; a Gridstore of sparse ones."""
    yield from _store(folder / "store", vectors.sparse, ByteClass.STRUCTURE, place)
    for path in sorted(folder.rglob("*")):
        above = path.parent
        if above == folder:
            decode: _Decoder | None = {
                "matrix.dat": partial(vectors.matrix, points=points, width=width),
                "tq_vectors.dat": partial(vectors.rows, count=points),
                "deleted.dat": partial(vectors.deleted, points=points),
                "quantized.data": partial(vectors.quantized, points=points),
                "quantized.offsets.data": partial(vectors.rows, count=points),
            }.get(path.name)
            if decode is None and re.fullmatch(r"quantized\.(config|meta)\.json", path.name):
                decode = partial(texts.document, place=f"{place}, {path.name}")
            if decode is not None:
                yield Job(path, decode)
        elif above.parent == folder and above.name == "deleted":
            yield from _flags(path)
        elif above.parent == folder and _CHUNKED.fullmatch(above.name):
            if path.name == "config.json":
                yield Job(path, partial(texts.document, place=f"{place}, {above.name}/config.json"))
            elif path.name == "status.dat":
                yield Job(path, vectors.status)
            elif (found := _CHUNK.fullmatch(path.name)) is not None:
                known = width if above.name == "vectors" else None
                yield Job(path, partial(vectors.chunk, number=int(found[1]), width=known))


def _graph(folder: Path, place: str) -> Iterator[Job]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        decode: _Decoder | None = {
            "graph.bin": vectors.entry_points,
            "links.bin": vectors.links,
            "links_compressed.bin": vectors.links,
            "links_comp_vec.bin": vectors.links,
            "inverted_index.dat": vectors.inverted_index,
            "indices_tracker.json": texts.dimensions,
            "version.info": texts.version,
        }.get(path.name)
        if path.name in ("hnsw_config.json", "sparse_index_config.json", "inverted_index_config.json"):
            decode = partial(texts.document, place=f"{place}, {path.name}")
        if decode is not None:
            yield Job(path, decode)
