"""The heart of the store: payloads rewritten where they lie, answers the same, nothing raw left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_edge as q

from envclone.errors import ConfigError
from envclone.incidents.bundle import VectorStep
from envclone.models import Endpoint, FieldKind, FieldRule, Rows, StorePlan
from envclone.stores.qdrant import indexes, residue, wal
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.gridwriter import GridWriter
from envclone.stores.qdrant.layout import Shard
from envclone.stores.qdrant.residue import expand
from tests.integration.qdrant.conftest import Pool
from tests.support.qdrant import (
    SECRET,
    Production,
    TextMasks,
    build,
    change,
    files,
    payload_of,
    plan_of,
    same_length,
)

NEEDLE = SECRET.encode()


def residues(pool: Pool, directory: Path, snapshot: object) -> list[str]:
    """Where personal values still stand: in files, and in what only decompression shows."""
    found = [str(path.relative_to(directory)) for path in files(directory) if NEEDLE in path.read_bytes()]
    found += [place for place, data in expand(directory) if NEEDLE in data]
    return found


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Production:
    """A production with updated and deleted points, in an indexed and an appendable segment; only read."""
    made = build(tmp_path_factory.mktemp("living") / "prod" / "storage", points=600)
    change(made, range(0, 300, 7), range(400, 450))
    return made


def test_digest_of_raw_under_masks_equals_the_sanitized_one(pool: Pool, living: Production) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    plan, masks = plan_of(), TextMasks()
    clean, report = pool.sanitize(raw, snapshot, plan, masks)
    counterpart = pool.clone(raw, "counterpart")
    with (
        pool.store.open(counterpart, snapshot, log=pool.path / "log") as before,
        pool.store.open(clean, snapshot, log=pool.path / "log") as after,
    ):
        assert before.digest(plan, masks) == after.digest(plan, None)
        assert before.digest(plan, None) != after.digest(plan, None)
        assert before.integrity().problems == after.integrity().problems == ()
        assert after.inventory().rows == {"articles": 550}
        assert set(after.inventory().fields) == {"articles", "articles.point_ids", "articles.vectors"}
        assert "$.contacts[*].phone" in after.inventory().fields["articles"].paths
    assert report.rows["articles"] >= 550
    assert report.values["articles"] == report.rows["articles"]


def test_a_changed_kept_value_a_changed_vector_and_a_swap_are_seen_by_the_digest(
    pool: Pool, living: Production
) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    plan, masks = plan_of(), TextMasks()
    clean, _ = pool.sanitize(raw, snapshot, plan, masks)
    counterpart = pool.clone(raw, "counterpart")
    with pool.store.open(counterpart, snapshot, log=pool.path / "log") as session:
        expected = session.digest(plan, masks)["articles"]

    vectors = next(path for path in files(clean) if path.name == "matrix.dat")
    data = bytearray(vectors.read_bytes())
    data[100] ^= 1
    vectors.write_bytes(data)
    with pool.store.open(clean, snapshot, log=pool.path / "log") as session:
        found = session.digest(plan, None)["articles"]
    assert found.total != expected.total
    assert [name for name in found.fields if found.fields[name] != expected.fields[name]] == ["articles.vectors"]
    data[100] ^= 1
    vectors.write_bytes(data)

    tracker = next(
        path for path in files(clean) if path.name == "tracker.dat" and path.parent.name == "payload_storage"
    )
    slots = bytearray(tracker.read_bytes())
    one, two = 4 + 16 * 20, 4 + 16 * 21  # two records change places
    slots[one : one + 16], slots[two : two + 16] = slots[two : two + 16], slots[one : one + 16]
    tracker.write_bytes(slots)
    with pool.store.open(clean, snapshot, log=pool.path / "log") as session:
        assert session.digest(plan, None)["articles"].total != expected.total


class _Look:
    """Sees the points that it is shown, and looks for nothing."""

    def __init__(self) -> None:
        self.places: list[str] = []

    def batch(self, *_: Any) -> None: ...

    def batches(self, many: Any) -> None: ...

    def rows(self, rows: Rows, made: Any) -> None:
        assert len(made["articles"]) == len(rows.fields["articles"]) == len(rows.places)
        self.places += rows.places

    def found(self) -> Any:
        found, self.places = self.places, []
        return found

    def take(self, found: Any) -> None:
        self.places += found


def test_every_payload_is_compared_and_a_difference_is_named(pool: Pool, living: Production) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    plan, masks = plan_of(), TextMasks()
    clean, report = pool.sanitize(raw, snapshot, plan, masks)
    counterpart = pool.clone(raw, "counterpart")
    (shard,) = (Shard(path.parent) for path in clean.rglob("edge_config.json"))

    def compared() -> tuple[str, ...]:
        look = _Look()
        with (
            pool.store.open(counterpart, snapshot, log=pool.path / "log") as before,
            pool.store.open(clean, snapshot, log=pool.path / "log") as after,
        ):
            problems = before.compare(after, plan, masks, ("articles",), look, lambda event: None).problems
        assert len(look.places) == report.rows["articles"]
        return problems

    assert compared() == ()
    storages = [segment.payload_storage for segment in shard.segments()]
    point, text = _changed(storages[0], lambda payload: payload["author"].update(name="Somebody Else"))
    assert compared() == ("articles, articles.$.author.name is not what the masks make of production's values",)
    _written(storages[0], point, text)
    point, text = _changed(storages[-1], lambda payload: payload.update(n=-1))
    assert compared() == ("articles is not what the masks make of production's values",)
    _written(storages[-1], point, text)
    assert compared() == ()


def _changed(storage: Path, change: Callable[[Any], None]) -> tuple[int, bytes]:
    """Change one payload of a segment; returns its point, and what it was."""
    with Gridstore(storage) as store:
        point = int(store.points()[5])
        text = store.value(point)
    payload = json.loads(text)
    change(payload)
    _written(storage, point, json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())
    return point, text


def _written(storage: Path, point: int, text: bytes) -> None:
    with Gridstore(storage, writable=True) as store:
        writer = GridWriter(store)
        writer.replace(point, text)
        writer.finish()


def test_nothing_raw_is_left_in_any_byte(pool: Pool, living: Production) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    assert residues(pool, raw, snapshot)  # the search finds what is there
    assert any("free block" in place for place in residues(pool, raw, snapshot))
    assert residues(pool, clean, snapshot) == []


@pytest.mark.parametrize("station", ["logs", "free blocks", "indexes"])
def test_a_cleaning_step_that_does_nothing_is_caught(
    pool: Pool, living: Production, monkeypatch: pytest.MonkeyPatch, station: str
) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    if station == "logs":
        monkeypatch.setattr(wal, "empty", lambda shard: 0)
    elif station == "free blocks":
        monkeypatch.setattr(residue, "wipe", lambda store: 0)
    else:
        monkeypatch.setattr(indexes, "drop", lambda segment, masked: 0)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    assert residues(pool, clean, snapshot)


def test_vectors_graphs_ids_and_kept_indexes_stay_to_the_byte(pool: Pool, living: Production) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    tag, email = indexes.prefix("tag"), indexes.prefix("author.email")
    compared = rebuilt = 0
    for path in files(raw):
        relative = path.relative_to(raw)
        kept = any(part.startswith(("vector_", tag)) for part in relative.parts) or path.name in (
            "id_tracker.mappings",
            "id_tracker.deleted",
            "mutable_id_tracker.mappings",
        )
        if kept and path.name != "tracker_journal.dat":
            assert _hash(path) == _hash(clean / relative), relative
            compared += 1
        if any(part.startswith(email) for part in relative.parts) and path.name == "values_to_points.bin":
            assert _hash(path) != _hash(clean / relative)
            rebuilt += 1
    assert compared >= 20
    assert rebuilt == 1


def test_records_stay_at_their_blocks(pool: Pool, living: Production) -> None:
    from envclone.stores.qdrant.gridstore import Gridstore

    raw, snapshot = pool.snapshot(living.root.parent)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    same = total = 0
    for segment in Shard(raw / "storage/collections/articles/0").segments():
        before = segment.payload_storage
        with Gridstore(before) as one, Gridstore(clean / before.relative_to(raw)) as two:
            assert (one.slots["present"] == two.slots["present"]).all()
            for field in ("page", "block"):
                same += int((one.slots[field] == two.slots[field]).sum())
                total += len(one.slots)
    assert same >= 0.99 * total


def test_every_search_gives_the_same_ids_and_scores(pool: Pool, tmp_path: Path) -> None:
    made = build(tmp_path / "prod" / "storage", points=5500, size=32)
    change(made, range(0, 500, 9), range(5000, 5100))
    raw, snapshot = pool.snapshot(made.root.parent)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    rng = np.random.default_rng(3)
    queries = rng.normal(size=(100, 32)).astype("f4").tolist()
    answers = []
    for directory in (made.root, clean / "storage"):
        with pool.store.connect(Endpoint("kb", "qdrant", path=directory)) as runner:
            answers.append([_answer(runner, query, number) for number, query in enumerate(queries)])
    assert answers[0] == answers[1]
    exact = _exact(pool, made.root, queries)
    approximate = [ids for ids, _ in answers[0]]
    assert approximate != exact  # the graph was asked, and it misses some: that is the state to keep


def _answer(runner: object, query: list[float], number: int) -> tuple[tuple[object, ...], tuple[float, ...]]:
    keep = {"must": [{"key": "tag", "match": {"value": "t3"}}]} if number % 4 == 0 else None
    step = VectorStep(
        id="s", store="kb", collection="articles", vector=query, limit=10, params={"hnsw_ef": 4}, filter=keep
    )
    result = runner.run(step)  # type: ignore[attr-defined]
    assert result.error is None
    assert len(result.ids) == 10
    return result.ids, result.scores


def _exact(pool: Pool, root: Path, queries: list[list[float]]) -> list[tuple[object, ...]]:
    with pool.store.connect(Endpoint("kb", "qdrant", path=root)) as runner:
        return [
            runner.run(VectorStep(id="s", store="kb", collection="articles", vector=query, params={"exact": True})).ids
            for query in queries
        ]


def test_filters_on_masked_and_kept_keys_find_the_right_points(pool: Pool, living: Production) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    edge = q.EdgeShard.load(str(clean / "storage/collections/articles/0"))
    try:
        assert edge.info().payload_schema.keys() == {"author.email", "tag"}
        for point in (0, 7, 8, 399, 599):  # in the appendable segment, and in the indexed one
            email = living.payloads[point]["author"]["email"]
            assert _find(edge, "author.email", same_length(email)) == [point]
            assert _find(edge, "author.email", email) == []
        expected = sorted(point for point, payload in living.payloads.items() if payload["tag"] == "t3")
        assert sorted(_find(edge, "tag", "t3")) == expected
    finally:
        edge.close()


def _find(edge: q.EdgeShard, key: str, value: str) -> list[object]:
    condition = q.FieldCondition(key, match=q.MatchValue(value))
    records, _ = edge.scroll(
        q.ScrollRequest(limit=1000, filter=q.Filter(must=[condition]), with_payload=False, with_vector=False)
    )
    return [record.id for record in records]


def test_payloads_are_the_masked_ones_for_the_engine(pool: Pool, living: Production) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    edge = q.EdgeShard.load(str(clean / "storage/collections/articles/0"))
    try:
        found = {record.id: record.payload for record in edge.retrieve(list(range(600)), True, False)}
    finally:
        edge.close()
    assert found.keys() == living.payloads.keys()
    for point, payload in living.payloads.items():
        masked = found[point]
        assert masked["author"]["email"] == same_length(payload["author"]["email"])
        assert masked.get("text") == (same_length(payload["text"]) if "text" in payload else None)
        assert [c["phone"] for c in masked.get("contacts", [])] == [
            same_length(c["phone"]) for c in payload.get("contacts", [])
        ]
        assert (masked["price"], masked["tag"]) == (payload["price"], payload["tag"])


def test_records_that_grow_get_new_blocks_and_pages(pool: Pool, tmp_path: Path) -> None:
    made = build(tmp_path / "prod" / "storage", points=300)
    raw, snapshot = pool.snapshot(made.root.parent)
    rng = np.random.default_rng(1)
    noise = rng.bytes(70_000).hex()

    def longer(value: str) -> str:
        return same_length(value) + (noise if "Zoë" in value else "longer")

    plan, masks = plan_of(), TextMasks(longer)
    clean, report = pool.sanitize(raw, snapshot, plan, masks)
    assert report.checks["records moved to other blocks"] > 0
    assert max(int(path.stem.removeprefix("page_")) for path in files(clean) if path.name.startswith("page_")) >= 1
    counterpart = pool.clone(raw, "counterpart")
    with (
        pool.store.open(counterpart, snapshot, log=pool.path / "log") as before,
        pool.store.open(clean, snapshot, log=pool.path / "log") as after,
    ):
        assert before.digest(plan, masks) == after.digest(plan, None)
        assert after.integrity().problems == ()
    assert residues(pool, clean, snapshot) == []
    # the engine goes on writing: its allocator must find bitmask and gaps as it left them
    edge = q.EdgeShard.load(str(clean / "storage/collections/articles/0"))
    try:
        payloads = {n: {"n": rng.bytes(30_000 if n % 2 else 10).hex()} for n in range(300)}
        points = [q.Point(n, made.vectors[n].tolist(), payloads[n]) for n in range(300)]
        edge.update(q.UpdateOperation.upsert_points(points))
        edge.flush()
        assert {r.id: r.payload for r in edge.retrieve(list(range(300)), True, False)} == payloads
    finally:
        edge.close()


def test_a_branch_can_be_written_to(pool: Pool, living: Production) -> None:
    """The emptied log goes on counting: an engine that began at 0 again would ignore these updates."""
    raw, snapshot = pool.snapshot(living.root.parent)
    clean, _ = pool.sanitize(raw, snapshot, plan_of(), TextMasks())
    edge = q.EdgeShard.load(str(clean / "storage/collections/articles/0"))
    try:
        edge.update(q.UpdateOperation.set_payload([0, 100, 599], {"tag": "later"}))
        assert [r.payload["tag"] for r in edge.retrieve([0, 100, 599], True, False)] == ["later"] * 3
    finally:
        edge.close()


def test_a_vector_that_is_not_kept_is_refused(pool: Pool, living: Production) -> None:
    raw, snapshot = pool.snapshot(living.root.parent)
    rules = dict(plan_of().rules)
    rules["articles.vectors"] = FieldRule("articles.vectors", FieldKind.VECTOR, "redact")
    with (
        pytest.raises(ConfigError, match="can only be kept"),
        pool.store.open(pool.clone(raw, "c"), snapshot, log=pool.path / "log") as session,
    ):
        session.rewrite(StorePlan("kb", rules), TextMasks(), lambda event: None)


def test_a_payload_the_engine_does_not_see_is_a_problem(
    pool: Pool, living: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    from envclone.stores.qdrant import integrity

    raw, snapshot = pool.snapshot(living.root.parent)
    with pool.store.open(pool.clone(raw, "c"), snapshot, log=pool.path / "log") as session:
        held = integrity._digests
        monkeypatch.setattr(integrity, "_digests", lambda shard, form: iter([*held(shard, form)][1:]))
        (problem,) = session.integrity().problems
    assert "1 points have a payload that is not in the files" in problem


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_payload_helper_covers_sizes() -> None:
    sizes = [len(str(payload_of(number))) for number in range(400)]
    assert min(sizes) < 128 < 20_000 < max(sizes)
