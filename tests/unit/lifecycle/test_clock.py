"""What a report says of clocks: which was shown, that it could not be, and that nothing was asked."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envclone import process, wait
from envclone.errors import UsageError
from envclone.incidents.bundle import Incident
from envclone.lifecycle import clock
from envclone.models import Heard
from envclone.runtimes.docker import playing

STEP = {"id": "a", "kind": "http", "service": "api", "path": "/"}


def _project(**services: str) -> Any:
    made = {name: SimpleNamespace(clock=how) for name, how in services.items()}
    return SimpleNamespace(environment=lambda name: SimpleNamespace(services=made))


def _incident(**more: Any) -> Incident:
    return Incident.model_validate({"version": 2, "incident": "7", "environment": "prod", "steps": [STEP], **more})


BRANCH: Any = SimpleNamespace(services=("api", "worker"), environment="prod", image="i")


def _began(pid: int) -> bool:
    """Whether the program runs, and not the copy of this process that starts it."""
    return b"time.sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_what_a_clock_shows_is_the_bundles() -> None:
    project = _project(api="incident", worker="host")
    at = "2026-05-01T10:00:00+02:00"
    found = clock.shown(project, BRANCH, "7", _incident(at=at))
    assert found is not None and found.zone is None and found.variables["FAKETIME"] == "@1777622400"
    other = _incident(at=at, clock={"time": "2026-04-01T00:00:00Z", "zone": "Asia/Tokyo"})
    found = clock.shown(project, BRANCH, "7", other)
    assert found is not None and found.moment == dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    assert found.variables["TZ"] == "Asia/Tokyo"
    ahead = clock.shown(project, BRANCH, "7", _incident(at=at, clock={"zone": "+02:00"}))
    assert ahead is not None and "TZ" not in ahead.variables
    with pytest.raises(UsageError, match="does not say when it happened"):
        clock.shown(project, BRANCH, "7", _incident())
    assert clock.shown(_project(api="host"), BRANCH, "7", _incident()) is None


def test_a_report_says_which_clock_it_was() -> None:
    project = _project(api="incident", worker="incident")
    said = list(clock.notes(project, BRANCH, Heard(clocks={"api": "@1777622400", "worker": ""})))
    assert said[0] == "the clock of api began at 2026-05-01 08:00:00 UTC; that of the stores is this machine's"
    assert said[1].startswith("the clock of worker is this machine's: its image has no libfaketime")
    assert list(clock.notes(_project(api="incident"), BRANCH, Heard())) == ["the clock of api is this machine's"]


@pytest.mark.parametrize(("env", "told"), [({"FAKETIME": "@5"}, ""), ({}, None)])
def test_a_process_tells_what_it_was_told_and_whether_a_library_shows_it(
    tmp_path: Path, env: dict[str, str], told: str | None
) -> None:
    pid = process.spawn([sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log", env=env)
    try:
        wait.until(lambda: _began(pid) or None, what="the program", timeout=30)
        assert playing._clock(pid) == told
    finally:
        process.terminate(pid)
