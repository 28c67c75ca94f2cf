"""Tables for searches that are no plain ones: functions in front of them, other types, other columns."""

from __future__ import annotations

import datetime as dt

from tests.benchmarks.failures.places import World, literal

__all__ = ["create"]

COLUMNS = "id int PRIMARY KEY, tenant_id int, lang text, body text"
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
FUNCTIONS = """
CREATE FUNCTION match_thin(query vector(48), how_many int DEFAULT 5)
RETURNS TABLE (id int, body text, similarity float8) LANGUAGE sql STABLE AS $$
  SELECT thin.id, thin.body, 1 - (thin.embedding <=> query) FROM thin ORDER BY thin.embedding <=> query LIMIT how_many
$$;
CREATE FUNCTION search_thin(query vector(48), owner int, how_many int DEFAULT 5)
RETURNS TABLE (id int, far float8) LANGUAGE plpgsql STABLE SET hnsw.ef_search = 800 AS $$
BEGIN
  RETURN QUERY SELECT t.id, t.embedding <=> query FROM thin t WHERE t.tenant_id = owner
               ORDER BY t.embedding <=> query LIMIT how_many;
END $$;
"""


def create(world: World) -> None:
    """Write them all."""
    thin = "WITH (m = 3, ef_construction = 8)"
    _plain(world, "thin", 1200, f"hnsw (embedding vector_cosine_ops) {thin}")
    _plain(world, "bits", 900, "hnsw ((binary_quantize(embedding)::bit(48)) bit_hamming_ops)")
    _plain(
        world, "halves", 1200, "hnsw ((embedding::halfvec(48)) halfvec_cosine_ops) WITH (m = 3, ef_construction = 8)"
    )
    _dated(world)
    _leaves(world)
    _named(world)
    _loose(world)
    with world.connect() as conn:
        conn.execute(FUNCTIONS)


def _rows(world: World, table: str, more: str, values: dict[int, tuple[object, ...]], index: str) -> None:
    with world.connect() as conn:
        kind = "vector" if table == "loose" else "vector(48)"
        conn.execute(f"CREATE TABLE {table} ({COLUMNS}{more}, embedding {kind})".encode())
        with conn.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for one in world.tables[table].values():
                given = values.get(one.id, ())
                copy.write_row((one.id, one.tenant, one.lang, one.body, *given, literal(one.vector)))
        if index:
            conn.execute(f"CREATE INDEX {table}_near ON {table} USING {index}".encode())
        conn.execute(f"ANALYZE {table}".encode())


def _plain(world: World, table: str, many: int, index: str) -> None:
    world.tables[table] = {one.id: one for one in world.texts(many)}
    _rows(world, table, "", {}, index)


def _dated(world: World) -> None:
    """Texts with the times at which they and their vectors were written; some were rewritten later."""
    records = world.texts(900)
    values = {}
    for number, one in enumerate(records):
        written = START + dt.timedelta(minutes=17 * number)
        changed = written
        if number % 11 == 0:
            one.lang = "fi"
        elif number % 9 == 0:
            other = world.drawn.choice([each for each in world.writer.subjects if each is not one.subject])
            one.subject, one.body = other, world.writer.text(other)
            one.more = {"old": True}
            changed = written + dt.timedelta(days=20)
        values[one.id] = (changed, written + dt.timedelta(seconds=40))
    world.tables["dated"] = {one.id: one for one in records}
    _rows(world, "dated", ", updated_at timestamptz, embedded_at timestamptz", values,
          "hnsw (embedding vector_cosine_ops)")  # fmt: skip


def _leaves(world: World) -> None:
    """Documents of several chunks; all of a document belong to one tenant."""
    records = world.texts(600)
    for number, one in enumerate(records):
        one.more = {"doc": 50_000 + number // 4}
        one.tenant = 1 + (number // 4) % 4
    world.tables["leaves"] = {one.id: one for one in records}
    _rows(world, "leaves", ", doc int", {one.id: (one.more["doc"],) for one in records}, "")


def _named(world: World) -> None:
    records = world.texts(500)
    for one in records:
        one.more = {"workspace": world.drawn.choice(("birch", "alder", "rowan")),
                    "region": world.drawn.choice(("north", "south", None))}  # fmt: skip
    world.tables["named"] = {one.id: one for one in records}
    _rows(world, "named", ", workspace text, region text",
          {one.id: (one.more["workspace"], one.more["region"]) for one in records},
          "hnsw (embedding vector_cosine_ops)")  # fmt: skip


def _loose(world: World) -> None:
    """A column that takes vectors of any length, and has some of another model's."""
    records = world.texts(400)
    for one in world.drawn.sample(records, 40):
        one.vector = one.vector[:32]
    world.tables["loose"] = {one.id: one for one in records}
    _rows(world, "loose", "", {}, "")
