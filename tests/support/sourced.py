"""A production with one of everything that a dump has to bring, and how two servers are compared."""

from __future__ import annotations

import re

from envclone import process
from envclone.stores.postgres.server.engine import Engine
from tests.support.postgres import Production

__all__ = ["dumped", "fill", "traces"]

_ROLES = """
CREATE ROLE app LOGIN PASSWORD 'a' CONNECTION LIMIT 7;
CREATE ROLE "Desk Owner" NOLOGIN;
CREATE ROLE reader LOGIN PASSWORD 'r' BYPASSRLS;
CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'b';
CREATE ROLE clerk LOGIN PASSWORD 'c' NOINHERIT;
GRANT "Desk Owner" TO app WITH ADMIN OPTION;
GRANT pg_read_all_data TO reader;
GRANT pg_read_server_files TO app;
ALTER ROLE app SET work_mem = '7MB';
ALTER ROLE app IN DATABASE app SET search_path = 'desk, public';
ALTER DATABASE app SET statement_timeout = '30s';
ALTER DATABASE app OWNER TO "Desk Owner";
REVOKE ALL ON DATABASE app FROM PUBLIC;
GRANT CONNECT ON DATABASE app TO app, reader, clerk
"""
_OBJECTS = """
CREATE EXTENSION vector;
CREATE SCHEMA desk AUTHORIZATION "Desk Owner";
SET ROLE "Desk Owner";
CREATE TYPE desk.mood AS ENUM ('good', 'bad');
CREATE TYPE desk.pair AS (a int, b text);
CREATE DOMAIN desk.positive AS int CHECK (VALUE > 0);
CREATE FUNCTION desk.shout(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
  BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RAISE 'as a superuser'; END IF;
    RETURN upper($1);
  END $$;
CREATE AGGREGATE desk.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE TABLE desk.people (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, mood desk.mood, n desk.positive, p desk.pair,
  up text GENERATED ALWAYS AS (desk.shout(name)) STORED, CHECK (desk.shout('x') = 'X'));
INSERT INTO desk.people (name, mood, n, p)
  SELECT 'Zanzibar Quuxing' || chr(97 + i % 26), 'good', i, ROW(i, 'x'::text)::desk.pair FROM generate_series(1, 300) i;
COMMENT ON TABLE desk.people IS 'everybody';
CREATE TABLE desk.parts (id int, k text) PARTITION BY LIST (desk.shout(k));
CREATE TABLE desk.parts_a PARTITION OF desk.parts FOR VALUES IN ('A');
CREATE TABLE desk.parts_b PARTITION OF desk.parts DEFAULT;
INSERT INTO desk.parts SELECT i, CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 100) i;
CREATE INDEX shouted ON desk.people (desk.shout(name));
CREATE UNLOGGED TABLE desk.scratch AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW desk.seen AS SELECT id, name FROM desk.people;
CREATE UNIQUE INDEX ON desk.seen (id);
CREATE MATERIALIZED VIEW desk.never AS SELECT 1 AS one WITH NO DATA;
DELETE FROM desk.people WHERE id = 300;
CREATE VIEW desk.sums AS SELECT desk.total(id) FROM desk.people;
ALTER TABLE desk.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON desk.people TO app USING (id < 100);
GRANT USAGE ON SCHEMA desk TO app, clerk;
GRANT SELECT ON desk.people TO app, reader;
GRANT SELECT ON desk.parts TO app WITH GRANT OPTION;
GRANT UPDATE (name) ON desk.people TO app;
ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT SELECT ON TABLES TO reader;
CREATE FUNCTION desk.stamped() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER stamp BEFORE INSERT ON desk.people FOR EACH ROW EXECUTE FUNCTION desk.stamped();
CREATE TABLE desk.refs (id int PRIMARY KEY, person int REFERENCES desk.people);
INSERT INTO desk.refs VALUES (1, 3), (2, 4);
CREATE SEQUENCE desk.numbers START 40;
SELECT nextval('desk.numbers');
RESET ROLE;
SET ROLE app;
GRANT SELECT ON desk.parts TO clerk;
RESET ROLE;
CREATE TABLE public.chunks (id int PRIMARY KEY, embedding vector(4));
INSERT INTO public.chunks SELECT i, ARRAY[sin(i), cos(i), sin(2 * i), i / 500.0]::vector FROM generate_series(1, 500) i;
CREATE INDEX chunks_hnsw ON public.chunks USING hnsw (embedding vector_l2_ops);
CREATE OPERATOR CLASS public.mine FOR TYPE int USING btree AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
SELECT lo_from_bytea(77, 'large');
ALTER LARGE OBJECT 77 OWNER TO "Desk Owner";
COMMENT ON LARGE OBJECT 77 IS 'an object';
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE PUBLICATION few FOR TABLE desk.refs;
COMMENT ON PUBLICATION few IS 'some';
CREATE FUNCTION public.nobody() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN IF current_setting('application_name') = 'envclone' THEN RAISE 'an event trigger fired'; END IF; END $$
"""
_LAST = (
    "CREATE SUBSCRIPTION theirs CONNECTION 'host=127.0.0.1 port=1 password=topsecret' PUBLICATION x"
    " WITH (connect = false, slot_name = NONE)",
    "CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION public.nobody()",
    "COMMENT ON EVENT TRIGGER watch IS 'watches'",
)
"""The function `shout` of a check, an index, a partition's key and a generated column fails for a superuser."""


def fill(prod: Production) -> None:
    """Make the database `app` and everything in it; statements of functions hold semicolons, so a text goes as one."""
    prod.create_database("app")
    for statement in _ROLES.split(";"):
        prod.execute(statement)
    prod.execute(_OBJECTS, "app")
    for statement in _LAST:
        prod.execute(statement, "app")


def dumped(engine: Engine, host: str, port: int, user: str, password: str = "", database: str = "app") -> list[str]:
    """What pg_dump and pg_dumpall say of a server: schema, rows, owners, rights and roles, without our own names."""
    env = {"PGPASSWORD": password, "PGOPTIONS": "-c statement_timeout=0"}
    where = ["--host", host, "--port", str(port), "--username", user]
    options = ["--create", "--no-subscriptions", "--no-security-labels"]
    texts = [
        process.run([engine.program("pg_dump"), *where, *options, database], env=env).stdout,
        process.run([engine.program("pg_dumpall"), *where, "--roles-only", "--no-role-passwords"], env=env).stdout,
    ]
    lines = "\n".join(texts).splitlines()
    return [line for line in lines if line.strip() and not re.match(r"--|\\(un)?restrict|.*envclone_restored", line)]


def traces(prod: Production, database: str = "app") -> dict[str, object]:
    """What a visitor could leave in production: objects, slots, statistics that tell of writes, settings, rows."""
    (written,) = prod.execute(
        "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_all_tables"
        " WHERE schemaname !~ '^pg_|information_schema'",
        database,
    )
    return {
        "written": written,
        "catalog": prod.execute(
            "SELECT (SELECT md5(string_agg(x::text, '' ORDER BY oid)) FROM pg_class x WHERE oid >= 16384),"
            " (SELECT md5(string_agg(x::text, '' ORDER BY oid)) FROM pg_proc x WHERE oid >= 16384),"
            " (SELECT md5(string_agg(x::text, '' ORDER BY oid)) FROM pg_authid x),"
            " (SELECT md5(string_agg(x::text, '')) FROM pg_db_role_setting x)",
            database,
        ),
        "slots": prod.execute("SELECT slot_name FROM pg_replication_slots"),
        "prepared": prod.execute("SELECT gid FROM pg_prepared_xacts"),
        "temporary": prod.execute("SELECT temp_files FROM pg_stat_database WHERE datname = 'app'"),
        "transactions": prod.execute("SELECT txid_snapshot_xmax(txid_current_snapshot())"),
    }
