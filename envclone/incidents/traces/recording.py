"""What `envclone.record` wrote, read again: which requests there are, and the records of one.

A recording is input from outside: every length, count and depth has a limit, a record that is not what was written is
left out, nothing is decompressed, no name in it is opened. Records are read one by one.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from envclone.errors import ConfigError, UsageError
from envclone.record.frames import CALL, END, FLAG, HEADER, MARK, START, Head, head, whole

__all__ = ["Request", "chosen", "is_recording", "listed", "records"]

_FILES = 10_000
_REQUESTS = 100_000
_RECORDS = 20_000
_BYTES = 256 << 20
_DEEPEST = 100
_DAMAGED = 1000
"""Places of a file that hold no record; behind them no more is searched for."""
_STEP = 1 << 20
_WORDS = 500
_FEW = 20
_IDS = ("x-request-id", "x-correlation-id", "traceparent")


@dataclass
class Request:
    """A request in a recording."""

    id: str
    at: dt.datetime | None = None
    name: str = ""
    calls: int = 0
    failed: bool = False
    error: str = ""
    flags: list[str] = field(default_factory=list)
    seconds: float | None = None
    status: int | None = None
    names: list[str] = field(default_factory=list)
    """What else it is known as: the ids in its headers."""
    ended: bool = False

    @property
    def told(self) -> bool:
        """Whether it failed, was flagged, or never ended."""
        return self.failed or bool(self.flags) or not self.ended

    @property
    def outcome(self) -> str:
        """In a few words, what became of it."""
        if self.error:
            return self.error
        if not self.ended:
            return "did not end"
        return f"status {self.status}" if self.status is not None else "ok"


def is_recording(path: Path) -> bool:
    """Whether a path is a directory, or a file of the recorder's."""
    if path.is_dir():
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(MARK)) == MARK
    except OSError:
        return False


def listed(path: Path) -> list[Request]:
    """Every request, the newest first. Raises UsageError when there is none, ConfigError when there are too many."""
    found: dict[bytes, Request] = {}
    counts: dict[bytes, list[int]] = {}
    for file in _files(path):
        kept = int(file.name.startswith("kept-"))
        for one, payload in _records(file, skip=(CALL,)):
            if not any(one.request):
                continue
            request = found.get(one.request)
            if request is None:
                if len(found) >= _REQUESTS:
                    raise ConfigError(f"{path.name} holds more than {_REQUESTS:,} requests", hint="give one file of it")
                request = found[one.request] = Request(one.request.hex())
                counts[one.request] = [0, 0]
            if one.kind == CALL:
                counts[one.request][kept] += 1
            elif payload is not None:
                _told(request, one.kind, payload)
    for name, request in found.items():
        request.calls = max(counts[name])  # what is kept stands twice, as long as the ring has it
    if not found:
        raise UsageError(f"{path} holds no request that was recorded", hint="docs/recorder.md says how one is made")
    return sorted(found.values(), key=lambda one: (one.at is not None, one.at), reverse=True)


def chosen(path: Path, name: str | None) -> Request:
    """The request that is meant: by the beginning of its id, by an id in its headers, or the only one that failed.

    Raises UsageError when that is none, or several.
    """
    there = listed(path)
    hint = f"envclone incident recordings {path}"
    if name is not None:
        low = name.lower()
        those = [one for one in there if one.id.startswith(low) or name in one.names]
        if len(those) == 1:
            return those[0]
        raise UsageError(f"{len(those) or 'no'} requests are called '{name}' in {path}", hint=hint)
    those = there if len(there) == 1 else [one for one in there if one.told]
    if len(those) == 1:
        return those[0]
    raise UsageError(
        f"{path} holds {len(there)} requests, and {len(those) or 'none'} of them failed or was flagged",
        hint=f"name one with --request ID; {hint}",
    )


def records(path: Path, request: Request) -> list[tuple[int, dict[str, Any]]]:
    """The records of one request in order, each once, with their numbers; in front what is known of the process."""
    wanted = bytes.fromhex(request.id)
    found: dict[tuple[int, int], dict[str, Any]] = {}
    about: dict[str, Any] = {}
    size = 0
    for file in _files(path):
        process: dict[str, Any] = {}
        for one, payload in _records(file, only=wanted):
            if payload is None:
                continue
            if not any(one.request):
                if not process and one.kind == 0:
                    process = payload
                continue
            about = about or process
            if (one.kind, one.number) in found:
                continue
            size += one.length
            if len(found) >= _RECORDS or size > _BYTES:
                raise ConfigError(f"the request {request.id} has more than {_RECORDS:,} records or {_BYTES >> 20} MB")
            found[(one.kind, one.number)] = payload
    ordered = sorted(
        found.items(), key=lambda item: (item[0][1] or (0 if item[0][0] == START else 1 << 33), item[0][0])
    )
    return [(0, about), *((key[1], payload) for key, payload in ordered)]


def _place(kind: int, number: int) -> tuple[int, int]:
    """Where a record belongs: what has no number came from elsewhere, after all others, but for the beginning."""
    return (number or (0 if kind == START else 1 << 33), kind)


def _files(path: Path) -> list[Path]:
    """The files of a recording: regular ones of the recorder's name, no link is followed."""
    if not path.is_dir():
        return [path]
    with os.scandir(path) as entries:
        names = sorted(
            (one.name for one in entries if one.name.endswith(".ring") and one.is_file(follow_symlinks=False)),
            key=lambda name: (name.partition("-")[2], name),
        )
    if not names:
        raise UsageError(f"{path} holds no recording", hint="docs/recorder.md says how one is made")
    if len(names) > _FILES:
        raise ConfigError(f"{path} holds more than {_FILES:,} files")
    return [path / name for name in names]


def _records(
    path: Path, *, skip: tuple[int, ...] = (), only: bytes | None = None
) -> Iterator[tuple[Head, dict[str, Any] | None]]:
    """A file's records, with what is in them but for kinds to `skip` and requests other than `only`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # the ring went on
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path} is no file")
        damaged = 0
        while True:
            at = file.tell()
            one = head(file.read(HEADER.size))
            if one is not None:
                if one.kind in skip or (only is not None and any(one.request) and one.request != only):
                    file.seek(one.length, os.SEEK_CUR)
                    yield one, None
                    continue
                payload = file.read(one.length)
                if whole(one, payload):
                    if (found := _parsed(payload)) is not None:
                        yield one, found
                    continue
            damaged += 1
            if damaged > _DAMAGED or not _next(file, at + 1):
                return


def _next(file: IO[bytes], at: int) -> bool:
    """Go to the next mark of a record, from `at` on; whether there is one."""
    file.seek(at)
    before = b""
    while data := file.read(_STEP):
        found = (before + data).find(MARK)
        if found >= 0:
            file.seek(at - len(before) + found)
            return True
        before = data[-len(MARK) + 1 :]
        at += len(data)
    return False


def _parsed(payload: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and not _too_deep(found) else None


def _too_deep(value: Any) -> bool:
    pending = [(value, 1)]
    while pending:
        one, depth = pending.pop()
        if isinstance(one, dict | list):
            if depth > _DEEPEST:
                return True
            pending += [(item, depth + 1) for item in (one.values() if isinstance(one, dict) else one)
                        if isinstance(item, dict | list)]  # fmt: skip
    return False


def _told(request: Request, kind: int, payload: dict[str, Any]) -> None:
    """What a record says of its request."""
    if kind == START:
        request.at = moment(payload.get("at"))
        request.name = str(payload.get("name") or "")[:_WORDS]
        headers = payload.get("headers")
        for pair in headers if isinstance(headers, list) else ():
            if (
                isinstance(pair, list)
                and len(pair) == 2
                and pair[0] in ("x-request-id", "x-correlation-id", "traceparent")
            ):
                value = str(pair[1])[:_WORDS]
                request.names.append(value)
                if pair[0] == "traceparent":
                    request.names += value.split("-")[1:2]
    elif kind == FLAG:
        why = str(payload.get("why") or "")[:_WORDS]
        if why not in request.flags and len(request.flags) < _FEW:
            request.flags.append(why)
    elif kind == END:
        request.ended = True
        request.failed = bool(payload.get("failed"))
        request.error = str(payload.get("error") or "")[:_WORDS]
        seconds, status = payload.get("s"), payload.get("status")
        request.seconds = float(seconds) if isinstance(seconds, int | float) else None
        request.status = status if isinstance(status, int) else None


def moment(value: Any) -> dt.datetime | None:
    """A time in seconds since 1970."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return dt.datetime.fromtimestamp(value, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None
