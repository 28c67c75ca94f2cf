"""The same incident in the same branch is killed under a small profile, and the report says so."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from envclone.profiles import cgroups
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: limits
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}, profile: prod-main}
sanitize:
  rules: {main: {public.people.name: person, public.people.id: keep}}
incidents: incidents/
"""
BUNDLE = """\
version: 1
incident: "88"
environment: prod
steps:
  - id: hungry
    kind: sql
    store: main
    role: app
    local: {work_mem: 2GB, hash_mem_multiplier: "1", max_parallel_workers_per_gather: "0"}
    sql: >-
      SELECT count(*) FROM (SELECT DISTINCT md5(i::text) || repeat('x', 700) FROM generate_series(1, 250000) AS i) AS s
"""
PROFILES = {
    "prod-main": "{cpus: 1.5, memory: 1GiB, pids: 200, settings: {shared_buffers: 16MB, work_mem: 7MB}}",
    "laptop": "{memory: 96MiB, settings: {shared_buffers: 16MB}}",
    "absurd": "{memory: 900TiB}",
}


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Jane Doe');"
            "CREATE ROLE app LOGIN",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def made(prod: Production) -> Iterator[Place]:
    """The place, whose image no test changes: it is made once."""
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        for folder in ("incidents", "profiles"):
            (made.file.parent / folder).mkdir()
        (made.file.parent / "incidents" / "88.yaml").write_text(BUNDLE)
        made.call("incident", "record", str(made.file.parent / "incidents" / "88.yaml"))
        made.call("image", "prod")
        yield made


@pytest.fixture
def here(made: Place) -> Iterator[Place]:
    for name, text in PROFILES.items():
        (made.file.parent / "profiles" / f"{name}.yaml").write_text(text + "\n")
    yield made
    for branch in made.json("ls"):
        made.call("rm", "--force", branch["name"])


def _groups() -> list[str]:
    return sorted(str(path) for path in Path("/sys/fs/cgroup").glob("**/envclone/*") if path.is_dir())


def test_a_killed_process_is_named_and_the_larger_profile_passes(here: Place) -> None:
    assert cgroups.unavailable() is None
    before = _groups()
    branch = here.json("branch", "prod", "--incident", "88")
    assert branch["profiles"]["main"]["cpus"] == 1.5 and branch["degraded"] == []
    with psycopg.connect(branch["urls"]["main"]) as conn:
        row = conn.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        said = Path(f"/proc/{row[0]}/cgroup").read_text()
        groups = {one for one in set(_groups()) - set(before) if Path(one).name in said}
        assert groups
        assert conn.execute("SHOW work_mem").fetchone() == ("7MB",)
    assert here.call("replay", "88").returncode == 0

    assert "under the profile prod" in here.call("replay", "88").stdout

    done = here.call("replay", "88", "--profile", "laptop", "--json", check=False)
    assert done.returncode == 5
    own = here.json("show", branch["name"])
    assert own["state"] == "running" and own["profiles"] == branch["profiles"]
    with psycopg.connect(own["urls"]["main"]) as conn:
        assert conn.execute("SHOW work_mem").fetchone() == ("7MB",)
    report = json.loads(done.stdout)
    assert report["evidence"]["main"]["oom_kills"] >= 1 and report["profile"] == "laptop"
    both = here.call("replay", "88", "--compare-profiles", "prod,laptop").stdout
    assert "killed for memory at 96 MiB" in both
    assert "in short: prod reproduced, laptop NOT reproduced" in both
    assert "of 1024 MiB memory, nothing killed" in both
    said = "main was killed for memory at 96 MiB (laptop); with 1024 MiB (prod) the answer is the same as production's"
    assert said in both
    shown = here.call("show", branch["name"]).stdout
    assert "last replay: incident 88 NOT reproduced" in shown and "killed for memory at 96 MiB" in shown
    assert here.json("show", branch["name"])["last_replay"]["evidence"]["main"]["oom_kills"] >= 1

    # an error, not a verdict
    failed = here.call("replay", "99", "--branch", branch["name"], "--profile", "laptop", check=False)
    assert failed.returncode == 2
    assert here.json("show", branch["name"])["profiles"] == branch["profiles"]
    here.call("rm", branch["name"])
    assert not groups & set(_groups())


def test_the_servers_processes_are_in_the_group_and_throttled(here: Place) -> None:
    (here.file.parent / "profiles" / "prod-main.yaml").write_text("{cpus: 0.2, memory: 256MiB, pids: 64}\n")
    branch = here.json("branch", "prod", "--name", "slow")
    members = list(Path("/sys/fs/cgroup").glob("**/envclone/slow-*/cgroup.procs"))
    pid = branch["endpoints"]["main"]["pid"]
    for path in members:
        inside = path.read_text().split()
        assert str(pid) in inside and len(inside) >= 4, path
        assert str(os.getpid()) not in inside
    with psycopg.connect(branch["urls"]["main"]) as conn:
        conn.execute("SELECT count(*) FROM generate_series(1, 3000000)")
    counted = [
        c for c in (path.with_name("cpu.stat") for path in members) if c.exists() and "nr_throttled" in c.read_text()
    ]
    assert any(
        int(line.split()[1]) > 0 for c in counted for line in c.read_text().splitlines() if "nr_throttled" in line
    )
    here.call("stop", "slow")
    assert not [path for path in _groups() if "/slow-" in path]
    here.call("start", "slow")
    assert [path for path in _groups() if "/slow-" in path]
    here.call("rm", "slow")


def test_limits_of_a_process_and_of_its_disk(here: Place) -> None:
    (here.file.parent / "profiles" / "prod-main.yaml").write_text(
        "{memory: 256MiB, ulimits: {nofile: 777, core: 0}, io: {write_bytes: 50MiB, read_ops: 900}}\n"
    )
    branch = here.json("branch", "prod", "--name", "held")
    assert branch["degraded"] == []
    limits = Path(f"/proc/{branch['endpoints']['main']['pid']}/limits").read_text()
    assert re.search(r"Max open files\s+777\s+777", limits)
    said = "".join(
        path.read_text()
        for name in ("blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device", "io.max")
        for path in Path("/sys/fs/cgroup").glob(f"**/envclone/held-*/{name}")
    )
    assert str(50 << 20) in said and "900" in said
    stats = here.fresh.json("stats", "held")["parts"]["main"]
    assert stats["memory_limit"] == 256 << 20 and stats["pids"] >= 4 and stats["cpu_seconds"] > 0
    assert "ready to accept" in here.fresh.call("logs", "held", "main").stdout
    here.call("rm", "held")
    (here.file.parent / "profiles" / "prod-main.yaml").write_text("{ulimits: {nonsense: 1}}\n")
    refused = here.call("branch", "prod", "--name", "held", check=False)
    assert refused.returncode == 6 and "no limit 'nonsense'" in refused.stderr
    assert here.json("ls") == []


def test_a_host_that_is_too_small_is_refused_or_said(here: Place) -> None:
    refused = here.call("branch", "prod", "--name", "big", "--profile", "absurd", check=False)
    assert refused.returncode == 6 and "900TiB" in refused.stderr and "--allow-degraded" in refused.stderr
    assert here.json("ls") == []
    unknown = here.call("branch", "prod", "--name", "big", "--profile", "nothing", check=False)
    assert unknown.returncode == 3 and "there are: absurd, laptop, prod-main" in unknown.stderr
    (here.file.parent / "profiles" / "absurd.yaml").write_text("{cpus: 400, settings: {work_mem: 5MB}}\n")
    made = here.call("branch", "prod", "--incident", "88", "--profile", "absurd", "--allow-degraded").stdout
    assert "degraded: cpus: main has 400 in production" in made
    assert "degraded: cpus" in here.call("replay", "88").stdout
    here.call("rm", "prod-88")
