"""What a branch's server counts tells what happened to its tables since its birth, and nothing of what was before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from envclone.models import Endpoint
from envclone.stores.postgres.catalog import facts
from envclone.stores.postgres.catalog.content import content
from envclone.stores.postgres.scrub import quiesce
from tests.integration.postgres import desk
from tests.support.postgres import production

pytestmark = pytest.mark.real


def _told(endpoint: Endpoint, enough: Callable[[list[str]], bool]) -> list[str]:
    """What the server says once sessions that ended have told it their counts."""
    deadline = time.monotonic() + 30
    while not enough(said := facts.changed(endpoint)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return said


def test_tables_written_vacuumed_and_analysed_since_the_counters_began(monkeypatch: pytest.MonkeyPatch) -> None:
    with production(18) as server:
        server.create_database("app")
        server.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE TABLE u (id int)", "app")
        server.execute("ANALYZE", "app")
        connect = desk.connector(server, "app")

        @contextmanager
        def connected(endpoint: Endpoint, operator: str | None = None, keep: Any = ()) -> Iterator[Any]:
            with connect() as conn:
                yield conn

        monkeypatch.setattr(facts, "_connected", connected)
        endpoint = Endpoint("main", "postgres", "127.0.0.1", server.port)
        assert len(_told(endpoint, lambda said: len(said) == 2)) == 2
        quiesce.count_anew(connect)
        assert facts.changed(endpoint) == []
        server.execute("INSERT INTO t SELECT generate_series(1, 7)", "app")
        server.execute("VACUUM u", "app")
        server.execute("INSERT INTO u VALUES (1), (2); UPDATE u SET id = 3 WHERE id = 1", "app")
        server.execute("DELETE FROM u WHERE id = 2", "app")
        server.execute("ANALYZE t", "app")
        expected = [
            "public.t: 7 rows inserted, analysed",
            "public.u: 2 rows inserted, 1 row updated, 1 row deleted, vacuumed",
        ]
        assert _told(endpoint, expected.__eq__) == expected


def test_what_a_session_wrote_that_stays_open_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with production(18) as server:
        server.create_database("app")
        server.execute("CREATE TABLE t (id int); CREATE SEQUENCE s", "app")
        connect = desk.connector(server, "app")

        @contextmanager
        def connected(endpoint: Endpoint, operator: str | None = None, keep: Any = ()) -> Iterator[Any]:
            with connect() as conn:
                yield conn

        monkeypatch.setattr(facts, "_connected", connected)
        endpoint = Endpoint("main", "postgres", "127.0.0.1", server.port)
        with connect() as pooled:  # of an application's pool: it does not end
            pooled.execute("SELECT 1")
            before = facts.counted(endpoint)
            pooled.execute("SELECT count(*) FROM t")
            assert facts.counted(endpoint).since(before).writing == 0, "it only reads"
            pooled.execute("INSERT INTO t VALUES (1)")
            pooled.execute("UPDATE t SET id = 2")
            assert facts.counted(endpoint).since(before).writing == 2


def test_what_two_databases_hold_differs_where_one_was_changed() -> None:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE EXTENSION vector; CREATE TABLE t (id int PRIMARY KEY, e vector(2), note text);"
            "INSERT INTO t SELECT i, ARRAY[i, 1]::vector, 'n' || i FROM generate_series(1, 9) i;"
            "CREATE INDEX near ON t USING hnsw (e vector_l2_ops) WITH (m = 8);"
            "CREATE VIEW v AS SELECT id FROM t; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "app",
        )
        with desk.connector(server, "app")() as conn:
            before = content(conn, whole=True)
            assert content(conn, whole=False)["rows public.t"] == "9"
        assert before["column public.t.e"] == "vector(2)" and before["column public.t.id"] == "integer not null"
        assert "m='8'" in before["definition of index public.near"]
        assert before["constraint public.t.t_pkey"] == "PRIMARY KEY (id)"
        assert before["rows public.t"].startswith("9, content ")
        server.execute(
            "UPDATE t SET note = 'other' WHERE id = 3; ALTER TABLE t ADD more text DEFAULT 'x'; DROP INDEX near;"
            "CREATE INDEX near ON t USING hnsw (e vector_l2_ops) WITH (m = 16);"
            "CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE id > 1;"
            "CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 2'",
            "app",
        )
        with desk.connector(server, "app")() as conn:
            after = content(conn, whole=True)
        assert {what for what in before.keys() | after.keys() if before.get(what) != after.get(what)} == {
            "column public.t.more",
            "definition of index public.near",
            "definition of view public.v",
            "definition of function public.f(integer)",
            "rows public.t",
        }
        assert before["embeddings public.t.e"] == after["embeddings public.t.e"]
        server.execute("UPDATE t SET e = '[7,7]' WHERE id = 5", "app")
        with desk.connector(server, "app")() as conn:
            assert content(conn, whole=True)["embeddings public.t.e"] != after["embeddings public.t.e"]
            assert not any(what.startswith("embeddings") for what in content(conn, whole=False))
