"""A help desk's production: manuals in passages, and the statements by which its developers search them.

Another schema, other texts and another embedding than the other failures here; views, CTEs, set operations, overloads,
dynamic SQL, joins and row security. Each case names the causes that are right for it; a healthy one none.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SCHEMA = """
CREATE EXTENSION vector; CREATE SCHEMA kb; CREATE ROLE app LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA kb TO app;
CREATE TABLE kb.tenants (id int PRIMARY KEY, slug text UNIQUE);
CREATE TABLE kb.documents (id bigint PRIMARY KEY, title text, published boolean, org text);
CREATE TABLE kb.passages (id bigint PRIMARY KEY, doc bigint REFERENCES kb.documents, tenant int, org text, lang text,
  body text, emb vector(64), updated_at timestamptz, embedded_at timestamptz, deleted_at timestamptz);
CREATE TABLE kb.blocked (passage bigint PRIMARY KEY);
CREATE TABLE kb.notes (id bigint PRIMARY KEY, org text, body text, emb vector(64));
CREATE TABLE kb.listed (id bigint PRIMARY KEY, lang text, body text, emb vector(64));
CREATE TABLE kb.small (id bigint PRIMARY KEY, body text, emb halfvec(64));
ALTER TABLE kb.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON kb.notes USING (org = current_setting('app.org', true));
"""
LATER = """
CREATE INDEX ON kb.passages USING hnsw (emb vector_cosine_ops) WITH (m = 4, ef_construction = 8);
CREATE INDEX ON kb.passages USING hnsw ((emb::halfvec(64)) halfvec_cosine_ops) WITH (m = 4, ef_construction = 8);
CREATE INDEX ON kb.notes USING hnsw (emb vector_cosine_ops);
CREATE INDEX ON kb.listed USING ivfflat (emb vector_l2_ops) WITH (lists = 60);
CREATE INDEX ON kb.small USING hnsw (emb halfvec_ip_ops) WITH (m = 3, ef_construction = 6);
CREATE VIEW kb.own_passages AS SELECT p.id AS passage_id, p.body AS said, p.emb AS meaning, d.title
  FROM kb.passages p JOIN kb.documents d ON d.id = p.doc WHERE p.org = current_setting('app.org', true);
CREATE VIEW kb.english AS SELECT id, body, emb FROM kb.passages WHERE lang = 'en';
CREATE VIEW kb.open_listed AS SELECT id, lang, body, emb FROM kb.listed WHERE lang <> 'xx';
CREATE FUNCTION kb.find(q vector, k int) RETURNS TABLE (id bigint, body text) LANGUAGE sql STABLE AS
  $$ SELECT p.id, p.body FROM kb.passages p ORDER BY p.emb <=> q LIMIT k $$;
CREATE FUNCTION kb.find(q vector, p_lang text, k int DEFAULT 5) RETURNS TABLE (id bigint, body text)
  LANGUAGE sql STABLE AS
  $$ SELECT p.id, p.body FROM kb.passages p WHERE p.lang = p_lang ORDER BY p.emb <=> q LIMIT k $$;
CREATE FUNCTION kb.search_dyn(q vector, p_org text DEFAULT NULL, k int DEFAULT 5) RETURNS TABLE (id bigint, dist float8)
  LANGUAGE plpgsql STABLE AS $$
DECLARE stmt text := 'SELECT p.id, (p.emb <=> $1)::float8 FROM kb.passages p WHERE p.deleted_at IS NULL';
BEGIN
  IF p_org IS NOT NULL THEN
    stmt := stmt || ' AND p.org = $2';
  END IF;
  stmt := stmt || format(' ORDER BY p.emb <=> $1 LIMIT %s', k);
  RETURN QUERY EXECUTE stmt USING q, p_org;
END $$;
CREATE FUNCTION kb.search_two(q vector, strict boolean) RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF strict THEN
    RETURN QUERY SELECT p.id FROM kb.passages p WHERE p.lang = 'en' ORDER BY p.emb <=> q LIMIT 5;
  ELSE
    RETURN QUERY SELECT p.id FROM kb.passages p ORDER BY p.emb <=> q LIMIT 5;
  END IF;
END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA kb TO app; ANALYZE;
"""
DEVICES = (
    "router",
    "printer",
    "thermostat",
    "camera",
    "scooter",
    "kettle",
    "projector",
    "headset",
    "tablet",
    "doorbell",
    "vacuum",
    "charger",
)
PLACES = (
    "kitchen",
    "office",
    "garage",
    "attic",
    "warehouse",
    "lobby",
    "balcony",
    "studio",
    "basement",
    "workshop",
    "corridor",
    "terrace",
)
FAULTS = (
    "drops its connection",
    "blinks red",
    "prints blank pages",
    "will not pair",
    "overheats after an hour",
    "shows no picture",
    "loses its settings",
    "makes a grinding noise",
    "refuses the new firmware",
    "drains the battery",
)
REMEDIES = (
    "hold the reset button until the lamp turns green",
    "replace the rubber seal behind the cover",
    "update the bridge before the hub",
    "clean both contacts with a dry cloth",
    "move the antenna away from metal",
    "unplug it overnight and start again",
    "swap the fuse on the left board",
    "lower the target by two degrees",
    "pair it from the service menu",
    "send it to the repair desk",
)
ORGS = ("acme", "globex", "initech", "umbrella")


def embedded(text: str, model: int = 0) -> list[float]:
    """A vector: a direction for each word, by a hash."""
    total = np.zeros(64)
    for word in text.lower().replace(".", " ").replace(",", " ").split():
        seed = zlib.crc32(f"{model}/{word}".encode())
        total += np.random.default_rng(seed).standard_normal(64) * (0.2 if len(word) < 4 else 1.0)
    return [round(float(one), 5) for one in total / np.linalg.norm(total)]


@dataclass(frozen=True)
class Case:
    """An incident, the causes that are right for it (none for a healthy one), and what should have come."""

    name: str
    causes: tuple[str, ...]
    steps: tuple[dict[str, Any], ...] = ()
    expected: tuple[int, ...] = ()
    calls: tuple[dict[str, Any], ...] = ()
    exchanges: tuple[dict[str, Any], ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class Shop:
    """Production: a connection, and what was written."""

    server: Any
    drawn: random.Random
    bodies: dict[int, str] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)

    def ask(self, sql: str, *values: Any, **settings: str) -> list[Any]:
        """Rows, as the application's role sees them."""
        with self.server.connect("app") as conn, conn.transaction():
            conn.execute("SET LOCAL ROLE app")
            for name, value in settings.items():
                conn.execute("SELECT set_config(%s, %s, true)", [name.replace("__", "."), value])
            return list(conn.execute(sql.encode(), [literal(one) for one in values] or None, prepare=False).fetchall())

    def step(self, sql: str, *values: Any, local: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """The step, with what production answers."""
        settings = {name.replace(".", "__"): value for name, value in (local or {}).items()}
        try:
            expect: dict[str, Any] = {"ids": [row[0] for row in self.ask(sql, *values, **settings)]}
        except Exception as exc:
            expect = {"error": f"{getattr(exc, 'sqlstate', None) or '-----'} {str(exc).splitlines()[0]}"}
        return {"id": "search", "kind": "sql", "store": "main", "role": "app", "sql": sql, "key": "id",
                "parameters": list(values), "local": local or {}, "expect": expect, **more}  # fmt: skip

    def exact(self, vector: list[float], many: int, where: str = "true", table: str = "passages") -> list[int]:
        """The nearest, by no index."""
        sql = f"SELECT id FROM kb.{table} WHERE {where} ORDER BY emb <=> %s::vector LIMIT {many}"
        return [row[0] for row in self.ask(sql, vector, enable_indexscan="off")]


def literal(value: Any) -> Any:
    """A vector as text, anything else as it is."""
    return "[" + ",".join(map(str, value)) + "]" if isinstance(value, list) else value


def got(step: dict[str, Any]) -> list[int]:
    """What production answered."""
    return list(step["expect"].get("ids", ()))


def fill(shop: Shop) -> None:
    """Write the tables, then build the indexes."""
    drawn = shop.drawn
    with shop.server.connect("app") as conn:
        conn.execute(SCHEMA)
        conn.execute("INSERT INTO kb.tenants SELECT n, 'tenant-' || n FROM generate_series(1, 6) n")
        conn.execute("INSERT INTO kb.documents SELECT n, 'Manual ' || n, n % 7 <> 0,"
                     " (ARRAY['acme','globex','initech','umbrella'])[1 + n % 4]"
                     " FROM generate_series(1, 400) n")  # fmt: skip
        seen: set[str] = set()
        while len(shop.bodies) < 5000:
            text = f"The {drawn.choice(DEVICES)} in the {drawn.choice(PLACES)} {drawn.choice(FAULTS)}, "
            text += f"{drawn.choice(REMEDIES)}. Ask for part {drawn.choice('BKMRT')}{drawn.randrange(10, 99)}."
            if text in seen:
                continue
            seen.add(text)
            ident = 70_000 + 3 * len(shop.bodies)
            shop.bodies[ident] = text
            doc = drawn.randint(1, 400)
            shop.rows[ident] = {"doc": doc, "tenant": drawn.randint(1, 6), "org": ORGS[doc % 4],
                                "lang": drawn.choices(("en", "de", "fr", "sv"), (70, 20, 8, 2))[0]}  # fmt: skip
        with conn.cursor().copy(
            "COPY kb.passages (id, doc, tenant, org, lang, body, emb, updated_at, embedded_at) FROM STDIN"
        ) as copy:
            for ident, text in shop.bodies.items():
                row = shop.rows[ident]
                copy.write_row((ident, row["doc"], row["tenant"], row["org"], row["lang"], text,
                                literal(embedded(text)), "2026-01-02", "2026-01-03"))  # fmt: skip
        conn.execute("INSERT INTO kb.notes SELECT id, org, body, emb FROM kb.passages WHERE id % 2 = 0")
        conn.execute("INSERT INTO kb.listed SELECT id, lang, body, emb FROM kb.passages")
        conn.execute("INSERT INTO kb.small SELECT id, body, emb::halfvec(64) FROM kb.passages")
        ids = list(shop.bodies)
        others = drawn.sample(ids, 60)
        stale, foreign = others[:30], others[30:]
        for ident in stale:  # a new text, and the vector of the old one
            shop.bodies[ident] = shop.bodies[drawn.choice(ids)].replace("Ask for part", "Order the part")
            conn.execute("UPDATE kb.passages SET body = %s, updated_at = '2026-02-01' WHERE id = %s",
                         [shop.bodies[ident], ident])  # fmt: skip
        for ident in foreign:
            vector = literal(embedded(shop.bodies[ident], 7))
            conn.execute("UPDATE kb.passages SET emb = %s::vector WHERE id = %s", [vector, ident])
        copied = drawn.choice([one for one in ids if one not in others])
        for number in range(9):
            conn.execute("INSERT INTO kb.passages SELECT %s, doc, tenant, org, lang, body, emb, updated_at, embedded_at"
                         " FROM kb.passages WHERE id = %s", [900_000 + number, copied])  # fmt: skip
        conn.execute("UPDATE kb.passages SET deleted_at = now() WHERE id % 41 = 0")
        conn.execute("INSERT INTO kb.blocked SELECT id FROM kb.passages WHERE id % 43 = 0")
        conn.execute(LATER)
    shop.rows |= {0: {"stale": stale, "foreign": foreign, "copied": copied}}


Make = Callable[[list[float]], dict[str, Any]]


def found_and_not(
    shop: Shop, name: str, causes: tuple[str, ...], make: Make, *, where: str = "true", near: int = 5,
    only: Callable[[int], bool] = lambda ident: True, most: int = 2, words: int = 9,
    embed: Callable[[str], list[float]] = embedded,
) -> Iterator[Case]:  # fmt: skip
    """Cases of a statement: records that are near and do not come, and records that come."""
    odd = {*shop.rows[0]["stale"], *shop.rows[0]["foreign"], *shop.rows[0].get("old", ()), shop.rows[0]["copied"]}
    missed = came = 0
    for ident in shop.drawn.sample([one for one in shop.bodies if one not in odd], 260):
        text = " ".join(shop.drawn.sample(shop.bodies[ident].rstrip(".").split(), words))
        vector = embed(text)
        if min(missed, came) >= most:
            return
        if came >= most and not only(ident):
            continue
        step = make(vector)
        if ident in got(step):
            came += 1
            if came <= most:
                yield Case(f"{name}-healthy-{came}", (), (step,), (ident,))
        elif only(ident) and missed < most and ident in shop.exact(vector, near, where):
            missed += 1
            yield Case(f"{name}-{missed}", causes, (step,), (ident,))


def by_sql(shop: Shop) -> Iterator[Case]:
    """Statements."""
    index = ("breadth_too_small", "unreachable")
    said = shop.rows

    def plain(sql: str, *values: Any, **more: Any) -> Make:
        return lambda vector: shop.step(sql, *[vector if one is ... else one for one in values], **more)

    near = "SELECT p.id, p.doc, p.emb <=> %s::vector AS d FROM kb.passages p ORDER BY d LIMIT 6"
    yield from found_and_not(shop, "cte-join", index, plain(
        f"WITH near AS ({near}) SELECT near.id, t.title FROM near JOIN kb.documents t ON t.id = near.doc"
        " ORDER BY near.d", ...))  # fmt: skip
    yield from found_and_not(shop, "cte-published", ("condition_excludes", *index), plain(
        "WITH near AS MATERIALIZED (SELECT id, doc, emb <=> %s::vector AS d FROM kb.passages ORDER BY d LIMIT 30)"
        " SELECT near.id FROM near JOIN kb.documents t ON t.id = near.doc WHERE t.published ORDER BY d LIMIT 5", ...,
        local={"hnsw.ef_search": "400"}), only=lambda i: said[i]["doc"] % 7 == 0)  # fmt: skip
    yield from found_and_not(shop, "dynamic", ("tenant_excludes",), plain(
        "SELECT * FROM kb.search_dyn(%s::vector, %s)", ..., "globex", local={"hnsw.ef_search": "900",
        "hnsw.iterative_scan": "strict_order"}), only=lambda i: said[i]["org"] != "globex")  # fmt: skip
    yield from found_and_not(shop, "overload", ("condition_excludes",), plain(
        "SELECT id, body FROM kb.find(%s::vector, 'en', 5)", ..., local={"hnsw.ef_search": "900"}),
        only=lambda i: said[i]["lang"] != "en")  # fmt: skip
    yield from found_and_not(shop, "overload-short", index, plain("SELECT id, body FROM kb.find(%s::vector, 5)", ...))
    yield from found_and_not(shop, "branches", ("condition_excludes",), plain(
        "SELECT s AS id FROM kb.search_two(%s::vector, true) s", ..., local={"hnsw.ef_search": "900"}),
        only=lambda i: said[i]["lang"] != "en")  # fmt: skip
    arm = "SELECT id, emb <=> %s::vector AS d FROM kb.passages WHERE lang = '{}' ORDER BY d LIMIT 4"
    union = f"({arm.format('en')}) UNION ALL ({arm.format('de')})"
    yield from found_and_not(shop, "union-in", ("condition_excludes",), plain(
        f"SELECT id FROM ({union}) u ORDER BY d LIMIT 8", ..., ..., local={"hnsw.ef_search": "900"}),
        only=lambda i: said[i]["lang"] == "fr")  # fmt: skip
    yield from found_and_not(shop, "union-top", ("condition_excludes",), plain(
        union, ..., ..., local={"hnsw.ef_search": "900"}), only=lambda i: said[i]["lang"] == "fr")  # fmt: skip
    yield from found_and_not(shop, "intersect", ("condition_excludes", "below_k"), plain(
        "(SELECT id FROM kb.passages ORDER BY emb <=> %s::vector LIMIT 20) INTERSECT"
        " (SELECT id FROM kb.passages WHERE lang = 'en')", ..., local={"hnsw.ef_search": "900"}),
        only=lambda i: said[i]["lang"] != "en")  # fmt: skip
    yield from found_and_not(shop, "row-security", ("tenant_excludes",), plain(
        "SELECT id, body FROM kb.notes ORDER BY emb <=> %s::vector LIMIT 5", ...,
        local={"app.org": "acme", "hnsw.ef_search": "900"}),
        only=lambda i: i % 2 == 0 and said[i]["org"] != "acme")  # fmt: skip
    yield from found_and_not(
        shop,
        "half-expression",
        index,
        plain("SELECT id FROM kb.passages ORDER BY emb::halfvec(64) <=> %s::halfvec(64) LIMIT 5", ...),
    )
    yield from found_and_not(shop, "inner-product", index, plain(
        "SELECT id, (emb <#> %s::halfvec(64)) * -1 AS score FROM kb.small ORDER BY emb <#> %s::halfvec(64) LIMIT 5",
        ..., ...))  # fmt: skip
    yield from found_and_not(
        shop,
        "view-lists",
        ("probes_too_few",),
        plain(
            "SELECT id FROM kb.open_listed ORDER BY emb <-> %s::vector LIMIT 5", ..., local={"enable_seqscan": "off"}
        ),
    )
    yield from found_and_not(shop, "view-condition", ("condition_excludes",), plain(
        "SELECT e.id FROM kb.english e ORDER BY e.emb <=> %s::vector LIMIT 5", ..., local={"hnsw.ef_search": "900"}),
        only=lambda i: said[i]["lang"] != "en")  # fmt: skip
    yield from found_and_not(shop, "view-tenant", ("tenant_excludes",), plain(
        "SELECT passage_id AS id, said FROM kb.own_passages ORDER BY meaning <=> %s::vector LIMIT 5", ...,
        local={"app.org": "acme", "hnsw.ef_search": "900"}), only=lambda i: said[i]["org"] != "acme")  # fmt: skip
    yield from found_and_not(shop, "threshold", ("condition_excludes",), plain(
        "SELECT id FROM kb.passages WHERE 1 - (emb <=> %s::vector) > 0.93 ORDER BY emb <=> %s::vector LIMIT 5",
        ..., ..., local={"hnsw.ef_search": "900"}), near=3)  # fmt: skip
    yield from found_and_not(shop, "page", ("offset_skips",), plain(
        "SELECT id FROM kb.passages ORDER BY emb <=> %s::vector OFFSET 3 ROWS FETCH NEXT 5 ROWS ONLY", ...,
        local={"hnsw.ef_search": "900"}), near=3)  # fmt: skip
    yield from found_and_not(shop, "lateral", ("tenant_excludes",), plain(
        "SELECT n.id FROM kb.documents t CROSS JOIN LATERAL (SELECT id, emb <=> %s::vector AS d FROM kb.passages p"
        " WHERE p.doc = t.id ORDER BY d LIMIT 3) n WHERE t.org = %s ORDER BY n.d LIMIT 5", ..., "acme"),
        only=lambda i: said[i]["org"] != "acme")  # fmt: skip
    yield from found_and_not(shop, "joined-tenant", ("tenant_excludes",), plain(
        "SELECT p.id FROM kb.passages p JOIN kb.tenants t ON t.id = p.tenant AND t.slug = %s"
        " ORDER BY p.emb <=> %s::vector LIMIT 5", "tenant-2", ..., local={"hnsw.ef_search": "900"}),
        only=lambda i: said[i]["tenant"] != 2)  # fmt: skip
    yield from found_and_not(shop, "soft-deleted", ("condition_excludes",), plain(
        "SELECT id FROM kb.passages WHERE deleted_at IS NULL ORDER BY emb <=> %s::vector LIMIT 5", ...,
        local={"hnsw.ef_search": "900"}), only=lambda i: i % 41 == 0)  # fmt: skip
    yield from found_and_not(shop, "not-exists", ("condition_excludes",), plain(
        "SELECT p.id FROM kb.passages p WHERE NOT EXISTS (SELECT FROM kb.blocked b WHERE b.passage = p.id)"
        " ORDER BY p.emb <=> %s::vector LIMIT 5", ..., local={"hnsw.ef_search": "900"}),
        only=lambda i: i % 43 == 0)  # fmt: skip
    yield from found_and_not(shop, "rare-language", ("scan_exhausted", "breadth_too_small"), plain(
        "SELECT id FROM kb.passages WHERE lang = 'sv' ORDER BY emb <=> %s::vector LIMIT 5", ...,
        local={"enable_seqscan": "off"}), where="lang = 'sv'", only=lambda i: said[i]["lang"] == "sv")  # fmt: skip
    yield from found_and_not(shop, "ranked", ("below_k",), plain(
        "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY emb <=> %s::vector) AS r FROM kb.passages) x"
        " WHERE r <= 3 ORDER BY r LIMIT 3", ...), near=5, words=7)  # fmt: skip
    hybrid = ("WITH v AS (SELECT id, row_number() OVER (ORDER BY d) AS r FROM (SELECT id, emb <=> %s::vector AS d FROM"
              " kb.passages WHERE lang = 'en' ORDER BY d LIMIT 20) a), w AS (SELECT id, row_number() OVER (ORDER BY"
              " ts_rank(to_tsvector('english', body), q) DESC, id) AS r FROM kb.passages, plainto_tsquery('english',"
              " 'repair part') q WHERE to_tsvector('english', body) @@ q AND lang = 'en' LIMIT 20) SELECT"
              " coalesce(v.id, w.id) AS id FROM v FULL JOIN w ON v.id = w.id ORDER BY coalesce(1.0 / (60 + v.r), 0) +"
              " coalesce(1.0 / (60 + w.r), 0) DESC, 1 LIMIT 12")  # fmt: skip
    yield from found_and_not(shop, "hybrid", ("condition_excludes",), plain(
        hybrid, ..., local={"hnsw.ef_search": "900"}), only=lambda i: said[i]["lang"] != "en")  # fmt: skip
    yield from _states(shop, plain)


def _states(shop: Shop, plain: Callable[..., Make]) -> Iterator[Case]:
    """What is wrong in the rows."""
    make = plain("SELECT id, body FROM kb.passages ORDER BY emb <=> %s::vector LIMIT 5", ...,
                 local={"hnsw.ef_search": "900"})  # fmt: skip
    special = shop.rows[0]
    for number, ident in enumerate(special["stale"][:2]):
        yield Case(f"stale-{number}", ("stale_embedding",), (make(embedded(shop.bodies[ident])),), (ident,))
    for number, ident in enumerate(special["foreign"][:2]):
        yield Case(f"other-embedder-{number}", ("wrong_model", "stale_embedding"),
                   (make(embedded(shop.bodies[ident])),), (ident,))  # fmt: skip
    ident = special["copied"]
    words = embedded(shop.bodies[ident] + " again and once more")
    beside = next(one for one in shop.exact(words, 30) if one < 900_000 and one != ident)
    yield Case("copies", ("duplicates",), (make(words),), (beside,))
    yield Case("copies-healthy", (), (make(words),), (got(make(words))[0],))
    yield Case("deleted-chunk", ("missing_chunk",), (make(words),), (next(iter(shop.bodies)) + 1,))
    step = make(words[:32])
    yield Case("short-vector", ("wrong_dimension",), (step,), (ident,))
