"""Failures and healthy requests as an application's developers write them: python -m tests.benchmarks.outside --json

Beside `tests.benchmarks.diagnose`: the production of a help desk (`failures/desk.py`) and its conversations
(`failures/desktalks.py`). Exits with 1 when one is misjudged.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from typing import Any

import yaml

from tests.benchmarks.failures.desk import Shop, by_sql, fill
from tests.benchmarks.failures.desktalks import talks
from tests.support.postgres import production
from tests.support.stack import place

STACK = """\
version: 1
project: outside
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      kb.tenants.*: keep
      kb.documents.*: keep
      kb.blocked.*: keep
      kb.passages.*: keep
      kb.notes.*: keep
      kb.listed.*: keep
      kb.small.*: keep
      kb.passages.emb: {vectors: keep}
      kb.notes.emb: {vectors: keep}
      kb.listed.emb: {vectors: keep}
      kb.small.emb: {vectors: keep}
incidents: incidents/
"""


def measure(only: str) -> dict[str, Any]:
    """Build, branch, diagnose."""
    with production(18) as server, place(size="3G") as here:
        server.create_database("app")
        shop = Shop(server, random.Random(11))
        fill(shop)
        cases = [one for make in (by_sql, talks) for one in make(shop) if one.name.startswith(only)]
        server.execute("CHECKPOINT", "app")
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK)
        (here.directory / "incidents").mkdir()
        for one in cases:
            calls = list(one.calls) or [{"id": "q", "kind": "request"}]
            document = {"version": 2, "incident": one.name, "environment": "prod", "steps": list(one.steps),
                        "calls": calls, "exchanges": list(one.exchanges), **one.fields}  # fmt: skip
            (here.directory / "incidents" / f"{one.name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        here.json("branch", "prod", "--name", "built")
        os.environ.update(here.env)
        stack = here.open()
        wrong, took = [], []
        for one in cases:
            began = time.monotonic()
            found = stack.diagnose(one.name, "built", expected=[str(ident) for ident in one.expected])
            took.append(time.monotonic() - began)
            cause = found.first.cause if found.first else ""
            if cause not in (one.causes or ("",)):
                wrong.append({"incident": one.name, "built": list(one.causes), "said": cause,
                              "evidence": found.first.evidence if found.first else "",
                              "unknown": list(getattr(found, "unknown", ()))})  # fmt: skip
        failing = sum(bool(one.causes) for one in cases)
        kinds = {one.name.rstrip("-0123456789") for one in cases}
        return {
            "failures": failing, "healthy": len(cases) - failing, "kinds": len(kinds),
            "accused": sum(not one["built"] for one in wrong), "misjudged": sum(bool(one["built"]) for one in wrong),
            "seconds_most": round(max(took), 2), "wrong": wrong,
        }  # fmt: skip


def main() -> int:
    """Print the figures; 1 when a case is misjudged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Cases whose names begin so.")
    parser.add_argument("--json", action="store_true")
    figures = measure(parser.parse_args().only)
    print(json.dumps(figures, indent=2))
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
