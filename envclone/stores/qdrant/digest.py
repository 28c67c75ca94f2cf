"""Digests of a collection, from its files: every payload under the masks, every other byte as it is.

`total` is a sum over the payload records (shard, segment, point's offset, text) and over the files of ids, vectors,
graphs and of payload indexes that hold no masked key, each with its name. So it also says that every record is at its
address and that vectors, graphs and ids are the same to the byte. Left out: payload storages' own bytes, the numbers of
operations, logs, and the indexes over masked keys, which the engine builds anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from envclone.address import joined
from envclone.masking.jsontext import PathRules
from envclone.models import FieldRule, RowsDigest
from envclone.protocols import FieldMask
from envclone.stores.qdrant import indexes, payloads
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.layout import Collection, Segment

__all__ = ["differences", "masked_keys", "of_collection"]

_MODULUS = 2**128
_CHUNK = 1 << 20
_OF_ENGINE = (
    "tracker_journal.dat",
    "version.info",
    "segment.json",
    "id_tracker.versions",
    "mutable_id_tracker.versions",
)


def of_collection(
    collection: Collection,
    points: int,
    rule: FieldRule | None,
    mask: FieldMask | None,
    masked_keys: set[str],
    key: bytes = b"",
) -> RowsDigest:
    """The digest of what is stored, or of what `mask` would make of it; `masked_keys` are the indexes left out.

    Only digests under one `key` (at most 64 bytes) can be compared; sums of hashes that nobody has a key of can be hit.
    """
    rules = PathRules(rule.json) if rule else None
    sums: dict[str, int] = {}
    payload_field = collection.address
    sums[payload_field] = 0
    total = 0
    for shard, segment in collection.segments():
        where = f"{shard.path.name}/{segment.name}"
        for point, text in _texts(segment, mask):
            value = payloads.digest128(
                where.encode(), point.to_bytes(4, "little"), text.encode("utf-8", "surrogatepass"), key=key
            )
            total += value
            sums[payload_field] += value
            if rules is not None:
                for steps, leaf in payloads.leaves(payloads.parse(text)):
                    decided = rules.decide(steps)
                    if decided is not None and decided.domain != "keep":
                        field = f"{collection.address}.{decided.public}"
                        sums[field] = sums.get(field, 0) + payloads.digest128(
                            where.encode(), point.to_bytes(4, "little"), payloads.canonical(leaf), key=key
                        )
        for name, file in _files(segment, masked_keys):
            value = payloads.digest128(f"{where}/{name}".encode(), _hash(file), key=key)
            total += value
            address = _address(collection.address, name)
            sums[address] = sums.get(address, 0) + value
    return RowsDigest(points, total % _MODULUS, {name: value % _MODULUS for name, value in sums.items()})


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
            where = ", ".join(fields) if fields else f"a part of {name} that no rule masks"
            problems.append(f"{where} is not what the masks make of production's values")
    return problems


def _texts(segment: Segment, mask: FieldMask | None) -> Iterator[tuple[int, str]]:
    with Gridstore(segment.payload_storage) as store:
        for batch, records in store.batches():
            texts = [payloads.text(record) for record in records]
            yield from zip(batch, mask(texts) if mask else texts, strict=True)


def _files(segment: Segment, masked_keys: set[str]) -> Iterator[tuple[str, Path]]:
    """The files whose bytes must not change, with their names in the segment."""
    rebuilt = tuple(indexes.prefix(key) for key in masked_keys)
    stray = {str(entry) for entry in indexes.unexplained(segment)}
    for path in sorted(segment.path.rglob("*")):
        parts = path.relative_to(segment.path).parts
        if not path.is_file() or path.name in _OF_ENGINE or parts[0] == "payload_storage":
            continue
        if parts[0] == "payload_index":
            top = segment.payload_index / parts[1]
            if parts[1] == "config.json" or str(top) in stray or (rebuilt and parts[1].startswith(rebuilt)):
                continue
        yield "/".join(parts), path


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
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
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
