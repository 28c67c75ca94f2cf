"""A support desk with everything that makes sanitization hard, and a mask simple enough to check by eye."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from envclone.models import FieldKind, FieldRule, Inventory, JsonRule, StorePlan
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.session import PREPARATION, REPLICA

SCHEMA = """
CREATE EXTENSION vector;
CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE customers (
    email varchar(60) PRIMARY KEY,
    full_name text NOT NULL CHECK (length(full_name) >= 0),
    nickname text,
    phone char(20),
    tags text[],
    grid text[][],
    profile jsonb NOT NULL DEFAULT '{}',
    letter json,
    obsolete text,
    search text GENERATED ALWAYS AS (upper(full_name)) STORED,
    referred_by varchar(60) REFERENCES customers (email) DEFERRABLE,
    best_friend bigint,
    born date,
    score numeric(6,2)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX customers_lower ON customers (lower(email));
CREATE INDEX customers_named ON customers (full_name) WHERE nickname IS NOT NULL;
CREATE INDEX customers_score ON customers (score);
CREATE TABLE badges (
    region text, code text, holder varchar(60) REFERENCES customers (email) ON UPDATE CASCADE,
    PRIMARY KEY (region, code)
);
CREATE TABLE visits (
    id bigserial PRIMARY KEY, region text, code text, note text,
    FOREIGN KEY (region, code) REFERENCES badges (region, code)
);
CREATE TABLE left_hand (id int PRIMARY KEY, name text UNIQUE, partner text);
CREATE TABLE right_hand (id int PRIMARY KEY, name text UNIQUE, partner text REFERENCES left_hand (name));
ALTER TABLE left_hand ADD FOREIGN KEY (partner) REFERENCES right_hand (name) DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE tickets (
    id int NOT NULL, opened date NOT NULL, author varchar(60) REFERENCES customers (email),
    body text, contact mail, embedding vector(32),
    PRIMARY KEY (id, opened)
) PARTITION BY RANGE (opened);
CREATE TABLE tickets_2025 PARTITION OF tickets FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE tickets_2026 (
    body text, contact mail, opened date NOT NULL, id int NOT NULL, author varchar(60), embedding vector(32));
ALTER TABLE tickets ATTACH PARTITION tickets_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON tickets USING hnsw (embedding vector_l2_ops);
CREATE INDEX ON tickets (body text_pattern_ops) WHERE length(body) < 200;
CREATE TABLE animals (name text);
CREATE TABLE dogs (owner text) INHERITS (animals);
CREATE VIEW authors AS SELECT author, count(*) AS n FROM tickets GROUP BY author;
CREATE MATERIALIZED VIEW busiest AS
    SELECT a.author, a.n, c.full_name FROM authors a JOIN customers c ON c.email = a.author;
CREATE UNIQUE INDEX ON busiest (author);
CREATE MATERIALIZED VIEW busiest_names AS SELECT full_name FROM busiest;
CREATE MATERIALIZED VIEW never AS SELECT email FROM customers WITH NO DATA;
CREATE STATISTICS names_together (mcv) ON full_name, nickname FROM customers;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger fired'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse_always BEFORE UPDATE ON badges FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE badges ENABLE ALWAYS TRIGGER refuse_always;
CREATE RULE swallow AS ON UPDATE TO visits DO INSTEAD NOTHING;
ALTER TABLE visits ENABLE ALWAYS RULE swallow;
ALTER TABLE left_hand ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE TABLE rights (holder text, acl aclitem);
CREATE SCHEMA "odd schema";
CREATE TABLE "odd schema"."Mixed ""Case" ("E mail" text, "Ünï" text);
"""

ROWS = 600
NAMES = ["Zoë Ångström", "Łukasz Żółć", "山田 太郎", "O'Brien Patrick", "José Núñez", "Ann-Marie Quirke"]


def email(i: int) -> str:
    """The i-th customer's address, found nowhere else."""
    return f"qx{i:05d}.person@origin{i % 7}.example"


def name(i: int) -> str:
    """The i-th customer's name, found nowhere else."""
    return f"{NAMES[i % len(NAMES)]} qzname{i:05d}"


def phone(i: int) -> str:
    """The i-th customer's phone number."""
    return f"+49 171 55{i:06d}"


def originals() -> dict[str, list[str]]:
    """Every value that must be nowhere afterwards, by field."""
    every = range(ROWS)
    return {
        "email": [email(i) for i in every],
        "name": [f"qzname{i:05d}" for i in every],
        "phone": [f"171 55{i:06d}" for i in every],
        "obsolete": [f"qdropped{i:05d}" for i in every],
        "body": [f"qbody{i:05d}" for i in every],
        "profile": [f"qprofile{i:05d}" for i in every],
    }


def load(connection: psycopg.Connection[Any]) -> None:
    """Make the schema and fill it, with dead rows, statistics, dropped columns and long texts."""
    import random

    rng = random.Random(7)
    cur = connection.cursor()
    cur.execute(SCHEMA)
    with cur.copy(
        "COPY customers (email, full_name, nickname, phone, tags, grid, profile, letter, obsolete,"
        " referred_by, born, score) FROM STDIN"
    ) as copy:
        for i in range(ROWS):
            profile = {
                "user": {"email": email(i), "age": i % 90, "ratio": 1.5},
                "contacts": [{"phone": phone(i), "kind": "home"}, {"phone": None}],
                "note": f'ünïcode qprofile{i:05d} \\ " /',
            }
            copy.write_row(
                (
                    email(i),
                    name(i),
                    [None, "", f"nick qzname{i:05d}"][i % 3],
                    phone(i),
                    [None, [], ["vip", None, f"tag qzname{i:05d}"], ['quo"ted', "com,ma", ""]][i % 4],
                    [["a", f"b qzname{i:05d}"], ["c", "NULL"]] if i % 5 == 0 else None,
                    json.dumps(profile, ensure_ascii=bool(i % 2)),
                    json.dumps({"z": email(i), "a": [1.10, 1e3]}, indent=i % 3),
                    f"qdropped{i:05d} " * (400 if i % 50 == 0 else 1),
                    email(i - 1) if i % 2 else None,
                    f"19{10 + i % 80}-01-02",
                    f"{i}.50",
                )
            )
    cur.execute("ALTER TABLE customers ADD COLUMN motto text DEFAULT 'mine is qdefault00000'")
    for i in range(0, ROWS, 2):
        cur.execute("INSERT INTO badges VALUES (%s, %s, %s)", [f"region {i % 5}", f"code {name(i)}", email(i)])
        cur.execute(
            "INSERT INTO visits (region, code, note) VALUES (%s, %s, %s)",
            [None if i % 10 == 0 else f"region {i % 5}", f"code {name(i)}", f"visited by {name(i)}"],
        )
        cur.execute("INSERT INTO animals VALUES (%s)", [f"cat of {name(i)}"])
        cur.execute("INSERT INTO dogs VALUES (%s, %s)", [f"dog of {name(i)}", name(i)])
    for i in range(20):
        cur.execute("INSERT INTO left_hand VALUES (%s, %s)", [i, f"left {name(i)}"])
        cur.execute("INSERT INTO right_hand VALUES (%s, %s, %s)", [i, f"right {name(i)}", f"left {name(i)}"])
        cur.execute("UPDATE left_hand SET partner = %s WHERE id = %s", [f"right {name(i)}", i])
    with cur.copy("COPY tickets (id, opened, author, body, contact, embedding) FROM STDIN") as copy:
        for i in range(ROWS):
            words = " ".join(rng.choice(["refund", "parcel", "late", f"qbody{i:05d}"]) for _ in range(20))
            long = f"qbody{i:05d} {words}" * (1 + 30 * (i % 9 == 0)) + "".join(
                chr(rng.randrange(97, 123)) for _ in range(9000 if i % 30 == 0 else 5)
            )
            vector = [rng.gauss(0, 1) for _ in range(32)]
            copy.write_row(
                (i, f"{2025 + i % 2}-03-01", email(i) if i % 4 else None, long, email(i), json.dumps(vector))
            )
    cur.execute("INSERT INTO rights SELECT %s, makeaclitem(10, 10, 'SELECT', false)", [name(3)])
    cur.execute('INSERT INTO "odd schema"."Mixed ""Case" VALUES (%s, %s)', [email(1), name(1)])
    cur.execute("CREATE TABLE hidden_history AS SELECT * FROM customers")
    cur.execute("DROP TABLE hidden_history")
    cur.execute("ALTER TABLE customers DROP COLUMN obsolete")
    cur.execute("DELETE FROM animals WHERE ctid IN (SELECT ctid FROM ONLY animals LIMIT 50)")
    cur.execute("REFRESH MATERIALIZED VIEW busiest")
    cur.execute("REFRESH MATERIALIZED VIEW busiest_names")
    cur.execute("ANALYZE")


class LetterMasks:
    """Rotates ASCII letters by 13 and digits by 5: keeps lengths and is its own inverse; other letters become one."""

    key_id = "test"
    _table = str.maketrans(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm5678901234"[:26]
        + "nopqrstuvwxyzabcdefghijklm"
        + "5678901234",
    )

    def separable(self, rule: FieldRule) -> bool:
        """Any copy of this process can do it."""
        return True

    def field(self, rule: FieldRule) -> Callable[[Sequence[Any]], list[Any]]:
        """The mask of one field."""
        if rule.kind is FieldKind.JSON:
            return lambda values: [None if v is None else self.json(v, rule.json) for v in values]
        if rule.domain == "null":
            return lambda values: [None] * len(values)
        if rule.domain == "same":
            return lambda values: [None if v is None else "everybody" for v in values]
        return lambda values: [self.any(v) for v in values]

    def any(self, value: Any) -> Any:
        """One value, or a nested list of them."""
        if isinstance(value, list):
            return [self.any(item) for item in value]
        return None if value is None else value.translate(self._table)

    def json(self, text: str, rules: Sequence[JsonRule]) -> str:
        """A JSON text with its matching leaves masked, printed as it happens."""
        paths = {rule.path for rule in rules if rule.domain != "keep"}

        def walk(value: Any, path: str) -> Any:
            if isinstance(value, dict):
                return {k: walk(v, f"{path}.{k}") for k, v in value.items()}
            if isinstance(value, list):
                return [walk(v, f"{path}[*]") for v in value]
            return self.any(value) if isinstance(value, str) and path in paths else value

        return json.dumps(walk(json.loads(text), "$"), ensure_ascii=True)


KEEP = {"born", "score", "embedding", "id", "opened", "best_friend", "region"}


def plan(inventory: Inventory, **domains: str) -> StorePlan:
    """Mask every text, array and JSON field, keep the rest; `domains` chooses others by column name."""
    rules = {}
    for address, field in inventory.fields.items():
        column = address.rpartition(".")[2]
        masked = field.kind in (FieldKind.TEXT, FieldKind.ARRAY, FieldKind.JSON) and column not in KEEP
        domain = domains.get(column, "letters" if masked and not field.generated else "keep")
        json_rules = ()
        if field.kind is FieldKind.JSON and masked:
            json_rules = tuple(JsonRule(path, "letters") for path in field.paths)
            domain = "keep"
        rules[address] = FieldRule(address, field.kind, domain, json_rules)
    return StorePlan("main", rules)


def connector(production: Any, database: str) -> Callable[..., contextlib.AbstractContextManager[Any]]:
    """What a private session connects by, against a test's server."""

    @contextlib.contextmanager
    def connect(
        dbname: str | None = None, *, autocommit: bool = True, login: Login = Login.WORKER
    ) -> Iterator[psycopg.Connection[Any]]:
        socket = {"host": str(production.socket_dir), "port": production.port, "user": production.superuser}
        with contextlib.closing(psycopg.connect(dbname=dbname or database, autocommit=True, **socket)) as conn:
            conn.execute(PREPARATION + ("" if login is Login.AUTHOR else REPLICA))
            conn.autocommit = autocommit
            yield conn

    return connect


def occurrences(data: Path, needles: Sequence[str]) -> dict[str, list[str]]:
    """Which files of a directory hold which of the strings, as plain bytes."""
    import ahocorasick_rs

    automaton = ahocorasick_rs.BytesAhoCorasick([n.encode() for n in needles])
    found: dict[str, list[str]] = {}
    spaces = [file for space in (data / "pg_tblspc").iterdir() for file in space.rglob("*")]
    for path in sorted([*data.rglob("*"), *spaces]):
        if path.is_file():
            hits = {needles[i] for i, _, _ in automaton.find_matches_as_indexes(path.read_bytes())}
            if hits:
                found[str(path.relative_to(data))] = sorted(hits)
    return found
