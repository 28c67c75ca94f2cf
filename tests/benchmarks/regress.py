"""How long the gate of pinned incidents takes: python -m tests.benchmarks.regress --json

A production with a vector index is made, so many incidents are recorded there (a search through the index, the row of
a person and a count each) and pinned: half of them as they fail, half with what fixed means. Then the whole command
`envclone regress` runs, one branch for all of them, and again with three repetitions. `cpu` are the seconds of
processor time of the command and of what it waited for; the servers' own are not in it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from typing import Any

from envclone.cases.case import Contains, Ids
from tests.support.postgres import production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: bench
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.id: keep
      public.chunks.id: keep
      public.chunks.embedding: {vectors: keep}
"""
SQL = """
CREATE EXTENSION vector;
CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE);
INSERT INTO people SELECT i, 'Zoë Quuxington' || i, 'zoe.quux' || i || '@corp.example' FROM generate_series(1, 2000) i;
CREATE TABLE chunks (id int PRIMARY KEY, embedding vector(64));
SELECT setseed(0.5);
INSERT INTO chunks SELECT i, (SELECT array_agg(random()) FROM generate_series(1, 64) WHERE i > 0)::vector
    FROM generate_series(1, 20000) i;
CREATE INDEX ON chunks USING hnsw (embedding vector_l2_ops);
CREATE ROLE app LOGIN PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO app
"""


def _bundle(number: int, drawn: random.Random) -> dict[str, Any]:
    vector = [round(drawn.random(), 6) for _ in range(64)]
    steps = [
        {"id": "search", "kind": "sql", "store": "main", "role": "app", "key": "id", "score": "d",
         "sql": "SELECT id, embedding <-> %s AS d FROM chunks ORDER BY embedding <-> %s LIMIT 10",
         "parameters": [vector, vector]},
        {"id": "who", "kind": "sql", "store": "main", "role": "app", "key": "id",
         "sql": "SELECT id, name, email FROM people WHERE email = %s",
         "parameters": [f"zoe.quux{number + 1}@corp.example"], "domains": {"1": "email"}},
        {"id": "count", "kind": "sql", "store": "main", "role": "app", "sql": "SELECT count(*) FROM people"},
    ]  # fmt: skip
    return {"version": 1, "incident": f"inc-{number}", "environment": "prod", "steps": steps}


def measure(count: int) -> dict[str, Any]:
    """Make, record and pin so many incidents, then run the gate."""
    drawn = random.Random(7)
    with production(18) as server, place() as here:
        server.create_database("app")
        server.execute(SQL, "app")
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK.replace("${DSN}", server.dsn_for("app")))
        stack = here.open()
        stack.image("prod")
        (here.directory / "incidents").mkdir()
        began = time.monotonic()
        for number in range(count):
            bundle = here.directory / "incidents" / f"inc-{number}.json"
            bundle.write_text(json.dumps(_bundle(number, drawn)))
            recorded = stack.record(bundle)
            expect = recorded.steps[0].expect
            assert expect is not None
            if number % 2:
                first = tuple(row[0] for row in expect.rows[:5])
                wanted = (Ids(step="search", top=5, ids=first), Contains(step="count", text="2000"))
                stack.pin(f"inc-{number}", wanted)
            else:
                stack.pin(f"inc-{number}", (), failing=True)
        pinned = time.monotonic() - began
        server.stop()
        once, repeated = _run(here, 1), _run(here, 3)
        return {"cases": count, "record_and_pin_seconds": round(pinned, 2), "once": once, "three_times": repeated}


def _run(here: Place, repeat: int) -> dict[str, Any]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    found = here.json("regress", "--repeat", str(repeat))
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(seconds, 2),
        "cpu": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "counts": found["counts"],
        "passed": found["passed"],
        "branches_left": len(here.json("ls")),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    document = measure(arguments.cases)
    if arguments.json:
        print(json.dumps(document, indent=2))
        return
    for name in ("once", "three_times"):
        print(f"{name}: {document['cases']} cases in {document[name]['seconds']} s: {document[name]['counts']}")


if __name__ == "__main__":
    main()
