"""Images made ahead, again and again, of which some runs are killed: python -m tests.benchmarks.keep --runs 1000 --json

`envclone keep --once` runs so often on a small production that changes between two runs; every tenth run is killed
(SIGKILL, to the whole group) after a random time. At the end one run more goes through. What is left is counted then:
anything in the pool but the newest image and its snapshot, processes, mounts, replication slots and sessions in
production. `failures` must be what was killed while it worked; `left` must be empty.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, place

STACK = """\
version: 1
project: soak
pool: {path: "{pool}"}
environments:
  prod:
    keep: {fresh: 1s, textfile: envclone.prom}
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules: {main: {public.people.name: person, public.people.id: keep}}
"""


def measure(runs: int, every: int, seed: int) -> dict[str, Any]:
    """Keep so many times, and count what is left."""
    drawn = random.Random(seed)
    with production(18) as server, place() as here:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id serial PRIMARY KEY, name text); INSERT INTO people (name) VALUES ('Jane Doe')",
            "app",
        )
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK)
        took: list[float] = []
        killed = wrong = 0
        for number in range(1, runs + 1):
            server.execute("INSERT INTO people (name) VALUES ('Wolfhard Quenzelmann')", "app")
            longest = statistics.median(took) if took else 10.0
            after = drawn.uniform(0, longest) if number % every == 0 else None
            began = time.monotonic()
            code = _run(here, after)
            if after is None:
                took.append(time.monotonic() - began)
                wrong += code != 0
            else:
                killed += code == -signal.SIGKILL
        wrong += _run(here, None) != 0
        record = json.loads((here.pool / "kept" / "soak.prod.json").read_text())
        return {
            "runs": runs,
            "killed": killed,
            "failures": record["failures"],
            "wrong": wrong,
            "seconds": {"median": round(statistics.median(took), 2), "last": round(took[-1], 2)},
            "left": _left(here, server, record["image"]),
        }


def _run(here: Place, after: float | None) -> int:
    """One run; killed with what it started after so many seconds."""
    words = [sys.executable, "-m", "envclone", "--quiet", "--file", str(here.file), "keep", "prod", "--once"]
    with subprocess.Popen(
        words, env={**os.environ, "PYTHONPATH": str(ROOT), **here.env}, process_group=0, stdout=subprocess.DEVNULL
    ) as running:
        try:
            return running.wait(after)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            return running.wait()


def _left(here: Place, server: Production, image: str) -> list[str]:
    """What the last run should have removed, or nobody should have left."""
    found = [name for name in here.leftovers() if name != f"images/{image}" and not name.startswith("raw/")]
    raw = list((here.pool / "raw").iterdir())
    found += [f"raw/{path.name}" for path in raw[1:]]
    found += [str(path) for path in here.pool.rglob(".*partial-*")]
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(here.pool) in (folder / "cmdline").read_bytes().decode(errors="replace"):
                found.append(f"process {folder.name}")
    for mount in Path("/proc/mounts").read_text().splitlines():
        if f" {here.pool}/" in mount:
            found.append(f"mount {mount.split()[1]}")
    found += [f"slot {row[0]}" for row in server.execute("SELECT slot_name FROM pg_replication_slots")]
    sessions = "SELECT application_name FROM pg_stat_activity WHERE application_name ~ 'envclone|basebackup'"
    return found + [f"session {row[0]}" for row in server.execute(sessions)]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--every", type=int, default=10, help="which runs are killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    options = parser.parse_args()
    print(json.dumps(measure(options.runs, options.every, options.seed), indent=1))


if __name__ == "__main__":
    main()
