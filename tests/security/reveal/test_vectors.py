"""What can be inverted or read back, vectors and the words of a text search, is kept only by a decision in writing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import production
from tests.support.stack import Place, place

SCHEMA = """
CREATE EXTENSION vector;
CREATE DOMAIN emb AS vector(8);
CREATE DOMAIN embs AS vector(8)[];
CREATE TYPE chunk AS (body text, v vector(8));
CREATE TYPE page AS (title text, chunks chunk[], inner_chunk chunk);
CREATE TYPE near AS RANGE (subtype = vector);
CREATE TYPE found AS (body text, words tsvector);
CREATE TABLE docs (
    id int PRIMARY KEY, author text, plain vector(8), half halfvec(8), sparse sparsevec(100), one emb, many embs,
    tokens vector(8)[], halves halfvec(8)[], parts chunk, list chunk[], deep page, span near, spans near_multirange,
    words tsvector, word_list tsvector[], hit found, numbers int[]);
INSERT INTO docs SELECT i, 'Zanna Quimby ' || chr(97 + i % 26) || 'ska', v, v::halfvec(8), '{1:0.5,7:1}/100', v,
    ARRAY[v], ARRAY[v, v], ARRAY[v::halfvec(8)], ROW('x', v)::chunk, ARRAY[ROW('y', v)::chunk],
    ROW('t', ARRAY[ROW('z', v)::chunk], ROW('w', v)::chunk)::page, near(v, v, '[]'), near_multirange(near(v, v, '[]')),
    to_tsvector('simple', 'green tea'), ARRAY[to_tsvector('simple', 'black tea')],
    ROW('b', to_tsvector('simple', 'tea'))::found, ARRAY[1, 2]
FROM (SELECT i, (SELECT array_agg(sin(i * 7.13 + k * 1.7) ORDER BY k) FROM generate_series(1, 8) k)::vector(8) AS v
      FROM generate_series(1, 20) i) s;
ALTER TABLE docs SET (autovacuum_enabled = off);
UPDATE docs SET numbers = '{3}' WHERE id <= 5;
DELETE FROM docs WHERE id = 20;
"""
STACK = """\
version: 1
project: many
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.docs.*: keep
      public.docs.author: person
"""
VECTORS = (*("plain", "half", "sparse", "one", "many", "tokens", "halves", "parts", "list", "deep", "span", "spans"),)
WORDS = ("words", "word_list", "hit")


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with production(18) as server, place() as made:
        server.create_database("app")
        server.execute(SCHEMA, "app")
        made.env["DSN"] = server.dsn_for("app")
        yield made


def _named(columns: tuple[str, ...], what: str) -> str:
    return "".join(f"      public.docs.{column}: {{{what}: keep}}\n" for column in columns)


def test_a_pattern_keeps_no_vector_and_no_word_however_deep(here: Place) -> None:
    here.write(STACK)
    refused = here.call("image", "prod", check=False)
    assert refused.returncode == 4, refused.stderr
    missing = [
        (column, what)
        for what, columns in (("vectors", VECTORS), ("words", WORDS))
        for column in columns
        if f"public.docs.{column} (" not in refused.stderr or f"public.docs.{column}: {{{what}" not in refused.stderr
    ]
    assert not [column for column, what in missing if what == "vectors"]
    assert not [column for column, _ in missing if f"public.docs.{column} (" not in refused.stderr]
    assert "public.docs.numbers" not in refused.stderr


def test_named_they_are_kept(here: Place) -> None:
    here.write(STACK + _named(VECTORS, "vectors") + _named(WORDS, "words"))
    made = here.call("image", "prod", check=False)
    assert made.returncode == 0, made.stderr


def test_the_vectors_of_dead_rows_are_counted(here: Place) -> None:
    here.write(STACK + _named(VECTORS, "vectors") + _named(WORDS, "words"))
    image = here.json("image", "prod")["id"]
    checks = here.json("attestation", image)["checks"]
    # five rows were updated and one was deleted before the snapshot, each with three columns that are vectors
    assert checks["structure"]["main"]["dead_vectors"] == 6 * 5


def test_each_of_them_is_asked_for(here: Place) -> None:
    """One left out, another each time, is refused by its name: the guard sees every kind of nesting."""
    for column in ("tokens", "list", "deep", "spans", "hit"):
        rest = tuple(other for other in VECTORS if other != column)
        words = tuple(other for other in WORDS if other != column)
        here.write(STACK + _named(rest, "vectors") + _named(words, "words"))
        refused = here.call("image", "prod", check=False)
        assert refused.returncode == 4, column
        assert f"public.docs.{column} (" in refused.stderr


KB = """\
version: 1
project: kb
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      kb: {kind: qdrant, source: {method: directory, path: "STORAGE"}}
sanitize:
  rules:
    kb:
      articles.who: person
      articles.vectors.dense: keep
"""


def _collection(root: Path) -> Path:
    import qdrant_edge as q

    shard = root / "collections/articles/0"
    shard.parent.mkdir(parents=True)
    config = q.EdgeConfig(
        vectors={"dense": q.EdgeVectorParams(size=4, distance=q.Distance.Dot)},
        sparse_vectors={"words": q.EdgeSparseVectorParams()},
    )
    edge = q.EdgeShard.create(str(shard), config)
    points = [
        q.Point(
            491511000000 + n,
            {"dense": [float(n), 1.0, 2.0, 3.0], "words": q.SparseVector([n % 50, 77], [1.0, 0.5])},
            {"who": f"Zanna{chr(97 + n % 26)} Quimby{chr(97 + n // 26)}"},
        )
        for n in range(50)
    ]
    edge.update(q.UpdateOperation.upsert_points(points))
    edge.update(q.UpdateOperation.delete_points([491511000000 + n for n in range(7)]))
    edge.flush()
    edge.close()
    return root


def test_point_ids_and_sparse_vectors_want_a_decision() -> None:
    with place() as here:
        here.write(KB.replace("STORAGE", str(_collection(here.directory / "storage"))))
        refused = here.call("image", "prod", check=False)
        assert refused.returncode == 4
        for line in ("articles.point_ids (point ids) is undeclared", "articles.vectors.words (sparse) is undeclared"):
            assert line in refused.stderr
        assert "4915110" not in refused.stderr
        text = here.file.read_text()
        here.file.write_text(text + "      articles.point_ids: keep\n      articles.vectors.words: drop\n")
        dropping = here.call("image", "prod", check=False)
        assert dropping.returncode == 3 and "not built yet" in dropping.stderr
        here.file.write_text(text)
        found = {one["address"]: one for one in here.json("scan", "prod", "--write")["stores"]["kb"]}
        assert (found["articles.point_ids"]["named"], found["articles.vectors.words"]["named"]) == ("ids", "vectors")
        assert here.file.read_text().count("by this decision") == 2
        image = here.json("image", "prod")["id"]
        assert here.json("attestation", image)["checks"]["structure"]["kb"]["dead_vectors"] == 7 * 2
