"""`log`: a file per run in the pool, which holds steps and ends and nobody's values."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.errors import CommandError, UnsafeError, UsageError
from envclone.pool import Pool, runs
from tests.support.postgres import scratch

STACK = """\
version: 1
project: shop
pool: {path: ./pool}
environments:
  prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}}}
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with scratch() as place:
        (place / "envclone.yaml").write_text(STACK)
        (place / "incidents").mkdir()
        yield place


def _call(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(directory), "DSN": "postgresql://app:hunter2@127.0.0.1:1/app"}
    return subprocess.run(
        [sys.executable, "-m", "envclone", *arguments], cwd=directory, env=env, capture_output=True, text=True
    )


def test_each_run_has_a_log_of_its_own(directory: Path) -> None:
    assert _call(directory, "log").stdout == "no runs\n"
    assert _call(directory, "gc").returncode == 0
    assert _call(directory, "image", "prod").returncode == 7
    assert _call(directory, "ls").returncode == 0
    first, second = json.loads(_call(directory, "log", "--json").stdout)
    assert first["command"] == "gc" and first["ended"].startswith("done after ")
    assert second["command"] == "image prod" and second["ended"].startswith("UnreachableError: ")
    shown = _call(directory, "log", second["id"]).stdout
    assert " INFO began: image prod\n" in shown and "asking what stands in the way" in shown
    assert "hunter2" not in shown
    assert "gc" in _call(directory, "log").stdout
    logs = list((directory / "pool" / "logs").iterdir())
    assert len(logs) == 2 and {path.stat().st_mode & 0o777 for path in logs} == {0o600}


def test_what_was_typed_is_shown_by_names_only(directory: Path) -> None:
    bundle = directory / "1234.yaml"
    bundle.write_text("version: 1\n")
    _call(directory, "incident", "record", str(bundle), "--role", "zanzibar", "--timeout", "3")
    (run,) = json.loads(_call(directory, "log", "--json").stdout)
    assert run["command"] == "incident record … --role --timeout"


def test_a_wrong_run_is_said(directory: Path) -> None:
    done = _call(directory, "log", "../../etc/passwd")
    assert done.returncode == 2 and "there is no log of a run" in done.stderr


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (UnsafeError("a row differs", problems=["main: public.people"]), "UnsafeError: a row differs; main: public"),
        (CommandError("psql failed: Zanna", argv=["/bin/psql"], returncode=3, stderr="Zanna"), "psql failed with exit"),
        (ValueError("Zanna"), "ValueError after"),
        (KeyboardInterrupt("Zanna"), "KeyboardInterrupt after"),
    ],
)
def test_of_an_error_only_our_own_words_are_kept(tmp_path: Path, error: BaseException, kept: str) -> None:
    with pytest.raises(type(error)), runs.recorded(tmp_path, "image", "image prod"):
        raise error
    (run,) = runs.listed(tmp_path)
    assert kept in runs.read(tmp_path, run.id) and "Zanna" not in runs.read(tmp_path, run.id)
    assert logging.getLogger("envclone").handlers == []


def test_the_newest_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT", 3)
    for number in range(5):
        (tmp_path / f"20260101-00000{number}-gc-0000.log").write_text("2026-01-01T00:00:00.000Z INFO began: gc\n")
    (tmp_path / "mine.log").write_text("not a run's")
    with runs.recorded(tmp_path, "gc", "gc"):
        assert [run.ended for run in runs.listed(tmp_path)] == ["", "", ""]
    assert (tmp_path / "mine.log").exists() and len(list(tmp_path.iterdir())) == 4
    with pytest.raises(UsageError):
        runs.read(tmp_path, "20260101-000000-gc-0000")


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    with runs.recorded(tmp_path / "nowhere", "gc", "gc") as logger:
        logger.info("a step")
    assert runs.listed(tmp_path / "nowhere") == []


def test_the_pool_lets_nobody_else_in(directory: Path) -> None:
    pool = Pool.open(directory / "pool")
    assert pool.path_of("logs", "").stat().st_mode & 0o777 == 0o700
