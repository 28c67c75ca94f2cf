"""Incidents: what an application asked, what it got, and what it should have got."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import qdrant_edge as q

from tests.benchmarks.failures.places import Made, World

LIMIT = 5


@dataclass(frozen=True)
class Failure:
    """An incident, the cause that was built into it ('' for none), and the ids that should have come."""

    cause: str
    steps: tuple[dict[str, Any], ...] = ()
    calls: tuple[dict[str, Any], ...] = ()
    expected: tuple[int, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)

    def bundle(self, ident: str) -> dict[str, Any]:
        """The incident's bundle."""
        return {"version": 1, "incident": ident, "environment": "prod", "steps": list(self.steps),
                "calls": list(self.calls), **self.fields}  # fmt: skip


def by_sql(
    world: World, table: str, vector: list[float], where: str = "", *, limit: int = LIMIT, values: tuple[Any, ...] = (),
    **settings: str,
) -> dict[str, Any]:  # fmt: skip
    """A step that searches a table, with what production answers."""
    sql = f"SELECT id, body, embedding <=> %s::vector AS distance FROM {table} {where} ORDER BY distance LIMIT {limit}"
    literal = "[" + ",".join(map(str, vector)) + "]"
    given = {"enable_seqscan": "off", **{name.replace("__", "."): value for name, value in settings.items()}}
    try:
        rows = world.ask(sql, literal, *values, **{name: str(value) for name, value in given.items()})
        expect: dict[str, Any] = {"ids": [row[0] for row in rows]}
    except Exception as exc:
        expect = {"error": f"{getattr(exc, 'sqlstate', None) or '-----'} {str(exc).splitlines()[0]}"}
    return {"id": "search", "kind": "sql", "store": "main", "role": "app", "sql": sql, "key": "id", "score": "distance",
            "parameters": [vector, *values], "settings": given, "expect": expect}  # fmt: skip


def by_points(
    edge: Any, vector: list[float], *, limit: int = LIMIT, ef: int | None = None, filter: Any = None, engine: Any = None
) -> dict[str, Any]:  # fmt: skip
    """A step that searches the collection; `filter` as the API has it, `engine` the same for the engine."""
    found = edge.search(q.SearchRequest(query=q.Query.Nearest(vector), limit=limit, filter=engine,
                                        params=q.SearchParams(hnsw_ef=ef) if ef else None))  # fmt: skip
    return {"id": "search", "kind": "vector", "store": "kb", "collection": "articles", "vector": vector, "limit": limit,
            **({"params": {"hnsw_ef": ef}} if ef else {}), **({"filter": filter} if filter else {}),
            "expect": {"ids": [point.id for point in found]}}  # fmt: skip


def search(world: World, record: Made, words: int = 6) -> list[float]:
    """The vector of a question about a record."""
    return world.model.vector(world.writer.question(record.body, words))


def ids(step: dict[str, Any]) -> list[int]:
    """What production answered."""
    return list(step["expect"].get("ids", ()))
