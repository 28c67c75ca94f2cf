"""SIGINT, SIGTERM and SIGHUP at every station: servers stop, work is removed, the exit code is 128 + n."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envclone import process, wait
from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: signals
pool: {path: "{pool}"}
environments:
  prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: "${PROD_DSN}", database: app}}}}
sanitize:
  rules: {main: {public.people.id: keep, public.people.name: person, public.people.email: email}}
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE);"
            "INSERT INTO people SELECT i, 'Jane Doe', 'jane' || i || '@corp.example' FROM generate_series(1, 3000) i",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["PROD_DSN"] = prod.dsn_for("app")
        made.write(STACK)
        yield made


Station = Callable[[Place], bool]


def _copying(here: Place) -> bool:
    return any((here.pool / "tmp").glob("*/main/*"))


def _private_server(here: Place) -> bool:
    return any((here.pool / "work").glob("*/main/data/postmaster.pid"))


def _second_clone(here: Place) -> bool:
    """Verification has a clone of the raw snapshot beside the sanitized one."""
    return len(list((here.pool / "work").glob("*/main/data/global/pg_control"))) > 1


def _branch_server(here: Place) -> bool:
    return any((here.pool / "branches").glob("*/main"))


STATIONS: dict[str, Station] = {
    "snapshot": _copying,
    "sanitize": _private_server,
    "verify": _second_clone,
    "branch": _branch_server,
}


@pytest.fixture
def clean(here: Place) -> Iterator[None]:
    yield
    for branch in here.open().branches():
        here.call("rm", branch.name, "--force")


def _command(here: Place, station: str) -> tuple[list[str], dict[str, str]]:
    """The command that passes the station; what comes before it is there already, what it makes is not."""
    project = here.open().project
    for kind in ("images", "raw") if station in ("snapshot", "sanitize", "verify") else ():
        for entry in (here.pool / kind).iterdir():
            project.cow.remove(entry)
    if station in ("sanitize", "verify"):
        here.call("snapshot", "prod")
    if station == "branch":
        here.call("image", "prod")
    call = ["branch", "prod", "--name", "b"]
    argv = [sys.executable, "-m", "envclone.cli.main", "--file", str(here.file), *call]
    return argv, {**os.environ, **here.env, "PYTHONPATH": str(ROOT)}


def _until(reached: Station, here: Place, running: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and running():
        try:
            if reached(here):
                return True
        except OSError:
            pass  # what was looked at was just moved
        time.sleep(0.001)
    return False


def _nothing_left(here: Place) -> None:
    assert [one for one in here.leftovers() if one.split("/")[0] in ("work", "tmp", "branches")] == []
    wait.until(lambda: True if not _servers(here.pool) else None, what="a server goes on", timeout=20)
    assert here.json("gc", "--dry-run") == []


def _servers(pool: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and process.alive(int(entry.name)):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(pool).encode() in command and b"postgres" in command:
                found.append(entry.name)
    return found


@pytest.mark.parametrize(
    ("station", "signum"),
    [
        (station, signum)
        for number, station in enumerate(STATIONS)
        for signum in (signal.SIGINT, SIGNALS[1 + number % 2])  # the other one is handled as this one is
    ],
)
def test_a_signal_at_a_station(here: Place, clean: None, station: str, signum: signal.Signals) -> None:
    argv, env = _command(here, station)
    for _ in range(8):
        victim = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        _until(STATIONS[station], here, lambda victim=victim: victim.poll() is None)  # type: ignore[misc]
        victim.send_signal(signum)
        _, said = victim.communicate(timeout=120)
        if victim.returncode == 0:  # it was faster than the signal
            here.call("rm", "b", "--force")
            argv, env = _command(here, station)
            continue
        assert victim.returncode == 128 + signum, said
        assert said.splitlines()[-1] == f"ended by {signum.name}; nothing half made is left"
        _nothing_left(here)
        return
    raise AssertionError("no signal hit the station")


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("station", ["sanitize", "branch"])
def test_it_comes_again_while_cleaning_up(here: Place, clean: None, station: str, pause: float) -> None:
    argv, env = _command(here, station)
    victim = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert _until(STATIONS[station], here, lambda: victim.poll() is None)
    sent = (signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for signum in sent:
        victim.send_signal(signum)
        time.sleep(pause)
    _, said = victim.communicate(timeout=120)
    # those that come while the process is in one call of the system are seen together, and have no order
    assert victim.returncode in {128 + signum for signum in sent}, said
    _nothing_left(here)


@pytest.mark.parametrize("station", ["snapshot", "verify"])
def test_the_terminal_is_closed(here: Place, clean: None, station: str) -> None:
    argv, env = _command(here, station)
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, {**env, "TERM": "xterm"})
    os.set_blocking(master, False)

    def running() -> bool:
        with contextlib.suppress(OSError):
            os.read(master, 65536)  # progress is drawn there: a full buffer would hold the command
        return process.alive(pid)

    assert _until(STATIONS[station], here, running)
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    _nothing_left(here)


def test_what_nohup_ignores_stays_ignored(here: Place, clean: None) -> None:
    argv, env = _command(here, "sanitize")

    def ignoring() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    victim = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=ignoring)
    assert _until(STATIONS["sanitize"], here, lambda: victim.poll() is None)
    victim.send_signal(signal.SIGHUP)
    assert victim.wait(timeout=120) == 0
    assert [branch.name for branch in here.open().branches()] == ["b"]
