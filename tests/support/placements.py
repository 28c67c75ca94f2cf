"""Every place of a PostgreSQL production where somebody's identity can stand, beside the columns of people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.support.farther import FARTHER
from tests.support.places import Place
from tests.support.places import column as _column

__all__ = ["EXTENSIONS", "PLACES", "PREPARED", "RULES", "Place"]

EXTENSIONS = ("hstore", "citext", "ltree", "postgres_fdw", "file_fdw", "pg_trgm", "btree_gist")

PREPARED = """
CREATE TABLE base (id int PRIMARY KEY, note text, n int);
INSERT INTO base VALUES (1, 'a note', 1), (2, 'another', 2);
CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION loud() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE TABLE listed (id int, who text) PARTITION BY LIST (who);
CREATE TABLE listed_rest PARTITION OF listed DEFAULT;
CREATE TABLE ranged (id int, who text) PARTITION BY RANGE (who);
CREATE FOREIGN DATA WRAPPER bare;
CREATE SERVER bare_server FOREIGN DATA WRAPPER bare;
CREATE FOREIGN TABLE afar (id int) SERVER bare_server;
"""
"""What the places hang on."""

RULES = """\
      public.base.*: keep
      public.listed.*: keep
      public.ranged.*: keep
      public.k*.*: keep
      public.y*.c: keep
      pg_largeobject: keep
"""


def _columns() -> Iterator[Place]:
    for type_ in ("varchar(200)", "char(200)", "citext", "xml"):
        yield _column(type_, type_, "{v}")
    yield _column("name", "name", "left({v}, 63)")
    yield _column("ltree", "ltree", "replace('home.{raw}', ' ', '_')::ltree", "person", "pair", "username")
    yield _column("json value", "json", "json_build_object('a', json_build_array(1, {v}))")
    yield _column("jsonb value", "jsonb", "jsonb_build_object('a', jsonb_build_array(1, 'for ' || {v}))")
    yield _column("jsonb key", "jsonb", "jsonb_build_object('a', jsonb_build_object({v}, 1))")
    yield _column("json key", "json", "json_build_object({v}, 1)")
    yield _column("jsonb number", "jsonb", "jsonb_build_object('a', {v}::numeric)", "card")
    yield _column("json in json", "jsonb", "jsonb_build_object('a', (jsonb_build_object('b', {v}))::text)")
    yield _column("array", "text[]", "ARRAY['x', {v}, NULL]")
    yield _column("array of arrays", "text[]", "ARRAY[ARRAY['x', 'y'], ARRAY[{v}, 'z']]")
    yield _column("array of jsonb", "jsonb[]", "ARRAY[jsonb_build_object('a', {v})]")
    yield _column("hstore value", "hstore", "hstore('a', {v})")
    yield _column("hstore key", "hstore", "hstore({v}, 'a')")
    yield _column("bytea", "bytea", "convert_to('it is ' || {v} || ' here', 'UTF8')")
    yield _column("uuid", "uuid", "{v}::uuid", "uuid")
    yield _column("uuid array", "uuid[]", "ARRAY[{v}::uuid]", "uuid")
    yield _column("bigint", "bigint", "{v}::bigint", "card")
    yield _column("numeric", "numeric(20,2)", "{v}::numeric", "card")
    digits = "translate({v}, '-+ ', '')::bigint"
    yield _column("range of numbers", "int8range", f"int8range({digits}, {digits}, '[]')", "card", "national_id")
    yield _column("ranges of numbers", "numrange[]", f"ARRAY[numrange(5, {digits}, '[]')]", "national_id")
    yield _column("point", "point", f"point(0.5, {digits})", "national_id")
    yield _column("money", "money", "{v}::numeric::money", "card")
    bits = (
        "SELECT string_agg(get_byte(b, i)::bit(8)::text, '' ORDER BY i)::varbit FROM (SELECT convert_to({v}, 'UTF8') b)"
    )
    yield _column("bits", "varbit", f"({bits} s, generate_series(0, length(b) - 1) i)")
    yield _column("letters apart", "text[]", "string_to_array({v}, NULL)")
    yield _column("letters of one byte", '"char"[]', """string_to_array({v}, NULL)::"char"[]""", "card", "iban", "uuid")
    yield _column("letters in a document", "jsonb", "to_jsonb(string_to_array({v}, NULL))")
    yield _column("backwards", "text", "reverse(reverse({rev}))", "person", "email", "username", "uuid")
    yield _column("tsvector", "tsvector", "to_tsvector('simple', {v})", "person", "pair", "email", "username")
    yield _column("compressed", "text", "repeat('abc ', 4000) || {v} || repeat(' abc', 4000)")
    yield Place(
        "toasted",
        "CREATE TABLE k{n} (id int, c text); ALTER TABLE k{n} ALTER c SET STORAGE EXTERNAL;"
        "INSERT INTO k{n} VALUES (1, repeat('abc ', 997) || {v} || repeat(' abc', 997))",
        "public.k{n}.c",
    )
    yield Place(
        "composite",
        "CREATE TYPE y{n} AS (a int, b text); CREATE TABLE k{n} (c y{n}); INSERT INTO k{n} VALUES (ROW(1, {v}))",
        "public.k{n}.c",
    )
    yield Place(
        "array of composite",
        "CREATE TYPE y{n} AS (a int, b text);"
        "CREATE TABLE k{n} (c y{n}[]); INSERT INTO k{n} VALUES (ARRAY[ROW(1, {v})::y{n}])",
        "public.k{n}.c",
    )
    yield Place(
        "domain",
        "CREATE DOMAIN y{n} AS text; CREATE TABLE k{n} (c y{n}); INSERT INTO k{n} VALUES ({v})",
        "public.k{n}.c",
    )
    yield Place(
        "range of text",
        "CREATE TYPE y{n} AS RANGE (subtype = text); CREATE TABLE k{n} (c y{n});"
        "INSERT INTO k{n} VALUES (y{n}({v}, 'zzz', '[]'))",
        "public.k{n}.c",
        ("person", "pair", "email", "username"),
    )
    yield Place(
        "partition",
        "CREATE TABLE k{n} (id int, c text) PARTITION BY LIST (id);"
        "CREATE TABLE k{n}_1 PARTITION OF k{n} FOR VALUES IN (1); INSERT INTO k{n} VALUES (1, {v})",
        "public.k{n}.c",
    )
    yield Place(
        "inherited",
        "CREATE TABLE k{n} (id int, c text); CREATE TABLE k{n}_more () INHERITS (k{n});"
        "INSERT INTO k{n}_more VALUES (1, {v})",
        "public.k{n}.c|public.k{n}_more.c",
    )
    yield Place(
        "missing value",
        "CREATE TABLE k{n} (id int); INSERT INTO k{n} VALUES (1); ALTER TABLE k{n} ADD c text DEFAULT {v};"
        "ALTER TABLE k{n} ALTER c DROP DEFAULT",
        "public.k{n}.c",
    )
    yield Place(
        "missing value of no row",
        "CREATE TABLE k{n} (id int); INSERT INTO k{n} VALUES (1); ALTER TABLE k{n} ADD c text DEFAULT {v};"
        "ALTER TABLE k{n} ALTER c DROP DEFAULT; DELETE FROM k{n}",
        "k{n}.c",
    )
    yield Place(
        "generated",
        "CREATE TABLE k{n} (id int, c text GENERATED ALWAYS AS ('of ' || {v}) STORED); INSERT INTO k{n} VALUES (1)",
        "k{n}.c",
    )
    yield Place("large object", "SELECT lo_from_bytea({n}00, convert_to('to ' || {v}, 'UTF8'))", "pg_largeobject")


def _definitions() -> Iterator[Place]:
    comments: Mapping[str, tuple[str, str]] = {
        "table": ("CREATE TABLE k{n} (id int)", "TABLE k{n}"),
        "column": ("CREATE TABLE k{n} (id int)", "COLUMN k{n}.id"),
        "schema": ("CREATE SCHEMA y{n}", "SCHEMA y{n}"),
        "function": ("CREATE FUNCTION y{n}() RETURNS int LANGUAGE sql AS 'SELECT 1'", "FUNCTION y{n}()"),
        "role": ("CREATE ROLE y{n}", "ROLE y{n}"),
        "index": ("CREATE INDEX y{n} ON base (n)", "INDEX y{n}"),
        "sequence": ("CREATE SEQUENCE y{n}", "SEQUENCE y{n}"),
        "type": ("CREATE TYPE y{n} AS (a int)", "TYPE y{n}"),
        "constraint": ("ALTER TABLE base ADD CONSTRAINT y{n} CHECK (n < 9)", "CONSTRAINT y{n} ON base"),
        "trigger": (
            "CREATE TRIGGER y{n} BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION quiet()",
            "TRIGGER y{n} ON base",
        ),
        "policy": ("CREATE POLICY y{n} ON base", "POLICY y{n} ON base"),
        "publication": ("CREATE PUBLICATION y{n}", "PUBLICATION y{n}"),
        "statistics": ("CREATE STATISTICS y{n} ON id, n FROM base", "STATISTICS y{n}"),
        "view": ("CREATE VIEW y{n} AS SELECT 1 AS a", "VIEW y{n}"),
        "rule": ("CREATE RULE y{n} AS ON DELETE TO base DO NOTHING", "RULE y{n} ON base"),
        "event trigger": (
            "CREATE EVENT TRIGGER y{n} ON ddl_command_end EXECUTE FUNCTION loud()",
            "EVENT TRIGGER y{n}",
        ),
        "server": ("CREATE SERVER y{n} FOREIGN DATA WRAPPER bare", "SERVER y{n}"),
        "large object": ("SELECT lo_create(9{n})", "LARGE OBJECT 9{n}"),
        "text search": ("CREATE TEXT SEARCH CONFIGURATION y{n} (COPY = simple)", "TEXT SEARCH CONFIGURATION y{n}"),
        "collation": ('CREATE COLLATION y{n} FROM "C"', "COLLATION y{n}"),
        "cast": ("CREATE TYPE y{n} AS (a int); CREATE CAST (y{n} AS text) WITH INOUT", "CAST (y{n} AS text)"),
    }
    for what, (make, on) in comments.items():
        yield Place(f"comment on {what}", f"{make}; COMMENT ON {on} IS 'of {{raw}}'", "comment on .*[ky]?{n}")
    yield Place("comment on database", "COMMENT ON DATABASE app IS 'of {raw}'", "comment on database", ("email",))
    yield Place("comment on extension", "COMMENT ON EXTENSION hstore IS 'of {raw}'", "comment on extension", ("email",))
    yield Place("default", "CREATE TABLE k{n} (id int, c text DEFAULT {v})", "default.*k{n}")
    yield Place("start of a sequence", "CREATE SEQUENCE y{n} START {raw}", "numbers of sequence .*y{n}", ("card",))
    yield Place(
        "value of a sequence", "CREATE SEQUENCE y{n}; SELECT setval('y{n}', {raw})", "sequence .*y{n}", ("card",)
    )
    yield Place("default of domain", "CREATE DOMAIN y{n} AS text DEFAULT {v}", "default of type.*y{n}")
    yield Place(
        "default of argument",
        "CREATE FUNCTION y{n}(a text DEFAULT {v}) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function .*y{n}",
    )
    yield Place("check", "CREATE TABLE k{n} (c text CHECK (c <> {v}))", "constraint k{n}")
    yield Place("check of domain", "CREATE DOMAIN y{n} AS text CHECK (VALUE <> {v})", "constraint y{n}")
    yield Place(
        "foreign key's name",
        "CREATE TABLE k{n} (id int, CONSTRAINT {i} FOREIGN KEY (id) REFERENCES base)",
        "name of a constraint",
        ("username",),
    )
    yield Place("policy", "CREATE POLICY y{n} ON base USING (note <> {v})", "policy y{n}")
    yield Place("policy with check", "CREATE POLICY y{n} ON base FOR INSERT WITH CHECK (note <> {v})", "policy y{n}")
    yield Place("view", "CREATE VIEW y{n} AS SELECT id FROM base WHERE note = {v}", "view .*y{n}")
    yield Place("column of a view", "CREATE VIEW y{n} AS SELECT {v}::text AS c", "view .*y{n}")
    yield Place(
        "materialized view", "CREATE MATERIALIZED VIEW y{n} AS SELECT id FROM base WHERE note <> {v}", "view .*y{n}"
    )
    yield Place(
        "rows of a materialized view",
        "CREATE MATERIALIZED VIEW y{n} AS SELECT reverse({rev}) AS c",
        "data/base|pg_statistic|y{n}|materialized",
    )
    yield Place(
        "entries of an index on an expression",
        "CREATE INDEX y{n} ON base ((note || ' ' || reverse({rev})))",
        "data/base|pg_statistic|y{n}",
        ("email",),
    )
    yield Place(
        "statistics of an index on an expression",
        "CREATE TABLE k{n} (id int); INSERT INTO k{n} SELECT 1 FROM generate_series(1, 9);"
        "CREATE INDEX y{n} ON k{n} ((reverse({rev}) || ' ' || id / 10)); ANALYZE k{n}",
        "data/base|pg_statistic|y{n}",
    )
    yield Place(
        "statistics of rows that are gone",
        "CREATE TABLE k{n} (c text); INSERT INTO k{n} SELECT {v} FROM generate_series(1, 9); ANALYZE k{n};"
        "UPDATE k{n} SET c = 'x'",
        "data/base|pg_statistic|k{n}",
    )
    yield Place(
        "extended statistics of rows that are gone",
        "CREATE TABLE k{n} (c text, d int); INSERT INTO k{n} SELECT {v}, 1 FROM generate_series(1, 9);"
        "CREATE STATISTICS y{n} (mcv) ON c, d FROM k{n}; ANALYZE k{n}; UPDATE k{n} SET c = 'x'; ANALYZE k{n} (d)",
        "data/base|pg_statistic|[ky]{n}",
    )
    yield Place(
        "entries of rows that are gone",
        "CREATE TABLE k{n} (c text); CREATE INDEX ON k{n} (c); INSERT INTO k{n} VALUES ({v}); UPDATE k{n} SET c = 'x'",
        "data/base|pg_statistic|k{n}",
    )
    yield Place(
        "function in SQL", "CREATE FUNCTION y{n}() RETURNS text LANGUAGE sql RETURN {v}::text", "function .*y{n}"
    )
    yield Place(
        "function's text",
        "CREATE FUNCTION y{n}() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN 1; -- {raw}\nEND$$",
        "function .*y{n}",
    )
    yield Place("procedure", "CREATE PROCEDURE y{n}() LANGUAGE sql AS $$SELECT {v}$$", "function .*y{n}")
    yield Place(
        "setting of a function",
        "CREATE FUNCTION y{n}() RETURNS int LANGUAGE sql SET a.b = {v} AS 'SELECT 1'",
        "function .*y{n}",
    )
    yield Place(
        "name of an argument", "CREATE FUNCTION y{n}({i} int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function .*y{n}"
    )
    yield Place(
        "aggregate",
        "CREATE AGGREGATE y{n}(text) (SFUNC = pg_catalog.textcat, STYPE = text, INITCOND = {v})",
        "y{n}",
    )
    yield Place(
        "trigger's condition",
        "CREATE TRIGGER y{n} BEFORE UPDATE ON base FOR EACH ROW WHEN (OLD.note <> {v}) EXECUTE FUNCTION quiet()",
        "trigger y{n}",
    )
    yield Place(
        "trigger's argument",
        "CREATE TRIGGER y{n} BEFORE UPDATE ON base FOR EACH ROW EXECUTE FUNCTION quiet({v})",
        "trigger y{n}",
    )
    yield Place("rule", "CREATE RULE y{n} AS ON INSERT TO base WHERE NEW.note = {v} DO NOTHING", "rule y{n}")
    yield Place("label of an enum", "CREATE TYPE y{n} AS ENUM ('a', {v})", "labels of enum .*y{n}")
    yield Place(
        "publication's condition", "CREATE PUBLICATION y{n} FOR TABLE base WHERE (note <> {v})", "publication .*"
    )
    yield Place("statistics' expression", "CREATE STATISTICS y{n} ON (note || {v}) FROM base", "statistics y{n}")
    yield Place("setting of a role", "CREATE ROLE y{n}; ALTER ROLE y{n} SET app.owner = {v}", "settings of role y{n}")
    yield Place(
        "setting of a role in a database",
        "CREATE ROLE y{n}; ALTER ROLE y{n} IN DATABASE app SET a.b = {v}",
        "settings of role y{n}",
    )
    yield Place("setting of a database", "ALTER DATABASE app SET app.owner{n} = {v}", "settings of database")
    yield Place("name of a setting", "ALTER DATABASE app SET {raw}.x = 'a'", "settings of database", ("username",))
    yield Place(
        "name of a granted setting",
        "CREATE ROLE y{n}; GRANT SET ON PARAMETER {raw}.y TO y{n}",
        "name of a granted setting|rights on parameters",
        ("username",),
    )
    yield Place(
        "option of a server", "CREATE SERVER y{n} FOREIGN DATA WRAPPER bare OPTIONS (office {v})", "server y{n}"
    )
    yield Place(
        "version of a server", "CREATE SERVER y{n} TYPE {v} VERSION {v} FOREIGN DATA WRAPPER bare", "server y{n}"
    )
    yield Place("option of a wrapper", "CREATE FOREIGN DATA WRAPPER y{n} OPTIONS (a {v})", "wrapper y{n}")
    yield Place(
        "option of a foreign table",
        "CREATE FOREIGN TABLE y{n} (id int) SERVER bare_server OPTIONS (a {v})",
        "foreign table .*y{n}",
    )
    yield Place(
        "option of a foreign column",
        "CREATE FOREIGN TABLE y{n} (id int OPTIONS (a {v})) SERVER bare_server",
        "column .*y{n}",
    )
    yield Place("partition's bound", "CREATE TABLE k{n} PARTITION OF listed FOR VALUES IN ({v})", "partition .*k{n}")
    yield Place("partition's key", "CREATE TABLE k{n} (c text) PARTITION BY LIST ((c || {v}))", "partition key .*k{n}")
    yield Place("index expression", "CREATE INDEX y{n} ON base ((note || {v}))", "index .*y{n}")
    yield Place("index predicate", "CREATE INDEX y{n} ON base (id) WHERE note <> {v}", "index .*y{n}")
    yield Place(
        "exclusion",
        "CREATE TABLE k{n} (c text, CONSTRAINT y{n} EXCLUDE USING gist (c WITH =) WHERE (c <> {v}))",
        "(constraint|index) .*y{n}",
    )
    yield Place("column of a composite type", "CREATE TYPE y{n} AS ({i} int)", "name of a column", ("username",))
    yield Place("column of a table", "CREATE TABLE k{n} ({i} int)", "name of a column", ("uuid",))
    yield Place(
        "options of a dictionary",
        "CREATE TEXT SEARCH DICTIONARY y{n} (TEMPLATE = simple, STOPWORDS = 'english');"
        "UPDATE pg_ts_dict SET dictinitoption = 'a = {raw}' WHERE dictname = 'y{n}'",
        "dictionary y{n}",
    )
    yield Place(
        "condition of an extension",
        "UPDATE pg_extension SET extconfig = ARRAY['base'::regclass::oid],"
        " extcondition = ARRAY['WHERE note <> ''{raw}'''] WHERE extname = 'ltree'",
        "extension",
        ("email",),
    )
    yield Place(
        "security label",
        "INSERT INTO pg_seclabel VALUES ('base'::regclass, 'pg_class'::regclass, 0, 'y{n}', {v})",
        "label of y{n}",
    )


_NAMES: Mapping[str, str] = {
    "role": "CREATE ROLE {i}",
    "schema": "CREATE SCHEMA {i}",
    "relation": "CREATE SEQUENCE {i}",
    "type": "CREATE DOMAIN {i} AS int",
    "function": "CREATE FUNCTION {i}() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "trigger": "CREATE TRIGGER {i} BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION quiet()",
    "policy": "CREATE POLICY {i} ON base",
    "rule": "CREATE RULE {i} AS ON UPDATE TO base WHERE false DO NOTHING",
    "publication": "CREATE PUBLICATION {i}",
    "event trigger": "CREATE EVENT TRIGGER {i} ON sql_drop EXECUTE FUNCTION loud()",
    "foreign server": "CREATE SERVER {i} FOREIGN DATA WRAPPER bare",
    "foreign data wrapper": "CREATE FOREIGN DATA WRAPPER {i}",
    "statistics object": "CREATE STATISTICS {i} ON id, n FROM base",
    "collation": 'CREATE COLLATION {i} FROM "C"',
    "conversion": "CREATE CONVERSION {i} FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
    "text search configuration": "CREATE TEXT SEARCH CONFIGURATION {i} (COPY = simple)",
    "text search dictionary": "CREATE TEXT SEARCH DICTIONARY {i} (TEMPLATE = simple)",
    "operator family": "CREATE OPERATOR FAMILY {i} USING btree",
    "operator class": "CREATE OPERATOR CLASS {i} FOR TYPE int4 USING btree AS STORAGE int4",
    "access method": "CREATE ACCESS METHOD {i} TYPE INDEX HANDLER bthandler",
    "language": "CREATE LANGUAGE {i} HANDLER plpgsql_call_handler",
    "label's provider": "INSERT INTO pg_seclabel VALUES ('base'::regclass, 'pg_class'::regclass, 0, {v}, 'x')",
}
"""Per kind of object how one is made that is called like somebody."""


def _names() -> Iterator[Place]:
    for what, make in _NAMES.items():
        kinds = ("username",) if what in ("operator class", "access method", "language") else ("person", "email")
        found = "name of a[n]? " + what if what != "label's provider" else "label.s provider"
        yield Place(f"name of a {what}", make, found, kinds)


PLACES: Sequence[Place] = (*_columns(), *_definitions(), *_names(), *FARTHER)
"""All of them."""
