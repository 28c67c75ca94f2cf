"""One log file per run of a command in the pool: what it did when, how it ended, and no value of anybody.

Written through `logging`, by the logger `envclone`; a library's user gets the same lines with a handler of their own.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from envclone.cow.placing import reported
from envclone.errors import UsageError

__all__ = ["KEPT", "Run", "listed", "read", "recorded"]

KEPT = 200
"""Runs whose logs stay; the oldest go."""
_SUFFIX = ".log"
_NAME = re.compile(r"\d{8}-\d{6}-[a-z0-9-]+")
_LINE = re.compile(r"(\S+) [A-Z]+ (began|ended): (.*)")
_LAST = 4096
"""Bytes at the end of a log that are read for how the run ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what was called, when, and how it ended ('' while it runs, or after it was killed)."""

    id: str
    command: str
    began: str
    ended: str


@contextmanager
def recorded(folder: Path, command: str, said: str) -> Iterator[logging.Logger]:
    """A log of the run of a command as long as the block; `said` is the command line, as it may be shown.

    An error that leaves the block is written down by its class and, when it is one of our own, its words.
    """
    logger = logging.getLogger("envclone")
    level = logger.level
    began = time.monotonic()
    try:
        handler = _handler(folder, command)
    except OSError:  # a full disk: what makes room on it must run all the same
        handler = logging.NullHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        logger.info("began: %s", _one_line(said))
        yield logger
    except BaseException as exc:
        logger.error("ended: %s after %.1f s", _of(exc), time.monotonic() - began)
        raise
    else:
        logger.info("ended: done after %.1f s", time.monotonic() - began)
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()


def listed(folder: Path) -> list[Run]:
    """The runs whose logs are there, oldest first."""
    found = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.stem)) if folder.is_dir() else []
    return [run for path in found if (run := _run(path)) is not None]


def read(folder: Path, ident: str) -> str:
    """The log of a run. Raises UsageError when there is none of that id."""
    path = folder / f"{ident}{_SUFFIX}"
    if not _NAME.fullmatch(ident) or not path.is_file():
        raise UsageError(f"there is no log of a run '{ident}'", hint="envclone log lists them")
    with reported("cannot read", path):
        return path.read_text(encoding="utf-8", errors="replace")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        return f"{moment}Z {record.levelname} {_one_line(record.getMessage())}"


class _Quiet(logging.StreamHandler):  # type: ignore[type-arg]
    """A full disk ends no command for its log's sake."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Close the file, too."""
        with suppress(OSError):
            self.stream.close()
        super().close()


def _handler(folder: Path, command: str) -> logging.Handler:
    _prune(folder)
    word = re.sub(r"[^a-z0-9]+", "-", command.lower()).strip("-") or "run"
    name = f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{word}-{secrets.token_hex(2)}{_SUFFIX}"
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    handler = _Quiet(os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace"))
    handler.setFormatter(_Lines())
    return handler


def _prune(folder: Path) -> None:
    there = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.stem))
    for path in there[: max(0, len(there) - KEPT + 1)]:
        path.unlink(missing_ok=True)


def _run(path: Path) -> Run | None:
    try:
        with path.open("rb") as file:
            first = _LINE.fullmatch(file.readline().decode(errors="replace").rstrip("\n"))
            file.seek(max(0, path.stat().st_size - _LAST))
            last = _LINE.fullmatch(file.read().decode(errors="replace").rstrip("\n").rpartition("\n")[2])
    except OSError:
        return None
    if first is None:
        return None
    ended = last[3] if last is not None and last[2] == "ended" else ""
    return Run(path.stem, first[3], first[1], ended)


def _of(exc: BaseException) -> str:
    """An error as a log may hold it: a program's last words, and a driver's, can quote a row."""
    from envclone.errors import CommandError, EnvcloneError

    name = type(exc).__name__
    if isinstance(exc, CommandError):
        return f"{name}: {Path(exc.argv[0]).name} failed with exit code {exc.returncode}"
    if isinstance(exc, EnvcloneError):
        return f"{name}: " + "; ".join([exc.message, *map(str, getattr(exc, "problems", ()))])
    return name


def _one_line(text: str) -> str:
    return " | ".join(line for line in text.splitlines() if line.strip())
