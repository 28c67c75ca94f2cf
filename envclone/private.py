"""Files that are written whole or not at all: those that only their owner reads, and those that all may."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from envclone.accounts import Account, hand_over

__all__ = ["locked_sibling", "write_private", "write_public"]


def write_private(path: Path, text: str, account: Account | None = None, *, durable: bool = False) -> None:
    """Write a file with mode 0600 under another name and rename it; it belongs to `account` when one is given.

    `durable` waits until its bytes are on the disk, before it takes the other's place.
    Two processes that write one file do not disturb each other: the last one's is there, whole.
    """
    partial, descriptor = locked_sibling(path)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if account is not None:
                hand_over(partial, account)
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_public(path: Path, text: str) -> None:
    """Write a file that everybody may read (mode 0644) under another name and rename it: no reader sees half of it."""
    partial, descriptor = locked_sibling(path)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def locked_sibling(path: Path) -> tuple[Path, int]:
    """A new hidden file (mode 0600) beside `path`, open for writing and locked until it is closed.

    By the lock `gc` tells a file that is being written from one that a killed process left.
    """
    while True:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial-{os.getpid()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else `gc` took it for a leftover between the two calls
            return partial, descriptor
        os.close(descriptor)
