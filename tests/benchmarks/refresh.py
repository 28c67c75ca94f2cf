"""What a refresh costs beside a full snapshot and image: python -m tests.benchmarks.refresh --size 2G --json

One production (PostgreSQL 18, `summarize_wal = on`) of so many bytes is copied and imaged four times in one run: in
full, then unchanged, then after one row on every hundredth page changed, then in full again in that same state. Each is
`envclone snapshot` and `envclone image` by themselves: seconds, processor seconds of envclone, its programs and its own
servers (not production's), and bytes written to the pool's device. `times_less` is the last full one beside the others.

`combine` is what laying the incremental backup of the changed pages over costs: here, and by `pg_combinebackup`, with
the bytes that the result shares with no other file (`own_mb`).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from envclone import attestation
from envclone.cow import extents, loop
from envclone.stores.postgres.snapshot import combine, manifest
from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, place

STACK = """\
version: 1
project: bench
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app, refresh: HOW}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  rules:
    main:
      {public.people.id: keep, public.people.name: person, public.people.email: email, public.people.note: text,
       public.people.digest: keep}
"""
ROW = 700
"""Bytes that a row takes, roughly."""
FILL = """
CREATE TABLE people (id int PRIMARY KEY, name text, email text, note text, digest text) WITH (fillfactor = 90);
INSERT INTO people SELECT i, 'Zanzibar Quux' || chr(97 + i % 26) || chr(97 + i / 26 % 26), 'z' || i || '@corp.example',
  'Please call back, the invoice ' || i || ' is wrong, says Zanzibar Quuxab.',
  repeat(md5(i::text), 14)
FROM generate_series(1, {rows}) i
"""
CHANGE = """
UPDATE people SET name = 'Yvonne Xu' WHERE ctid IN (
  SELECT min(ctid) FROM people GROUP BY (ctid::text::point)[0]::bigint HAVING (ctid::text::point)[0]::bigint % 100 = 0)
"""
_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER: linux/prctl.h. Servers that are left behind by who started them are counted here, too."""


def measure(size: int) -> dict[str, Any]:
    """Everything, on one production."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    settings = {"summarize_wal": "on", "autovacuum": "off", "max_wal_size": "8GB", "shared_buffers": "256MB"}
    with production(18, settings) as server, place(size=f"{8 + size * 8 // 10**9}G") as here:
        server.create_database("app")
        server.execute(FILL.format(rows=size // ROW), "app")
        for database in ("app", "postgres", "template1"):
            server.execute("VACUUM (FREEZE, ANALYZE)", database)
        here.env["DSN"] = server.dsn_for("app")
        pages = server.execute("SELECT relpages FROM pg_class WHERE relname = 'people'", "app")[0][0]
        (volume,) = server.execute("SELECT sum(pg_database_size(oid))::int8 FROM pg_database")[0]
        found: dict[str, Any] = {"mb": volume >> 20, "pages": pages, "compiled": _warm(here)}
        found["full"] = _refreshed(here, "full")
        found["unchanged"] = _refreshed(here, "auto")
        assert found["unchanged"]["taken_over"]
        server.execute(CHANGE, "app")
        found["combine"] = _combined(here, server)
        found["one_percent"] = _refreshed(here, "auto")
        found["full_again"] = whole = _refreshed(here, "full")
        assert not found["one_percent"]["taken_over"] and not whole["taken_over"]
        found["times_less"] = {
            name: {key: round(whole[key] / max(found[name][key], 0.001), 1) for key in ("seconds", "cpu", "written_mb")}
            | {
                f"snapshot_{key}": round(whole["snapshot"][key] / max(found[name]["snapshot"][key], 0.001), 1)
                for key in ("seconds", "cpu", "written_mb")
            }
            for name in ("unchanged", "one_percent")
        }
        return found


def _warm(here: Place) -> bool:
    from envclone import compiled

    compiled.prepare(lambda text: None)
    return compiled.at_hand()


def _refreshed(here: Place, how: str) -> dict[str, Any]:
    """A snapshot and its image, each a command."""
    here.write(STACK.replace("HOW", how))
    done: dict[str, Any] = {one: _run(here, one) for one in ("snapshot", "image")}
    image = here.open().images()[-1]
    statement = attestation.read(here.pool / "images" / image.id, here.open().project.keys)
    return {
        **{key: round(sum(done[one][key] for one in ("snapshot", "image")), 2) for key in ("seconds", "cpu")},
        "written_mb": round(done["snapshot"]["written_mb"] + done["image"]["written_mb"], 1),
        **done,
        "copied": dict(image.raw.stores["main"].details.get("refresh", {})),
        "taken_over": "taken_from" in statement,
    }


def _run(here: Place, command: str) -> dict[str, float]:
    words = [sys.executable, "-m", "envclone", "--quiet", "--file", str(here.file), command, "prod"]
    before, written, began = _used(), _written(here.pool), time.monotonic()
    subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(ROOT), **here.env}, check=True, stdout=subprocess.DEVNULL
    )
    seconds = time.monotonic() - began
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:  # servers that it started, and left to us
            pass
    return {
        "seconds": round(seconds, 2),
        "cpu": round(_used() - before, 2),
        "written_mb": round((_written(here.pool) - written) / 1e6, 1),
    }


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _written(pool: Path) -> int:
    """Bytes written to the device that the pool lies on."""
    os.sync()
    device = pool.stat().st_dev
    stat = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    return int(stat.read_text().split()[6]) * 512


def _combined(here: Place, server: Production) -> dict[str, Any]:
    """An incremental backup of what changed, laid over the last snapshot in every way."""
    raw = max((here.pool / "raw").iterdir())
    folder = here.pool / "tmp" / "combined"
    folder.mkdir()
    found: dict[str, Any] = {}
    try:
        here.open().project.cow.clone(raw / "main" / "data", folder / "before")
        kept = manifest.place_of(raw / "main")
        shutil.copy(kept, folder / "before" / manifest.NAME)
        program = server.engine.program
        subprocess.run(
            [program("pg_basebackup"), "--dbname", server.dsn, "--pgdata", folder / "sent", "--no-sync",
             "--checkpoint=fast", f"--incremental={kept}"], check=True,
        )  # fmt: skip
        for way in ("--copy-file-range", "--clone"):
            out = folder / "out"
            words = [program("pg_combinebackup"), way, "--no-sync", "--output", out, folder / "before", folder / "sent"]
            used, began = _used(), time.monotonic()
            subprocess.run(words, check=True, stderr=subprocess.DEVNULL)  # it has a line for each file
            found[way] = _cost(out, began, _used() - used)
            shutil.rmtree(out)
        (folder / "out").mkdir()
        used, began = time.process_time(), time.monotonic()
        combine.combine(folder / "sent", raw / "main" / "data", folder / "out", 8192)
        found["here"] = _cost(folder / "out", began, time.process_time() - used)
    finally:
        shutil.rmtree(folder)
    return found


def _cost(out: Path, began: float, cpu: float) -> dict[str, float]:
    seconds = time.monotonic() - began
    refers, own = extents.usage(out)
    return {"seconds": round(seconds, 2), "cpu": round(cpu, 2), "mb": refers >> 20, "own_mb": own >> 20}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=loop.parse_size, default=loop.parse_size("200M"), help="of production")
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    print(json.dumps(measure(parser.parse_args().size), indent=1))


if __name__ == "__main__":
    main()
