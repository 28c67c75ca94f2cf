"""Notes of what commands made on production's servers: each a file in the pool, locked as long as its command lives.

A note is written before the thing is made and removed when it is gone, so whatever a killed command leaves has one. It
grows by lines, each a JSON object: a line that a power failure cut is left out, and the ones before it still hold.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envclone.cow.placing import reported
from envclone.pool.layout import Pool

__all__ = ["FOLDER", "Left", "PoolNotes", "left"]

FOLDER = "owed"
"""The pool's directory of notes."""
_MOST = 2**20


@dataclass(frozen=True)
class PoolNotes:
    """Notes under one owner: the project, environment and store that they are settled with."""

    pool: Pool
    owner: Mapping[str, str]

    @contextmanager
    def begin(self, facts: Mapping[str, Any]) -> Iterator[_File]:
        """A new note, on the disk before this gives it; without `done` it stays for somebody who comes later."""
        path = self.pool.path_of(FOLDER, f"note-{secrets.token_hex(8)}")
        with reported("cannot write", path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                note = _File(path, descriptor)
                note.add({**facts, "owner": dict(self.owner)})
                _sync(path.parent)
            except BaseException:
                path.unlink(missing_ok=True)
                os.close(descriptor)
                raise
        try:
            yield note
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class _File:
    path: Path
    descriptor: int

    def add(self, facts: Mapping[str, Any]) -> None:
        """Append a line, and wait until it is on the disk."""
        line = json.dumps(dict(facts), separators=(",", ":"), sort_keys=True).encode() + b"\n"
        with reported("cannot write", self.path):
            os.write(self.descriptor, line)
            os.fsync(self.descriptor)

    def done(self) -> None:
        """Remove the note."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Left:
    """A note that a command left, held as long as the loop that `left` feeds is at it."""

    path: Path
    owner: Mapping[str, str]
    facts: Mapping[str, Any] = field(repr=False)

    def done(self) -> None:
        """Remove the note."""
        self.path.unlink(missing_ok=True)


def left(pool: Pool, project: str, environment: str | None = None) -> Iterator[Left]:
    """The notes of a project (and environment) whose commands are gone, each locked until the next is asked for."""
    for path in sorted(pool.path_of(FOLDER, "").glob("note-*")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # its command is at work
                continue
            facts = _facts(os.pread(descriptor, _MOST, 0))
            owner = {str(key): str(value) for key, value in dict(facts.pop("owner", {})).items()}
            if not facts and not owner:  # killed before its first line: nothing was made yet
                path.unlink(missing_ok=True)
            elif owner.get("project") == project and environment in (None, owner.get("environment")):
                yield Left(path, owner, facts)
        finally:
            os.close(descriptor)


def _facts(data: bytes) -> dict[str, Any]:
    """What the lines of a note say together."""
    found: dict[str, Any] = {}
    for line in data.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            break
        if isinstance(said, dict):
            found |= said
    return found


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
