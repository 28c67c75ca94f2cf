"""What a branch's server counts tells what happened to its tables since its birth, and nothing of what was before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from envclone.models import Endpoint
from envclone.stores.postgres.catalog import facts
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
        server.execute("ANALYZE t", "app")
        expected = ["public.t: 7 rows written, analysed", "public.u: vacuumed"]
        assert _told(endpoint, expected.__eq__) == expected
