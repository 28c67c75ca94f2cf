"""A span as all formats have it, before its attributes are read; and small readings that they share."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from envclone.errors import ConfigError

__all__ = [
    "DEEPEST",
    "MOST",
    "VALUES",
    "Span",
    "Trace",
    "bounded",
    "decoder",
    "flat",
    "loads",
    "loose",
    "moment",
    "one_behind_the_other",
    "parsed",
    "too_deep",
]

MOST = 20_000
"""Spans of one incident; a file of more holds more than one failing request."""
VALUES = 6_000_000
"""Values of a document: what stands between commas and brackets. Each takes far more memory than bytes in the file."""
Item = TypeVar("Item")
DEEPEST = 50
"""Levels of a document; a bundle has 64, and its own above what a trace tells."""


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


def bounded(spans: Iterable[Item], before: int = 0) -> Iterator[Item]:
    """Spans, or what they are made of, as long as they are no more than an incident has; `before` were read already."""
    for number, span in enumerate(spans, before + 1):
        if number > MOST:
            raise ConfigError(
                f"the trace holds more than {MOST:,} spans, the most that an incident has",
                hint="export the trace of the failing request alone",
            )
        yield span


def loads(text: str) -> Any:
    """A JSON document of which nothing is lost: of a key that is given twice both, no number that JSON cannot write."""
    return json.loads(text, object_pairs_hook=_both, parse_constant=str, parse_float=_finite)


def decoder() -> json.JSONDecoder:
    """What reads a document as `loads` does, out of a text in which more stands."""
    return json.JSONDecoder(object_pairs_hook=_both, parse_constant=str, parse_float=_finite)


def one_behind_the_other(text: str) -> list[Any] | None:
    """The documents of a text that holds one behind the other over many lines, as exporters to a console write."""
    read = decoder()
    found: list[Any] = []
    at = 0
    try:
        while (at := _FIRST.match(text, at).end()) < len(text):  # type: ignore[union-attr]
            if len(found) >= MOST:
                return None
            one, at = read.raw_decode(text, at)
            found.append(one)
    except (ValueError, RecursionError):
        return None
    return found


_FIRST = re.compile(r"[\s,]*+")


def _both(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    number = 1
    for key, value in pairs:  # the last one counts, as for every other reader; those before stand beside it
        if value is not found[key]:
            while f"{key}#{number}" in found:
                number += 1
            found[f"{key}#{number}"] = value
    return found


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def too_deep(value: Any) -> bool:
    """Whether lists and objects are nested deeper than a bundle can hold."""
    pending = [(value, 1)]
    while pending:
        one, depth = pending.pop()
        if isinstance(one, dict | list):
            if depth > DEEPEST:
                return True
            pending += [(item, depth + 1) for item in (one.values() if isinstance(one, dict) else one)]
    return False


def parsed(value: Any) -> Any:
    """A value that is given as the text of a JSON object, list or text, up to three times; anything else as it is.

    What is nested too deep for a bundle stays the text that it is.
    """
    for _ in range(3):
        if not (isinstance(value, str) and value[:1] in _OPENS and value[-1:] in _CLOSES):
            break
        try:
            inside = loads(value)
        except (ValueError, RecursionError):
            break
        if too_deep(inside):
            break
        value = inside
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
        if not math.isfinite(number):
            return None
        while number > _YEAR_3000:
            number /= 1000
        return dt.datetime.fromtimestamp(number, dt.UTC) if number > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


_YEAR_3000 = 32_503_680_000
"""In seconds; a larger number counts in smaller units."""
