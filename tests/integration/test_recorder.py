"""An application that records itself: psycopg on a real server, and the whole way to a reproduced incident."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from qdrant_client import QdrantClient, models

from envclone import record
from envclone.incidents import files
from envclone.incidents.bundle import SqlStep, VectorStep
from envclone.incidents.plans import nodes
from envclone.incidents.traces.recorded import parts
from envclone.incidents.traces.recording import listed
from envclone.incidents.traces.steps import Stores
from envclone.record import sql as wrapped
from envclone.stores.qdrant.search import embedded
from tests.support.postgres import Production, production
from tests.support.qdrant import build
from tests.support.stack import Place, place
from tests.unit.record.ring import Recording
from tests.unit.record.servers import scripted

STACK = """\
version: 1
project: recorded
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: "@KB@"}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.note: text
      public.people.*: keep
      public.chunks.id: keep
      public.chunks.embedding: {vectors: keep}
    kb:
      articles.author.name: person
      articles.author.email: email
      articles.contacts[*].phone: phone
      articles.text: text
      articles.*: keep
      articles.vectors: keep
      articles.point_ids: keep
incidents: incidents/
"""
QUESTION = "why does Zoë Quuxington3 (zoe.quux3@corp.example) get nothing?"


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE EXTENSION vector;"
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, note text, seen timestamptz,"
            " score numeric);"
            "INSERT INTO people SELECT i, 'Zoë Quuxington' || i, 'zoe.quux' || i || '@corp.example',"
            " 'call Zoë Quuxington' || i || ' (zoe.quux' || i || '@corp.example)', '2026-01-02 03:04:05.5+00', 1.10"
            " FROM generate_series(1, 300) i;"
            "CREATE TABLE chunks (id int PRIMARY KEY, embedding vector(8));"
            "SELECT setseed(0.5);"
            "INSERT INTO chunks SELECT i, ARRAY[random(), random(), random(), random(), random(), random(), random(),"
            " random()]::vector FROM generate_series(1, 2000) i;"
            "CREATE INDEX ON chunks USING hnsw (embedding vector_l2_ops) WITH (m = 4, ef_construction = 8);"
            "CREATE ROLE app LOGIN PASSWORD 'secret-of-app';"
            "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO app;"
            "CREATE ROLE reader; GRANT reader TO app; GRANT SELECT ON people TO reader",
            "app",
        )
        yield server


@pytest.fixture
def dsn(prod: Production) -> str:
    """As the application logs in."""
    return prod.dsn_for("app", "app", "secret-of-app")


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    record.start(str(tmp_path / "recordings"))
    yield Recording(tmp_path / "recordings")
    record.stop()


def test_a_statement_is_recorded_as_it_ran(recording: Recording, dsn: str) -> None:
    with psycopg.connect(f"{dsn}?options=-c%20hnsw.ef_search%3D40", row_factory=dict_row) as conn:
        conn.execute("SET work_mem = '7MB'")  # before the request: it is in force all the same
        with record.session("ask"):
            conn.execute("SET LOCAL jit = off")
            row = conn.execute("SELECT id, name, seen FROM people WHERE id = %(id)s", {"id": 3}).fetchone()
            assert row is not None
            row["name"] = "changed afterwards"
            conn.execute(sql.SQL("SELECT {} FROM people WHERE id = %s").format(sql.Identifier("name")), [4]).fetchall()
            with pytest.raises(psycopg.errors.DivisionByZero):
                conn.execute("SELECT 1 / 0")
            conn.rollback()
            for _ in range(7):
                conn.execute("SELECT count(*) FROM people WHERE id < %s", [5])
            conn.execute("SELECT 1", prepare=True)
    calls = recording.calls()
    local, first, composed, failed, *rest, prepared = calls
    assert local["sql"] == "SET LOCAL jit = off"
    assert first["params"] == {"id": 3} and first["conn"]["user"] == "app" and not first["autocommit"]
    settings = first["settings"]
    assert (settings["work_mem"], settings["hnsw.ef_search"], first["local"]) == ("7MB", "40", {"jit": "off"})
    assert settings["timezone"] and settings["search_path"] == '"$user", public'
    assert first["rows"] == [["3", "Zoë Quuxington3", first["rows"][0][2]]] and first["columns"][1][0] == "name"
    assert all(column[3] for column in first["columns"]), "which table's column each one shows"
    assert composed["sql"] == 'SELECT "name" FROM people WHERE id = %s'
    assert failed["error"] == "22012 division by zero" and rest[0]["local"] == {}
    assert [one["prepared"] for one in rest] == [False] * 5 + [True] * 2 and prepared["prepared"]
    assert rest[0]["settings"].get("work_mem") is None, "the rollback took it back: it was set in that transaction"
    assert "secret-of-app" not in recording.text()


def test_what_a_transaction_or_a_pool_sets(recording: Recording, dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn, record.session("ask"):
        with pytest.raises(ZeroDivisionError), conn.transaction():
            conn.execute("SET hnsw.ef_search = 99")
            conn.execute("SELECT 1")
            raise ZeroDivisionError
        conn.execute("SELECT 2")
        with conn.transaction():
            conn.execute("SELECT set_config('app.user', %s, true), set_config('app.kind', 'x', false)", ["jane"])
            conn.execute("SELECT 3")
        conn.execute("SET ROLE reader")
        conn.execute("SELECT 4")
    found = {one["sql"]: (one["settings"], one["local"]) for one in recording.calls()}
    assert found["SELECT 1"][0]["hnsw.ef_search"] == "99" and "hnsw.ef_search" not in found["SELECT 2"][0]
    assert found["SELECT 3"][1] == {"app.user": "jane"} and found["SELECT 4"][0]["role"] == "reader"
    assert found["SELECT 4"][0]["app.kind"] == "x" and found["SELECT 4"][1] == {}


def test_async_many_streams_and_cursors_of_the_server(recording: Recording, dsn: str) -> None:
    async def ask() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as conn, record.session("async"):
            await conn.execute("SELECT 1 AS one")
            async with conn.cursor() as cursor:
                stream = cursor.stream("SELECT generate_series(1, 1000)")
                async for _ in stream:
                    break
                await stream.aclose()
            await conn.rollback()  # closing it early cancels the statement, when that still runs
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(conn.execute("SELECT pg_sleep(30)"), 0.2)

    asyncio.run(ask())
    with psycopg.connect(dsn) as conn, record.session("sync"):
        conn.cursor().executemany("UPDATE people SET note = %s WHERE id = %s", [("a", 1), ("b", 2)])
        assert len(list(conn.cursor().stream("SELECT generate_series(1, 5)"))) == 5
        with conn.cursor("named") as cursor:
            cursor.execute("SELECT generate_series(1, 5)")
            assert len(cursor.fetchall()) == 5
        assert len(conn.execute("SELECT repeat('x', 1000) FROM generate_series(1, 5000)").fetchall()) == 5000
        with psycopg.ClientCursor(conn) as client:
            client.execute("SELECT %s", ["x"])
        with conn.pipeline():
            conn.execute("SELECT 6")
        conn.execute("SELECT 7", binary=True)
        with conn.cursor().copy("COPY (SELECT generate_series(1, 4)) TO STDOUT") as copy:
            assert len(list(copy.rows())) == 4
        with pytest.raises(psycopg.errors.UndefinedTable), conn.cursor().copy("COPY nothing FROM STDIN"):
            pass
        conn.rollback()
    one, streamed, late, many, whole, named, large, client, _, binary, copied, refused = recording.calls()
    assert copied["copied"] == 4 and "rows" not in copied and refused["error"].startswith("42P01")
    assert one["rows"] == [["1"]] and streamed["streamed"] == 1 and streamed["closed"]
    assert late["error"].startswith(("CancelledError", "57014"))
    assert many["params"] == [["a", 1], ["b", 2]] and whole["streamed"] == 5 and "rows" not in named
    assert (large["height"], large["cut"], "rows" in large) == (5000, True, False)
    assert client["cursor"] == "ClientCursor" and binary["columns"][0][2] == 1


def test_our_failures_do_not_reach_the_application(
    recording: Recording, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    with psycopg.connect(dsn) as conn:
        for name in (
            "_before", "_after", "_failed", "_known", "_settings", "_text", "_read", "_base", "frozen", "_copied"
        ):  # fmt: skip
            with monkeypatch.context() as patched, record.session("ask"):
                patched.setattr(wrapped, name, broken)
                assert conn.execute("SELECT %s", [1]).fetchone() == (1,)
                with pytest.raises(psycopg.errors.DivisionByZero), conn.transaction():
                    conn.execute("SELECT 1 / 0")
                assert [row[0] for row in conn.cursor().stream("SELECT 2")] == [2]
                with conn.cursor().copy("COPY (SELECT 3) TO STDOUT") as copy:
                    assert list(copy.rows()) == [("3",)]
                record.flush()
                conn.rollback()
    assert record.status()["errors"] >= 9


class _Qdrant(BaseHTTPRequestHandler):
    """A server in front of the embedded engine: what qdrant-client asks over HTTP, it answers from the storage."""

    root: Path

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        taken = {
            key: asked[key] for key in ("query", "filter", "limit", "params", "using") if asked.get(key) is not None
        }
        if isinstance(taken.get("query"), dict) and "nearest" in taken["query"]:
            taken["query"] = taken["query"]["nearest"]
        step = VectorStep.model_validate({**taken, "id": "x", "store": "kb", "collection": self.path.split("/")[2]})
        with embedded(self.root) as runner:
            result = runner.run(step)
        points = [
            {"id": id, "version": 0, "score": score, "payload": row[0]}
            for id, score, row in zip(result.ids, result.scores, result.rows, strict=True)
        ]
        answer = json.dumps({"result": {"points": points}, "status": "ok", "time": 0.0}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        return None


@contextlib.contextmanager
def _served(root: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Qdrant,), {"root": root}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _application(dsn: str, qdrant: str, model: str, vector: list[float]) -> str:
    """A small assistant: an embedding, a search in both stores, the customer, a model that is streamed."""
    with (
        record.session("answer", question=QUESTION),
        psycopg.connect(dsn) as conn,
        httpx.Client(headers={"Authorization": "Bearer sk-live-0123456789abcdef"}) as client,
    ):
        record.note(conversation="c-7", prompt_version="3")
        embedding = client.post(f"{model}/v1/embeddings", json={"model": "e", "input": QUESTION}).json()
        conn.execute("SET LOCAL hnsw.ef_search = 5")
        near = embedding["data"][0]["embedding"]
        chunks = conn.execute(
            "SELECT id, embedding <-> %s::vector AS distance FROM chunks ORDER BY embedding <-> %s::vector LIMIT 5",
            [str(near), str(near)],
        ).fetchall()
        kb = QdrantClient(url=qdrant, check_compatibility=False)
        filter = models.Filter(must=[models.FieldCondition(key="tag", match=models.MatchValue(value="t3"))])
        hits = kb.query_points(
            "articles", query=vector, limit=4, query_filter=filter, search_params=models.SearchParams(hnsw_ef=16)
        ).points
        kb.close()
        who = conn.execute(
            "SELECT id, name, email, note, seen, score FROM people WHERE email = %(email)s",
            {"email": "zoe.quux3@corp.example"},
        ).fetchone()
        messages = [{"role": "user", "content": f"{QUESTION} {chunks} {[hit.id for hit in hits]} {who}"}]
        with client.stream(
            "POST", f"{model}/v1/chat/completions", json={"model": "m", "messages": messages, "stream": True}
        ) as answer:
            text = "".join(answer.iter_text())
        conn.execute("SELECT nothing FROM people")
        return text


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        build(made.directory / "storage")
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK.replace("@KB@", str(made.directory / "storage")))
        yield made


def test_from_the_application_to_a_replay(here: Place, dsn: str) -> None:
    vector = [math.sin(number) for number in range(16)]
    record.start(str(here.directory / "recordings"), application={"commit": "c0ffee"})
    with (
        _served(here.directory / "storage") as qdrant,
        scripted() as model,
        pytest.raises(psycopg.errors.UndefinedColumn),
    ):
        _application(dsn, qdrant, model, vector)
    record.stop()
    (one,) = here.json("incident", "recordings", "recordings")
    assert one["outcome"].startswith("UndefinedColumn") and one["calls"] == 8
    made = here.json("incident", "import", "recordings", "--id", "42")
    assert made["steps"] == ["sql-4", "search-5", "sql-6", "sql-8"] and made["exchanges"] == 2
    bundle = files.load(here.directory / "incidents" / "42.yaml")
    assert bundle.at is not None and bundle.application == {"commit": "c0ffee"}
    chunks, search, who, fails = bundle.steps
    assert (
        chunks.kind == "sql"
        and chunks.expect is not None
        and chunks.local == {"hnsw.ef_search": "5"}
        and chunks.role == "app"
    )
    assert search.expect is not None and len(search.expect.ids) == 4 and who.expect is not None
    assert who.expect.rows[0][1] == "Zoë Quuxington3" and str(who.expect.rows[0][4]).startswith("2026-01-02T")
    assert fails.expect is not None and (fails.expect.error or "").startswith("42703")
    assert [one.kind for one in bundle.exchanges] == ["embedding", "llm"]
    text = (here.directory / "incidents" / "42.yaml").read_text()
    assert not [word for word in ("0123456789abcdef", "secret-of-app") if word in text]

    branch = here.json("branch", "prod", "--incident", "42")
    (masked,) = (here.pool / "incidents").iterdir()
    low = masked.read_text().lower()
    assert not [word for word in ("quux", "zoë", "zoe.", "zo\\u00eb") if word in low]
    report = here.json("replay", "42")
    assert report["reproduced"], report
    assert [step["step"] for step in report["steps"]] == made["steps"]

    with psycopg.connect(branch["urls"]["main"]) as conn:
        conn.execute("UPDATE chunks SET embedding = '[9,9,9,9,9,9,9,9]' WHERE id = %s", [chunks.expect.rows[0][0]])
        conn.execute("UPDATE people SET score = 2 WHERE id = 3")
    differs = here.json("replay", "42", check=False)
    assert [step["step"] for step in differs["steps"] if not step["reproduced"]] == ["sql-4", "sql-6"]


def test_plans_are_asked_for_what_failed_and_on_a_connection_of_their_own(tmp_path: Path, dsn: str) -> None:
    opened = []

    def connect() -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(dsn, row_factory=dict_row))
        return opened[-1]

    record.start(str(tmp_path / "recordings"), explain=connect)
    try:
        with psycopg.connect(dsn) as conn:
            with record.session("fine"):
                conn.execute("SELECT id FROM people WHERE id = %s", [1])
            with contextlib.suppress(ZeroDivisionError), record.session("fails"):
                conn.execute("SET enable_indexscan = off")
                conn.execute("SET nobody.knows = 'it'")
                conn.execute("SET LOCAL enable_bitmapscan = off")
                conn.execute("SELECT id, name FROM people WHERE id = %(id)s", {"id": 3})
                conn.execute("UPDATE people SET note = '' WHERE id = 4")
                conn.execute("SELECT set_config('work_mem', '9MB', false)")
                with pytest.raises(psycopg.errors.UndefinedTable):
                    conn.execute("SELECT * FROM nowhere")
                raise ZeroDivisionError
            kept = [values for _, _, values in Recording(tmp_path / "recordings").all("kept")]
            seen = [values for values in kept if values.get("t") == "plan"]
        assert len(opened) == 1 and not any(call.get("sql", "").startswith("EXPLAIN")
                                            for call in Recording(tmp_path / "recordings").calls())  # fmt: skip
        first, second = seen
        assert nodes(first["plan"]) == ("Seq Scan on people",), "with the settings that were in force"
        assert nodes(second["plan"]) == ("Result",)
        (request,) = [one for one in listed(tmp_path / "recordings") if one.name == "fails"]
        made = parts(tmp_path / "recordings", request, Stores(postgres="main"))
        plans = {one.sql[:20]: one.plan for one in made.steps if isinstance(one, SqlStep)}
        assert plans["SELECT id, name FROM"] == ("Seq Scan on people",) and plans["SELECT * FROM nowher"] == ()
        opened[0].close()
        with contextlib.suppress(ZeroDivisionError), psycopg.connect(dsn) as conn, record.session("again"):
            conn.execute("SELECT 1")
            raise ZeroDivisionError
        assert record.flush() and record.status()["dropped"] == 0
    finally:
        record.stop()


def test_a_connection_that_cannot_be_had_is_no_matter(tmp_path: Path, dsn: str) -> None:
    def nowhere() -> Any:
        raise OSError

    record.start(str(tmp_path / "recordings"), explain=nowhere)
    try:
        with contextlib.suppress(ZeroDivisionError), psycopg.connect(dsn) as conn, record.session("fails"):
            assert conn.execute("SELECT 7").fetchone() == (7,)
            raise ZeroDivisionError
        kept = [values.get("t") for _, _, values in Recording(tmp_path / "recordings").all("kept")]
        assert "end" in kept and "plan" not in kept and record.status()["errors"] == 1
    finally:
        record.stop()
