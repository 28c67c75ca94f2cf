"""What `incident record` lets near production: hostile steps tried there, production compared before and after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone.errors import BusyError, UnsafeError, UsageError
from envclone.incidents.bundle import Incident, SqlStep
from envclone.incidents.record import record
from envclone.incidents.terms import Terms
from envclone.models import StepResult
from envclone.stores.postgres.steps.recorder import ProductionRunner
from tests.support.postgres import Production, production

SCHEMA = """
CREATE EXTENSION vector;
DO $$ DECLARE e text; BEGIN
FOR e IN SELECT name FROM pg_available_extensions WHERE name IN ('dblink', 'tablefunc', 'pgcrypto', 'file_fdw') LOOP
EXECUTE format('CREATE EXTENSION %I', e); END LOOP;
IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'file_fdw') THEN CREATE FOREIGN DATA WRAPPER file_fdw; END IF;
END $$;
CREATE TABLE people (id int PRIMARY KEY, name text, embedding vector(3));
INSERT INTO people SELECT i, 'Person ' || i, ARRAY[i, 1, 1]::vector FROM generate_series(1, 20) i;
CREATE TABLE secured (id int, owner text); INSERT INTO secured VALUES (1, 'app');
CREATE SEQUENCE numbers;
CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE other LOGIN PASSWORD 'other';
CREATE ROLE guest LOGIN;
CREATE ROLE gateway LOGIN NOINHERIT; CREATE ROLE visitor; GRANT visitor TO gateway;
CREATE ROLE backup LOGIN REPLICATION PASSWORD 'backup'; GRANT app TO backup;
CREATE ROLE runner LOGIN PASSWORD 'runner'; CREATE ROLE between; GRANT between TO runner;
GRANT pg_execute_server_program TO between;
CREATE ROLE boss LOGIN PASSWORD 'boss'; GRANT postgres TO boss;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
GRANT pg_signal_backend, pg_read_server_files, pg_write_server_files, pg_execute_server_program, pg_checkpoint TO other;
-- as a production leaves it: these may be called by anybody
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_catalog TO app; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_catalog TO other;

CREATE FUNCTION end_them() RETURNS bool LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN RETURN (SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE application_name = 'victim'); END $$;
CREATE FUNCTION end_quietly() RETURNS bool LANGUAGE sql STABLE SECURITY DEFINER AS
$$ SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'victim' $$;
CREATE FUNCTION end_atomically() RETURNS bool LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'victim'; END;
CREATE FUNCTION end_immutably(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS
$$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim';
RETURN true; END $$;
CREATE FUNCTION run(q text) RETURNS SETOF text LANGUAGE plpgsql STABLE SECURITY DEFINER AS
$$ BEGIN RETURN QUERY EXECUTE q; END $$;
CREATE FUNCTION by_default(b bool DEFAULT end_quietly()) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT b $$;
CREATE FUNCTION renamed(int) RETURNS bool LANGUAGE internal STABLE AS 'pg_terminate_backend';
GRANT EXECUTE ON FUNCTION renamed(int) TO app;
CREATE FUNCTION lower(people) RETURNS text LANGUAGE sql STABLE AS $$ SELECT end_quietly()::text $$;
CREATE FUNCTION role_changing() RETURNS text LANGUAGE sql STABLE SET role = 'postgres' AS
$$ SELECT current_user::text $$;
CREATE FUNCTION hidden_in_a_cast(text) RETURNS people LANGUAGE plpgsql STABLE AS
$$ BEGIN PERFORM pg_switch_wal(); RETURN NULL; END $$;
CREATE FUNCTION plus(people, people) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT end_quietly() $$;
CREATE OPERATOR <@@> (LEFTARG = people, RIGHTARG = people, FUNCTION = plus);
CREATE FUNCTION step(bool, int) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT end_quietly() $$;
CREATE AGGREGATE gather(int) (SFUNC = step, STYPE = bool);
CREATE VIEW innocent AS SELECT id, end_quietly() FROM people;
CREATE VIEW outer_view AS SELECT id FROM (SELECT * FROM innocent) i;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE program (line text) SERVER files OPTIONS (program 'echo ran >> %MARK%');
CREATE VIEW program_view AS SELECT * FROM program;
CREATE TABLE parts (id int) PARTITION BY LIST (id);
CREATE FOREIGN TABLE part PARTITION OF parts FOR VALUES IN (1) SERVER files
OPTIONS (program 'echo ran >> %MARK%; echo 1');
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON secured TO app USING (end_quietly());

CREATE FUNCTION search(q vector, n int) RETURNS TABLE (id int, distance float8) LANGUAGE plpgsql AS
$$ DECLARE most int := n; BEGIN PERFORM set_config('hnsw.ef_search', '40', true);
RETURN QUERY SELECT p.id, p.embedding <-> q FROM public.people p ORDER BY p.embedding <-> q LIMIT most; END $$;
CREATE FUNCTION named(i int) RETURNS text LANGUAGE sql STABLE AS $$ SELECT name FROM public.people WHERE id = i $$;
CREATE VIEW plain AS SELECT id, upper(name) AS name FROM people;
CREATE FUNCTION vouched(q text) RETURNS int LANGUAGE plpgsql STABLE AS
$$ DECLARE n int; BEGIN EXECUTE q INTO n; RETURN n; END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO app, other;
"""

REFUSED = {
    "a program": "COPY (SELECT current_user) TO PROGRAM 'cat > {mark}'",
    "a file": "COPY people TO '{mark}'",
    "a file read": "COPY people FROM '/etc/passwd'",
    "a client's file": "COPY people TO STDOUT",
    "backends ended": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'",
    "with a schema": "SELECT pg_catalog.pg_terminate_backend({pid})",
    "quoted": 'SELECT "pg_terminate_backend"({pid})',
    "by escapes": 'SELECT U&"pg_terminate\\005fbackend"({pid})',
    "by other escapes": "SELECT U&\"pg_terminate!005fbackend\" UESCAPE '!'({pid})",
    "in capitals": "SELECT PG_Terminate_Backend({pid})",
    "behind a comment": "SELECT pg_terminate_backend /* ( */ -- )\n ({pid})",
    "by attribute notation": "SELECT ({pid}).pg_terminate_backend",
    "by column notation": "SELECT x.pg_terminate_backend FROM generate_series({pid}, {pid}) x",
    "in a condition": "SELECT 1 FROM people WHERE id = 1 AND pg_terminate_backend({pid})",
    "in a sort": "SELECT id FROM people ORDER BY pg_terminate_backend({pid})",
    "in a limit": "SELECT id FROM people LIMIT (SELECT 1 FROM pg_switch_wal())",
    "in from": "SELECT * FROM pg_terminate_backend({pid})",
    "laterally": "SELECT * FROM people p, LATERAL pg_terminate_backend({pid} + p.id * 0) t",
    "in rows from": "SELECT * FROM ROWS FROM (pg_terminate_backend({pid}), generate_series(1, 2)) x",
    "in a window": "SELECT count(*) OVER (PARTITION BY pg_terminate_backend({pid})) FROM people",
    "in a filter": "SELECT count(*) FILTER (WHERE pg_terminate_backend({pid})) FROM people",
    "in a common table": "WITH x AS MATERIALIZED (SELECT pg_terminate_backend({pid})) SELECT * FROM x",
    "in values": "VALUES (pg_terminate_backend({pid}))",
    "in an array": "SELECT ARRAY[pg_terminate_backend({pid})]",
    "in a case": "SELECT CASE WHEN pg_terminate_backend({pid}) THEN 1 END",
    "in json": "SELECT JSON_OBJECT('a': pg_terminate_backend({pid}))",
    "explained": "EXPLAIN (ANALYZE, COSTS off) SELECT pg_terminate_backend({pid})",
    "cancelled": "SELECT pg_cancel_backend({pid})",
    "several": "COMMIT; DELETE FROM people; SELECT 1",
    "two readers": "SELECT 1; SELECT 2",
    "a block": "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM people; END $$",
    "read-write": "SELECT set_config('transaction_read_only', 'off', false)",
    "another role": "SELECT set_config('role', 'postgres', false)",
    "a role by parameter": "SELECT set_config('r' || 'ole', 'postgres', false)",
    "set": "SET SESSION AUTHORIZATION postgres",
    "set local": "SET LOCAL statement_timeout = 0",
    "reset": "RESET ROLE",
    "deleted": "DELETE FROM people RETURNING id",
    "inserted": "INSERT INTO people VALUES (99) RETURNING id",
    "updated": "UPDATE people SET name = 'x'",
    "merged": "MERGE INTO people USING (SELECT 1 AS i) s ON id = i WHEN MATCHED THEN DELETE",
    "truncated": "TRUNCATE people",
    "a writing common table": "WITH gone AS (DELETE FROM people RETURNING id) SELECT * FROM gone",
    "a deep writing common table": "SELECT * FROM (WITH g AS (DELETE FROM people RETURNING id) SELECT * FROM g) x",
    "explained away": "EXPLAIN ANALYZE DELETE FROM people",
    "select into": "SELECT * INTO stolen FROM people",
    "create table as": "CREATE TABLE stolen AS SELECT * FROM people",
    "for update": "SELECT * FROM people FOR UPDATE",
    "for share inside": "SELECT * FROM (SELECT * FROM people FOR KEY SHARE) x",
    "locked": "LOCK TABLE people",
    "vacuumed": "VACUUM people",
    "analyzed": "ANALYZE people",
    "large object": "SELECT lo_export(lo_from_bytea(0, 'x'), '{mark}')",
    "large object imported": "SELECT lo_import('/etc/passwd')",
    "the log switched": "SELECT pg_switch_wal()",
    "a restore point": "SELECT pg_create_restore_point('x')",
    "a message": "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "a transaction id": "SELECT pg_current_xact_id()",
    "an old transaction id": "SELECT txid_current()",
    "a setting of the server": "ALTER SYSTEM SET work_mem = '5MB'",
    "reloaded": "SELECT pg_reload_conf()",
    "a slot": "SELECT pg_create_physical_replication_slot('evilslot', true)",
    "a logical slot": "SELECT pg_create_logical_replication_slot('evilslot', 'pgoutput')",
    "statistics reset": "SELECT pg_stat_reset()",
    "a file written": "SELECT pg_file_write('{mark}', 'y', false)",
    "a file shown": "SELECT pg_read_file('postgresql.conf')",
    "a directory": "SELECT * FROM pg_ls_dir('.')",
    "the log's directory": "SELECT * FROM pg_ls_waldir()",
    "a checkpoint": "CHECKPOINT",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
    "a savepoint": "SAVEPOINT x",
    "another server": "SELECT dblink_exec('{dsn}', 'DELETE FROM people')",
    "another server read": "SELECT * FROM dblink('{dsn}', 'DELETE FROM people RETURNING id') AS x (id int)",
    "sql in a string": "SELECT query_to_xml('SELECT pg_switch_wal()', true, true, '')",
    "sql in a table's name": "SELECT table_to_xml('innocent', true, true, '')",
    "sql in statistics": "SELECT * FROM ts_stat('SELECT to_tsvector(pg_switch_wal()::text)')",
    "sql in a rewrite": "SELECT ts_rewrite('a', 'SELECT to_tsquery(pg_switch_wal()::text), to_tsquery(''b'')')",
    "sql in a crosstab": "SELECT * FROM crosstab('SELECT 1, 2, pg_switch_wal()') AS x (a int, b pg_lsn)",
    "a number": "SELECT nextval('numbers')",
    "a number set": "SELECT setval('numbers', 9)",
    "notified": "SELECT pg_notify('a', 'b')",
    "listened": "LISTEN a",
    "a lock of the application": "SELECT pg_advisory_lock(1)",
    "a lock tried": "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
    "slept": "SELECT pg_sleep(1000)",
    "a snapshot": "SELECT pg_export_snapshot()",
    "a cursor": "DECLARE c CURSOR FOR SELECT 1",
    "prepared": "PREPARE x AS DELETE FROM people",
    "executed": "EXECUTE x",
    "a library": "LOAD 'dblink'",
    "a user's function": "SELECT end_them()",
    "a stable function": "SELECT end_quietly()",
    "an atomic function": "SELECT end_atomically()",
    "an immutable function": "SELECT end_immutably(1)",
    "a function that runs text": "SELECT * FROM run('SELECT pg_switch_wal()::text')",
    "a default": "SELECT by_default()",
    "another name": "SELECT renamed({pid})",
    "a function on a row": "SELECT p.lower FROM people p",
    "a function that takes a role": "SELECT role_changing()",
    "an operator": "SELECT a <@@> b FROM people a, people b",
    "an operator with a schema": "SELECT a OPERATOR(public.<@@>) b FROM people a, people b",
    "an aggregate": "SELECT gather(id) FROM people",
    "a view": "SELECT * FROM innocent",
    "a view in a view": "TABLE outer_view",
    "a foreign table": "SELECT * FROM program",
    "a foreign table in a view": "SELECT * FROM program_view",
    "a foreign partition": "SELECT * FROM parts",
    "a policy": "SELECT * FROM secured",
    "nothing": " -- nothing",
    "no end": "SELECT 'never ends",
    "a nul": "SELECT 1\0; DELETE FROM people",
    "deep": "SELECT " + "1+" * 100_000 + "1",
}  # fmt: skip

UNNAMED = {
    "a cast": (
        "CREATE FUNCTION as_int(people) RETURNS int LANGUAGE sql STABLE AS $$ SELECT end_quietly()::int $$;"
        "CREATE CAST (people AS int) WITH FUNCTION as_int(people)",
        "DROP CAST (people AS int)",
        "SELECT p::int FROM people p",
    ),
    "a domain": ("CREATE DOMAIN d AS int CHECK (end_quietly())", "DROP DOMAIN d", "SELECT 1::d"),
    "an index": ("CREATE INDEX i ON secured (end_immutably(id))", "DROP INDEX i", "SELECT id FROM secured"),
    "a condition of an index": (
        "CREATE INDEX i ON parts (id) WHERE end_immutably(1)",
        "DROP INDEX i",
        "SELECT * FROM ONLY parts",
    ),
    "a constraint": (
        "ALTER TABLE people ADD CONSTRAINT c CHECK (end_immutably(id)) NOT VALID",
        "ALTER TABLE people DROP CONSTRAINT c",
        "SELECT id FROM people",
    ),
    "an order": (
        "CREATE TYPE pair AS (a int); CREATE FUNCTION pair_cmp(pair, pair) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
        " $$ BEGIN PERFORM pg_switch_wal(); RETURN 0; END $$;"
        "CREATE OPERATOR CLASS pairs DEFAULT FOR TYPE pair USING btree AS FUNCTION 1 pair_cmp(pair, pair)",
        "DROP TYPE pair CASCADE",
        "SELECT x FROM (VALUES (ROW(1)::pair), (ROW(2)::pair)) v (x) ORDER BY 1",
    ),
    "a range": (
        "CREATE FUNCTION apart(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS"
        " $$ SELECT pg_backend_pid()::float8 WHERE end_quietly() $$;"
        "CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = apart)",
        "DROP TYPE span",
        "SELECT span(1, 2)",
    ),
    "another server's function": (
        "CREATE FUNCTION written_in_c(int) RETURNS int LANGUAGE c STABLE AS '$libdir/plpgsql', 'plpgsql_validator'",
        "DROP FUNCTION written_in_c(int)",
        "SELECT written_in_c(1)",
    ),
}
"""What runs though no statement names it: made in production, a statement that would run it, and away again."""

SETTINGS = (
    {"default_transaction_read_only": "off"},
    {"transaction_read_only": "off"},
    {"role": "postgres"},
    {"session_authorization": "postgres"},
    {"session_preload_libraries": "dblink"},
    {"local_preload_libraries": "dblink"},
    {"standard_conforming_strings": "off"},
    {"session_replication_role": "replica"},
    {"log_statement": "none"},
    {"plperl.on_init": "system('id')"},
    {"synchronous_commit": "off"},
    {"dynamic_library_path": "/tmp"},
)


@dataclass(frozen=True)
class Shop:
    server: Production
    mark: Path

    def state(self) -> Any:
        """What a hostile step would change."""
        with self.server.connect("shop") as conn:
            one = conn.execute(
                "SELECT (SELECT count(*) FROM people), (SELECT max(name) FROM people), (SELECT count(*) FROM pg_class),"
                " (SELECT count(*) FROM pg_replication_slots), (SELECT is_called FROM numbers),"
                " (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_proc),"
                " (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'victim'),"
                " pg_walfile_name(pg_current_wal_lsn()), (SELECT setting FROM pg_settings WHERE name = 'work_mem'),"
                " pg_snapshot_xmax(pg_current_snapshot())::text,"
                " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), pg_conf_load_time()"
            ).fetchone()
        auto = (self.server.data / "postgresql.auto.conf").read_text()
        return one, auto, self.mark.exists(), sorted(p.name for p in self.server.data.iterdir())


@pytest.fixture(scope="module", params=[16, 18], ids=["pg16", "pg18"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with production(request.param, {"wal_level": "logical", "autovacuum": "off"}) as server:
        server.create_database("shop")
        mark = server.data / "pwned.txt"
        server.execute(SCHEMA.replace("%MARK%", str(mark)), "shop")
        yield Shop(server, mark)


@pytest.fixture(scope="module")
def victim(shop: Shop) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's session in production, of the same role."""
    with psycopg.connect(shop.server.dsn_for("shop", "app", "app"), application_name="victim", autocommit=True) as conn:
        yield conn


def step(sql: str, **more: Any) -> SqlStep:
    return SqlStep(id="s", store="main", sql=sql, role=more.pop("role", "app"), **more)


def run(shop: Shop, made: SqlStep, user: str = "postgres", terms: Terms | None = None) -> StepResult:
    dsn = shop.server.dsn_for("shop") if user == "postgres" else shop.server.dsn_for("shop", user, user)
    bundle = Incident(incident="evil", environment="prod", steps=(made,))
    expect = record(bundle, {"main": ProductionRunner(dsn, terms=terms)}).steps[0].expect
    assert expect is not None
    return StepResult(columns=expect.columns, origins=expect.origins, rows=expect.rows, error=expect.error)


def test_nothing_but_reading_goes_through(shop: Shop, victim: psycopg.Connection[Any]) -> None:
    """Each is tried as an ordinary role with every right to call it; production is the same afterwards."""
    pid = victim.info.backend_pid
    before = shop.state()
    through = []
    for name, text in REFUSED.items():
        sql = text.format(pid=pid, mark=shop.mark, dsn=shop.server.dsn_for("shop")) if "{" in text else text
        try:
            got = run(shop, step(sql))
        except UnsafeError as exc:
            assert exc.problems, name
            assert all(problem.startswith("s: ") for problem in exc.problems), name
            continue
        through.append((name, got))
    assert through == []
    assert shop.state() == before
    assert victim.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("name", UNNAMED)
def test_what_runs_without_being_named(shop: Shop, name: str) -> None:
    made, gone, sql = UNNAMED[name]
    shop.server.execute(made, "shop")
    try:
        with pytest.raises(UnsafeError):
            run(shop, step(sql))
    finally:
        shop.server.execute(gone, "shop")
    assert run(shop, step("SELECT id FROM people LIMIT 1")).error is None


def test_what_the_attacks_would_have_done(shop: Shop) -> None:
    """The table above is none of straw: the same statements act, when nothing stands between."""
    names = (
        "the log switched", "a message", "a transaction id", "a stable function", "an atomic function", "a default",
        "a view in a view", "an operator", "an aggregate", "a function on a row", "a policy",
        "a lock of the application", "a function that runs text",
    )  # fmt: skip
    with psycopg.connect(
        shop.server.dsn_for("shop", "app", "app"), autocommit=True, options="-c default_transaction_read_only=on"
    ) as conn:
        for name in names:
            conn.execute(REFUSED[name].encode())
        for sql in (REFUSED["by column notation"], REFUSED["by attribute notation"], REFUSED["another name"]):
            conn.execute(sql.format(pid=2**30).encode())  # nobody's
        if shop.server.execute("SELECT FROM pg_extension WHERE extname = 'file_fdw'", "shop"):
            conn.execute(REFUSED["a foreign table in a view"].encode())
            conn.execute(REFUSED["a foreign partition"].encode())
            assert shop.mark.exists()
            shop.mark.unlink()


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: next(iter(one)))
@pytest.mark.parametrize("where", ["settings", "local"])
def test_settings_that_are_more_than_a_plan_s(shop: Shop, settings: dict[str, str], where: str) -> None:
    with pytest.raises(UnsafeError) as caught:
        run(shop, step("SELECT 1", **{where: settings}))
    assert next(iter(settings)) in str(caught.value.problems)


def test_reading_goes_through(shop: Shop) -> None:
    search = step("SELECT id FROM search(%(q)s::vector, 2)", parameters={"q": [3, 1, 1]})
    assert run(shop, search).rows[0] == (3,)
    assert run(shop, step("SELECT named(4), random() < 2, now() <= clock_timestamp()")).rows == (
        ("Person 4", True, True),
    )
    assert run(shop, step("SELECT name FROM plain WHERE id = %s", parameters=[2])).rows == (("PERSON 2",),)
    nearest = "SELECT id, embedding <=> %s AS d FROM people WHERE name LIKE 'P%%' ORDER BY 2, 1 LIMIT 3"
    assert len(run(shop, step(nearest, parameters=[[1, 1, 1]])).rows) == 3
    assert run(shop, step("SHOW work_mem", settings={"work_mem": "5MB"})).rows == (("5MB",),)
    assert run(shop, step("EXPLAIN SELECT * FROM people", local={"request.jwt.claims": "{}"})).error is None
    claims = step("SELECT current_setting('request.jwt.claims'), current_user", local={"request.jwt.claims": "{}"})
    assert run(shop, claims).rows == (("{}", "app"),)
    for sql in (
        "SELECT 1/0",
        "SELECT * FROM nowhere",
        "TABLE people",
        "WITH RECURSIVE t (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t",
        "SELECT p.id, rank() OVER (ORDER BY p.id), jsonb_build_object('a', p.name) ->> 'a' FROM people p",
        "SELECT * FROM pg_stat_activity",
        "SELECT * FROM information_schema.columns LIMIT 1",
        "SELECT pg_size_pretty(pg_total_relation_size('people')), gen_random_uuid()",
        "SELECT count(*) FROM people TABLESAMPLE bernoulli (50)",
        "SELECT to_tsvector('english', name) @@ plainto_tsquery('person') FROM people",
        "SELECT digest(name, 'sha256') FROM people",
    ):
        result = run(shop, step(sql))
        assert result.rows or result.error, sql


def test_a_function_that_the_operator_vouches_for(shop: Shop) -> None:
    made = step("SELECT vouched('SELECT 7')")
    with pytest.raises(UnsafeError) as caught:
        run(shop, made)
    assert "public.vouched: it makes SQL out of text and runs it" in str(caught.value.problems)
    assert "--allow-function" in str(caught.value.hint)
    assert run(shop, made, terms=Terms(allowed=frozenset({"public.vouched"}))).rows == ((7,),)
    with pytest.raises(UnsafeError):  # nobody can vouch for the server's own
        run(shop, step("SELECT pg_switch_wal()"), terms=Terms(allowed=frozenset({"pg_catalog.pg_switch_wal"})))


@pytest.mark.parametrize(
    ("login", "role", "says"),
    [
        ("postgres", None, "names no role"),
        ("postgres", "postgres", "rights over the server"),
        ("postgres", "boss", "may become 'postgres'"),
        ("postgres", "runner", "may become 'pg_execute_server_program'"),
        ("postgres", "other", "may become"),
        ("boss", None, "may become 'postgres'"),
        ("runner", None, "may become"),
        ("backup", None, "rights over the server"),
        ("postgres", "backup", "rights over the server"),
    ],
)
def test_only_an_ordinary_role_runs_a_step(shop: Shop, login: str, role: str | None, says: str) -> None:
    with pytest.raises(UnsafeError) as caught:
        run(shop, step("SELECT 1", role=role), user=login)
    assert says in str(caught.value.problems)
    assert "role" in str(caught.value.hint)


def test_the_hint_names_the_ordinary_logins_alone(shop: Shop) -> None:
    with pytest.raises(UnsafeError) as caught:
        run(shop, step("SELECT 1", role=None), user="postgres")
    told = str(caught.value.hint).partition("ordinary logins there: ")[2]
    assert "app" in told.split(", ") and not {"postgres", "boss", "runner", "backup"} & set(told.split(", "))


def test_who_a_step_is(shop: Shop) -> None:
    who = "SELECT current_user, session_user"
    assert run(shop, step(who)).rows == (("app", "app"),)
    assert run(shop, step(who), user="app").rows == (("app", "app"),)
    assert run(shop, step(who, role=None), user="app").rows == (("app", "app"),)
    assert run(shop, step(who), user="backup").rows == (("app", "backup"),)
    with pytest.raises(UsageError, match="ran as 'guest', and this connection is 'app'"):
        run(shop, step(who, role="guest"), user="app")
    with pytest.raises(UsageError, match="does not exist"):
        run(shop, step(who, role="nobody"))
    with pytest.raises(UsageError, match="may not log in in production") as caught:  # nor could a replay
        run(shop, step(who, role="visitor"))
    assert "gateway may" in str(caught.value.hint)


def test_a_role_that_may_not_log_in_is_taken_on_by_the_login_that_may(shop: Shop) -> None:
    who = "SELECT current_user::text, session_user::text"
    runner = ProductionRunner(shop.server.dsn_for("shop"))
    settled = runner.settled(step(who, role="visitor"))
    assert isinstance(settled, SqlStep)
    assert (settled.role, settled.local) == ("gateway", {"role": "visitor"})
    assert runner.run(settled).rows == (("visitor", "gateway"),)
    for other in (step(who, role="app"), step(who, role=None), step(who, role="gateway", local={"role": "visitor"})):
        assert runner.settled(other) is other
    assert runner.settled(step(who, role="postgres")).role == "postgres", "it logs in, and is refused later"


def test_a_role_taken_on_by_a_setting(shop: Shop) -> None:
    """As an API's gateway does: it logs in as one role, and takes on an ordinary one for each request."""
    who = "SELECT current_user::text, session_user::text"
    for place in ("local", "settings"):
        found = run(shop, step(who, role="gateway", **{place: {"role": "visitor"}}))
        assert found.rows == (("visitor", "gateway"),)
        for wrong in ("postgres", "other", "boss", "app"):
            with pytest.raises(UnsafeError) as caught:
                run(shop, step(who, role="gateway", **{place: {"Role": wrong}}))
            assert f"'{wrong}'" in " ".join(caught.value.problems)


def test_limits_of_time_and_size(shop: Shop) -> None:
    began = time.monotonic()
    slow = run(shop, step("SELECT count(*) FROM generate_series(1, 10000000000)"), terms=Terms(seconds=0.3))
    assert (slow.error or "").startswith("57014") and time.monotonic() - began < 20
    unlimited = step("SELECT count(*) FROM generate_series(1, 10000000000)", local={"statement_timeout": "0"})
    assert (run(shop, unlimited, terms=Terms(seconds=0.3)).error or "").startswith("57014")
    with pytest.raises(UsageError, match="returns more than 100000 rows"):
        run(shop, step("SELECT generate_series(1, 1000000000)"))
    with pytest.raises(UsageError, match="or 32 MiB"):
        run(shop, step("SELECT repeat('x', 1000000) FROM generate_series(1, 1000)"))
    with shop.server.connect("shop") as conn, conn.transaction():
        conn.execute("SET LOCAL application_name = 'a deployment'")
        conn.execute("LOCK TABLE people")
        told: list[str] = []
        with pytest.raises(BusyError) as busy:
            run(shop, step("SELECT * FROM people"), terms=Terms(lock_seconds=2, waiting=told.append))
        holder = f"process {conn.info.backend_pid} (user postgres, a deployment, idle in transaction, since "
        assert f"waited 2 s for a lock that {holder}" in busy.value.message and "people" not in busy.value.message
        assert told and holder in told[0]
        own = step("SELECT * FROM people", local={"lock_timeout": "100ms"})
        assert (run(shop, own, terms=Terms(lock_seconds=2)).error or "").startswith("55P03")
    for unreadable in ("(repeat('[', 5000) || repeat(']', 5000))::json", "('[' || repeat('9', 6000) || ']')::jsonb"):
        with pytest.raises(UsageError, match="a value that cannot be read"):
            run(shop, step(f"SELECT {unreadable} FROM generate_series(1, 3)"))
    shown = step("SELECT current_setting('work_mem')", settings={"work_mem": "100GB"})
    assert run(shop, shown).rows == (("1GB",),)
    shown = step("SELECT current_setting('hash_mem_multiplier')", local={"HASH_MEM_MULTIPLIER": "999"})
    assert run(shop, shown).rows == (("8",),)


def test_a_bundle_is_judged_whole_before_any_of_it_runs(shop: Shop) -> None:
    good = SqlStep(id="good", store="main", sql="SELECT 1", role="app")
    steps = (good, step("SELECT pg_switch_wal()"), SqlStep(id="t", store="main", sql="COMMIT", role="app"))

    class Watched(ProductionRunner):
        def run(self, step: Any) -> StepResult:
            raise AssertionError("nothing may run")

    with pytest.raises(UnsafeError) as caught:
        record(Incident(incident="x", environment="prod", steps=steps), {"main": Watched(shop.server.dsn_for("shop"))})
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["s", "t"]
