"""Twenty preview stacks at once on one machine: how long each takes up and down, and what each needs.

    python -m tests.benchmarks.stacks --branches 20 --json

Beside them, in the same run, the same branches as local processes, and the least that Docker itself takes for the same
containers: `docker compose up --wait` and `down` by hand on a branch's own compose file. Times are in seconds, of whole
processes as a user starts them; memory is what the control groups count (bytes), disk what a branch alone occupies.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from envclone import process
from envclone.profiles.processes import tree_usage
from tests.support import docker
from tests.support.postgres import production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: stacks
pool: {{path: "{{pool}}"}}
environments:
  prod:
    stores:
      main: {{kind: postgres, source: {{method: physical, dsn: "${{DSN}}", database: app}}}}
    {services}
sanitize:
  rules: {{main: {{public.people.id: keep, public.people.name: person}}}}
branches: {{max: 200}}
"""


def _timed(here: Place, *arguments: str) -> float:
    began = time.monotonic()
    here.call(*arguments)
    return time.monotonic() - began


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


def _one_by_one(here: Place, runtime: str, count: int) -> dict[str, Any]:
    up, down = [], []
    for number in range(count):
        up.append(_timed(here, "branch", "prod", "--name", f"{runtime}-{number}", "--runtime", runtime))
    for number in range(count):
        down.append(_timed(here, "rm", f"{runtime}-{number}"))
    return {"up": _summary(up), "down": _summary(down)}


def _together(here: Place, count: int, at_once: int) -> dict[str, Any]:
    names = [f"s{number}" for number in range(count)]
    with ThreadPoolExecutor(at_once) as threads:
        began = time.monotonic()
        up = list(
            threads.map(lambda name: _timed(here, "branch", "prod", "--name", name, "--runtime", "docker"), names)
        )
        all_up = time.monotonic() - began
        running = [one for one in here.json("ls") if one["state"] == "running"]
        memory = [sum(part["memory"] for part in here.json("stats", one["name"])["parts"].values()) for one in running]
        disk = [here.json("show", one["name"])["own_bytes"] for one in running]
        containers = len(docker.containers(here.pool))
        gates = [tree_usage(int(pid))["memory"] for pid in _gate_pids()]
        began = time.monotonic()
        down = list(threads.map(lambda name: _timed(here, "rm", name), names))
        all_down = time.monotonic() - began
    return {
        "branches": count,
        "at_once": at_once,
        "running_together": len(running),
        "containers": containers,
        "up": _summary(up),
        "all_up": round(all_up, 2),
        "down": _summary(down),
        "all_down": round(all_down, 2),
        "memory_per_branch": int(statistics.median(memory)),
        "memory_per_gate": int(statistics.median(gates)),
        "own_bytes_per_branch": int(statistics.median(disk)),
        "left_containers": len(docker.containers(here.pool)),
        "left_branches": here.json("ls"),
        "left_gates": len(_gate_pids()),
    }


def _gate_pids() -> list[str]:
    return process.run(["pgrep", "--full", "envclone.runtimes.docker.gate"], check=False).stdout.split()


def _by_hand(here: Place, rounds: int) -> dict[str, Any]:
    """What compose takes for the same containers, its health checks as the file has them."""
    here.call("branch", "prod", "--name", "by-hand", "--runtime", "docker")
    here.call("stop", "by-hand")
    file = here.pool / "branches" / "by-hand" / "compose.yaml"
    up, down = [], []
    for _ in range(rounds):
        began = time.monotonic()
        process.run(["docker", "compose", "--project-name", "by-hand", "--file", file, "up", "--detach", "--wait"])
        up.append(time.monotonic() - began)
        began = time.monotonic()
        process.run(["docker", "compose", "--project-name", "by-hand", "--file", file, "down"])
        down.append(time.monotonic() - began)
    here.call("rm", "by-hand")
    return {"up": _summary(up), "down": _summary(down)}


def main(arguments: list[str]) -> int:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--branches", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=4, help="commands that run at the same time")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="there is no other form; for the sake of all commands")
    given = parser.parse_args(arguments)
    with production(18) as server, place(size="8G") as here:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people "
            f"SELECT i, 'Jane Doe ' || i FROM generate_series(1, {given.rows}) i",
            "app",
        )
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK.format(services=""))
        here.call("image", "prod")
        here.call("branch", "prod", "--name", "first", "--runtime", "docker")  # makes the images
        here.call("rm", "first")
        report: dict[str, Any] = {"cores": len(os.sched_getaffinity(0))}
        report["docker, one store"] = _one_by_one(here, "docker", given.rounds)
        report["local, one store"] = _one_by_one(here, "local", given.rounds)
        report["compose up --wait by hand, one store"] = _by_hand(here, min(given.rounds, 3))
        report["at once, one store"] = _together(here, given.branches, given.at_once)
        service = _service(here.directory)
        here.write(STACK.format(services=service))
        report["docker, one store and a service"] = _one_by_one(here, "docker", given.rounds)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 0


def _service(directory: Path) -> str:
    environment = docker.environment()
    return (
        f"services: {{api: {{image: {docker.app_image()},"
        f" command: [{docker.python()}, {docker.inside(docker.APP)}/server.py],"
        f' environment: {{DATABASE_URL: "${{stores.main.url}}", PYTHONPATH: "{environment["PYTHONPATH"]}"}},'
        " ports: [8000], healthcheck: {path: /healthz}}}"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
