"""Which answers change when people are masked, and how: python -m tests.benchmarks.fidelity --vectors 100000 --json

The same clustered vectors in a real PostgreSQL 18 with pgvector (HNSW by cosine, L2, inner product, over halfvec, with
a filter; IVFFlat) and in Qdrant shards (HNSW, with a payload filter, with scalar quantization). The owner's e-mail
address and a text that names him are masked in a clone, one clone per way of doing it, and every question is asked
before and after. A figure is the fraction of questions whose ids, order and scores all are production's.

`alter` and `dump` rebuild every index, with production's own parameters; `set_payload` is Qdrant's API, point by
point, and `optimize` lets it index what has moved.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import qdrant_edge as q

from envclone import process
from envclone.config.schema import StoreConfig
from envclone.masking import rules
from envclone.masking.corpus import CorpusBuilder
from envclone.masking.masks import MaskSet
from envclone.models import StorePlan, StoreSnapshot
from envclone.stores.postgres.server import engine
from envclone.stores.postgres.store import PostgresStore
from envclone.stores.qdrant.store import QdrantStore
from tests.support.postgres import production, scratch

INDEXES = {
    "docs": (
        "CREATE INDEX ON docs USING hnsw (embedding vector_cosine_ops)",
        "CREATE INDEX ON docs USING hnsw (embedding vector_l2_ops)",
        "CREATE INDEX ON docs USING hnsw (embedding vector_ip_ops)",
        "CREATE INDEX ON docs USING hnsw ((embedding::halfvec({dim})) halfvec_cosine_ops)",
    ),
    "lists": ("CREATE INDEX ON lists USING ivfflat (embedding vector_cosine_ops) WITH (lists = 100)",),
}
QUESTIONS = {
    "hnsw cosine": "SELECT id, embedding <=> %(v)s::vector FROM docs ORDER BY 2 LIMIT 10",
    "hnsw L2": "SELECT id, embedding <-> %(v)s::vector FROM docs ORDER BY 2 LIMIT 10",
    "hnsw inner product": "SELECT id, embedding <#> %(v)s::vector FROM docs ORDER BY 2 LIMIT 10",
    "hnsw halfvec": "SELECT id, embedding::halfvec({dim}) <=> %(v)s::halfvec({dim}) FROM docs ORDER BY 2 LIMIT 10",
    "hnsw cosine, filter": "SELECT id, embedding <=> %(v)s::vector FROM docs WHERE tag = %(t)s ORDER BY 2 LIMIT 10",
    "ivfflat cosine": "SELECT id, embedding <=> %(v)s::vector FROM lists ORDER BY 2 LIMIT 10",
}
DECLARED = {
    f"public.{table}.{column}": rule
    for table in INDEXES
    for column, rule in {"id": "keep", "owner": "email", "body": "text", "tag": "keep", "embedding": "keep"}.items()
}
_KEY = b"a key of thirty-two bytes, really"


def _quiet(event: Any) -> None:
    """No progress."""


def _say(text: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def vectors(count: int, dim: int, seed: int) -> Any:
    """Points around 300 centres; the centres are always the same."""
    centres = np.random.default_rng(1).normal(size=(300, dim))
    rng = np.random.default_rng(seed)
    return (centres[rng.integers(0, 300, count)] + 0.6 * rng.normal(size=(count, dim))).astype("f4")


def owner(number: int) -> str:
    """An e-mail address."""
    return f"jane.doe{number:06d}@corp.example"


def body(number: int) -> str:
    """A text that names its owner."""
    return f"ticket {number} of {owner(number)}: the amount was wrong, please call +49 30 {1_000_000 + number} back"


def masks() -> MaskSet:
    """Everything under one key; the bodies' owners are known."""
    builder = CorpusBuilder()
    return MaskSet(_KEY, {}, builder.build())


def fill(conn: psycopg.Connection[Any], points: Any) -> None:
    """Both tables, and their indexes."""
    dim = points.shape[1]
    conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
    conn.execute("SET maintenance_work_mem = '1GB'")
    for table, indexes in INDEXES.items():
        conn.execute(
            f"CREATE TABLE {table} (id int PRIMARY KEY, owner text NOT NULL, body text, tag int,"
            f" embedding vector({dim}))".encode()
        )
        with conn.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for i, row in enumerate(points.tolist()):
                copy.write_row((i, owner(i), body(i), i % 5, json.dumps(row)))
        for index in indexes:
            conn.execute(index.format(dim=dim).encode())
        conn.execute(f"VACUUM ANALYZE {table}".encode())


def ask(conn: psycopg.Connection[Any], questions: Any) -> dict[str, list[Any]]:
    """Every question in every way."""
    conn.execute("SET enable_seqscan = off")
    texts = [json.dumps(row) for row in questions.tolist()]
    dim = questions.shape[1]
    return {
        name: [
            conn.execute(query.format(dim=dim).encode(), {"v": text, "t": i % 5}).fetchall()
            for i, text in enumerate(texts)
        ]
        for name, query in QUESTIONS.items()
    }


def identical(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> dict[str, float]:
    """The fraction of equal answers."""
    return {
        name: round(sum(a == b for a, b in zip(before[name], after[name], strict=True)) / len(before[name]), 4)
        for name in before
    }


def postgres(points: Any, questions: Any) -> dict[str, Any]:
    """Every way of masking, on clones of one PostgreSQL."""
    result: dict[str, Any] = {}
    with production(18, {"shared_buffers": "1GB", "max_wal_size": "8GB"}) as running, scratch() as place:
        running.create_database("app")
        with running.connect("app") as conn:
            fill(conn, points)
            _say("PostgreSQL is filled and indexed")
            before = ask(conn, questions)
        running.stop()
        raw = place / "raw"
        raw.mkdir(mode=0o711)
        source = {"method": "directory", "path": str(running.data), "database": "app"}
        snapshot = PostgresStore().snapshot(
            "main", StoreConfig.model_validate({"kind": "postgres", "source": source}), raw, _quiet
        )
        ways: dict[str, Callable[[Path, StoreSnapshot], None]] = {
            "envclone": lambda clone, s: _session(clone, s, "in-place"),
            "update": lambda clone, s: _session(clone, s, "sql"),
            "alter": _alter,
            "dump": _dump,
        }
        for name, way in ways.items():
            with _copy(raw, place / name) as clone:
                started = time.monotonic()
                way(clone, snapshot)
                seconds = time.monotonic() - started
                with _opened(clone, snapshot) as conn:
                    result[name] = {"seconds": round(seconds, 2), "identical": identical(before, ask(conn, questions))}
            _say(f"{name}: {result[name]}")
    return result


@contextmanager
def _copy(raw: Path, target: Path) -> Iterator[Path]:
    process.run(["cp", "-a", "--reflink=auto", raw, target])
    try:
        yield target
    finally:
        shutil.rmtree(target)


@contextmanager
def _opened(clone: Path, snapshot: StoreSnapshot) -> Iterator[psycopg.Connection[Any]]:
    with (
        PostgresStore().open(clone, snapshot, log=clone.parent / "log") as session,
        session._connect(autocommit=True) as conn,  # type: ignore[attr-defined]
    ):
        conn.execute("SET search_path = public")
        yield conn


def _session(clone: Path, snapshot: StoreSnapshot, method: str) -> None:
    with PostgresStore().open(clone, snapshot, log=clone.parent / "log") as session:
        made = rules.plan(DECLARED, {}, session.inventory())
        session.rewrite(StorePlan(made.store, made.rules, method), masks(), _quiet)


_STAND_IN = "translate({}, 'abcdefghijklmnopqrstuvwxyz0123456789', 'nopqrstuvwxyzabcdefghijklm5678901234')"


def _alter(clone: Path, snapshot: StoreSnapshot) -> None:
    with _opened(clone, snapshot) as conn:
        conn.execute("SET maintenance_work_mem = '1GB'")
        for table in INDEXES:
            changes = ", ".join(f"ALTER {c} TYPE text USING {_STAND_IN.format(c)}" for c in ("owner", "body"))
            conn.execute(f"ALTER TABLE {table} {changes}".encode())
            conn.execute(f"ANALYZE {table}".encode())


def _dump(clone: Path, snapshot: StoreSnapshot) -> None:
    found = engine.for_snapshot(snapshot)
    with _opened(clone, snapshot) as conn:
        here = ["-h", conn.info.host, "-p", str(conn.info.port), "-U", "postgres"]
        dump = clone / "dump"
        process.run([found.program("pg_dump"), *here, "-Fc", "-f", dump, "app"], timeout=3600)
    with PostgresStore().open(clone, snapshot, log=clone.parent / "log") as session:
        connect = session._connect  # type: ignore[attr-defined]
        with connect(dbname="postgres", autocommit=True) as conn:
            conn.execute("ALTER DATABASE app RENAME TO old")
            conn.execute("CREATE DATABASE app")
            conn.execute("ALTER DATABASE app SET maintenance_work_mem = '1GB'")
            process.run([found.program("pg_restore"), *here, "-d", "app", dump], timeout=3600)
        with connect(autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")


# --- Qdrant ------------------------------------------------------------------------------------------------------

SHARDS: dict[str, Any] = {
    "hnsw": None,
    "hnsw, scalar quantization": q.ScalarQuantizationConfig(q.ScalarType.Int8, 0.99, True),
}


def _build(path: Path, points: Any, quantization: Any) -> None:
    config = q.EdgeConfig(
        vectors=q.EdgeVectorParams(size=points.shape[1], distance=q.Distance.Cosine),
        hnsw_config=q.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10),
        optimizers=q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=2),
        quantization_config=quantization,
    )
    path.parent.mkdir(parents=True)
    edge = q.EdgeShard.create(str(path), config)
    for key, kind in (("owner", q.PayloadSchemaType.Keyword), ("tag", q.PayloadSchemaType.Integer)):
        edge.update(q.UpdateOperation.create_field_index(key, kind))
    rows = points.tolist()
    for start in range(0, len(rows), 1000):
        edge.update(
            q.UpdateOperation.upsert_points(
                [q.Point(i, rows[i], _payload(i)) for i in range(start, min(start + 1000, len(rows)))]
            )
        )
    edge.flush()
    edge.optimize()
    edge.close()


def _payload(number: int) -> dict[str, Any]:
    return {"owner": owner(number), "body": body(number), "tag": number % 5}


def _search(path: Path, questions: Any, *, filtered: bool) -> list[Any]:
    edge = q.EdgeShard.load(str(path))
    answers = []
    for i, vector in enumerate(questions.tolist()):
        only = q.Filter(must=[q.FieldCondition("tag", match=q.MatchValue(i % 5))]) if filtered else None
        found = edge.search(q.SearchRequest(query=q.Query.Nearest(vector), limit=10, filter=only))
        answers.append([(point.id, point.score) for point in found])
    edge.close()
    return answers


def _answers(path: Path, questions: Any, name: str) -> dict[str, list[Any]]:
    return {
        name: _search(path, questions, filtered=False),
        f"{name}, filter": _search(path, questions, filtered=True),
    }


def qdrant(points: Any, questions: Any) -> dict[str, Any]:
    """Every way of masking, on copies of each shard."""
    result: dict[str, Any] = {}
    for name, quantization in SHARDS.items():
        with scratch() as place:
            shard = place / "raw" / "collections" / "docs" / "0"
            _build(shard, points, quantization)
            _say(f"Qdrant is filled and indexed: {name}")
            before = _answers(shard, questions, name)
            for way in ("envclone", "set_payload", "set_payload + optimize"):
                root = place / "clone"
                started = time.monotonic()
                _mask_shard(place / "raw", root, way)
                seconds = time.monotonic() - started
                found = next(root.rglob("collections/docs/0"))
                after = _answers(found, questions, name)
                entry = result.setdefault(way, {"seconds": {}, "identical": {}})
                entry["seconds"][name] = round(seconds, 2)
                entry["identical"] |= identical(before, after)
                shutil.rmtree(root)
                _say(f"{way}: {entry}")
    return result


def _mask_shard(raw: Path, root: Path, way: str) -> None:
    if way != "envclone":
        shutil.copytree(raw, root)
        edge = q.EdgeShard.load(str(root / "collections" / "docs" / "0"))
        table = str.maketrans("abcdefghijklmnopqrstuvwxyz0123456789", "nopqrstuvwxyzabcdefghijklm5678901234")
        for number in range(int(edge.info().points_count)):
            fresh = {"owner": owner(number).translate(table), "body": body(number).translate(table)}
            edge.update(q.UpdateOperation.set_payload([number], fresh))
        edge.flush()
        if way.endswith("optimize"):
            edge.optimize()
        edge.close()
        return
    root.mkdir(mode=0o711)
    config = StoreConfig.model_validate({"kind": "qdrant", "source": {"method": "directory", "path": str(raw)}})
    snapshot = QdrantStore().snapshot("kb", config, root, _quiet)
    with QdrantStore().open(root, snapshot, log=root / "log") as session:
        declared = {
            "docs": {"$.owner": "email", "$.body": "text", "$.tag": "keep"},
            "docs.vectors": "keep",
            "docs.point_ids": "keep",
        }
        session.rewrite(rules.plan(declared, {}, session.inventory()), masks(), _quiet)


def main(arguments: list[str]) -> int:
    """Run both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    points, questions = vectors(given.vectors, given.dim, 2), vectors(given.queries, given.dim, 3)
    found = {
        "vectors": given.vectors,
        "dim": given.dim,
        "queries": given.queries,
        "postgres": postgres(points, questions),
        "qdrant": qdrant(points, questions),
    }
    if given.json:
        print(json.dumps(found, indent=2))
        return 0
    for store in ("postgres", "qdrant"):
        for way, entry in found[store].items():
            figures = ", ".join(f"{name} {fraction:.1%}" for name, fraction in entry["identical"].items())
            print(f"{store:9} {way:24} {figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
