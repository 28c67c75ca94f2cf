"""The demo's production: a PostgreSQL server and a Qdrant collection, full, running, and used for years."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.demo.cluster import Cluster, Login, cluster
from envclone.demo.collection import COLLECTION, build_collection
from envclone.demo.desk import Desk, make_desk
from envclone.demo.embeddings import Embedder
from envclone.demo.people import make_people
from envclone.models import ProgressEvent, Secret
from envclone.protocols import Progress
from envclone.stores.qdrant.engine import aside

if TYPE_CHECKING:
    from envclone.demo.embeddings import Matrix

__all__ = ["APP", "DATABASE", "OWNER", "DemoProduction", "build"]

DATABASE = "northwind"
OWNER = "northwind"
APP = "app"


@dataclass(frozen=True, slots=True)
class DemoProduction:
    """A running production; the DSNs hold no password, but name the file that does.

    `vectors` has the embedding of chunk `n` (deleted or not) in row `n - 1`, float32, unit length.
    `rows` counts the rows per table and the points of the collection; `seconds` says what the build's parts took.
    """

    directory: Path
    cluster: Cluster
    app: Login
    dsn: str
    app_dsn: str
    qdrant: Path
    desk: Desk
    embedder: Embedder
    vectors: Matrix
    rows: Mapping[str, int]
    seconds: Mapping[str, float]

    @property
    def passfile(self) -> Path:
        """The passwords of its logins, in libpq's format, mode 0600."""
        return self.cluster.passfile


@contextmanager
def build(
    into: Path, *, progress: Progress, seed: int = 1234, customers: int = 5000, chunks: int = 20_000
) -> Iterator[DemoProduction]:
    """Build production in the directory `into` and run it until the end of the block.

    `into` must exist, be empty, and be open (mode x) to the account that servers run as. People, texts and
    vectors depend on `seed` alone; the levels that pgvector draws for its index do not.
    """
    clock = _Clock(progress)
    clock.start("people and texts")
    people = make_people(seed, customers=customers, leavers=customers // 40, movers=customers // 12)
    desk = make_desk(people, seed, chunks=chunks)
    clock.start("embeddings")
    embedder = Embedder()
    vectors = embedder.embed([f"{c.title}\n{c.body}" for c in desk.chunks])
    clock.start("qdrant collection")
    qdrant = into / "qdrant"
    points = aside(lambda: build_collection(qdrant, desk, vectors))
    clock.start("start server")
    with cluster(into, owner=OWNER) as server:
        import psycopg
        from psycopg import sql

        from envclone.demo import load

        app = Login(APP, Secret(secrets.token_urlsafe(18)))
        server.add_login(app)
        with psycopg.connect(server.conninfo(), autocommit=True) as conn:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        with psycopg.connect(server.conninfo(database=DATABASE), autocommit=True) as conn:
            load.fill(conn, desk, vectors, seed, lambda table: clock.start(f"load {table}"))
            clock.start("history")
            load.live(conn, desk)
            load.settle(conn, APP, app.password.reveal(), DATABASE)
            rows = load.count(conn)
        seconds = clock.stop()
        yield DemoProduction(
            directory=into,
            cluster=server,
            app=app,
            dsn=server.conninfo(database=DATABASE),
            app_dsn=server.conninfo(user=APP, database=DATABASE),
            qdrant=qdrant,
            desk=desk,
            embedder=embedder,
            vectors=vectors,
            rows={**rows, COLLECTION: points},
            seconds=seconds,
        )


class _Clock:
    """Times the parts of the build and reports them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._seconds: dict[str, float] = {}
        self._part: str | None = None
        self._since = 0.0

    def start(self, part: str) -> None:
        self.stop()
        self._part, self._since = part, time.perf_counter()
        self._progress(ProgressEvent(f"production: {part}", len(self._seconds)))

    def stop(self) -> Mapping[str, float]:
        if self._part is not None:
            self._seconds[self._part] = round(time.perf_counter() - self._since, 3)
            self._part = None
        return self._seconds
