"""Sessions of agents: a branch is named after its session, and a lock tells whether that one still lives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from envclone.errors import BusyError
from envclone.pool import Pool

__all__ = ["ended", "held", "name_of"]

_NAME = re.compile(r"agent-([0-9a-f]{8})-\d{1,6}")
_WHAT = "an agent's session"


def name_of(token: str, number: int) -> str:
    """The name of a session's branch."""
    return f"agent-{token}-{number}"


@contextmanager
def held(pool: Pool, token: str) -> Iterator[None]:
    """Hold a session's lock; the kernel lets go of it however the process ends."""
    with pool.lock(f"agent.{token}", what=_WHAT):
        yield


def ended(pool: Pool, branch: str) -> bool:
    """Whether a branch is an agent's whose session has ended; False for every other branch."""
    match = _NAME.fullmatch(branch)
    if match is None:
        return False
    try:
        with pool.lock(f"agent.{match[1]}", what=_WHAT):
            return True
    except BusyError:
        return False
