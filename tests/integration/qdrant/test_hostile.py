"""Files that somebody made: whatever stands in them, they end in a refusal or are searched as they are."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as q

from envclone.errors import EnvcloneError
from envclone.stores.qdrant import points
from envclone.stores.qdrant.account import files as account
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.layout import STORAGE, collections
from envclone.stores.qdrant.residue import scrub
from envclone.stores.qdrant.store import QdrantStore
from tests.integration.qdrant.conftest import Pool
from tests.support.qdrant import TextMasks, build, change, files, payload_of, plan_of

SECONDS = 8
"""How long files are damaged, one after the other."""


def _payload(number: int) -> dict[str, Any]:
    return payload_of(number) | {
        "n": number,
        "id": f"00000000-0000-0000-0000-{number:012d}",
        "on": number % 2 == 0,
        "where": {"lon": number / 10, "lat": 5.0},
        "note": f"the quick brown fox number{number}",
    }


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sanitized store with indexes of many kinds, in two forms, and quantized vectors."""
    place = tmp_path_factory.mktemp("hostile")
    pool = Pool(place, QdrantStore())
    config = {"quantization_config": q.ScalarQuantizationConfig(type=q.ScalarType.Int8)}
    made = build(place / "prod" / "storage", points=120, payload=_payload, config=config)
    kinds = q.PayloadSchemaType
    edge = made.edge()
    for key, kind in {
        "n": kinds.Integer,
        "id": kinds.Uuid,
        "on": kinds.Bool,
        "where": kinds.Geo,
        "note": kinds.Text,
    }.items():
        edge.update(q.UpdateOperation.create_field_index(key, kind))
    edge.flush()
    edge.close()
    change(made, range(0, 60, 7), range(100, 110))
    raw, snapshot = pool.snapshot(made.root)
    return pool.sanitize(raw, snapshot, plan_of(), TextMasks())[0]


def _damage(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed, numbers made huge, an end cut off or added, a document with another value in it."""
    if data[:1] == b"{" and rng.random() < 0.8:
        return json.dumps(_other(json.loads(data), rng)).encode()
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(min(len(changed), rng.choice((16, 128, 4200, 2**20))))
        kind = rng.randrange(3)
        if kind == 0:
            changed[at] = rng.randrange(256)
        elif kind == 1:
            number = rng.choice((0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, rng.getrandbits(64)))
            changed[at : at + 8] = number.to_bytes(8, "little")
        else:
            changed[at : at + 4] = rng.getrandbits(32).to_bytes(4, "little")
    del changed[len(data) :]
    if rng.random() < 0.2:
        return bytes(changed[: rng.randrange(len(changed))])
    return bytes(changed) + rng.randbytes(rng.choice((0, 0, 0, 1, 40)))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2**15)


def _put(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)


def _other(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        return value | {key: _other(value[key], rng)}
    return rng.choice((None, -1, 0, 2**70, 1.5, "x" * 9, [], {}, [value], {"x": value}, True))


def _read(root: Path, damaged: Path | None = None) -> Counter[str]:
    """What reads a closed store's files, in this process: sizes per file as the account has them.

    Of the account only what reads a `damaged` file or one beside it.
    """
    seen: Counter[str] = Counter()
    for collection in collections(root / STORAGE):
        for _, segment in collection.segments():
            points.count(segment.path)
            points.deleted(segment.path)
            assert points.PointNames(segment.path).place(3)
            assert isinstance(segment.vectors, dict)
    for job in account.jobs(root, plan_of()):
        if damaged is not None and damaged.parent not in (job.path, job.path.parent):
            continue
        for piece in account.pieces(job, root):
            seen[piece.path] += sum(piece.classes.values())
    return seen


def test_damaged_files_end_in_a_refusal_or_in_the_search(clean: Path, tmp_path: Path) -> None:
    root = tmp_path / "clone"
    shutil.copytree(clean, root)
    small = [path for path in files(root) if path.stat().st_blocks and path.stat().st_size <= 2**21]
    pages = [path for path in files(root) if path.stat().st_blocks and path.stat().st_size > 2**21]
    rng = random.Random(20)
    refused = read = 0
    before = _read(root)
    assert set(before) == {path.relative_to(root).as_posix() for path in files(root)}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        path = rng.choice(small) if rng.random() < 0.8 else rng.choice(pages)
        data = path.read_bytes() if path in small else _head(path)
        if path in small:
            path.write_bytes(_damage(data, rng))
        else:
            _put(path, _damage(data, rng)[: len(data)])
        try:
            seen = _read(root, path)
            name = path.relative_to(root).as_posix()
            # a file that the account leaves out enters no image; of all others it has every byte
            assert seen.get(name, path.stat().st_size) == path.stat().st_size, name
            read += 1
        except EnvcloneError:
            refused += 1
        finally:
            path.write_bytes(data) if path in small else _put(path, data)
    assert read and refused
    assert _read(root) == before


def test_a_damaged_gridstore_is_refused_by_the_scrub_too(clean: Path, tmp_path: Path) -> None:
    rng = random.Random(3)
    end = time.monotonic() + SECONDS / 4
    number = 0
    while time.monotonic() < end:
        root = tmp_path / str(number)
        shutil.copytree(clean, root)
        store = next(path.parent for path in sorted(root.rglob("tracker.dat")) if path.parent.name == "payload_storage")
        name = rng.choice(("tracker.dat", "bitmask.dat", "gaps.dat", "config.json"))
        (store / name).write_bytes(_damage((store / name).read_bytes(), rng))
        try:
            with Gridstore(store) as opened:
                for _, values in opened.batches():
                    assert values
            scrub(root)
        except EnvcloneError:
            pass
        shutil.rmtree(root)
        number += 1
    assert number
