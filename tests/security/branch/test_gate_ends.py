"""A gate that has ended leaves nothing behind, and who comes while it goes finds another."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from envclone.cage.gatekeeper import Gatekeeper, listen
from envclone.models import Account

pytestmark = [pytest.mark.real, pytest.mark.root]

ACCOUNT = Account("nobody", 65534, 65534)


def opened(keeper: Gatekeeper, data: Path, name: str) -> None:
    """A route with its door, as a server's start makes them."""
    with listen(None) as listener:
        keeper.summon()
        door = keeper.door(data, ACCOUNT)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(door / "s"))
            keeper.add(name, listener, door / "s")


def closed(keeper: Gatekeeper, data: Path, name: str) -> None:
    keeper.drop(name)
    keeper.forget(data)


def test_the_last_route_takes_everything_along(tmp_path: Path) -> None:
    keeper = Gatekeeper(tmp_path)
    opened(keeper, tmp_path / "one", "one")
    opened(keeper, tmp_path / "two", "two")
    closed(keeper, tmp_path / "one", "one")
    assert keeper.routes() == ["two"] and keeper._directory.is_dir()
    closed(keeper, tmp_path / "two", "two")
    deadline = time.monotonic() + 20  # a gate that took longer to end than its last branch waited
    while keeper._directory.exists() and time.monotonic() < deadline:
        keeper.forget(tmp_path / "two")
    assert not keeper._directory.exists()
    keeper.forget(tmp_path / "two")
    assert not keeper._directory.exists() and keeper.routes() is None


def test_coming_and_going_at_once(tmp_path: Path) -> None:
    def around(name: str) -> None:
        keeper = Gatekeeper(tmp_path)
        for _ in range(3):
            opened(keeper, tmp_path / name, name)
            assert name in (keeper.routes() or [])
            closed(keeper, tmp_path / name, name)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(around, ("one", "two", "three")))
    keeper = Gatekeeper(tmp_path)
    deadline = time.monotonic() + 20
    while keeper._directory.exists() and time.monotonic() < deadline:
        keeper.forget(tmp_path / "one")
    assert not keeper._directory.exists()
