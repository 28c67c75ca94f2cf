"""An image shares with its raw snapshot every block that holds no masked value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Production, production
from tests.support.stack import place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: sharing
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.chunks.owner: email
      public.chunks.embedding: {vectors: keep}
      public.chunks.*: keep
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    """A database whose bytes are mostly vectors."""
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE EXTENSION vector;"
            "CREATE TABLE chunks (id int PRIMARY KEY, owner text, embedding vector(1024));"
            "INSERT INTO chunks SELECT i, 'jane' || i || '@corp.example',"
            " (SELECT array_agg(sin(i * n)) FROM generate_series(1, 1024) n)::vector FROM generate_series(1, 8000) i;"
            "CREATE INDEX ON chunks USING hnsw (embedding vector_cosine_ops) WITH (m = 6, ef_construction = 12)",
            "app",
        )
        yield server


def test_only_blocks_with_masked_values_are_new(prod: Production) -> None:
    with place() as here:
        here.env["DSN"] = prod.dsn_for("app")
        here.write(STACK)
        here.call("image", "prod")
        (image,) = here.json("images")
        assert image["fidelity"] == 1.0
        # the heap has 400 of about 18,000 pages; beside it the catalogs' pages and a new WAL file of 16 MB are new
        assert image["bytes"] > 120e6
        assert image["own_bytes"] < image["bytes"] * 0.25
        assert here.json("branch", "prod", "--name", "b")["state"] == "running"
        shown = here.json("show", "b")
        assert shown["own_bytes"] < 5e6 < 120e6 < shown["bytes"]
        assert "of which" in here.call("show", "b").stdout
