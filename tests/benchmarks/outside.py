"""Failures and healthy requests as an application's developers write them: python -m tests.benchmarks.outside --json

Beside `tests.benchmarks.diagnose`: the productions of a help desk (`failures/desk.py`, its conversations in
`failures/desktalks.py`), of a newspaper's archive (`failures/press.py`), of a gallery (`failures/gallery.py`) and of a
travel agency (`failures/inns.py` and beside it). Exits with 1 when one is misjudged.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.failures import desk, desktalks, gallery, inncrowds, innpoints, inns, innsearches, inntalks, press
from tests.benchmarks.failures.desk import Case, Shop
from tests.support.postgres import production
from tests.support.stack import Place, place

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
      {rules}
incidents: incidents/
"""


POINTS = """\
version: 1
project: outside
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      kb: {kind: qdrant, source: {method: directory, path: "${KB}"}, collections: [works]}
sanitize:
  rules:
    kb:
      works.*: keep
      works.point_ids: keep
      works.vectors.text: {vectors: keep}
      works.vectors.title: {vectors: keep}
      works.vectors.words: {vectors: keep}
incidents: incidents/
"""
RULES = """
    SELECT n.nspname || '.' || c.relname || coalesce('.' || a.attname || ': {vectors: keep}', '.*: keep')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN (pg_attribute a JOIN pg_type t ON t.oid = a.atttypid AND t.typname IN ('vector', 'halfvec', 'sparsevec'))
      ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema$)'
    UNION SELECT n.nspname || '.' || c.relname || '.*: keep'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema$)'
"""


@dataclass(frozen=True)
class World:
    """A production: what makes it, what fills it, and what makes its cases."""

    made: type[Shop]
    seed: int
    fill: Callable[[Any], None]
    cases: tuple[Callable[[Any], Iterator[Case]], ...]


WORLDS = {
    "desk": World(Shop, 11, desk.fill, (desk.by_sql, desktalks.talks)),
    "press": World(press.Press, 12, press.fill, (press.by_sql,)),
}


def measure(world: World, only: str) -> dict[str, Any]:
    """Build, branch, diagnose."""
    with production(18) as server, place(size="3G") as here:
        server.create_database("app")
        shop = world.made(server, random.Random(world.seed))
        world.fill(shop)
        cases = [one for make in world.cases for one in make(shop) if one.name.startswith(only)]
        server.execute("CHECKPOINT", "app")
        with server.connect("app") as conn:
            rules = [str(row[0]) for row in conn.execute(RULES.encode()).fetchall()]
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK.replace("{rules}", "\n      ".join(rules)))
        return _diagnosed(here, cases)


INNS = """\
version: 1
project: outside
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: "${KB}"}, collections: [brochures, quick, raw, stays]}
sanitize:
  rules:
    main:
      {rules}
    kb:
      "*.*": keep
      quick.point_ids: keep
      raw.point_ids: keep
      stays.point_ids: keep
      brochures.point_ids: keep
      brochures.vectors: {vectors: keep}
      quick.vectors: {vectors: keep}
      raw.vectors: {vectors: keep}
      stays.vectors.prose: {vectors: keep}
      stays.vectors.name: {vectors: keep}
      stays.vectors.terms: {vectors: keep}
  references: ["kb.stays.doc_id -> main.public.documents.id"]
incidents: incidents/
"""


def agency(seed: int, only: str) -> dict[str, Any]:
    """The same of a travel agency, with rows and points."""
    with production(18) as server, place(size="3G") as here, tempfile.TemporaryDirectory(prefix="inns-") as made:
        server.create_database("app")
        shop = inns.Inns(server, random.Random(seed), Path(made))
        inns.fill(shop)
        innpoints.write(shop)
        inncrowds.write(shop)
        parts = (innsearches.by_sql, innpoints.by_points, inntalks.talks)
        cases = [one for make in parts for one in make(shop) if one.name.startswith(only)]
        server.execute("CHECKPOINT", "app")
        with server.connect("app") as conn:
            rules = [str(row[0]) for row in conn.execute(RULES.encode()).fetchall()]
        here.env["DSN"], here.env["KB"] = server.dsn_for("app"), made
        here.write(INNS.replace("{rules}", "\n      ".join(rules)))
        return _diagnosed(here, cases)


def points(seed: int, only: str) -> dict[str, Any]:
    """The same of a gallery's collection of points."""
    with place(size="3G") as here, tempfile.TemporaryDirectory(prefix="gallery-") as made:
        works = gallery.Gallery(Path(made), random.Random(seed))
        gallery.fill(works)
        cases = [one for one in gallery.cases(works) if one.name.startswith(only)]
        here.env["KB"] = made
        here.write(POINTS)
        return _diagnosed(here, cases)


def _diagnosed(here: Place, cases: list[Case]) -> dict[str, Any]:
    """Branch, and diagnose each."""
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
        "seconds_most": round(max(took, default=0.0), 2), "wrong": wrong,
    }  # fmt: skip


def main() -> int:
    """Print the figures; 1 when a case is misjudged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Cases whose names begin so.")
    parser.add_argument("--world", choices=[*WORLDS, "gallery", "inns"], help="Only this production.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {name: measure(one, options.only) for name, one in WORLDS.items() if options.world in (None, name)}
    if options.world in (None, "gallery"):
        figures["gallery"] = points(5, options.only)
    if options.world in (None, "inns"):
        figures["inns"] = agency(17, options.only)
    print(json.dumps(figures, indent=2))
    return 1 if any(one["wrong"] for one in figures.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
