"""What one large value costs: python -m tests.benchmarks.large --mb 200 --json

In a real PostgreSQL a table gets one value of so many MB of each kind: a kept text, a kept jsonb document, kept bytes,
and a masked free text (`--kind` takes some of them). Each is imaged in a run of its own: seconds, processor seconds,
and the peak memory of the process that makes the image, of its copies and servers (`peak_of_copies_mb`), as
`tests.benchmarks.sanitize` says; `own_of_copies_mb` is of copies alone.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

import psycopg

from envclone import process
from tests.benchmarks.memory import Own
from tests.support.postgres import production
from tests.support.stack import place

STACK = """\
version: 1
project: bench
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.large: RULE
"""
KINDS = {"text": ("text", "keep"), "jsonb": ("jsonb", "keep"), "bytea": ("bytea", "keep"), "masked": ("text", "text")}
_WORDS = ("invoice", "amount", "wrong", "correction", "Friday", "please", "call", "back", "mornings", "busy", "ledger")


def value(kind: str, megabytes: int) -> Any:
    """A value of so many MB: words (of nobody), a document of them, or noise."""
    rng = random.Random(3)
    size = megabytes * 1_000_000
    if kind == "bytea":
        return rng.randbytes(size)
    page = " ".join(rng.choices(_WORDS, k=20_000))
    if kind == "jsonb":
        part = json.dumps({"note": page[:1000], "n": 1})
        return "[" + ",".join([part] * (size // len(part))) + "]"
    return (page + "\n") * (size // len(page))


def measure(kind: str, megabytes: int) -> dict[str, Any]:
    """The image of a table with one such value."""
    sql_type, rule = KINDS[kind]
    with production(18) as server, place(size=f"{2 + megabytes // 50}G") as here:
        server.create_database("app")
        with psycopg.connect(server.dsn_for("app"), autocommit=True) as conn:
            conn.execute(f"CREATE TABLE people (id int PRIMARY KEY, name text, large {sql_type})".encode())
            conn.execute("ALTER TABLE people ALTER large SET STORAGE EXTERNAL")
            conn.execute(
                "INSERT INTO people SELECT i, 'Quenzel' || i || ' Marblethorpe' FROM generate_series(2, 100) i"
            )
            conn.execute("INSERT INTO people VALUES (1, 'Wolfhard Quenzelmann', %s)", [value(kind, megabytes)])
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK.replace("RULE", rule))
        here.call("snapshot", "prod")
        with Own().watched() as own:
            done = process.run(
                [sys.executable, "-m", "tests.benchmarks.sanitize", "--child", here.file],
                env={"PYTHONPATH": str(Path(__file__).parents[2]), **here.env},
                timeout=3600,
            )
    child = json.loads(done.stdout)
    return {
        "kind": kind,
        "mb": megabytes,
        "seconds": round(child["seconds"], 1),
        "cpu_seconds": round(child["cpu"], 1),
        "peak_mb": child["peak_mb"],
        "peak_of_copies_mb": child["peak_of_copies_mb"],
        "own_mb": own.first,
        "own_of_copies_mb": own.copies,
        "stages": {name: round(seconds, 1) for name, seconds in child["stages"].items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [measure(kind, options.mb) for kind in options.kind or KINDS]
    print(json.dumps({"values": found}, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
