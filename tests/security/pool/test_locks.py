"""What somebody uses is held: `gc`, `rm` and `reset` of others wait, are refused, or leave it for the next time."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from envclone import process
from tests.security.pool.two import two_projects
from tests.support.stack import ROOT, Place

HOLDER = """
import sys, time
from pathlib import Path
from envclone.pool import Pool
pool = Pool.open(Path(sys.argv[1]))
with (pool.owning if sys.argv[4:] else pool.using)(sys.argv[2], sys.argv[3]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(here: Place, kind: str, ident: str, *, alone: bool = False) -> Iterator[int]:
    """Another process that uses an object (or with `alone` owns it); gives its id."""
    argv = [sys.executable, "-c", HOLDER, str(here.pool), kind, ident, *(["alone"] if alone else [])]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder.pid
        finally:
            holder.stdin.close()
            holder.wait()


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    """A project with a snapshot, an image and a branch."""
    with two_projects() as (alpha, _):
        alpha.write(alpha.file.read_text().replace("max: 2", "max: 9"))
        alpha.call("branch", "prod", "--name", "b")
        yield alpha


def test_what_somebody_uses_is_not_collected(here: Place) -> None:
    """A second snapshot and image supersede the first ones, which are in use."""
    here.call("branch", "prod", "--name", "other", "--fresh")
    here.call("rm", "b", "other")
    (image,) = [one for one in here.json("gc", "--dry-run") if one["kind"] == "image"]
    (raw,) = [one for one in here.json("gc", "--dry-run") if one["kind"] == "raw"]
    with held(here, "images", image["name"]), held(here, "raw", raw["name"]):
        assert here.json("gc", "--dry-run") == []
        assert here.json("gc") == []
        assert (here.pool / "images" / image["name"]).is_dir()
        assert (here.pool / "raw" / raw["name"]).is_dir()
    assert {one["name"] for one in here.json("gc")} == {image["name"], raw["name"]}
    here.call("branch", "prod", "--name", "b")


def test_a_branch_in_use_is_neither_removed_nor_reset_and_the_user_is_named(here: Place) -> None:
    with held(here, "branches", "b") as pid:
        for command in ("stop", "reset", "rm"):
            done = here.call(command, "b", check=False)
            assert done.returncode == 8, (command, done.stderr)
            assert f"the branch 'b' is in use by process {pid}" in done.stderr
        here.call("env", "b")
        assert here.call("psql", "b", "-Atc", "SELECT count(*) FROM people").stdout == "200\n"
        assert here.json("show", "b")["state"] == "running"
        _expire(here, "b")
        assert here.json("gc") == []
    assert [one["name"] for one in here.json("gc")] == ["b"]
    here.call("branch", "prod", "--name", "b")


def test_readers_do_not_keep_a_branch_waiting(here: Place) -> None:
    """Somebody verifies the image and scans its snapshot: a branch is made meanwhile, in no more time."""
    (image,) = here.json("images")
    began = time.monotonic()
    here.call("branch", "prod", "--name", "alone")
    alone = time.monotonic() - began
    with held(here, "images", image["id"]), held(here, "raw", image["raw"]["id"]):
        began = time.monotonic()
        here.call("branch", "prod", "--name", "beside")
        beside = time.monotonic() - began
        here.call("rm", "alone", "beside")
    assert beside < 3 * alone + 2


def test_an_image_made_again_is_another_one(here: Place) -> None:
    """A branch keeps the image that it was cloned from, also when `gc` comes by, and can be reset."""
    before = here.json("show", "b")["image"]
    again = here.json("image", "prod", "--again")["id"]
    assert again != before
    assert here.json("gc") == []
    assert {one["id"] for one in here.json("images")} == {before, again}
    assert here.json("reset", "b")["image"] == before
    assert here.json("branch", "prod", "--name", "c")["image"] == again
    here.call("rm", "b", "c")
    assert [one["name"] for one in here.json("gc")] == [before]
    here.call("branch", "prod", "--name", "b")


def test_a_branch_that_is_being_made_is_not_called_failed(here: Place) -> None:
    """Its record says `creating`; whether somebody is at it the lock says, not a process id."""
    path = here.pool / "branches" / "b" / "branch.json"
    before = path.read_text()
    path.write_text(json.dumps({**json.loads(before), "state": "creating", "pid": 4194304}))
    try:
        with held(here, "branches", "b", alone=True):
            assert [one["state"] for one in here.json("ls")] == ["creating"]
            assert here.json("gc") == []
        assert [one["state"] for one in here.json("ls")] == ["failed"]
        done = here.call("start", "b", check=False)
        assert done.returncode == 4 and "half made" in done.stderr
    finally:
        path.write_text(before)


def test_two_commands_at_once_each_have_a_directory_of_their_own(here: Place) -> None:
    """Two scans and a verification of the same snapshot, side by side."""
    (image,) = here.json("images")
    commands = [["scan", "prod", "--all"], ["scan", "prod", "--all"], ["verify", image["id"]]]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "envclone.cli.main", "--file", str(here.file), *command],
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **here.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    said = [one.communicate(timeout=300)[0] for one in running]
    assert [one.returncode for one in running] == [0, 0, 0], said
    assert list((here.pool / "work").iterdir()) == []


def test_a_pool_s_locks_go_with_what_they_guard(here: Place) -> None:
    here.call("gc")
    kinds = ("raw", "images", "branches")
    objects = {f"{kind}.{path.name}.lock" for kind in kinds for path in (here.pool / kind).iterdir()}
    assert {path.name for path in (here.pool / "locks").iterdir()} <= objects
    assert process.run(["ls", here.pool / "tmp"]).stdout == ""


def _expire(here: Place, name: str) -> None:
    path = here.pool / "branches" / name / "branch.json"
    record = json.loads(path.read_text())
    record |= {"expires_at": (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).isoformat(), "ttl": None}
    path.write_text(json.dumps(record))
