"""Points with several vectors, other distances, and payloads that people filter by in vain; to each one that works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import qdrant_edge as q

from tests.benchmarks.failures.cases import Failure, ids
from tests.benchmarks.failures.places import Made, World

Pair = tuple[list[Failure], list[Failure]]
Incidents = Callable[[int], Iterator[Pair]]
TAKEN = 5


class Asked:
    """Searches of a collection, each with what production answers."""

    def __init__(self, edge: Any, collection: str) -> None:
        self.edge = edge
        self._collection = collection

    def __call__(
        self, vector: list[float], using: str = "", *, limit: int = TAKEN, filter: Any = None, engine: Any = None,
        threshold: float | None = None, params: Any = None, **more: Any,
    ) -> dict[str, Any]:  # fmt: skip
        near = q.Query.Nearest(vector, using or None)
        found = self.edge.query(q.QueryRequest(limit=limit, query=near, filter=engine, score_threshold=threshold))
        body = {"vector": vector, "limit": limit, **({"using": using} if using else {})}
        body |= {"filter": filter} if filter else {}
        body |= {"score_threshold": threshold} if threshold is not None else {}
        body |= {"params": params} if params else {}
        return self.step(body, [point.id for point in found], **more)

    def step(self, body: dict[str, Any], found: list[Any], **more: Any) -> dict[str, Any]:
        """A step with a body and what came back."""
        return {"id": "search", "kind": "vector", "store": "kb", "collection": self._collection, **body,
                "expect": {"ids": found}, **more}  # fmt: skip

    def exact(self, vector: list[float], using: str = "", limit: int = TAKEN) -> list[int]:
        """The nearest points, by all vectors."""
        near = q.Query.Nearest(vector, using or None)
        found = self.edge.search(q.SearchRequest(query=near, limit=limit, params=q.SearchParams(exact=True)))
        return [point.id for point in found]


def points(world: World) -> Incidents:
    """Write the collections; returns what makes the incidents once all is written."""
    made = [_titled(world), _measured(world, "dotted", q.Distance.Dot), _measured(world, "spaced", q.Distance.Euclid)]

    def incidents(each: int) -> Iterator[Pair]:
        for one in made:
            for wrong, right in one(each):
                yield wrong[:each], right[:each]

    return incidents


def _titled(world: World) -> Incidents:
    """A vector of the title and one of the text, which say different things; words beside them."""
    records = world.texts(700)
    about = {}
    for number, one in enumerate(records):
        subject = world.drawn.choice([other for other in world.writer.subjects if other is not one.subject])
        about[one.id] = world.writer.text(subject, 7)
        one.more = {"title": about[one.id], "meta": {"lang": ("en", "de", "fr")[number % 3]},
                    "notes": [{"by": "anna", "open": bool(number % 2)}, {"by": "bert", "open": not number % 2}],
                    **({}, {"closed": None}, {"closed": []}, {"closed": "2026-03-01"})[number % 4]}  # fmt: skip
    world.collection(
        "titled", records, vectors={name: q.EdgeVectorParams(size=48, distance=q.Distance.Cosine)
                                    for name in ("title", "body")},
        sparse={"words": q.EdgeSparseVectorParams()},
        point=lambda one: ({"title": world.model.vector(about[one.id]), "body": one.vector,
                            "words": _sparse(world, one.body)}, {"text": one.body, "doc": one.id, **one.more}),
    )  # fmt: skip

    def incidents(each: int) -> Iterator[Pair]:
        asked = Asked(world.shard("titled"), "titled")
        some = world.drawn.sample(records, 40 * each)
        yield _by_other_vector(world, asked, some)
        yield from _by_payload(world, asked, some)
        yield _weighted(world, asked, some)
        yield _refused(world, asked, some)
        asked.edge.close()

    return incidents


def _asks(world: World, one: Made, words: int = 6) -> list[float]:
    return world.model.vector(world.writer.question(one.body, words))


def _by_other_vector(world: World, asked: Asked, some: list[Made]) -> Pair:
    found: Pair = ([], [])
    for one in some:
        vector = _asks(world, one, 8)
        if one.id in asked.exact(vector, "body", 2):
            if one.id not in asked.exact(vector, "title", 4 * TAKEN):
                found[0].append(Failure("wrong_vector", (asked(vector, "title"),), expected=(one.id,)))
            if one.id in ids(step := asked(vector, "body")):
                found[1].append(Failure("", (step,), expected=(one.id,)))
    return found


def _by_payload(world: World, asked: Asked, some: list[Made]) -> Iterator[Pair]:
    """Keys below others, lists of objects, and what is null, empty or not there."""

    def key(name: str, value: Any) -> tuple[Any, Any]:
        return {"key": name, "match": {"value": value}}, q.FieldCondition(name, q.MatchValue(value))

    open_, by = q.FieldCondition("open", q.MatchValue(True)), q.FieldCondition("by", q.MatchValue("bert"))
    own = [{"key": "by", "match": {"value": "bert"}}, {"key": "open", "match": {"value": True}}]
    nested = ({"nested": {"key": "notes", "filter": {"must": own}}},
              q.NestedCondition("notes", q.Filter(must=[by, open_])))  # fmt: skip
    null = ({"is_null": {"key": "closed"}}, q.IsNullCondition("closed"))
    empty = ({"is_empty": {"key": "closed"}}, q.IsEmptyCondition("closed"))
    kinds: list[tuple[Any, Any, Callable[[Made], bool], Callable[[Made], bool]]] = [
        (key("lang", "de"), key("meta.lang", "de"), lambda one: one.more["meta"]["lang"] == "de", lambda one: True),
        (key("notes.by", "bert"), key("notes[].by", "bert"), lambda one: True, lambda one: True),
        (nested, key("notes[].open", True), lambda one: one.more["notes"][0]["open"], lambda one: True),
        (null, empty, lambda one: one.more.get("closed", 0) in (0, []), lambda one: True),
    ]
    for (bad, bad_engine), (good, good_engine), which, _ in kinds:
        found: Pair = ([], [])
        for one in some:
            vector = _asks(world, one, 8)
            if not which(one) or one.id not in asked.exact(vector, "body", 2):
                continue
            wrong = asked(vector, "body", filter={"must": [bad]}, engine=q.Filter(must=[bad_engine]))
            right = asked(vector, "body", filter={"must": [good]}, engine=q.Filter(must=[good_engine]))
            if one.id not in ids(wrong):
                found[0].append(Failure("condition_excludes", (wrong,), expected=(one.id,)))
            if one.id in ids(right):
                found[1].append(Failure("", (right,), expected=(one.id,)))
        yield found


def _weighted(world: World, asked: Asked, some: list[Made]) -> Pair:
    """Meaning and words put together, one of them by so little that what is first in it does not come."""
    found: Pair = ([], [])
    for one in some:
        other = world.drawn.choice([each for each in some if each.subject is not one.subject])
        vector, said = _asks(world, other, 8), _sparse(world, world.writer.question(one.body, 8))
        shown = {"indices": list(said.indices), "values": list(said.values)}
        both = ((vector, "body", vector), (shown, "words", said))
        for weights in ([9.0, 0.2], [1.0, 1.0]):
            prefetch = [{"query": given, "using": name, "limit": 12} for given, name, _ in both]
            body = {"prefetch": prefetch, "query": {"rrf": {"k": 2, "weights": weights}}, "limit": 4}
            came = asked.edge.query(q.QueryRequest(limit=4, query=q.Fusion.Rrf(2, weights), prefetches=[
                q.Prefetch(limit=12, query=q.Query.Nearest(given, name)) for _, name, given in both]))  # fmt: skip
            step = asked.step(body, [point.id for point in came])
            if weights[0] != weights[1] and one.id not in ids(step):
                found[0].append(Failure("fusion_weights", (step,), expected=(one.id,)))
            elif weights[0] == weights[1] and one.id in ids(step):
                found[1].append(Failure("", (step,), expected=(one.id,)))
            elif weights[0] == weights[1]:
                found[0].pop()
    return found


REFUSALS = (
    'Forbidden: Limit exceeded 500 > 100 for "limit". Help: Reduce the "limit" parameter to or below 100.',
    'Bad request: Index required but not found for "meta.lang" of one of the following types: [keyword]. Help: Create '
    "an index for this key or use a different filter.",
    'Unexpected Response: 403 (Forbidden)\nRaw response content:\nb\'{"status":{"error":"Forbidden: Search hnsw_ef '
    "limit exceeded 900 > 256\"}}'",
)  # fmt: skip


def _refused(world: World, asked: Asked, some: list[Made]) -> Pair:
    """What a server's strict mode refuses: too many results, keys without an index, too broad a search."""
    found: Pair = ([], [])
    for number, one in enumerate(some):
        step = asked(_asks(world, one, 8), "body")
        wrong = {**step, "expect": {"error": REFUSALS[number % len(REFUSALS)]}}
        found[0].append(Failure("refused", (wrong,)))
        if one.id in ids(step):
            found[1].append(Failure("", (step,), expected=(one.id,)))
    return found


def _measured(world: World, name: str, distance: Any) -> Incidents:
    """Vectors of any length, and a distance for which lengths count; they were meant by their direction."""
    records = world.texts(700)
    for one in records:
        size = world.drawn.choice((0.4, 0.7, 1.0, 1.0, 2.5, 4.0))
        one.vector = [round(value * size, 6) for value in one.vector]
    world.collection(name, records, vectors=q.EdgeVectorParams(size=48, distance=distance),
                     point=lambda one: (one.vector, {"text": one.body}))  # fmt: skip

    def incidents(each: int) -> Iterator[Pair]:
        asked = Asked(world.shard(name), name)
        found: Pair = ([], [])
        strict: Pair = ([], [])
        for one in world.drawn.sample(records, 400):
            vector = _asks(world, one, 9)
            place = _by_direction(vector, records).index(one.id)
            step = asked(vector)
            if place == 0 and one.id not in asked.exact(vector, limit=4 * TAKEN):
                found[0].append(Failure("wrong_distance", (step,), expected=(one.id,)))
            if one.id in ids(step):
                found[1].append(Failure("", (step,), expected=(one.id,)))
            if distance is q.Distance.Euclid and asked.exact(vector, limit=1) == [one.id]:
                near = asked.edge.search(q.SearchRequest(query=q.Query.Nearest(vector), limit=1))[0].score
                strict[0].append(Failure("condition_excludes", (asked(vector, threshold=round(near * 0.6, 3)),),
                                         expected=(one.id,)))  # fmt: skip
                strict[1].append(Failure("", (asked(vector, threshold=round(near * 1.3, 3)),), expected=(one.id,)))
        asked.edge.close()
        yield found
        yield strict

    return incidents


def _by_direction(vector: list[float], records: list[Made]) -> list[int]:
    def near(one: Made) -> float:
        size = sum(value * value for value in one.vector) ** 0.5
        return sum(a * b for a, b in zip(one.vector, vector, strict=True)) / size

    return [one.id for one in sorted(records, key=near, reverse=True)]


def _sparse(world: World, text: str) -> Any:
    weights = world.words(text)
    return q.SparseVector(list(weights), list(weights.values()))
