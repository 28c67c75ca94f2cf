"""How fast tables are masked where they lie: python -m tests.benchmarks.inplace --gb 2 --json

Two tables in a real PostgreSQL 18: `notes` (id, the owner's e-mail address and name, a text of about 1.4 kB that is
kept) of the size asked for, and `docs` (the same with a vector of 384 dimensions and an HNSW index over it), a
twentieth of it. Each way masks the owner's address and name on a clone of its own, with the same masks:

- `in-place`: envclone's default; from the open private server to rows, indexes and statistics being as they must be.
- `update`: envclone's `method: sql`.
- `alter`: the masks' results are copied into a table beside, and `ALTER TABLE … USING` looks each of them up.

MB/s are the table's own bytes (heap and TOAST) over the time; `ratio` is the time of `alter` over that of `in-place`.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from envclone import process
from envclone.config.schema import StoreConfig
from envclone.masking import rules
from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from envclone.masking.names import _load
from envclone.models import FieldKind, FieldRule, StorePlan, StoreSnapshot
from envclone.stores.postgres.store import PostgresStore
from tests.support.postgres import production, scratch

_COLUMNS = {"owner": "email", "name": "person"}
_ROW = 1500
_DIM = 384


def _quiet(event: Any) -> None:
    """No progress."""


def _say(text: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _masks() -> MaskSet:
    return MaskSet(b"a key of thirty-two bytes, really", {}, Corpus())


def fill(conn: psycopg.Connection[Any], rows: int, indexed: int) -> None:
    """Both tables; the kept text does not compress to less than a page's share."""
    conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
    shape = "id bigint PRIMARY KEY, owner text NOT NULL, name text, body text STORAGE EXTERNAL"
    conn.execute(f"CREATE TABLE notes ({shape})".encode())
    conn.execute(f"CREATE TABLE docs ({shape}, embedding vector({_DIM}))".encode())
    words = [
        "invoice",
        "refund",
        "tenant",
        "index",
        "vector",
        "answer",
        "policy",
        "harbour",
        "quarter",
        "ledger",
        "bridge",
        "signal",
        "orchard",
        "winter",
    ]
    names = _load()
    given = sorted(n for n in names.given if n.isascii())[:: max(1, len(names.given) // 4000)]
    family = sorted(n for n in names.places if n.isascii() and n not in names.given)
    for table, count in (("notes", rows), ("docs", indexed)):
        rng = np.random.default_rng(1)
        points = rng.normal(size=(indexed, _DIM)).astype("f4") if table == "docs" else None
        with conn.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for i in range(count):
                first, last = given[i % len(given)].lower(), family[i // len(given) * 7919 % len(family)].lower()
                text = " ".join(words[(i * k + k) % len(words)] for k in range(1, 190))
                row = [i, f"{first}.{last}@corp.example", f"{first} {last}".title(), text]
                copy.write_row([*row, json.dumps(points[i].tolist())] if points is not None else row)
    conn.execute("SET maintenance_work_mem = '1GB'")
    conn.execute("CREATE INDEX ON docs USING hnsw (embedding vector_cosine_ops)")
    conn.execute("VACUUM ANALYZE")


def measure(gigabytes: float) -> dict[str, Any]:
    """Each way on each table."""
    result: dict[str, Any] = {"gb": gigabytes, "tables": {}}
    rows = int(gigabytes * 1e9 / _ROW)
    with production(18, {"shared_buffers": "512MB", "max_wal_size": "8GB"}) as running, scratch() as place:
        running.create_database("app")
        with running.connect("app") as conn:
            fill(conn, rows, rows // 20)
            sizes = {
                table: int(conn.execute("SELECT pg_table_size(%s::regclass)", [table]).fetchone()[0])  # type: ignore[index]
                for table in ("notes", "docs")
            }
        running.stop()
        _say(f"filled: {sizes}")
        raw = place / "raw"
        raw.mkdir(mode=0o711)
        source = {"method": "directory", "path": str(running.data), "database": "app"}
        config = StoreConfig.model_validate({"kind": "postgres", "source": source})
        snapshot = PostgresStore().snapshot("main", config, raw, _quiet)
        for table in ("docs", "notes"):
            entry: dict[str, Any] = {"rows": rows if table == "notes" else rows // 20, "mb": round(sizes[table] / 1e6)}
            for way in ("in-place", "update", "alter"):
                seconds = _timed(raw, place / "clone", snapshot, table, way)
                entry[way] = {"seconds": round(seconds, 2), "mb_per_second": round(sizes[table] / 1e6 / seconds, 1)}
                _say(f"{table} {way}: {entry[way]}")
            entry["ratio_to_alter"] = round(entry["alter"]["seconds"] / entry["in-place"]["seconds"], 1)
            entry["ratio_to_update"] = round(entry["update"]["seconds"] / entry["in-place"]["seconds"], 1)
            result["tables"][table] = entry
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    result["peak_mb_of_a_process"] = peak // 1024
    return result


def _timed(raw: Path, clone: Path, snapshot: StoreSnapshot, table: str, way: str) -> float:
    with _copy(raw, clone), PostgresStore().open(clone, snapshot, log=clone.parent / "log") as session:
        declared = {f"public.{t}.{c}": "keep" for t in ("notes", "docs") for c in ("id", "body", *_COLUMNS)}
        declared["public.docs.embedding"] = "keep"
        declared |= {f"public.{table}.{c}": domain for c, domain in _COLUMNS.items()}
        made = rules.plan(declared, {}, session.inventory())
        started = time.monotonic()
        if way == "alter":
            _alter(session._connect, table)  # type: ignore[attr-defined]
        else:
            session.rewrite(
                StorePlan(made.store, made.rules, "in-place" if way == "in-place" else "sql"), _masks(), _quiet
            )
        return time.monotonic() - started


def _alter(connect: Any, table: str) -> None:
    """Pseudonyms of the distinct values into a table, then one rewrite of the masked one that looks them up."""
    masks = _masks()
    with connect(autocommit=True) as conn:
        for column, domain in _COLUMNS.items():
            mask = masks.field(FieldRule(f"public.{table}.{column}", FieldKind.TEXT, domain, base="text"))
            conn.execute(f"CREATE UNLOGGED TABLE map_{column} (old text, new text)".encode())
            with connect(autocommit=False) as reader, reader.cursor(name="values") as cursor:
                cursor.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL".encode())
                with conn.cursor() as writer, writer.copy(f"COPY map_{column} FROM STDIN".encode()) as copy:
                    while batch := [row[0] for row in cursor.fetchmany(20_000)]:
                        for pair in zip(batch, mask(batch), strict=True):
                            copy.write_row(pair)
            conn.execute(f"CREATE UNIQUE INDEX ON map_{column} (old) INCLUDE (new)".encode())
            conn.execute(f"VACUUM ANALYZE map_{column}".encode())
            conn.execute(
                f"CREATE FUNCTION mask_{column}(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS"
                f" $$ BEGIN RETURN (SELECT new FROM map_{column} WHERE old = $1); END $$".encode()
            )
        conn.execute("SET maintenance_work_mem = '1GB'")
        changes = ", ".join(f"ALTER {c} TYPE text USING mask_{c}({c})" for c in _COLUMNS)
        conn.execute(f"ALTER TABLE {table} {changes}".encode())
        conn.execute(f"ANALYZE {table}".encode())


@contextmanager
def _copy(raw: Path, target: Path) -> Iterator[Path]:
    process.run(["cp", "-a", "--reflink=auto", raw, target])
    try:
        yield target
    finally:
        shutil.rmtree(target)


def main(arguments: list[str]) -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=0.5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    found = measure(given.gb)
    if given.json:
        print(json.dumps(found, indent=2))
        return 0
    for table, entry in found["tables"].items():
        ways = ", ".join(f"{way} {entry[way]['mb_per_second']} MB/s" for way in ("in-place", "update", "alter"))
        print(f"{table}: {entry['mb']} MB: {ways}; {entry['ratio_to_alter']} times as fast as alter")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
