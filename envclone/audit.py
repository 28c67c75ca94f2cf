"""Who did what to this pool, one JSON object a line, each carrying the hash of the line before."""

from __future__ import annotations

import datetime as dt
import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["append", "broken_line"]

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
        file.write(json.dumps(event, sort_keys=True, separators=(",", ":"), default=str).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


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
