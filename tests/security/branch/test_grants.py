"""Whatever production grants, a branch's login reaches no superuser, no file, no program and no other machine.

Each row grants one way in production, where the application's role uses it, and tries it again in the branch, as that
role and as the branch's own login.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from envclone.models import Endpoint
from tests.support.clones import BRANCH_PASSWORD, Clone, branched, cloned
from tests.support.postgres import Production, production, scratch

MAJORS = (18, 17)
"""17 is Debian's, with the contrib extensions."""

NO_FILE = "pg_catalog.pg_read_file(''PG_VERSION'')"


@dataclass(frozen=True)
class Way:
    """`grant` is run by production's superuser, `attempt` by the application's role; `who` is another such role."""

    name: str
    grant: str
    attempt: str
    majors: tuple[int, ...] = MAJORS
    who: str = "app"
    used: bool = True


RUNNER = """
CREATE FUNCTION public.{name}(q text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$ BEGIN RETURN QUERY EXECUTE q; END $$;
REVOKE ALL ON FUNCTION public.{name}(text) FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.{name}(text) TO app;
"""
EXECUTOR = """
CREATE OR REPLACE FUNCTION public.exec_sql(q text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
AS $$ BEGIN EXECUTE q; END $$;
REVOKE ALL ON FUNCTION public.exec_sql(text) FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.exec_sql(text) TO app;
"""


def execute(statement: str) -> str:
    """A statement through the function that runs everything with its owner's rights."""
    return f"SELECT public.exec_sql({statement!r})" if "'" not in statement else (
        "SELECT public.exec_sql('" + statement.replace("'", "''") + "')"
    )  # fmt: skip


WAYS = (
    Way("a report runner that reads a file", RUNNER.format(name="run_report"),
        f"SELECT public.run_report('SELECT {NO_FILE}')"),
    Way("a report runner of another superuser",
        RUNNER.format(name="others_report") + "ALTER FUNCTION public.others_report(text) OWNER TO admin;",
        f"SELECT public.others_report('SELECT {NO_FILE}')"),
    Way("a runner owned by a predefined role",
        RUNNER.format(name="role_report") + "ALTER FUNCTION public.role_report(text) OWNER TO pg_read_server_files;"
        "GRANT EXECUTE ON FUNCTION public.role_report(text) TO app;"
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO pg_read_server_files;",
        "SELECT public.role_report('SELECT pg_catalog.pg_read_file(''/etc/hostname'')')"),
    Way("a runner that an extension has",
        RUNNER.format(name="in_extension") + "ALTER EXTENSION vector ADD FUNCTION public.in_extension(text);",
        f"SELECT public.in_extension('SELECT {NO_FILE}')"),
    Way("a program through a function", EXECUTOR, execute("COPY (SELECT 1) TO PROGRAM 'cat'")),
    Way("a file through a function", EXECUTOR, execute("COPY public.lines FROM '/etc/hostname'")),
    Way("a superuser through a function", EXECUTOR, execute("ALTER ROLE bystander SUPERUSER")),
    Way("a new superuser through a function", EXECUTOR, execute("CREATE ROLE again SUPERUSER LOGIN")),
    Way("a membership through a function", EXECUTOR, execute("GRANT pg_execute_server_program TO bystander")),
    Way("an event trigger through a function",
        EXECUTOR + "CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';",
        execute("CREATE EVENT TRIGGER theirs ON ddl_command_end EXECUTE FUNCTION public.on_ddl()")),
    Way("a catalog through a function", EXECUTOR,
        execute("UPDATE pg_catalog.pg_authid SET rolsuper = true WHERE rolname = 'bystander'")),
    Way("a procedure",
        "CREATE PROCEDURE public.run(q text) LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN EXECUTE q; END $$;",
        "CALL public.run('COPY (SELECT 1) TO PROGRAM ''cat''')"),
    Way("a trigger",
        "CREATE TABLE public.orders_in (q text); GRANT INSERT ON public.orders_in TO app;"
        "CREATE FUNCTION public.act() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$ BEGIN EXECUTE NEW.q; RETURN NEW; END $$;"
        "CREATE TRIGGER act BEFORE INSERT ON public.orders_in FOR EACH ROW EXECUTE FUNCTION public.act();",
        "INSERT INTO public.orders_in VALUES ('COPY (SELECT 1) TO PROGRAM ''cat''')"),
    Way("a role that is a superuser", "GRANT postgres TO friend",
        "SET ROLE postgres; COPY (SELECT 1) TO PROGRAM 'cat'", who="friend"),
    Way("a role that is another superuser", "GRANT admin TO friend",
        "SET ROLE admin; COPY (SELECT 1) TO PROGRAM 'cat'", who="friend"),
    Way("a role that makes roles", "", "CREATE ROLE made_by_maker LOGIN", who="maker"),
    Way("a role that makes databases", "", "CREATE DATABASE made_by_maker", who="maker"),
    Way("pg_read_file", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO app",
        "SELECT pg_catalog.pg_read_file('PG_VERSION')"),
    Way("pg_read_file for everybody",
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text, bigint, bigint) TO PUBLIC",
        "SELECT pg_catalog.pg_read_file('PG_VERSION', 0, 1)"),
    Way("pg_read_binary_file", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO app",
        "SELECT pg_catalog.pg_read_binary_file('PG_VERSION')"),
    Way("pg_ls_dir", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO app",
        "SELECT pg_catalog.pg_ls_dir('base')"),
    Way("pg_ls_waldir", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO app; GRANT pg_checkpoint TO bystander",
        "SET ROLE app; SELECT pg_catalog.pg_ls_waldir()"),
    Way("pg_stat_file", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text) TO app",
        "SELECT pg_catalog.pg_stat_file('PG_VERSION')"),
    Way("a function of the server that runs as its owner",
        "CREATE OR REPLACE FUNCTION pg_catalog.obj_description(oid, name) RETURNS text LANGUAGE sql STABLE SECURITY"
        " DEFINER AS $$ SELECT pg_catalog.pg_read_file('PG_VERSION') $$",
        "SELECT pg_catalog.obj_description(1::oid, 'pg_class')"),
    Way("lo_import", "GRANT EXECUTE ON FUNCTION pg_catalog.lo_import(text) TO app",
        "SELECT pg_catalog.lo_import('/etc/hostname')"),
    Way("lo_export",
        "GRANT EXECUTE ON FUNCTION pg_catalog.lo_export(oid, text) TO app; SELECT pg_catalog.lo_create(77);"
        "GRANT ALL ON LARGE OBJECT 77 TO app",
        "SELECT pg_catalog.lo_export(77, '/tmp/envclone-test-lo-export')"),
    Way("lo_import by another name",
        "CREATE FUNCTION public.take(text) RETURNS oid LANGUAGE internal AS 'be_lo_import'",
        "SELECT public.take('/etc/hostname')"),
    Way("the log of writes", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO app",
        "SELECT pg_catalog.pg_switch_wal()"),
    Way("pg_reload_conf", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO app",
        "SELECT pg_catalog.pg_reload_conf()"),
    Way("who may log in", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO app;"
        "GRANT SELECT ON pg_catalog.pg_hba_file_rules TO app", "SELECT * FROM pg_catalog.pg_hba_file_rules"),
    Way("a view of a superuser's over the configuration",
        "CREATE VIEW public.conf AS SELECT * FROM pg_catalog.pg_file_settings; GRANT SELECT ON public.conf TO app;"
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO app",
        "SELECT * FROM public.conf"),
    Way("passwords", "GRANT SELECT ON pg_catalog.pg_authid TO app",
        "SET ROLE app; SELECT rolpassword FROM pg_catalog.pg_authid"),
    Way("pg_execute_server_program", "GRANT pg_execute_server_program TO app", "COPY (SELECT 1) TO PROGRAM 'cat'"),
    Way("pg_execute_server_program through a group", "GRANT pg_execute_server_program TO bystander WITH ADMIN OPTION;"
        "GRANT bystander TO app; GRANT INSERT ON public.lines TO app",
        "COPY public.lines FROM PROGRAM 'cat /etc/hostname'"),
    Way("pg_read_server_files", "GRANT pg_read_server_files TO app; GRANT INSERT ON public.lines TO app",
        "COPY public.lines FROM '/etc/hostname'"),
    Way("pg_write_server_files", "GRANT pg_write_server_files TO app",
        "COPY (SELECT 1) TO '/tmp/envclone-test-copy-to'"),
    Way("pg_create_subscription", "GRANT pg_create_subscription TO app; GRANT CREATE ON DATABASE shop TO app",
        "CREATE SUBSCRIPTION theirs CONNECTION 'host=127.0.0.1 password=x' PUBLICATION p WITH (connect = false)"),
    Way("a library by a parameter", "GRANT SET ON PARAMETER session_preload_libraries TO app",
        "SET session_preload_libraries = 'nothing'"),
    Way("a place of extensions by a parameter", "GRANT SET ON PARAMETER extension_control_path TO app",
        "SET extension_control_path = '/tmp'", (18,)),
    Way("a place of libraries by a parameter", "GRANT SET ON PARAMETER dynamic_library_path TO app",
        "SET dynamic_library_path = '/tmp'"),
    Way("a command by ALTER SYSTEM", "GRANT ALTER SYSTEM ON PARAMETER archive_command TO app",
        "ALTER SYSTEM SET archive_command = 'true'"),
    Way("a directory by ALTER SYSTEM", "GRANT ALTER SYSTEM ON PARAMETER log_directory TO PUBLIC",
        "ALTER SYSTEM SET log_directory = '/tmp'"),
    Way("the inside of the server as a language",
        "UPDATE pg_catalog.pg_language SET lanpltrusted = true WHERE lanname = 'internal';"
        "GRANT USAGE ON LANGUAGE internal TO app; GRANT CREATE ON SCHEMA public TO app",
        "CREATE OR REPLACE FUNCTION public.mine(text) RETURNS oid LANGUAGE internal AS 'be_lo_import'"),
    Way("a foreign-data wrapper",
        "CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO app",
        "CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1')", (17,)),
    Way("a foreign server of one's own",
        "CREATE SERVER own FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '10.0.0.1'); ALTER SERVER own OWNER TO app",
        "ALTER SERVER own OPTIONS (SET host '127.0.0.1')", (17,)),
    Way("a foreign server that may be used",
        "CREATE SERVER shared FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '10.0.0.1');"
        "GRANT USAGE ON FOREIGN SERVER shared TO app",
        "CREATE USER MAPPING IF NOT EXISTS FOR CURRENT_USER SERVER shared OPTIONS (password 'x')", (17,)),
    Way("a foreign table that is a file",
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
        "CREATE FOREIGN TABLE public.file (line text) SERVER files OPTIONS (filename '/etc/hostname');"
        "GRANT SELECT ON public.file TO app", "SELECT * FROM public.file", (17,)),
    Way("a foreign table that is a program",
        "CREATE FOREIGN TABLE public.program (line text) SERVER files OPTIONS (program 'id');"
        "GRANT SELECT ON public.program TO app", "SELECT * FROM public.program", (17,)),
    Way("a connection by dblink without a password",
        "CREATE EXTENSION dblink; GRANT EXECUTE ON FUNCTION public.dblink_connect_u(text) TO app",
        "SELECT public.dblink_connect_u('host=/nowhere')", (17,), used=False),
    Way("a connection by dblink", "SELECT 1", "SELECT public.dblink_connect('host=127.0.0.1 password=x')", (17,),
        used=False),
    Way("another declaration of dblink",
        "CREATE FUNCTION public.my_connect(text) RETURNS text LANGUAGE c STRICT AS '$libdir/dblink', 'dblink_connect'",
        "SELECT public.my_connect('host=127.0.0.1 password=x')", (17,), used=False),
    Way("rows killed by pg_surgery",
        "CREATE EXTENSION pg_surgery; GRANT EXECUTE ON FUNCTION public.heap_force_freeze(regclass, tid[]) TO app;"
        "CREATE TABLE public.frozen (id int); ALTER TABLE public.frozen OWNER TO app;"
        "INSERT INTO public.frozen VALUES (1)",
        "SELECT public.heap_force_freeze('public.frozen', ARRAY['(0,1)']::tid[])", (17,)),
)  # fmt: skip

BASE = """
CREATE EXTENSION vector;
CREATE ROLE app LOGIN; CREATE ROLE admin LOGIN SUPERUSER; CREATE ROLE friend LOGIN; CREATE ROLE bystander NOLOGIN;
CREATE ROLE maker LOGIN CREATEROLE CREATEDB;
CREATE TABLE public.lines (line text);
INSERT INTO public.lines VALUES ('a line');
"""


@dataclass(frozen=True)
class World:
    """A production where every way is open, and a branch of it; `used` are the ways that led somewhere there."""

    major: int
    production: dict[str, str | None]
    clone: Clone
    endpoint: Endpoint


@pytest.fixture(scope="module", params=MAJORS, ids=lambda major: f"pg{major}")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """One production, one clone and one branch for the whole table."""
    major = request.param
    with scratch() as place:
        with production(major, {"log_min_messages": "panic"}) as prod:
            prod.create_database("shop")
            prod.execute(BASE, "shop")
            seen = {way.name: _in_production(prod, way) for way in WAYS if major in way.majors}
            clone = cloned(prod, place)
        with branched(clone) as endpoint:
            yield World(major, seen, clone, endpoint)


def _in_production(prod: Production, way: Way) -> str | None:
    """Open the way and go it; what the server said against it, or None."""
    if way.grant:
        prod.execute(way.grant, "shop")
    with psycopg.connect(
        host=str(prod.socket_dir), port=prod.port, user=way.who, dbname="shop", autocommit=True
    ) as conn:
        return _attempt(conn, way, undo=True)


def _attempt(conn: psycopg.Connection[Any], way: Way, *, undo: bool = False) -> str | None:
    keep = way.attempt.startswith(("ALTER SYSTEM", "CREATE DATABASE")) or not undo
    try:
        if not keep:
            conn.execute("BEGIN")
        for statement in way.attempt.split("; "):
            conn.execute(statement.encode())
    except psycopg.Error as exc:
        return f"{exc.sqlstate} {exc.diag.message_primary}"
    finally:
        if not keep and not conn.closed:
            conn.execute("ROLLBACK")
    return None


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.replace(" ", "-"))
def test_a_way_that_production_grants_leads_nowhere_in_the_branch(world: World, way: Way) -> None:
    if world.major not in way.majors:
        return
    if way.used:  # else the test could not fail
        assert world.production[way.name] is None, "in production this way leads somewhere"
    endpoint = world.endpoint
    refused = []
    for role in (way.who, None):
        with psycopg.connect(
            host=endpoint.host, port=endpoint.port, dbname=endpoint.database, user=endpoint.user,
            password=BRANCH_PASSWORD, autocommit=True,
        ) as conn:  # fmt: skip
            if role is not None:
                try:
                    conn.execute(f'SET ROLE "{role}"'.encode())
                except psycopg.errors.InsufficientPrivilege:
                    role = None  # a role that was a superuser's friend is not lent to the branch at all
            refused.append(_attempt(conn, way))
    # over the operator's socket, as a replay logs in
    with psycopg.connect(
        host=str(endpoint.socket), port=endpoint.port, dbname=endpoint.database, user=way.who, autocommit=True
    ) as conn:
        refused.append(_attempt(conn, way))
    assert all(refused), refused
    allowed = {"42501", "0A000", "HV000", "42883", "55000", "42704"}
    assert {text[:5] for text in refused if text} <= allowed, refused


def test_nobody_but_the_operator_has_rights_over_the_server(world: World) -> None:
    endpoint = world.endpoint
    with psycopg.connect(
        host=str(endpoint.socket), port=endpoint.port, dbname=endpoint.database, user="envclone_operator"
    ) as conn:
        powerful = conn.execute(
            "SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication"
        ).fetchall()
        assert powerful == [("envclone_operator",)]
        owned = conn.execute(
            """SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.prosecdef AND p.proowner IN (
                 SELECT oid FROM pg_roles WHERE rolsuper OR rolname ~ '^pg_(execute|read_server|write_server)')"""
        ).fetchall()
        assert owned == []
        reached = conn.execute(
            """SELECT r.rolname, d.rolname FROM pg_roles r, pg_roles d
               WHERE NOT r.rolsuper AND r.oid <> d.oid AND pg_has_role(r.oid, d.oid, 'MEMBER')
                 AND (d.rolsuper OR d.rolname IN ('pg_execute_server_program', 'pg_read_server_files',
                      'pg_write_server_files', 'pg_create_subscription'))"""
        ).fetchall()
        assert reached == []


def test_roles_keep_what_is_theirs(world: World) -> None:
    """The former superuser is himself but for his rights: owner of his objects, under no policy, with his settings."""
    endpoint = world.endpoint
    with psycopg.connect(
        host=str(endpoint.socket), port=endpoint.port, dbname=endpoint.database, user="postgres", autocommit=True
    ) as conn:
        assert conn.execute("SELECT current_setting('is_superuser'), current_user::text").fetchone() == (
            "off",
            "postgres",
        )
        assert conn.execute(
            "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'public.lines'::regclass"
        ).fetchone() == ("postgres",)
        conn.execute("ALTER TABLE public.lines ADD COLUMN more int")
        assert conn.execute("SELECT count(*) FROM public.lines").fetchone() is not None


def test_the_report_says_what_was_taken_away(world: World) -> None:
    decisive = world.clone.decisive
    assert decisive["rights of role postgres"] == "superuser"
    assert decisive["rights of role maker"] == "createrole, createdb"
    assert decisive["rights of function public.run_report(q text)"] == "owner postgres, a superuser"
    assert decisive["rights of parameter session_preload_libraries"] == "SET to app"
    texts = world.clone.texts()
    for word in ("lo_import(text): EXECUTE to app", "public.take(text)", "member of pg_create_subscription"):
        assert word in texts, texts
