"""Failures of state, index, filter and rank, in both stores; to each a search of the same kind that works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import qdrant_edge as q

from tests.benchmarks.failures.cases import LIMIT, Failure, by_points, by_sql, ids, search
from tests.benchmarks.failures.places import Made, World, literal

Pair = tuple[list[Failure], list[Failure]]
"""What fails, and what does not."""


class Built:
    """Records with something wrong about them, by cause, chosen before anything is written."""

    def __init__(self, world: World, each: int) -> None:
        self.each = each
        writer, drawn = world.writer, world.drawn
        self.chunks = world.texts(1500)
        picked = iter(drawn.sample(self.chunks, 20 * each + 200))
        self.plain = [next(picked) for _ in range(8 * each)]
        self.wrong = [next(picked) for _ in range(3 * each)]
        for one in self.wrong:
            one.vector = world.other_model.vector(one.body)
        self.stale = [next(picked) for _ in range(2 * each)]
        for one in self.stale:  # rewritten about something else, and not embedded again
            subject = drawn.choice([other for other in writer.subjects if other is not one.subject])
            one.subject, one.body = subject, writer.text(subject)
        self.drafts = [next(picked) for _ in range(2 * each)]
        for one in self.drafts:
            one.status = "draft"
        self.finnish = [next(picked) for _ in range(40)]
        for one in self.finnish:
            one.lang = "fi"
        self.unembedded = [next(picked) for _ in range(each)]
        self.gone = [next(picked) for _ in range(2 * each)]
        self.gap: list[Made] = []
        for _ in range(2 * each):
            one = world.text()
            one.body = writer.text(one.subject, other=True)
            one.vector = world.model.vector(one.body)
            self.gap.append(one)
        self.copied: list[tuple[str, Made]] = []
        self.alike: list[tuple[str, Made]] = []
        self.about: dict[int, str] = {}
        crowd: list[Made] = []
        for number in range(6 * each):
            word = writer.word()
            first = world.text()
            first.body = f"{word} {word} {word} {writer.text(first.subject, 18)}"
            wanted = replace(world.text(first.subject), body=f"{word} {word} {writer.text(first.subject, 18)}")
            for made in range(LIMIT + 3):
                other = replace(world.text(first.subject), body=first.body)
                if number % 2:
                    said = first.body.rstrip(".").split()
                    said[-1] = writer.word()
                    other.body = f"{' '.join(said)} {made + 1}."
                crowd.append(other)
            for one in (*crowd[-LIMIT - 3 :], wanted):
                one.vector = world.model.vector(one.body)
            about = f"{word} {word} {word}"
            (self.alike if number % 2 else self.copied).append((about, wanted))
            self.about.update({one.id: about for one in crowd[-LIMIT - 3 :]})
            crowd.append(wanted)
        self.crowd = {one.id for one in crowd}
        self.all = [one for one in (*self.chunks, *self.gap, *crowd) if one not in self.gone]


def build(world: World, each: int) -> Callable[[], Iterator[Pair]]:
    """Write the tables and the collection; returns what makes the incidents once all is written."""
    built = Built(world, each)
    world.fill("chunks", built.all, "hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 100)")
    world.fill("sparse", world.texts(1500), "hnsw (embedding vector_cosine_ops) WITH (m = 2, ef_construction = 4)")
    world.fill("lists", world.texts(1500), "ivfflat (embedding vector_cosine_ops) WITH (lists = 40)")
    world.fill("ruled", world.texts(300), "hnsw (embedding vector_cosine_ops)")
    world.fill("moving", world.texts(300), "hnsw (embedding vector_cosine_ops)")
    world.fill("worn", world.texts(1200), "hnsw (embedding vector_cosine_ops)")
    with world.connect() as conn:
        conn.execute("ALTER TABLE worn SET (autovacuum_enabled = off)")
        for one in built.unembedded:
            conn.execute("UPDATE chunks SET embedding = NULL WHERE id = %s", [one.id])
    points = _points(world, each)

    def incidents() -> Iterator[Pair]:
        edge = world.shard()
        try:
            yield from _of_tables(world, built, each)
            yield from points(edge)
        finally:
            edge.close()

    return incidents


def _of_tables(world: World, built: Built, each: int) -> Iterator[Pair]:
    plain = iter(built.plain)

    def works(where: str = "", **settings: str) -> Failure:
        for one in plain:
            step = by_sql(world, "chunks", search(world, one), where, **settings)
            if one.id in ids(step):
                return Failure("", (step,), expected=(one.id,))
        raise AssertionError("no search of this production works")

    def fails(cause: str, records: list[Made], where: str = "", **kwargs: Any) -> list[Failure]:
        found = []
        for one in records:
            step = by_sql(world, "chunks", search(world, one), where, **kwargs)
            if one.id not in ids(step):
                found.append(Failure(cause, (step,), expected=(one.id,)))
        return found[:each]

    half = -(-each // 2)
    far = [one for one in (*built.wrong, *built.stale) if one.id not in world.exactly("chunks", search(world, one), 20)]
    yield fails("wrong_model", [one for one in far if one in built.wrong])[:half], [works() for _ in range(half)]
    yield fails("stale_embedding", [one for one in far if one in built.stale])[:half], [works() for _ in range(half)]
    yield fails("missing_chunk", built.gone)[:half], [works() for _ in range(half)]
    yield fails("row_without_vector", built.unembedded), [works() for _ in range(each)]
    published = "WHERE status = 'published'"
    near = [one for one in built.drafts if one.id in world.nearest("chunks", search(world, one), LIMIT)]
    yield fails("condition_excludes", near, published)[:half], [works(published) for _ in range(half)]
    yield _tenants(world, built, each)
    yield _duplicates(world, built, each)
    yield _below(world, built, each)
    yield _gaps(world, built, each)
    yield _filtered_late(world, built, each)
    yield from _sparse(world, each)
    yield _lists(world, each)
    yield _worn(world, each)


def _tenants(world: World, built: Built, each: int) -> Pair:
    found: Pair = ([], [])
    for one in world.drawn.sample(built.chunks, 100):
        vector = search(world, one, 10)
        if one in built.gone or one.id not in world.exactly("chunks", vector, LIMIT):
            continue
        other = one.tenant % 4 + 1
        wrong = by_sql(world, "chunks", vector, "WHERE tenant_id = %s", values=(other,), hnsw__ef_search="400")
        right = by_sql(world, "chunks", vector, "WHERE tenant_id = %s", values=(one.tenant,), hnsw__ef_search="400")
        found[0].append(Failure("tenant_excludes", (wrong,), expected=(one.id,)))
        if one.id in ids(right):
            found[1].append(Failure("", (right,), expected=(one.id,)))
    return found[0][:each], found[1][:each]


def _duplicates(world: World, built: Built, each: int) -> Pair:
    wrong: dict[str, list[Failure]] = {"duplicates": [], "crowded_out": []}
    right: list[Failure] = []
    for cause, records in (("duplicates", built.copied), ("crowded_out", built.alike)):
        for about, wanted in records:
            vector = world.model.vector(about)
            step = by_sql(world, "chunks", vector)
            exact = world.exactly("chunks", vector, LIMIT + 12)
            if wanted.id in exact and wanted.id not in ids(step):
                before = exact[: exact.index(wanted.id)]
                crowd = [ident for ident in before if ident in built.crowd and built.about.get(ident) == about]
                if len(before) - len(crowd) + 1 < LIMIT:
                    wrong[cause].append(Failure(cause, (step,), expected=(wanted.id,)))
            wide = by_sql(world, "chunks", vector, limit=3 * LIMIT)
            if wanted.id in ids(wide):
                right.append(Failure("", (wide,), expected=(wanted.id,)))
    return wrong["duplicates"][:each] + wrong["crowded_out"][:each], right[: 2 * each]


def _below(world: World, built: Built, each: int) -> Pair:
    found: Pair = ([], [])
    table = world.tables["sparse"]
    for one in world.drawn.sample(list(table.values()), 400):
        vector = search(world, one, 3)
        exact = world.exactly("chunks", vector, LIMIT + 3)
        place = LIMIT + world.drawn.randrange(3)
        if len(exact) <= place or built.crowd & set(exact):
            continue
        step = by_sql(world, "chunks", vector)
        if exact[place] not in ids(step):
            found[0].append(Failure("below_k", (step,), expected=(exact[place],)))
        if exact[LIMIT - 1] in ids(step):
            found[1].append(Failure("", (step,), expected=(exact[LIMIT - 1],)))
        if min(map(len, found)) >= each:
            break
    return found[0][:each], found[1][:each]


def _gaps(world: World, built: Built, each: int) -> Pair:
    found: Pair = ([], [])
    for one in built.gap:
        vector = world.model.vector(world.writer.question(world.writer.text(one.subject)))
        if one.id not in world.exactly("chunks", vector, 60):
            found[0].append(Failure("semantic_gap", (by_sql(world, "chunks", vector),), expected=(one.id,)))
        step = by_sql(world, "chunks", search(world, one, 9))
        if one.id in ids(step):
            found[1].append(Failure("", (step,), expected=(one.id,)))
    return found[0][:each], found[1][:each]


def _filtered_late(world: World, built: Built, each: int) -> Pair:
    found: Pair = ([], [])
    where = "WHERE lang = 'fi'"
    for one in built.finnish:
        vector = world.model.vector(world.writer.question(world.drawn.choice(built.plain).body))
        exact = world.exactly("chunks", vector, LIMIT, where)
        step = by_sql(world, "chunks", vector, where)
        if exact[0] not in ids(step):
            found[0].append(Failure("scan_exhausted", (step,), expected=(exact[0],)))
        near = by_sql(world, "chunks", search(world, one), where, hnsw__iterative_scan="strict_order")
        if one.id in ids(near):
            found[1].append(Failure("", (near,), expected=(one.id,)))
    return found[0][:each], found[1][:each]


def _sparse(world: World, each: int) -> Iterator[Pair]:
    """A graph of two neighbours each: some records are only found by a broad search, some by none."""
    narrow: Pair = ([], [])
    lost: Pair = ([], [])
    for one in world.drawn.sample(list(world.tables["sparse"].values()), 900):
        if min(map(len, (*narrow, *lost))) >= each:
            break
        vector = search(world, one)
        if one.id not in world.exactly("sparse", vector, LIMIT):
            continue
        step = by_sql(world, "sparse", vector, hnsw__ef_search="20")
        if one.id in ids(step):
            narrow[1].append(Failure("", (step,), expected=(one.id,)))
            lost[1].append(Failure("", (by_sql(world, "sparse", vector, hnsw__ef_search="200"),), expected=(one.id,)))
        elif one.id in world.nearest("sparse", vector, LIMIT, hnsw__ef_search="1000"):
            narrow[0].append(Failure("breadth_too_small", (step,), expected=(one.id,)))
        elif one.id not in world.nearest("sparse", one.vector, 400, hnsw__ef_search="1000"):
            lost[0].append(Failure("unreachable", (step,), expected=(one.id,)))
    for wrong, right in (narrow, lost):
        yield wrong[:each], [one for one in right if one.expected[0] in ids(one.steps[0])][:each]


def _lists(world: World, each: int) -> Pair:
    found: Pair = ([], [])
    for one in world.drawn.sample(list(world.tables["lists"].values()), 400):
        vector = search(world, one, 3)
        exact = world.exactly("lists", vector, LIMIT)
        step = by_sql(world, "lists", vector)
        if lost := [ident for ident in exact if ident not in ids(step)]:
            found[0].append(Failure("probes_too_few", (step,), expected=(lost[0],)))
        elif exact:
            found[1].append(Failure("", (step,), expected=(exact[0],)))
        if min(map(len, found)) >= each:
            break
    return found[0][:each], found[1][:each]


def _worn(world: World, each: int) -> Pair:
    """Most of what is near was deleted, and no VACUUM came."""
    found: Pair = ([], [])
    subjects = world.drawn.sample(world.writer.subjects, 2 * each + 1)
    asked = [world.model.vector(" ".join(world.drawn.sample(subject.words, 6))) for subject in subjects]
    with world.connect() as conn:
        for vector in asked:
            conn.execute("DELETE FROM worn WHERE id = ANY(%s)", [world.exactly("worn", vector, 70)[:45]])
        for vector in asked:
            step = by_sql(world, "worn", vector)
            exact = world.exactly("worn", vector, LIMIT)
            if exact and exact[0] not in ids(step):
                found[0].append(Failure("dead_rows", (step,), expected=(exact[0],)))
    for one in world.drawn.sample(list(world.tables["worn"].values()), 200):
        step = by_sql(world, "worn", search(world, one))
        if one.id in ids(step) and len(ids(step)) == LIMIT:
            found[1].append(Failure("", (step,), expected=(one.id,)))
    return found[0][:each], found[1][:each]


def _points(world: World, each: int) -> Callable[[Any], Iterator[Pair]]:
    """The collection and its rows: points that have no row, rows without a point, old copies, another model."""
    drawn, writer = world.drawn, world.writer
    everything = world.texts(1300)
    picked = iter(drawn.sample(everything, 16 * each))
    unpointed = [next(picked) for _ in range(2 * each)]
    orphans = [next(picked) for _ in range(3 * each)]
    stale = [next(picked) for _ in range(each)]
    wrong = [next(picked) for _ in range(each)]
    gone = [next(picked) for _ in range(each)]
    drafts = [next(picked) for _ in range(each)]
    plain = [next(picked) for _ in range(6 * each)]
    for one in everything:
        one.more = {"model": "embed-2"}
    rows = [replace(one) for one in everything if one not in orphans and one not in gone]
    for one in wrong:
        one.vector = world.other_model.vector(one.body)
        one.more = {"model": "embed-1"}
    for row in rows:
        if any(row.id == one.id for one in stale):  # the row was rewritten; its point was not
            row.subject = drawn.choice([s for s in writer.subjects if s is not row.subject])
            row.body = writer.text(row.subject)
    for one in drafts:
        one.status = "draft"
    with world.connect() as conn:
        conn.execute("CREATE TABLE articles (id int PRIMARY KEY, body text)")
        with conn.cursor().copy("COPY articles FROM STDIN") as copy:
            for row in rows:
                copy.write_row((row.id, row.body))
    world.points([one for one in everything if one not in unpointed and one not in gone], m=4, ef_construct=8)
    texts = {row.id: row.body for row in rows}
    published = {"must": [{"key": "status", "match": {"value": "published"}}]}
    engine = q.Filter(must=[q.FieldCondition("status", q.MatchValue("published"))])
    bad = {one.id for one in (*orphans, *stale, *wrong)}

    def incidents(edge: Any) -> Iterator[Pair]:
        def working() -> Iterator[Failure]:
            kept = {one.id for one in (*unpointed, *gone)} | bad
            for one in everything:
                step = by_points(edge, search(world, one))
                if one.id not in kept and one.id in ids(step) and not bad & set(ids(step)):
                    yield Failure("", (step,), expected=(one.id,))

        works = working()
        half = -(-each // 2)

        def asked(cause: str, record: Made, body: str = "", **kwargs: Any) -> Iterator[Failure]:
            vector = world.model.vector(writer.question(body or record.body))
            step = by_points(edge, vector, **kwargs)
            if record.id not in ids(step) and not {one.id for one in orphans} & set(ids(step)):
                yield Failure(cause, (step,), expected=(record.id,))

        unseen = [f for one in unpointed for f in asked("row_without_point", one)]
        yield unseen[:each], [next(works) for _ in range(each)]
        lost = [Failure("point_without_row", (by_points(edge, search(world, one)),), expected=()) for one in orphans]
        lost = [f for f, one in zip(lost, orphans, strict=True) if one.id in ids(f.steps[0])]
        yield lost[:each], [next(works) for _ in range(each)]
        yield [f for one in stale for f in asked("stale_embedding", one, texts[one.id])][: each - half], [
            next(works) for _ in range(each - half)]  # fmt: skip
        yield [f for one in wrong for f in asked("wrong_model", one)][: each - half], [
            next(works) for _ in range(each - half)]  # fmt: skip
        yield [f for one in gone for f in asked("missing_chunk", one)][: each - half], [
            next(works) for _ in range(each - half)]  # fmt: skip
        hidden = [one for one in drafts if one.id in ids(by_points(edge, search(world, one, 10)))]
        right = [by_points(edge, search(world, one), filter=published, engine=engine) for one in plain]
        without = [(by_points(edge, search(world, one, 10), filter=published, engine=engine), one) for one in hidden]
        yield (
            [Failure("condition_excludes", (step,), expected=(one.id,)) for step, one in without][: each - half],
            [
                Failure("", (step,), expected=(one.id,))
                for step, one in zip(right, plain, strict=True)
                if one.id in ids(step) and not bad & set(ids(step))
            ][: each - half],
        )
        narrow = []
        for one in everything:
            vector = world.model.vector(writer.question(one.body, 4))
            step = by_points(edge, vector, ef=LIMIT)
            exact = edge.search(q.SearchRequest(query=q.Query.Nearest(vector), limit=LIMIT,
                                                params=q.SearchParams(exact=True)))  # fmt: skip
            broad = by_points(edge, vector, ef=900)
            found = [point.id for point in exact if point.id in ids(broad) and point.id not in ids(step)]
            if found and not bad & {*ids(step), *found}:
                narrow.append(Failure("breadth_too_small", (step,), expected=(found[0],)))
            if len(narrow) == each:
                break
        yield narrow, [next(works) for _ in range(each)]

    return incidents


__all__ = ["Pair", "build", "literal"]
