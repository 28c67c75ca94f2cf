"""An image shares with its raw snapshot every block that holds no masked value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from envclone.errors import UnsafeError
from envclone.lifecycle import publish
from envclone.lifecycle.sanitize import Sanitized
from envclone.lifecycle.verify import Verified, verify
from envclone.project import Project
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import normal_items
from envclone.stores.postgres.prove import compare, pairs
from envclone.stores.postgres.prove.pages import Heap
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
      public.letters.*: keep
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
            "CREATE TABLE letters (id int, note text); ALTER TABLE letters ALTER note SET STORAGE EXTERNAL;"
            "INSERT INTO letters SELECT i, CASE WHEN i % 2 = 0 THEN repeat('kept ', 900) ELSE 'a short note' END"
            " FROM generate_series(1, 60) i;"
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


@pytest.mark.parametrize("planted", ["a chunk", "a pointer"])
def test_a_kept_value_that_is_another_is_found_though_its_blocks_were_shared(
    prod: Production, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    """Vectors that lie in production's blocks are not read a second time: one that was written to has others."""
    read: list[bool] = []

    def verified(project: Project, sanitized: Sanitized) -> Verified:
        store = sanitized.directory / "main"
        database = next(d for d in layout.load(store).databases if d.name == "app")
        table = next(r for r in database.relations if r.name == "public.chunks")
        toast = next(r for r in database.relations if r.oid == table.toast)
        path = store / "data" / (toast if planted == "a chunk" else table).path
        page = np.fromfile(path, np.uint8, 8192).reshape(1, 8192)
        items = normal_items(page, path.name)
        start, length = int(items.offset[0]), int(items.length[0])
        if planted == "a chunk":
            page[0, start + length - 40 : start + length - 20] = np.frombuffer(b"jane17@corp.example\0", np.uint8)
        else:  # the last four bytes of a pointer are the table, and the four before them the value
            other = int(items.offset[1]) + int(items.length[1])
            page[0, start + length - 8 : start + length - 4] = page[0, other - 8 : other - 4]
        page[0, 8:10] = page_checksums(page, np.zeros(1, np.uint32)).astype("<u2").view(np.uint8)
        with path.open("r+b") as file:
            file.write(page.tobytes())
        return verify(project, sanitized)

    sharing = pairs._sharing

    def shared(ours: Heap, theirs: Heap) -> Heap:
        found = sharing(ours, theirs)
        read.append(found.toast is theirs.toast and found.toast is not None)
        return found

    monkeypatch.setattr(publish, "verify", verified)
    monkeypatch.setattr(pairs, "_sharing", shared)
    with place() as here:
        monkeypatch.setenv("DSN", prod.dsn_for("app"))
        here.write(STACK)
        with pytest.raises(UnsafeError) as found:
            here.open().image("prod")
        assert any(
            "public.chunks" in problem and "is not what the masks make" in problem for problem in found.value.problems
        )
        assert read == [planted == "a pointer", True]  # of the chunks, and of the letters, which nobody touched


def test_a_short_value_beside_shared_large_ones_is_compared(prod: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pointers to the same chunks are the same values; what the column has in its rows is compared all the same."""

    def verified(project: Project, sanitized: Sanitized) -> Verified:
        store = sanitized.directory / "main"
        database = next(d for d in layout.load(store).databases if d.name == "app")
        path = store / "data" / next(r for r in database.relations if r.name == "public.letters").path
        page = np.fromfile(path, np.uint8, 8192).reshape(1, 8192)
        at = page.tobytes().index(b"a short note")
        page[0, at : at + 12] = np.frombuffer(b"another note", np.uint8)
        page[0, 8:10] = page_checksums(page, np.zeros(1, np.uint32)).astype("<u2").view(np.uint8)
        with path.open("r+b") as file:
            file.write(page.tobytes())
        return verify(project, sanitized)

    monkeypatch.setattr(publish, "verify", verified)
    monkeypatch.setattr(compare._Comparison, "_twice", lambda self, job, ways: False)  # no server reads it as well
    with place() as here:
        monkeypatch.setenv("DSN", prod.dsn_for("app"))
        here.write(STACK)
        with pytest.raises(UnsafeError) as found:
            here.open().image("prod")
        assert any("public.letters" in problem for problem in found.value.problems)
