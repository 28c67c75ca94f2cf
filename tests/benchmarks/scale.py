"""What grows with what, on one machine: python -m tests.benchmarks.scale --json

Each part is measured at several sizes, so that a curve can be drawn through them (docs/scale.md goes on from there):
- `files`, `extents`, `sparse`: clone, look at and remove a tree of so many files, a file of so many extents, a file of
  a tebibyte that has 1,000 extents; and what the file system keeps for the clone beside the data;
- `branches`: with so many stopped branches of a real image, list them, look what is to be collected, check that one
  more may be made (without and with a limit of space; the second time nothing has changed), `envclone ls` as a process;
- `images`: with so many images beside these branches, all but the newest superseded, look what is to be collected;
- `image`: of so many rows, the bytes, files and extents of the image, whose every row was masked;
- `running`: with so many branches that run and that nobody uses, memory, processes and sockets of servers and gate;
- `audit`: append to the log, and verify it, when it has so many lines;
- `jobs`: list the jobs of a service that has had so many.

Times are seconds of processor time of user and system (`cpu`), because others may run beside; memory is PSS.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from envclone import attestation, process, records
from envclone.cow import extents
from envclone.cow.choose import choose
from envclone.lifecycle import branches, collect, limits
from envclone.models import Branch
from envclone.pool import audit, catalog
from envclone.project import Project
from envclone.serve.jobs import Job, Jobs
from envclone.serve.state import State
from tests.benchmarks.branch import pool_of
from tests.support.postgres import production
from tests.support.stack import Place

STACK = """\
version: 1
project: scale
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules: {main: {public.people.name: person, public.people.id: keep, public.people.filler: keep}}
branches: {max: 10000, ttl: 30d, disk: 100TiB}
"""


def cpu(work: Callable[[], Any]) -> float:
    """Seconds of processor time that this process and its children took for it."""
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    work()
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after, strict=True))


def kept(place: Path) -> int:
    """Bytes of the file system that are taken, once all is written down."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def cloned(pool: Path, make: Callable[[Path], None]) -> dict[str, float]:
    """Clone, look at and remove what `make` makes; `kept` are bytes beside the shared data."""
    driver = choose("auto", pool)
    source, target = pool / "scale-source", pool / "scale-clone"
    source.mkdir()
    make(source)
    before = kept(pool)
    found = {"clone": cpu(lambda: driver.clone(source, target))}
    found["kept"] = kept(pool) - before
    found["usage"] = cpu(lambda: driver.usage(target))
    found["remove"] = cpu(lambda: driver.remove(target))
    driver.remove(source)
    return found


def small_files(count: int) -> Callable[[Path], None]:
    """So many files of 8 KiB, 1,000 in a directory."""

    def make(place: Path) -> None:
        for number in range(count):
            folder = place / str(number // 1000)
            if number % 1000 == 0:
                folder.mkdir()
            (folder / str(number)).write_bytes(b"x" * 8192)

    return make


def pieces(count: int, size: int = 0) -> Callable[[Path], None]:
    """A file of so many extents of 4 KiB, evenly laid over `size` bytes."""

    def make(place: Path) -> None:
        step = max(size // count, 8192)
        with (place / "file").open("wb") as file:
            for number in range(count):
                os.pwrite(file.fileno(), b"x" * 4096, number * step)
            os.ftruncate(file.fileno(), max(size, count * step))

    return make


def shape(place: Path) -> dict[str, int]:
    """Files, extents and bytes of a tree."""
    found = {"files": 0, "extents": 0, "bytes": 0}
    for folder, _, names in os.walk(place):
        for name in names:
            with (Path(folder) / name).open("rb") as file:
                mapped = list(extents._mapped(file.fileno())) if os.fstat(file.fileno()).st_size else []
            found["files"] += 1
            found["extents"] += len(mapped)
            found["bytes"] += sum(length for _, _, length, _ in mapped)
    return found


def of_image(rows: int, size: int) -> dict[str, Any]:
    """What an image of so many masked rows of about 1 KiB is made of."""
    with stack(size, rows, width=900) as here:
        (image,) = catalog.images(here.open().project.pool, "scale")
        return {"rows": rows, **shape(here.pool / "images" / image.id)}


def of_branches(project: Project, here: Place, first: Branch, counts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What it takes to know of branches, when there are so many."""
    place = branches.directory(project.pool, first.name)
    there = 1
    for count in counts:
        for number in range(there, count):
            name = f"copy-{number}"
            target = branches.directory(project.pool, name)
            project.cow.clone(place, target)
            target.chmod(0o711)
            branches.save(project.pool, replace(first, name=name))
        there = count
        settings = project.loaded.stack
        free = replace(project, loaded=replace(
            project.loaded, stack=settings.model_copy(
                update={"branches": settings.branches.model_copy(update={"disk": None})}
            ),
        ))  # fmt: skip
        mine = branches.branches(project)
        assert len(mine) == count
        yield {
            "branches": count,
            "list": cpu(lambda: branches.branches(project)),
            "collect": cpu(lambda: list(collect.find(project))),
            "room": cpu(lambda one=free, all=mine: limits.require_room(one, all)),
            "room_with_disk": cpu(lambda all=mine: limits.require_room(project, all)),
            "room_with_disk_again": cpu(lambda all=mine: limits.require_room(project, all)),
            "ls": cpu(lambda: here.call("ls", "--json")),
        }


def of_images(project: Project, counts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What it takes to know of images: each a record of its own, sealed by the pool's key."""
    (image,) = catalog.images(project.pool, project.name)
    statement = attestation.read(project.pool.path_of("images", image.id), project.keys)
    there = 1
    for count in counts:
        for number in range(there, count):
            ident = f"img-{number:012x}"
            place = project.pool.path_of("images", ident)
            place.mkdir(mode=0o711)
            older = replace(image, id=ident, created_at=image.created_at.replace(year=2020))
            attestation.seal(place, {**statement, "image": records.dump(older)}, project.keys)
        there = count
        known = cpu(lambda: catalog.images(project.pool, project.name))
        yield {"images": count, "list": known, "collect": cpu(lambda: list(collect.find(project)))}
    for number in range(1, there):
        shutil.rmtree(project.pool.path_of("images", f"img-{number:012x}"))


def of_running(project: Project, here: Place, counts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Idle servers and the one gate."""
    started = 0
    for count in counts:
        for number in range(started, count):
            here.call("branch", "prod", "--name", f"runs-{number}")
        started = count
        running = [one for one in branches.branches(project) if one.name.startswith("runs-")]
        pids = [one.endpoints["main"].pid for one in running]
        trees = [tree_of(pid) for pid in pids if pid is not None]
        gates = process.run(["pgrep", "--full", "envclone.cage.gate"], check=False).stdout.split()
        mine = [int(pid) for pid in gates if str(project.pool.path) in Path(f"/proc/{pid}/cmdline").read_text()]
        yield {
            "running": count,
            "server_pss": sum(map(pss, [pid for tree in trees for pid in tree])) / count,
            "server_processes": sum(map(len, trees)) / count,
            "gate_pss": sum(map(pss, mine)),
            "gate_descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in mine),
        }
    for number in range(started):
        here.call("rm", f"runs-{number}")


def tree_of(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        children = Path(f"/proc/{one}/task/{one}/children")
        found += map(int, children.read_text().split()) if children.exists() else ()
    return found


def pss(pid: int) -> int:
    """Memory of a process, shared pages by their share (bytes)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0


def of_audit(place: Path, counts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The log when it has so many lines."""
    log = place / "audit.log"
    there = 0
    for count in counts:
        for number in range(there, count - 100):
            audit.append(log, "branch", {"name": f"prod-{number}", "image": "img-0123456789ab", "runtime": "local"})

        def append() -> None:
            for number in range(100):
                audit.append(log, "branch", {"name": f"prod-{number}", "image": "img-0123456789ab", "runtime": "local"})

        append_cpu = cpu(append)
        there = count
        yield {
            "lines": count, "append": append_cpu / 100, "verify": cpu(lambda: audit.broken(log)),
            "bytes_a_line": log.stat().st_size / count,
        }  # fmt: skip


def of_jobs(project: Project, counts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The jobs of a service when it has had so many, each with 40 events."""
    jobs = Jobs(State(project.pool, project.name), lambda job, place: [])
    there = 0
    for count in counts:
        for number in range(there, count):
            job = Job(f"20261128t120000-{number:012x}", "branch", {"environment": "prod"}, "token:ada", "ada",
                      "engineer", "done", "2026-11-28T12:00:00+00:00")  # fmt: skip
            folder = jobs.place(job.id)
            folder.mkdir(mode=0o700, parents=True)
            jobs._write(job)
            line = json.dumps({"at": "2026-11-28T12:00:00+00:00", "event": "progress", "step": 4, "of": 10}) + "\n"
            (folder / "events.jsonl").write_text(line * 40)
        there = count
        yield {"jobs": count, "list": cpu(jobs.all)}


@contextmanager
def stack(size: int, rows: int, width: int = 0) -> Iterator[Place]:
    """A pool that shares blocks, with one image of a small production."""
    with production(18) as server, pool_of(size) as (pool, driver):
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, filler text); INSERT INTO people "
            f"SELECT i, 'Jane Doe ' || i, repeat('x', {width}) FROM generate_series(1, {rows}) i; "
            "ALTER TABLE people ALTER filler SET STORAGE PLAIN",
            "app",
        )
        here = Place(pool.parent, pool, {"DSN": server.dsn_for("app")})
        here.write(STACK)
        here.call("image", "prod")
        here.env["SCALE_DRIVER"] = driver
        yield here


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Every curve."""
    report: dict[str, Any] = {"cores": len(os.sched_getaffinity(0))}
    report["image"] = [of_image(count, given.size << 30) for count in given.rows]
    with stack(given.size << 30, 1000) as here:
        report["driver"] = here.env["SCALE_DRIVER"]
        report["files"] = [{"files": count, **cloned(here.pool, small_files(count))} for count in given.files]
        report["extents"] = [{"extents": count, **cloned(here.pool, pieces(count))} for count in given.extents]
        report["sparse"] = [{"bytes": size, **cloned(here.pool, pieces(1000, size))} for size in (1 << 30, 1 << 40)]
        project = here.open().project
        list(collect.find(project))  # loads what it needs
        report["running"] = list(of_running(project, here, given.running))
        here.call("branch", "prod", "--name", "first")
        here.call("stop", "first")
        first = catalog.branch(project.pool, project.name, "first")
        report["branch_files"] = sum(len(names) for _, _, names in os.walk(branches.directory(project.pool, "first")))
        report["branches"] = list(of_branches(project, here, first, given.branches))
        report["images"] = list(of_images(project, given.images))
        report["jobs"] = list(of_jobs(project, given.jobs))
        with tempfile.TemporaryDirectory(dir=here.directory) as scratch:
            report["audit"] = list(of_audit(Path(scratch), given.lines))
    return report


def main(arguments: list[str]) -> int:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=40, help="GiB of the sparse file that the pool lies in")
    for name, counts in (
        ("files", (1000, 10_000, 100_000)), ("extents", (1000, 10_000, 100_000)), ("branches", (10, 30, 100, 300)),
        ("images", (10, 30, 100)), ("running", (1, 4, 8)), ("lines", (200, 1000, 5000)), ("jobs", (100, 500)),
        ("rows", (10_000, 300_000)),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, nargs="+", default=counts)
    parser.add_argument("--json", action="store_true", help="there is no other form; for the sake of all commands")
    began = time.monotonic()
    report = measure(parser.parse_args(arguments))
    report["seconds"] = time.monotonic() - began
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
