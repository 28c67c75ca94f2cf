"""Times of records as they count: a clock that was once ahead must not make an old state the newest for weeks."""

from __future__ import annotations

import datetime as dt

__all__ = ["counted"]

_AHEAD = dt.timedelta(minutes=5)
"""What clocks of machines that share a pool may differ by."""


def counted(when: dt.datetime, now: dt.datetime | None = None) -> dt.datetime:
    """The time of a record; one that the clock has not reached is older than any other: nobody knows when it was."""
    now = now or dt.datetime.now(dt.UTC)
    return when if when <= now + _AHEAD else dt.datetime.min.replace(tzinfo=dt.UTC)
