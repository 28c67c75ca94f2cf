"""What memory limits do to containers is seen, named, and told from a kill by hand."""

from __future__ import annotations

import json

import pytest

from tests.integration.docker.conftest import World
from tests.support import docker

pytestmark = [pytest.mark.real, pytest.mark.root, pytest.mark.docker]

BUNDLE = """\
version: 1
incident: "{name}"
environment: prod
steps:
  - id: infer
    kind: http
    service: api
    path: /infer{query}
    expect: {{columns: [status, body], rows: [[200, {{answer: "42"}}]]}}
"""


@pytest.fixture
def branch(world: World) -> str:
    incidents = world.here.directory / "incidents"
    (incidents / "88.yaml").write_text(BUNDLE.format(name="88", query=""))
    (incidents / "89.yaml").write_text(BUNDLE.format(name="89", query="?child=1"))
    (incidents / "90.yaml").write_text(
        'version: 1\nincident: "90"\nenvironment: prod\nsteps:\n  - {id: long, kind: sql, store: main,'
        " local: {statement_timeout: 100ms}, sql: SELECT pg_sleep(5), expect: {error: '57014: statement timeout'}}\n"
        "  - {id: wide, kind: sql, store: main, local: {work_mem: 64kB},"
        " sql: 'SELECT count(*) FROM (SELECT i FROM generate_series(1, 300000) i ORDER BY -i) s',"
        " expect: {columns: [count], rows: [[300000]]}}\n"
    )
    (world.here.directory / "profiles" / "small.yaml").write_text("{memory: 96MiB, pids: 100}\n")
    world.here.call("branch", "prod", "--name", "limits")
    yield "limits"
    world.here.call("rm", "limits")
    assert docker.containers(world.here.pool) == []


def test_a_killed_service_is_named_and_the_larger_profile_passes(world: World, branch: str) -> None:
    here = world.here
    done = here.call("replay", "88", "--branch", branch, "--profile", "api=small", "--json", check=False)
    assert done.returncode == 5, done.stderr
    seen = json.loads(done.stdout)["evidence"]
    assert seen["api"]["oom_kills"] >= 1 and seen["api"]["exit_code"] == 137
    assert seen["main"]["oom_kills"] == 0 and seen["main"]["exit_code"] is None

    both = here.call("replay", "88", "--branch", branch, "--compare-profiles", "prod,api=small").stdout
    assert "api: a process of it was killed for memory at 96 MiB; ended by the kernel" in both
    assert "in short: prod reproduced, api=small NOT reproduced" in both


def test_a_killed_child_is_named_too(world: World, branch: str) -> None:
    here = world.here
    done = here.call("replay", "89", "--branch", branch, "--profile", "api=small", "--json", check=False)
    assert done.returncode == 5, done.stderr
    report = json.loads(done.stdout)
    seen = report["evidence"]["api"]
    assert seen["oom_kills"] >= 1 and seen["exit_code"] is None and seen["restarts"] == 0
    assert "cut short" in json.dumps(report["steps"])
    assert here.call("replay", "89", "--branch", branch, "--profile", "prod").returncode == 0


def test_a_kill_by_hand_is_none_for_memory(world: World, branch: str) -> None:
    from envclone import registry

    stack = world.here.open()
    one = stack.show(branch)
    with registry.observer("docker").evidence(one, world.here.pool / "branches" / branch) as witness:
        world.here.call("exec", branch, "api", docker.python(), "-c", "import os; os.kill(1, 9)", check=False)

        from envclone import process

        ours = ["--filter", f"label=io.envclone.pool={world.here.pool}"]
        api = ["--filter", "label=com.docker.compose.service=api"]
        process.run(["docker", "kill", *process.run(["docker", "ps", "--quiet", *ours, *api]).stdout.split()])
        seen = witness.testify()["api"]
    assert seen.exit_code == 137 and seen.oom_kills == 0


def test_timeouts_and_temporary_files_are_counted(world: World, branch: str) -> None:
    report = world.here.json("replay", "90", "--branch", branch)
    seen = report["evidence"]["main"]
    assert seen["timeouts"] == 1 and seen["temp_files"] >= 1 and seen["temp_bytes"] > 1_000_000
    said = world.here.call("replay", "90", "--branch", branch).stdout
    assert "1 statements ran into a timeout" in said and "temporary files of" in said
