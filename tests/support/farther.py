"""More places of a PostgreSQL production: rarer types, forms inside of values, corners of catalogs."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.places import Place, column

__all__ = ["FARTHER"]

_DIGITS = "translate({v}, '-+ ', '')"
_NAMED = ("person", "pair", "email", "username")
_BYTES = "get_byte(convert_to({v}, 'UTF8'), i)"
_EACH = "generate_series(0, octet_length(convert_to({v}, 'UTF8')) - 1) i"


def _columns() -> Iterator[Place]:
    """Types and forms of values."""
    yield column("hstore array", "hstore[]", "ARRAY[hstore('a', {v})]")
    yield column("citext array", "citext[]", "ARRAY['x'::citext, {v}]")
    yield column("name array", "name[]", "ARRAY[left({v}, 63)::name]")
    yield column("xml attribute", "xml", "xmlelement(name a, xmlattributes({v} AS who))")
    yield column("xml comment", "xml", "xmlconcat(xmlcomment('by ' || replace({v}, '-', '_')), '<a/>')", *_NAMED)
    yield column("xml section", "xml", "('<a><![CDATA[' || {v} || ']]></a>')::xml")
    yield column("xml array", "xml[]", "ARRAY[('<a>' || {v} || '</a>')::xml]")
    yield column("json with one key twice", "json", "('{\"a\": ' || to_json({v}::text) || ', \"a\": 1}')::json")
    yield column("json array", "json[]", "ARRAY[json_build_object('a', {v})]")
    yield column("jsonb, deep", "jsonb", "jsonb_build_object('a', jsonb_build_array(jsonb_build_array({v})))")
    yield column("jsonb number in digits", "jsonb", f"jsonb_build_array({_DIGITS}::numeric)", "national_id", "phone")
    yield column("jsonb of bytes", "jsonb", f"(SELECT jsonb_build_object('type', 'Buffer', 'data',"
                 f" jsonb_agg({_BYTES} ORDER BY i)) FROM {_EACH})")  # fmt: skip
    yield column("letters in json without blanks", "json", "array_to_json(string_to_array({v}, NULL))")
    yield column("jsonpath", "jsonpath", "('$.a ? (@ == ' || to_json({v}::text) || ')')::jsonpath")
    yield column("tsquery", "tsquery", "plainto_tsquery('simple', {v})", "person", "pair", "email", "username")
    yield column("lquery", "lquery", "('*.' || replace({v}, ' ', '_'))::lquery", "person", "pair", "username")
    yield column("ltree array", "ltree[]", "ARRAY[replace('home.{raw}', ' ', '_')::ltree]", "person", "username")
    yield column("numeric array", "numeric[]", f"ARRAY[1, {_DIGITS}::numeric]", "card", "national_id")
    yield column("bigint array", "bigint[]", f"ARRAY[1, {_DIGITS}::bigint]", "card", "national_id")
    yield column("array of bytes", "int[]", f"(SELECT array_agg({_BYTES} ORDER BY i) FROM {_EACH})")
    yield column("array of short numbers", "int2[]", f"(SELECT array_agg({_BYTES} ORDER BY i) FROM {_EACH})")
    yield column("bytes in digits", "text", f"(SELECT '[' || string_agg({_BYTES}::text, ', ' ORDER BY i) || ']'"
                 f" FROM {_EACH})")  # fmt: skip
    yield column("bits of bytes", "bit(512)", "(SELECT string_agg(get_byte(b, i)::bit(8)::text, ''"
                 " ORDER BY i)::bit(512)"
                 " FROM (SELECT convert_to(rpad({v}, 64), 'UTF8') b) s, generate_series(0, 63) i)")  # fmt: skip
    yield column("float8", "float8", f"{_DIGITS}::float8", "national_id")
    yield column("float8 array", "float8[]", f"ARRAY[0.5, {_DIGITS}::float8]", "national_id")
    yield column("oid", "oid", f"{_DIGITS}::oid", "national_id")
    yield column("xid8", "xid8", "{v}::xid8", "card")
    yield column("pg_lsn", "pg_lsn", "'0/0'::pg_lsn + {v}::numeric", "card")
    yield column("interval", "interval", f"make_interval(secs => {_DIGITS}::float8)", "national_id")
    yield column("circle", "circle", f"circle(point(1, {_DIGITS}::float8), 2)", "national_id")
    yield column("interval array", "interval[]", f"ARRAY[make_interval(secs => {_DIGITS}::float8)]", "national_id")
    yield column("array of positions in a log", "pg_lsn[]", "ARRAY['0/0'::pg_lsn + {v}::numeric]", "card")
    yield column("number in bits", "bit(64)", f"{_DIGITS}::bigint::bit(64)", "national_id", "card")
    range_ = f"int8range({_DIGITS}::bigint, {_DIGITS}::bigint, '[]')"
    yield column("multirange of numbers", "int8multirange", f"int8multirange(int8range(1, 2), {range_})",
                 "national_id", "card")  # fmt: skip
    yield column("snapshot", "pg_snapshot", "({v} || ':' || {v} || ':')::pg_snapshot", "card")
    yield column("hexadecimal of bytea", "bytea", "convert_to(encode(convert_to({v}, 'UTF8'), 'hex'), 'UTF8')")
    yield column("bytea of UTF-16", "bytea", "('\\x' || (SELECT string_agg(lpad(to_hex(ascii(c)), 4, '0'), ''"
                 " ORDER BY n)"
                 " FROM string_to_table('it is {raw}', NULL) WITH ORDINALITY AS t (c, n)))::bytea")  # fmt: skip
    yield column("bytea behind noise", "bytea", "'\\x00ff0080'::bytea || convert_to({v}, 'UTF8') || '\\xfe00'::bytea")
    yield column("bytea array", "bytea[]", "ARRAY[convert_to('it is ' || {v}, 'UTF8')]")
    yield column("bytea of UTF-32", "bytea", "'\\x{utf32}'::bytea", "person", "email")
    yield column("bytea of Latin-1", "bytea", "'\\x{latin}'::bytea", "person", "address")
    yield column("bytea of Windows-1252", "bytea", "convert_to('\u20ac 4 von ' || {v}, 'WIN1252')", "person", "address")
    yield column("bytea of EBCDIC", "bytea", "'\\x{ebcdic}'::bytea", "person", "national_id")
    yield column("sixteen bytes", "bytea", "uuid_send({v}::uuid)", "uuid")
    yield column("sixteen bytes of Windows", "bytea", "'\\x{uuid_le}'::bytea", "uuid")
    yield column(
        "sixteen bytes in base64", "text", "'id ' || rtrim(encode(uuid_send({v}::uuid), 'base64'), '=')", "uuid"
    )
    yield column("sixteen bytes in an array", "bytea[]", "ARRAY[uuid_send({v}::uuid)]", "uuid")
    yield column("bytea in gzip of bz2", "bytea", "'\\x{twice}'::bytea", "person", "email")
    for how in ("gzip", "zlib", "bz2", "xz", "zip", "zstd", "lz4"):
        yield column(f"bytea in {how}", "bytea", f"'\\x{{{how}}}'::bytea")
    for how in ("second", "bare", "sized", "7z", "parquet"):
        yield column(f"bytea in {how}", "bytea", f"'\\x{{{how}}}'::bytea")
    yield column("gzip in digits", "text", "'{gzip}'")
    yield column("7z in base64", "text", "encode('\\x{7z}'::bytea, 'base64')")
    yield column("sixteen bytes among others", "bytea", "'\\x{within}'::bytea", "uuid")
    yield column("uuid as a number", "numeric", "{decimal}", "uuid")
    yield column("uuid as a number in a document", "jsonb", "jsonb_build_object('a', {decimal})", "uuid")
    yield column("uuid as two numbers", "bigint[]", "ARRAY[{high}, {low}]::bigint[]", "uuid")
    yield column("first half of a uuid", "bigint", "'{high}'::bigint", "uuid")
    yield column("uuencode", "text", "E'begin 644 x\n' || '{uu}' || E'`\nend'", *_NAMED)
    yield column("base85", "text", "'{b85}'", "person", "email")
    yield column("hexadecimal number", "text", "'0x{hexadecimal}'", "national_id")
    yield column("base64 of gzip", "text", "encode('\\x{gzip}'::bytea, 'base64')")
    yield column(
        "base64 of zlib in a document", "jsonb", "jsonb_build_object('z', encode('\\x{zlib}'::bytea, 'base64'))"
    )
    yield Place("gzip in a large object", "SELECT lo_from_bytea(1{n}00, '\\x{gzip}'::bytea)", "pg_largeobject", ())
    yield Place(
        "domain over an array",
        "CREATE DOMAIN y{n} AS text[]; CREATE TABLE k{n} (c y{n}); INSERT INTO k{n} VALUES (ARRAY['x', {v}])",
        "public.k{n}.c",
    )
    yield Place(
        "array of a domain",
        "CREATE DOMAIN y{n} AS text; CREATE TABLE k{n} (c y{n}[]); INSERT INTO k{n} VALUES (ARRAY['x', {v}::y{n}])",
        "public.k{n}.c",
    )
    yield Place(
        "composite in a composite",
        "CREATE TYPE y{n} AS (a int, b text); CREATE TYPE y{n}x AS (c y{n}[], d int);"
        "CREATE TABLE k{n} (c y{n}x); INSERT INTO k{n} VALUES (ROW(ARRAY[ROW(1, {v})::y{n}], 2))",
        "public.k{n}.c",
    )
    yield Place(
        "multirange of text",
        "CREATE TYPE y{n} AS RANGE (subtype = text, multirange_type_name = y{n}m); CREATE TABLE k{n} (c y{n}m);"
        "INSERT INTO k{n} VALUES (y{n}m(y{n}({v}, 'zzz', '[]')))",
        "public.k{n}.c",
        _NAMED,
    )
    yield Place(
        "enum",
        "CREATE TYPE y{n} AS ENUM ('a', {v}); CREATE TABLE k{n} (c y{n}); INSERT INTO k{n} VALUES ({v})",
        "public.k{n}.c|labels of enum .*y{n}",
    )
    yield Place(
        "collation of its own",
        "CREATE TABLE k{n} (id int, c text COLLATE \"C\"); INSERT INTO k{n} VALUES (1, repeat('z', 9) || ' ' || {v})",
        "public.k{n}.c",
    )


_COMMENTED = {
    "column of a type": ("CREATE TYPE y{n} AS (a int)", "COLUMN y{n}.a"),
    "column of a view": ("CREATE VIEW y{n} AS SELECT 1 AS a", "COLUMN y{n}.a"),
    "column of a foreign table": ("CREATE FOREIGN TABLE y{n} (a int) SERVER bare_server", "COLUMN y{n}.a"),
    "materialized view": ("CREATE MATERIALIZED VIEW y{n} AS SELECT 1 AS c", "MATERIALIZED VIEW y{n}"),
    "foreign table": ("CREATE FOREIGN TABLE y{n} (a int) SERVER bare_server", "FOREIGN TABLE y{n}"),
    "domain": ("CREATE DOMAIN y{n} AS int", "DOMAIN y{n}"),
    "constraint of a domain": (
        "CREATE DOMAIN d{n} AS int CONSTRAINT y{n} CHECK (VALUE > 0)", "CONSTRAINT y{n} ON DOMAIN d{n}"),
    "procedure": ("CREATE PROCEDURE y{n}() LANGUAGE sql AS ''", "PROCEDURE y{n}()"),
    "aggregate": ("CREATE AGGREGATE y{n}(int) (SFUNC = int4pl, STYPE = int)", "AGGREGATE y{n}(int)"),
    "operator class": (
        "CREATE OPERATOR CLASS y{n} FOR TYPE int4 USING btree AS STORAGE int4", "OPERATOR CLASS y{n} USING btree"),
    "operator family": ("CREATE OPERATOR FAMILY y{n} USING btree", "OPERATOR FAMILY y{n} USING btree"),
    "access method": ("CREATE ACCESS METHOD y{n} TYPE INDEX HANDLER bthandler", "ACCESS METHOD y{n}"),
    "language": ("CREATE LANGUAGE y{n} HANDLER plpgsql_call_handler", "LANGUAGE y{n}"),
    "wrapper": ("CREATE FOREIGN DATA WRAPPER y{n}", "FOREIGN DATA WRAPPER y{n}"),
    "conversion": ("CREATE CONVERSION y{n} FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8", "CONVERSION y{n}"),
    "dictionary": ("CREATE TEXT SEARCH DICTIONARY y{n} (TEMPLATE = simple)", "TEXT SEARCH DICTIONARY y{n}"),
    "index of a constraint": (
        "CREATE TABLE k{n} (id int, CONSTRAINT y{n} UNIQUE (id))", "INDEX y{n}"),
}  # fmt: skip


def _catalogs() -> Iterator[Place]:
    """What catalogs hold, beside what `placements` lists."""
    for what, (make, on) in _COMMENTED.items():
        yield Place(f"comment on {what}", f"{make}; COMMENT ON {on} IS 'of {{raw}}'", "comment on .*[kyd]?{n}")
    yield Place(
        "default in a function's call",
        "CREATE TABLE k{n} (id int, c text DEFAULT upper(concat('of ', lower({v}))))",
        "default.*k{n}",
    )
    yield Place(
        "default of a column of a view",
        "CREATE VIEW y{n} AS SELECT note AS c FROM base; ALTER VIEW y{n} ALTER c SET DEFAULT {v}",
        "default.*y{n}",
    )
    yield Place(
        "bounds of a range of partitions",
        "CREATE TABLE k{n} PARTITION OF ranged FOR VALUES FROM ({v}) TO ({v} || 'a')",
        "partition .*k{n}",
        ("uuid",),
    )
    yield Place(
        "partition by hash of an expression",
        "CREATE TABLE k{n} (c text) PARTITION BY HASH ((c || {v}))",
        "partition key .*k{n}",
    )
    yield Place(
        "step of a sequence",
        "CREATE SEQUENCE y{n} INCREMENT {raw} START 1 CACHE 1",
        "numbers of sequence .*y{n}",
        ("card",),
    )
    yield Place("cache of a sequence", "CREATE SEQUENCE y{n} CACHE {raw}", "numbers of sequence .*y{n}", ("card",))
    yield Place(
        "identity column's start",
        "CREATE TABLE k{n} (id bigint GENERATED BY DEFAULT AS IDENTITY (START {raw}))",
        "numbers of sequence .*k{n}",
        ("card",),
    )
    yield Place("expression of statistics", "CREATE STATISTICS y{n} ON (upper(note || lower({v}))), n FROM base",
                "statistics y{n}")  # fmt: skip
    yield Place(
        "case of a trigger",
        "CREATE TRIGGER y{n} BEFORE UPDATE ON base FOR EACH ROW"
        " WHEN (CASE WHEN OLD.note = lower({v}) THEN true ELSE false END) EXECUTE FUNCTION quiet()",
        "trigger y{n}",
    )
    yield Place(
        "body of an atomic function",
        "CREATE FUNCTION y{n}() RETURNS bigint LANGUAGE sql"
        " BEGIN ATOMIC SELECT count(*) FROM base WHERE note = {v}; END",
        "function .*y{n}",
    )
    yield Place(
        "function that spells it",
        "CREATE FUNCTION y{n}() RETURNS text LANGUAGE sql AS $$SELECT E'{octal}'$$",
        "function .*y{n}",
    )
    yield Place(
        "function that adds it up",
        "CREATE FUNCTION y{n}() RETURNS text LANGUAGE sql AS $$SELECT '{head}' || '{tail}'$$",
        "function .*y{n}",
    )
    yield Place(
        "function of characters",
        "CREATE FUNCTION y{n}() RETURNS text LANGUAGE sql AS $$SELECT {chrs}$$",
        "function .*y{n}",
    )
    yield Place("setting of everybody", "ALTER ROLE ALL SET app.y{n} = {v}", "settings of all")
    yield Place("search path of a role", "CREATE ROLE y{n}; ALTER ROLE y{n} SET search_path = {i}",
                "settings of role y{n}", ("username", "uuid"))  # fmt: skip
    yield Place("type of a server", "CREATE SERVER y{n} TYPE {v} FOREIGN DATA WRAPPER bare", "server y{n}")
    yield Place(
        "attribute option",
        "CREATE FOREIGN TABLE y{n} (id int) SERVER bare_server;"
        " ALTER FOREIGN TABLE y{n} ALTER id OPTIONS (ADD who {v})",
        "column .*y{n}",
    )
    yield Place(
        "transition table's name",
        "CREATE TRIGGER y{n} AFTER UPDATE ON base REFERENCING NEW TABLE AS {i}"
        " FOR EACH STATEMENT EXECUTE FUNCTION quiet()",
        "trigger y{n}",
        ("username", "uuid"),
    )
    yield Place(
        "name of a cursor", "CREATE FUNCTION y{n}() RETURNS int LANGUAGE plpgsql AS $$DECLARE {i} CURSOR FOR SELECT 1;"
        " BEGIN RETURN 1; END$$", "function .*y{n}", ("username",),
    )  # fmt: skip
    yield Place(
        "alias in a view", "CREATE VIEW y{n} AS SELECT {i}.id FROM base AS {i}", "view .*y{n}", ("username", "uuid")
    )
    yield Place(
        "column of a view's names",
        "CREATE VIEW y{n} AS SELECT 1 AS {i}",
        "name of a column|view .*y{n}",
        ("username", "uuid"),
    )
    yield Place("name of a domain's constraint", "CREATE DOMAIN y{n} AS int CONSTRAINT {i} CHECK (VALUE > 1)",
                "name of a constraint|constraint", ("username", "uuid"))  # fmt: skip
    yield Place("name of an index", "CREATE INDEX {i} ON base (n)", "name of a relation|index", ("username", "uuid"))
    yield Place(
        "name of an operator", "CREATE SCHEMA s{n}; CREATE OPERATOR s{n}.<-> (FUNCTION = int4pl, LEFTARG = int,"
        " RIGHTARG = int); COMMENT ON OPERATOR s{n}.<-> (int, int) IS 'of {raw}'", "comment on operator .*s{n}"
    )  # fmt: skip
    yield Place(
        "column list of a publication",
        "CREATE TABLE k{n} (id int, {i} int); CREATE PUBLICATION y{n} FOR TABLE k{n} ({i})",
        "name of a column",
        ("uuid",),
    )
    yield Place("fast default of a document", "CREATE TABLE k{n} (id int); INSERT INTO k{n} VALUES (1);"
                "ALTER TABLE k{n} ADD c jsonb DEFAULT jsonb_build_object('a', {v});"
                "ALTER TABLE k{n} ALTER c DROP DEFAULT",
                "public.k{n}.c")  # fmt: skip
    yield Place("fast default of an array", "CREATE TABLE k{n} (id int); INSERT INTO k{n} VALUES (1);"
                "ALTER TABLE k{n} ADD c text[] DEFAULT ARRAY['x', {v}]; ALTER TABLE k{n} ALTER c DROP DEFAULT",
                "public.k{n}.c")  # fmt: skip
    for kind, type_, value, other in (("gin", "text[]", "ARRAY[{v}]", "ARRAY['x']"), ("brin", "text", "{v}", "'x'")):
        yield Place(
            f"entries of {kind} of rows that are gone",
            f"CREATE TABLE k{{n}} (c {type_}); CREATE INDEX ON k{{n}} USING {kind} (c);"
            f"INSERT INTO k{{n}} VALUES ({value}); UPDATE k{{n}} SET c = {other}",
            "data/base|pg_statistic|k{n}",
        )


def _numbers() -> Iterator[Place]:
    """Numbers in catalogs, which have few digits: they are counted."""
    yield Place(
        "start of a sequence, short", "CREATE SEQUENCE y{n} START {digits}", "numbers of sequences", ("national_id",)
    )
    yield Place("number of a large object", "SELECT lo_create({digits})", "numbers of large objects", ("national_id",))
    yield Place(
        "limit of a role", "CREATE ROLE y{n} CONNECTION LIMIT {digits}", "limits of connections", ("national_id",)
    )


def _corners() -> Iterator[Place]:
    """Corners of catalogs and files that few look into."""
    yield Place("name of another database", "CREATE DATABASE {i}", "cleaned.other databases|databases", ("email",))
    yield Place("name of a subscription", "CREATE SUBSCRIPTION {i} CONNECTION 'host=db.example' PUBLICATION p"
                " WITH (connect = false, slot_name = NONE)", "cleaned.subscriptions",
                ("username", "email"))  # fmt: skip
    yield Place("name of an origin", "SELECT pg_replication_origin_create({v})", "cleaned.replication origins",
                ("email",))  # fmt: skip
    yield Place("setting of the system", "ALTER SYSTEM SET log_line_prefix = {v}", "settings|postgresql.conf",
                ("email",))  # fmt: skip
    yield Place("option of a column", "CREATE TABLE k{n} (c int); ALTER TABLE k{n} ALTER c SET (n_distinct = {digits})",
                "options of column .*k{n}", ("national_id",))  # fmt: skip
    yield Place("option of a table", "CREATE TABLE k{n} (c int) WITH (autovacuum_vacuum_threshold = {digits})",
                "options of relation .*k{n}", ("national_id",))  # fmt: skip
    yield Place("length of a column", "CREATE TABLE k{n} (c varchar(9));"
                "UPDATE pg_attribute SET atttypmod = {digits} + 4 WHERE attrelid = 'k{n}'::regclass AND attname = 'c'",
                "lengths of columns", ("national_id",))  # fmt: skip
    yield Place("length of a domain", "CREATE DOMAIN y{n} AS varchar(9);"
                "UPDATE pg_type SET typtypmod = {digits} + 4 WHERE typname = 'y{n}'",
                "lengths of types", ("national_id",))  # fmt: skip
    yield Place("space of an aggregate",
                "CREATE AGGREGATE y{n}(int) (SFUNC = int4pl, STYPE = int, SSPACE = {digits})",
                "sizes of aggregates", ("national_id",))  # fmt: skip
    yield Place("label of a role", "CREATE ROLE y{n};"
                "INSERT INTO pg_shseclabel VALUES ('y{n}'::regrole, 'pg_authid'::regclass, 'y{n}', {v})",
                "label of y{n}")  # fmt: skip
    yield Place("comment on another database", "COMMENT ON DATABASE template1 IS 'of {raw}'",
                "comment on database template1", ("email",))  # fmt: skip
    yield Place("setting in another database", "CREATE ROLE y{n}; ALTER ROLE y{n} IN DATABASE postgres SET a.b = {v}",
                "settings of role y{n}")  # fmt: skip
    yield Place("expressions' statistics of rows that are gone",
                "CREATE TABLE k{n} (c text, d int); INSERT INTO k{n} SELECT {v}, 1 FROM generate_series(1, 9);"
                "CREATE STATISTICS y{n} ON (c || ' of'), (d + 1) FROM k{n}; ANALYZE k{n}; UPDATE k{n} SET c = 'x'",
                "data/base|pg_statistic|[ky]{n}")  # fmt: skip
    yield Place("statistics of a range of UUIDs that are gone",
                "CREATE TYPE y{n} AS RANGE (subtype = uuid, multirange_type_name = y{n}m); CREATE TABLE k{n} (c y{n});"
                "INSERT INTO k{n} SELECT y{n}({v}, NULL) FROM generate_series(1, 5); ANALYZE k{n};"
                "UPDATE k{n} SET c = NULL", "pg_statistic|k{n}", ("uuid",))  # fmt: skip
    yield Place("name of a text search parser", "CREATE TEXT SEARCH PARSER {i} (START = prsd_start,"
                " GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
                "name of a text search parser", ("username",))  # fmt: skip
    yield Place("name of a text search template", "CREATE TEXT SEARCH TEMPLATE {i} (LEXIZE = dsimple_lexize)",
                "name of a text search template", ("username",))  # fmt: skip
    yield Place("role of default rights", "CREATE ROLE {i};"
                "ALTER DEFAULT PRIVILEGES FOR ROLE {i} GRANT SELECT ON TABLES TO {i}", "name of a role",
                ("username",))  # fmt: skip


FARTHER = (*_columns(), *_catalogs(), *_numbers(), *_corners())
"""All of them."""
