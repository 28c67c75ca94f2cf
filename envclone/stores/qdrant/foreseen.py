"""What a stopped server's files tell of the fields of its collections, before anything is copied.

The source is hostile: every file is judged by `Intake` and read by descriptor, and nothing of it is mapped.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import lz4.block
import numpy as np

from envclone.address import joined
from envclone.errors import EnvcloneError
from envclone.masking.jsonscan import render
from envclone.masking.shown import KeyCounter
from envclone.models import Field, FieldKind, Held, Inventory
from envclone.stores.intake import Found, Intake
from envclone.stores.qdrant import payloads
from envclone.stores.qdrant.gridstore import SLOT, Config, entries
from envclone.stores.qdrant.layout import Collection

if TYPE_CHECKING:
    from envclone.config.schema import StoreConfig

__all__ = ["DOCUMENTS", "fields_of", "foreseen"]

DOCUMENTS = 200
"""Payloads of each segment that are looked at."""
_FEWEST = 2
"""Payloads that have a path before it is told: one alone can be gone when the engine has finished its log."""
_SLOTS = 65536
_LONGEST = 2**20


def fields_of(
    name: str, ways: Iterable[payloads.Steps], counter: KeyCounter, vectors: Mapping[str, str]
) -> list[Field]:
    """One JSON field for a collection's payloads, one for the ids of its points, and one per vector."""
    paths = tuple(sorted(render(steps) for steps in ways))
    ids = joined(name, "point_ids")
    found = [
        Field(name, "payload", FieldKind.JSON, paths=paths, common=counter.common()),
        Field(ids, "point ids", FieldKind.VECTOR, holds=(Held("", "ids"),)),
    ]
    for vector, kind in vectors.items():
        address = joined(name, "vectors")
        found.append(Field(joined(address, vector) if vector else address, kind, FieldKind.VECTOR))
    return found


def foreseen(name: str, config: StoreConfig) -> Inventory | None:
    """The fields of a storage directory, with the paths of some payloads; None when it cannot be copied either."""
    from envclone.stores.qdrant.snapshot import judged, sources

    try:
        fields: dict[str, Field] = {}
        for collection in sources(config)[1]:
            with judged(collection) as found:
                fields.update({one.address: one for one in _fields(collection, found)})
    except (EnvcloneError, OSError):
        return None  # what is wrong with the source is another question
    return Inventory(name, fields, {})


def _fields(collection: Collection, found: Intake) -> list[Field]:
    files = {file.path: file for file in found.files}
    vectors: dict[str, str] = {}
    seen: Counter[payloads.Steps] = Counter()
    counter = KeyCounter()
    for shard, segment in collection.segments():
        vectors |= segment.vectors
        folder = f"{shard.path.name}/segments/{segment.name}/payload_storage/"
        with contextlib.suppress(
            EnvcloneError, OSError, ValueError, RecursionError
        ):  # what is damaged is told when it is copied
            its = {path.removeprefix(folder): file for path, file in files.items() if path.startswith(folder)}
            for record in _records(found, its):
                ways = {steps for steps, _ in payloads.leaves(payloads.parse(payloads.text(record)))}
                seen.update(ways)
                counter.add(ways)
    return fields_of(collection.address, [ways for ways, count in seen.items() if count >= _FEWEST], counter, vectors)


def _records(found: Intake, files: Mapping[str, Found]) -> Iterator[bytes]:
    """Some values of a Gridstore; none where the journal of its tracker is longer than what is looked at."""
    journal = files.get("tracker_journal.dat")
    if not {"config.json", "tracker.dat"} <= files.keys() or (journal is not None and journal.size > 16 * _LONGEST):
        return
    sizes = json.loads(_read(found, files["config.json"], 0, _LONGEST))
    config = Config.of(sizes if isinstance(sizes, dict) else {}, found.root)
    data = _read(found, files["tracker.dat"], 0, 4 + _SLOTS * SLOT.itemsize)
    count = min(int.from_bytes(data[:4], "little"), (len(data) - 4) // SLOT.itemsize)
    slots = np.frombuffer(data, SLOT, max(0, count), offset=4).copy()
    for records in entries(_read(found, journal, 0, journal.size)) if journal is not None else ():
        its_own = records[records["point"] < len(slots)]
        slots[its_own["point"]] = its_own["slot"]  # of two of one point the later one
    slots = slots[(slots["present"] == 1) & (slots["length"] <= _LONGEST)][:DOCUMENTS]
    for slot in np.sort(slots, order=("page", "block")).tolist():
        stored = _stored(found, files, config, *slot[1:])
        if stored is None:
            continue
        with contextlib.suppress(lz4.block.LZ4BlockError, ValueError):
            yield _decompressed(stored) if config.compressed else stored


def _stored(
    found: Intake, files: Mapping[str, Found], config: Config, page: int, block: int, length: int
) -> bytes | None:
    """A value's bytes; one that goes on in the next page is left out."""
    file = files.get(f"page_{page}.dat")
    start = block * config.block
    if file is None or start + length > min(config.page, file.size):
        return None
    return _read(found, file, start, length)


def _decompressed(stored: bytes) -> bytes:
    if int.from_bytes(stored[:4], "little") > 64 * _LONGEST:
        raise ValueError("longer than what is looked at")
    value: bytes = lz4.block.decompress(stored)
    return value


def _read(found: Intake, file: Found, start: int, most: int) -> bytes:
    with found.opened(file) as descriptor:
        return os.pread(descriptor, most, start)
