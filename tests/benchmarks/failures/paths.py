"""Tables of one name in several schemas, and functions that retrieve in loops; to each one that works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.failures.cases import Failure, ids
from tests.benchmarks.failures.places import Made, World, literal

Pair = tuple[list[Failure], list[Failure]]
Incidents = Callable[[int], Iterator[Pair]]
TAKEN = 5
SCHEMAS = ("north", "south", "old")
TABLES = """
CREATE SCHEMA north; CREATE SCHEMA south; CREATE SCHEMA old;
CREATE TABLE north.posts (id int PRIMARY KEY, tenant_id int, body text, embedding vector(48));
CREATE TABLE south.posts (LIKE north.posts INCLUDING ALL);
CREATE TABLE old.posts (LIKE north.posts INCLUDING ALL);
CREATE TABLE public.leaflets (id int PRIMARY KEY, tenant_id int, body text, embedding vector(48));
CREATE ROLE southern LOGIN PASSWORD 'x' IN ROLE app;
ALTER ROLE southern SET search_path = south, public;
"""
FUNCTIONS = """
GRANT USAGE ON SCHEMA north, south, old TO app, narrow;
GRANT pg_read_all_data TO southern;
CREATE FUNCTION near_posts(query vector(48), many int) RETURNS TABLE (id int, far float8) LANGUAGE sql STABLE
SET search_path = north, public AS $$
  SELECT posts.id, posts.embedding <=> query AS far FROM posts ORDER BY far LIMIT many
$$;
CREATE FUNCTION by_loop(query vector(48), owner int, many int) RETURNS TABLE (id int, far float8)
LANGUAGE plpgsql STABLE AS $$
DECLARE one record;
BEGIN
  FOR one IN SELECT l.id, l.embedding <=> query AS far FROM leaflets l WHERE l.tenant_id = owner
             ORDER BY l.embedding <=> query LIMIT many
  LOOP
    id := one.id; far := one.far;
    RETURN NEXT;
  END LOOP;
END $$;
CREATE FUNCTION by_cursor(query vector(48), owner int, many int) RETURNS TABLE (id int, far float8)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  found_ CURSOR FOR SELECT l.id, l.embedding <=> query AS far FROM leaflets l WHERE l.tenant_id = owner
                    ORDER BY l.embedding <=> query LIMIT many;
  one record;
BEGIN
  OPEN found_;
  LOOP
    FETCH found_ INTO one;
    EXIT WHEN NOT FOUND;
    id := one.id; far := one.far;
    RETURN NEXT;
  END LOOP;
  CLOSE found_;
END $$;
CREATE FUNCTION by_each(query vector(48), owners int[], many int) RETURNS TABLE (id int, far float8)
LANGUAGE plpgsql STABLE AS $$
DECLARE owner int;
BEGIN
  FOREACH owner IN ARRAY owners LOOP
    RETURN QUERY SELECT l.id, l.embedding <=> query FROM leaflets l WHERE l.tenant_id = owner
                 ORDER BY l.embedding <=> query LIMIT many;
  END LOOP;
END $$;
CREATE FUNCTION near_enough(query vector(48), most float8, many int) RETURNS SETOF leaflets
LANGUAGE plpgsql STABLE AS $$
DECLARE one leaflets%ROWTYPE;
BEGIN
  FOR one IN SELECT l.* FROM leaflets l ORDER BY l.embedding <=> query LIMIT many LOOP
    IF (one.embedding <=> query) < most THEN
      RETURN NEXT one;
    END IF;
  END LOOP;
  RETURN;
END $$;
"""


def paths(world: World) -> Incidents:
    """Write the tables and functions; returns what makes the incidents once all is written."""
    rows: dict[str, list[Made]] = {}
    with world.connect() as conn:
        conn.execute(TABLES)
        for name in SCHEMAS:
            rows[name] = world.texts(250)
            for place, one in enumerate(rows[name]):
                # half of the numbers are one schema's own, the other half several have, as sequences of each give them
                one.id = place + 1 if place % 2 else one.id
            _write(conn, f"{name}.posts", rows[name])
        rows["leaflets"] = world.texts(600)
        _write(conn, "public.leaflets", rows["leaflets"])
        conn.execute(
            "CREATE INDEX ON public.leaflets USING hnsw (embedding vector_cosine_ops) WITH (m = 4, ef_construction = 8)"
        )
        conn.execute(FUNCTIONS)
    leaflets = {one.id: one for one in rows["leaflets"]}

    def incidents(each: int) -> Iterator[Pair]:
        for wrong, right in (_elsewhere(world, rows, each), *_loops(world, leaflets, each)):
            yield wrong[:each], right[:each]

    return incidents


def _write(conn: Any, table: str, records: list[Made]) -> None:
    with conn.cursor().copy(f"COPY {table} (id, tenant_id, body, embedding) FROM STDIN") as copy:
        for one in records:
            copy.write_row((one.id, one.tenant, one.body, literal(one.vector)))


def _asks(world: World, one: Made, words: int = 8) -> list[float]:
    return world.model.vector(world.writer.question(one.body, words))


def _step(world: World, sql: str, values: list[Any], role: str = "app", **settings: str) -> dict[str, Any]:
    given = [literal(one) if isinstance(one, list) and len(one) == 48 else one for one in values]
    with world.connect() as conn, conn.transaction():
        conn.execute(f"SET LOCAL ROLE {role}".encode())
        for name, value in settings.items():
            conn.execute("SELECT set_config(%s, %s, true)", [name.replace("__", "."), value])
        if role == "southern" and not settings:
            conn.execute("SET LOCAL search_path = south, public")
        found = [row[0] for row in conn.execute(sql.encode(), given, prepare=False).fetchall()]
    return {"id": "search", "kind": "sql", "store": "main", "role": role, "sql": sql, "key": "id",
            "parameters": values, "settings": {name.replace("__", "."): value for name, value in settings.items()},
            "expect": {"ids": found}}  # fmt: skip


POSTS = f"SELECT id, embedding <=> %s::vector AS far FROM posts ORDER BY far LIMIT {TAKEN}"


def _elsewhere(world: World, rows: dict[str, list[Made]], each: int) -> Pair:
    found: Pair = ([], [])
    for number in range(8 * each):
        mine, other = world.drawn.sample(SCHEMAS, 2)
        one = world.drawn.choice(rows[mine])
        vector = _asks(world, one)
        way = number % 3
        if way == 0:
            wrong = _step(world, POSTS, [vector], search_path=f"{other}, public")
            right = _step(world, POSTS, [vector], search_path=f"{mine}, {other}, public")
        elif way == 1:
            wrong = right = _step(world, f"SELECT * FROM near_posts(%s::vector, {TAKEN})", [vector])
        else:
            wrong = _step(world, POSTS, [vector], search_path='"$user", old, public')
            right = _step(world, POSTS, [vector], search_path=f'"$user", {mine}, public')
        if one.id not in _order(world, f"{mine}.posts", vector, "", TAKEN):
            continue
        led = {0: other, 1: "north", 2: "old"}[way]
        if led != mine and one.id not in ids(wrong):
            found[0].append(Failure("other_table", (wrong,), expected=(one.id,)))
        if one.id in ids(right) and (way != 1 or mine == "north"):
            found[1].append(Failure("", (right,), expected=(one.id,)))
    return found


def _loops(world: World, rows: dict[int, Made], each: int) -> Iterator[Pair]:
    """What is asked in a loop: for the wrong owner, for too few, by too narrow a search, and dropped in the loop."""
    for name in ("by_loop", "by_cursor", "by_each"):
        yield from _owned(world, rows, each, name)
    few: Pair = ([], [])
    narrow: Pair = ([], [])
    for one in world.drawn.sample(list(rows.values()), min(len(rows), 60 * each)):
        vector = _asks(world, one, 4)
        order = _order(world, "leaflets", vector, f"WHERE tenant_id = {one.tenant}", TAKEN + 3)
        step = _step(
            world, f"SELECT * FROM by_loop(%s::vector, %s, {TAKEN})", [vector, one.tenant], hnsw__ef_search="900"
        )
        if order[TAKEN + 1] not in ids(step) and len(ids(step)) == TAKEN:
            few[0].append(Failure("below_k", (step,), expected=(order[TAKEN + 1],)))
        if order[0] in ids(step):
            few[1].append(Failure("", (step,), expected=(order[0],)))
        near = _order(world, "leaflets", vector, "", 1)[0]
        for most, pair in ((0.001, narrow[0]), (2.0, narrow[1])):
            sql = f"SELECT id FROM near_enough(%s::vector, {most}, 12)"
            step = _step(world, sql, [vector], hnsw__ef_search="900")
            wide = _step(world, sql.replace(str(most), "2.0"), [vector], hnsw__ef_search="900")
            if near in ids(wide) and (near in ids(step)) == (most > 1):
                cause = "" if most > 1 else "condition_excludes"
                pair.append(Failure(cause, (step,), expected=(near,)))
        if min(map(len, (*few, *narrow))) >= each:
            break
    yield few
    yield narrow


def _owned(world: World, rows: dict[int, Made], each: int, name: str) -> Iterator[Pair]:
    found: Pair = ([], [])
    for one in world.drawn.sample(list(rows.values()), 12 * each):
        vector = _asks(world, one)
        owners = (lambda owner: [owner]) if name != "by_each" else lambda owner: [[owner, (owner + 1) % 4 + 1]]
        cast = "%s" if name != "by_each" else "%s::int[]"
        sql = f"SELECT * FROM {name}(%s::vector, {cast}, {TAKEN})"
        right = _step(world, sql, [vector, *owners(one.tenant)], hnsw__ef_search="900")
        wrong = _step(world, sql, [vector, *owners(one.tenant % 4 + 1)], hnsw__ef_search="900")
        if one.id in ids(right) and one.id not in ids(wrong):
            found[0].append(Failure("tenant_excludes", (wrong,), expected=(one.id,)))
            found[1].append(Failure("", (right,), expected=(one.id,)))
    yield found


def _order(world: World, table: str, vector: list[float], where: str, many: int) -> list[int]:
    sql = f"SELECT id FROM {table} {where} ORDER BY embedding <=> %s::vector LIMIT {many}"
    rows = world.ask(sql, literal(vector), enable_indexscan="off", enable_seqscan="on")
    return [row[0] for row in rows]
