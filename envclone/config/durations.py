"""Durations as people write them: `90s`, `30m`, `8h`, `1h30m`, `7d`, `2w`."""

from __future__ import annotations

import datetime as dt
import re

__all__ = ["LONGEST", "PATTERN", "parse_duration", "text"]

PATTERN = r"^([0-9]{1,9}[smhdw])+$"
"""What a duration looks like, for editors."""

LONGEST = dt.timedelta(days=3650)
"""Longer ones are typing errors."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SHAPE = re.compile(r"([0-9]{1,9}[smhdw])+", re.ASCII)
_PART = re.compile(r"([0-9]+)([smhdw])", re.ASCII)


def parse_duration(written: str) -> dt.timedelta:
    """The duration that `written` means; units s, m, h, d and w (7 days) may be joined, largest or smallest first.

    Raises ValueError, in words for the person who wrote it, when it is not a duration, zero, or above ten years.
    """
    compact = "".join(written.split()).lower()
    if not _SHAPE.fullmatch(compact):
        raise ValueError("must be a number with a unit (s, m, h, d or w), such as 8h, 1h30m or 7d")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(compact))
    if seconds == 0:
        raise ValueError("must be longer than zero")
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"must be at most {LONGEST.days}d")
    return dt.timedelta(seconds=seconds)


def text(duration: dt.timedelta) -> str:
    """The shortest way to write a duration of whole seconds, such that `parse_duration` gives it back."""
    left = int(duration.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        number, left = divmod(left, _UNITS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
