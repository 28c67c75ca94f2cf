"""The signed head of the audit log: how far the log goes, what is about to be written, and whether it was ever broken.

A head stands beside its log and, when the stack file names a mirror, as one line more in a file elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from envclone import keys
from envclone.errors import ConfigError, UnsafeError

__all__ = ["GENESIS", "Damaged", "Head", "last_mirrored", "mirror", "mirrored", "read", "write"]

GENESIS = "0" * 64


class Damaged(Exception):
    """A head that is not what was written; says how."""


@dataclass(frozen=True, slots=True)
class Head:
    """The log has `lines` lines and `size` bytes; the last line begins at `start` and has the SHA-256 `last`.

    `pending` is a line that is about to be written: what of it the log holds was torn by a failure, not by a person.
    `broken` names the first line that was seen not to be as written, and why; it is never taken back.
    """

    lines: int = 0
    size: int = 0
    start: int = 0
    last: str = GENESIS
    pending: str | None = None
    broken: Mapping[str, Any] | None = None

    def marked(self, line: int, why: str, at: str) -> Head:
        """The same with a break; the first one stays."""
        return self if self.broken else replace(self, broken={"line": line, "why": why, "at": at})


def path_of(log: Path) -> Path:
    """Where the head of a log stands."""
    return log.with_suffix(".head")


def read(log: Path) -> Head | None:
    """The head beside a log, its signature verified; None when there is none. Raises Damaged."""
    try:
        text = path_of(log).read_bytes()
    except FileNotFoundError:
        return None
    return _parsed(text, log)


def write(log: Path, head: Head, *, sync: bool) -> None:
    """Sign a head and put it beside the log, whole or not at all (mode 0600)."""
    temporary = path_of(log).with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_signed(head, log))
        file.flush()
        if sync:
            os.fsync(file.fileno())
    temporary.replace(path_of(log))


def mirror(log: Path, head: Head, place: Path) -> None:
    """Add the head to the mirror, one JSON object a line. Raises OSError, ConfigError when it is another file."""
    with _opened(place, os.O_RDWR | os.O_CREAT | os.O_APPEND) as descriptor:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, 0) != b"{":
            raise ConfigError(f"audit.mirror {place} is not a file of heads", hint="name a new file")
        torn = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
        os.write(descriptor, torn + _signed(head, log) + b"\n")
        os.fsync(descriptor)


def last_mirrored(log: Path, place: Path) -> Head | None:
    """The newest head in the mirror; None when it holds none. Raises Damaged, OSError."""
    newest: bytes | None = None
    with _opened(place, os.O_RDONLY) as descriptor:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, 0) != b"{":
            raise ConfigError(f"audit.mirror {place} is not a file of heads", hint="name a new file")
        tail = os.pread(descriptor, min(size, _TAIL), max(0, size - _TAIL))
        for line in reversed(tail.split(b"\n")[:-1]):
            newest = line
            break
    return None if newest is None else _parsed(newest, log)


def mirrored(log: Path, place: Path) -> Iterator[Head]:
    """Every head of the mirror, oldest first; a line that is none is passed over. Raises OSError."""
    with _opened(place, os.O_RDONLY) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        for line in file:
            with contextlib.suppress(Damaged):
                yield _parsed(line, log)


_TAIL = 64 << 10
"""A head in the mirror is never longer: it has no pending line."""


@contextlib.contextmanager
def _opened(place: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(place, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError(f"audit.mirror {place} is not an ordinary file", hint="name a new file")
        yield descriptor
    finally:
        os.close(descriptor)


def _signed(head: Head, log: Path) -> bytes:
    folder = log.parent / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    plain = asdict(head)
    return json.dumps({**plain, "signature": keys.sign(folder, _canonical(plain)).hex()}, sort_keys=True).encode()


def _parsed(text: bytes, log: Path) -> Head:
    try:
        plain = json.loads(text)
        signature = bytes.fromhex(plain.pop("signature"))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise Damaged("its signed head is damaged") from None
    try:
        valid = keys.verify(log.parent / "keys", _canonical(plain), signature)
    except UnsafeError:
        valid = False
    if not valid:
        raise Damaged("the signature of its head is not this pool's")
    if plain.keys() == {"lines", "last"}:  # as heads were before they knew the log's size
        return _measured(log, int(plain["lines"]), str(plain["last"]))
    try:
        return Head(**plain)
    except TypeError:
        raise Damaged("its head was written by another version of envclone") from None


def _measured(log: Path, lines: int, last: str) -> Head:
    size = start = 0
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        for number, line in enumerate(file, 1):
            start, size = size, size + len(line)
            if number == lines:
                break
    return Head(lines, size, start, last)


def _canonical(plain: Mapping[str, Any]) -> bytes:
    return json.dumps(plain, sort_keys=True).encode()
