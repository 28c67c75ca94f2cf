"""Ten processes in one pool of two projects, every command at random: nothing is lost, nothing fails by itself.

    python -m tests.security.pool.stress --processes 10 --minutes 5 --seed 1 --json

Every command must end with a code that its situation explains: done, busy, a name that another one took or removed.
Some are killed in the middle. Afterwards every image verifies, every branch has its own project's rows, nothing
is left in `work/` and `tmp/`, no process is left, and the pool has no damaged record.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psycopg

from tests.security.pool import two
from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, place

STACK = two.STACK.replace("branches: {max: 2}", "  hooks: [nobody.sql]\nbranches: {max: 5}")
HOOK = "-- stage: verify\n-- store: main\nSELECT 1 FROM public.people WHERE id < 0;\n"
BUNDLE = """\
version: 1
incident: "7"
environment: prod
steps:
  - id: whose
    kind: sql
    store: main
    role: app
    sql: SELECT id, of FROM public.people WHERE id < 4 ORDER BY id
    key: id
"""
PROJECTS = ("alpha", "beta")
NAMES = ("one", "two", "three")
WEIGHTS = {
    "verify": 3, "scan": 3, "hooks": 3, "again": 2, "fresh": 1, "branch": 8, "replay": 5, "parity": 2, "reset": 3,
    "stop": 2, "start": 3, "rm": 4, "gc": 4, "ls": 4, "images": 2, "protect": 1,
}  # fmt: skip
EXPLAINED = {
    2: ("there is no branch", "there is no image", "belongs to the project", "there is no raw snapshot"),
    4: (
        "is stopped",
        "is creating",
        "is failed",
        "is removing",
        "is half made",
        "is protected",
        "is no longer in quarantine",
    ),  # a newer snapshot took its place: docs/operations.md
    6: ("branches already",),
    8: ("is in use by process", "exists already", "is taken"),
}
"""Exit codes beside 0 that a command may end with here, and what its message then says."""


@dataclass
class Result:
    """What a run came to."""

    seconds: float = 0.0
    commands: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    killed: int = 0
    problems: list[str] = field(default_factory=list)
    images: int = 0
    branches: int = 0
    slowest_branch: float = 0.0


@contextmanager
def arena(*, size: str = "4G") -> Iterator[tuple[Production, list[Place]]]:
    """A production with a database per project, and a place per project on one pool."""
    with production(18) as server, place(size=size) as first:
        server.execute("CREATE ROLE app LOGIN")
        places = []
        for project in PROJECTS:
            two.prepare(server, project, rows=300)
            server.execute("GRANT SELECT ON people TO app", project)
            folder = first.directory / project
            (folder / "incidents").mkdir(parents=True)
            here = replace(first, directory=folder, env={"PROD_DSN": server.dsn_for(project)})
            here.write(STACK.replace("@PROJECT@", project))
            (folder / "nobody.sql").write_text(HOOK)
            (folder / "incidents" / "7.yaml").write_text(BUNDLE)
            here.call("incident", "record", str(folder / "incidents" / "7.yaml"))
            here.call("image", "prod")
            places.append(here)
        try:
            yield server, places
        finally:
            for here in places:
                for branch in here.json("ls"):
                    here.call("rm", "--force", branch["name"], check=False)


def run(places: list[Place], *, processes: int, minutes: float, seed: int, kills: float = 0.03) -> Result:
    """Let `processes` commands at a time run for `minutes`, and check what is left."""
    result = Result()
    lock = threading.Lock()
    began = time.monotonic()
    deadline = began + minutes * 60

    def work(number: int) -> None:
        chance = random.Random(seed * 1000 + number)
        while time.monotonic() < deadline:
            here = places[chance.randrange(len(places))]
            (kind,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
            arguments = _arguments(kind, here, chance)
            after = chance.uniform(0.2, 6) if chance.random() < kills else None
            code, said, seconds = _call(here, arguments, after)
            with lock:
                result.commands[kind] += 1
                result.codes[code] += 1
                result.killed += code == -signal.SIGKILL
                if kind == "branch" and code == 0:
                    result.slowest_branch = max(result.slowest_branch, round(seconds, 2))
                if problem := _unexplained(code, said, killed=after is not None):
                    result.problems.append(f"{' '.join(arguments)}: {problem}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.seconds = round(time.monotonic() - began, 1)
    _examine(places, result)
    return result


def _arguments(kind: str, here: Place, chance: random.Random) -> list[str]:
    name = f"{here.directory.name}-{chance.choice(NAMES)}"
    images = sorted(entry.name for entry in (here.pool / "images").iterdir() if not entry.name.startswith("."))
    image = chance.choice(images) if images else "img-none"
    fixed = {
        "verify": ["verify", image, *(["--files"] if chance.random() < 0.3 else [])],
        "hooks": ["hooks", "test", "nobody.sql", "--env", "prod"],
        "again": ["image", "prod", "--again"],
        "fresh": ["image", "prod", "--fresh"],
        "scan": ["scan", "prod", "--all"],
        "branch": ["branch", "prod", "--name", name],
        "replay": ["replay", "7", "--branch", name],
        "protect": ["protect", name, *(["--off"] if chance.random() < 0.8 else [])],
        "rm": ["rm", name, *(["--force"] if chance.random() < 0.5 else [])],
    }
    return fixed.get(kind, [kind, name] if kind in ("parity", "reset", "stop", "start") else [kind])


def _call(here: Place, arguments: list[str], kill_after: float | None) -> tuple[int, str, float]:
    began = time.monotonic()
    started = subprocess.Popen(
        [sys.executable, "-m", "envclone.cli.main", "--file", str(here.file), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **here.env},
        cwd=here.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, error = started.communicate(timeout=kill_after or 600)
    except subprocess.TimeoutExpired:
        started.kill()
        out, error = started.communicate()
    return started.returncode, out + error, time.monotonic() - began


def _unexplained(code: int, said: str, *, killed: bool) -> str | None:
    if code == 0 or (killed and code == -signal.SIGKILL):
        return None
    if "Traceback" not in said and any(words in said for words in EXPLAINED.get(code, ())):
        return None
    return f"exit code {code}: {said.strip()[-600:]}"


def _examine(places: list[Place], result: Result) -> None:
    """What must be true when nobody is at work any more."""
    pool = places[0].pool
    for here in places:
        for one in here.json("gc"):
            if one["error"]:
                result.problems.append(f"gc: {one['kind']} {one['name']}: {one['error']}")
    left = [f"{kind}/{entry.name}" for kind in ("work", "tmp") for entry in (pool / kind).iterdir()]
    left += [f"{kind}/{e.name}" for kind in ("raw", "images", "branches") for e in (pool / kind).glob(".*")]
    if left:
        result.problems.append(f"left after gc: {', '.join(sorted(left))}")
    for here in places:
        project = here.directory.name
        images = here.json("images")
        result.images += len(images)
        if not images:
            result.problems.append(f"{project} has no image any more")
        for image in images:
            done = here.call("verify", image["id"], check=False)
            if done.returncode or image["project"] != project:
                result.problems.append(f"image {image['id']} of {project}: {done.stderr.strip()}")
        for branch in here.json("ls"):
            result.branches += 1
            _examine_branch(here, branch["name"], result)
        flaws = [one for one in here.json("doctor") if one["name"].startswith("record ")]
        result.problems += [f"{one['name']}: {one['detail']}" for one in flaws]
    names = {entry.name for entry in (pool / "branches").iterdir()}
    if strange := sorted(name for name in names if name.partition("-")[0] not in PROJECTS):
        result.problems.append(f"branches of nobody: {', '.join(strange)}")
    for here in places:
        for branch in here.json("ls"):
            here.call("rm", "--force", branch["name"])
    if running := _servers(pool):
        result.problems.append(f"servers of the pool still run: {running}")
    done = places[0].call("audit", "verify", check=False)
    if done.returncode:
        result.problems.append(f"audit verify: {done.stderr.strip()}")


def _examine_branch(here: Place, name: str, result: Result) -> None:
    done = here.call("start", name, "--json", check=False)
    if done.returncode:
        result.problems.append(f"branch {name} does not start: {done.stderr.strip()}")
        return
    with psycopg.connect(json.loads(done.stdout)["urls"]["main"]) as conn:
        rows = conn.execute("SELECT of, count(*) FROM public.people GROUP BY of").fetchall()
    if rows != [(here.directory.name, 300)]:
        result.problems.append(f"branch {name} of {here.directory.name} holds {rows}")


def _servers(pool: Path) -> list[int]:
    """Processes whose working directory or command line is below the pool."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(pool) in f"{os.readlink(entry / 'cwd')}\n{(entry / 'cmdline').read_text(errors='replace')}":
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with arena(size="8G") as (_, places):
        result = run(places, processes=given.processes, minutes=given.minutes, seed=given.seed)
    if given.json:
        print(json.dumps({**asdict(result), "commands": dict(result.commands), "codes": dict(result.codes)}, indent=2))
    else:
        print(f"{sum(result.commands.values())} commands in {result.seconds} s, exit codes {dict(result.codes)}")
        print("\n".join(result.problems) or "nothing lost, no internal error")
    sys.exit(1 if result.problems else 0)


if __name__ == "__main__":
    main()
