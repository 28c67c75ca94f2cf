"""What all tests share: tests of what only root may do are left out for everybody else, and never in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DEBIAN_17 = Path("/var/lib/envclone/debian-17/usr/lib/postgresql/17/bin")
"""The second real server, with contrib, that `.ci/debian17` brings."""

if DEBIAN_17.exists():
    os.environ.setdefault("ENVCLONE_PG_BIN_17", str(DEBIAN_17))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
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
