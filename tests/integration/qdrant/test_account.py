"""The account of a sanitized store: every byte has a class, whatever the collection is made of; what is planted is found."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lz4.block
import numpy as np
import pytest
import qdrant_edge as q

from envclone.errors import UnsafeError
from envclone.models import Accounted, ByteClass, Flaw, StoreSnapshot
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.verifier.account import Account
from envclone.verifier.fields import FieldFindings
from envclone.verifier.originals import Originals
from tests.integration.qdrant.conftest import Pool
from tests.support.qdrant import SECRET, Production, TextMasks, build, change, files, payload_of, plan_of

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


def accounted(pool: Pool, clean: Path, snapshot: StoreSnapshot) -> tuple[dict[ByteClass, int], set[str], list[Flaw]]:
    """The classes of all files, whose sums must be their sizes; the texts that are to be searched; flaws."""
    ledger = Recorder()
    pool.store.account(clean, snapshot, plan_of(), {}, ledger)
    sums: Counter[str] = Counter()
    classes: Counter[ByteClass] = Counter()
    texts: set[str] = set()
    for piece in ledger.pieces:
        sums[piece.path] += sum(piece.classes.values())
        classes.update(piece.classes)
        assert sum(length for _, length in piece.undecoded) == piece.classes.get(ByteClass.UNDECODED, 0)
        for values in piece.values:
            texts.update(text.decode() if isinstance(text, bytes) else text for text in values.texts)
    sizes = {path.relative_to(clean).as_posix(): path.stat().st_size for path in files(clean)}
    assert sums == sizes
    return dict(classes), texts, [flaw for piece in ledger.pieces for flaw in piece.flaws]


def sanitized(pool: Pool, root: Path, **plan: Any) -> tuple[Path, StoreSnapshot]:
    raw, snapshot = pool.snapshot(root)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(**plan), TextMasks())
    return clean, snapshot


def nearly_all_decoded(classes: Mapping[ByteClass, int]) -> None:
    """Of what is not zero less than 1 % is not decoded."""
    filled = sum(classes.values()) - classes.get(ByteClass.ZERO, 0)
    assert classes.get(ByteClass.UNDECODED, 0) < 0.01 * filled
    assert classes[ByteClass.STRUCTURE] and classes[ByteClass.MASKED] and classes[ByteClass.KEPT]


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


@pytest.mark.parametrize("kind", VECTORS)
@pytest.mark.parametrize("optimize", [True, False], ids=["indexed", "appendable"])
def test_every_byte_has_a_class(pool: Pool, tmp_path: Path, kind: str, optimize: bool) -> None:
    made = build(tmp_path / "prod" / "storage", points=300, config=SMALL | VECTORS[kind], optimize=optimize)
    change(made, range(0, 60, 7), range(100, 110))
    classes, texts, flaws = accounted(pool, *sanitized(pool, made.root))
    nearly_all_decoded(classes)
    assert flaws == []
    assert not [text for text in texts if SECRET in text]
    assert "t3" in texts
    assert {"1", "299"} <= texts
