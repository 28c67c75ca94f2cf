"""Every vector index that pgvector makes is asked before an image is published, and none that was not passes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.majors import NEWEST_FIRST
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = pytest.mark.real

VALUES = "(SELECT array_agg(sin(i * 7.13 + k * 1.7) ORDER BY k) FROM generate_series(1, {dim}) k)"
WHO = "'Zanna Quimby ' || chr(97 + i % 26) || chr(97 + i / 26 % 26) || 'ska'"
SCHEMA = f"""
CREATE EXTENSION vector;
CREATE DOMAIN unit AS vector(8) CHECK (abs(vector_norm(VALUE) - 1) < 0.001);
CREATE TABLE photos (
    id int PRIMARY KEY, owner text NOT NULL, phash bit(64) NOT NULL, tags bit(40), embedding vector(32),
    half halfvec(8), sparse sparsevec(100), one unit, kind int NOT NULL, gone date, mail text, doc jsonb
);
INSERT INTO photos
SELECT i, {WHO}, ('x' || substr(md5(i::text), 1, 16))::bit(64), ('x' || substr(md5(i::text), 3, 10))::bit(40),
       {VALUES.format(dim=32)}::vector(32), {VALUES.format(dim=8)}::halfvec(8),
       ('{{' || i % 90 + 1 || ':0.5,' || i % 9 + 91 || ':1}}/100')::sparsevec,
       l2_normalize({VALUES.format(dim=8)}::vector(8)), i % 4, CASE WHEN i % 5 = 0 THEN date '2020-01-01' + i END,
       CASE WHEN i % 3 = 0 THEN '' ELSE 'zq' || i || '@corp.example' END,
       jsonb_build_object('who', {WHO}, 'lang', CASE WHEN i % 2 = 0 THEN 'en' ELSE 'de' END,
                          'v', '[' || sin(i) || ',' || cos(i) || ',' || i % 7 || ']')
FROM generate_series(1, 400) i;
UPDATE photos SET half = NULL WHERE id % 10 = 0;
CREATE INDEX ON photos (kind);
CREATE INDEX bits ON photos USING hnsw (phash bit_hamming_ops);
CREATE INDEX shared ON photos USING hnsw (tags bit_jaccard_ops);
CREATE INDEX listed_bits ON photos USING ivfflat (phash bit_hamming_ops) WITH (lists = 5);
CREATE INDEX quantized ON photos USING hnsw ((binary_quantize(embedding)::bit(32)) bit_hamming_ops);
CREATE INDEX first_ones ON photos USING hnsw ((subvector(embedding, 1, 8)::vector(8)) vector_cosine_ops);
CREATE INDEX halves ON photos USING hnsw ((embedding::halfvec(32)) halfvec_l2_ops);
CREATE INDEX far ON photos USING hnsw (embedding vector_l2_ops);
CREATE INDEX far_again ON photos USING hnsw (embedding vector_l2_ops) WITH (m = 4);
CREATE INDEX listed ON photos USING ivfflat (embedding vector_l2_ops) WITH (lists = 5);
CREATE INDEX inner_ones ON photos USING hnsw (embedding vector_ip_ops);
CREATE INDEX blocks ON photos USING hnsw (embedding vector_l1_ops);
CREATE INDEX of_a_kind ON photos USING hnsw (embedding vector_cosine_ops) WHERE kind = 2;
CREATE INDEX half_cosine ON photos USING hnsw (half halfvec_cosine_ops);
CREATE INDEX sparse_ip ON photos USING hnsw (sparse sparsevec_ip_ops);
CREATE INDEX sparse_l2 ON photos USING hnsw (sparse sparsevec_l2_ops);
CREATE INDEX not_gone ON photos USING hnsw (embedding vector_l2_ops) WHERE gone IS NULL;
CREATE INDEX with_mail ON photos USING hnsw (half halfvec_l2_ops) WHERE mail <> '';
CREATE INDEX english ON photos USING ivfflat (embedding vector_ip_ops) WITH (lists = 5) WHERE doc ->> 'lang' = 'en';
CREATE INDEX in_document ON photos USING hnsw (((doc ->> 'v')::vector(3)) vector_l2_ops);
CREATE INDEX some_mail ON photos USING hnsw (half halfvec_l2_ops) WHERE mail < 'zq2';
CREATE INDEX of_domain ON photos USING hnsw ((one::vector(8)) vector_ip_ops);

CREATE TABLE chunks (id int PRIMARY KEY, model int NOT NULL, author text NOT NULL, embedding vector NOT NULL);
INSERT INTO chunks SELECT i, CASE WHEN i % 2 = 0 THEN 1 ELSE 2 END, {WHO},
    (SELECT array_agg(sin(i * 7.13 + k * 1.7) ORDER BY k)
     FROM generate_series(1, CASE WHEN i % 2 = 0 THEN 3 ELSE 5 END) k)::vector
FROM generate_series(1, 300) i;
CREATE INDEX of_three ON chunks USING hnsw ((embedding::vector(3)) vector_l2_ops) WHERE (model = 1);
CREATE INDEX of_five ON chunks USING hnsw ((embedding::vector(5)) vector_cosine_ops) WHERE (model = 2);
CREATE INDEX divided ON chunks USING hnsw ((ARRAY[1 / (id - 300), id, 1]::vector(3)) vector_l2_ops) WHERE (id < 300);

CREATE SCHEMA "Sales.EU";
CREATE TABLE "Sales.EU"."Order Items" ("ID" int PRIMARY KEY, "say ""hi"" now" text, "100 %s" int,
    "emb.v1" vector(8));
INSERT INTO "Sales.EU"."Order Items" SELECT i, {WHO}, i, {VALUES.format(dim=8)}::vector(8)
FROM generate_series(1, 60) i;
CREATE INDEX "emb.idx" ON "Sales.EU"."Order Items" USING hnsw ("emb.v1" vector_l2_ops);
CREATE INDEX "50 %s ""q"" x" ON "Sales.EU"."Order Items" USING hnsw ("emb.v1" vector_l2_ops) WHERE "100 %s" < 40;

CREATE TABLE parts (id int, v vector(8), PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (50) TO (500);
INSERT INTO parts SELECT i, {VALUES.format(dim=8)}::vector(8) FROM generate_series(1, 120) i;
CREATE INDEX in_parts ON parts USING hnsw (v vector_l2_ops);
CREATE INDEX again_in_parts ON parts USING hnsw (v vector_l2_ops);

CREATE TABLE empty (id int, v vector(3));
CREATE INDEX empty_v ON empty USING hnsw (v vector_l2_ops);
CREATE MATERIALIZED VIEW seen AS SELECT id, subvector(embedding, 1, 4)::vector(4) AS v FROM photos WHERE id <= 30;
CREATE INDEX seen_v ON seen USING hnsw (v vector_l2_ops);
CREATE TABLE broken (id int, v vector(3));
INSERT INTO broken SELECT i, ARRAY[i, 1, 2]::vector(3) FROM generate_series(1, 20) i;
CREATE INDEX broken_v ON broken USING hnsw (v vector_l2_ops);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken_v'::regclass;
"""
STACK = """\
version: 1
project: indexes
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  fidelity: {accept: [{index: main.public.some_mail, reason: other rows are in it}]}
  rules:
    main:
      public.*.id: keep
      public.seen.v: {vectors: keep}
      public.photos.owner: person
      public.photos.kind: keep
      public.photos.gone: date
      public.photos.mail: email
      public.photos.doc: {$.who: person, $.lang: keep, $.v: keep}
      public.photos.phash: keep
      public.photos.tags: keep
      public.photos.embedding: {vectors: keep}
      public.photos.half: {vectors: keep}
      public.photos.sparse: {vectors: keep}
      public.photos.one: {vectors: keep}
      public.chunks.model: keep
      public.chunks.author: person
      public.chunks.embedding: {vectors: keep}
      Sales.EU.Order Items.ID: keep
      'Sales.EU.Order Items.say "hi" now': person
      "Sales.EU.Order Items.100 %s": keep
      Sales.EU.Order Items.emb.v1: {vectors: keep}
      public.parts.v: {vectors: keep}
      public.empty.v: {vectors: keep}
      public.broken.v: {vectors: keep}
"""
IN_PHOTOS = [
    "bits", "shared", "listed_bits", "quantized", "first_ones", "halves", "far", "far_again", "listed", "inner_ones",
    "blocks", "of_a_kind", "half_cosine", "sparse_ip", "sparse_l2", "of_domain", "not_gone", "with_mail", "english",
    "in_document",
]  # fmt: skip
NOTHING = {"public.empty_v": "no row is in it", "public.broken_v": "it is invalid in production"}


@contextlib.contextmanager
def _place(server: Production, text: str) -> Iterator[Place]:
    with place() as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSN", server.dsn_for("app"))
        found.env["DSN"] = server.dsn_for("app")
        found.write(text)
        yield found


def _asked(here: Place) -> dict[str, Any]:
    (image,) = here.open().images()
    return here.json("attestation", image.id)["checks"]["fidelity"]["main"]


def _page(here: Place) -> str:
    return here.call("attestation", here.open().images()[0].id).stdout


@pytest.mark.parametrize("major", NEWEST_FIRST)
def test_an_index_of_every_type_answers_as_in_production(major: int) -> None:
    with production(major) as server:
        server.create_database("app")
        server.execute(SCHEMA, "app")
        with _place(server, STACK) as here:
            here.call("image", "prod")
            found, page = _asked(here), _page(here)
    whole = [f"public.{name}" for name in (*IN_PHOTOS, "of_three", "of_five", "divided")]
    asked = {name for name, one in found.items() if one["fraction"] == 1.0 and "accepted" not in one}
    of_parts = {f"public.parts_{number}_v_idx{again}" for number in (1, 2) for again in ("", "1")}
    assert asked == {*whole, '"Sales.EU"."emb.idx"', '"Sales.EU"."50 %s ""q"" x"', "public.seen_v", *of_parts}
    assert {found[name]["queries"] for name in whole} == {100}
    assert found['"Sales.EU"."emb.idx"']["queries"] == 60 and found["public.seen_v"]["queries"] == 30
    changed = found["public.some_mail"]  # masked addresses lie elsewhere, so it is built again
    assert changed["queries"] == 100 and changed["fraction"] < 1.0
    assert found.keys() - asked == {*NOTHING, "public.some_mail"}
    for name, why in NOTHING.items():
        assert why in found[name]["empty"] and not found[name]["queries"] and "unasked" not in found[name]
    assert "nothing to ask: no row is in it" in page and "NOT ASKED" not in page


TURNED = """
CREATE EXTENSION vector;
CREATE FUNCTION turned(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  IF coalesce(current_setting('app.turn', true), '') <> 'on' THEN
    RAISE EXCEPTION 'no turn for %', (SELECT owner FROM public.things LIMIT 1);
  END IF;
  RETURN v; END $$;
CREATE TABLE things (id int PRIMARY KEY, owner text, v vector(3));
INSERT INTO things SELECT i, 'Zanna Quimby', ARRAY[i, 1, 2]::vector(3) FROM generate_series(1, 30) i;
SET app.turn = 'on';
CREATE INDEX "turned.idx" ON things USING hnsw ((turned(v)::vector(3)) vector_l2_ops);
"""
TURNED_STACK = f"""{STACK[: STACK.index("sanitize:")]}sanitize:
  rules:
    main: {{public.things.id: keep, public.things.owner: person, public.things.v: {{vectors: keep}}}}
"""


def test_an_index_that_cannot_be_asked_is_a_finding_until_it_is_accepted_by_name() -> None:
    """Its function answers only where a setting says so, as it does in production and not in a clone."""
    with production(18) as server:
        server.create_database("app")
        server.execute(TURNED, "app")
        with _place(server, TURNED_STACK) as here:
            done = here.call("image", "prod", check=False)
            assert done.returncode == 4, done.stderr
            assert 'the vector index public."turned.idx" could not be asked: its values cannot be read' in done.stderr
            assert "sanitize.fidelity.accept" in done.stderr and "Zanna" not in done.stderr
            entry = "{index: 'main.public.\"turned.idx\"', reason: only there}"
            here.write(TURNED_STACK.replace("sanitize:", f"sanitize:\n  fidelity: {{accept: [{entry}]}}"))
            here.call("image", "prod")
            one = _asked(here)['public."turned.idx"']
            assert one["accepted"] == "only there" and one["fraction"] is None and one["unasked"]
            assert "NOT ASKED: its values cannot be read" in _page(here)
