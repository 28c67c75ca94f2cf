"""Productions with everything that few have: one image of all of it, and one clear refusal of what cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from envclone.accounts import hand_over, service_account
from tests.support.majors import NEWEST_FIRST
from tests.support.postgres import Production, production
from tests.support.stack import Place, bytes_hold, place

pytestmark = pytest.mark.real

STACK = """\
version: 1
project: uncommon
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
"""
PEOPLE = """
CREATE TABLE people (id int PRIMARY KEY, name text, email text);
INSERT INTO people SELECT i, 'Zanna Quimb' || chr(97 + i % 26) || chr(97 + i / 26), 'zanzibar' || i || '@corp.example'
    FROM generate_series(1, 60) i;
"""
Rules = dict[str, Any]
UNCOMMON: dict[str, tuple[str, Rules]] = {
    "unlogged": (
        "CREATE UNLOGGED TABLE lost (id int PRIMARY KEY, email text UNIQUE,"
        " s text GENERATED ALWAYS AS ('x' || email) STORED); INSERT INTO lost SELECT id, email FROM people",
        {"lost.id": "keep", "lost.email": "email"},
    ),
    "large objects": (
        "SELECT lo_from_bytea(5000, 'bytes of nobody'); CREATE ROLE keeper; ALTER LARGE OBJECT 5000 OWNER TO keeper;"
        "GRANT SELECT ON LARGE OBJECT 5000 TO PUBLIC; COMMENT ON LARGE OBJECT 5000 IS 'a thing'",
        {},
    ),
    "dropped and late columns": (
        "CREATE TABLE late (id int, a text, b text, email text);"
        "INSERT INTO late SELECT id, email, name, email FROM people;"
        "ALTER TABLE late DROP a; ALTER TABLE late ADD later text DEFAULT 'zanzibar3@corp.example';"
        "ALTER TABLE late ALTER later DROP DEFAULT; ALTER TABLE late ADD n int DEFAULT 7; ALTER TABLE late DROP b;"
        "INSERT INTO late SELECT id, email, email FROM people WHERE id < 5;"
        "ALTER TABLE late ADD gone text DEFAULT 'zanzibar4@corp.example'; ALTER TABLE late DROP gone",
        {"late.id": "keep", "late.email": "email", "late.later": "email", "late.n": "keep"},
    ),
    "1,600 columns": (
        f"CREATE TABLE wide (id int, {', '.join(f'c{i} text' for i in range(1, 1600))});"
        "INSERT INTO wide (id, c1, c700, c1599) SELECT id, email, name, email FROM people;"
        f"INSERT INTO wide (id, {', '.join(f'c{i}' for i in range(1, 300))})"
        f" SELECT 99, {', '.join('email' for _ in range(1, 300))} FROM people WHERE id < 4",
        {"wide.id": "keep", "wide.c700": "person", "wide.*": "email"},
    ),
    "inherited": (
        "CREATE TABLE above (id int, email text); CREATE TABLE below (name text) INHERITS (above);"
        "CREATE TABLE lowest (email text) INHERITS (below); INSERT INTO above SELECT id, email FROM people;"
        "INSERT INTO below SELECT id, email, name FROM people; INSERT INTO lowest SELECT id, email, name FROM people",
        {f"{t}.{c}": r for t in ("above", "below", "lowest") for c, r in (("id", "keep"), ("email", "email"))}
        | {"below.name": "person", "lowest.name": "person"},
    ),
    "generated": (
        "CREATE TABLE made (id int, email text, up text GENERATED ALWAYS AS (upper(email)) STORED{virtual});"
        "INSERT INTO made SELECT id, email FROM people",
        {"made.id": "keep", "made.email": "email"},
    ),
    "foreign": (
        "CREATE FOREIGN DATA WRAPPER bare; CREATE SERVER far FOREIGN DATA WRAPPER bare OPTIONS (host '10.0.0.1');"
        "CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'x', password 'secret1');"
        "CREATE FOREIGN TABLE afar (a text OPTIONS (column_name 'b')) SERVER far;"
        "CREATE TABLE parts (id int, email text) PARTITION BY RANGE (id);"
        "CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (100);"
        "CREATE FOREIGN TABLE part2 PARTITION OF parts FOR VALUES FROM (100) TO (200) SERVER far;"
        "INSERT INTO parts SELECT id, email FROM people",
        {"parts.id": "keep", "parts.email": "email"},
    ),
    "labels": (
        "INSERT INTO pg_seclabel VALUES ('people'::regclass, 'pg_class'::regclass, 0, 'prov', 'secret level');"
        "INSERT INTO pg_shseclabel VALUES (10, 'pg_authid'::regclass, 'prov', 'top');"
        "CREATE ROLE past; COMMENT ON ROLE past IS 'of zanzibar9@corp.example'; DROP ROLE past",
        {},
    ),
    "domains over domains": (
        "CREATE DOMAIN em AS text CHECK (VALUE LIKE '%@%'); CREATE DOMAIN em2 AS em CHECK (length(VALUE) < 99);"
        "CREATE DOMAIN ems AS em2[] CHECK (array_length(VALUE, 1) < 9); CREATE DOMAIN ems2 AS ems NOT NULL;"
        "CREATE TABLE dom (id int, e em2, es ems2);"
        "INSERT INTO dom SELECT id, email, ARRAY[email::em2, ('x' || email)::em2] FROM people",
        {"dom.id": "keep", "dom.e": "email", "dom.es": "email"},
    ),
    "rows in rows": (
        "CREATE TYPE inner_t AS (j jsonb, t text); CREATE TYPE outer_t AS (i inner_t, n int);"
        "CREATE TABLE comp (id int, c outer_t, a inner_t[], doc jsonb); INSERT INTO comp SELECT id,"
        " ROW(ROW(jsonb_build_object('who', jsonb_build_object('email', email)), name)::inner_t, id)::outer_t,"
        " ARRAY[ROW(jsonb_build_object('a', 1), name)::inner_t],"
        " jsonb_build_object('c', to_jsonb(ROW(NULL, email)::inner_t)) FROM people",
        {"comp.id": "keep", "comp.c": "text", "comp.a": "null", "comp.doc": {"$.c.t": "email"}},
    ),
    "no columns": (
        "CREATE TABLE zero (); INSERT INTO zero DEFAULT VALUES; INSERT INTO zero DEFAULT VALUES;"
        "CREATE TABLE once (a text); INSERT INTO once SELECT email FROM people; ALTER TABLE once DROP a",
        {},
    ),
    "row security": (
        "CREATE ROLE landlord LOGIN; CREATE TABLE secured (id int, email text);"
        "INSERT INTO secured SELECT id, email FROM people; ALTER TABLE secured OWNER TO landlord;"
        "ALTER TABLE secured ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY few ON secured USING (id > 30)",
        {"secured.id": "keep", "secured.email": "email"},
    ),
    "exclusion": (
        "CREATE TABLE apart (id int, email text, r int4range, EXCLUDE USING btree (email WITH =, r WITH =));"
        "INSERT INTO apart SELECT id, email, int4range(id, id + 3) FROM people;"
        "INSERT INTO apart SELECT id, email, int4range(id + 3, id + 5) FROM people",
        {"apart.id": "keep", "apart.email": "email", "apart.r": "keep"},
    ),
    "casts of masked values": (
        "CREATE TABLE codes (id int, code text); INSERT INTO codes SELECT id, (100000 + id)::text FROM people;"
        "CREATE VIEW numbers AS SELECT id, code::int + 1 AS c FROM codes; CREATE INDEX ON codes ((code::int));"
        "CREATE MATERIALIZED VIEW shouted AS SELECT id, email, upper(name) AS n FROM people;"
        "CREATE UNIQUE INDEX ON shouted (id)",
        {"codes.id": "keep", "codes.code": "redact", "shouted.n": "person"},
    ),
    "typed and clustered": (
        "CREATE TYPE ty AS (id int, email text); CREATE TABLE typed OF ty;"
        "INSERT INTO typed SELECT id, email FROM people;"
        "CREATE INDEX typed_email ON typed (email); CLUSTER typed USING typed_email;"
        "ALTER TABLE typed REPLICA IDENTITY FULL;"
        "ALTER TABLE typed DISABLE TRIGGER ALL; ALTER TABLE typed SET (fillfactor = 40)",
        {"typed.id": "keep", "typed.email": "email"},
    ),
    "partitions of partitions": (
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE moods (id int, m mood, email text) PARTITION BY LIST (m);"
        "CREATE TABLE mood_a PARTITION OF moods FOR VALUES IN ('a');"
        "CREATE TABLE mood_b PARTITION OF moods FOR VALUES IN ('b') PARTITION BY HASH (id);"
        "CREATE TABLE mood_b0 PARTITION OF mood_b FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE mood_b1 PARTITION OF mood_b FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
        "INSERT INTO moods SELECT id, CASE WHEN id % 2 = 0 THEN 'a' ELSE 'b' END::mood, email FROM people",
        {"moods.id": "keep", "moods.m": "keep", "moods.email": "email"},
    ),
    "no binary form": (
        "CREATE TABLE rights (a aclitem, b aclitem[]);"
        "INSERT INTO rights SELECT makeaclitem(10, 10, 'SELECT', false), ARRAY[makeaclitem(10, 10, 'SELECT', false)]",
        {"rights.*": "keep"},
    ),
    "publications": (
        "CREATE TABLE told (id int PRIMARY KEY, email text, st text);"
        "INSERT INTO told SELECT id, email, 'open' FROM people;"
        "CREATE PUBLICATION p1 FOR TABLE told (id, st) WHERE (id > 5), TABLE people;"
        "CREATE PUBLICATION p2 FOR TABLES IN SCHEMA public; CREATE PUBLICATION p3 FOR ALL TABLES",
        {"told.id": "keep", "told.email": "email", "told.st": "keep"},
    ),
    "last: an event trigger": (
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no DDL here'; END $$;"
        "CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION no();"
        "ALTER EVENT TRIGGER no_ddl ENABLE ALWAYS",
        {},
    ),
}
NAMES = [
    ('we"ird.sch', 'ta.b"le\nnew', 'e.ma"il'),
    ("public", "\x1b[31mred\x1b]0;own\x07", "\x1b[2J"),
    ("public", "\u00fcn\u00ef\u202ecode", "\u540d\u524d"),
    ("public", "select", "from"),
    ("public", " ", " "),
    ("public", "{a}", "{}"),
    ("public", "%s", "%(a)s"),
]


def _detach(server: Production) -> None:
    """A partition whose detachment was broken off: its rows are in no query of the parent."""
    server.execute(
        "CREATE TABLE det (id int, email text) PARTITION BY RANGE (id);"
        "CREATE TABLE det1 PARTITION OF det FOR VALUES FROM (0) TO (30);"
        "CREATE TABLE det2 PARTITION OF det FOR VALUES FROM (30) TO (100);"
        "INSERT INTO det SELECT id, email FROM people; CREATE INDEX ON det (email)",
        "app",
    )
    with server.connect("app") as reader, server.connect("app") as other:
        reader.execute("BEGIN; SELECT FROM det")
        other.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("ALTER TABLE det DETACH PARTITION det2 CONCURRENTLY")
    assert server.execute("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'det2'::regclass", "app") == [
        (True,)
    ]


def _named(server: Production) -> Rules:
    """Tables whose names want quotes, end lines and write on a terminal."""
    quoted = psycopg.sql.Identifier
    with server.connect("app") as conn:
        for schema, table, column in NAMES:
            conn.execute(psycopg.sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(quoted(schema)))
            conn.execute(
                psycopg.sql.SQL("CREATE TABLE {} AS SELECT email AS {} FROM people").format(
                    quoted(schema, table), quoted(column)
                )
            )
    return {".".join(name): "email" for name in NAMES}


def _tidy(server: Production) -> None:
    """Values that VACUUM took out of an index stand in its gaps."""
    server.execute(
        "CREATE TABLE tidied (t text); CREATE INDEX ON tidied (t); CREATE INDEX ON tidied USING spgist (t);"
        "INSERT INTO tidied SELECT 'kept' || i FROM generate_series(1, 9) i;"
        "INSERT INTO tidied SELECT email FROM people;"
        "DELETE FROM tidied WHERE t NOT LIKE 'kept%'",
        "app",
    )
    server.execute("VACUUM tidied", "app")


def _prepare(server: Production) -> None:
    with server.connect("app") as conn:
        conn.execute(
            "CREATE TABLE held (id int PRIMARY KEY, email text); INSERT INTO held SELECT id, email FROM people"
        )
        conn.execute("BEGIN")
        conn.execute("UPDATE held SET email = 'new' || email WHERE id < 9")
        conn.execute("INSERT INTO held VALUES (1000, 'zanzibar5@corp.example')")
        conn.execute("DELETE FROM held WHERE id = 20")
        conn.execute("SELECT FROM held WHERE id = 30 FOR UPDATE")
        conn.execute("PREPARE TRANSACTION 'of zanzibar7@corp.example'")


def _far(server: Production) -> None:
    far: Path = server.data.parent / "far away"
    far.mkdir(mode=0o700)
    hand_over(far, service_account())
    with server.connect("app") as conn:
        conn.execute(f'CREATE TABLESPACE "far""away.1" LOCATION \'{far}\''.encode())
        conn.execute('COMMENT ON TABLESPACE "far""away.1" IS \'slow disks\'')
        conn.execute('CREATE TABLE distant TABLESPACE "far""away.1" AS SELECT id, email FROM people')


def _stack(rules: Rules) -> str:
    domains = {"email": {"kind": "email"}, "fixed": {"kind": "constant", "value": "nobody"}}
    return STACK + yaml.safe_dump({"sanitize": {"domains": domains, "rules": {"main": rules}}}, width=10**6)


@pytest.fixture(scope="module", params=NEWEST_FIRST)
def prod(request: pytest.FixtureRequest) -> Iterator[Production]:
    with production(request.param, {"max_prepared_transactions": "5"}) as server:
        server.create_database("app")
        server.execute(PEOPLE, "app")
        yield server


@pytest.fixture
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        yield made


REFUSED = {
    "an index over an expression": ("CREATE INDEX odd_index ON odd ((code::int))", "odd_index"),
    "a check": ("ALTER TABLE odd ADD CONSTRAINT odd_check CHECK (code::int > 5)", "odd_check"),
    "a generated column": ("ALTER TABLE odd ADD n int GENERATED ALWAYS AS (code::int) STORED", "public.odd"),
    "an exclusion": ("ALTER TABLE odd ADD CONSTRAINT odd_apart EXCLUDE USING btree (code WITH =)", "odd_apart"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_pseudonym_that_fails_an_expression_is_one_clear_refusal(prod: Production, here: Place, what: str) -> None:
    make, named = REFUSED[what]
    prod.execute(
        f"CREATE TABLE odd (id int, code text); INSERT INTO odd SELECT id, (100000 + id)::text FROM people; {make}",
        "app",
    )
    try:
        here.write(
            _stack(
                {
                    "public.people.*": "redact",
                    "public.people.id": "keep",
                    "public.odd.id": "keep",
                    "public.odd.code": "fixed",
                }
            )
        )
        refused = here.call("image", "prod", check=False)
    finally:
        prod.execute("DROP TABLE odd", "app")
    assert refused.returncode in (3, 4), refused.stderr
    assert named in refused.stderr and "hint:" in refused.stderr
    assert not [one for one in here.leftovers() if not one.startswith("raw/")]


def test_an_image_of_everything_that_is_uncommon(prod: Production, here: Place) -> None:
    virtual = ", v text GENERATED ALWAYS AS (lower(email)) VIRTUAL" if prod.engine.major >= 18 else ""
    rules: Rules = {"public.people.id": "keep", "public.people.name": "person", "public.people.email": "email"}
    rules |= {
        "pg_largeobject": "keep",
        "public.distant.id": "keep",
        "public.distant.email": "email",
        "public.tidied.*": "keep",
    }
    rules |= {f"public.{t}.{c}": r for t in ("det", "det2", "held") for c, r in (("id", "keep"), ("email", "email"))}
    rules |= _named(prod)
    _tidy(prod)  # nothing may hold dead rows yet
    _detach(prod)
    _prepare(prod)
    _far(prod)
    for sql, own in UNCOMMON.values():
        prod.execute(sql.replace("{virtual}", virtual), "app")
        rules |= {f"public.{field}": rule for field, rule in own.items()}
    here.write(_stack(rules))
    here.call("image", "prod")
    (image,) = (here.pool / "images").iterdir()
    assert bytes_hold(image, [b"zanzibar", b"Zanna", b"ZANZIBAR", b"z\0a\0n\0z\0i", b"secret1"]) == {}
    here.call("verify", image.name)
    here.call("branch", "prod", "--name", "b")
    here.call("rm", "b")
