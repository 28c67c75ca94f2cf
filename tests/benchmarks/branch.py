"""How long a branch takes, beside its floor: python -m tests.benchmarks.branch --size 2G --size 8G --json

For each size a Postgres of that many bytes is made and branched. In one run and interleaved are measured
- `branch`: the whole process `envclone branch` from a cached image, until it has exited and the server answers;
- `floor`: the same by bare tools as processes: `cp -a --reflink` of the image's store, then `pg_ctl -w start`;
- `bare`: the same inside this process, without starting a program but the server: what no command can go below;
- `python`: a Python that does nothing, as this environment starts it; `help`: the command line without a command.

`cpu` are the seconds of processor time that the branch's process and what it waited for took, which other work on the
machine changes less than the clock. `phases` are seconds inside of one more branch, by what it was in; `imports` are
the modules that it loaded and the seconds that each package took, from `python -X importtime`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from envclone import process
from envclone.accounts import hand_over, service_account
from envclone.cow import loop
from envclone.cow.choose import choose
from envclone.stores.postgres.server import engine as engines
from envclone.stores.postgres.server import server
from tests.support.postgres import production

ENVCLONE = [sys.executable, "-m", "envclone.cli.main"]

STACK = """\
version: 1
project: bench
pool: {{path: {pool}}}
environments:
  prod:
    stores:
      main: {{kind: postgres, source: {{method: physical, dsn: "${{BENCH_DSN}}", database: app}}}}
sanitize:
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.id: keep
      public.filler.*: keep
branches: {{ttl: 1h, max: 50}}
"""


def fill(dsn: str, size: int) -> None:
    """Make a database with `size` bytes of incompressible filler beside some people and what the server has itself."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE)")
        conn.execute(
            "INSERT INTO people SELECT i, 'Jane Doe', 'jane' || i || '@corp.example' FROM generate_series(1, 5000) i"
        )
        conn.execute("CREATE TABLE filler (id bigint, data bytea)")
        conn.execute("ALTER TABLE filler ALTER data SET STORAGE EXTERNAL")
        step = 64 * 2**20
        for done in range(0, size, step):
            conn.execute(
                "INSERT INTO filler SELECT g, decode(repeat(md5(g::text || %s), 1000), 'hex')"
                " FROM generate_series(1, %s) g",
                (str(done), min(step, size - done) // 16_500),
            )
        conn.execute("CHECKPOINT")


@contextmanager
def pool_of(size: int) -> Iterator[tuple[Path, str]]:
    """A pool to measure in: the loop-mounted XFS when this is root, else a plain directory with whatever it has."""
    top = Path(tempfile.mkdtemp(prefix="envclone-bench-", dir="/tmp"))
    top.chmod(0o711)
    place = top / "pool"
    try:
        if os.geteuid() == 0:
            loop.create(place, size)
        else:
            place.mkdir()
        yield place, choose("auto", place).name
    finally:
        if os.geteuid() == 0:
            loop.remove(place, force=True)
        shutil.rmtree(top, ignore_errors=True)


def floor(image: Path, place: Path, driver: Any) -> float:
    """Seconds of `cp` and `pg_ctl` as somebody would run them by hand; the server answers at the end."""
    engine, account = engines.find(18), service_account()
    data = place / "data"
    sockets = server.socket_dir_for(data)
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    hand_over(sockets, account)
    reflink = "always" if driver.name != "copy" else "never"
    began = time.perf_counter()
    process.run(["cp", "-a", f"--reflink={reflink}", image, place])
    copied = time.perf_counter()
    hand_over(place, account)  # an image is root's: that is envclone's doing, and not counted here
    began += time.perf_counter() - copied
    options = f"-c listen_addresses= -c unix_socket_directories={sockets}"
    process.run(
        [engine.bindir / "pg_ctl", "-D", data, "-w", "-s", "-l", data / "log", "-o", options, "start"], account=account
    )
    seconds = time.perf_counter() - began
    process.run([engine.bindir / "pg_ctl", "-D", data, "-m", "fast", "-w", "-s", "stop"], account=account)
    driver.remove(place)
    return seconds


def bare(image: Path, place: Path, driver: Any) -> float:
    """Seconds of a clone and a server start by our own parts, in this process."""
    began = time.perf_counter()
    driver.clone(image, place)
    data = place / "data"
    server.start(engines.find(18), data, socket_dir=server.socket_dir_for(data), log=place.with_suffix(".log"))
    seconds = time.perf_counter() - began
    server.stop(data)
    driver.remove(place)
    return seconds


def measure(size: int, runs: int) -> dict[str, Any]:
    """Every figure of one size."""
    with production(18) as prod, pool_of(max(3 * size, 2 * 2**30)) as (pool, driver_name):
        prod.create_database("app")
        fill(prod.dsn_for("app"), size)
        stack = pool.parent / "envclone.yaml"
        stack.write_text(STACK.format(pool=pool))
        env = {"BENCH_DSN": prod.dsn_for("app"), "PYTHONPATH": str(Path(__file__).parents[2])}
        base = [*ENVCLONE, "--file", str(stack)]
        began = time.perf_counter()
        image = json.loads(process.run([*base, "image", "prod", "--json"], env=env, timeout=3600).stdout)
        image_seconds = time.perf_counter() - began
        prod.stop()
        driver = choose("auto", pool)
        branches, floors, bares, pythons, helps, cpus, own = [], [], [], [], [], [], []
        for number in range(runs + 1):
            started = _seconds([sys.executable, "-c", "pass"], env)
            helped = _seconds([*base, "--help"], env)
            before = _processor()
            taken = _seconds([*base, "branch", "prod", "--name", f"b{number}", "--json"], env)
            used = _processor() - before
            shown = json.loads(process.run([*base, "show", f"b{number}", "--json"], env=env).stdout)
            process.run([*base, "rm", f"b{number}"], env=env)
            store, beside = pool / "images" / image["id"] / "main", pool / "work" / f"beside{number}"
            by_tools, by_parts = floor(store, beside, driver), bare(store, beside, driver)
            if number:  # the first of each warms the caches
                branches.append(taken)
                floors.append(by_tools)
                bares.append(by_parts)
                pythons.append(started)
                helps.append(helped)
                cpus.append(used)
                own.append(shown["own_bytes"])
        phases, imports = _inside(base, env)
    return {
        "size": size,
        "driver": driver_name,
        "image_seconds": round(image_seconds, 2),
        "branch_seconds": _spread(branches),
        "floor_seconds": _spread(floors),
        "bare_seconds": _spread(bares),
        "python_seconds": _spread(pythons),
        "help_seconds": _spread(helps),
        "branch_cpu_seconds": _spread(cpus),
        "branch_to_floor": round(statistics.median(branches) / statistics.median(floors), 2),
        "branch_to_bare": round(statistics.median(branches) / statistics.median(bares), 2),
        "phases": phases,
        "imports": imports,
        "own_bytes_at_birth": max(own),
    }


def _seconds(argv: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    process.run(argv, env=env)
    return time.perf_counter() - began


def _processor() -> float:
    """Seconds of processor time of all programs that this process has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


PHASES = {
    "stack file": "envclone.project:Project.open",
    "image found and checked": "envclone.lifecycle.images:_held",
    "clone": "envclone.cow.reflink:ReflinkDriver.clone",
    "start": "envclone.stores.postgres.server.server:start",
    "driver loaded while it starts": "importlib:import_module",
    "login": "envclone.stores.postgres.server.service:let_in",
    "gate": "envclone.cage.gatekeeper:Gatekeeper.summon",
    "records": "envclone.pool.files:write_json",
    "audit log": "envclone.pool.audit:append",
}
"""What a branch's time goes into, by the function that is timed; `start` holds the driver's loading."""

_TIMED = """
import cProfile, json, pstats, sys
from envclone.cli.main import cli
profile = cProfile.Profile(builtins=False)
profile.enable()
cli.main(sys.argv[2:], standalone_mode=False)
profile.disable()
found = {}
for (file, _, name), (_, _, own, total, _) in pstats.Stats(profile).stats.items():
    found[f"{file}:{name}"] = total
with open(sys.argv[1], "w") as file:
    json.dump(found, file)
"""


def _inside(base: list[str], env: dict[str, str]) -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds of each phase under a profiler, which makes all of it slower, and of the packages that are imported."""
    with tempfile.TemporaryDirectory() as top:
        report = Path(top) / "profile.json"
        words = [*base[3:], "branch", "prod", "--name", "profiled", "--json"]
        process.run([sys.executable, "-c", _TIMED, str(report), *words], env=env)
        process.run([*base, "rm", "profiled"], env=env)
        timed = json.loads(report.read_text())
    phases = {}
    for what, target in PHASES.items():
        module, _, function = target.partition(":")
        ending = f"{module.replace('.', '/')}"
        phases[what] = round(
            sum(
                seconds
                for place, seconds in timed.items()
                if place.rpartition(":")[2] == function.rpartition(".")[2]
                and (f"{ending}.py:" in place or f"{ending}/__init__.py:" in place)
            ),
            3,
        )
    command = [base[0], "-X", "importtime", *base[1:], "branch", "prod", "--name", "imported", "--json"]
    lines = process.run(command, env=env).stderr.splitlines()
    process.run([*base, "rm", "imported"], env=env)
    packages: dict[str, int] = {}
    for line in lines:
        if line.startswith("import time:") and (own := line[12:].split("|")[0].strip()).isdigit():
            package = line.rpartition("|")[2].strip().partition(".")[0]
            packages[package] = packages.get(package, 0) + int(own)
    longest = sorted(packages.items(), key=lambda item: -item[1])[:10]
    return phases, {
        "modules": sum(line.startswith("import time:") for line in lines) - 1,
        "seconds": {name: round(micros / 1e6, 4) for name, micros in longest},
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", action="append", type=loop.parse_size)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = [measure(size, arguments.runs) for size in arguments.size or [2 * 2**30]]
    first, last = results[0], results[-1]
    document = {
        "sizes": results,
        "largest_to_smallest": round(last["branch_seconds"]["median"] / first["branch_seconds"]["median"], 2),
    }
    if arguments.json:
        print(json.dumps(document, indent=2))
        return
    for result in results:
        print(
            f"{loop.format_size(result['size'])}: branch {result['branch_seconds']['median']} s,"
            f" floor {result['floor_seconds']['median']} s, ratio {result['branch_to_floor']},"
            f" bare {result['bare_seconds']['median']} s, python {result['python_seconds']['median']} s,"
            f" processor {result['branch_cpu_seconds']['median']} s,"
            f" own bytes {loop.format_size(result['own_bytes_at_birth'])}"
        )


if __name__ == "__main__":
    main()
