"""A stack file and a pool for tests, and `envclone` as a user calls it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from envclone import process
from envclone.api import Stack, open_stack
from envclone.cow import loop
from tests.support.postgres import scratch
from tests.support.warm import Warm, shared

ROOT = Path(__file__).parents[2]
_ENGINE = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}


@dataclass(frozen=True)
class Place:
    """A directory with a stack file and a pool."""

    directory: Path
    pool: Path
    env: dict[str, str] = field(default_factory=dict)
    warm: Warm | None = None
    """Who begins the commands, where it is not a new Python."""

    @property
    def fresh(self) -> Place:
        """The same place, whose commands are each a new Python."""
        return replace(self, warm=None)

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.directory / "envclone.yaml"

    def write(self, text: str) -> None:
        """Write the stack file; `{pool}` in it is the pool's path."""
        self.file.write_text(text.replace("{pool}", str(self.pool)))

    def open(self) -> Stack:
        """The library's view."""
        return open_stack(self.file)

    def call(self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None) -> process.Completed:
        """`envclone ARGUMENTS` as a process: a new Python where it is `fresh`, else a fork of one that is loaded."""
        words = ["--file", str(self.file), *arguments]
        given = {"PYTHONPATH": str(ROOT), **_ENGINE, **self.env, **(env or {})}
        if self.warm is not None and self.warm.suits(given):
            done = self.warm.call(words, given, self.directory)
        else:
            program = [sys.executable, "-m", "envclone.cli.main"]
            done = process.run([*program, *words], env=given, cwd=self.directory, check=False)
        assert not check or done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, check: bool = True) -> Any:
        """The document that `envclone ARGUMENTS --json` prints."""
        return json.loads(self.call(*arguments, "--json", check=check).stdout)

    def leftovers(self) -> list[str]:
        """Everything in the pool that is not a key, a lock or the log: what a failed command must not leave."""
        kinds = ("raw", "bases", "tracks", "work", "images", "branches", "tmp")
        there = [kind for kind in kinds if (self.pool / kind).is_dir()]
        return sorted(f"{kind}/{entry.name}" for kind in there for entry in (self.pool / kind).iterdir())


@contextlib.contextmanager
def place(*, size: str = "2G", fresh: bool = False) -> Iterator[Place]:
    """A place whose pool is a loop-mounted XFS when this is root, else whatever the directory offers.

    Its commands are forks of one process of this worker (`tests.support.warm`); `fresh` begins a Python for each.
    """
    with scratch() as directory:
        pool = directory / "pool"
        if os.geteuid() == 0:
            loop.create(pool, loop.parse_size(size))
        here = Place(directory, pool, warm=None if fresh else shared())
        try:
            yield here
        finally:
            with contextlib.suppress(Exception):  # also after a test that failed: a server left there holds the mount
                for branch in here.open().branches():
                    here.open().remove(branch.name, force=True)
            if os.geteuid() == 0:
                loop.remove(pool, force=True)


def bytes_hold(directory: Path, values: Mapping[str, bytes] | list[bytes]) -> dict[bytes, list[str]]:
    """An auditor of its own: which of the byte strings stand anywhere in the files below a directory."""
    wanted = list(values.values()) if isinstance(values, Mapping) else values
    found: dict[bytes, list[str]] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            for value in wanted:
                if value in data:
                    found.setdefault(value, []).append(str(path.relative_to(directory)))
    return found
