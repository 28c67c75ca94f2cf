"""Random tables: types, nulls, dropped and late columns, storage, updates, deletes, aborts, locks, long and wide rows.

`make(conn, seed)` builds one table from a seed and says what becomes of its columns. Everything follows from the seed,
so that a seed that fails can be looked at again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from envclone.masking.kinds import DomainSpec

__all__ = ["DOMAINS", "Torment", "make", "setup"]

DOMAINS = {
    "tiny": DomainSpec("constant", value="x"),
    "longer": DomainSpec("constant", value="y" * 60),
    "long": DomainSpec("constant", value="z1" * 400),
    "huge": DomainSpec("constant", value="".join(chr(97 + (i * i // 7) % 26) for i in range(9000))),
}
"""Constants of many lengths beside the kinds: pages overflow, values move into the TOAST table and out of it."""

_WORDS = """
invoice refund tenant index vector answer policy harbour quarter ledger bridge signal orchard winter copper please
call back tomorrow about the open ticket and the wrong amount that was promised by friday
""".split()  # noqa: SIM905
_FIRST = "Jane Miguel Aisha Wei Olga Tom Priya Lars Fatima Kofi Zoë Björn José".split()  # noqa: SIM905
_LAST = "Doe Garcia Khan Zhang Petrova Smith Patel Nilsen Rahman Mensah Müller Ångström O'Neil".split()  # noqa: SIM905


def setup(conn: psycopg.Connection[Any]) -> None:
    """What the tables share: types, and extensions where the server has them."""
    conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
    for name in ("citext", "hstore"):
        if conn.execute("SELECT 1 FROM pg_available_extensions WHERE name = %s", [name]).fetchone():
            conn.execute(f"CREATE EXTENSION IF NOT EXISTS {name}".encode())
    conn.execute("CREATE TYPE mood AS ENUM ('calm', 'odd')")
    conn.execute("CREATE TYPE pair AS (label text, amount int)")
    conn.execute("CREATE DOMAIN short_name AS text CHECK (length(VALUE) < 20000)")


@dataclass
class Torment:
    """One table: its name, its rules by column, the columns' types, and what was done to it."""

    seed: int
    name: str
    rules: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)


def make(conn: psycopg.Connection[Any], seed: int) -> Torment:
    """Build the table `t<seed>` on an autocommit connection."""
    return _Maker(conn, seed).make()


Value = Callable[[], Any]


class _Maker:
    def __init__(self, conn: psycopg.Connection[Any], seed: int) -> None:
        self.conn = conn
        self.random = random.Random(seed)
        self.table = Torment(seed, f"t{seed}")
        self.version = conn.info.server_version
        self.values: dict[str, Value] = {}
        self.next = 1
        self.late = 0
        lz4 = conn.execute(
            "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
        ).fetchone()
        self.lz4 = bool(lz4 and lz4[0])
        there = conn.execute("SELECT count(*) FROM pg_extension WHERE extname IN ('citext', 'hstore')").fetchone()
        self.contrib = bool(there and there[0] == 2)

    def make(self) -> Torment:
        rnd, table = self.random, self.table
        partitioned = rnd.random() < 0.2
        unlogged = not partitioned and rnd.random() < 0.1
        columns = ["id int NOT NULL"]
        for number in range(rnd.randint(1, 12)):
            name = f"c{number}"
            columns.append(f"{name} {self._column(name)}")
        rnd.shuffle(columns)
        with_vector = rnd.random() < 0.3
        if with_vector:
            columns.append("v vector(8)")
            table.rules["v"] = {"vectors": "keep"}
            self.values["v"] = lambda: "[" + ",".join(f"{rnd.random():.3f}" for _ in range(8)) + "]"
        suffix = " PARTITION BY HASH (id)" if partitioned else ""
        place = " TABLESPACE far" if not partitioned and rnd.random() < 0.15 else ""
        fill = "" if partitioned else f" WITH (fillfactor = {rnd.choice([100, 100, 50, 80])}, autovacuum_enabled = off)"
        self._run(
            f"CREATE {'UNLOGGED ' if unlogged else ''}TABLE {table.name} ({', '.join(columns)}){suffix}{fill}{place}"
        )
        for part in range(3 if partitioned else 0):
            self._run(
                f"CREATE TABLE {table.name}_p{part} PARTITION OF {table.name}"
                f" FOR VALUES WITH (MODULUS 3, REMAINDER {part})"
            )
        table.rules["id"] = "keep"
        for name, type_ in list(table.types.items()):
            self._storage(name, type_)
        self._indexes(with_vector)
        self._insert(rnd.choice([3, 30, 120, 300]))
        for _ in range(rnd.randint(0, 8)):
            self._act(partitioned)
        return table

    def _run(self, statement: str) -> None:
        self.table.history.append(statement)
        self.conn.execute(statement.encode())

    def _column(self, name: str) -> str:
        kinds = [
            self._person, self._email, self._long_text, self._text, self._varchar, self._char, self._number_types,
            self._uuid, self._dates, self._numeric, self._float, self._inet, self._macaddr, self._jsonb, self._jsonb,
            self._json, self._text_array, self._int_array, self._bytea, self._enum, self._composite, self._range,
            self._domain, self._bool, self._generated,
        ]  # fmt: skip
        if self.contrib:
            kinds += [self._citext, self._hstore]
        type_, domains, value = self.random.choice(kinds)()
        self.table.types[name] = type_
        rule = self.random.choice(domains)
        if isinstance(rule, str) and self.random.random() < 0.15 and "GENERATED" not in type_:
            rule = self.random.choice(["null", "keep"])
        if type_.startswith("date") and rule == "date" and self.random.random() < 0.5:
            rule = {"domain": "date", "by": "id"}
        self.table.rules[name] = rule
        if "GENERATED" not in type_:
            share = self.random.choice([0.0, 0.2, 0.6])
            self.values[name] = lambda: None if self.random.random() < share else value()
        return type_

    def _words(self, most: int) -> str:
        rnd = self.random
        words = rnd.choices(_WORDS, k=rnd.randint(0, most))
        for _ in range(len(words) // 6):
            words[rnd.randrange(len(words))] = rnd.choice([self._name(), self._mail(), "+49 30 1234567"])
        return " ".join(words)

    def _name(self) -> str:
        return f"{self.random.choice(_FIRST)} {self.random.choice(_LAST)}"

    def _mail(self) -> str:
        rnd = self.random
        return f"{rnd.choice(_FIRST)}.{rnd.choice(_LAST)}{rnd.randint(1, 9999)}@corp.example".lower().replace("'", "")

    def _person(self) -> Any:
        return "text", ["person", "longer", "tiny", "redact", "text"], self._name

    def _email(self) -> Any:
        return "text", ["email", "key", "long"], self._mail

    def _text(self) -> Any:
        return "text", ["text", "redact", "huge", "longer"], lambda: self._words(40)

    def _long_text(self) -> Any:
        sizes = [200, 1500, 4000]
        rnd = self.random

        def value() -> str:
            if rnd.random() < 0.3:  # hardly compressible
                return "".join(chr(rnd.randint(33, 126)) for _ in range(rnd.randint(0, 12_000)))
            return self._words(rnd.choice(sizes))

        return "text", ["text", "text", "redact", "tiny", "huge"], value

    def _varchar(self) -> Any:
        return "varchar(60)", ["person", "redact", "longer", "key"], lambda: self._name()[:60]

    def _char(self) -> Any:
        return "char(24)", ["person", "redact", "tiny"], lambda: self._name()[:24]

    def _number_types(self) -> Any:
        type_ = self.random.choice(["int2", "int4", "int8"])
        most = {"int2": 30_000, "int4": 2_000_000_000, "int8": 10**15}[type_]
        return type_, ["integer", "number"], lambda: self.random.randint(1, most)

    def _uuid(self) -> Any:
        return "uuid", ["uuid"], lambda: f"{self.random.getrandbits(128):032x}"

    def _dates(self) -> Any:
        type_ = self.random.choice(["date", "timestamp", "timestamptz", "timestamp(3)", "date"])

        def value() -> str:
            rnd = self.random
            day = f"{rnd.randint(1900, 2090)}-{rnd.randint(1, 12):02d}-{rnd.randint(1, 28):02d}"
            clock = f" {rnd.randint(0, 23):02d}:{rnd.randint(0, 59):02d}:{rnd.randint(0, 59):02d}.{rnd.randint(0, 999)}"
            return day if type_ == "date" else day + clock

        return type_, ["date"], value

    def _numeric(self) -> Any:
        type_ = self.random.choice(["numeric", "numeric(12,2)", "numeric"])
        rnd = self.random

        def value() -> str:
            if type_ != "numeric":
                return f"{rnd.uniform(-(10**6), 10**6):.2f}"
            return rnd.choice(
                ["0", "0.000", "-1.50", f"{rnd.random():.12f}", f"{rnd.getrandbits(90)}.{rnd.randint(0, 99)}"]
            )

        return type_, ["number", "redact"], value

    def _float(self) -> Any:
        return self.random.choice(["float4", "float8"]), ["number"], lambda: self.random.uniform(-1000, 1000)

    def _inet(self) -> Any:
        rnd = self.random

        def value() -> str:
            if rnd.random() < 0.3:
                return ":".join(f"{rnd.getrandbits(16):x}" for _ in range(8))
            return ".".join(str(rnd.randint(1, 250)) for _ in range(4)) + rnd.choice(["", "", "/24"])

        return "inet", ["ip"], value

    def _macaddr(self) -> Any:
        return "macaddr", ["mac"], lambda: f"{self.random.getrandbits(48):012x}"

    def _document(self) -> dict[str, Any]:
        rnd = self.random
        return {
            "name": self._name(),
            "email": self._mail() if rnd.random() < 0.7 else None,
            "n": rnd.choice([0, 1, -5, 1.5, 10**20, 1e-7]),
            "flag": rnd.random() < 0.5,
            "notes": [self._words(rnd.choice([3, 8, 200])) for _ in range(rnd.choice([0, 1, 2, 40]))],
            "who": {"name": self._name(), "empty": "", "deep": {"name": self._name()}},
        }

    def _documents(self) -> Any:
        paths = {
            "$.name": "person", "$.email": "email", "$.n": "keep", "$.flag": "keep", "$.notes[*]": "text",
            "$.who.name": self.random.choice(["person", "longer", "null"]), "$.who.empty": "keep",
            "$.who.deep.name": "person",
        }  # fmt: skip
        return paths, lambda: json.dumps(self._document())

    def _jsonb(self) -> Any:
        paths, value = self._documents()
        return "jsonb", [paths], value

    def _json(self) -> Any:
        paths, value = self._documents()
        return "json", [paths], value

    def _text_array(self) -> Any:
        rnd = self.random

        def value() -> list[str | None]:
            return [self._name() if rnd.random() < 0.9 else None for _ in range(rnd.choice([0, 1, 3, 60]))]

        return "text[]", ["person", "text", "longer"], value

    def _int_array(self) -> Any:
        type_ = self.random.choice(["int4[]", "int8[]"])
        return type_, ["integer"], lambda: [self.random.randint(1, 10**9) for _ in range(self.random.choice([0, 1, 7]))]

    def _bytea(self) -> Any:
        rnd = self.random
        return "bytea", ["bytes", "redact"], lambda: rnd.randbytes(rnd.choice([0, 3, 200, 5000]))

    def _citext(self) -> Any:
        return "citext", ["person", "email", "longer"], self._mail

    def _hstore(self) -> Any:
        def value() -> str:
            return f'name=>"{self._name()}", note=>"{self._words(9)}", nothing=>NULL'

        return "hstore", [{"$.name": "person", "$.note": "text", "$.nothing": "keep"}], value

    def _enum(self) -> Any:
        return "mood", ["keep"], lambda: self.random.choice(["calm", "odd"])

    def _composite(self) -> Any:
        return (
            "pair",
            [{"$.label": "person", "$.amount": "keep"}],
            lambda: f'("{self._name()}",{self.random.randint(0, 9)})',
        )

    def _range(self) -> Any:
        return (
            "daterange",
            ["date"],
            lambda: f"[20{self.random.randint(10, 20)}-02-03,20{self.random.randint(21, 30)}-05-06)",
        )

    def _domain(self) -> Any:
        return "short_name", ["person", "text"], self._name

    def _bool(self) -> Any:
        return "boolean", ["keep"], lambda: self.random.random() < 0.5

    def _generated(self) -> Any:
        sources = [n for n, t in self.table.types.items() if t in ("text", "varchar(60)")]
        if not sources:
            return self._bool()
        return f"text GENERATED ALWAYS AS (upper({self.random.choice(sources)})) STORED", ["keep"], None

    def _storage(self, name: str, type_: str) -> None:
        if type_ not in ("text", "jsonb", "json", "bytea", "varchar(60)", "text[]"):
            return
        if self.random.random() < 0.4:
            how = self.random.choice(["EXTERNAL", "MAIN", "EXTENDED"])
            self._run(f"ALTER TABLE {self.table.name} ALTER {name} SET STORAGE {how}")
        if self.lz4 and self.random.random() < 0.5:
            self._run(f"ALTER TABLE {self.table.name} ALTER {name} SET COMPRESSION lz4")

    def _indexes(self, with_vector: bool) -> None:
        self._run(f"CREATE INDEX ON {self.table.name} (id)")
        for name, type_ in self.table.types.items():
            if type_ in ("int4", "uuid", "date", "varchar(60)", "inet") and self.random.random() < 0.4:
                self._run(f"CREATE INDEX ON {self.table.name} ({name})")
            if type_ == "text" and self.random.random() < 0.3:
                self._run(f"CREATE INDEX ON {self.table.name} (md5({name}))")
        if with_vector:
            self._run(f"CREATE INDEX ON {self.table.name} USING hnsw (v vector_l2_ops)")

    def _insert(self, rows: int) -> None:
        names = list(self.values)
        self.table.history.append(f"{rows} rows")
        targets = ", ".join(["id", *names])
        marks = ", ".join(["%s", *(f"%s::{self._type(n)}" for n in names)])
        with self.conn.transaction(), self.conn.cursor() as cursor:
            given = []
            for _ in range(rows):
                given.append((self.next, *(self.values[n]() for n in names)))
                self.next += 1
            cursor.executemany(f"INSERT INTO {self.table.name} ({targets}) VALUES ({marks})".encode(), given)

    def _type(self, name: str) -> str:
        return "vector" if name == "v" else self.table.types[name]

    def _act(self, partitioned: bool) -> None:
        rnd, name = self.random, self.table.name
        some = f"id % {rnd.randint(2, 7)} = {rnd.randint(0, 1)}"
        column = rnd.choice(list(self.values) or ["id"])
        action = rnd.choice(
            ["update", "update", "delete", "abort", "savepoint", "lock", "add", "drop", "insert", "vacuum"]
        )
        if action == "update" and column != "id":
            marks = f"%s::{self._type(column)}"
            self.table.history.append(f"update {column} where {some}")
            value = self.values[column]()
            value = json.dumps(value) if isinstance(value, dict) else value
            self.conn.execute(f"UPDATE {name} SET {column} = {marks} WHERE {some.replace('%', '%%')}".encode(), [value])
        elif action == "delete":
            self._run(f"DELETE FROM {name} WHERE {some} AND id % 3 = 1")
        elif action == "abort":
            self._run(f"BEGIN; UPDATE {name} SET id = id WHERE {some}; DELETE FROM {name} WHERE id < 20; ROLLBACK")
        elif action == "savepoint":
            self._run(
                f"BEGIN; UPDATE {name} SET id = id WHERE id < 9; SAVEPOINT s; DELETE FROM {name} WHERE id < 30;"
                f" ROLLBACK TO s; SELECT * FROM {name} WHERE {some} FOR KEY SHARE; UPDATE {name} SET id = id WHERE"
                f" {some}; COMMIT"
            )
        elif action == "lock":
            self._lock(name, some)
        elif action == "add" and not partitioned:
            self._add()
        elif action == "drop" and len(self.table.types) > 1:
            self._drop()
        elif action == "insert":
            self._insert(rnd.choice([1, 20, 60]))
        elif action == "vacuum":
            self._run(f"VACUUM ({rnd.choice(['FREEZE', 'INDEX_CLEANUP OFF', 'ANALYZE'])}) {name}")

    def _lock(self, name: str, some: str) -> None:
        """Two transactions lock the same rows, and one goes on to update them: a multixact with an updater."""
        self.table.history.append(f"locks on {some}")
        with psycopg.connect(self.conn.info.dsn, password=self.conn.info.password) as other:
            other.execute(f"SELECT id FROM {name} WHERE {some} FOR KEY SHARE".encode())
            with self.conn.transaction():
                self.conn.execute(f"SELECT id FROM {name} WHERE {some} FOR NO KEY UPDATE".encode())
                self.conn.execute(f"UPDATE {name} SET id = id WHERE {some} AND id % 2 = 0".encode())
            other.rollback()

    def _add(self) -> None:
        self.late += 1
        rnd, late = self.random, f"late{self.late}"
        type_, rule, default = rnd.choice([
            ("text", "person", "'Jane Doe'"), ("int4", "integer", "4711"), ("text", "null", "'gone'"),
            ("text", "email", None), ("uuid", "uuid", "'6c3ea1b4-9d5e-4d30-8f0a-0c5a8d6a1b2c'"),
            ("date", "date", "'1970-05-06'"), ("int4", "keep", "7"),
        ])  # fmt: skip
        self.table.types[late], self.table.rules[late] = type_, rule
        plain: dict[str, Value] = {
            "text": self._mail if rule == "email" else self._name,
            "int4": lambda: 12,
            "date": lambda: "2001-02-03",
        }
        self.values[late] = plain.get(type_, lambda: f"{rnd.getrandbits(128):032x}")
        self._run(f"ALTER TABLE {self.table.name} ADD {late} {type_}" + (f" DEFAULT {default}" if default else ""))

    def _drop(self) -> None:
        free = [n for n, t in self.table.types.items() if not any(f"({n})" in o for o in self.table.types.values())]
        if not free:
            return
        gone = self.random.choice(free)
        self._run(f"ALTER TABLE {self.table.name} DROP {gone}")
        self.table.types.pop(gone)
        self.table.rules.pop(gone)
        self.values.pop(gone, None)
