"""Whether the masking key decides if an image passes: python -m tests.benchmarks.keys --keys 100 --json

For each database (Chinook, and a table of customers with names, addresses, telephone numbers and notes) an image is
made under so many new random keys. Per database: how many were refused, what the first refusals said, median seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from envclone import process
from tests.benchmarks import sanitize
from tests.support.postgres import Production, production
from tests.support.stack import ROOT, place

CHINOOK = Path(__file__).parents[1] / "data" / "chinook.sql"
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


DATABASES: dict[str, Callable[[Production], tuple[str, str]]] = {"chinook": chinook, "customers": customers}


def measure(name: str, keys: int) -> dict[str, Any]:
    """Make an image of one database under each of so many keys: every project has a key of its own."""
    refusals, seconds = [], []
    with production(18) as server:
        dsn, stack = DATABASES[name](server)
        for number in range(keys):
            with place() as here:
                here.env["DSN"] = dsn
                here.write(stack.replace("project: keys", f"project: keys-{number}"))
                started = time.monotonic()
                done = here.call("-q", "image", "prod", check=False)
                seconds.append(time.monotonic() - started)
                if done.returncode:
                    refusals.append(done.stderr.strip())
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
    found = {name: measure(name, options.keys) for name in DATABASES}
    print(json.dumps(found, indent=None if options.json else 2))
    return int(any(one["refused"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
