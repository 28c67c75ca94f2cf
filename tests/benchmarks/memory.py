"""How much memory processes have for themselves: sampled from /proc, with all that they start."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Own"]

_EVERY = 0.05
"""Seconds between two looks; what is taken and given back in between is not seen."""
_PAGES = ("RssAnon:", "RssShmem:")
"""Pages of which nothing else has a copy. Those of files, which the kernel can drop and read again, are not in them."""


class Own:
    """The most MB that any Python process below this one had for itself: anonymous pages and shared memory.

    `first` is what this process starts, `copies` what those start.
    """

    def __init__(self) -> None:
        self.first = self.copies = 0
        self._ended = threading.Event()

    @contextlib.contextmanager
    def watched(self) -> Iterator[Own]:
        """Look on while the block runs."""
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        try:
            yield self
        finally:
            self._ended.set()
            watcher.join()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            first = _below(os.getpid())
            copies = [one for pid in first for one in _all_below(pid)]
            self.first = max([self.first, *map(_own, first)])
            self.copies = max([self.copies, *map(_own, copies)])


def _all_below(pid: int) -> Iterator[int]:
    for one in _below(pid):
        yield one
        yield from _all_below(one)


def _below(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def _own(pid: int) -> int:
    """MB of one process; 0 of what is not Python, such as a server."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    if not lines or not lines[0].split()[-1].startswith(("python", "envclone")):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(_PAGES)) // 1024
