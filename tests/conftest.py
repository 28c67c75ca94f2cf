"""What all tests share: who may run what, signals as a terminal gives them, and nothing left behind at the end."""

from __future__ import annotations

import gzip
import os
import signal
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest

from envclone import compiled
from tests.support import leftovers
from tests.support.warm import shared

DEBIAN_17 = Path("/var/lib/envclone/debian-17/usr/lib/postgresql/17/bin")
"""The second real server, with contrib, that `.ci/debian17` brings."""

UNIT = Path(__file__).parent / "unit"

# a busy machine is not a failure, and a run finds what the last one found; `--hypothesis-profile search` looks further
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.register_profile("loaded", deadline=None, derandomize=True)
hypothesis.settings.load_profile("loaded")
os.environ.setdefault("ENVCLONE_BOUNDSCHECK", "1")  # an index outside of an array is an error in tests, no wild read

if DEBIAN_17.exists():
    os.environ.setdefault("ENVCLONE_PG_BIN_17", str(DEBIAN_17))


def pytest_configure() -> None:
    """`nohup`, a shell's `&` and some build servers ignore these, and every program that a test starts would too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The run fails when it leaves a process, a mount, a container or a lock of the accounts behind."""
    shared().close()
    if hasattr(session.config, "workerinput"):
        return  # only the process that ends last can tell
    if found := compiled.late():
        print("\ncompiled while somebody waited, add them to warm():\n  " + "\n  ".join(found))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if found := leftovers.lasting():
        print("\nleft behind by these tests:\n  " + "\n  ".join(found))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Tests are named by their parameters, and every worker must name them alike: what is packed has no true time."""
    clock = SimpleNamespace(time=lambda: 1e9, localtime=lambda *_: time.gmtime(1e9))
    with pytest.MonkeyPatch.context() as patched:
        for module in (gzip, tarfile, zipfile):
            patched.setattr(module, "time", clock)
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: UNIT in item.path.parents)  # short ones last: no worker is left with a long file alone
    if os.environ.get("CI"):
        return
    containers = any(item.get_closest_marker("docker") for item in items)
    missing = _engine_missing() if containers and os.geteuid() == 0 else None
    for item in items:
        if missing and item.get_closest_marker("docker"):
            item.add_marker(pytest.mark.skip(reason=missing))
        if os.geteuid() != 0 and item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root: mounts, accounts, other users' files"))


def _engine_missing() -> str | None:
    from envclone.runtimes.docker.engine import unavailable

    return unavailable()
