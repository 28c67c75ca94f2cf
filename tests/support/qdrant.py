"""Builds Qdrant storage directories as production leaves them: indexed, updated, deleted, with a log of raw upserts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as q

from envclone.models import FieldKind, FieldRule, JsonRule, StorePlan

Payload = dict[str, Any]
SECRET = "raw-"
"""What every personal value of these helpers contains, so that one search finds them all."""


@dataclass
class Production:
    """A storage directory with one collection, built with the engine itself."""

    root: Path
    collection: str = "articles"
    size: int = 16
    vectors: Any = None
    payloads: dict[int, Payload] = field(default_factory=dict)

    def shard(self, number: int = 0) -> Path:
        """A shard's directory."""
        return self.root / "collections" / self.collection / str(number)

    @property
    def segments(self) -> list[Path]:
        """The segments of all shards."""
        return sorted(self.root.glob(f"collections/{self.collection}/*/segments/*"))

    def edge(self, number: int = 0) -> q.EdgeShard:
        """Load a shard; the caller closes it."""
        return q.EdgeShard.load(str(self.shard(number)))


def payload_of(number: int, *, version: int = 0) -> Payload:
    """A payload with personal values at several depths, its size varying from tiny to kilobytes."""
    rng = random.Random(number * 7 + version)
    words = ["Grüße", "order", "日本語", "refund", "ticket", "émile", "🙂"]
    payload: Payload = {
        "author": {"email": f"{SECRET}{number:06d}v{version}@example.org", "name": f"{SECRET}Zoë-{number:06d}"},
        "price": number % 100,
        "tag": f"t{number % 7}",
    }
    if number % 3 == 0:
        payload["contacts"] = [{"phone": f"{SECRET}+49-{number:06d}-{i}"} for i in range(number % 5)]
    if number % 4 == 0:
        length = rng.choice([0, 1, 20, 200, 2000])
        payload["text"] = " ".join(rng.choice(words) + str(rng.randrange(10**6)) for _ in range(length))
    return payload


def build(
    root: Path,
    *,
    points: int = 400,
    size: int = 16,
    collection: str = "articles",
    shard: int = 0,
    payload: Callable[[int], Payload] = payload_of,
    config: Mapping[str, Any] | None = None,
    indexed: Sequence[str] = ("author.email", "tag"),
    ids: Iterable[int] | None = None,
    optimize: bool = True,
    seed: int = 0,
) -> Production:
    """A shard below `root`, HNSW-indexed when `optimize` is true; flushed and closed."""
    made = Production(root, collection, size)
    made.shard(shard).parent.mkdir(parents=True, exist_ok=True)
    numbers = list(ids if ids is not None else range(points))
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(32, size))
    made.vectors = (centres[rng.integers(0, 32, len(numbers))] + 0.35 * rng.normal(size=(len(numbers), size))).astype(
        "f4"
    )
    options: dict[str, Any] = {
        "vectors": q.EdgeVectorParams(size=size, distance=q.Distance.Cosine),
        "hnsw_config": q.HnswIndexConfig(m=8, ef_construct=32, full_scan_threshold=10),
        "optimizers": q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
    } | dict(config or {})
    edge = q.EdgeShard.create(str(made.shard(shard)), q.EdgeConfig(**options))
    rows = made.vectors.tolist()
    for key in indexed:
        edge.update(q.UpdateOperation.create_field_index(key, q.PayloadSchemaType.Keyword))
    for start in range(0, len(numbers), 500):
        batch = []
        for position in range(start, min(start + 500, len(numbers))):
            made.payloads[numbers[position]] = payload(numbers[position])
            batch.append(q.Point(numbers[position], rows[position], made.payloads[numbers[position]]))
        edge.update(q.UpdateOperation.upsert_points(batch))
    edge.flush()
    if optimize:
        edge.optimize()
        edge.flush()
    edge.close()
    return made


def change(production: Production, updated: Iterable[int], deleted: Iterable[int], *, number: int = 0) -> None:
    """Overwrite and delete points after the index was built, as a living production does; flushed and closed."""
    edge = production.edge(number)
    for point in updated:
        production.payloads[point] = payload_of(point, version=1)
        edge.update(q.UpdateOperation.overwrite_payload([point], production.payloads[point]))
    gone = list(deleted)
    edge.update(q.UpdateOperation.delete_points(gone))
    for point in gone:
        production.payloads.pop(point)
    edge.flush()
    edge.close()


class TextMasks:
    """Masks of the tests: each leaf at a masked path becomes `mask(value)`; satisfies `protocols.Masks`."""

    key_id = "test"

    def __init__(self, mask: Callable[[str], str] | None = None) -> None:
        self._mask = mask or same_length

    def field(self, rule: FieldRule) -> Callable[[Sequence[Any]], list[Any]]:
        paths = {entry.path for entry in rule.json if entry.domain != "keep"}

        def masked(values: Sequence[Any]) -> list[Any]:
            return [
                json.dumps(self._walk(json.loads(value), "$", paths), ensure_ascii=False, separators=(",", ":"))
                for value in values
            ]

        return masked

    def separable(self, rule: FieldRule) -> bool:
        return True

    def _walk(self, value: Any, path: str, paths: set[str]) -> Any:
        if isinstance(value, dict):
            return {key: self._walk(item, f"{path}.{key}", paths) for key, item in value.items()}
        if isinstance(value, list):
            return [self._walk(item, f"{path}[*]", paths) for item in value]
        return self._mask(value) if path in paths and isinstance(value, str) else value


def same_length(value: str) -> str:
    """A pseudonym of the same length in characters and bytes that is not the value."""
    return "".join(
        chr((ord(c) - 97 + 11) % 26 + 97)
        if "a" <= c <= "z"
        else chr((ord(c) - 48 + 7) % 10 + 48)
        if c.isdecimal()
        else c
        for c in value
    )


MASKED = ("$.author.email", "$.author.name", "$.contacts[*].phone", "$.text")


def plan_of(collection: str = "articles", masked: Sequence[str] = MASKED, vectors: Sequence[str] = ("",)) -> StorePlan:
    """A plan that masks these paths of a collection and keeps everything else."""
    rules = {
        collection: FieldRule(collection, FieldKind.JSON, "keep", tuple(JsonRule(path, "person") for path in masked))
    }
    for name in vectors:
        address = f"{collection}.vectors" + (f".{name}" if name else "")
        rules[address] = FieldRule(address, FieldKind.VECTOR, "keep")
    ids = f"{collection}.point_ids"
    rules[ids] = FieldRule(ids, FieldKind.VECTOR, "keep")
    return StorePlan("kb", rules)


def files(root: Path) -> Iterator[Path]:
    """Every ordinary file of a tree."""
    return (path for path in sorted(root.rglob("*")) if path.is_file())
