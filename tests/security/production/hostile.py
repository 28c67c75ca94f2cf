"""A production whose database owner and whose administrator did what catalogs allow against those who look at them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg

import envclone
from tests.support.postgres import Production

__all__ = ["ESCAPED", "arm", "disturb", "shop", "sprung"]

_CALLED = re.compile(r"pg_catalog\.(\w+)\(")
_TABLES = re.compile(r"pg_catalog\.(pg_\w+)\b(?!\()")
_TYPES = ("text", "oid", "int8", "int4", "int2", "name", "regclass", "regtype", "jsonb", "tid", "bool")

ESCAPED = "options=-c%20search_path%3Dpg_catalog%20-c%20session_preload_libraries%3D%20-c%20role%3Dnone"
"""For the test's own connections as a superuser whose settings are hostile."""


def _run(conn: psycopg.Connection[Any], text: str) -> list[tuple[Any, ...]]:
    cursor = conn.execute(cast(LiteralString, text))
    return cursor.fetchall() if cursor.description else []


def shop(prod: Production, database: str) -> None:
    """A database of an ordinary role, `mallory`, with people in two schemas, and the application's role `app`."""
    if not prod.execute("SELECT 1 FROM pg_roles WHERE rolname = 'mallory'"):
        prod.execute("CREATE ROLE mallory LOGIN; CREATE ROLE app LOGIN")
    prod.execute(f"CREATE DATABASE {database} OWNER mallory")
    prod.execute(
        "GRANT ALL ON SCHEMA public TO mallory; SET ROLE mallory;"
        "CREATE TABLE public.people (id int PRIMARY KEY, name text, email text, born date, note bytea);"
        "INSERT INTO public.people SELECT i, 'Person ' || i, 'p' || i || '@x.example', date '1980-03-04' + i, 'abc'"
        " FROM generate_series(1, 50) i;"
        "CREATE SCHEMA hidden; CREATE TABLE hidden.patients (id int PRIMARY KEY, name text, diagnosis text);"
        "INSERT INTO hidden.patients VALUES (1, 'Theophania Grauenfels', 'x'), (2, 'Ekkehard Zandertal', 'y');"
        "GRANT SELECT ON public.people TO app; ANALYZE",
        database,
    )


def arm(prod: Production, database: str, witness: Path) -> int:
    """Shadow, as the database's owner, every name that envclone uses, with one that acts when a superuser calls it.

    What springs runs a program that writes to `witness`, hides the schema `hidden`, and ends the statement. Returns how
    many names are shadowed.
    """
    source = "\n".join(path.read_text() for path in Path(envclone.__file__).parent.rglob("*.py"))
    with prod.connect(database) as conn:
        _run(conn, "GRANT TEMPORARY ON DATABASE " + database + " TO mallory; SET ROLE mallory; CREATE SCHEMA evil")
        _run(conn, "GRANT USAGE ON SCHEMA evil TO PUBLIC")
        _run(
            conn,
            f"""CREATE FUNCTION evil.trap(what pg_catalog.text) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
            IF pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' THEN
              EXECUTE pg_catalog.format('COPY (SELECT %L) TO PROGRAM %L', pg_catalog.concat(what, ' ', current_user),
                'cat >> {witness}');
              RAISE EXCEPTION 'a trap sprang: %', what;
            END IF; END $f$""",
        )
        shadows = [
            (f"OPERATOR(pg_catalog.{name})", name, left, right, result)
            for name, left, right, result in _run(
                conn,
                """SELECT o.oprname, o.oprleft::regtype::text, o.oprright::regtype::text, o.oprresult::regtype::text
                   FROM pg_operator o WHERE o.oprkind = 'b' AND o.oprnamespace = 'pg_catalog'::regnamespace
                     AND NOT EXISTS (SELECT FROM pg_type t WHERE t.typtype = 'p'
                                     AND t.oid IN (o.oprleft, o.oprright, o.oprresult))
                     AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '||', '~', '!~', '~*', '!~*', '~~', '!~~',
                                       '+', '-')""",
            )
        ]
        statements = []
        for number, (called, name, left, right, result) in enumerate(shadows):
            trap = "" if "plpgsql" in left else f"PERFORM evil.trap('operator {name} {left}');"
            lie = ""
            if (name, left, right) == ("<>", "name", "name"):
                lie = "IF a OPERATOR(pg_catalog.=) 'hidden'::pg_catalog.name THEN RETURN false; END IF;"
            statements.append(
                f"CREATE FUNCTION evil.o{number}(a {left}, b {right}) RETURNS {result} LANGUAGE plpgsql AS"
                f" $f$ BEGIN {trap} {lie} RETURN a {called} b; END $f$;"
                f"CREATE OPERATOR evil.{name} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = evil.o{number});"
            )
        called = sorted({*_CALLED.findall(source)})
        functions = _run(
            conn,
            f"""SELECT p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), p.proretset
                FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
                  AND p.proname IN ({", ".join(f"'{name}'" for name in called)}) AND p.provariadic = 0
                  AND p.proallargtypes IS NULL AND NOT EXISTS (SELECT FROM pg_type t WHERE t.typtype = 'p'
                    AND (t.oid = ANY (p.proargtypes) OR t.oid = p.prorettype))""",
        )
        for name, arguments, result, _ in functions:
            for schema in ("evil", "public"):
                statements.append(
                    f"CREATE FUNCTION {schema}.{name}({arguments}) RETURNS {result} LANGUAGE plpgsql AS"
                    f" $f$ BEGIN PERFORM evil.trap('function {name}'); RETURN NULL; END $f$;"
                )
        better = ("concat(pg_catalog.name, pg_catalog.name)", "concat(pg_catalog.oid, pg_catalog.text)",
                  "concat_ws(pg_catalog.text, pg_catalog.name, pg_catalog.name)",
                  "concat_ws(pg_catalog.text, pg_catalog.name, pg_catalog.name, pg_catalog.name)",
                  "num_nonnulls(pg_catalog.int4)", "num_nonnulls(pg_catalog.text)",
                  "unnest(pg_catalog._text)", "unnest(pg_catalog._oid)", "unnest(pg_catalog._int2)",
                  "to_jsonb(pg_catalog.text)", "json_build_array(pg_catalog.text, pg_catalog.text)",
                  "md5(pg_catalog.name)", "record_send(public.people)", "to_json(pg_catalog.text)")  # fmt: skip
        for signature in better:
            for schema in ("evil", "public"):
                statements.append(
                    f"CREATE FUNCTION {schema}.{signature} RETURNS pg_catalog.text LANGUAGE plpgsql AS"
                    f" $f$ BEGIN PERFORM evil.trap('function {signature}'); RETURN 'x'; END $f$;"
                )
        statements.append(
            "CREATE FUNCTION evil.sfunc(a pg_catalog.int8) RETURNS pg_catalog.int8 LANGUAGE plpgsql AS"
            " $f$ BEGIN PERFORM evil.trap('aggregate count'); RETURN 0; END $f$;"
            "CREATE AGGREGATE evil.count(*) (SFUNC = evil.sfunc, STYPE = pg_catalog.int8, INITCOND = '0');"
        )
        tables = _run(
            conn,
            """SELECT c.relname, (SELECT string_agg('c.' || quote_ident(a.attname), ', ') FROM pg_attribute a
                                  JOIN pg_type t ON t.oid = a.atttypid AND t.typtype <> 'p'
                                  WHERE a.attrelid = c.oid AND a.attnum > 0)
               FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v')
                 AND has_table_privilege(c.oid, 'SELECT')""",
        )
        statements += [
            f"CREATE VIEW {schema}.{name} AS SELECT {columns} FROM pg_catalog.{name} c,"
            f" LATERAL (SELECT evil.trap('relation {name}')) t;"
            for schema in ("evil", "public")
            for name, columns in tables
            if name in {*_TABLES.findall(source)}
        ]
        statements += [
            f"CREATE DOMAIN evil.{name} AS pg_catalog.{name} CHECK (evil.trap('type {name}') IS NULL);"
            for name in _TYPES
        ]
        # what bodies and definitions say must be looked up in pg_catalog while they are made
        _run(conn, "SET search_path = pg_catalog; SET check_function_bodies = off;" + "\n".join(statements))
        _run(conn, f"ALTER DATABASE {database} SET search_path = evil, pg_catalog, public")
        return len(statements)


def disturb(prod: Production, database: str, *, everywhere: bool = True) -> None:
    """What a role's and a database's settings can do to a session that does not pin its own; logins come to an end."""
    own = f"ALTER DATABASE {database} SET"
    settings = {
        "statement_timeout": "'1ms'", "lock_timeout": "'1ms'", "idle_in_transaction_session_timeout": "'1ms'",
        "idle_session_timeout": "'1ms'", "default_transaction_read_only": "on", "default_transaction_deferrable": "on",
        "default_transaction_isolation": "'serializable'", "row_security": "off", "jit": "on", "jit_above_cost": "0",
        "transform_null_equals": "on", "standard_conforming_strings": "off", "quote_all_identifiers": "on",
        "datestyle": "'German, DMY'", "intervalstyle": "'sql_standard'", "timezone": "'Asia/Tokyo'",
        "bytea_output": "'escape'", "extra_float_digits": "'-15'", "array_nulls": "off", "exit_on_error": "on",
        "client_min_messages": "'debug5'", "xmloption": "'document'", "client_encoding": "'LATIN1'",
    }  # fmt: skip
    with psycopg.connect(f"{prod.dsn_for(database)}?{ESCAPED}", autocommit=True) as conn:
        _run(conn, "SET ROLE mallory;" + "".join(f"{own} {name} = {value};" for name, value in settings.items()))
        _run(conn, f"{own} role = 'mallory'; {own} local_preload_libraries = 'not_there'")
        if not everywhere:
            return
        _run(conn, "RESET ROLE")
        _run(
            conn,
            "CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $f$ BEGIN PERFORM evil.trap('event trigger'); END $f$;"
            "CREATE EVENT TRIGGER meddle ON ddl_command_start EXECUTE FUNCTION public.on_ddl();",
        )
        if prod.engine.major >= 17:
            _run(conn, "CREATE EVENT TRIGGER greet ON login EXECUTE FUNCTION public.on_ddl()")
            _run(
                conn,
                f"ALTER DATABASE {database} SET transaction_timeout = '1ms'; ALTER EVENT TRIGGER greet ENABLE ALWAYS",
            )
        _run(
            conn,
            "ALTER ROLE postgres SET search_path = evil, pg_catalog; ALTER ROLE postgres SET role = 'mallory';"
            "ALTER ROLE postgres SET session_preload_libraries = 'not_there';"
            f"ALTER ROLE postgres IN DATABASE {database} SET search_path = public, evil;"
            f"ALTER ROLE postgres IN DATABASE {database} SET statement_timeout = '1ms';"
            f"ALTER ROLE postgres IN DATABASE {database} SET session_replication_role = 'origin';"
            f"ALTER ROLE postgres IN DATABASE {database} SET log_statement = 'all';"
            f"ALTER DATABASE {database} SET session_preload_libraries = 'not_there';"
            "ALTER ROLE ALL SET session_preload_libraries = 'not_there';"
            "ALTER ROLE postgres SET log_min_messages = 'debug5'; ALTER ROLE postgres SET debug_print_parse = on;"
            "ALTER ROLE ALL SET lock_timeout = '1ms'; ALTER ROLE ALL SET default_transaction_read_only = on;",
        )


def sprung(witness: Path) -> str:
    """What was written by a program that a trap ran."""
    return witness.read_text() if witness.exists() else ""
