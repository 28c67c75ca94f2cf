# ruff: noqa: E501 - requests stand as their developers wrote them
"""A gallery's works in a collection: how its developers search and filter them, and what is left out by it.

Ids that are UUIDs, filters of every clause, stages, examples, groups. Each case names the causes that are right for it;
a healthy one none.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import qdrant_edge as q

from envclone.incidents.bundle import VectorStep
from envclone.stores.qdrant.search import embedded as opened
from tests.benchmarks.failures.desk import Case
from tests.benchmarks.failures.press import DOES, WHAT, WHO, WHY, embedded

TAKEN = 5
Body = dict[str, Any]


@dataclass
class Gallery:
    """The collection, and what was written."""

    directory: Path
    drawn: random.Random
    works: dict[str, dict[str, Any]] = field(default_factory=dict)
    runner: Any = None

    def step(self, body: Body) -> dict[str, Any]:
        """The step with what production answers."""
        given = {"id": "search", "kind": "vector", "store": "kb", "collection": "works", "limit": TAKEN, **body}
        result = self.runner.run(VectorStep.model_validate(given))
        assert result.error is None, (body, result.error)
        return {**given, "expect": {"ids": list(result.ids)}}

    def near(self, vector: list[float], many: int, using: str = "text") -> list[str]:
        """The nearest, by no index."""
        step = self.step({"vector": vector, "using": using, "limit": many, "params": {"exact": True}})
        return [str(one) for one in step["expect"]["ids"]]


def words(text: str) -> dict[str, Any]:
    """A text as a sparse vector."""
    import zlib

    found = {
        zlib.crc32(word.encode()) & 0xFFFFF: 1.0 + len(word) / 10
        for word in text.lower().rstrip(".").split()
        if len(word) > 3
    }
    return {"indices": list(found), "values": [round(one, 3) for one in found.values()]}


def fill(gallery: Gallery) -> None:
    """Write the collection."""
    drawn = gallery.drawn
    points, seen = [], set()
    while len(points) < 1800:
        text = f"{drawn.choice(WHO)} {drawn.choice(DOES)} {drawn.choice(WHAT)} {drawn.choice(WHY)}, catalogue {drawn.choice('ABCDEFGHIJ')}{drawn.randrange(100, 999)}."
        if text in seen:
            continue
        seen.add(text)
        ident = str(uuid.UUID(int=drawn.getrandbits(128), version=4))
        number = len(points)
        gallery.works[ident] = {
            "text": text, "title": f"{drawn.choice(WHAT)} {drawn.choice(WHY)} {drawn.randrange(10**6)}", "org": {"id": 1 + number % 5}, "user_ids": [number % 7, 9],
            "tags": drawn.sample(["oil", "ink", "loan", "sold"], 2), "price": drawn.randrange(100, 900), "lang": drawn.choice(["en", "sv"]),
            "made": f"20{drawn.randrange(10, 26)}-03-0{1 + number % 9}T10:00:00Z", "place": {"lon": drawn.uniform(5, 15), "lat": drawn.uniform(45, 55)},
            "shows": [{"city": drawn.choice(["Oslo", "Bern"]), "open": bool(number % 2)}, {"city": "Riga", "open": number % 3 == 0}],
            "doc": number // 3, "deleted": number % 11 == 0, **({"sold_to": "x"} if number % 4 else {}), "rank": number,
        }  # fmt: skip
        vector = {"text": embedded(text), "title": embedded(gallery.works[ident]["title"])}
        sparse = words(text)
        points.append(
            q.Point(
                uuid.UUID(ident),
                {**vector, "words": q.SparseVector(sparse["indices"], sparse["values"])},
                gallery.works[ident],
            )
        )
    place = gallery.directory / "collections" / "works" / "0"
    place.parent.mkdir(parents=True)
    edge = q.EdgeShard.create(str(place), q.EdgeConfig(
        vectors={name: q.EdgeVectorParams(size=96, distance=q.Distance.Cosine) for name in ("text", "title")},
        sparse_vectors={"words": q.EdgeSparseVectorParams()},
        hnsw_config=q.HnswIndexConfig(m=4, ef_construct=8, full_scan_threshold=10),
        optimizers=q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1)))  # fmt: skip
    for start in range(0, len(points), 300):
        edge.update(q.UpdateOperation.upsert_points(points[start : start + 300]))
    edge.flush()
    edge.optimize()
    edge.flush()
    edge.close()


def cases(gallery: Gallery) -> Iterator[Case]:
    """Requests."""
    with opened(gallery.directory) as runner:
        gallery.runner = runner
        yield from _filters(gallery)
        yield from _stages(gallery)


def _sorted(
    gallery: Gallery, name: str, causes: tuple[str, ...], make: Callable[[list[float], str], Body], *,
    only: Callable[[dict[str, Any]], bool] = lambda work: True, near: int = 3, most: int = 2, count: int = 8,
) -> Iterator[Case]:  # fmt: skip
    missed = came = 0
    for ident in gallery.drawn.sample(list(gallery.works), 200):
        if min(missed, came) >= most:
            return
        work = gallery.works[ident]
        if came >= most and not only(work):
            continue
        said = " ".join(gallery.drawn.sample(work["text"].rstrip(".").split(), count))
        vector = embedded(said)
        step = gallery.step(make(vector, said))
        if ident in map(str, step["expect"]["ids"]):
            came += 1
            if came <= most:
                yield Case(f"{name}-healthy-{came}", (), (step,), (ident,))  # type: ignore[arg-type]
        elif only(work) and missed < most and ident in gallery.near(vector, near):
            missed += 1
            yield Case(f"{name}-{missed}", causes, (step,), (ident,))  # type: ignore[arg-type]


def _filters(gallery: Gallery) -> Iterator[Case]:
    left, tenant = ("condition_excludes",), ("tenant_excludes",)

    def key(name: str, **match: Any) -> Body:
        return {"key": name, "match": match}

    def oslo(work: dict[str, Any]) -> bool:
        return any(one["city"] == "Oslo" and one["open"] for one in work["shows"])

    kinds: list[tuple[str, tuple[str, ...], Body, Callable[[dict[str, Any]], bool]]] = [
        ("any", left, {"must": [key("tags", any=["oil", "ink"])]}, lambda w: not {"oil", "ink"} & set(w["tags"])),
        ("except", left, {"must": [key("lang", **{"except": ["sv"]})]}, lambda w: w["lang"] == "sv"),
        ("range", left, {"must": [{"key": "price", "range": {"gte": 500, "lt": 5000}}]}, lambda w: w["price"] < 500),
        ("date-range", left, {"must": [{"key": "made", "range": {"gte": "2018-01-01T00:00:00Z"}}]}, lambda w: w["made"] < "2018"),
        ("geo", left, {"must": [{"key": "place", "geo_radius": {"center": {"lon": 10, "lat": 50}, "radius": 350000.0}}]},
         lambda w: abs(w["place"]["lat"] - 50) > 4),
        ("geo-box", left, {"must": [{"key": "place", "geo_bounding_box": {"top_left": {"lon": 5, "lat": 50}, "bottom_right": {"lon": 15, "lat": 45}}}]},
         lambda w: w["place"]["lat"] > 50.1),
        ("values-count", left, {"must": [{"key": "sold_to", "values_count": {"gte": 1}}]}, lambda w: "sold_to" not in w),
        ("is-empty", left, {"must": [{"is_empty": {"key": "sold_to"}}]}, lambda w: "sold_to" in w),
        ("must-not", left, {"must_not": [key("deleted", value=True)]}, lambda w: w["deleted"]),
        ("must-not-one", left, {"must_not": key("deleted", value=True)}, lambda w: w["deleted"]),
        ("should", left, {"should": [key("tags", value="oil"), {"key": "price", "range": {"gt": 700}}]},
         lambda w: "oil" not in w["tags"] and w["price"] <= 700),
        ("min-should", left, {"min_should": {"conditions": [key("tags", value="oil"), key("lang", value="en"), key("deleted", value=True)], "min_count": 2}},
         lambda w: ("oil" in w["tags"]) + (w["lang"] == "en") + w["deleted"] < 2),
        ("nested", left, {"must": [{"nested": {"key": "shows", "filter": {"must": [key("city", value="Oslo"), key("open", value=True)]}}}]},
         lambda w: not oslo(w)),
        ("nested-clause", left, {"must": [{"should": [key("lang", value="en"), {"must": [key("tags", value="loan")], "must_not": [key("deleted", value=True)]}]}]},
         lambda w: w["lang"] != "en" and not ("loan" in w["tags"] and not w["deleted"])),
        ("tenant", tenant, {"must": [key("org.id", value=2)]}, lambda w: w["org"]["id"] != 2),
        ("tenant-list", tenant, {"must": [key("user_ids", any=[3, 4])]}, lambda w: w["user_ids"][0] not in (3, 4)),
        ("tenant-within", tenant, {"must": [{"should": [key("org.id", value=1), key("org.id", value=3)]}, key("deleted", value=False)]},
         lambda w: w["org"]["id"] not in (1, 3) and not w["deleted"]),
        ("two-conditions", left, {"must": [key("lang", value="en")], "must_not": [key("tags", value="sold")]},
         lambda w: w["lang"] != "en" and "sold" in w["tags"]),
    ]  # fmt: skip
    for name, causes, kept, only in kinds:
        yield from _sorted(gallery, f"q-{name}", causes, lambda v, said, kept=kept: {  # type: ignore[misc]
            "vector": v, "using": "text", "filter": kept, "params": {"hnsw_ef": 800}}, only=only)  # fmt: skip
    some = [one for one in gallery.works if gallery.works[one]["lang"] == "en"]
    yield from _sorted(gallery, "q-has-id", left, lambda v, said: {"vector": v, "using": "text", "filter": {"must": [{"has_id": some}]}},
                       only=lambda w: w["lang"] != "en")  # fmt: skip


def _stages(gallery: Gallery) -> Iterator[Case]:
    index, left = ("breadth_too_small", "unreachable"), ("condition_excludes",)
    wide = {"hnsw_ef": 900}
    english = {"must": [{"key": "lang", "match": {"value": "en"}}]}

    def sv(work: dict[str, Any]) -> bool:
        return bool(work["lang"] == "sv")

    def make(
        name: str, causes: tuple[str, ...], body: Callable[[list[float], str], Body], **more: Any
    ) -> Iterator[Case]:
        return _sorted(gallery, f"q-{name}", causes, body, **more)

    yield from make("narrow", index, lambda v, s: {"vector": v, "using": "text", "params": {"hnsw_ef": 6}})
    yield from make("title", ("wrong_vector",), lambda v, s: {"vector": v, "using": "title", "params": wide}, count=9)
    yield from make(
        "threshold",
        left,
        lambda v, s: {"vector": v, "using": "text", "score_threshold": 0.93, "params": wide},
        near=1,
        count=6,
    )
    yield from make(
        "offset", ("offset_skips",), lambda v, s: {"vector": v, "using": "text", "offset": 2, "params": wide}, near=2
    )
    yield from make(
        "limit",
        ("below_k", "crowded_out"),
        lambda v, s: {"vector": v, "using": "text", "limit": 2, "params": wide},
        near=5,
        count=5,
    )
    yield from make(
        "sparse",
        ("below_k", "semantic_gap", "crowded_out"),
        lambda v, s: {"vector": words(s), "using": "words", "limit": 1},
        count=3,
        near=9,
    )
    yield from make(
        "sparse-filter", left, lambda v, s: {"vector": words(s), "using": "words", "filter": english}, only=sv
    )
    yield from make("prefetch-filter", left, lambda v, s: {"query": {"fusion": "rrf"}, "params": wide, "prefetch": [
        {"query": v, "using": "text", "limit": 20, "filter": english}, {"query": words(s), "using": "words", "limit": 20, "filter": english}]}, only=sv)  # fmt: skip
    yield from make("outer-filter", left, lambda v, s: {"query": {"fusion": "dbsf"}, "filter": english, "prefetch": [
        {"query": v, "using": "text", "limit": 20}, {"query": words(s), "using": "words", "limit": 20}]}, only=sv)  # fmt: skip
    yield from make("rescore", ("below_k", "semantic_gap", "crowded_out"), lambda v, s: {"vector": v, "using": "text", "prefetch": [
        {"query": words("The mayor opens a comet in secret"), "using": "words", "limit": 10}]}, near=1)  # fmt: skip
    yield from make("rescore-filter", left, lambda v, s: {"vector": v, "using": "text", "prefetch": [
        {"query": words(s), "using": "words", "limit": 40, "filter": english}]}, only=sv)  # fmt: skip
    yield from make("stages-of-stages", left, lambda v, s: {"query": {"fusion": "rrf"}, "prefetch": [
        {"prefetch": [{"query": words(s), "using": "words", "limit": 60}], "query": v, "using": "text", "limit": 15, "filter": english},
        {"query": words(s), "using": "words", "limit": 10, "filter": english}]}, only=sv)  # fmt: skip
    yield from make(
        "groups",
        ("below_k", "crowded_out"),
        lambda v, s: {"vector": v, "using": "text", "group_by": "doc", "group_size": 1, "limit": 2, "params": wide},
        near=6,
        count=5,
    )
    yield from make(
        "groups-filter",
        left,
        lambda v, s: {
            "vector": v,
            "using": "text",
            "group_by": "doc",
            "group_size": 2,
            "limit": 4,
            "filter": english,
            "params": wide,
        },
        only=sv,
    )
    yield from make(
        "groups-threshold",
        left,
        lambda v, s: {
            "vector": v,
            "using": "text",
            "group_by": "doc",
            "group_size": 1,
            "limit": 4,
            "score_threshold": 0.93,
            "params": wide,
        },
        near=1,
        count=6,
    )
    yield from make("boosted", ("below_k", "semantic_gap", "crowded_out"), lambda v, s: {
        "prefetch": [{"query": v, "using": "text", "limit": 30, "params": wide}], "limit": 3,
        "query": {"formula": {"sum": ["$score", {"mult": [0.9, {"key": "tags", "match": {"any": ["oil"]}}]}]}}},
        only=lambda w: "oil" not in w["tags"], near=2)  # fmt: skip
    yield from make("boosted-filter", left, lambda v, s: {
        "prefetch": [{"query": v, "using": "text", "limit": 30, "params": wide, "filter": english}], "limit": 5,
        "query": {"formula": {"sum": ["$score", {"mult": [0.01, {"key": "tags", "match": {"any": ["oil"]}}]}]}}}, only=sv)  # fmt: skip
    some = list(gallery.works)

    def like(vector: list[float]) -> str:
        return gallery.near(vector, 1)[0]

    yield from make("by-id-filter", left, lambda v, s: {"query": {"nearest": like(v)}, "using": "text", "filter": english, "params": wide},
                    only=sv, near=9, count=6)  # fmt: skip
    yield from make("recommend-filter", left, lambda v, s: {"query": {"recommend": {"positive": [like(v), some[5]], "negative": [some[0]]}}, "using": "text", "filter": english, "params": wide},
                    only=sv, near=9, count=6)  # fmt: skip
    yield from make("discover-filter", left, lambda v, s: {"query": {"discover": {"target": v, "context": [{"positive": some[1], "negative": some[2]}]}}, "using": "text", "filter": english, "params": wide, "limit": 20},
                    only=sv)  # fmt: skip
    yield from make("mmr", ("below_k", "crowded_out", "semantic_gap", *index), lambda v, s: {"query": {"nearest": v, "mmr": {"diversity": 0.9, "candidates_limit": 30}}, "using": "text", "limit": 3, "params": wide},
                    near=4, count=6)  # fmt: skip
