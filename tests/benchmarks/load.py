"""What taking a snapshot costs production: python -m tests.benchmarks.load --size 500M --json

One production, written to by one session all the time, is left alone, and then copied by each method, in one run. Per
method: seconds; processor seconds of production's server (all of its processes), and `own`, what it takes in that time
with the writer alone; bytes that its processes read, as the kernel counts them; the most log that a slot held
back; the most sessions that were ours; and the writer's transactions per second as a fraction of what it does alone
(`writer`), measured before and after.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from envclone.cow.sizes import parse_size
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: load
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {SOURCE}}
quarantine: {keep: 9}
"""
_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK = 0.05
_OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'envclone%'"
_HELD = "SELECT max(pg_current_wal_lsn() - restart_lsn) FROM pg_replication_slots"


def fill(server: Production, size: int) -> None:
    """A table of `size` bytes that cannot be compressed, and one that is written to."""
    server.create_database("app")
    with closing(server.connect("app")) as conn:
        conn.execute("CREATE TABLE filler (id bigint, data bytea)")
        conn.execute("ALTER TABLE filler ALTER data SET STORAGE EXTERNAL")
        conn.execute("CREATE TABLE counter (id int PRIMARY KEY, n int)")
        conn.execute("INSERT INTO counter SELECT g, 0 FROM generate_series(1, 100) g")
        for _ in range(size // (64 << 20)):
            conn.execute(
                "INSERT INTO filler SELECT g, decode(repeat(md5(random()::text), 1000), 'hex')"
                " FROM generate_series(1, 4000) g"
            )
        conn.execute("VACUUM ANALYZE")
        conn.execute("CHECKPOINT")


@dataclass
class Seen:
    """What a look at production's processes added up to."""

    read: dict[int, int] = field(default_factory=dict)
    sessions: int = 0
    held: int = 0


def _processes(postmaster: int) -> list[int]:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]
    return [postmaster]


def _processor(postmaster: int) -> float:
    """Seconds of all of a server's processes, those that ended included."""
    ticks = 0
    for pid in _processes(postmaster):
        with contextlib.suppress(OSError):
            parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, parts[11:15] if pid == postmaster else parts[11:13]))
    return ticks / _TICKS


def _bytes_read(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


@contextlib.contextmanager
def _watched(server: Production, postmaster: int) -> Iterator[Seen]:
    seen, ended = Seen(), threading.Event()
    before = {pid: _bytes_read(pid) for pid in _processes(postmaster)}

    def look() -> None:
        with closing(server.connect(application_name="looks on")) as conn:
            while not ended.wait(_LOOK):
                for pid in _processes(postmaster):
                    with contextlib.suppress(OSError):
                        seen.read[pid] = _bytes_read(pid) - before.get(pid, 0)
                [(ours,)] = conn.execute(_OURS).fetchall()
                [(held,)] = conn.execute(_HELD).fetchall()
                seen.sessions, seen.held = max(seen.sessions, ours), max(seen.held, int(held or 0))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


class Writer:
    """One session that commits a small transaction after the other."""

    def __init__(self, server: Production) -> None:
        self.done = 0
        self._server, self._ended = server, threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        with closing(self._server.connect("app")) as conn:
            while not self._ended.is_set():
                with contextlib.suppress(psycopg.errors.LockNotAvailable):
                    conn.execute("UPDATE counter SET n = n + 1 WHERE id = %s", [self.done % 100 + 1])
                self.done += 1


def _alone(server: Production, postmaster: int, writer: Writer, seconds: float) -> tuple[float, float]:
    """Transactions, and the server's processor seconds, per second that nobody else asks."""
    done, used, began = writer.done, _processor(postmaster), time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(_LOOK)
    passed = time.monotonic() - began
    return (writer.done - done) / passed, (_processor(postmaster) - used) / passed


def measure(server: Production, writer: Writer, work: Callable[[], None]) -> dict[str, Any]:
    """One method: what production does for it."""
    postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
    before, own_before = _alone(server, postmaster, writer, 3)
    with _watched(server, postmaster) as seen:
        done, used, began = writer.done, _processor(postmaster), time.monotonic()
        work()
        seconds = time.monotonic() - began
        used, rate = _processor(postmaster) - used, (writer.done - done) / seconds
    after, own_after = _alone(server, postmaster, writer, 3)
    own = statistics.mean([own_before, own_after]) * seconds
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(used, 2),
        "own": round(own, 2),
        "read_bytes": sum(seen.read.values()),
        "log_held_bytes": seen.held,
        "sessions": seen.sessions,
        "writer": round(rate / statistics.mean([before, after]), 2),
    }


def run(size: int) -> dict[str, Any]:
    """Every method on one production."""
    with production(18, {"summarize_wal": "on"}) as server, place(size=f"{max(4 * size, 4 << 30)}") as here:
        fill(server, size)
        dsn = server.dsn_for("app")
        physical = f'method: physical, dsn: "{dsn}", database: app'
        methods = {
            "physical": f"{{{physical}, refresh: full}}",
            "physical, max_rate 20m": f"{{{physical}, refresh: full, max_rate: 20m}}",
            "physical, only what changed": f"{{{physical}, refresh: incremental}}",
            "logical": f'{{method: logical, dsn: "{dsn}", jobs: 2}}',
        }
        found: dict[str, Any] = {}
        with Writer(server) as writer:
            for name, source in methods.items():
                found[name] = measure(server, writer, _snapshot(here, source))
        return {"size": size, "methods": found}


def _snapshot(here: Place, source: str) -> Callable[[], None]:
    def work() -> None:
        here.write(STACK.replace("{SOURCE}", source))
        here.open().snapshot("prod")

    return work


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=parse_size, default=parse_size("500M"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    document = run(given.size)
    if given.json:
        print(json.dumps(document, indent=2))
        return
    for name, one in document["methods"].items():
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in one.items()))


if __name__ == "__main__":
    main()
