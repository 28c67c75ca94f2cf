"""What the operator sets of a service."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

__all__ = ["Options"]


@dataclass(frozen=True, slots=True)
class Options:
    """The limits of a service.

    `calls_per_minute` is for one token, `strangers_per_minute` for all calls of an address that bring none that is
    valid; `branches` how many somebody may have, `jobs` how many run at once. `ttl` is the longest that a branch may
    live without an operator; `body` and `bundle` bound what is sent (bytes), `seconds` how long the sending of it may
    take. With `images` an engineer's branch may have an image made.
    """

    calls_per_minute: int = 300
    strangers_per_minute: int = 120
    branches: int = 5
    jobs: int = 2
    ttl: dt.timedelta = dt.timedelta(days=7)
    body: int = 64 << 10
    bundle: int = 8 << 20
    seconds: float = 60.0
    images: bool = False
    secure: bool = False
    behind_proxy: bool = False
