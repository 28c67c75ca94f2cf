"""Searches that are no plain ones (functions, groups, fusions, second orders), and what fails in them; other types and
other mistakes of people. To each one that works."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import qdrant_edge as q

from tests.benchmarks.failures.cases import Failure, ids
from tests.benchmarks.failures.places import Made, World, literal
from tests.benchmarks.failures.tables import create

Pair = tuple[list[Failure], list[Failure]]
TAKEN = 6
"""How many results the application takes."""


class Search:
    """A statement of the application's, asked in production."""

    def __init__(self, world: World, sql: str, *, key: str = "id", **settings: str) -> None:
        self._world, self._sql, self._key = world, sql, key
        self._settings = {"enable_seqscan": "off", **{name.replace("__", "."): v for name, v in settings.items()}}

    def __call__(self, *values: Any) -> dict[str, Any]:
        """The step with what production answers."""
        given = [literal(one) if isinstance(one, list) else one for one in values]
        try:
            expect: dict[str, Any] = {"ids": [row[0] for row in self._world.ask(self._sql, *given, **self._settings)]}
        except Exception as exc:
            expect = {"error": f"{getattr(exc, 'sqlstate', None) or '-----'} {str(exc).splitlines()[0]}"}
        return {"id": "search", "kind": "sql", "store": "main", "role": "app", "sql": self._sql, "key": self._key,
                "parameters": list(values), "settings": self._settings, "expect": expect}  # fmt: skip


def composed(world: World, each: int) -> Callable[[], Iterator[Pair]]:
    """Write what these searches look at; returns what makes the incidents once all is written."""
    create(world)
    packed, mixed = _packed(world), _mixed(world)

    def incidents() -> Iterator[Pair]:
        for make in (_functions, _second_order, _types, _groups, _hybrid, _people, _pages, _dimensions):
            for wrong, right in make(world, each):
                yield wrong[:each], right[:each]
        yield from packed(each)
        yield from mixed(each)

    return incidents


def _asks(world: World, one: Made, words: int = 6) -> list[float]:
    return world.model.vector(world.writer.question(one.body, words))


def _sorted(
    world: World, table: str, cause: str, step: Callable[[Made, list[float]], dict[str, Any]], each: int, *,
    truth: Callable[[Made, list[float]], bool], words: int = 6,
) -> Pair:  # fmt: skip
    """Records that should come and do not, and records that do."""
    found: Pair = ([], [])
    for one in world.drawn.sample(list(world.tables[table].values()), len(world.tables[table])):
        vector = _asks(world, one, words)
        made = step(one, vector)
        if one.id in ids(made):
            found[1].append(Failure("", (made,), expected=(one.id,)))
        elif truth(one, vector):
            found[0].append(Failure(cause, (made,), expected=(one.id,)))
        if min(map(len, found)) >= each:
            break
    return found


def _near(world: World, table: str, where: str = "") -> Callable[[Made, list[float]], bool]:
    return lambda one, vector: one.id in world.exactly(table, vector, TAKEN, where)


def _functions(world: World, each: int) -> Iterator[Pair]:
    near = _near(world, "thin")
    by_name = Search(world, f"SELECT id, body FROM match_thin(%s::vector, {TAKEN})")
    yield _sorted(world, "thin", "breadth_too_small", lambda one, vector: by_name(vector), each, truth=lambda one, v: (
        near(one, v) and one.id in world.nearest("thin", v, TAKEN, hnsw__ef_search="900")))  # fmt: skip
    owned = Search(world, f"SELECT * FROM search_thin(owner => %s, query => %s::vector, how_many => {TAKEN})")
    wrong = [Failure("tenant_excludes", (owned(one.tenant % 4 + 1, vector),), expected=(one.id,))
             for one in world.drawn.sample(list(world.tables["thin"].values()), 30)
             if near(one, vector := _asks(world, one))]  # fmt: skip
    right = [Failure("", (step,), expected=(one.id,))
             for one in world.drawn.sample(list(world.tables["thin"].values()), 80)
             if one.id in ids(step := owned(one.tenant, _asks(world, one)))]  # fmt: skip
    yield wrong, right
    far = Search(world, "SELECT * FROM match_thin(%s::vector, how_many => 3)", hnsw__ef_search="900")
    yield _below(world, "thin", lambda vector: far(vector), 3, each)


def _below(world: World, table: str, step: Callable[[list[float]], dict[str, Any]], taken: int, each: int) -> Pair:
    """A record a little below what is taken, and the last one that is."""
    found: Pair = ([], [])
    for one in world.drawn.sample(list(world.tables[table].values()), 8 * each):
        vector = _asks(world, one, 4)
        exact = world.exactly(table, vector, taken + 3)
        made = step(vector)
        later = exact[taken + world.drawn.randrange(2)]
        if later not in ids(made):
            found[0].append(Failure("below_k", (made,), expected=(later,)))
        if exact[taken - 1] in ids(made):
            found[1].append(Failure("", (made,), expected=(exact[taken - 1],)))
    return found


def _second_order(world: World, each: int) -> Iterator[Pair]:
    """Few bits first, the vectors themselves behind them."""
    bits = Search(
        world,
        f"SELECT id FROM (SELECT id, embedding FROM bits ORDER BY binary_quantize(embedding)::bit(48) <~>"
        f" binary_quantize(%s::vector)::bit(48) LIMIT 12) few ORDER BY embedding <=> %s::vector LIMIT {TAKEN}",
    )
    yield _sorted(world, "bits", "quantization_lossy", lambda one, v: bits(v, v), each, truth=_near(world, "bits"),
                  words=4)  # fmt: skip


def _types(world: World, each: int) -> Iterator[Pair]:
    half = Search(
        world,
        f"SELECT id, embedding::halfvec(48) <=> %s::halfvec(48) AS far FROM halves ORDER BY far LIMIT {TAKEN}",
        hnsw__ef_search="15",
    )
    wide = Search(
        world, f"SELECT id FROM halves ORDER BY embedding::halfvec(48) <=> %s::halfvec(48) LIMIT {TAKEN}",
        hnsw__ef_search="1000",
    )  # fmt: skip
    yield _sorted(world, "halves", "breadth_too_small", lambda one, v: half(v), each, truth=lambda one, v: (
        one.id in world.exactly("halves", v, TAKEN - 1) and one.id in ids(wide(v))))  # fmt: skip
    rare = "WHERE lang = 'fi'"
    going = Search(
        world, f"SELECT id, embedding <=> %s::vector AS far FROM dated {rare} ORDER BY far LIMIT {TAKEN}",
        hnsw__iterative_scan="strict_order", hnsw__max_scan_tuples="60", hnsw__ef_search="20",
    )  # fmt: skip
    found: Pair = ([], [])
    for one in world.tables["dated"].values():
        if one.lang == "fi":
            vector = _asks(world, world.drawn.choice(list(world.tables["dated"].values())))
            exact = world.exactly("dated", vector, TAKEN, rare)
            step = going(vector)
            if exact[-1] not in ids(step) and len(ids(step)) < TAKEN:
                found[0].append(Failure("scan_exhausted", (step,), expected=(exact[-1],)))
            if one.id in ids(step := going(_asks(world, one))):
                found[1].append(Failure("", (step,), expected=(one.id,)))
    yield found
    plain = Search(world, f"SELECT id, embedding <=> %s::vector AS far FROM dated ORDER BY far LIMIT {TAKEN}")
    old = [one for one in world.tables["dated"].values() if one.more.get("old")]
    wrong = [Failure("stale_embedding", (step,), expected=(one.id,)) for one in old
             if one.id not in ids(step := plain(_asks(world, one)))]  # fmt: skip
    others = [one for one in world.tables["dated"].values() if one not in old]
    yield wrong, [Failure("", (step,), expected=(one.id,)) for one in world.drawn.sample(others, 3 * each)
                  if one.id in ids(step := plain(_asks(world, one)))]  # fmt: skip


def _groups(world: World, each: int) -> Iterator[Pair]:
    """The nearest documents by the nearest of their chunks."""
    by_document = Search(
        world, "SELECT doc, min(embedding <=> %s::vector) AS far FROM leaves WHERE tenant_id = %s GROUP BY doc ORDER BY"
        " far LIMIT 4", key="doc",
    )  # fmt: skip
    first = Search(
        world, "SELECT doc, far FROM (SELECT DISTINCT ON (doc) doc, embedding <=> %s::vector AS far FROM leaves WHERE"
        " tenant_id = %s ORDER BY doc, far) best ORDER BY far LIMIT 4", key="doc",
    )  # fmt: skip
    wrong: dict[str, list[Failure]] = {"below_k": [], "tenant_excludes": []}
    right: list[Failure] = []
    ways = itertools.cycle((by_document, first))
    for one in world.drawn.sample(list(world.tables["leaves"].values()), 12 * each):
        vector, way = _asks(world, one, 5), next(ways)
        step, document = way(vector, one.tenant), one.more["doc"]
        if document in ids(step):
            right.append(Failure("", (step,), expected=(document,)))
            away = way(vector, one.tenant % 4 + 1)
            wrong["tenant_excludes"].append(Failure("tenant_excludes", (away,), expected=(document,)))
        order = world.ask(
            "SELECT doc FROM leaves WHERE tenant_id = %s GROUP BY doc ORDER BY min(embedding <=> %s::vector) LIMIT 9",
            one.tenant, literal(vector), enable_indexscan="off", enable_seqscan="on",
        )  # fmt: skip
        wrong["below_k"].append(Failure("below_k", (step,), expected=(order[world.drawn.randrange(5, 9)][0],)))
    for cause, failures in wrong.items():
        yield failures, right if cause == "below_k" else right[each:]


HYBRID = """
WITH meant AS (
  SELECT id, row_number() OVER (ORDER BY embedding <=> %s::vector) AS place FROM thin WHERE tenant_id = %s
  ORDER BY embedding <=> %s::vector LIMIT 12
), said AS (
  SELECT id, row_number() OVER (ORDER BY ts_rank(to_tsvector('simple', body), wanted) DESC, id) AS place
  FROM thin, plainto_tsquery('simple', %s) wanted WHERE tenant_id = %s AND to_tsvector('simple', body) @@ wanted
  ORDER BY ts_rank(to_tsvector('simple', body), wanted) DESC, id LIMIT 12
)
SELECT coalesce(meant.id, said.id) AS id, coalesce(1.0 / (60 + meant.place), 0) + coalesce(1.0 / (60 + said.place), 0)
       AS score
FROM meant FULL OUTER JOIN said ON meant.id = said.id ORDER BY score DESC, id LIMIT 4
"""


def _hybrid(world: World, each: int) -> Iterator[Pair]:
    """Meaning and words, put together by their places."""
    asked = Search(world, HYBRID, hnsw__ef_search="900")
    excluded: Pair = ([], [])
    below: Pair = ([], [])
    for one in world.drawn.sample(list(world.tables["thin"].values()), 8 * each):
        vector = _asks(world, one, 5)
        word = world.writer.question(one.body, 1)
        step = asked(vector, one.tenant, vector, word, one.tenant)
        order = world.exactly("thin", vector, 12, f"WHERE tenant_id = {one.tenant}")
        if one.id in ids(step):
            (excluded if len(excluded[1]) < each else below)[1].append(Failure("", (step,), expected=(one.id,)))
            other = one.tenant % 4 + 1
            excluded[0].append(Failure("tenant_excludes", (asked(vector, other, vector, word, other),),
                                       expected=(one.id,)))  # fmt: skip
        if order[9] not in ids(step):
            below[0].append(Failure("below_k", (step,), expected=(order[9],)))
    yield excluded
    yield below


def _people(world: World, each: int) -> Iterator[Pair]:
    """A name in another case, a value that is not there, a type that is another."""
    end = f"ORDER BY embedding <=> %s::vector LIMIT {TAKEN}"
    space = Search(world, f"SELECT id, body FROM named WHERE workspace = %s {end}", hnsw__ef_search="900")
    rows = list(world.tables["named"].values())
    wrong = [Failure("tenant_excludes", (space(str(one.more["workspace"]).upper(), vector),), expected=(one.id,))
             for one in world.drawn.sample(rows, 6 * each)
             if one.id in world.exactly("named", vector := _asks(world, one), TAKEN)]  # fmt: skip
    right = [Failure("", (step,), expected=(one.id,)) for one in world.drawn.sample(rows, 6 * each)
             if one.id in ids(step := space(one.more["workspace"], _asks(world, one)))]  # fmt: skip
    yield wrong, right
    left = Search(world, f"SELECT id, body FROM named WHERE region <> 'north' {end}", hnsw__ef_search="900")
    none = [one for one in rows if one.more["region"] is None]
    some = [one for one in rows if one.more["region"] == "south"]
    yield [Failure("condition_excludes", (left(vector),), expected=(one.id,)) for one in none
           if one.id in world.exactly("named", vector := _asks(world, one), TAKEN)], [
        Failure("", (step,), expected=(one.id,)) for one in world.drawn.sample(some, 6 * each)
        if one.id in ids(step := left(_asks(world, one)))]  # fmt: skip


def _pages(world: World, each: int) -> Iterator[Pair]:
    """The second page, and what stands on the first one."""
    page = f"LIMIT {TAKEN} OFFSET {TAKEN}"
    second = Search(world, f"SELECT id, embedding <=> %s::vector AS far FROM dated ORDER BY far {page}",
                    hnsw__ef_search="900")  # fmt: skip
    found: Pair = ([], [])
    for one in world.drawn.sample(list(world.tables["dated"].values()), 4 * each):
        if one.more.get("old"):
            continue
        step = second(vector := _asks(world, one))
        exact = world.exactly("dated", vector, TAKEN + 1)
        if exact[2] not in ids(step):
            found[0].append(Failure("offset_skips", (step,), expected=(exact[2],)))
        if exact[TAKEN] in ids(step):
            found[1].append(Failure("", (step,), expected=(exact[TAKEN],)))
    yield found


def _dimensions(world: World, each: int) -> Iterator[Pair]:
    """A query of another model's length; records of another one's, in a column that takes any."""
    rows = list(world.tables["loose"].values())
    asked = Search(world, f"SELECT id FROM dated ORDER BY embedding <=> %s::vector LIMIT {TAKEN}")
    loose = Search(world, "SELECT id, embedding::vector(48) <=> %s::vector AS far FROM loose WHERE"
                   f" vector_dims(embedding) = 48 ORDER BY far LIMIT {TAKEN}")  # fmt: skip
    short = [one for one in rows if len(one.vector) != 48]
    wrong = [Failure("wrong_dimension", (asked(_asks(world, one)[: 8 + number]),), expected=(one.id,))
             for number, one in enumerate(world.drawn.sample(list(world.tables["dated"].values()), each))]  # fmt: skip
    wrong = [one for both in zip(wrong, [Failure("wrong_dimension", (loose(world.model.vector(one.body)),), expected=(
        one.id,)) for one in short], strict=False) for one in both]  # fmt: skip
    right = [Failure("", (step,), expected=(one.id,)) for one in rows if one not in short
             and one.id in ids(step := loose(_asks(world, one)))]  # fmt: skip
    yield wrong, right


def _asked(edge: Any, collection: str, body: dict[str, Any], request: Any) -> dict[str, Any]:
    found = edge.query(request)
    return {"id": "search", "kind": "vector", "store": "kb", "collection": collection, **body,
            "expect": {"ids": [point.id for point in found]}}  # fmt: skip


def _packed(world: World) -> Callable[[int], Iterator[Pair]]:
    """Points of which a bit a number is compared, and nothing behind it."""
    records = world.texts(700)
    world.collection(
        "packed", records, vectors=q.EdgeVectorParams(size=48, distance=q.Distance.Cosine, quantization_config=(
            q.BinaryQuantizationConfig(always_ram=True))), point=lambda one: (one.vector, {"text": one.body}),
    )  # fmt: skip

    def incidents(each: int) -> Iterator[Pair]:
        edge = world.shard("packed")
        found: Pair = ([], [])
        for one in world.drawn.sample(records, 200):
            vector = _asks(world, one, 4)
            given = q.SearchParams(hnsw_ef=300, quantization=q.QuantizationSearchParams(rescore=False))
            params = {"hnsw_ef": 300, "quantization": {"rescore": False}}
            step = _asked(edge, "packed", {"vector": vector, "limit": TAKEN, "params": params}, q.QueryRequest(
                limit=TAKEN, query=q.Query.Nearest(vector), params=given))  # fmt: skip
            exact = edge.search(q.SearchRequest(query=q.Query.Nearest(vector), limit=TAKEN,
                                                params=q.SearchParams(exact=True)))  # fmt: skip
            if lost := [point.id for point in exact[:3] if point.id not in ids(step)]:
                found[0].append(Failure("quantization_lossy", (step,), expected=(lost[0],)))
            elif exact[0].id in ids(step):
                found[1].append(Failure("", (step,), expected=(exact[0].id,)))
        edge.close()
        yield found[0][:each], found[1][:each]

    return incidents


def _filter(must: Sequence[tuple[str, Any]]) -> tuple[dict[str, Any], Any]:
    return {"must": [{"key": key, "match": {"value": value}} for key, value in must]}, q.Filter(
        must=[q.FieldCondition(key, q.MatchValue(value)) for key, value in must]
    )


def _mixed(world: World) -> Callable[[int], Iterator[Pair]]:
    """Points with a dense and a sparse vector, some without a payload."""
    records = world.texts(900)
    bare = world.drawn.sample(records, 80)
    for number, one in enumerate(records):
        one.more = {"doc": number // 3}
    world.collection(
        "mixed", records, vectors={"dense": q.EdgeVectorParams(size=48, distance=q.Distance.Cosine)},
        sparse={"words": q.EdgeSparseVectorParams()}, point=lambda one: (
            {"dense": one.vector, "words": _sparse(world, one.body)}, {} if one in bare else {
                "text": one.body, "tenant": one.tenant, "status": "published", "doc": one.more["doc"]}),
    )  # fmt: skip
    whole = [one for one in records if one not in bare]

    def fused(edge: Any, one: Made, tenant: int | None, taken: int, words: int = 6) -> dict[str, Any]:
        said = world.writer.question(one.body, words)
        vector, sparse = world.model.vector(said), _sparse(world, said)
        kept, engine = _filter([("tenant", tenant)]) if tenant else (None, None)
        shown = {"indices": list(sparse.indices), "values": list(sparse.values)}
        prefetch = [{"query": given, "using": name, "limit": 10, **({"filter": kept} if kept else {})}
                    for given, name in ((vector, "dense"), (shown, "words"))]  # fmt: skip
        body = {"prefetch": prefetch, "query": {"fusion": "rrf"}, "limit": taken}
        return _asked(edge, "mixed", body, q.QueryRequest(limit=taken, query=q.Fusion.Rrf(2), prefetches=[
            q.Prefetch(limit=10, query=q.Query.Nearest(given, name), filter=engine)
            for given, name in ((vector, "dense"), (sparse, "words"))]))  # fmt: skip

    def incidents(each: int) -> Iterator[Pair]:
        edge = world.shard("mixed")
        excluded: Pair = ([], [])
        below: Pair = ([], [])
        for one in world.drawn.sample(whole, 4 * each):
            if one.id in ids(step := fused(edge, one, one.tenant, 4)):
                excluded[1].append(Failure("", (step,), expected=(one.id,)))
                away = fused(edge, one, one.tenant % 4 + 1, 4)
                excluded[0].append(Failure("tenant_excludes", (away,), expected=(one.id,)))
            asked = fused(edge, one, None, 14)
            one_less = {**asked, "limit": 3, "expect": {"ids": ids(asked)[:3]}}
            below[0].append(Failure("below_k", (one_less,), expected=(ids(asked)[6],)))
            below[1].append(Failure("", (asked,), expected=(ids(asked)[0],)))
        yield excluded[0][:each], excluded[1][:each]
        yield below[0][:each], below[1][:each]
        yield _grouped(edge, each)
        yield from _payloads(edge, each)
        edge.close()

    def _grouped(edge: Any, each: int) -> Pair:
        found: Pair = ([], [])
        for one in world.drawn.sample(whole, 6 * each):
            vector = _asks(world, one)
            body = {"vector": vector, "using": "dense", "group_by": "doc", "group_size": 1, "limit": 3}
            best = edge.search(q.SearchRequest(query=q.Query.Nearest(vector, "dense"), limit=60, with_payload=True,
                                               params=q.SearchParams(exact=True)))  # fmt: skip
            first = {p.payload["doc"]: p.id for p in reversed(best) if "doc" in (p.payload or {})}
            order = [p.id for p in best if p.id in first.values()]
            step = {"id": "search", "kind": "vector", "store": "kb", "collection": "mixed", **body,
                    "expect": {"ids": order[:3]}}  # fmt: skip
            found[0].append(Failure("below_k", (step,), expected=(order[5],)))
            found[1].append(Failure("", (step,), expected=(order[1],)))
        return found[0][:each], found[1][:each]

    def _payloads(edge: Any, each: int) -> Iterator[Pair]:
        def step(
            vector: list[float], must: Sequence[tuple[str, Any]], threshold: float | None = None
        ) -> dict[str, Any]:
            kept, engine = _filter(must) if must else (None, None)
            body = {"vector": vector, "using": "dense", "limit": TAKEN, **({"filter": kept} if kept else {})}
            body |= {"score_threshold": threshold} if threshold is not None else {}
            near = q.Query.Nearest(vector, "dense")
            request = q.QueryRequest(limit=TAKEN, query=near, filter=engine, score_threshold=threshold)
            return _asked(edge, "mixed", body, request)

        published = [("status", "published")]
        yield [Failure("condition_excludes", (step(world.model.vector(one.body), published),), expected=(one.id,))
               for one in bare[:each]], [
            Failure("", (made,), expected=(one.id,)) for one in world.drawn.sample(whole, 4 * each)
            if one.id in ids(made := step(_asks(world, one, 9), published))][:each]  # fmt: skip

        def of_tenant(one: Made, value: Any) -> dict[str, Any]:
            return step(world.model.vector(one.body), [("tenant", value)])

        some = world.drawn.sample(whole, each)
        right = [(of_tenant(one, one.tenant), one) for one in world.drawn.sample(whole, 2 * each)]
        yield [Failure("tenant_excludes", (of_tenant(one, str(one.tenant)),), expected=(one.id,)) for one in some], [
            Failure("", (made,), expected=(one.id,)) for made, one in right if one.id in ids(made)][:each]  # fmt: skip
        strict: Pair = ([], [])
        for one in world.drawn.sample(whole, 4 * each):
            vector = _asks(world, one, 5)
            near = edge.search(q.SearchRequest(query=q.Query.Nearest(vector, "dense"), limit=TAKEN))
            if near[1].id == one.id or near[0].id == one.id:
                score = next(p.score for p in near if p.id == one.id)
                high, low = (step(vector, [], round(score + by, 3)) for by in (0.02, -0.02))
                strict[0].append(Failure("condition_excludes", (high,), expected=(one.id,)))
                strict[1].append(Failure("", (low,), expected=(one.id,)))
        yield strict[0][:each], strict[1][:each]

    return incidents


def _sparse(world: World, text: str) -> Any:
    weights = world.words(text)
    return q.SparseVector(list(weights), list(weights.values()))
