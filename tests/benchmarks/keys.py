"""Whether the masking key decides if an image passes: python -m tests.benchmarks.keys --keys 100 --json

For each database (Chinook, a table of customers, a help desk of 45 tables, every type, names in two columns, random
tables, the demo's production) an image is made under so many new random keys. Per database: how many were refused,
what the first refusals said, median seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import yaml

from envclone import process
from envclone.accounts import hand_over, service_account
from envclone.masking.names import given_names
from tests.benchmarks import sanitize
from tests.support import helpdesk, torture
from tests.support.postgres import Production, production, scratch
from tests.support.stack import ROOT, Place, place

CHINOOK = Path(__file__).parents[1] / "data" / "chinook.sql"
_OF_PERSONS = ("text", "varchar", "char", "text[]", "citext", "short_name", "json", "jsonb", "hstore", "pair", "inet",
               "uuid", "macaddr")  # fmt: skip
"""Types of the random tables in which the same persons stand."""
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
    "torture": tortured,
}


def measure(name: str, keys: int, **how: Any) -> dict[str, Any]:
    """Make an image of one database under each of so many keys."""
    with production(18) as server, place() as here:
        dsn, stack = DATABASES[name](server, **how)
        here.env["DSN"] = dsn
        return _under(here, stack, "project: keys", keys)


def demo(keys: int, **how: int) -> dict[str, Any]:
    """The same of the demo's own production, PostgreSQL and Qdrant; `how` are its sizes."""
    from envclone.demo.production import build
    from envclone.demo.stack import stack_yaml

    with (
        scratch() as directory,
        place() as here,
        build(directory / "demo", progress=lambda event: None, **how) as made,
    ):
        here.env["PGPASSFILE"] = str(made.passfile)
        return _under(here, stack_yaml(made, here.pool), "project: northwind", keys)


def _under(here: Place, stack: str, project: str, keys: int) -> dict[str, Any]:
    """Images under so many keys: every project has a key of its own, which follows from its name and the pool's key."""
    refusals, seconds = [], []
    for number in range(keys):
        here.write(stack.replace(project, f"project: keys-{number}"))
        started = time.monotonic()
        done = here.call("-q", "image", "prod", check=False)
        seconds.append(time.monotonic() - started)
        if done.returncode:
            refusals.append(done.stderr.strip())
        driver = here.open().project.cow
        for one in (*(here.pool / "images").glob("*"), *(here.pool / "raw").glob("*")):
            driver.remove(one)
    return {
        "keys": keys,
        "refused": len(refusals),
        "said": refusals[:3],
        "seconds_median": round(statistics.median(seconds), 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100, metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes: dict[str, Any] = {"help desk": {"rows": 36_000}, "torture": {"seeds": range(40)}}
    found = {name: measure(name, options.keys, **sizes.get(name, {})) for name in DATABASES}
    found["demo"] = demo(options.keys)
    print(json.dumps(found, indent=None if options.json else 2))
    return int(any(one["refused"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
