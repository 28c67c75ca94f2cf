"""The stores of the production: PostgreSQL with pgvector, a Qdrant collection beside it, and what is wrong in them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import qdrant_edge as q

from tests.benchmarks.failures.corpus import Model, Subject, Writer
from tests.support.postgres import Production

STACK = """\
version: 1
project: failures
pool: {{path: "{{pool}}"}}
environments:
  prod:
    stores:
      main: {{kind: postgres, source: {{method: physical, dsn: "${{DSN}}", database: app}}}}
      kb: {{kind: qdrant, source: {{method: directory, path: "${{KB}}"}}, collections: [{collections}]}}
sanitize:
  rules:
    main:
      {tables}
    kb:
      {points}
  references: [{references}]
incidents: incidents/
"""
TABLE = "CREATE TABLE {0} (id int PRIMARY KEY, tenant_id int, status text, lang text, body text, embedding vector(48));"
FINNISH = 45


@dataclass
class Made:
    """A record as it was written."""

    id: int
    subject: Subject
    body: str
    vector: list[float]
    tenant: int = 1
    status: str = "published"
    lang: str = "en"
    more: dict[str, Any] = field(default_factory=dict)


class World:
    """Production, and what is known of it because it was made so."""

    def __init__(self, server: Production, directory: Path, seed: int) -> None:
        self.server = server
        self.directory = directory
        self.writer = Writer(seed)
        self.drawn = self.writer.drawn
        self.model, self.other_model = Model(1), Model(2)
        self.tables: dict[str, dict[int, Made]] = {}
        self.vectors: dict[str, list[str]] = {}
        self._next = 1000

    def text(self, subject: Subject | None = None) -> Made:
        """A record about a subject, embedded as it should be; not written yet."""
        chosen = subject or self.drawn.choice(self.writer.subjects)
        self._next += self.drawn.choice((1, 1, 1, 2))
        body = self.writer.text(chosen)
        return Made(self._next, chosen, body, self.model.vector(body), tenant=self.drawn.randint(1, 4))

    def texts(self, count: int) -> list[Made]:
        """So many records about any subject."""
        return [self.text() for _ in range(count)]

    def fill(self, table: str, records: Iterable[Made], index: str) -> None:
        """Write a table, and build its index afterwards."""
        self.tables[table] = {one.id: one for one in records}
        with self.connect() as conn:
            conn.execute(TABLE.format(table).encode())
            with conn.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for one in self.tables[table].values():
                    copy.write_row((one.id, one.tenant, one.status, one.lang, one.body, literal(one.vector)))
            conn.execute(f"CREATE INDEX {table}_near ON {table} USING {index}; ANALYZE {table}".encode())

    def connect(self) -> psycopg.Connection[Any]:
        """A superuser's session in production."""
        return self.server.connect("app")

    def points(self, records: Iterable[Made], *, m: int = 6, ef_construct: int = 24) -> None:
        """Write the collection, a point for each record."""
        self.tables["articles"] = {one.id: one for one in records}
        self.vectors["articles"] = [""]
        place = self.directory / "collections" / "articles" / "0"
        place.parent.mkdir(parents=True)
        edge = q.EdgeShard.create(
            str(place),
            q.EdgeConfig(
                vectors=q.EdgeVectorParams(size=48, distance=q.Distance.Cosine),
                hnsw_config=q.HnswIndexConfig(m=m, ef_construct=ef_construct, full_scan_threshold=10),
                optimizers=q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
            ),
        )
        made = [q.Point(one.id, one.vector, {"text": one.body, "tenant": one.tenant, "lang": one.lang,
                                             "status": one.status, **one.more})
                for one in self.tables["articles"].values()]  # fmt: skip
        for start in range(0, len(made), 500):
            edge.update(q.UpdateOperation.upsert_points(made[start : start + 500]))
        edge.flush()
        edge.optimize()
        edge.flush()
        edge.close()

    def ask(self, sql: str, *values: Any, **settings: str) -> list[Any]:
        """Rows of production, as the application's role sees them."""
        with self.connect() as conn, conn.transaction():
            conn.execute("SET LOCAL ROLE app; SET LOCAL enable_seqscan = off; SET LOCAL hnsw.ef_search = 40")
            for name, value in settings.items():
                conn.execute("SELECT set_config(%s, %s, true)", [name.replace("__", "."), value])
            return conn.execute(sql.encode(), values or None, prepare=False).fetchall()

    def nearest(self, table: str, vector: list[float], limit: int, where: str = "", **settings: str) -> list[int]:
        """The ids that a search gives."""
        sql = f"SELECT id FROM {table} {where} ORDER BY embedding <=> %s::vector LIMIT {limit}"
        return [row[0] for row in self.ask(sql, literal(vector), **settings)]

    def exactly(self, table: str, vector: list[float], limit: int, where: str = "") -> list[int]:
        """The ids that no index gives."""
        return self.nearest(table, vector, limit, where, enable_indexscan="off", enable_seqscan="on")

    def collection(
        self, name: str, records: Iterable[Made], *, vectors: Any, point: Callable[[Made], tuple[Any, dict[str, Any]]],
        sparse: Any = None,
    ) -> None:  # fmt: skip
        """Write a collection, indexed, a point for each record: its vectors and its payload."""
        self.tables[name] = {one.id: one for one in records}
        self.vectors[name] = [*(vectors if isinstance(vectors, dict) else ("",)), *(sparse or ())]
        place = self.directory / "collections" / name / "0"
        place.parent.mkdir(parents=True)
        edge = q.EdgeShard.create(
            str(place),
            q.EdgeConfig(
                vectors=vectors, sparse_vectors=sparse,
                hnsw_config=q.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10),
                optimizers=q.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
            ),
        )  # fmt: skip
        edge.update(
            q.UpdateOperation.upsert_points([q.Point(one.id, *point(one)) for one in self.tables[name].values()])
        )
        edge.flush()
        edge.optimize()
        edge.flush()
        edge.close()

    def words(self, text: str) -> dict[int, float]:
        """A text as a sparse vector: a weight for each of its longer words."""
        own = [word for word in text.rstrip(".").split() if len(word) > 3]
        return {zlib.crc32(word.encode()) & 0xFFFFF: 1.0 + own.count(word) / 10 for word in own}

    def shard(self, name: str = "articles") -> Any:
        """A collection's shard; the caller closes it."""
        return q.EdgeShard.load(str(self.directory / "collections" / name / "0"))


def stack(world: World) -> str:
    """The stack file of what was written."""
    with world.connect() as conn:
        found = conn.execute(
            "SELECT c.table_schema, c.table_name, array_agg(c.column_name::text) FILTER (WHERE c.udt_name = 'vector')"
            " FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE c.table_schema !~ '^(pg_|information_schema)' AND t.table_type = 'BASE TABLE' GROUP BY 1, 2"
        ).fetchall()
    tables = [f"{schema}.{name}.*: keep" for schema, name, _ in found]
    tables += [f"{schema}.{name}.{one}: {{vectors: keep}}" for schema, name, vectors in found for one in vectors or ()]
    points = []
    names = sorted(path.name for path in (world.directory / "collections").iterdir())
    for name in names:
        points += [f"{name}.*: keep", f"{name}.point_ids: keep"]
        points += [f"{name}.vectors{f'.{one}' if one else ''}: {{vectors: keep}}" for one in world.vectors[name]]
    refers = '"kb.articles.point_ids -> main.public.articles.id"' if "articles" in names else ""
    return STACK.format(collections=", ".join(names), tables="\n      ".join(tables), points="\n      ".join(points),
                        references=refers)  # fmt: skip


def literal(vector: list[float]) -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(map(str, vector)) + "]"
