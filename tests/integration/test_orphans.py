"""What refers to nothing, and what nothing refers to: all that is planted is counted, in whatever form it stands."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as q

from tests.support.postgres import Production, production
from tests.support.qdrant import build
from tests.support.stack import Place, place

STACK = """\
version: 1
project: orphans
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "@DSN@", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: "@KB@"}}
sanitize:
  rules:
    main:
      {public.tickets.id: keep, public.tickets.number: @KEY@, public.tickets.uid: keep, public.tickets.hash: keep,
       public.tickets.meta: keep, public.tickets.points: keep, public.events.*: keep}
    kb:
      {articles.meta.ticket.id: @KEY@, "articles.meta.ticket.id[*]": @KEY@, articles.tags.event: keep,
       "articles.tags[*].event": keep, articles.vectors: keep, articles.point_ids: keep, named.uid: keep,
       named.hash: keep, named.vectors: keep, named.point_ids: keep}
  references:
@REFERENCES@
"""
REFERENCES = {
    # how many dangle, and to how many nothing refers
    "kb.articles.meta.ticket.id <-> main.public.tickets.number": (3, 4),
    "kb.articles.point_ids <-> main.public.tickets.id": (2, 2),
    "main.public.tickets.points[] <-> kb.articles.point_ids": (2, 2),
    "main.public.tickets.meta.point.id <-> kb.named.point_ids": (2, 2),
    "kb.named.hash <-> main.public.tickets.hash": (0, 2),
    "kb.named.uid <-> main.public.tickets.uid": (1, 2),
    "kb.articles.tags[].event <-> main.public.events.id": (1, 1),
}


def _uid(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def _hash(number: int) -> str:
    return hashlib.md5(str(number).encode()).hexdigest()


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE tickets (id int PRIMARY KEY, number bigint, uid uuid, hash text, meta jsonb, points int[]);"
            "CREATE TABLE events (id numeric(12, 2), at date) PARTITION BY RANGE (at);"
            "CREATE TABLE events_a PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-06-01');"
            "CREATE TABLE events_b PARTITION OF events FOR VALUES FROM ('2026-06-01') TO ('2027-01-01');"
            "INSERT INTO events VALUES (1, '2026-01-01'), (2, '2026-07-01'), (3, '2026-07-01')",
            "app",
        )
        for number in range(40):
            meta = json.dumps({"point": {"id": None if number == 5 else _uid(number)}})
            server.execute(
                f"INSERT INTO tickets VALUES ({number}, {70000 + number}, '{_uid(number)}', '{_hash(number)}',"
                f" '{meta}', '{{{number},NULL}}')",
                "app",
            )
        yield server


def _payload(number: int) -> dict[str, Any]:
    ident: Any = 70000 + number if number != 39 else 99999  # a point whose row is gone
    forms = (ident, str(ident), float(ident), [ident, None])
    return {"meta": {"ticket": {"id": forms[number % 4]}}, "tags": [{"event": 1 + number % 2}, {"event": None}, {}]}


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        storage = made.directory / "storage"
        articles = build(storage, points=42, payload=_payload, indexed=())
        edge = articles.edge()  # deleted after the index was built: what is left of them is no reference
        edge.update(q.UpdateOperation.delete_points([0, 7]))
        edge.update(q.UpdateOperation.overwrite_payload([8], {"meta": {"ticket": {"id": None}}, "tags": {"event": 4}}))
        edge.flush()
        edge.close()
        _named(storage)
        text = STACK.replace("@DSN@", prod.dsn_for("app")).replace("@KB@", str(storage)).replace("@KEY@", "integer")
        made.write(text.replace("@REFERENCES@", "\n".join(f'    - "{one}"' for one in REFERENCES)))
        yield made


def _named(storage: Path) -> None:
    """A collection whose points are named by UUIDs and are never optimized: the log of its ids is read."""
    named = build(storage, points=0, collection="named", indexed=(), optimize=False)
    edge = named.edge()
    points = [
        q.Point(_uid(n), [1.0] * 16, {"uid": _uid(n).upper() if n % 2 else uuid.UUID(_uid(n)).hex, "hash": _hash(n)})
        for n in range(40)
    ]
    points.append(q.Point(_uid(100), [1.0] * 16, {"uid": _uid(100)}))
    edge.update(q.UpdateOperation.upsert_points(points))
    edge.update(q.UpdateOperation.delete_points([uuid.UUID(_uid(1)), uuid.UUID(_uid(2))]))
    edge.flush()
    edge.close()


def test_all_that_is_planted_is_counted(here: Place) -> None:
    image = here.open().image("prod")
    checks = json.loads((here.pool / "images" / image.id / "attestation.json").read_text())["checks"]
    found = {one["reference"]: (one["dangling"], one["unreferenced"]) for one in checks["references"]}
    assert found == REFERENCES
    originals = {str(70000 + number) for number in range(42)} | {"99999"}
    for one in checks["references"]:
        assert not originals & {*one["examples"], *one["unreferenced_examples"]}, "they are shown by their pseudonyms"
        assert one["dangling"] == one["dangling_in_production"]
        assert len(one["examples"]) == min(one["dangling"], 3)
        assert len(one["unreferenced_examples"]) == min(one["unreferenced"], 3)
