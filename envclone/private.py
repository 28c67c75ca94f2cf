"""Files that only their owner reads, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from envclone.accounts import Account, hand_over

__all__ = ["write_private"]


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Write a file with mode 0600 under another name and rename it; it belongs to `account` when one is given."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if account is not None:
        hand_over(partial, account)
    partial.replace(path)
