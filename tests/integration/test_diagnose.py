"""`envclone diagnose` on real engines: one branch, a failure of each kind that only a server shows, and what works."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import qdrant_edge as q
import yaml

from envclone.diagnosis.diagnose import Diagnosis
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: why
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: "{kb}"}, collections: [articles]}
sanitize:
  rules:
    main:
      public.chunks.*: keep
      public.chunks.embedding: {vectors: keep}
      public.worn.*: keep
      public.worn.embedding: {vectors: keep}
      public.articles.*: keep
      public.notes.*: keep
      public.notes.embedding: {vectors: keep}
      old.notes.*: keep
      old.notes.embedding: {vectors: keep}
    kb: {articles.*: keep, articles.vectors: keep, articles.point_ids: keep}
  references: ["kb.articles.point_ids -> main.public.articles.id"]
incidents: incidents/
"""
WROTE = "Written by Rosalind Thistlewood, rosalind@thistlewood.example"
QUERY = [0.3, 0.1, 0.5, 0.2]


def _vector(drawn: random.Random) -> list[float]:
    return [round(drawn.uniform(-1, 1), 4) for _ in range(4)]


def _sql(where: str = "", table: str = "chunks", **given: Any) -> dict[str, Any]:
    return {
        "id": "search", "kind": "sql", "store": "main", "role": "app", "key": "id", "score": "distance",
        "sql": f"SELECT id, embedding <-> %s::vector AS distance FROM {table} {where} ORDER BY distance LIMIT 5",
        "parameters": [given.pop("vector", QUERY), *given.pop("values", ())], "settings": {"enable_seqscan": "off"},
        **given,
    }  # fmt: skip


def _points(**given: Any) -> dict[str, Any]:
    return {"id": "search", "kind": "vector", "store": "kb", "collection": "articles", "vector": QUERY, "limit": 5,
            **given}  # fmt: skip


STEPS = {
    "works": _sql(),
    "tenant": _sql("WHERE tenant_id = %s", values=(2,)),
    "policy": _sql(role="bound"),
    "few": _sql("WHERE lang = 'fi'", local={"hnsw.ef_search": "10"}),
    "dead": _sql(table="worn"),
    "dimension": _sql(vector=[0.1, 0.2]),
    "time": _sql("WHERE (SELECT count(*) FROM chunks a, chunks b, chunks c WHERE a.id + b.id < c.id) > 0",
                 local={"statement_timeout": "50ms"}),
    "function": _sql(sql="SELECT * FROM match_chunks(%s::vector, 2)", score=None),
    "uncast": _sql(sql="SELECT * FROM match_chunks(query => %s, tenant => 2)", score=None),
    "ranks": _sql(sql="WITH near AS (SELECT id, row_number() OVER (ORDER BY embedding <-> %s::vector) AS r FROM chunks"
                  " WHERE tenant_id = 2 ORDER BY embedding <-> %s::vector LIMIT 9), old AS (SELECT id, row_number()"
                  " OVER (ORDER BY id) AS r FROM chunks WHERE tenant_id = 2 ORDER BY id LIMIT 9) SELECT"
                  " coalesce(near.id, old.id) AS id FROM near FULL JOIN old ON near.id = old.id ORDER BY"
                  " coalesce(1.0 / near.r, 0) + coalesce(1.0 / old.r, 0) DESC, 1 LIMIT 3", values=(QUERY,), score=None),
    "person": _sql(sql="SELECT id FROM chunks WHERE tenant_id = 1 ORDER BY embedding <-> (SELECT n.embedding"
                   " FROM notes n WHERE n.wrote = %s ORDER BY n.id DESC LIMIT 1) LIMIT 5", parameters=[WROTE],
                   score=None),
    "cursor": _sql(sql="SELECT c AS id FROM by_cursor(%s::vector, 2) c", score=None),
    "no-limit": _sql(sql="SELECT id FROM (SELECT id, rank() OVER (PARTITION BY tenant_id ORDER BY embedding <->"
                         " %s::vector) AS place FROM chunks) r WHERE place <= 1", score=None),
    "null-limit": _sql(sql="SELECT id FROM chunks WHERE tenant_id = 2 AND embedding <-> %s::vector < 0.9 ORDER BY"
                           " embedding <-> %s::vector LIMIT NULL", values=(QUERY,), score=None),
    "groups": _sql(sql="SELECT tenant_id, min(embedding <-> %s::vector) AS distance FROM chunks GROUP BY tenant_id"
                   " ORDER BY distance LIMIT 1", key="tenant_id"),
    "fused": _points(vector=None, query={"fusion": "rrf"}, prefetch=[
        {"query": QUERY, "filter": {"must": [{"key": "lang", "match": {"value": "fi"}}]}},
        {"query": [-one for one in QUERY], "filter": {"must": [{"key": "lang", "match": {"value": "fi"}}]}}]),
    "path": _sql(table="notes", role="lost"),
    "path-named": _sql(table="old.notes", role="lost"),
    "path-right": _sql(table="notes"),
    "points": _points(),
    "filtered": _points(filter={"must": [{"key": "lang", "match": {"value": "fi"}}]}),
}  # fmt: skip


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    drawn = random.Random(7)
    with production(18) as server:
        server.create_database("app")
        rows = ",".join(
            f"({n}, {1 + n % 2}, '{'fi' if n % 40 == 0 else 'en'}', '{_vector(drawn)}')" for n in range(1, 1201)
        )
        server.execute(
            "CREATE EXTENSION vector;"
            "CREATE TABLE chunks (id int PRIMARY KEY, tenant_id int, lang text, embedding vector(4));"
            f"INSERT INTO chunks VALUES {rows};"
            "CREATE TABLE worn AS TABLE chunks; ALTER TABLE worn ADD PRIMARY KEY (id);"
            "ALTER TABLE worn SET (autovacuum_enabled = off);"
            "CREATE INDEX ON chunks USING hnsw (embedding vector_l2_ops);"
            "CREATE INDEX ON worn USING hnsw (embedding vector_l2_ops);"
            f"DELETE FROM worn WHERE id IN (SELECT id FROM worn ORDER BY embedding <-> '{QUERY}' LIMIT 60);"
            "CREATE SCHEMA old; CREATE TABLE notes (id int PRIMARY KEY, embedding vector(4));"
            "INSERT INTO notes SELECT id, embedding FROM chunks WHERE id < 40;"
            f"ALTER TABLE notes ADD wrote text; UPDATE notes SET wrote = '{WROTE}' WHERE id > 30;"
            "CREATE TABLE old.notes (LIKE notes INCLUDING ALL);"
            "INSERT INTO old.notes SELECT id, embedding, NULL FROM chunks WHERE id BETWEEN 20 AND 30;"
            "CREATE ROLE lost LOGIN BYPASSRLS; GRANT pg_read_all_data TO lost; GRANT USAGE ON SCHEMA old TO lost;"
            "ALTER ROLE lost SET search_path = old, public;"
            "CREATE TABLE articles (id int PRIMARY KEY); INSERT INTO articles SELECT generate_series(1, 300);"
            "DELETE FROM articles WHERE id = 17;"
            "CREATE FUNCTION match_chunks(query vector, tenant int, many int DEFAULT 5)"
            " RETURNS TABLE (id int, far float8) LANGUAGE plpgsql STABLE AS $$ BEGIN"
            " RETURN QUERY SELECT c.id, c.embedding <-> query FROM chunks c"
            " WHERE c.tenant_id = tenant ORDER BY c.embedding <-> query LIMIT many; END $$;"
            "CREATE FUNCTION by_cursor(query vector, tenant int) RETURNS SETOF int LANGUAGE plpgsql STABLE AS $$"
            " DECLARE near CURSOR (owner int, many int) FOR SELECT c.id FROM chunks c WHERE c.tenant_id = owner"
            " ORDER BY c.embedding <-> query LIMIT many; hit int; BEGIN OPEN near(many := 5, owner := tenant);"
            " LOOP FETCH near INTO hit; EXIT WHEN NOT FOUND; RETURN NEXT hit; END LOOP; CLOSE near; END $$;"
            "CREATE ROLE app LOGIN BYPASSRLS; CREATE ROLE bound LOGIN; GRANT pg_read_all_data TO app, bound;"
            "ALTER TABLE chunks ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON chunks TO bound USING (tenant_id = 2)",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    kb = tmp_path_factory.mktemp("kb")
    _collection(kb)
    with place() as made, pytest.MonkeyPatch.context() as patched:
        made.env["DSN"] = prod.dsn_for("app")
        patched.setenv("DSN", made.env["DSN"])
        made.write(STACK.replace("{kb}", str(kb)))
        (made.directory / "incidents").mkdir()
        for name, step in STEPS.items():
            bundle = {"version": 1, "incident": name, "environment": "prod", "steps": [step]}
            (made.directory / "incidents" / f"{name}.yaml").write_text(yaml.safe_dump(bundle))
        made.json("branch", "prod", "--name", "why")
        for name in STEPS:  # the library: a process for each would be most of the test's time
            made.open().record(made.directory / "incidents" / f"{name}.yaml")
        yield made


def _collection(root: Path) -> None:
    drawn = random.Random(8)
    shard = root / "collections" / "articles" / "0"
    shard.parent.mkdir(parents=True)
    edge = q.EdgeShard.create(str(shard), q.EdgeConfig(vectors=q.EdgeVectorParams(size=4, distance=q.Distance.Cosine)))
    points = [q.Point(n, QUERY if n == 17 else _vector(drawn), {"lang": "en"}) for n in range(1, 251)]
    edge.update(q.UpdateOperation.upsert_points(points))
    edge.flush()
    edge.close()


def _nearest(prod: Production, where: str = "", table: str = "chunks") -> str:
    sql = f"SET enable_indexscan = off; SELECT id FROM {table} {where} ORDER BY embedding <-> '{QUERY}' LIMIT 1"
    return str(prod.execute(sql, "app")[0][0])


def _other_tenant(prod: Production) -> str:
    return str(3 - int(prod.execute(f"SELECT tenant_id FROM chunks WHERE id = {_nearest(prod)}", "app")[0][0]))


def _diagnosed(here: Place, name: str, *expected: str) -> Diagnosis:
    return here.open().diagnose(name, "why", expected=expected)


def test_what_only_a_server_shows(here: Place, prod: Production) -> None:
    nearest = _nearest(prod, "WHERE tenant_id = 1")
    few = _nearest(prod, "WHERE lang = 'fi'")
    second = _nearest(prod, f"WHERE id NOT IN ({nearest}, {_nearest(prod, 'WHERE tenant_id = 2')})")
    expected: dict[str, tuple[str | None, tuple[str, ...]]] = {
        "works": (None, (_nearest(prod),)),
        "tenant": ("tenant_excludes", (nearest,)),
        "policy": ("tenant_excludes", (nearest,)),
        "few": ("scan_exhausted", (few,)),
        "dead": ("dead_rows", (_nearest(prod, table="worn"),)),
        "dimension": ("wrong_dimension", ("1",)),
        "time": ("timeout", ()),
        "function": ("tenant_excludes", (nearest,)),
        "uncast": ("tenant_excludes", (nearest,)),
        "ranks": ("tenant_excludes", (nearest,)),
        "person": (None, ()),  # a mask took a name out of the parameter, and the column is kept
        "cursor": ("tenant_excludes", (nearest,)),
        "no-limit": ("below_k", (second,)),
        "null-limit": ("tenant_excludes", (nearest,)),
        "groups": ("below_k", (_other_tenant(prod),)),
        "fused": ("condition_excludes", ("17",)),
        "path": ("other_table", ("7",)),
        "path-named": ("missing_chunk", ("7",)),
        "path-right": ("missing_chunk", ("900",)),
        "points": ("point_without_row", ()),
        "filtered": ("condition_excludes", ("17",)),
    }
    found = {name: _diagnosed(here, name, *ids).first for name, (_, ids) in expected.items()}
    assert {name: one.cause if one else None for name, one in found.items()} == {
        name: cause for name, (cause, _) in expected.items()
    }
    assert not [line for line in _diagnosed(here, "function", nearest).unknown if "cannot be asked" in line]
    assert "row_without_point" in [one.cause for one in _diagnosed(here, "points", "280").findings]


def test_the_command_of_a_finding_can_be_pasted(here: Place, prod: Production) -> None:
    few = _nearest(prod, "WHERE lang = 'fi'")
    first = _diagnosed(here, "few", few).first
    assert first is not None
    dsn = here.json("show", "why")["urls"]["main"]
    with psycopg.connect(dsn, autocommit=True) as conn:
        rows = []
        for statement in first.command.splitlines():
            done = conn.execute(statement.encode())
            rows += done.fetchall() if done.description else []
    assert few in [str(row[0]) for row in rows]


def test_a_sweep_and_a_diagnosis_for_people(here: Place, prod: Production) -> None:
    few = _nearest(prod, "WHERE lang = 'fi'")
    done = here.call("diagnose", "few", "--branch", "why", "--expect", few, "--sweep", check=False)
    assert "incident few: index: scan_exhausted (shown)" in done.stdout
    assert "hnsw.ef_search 10 *" in done.stdout and f"RANK OF {few}" in done.stdout
    assert done.returncode == 5
    tried = here.open().diagnose("works", "why", expected=["1"], sweeps=True).sweeps
    assert sum(point.value.startswith("record ") for point in tried) == 5, "each result is left out in turn"
    document = here.json("diagnose", "few", "--branch", "why", "--expect", few, check=False)
    assert (document["layer"], document["cause"], document["missing"]) == ("index", "scan_exhausted", [few])
    nothing = here.fresh.call("diagnose", "tenant", "--branch", "why")
    assert "candidates" in nothing.stdout and "nothing says what should have been returned" in nothing.stdout
