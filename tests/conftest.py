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
    if os.geteuid() == 0 or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root: mounts, accounts, other users' files"))
