"""Who did what to this pool, one JSON object a line, each carrying the hash of the line before.

Beside the log stands its head, signed with the pool's key: how far the log goes, and the hash of its last line. An
append first checks the head that it replaces against the log's end, at a cost that does not grow with the log. What it
finds wrong it writes into the head, where it stays: the event is kept, and `audit verify` names the first bad line from
then on. The head is written before the line (what is about to be written) and after it, so that a line torn by a power
failure is told from one that somebody cut. An older log put back together with its older head is found by the mirror.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envclone.errors import EnvcloneError
from envclone.pool import audit_head as heads
from envclone.pool.audit_head import GENESIS, Head

__all__ = ["append", "broken", "broken_line", "events", "suspicion"]


def append(path: Path, action: str, details: Mapping[str, Any], mirror: Path | None = None) -> None:
    """Add one event to the log (mode 0600), chained by SHA-256 to the one before it and synced to disk.

    A log or head that is not as the last append left it is marked as broken for good, and the event is added. With a
    `mirror` the new head is added to it; a mirror that cannot be written is an event of its own.
    """
    with _locked(path, fcntl.LOCK_EX), _opened(path) as log:
        head, found = _recovered(path, log, mirror)
        for one in found:
            head = _add(path, log, head, *one)
        head = _add(path, log, head, action, details)
        if mirror is not None:
            try:
                heads.mirror(path, head, mirror)
            except (OSError, EnvcloneError) as exc:
                _add(path, log, head, "mirror-failed", {"mirror": str(mirror), "why": _why(exc)})


def broken_line(path: Path) -> int | None:
    """The number (from 1) of the first line that is not the successor of the one before, or None."""
    if not path.exists():
        return None
    previous = GENESIS
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                return number
            if not isinstance(event, dict) or event.get("previous") != previous or not line.endswith(b"\n"):
                return number
            previous = _digest(line.rstrip(b"\n"))
    return None


def events(path: Path) -> Iterator[dict[str, Any]]:
    """The events, oldest first; a line that is none comes as `{"action": "?"}`."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                event = None
            yield event if isinstance(event, dict) else {"action": "?"}


def broken(path: Path, mirror: Path | None = None) -> str | None:
    """What is wrong with the log, in words that name the first bad line, or None. Reads all of it."""
    with _locked(path, fcntl.LOCK_SH):
        head, damaged = None, ""
        try:
            head = heads.read(path)
        except heads.Damaged as exc:
            damaged = str(exc)
        line = broken_line(path)
        known = [(int(head.broken["line"]), _told(head.broken))] if head is not None and head.broken else []
        if line is not None and not _torn(path, head, line):
            known.append(
                (line, f"line {line} is not what was written: it, or the line before it, was edited, added or removed")
            )
        if known:
            return min(known)[1]
        if damaged:
            return damaged
        said = _at_end(path, head)
        return said[1] if said is not None else _against_mirror(path, mirror)


def suspicion(path: Path) -> str | None:
    """What a look at the log's end and its head shows to be wrong, or None; its cost does not grow with the log."""
    with _locked(path, fcntl.LOCK_SH):
        try:
            head = heads.read(path)
        except heads.Damaged as exc:
            return str(exc)
        if head is not None and head.broken:
            return _told(head.broken)
        said = _at_end(path, head)
        return said[1] if said is not None else None


Addition = tuple[str, Mapping[str, Any]]


def _recovered(path: Path, log: int, mirror: Path | None) -> tuple[Head, list[Addition]]:
    """The head to go on from, and the events that say what was found."""
    try:
        head, wrong = heads.read(path), None
    except heads.Damaged as exc:
        head, wrong = None, (1, str(exc))
    additions: list[Addition] = []
    if head is not None and head.pending is not None:
        head, torn = _finished(path, log, head)
        additions += [("recovered", {"line": head.lines, "torn": torn})] if torn else []
    wrong = wrong or _at_end(path, head)
    if wrong is None and mirror is not None:
        try:
            said = _against_mirror(path, mirror, whole=False)
        except heads.Damaged as exc:
            additions.append(("mirror-failed", {"mirror": str(mirror), "why": str(exc)}))
        else:
            wrong = (head.lines if head else 1, said) if said is not None else None
    if wrong is None:
        return head or Head(), additions
    resumed = _resumed(path, log, head)
    if head is not None and head.broken and resumed.last == head.last:
        return head, additions
    now = _now()
    additions.append(("audit-broken", {"line": wrong[0], "why": wrong[1]}))
    return replace(resumed, broken=head.broken if head else None).marked(wrong[0], wrong[1], now), additions


def _finished(path: Path, log: int, head: Head) -> tuple[Head, bool]:
    """Write to its end the line that a failure interrupted; whether a part of it was there.

    A log that holds anything else there is left as it is: `_at_end` says so.
    """
    assert head.pending is not None
    line = head.pending.encode() + b"\n"
    after = replace(
        head, lines=head.lines + 1, start=head.size, size=head.size + len(line), last=_digest(line[:-1]), pending=None
    )
    tail = os.pread(log, len(line) + 1, head.size)
    size = os.fstat(log).st_size
    if size < head.size or not line.startswith(tail):
        return replace(head, pending=None), False
    if tail != line:
        os.ftruncate(log, head.size)
        _write(log, line)
    heads.write(path, after, sync=True)
    return after, b"" != tail != line


def _torn(path: Path, head: Head | None, line: int) -> bool:
    """Whether the line that is not whole is one that a failure interrupted."""
    if head is None or head.pending is None or line != head.lines + 1:
        return False
    with path.open("rb") as file:
        file.seek(head.size)
        return (head.pending.encode() + b"\n").startswith(file.read())


def _at_end(path: Path, head: Head | None) -> tuple[int, str] | None:
    """The first bad line and what is wrong, from the log's end and its head."""
    begun = (path.parent / "keys" / _BEGUN).exists()
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        size = 0
    if head is None:
        if size:
            return 1, "its signed head is missing"
        return (1, "the log and its head are gone") if begun else None
    pending = len(head.pending.encode()) + 1 if head.pending is not None else 0
    if size < head.size:
        if size == 0:
            return 1, "its head is there, and the log is gone"
        lines = _lines(path)
        return (
            lines + 1,
            f"line {lines + 1} is gone: the log has {lines} lines, and its head was signed over {head.lines}",
        )
    with path.open("rb") if head.lines else contextlib.nullcontext() as file:
        if file is not None:
            file.seek(head.start)
            last = file.read(head.size - head.start)
            if not last.endswith(b"\n") or _digest(last[:-1]) != head.last:
                return head.lines, f"line {head.lines} is not what was written: it was edited"
    if size > head.size + pending or (size > head.size and not _torn(path, head, head.lines + 1)):
        return (
            head.lines + 1,
            f"line {head.lines + 1} was added, or is torn: the head was signed over {head.lines} lines",
        )
    return None


def _against_mirror(path: Path, mirror: Path | None, *, whole: bool = True) -> str | None:
    """What the mirror knows and the log does not hold, or None.

    `whole` compares every mirrored head; without it only the newest, and nothing more when that is the log's own: then
    it raises Damaged when that is not a head of this pool's.
    """
    if mirror is None:
        return None
    try:
        newest = heads.last_mirrored(path, mirror)
        head = heads.read(path)
        if newest is None or (not whole and head is not None and newest.last == head.last):
            return None
        known = list(heads.mirrored(path, mirror)) if whole else [newest]
    except FileNotFoundError:
        return f"the mirror {mirror} is not there" if whole and path.exists() else None
    except heads.Damaged as exc:
        if not whole:
            raise
        return f"the mirror {mirror}: {exc}"
    except (OSError, EnvcloneError) as exc:
        return f"the mirror {mirror} cannot be read: {_why(exc)}" if whole else None
    wanted = {one.lines: one.last for one in known if one.lines}
    number = 0
    if path.exists():
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number in wanted and wanted[number] != _digest(line.rstrip(b"\n")):
                    return f"line {number} is not the one whose head is in the mirror {mirror}"
    beyond = [lines for lines in wanted if lines > number]
    if beyond:
        return (
            f"line {number + 1} is gone: an older log was put back, for the mirror {mirror} has the head of line "
            f"{max(beyond)}"
        )
    return None


def _resumed(path: Path, log: int, head: Head | None) -> Head:
    """A head over what the log holds now, so that the chain goes on from there; read once, after a break."""
    size = os.fstat(log).st_size
    if size and os.pread(log, 1, size - 1) != b"\n":
        _write(log, b"\n")  # what was torn or added stays, on a line of its own
    lines, at, start, last = 0, 0, 0, GENESIS
    with path.open("rb") as file:
        for line in file:
            lines, start, at, last = lines + 1, at, at + len(line), _digest(line.rstrip(b"\n"))
    return Head(lines, at, start, last)


def _add(path: Path, log: int, head: Head, action: str, details: Mapping[str, Any]) -> Head:
    """One line more: announced in the head, written, synced, and the head over it signed."""
    event = {"at": _now(), "by": _who(), "action": action, "details": dict(details), "previous": head.last}
    text = json.dumps(event, sort_keys=True, separators=(",", ":"), default=str)
    line = text.encode() + b"\n"
    heads.write(path, replace(head, pending=text), sync=True)
    begun = path.parent / "keys" / _BEGUN
    if not begun.exists():
        begun.touch(mode=0o600)
    try:
        _write(log, line)
        os.fsync(log)
    except OSError:
        os.ftruncate(log, head.size)
        heads.write(path, head, sync=False)
        raise
    after = replace(
        head, lines=head.lines + 1, start=head.size, size=head.size + len(line), last=_digest(line[:-1]), pending=None
    )
    heads.write(path, after, sync=False)
    return after


_BEGUN = "audit.begun"
"""Beside the keys: that there was a log, should log and head go together."""


@contextlib.contextmanager
def _locked(path: Path, mode: int) -> Iterator[None]:
    """Hold the log's lock, a file of its own, for the log may be replaced."""
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, mode)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(log: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(log, view) :]


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(line.endswith(b"\n") for line in file)


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _told(found: Mapping[str, Any]) -> str:
    return f"{found['why']} (seen {str(found['at'])[:19].replace('T', ' ')} UTC)"


def _why(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _who() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # in a container this user may have no name
        return str(os.getuid())
