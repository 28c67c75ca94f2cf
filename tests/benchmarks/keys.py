"""Whether the masking key decides if an image passes: python -m tests.benchmarks.keys --keys 100 --json

For each database (Chinook, a table of customers, a help desk of 45 tables, every type, names in two columns, letters
full of names, random tables, the demo's production) one snapshot is taken, and an image of it made under so many new
random keys. Per database: how many were refused, what the first refusals said, median seconds. `--database NAME` takes
one of them.

A soak: a key takes 6 to 10 s of processor time, so `--database types --database torture --database demo --database
chinook --keys 100` takes 30 to 60 minutes on two idle cores. Standard error says after each key how far it is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import yaml

from envclone import process
from envclone.accounts import hand_over, service_account
from envclone.errors import EnvcloneError
from envclone.masking.names import given_names
from tests.benchmarks import sanitize
from tests.support import helpdesk, torture
from tests.support.postgres import Production, production, scratch
from tests.support.stack import ROOT, Place, place

CHINOOK = Path(__file__).parents[1] / "data" / "chinook.sql"
_OF_PERSONS = ("text", "varchar", "char", "text[]", "citext", "short_name", "json", "jsonb", "hstore", "pair", "inet",
               "uuid", "macaddr")  # fmt: skip
"""Types of the random tables in which the same persons stand."""
_SENTENCES = (
    "Please call {f} {l} before noon, {p}.", "Regards, {f}", "I asked {l}, {f} about the parcel.",
    "Forwarded to {e} as agreed.", "Dear {f}, the parcel came late.", "{f} and I waited for Mr {l} at the door.",
    "cc: {f} {l} <{e}>", "The {l} family moved out; ask {f}.",
)  # fmt: skip
_DEMO = {"customers": 600, "chunks": 1500}
"""Sizes of the demo's production here: every kind of row that it has, and few of each."""
STACK = """\
version: 1
include: ["{rules}"]
project: keys
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}"}}
"""


def chinook(server: Production) -> tuple[str, str]:
    """Load Chinook; returns its DSN and its stack file."""
    process.run(
        [server.engine.bindir / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.socket_dir, "-p", str(server.port),
         "-U", "postgres", "-d", "postgres"],
        input=CHINOOK.read_text(),
    )  # fmt: skip
    return server.dsn_for("chinook"), STACK.replace("{rules}", str(ROOT / "hooks" / "chinook.yaml"))


def customers(server: Production) -> tuple[str, str]:
    """A table of 5,000 customers; returns its DSN and its stack file."""
    server.create_database("app")
    sanitize.fill(server.dsn_for("app"), 5000)
    return server.dsn_for("app"), sanitize.STACK.replace("project: bench", "project: keys")


def help_desk(server: Production, rows: int = 5000) -> tuple[str, str]:
    """A help desk of 45 tables; returns its DSN and its stack file."""
    server.create_database("desk")
    helpdesk.fill(server.dsn_for("desk"), rows)
    rules = f"sanitize:\n  rules:\n    main:\n{helpdesk.RULES}\n"
    return server.dsn_for("desk"), STACK.replace('include: ["{rules}"]\n', "") + rules


def joined_names(server: Production, rows: int = 2000) -> tuple[str, str]:
    """People with short names in two columns, which a view, an index and a column put side by side.

    So many short names have each other as pseudonyms that some of the pairs are always somebody's.
    """
    firsts = sorted(name for name in given_names() if len(name) == 3 and name.isascii())
    lasts = firsts[::2]
    draw = random.Random(1)
    people = {(draw.choice(firsts).title(), draw.choice(lasts).title()) for _ in range(rows)}
    server.create_database("app")
    with server.connect("app") as connection:
        connection.execute(
            "CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, first text, last text,"
            " whole text GENERATED ALWAYS AS (first || ' ' || last) STORED)"
        )
        connection.cursor().executemany("INSERT INTO people (first, last) VALUES (%s, %s)", sorted(people))
        connection.execute("CREATE INDEX ON people ((last || ', ' || first))")
        connection.execute("CREATE INDEX ON people (lower(first || ' ' || last)) INCLUDE (id)")
        connection.execute(
            "CREATE MATERIALIZED VIEW dear AS SELECT id, 'Dear ' || first || ' ' || last AS line FROM people"
        )
        connection.execute("CREATE INDEX ON dear (line)")
        connection.execute("ANALYZE")
    rules = {"public.people.id": "keep", "public.people.first": "person", "public.people.last": "person"}
    rules |= {"public.people.whole": "keep", "public.dear.line": "text"}
    stack = yaml.safe_dump({"sanitize": {"rules": {"main": rules}}})
    return server.dsn_for("app"), STACK.replace('include: ["{rules}"]\n', "") + stack


def crowded(server: Production, people: int = 3000, letters: int = 3000) -> tuple[str, str]:
    """People of whom many are called as another with an initial (`Michaela`, A. Michael), and letters that name eight
    of them each: pseudonyms in them are somebody else's name, and some of those stand in the same letter.
    """
    known = [name for name in sorted(given_names()) if name.isascii()]
    with_initial = [name for name in known if len(name) >= 8 and {name[:-1], name[1:]} & given_names()]
    firsts = [name.title() for name in (*with_initial, *known[::40]) if len(name) > 2]
    lasts = [part.title() for name in with_initial for part in (name[:-1], name[1:]) if part in given_names()]
    draw = random.Random(2)
    named = sorted({(draw.choice(firsts), draw.choice(lasts)) for _ in range(people)})
    server.create_database("app")
    with server.connect("app") as connection:
        connection.execute(
            "CREATE TABLE people (id int PRIMARY KEY, first text, last text, email text UNIQUE, phone text);"
            "CREATE TABLE letters (id int PRIMARY KEY, person int REFERENCES people, topic text, body text, data jsonb,"
            " names text[])"
        )
        rows = [
            (i, one, other, f"{one}.{other}{i}@corp.example".lower(), f"+1 503-{draw.randrange(200, 999)}-{i:04d}")
            for i, (one, other) in enumerate(named)
        ]
        connection.cursor().executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s)", rows)
        for i in range(letters):
            some = [draw.choice(rows) for _ in range(8)]
            body = " ".join(draw.choice(_SENTENCES).format(f=one[1], l=one[2], e=one[3], p=one[4]) for one in some)
            data = {"from": f"{some[0][1]} {some[0][2]}", "note": body[: len(body) // 2], "cc": [some[1][3]]}
            connection.execute(
                "INSERT INTO letters VALUES (%s, %s, %s, %s, %s, %s)",
                (i, some[0][0], draw.choice(("billing", "delivery", "login")), body, json.dumps(data),
                 [one[1] for one in some]),
            )  # fmt: skip
        connection.execute("ANALYZE")
    rules: dict[str, Any] = {"public.people.id": "keep", "public.letters.id": "keep", "public.letters.person": "keep"}
    rules |= {"public.people.first": "person", "public.people.last": "person", "public.people.email": "email"}
    rules |= {"public.people.phone": "phone", "public.letters.topic": "keep", "public.letters.body": "text"}
    rules |= {"public.letters.data": {"$.from": "person", "$.note": "text", "$.cc[*]": "email"}}
    rules |= {"public.letters.names": "person"}
    stack = yaml.safe_dump({"sanitize": {"rules": {"main": rules}}})
    return server.dsn_for("app"), STACK.replace('include: ["{rules}"]\n', "") + stack


def types(server: Production) -> tuple[str, str]:
    """A table with every type; returns its DSN and its stack file."""
    from tests.integration import test_types

    server.create_database("app")
    server.execute(test_types.SCHEMA, "app")
    with psycopg.connect(server.dsn_for("app"), autocommit=True) as connection:
        test_types.fill(connection)
    return server.dsn_for("app"), test_types.STACK.replace("project: types", "project: keys")


def tortured(server: Production, seeds: Iterable[int] = range(12)) -> tuple[str, str]:
    """Random tables of every shape; returns their DSN and their stack file."""
    server.create_database("app")
    rules: dict[str, Any] = {}
    space = server.data.parent / "far"
    space.mkdir(mode=0o700)
    hand_over(space, service_account())
    server.execute(f"CREATE TABLESPACE far LOCATION '{space}'")
    with server.connect("app") as connection:
        torture.setup(connection)
        for seed in seeds:
            made = torture.make(connection, seed)
            for column, rule in made.rules.items():
                # what other columns mask cannot be kept in this one
                person = rule == "keep" and made.types.get(column, "").partition("(")[0] in _OF_PERSONS
                rules[f"public.{made.name}.{column}"] = "null" if person else rule
    domains = {name: {"kind": spec.kind, "value": spec.value} for name, spec in torture.DOMAINS.items()}
    document = {"sanitize": {"domains": domains, "rules": {"main": rules}}}
    return server.dsn_for("app"), STACK.replace('include: ["{rules}"]\n', "") + yaml.safe_dump(document, width=10**6)


DATABASES: dict[str, Callable[[Production], tuple[str, str]]] = {
    "chinook": chinook,
    "customers": customers,
    "help desk": help_desk,
    "types": types,
    "joined names": joined_names,
    "crowded": crowded,
    "torture": tortured,
}


def measure(name: str, keys: int, seed: int | None = None, **how: Any) -> dict[str, Any]:
    """Make an image of one database under each of so many keys: of a seed the same ones each time."""
    with place() as here:
        with production(18) as server:
            dsn, stack = DATABASES[name](server, **how)
            here.write(stack)
            here.call("-q", "snapshot", "prod", env={"DSN": dsn})
        return _under(here, {"DSN": dsn}, keys, seed)


def demo(keys: int, **how: int) -> dict[str, Any]:
    """The same of the demo's own production, PostgreSQL and Qdrant; `how` are its sizes."""
    from envclone.demo.production import build
    from envclone.demo.stack import stack_yaml

    with scratch() as directory, place() as here:
        with build(directory / "demo", progress=lambda event: None, **how) as made:
            here.write(stack_yaml(made, here.pool))
            here.call("-q", "snapshot", "prod", env={"PGPASSFILE": str(made.passfile)})
        return _under(here, {}, keys)


def _under(here: Place, env: dict[str, str], keys: int, seed: int | None = None) -> dict[str, Any]:
    """Images of one snapshot under so many random keys, in this process: the rest is done once."""
    refusals, seconds = [], []
    draw = random.SystemRandom() if seed is None else random.Random(seed)
    for number in range(keys):
        started = time.monotonic()
        with _environment(env | {"ENVCLONE_MASKING_KEY": draw.randbytes(32).hex()}):
            stack = here.open()
            try:
                image = stack.image("prod", again=True)
            except EnvcloneError as error:
                said = f"{error}: {'; '.join(str(one) for one in getattr(error, 'problems', ())[:5])} ({error.hint})"
                print(said, file=sys.stderr)
                refusals.append(said)
            else:
                stack.project.cow.remove(here.pool / "images" / image.id)
        seconds.append(time.monotonic() - started)
        print(f"key {number + 1} of {keys}: {len(refusals)} refused so far", file=sys.stderr, flush=True)
    return {
        "keys": keys,
        "refused": len(refusals),
        "said": refusals[:3],
        "seconds_median": round(statistics.median(seconds), 2),
    }


@contextlib.contextmanager
def _environment(given: dict[str, str]) -> Iterator[None]:
    """Variables of this process for as long as the context."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100, metavar="N")
    parser.add_argument("--database", action="append", choices=[*DATABASES, "demo"], help="One of them (default: all).")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {}
    for name in options.database or [*DATABASES, "demo"]:
        found[name] = demo(options.keys, **_DEMO) if name == "demo" else measure(name, options.keys)
        print(name, json.dumps(found[name]), file=sys.stderr)
    print(json.dumps(found, indent=None if options.json else 2))
    return int(any(one["refused"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
