"""The account of a sanitized store: every byte has a class, whatever a collection is made of; a plant is found."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lz4.block
import numpy as np
import pytest
import qdrant_edge as q

from envclone.errors import UnsafeError
from envclone.models import Accounted, ByteClass, Flaw, StoreSnapshot
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.store import QdrantStore
from envclone.verifier.account import Account
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from tests.integration.qdrant.conftest import Pool
from tests.support.qdrant import SECRET, TextMasks, build, change, files, payload_of, plan_of

SMALL = {
    "hnsw_config": q.HnswIndexConfig(m=8, ef_construct=32, full_scan_threshold=10),
    "optimizers": q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
}
PLANTED = "raw-wolfhard.quenzelmann@example.org"


class Recorder:
    """A ledger that keeps what it is told."""

    def __init__(self) -> None:
        self.pieces: list[Accounted] = []

    def enter(self, piece: Accounted) -> None:
        self.pieces.append(piece)

    def found(self) -> list[Accounted]:
        found, self.pieces = self.pieces, []
        return found

    def take(self, found: list[Accounted]) -> None:
        self.pieces += found


@dataclass(frozen=True)
class Told:
    """The classes of all files, the texts that are to be searched, flaws, and bytes not decoded per file name."""

    classes: Mapping[ByteClass, int]
    texts: set[str]
    flaws: list[Flaw]
    left: Mapping[str, int]


def accounted(pool: Pool, clean: Path, snapshot: StoreSnapshot) -> Told:
    """What the account tells of a store; every byte of every file has one class."""
    ledger = Recorder()
    pool.store.account(clean, snapshot, plan_of(), {}, ledger)
    sums: Counter[str] = Counter()
    classes: Counter[ByteClass] = Counter()
    texts: set[str] = set()
    left: Counter[str] = Counter()
    for piece in ledger.pieces:
        sums[piece.path] += sum(piece.classes.values())
        classes.update(piece.classes)
        left[piece.path.rpartition("/segments/")[2][37:]] += piece.classes.get(ByteClass.UNDECODED, 0)
        assert sum(length for _, length in piece.undecoded) == piece.classes.get(ByteClass.UNDECODED, 0)
        for values in piece.values:
            texts.update(text.decode() if isinstance(text, bytes) else text for text in values.texts)
    sizes = {path.relative_to(clean).as_posix(): path.stat().st_size for path in files(clean)}
    assert sums == sizes
    flaws = [flaw for piece in ledger.pieces for flaw in piece.flaws]
    return Told(classes, texts, flaws, +left)


def sanitized(pool: Pool, root: Path, **plan: Any) -> tuple[Path, StoreSnapshot]:
    raw, snapshot = pool.snapshot(root)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(**plan), TextMasks())
    return clean, snapshot


def decoded(told: Told) -> set[str]:
    """That everything but zeros is decoded, and that there are no flaws; returns the texts."""
    assert told.flaws == []
    assert told.left == {}
    assert all(told.classes[kind] for kind in (ByteClass.STRUCTURE, ByteClass.MASKED, ByteClass.KEPT))
    assert not [text for text in told.texts if SECRET in text]
    return told.texts


VECTORS: dict[str, dict[str, Any]] = {
    "hnsw": {},
    "vectors on disk": {"vectors": q.EdgeVectorParams(size=16, distance=q.Distance.Cosine, on_disk=True)},
    "half floats": {
        "vectors": q.EdgeVectorParams(size=16, distance=q.Distance.Cosine, datatype=q.VectorStorageDatatype.Float16)
    },
    "scalar": {"quantization_config": q.ScalarQuantizationConfig(type=q.ScalarType.Int8, quantile=0.9)},
    "product": {"quantization_config": q.ProductQuantizationConfig(q.CompressionRatio.X4)},
    "binary": {"quantization_config": q.BinaryQuantizationConfig()},
    "turbo": {"quantization_config": q.TurboQuantQuantizationConfig()},
    "vectors in the graph": {
        "quantization_config": q.BinaryQuantizationConfig(),
        "hnsw_config": q.HnswIndexConfig(m=8, ef_construct=32, full_scan_threshold=10, inline_storage=True),
    },
    "stored as turbo": {
        "vectors": q.EdgeVectorParams(size=16, distance=q.Distance.Cosine, datatype=q.VectorStorageDatatype.Turbo4)
    },
    "ids on disk": {"id_tracker_memory": q.Memory.Cold},
    "no log": {"wal_enabled": False},
}


@pytest.mark.parametrize(
    ("kind", "optimize"), [*((kind, True) for kind in VECTORS), ("hnsw", False), ("binary", False)]
)
def test_every_byte_has_a_class(pool: Pool, tmp_path: Path, kind: str, optimize: bool) -> None:
    made = build(tmp_path / "prod" / "storage", points=300, config=SMALL | VECTORS[kind], optimize=optimize)
    change(made, range(0, 60, 7), range(100, 110))
    texts = decoded(accounted(pool, *sanitized(pool, made.root)))
    assert "t3" in texts
    assert {"1", "299"} <= texts


def _everything(number: int) -> dict[str, Any]:
    return payload_of(number) | {
        "word": f"w{number % 9}",
        "words": [f"a{number % 5}", f"b{number % 3}"],
        "n": number * 1000,
        "x": number / 4,
        "when": f"2026-01-{number % 28 + 1:02d}T10:00:00Z",
        "id": str(uuid.UUID(int=number + 2**100)),
        "on": number % 2 == 0,
        "where": {"lon": number / 10, "lat": 5.0},
        "note": f"the quick brown fox number{number} jumps",
    }


INDEXES: dict[str, Callable[[], Any]] = {
    "word": lambda: q.PayloadSchemaType.Keyword,
    "words": lambda: q.PayloadSchemaType.Keyword,
    "n": lambda: q.PayloadSchemaType.Integer,
    "x": lambda: q.PayloadSchemaType.Float,
    "when": lambda: q.PayloadSchemaType.Datetime,
    "id": lambda: q.PayloadSchemaType.Uuid,
    "on": lambda: q.PayloadSchemaType.Bool,
    "where": lambda: q.PayloadSchemaType.Geo,
    "note": lambda: q.PayloadSchemaType.Text,
}
ON_DISK: dict[str, Callable[[], Any]] = {
    "word": lambda: q.KeywordIndexParams(on_disk=True, prefix=True),
    "words": lambda: q.KeywordIndexParams(on_disk=True, is_tenant=True),
    "n": lambda: q.IntegerIndexParams(on_disk=True, lookup=True, range=True),
    "x": lambda: q.FloatIndexParams(on_disk=True),
    "when": lambda: q.DatetimeIndexParams(on_disk=True),
    "id": lambda: q.UuidIndexParams(on_disk=True),
    "on": lambda: q.BoolIndexParams(on_disk=True),
    "where": lambda: q.GeoIndexParams(on_disk=True),
    "note": lambda: q.TextIndexParams(on_disk=True, phrase_matching=True),
}


@pytest.mark.parametrize("kinds", [INDEXES, ON_DISK], ids=["in memory", "on disk"])
@pytest.mark.parametrize("optimize", [True, False], ids=["immutable", "mutable"])
def test_indexes_are_read_to_their_values(
    pool: Pool, tmp_path: Path, kinds: Mapping[str, Callable[[], Any]], optimize: bool
) -> None:
    made = build(tmp_path / "prod" / "storage", points=300, payload=_everything, config=SMALL, optimize=optimize)
    edge = made.edge()
    for key, schema in kinds.items():
        edge.update(q.UpdateOperation.create_field_index(key, schema()))
    edge.update(q.UpdateOperation.set_payload([5, 6], {"word": "later", "n": 424242, "note": "much later"}))
    edge.update(q.UpdateOperation.delete_points([7]))
    edge.flush()
    edge.close()
    texts = decoded(accounted(pool, *sanitized(pool, made.root)))
    expected = {"w3", "a4", "b2", "299000", "later", "424242", str(uuid.UUID(int=2**100 + 299))}
    assert expected | {"fox", "number299", "jumps"} <= texts
    assert any(text.startswith("2026-01-28T10:00:00") for text in texts)


def test_named_sparse_and_multiple_vectors_and_uuids(pool: Pool, tmp_path: Path) -> None:
    root = tmp_path / "prod" / "storage"
    shard = root / "collections/articles/0"
    shard.parent.mkdir(parents=True)
    config = q.EdgeConfig(
        vectors={
            "title": q.EdgeVectorParams(size=8, distance=q.Distance.Euclid),
            "words": q.EdgeVectorParams(
                size=4,
                distance=q.Distance.Dot,
                multivector_config=q.MultiVectorConfig(q.MultiVectorComparator.MaxSim),
                quantization_config=q.ScalarQuantizationConfig(type=q.ScalarType.Int8),
            ),
        },
        sparse_vectors={
            "terms": q.EdgeSparseVectorParams(),
            "small": q.EdgeSparseVectorParams(on_disk=True, datatype=q.VectorStorageDatatype.Uint8),
        },
        **SMALL,
    )
    edge = q.EdgeShard.create(str(shard), config)
    rng = np.random.default_rng(0)
    for n in range(0, 400, 100):
        points = []
        for number in range(n, n + 100):
            vectors: dict[str, Any] = {
                "title": rng.normal(size=8).tolist(),
                "words": rng.normal(size=(number % 3 + 1, 4)).tolist(),
                "terms": q.SparseVector([number % 50, 50 + number % 7], [1.0, 0.5]),
                "small": q.SparseVector([number % 5, 900 + number % 3], [3.0, 2.0]),
            }
            ident = uuid.UUID(int=number + 1) if number % 2 else number
            points.append(q.Point(ident, vectors, payload_of(number)))
        edge.update(q.UpdateOperation.upsert_points(points))
    edge.flush()
    edge.optimize()
    edge.update(q.UpdateOperation.set_payload([0, 2], {"tag": "x"}))
    edge.flush()
    edge.close()
    clean, snapshot = sanitized(pool, root, vectors=("title", "words", "terms", "small"))
    texts = decoded(accounted(pool, clean, snapshot))
    assert {"398", str(uuid.UUID(int=400))} <= texts


@pytest.fixture(scope="module")
def spotless(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pool, Path, StoreSnapshot]:
    """A sanitized store of updated and deleted points, in which nothing is found; only cloned."""
    pool = Pool(tmp_path_factory.mktemp("planted"), QdrantStore())
    made = build(pool.path / "prod" / "storage", points=200, config=SMALL)
    change(made, range(0, 60, 7), range(100, 110))
    clean, snapshot = sanitized(pool, made.root)
    assert _found(pool, clean, snapshot) == ""
    return pool, clean, snapshot


def _into_free_block(segment: Path) -> None:
    with Gridstore(segment / "payload_storage", writable=True) as store:
        # as it is compressed no text stands in one piece: it refers to its two halves before it
        halves = f'{PLANTED[:20]}|{PLANTED[20:]}|"{PLANTED}"'.encode()
        data = lz4.block.compress(halves + bytes(64))
        assert PLANTED.encode() not in data
        free = (~(store.used | store.live_blocks())).nonzero()[0]
        start = int(free[len(free) // 2]) * store.config.block
        page = store.page_bytes(start // store.config.page)
        page[start % store.config.page :][: len(data)] = list(data)
        del page


def _into_padding(segment: Path) -> None:
    with Gridstore(segment / "payload_storage", writable=True) as store:
        config = store.config
        for point in store.points().tolist():
            slot = store.slots[point]
            end = int(slot["block"]) * config.block + int(slot["length"])
            if -end % config.block >= len(PLANTED):
                page = store.page_bytes(int(slot["page"]))
                page[end : end + len(PLANTED)] = list(PLANTED.encode())
                del page
                return
    pytest.fail("no value ends so far before its block")


def _into_index(segment: Path) -> None:
    path = next(path for path in segment.glob("payload_index/*-tag-map/*") if path.name == "values_to_points.bin")
    size = path.stat().st_size
    with path.open("ab") as file:  # an entry more, and a bucket that leads to it
        file.write(PLANTED.encode() + b"\xff")
    assert path.stat().st_size > size


def _into_an_entry_of_an_index(segment: Path) -> None:
    path = next(path for path in segment.glob("payload_index/*-tag-map/*") if path.name == "point_to_values.bin")
    data = path.read_bytes()
    points = int.from_bytes(data[8:16], "little")
    with path.open("r+b") as file:
        count = int.from_bytes(data[4096 + 16 * (points - 1) + 8 :][:8], "little")
        file.seek(4096 + 16 * (points - 1) + 8)
        file.write((count + 1).to_bytes(8, "little"))
        file.seek(0, 2)
        file.write(len(PLANTED).to_bytes(4, "little") + PLANTED.encode())


def _into_matrix(segment: Path) -> None:
    with (segment / "vector_storage" / "matrix.dat").open("ab") as file:
        file.write(PLANTED.encode())


def _into_log(segment: Path) -> None:
    path = next((segment.parent.parent / "wal").glob("closed-*"))
    with path.open("r+b") as file:
        file.seek(512)
        file.write(PLANTED.encode())


def _into_stray_file(segment: Path) -> None:
    (segment / "notes.txt").write_text(PLANTED)


def _into_config(segment: Path) -> None:
    path = segment / "segment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"owner": PLANTED}))


def _into_tracker(segment: Path) -> None:
    with (segment / "payload_storage" / "tracker.dat").open("r+b") as file:
        file.seek(-len(PLANTED), 2)
        file.write(PLANTED.encode())


def _into_bitmask(segment: Path) -> None:
    with (segment / "payload_storage" / "bitmask.dat").open("r+b") as file:
        file.seek(-len(PLANTED), 2)
        file.write(PLANTED.encode())


PLANTS = [
    _into_free_block, _into_padding, _into_index, _into_an_entry_of_an_index, _into_matrix, _into_log, _into_stray_file,
    _into_config, _into_tracker, _into_bitmask,
]  # fmt: skip


def _found(pool: Pool, clean: Path, snapshot: StoreSnapshot) -> str:
    """What a search under the account says of a store."""
    originals = Originals()
    originals.add("kb.articles", "email", [PLANTED])
    originals.seal()
    search = LooseSearch(originals)
    findings = FieldFindings(originals=originals, search=search)
    assert list(search.find([f"an address: {PLANTED}"]))  # loads what is compiled, before there are copies
    ledger = Account("kb", clean, findings)
    pool.store.account(clean, snapshot, plan_of(), {}, ledger)
    ledger.settle()
    try:
        findings.leaks.refuse()
    except UnsafeError as exc:
        return "\n".join(exc.problems)
    return ""


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__.removeprefix("_into_"))
def test_what_is_planted_is_found(spotless: tuple[Pool, Path, StoreSnapshot], plant: Callable[[Path], None]) -> None:
    pool, clean, snapshot = spotless
    clean = pool.clone(clean, plant.__name__)
    plant(next(path.parent.parent for path in sorted(clean.rglob("matrix.dat"))))
    said = _found(pool, clean, snapshot)
    assert "a value of the kind email" in said or "no class claims" in said
    assert PLANTED not in said
