"""Incident steps against real servers: as the role that failed, with its settings, read-only, values as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from envclone.errors import UnreachableError, UnsafeError, UsageError
from envclone.incidents.bundle import Expected, SqlStep, VectorStep
from envclone.models import Endpoint, Secret, StepResult
from envclone.stores.postgres.steps.recorder import ProductionRunner
from envclone.stores.postgres.steps.runner import PostgresRunner
from tests.support.postgres import Production, production

SCHEMA = """
CREATE EXTENSION vector;
CREATE ROLE app LOGIN PASSWORD 'app';
CREATE ROLE tenant LOGIN PASSWORD 'tenant';
ALTER ROLE app SET work_mem = '11MB';
ALTER ROLE app SET hnsw.ef_search = '7';
ALTER DATABASE shop SET statement_timeout = '9s';
CREATE TABLE items (id bigint PRIMARY KEY, owner text, price numeric(10,2), made timestamptz, day date, doc jsonb,
                    raw bytea, tags text[], ok boolean, ratio float8, embedding vector(3));
INSERT INTO items VALUES
 (1, 'app', 10.50, '2024-02-29 12:00:00.25+00', 'infinity', '{"a": [1, 2.5, null]}', '\\x00ff', '{x,"y z"}', true, 0.1,
  '[1,2,3]'),
 (2, 'tenant', 99999999.99, NULL, '0044-03-15 BC', '"2024-01-01 10:00:00"', NULL, '{}', NULL, 'NaN', '[0.1,0.2,-1]'),
 (3, 'tenant', 1, '2024-03-01', '2024-03-01', 'null', '', NULL, false, 1e-300, '[9,9,9]');
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON items USING (owner = current_user OR current_user = 'app');
GRANT ALL ON items TO app, tenant;
CREATE SEQUENCE numbers; GRANT ALL ON numbers TO app;
CREATE FUNCTION shout() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'it failed' USING DETAIL = 'the detail', HINT = 'the hint', ERRCODE = 'P0042'; END $$;
"""


@pytest.fixture(params=[16, 18], ids=["pg16", "pg18"], scope="module")
def shop(request: pytest.FixtureRequest) -> Iterator[Production]:
    with production(request.param) as prod:
        prod.create_database("shop")
        prod.execute(SCHEMA, "shop")
        yield prod


@pytest.fixture
def runner(shop: Production) -> PostgresRunner:
    """Over the socket, as a branch is asked."""
    return PostgresRunner(endpoint(shop))


def endpoint(shop: Production) -> Endpoint:
    return Endpoint(
        store="main", kind="postgres", host="127.0.0.1", port=shop.port, database="shop", user="app",
        password=Secret("app"), socket=shop.socket_dir,
    )  # fmt: skip


def run(runner: PostgresRunner | ProductionRunner, sql: str, parameters: Any = None, **step: Any) -> StepResult:
    made = SqlStep(id="s", store="main", sql=sql, parameters=parameters, **step)
    with runner as opened:
        result = opened.run(made)
    json.dumps(result.rows, allow_nan=False)
    Expected.of(made, result)  # what is recorded must be a valid expectation
    return result


def test_values_become_plain_json_and_lose_nothing(runner: PostgresRunner) -> None:
    result = run(runner, "SELECT * FROM items ORDER BY id")
    assert result.error is None
    assert result.columns[:3] == ("id", "owner", "price")
    assert result.origins[0] == "public.items.id" and result.origins[-1] == "public.items.embedding"
    one, two, three = result.rows
    made = "2024-02-29T12:00:00.25+00"
    assert one == (
        1,
        "app",
        "10.50",
        made,
        "infinity",
        {"a": [1, 2.5, None]},
        "00ff",
        ["x", "y z"],
        True,
        0.1,
        "[1,2,3]",
    )
    assert two == (2, "tenant", "99999999.99", None, "0044-03-15 BC", "2024-01-01 10:00:00", None, [], None, "NaN",
                   "[0.1,0.2,-1]")  # fmt: skip
    assert three[6:] == ("", None, False, 1e-300, "[9,9,9]")


def test_origins_see_through_aliases_and_not_through_expressions(runner: PostgresRunner) -> None:
    sql = "SELECT i.owner AS who, count(*) AS n, upper(i.owner) FROM items i GROUP BY i.owner ORDER BY 1"
    assert run(runner, sql).origins == ("public.items.owner", "", "")
    assert run(runner, "SELECT relname FROM pg_class LIMIT 1").origins == ("pg_catalog.pg_class.relname",)


def test_a_vector_search_with_ids_and_scores(runner: PostgresRunner) -> None:
    sql = "SELECT id, embedding <-> %(q)s::vector AS distance FROM items ORDER BY distance LIMIT 2"
    result = run(runner, sql, {"q": [1, 2, 3]}, key="id", score="distance")
    assert result.ids == (1, 2) and result.scores[0] == 0.0 and len(result.scores) == 2
    plain = run(runner, "SELECT id FROM items ORDER BY embedding <-> %s LIMIT 1", [[9.0, 9.0, 9.5]], key="id")
    assert plain.ids == (3,) and plain.scores == ()
    text = run(runner, "SELECT id FROM items ORDER BY embedding <=> CAST(%s AS vector) LIMIT 1", ["[9,9,9]"], key="id")
    assert text.ids == (3,)


def test_parameters_keep_their_meaning(runner: PostgresRunner) -> None:
    assert run(runner, "SELECT id FROM items WHERE id = ANY(%s) ORDER BY id", [[1, 3]]).rows == ((1,), (3,))
    assert run(runner, "SELECT id FROM items WHERE tags && %s", [["y z"]]).rows == ((1,),)
    assert run(runner, "SELECT id FROM items WHERE doc @> %s", [{"a": [1]}]).rows == ((1,),)
    assert run(runner, "SELECT %s::json->'k'->>0", [{"k": ["ü"]}]).rows == (("ü",),)
    assert run(runner, "SELECT id FROM items WHERE made > %s AND owner LIKE 'ten%%'", ["2024-01-01"]).rows == ((3,),)
    assert run(runner, "SELECT '100%' AS p").rows == (("100%",),)
    assert run(runner, "SELECT %s::int, %s::text", [None, "x"]).rows == ((None, "x"),)


def test_the_role_counts_with_its_settings_and_rights(runner: PostgresRunner) -> None:
    sql = "SELECT current_user, current_setting('work_mem'), current_setting('hnsw.ef_search', true),"
    sql += " current_setting('statement_timeout'), (SELECT count(*) FROM items)"
    assert run(runner, sql).rows == (("app", "11MB", "7", "9s", 3),)  # the endpoint's own
    assert run(runner, sql, role="tenant").rows == (("tenant", "4MB", None, "9s", 2),)
    with pytest.raises(UnreachableError, match="nobody"):
        run(runner, sql, role="nobody")
    with pytest.raises(UnsafeError, match="is a superuser in the branch"):
        run(runner, sql, role="postgres")


def test_settings_of_the_session_and_the_transaction(runner: PostgresRunner) -> None:
    sql = "SELECT current_setting('hnsw.ef_search'), current_setting('work_mem')"
    step = {"settings": {"hnsw.ef_search": "40", "work_mem": "3MB"}, "local": {"hnsw.ef_search": "200"}}
    assert run(runner, sql, **step).rows == (("200", "3MB"),)
    assert run(runner, sql).rows == (("7", "11MB"),)  # nothing of it is left
    wrong = run(runner, "SELECT 1", settings={"work_mem": "lots"})
    assert wrong.error is not None and wrong.error.startswith("22023 invalid value for parameter")


def test_failures_are_results(runner: PostgresRunner, shop: Production) -> None:
    assert run(runner, "SELECT shout()").error == "P0042 it failed"
    missing = run(runner, "SELECT 1 FROM nowhere")
    assert missing.error == '42P01 relation "nowhere" does not exist' and missing.rows == ()
    assert (run(runner, "SELECT pg_sleep(5)", local={"statement_timeout": "20ms"}).error or "").startswith("57014")
    late = run(runner, "SELECT 1 AS a", settings={"statement_timeout": "1s"})
    assert late.rows == ((1,),)
    assert (run(runner, "SELECT 1/0 FROM items").error or "") == "22012 division by zero"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM items",
        "SELECT nextval('numbers')",
        "COMMIT; DELETE FROM items",
        "SELECT 1; DELETE FROM items",
        "ROLLBACK; BEGIN READ WRITE; DELETE FROM items; COMMIT",
        "WITH gone AS (DELETE FROM items RETURNING id) SELECT * FROM gone",
        "DO $$ BEGIN DELETE FROM items; COMMIT; END $$",
        "CREATE TABLE made (id int)",
        "SELECT set_config('transaction_read_only', 'off', false)",
    ],
)
def test_nothing_is_ever_written(shop: Production, runner: PostgresRunner, sql: str) -> None:
    """In a branch the server says no; what is sent to production is judged before (tests/security/bundle)."""
    before = shop.execute("SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM pg_class)", "shop")
    assert run(runner, sql).error
    assert shop.execute("SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM pg_class)", "shop") == before
    assert shop.execute("SELECT is_called FROM numbers", "shop") == [(False,)]


def test_against_production_with_a_dsn(shop: Production) -> None:
    runner = ProductionRunner(shop.dsn_for("postgres", "app", "app"))
    sql = (
        "SELECT current_user, current_database(), current_setting('work_mem'), current_setting('transaction_read_only')"
    )
    assert run(runner, sql, role="app", database="shop").rows == (("app", "shop", "11MB", "on"),)
    assert run(runner, sql).rows[0][1] == "postgres"
    assert run(ProductionRunner(shop.dsn_for("postgres"), "shop"), sql, role="app").rows[0][1] == "shop"
    with pytest.raises(UsageError, match="ran as 'tenant', and this connection is 'app'"):
        run(runner, sql, role="tenant")


def test_a_superuser_s_dsn_takes_on_the_step_s_role(shop: Production) -> None:
    shop.execute("ALTER ROLE tenant IN DATABASE shop SET work_mem = '5MB'; ALTER ROLE tenant SET work_mem = '6MB'")
    shop.execute("ALTER ROLE tenant SET session_preload_libraries = 'vector'")
    runner = ProductionRunner(shop.dsn_for("shop"))
    sql = "SELECT current_user, session_user, current_setting('work_mem'), (SELECT count(*) FROM items)"
    assert run(runner, sql, role="tenant").rows == (("tenant", "tenant", "5MB", 2),)
    with pytest.raises(UnsafeError, match="names no role"):
        run(runner, sql)
    with pytest.raises(UsageError, match='role "nobody" does not exist'):
        run(runner, sql, role="nobody")
    shop.execute("ALTER ROLE tenant IN DATABASE shop RESET ALL; ALTER ROLE tenant RESET ALL")


def test_without_a_socket_the_endpoint_s_own_user_logs_in(shop: Production) -> None:
    runner = PostgresRunner(replace(endpoint(shop), socket=None))
    assert run(runner, "SELECT current_user").rows == (("app",),)
    with pytest.raises(UsageError, match="tenant"):
        run(runner, "SELECT 1", role="tenant")
    with pytest.raises(UnreachableError) as caught:
        run(PostgresRunner(replace(endpoint(shop), socket=None, password=Secret("hidden-word"))), "SELECT 1")
    assert "hidden-word" not in str(caught.value)


def test_what_cannot_be_sent_is_the_bundle_s_fault(runner: PostgresRunner) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        run(runner, "SELECT %s, %s", [1])
    with pytest.raises(UsageError, match="not an SQL step"), runner as opened:
        opened.run(VectorStep(id="v", store="main", collection="c", vector=[1.0]))


def test_statements_that_return_no_rows(runner: PostgresRunner) -> None:
    result = run(runner, "SET LOCAL work_mem = '1MB'")
    with pytest.raises(UsageError, match="COPY"):
        run(runner, "COPY items TO STDOUT")
    assert (result.columns, result.rows, result.error) == ((), (), None)
    assert run(runner, "SHOW work_mem").rows == (("11MB",),)
