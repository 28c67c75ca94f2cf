"""A stretch of time as people read it."""

from __future__ import annotations

import datetime as dt

__all__ = ["span"]


def span(time: dt.timedelta) -> str:
    """A stretch of time in a few characters: 40m, 3h05m, 9d."""
    minutes = int(time.total_seconds()) // 60
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes // 60}h{minutes % 60:02}m" if minutes < 48 * 60 else f"{minutes // 1440}d"
