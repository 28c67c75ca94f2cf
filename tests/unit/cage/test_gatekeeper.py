"""Directories of gates that are gone are removed; those that something runs at or behind stay."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from envclone.cage import gatekeeper
from envclone.cage.gatekeeper import Gatekeeper

pytestmark = pytest.mark.root


@pytest.fixture
def gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gatekeeper, "_GATES", tmp_path)
    monkeypatch.setattr(gatekeeper, "_UNTOUCHED", -1.0)
    return tmp_path


def left(gates: Path, name: str) -> Path:
    """What a killed gate leaves, with the socket of a server that was killed, too."""
    folder = gates / name
    (folder / "door").mkdir(parents=True)
    for file in ("lock", "gate.log"):
        (folder / file).touch()
    (folder / "gate.pid").write_text(f"{os.getpid()}\n")  # somebody else's now
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "door/.s.PGSQL.1"))
    return folder


def test_what_a_killed_gate_left_is_removed(gates: Path) -> None:
    folder = left(gates, "a")
    assert gatekeeper.sweep() == 1 and not folder.exists()
    assert gatekeeper.sweep() == 0


def test_a_gate_with_a_server_behind_it_stays(gates: Path) -> None:
    folder = left(gates, "a")
    (folder / "door/.s.PGSQL.1").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "door/.s.PGSQL.1"))
        server.listen(1)
        assert gatekeeper.sweep() == 0 and folder.exists()
    assert gatekeeper.sweep() == 1


def test_one_that_is_just_being_made_or_asked_stays(gates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = left(gates, "a")
    with Gatekeeper(folder, folder)._alone():
        assert gatekeeper.sweep() == 0
    monkeypatch.setattr(gatekeeper, "_UNTOUCHED", 60.0)
    assert gatekeeper.sweep() == 0 and folder.exists()
