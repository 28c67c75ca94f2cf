"""A branch plans as production does: the same statistics of what is kept, the same sizes, so the same EXPLAIN."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from envclone.lifecycle import since
from envclone.stores.postgres.catalog.planner import planner
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: plans
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
    models: {embedding: {name: gte-small, dimensions: 8}, other: {name: wide, dimensions: 1536}}
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.city: keep
      public.orders.id: keep
      public.orders.person: keep
      public.orders.status: keep
      public.orders.amount: keep
      public.orders.note: text
      public.chunks.id: keep
      public.chunks.tenant: keep
      public.chunks.embedding: {vectors: keep}
"""
QUERIES = (
    "SELECT id, amount FROM orders WHERE status = 'open'",
    "SELECT id, status FROM orders WHERE status = 'done' AND amount > 900",
    "SELECT city, count(*) FROM people JOIN orders ON person = people.id WHERE amount < 40 GROUP BY city",
    "SELECT people.id, city, amount FROM people JOIN orders ON person = people.id WHERE city = 'Rare'",
    "SELECT id FROM chunks WHERE tenant = 3 ORDER BY embedding <=> '[1,2,3,4,5,6,7,8]' LIMIT 5",
)


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE EXTENSION vector; CREATE ROLE clerk; GRANT CREATE ON SCHEMA public TO clerk;"
            "ALTER ROLE clerk SET work_mem = '6MB';"
            "CREATE TABLE people (id int PRIMARY KEY, name text, city text);"
            "CREATE TABLE orders (id int PRIMARY KEY, person int, status text, amount int, note text);"
            "CREATE TABLE chunks (id int PRIMARY KEY, tenant int, embedding vector(8));"
            "INSERT INTO people SELECT i, 'Jane Doe ' || i, CASE WHEN i % 500 = 0 THEN 'Rare' ELSE 'Big' || i % 5 END"
            " FROM generate_series(1, 5000) i;"
            "INSERT INTO orders SELECT i, 1 + i % 5000, CASE WHEN i % 100 = 0 THEN 'open' ELSE 'done' END, i % 1000,"
            " 'for Jane Doe ' || i FROM generate_series(1, 40000) i;"
            "INSERT INTO chunks SELECT i, i % 50, (SELECT array_agg(sin(i * j))::vector FROM generate_series(1, 8) j)"
            " FROM generate_series(1, 3000) i;"
            "CREATE INDEX ON orders (status); CREATE INDEX ON orders (person); CREATE INDEX ON chunks (tenant);"
            "CREATE INDEX by_meaning ON chunks USING hnsw (embedding vector_cosine_ops) WITH (m = 8);"
            "ALTER TABLE orders SET (autovacuum_enabled = off); ANALYZE;"
            "ALTER TABLE orders OWNER TO clerk; ALTER TABLE people OWNER TO clerk; ALTER TABLE chunks OWNER TO clerk;"
            # since then half as much again came, which production's statistics know nothing of
            "INSERT INTO orders SELECT i, 1 + i % 5000, 'done', 950, 'late' FROM generate_series(40001, 60000) i",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        yield made


def _plans(dsn: str) -> list[Any]:
    with psycopg.connect(dsn) as conn:
        found = []
        for query in QUERIES:
            row = conn.execute("EXPLAIN (FORMAT JSON) " + query).fetchone()  # type: ignore[arg-type]
            assert row is not None
            found.append(row[0][0]["Plan"])
        return found


def _changes_are_named(here: Place, branch: Any) -> None:
    """What was changed in a branch since its birth, one thing at a time; at its birth nothing is."""
    stack = here.open()

    def told() -> tuple[str, ...]:
        return since.changed(stack.project, stack.show(branch["name"]))

    assert told() == ()
    with psycopg.connect(branch["urls"]["main"], autocommit=True) as conn:
        user = conn.info.user
        conn.execute("SELECT '[1]'::vector")  # knows its settings from here on
        for statement, said in (
            ("ALTER ROLE CURRENT_USER SET hnsw.ef_search = 1",
             f"main: hnsw.ef_search=1 of role {user}, which production has not"),
            ("ALTER ROLE CURRENT_USER SET application_name = 'Jane Doe'", None),  # somebody's
            ("CREATE INDEX late ON people (city)", "main: index public.late is new (btree)"),
            ("DROP INDEX orders_status_idx", "main: index public.orders_status_idx is gone"),
            ("ALTER INDEX by_meaning SET (m = 9)", "main: index public.by_meaning is hnsw m=9, in production hnsw m=8"),
            ("REINDEX INDEX CONCURRENTLY by_meaning",
             "main: index public.by_meaning was built again: it is file {now}, in production file {built}"),
            ("VACUUM FULL people",
             "main: table public.people was rewritten (VACUUM FULL, CLUSTER, TRUNCATE, REFRESH or ALTER TABLE)"),
        ):  # fmt: skip
            before = set(told())
            (built,) = conn.execute("SELECT pg_relation_filenode('by_meaning')").fetchone() or (0,)
            conn.execute(statement)
            (now,) = conn.execute("SELECT pg_relation_filenode('by_meaning')").fetchone() or (0,)
            assert set(told()) - before == ({said.format(now=now, built=built)} if said else set()), statement


@pytest.mark.parametrize("runtime", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_explain_is_productions(prod: Production, here: Place, runtime: str) -> None:
    there = _plans(prod.dsn_for("app"))
    branch = here.json("branch", "prod", "--name", runtime, "--runtime", runtime)
    mine = _plans(branch["urls"]["main"])
    for query, production_plan, branch_plan in zip(QUERIES, there, mine, strict=True):
        assert json.dumps(branch_plan, sort_keys=True) == json.dumps(production_plan, sort_keys=True), query

    rows = {row["what"]: row for row in here.json("parity", runtime)["rows"]}
    for what in ("statistics public.orders", "size public.orders", "index public.by_meaning", "server version"):
        assert rows[what]["parity"] == "match", rows[what]
    assert rows["index public.by_meaning"]["branch"] == "hnsw m=8"
    assert rows["size public.orders"]["production"].startswith("40000 rows")
    assert rows["model embedding: dimensions"]["parity"] == "match"
    assert rows["model other: dimensions"]["parity"] == "differs"
    assert rows["model embedding"]["parity"] == "unknown"
    if runtime == "docker":
        assert rows["image"]["branch"].startswith("sha256:") and rows["image"]["parity"] == "unknown"
    assert rows["settings of roles and databases"]["parity"] == "match"
    assert rows["settings of roles and databases"]["branch"] == "work_mem=6MB of role clerk"
    if runtime == "local":
        _changes_are_named(here, branch)
    with psycopg.connect(branch["urls"]["main"], autocommit=True) as conn:
        conn.execute("ANALYZE orders")
    rows = {row["what"]: row for row in here.json("parity", runtime)["rows"]}
    assert rows["statistics public.orders"]["parity"] == "differs"
    assert rows["size public.orders"]["parity"] == "differs"
    here.call("rm", runtime)


def test_a_table_without_statistics_says_so(prod: Production) -> None:
    prod.create_database("fresh")
    prod.execute("CREATE TABLE fresh (id int); INSERT INTO fresh VALUES (1)", "fresh")
    with psycopg.connect(prod.dsn_for("fresh")) as conn:
        assert planner(conn, set())["size public.fresh"] == "never analysed, 0 pages, 0 all visible"
        conn.execute("ANALYZE fresh")
        assert planner(conn, set())["size public.fresh"] == "1 rows in 1 pages, 0 all visible"
