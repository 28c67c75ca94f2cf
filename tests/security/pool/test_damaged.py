"""One damaged record stops nobody: it is named, listed by `doctor`, and left alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.security.pool.two import two_projects
from tests.support.stack import Place


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    """A project with a branch; its neighbour has nothing."""
    with two_projects() as (alpha, _):
        alpha.call("branch", "prod", "--name", "sound")
        yield alpha


def _broken_text(path: Path) -> None:
    path.write_text("{")


def _another_type(path: Path) -> None:
    path.write_text("[1, 2]")


def _wrong_value(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "created_at": ["yesterday"], "project": 7}))


def _not_text(path: Path) -> None:
    path.write_bytes(os.urandom(64))


def _gone(path: Path) -> None:
    path.unlink()


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _nested_deep(path: Path) -> None:
    path.write_text("[" * 200_000)


def _of_another(path: Path) -> None:
    """A record that was copied with its directory: it names the original."""


WAYS: list[Callable[[Path], None]] = [
    _broken_text, _another_type, _wrong_value, _not_text, _gone, _a_directory, _nested_deep,
    _of_another,
]  # fmt: skip


def test_every_kind_of_damage_in_every_kind_of_record(here: Place) -> None:
    """All of it at once, each in a copy of its own, and every command goes on."""
    damaged = []
    for kind, record in (("raw", "snapshot.json"), ("images", "attestation.json"), ("branches", "branch.json")):
        (good,) = [path for path in (here.pool / kind).iterdir() if not path.name.startswith(".")]
        for number, way in enumerate(WAYS):
            copy = here.pool / kind / f"zz-damaged-{number}"
            (copy / "main").mkdir(parents=True)
            for name in (record, "attestation.sig"):
                if (good / name).exists():
                    shutil.copy(good / name, copy / name)
            way(copy / record)
            damaged.append(copy)
    try:
        assert [one["name"] for one in here.json("ls")] == ["sound"]
        assert len(here.json("images")) == 1
        assert here.json("gc") == []
        said = here.call("gc").stderr
        findings = {one["name"]: one for one in here.json("doctor")}
        for copy in damaged:
            assert f"{copy.name}: " in said
            finding = findings[f"record {copy.parent.name}/{copy.name}"]
            assert finding["ok"] is False
            assert finding["remedy"]
        here.call("branch", "prod", "--name", "second")
        here.call("rm", "second")
        here.call("image", "prod", "--again")
        assert here.json("scan", "prod", "--all")["stores"]["main"]
        assert all(copy.is_dir() for copy in damaged)
        for command in (["show"], ["start"], ["reset"], ["rm"]):
            done = here.call(*command, "zz-damaged-0", check=False)
            assert done.returncode == 4, done.stderr
            assert "envclone rm --force zz-damaged-0" in done.stderr
        done = here.call("verify", "zz-damaged-0", check=False)
        assert done.returncode == 4
        assert "hint: " in done.stderr
        here.call("rm", "--force", *(copy.name for copy in damaged if copy.parent.name == "branches"))
        assert [one.name for one in (here.pool / "branches").iterdir()] == ["sound"]
    finally:
        for copy in damaged:
            shutil.rmtree(copy, ignore_errors=True)


def test_what_a_killed_command_left_is_collected_and_its_record_is_no_flaw(here: Place) -> None:
    """An empty directory of a branch, and one that is half removed."""
    (here.pool / "branches" / "zz-empty").mkdir()
    (here.pool / "branches" / f".zz-old.partial-{os.getpid()}").mkdir()
    (here.pool / "work" / "scan-0123456789ab").mkdir()
    names = {one["name"] for one in here.json("gc")}
    assert names == {"zz-empty", f".zz-old.partial-{os.getpid()}", "scan-0123456789ab"}
    assert here.call("gc").stderr == ""
