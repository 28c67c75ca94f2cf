"""`scan --review` at a terminal: keys, what they write, and a second start that goes on."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from envclone.scan.propose import Proposal
from envclone.scan.review import SEEN, pending
from envclone.scan.write import added

STACK = """\
version: 1
project: shop
environments:
  prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}}}
sanitize:
  rules:
    main:
      public.t.id: keep
"""
NAMES = ("a", "b", "c", "d")
INTERRUPT = "\x03"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    its = [Proposal(f"public.t.{name}", "", "text", "person", 0.5, f"why {name}", "Xxxx") for name in NAMES]
    (tmp_path / "envclone.yaml").write_text(added(STACK, {"main": its}))
    return tmp_path


def _review(directory: Path, *typed: tuple[str, str]) -> str:
    """Type each text when the terminal shows what stands before it; returns all that it showed."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "envclone", "scan", "prod", "--review"]
    process = subprocess.Popen(command, cwd=directory, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    shown, waiting = "", list(typed)
    seen = 0
    try:
        while select.select([leader], [], [], 60)[0]:
            shown += os.read(leader, 4096).decode()
            if waiting and waiting[0][0] in shown[seen:]:
                seen = len(shown)
                text = waiting.pop(0)[1]
                if text == INTERRUPT:  # the terminal is not the process's own, and sends it no signal
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(leader, text.encode())
    except OSError:
        pass
    finally:
        os.close(leader)
        process.wait()
    assert not waiting, shown
    return shown


def _rules(directory: Path) -> list[str]:
    lines = (directory / "envclone.yaml").read_text().splitlines()
    return [line.strip() for line in lines if SEEN in line]


def test_keys_and_a_second_start(directory: Path) -> None:
    shown = _review(directory, ("(4 left)", "y"), ("(3 left)", "n"), ("[keep]", "\n"), ("(2 left)", "q"))
    assert "main: public.t.a: \x1b[1mperson" in shown and "why a" in shown
    assert "2 are left: envclone scan --review goes on here" in shown
    assert [line.split("  ")[0] for line in _rules(directory)] == ["public.t.a: person", "public.t.b: keep"]
    text = (directory / "envclone.yaml").read_text()
    assert [one.field for one in pending(text)] == ["public.t.c", "public.t.d"]
    shown = _review(
        directory, ("(2 left)", "e"), ("[person]", "nonsense\n"), ("(1 left)", "e"), ("[person]", "email\n")
    )
    assert "nonsense cannot be a rule here" in shown and "public.t.a" not in shown
    assert "1 are left" in shown and _rules(directory)[-1].startswith("public.t.d: email  #")
    shown = _review(directory, ("(1 left)", "s"))
    assert "1 are left" in shown
    assert "all decisions were looked at" in _review(directory, ("(1 left)", "y"))
    assert pending((directory / "envclone.yaml").read_text()) == []


def test_an_interrupt_keeps_what_was_decided(directory: Path) -> None:
    _review(directory, ("(4 left)", "y"), ("(3 left)", INTERRUPT))
    assert len(_rules(directory)) == 1


@pytest.mark.parametrize("more", [[], ["--json"], ["--all"]])
def test_it_asks_a_person(directory: Path, more: list[str]) -> None:
    command = [sys.executable, "-m", "envclone", "scan", "prod", "--review", *more]
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
