"""Every place of a Qdrant production where somebody's identity can stand, and what it keeps of what is gone."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as q

from tests.support.identities import Someone, someone
from tests.support.places import FORMS
from tests.support.removed import Left

__all__ = ["FIRST", "POINT_PLACES", "PointPlace", "build_gone", "build_people", "build_place"]

FIRST = 2600
"""The number of the first person here."""
_SIZE = 4


@dataclass(frozen=True)
class PointPlace:
    """Where a value stands: in a payload, in an id, or in a name, in which `{v}` is the value."""

    what: str
    kind: str
    payload: Callable[[Any], dict[str, Any]] | None = None
    indexed: Callable[[str], tuple[str, Any]] | None = None
    ids: Callable[[str], int | uuid.UUID] | None = None
    name: str = "c{n}"
    options: Callable[[str], dict[str, Any]] | None = None


def _sparse(name: str) -> dict[str, Any]:
    return {"sparse_vectors": {name: q.EdgeSparseVectorParams()}}


def _named(name: str) -> dict[str, Any]:
    return {"vectors": {name: q.EdgeVectorParams(size=_SIZE, distance=q.Distance.Cosine)}}


_T = q.PayloadSchemaType
POINT_PLACES: Sequence[PointPlace] = (
    PointPlace("nested arrays", "email", lambda v: {"a": [[["x", [v]]]]}),
    PointPlace("a key", "email", lambda v: {"by": {v: 1}}),
    PointPlace("a key in arrays", "person", lambda v: {"a": [{"b": [{v: None}]}]}),
    PointPlace("a number", "card", lambda v: {"n": [int(v)]}),
    PointPlace("a text of numbers", "national_id", lambda v: {"n": ["".join(c for c in v if c.isdigit())]}),
    PointPlace("bytes in numbers", "person", lambda v: {"raw": {"type": "Buffer", "data": list(v.encode())}}),
    PointPlace("letters apart", "email", lambda v: {"a": list(v)}),
    PointPlace("json in a text", "person", lambda v: {"log": json.dumps({"to": [v]})}),
    PointPlace("base64 of zstd", "email", lambda v: {"z": _b64(FORMS["zstd"](v))}),
    PointPlace("full-text index", "person", lambda v: {"t": f"call {v} now"}, lambda v: ("t", _T.Text)),
    PointPlace("keyword index", "email", lambda v: {"t": v}, lambda v: ("t", _T.Keyword)),
    PointPlace("keyword index in arrays", "phone", lambda v: {"t": [{"u": [v]}]}, lambda v: ("t[].u", _T.Keyword)),
    PointPlace("integer index", "card", lambda v: {"t": int(v)}, lambda v: ("t", _T.Integer)),
    PointPlace("float index", "card", lambda v: {"t": float(v)}, lambda v: ("t", _T.Float)),
    PointPlace("uuid index", "uuid", lambda v: {"t": v}, lambda v: ("t", _T.Uuid)),
    PointPlace("key of an index", "username", lambda v: {v: "x"}, lambda v: (v, _T.Keyword)),
    PointPlace("key of an index that nothing has", "email", None, lambda v: (f'"{v}"', _T.Keyword)),
    PointPlace("id", "uuid", ids=lambda v: uuid.UUID(v)),
    PointPlace("id in digits", "card", ids=int),
    PointPlace("name of a collection", "username", name="{v}"),
    PointPlace("name of a vector", "username", options=_named),
    PointPlace("name of a sparse vector", "username", options=_sparse),
)


def _b64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def _shard(root: Path, collection: str, options: dict[str, Any]) -> q.EdgeShard:
    path = root / "collections" / collection / "0"
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {
        "vectors": q.EdgeVectorParams(size=_SIZE, distance=q.Distance.Cosine),
        "optimizers": q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
    } | options
    return q.EdgeShard.create(str(path), q.EdgeConfig(**settings))


def build_people(root: Path, numbers: Sequence[int]) -> None:
    """A collection of people, every field of which is to be masked."""
    edge = _shard(root, "people", {})
    edge.update(q.UpdateOperation.upsert_points([q.Point(n, _vector(n), _payload(someone(n))) for n in numbers]))
    edge.flush()
    edge.close()


def _payload(one: Someone) -> dict[str, Any]:
    return {
        "name": one.name, "email": one.email, "phone": one.phone, "ssn": one.ssn, "card": one.card,
        "login": one.login, "device": one.device,
    }  # fmt: skip


def _vector(number: int) -> list[float]:
    drawn: list[float] = np.random.default_rng(number).normal(size=_SIZE).tolist()
    return drawn


def build_place(root: Path, place: PointPlace, number: int) -> tuple[str, str]:
    """A kept collection in which somebody stands; returns its name and the value."""
    value = someone(number).value(place.kind)
    name = place.name.format(n=number, v=value)
    options = place.options(value) if place.options is not None else {}
    edge = _shard(root, name, options)
    if place.indexed is not None:
        key, schema = place.indexed(value)
        edge.update(q.UpdateOperation.create_field_index(key, schema))
    made = place.payload(value) if place.payload is not None else {"x": 1}
    points = []
    for i in range(3):
        ident = place.ids(value) if i == 1 and place.ids is not None else 10 + i
        vectors: Any = _vector(i)
        if place.options is _named:
            vectors = {value: vectors}
        elif place.options is _sparse:
            vectors = {"": vectors, value: q.SparseVector([3, 7], [0.5, 0.25])}
        points.append(q.Point(ident, vectors, made if i == 1 else {"x": i}))
    edge.update(q.UpdateOperation.upsert_points(points))
    edge.flush()
    edge.optimize()
    edge.flush()
    edge.close()
    return name, value


_GONE_FILES = (
    "snapshots/calm/calm-1.snapshot", "collections/calm/snapshots/1.snapshot", "raft_state.json",
    "collections/calm/0/temp/a.dat", "collections/calm/0/segments/1f0e/payload.dat", "a.lock",
    "collections/.deleted/calm/config.json", "collections/calm/newer.json", "temp/a.part", "aliases/old.json",
)  # fmt: skip


def build_gone(root: Path, first: int) -> Iterator[Left]:
    """A kept collection in which nobody stands any more: what was deleted, overwritten, or lies beside."""
    edge = _shard(root, "calm", {})
    edge.update(q.UpdateOperation.create_field_index("who", _T.Keyword))
    people = [someone(first + i) for i in range(4)]
    points = [q.Point(i, _vector(i), {"who": one.email, "note": [one.name]}) for i, one in enumerate(people)]
    edge.update(q.UpdateOperation.upsert_points([*points, q.Point(9, _vector(9), {"who": "x"})]))
    edge.flush()
    edge.optimize()
    edge.flush()
    edge.update(q.UpdateOperation.delete_points([0]))
    edge.update(q.UpdateOperation.overwrite_payload([1], {"who": "x"}))
    edge.update(q.UpdateOperation.delete_payload([2], ["who", "note"]))
    edge.update(q.UpdateOperation.set_payload([3], {"who": "y", "note": []}))
    edge.flush()
    edge.close()
    ways = ("deleted point", "overwritten payload", "deleted payload", "changed payload")
    for number, (way, one) in enumerate(zip(ways, people, strict=True), first):
        yield Left(way, number, (one.email, one.name))
    for number, name in enumerate(_GONE_FILES, first + len(people)):
        one = someone(number)
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{"note": "{one.email} {one.name}"}}')
        yield Left(f"file {name}", number, (one.email, one.name))
