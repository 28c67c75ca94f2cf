# ruff: noqa: E501 - statements stand as their libraries print them
"""A travel agency's inns: tables as Prisma, Rails, Django, SQLAlchemy, LangChain and Supabase name them, and their SQL.

Each case names the causes that are right for it; a healthy one none.
"""

# fmt: off
from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from tests.benchmarks.failures.desk import Case, got, literal

SIZE = 80
SCHEMA = """
CREATE EXTENSION vector; CREATE ROLE app LOGIN PASSWORD 'x';
CREATE TABLE "Inn" ("id" text PRIMARY KEY, "slug" text, "workspaceId" text NOT NULL, "summary" text NOT NULL, "stars" int, "isListed" boolean NOT NULL DEFAULT true,
  "embedding" vector(80), "createdAt" timestamptz DEFAULT '2026-03-01', "updatedAt" timestamptz DEFAULT '2026-03-01');
CREATE TABLE regions (id int PRIMARY KEY, name text, country text);
CREATE TABLE reviews (id bigint PRIMARY KEY, inn_id text, account_id bigint, region_id int, content text, language text, rating int, embedding halfvec(80),
  discarded_at timestamp, created_at timestamp DEFAULT '2026-03-01', updated_at timestamp DEFAULT '2026-03-01');
CREATE TABLE guides_guide (id bigint PRIMARY KEY, title text, body text, is_draft boolean, owner_id int, embedding vector(80), norm real);
CREATE TABLE guides_guide_tags (guide_id bigint, tag text);
CREATE TABLE langchain_pg_collection (uuid uuid PRIMARY KEY, name text, cmetadata json);
CREATE TABLE langchain_pg_embedding (id varchar PRIMARY KEY, collection_id uuid, embedding vector, document varchar, cmetadata jsonb);
CREATE TABLE documents (id bigint PRIMARY KEY, content text, metadata jsonb, embedding vector(80));
CREATE TABLE notes (id bigint PRIMARY KEY, tenant_id uuid, note text, vec vector(80));
CREATE TABLE events (id bigint PRIMARY KEY, said text, embedding vector(80));
CREATE TABLE brochures (id bigint PRIMARY KEY, brochure text, part int, embedding vector(80));
CREATE TABLE menus (id bigint PRIMARY KEY, dish text, embedding vector(80));
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON notes FOR ALL USING (tenant_id = (current_setting('request.jwt.claims', true)::jsonb ->> 'tenant_id')::uuid);
"""
LATER = """
CREATE INDEX ON "Inn" USING hnsw ("embedding" vector_cosine_ops) WITH (m = 3, ef_construction = 6);
CREATE INDEX index_reviews_on_embedding ON reviews USING hnsw (embedding halfvec_cosine_ops) WITH (m = 3, ef_construction = 6);
CREATE INDEX ON guides_guide USING hnsw ((binary_quantize(embedding)::bit(80)) bit_hamming_ops);
CREATE INDEX ON documents USING ivfflat (embedding vector_ip_ops) WITH (lists = 60);
CREATE INDEX ON menus USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32);
CREATE FUNCTION match_documents(query_embedding vector(80), match_count int DEFAULT NULL, filter jsonb DEFAULT '{}')
RETURNS TABLE (id bigint, content text, metadata jsonb, similarity float) LANGUAGE plpgsql AS $$
#variable_conflict use_column
begin
  return query
  select id, content, metadata, 1 - (documents.embedding <=> query_embedding) as similarity
  from documents
  where metadata @> filter
  order by documents.embedding <=> query_embedding
  limit match_count;
end; $$;
CREATE FUNCTION reviews_like(q halfvec, wanted text, many int) RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  near CURSOR (lang text, most int) FOR SELECT r.id FROM reviews r WHERE r.language = lang AND r.discarded_at IS NULL ORDER BY r.embedding <=> q LIMIT most;
  hit bigint;
BEGIN
  OPEN near(wanted, many);
  LOOP
    FETCH NEXT FROM near INTO hit;
    EXIT WHEN NOT FOUND;
    RETURN NEXT hit;
  END LOOP;
  CLOSE near;
END $$;
CREATE FUNCTION reviews_for(q halfvec, wanted text, many int) RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE near CURSOR (lang text, most int) FOR SELECT r.id FROM reviews r WHERE r.language = lang ORDER BY r.embedding <=> q LIMIT most;
BEGIN
  FOR one IN near(lang := wanted, most := many) LOOP
    RETURN NEXT one.id;
  END LOOP;
END $$;
CREATE VIEW listed_inns AS SELECT i."id" AS id, i."summary" AS text, i."embedding" AS embedding, i."stars" FROM "Inn" i WHERE i."isListed" AND i."stars" >= 2;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO app; ANALYZE;
"""
KIND = ("guesthouse", "farmstead", "lodge", "riverboat", "windmill", "monastery", "treehouse", "vineyard", "chalet", "lighthouse", "stable", "tower", "cottage")
FEEL = ("quiet", "crooked", "sunlit", "drafty", "mossy", "candlelit", "whitewashed", "smoky", "painted", "narrow", "generous", "salty")
NEAR = ("above a gorge", "beside the saltworks", "among walnut groves", "behind the observatory", "under the viaduct", "near a sulphur spring", "facing the glacier",
        "inside the old ramparts", "along the pilgrim path", "opposite the fish auction", "on a tidal island", "past the peat bogs")
HAS = ("copper bathtubs", "a goat that greets guests", "feather beds", "an orchard sauna", "homemade quince jelly", "a library of maps", "telescopes on the roof",
       "a bread oven", "harp recitals", "rowing boats", "a mushroom cellar", "hammocks", "an indoor well", "falconry lessons")
TENANTS = ("6f1b0c9e-0000-4000-8000-000000000001", "6f1b0c9e-0000-4000-8000-000000000002", "6f1b0c9e-0000-4000-8000-000000000003")
SHELVES = ("0b8a2f5e-1111-4000-8000-00000000000a", "0b8a2f5e-1111-4000-8000-00000000000b")
CLAIMS = {"request.jwt.claims": json.dumps({"role": "authenticated", "tenant_id": TENANTS[0]})}
Make = Callable[[list[float]], dict[str, Any]]
Only = Callable[[dict[str, Any]], bool]


def embedded(text: str, model: int = 3) -> list[float]:
    """A vector: a direction for each word, by a hash."""
    total = np.zeros(SIZE)
    for word in re.findall(r"[a-z0-9]+", text.lower()):
        seed = zlib.crc32(f"{word}#{model}".encode())
        total += np.random.default_rng(seed).standard_normal(SIZE) * (0.1 if len(word) < 4 else 1.0)
    return [round(float(one), 5) for one in total / np.linalg.norm(total)]


@dataclass
class Inns:
    """The agency as production."""

    server: Any
    drawn: random.Random
    directory: Path | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    special: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    brochures: list[tuple[int, str, list[float]]] = field(default_factory=list)
    crowds: dict[str, list[Any]] = field(default_factory=dict)

    def ask(self, sql: str, values: Any, settings: dict[str, str], role: str = "app") -> list[Any]:
        """Rows, as the application's role sees them; placeholders as any driver writes them."""
        with self.server.connect("app") as conn, conn.transaction():
            conn.execute(f"SET LOCAL ROLE {role}")
            for name, value in settings.items():
                conn.execute("SELECT set_config(%s, %s, true)", [name, value])
            if isinstance(values, dict):
                given: Any = {name: literal(one) for name, one in values.items()}
                sql = re.sub(r"(?<![:\w])[:@]([a-z_]\w*)", r"%(\1)s", sql)
            else:
                given = [literal(one) for one in values]
            if "$1" in sql:
                with psycopg.RawCursor(conn) as raw:
                    return list(raw.execute(sql.encode(), given, prepare=False).fetchall())
            if "?" in sql:
                sql = sql.replace("%", "%%").replace("?", "%s")
            return list(conn.execute(sql.encode(), given or None, prepare=False).fetchall())

    def step(self, sql: str, values: Any, local: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """The step, with what production answers."""
        try:
            expect: dict[str, Any] = {"ids": [row[0] for row in self.ask(sql, values, local or {})]}
        except psycopg.Error as exc:
            expect = {"error": f"{exc.sqlstate or '-----'} {str(exc).splitlines()[0]}"}
        return {"id": "retrieve", "kind": "sql", "store": "main", "role": "app", "sql": sql, "key": "id",
                "parameters": values, "local": local or {}, "expect": expect, **more}

    def nearest(self, vector: list[float], many: int, where: Only = lambda row: True) -> list[dict[str, Any]]:
        """The rows that are nearest, by no index, by what was to be embedded."""
        kept = [row for row in self.rows if where(row)]
        scores = np.array([row["vector"] for row in kept]) @ np.array(vector)
        return [kept[int(one)] for one in np.argsort(-scores)[:many]]


def fill(shop: Inns) -> None:
    """Write the tables, then build the indexes."""
    drawn, seen = shop.drawn, set()
    while len(shop.rows) < 3000:
        text = f"A {drawn.choice(FEEL)} {drawn.choice(KIND)} {drawn.choice(NEAR)} with {drawn.choice(HAS)} and {drawn.choice(HAS)}, kept by {drawn.choice('BDFGKLMPRSTV')}{drawn.choice('aeiou')}{drawn.choice('lmnrsv')}{drawn.choice('aio')}{drawn.choice('ckndt')}{drawn.choice(('berg', 'wick', 'holm', 'dale', 'mont', 'ford'))}."
        if text in seen:
            continue
        seen.add(text)
        number = len(shop.rows)
        shop.rows.append({
            "n": number, "text": text, "vector": embedded(text), "cuid": f"cl{zlib.crc32(text.encode()):08x}{number:06d}", "big": 880_000 + 11 * number,
            "work": f"ws_{drawn.choice('abcd')}", "stars": drawn.randint(1, 5), "listed": drawn.random() < 0.85, "account": drawn.randint(1, 5), "region": drawn.randint(1, 9),
            "lang": drawn.choices(("en", "pt", "ja", "is"), (68, 18, 12, 2))[0], "gone": drawn.random() < 0.1, "draft": drawn.random() < 0.15, "tags": drawn.sample(("sea", "alp", "spa", "dog", "wine"), 2),
            "tenant": drawn.choice(TENANTS), "shelf": drawn.choice(SHELVES), "year": drawn.randint(2018, 2026), "city": drawn.choice(("Braga", "Nara", "Vik", "Graz")),
        })
    odd = drawn.sample(shop.rows[200:], 60)
    shop.special = {"stale": odd[:8], "foreign": odd[8:16], "null": odd[16:20], "gone": odd[20:24], "copied": odd[24:26], "long": odd[26:30]}
    with shop.server.connect("app") as conn:
        conn.execute(SCHEMA)
        conn.execute("INSERT INTO regions SELECT n, 'region ' || n, (ARRAY['PT','JP','IS'])[1 + n % 3] FROM generate_series(1, 9) n")
        conn.cursor().executemany("INSERT INTO langchain_pg_collection VALUES (%s, %s, '{}')", [(SHELVES[0], "inns"), (SHELVES[1], "archive")])
        _copy(conn, '"Inn" ("id", "slug", "workspaceId", "summary", "stars", "isListed", "embedding")', (
            (r["cuid"], f"s-{r['n']}", r["work"], r["text"], r["stars"], r["listed"], r["vector"]) for r in shop.rows))
        _copy(conn, "reviews (id, inn_id, account_id, region_id, content, language, rating, embedding, discarded_at)", (
            (r["big"], r["cuid"], r["account"], r["region"], r["text"], r["lang"], r["stars"], r["vector"], "2026-04-01" if r["gone"] else None) for r in shop.rows))
        _copy(conn, "guides_guide", ((r["big"], r["text"][:24], r["text"], r["draft"], r["account"], r["vector"], 1.0) for r in shop.rows))
        _copy(conn, "guides_guide_tags", ((r["big"], tag) for r in shop.rows for tag in r["tags"]))
        _copy(conn, "langchain_pg_embedding", ((r["cuid"], r["shelf"], r["vector"], r["text"], json.dumps({"year": r["year"], "city": r["city"], "lang": r["lang"]})) for r in shop.rows))
        _copy(conn, "documents", ((r["big"], r["text"], json.dumps({"city": r["city"], "year": r["year"], "org_id": r["account"], "source": {"lang": r["lang"]}}), r["vector"]) for r in shop.rows))
        _copy(conn, "notes", ((r["big"], r["tenant"], r["text"], r["vector"]) for r in shop.rows))
        _copy(conn, "events", ((r["big"], r["text"], [one * (6 if r["n"] % 9 == 0 else 1) for one in r["vector"]]) for r in shop.rows))
        _copy(conn, "menus", ((r["big"], r["text"], r["vector"]) for r in shop.rows))
        _spoil(conn, shop)
        conn.execute(LATER)
        conn.execute("SET enable_seqscan = off")
        conn.execute("DELETE FROM menus WHERE id % 11 < 10 AND (id / 11) % 8 <> 3")


def _copy(conn: Any, table: str, rows: Any) -> None:
    with conn.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row([literal(one) if isinstance(one, list) else one for one in row])


def _spoil(conn: Any, shop: Inns) -> None:
    """What is wrong in rows of `"Inn"`, and what is too much or missing."""
    texts = [row["text"] for row in shop.rows]
    for row in shop.special["stale"]:
        row["text"] = f"Now rebuilt: {shop.drawn.choice(texts)[2:-1]} since the fire."
        conn.execute('UPDATE "Inn" SET "summary" = %s WHERE "id" = %s', [row["text"], row["cuid"]])
    for row in shop.special["foreign"]:
        conn.execute('UPDATE "Inn" SET "embedding" = %s WHERE "id" = %s', [literal(embedded(row["text"], 8)), row["cuid"]])
    for row in shop.special["null"]:
        conn.execute('UPDATE "Inn" SET "embedding" = NULL WHERE "id" = %s', [row["cuid"]])
    for row in shop.special["gone"]:
        conn.execute('DELETE FROM "Inn" WHERE "id" = %s', [row["cuid"]])
    for row in shop.special["copied"]:
        for number in range(7):
            conn.execute('INSERT INTO "Inn" SELECT "id" || %s, "slug", "workspaceId", "summary", "stars", "isListed", "embedding" FROM "Inn" WHERE "id" = %s', [f"x{number}", row["cuid"]])
    for row in shop.special["long"]:
        conn.execute("UPDATE langchain_pg_embedding SET embedding = %s WHERE id = %s", [literal(embedded(row["text"])[:40]), row["cuid"]])


def searched(
    shop: Inns, name: str, causes: tuple[str, ...], sql: str, values: Any, *, key: str = "big", only: Only = lambda row: True, near: int = 4, among: Only = lambda row: True,
    words: int = 11, local: dict[str, str] | None = None, most: int = 1,
) -> Iterator[Case]:
    """Cases of a statement: records that are near and do not come, and records that come; `...` is the vector."""
    odd = {row["n"] for group in shop.special.values() for row in group}
    missed = came = 0
    for row in shop.drawn.sample([one for one in shop.rows if one["n"] not in odd], 400):
        if min(missed, came) >= most:
            return
        if not (fits := only(row)) and came >= most:
            continue
        vector = embedded(" ".join(shop.drawn.sample(row["text"].rstrip(".").split(), min(words, 12))))
        pairs = values.items() if isinstance(values, dict) else enumerate(values)
        given = {name: vector if one is ... else one(row) if callable(one) else one for name, one in pairs}
        step = shop.step(sql, given if isinstance(values, dict) else list(given.values()), local)
        assert "error" not in step["expect"], (name, step["expect"])
        if row[key] in got(step):
            came += 1
            if came <= most:
                yield Case(f"{name}-healthy-{came}", (), (step,), (row[key],))
        elif fits and missed < most and row["n"] in [one["n"] for one in shop.nearest(vector, near, among)]:
            missed += 1
            yield Case(f"{name}-{missed}", causes, (step,), (row[key],))
