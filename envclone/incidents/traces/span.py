"""A span as all formats have it, before its attributes are read; and small readings that they share."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Span", "Trace", "flat", "loose", "moment", "parsed"]


@dataclass(frozen=True, slots=True)
class Span:
    """A span with its attributes by dotted names; `said` are fields that the format has of its own, by `Call`'s names.

    `rest` is what is neither.
    """

    id: str
    parent: str | None
    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    began: dt.datetime | None = None
    ended: dt.datetime | None = None
    error: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """What one file holds: its format, its spans in order, and what it says beside them."""

    dialect: str
    spans: list[Span]
    about: dict[str, Any] = field(default_factory=dict)


def parsed(value: Any) -> Any:
    """A value that is given as the text of a JSON object, list or text, up to three times; anything else as it is."""
    for _ in range(3):
        if not (isinstance(value, str) and value[:1] in _OPENS and value[-1:] in _CLOSES):
            break
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            break
    return value


_OPENS, _CLOSES = ("{", "[", '"'), ("}", "]", '"')


def loose(value: Any) -> Mapping[str, Any]:
    """A mapping that may be given as the text of one; an empty one for anything else."""
    value = parsed(value)
    return value if isinstance(value, Mapping) else {}


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested attributes by dotted names; lists stay whole."""
    for key, one in value.items():
        if isinstance(one, Mapping) and one:
            yield from flat(one, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", one


def moment(value: Any) -> dt.datetime | None:
    """A time in ISO 8601, or in seconds, milliseconds, microseconds or nanoseconds since 1970; None for no time."""
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        try:
            found = dt.datetime.fromisoformat(value.replace("Z", "+00:00").replace(" UTC", "+00:00"))
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
    try:
        number = float(value)
        while number > _YEAR_3000:
            number /= 1000
        return dt.datetime.fromtimestamp(number, dt.UTC) if number > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


_YEAR_3000 = 32_503_680_000
"""In seconds; a larger number counts in smaller units."""
