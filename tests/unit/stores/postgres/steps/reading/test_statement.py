"""What a statement uses, and what is refused by its shape alone; hostile text never ends the process."""

from __future__ import annotations

import pytest

from envclone.stores.postgres.steps.reading.grammar import LONGEST, Refused
from envclone.stores.postgres.steps.reading.statement import (
    of_expression,
    of_function_body,
    of_plpgsql,
    of_statement,
)


def test_functions_operators_and_relations_wherever_they_stand() -> None:
    uses = of_statement(
        "WITH c AS (SELECT f(a) FROM s.t) SELECT x.g, (y).h, pg_catalog.count(*) FILTER (WHERE i(1)) FROM c,"
        " u TABLESAMPLE m (1), LATERAL j($1) k WHERE a OPERATOR(o.<@>) ANY (SELECT 1) ORDER BY 1 USING <<<"
    )
    assert {("", "f"), ("pg_catalog", "count"), ("", "i"), ("", "j"), ("", "m")} <= uses.functions
    assert uses.notation == {"g", "h"}
    assert {"<@>", "<<<", "=", "<"} <= uses.operators
    assert uses.relations == {("s", "t"), ("", "c"), ("", "u")}


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("", "not a statement"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("COPY t TO STDOUT", "COPY is not a reading statement"),
        ("WITH x AS (INSERT INTO t VALUES (1) RETURNING 1) TABLE x", "INSERT is not allowed"),
        ("EXPLAIN ANALYZE UPDATE t SET a = 1", "UPDATE is not allowed"),
        ("EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1", "CREATE TABLE AS is not allowed"),
        ("EXPLAIN EXECUTE x", "EXECUTE is not allowed"),
        ("SELECT 1 INTO x", "SELECT INTO"),
        ("(SELECT 1 INTO x) UNION SELECT 2", "SELECT INTO"),
        ("SELECT 1 FROM t FOR NO KEY UPDATE", "locks"),
        ("SET LOCAL work_mem = 1", "SET is not a reading statement"),
        ("SELECT 1 FROM", "grammar"),
        ("SELECT 'x\0'", "NUL"),
        ("SELECT '\ud800'", "surrogate"),
        ("SELECT 'open", "never ends"),
        ("SELECT /* /* */ 1", "never ends"),
        ("SELECT '" + "x" * LONGEST + "'", "longer than"),
        ("SELECT " + "1+" * 100_000 + "1", "too many"),
        ("SELECT " + "(" * 100_000, "too many"),
        ("SELECT " + "1+" * 3000 + "1", "too deep"),
        ("SELECT " + "ARRAY[" * 3000 + "1" + "]" * 3000, "too many"),
        ("SELECT 1 " + "UNION SELECT 1 " * 50_000, "too many"),
        ("SELECT " + "NOT " * 100_000 + "true", "too many"),
        ("SELECT " + "CASE WHEN true THEN 1 ELSE " * 30_000, "too many"),
    ],
)
def test_what_does_more_than_read_is_refused_by_its_shape(sql: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        of_statement(sql)


def test_a_refusal_quotes_nothing_of_the_statement() -> None:
    with pytest.raises(Refused) as caught:
        of_statement("SELECT 'a' FROM t WHERE name = 'x' 'Jane Doe'")
    assert "Jane" not in str(caught.value)


def test_a_long_list_is_not_deep() -> None:
    assert of_statement("SELECT 1 WHERE 1 IN (" + ",".join(["'a-b+c'"] * 50_000) + ")").functions == set()
    assert of_statement("SELECT 1 WHERE " + " OR ".join(["a = 1"] * 900)).functions == set()


def test_set_config_by_a_written_name_only() -> None:
    assert of_statement("SELECT set_config('hnsw.ef_search', $1, true)").functions == set()
    for name in ("'role'", "'statement_timeout'", "$1", "'hnsw' || '.x'", "'transaction_read_only'::text"):
        assert of_statement(f"SELECT set_config({name}, 'a', true)").functions == {("", "set_config")}


def test_the_bodies_of_functions() -> None:
    assert of_function_body("SELECT f(1); SELECT g(2);").functions == {("", "f"), ("", "g")}
    assert of_function_body("BEGIN ATOMIC\n SELECT f(1);\nEND").functions == {("", "f")}
    assert of_function_body("RETURN f(1)").functions == {("", "f")}
    assert of_function_body("SET LOCAL hnsw.ef_search = 1; SELECT f(1)").functions == {("", "f")}
    for body in ("DELETE FROM t", "SELECT 1; COMMIT", "SET LOCAL role = x", "SET hnsw.ef_search = 1"):
        with pytest.raises(Refused):
            of_function_body(body)
    assert of_expression("ROW(f(1), g(2))").functions == {("", "f"), ("", "g")}


@pytest.mark.parametrize(
    "body",
    [
        "RETURN act(1);",
        "PERFORM act(1);",
        "x := act(1);",
        "y[act(1)] := 5;",
        "x = (SELECT act(1));",
        "SELECT act(1) INTO x;",
        "IF act(1) THEN NULL; END IF;",
        "WHILE act(1) LOOP NULL; END LOOP;",
        "FOR i IN 1 .. act(1) LOOP NULL; END LOOP;",
        "FOR x IN SELECT act(1) LOOP NULL; END LOOP;",
        "FOR x IN c(act(1)) LOOP NULL; END LOOP;",
        "FOREACH x IN ARRAY act(1) LOOP NULL; END LOOP;",
        "CASE act(1) WHEN 1 THEN NULL; END CASE;",
        "CASE 1 WHEN act(1) THEN NULL; END CASE;",
        "LOOP EXIT WHEN act(1); END LOOP;",
        "OPEN c(act(1));",
        "OPEN r FOR SELECT act(1);",
        "RAISE EXCEPTION USING MESSAGE = act(1);",
        "RAISE NOTICE '%', act(1);",
        "ASSERT act(1);",
        "DECLARE z int := act(1); BEGIN NULL; END;",
        "DECLARE d people%ROWTYPE; BEGIN d.name := act(1); END;",
        "BEGIN NULL; EXCEPTION WHEN others THEN PERFORM act(1); END;",
    ],
)
def test_every_expression_of_plpgsql_is_seen(body: str) -> None:
    definition = (
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ DECLARE x int; y int[]; r refcursor;"
        f" c CURSOR (a int) FOR SELECT a; BEGIN {body} END $$"
    )
    assert ("", "act") in of_plpgsql(definition, "").functions, "by the tree"
    assert ("", "act") in of_plpgsql(definition, body).functions


@pytest.mark.parametrize(
    "body",
    [
        "EXECUTE 'x';",
        "RETURN QUERY EXECUTE 'x';",
        "FOR x IN EXECUTE 'x' LOOP NULL; END LOOP;",
        "OPEN r FOR EXECUTE 'x';",
        "INSERT INTO t VALUES (1);",
        "CALL p();",
        "COMMIT;",
        "PERFORM 1 FROM t FOR UPDATE;",
        "SET role = postgres;",
        "DO 'BEGIN END';",
    ],
)
def test_plpgsql_that_does_more_than_read_is_refused(body: str) -> None:
    definition = (
        f"CREATE FUNCTION f() RETURNS SETOF int LANGUAGE plpgsql AS $$ DECLARE x int; r refcursor; BEGIN {body} END $$"
    )
    with pytest.raises(Refused):
        of_plpgsql(definition, body)


@pytest.mark.parametrize(
    "definition",
    [
        "",
        "SELECT 1",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS ''",
        "CREATE FUNCTION f() RETURNS int AS $$ BEGIN END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'a', 'b'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'a', 'b'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN END $$; SELECT 1",
    ],
)
def test_what_is_no_function_in_plpgsql_ends_no_process(definition: str) -> None:
    with pytest.raises(Refused):
        of_plpgsql(definition, "")
