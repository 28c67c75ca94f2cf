"""Life and death of a preview stack: idle stop, protection, limits, orphans, a daemon that was restarted."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from envclone import process, wait
from envclone.runtimes.docker import engine, sandbox
from tests.integration.docker.conftest import World
from tests.support import docker
from tests.support.postgres import scratch

pytestmark = [pytest.mark.real, pytest.mark.root, pytest.mark.docker]


def test_orphans_are_found_by_label_and_removed(world: World) -> None:
    here = world.here
    here.call("branch", "prod", "--name", "lost")
    here.call("branch", "prod", "--name", "stays")
    process.run(["docker", "stop", "--time", "1", *docker.containers(here.pool, "lost")])
    shutil.rmtree(here.pool / "branches" / "lost")
    found = here.json("gc", "--dry-run")
    assert [(one["kind"], one["name"]) for one in found] == [("docker", "lost")]
    assert len(docker.containers(here.pool, "lost")) == 3
    here.call("gc")
    assert docker.containers(here.pool, "lost") == [] and len(docker.containers(here.pool, "stays")) == 3
    assert here.json("gc") == []
    here.call("rm", "stays")
    here.call("rm", "stays")
    assert docker.containers(world.here.pool) == []


def test_volumes_that_an_image_asks_for_go_with_the_branch(world: World) -> None:
    here = world.here
    with contextlib.closing(engine.connect()) as client:
        client.api.import_image_from_data(
            sandbox.image_of(),
            repository="envclone-test/volume",
            tag="1",
            changes=['ENTRYPOINT ["/pause"]', 'VOLUME ["/state"]'],
        )
    good = here.file.read_text()
    here.file.write_text(
        good.replace("    services:\n", "    services:\n      holder: {image: 'envclone-test/volume:1'}\n")
    )
    try:
        before = _volumes()
        branch = here.json("branch", "prod", "--name", "holds")
        assert sorted(branch["services"]) == ["api", "holder"] and len(_volumes()) == len(before) + 1
        assert "holder" not in branch["endpoints"]
        assert "holder: no port" in here.call("show", "holds").stdout
        here.call("rm", "holds")
        assert _volumes() == before
    finally:
        here.file.write_text(good)


def _volumes() -> list[str]:
    return sorted(process.run(["docker", "volume", "ls", "--quiet"]).stdout.split())


def test_idle_branches_are_stopped_and_use_keeps_them(world: World) -> None:
    here = world.here
    world.write(more="branches: {idle: 10m, ttl: 1h}")
    try:
        branch = here.json("branch", "prod", "--name", "idle")
        long_ago = time.time() - 3600
        used = here.pool / "branches" / "idle" / "used"
        os.utime(used, (long_ago, long_ago))
        with psycopg.connect(branch["urls"]["main"]):
            os.utime(used, (long_ago, long_ago))
            assert here.json("gc", "--dry-run") == []  # somebody is connected
            assert used.stat().st_mtime == long_ago, "a dry run changes nothing"
            assert here.json("gc") == []
        assert time.time() - used.stat().st_mtime < 60
        os.utime(used, (long_ago, long_ago))
        here.call("protect", "idle")
        assert here.json("gc") == []
        refused = here.call("rm", "idle", check=False)
        assert refused.returncode == 4 and "protect --off" in refused.stderr
        here.call("protect", "idle", "--off")
        stopped = here.json("gc")
        assert [(one["kind"], one["name"]) for one in stopped] == [("idle", "idle")] and stopped[0]["error"] is None
        assert here.json("show", "idle")["state"] == "stopped"
        before = dt.datetime.fromisoformat(here.json("show", "idle")["expires_at"])
        here.call("start", "idle")
        after = dt.datetime.fromisoformat(here.json("show", "idle")["expires_at"])
        assert after > before
        here.call("rm", "idle")
    finally:
        world.write()


def test_limits_of_memory_and_space_are_refused_with_numbers(world: World) -> None:
    here = world.here
    world.write(more="branches: {memory: 2GiB, disk: 1KiB}")
    try:
        here.call("branch", "prod", "--name", "first")
        refused = here.call("branch", "prod", "--name", "second", check=False)
        assert refused.returncode == 6 and "branches.disk" in refused.stderr
        world.write(more="branches: {memory: 2GiB}")
        refused = here.call("branch", "prod", "--name", "second", check=False)
        assert refused.returncode == 6 and "1.2G memory" in refused.stderr
        here.call("stop", "first")
        here.call("branch", "prod", "--name", "second")
        here.call("rm", "first", "second")
    finally:
        world.write()
    assert docker.containers(world.here.pool) == []


@pytest.fixture
def daemon() -> Iterator[dict[str, str]]:
    """A Docker Engine of the test's own, which it can stop and start."""
    with scratch() as place:
        engine = _Daemon(place)
        engine.start()
        yield {"DOCKER_HOST": f"unix://{place}/docker.sock", "PLACE": str(place)}
        _Daemon(place).stop()


class _Daemon:
    def __init__(self, place: Path) -> None:
        self._place = place

    def start(self) -> None:
        place = self._place
        pid = process.spawn(
            [
                "unshare", "--net",  # without a bridge it would remove that of this machine's own engine
                "dockerd", "--data-root", place / "data", "--exec-root", place / "exec", "--pidfile", place / "pid",
                "--host", f"unix://{place}/docker.sock", "--bridge", "none", "--iptables=false", "--ip-masq=false",
            ],
            log=place / "dockerd.log",
        )  # fmt: skip
        (place / "started").write_text(str(pid))
        wait.until(self._answers, what="the second dockerd did not start", timeout=60)

    def stop(self) -> None:
        pid = int((self._place / "started").read_text())
        process.terminate(pid)
        wait.until(lambda: None if process.alive(pid) else True, what="the second dockerd did not stop", timeout=60)

    def _answers(self) -> bool | None:
        done = process.run(["docker", "info"], env={"DOCKER_HOST": f"unix://{self._place}/docker.sock"}, check=False)
        return True if done.returncode == 0 else None


def test_after_the_daemon_was_restarted(world: World, daemon: dict[str, str]) -> None:
    here = world.here
    good = here.file.read_text()
    text = (
        good[: good.index("    services:")] + good[good.index("sanitize:") :]
    )  # the image of the service is not there
    here.file.write_text(text)
    env = {"DOCKER_HOST": daemon["DOCKER_HOST"]}
    engine = _Daemon(Path(daemon["PLACE"]))
    try:
        here.call("branch", "prod", "--name", "survivor", "--runtime", "docker", env=env)
        engine.stop()
        said = here.call("ls", env=env).stdout
        assert "survivor" in said and "stopped" in said
        refused = here.call("start", "survivor", check=False, env=env)
        assert refused.returncode == 7 and "no Docker Engine answers" in refused.stderr
        engine.start()
        here.call("start", "survivor", env=env)
        assert here.call("psql", "survivor", "-tc", "SELECT 7", env=env).stdout.strip() == "7"
        engine.stop()
        refused = here.call("rm", "survivor", check=False, env=env)
        assert refused.returncode == 6 and "is not gone" in refused.stderr
        engine.start()
        here.call("rm", "survivor", env=env)
        assert process.run(["docker", "ps", "--all", "--quiet"], env=env).stdout == ""
        assert here.json("ls") == []
    finally:
        here.file.write_text(good)
