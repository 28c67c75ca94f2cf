"""Digests of a collection, from its files: every payload under the masks, every other byte as it is.

`total` is a sum over the payload records (shard, segment, point's offset, text), over the records of other Gridstores
(with their blocks) and over the files of ids, vectors, graphs and of payload indexes that hold no masked key, each with
its name. So it also says that every record is at its address and that vectors, graphs and ids are the same to the byte.
Left out: what no record of a Gridstore refers to, the numbers of operations, logs, and the indexes over masked keys,
which the engine builds again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envclone.address import joined
from envclone.masking.jsonpaths import PathRules
from envclone.models import FieldRule, RowsDigest
from envclone.protocols import FieldMask
from envclone.stores.qdrant import indexes, payloads
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.holes import CHUNK, filled
from envclone.stores.qdrant.layout import Collection, Segment, Shard

__all__ = [
    "Part",
    "PlacedMask",
    "Sums",
    "differences",
    "masked_keys",
    "of_collection",
    "parts",
    "read",
    "told",
    "total",
]

_MODULUS = 2**128
_OF_ENGINE = (
    "tracker_journal.dat",
    "version.info",
    "segment.json",
    "id_tracker.versions",
    "mutable_id_tracker.versions",
)
_OF_GRIDSTORE = re.compile(r"tracker\.dat|bitmask\.dat|gaps\.dat|page_\d+\.dat")
_RANGE = 20_000
"""Payloads that one process reads."""

Sums = dict[str, int]
"""Per field a sum of hashes; that of all is under ''."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a collection that can be read by itself.

    A range of a segment's payloads (in the order of their blocks), the records of another Gridstore, or a file.
    """

    shard: Shard
    segment: Segment
    name: str
    path: Path
    first: int = 0
    end: int = 0

    @property
    def where(self) -> str:
        """Which segment."""
        return f"{self.shard.path.name}/{self.segment.name}"

    @property
    def payloads(self) -> bool:
        """Whether it is a range of payloads."""
        return self.end > 0


PlacedMask = Callable[[Part, Sequence[int], Sequence[str]], list[str]]
"""A mask of payload texts that is told where they lie: the part, and the offsets of their points."""


def parts(collection: Collection, masked_keys: set[str]) -> Iterator[Part]:
    """Everything that must be as production has it; `masked_keys` are the indexes left out."""
    for shard, segment in collection.segments():
        with Gridstore(segment.payload_storage) as store:
            count = len(store.points())
        for first in range(0, count, _RANGE):
            yield Part(shard, segment, "payload_storage", segment.payload_storage, first, min(first + _RANGE, count))
        for name, path in _files(segment, masked_keys):
            yield Part(shard, segment, name, path)


def read(part: Part, address: str, rules: PathRules | None, mask: PlacedMask | None, key: bytes = b"") -> Sums:
    """The sums of one part of the collection at an address, or of what `mask` would make of its payloads.

    Only sums under one `key` (at most 64 bytes) can be compared; sums of hashes that nobody has a key of can be hit.
    """
    if part.payloads:
        return _payloads(part, address, rules, mask, key)
    content = _records(part.path) if part.path.is_dir() else _hash(part.path)
    value = payloads.digest128(f"{part.where}/{part.name}".encode(), content, key=key)
    return {"": value, _address(address, part.name): value}


def of_collection(
    collection: Collection,
    points: int,
    rule: FieldRule | None,
    mask: FieldMask | None,
    masked_keys: set[str],
    key: bytes = b"",
) -> RowsDigest:
    """The digest of what is stored, or of what `mask` would make of it; `masked_keys` are the indexes left out."""
    rules = PathRules(rule.json) if rule else None
    placed: PlacedMask | None = None if mask is None else lambda part, offsets, texts: list(mask(texts))
    sums = [read(part, collection.address, rules, placed, key) for part in parts(collection, masked_keys)]
    return total(points, collection.address, sums)


def total(points: int, address: str, sums: Iterable[Sums]) -> RowsDigest:
    """The digest of a collection whose parts have these sums."""
    fields: Sums = {"": 0, address: 0}
    for one in sums:
        for name, value in one.items():
            fields[name] = (fields.get(name, 0) + value) % _MODULUS
    return RowsDigest(points, fields.pop(""), fields)


def _payloads(part: Part, address: str, rules: PathRules | None, mask: PlacedMask | None, key: bytes) -> Sums:
    sums: Sums = {"": 0, address: 0}
    where = part.where.encode()
    with Gridstore(part.path) as store:
        for offsets, records in store.batches(points=store.points()[part.first : part.end]):
            texts = [payloads.text(record) for record in records]
            for point, text in zip(offsets, mask(part, offsets, texts) if mask else texts, strict=True):
                place = point.to_bytes(4, "little")
                value = payloads.digest128(where, place, text.encode("utf-8", "surrogatepass"), key=key)
                sums[""] += value
                sums[address] += value
                if rules is None:
                    continue
                for steps, leaf in payloads.leaves(payloads.parse(text)):
                    decided = rules.decide(steps)
                    if decided is not None and decided.domain != "keep":
                        field = f"{address}.{decided.public}"
                        value = payloads.digest128(where, place, payloads.canonical(leaf), key=key)
                        sums[field] = sums.get(field, 0) + value
    return sums


def _records(path: Path) -> bytes:
    """A hash over a Gridstore's values and where each lies."""
    state = hashlib.blake2b(digest_size=16)
    with Gridstore(path) as store:
        present = store.present()
        state.update(present.tobytes())
        state.update(store.slots[present].tobytes())
        for point in store.points().tolist():
            state.update(store.stored(point))
    return state.digest()


def differences(raw: Mapping[str, RowsDigest], clean: Mapping[str, RowsDigest]) -> list[str]:
    """What of production under the masks (`raw`) the clone's collections are not, in words."""
    problems = []
    for name in sorted(raw.keys() | clean.keys()):
        ours, theirs = raw.get(name), clean.get(name)
        if ours is None or theirs is None:
            problems.append(f"{name} is only in the {'sanitized' if ours is None else 'raw'} data")
        elif ours.rows != theirs.rows:
            problems.append(f"{name} has {theirs.rows} points, production has {ours.rows}")
        elif ours.total != theirs.total:
            fields = [field for field in ours.fields if ours.fields[field] != theirs.fields.get(field)]
            problems.append(told(fields or [f"a part of {name} that no rule masks"]))
    return problems


def told(fields: Sequence[str]) -> str:
    """That these are not production's under the masks, in words."""
    return f"{', '.join(fields)} is not what the masks make of production's values"


def _files(segment: Segment, masked_keys: set[str]) -> Iterator[tuple[str, Path]]:
    """The files whose bytes must not change, and the Gridstores whose records must not, with their names."""
    rebuilt = tuple(indexes.prefix(key) for key in masked_keys)
    stray = {str(entry) for entry in indexes.unexplained(segment)}
    grids = {*segment.gridstores()} - {segment.payload_storage}
    for path in segment.entries():
        steps = path.relative_to(segment.path).parts
        if steps[0] == "payload_storage" or (path not in grids and not path.is_file()) or path.name in _OF_ENGINE:
            continue
        if path.parent in grids and _OF_GRIDSTORE.fullmatch(path.name):
            continue
        if steps[0] == "payload_index":
            top = segment.payload_index / steps[1]
            if steps[1] == "config.json" or str(top) in stray or (rebuilt and steps[1].startswith(rebuilt)):
                continue
        yield "/".join(steps), path


def _address(collection: str, name: str) -> str:
    """The field that a file belongs to."""
    top = name.split("/", 1)[0]
    for kind in ("vector_storage", "vector_index"):
        if top.startswith(kind):
            vector = top.removeprefix(kind).removeprefix("-")
            address = joined(collection, "vectors")
            return joined(address, vector) if vector else address
    return f"{collection} ({top})"


def _hash(path: Path) -> bytes:
    """A hash over what a file holds; stretches of zeros are told by their length, so that holes are not read."""
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        state.update(size.to_bytes(8, "little"))
        for offset in filled(file.fileno(), size):
            chunk = os.pread(file.fileno(), min(CHUNK, size - offset), offset)
            if chunk.strip(b"\0"):
                state.update(offset.to_bytes(8, "little"))
                state.update(chunk)
    return state.digest()


def masked_keys(collection: Collection, rules: Mapping[str, FieldRule]) -> set[str]:
    """The indexed keys of a collection that may hold a masked value."""
    rule = rules.get(collection.address)
    present = indexes.keys(segment for _, segment in collection.segments())
    if rule is None or not rule.masked:
        return set()
    if rule.domain != "keep" and not rule.json:
        return present
    paths = [entry.path for entry in rule.json if entry.domain != "keep"]
    return {key for key in present if indexes.touches(key, paths)}
