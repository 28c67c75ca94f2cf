"""Every SQL text of the package names its schemas: a database's owner decides what a bare name means there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import envclone
from tests.support.sqltext import SqlText, Unparsed, collect, unqualified

PACKAGE = Path(envclone.__file__).parent
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] != "demo"]
"""The demo plays an application: what it sends is production's own SQL, under production's own search_path."""

ALLOWED = {
    "ALTER ROLE <user> REPLICATION": "a hint for people",
    "the function pg_catalog.{}": "a problem for people",
    "VACUUM or ANALYZE": "what a statement is called",
    "CREATE TABLE AS": "what a statement is called",
    "FETCH": "what a statement is called",
    "SELECT INTO makes a table": "what a statement is called",
}
"""Texts that read like SQL and cannot be parsed, or need not name a schema, with the reason."""


def faults(text: SqlText) -> list[str]:
    place = f"{text.file.relative_to(PACKAGE.parent)}:{text.line}"
    try:
        return [f"{place}: {problem} names no schema" for problem in unqualified(text.text)]
    except Unparsed:
        return [f"{place}: cannot be parsed: {text.text[:100]!r}"]


def test_all_our_sql_names_its_schemas() -> None:
    texts = [text for path in FILES for text in collect(path)]
    assert len(texts) > 200 and len({text.file for text in texts}) > 30
    assert [fault for text in texts if text.text not in ALLOWED for fault in faults(text)] == []
    assert {text.text for text in texts} >= {*ALLOWED}, "what is allowed and no longer there"


def test_no_literal_brings_a_type_without_a_schema() -> None:
    """The driver writes a list as `'{1}'::int2[]`; only texts and numbers come without a type."""
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Literal" and node.args
        if isinstance(node.args[0], ast.List | ast.Tuple | ast.Dict | ast.ListComp)
        or getattr(getattr(node.args[0], "func", None), "id", "") in {"list", "tuple", "sorted", "dict", "Json"}
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT 1 FROM pg_class", "relation pg_class"),
        ("SELECT 1 FROM ONLY {} AS t, chunks", "relation chunks"),
        ("DELETE FROM chunks", "relation chunks"),
        ("UPDATE chunks SET a = 1", "relation chunks"),
        ("VACUUM (FULL) chunks", "relation chunks"),
        ("COPY chunks TO STDOUT", "relation chunks"),
        ("DROP TABLE IF EXISTS chunks", "object chunks"),
        ("SELECT count(*) FROM pg_catalog.pg_class", "function count"),
        ("SELECT x::text", "type text"),
        ("SELECT %s::oid[]", "type oid"),
        ("CREATE TEMP TABLE t (a jsonb)", "type jsonb"),
        ("SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'x'", "operator = (OP)"),
        ("SELECT a || b", "operator || (OP)"),
        ("SELECT - a", "operator - (OP)"),
        ("SELECT a = ANY (%s)", "operator = (OP_ANY)"),
        ("SELECT a <> ALL (%(names)s)", "operator <> (OP_ALL)"),
        ("SELECT a IN ('x', 'y')", "operator = (IN)"),
        ("SELECT a NOT IN (1, 2)", "operator <> (IN)"),
        ("SELECT a IN (SELECT oid FROM pg_catalog.pg_class)", "operator = (IN with a query)"),
        ("SELECT a LIKE 'x%%'", "operator ~~ (LIKE)"),
        ("SELECT a NOT ILIKE 'x'", "operator !~~* (ILIKE)"),
        ("SELECT a SIMILAR TO 'x'", "operator ~ (SIMILAR)"),
        ("SELECT a BETWEEN 1 AND 2", "operator BETWEEN (BETWEEN)"),
        ("SELECT a IS DISTINCT FROM b", "operator = (DISTINCT)"),
        ("SELECT NULLIF(a, b)", "operator = (NULLIF)"),
        ("SELECT CASE a WHEN 1 THEN 2 END", "operator = (CASE with a value)"),
        ("SELECT 1 FROM s.a JOIN s.b USING (id)", "operator = (JOIN with USING or NATURAL)"),
        ("SELECT 1 FROM s.a NATURAL JOIN s.b", "operator = (JOIN with USING or NATURAL)"),
        ("SELECT 1 FROM s.a ORDER BY x USING <", "operator (ORDER BY USING)"),
        ('SELECT a COLLATE "C"', "collation C"),
        ("SELECT 'pg_class'::pg_catalog.regclass", "name 'pg_class' in a literal"),
        ("SELECT pg_catalog.to_regclass('pg_class')", "name 'pg_class' in a literal"),
        ("CREATE INDEX ON s.t USING gin (a gin_trgm_ops)", "operator class"),
        ("GRANT EXECUTE ON FUNCTION lo_import(pg_catalog.text) TO {}", "object lo_import"),
        ("{column} = {value}", ""),  # the SET of an UPDATE
        ("EXPLAIN (FORMAT JSON) {}", ""),
        ("{expression} <-> {vector}::{type}", "operator <-> (OP)"),
        ("{expression} {operator} {vector}::{type}", ""),
        (" AND c.relkind = 'r'", "operator = (OP)"),
        ("WITH t AS (SELECT 1 AS a) SELECT a OPERATOR(pg_catalog.+) 1 FROM t", ""),
        ("SELECT pg_catalog.extract(a), a AT TIME ZONE 'UTC', a::int, current_user", ""),
        ("SELECT a OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[]) ORDER BY b DESC", ""),
        ("ALTER DATABASE {} SET a.b = %s", ""),
    ],
)
def test_a_name_without_a_schema_is_found(text: str, problem: str) -> None:
    assert unqualified(text) == ([problem] if problem else [])


@pytest.mark.parametrize(
    "source",
    [
        "conn.execute('SELECT count(*) FROM s.t')",
        "conn.execute('SELECT %s' if new else 'SELECT count(*)')",
        "conn.execute(b'SELECT count(*)')",
        "conn.execute(f'SELECT count({what})')",
        "conn.execute('SELECT ' + what + ' AS a, count(*) FROM s.t')",
        "conn.execute('SELECT count(*)'.encode())",
        "query = sql.SQL('count({})').format(name)",
        "_QUERY = 'SELECT count(*) FROM s.t'",
        "_QUERIES = {'a': 'SELECT count(*)' ' FROM s.t'}",
        "_PART = 'count(*)::int'\nquery = f'SELECT {_PART} FROM s.t'",
        "def f():\n    cursor.copy('COPY (SELECT count(*) FROM s.t) TO STDOUT')",
    ],
)
def test_sql_is_found_wherever_it_stands(source: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert "function count" in {problem for text in collect(file) for problem in unqualified(text.text)}


def test_what_cannot_be_parsed_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("conn.execute('SELECT FROM WHERE')")
    with pytest.raises(Unparsed):
        unqualified(collect(file)[0].text)


def test_prose_is_not_taken_for_sql(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        '"""Select what is asked."""\nhint = "set source.database"\nraise ValueError(f"the file {x} is in it")'
    )
    assert collect(file) == []
