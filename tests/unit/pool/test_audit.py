"""The audit log: every line carries the hash of the one before."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from envclone.pool import audit


def test_a_chain_holds_and_an_edit_breaks_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert audit.broken_line(path) is None
    for number in range(20):
        audit.append(path, "test", {"number": number, "padding": "x" * 1000 * (number % 7)})
    assert audit.broken_line(path) is None
    assert path.stat().st_mode & 0o777 == 0o600
    lines = path.read_text().splitlines(keepends=True)
    assert json.loads(lines[7])["details"]["number"] == 7
    for number in range(19):
        edited = lines.copy()
        edited[number] = edited[number].replace('"action":"test"', '"action":"edit"')
        path.write_text("".join(edited))
        assert audit.broken_line(path) == number + 2
    path.write_text("".join(lines[:5] + lines[6:]))
    assert audit.broken_line(path) == 6
    path.write_text("".join(lines)[:-1])
    assert audit.broken_line(path) == 20
    path.write_text("nonsense\n")
    assert audit.broken_line(path) == 1


def test_a_user_without_a_name_is_told_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(audit.getpass, "getuser", nobody)
    monkeypatch.delenv("SUDO_USER", raising=False)
    audit.append(tmp_path / "audit.jsonl", "branch", {"name": "one"})
    (event,) = audit.events(tmp_path / "audit.jsonl")
    assert str(os.getuid()) in event.values()
