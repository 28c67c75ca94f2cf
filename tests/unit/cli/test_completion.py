"""Completion: the scripts are of real shells, and names come from the stack file and the pool."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STACK = """\
version: 1
project: shop
pool: {path: ./pool}
environments:
  prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}}}
  staging: {stores: {main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}}}
"""


def _complete(directory: Path, words: str) -> list[str]:
    """What the command completes the last word with."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "_ENVCLONE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    code = "import sys; sys.argv[0] = 'envclone'; from envclone.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=directory, env=env, capture_output=True, text=True)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "envclone.yaml").write_text(STACK)
    (tmp_path / "incidents").mkdir()
    (tmp_path / "incidents" / "1234.yaml").write_text("version: 1\n")
    (tmp_path / "incidents" / "notes.txt").write_text("")
    return tmp_path


def test_commands(directory: Path) -> None:
    assert _complete(directory, "envclone bra") == ["branch"]


def test_environments(directory: Path) -> None:
    assert _complete(directory, "envclone branch ") == ["prod", "staging"]
    assert _complete(directory, "envclone image st") == ["staging"]


def test_incidents(directory: Path) -> None:
    assert _complete(directory, "envclone replay ") == ["1234"]


def test_branches_of_an_empty_pool(directory: Path) -> None:
    assert _complete(directory, "envclone rm ") == []


def test_a_broken_stack_file_completes_nothing(directory: Path) -> None:
    (directory / "envclone.yaml").write_text("environments: [")
    assert _complete(directory, "envclone branch ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_of_the_shell(shell: str) -> None:
    script = subprocess.run(
        [sys.executable, "-m", "envclone", "completion", shell], capture_output=True, text=True, check=True
    ).stdout
    assert f"_ENVCLONE_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
