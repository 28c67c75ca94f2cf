# ruff: noqa: E501 - statements stand as their libraries print them
"""How a travel agency's services search their inns in SQL, and what is left out by it."""

# fmt: off
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.benchmarks.failures.desk import Case, got
from tests.benchmarks.failures.inns import CLAIMS, SHELVES, TENANTS, Inns, embedded, searched

LEFT, TENANT, INDEX, BELOW = ("condition_excludes",), ("tenant_excludes",), ("breadth_too_small", "unreachable"), ("below_k", "crowded_out")
WIDE = {"hnsw.ef_search": "1000", "hnsw.iterative_scan": "strict_order", "hnsw.max_scan_tuples": "1000000"}
NARROW = {"enable_seqscan": "off", "enable_sort": "off", "hnsw.ef_search": "8"}


def by_sql(shop: Inns) -> Iterator[Case]:
    """Statements of every library."""
    yield from _prisma(shop)
    yield from _rails(shop)
    yield from _python(shop)
    yield from _others(shop)
    yield from _states(shop)
    yield from _troubles(shop)


def _prisma(shop: Inns) -> Iterator[Case]:
    base = 'SELECT "id", "slug", "summary", 1 - ("embedding" <=> $1::vector) AS "similarity" FROM "Inn"'
    yield from searched(shop, "prisma-raw", INDEX, f'{base} ORDER BY "embedding" <=> $1::vector ASC LIMIT $2', [..., 5], key="cuid", local=NARROW)
    yield from searched(shop, "prisma-workspace", TENANT, f'{base} WHERE "workspaceId" = $2 ORDER BY "embedding" <=> $1::vector LIMIT $3', [..., "ws_b", 5], key="cuid", local=WIDE,
                        only=lambda r: r["work"] != "ws_b")
    yield from searched(shop, "prisma-listed", LEFT, f'{base} WHERE "isListed" = true AND "stars" IN ($2,$3,$4,$5,$6) ORDER BY "similarity" DESC LIMIT $7', [..., 1, 2, 3, 4, 5, 5], key="cuid",
                        only=lambda r: not r["listed"])
    yield from searched(shop, "drizzle-similarity", LEFT, 'select "id", 1 - ("embedding" <=> $1) as "similarity" from "Inn" where 1 - ("Inn"."embedding" <=> $2) > $3 order by "similarity" desc limit $4',
                        [..., ..., 0.95, 5], key="cuid", near=1, words=10)
    yield from searched(shop, "knex-offset", ("offset_skips",), 'select "id" from "Inn" where "isListed" = ? order by "embedding" <=> ?::vector limit ? offset ?', [True, ..., 5, 5], key="cuid",
                        local=WIDE, only=lambda r: r["listed"], near=3)
    yield from searched(shop, "keyset", ("offset_skips", *LEFT), 'SELECT "id", "embedding" <=> $1::vector AS d FROM "Inn" WHERE ("embedding" <=> $1::vector, "id") > ($2::float8, $3) ORDER BY d, "id" LIMIT 5',
                        [..., 0.3, "c"], key="cuid", near=1, words=11)
    yield from searched(shop, "view-stars", LEFT, "SELECT id, text FROM listed_inns ORDER BY embedding <=> $1 LIMIT 6", [...], key="cuid", local=WIDE, only=lambda r: r["listed"] and r["stars"] < 2)


def _rails(shop: Inns) -> Iterator[Case]:
    near = """SELECT "reviews"."id", "reviews"."content", "reviews"."embedding" <=> $1 AS neighbor_distance FROM "reviews" WHERE "reviews"."embedding" IS NOT NULL"""
    order = 'ORDER BY "reviews"."embedding" <=> $1 LIMIT $2'
    yield from searched(shop, "neighbor", INDEX, f"{near} {order}", [..., 5], local=NARROW)
    yield from searched(shop, "neighbor-scope", LEFT, f'{near} AND "reviews"."discarded_at" IS NULL {order}', [..., 5], local=WIDE, only=lambda r: r["gone"])
    yield from searched(shop, "neighbor-account", TENANT, f'{near} AND "reviews"."account_id" = $3 {order}', [..., 5, 4], local=WIDE, only=lambda r: r["account"] != 4)
    yield from searched(shop, "neighbor-rare", ("scan_exhausted", "breadth_too_small"), f'{near} AND "reviews"."language" = $3 {order}', [..., 5, "is"], local={"enable_seqscan": "off", "enable_sort": "off"},
                        only=lambda r: r["lang"] == "is", among=lambda r: r["lang"] == "is")
    yield from searched(shop, "rails-joins", LEFT, 'SELECT "reviews"."id" FROM "reviews" INNER JOIN "regions" ON "regions"."id" = "reviews"."region_id" WHERE "regions"."country" = $2 ORDER BY "reviews"."embedding" <=> $1 LIMIT 5',
                        [..., "JP"], local=WIDE, only=lambda r: r["region"] % 3 != 1)
    yield from searched(shop, "cursor-arguments", LEFT, "SELECT r AS id FROM reviews_like($1::halfvec, $2, 5) r", [..., "en"], local=WIDE, only=lambda r: r["lang"] != "en")
    yield from searched(shop, "cursor-for", LEFT, "SELECT r AS id FROM reviews_for($1::halfvec, $2, 5) AS r", [..., "en"], local=WIDE, only=lambda r: r["lang"] != "en")
    yield from searched(shop, "not-in-list", LEFT, f'{near} AND "reviews"."region_id" NOT IN (3, 4, 5) {order}', [..., 5], local=WIDE, only=lambda r: r["region"] in (3, 4, 5))
    yield from searched(shop, "between", LEFT, f'{near} AND "reviews"."rating" BETWEEN 3 AND 5 {order}', [..., 5], local=WIDE, only=lambda r: r["stars"] < 3)


def _python(shop: Inns) -> Iterator[Case]:
    yield from searched(shop, "django-exclude", LEFT, 'SELECT "guides_guide"."id", "guides_guide"."title", ("guides_guide"."embedding" <=> %s::vector) AS "distance" FROM "guides_guide" WHERE NOT "guides_guide"."is_draft" ORDER BY "distance" ASC LIMIT 5',
                        [...], only=lambda r: r["draft"])
    yield from searched(shop, "django-m2m", LEFT, 'SELECT DISTINCT "guides_guide"."id", ("guides_guide"."embedding" <-> %s::vector) AS "distance" FROM "guides_guide" INNER JOIN "guides_guide_tags" ON ("guides_guide"."id" = "guides_guide_tags"."guide_id") WHERE "guides_guide_tags"."tag" IN (%s, %s) ORDER BY 2 ASC LIMIT 5',
                        [..., "sea", "spa"], only=lambda r: not {"sea", "spa"} & set(r["tags"]))
    yield from searched(shop, "django-exists", LEFT, 'SELECT "guides_guide"."id" FROM "guides_guide" WHERE EXISTS(SELECT 1 AS "a" FROM "guides_guide_tags" U0 WHERE (U0."guide_id" = ("guides_guide"."id") AND U0."tag" = %s) LIMIT 1) ORDER BY ("guides_guide"."embedding" <=> %s::vector) ASC LIMIT 5',
                        ["dog", ...], only=lambda r: "dog" not in r["tags"])
    yield from searched(shop, "django-owner", TENANT, 'SELECT "guides_guide"."id" FROM "guides_guide" WHERE ("guides_guide"."owner_id" = %s AND NOT ("guides_guide"."is_draft" AND "guides_guide"."is_draft" IS NOT NULL)) ORDER BY ("guides_guide"."embedding" <=> %s::vector) LIMIT 5',
                        [2, ...], only=lambda r: r["account"] != 2 and not r["draft"])
    chain = """SELECT langchain_pg_embedding.id AS langchain_pg_embedding_id, langchain_pg_embedding.document, langchain_pg_embedding.cmetadata, langchain_pg_embedding.embedding <=> %(embedding_1)s AS distance
FROM langchain_pg_embedding JOIN langchain_pg_collection ON langchain_pg_embedding.collection_id = langchain_pg_collection.uuid
WHERE langchain_pg_embedding.collection_id = %(collection_id_1)s::UUID AND vector_dims(langchain_pg_embedding.embedding) = 80{} ORDER BY distance ASC
 LIMIT %(param_1)s"""
    given = {"embedding_1": ..., "collection_id_1": SHELVES[0], "param_1": 5}
    yield from searched(shop, "langchain-collection", (*LEFT, *TENANT), chain.format(""), given, key="cuid", only=lambda r: r["shelf"] != SHELVES[0])
    path = "\n AND jsonb_path_match(langchain_pg_embedding.cmetadata, CAST(%(path_1)s AS JSONPATH), CAST(%(vars_1)s AS JSONB))"
    yield from searched(shop, "langchain-path", LEFT, chain.format(path), {**given, "path_1": "$.year >= $value", "vars_1": '{"value": 2022}'}, key="cuid",
                        only=lambda r: r["shelf"] == SHELVES[0] and r["year"] < 2022, among=lambda r: r["shelf"] == SHELVES[0])
    yield from searched(shop, "langchain-k", BELOW, chain.format(""), {**given, "param_1": 2}, key="cuid", only=lambda r: r["shelf"] == SHELVES[0], among=lambda r: r["shelf"] == SHELVES[0], words=6, near=4)
    yield from searched(shop, "llamaindex", LEFT, "SELECT documents.id, documents.content, documents.embedding <=> :embedding_1 AS distance FROM documents WHERE documents.metadata->>'city' = :city AND CAST(documents.metadata->>'year' AS INTEGER) >= :year ORDER BY distance asc LIMIT :many",
                        {"embedding_1": ..., "city": "Nara", "year": 2015, "many": 5}, only=lambda r: r["city"] != "Nara")
    yield from searched(shop, "sqlalchemy-org", TENANT, "SELECT documents.id FROM documents WHERE CAST((documents.metadata ->> %(m1)s) AS INTEGER) = %(org)s ORDER BY documents.embedding <=> %(e1)s LIMIT %(p1)s",
                        {"m1": "org_id", "org": 2, "e1": ..., "p1": 5}, only=lambda r: r["account"] != 2)
    yield from searched(shop, "sqlalchemy-anon", BELOW, "SELECT anon_1.id FROM (SELECT documents.id AS id, documents.embedding <=> %(e1)s AS d FROM documents ORDER BY d LIMIT %(p1)s) AS anon_1 ORDER BY anon_1.d LIMIT %(p2)s",
                        {"e1": ..., "p1": 3, "p2": 20}, words=6, near=6)


def _others(shop: Inns) -> Iterator[Case]:
    yield from searched(shop, "supabase-rpc", LEFT, 'WITH pgrst_source AS (SELECT "pgrst_call".* FROM "match_documents"("filter" := $2::jsonb, "match_count" := $3, "query_embedding" := $1) pgrst_call) SELECT "match_documents"."id", "match_documents"."content" FROM pgrst_source "match_documents"',
                        [..., '{"city": "Vik"}', 5], only=lambda r: r["city"] != "Vik", local={"ivfflat.probes": "60"})
    yield from searched(shop, "supabase-nested", LEFT, "SELECT id FROM match_documents($1, filter => $2, match_count => 5)", [..., '{"source": {"lang": "en"}}'], only=lambda r: r["lang"] != "en")
    yield from searched(shop, "supabase-policy", TENANT, "select id, note from notes order by vec <=> $1 limit 5", [...], local=CLAIMS, only=lambda r: r["tenant"] != TENANTS[0])
    yield from searched(shop, "spring-path", LEFT, "SELECT id, content, embedding <=> ? AS distance FROM documents WHERE embedding <=> ? < ? AND metadata::jsonb @@ '$.city == \"Graz\" && $.year > 2010'::jsonpath ORDER BY distance LIMIT ?".replace("@@ '$", "@@ '$"),
                        [..., ..., 0.9, 5], only=lambda r: r["city"] != "Graz")
    yield from searched(shop, "pgx-named", LEFT, "SELECT d.id FROM documents d WHERE d.metadata @> jsonb_build_object('year', @year::int) ORDER BY d.embedding <=> @q LIMIT @n", {"year": 2024, "q": ..., "n": 5}, only=lambda r: r["year"] != 2024)
    yield from searched(shop, "inner-product-lists", ("probes_too_few",), "SELECT id, (embedding <#> $1) * -1 AS score FROM documents ORDER BY embedding <#> $1 LIMIT 5", [...], words=7,
                        local={"enable_seqscan": "off", "enable_sort": "off", "ivfflat.probes": "1"})
    yield from searched(shop, "unnormalized", ("wrong_distance",), "SELECT id FROM events ORDER BY embedding <#> $1 LIMIT 3", [...], only=lambda r: r["n"] % 9 != 0, words=9, near=1)
    yield from searched(shop, "quantized-rerank", ("quantization_lossy", "below_k"), "SELECT id FROM (SELECT id, embedding FROM guides_guide ORDER BY binary_quantize(embedding)::bit(80) <~> binary_quantize($1::vector) LIMIT 8) c ORDER BY embedding <=> $1::vector LIMIT 5",
                        [...], words=5, near=3, local=WIDE)
    yield from searched(shop, "lateral-by-region", BELOW, "SELECT x.id FROM regions g, LATERAL (SELECT r.id, r.embedding <=> $1::halfvec AS d FROM reviews r WHERE r.region_id = g.id ORDER BY d LIMIT 1) x ORDER BY x.d LIMIT 9", [...], words=5, near=8, local=WIDE)
    yield from searched(shop, "window-per-account", BELOW, "SELECT id FROM (SELECT r.id, r.embedding <=> $1::halfvec AS d, rank() OVER (PARTITION BY r.account_id ORDER BY r.embedding <=> $1::halfvec) AS place FROM reviews r) ranked WHERE place <= 1 ORDER BY d", [...], words=5, near=7, local=WIDE)
    rrf = """WITH semantic_search AS (
    SELECT id, RANK () OVER (ORDER BY embedding <=> %(embedding)s) AS rank FROM {table} {where} ORDER BY embedding <=> %(embedding)s LIMIT 20
),
keyword_search AS (
    SELECT id, RANK () OVER (ORDER BY ts_rank_cd(to_tsvector('english', body), query) DESC) FROM {table}, plainto_tsquery('english', %(query)s) query
    WHERE to_tsvector('english', body) @@ query {also} ORDER BY ts_rank_cd(to_tsvector('english', body), query) DESC LIMIT 20
)
SELECT COALESCE(semantic_search.id, keyword_search.id) AS id,
    COALESCE(1.0 / (%(k)s::int + semantic_search.rank), 0.0) {weight} + COALESCE(1.0 / (%(k)s::int + keyword_search.rank), 0.0) AS score
FROM semantic_search FULL OUTER JOIN keyword_search ON semantic_search.id = keyword_search.id
ORDER BY score DESC LIMIT 5"""
    given = {"embedding": ..., "query": "guesthouse hammocks", "k": 60}
    yield from searched(shop, "rrf-draft", LEFT, rrf.format(table="guides_guide", where="WHERE NOT is_draft", also="AND NOT is_draft", weight=""), given, only=lambda r: r["draft"], near=2)
    yield from searched(shop, "rrf-weighted", ("fusion_weights", "below_k"), rrf.format(table="guides_guide", where="", also="", weight="* 0.05"), given, near=1)
    yield from searched(shop, "fresh-tuple", ("dead_rows",), "SELECT id, dish FROM menus ORDER BY embedding <-> $1 LIMIT 10", [...], among=lambda r: r["n"] % 8 == 3 or r["big"] % 11 == 10,
                        only=lambda r: r["n"] % 8 == 3, local={"enable_seqscan": "off", "enable_sort": "off", "hnsw.ef_search": "10", "hnsw.iterative_scan": "off"})


def _states(shop: Inns) -> Iterator[Case]:
    sql = 'SELECT "id", "summary" FROM "Inn" ORDER BY "embedding" <=> $1 LIMIT 5'

    def step(row: dict[str, Any], more: str = "") -> dict[str, Any]:
        return shop.step(sql, [embedded(row["text"] + more)], WIDE)

    for number in (0, 1):
        special = {name: rows[number] for name, rows in shop.special.items()}
        for name, causes, of in (
            ("stale", ("stale_embedding",), "stale"), ("foreign", ("wrong_model", "stale_embedding"), "foreign"),
            ("null", ("row_without_vector",), "null"), ("deleted", ("missing_chunk",), "gone"),
        ):
            yield Case(f"{name}-{number}", causes, (step(special[of]),), (special[of]["cuid"],))  # type: ignore[arg-type]
        copied = special["copied"]
        made = step(copied, " twice")
        beside = next(row for row in shop.nearest(embedded(copied["text"] + " twice"), 5) if row is not copied)
        yield Case(f"copied-{number}", ("duplicates",), (made,), (beside["cuid"],))
        long = special["long"]
        query = "SELECT id FROM langchain_pg_embedding WHERE collection_id = $2::uuid ORDER BY embedding <=> $1 LIMIT 5"
        yield Case(f"mixed-dimension-{number}", ("wrong_dimension",), (shop.step(query, [embedded(long["text"]), long["shelf"]]),), (long["cuid"],))
        yield Case(f"short-query-{number}", ("wrong_dimension",), (shop.step(sql, [embedded(long["text"])[:64]], WIDE),), (long["cuid"],))
        one = shop.rows[number]
        yield Case(f"whole-healthy-{number}", (), (step(one),), (one["cuid"],))
        far = shop.nearest(embedded(shop.rows[number]["text"]), 3000)[1700]
        yield Case(f"unlike-{number}", ("semantic_gap",), (step(shop.rows[number]),), (far["cuid"],))
        sampled = shop.step('SELECT "id" FROM "Inn" TABLESAMPLE BERNOULLI (3) ORDER BY "embedding" <=> $1 LIMIT 5', [embedded(one["text"])])
        yield Case(f"sampled-{number}", ("nondeterminism",), (sampled,))
        shuffled = shop.step('SELECT "id" FROM (SELECT "id" FROM "Inn" ORDER BY "embedding" <=> $1 LIMIT 40) t ORDER BY gen_random_uuid() LIMIT 5', [embedded(one["text"])])
        yield Case(f"shuffled-{number}", ("nondeterminism",), (shuffled,))
        other = step(one)
        absent = [f"cl{n}zzzzzz" for n in range(2)]
        moved = {**other, "expect": {"ids": [*absent, *got(other)[:3]]}}
        yield Case(f"moved-{number}", ("drift",), (moved,))
    # many that say nearly the same, as a chain of inns writes them
    chain = [row for row in shop.rows if "hammocks" in row["text"]][:3]
    for number, row in enumerate(chain[:2]):
        yield Case(f"chain-healthy-{number}", (), (shop.step(sql, [embedded(row["text"] + " please")], WIDE),), (row["cuid"],))


def _troubles(shop: Inns) -> Iterator[Case]:
    one = shop.rows[7]
    base = 'SELECT "id" FROM "Inn" ORDER BY "embedding" <=> $1 LIMIT 5'
    vector = embedded(one["text"])
    slow = shop.step('SELECT a."id" FROM "Inn" a, "Inn" b ORDER BY (a."embedding" <=> b."embedding") + (b."embedding" <=> $1) LIMIT 5', [vector], {"statement_timeout": "150ms"})
    yield Case("slow", ("timeout",), (slow,))
    sort = shop.step('SELECT a."id" FROM "Inn" a, generate_series(1, 300) g ORDER BY a."summary" || g, a."embedding" <=> $1 LIMIT 900000', [vector], {"work_mem": "64kB", "temp_file_limit": "1MB"})
    yield Case("temp-files", ("disk_full",), (sort,))
    yield Case("renamed-column", ("statement_failed",), (shop.step('SELECT "id" FROM "Inn" ORDER BY "embeddings" <=> $1 LIMIT 5', [vector]),))
    yield Case("no-grant", ("statement_failed",), (shop.step("SELECT rolpassword AS id FROM pg_authid", []),))
    yield Case("no-extension", ("statement_failed",), (shop.step("SELECT id FROM notes WHERE similarity(note, $1) > 0.3", ["inn"]),))
    whole = shop.step(base, [vector], WIDE)
    yield Case("untroubled-healthy", (), (whole,), (one["cuid"],))
    yield Case("nothing-there-healthy", (), (shop.step("SELECT id FROM notes WHERE false", []),))
