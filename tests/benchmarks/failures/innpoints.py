# ruff: noqa: E501 - requests stand as their clients send them
"""A travel agency's points beside its rows: named and sparse vectors, and rows without points and points without rows."""

# fmt: off
from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import qdrant_edge as q

from envclone.incidents.bundle import VectorStep
from envclone.stores.qdrant.search import embedded as opened
from tests.benchmarks.failures import inncrowds
from tests.benchmarks.failures.desk import Case, got
from tests.benchmarks.failures.inns import Inns, embedded

Body = dict[str, Any]
Row = dict[str, Any]
WIDE = {"hnsw_ef": 900}
LEFT, INDEX, BELOW = ("condition_excludes",), ("breadth_too_small", "unreachable"), ("below_k", "crowded_out")


def point_of(row: Row) -> str:
    """The id of a row's point."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"inn:{row['big']}"))


def sparse(text: str) -> tuple[list[int], list[float]]:
    """A text as a sparse vector."""
    found = {zlib.crc32(word.encode()) & 0x7FFFFF: 1.5 for word in text.lower().replace(",", "").rstrip(".").split() if len(word) > 3}
    return list(found), list(found.values())


def write(shop: Inns) -> None:
    """The collections; some rows of `documents` have no point, some points no row, some an old text."""
    assert shop.directory is not None
    drawn = shop.drawn
    picked = drawn.sample(shop.rows[:200], 24)
    shop.special |= {"unpointed": picked[:4], "orphan": picked[4:8], "outdated": picked[8:12], "emptied": picked[12:16], "alien": picked[16:20], "fewer": picked[20:]}
    with shop.server.connect("app") as conn:
        for row in shop.special["orphan"]:
            conn.execute("DELETE FROM documents WHERE id = %s", [row["big"]])
        for row in shop.special["outdated"]:
            row["now"] = f"Under new owners: {drawn.choice(shop.rows[300:])['text'][2:-1]} as of May."
            conn.execute("UPDATE documents SET content = %s WHERE id = %s", [row["now"], row["big"]])
    unpointed = {row["n"] for row in shop.special["unpointed"]}
    alien = {row["n"] for row in shop.special["alien"]}
    rows = [row for row in shop.rows[:1600] if row["n"] not in unpointed]
    points = [q.Point(uuid.UUID(point_of(row)), {"prose": embedded(row["text"], 8) if row["n"] in alien else row["vector"], "name": embedded(row["text"].split(" kept by ")[1]), "terms": q.SparseVector(*sparse(row["text"]))}, _payload(row, row["n"] in alien)) for row in rows]
    collection(shop, "stays", points, vectors={name: q.EdgeVectorParams(size=80, distance=q.Distance.Cosine) for name in ("prose", "name")}, sparse_vectors={"terms": q.EdgeSparseVectorParams()})
    scalar = q.EdgeVectorParams(size=80, distance=q.Distance.Cosine, quantization_config=q.BinaryQuantizationConfig(always_ram=True))
    collection(shop, "quick", [q.Point(row["n"], row["vector"], {"text": row["text"]}) for row in rows], vectors=scalar)
    collection(shop, "raw", [q.Point(row["n"], [one * (5 if row["n"] % 7 == 0 else 1) for one in row["vector"]], {"text": row["text"]}) for row in rows[:900]], vectors=q.EdgeVectorParams(size=80, distance=q.Distance.Dot))


def _payload(row: Row, alien: bool) -> Body:
    made: Body = {
        "page_content": row["text"], "doc_id": row["big"], "metadata": {"city": row["city"], "year": row["year"], "group_id": f"g{row['account']}"}, "tags": row["tags"], "stars": row["stars"],
        "embedder": "e5-v1" if alien else "e5-v2", "opened": f"{row['year']}-05-01T00:00:00Z", "where": {"lon": -9 + row["region"], "lat": 38 + row["region"] / 2}, "lang": row["lang"],
        "rooms": [{"beds": row["stars"], "view": "sea" if row["n"] % 2 else "yard"}, {"beds": 1, "view": "sea"}], "deleted_at": "2026-01-01T00:00:00Z" if row["gone"] else None,
    }
    if row["draft"]:
        del made["tags"]
    return made


def collection(shop: Inns, name: str, points: list[Any], **vectors: Any) -> None:
    """Write a collection, and index it."""
    place = shop.directory / "collections" / name / "0"  # type: ignore[operator]
    place.parent.mkdir(parents=True)
    edge = q.EdgeShard.create(str(place), q.EdgeConfig(
        **vectors, hnsw_config=q.HnswIndexConfig(m=4, ef_construct=8, full_scan_threshold=10), optimizers=q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1)))
    for start in range(0, len(points), 300):
        edge.update(q.UpdateOperation.upsert_points(points[start : start + 300]))
    edge.flush()
    edge.optimize()
    edge.flush()
    edge.close()


def by_points(shop: Inns) -> Iterator[Case]:
    """Requests."""
    assert shop.directory is not None
    with opened(shop.directory) as runner:

        def step(body: Body) -> Body:
            given = {"id": "search", "kind": "vector", "store": "kb", "collection": "stays", "limit": 5, **body}
            result = runner.run(VectorStep.model_validate(given))
            assert result.error is None, (body, result.error)
            return {**given, "expect": {"ids": list(result.ids)}}

        yield from _filters(shop, step)
        yield from _forms(shop, step)
        yield from _states(shop, step)
        yield from inncrowds.crowds(shop, step)


def _asked(shop: Inns, step: Any, name: str, causes: tuple[str, ...], make: Callable[[list[float], str], Body], *, only: Callable[[Row], bool] = lambda row: True,
           near: int = 3, words: int = 11, id_of: Callable[[Row], Any] = point_of) -> Iterator[Case]:
    odd = {row["n"] for group in shop.special.values() for row in group}
    missed = came = False
    lost = {point_of(row) for row in shop.special["orphan"]}
    here = {row["n"] for row in shop.rows[:1600]}
    for row in shop.drawn.sample([one for one in shop.rows[:900] if one["n"] not in odd], 300):
        if missed and came:
            return
        said = " ".join(shop.drawn.sample(row["text"].rstrip(".").split(), words))
        made = step(make(embedded(said), said))
        if lost & set(made["expect"]["ids"]):
            continue  # a point whose row is gone is a failure of its own
        ident = id_of(row)
        if ident in made["expect"]["ids"]:
            if not came:
                yield Case(f"{name}-healthy-1", (), (made,), (ident,))
            came = True
        elif only(row) and not missed and row["n"] in [one["n"] for one in shop.nearest(embedded(said), near, lambda r: r["n"] in here)]:
            missed = True
            yield Case(f"{name}-1", causes, (made,), (ident,))


def _filters(shop: Inns, step: Any) -> Iterator[Case]:
    def match(key: str, **how: Any) -> Body:
        return {"key": key, "match": how}

    kinds: list[tuple[str, tuple[str, ...], Body, Callable[[Row], bool]]] = [
        ("city", LEFT, {"must": [match("metadata.city", value="Vik")]}, lambda r: r["city"] != "Vik"),
        ("group", ("tenant_excludes",), {"must": [match("metadata.group_id", value="g2")]}, lambda r: r["account"] != 2),
        ("datetime", LEFT, {"must": [{"key": "opened", "range": {"gte": "2022-01-01T00:00:00Z", "lte": "2027-01-01T00:00:00Z"}}]}, lambda r: r["year"] < 2022),
        ("geo", LEFT, {"must": [{"key": "where", "geo_radius": {"center": {"lon": -5, "lat": 40}, "radius": 160000.0}}]}, lambda r: r["region"] > 7),
        ("polygon", LEFT, {"must": [{"key": "where", "geo_polygon": {"exterior": {"points": [{"lon": -20, "lat": 30}, {"lon": -4.5, "lat": 30}, {"lon": -4.5, "lat": 60}, {"lon": -20, "lat": 60}, {"lon": -20, "lat": 30}]}}}]}, lambda r: r["region"] > 5),
        ("values-count", LEFT, {"must": [{"key": "tags", "values_count": {"gt": 1}}]}, lambda r: r["draft"]),
        ("is-null", LEFT, {"must": [{"is_null": {"key": "deleted_at"}}]}, lambda r: r["gone"]),
        ("not-empty", LEFT, {"must_not": [{"is_empty": {"key": "tags"}}]}, lambda r: r["draft"]),
        ("nested", LEFT, {"must": [{"nested": {"key": "rooms", "filter": {"must": [{"key": "beds", "range": {"gte": 3}}, match("view", value="sea")]}}}]}, lambda r: r["stars"] < 3 or r["n"] % 2 == 0),
        ("array-path", LEFT, {"must": [match("rooms[].view", value="yard")]}, lambda r: bool(r["n"] % 2)),
        ("has-vector", (), {"must": [{"has_vector": "prose"}]}, lambda r: False),
        ("any", LEFT, {"must": [match("tags", any=["dog", "wine"])]}, lambda r: r["draft"] or not {"dog", "wine"} & set(r["tags"])),
        ("stars", LEFT, {"must": [{"key": "stars", "range": {"gt": 3.0}}]}, lambda r: r["stars"] <= 3),
        ("not-lang", LEFT, {"must_not": [match("lang", any=["pt", "ja", "is"])]}, lambda r: r["lang"] != "en"),
    ]
    for name, causes, kept, only in kinds:
        yield from _asked(shop, step, f"stay-{name}", causes, lambda v, s, kept=kept: {"vector": v, "using": "prose", "filter": kept, "params": WIDE}, only=only)  # type: ignore[misc]
    some = [point_of(row) for row in shop.rows[:1600] if row["stars"] > 2]
    yield from _asked(shop, step, "stay-has-id", LEFT, lambda v, s: {"vector": v, "using": "prose", "filter": {"must": [{"has_id": some}]}, "params": WIDE}, only=lambda r: r["stars"] < 3)
    yield from _asked(shop, step, "stay-not-ids", LEFT, lambda v, s: {"vector": v, "using": "prose", "filter": {"must_not": [{"has_id": some}]}, "params": WIDE}, only=lambda r: r["stars"] > 2)


def _forms(shop: Inns, step: Any) -> Iterator[Case]:
    def terms(said: str) -> Body:
        indices, values = sparse(said)
        return {"indices": indices, "values": values}

    english = {"must": [{"key": "lang", "match": {"value": "en"}}]}

    def foreign(row: Row) -> bool:
        return bool(row["lang"] != "en")

    def hybrid(vector: list[float], said: str, **more: Any) -> Body:
        return {"query": {"fusion": "rrf"}, "prefetch": [{"query": vector, "using": "prose", "limit": 20, "params": WIDE, **more}, {"query": terms(said), "using": "terms", "limit": 20, **more}]}

    for name, causes, make, options in (
        ("narrow", INDEX, lambda v, s: {"vector": v, "using": "prose", "params": {"hnsw_ef": 5}}, {}),
        ("by-name", ("wrong_vector",), lambda v, s: {"vector": v, "using": "name", "params": WIDE}, {"words": 9}),
        ("two", BELOW, lambda v, s: {"vector": v, "using": "prose", "limit": 2, "params": WIDE}, {"words": 6, "near": 4}),
        ("page", ("offset_skips",), lambda v, s: {"vector": v, "using": "prose", "offset": 5, "params": WIDE}, {}),
        ("threshold", LEFT, lambda v, s: {"vector": v, "using": "prose", "score_threshold": 0.97, "params": WIDE}, {"near": 1, "words": 10}),
        ("hybrid", LEFT, lambda v, s: hybrid(v, s, filter=english), {"only": foreign}),
        ("hybrid-two", BELOW, lambda v, s: {**hybrid(v, s), "limit": 2}, {"words": 5, "near": 6}),
        ("hybrid-weights", ("fusion_weights", "below_k"), lambda v, s: {**hybrid(v, "harp recitals treehouse"), "query": {"rrf": {"k": 60, "weights": [0.05, 3.0]}}, "limit": 3}, {"near": 1}),
        ("sparse-lang", LEFT, lambda v, s: {"vector": terms(s), "using": "terms", "filter": english}, {"only": foreign}),
        ("groups", (*BELOW, *INDEX), lambda v, s: {"vector": v, "using": "prose", "group_by": "metadata.city", "group_size": 1, "limit": 4, "params": WIDE}, {"words": 5, "near": 5}),
        ("late", LEFT, lambda v, s: {"prefetch": {"query": terms(s), "using": "terms", "limit": 60, "filter": english}, "query": v, "using": "prose"}, {"only": foreign}),
        ("mmr", (*BELOW, "semantic_gap", *INDEX), lambda v, s: {"query": {"nearest": v, "mmr": {"diversity": 0.7, "candidates_limit": 40}}, "using": "prose", "limit": 2, "params": WIDE}, {"near": 5, "words": 6}),
    ):
        yield from _asked(shop, step, f"form-{name}", causes, make, **options)  # type: ignore[arg-type]
    coarse = {"hnsw_ef": 500, "quantization": {"rescore": False}}
    yield from _asked(shop, step, "quick-unscored", ("quantization_lossy",), lambda v, s: {"collection": "quick", "vector": v, "params": coarse}, words=5, id_of=lambda r: r["n"])
    yield from _asked(shop, step, "raw-dot", ("wrong_distance",), lambda v, s: {"collection": "raw", "vector": v, "limit": 3, "params": {"exact": True}}, words=10, near=1, only=lambda r: r["n"] % 7 != 0, id_of=lambda r: r["n"])
    for number, row in enumerate(shop.rows[400:402]):
        whole = step({"vector": embedded(row["text"]), "using": "prose", "params": {"indexed_only": True, **WIDE}})
        ids = [one for one in got(whole) if one != point_of(row)]
        yield Case(f"unindexed-then-{number}", ("not_indexed", "drift"), ({**whole, "expect": {"ids": ids}},), (point_of(row),))  # type: ignore[arg-type]
        yield Case(f"unindexed-{number}", ("not_indexed", "drift"), ({**whole, "expect": {"ids": ids}},))
        yield Case(f"indexed-only-healthy-{number}", (), (whole,), (point_of(row),))  # type: ignore[arg-type]


def _states(shop: Inns, step: Any) -> Iterator[Case]:
    bad = {row["big"] for name in ("orphan", "alien", "outdated") for row in shop.special[name]}
    for number in range(3):
        for name, cause in (("unpointed", ("row_without_point",)), ("orphan", ("point_without_row",)), ("alien", ("wrong_model", "stale_embedding")), ("outdated", ("stale_embedding",))):
            row = shop.special[name][number]
            made = step({"vector": embedded(row.get("now", row["text"])), "using": "prose", "params": WIDE})
            expected: tuple[Any, ...] = {"unpointed": (row["big"],), "orphan": ()}.get(name, (point_of(row),))
            others = {one["big"] for one in shop.rows if point_of(one) in made["expect"]["ids"]} & bad
            if row["big"] in others if name == "orphan" else not others - {row["big"]}:
                yield Case(f"point-{name}-{number}", cause, (made,), expected)
        row = shop.rows[500 + number]
        made = step({"vector": embedded(row["text"]), "using": "prose", "params": WIDE})
        if not {one["big"] for one in shop.rows if point_of(one) in made["expect"]["ids"]} & bad:
            yield Case(f"point-healthy-{number}", (), (made,), (point_of(row),))  # type: ignore[arg-type]
            yield Case(f"point-row-healthy-{number}", (), (made,), (row["big"],))
        absent = str(uuid.uuid4())
        moved = {**made, "expect": {"ids": [absent, *got(made)[:4]]}}
        yield Case(f"point-moved-{number}", ("drift",), (moved,))
        short = {"id": "search", "kind": "vector", "store": "kb", "collection": "stays", "vector": embedded(row["text"])[:48], "using": "prose", "limit": 5, "expect": {"error": "Wrong input: Vector dimension error: expected dim: 80, got 48"}}
        yield Case(f"point-short-{number}", ("wrong_dimension",), (short,))
