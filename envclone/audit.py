"""Who did what to this pool, one JSON object a line, each carrying the hash of the line before.

Beside the log stands its head: how many lines there are and the hash of the last, signed with the pool's key. An
edited, removed or added line is found; that somebody put back an older log together with its older head is not: keep
the heads elsewhere to find that.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envclone import keys

__all__ = ["append", "broken", "broken_line", "events"]

GENESIS = "0" * 64


def append(path: Path, action: str, details: Mapping[str, Any]) -> None:
    """Add one event to the log (mode 0600), chained by SHA-256 to the one before it and synced to disk."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        event = {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "by": _who(),
            "action": action,
            "details": dict(details),
            "previous": _digest(_last_line(file)),
        }
        line = json.dumps(event, sort_keys=True, separators=(",", ":"), default=str).encode()
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        _write_head(path, sum(1 for _ in file), _digest(line))


def broken_line(path: Path) -> int | None:
    """The number (from 1) of the first line that is not the successor of the one before, or None."""
    if not path.exists():
        return None
    previous = GENESIS
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                event = json.loads(line)
            except ValueError:
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
            except ValueError:
                event = None
            yield event if isinstance(event, dict) else {"action": "?"}


def broken(path: Path) -> str | None:
    """What is wrong with the log, in words, or None."""
    line = broken_line(path)
    if line is not None:
        return f"line {line} is not what was written: it, or the line before it, was edited, added or removed"
    if not path.exists():
        return "its head is there, and the log is gone" if _head_of(path).exists() else None
    with path.open("rb") as file:
        lines = file.read().splitlines()
    try:
        head = json.loads(_head_of(path).read_text())
        signature = bytes.fromhex(head.pop("signature"))
    except (FileNotFoundError, ValueError, KeyError):
        return "its signed head is missing or damaged"
    if not keys.verify(path.parent / "keys", _canonical(head), signature):
        return "the signature of its head is not this pool's"
    if head != {"lines": len(lines), "last": _digest(lines[-1] if lines else None)}:
        return f"it has {len(lines)} lines, and its head was signed over {head.get('lines')} with another last one"
    return None


def _write_head(path: Path, lines: int, last: str) -> None:
    head = {"lines": lines, "last": last}
    folder = path.parent / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    text = json.dumps({**head, "signature": keys.sign(folder, _canonical(head)).hex()})
    temporary = _head_of(path).with_suffix(".new")
    temporary.write_text(text)
    temporary.chmod(0o600)
    temporary.replace(_head_of(path))


def _head_of(path: Path) -> Path:
    return path.with_suffix(".head")


def _canonical(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True).encode()


def _digest(line: bytes | None) -> str:
    return GENESIS if line is None else hashlib.sha256(line).hexdigest()


def _last_line(file: Any) -> bytes | None:
    """The last line without its newline, read from the end in growing steps."""
    size = file.seek(0, os.SEEK_END)
    reach = 4096
    while size:
        file.seek(max(0, size - reach))
        tail = file.read().rstrip(b"\n")
        if b"\n" in tail or reach >= size:
            return bytes(tail.rpartition(b"\n")[2])
        reach *= 4
    return None


def _who() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()
