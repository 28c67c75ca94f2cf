"""Deadlines with a diagnosis: a wait ends in success, or in an error that says what was last seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from envclone.errors import EnvcloneError, UnreachableError

__all__ = ["until"]

T = TypeVar("T")


def until(
    probe: Callable[[], T | None],
    *,
    what: str,
    timeout: float,
    interval: float = 0.005,
    longest: float = 0.1,
    diagnosis: Callable[[], str] | None = None,
    error: type[EnvcloneError] = UnreachableError,
    hint: str | None = None,
) -> T:
    """Call `probe` until it returns something other than None, and return that.

    `timeout` and `interval` are in seconds; the interval grows by half each time, up to `longest`.
    Raises `error` at the deadline, with what `diagnosis` says then. An error that `probe` raises ends the wait.
    """
    deadline = time.monotonic() + timeout
    pause = interval
    while True:
        found = probe()
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            seen = diagnosis().strip() if diagnosis else ""
            raise error(f"{what} within {timeout:g} s" + (f"; last seen: {seen}" if seen else ""), hint=hint)
        time.sleep(pause)
        pause = min(pause * 1.5, longest)
