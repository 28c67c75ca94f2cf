# ruff: noqa: E501 - statements stand as their developers wrote them
"""A newspaper's archive: pieces in months, cut and embedded apart from their texts, and how its developers search them.

Partitions, labels in arrays and JSON, policies by membership, bits, sparse vectors, functions, more than one step. Each
case names the causes that are right for it; a healthy one none.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.benchmarks.failures.desk import Case, Make, Shop, found_and_not, literal

SIZE = 96
SCHEMA = """
CREATE EXTENSION vector; CREATE ROLE app LOGIN PASSWORD 'x'; CREATE SCHEMA arc; GRANT USAGE ON SCHEMA arc TO app;
CREATE TABLE arc.desks (id int PRIMARY KEY, name text, workspace_id int);
CREATE TABLE arc.memberships (person text, workspace_id int);
CREATE TABLE arc.pieces (id bigint, printed date NOT NULL, desk_id int, meta jsonb, labels text[], body text,
  emb vector(96), hidden boolean DEFAULT false, removed_on date, PRIMARY KEY (id, printed)) PARTITION BY RANGE (printed);
CREATE TABLE arc.pieces_q1 PARTITION OF arc.pieces FOR VALUES FROM ('2026-01-01') TO ('2026-04-01');
CREATE TABLE arc.pieces_q2 PARTITION OF arc.pieces FOR VALUES FROM ('2026-04-01') TO ('2026-07-01');
CREATE TABLE arc.pieces_q3 PARTITION OF arc.pieces FOR VALUES FROM ('2026-07-01') TO ('2026-10-01');
CREATE TABLE arc.cuts (id bigint PRIMARY KEY, piece_id bigint, part int, said text, kind text);
CREATE TABLE arc.cut_vectors (cut_id bigint PRIMARY KEY, model_name text, meaning halfvec(96), made_at timestamptz);
CREATE TABLE arc.private_notes (id bigint PRIMARY KEY, workspace_id int, hidden boolean, body text, emb vector(96));
CREATE TABLE arc.signatures (id bigint PRIMARY KEY, body text, emb vector(96), sig bit(96), terms sparsevec(5000));
CREATE TABLE arc.columns (id bigint PRIMARY KEY, lang text, body text, emb vector(96));
ALTER TABLE arc.private_notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE arc.private_notes FORCE ROW LEVEL SECURITY;
CREATE POLICY members ON arc.private_notes USING (workspace_id IN (SELECT m.workspace_id FROM arc.memberships m
  WHERE m.person = current_setting('app.person', true)));
CREATE POLICY shown ON arc.private_notes AS RESTRICTIVE USING (NOT hidden);
"""
LATER = """
CREATE INDEX ON arc.pieces USING hnsw (emb vector_l2_ops) WITH (m = 3, ef_construction = 6);
CREATE INDEX ON arc.cut_vectors USING hnsw (meaning halfvec_cosine_ops) WITH (m = 3, ef_construction = 6);
CREATE INDEX ON arc.private_notes USING hnsw (emb vector_cosine_ops);
CREATE INDEX ON arc.signatures USING hnsw (sig bit_hamming_ops);
CREATE INDEX ON arc.signatures USING hnsw (terms sparsevec_ip_ops);
CREATE INDEX ON arc.columns USING hnsw (emb vector_cosine_ops) WITH (m = 3, ef_construction = 6) WHERE lang = 'en';
CREATE INDEX ON arc.columns USING ivfflat ((emb::halfvec(96)) halfvec_cosine_ops) WITH (lists = 50);
CREATE VIEW arc.current_pieces WITH (security_barrier) AS
  SELECT p.*, d.name AS desk FROM arc.pieces p JOIN arc.desks d ON d.id = p.desk_id WHERE p.removed_on IS NULL;
CREATE FUNCTION arc.match_cuts(query_embedding vector(96), match_threshold float, match_count int, filter jsonb DEFAULT '{}')
  RETURNS TABLE (id bigint, content text, similarity float) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT c.id, c.said, 1 - (v.meaning <=> query_embedding::halfvec(96)) AS similarity
    FROM arc.cut_vectors v JOIN arc.cuts c ON c.id = v.cut_id
    WHERE 1 - (v.meaning <=> query_embedding::halfvec(96)) > match_threshold
      AND jsonb_build_object('kind', c.kind) @> filter
    ORDER BY v.meaning <=> query_embedding::halfvec(96) LIMIT match_count;
END $$;
CREATE FUNCTION arc.near_atomic(q vector, d int, k int DEFAULT 5) RETURNS TABLE (id bigint, away float8) LANGUAGE sql STABLE
  BEGIN ATOMIC
    SELECT p.id, p.emb <-> q FROM arc.pieces p WHERE p.desk_id = d ORDER BY p.emb <-> q LIMIT k;
  END;
CREATE FUNCTION arc.by_case(q vector, how text, k int) RETURNS TABLE (id bigint) LANGUAGE plpgsql STABLE AS $$
BEGIN
  CASE how
    WHEN 'recent' THEN RETURN QUERY SELECT p.id FROM arc.pieces p WHERE p.printed >= '2026-07-01' ORDER BY p.emb <-> q LIMIT k;
    WHEN 'old', 'ancient' THEN RETURN QUERY SELECT p.id FROM arc.pieces p WHERE p.printed < '2026-04-01' ORDER BY p.emb <-> q LIMIT k;
    ELSE RETURN QUERY SELECT p.id FROM arc.pieces p ORDER BY p.emb <-> q LIMIT k;
  END CASE;
END $$;
CREATE FUNCTION arc.by_searched_case(q vector, days int, k int) RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE least date;
BEGIN
  CASE WHEN days IS NULL THEN least := '2026-01-01'; WHEN days < 100 THEN least := '2026-07-01'; ELSE least := '2026-04-01'; END CASE;
  RETURN QUERY SELECT p.id FROM arc.pieces p WHERE p.printed >= least ORDER BY p.emb <-> q LIMIT k;
END $$;
CREATE FUNCTION arc.two_cursors(q vector, k int) RETURNS TABLE (id bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
  fresh CURSOR FOR SELECT p.id AS n FROM arc.pieces p WHERE p.printed >= '2026-07-01' ORDER BY p.emb <-> q LIMIT k;
  elder CURSOR FOR SELECT p.id AS n FROM arc.pieces p WHERE p.printed < '2026-04-01' ORDER BY p.emb <-> q LIMIT k;
  one record;
BEGIN
  OPEN fresh; OPEN elder;
  LOOP
    FETCH fresh INTO one; EXIT WHEN NOT FOUND;
    id := one.n; RETURN NEXT;
    FETCH elder INTO one; EXIT WHEN NOT FOUND;
    id := one.n; RETURN NEXT;
  END LOOP;
  CLOSE fresh; CLOSE elder;
END $$;
CREATE FUNCTION arc.second_page(q vector, k int) RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE near CURSOR FOR SELECT p.id FROM arc.pieces p ORDER BY p.emb <-> q LIMIT 40; n bigint;
BEGIN
  OPEN near;
  MOVE FORWARD 3 FROM near;
  FOR i IN 1..k LOOP
    FETCH near INTO n; EXIT WHEN NOT FOUND;
    RETURN NEXT n;
  END LOOP;
  CLOSE near;
END $$;
CREATE FUNCTION arc.as_json(q vector, k int) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_agg(jsonb_build_object('id', n.id, 'body', n.body) ORDER BY n.d)
  FROM (SELECT p.id, p.body, p.emb <-> q AS d FROM arc.pieces p WHERE p.desk_id = 1 ORDER BY d LIMIT k) n
$$;
CREATE FUNCTION arc.hybrid(query_text text, q vector, k int, full_weight float DEFAULT 1, meaning_weight float DEFAULT 1, rrf_k int DEFAULT 50)
RETURNS SETOF arc.columns LANGUAGE sql STABLE AS $$
WITH full_text AS (
  SELECT id, row_number() OVER (ORDER BY ts_rank_cd(to_tsvector('english', body), websearch_to_tsquery(query_text)) DESC) AS rank_ix
  FROM arc.columns WHERE to_tsvector('english', body) @@ websearch_to_tsquery(query_text) AND lang = 'en'
  ORDER BY rank_ix LIMIT least(k, 30) * 2
), semantic AS (
  SELECT id, row_number() OVER (ORDER BY emb <=> q) AS rank_ix FROM arc.columns WHERE lang = 'en'
  ORDER BY rank_ix LIMIT least(k, 30) * 2
)
SELECT arc.columns.* FROM full_text FULL OUTER JOIN semantic ON full_text.id = semantic.id
JOIN arc.columns ON coalesce(full_text.id, semantic.id) = arc.columns.id
ORDER BY coalesce(1.0 / (rrf_k + full_text.rank_ix), 0.0) * full_weight + coalesce(1.0 / (rrf_k + semantic.rank_ix), 0.0) * meaning_weight DESC
LIMIT least(k, 30)
$$;
GRANT SELECT ON ALL TABLES IN SCHEMA arc TO app; ANALYZE;
"""
WHO = ("The mayor", "A rower", "The bakery", "One teacher", "The theatre", "A glider", "The harbour", "A violinist",
       "The zoo", "One juror", "The library", "A beekeeper", "The ferry", "A mason", "The quarry")  # fmt: skip
DOES = ("opens", "refuses", "celebrates", "loses", "rebuilds", "sells", "paints", "inherits", "floods", "sues", "rescues",
        "forgets")  # fmt: skip
WHAT = ("a lighthouse", "the old tram", "three orchards", "a comet", "the market hall", "a frozen lake", "the archive",
        "seven clocks", "a marathon", "the border", "a tunnel", "the regatta", "a parliament", "an eclipse")  # fmt: skip
WHY = ("after a vote", "despite heavy rain", "for charity", "by accident", "under protest", "with borrowed money",
       "on its birthday", "in secret", "during the strike", "before sunrise")  # fmt: skip
DAYS = ("2026-02-11", "2026-03-20", "2026-05-02", "2026-06-17", "2026-08-09", "2026-09-23")


def embedded(text: str, model: int = 5) -> list[float]:
    """A vector: a direction for each word, by a hash."""
    total = np.zeros(SIZE)
    for word in text.lower().replace(".", " ").replace(",", " ").split():
        seed = zlib.crc32(f"{model}:{word}".encode())
        total += np.random.default_rng(seed).standard_normal(SIZE) * (0.15 if len(word) < 4 else 1.0)
    return [round(float(one), 5) for one in total / np.linalg.norm(total)]


def terms(text: str) -> str:
    """A text as a sparse vector."""
    found = {zlib.crc32(word.encode()) % 5000 + 1: 1.0 + len(word) / 10 for word in text.lower().rstrip(".").split()}
    return "{" + ",".join(f"{n}:{w:.3f}" for n, w in sorted(found.items())) + "}/5000"


class Press(Shop):
    """The archive as production."""

    def exact(self, vector: list[float], many: int, where: str = "true", table: str = "pieces") -> list[int]:
        """The nearest, by no index."""
        sql = f"SELECT id FROM arc.{table} WHERE {where} ORDER BY emb <-> %s::vector LIMIT {many}"
        return [row[0] for row in self.ask(sql, vector, enable_indexscan="off")]


def fill(shop: Press) -> None:
    """Write the tables, then build the indexes."""
    drawn = shop.drawn
    seen: set[str] = set()
    while len(shop.bodies) < 4000:
        text = f"{drawn.choice(WHO)} {drawn.choice(DOES)} {drawn.choice(WHAT)} {drawn.choice(WHY)}, says"
        text += f" {drawn.choice('ABCDEFGH')}{drawn.choice('aeiou')}{drawn.choice('lmnrst')}{drawn.choice('aeiou')}"
        text += f"{drawn.choice('dkpv')}{drawn.choice('aeo')} {drawn.choice(('Rook', 'Wren', 'Finch', 'Heron', 'Crane', 'Swift'))}."
        if text in seen:
            continue
        seen.add(text)
        ident = 5_000_000 + 7 * len(shop.bodies)
        shop.bodies[ident] = text
        shop.rows[ident] = {
            "day": drawn.choice(DAYS), "desk": drawn.randint(1, 8), "lang": drawn.choices(("en", "nl", "pl"), (70, 27, 3))[0],
            "labels": drawn.sample(("city", "sport", "money", "arts", "river"), 2), "space": drawn.randint(1, 4),
        }  # fmt: skip
    with shop.server.connect("app") as conn:
        conn.execute(SCHEMA)
        conn.execute("INSERT INTO arc.desks SELECT n, 'desk ' || n, 1 + n % 4 FROM generate_series(1, 8) n")
        conn.execute("INSERT INTO arc.memberships VALUES ('ines', 1), ('ines', 2), ('joao', 3)")
        with conn.cursor().copy(
            "COPY arc.pieces (id, printed, desk_id, meta, labels, body, emb, removed_on) FROM STDIN"
        ) as copy:
            import json

            for ident, text in shop.bodies.items():
                row = shop.rows[ident]
                meta = {"lang": row["lang"], "client": {"tenant_id": f"t-{row['space']}"}, "public": ident % 3 != 0}
                copy.write_row((ident, row["day"], row["desk"], json.dumps(meta), row["labels"], text, literal(embedded(text)),
                                "2026-10-01" if ident % 29 == 0 else None))  # fmt: skip
        conn.execute("INSERT INTO arc.cuts SELECT id, id / 3, 1, body, CASE WHEN id % 5 = 0 THEN 'caption' ELSE 'text' END"
                     " FROM arc.pieces")  # fmt: skip
        conn.execute(
            "INSERT INTO arc.cut_vectors SELECT id, 'minilm-3', emb, '2026-10-02' FROM arc.pieces WHERE id % 31 <> 0"
        )
        conn.execute("UPDATE arc.cut_vectors SET meaning = NULL WHERE cut_id % 37 = 0")
        old = drawn.sample([one for one in shop.bodies if one % 31 and one % 37], 12)
        for ident in old:
            conn.execute("UPDATE arc.cut_vectors SET model_name = 'minilm-2', meaning = %s::halfvec(96) WHERE cut_id = %s",
                         [literal(embedded(shop.bodies[ident], 9)), ident])  # fmt: skip
        conn.execute(
            "INSERT INTO arc.private_notes SELECT id, 1 + (id / 7) % 4, id % 23 = 0, body, emb FROM arc.pieces"
        )
        conn.execute("INSERT INTO arc.columns SELECT id, meta->>'lang', body, emb FROM arc.pieces")
        with conn.cursor().copy("COPY arc.signatures (id, body, emb, sig, terms) FROM STDIN") as copy:
            for ident, text in shop.bodies.items():
                vector = embedded(text)
                bits = "".join("1" if one > 0 else "0" for one in vector)
                copy.write_row((ident, text, literal(vector), bits, terms(text)))
        conn.execute(LATER)
    shop.rows |= {0: {"stale": [], "foreign": [], "copied": -1, "old": old}}


def by_sql(shop: Press) -> Iterator[Case]:
    """Statements."""
    said = shop.rows
    index = ("breadth_too_small", "unreachable")
    wide = {"hnsw.ef_search": "1000", "hnsw.iterative_scan": "strict_order", "hnsw.max_scan_tuples": "1000000"}

    def plain(sql: str, *values: Any, **more: Any) -> Make:
        return lambda vector: shop.step(
            sql, *[vector if one is ... else one(vector) if callable(one) else one for one in values], **more
        )

    def make(name: str, causes: tuple[str, ...], sql: str, *values: Any, only: Any = lambda i: True, near: int = 5,
             where: str = "true", words: int = 8, local: Any = None, **more: Any) -> Iterator[Case]:  # fmt: skip
        yield from found_and_not(shop, name, causes, plain(sql, *values, local=local or wide, **more), only=only, near=near,
                                 where=where, words=words, embed=embedded)  # fmt: skip

    tenant, left = ("tenant_excludes",), ("condition_excludes",)
    yield from make("part-date", left, "SELECT id, body FROM arc.pieces WHERE printed >= %s AND printed < %s"
                    " ORDER BY emb <-> %s::vector LIMIT 5", "2026-04-01", "2026-07-01", ...,
                    only=lambda i: not "2026-04" < said[i]["day"] < "2026-07")  # fmt: skip
    yield from make("part-index", index, "SELECT id, body FROM arc.pieces ORDER BY emb <-> %s::vector LIMIT 5", ...,
                    local={"enable_seqscan": "off", "hnsw.ef_search": "10"})  # fmt: skip
    yield from make("json-contains", left, "SELECT id FROM arc.pieces WHERE meta @> %s ORDER BY emb <-> %s::vector LIMIT 5",
                    '{"lang": "nl"}', ..., only=lambda i: said[i]["lang"] != "nl")  # fmt: skip
    yield from make("json-tenant", tenant, "SELECT id FROM arc.pieces WHERE meta->'client'->>'tenant_id' = %s"
                    " ORDER BY emb <-> %s::vector LIMIT 5", "t-2", ..., only=lambda i: said[i]["space"] != 2)  # fmt: skip
    yield from make("json-tenant-contains", tenant, "SELECT id FROM arc.pieces WHERE meta @> '{\"client\": {\"tenant_id\": \"t-2\"}}'"
                    " ORDER BY emb <-> %s::vector LIMIT 5", ..., only=lambda i: said[i]["space"] != 2)  # fmt: skip
    yield from make("json-path", left, "SELECT id FROM arc.pieces WHERE meta @? '$.public ? (@ == true)'"
                    " ORDER BY emb <-> %s::vector LIMIT 5", ..., only=lambda i: i % 3 == 0)  # fmt: skip
    yield from make("any-label", left, "SELECT id FROM arc.pieces WHERE %s = ANY(labels) ORDER BY emb <-> %s::vector LIMIT 5",
                    "sport", ..., only=lambda i: "sport" not in said[i]["labels"])  # fmt: skip
    yield from make("labels-all", left, "SELECT id FROM arc.pieces WHERE labels @> ARRAY['city','arts'] ORDER BY emb <-> %s::vector LIMIT 5",
                    ..., only=lambda i: not {"city", "arts"} <= set(said[i]["labels"]))  # fmt: skip
    yield from make("or-conditions", left, "SELECT id FROM arc.pieces WHERE ('sport' = ANY(labels) OR desk_id = 3)"
                    " AND removed_on IS NULL ORDER BY emb <-> %s::vector LIMIT 5", ...,
                    only=lambda i: "sport" not in said[i]["labels"] and said[i]["desk"] != 3)  # fmt: skip
    yield from make("in-desks", left, "SELECT id FROM arc.pieces WHERE desk_id = ANY(%s::int[]) ORDER BY emb <-> %s::vector LIMIT 5",
                    "{1,2}", ..., only=lambda i: said[i]["desk"] > 2)  # fmt: skip
    yield from make("workspace-subquery", tenant, "SELECT id FROM arc.pieces WHERE desk_id IN (SELECT d.id FROM arc.desks d WHERE"
                    " d.workspace_id = %s) ORDER BY emb <-> %s::vector LIMIT 5", 2, ...,
                    only=lambda i: 1 + said[i]["desk"] % 4 != 2)  # fmt: skip
    yield from make("policy-members", tenant, "SELECT id, body FROM arc.private_notes ORDER BY emb <=> %s::vector LIMIT 5", ...,
                    local={**wide, "app.person": "ines"}, only=lambda i: 1 + (i // 7) % 4 > 2 and i % 23)  # fmt: skip
    yield from make("policy-hidden", ("tenant_excludes", "condition_excludes"), "SELECT id, body FROM arc.private_notes ORDER BY emb <=> %s::vector LIMIT 5",
                    ..., local={**wide, "app.person": "ines"}, only=lambda i: 1 + (i // 7) % 4 <= 2 and i % 23 == 0)  # fmt: skip
    yield from make("barrier-view", left, "SELECT id, desk FROM arc.current_pieces ORDER BY emb <-> %s::vector LIMIT 5", ...,
                    only=lambda i: i % 29 == 0)  # fmt: skip
    yield from make("vectors-apart", ("row_without_vector",), "SELECT c.id, c.said FROM arc.cut_vectors v JOIN arc.cuts c ON c.id = v.cut_id"
                    " ORDER BY v.meaning <=> %s::halfvec(96) LIMIT 5", ..., only=lambda i: i % 37 == 0 and i % 31)  # fmt: skip
    yield from make("no-vector-row", ("row_without_vector", "missing_chunk"), "SELECT c.id, c.said FROM arc.cut_vectors v JOIN arc.cuts c ON c.id = v.cut_id"
                    " ORDER BY v.meaning <=> %s::halfvec(96) LIMIT 5", ..., only=lambda i: i % 31 == 0)  # fmt: skip
    yield from make("apart-kind", left, "SELECT c.id, c.said FROM arc.cut_vectors v JOIN arc.cuts c ON c.id = v.cut_id WHERE c.kind = 'text'"
                    " ORDER BY v.meaning <=> %s::halfvec(96) LIMIT 5", ..., only=lambda i: i % 5 == 0 and i % 31 and i % 37)  # fmt: skip
    yield from make("apart-using", index, "SELECT c.id FROM arc.cuts c INNER JOIN (SELECT cut_id AS id, meaning FROM arc.cut_vectors) v USING (id)"
                    " ORDER BY v.meaning <=> %s::halfvec(96) LIMIT 5", ..., local={"enable_seqscan": "off", "hnsw.ef_search": "10"},
                    only=lambda i: i % 31 and i % 37)  # fmt: skip
    yield from make("apart-index", index, "SELECT c.id, c.said FROM arc.cut_vectors v JOIN arc.cuts c ON c.id = v.cut_id"
                    " ORDER BY v.meaning <=> %s::halfvec(96) LIMIT 5", ..., local={"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_sort": "off", "hnsw.ef_search": "10"},
                    only=lambda i: i % 31 and i % 37)  # fmt: skip
    for number, ident in enumerate(said[0]["old"][:3]):
        vector = embedded(shop.bodies[ident])
        sql = (
            "SELECT c.id, c.said FROM arc.cut_vectors v JOIN arc.cuts c ON c.id = v.cut_id"
            " ORDER BY v.meaning <=> %s::halfvec(96) LIMIT 5"
        )
        yield Case(f"apart-model-{number}", ("wrong_model",), (shop.step(sql, vector, local=wide),), (ident,))
    yield from make("match-threshold", left, "SELECT * FROM arc.match_cuts(%s::vector, 0.97, 5)", ..., near=2,
                    only=lambda i: i % 31 and i % 37)  # fmt: skip
    yield from make("match-filter", left, "SELECT id, content FROM arc.match_cuts(query_embedding => %s, match_threshold => 0.1, match_count => 5,"
                    " filter => '{\"kind\": \"text\"}')", ..., only=lambda i: i % 5 == 0 and i % 31 and i % 37)  # fmt: skip
    yield from make(
        "atomic", left, "SELECT * FROM arc.near_atomic(%s::vector, 2)", ..., only=lambda i: said[i]["desk"] != 2
    )
    yield from make(
        "case-when",
        left,
        "SELECT * FROM arc.by_case(%s::vector, 'recent', 5)",
        ...,
        only=lambda i: said[i]["day"] < "2026-07",
    )
    yield from make(
        "case-else", ("below_k", "crowded_out"), "SELECT * FROM arc.by_case(%s::vector, 'x', 3)", ..., near=6, words=6
    )
    yield from make(
        "case-second",
        left,
        "SELECT * FROM arc.by_case(%s::vector, 'ancient', 5)",
        ...,
        only=lambda i: said[i]["day"] > "2026-04",
    )
    yield from make(
        "case-searched",
        left,
        "SELECT p AS id FROM arc.by_searched_case(%s::vector, 30, 5) p",
        ...,
        only=lambda i: said[i]["day"] < "2026-07",
    )
    yield from make(
        "two-cursors",
        left,
        "SELECT id FROM arc.two_cursors(%s::vector, 4)",
        ...,
        only=lambda i: "2026-04" < said[i]["day"] < "2026-07",
    )
    yield from make(
        "cursor-moved", ("offset_skips",), "SELECT p AS id FROM arc.second_page(%s::vector, 5) p", ..., near=3
    )
    yield from make(
        "hybrid-function",
        left,
        "SELECT id, body FROM arc.hybrid(%s, %s::vector, 6)",
        "votes lanterns",
        ...,
        only=lambda i: said[i]["lang"] != "en",
    )
    yield from make("hamming", ("quantization_lossy", "below_k", "semantic_gap"), "SELECT id FROM arc.signatures ORDER BY sig <~> binary_quantize(%s::vector)::bit(96) LIMIT 5",
                    ..., near=2, words=6)  # fmt: skip
    yield from make("hamming-rerank", ("quantization_lossy", "below_k"), "WITH few AS (SELECT id, emb FROM arc.signatures ORDER BY sig <~> binary_quantize(%s::vector)::bit(96) LIMIT 12)"
                    " SELECT id FROM few ORDER BY emb <=> %s::vector LIMIT 5", ..., ..., near=3, words=6)  # fmt: skip
    yield from make("matryoshka", ("quantization_lossy", "below_k"), "SELECT id FROM (SELECT id, emb FROM arc.signatures ORDER BY subvector(emb, 1, 24)::vector(24) <=>"
                    " subvector(%s::vector(96), 1, 24)::vector(24) LIMIT 10) x ORDER BY emb <=> %s::vector LIMIT 4", ..., ..., near=3, words=6)  # fmt: skip
    yield from make("partial-index", index, "SELECT id FROM arc.columns WHERE lang = 'en' ORDER BY emb <=> %s::vector LIMIT 5", ...,
                    local={"enable_seqscan": "off", "hnsw.ef_search": "10"}, only=lambda i: said[i]["lang"] == "en")  # fmt: skip
    yield from make("partial-lang", left, "SELECT id FROM arc.columns WHERE lang = 'en' ORDER BY emb <=> %s::vector LIMIT 5", ...,
                    only=lambda i: said[i]["lang"] != "en")  # fmt: skip
    yield from make("half-lists", ("probes_too_few",), "SELECT id FROM arc.columns ORDER BY (emb::halfvec(96)) <=> %s::halfvec(96) LIMIT 5", ...,
                    local={"enable_seqscan": "off", "ivfflat.probes": "2"}, words=6)  # fmt: skip
    yield from make("lists-filtered", ("scan_exhausted", "probes_too_few"), "SELECT id FROM arc.columns WHERE lang = 'pl' ORDER BY (emb::halfvec(96)) <=> %s::halfvec(96) LIMIT 5",
                    ..., local={"enable_seqscan": "off", "ivfflat.probes": "1"}, only=lambda i: said[i]["lang"] == "pl", near=2000)  # fmt: skip
    yield from make("window-one-each", ("below_k", "crowded_out"), "SELECT id FROM (SELECT id, desk_id, emb <-> %s::vector AS d, row_number() OVER (PARTITION BY desk_id ORDER BY emb <-> %s::vector) AS n"
                    " FROM arc.pieces) x WHERE n = 1 ORDER BY d LIMIT 4", ..., ..., near=4, words=6)  # fmt: skip
    yield from make("two-stage-any", ("condition_excludes", "below_k"), "SELECT id FROM arc.pieces WHERE id = ANY (ARRAY(SELECT id FROM arc.pieces WHERE printed < '2026-07-01' ORDER BY emb <-> %s::vector LIMIT 50))"
                    " ORDER BY emb <-> %s::vector LIMIT 5", ..., ..., only=lambda i: said[i]["day"] > "2026-07")  # fmt: skip
    yield from make("recursive", ("condition_excludes",), "WITH RECURSIVE hit AS (SELECT id, desk_id, emb <-> %s::vector AS d FROM arc.pieces WHERE removed_on IS NULL ORDER BY d LIMIT 5),"
                    " up AS (SELECT id, desk_id, d FROM hit UNION SELECT u.id, u.desk_id, u.d FROM up u JOIN arc.desks k ON k.id = u.desk_id) SELECT id FROM up ORDER BY d LIMIT 5", ...,
                    only=lambda i: i % 29 == 0)  # fmt: skip
    yield from make("lateral-best", tenant, "SELECT best.id FROM arc.desks d JOIN LATERAL (SELECT p.id, p.emb <-> %s::vector AS away FROM arc.pieces p WHERE p.desk_id = d.id ORDER BY p.emb <-> %s::vector LIMIT 4) best ON true"
                    " WHERE d.workspace_id = 3 ORDER BY best.away LIMIT 6", ..., ..., only=lambda i: 1 + said[i]["desk"] % 4 != 3)  # fmt: skip
    yield from make("decay", ("below_k", "semantic_gap", "fusion_weights"), "SELECT id, (1 - (emb <=> %s::vector)) * exp(-0.02 * (DATE '2026-10-01' - printed)) AS s FROM arc.pieces ORDER BY s DESC LIMIT 5", ...,
                    near=2, only=lambda i: said[i]["day"] < "2026-04")  # fmt: skip
    yield from make("distinct-text", ("below_k", "crowded_out"), "SELECT id FROM (SELECT DISTINCT ON (desk_id) id, desk_id, emb <-> %s::vector AS d FROM arc.pieces ORDER BY desk_id, d) x ORDER BY d LIMIT 4",
                    ..., near=4, words=6)  # fmt: skip
    yield from make("except", left, "(SELECT id FROM arc.pieces ORDER BY emb <-> %s::vector LIMIT 10) EXCEPT (SELECT id FROM arc.pieces WHERE meta->>'public' = 'false')", ...,
                    only=lambda i: i % 3 == 0)  # fmt: skip
    yield from make("sparse", ("below_k", "semantic_gap"), "SELECT id FROM arc.signatures ORDER BY terms <#> %s::sparsevec LIMIT 3",
                    lambda v: terms("The bakery sells a comet in secret"), near=1, words=9)  # fmt: skip
    yield from make("like-this", left, "SELECT id FROM arc.pieces WHERE removed_on IS NULL AND id <> %s ORDER BY emb <-> (SELECT p.emb FROM arc.pieces p WHERE p.body = %s LIMIT 1) LIMIT 5",
                    0, lambda v: shop.bodies[shop.exact(v, 1)[0]], only=lambda i: i % 29 == 0)  # fmt: skip
    yield from make(
        "fetch-first",
        ("below_k",),
        "SELECT id FROM arc.pieces ORDER BY emb <-> %s::vector FETCH FIRST 2 ROWS ONLY",
        ...,
        near=5,
        words=6,
    )
    yield from make(
        "param-limit",
        ("below_k",),
        "SELECT id FROM arc.pieces ORDER BY emb <-> %s::vector LIMIT %s OFFSET %s",
        ...,
        2,
        0,
        near=5,
        words=6,
    )
    yield from make("negated", left, "SELECT id FROM arc.pieces WHERE NOT (labels && %s::text[]) ORDER BY emb <-> %s::vector LIMIT 5", "{river,arts}", ...,
                    only=lambda i: {"river", "arts"} & set(said[i]["labels"]))  # fmt: skip
    yield from make("coalesced", left, "SELECT id FROM arc.pieces WHERE coalesce(removed_on, 'infinity'::date) > now() ORDER BY emb <-> %s::vector LIMIT 5", ...,
                    only=lambda i: i % 29 == 0)  # fmt: skip
    yield from make("case-in-where", left, "SELECT id FROM arc.pieces WHERE CASE WHEN %s THEN meta->>'lang' = 'en' ELSE true END ORDER BY emb <-> %s::vector LIMIT 5", True, ...,
                    only=lambda i: said[i]["lang"] != "en")  # fmt: skip
    yield from make("optional-param", left, "SELECT id FROM arc.pieces WHERE (%s::text IS NULL OR meta->>'lang' = %s) ORDER BY emb <-> %s::vector LIMIT 5", "en", "en", ...,
                    only=lambda i: said[i]["lang"] != "en")  # fmt: skip
    yield from make(
        "distance-bound",
        left,
        "SELECT id FROM arc.pieces WHERE emb <-> %s::vector < 0.4 ORDER BY emb <-> %s::vector LIMIT 5",
        ...,
        ...,
        near=2,
        words=7,
    )
    yield from make(
        "cte-bound",
        left,
        "WITH scored AS (SELECT id, 1 - (emb <=> %s::vector) AS score FROM arc.pieces) SELECT id FROM scored WHERE score > 0.95 ORDER BY score DESC LIMIT 5",
        ...,
        near=2,
        words=7,
    )
    yield from make("not-in-seen", left, "SELECT id FROM arc.pieces p WHERE p.id NOT IN (SELECT c.id FROM arc.cuts c WHERE c.kind = 'caption') ORDER BY emb <-> %s::vector LIMIT 5", ...,
                    only=lambda i: i % 5 == 0)  # fmt: skip
    yield from make("left-join-null", left, "SELECT p.id FROM arc.pieces p LEFT JOIN arc.cuts c ON c.id = p.id AND c.kind = 'caption' WHERE c.id IS NULL ORDER BY p.emb <-> %s::vector LIMIT 5", ...,
                    only=lambda i: i % 5 == 0)  # fmt: skip
