"""Causes that were built into a production, and what a diagnosis calls them: python -m tests.benchmarks.diagnose --json

A PostgreSQL with pgvector and a Qdrant collection are filled with constructed failures, one branch is made of them, and
`envclone diagnose` is asked about each incident, and about as many that work. Rows of the matrix are the causes that
were built in, columns what was diagnosed. `diagonal` is to be at least 0.95, `accused` (healthy ones with a cause) 0,
and no diagnosis takes longer than 10 seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.failures.cases import Failure
from tests.benchmarks.failures.composed import composed
from tests.benchmarks.failures.paths import paths
from tests.benchmarks.failures.places import World, stack
from tests.benchmarks.failures.points import points
from tests.benchmarks.failures.prompts import prompts
from tests.benchmarks.failures.searches import build
from tests.benchmarks.failures.talks import talks, times
from tests.benchmarks.failures.told import told
from tests.support.postgres import production
from tests.support.stack import Place, place

HEALTHY = "healthy"
Pair = tuple[list[Failure], list[Failure]]
APART: dict[str, Callable[[World], Callable[[int], Iterator[Pair]]]] = {
    "points": points, "paths": paths, "prompts": prompts}  # fmt: skip
"""What needs nothing of the others: written first, its incidents made once all is."""


def measure(each: int, seed: int, only: str | None = None, rooms: str = "") -> dict[str, Any]:
    """Build everything, branch it, and diagnose each incident; with `rooms` what stands by itself, of these names."""
    with production(18) as server, place(size="4G") as here, tempfile.TemporaryDirectory(prefix="failures-") as made:
        server.create_database("app")
        server.execute(
            "CREATE EXTENSION vector; CREATE ROLE app LOGIN PASSWORD 'x'; CREATE ROLE narrow LOGIN PASSWORD 'x';"
            "GRANT pg_read_all_data TO app, narrow; ALTER ROLE narrow SET temp_file_limit = '1MB';",
            "app",
        )
        world = World(server, Path(made), seed)
        failures = _alone(world, each, rooms.split(",")) if rooms else _built(world, each)
        here.env.update(DSN=server.dsn_for("app"), KB=made)
        here.write(stack(world))
        (here.directory / "incidents").mkdir()
        named = {f"{one.cause or HEALTHY}-{number}": one for number, one in enumerate(failures)}
        for name, one in named.items():
            text = yaml.safe_dump(one.bundle(name), sort_keys=False)
            (here.directory / "incidents" / f"{name}.yaml").write_text(text)
        here.json("branch", "prod", "--name", "built")
        try:
            return _diagnosed(here, {n: one for n, one in named.items() if only is None or n.startswith(only)})
        finally:
            here.call("rm", "built")


def _built(world: World, each: int) -> list[Failure]:
    incidents = build(world, each)
    others = composed(world, each)
    at_once, later = times(world, each)
    apart = [make(world) for make in APART.values()]
    made = (incidents(), at_once, talks(world, each), told(world, each), others(), later())
    return _listed(world, (*made, *(one(each) for one in apart)))


def _alone(world: World, each: int, rooms: list[str]) -> list[Failure]:
    made = [APART[name](world) for name in rooms]
    return _listed(world, [one(each) for one in made])


def _listed(world: World, made: Iterable[Iterable[Pair]]) -> list[Failure]:
    failures = [one for make in made for wrong, right in make for one in (*wrong, *right)]
    with world.connect() as conn:
        conn.execute("CHECKPOINT")
    return failures


def _diagnosed(here: Place, named: dict[str, Failure]) -> dict[str, Any]:
    stack = _stack(here)
    matrix: dict[str, Counter[str]] = {}
    took: dict[str, float] = {}
    worked: list[float] = []
    wrong = []
    for name, one in named.items():
        began, own = time.monotonic(), time.process_time()
        found = stack.diagnose(name, "built", expected=[str(ident) for ident in one.expected])
        took[name] = time.monotonic() - began
        worked.append(time.process_time() - own)
        said = found.first.cause if found.first else HEALTHY
        matrix.setdefault(one.cause or HEALTHY, Counter())[said] += 1
        if said != (one.cause or HEALTHY):
            wrong.append({
                "incident": name, "said": said, "evidence": found.first.evidence if found.first else "",
                "unknown": list(found.unknown), "all": [f"{f.cause}: {f.evidence}" for f in found.findings],
            })  # fmt: skip
    failing = {cause: row for cause, row in matrix.items() if cause != HEALTHY}
    right = sum(row[cause] for cause, row in failing.items())
    total = sum(sum(row.values()) for row in failing.values())
    healthy = matrix.get(HEALTHY, Counter())
    return {
        "classes": len(failing),
        "failures": total,
        "fewest": min((sum(row.values()) for row in failing.values()), default=0),
        "healthy": sum(healthy.values()),
        "diagonal": round(right / total, 4) if total else 1.0,
        "accused": sum(count for said, count in healthy.items() if said != HEALTHY),
        "seconds": {"median": round(statistics.median(took.values()), 2), "most": round(max(took.values()), 2)},
        "processor_seconds": {"median": round(statistics.median(worked), 2), "most": round(max(worked), 2)},
        "slowest": max(took, key=lambda name: took[name]),
        "matrix": {cause: dict(row) for cause, row in sorted(matrix.items())},
        "wrong": wrong,
    }


def _stack(here: Place) -> Any:
    import os

    os.environ.update(here.env)
    return here.open()


def table(matrix: dict[str, dict[str, int]]) -> str:
    """The matrix as Markdown: built in, diagnosed as it, diagnosed as something else."""
    lines = ["| built in | incidents | diagnosed so | as something else |", "|---|---|---|---|"]
    for cause, row in matrix.items():
        others = ", ".join(f"{said} {count}" for said, count in row.items() if said != cause)
        lines.append(f"| {cause} | {sum(row.values())} | {row.get(cause, 0)} | {others or '–'} |")
    return "\n".join(lines)


def main() -> int:
    """Print the figures; 1 when they are not good enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=6, help="Failures of each cause.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="Incidents whose names begin so.")
    parser.add_argument("--rooms", default="", help=f"Only these: {', '.join(APART)}, with commas.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.each, options.seed, options.only, options.rooms)
    print(json.dumps(figures, indent=2) if options.json else table(figures["matrix"]))
    good = figures["diagonal"] >= 0.95 and not figures["accused"] and figures["seconds"]["most"] <= 10
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
