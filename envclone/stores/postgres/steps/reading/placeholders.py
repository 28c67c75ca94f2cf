"""A step's statement as it is sent: psycopg's placeholders made the server's, so that what was judged is what runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from envclone.errors import UsageError
from envclone.incidents.placeholders import REMEDY

__all__ = ["as_sent"]

_PLACEHOLDER = re.compile(r"%(?:(?P<name>\([^)]*\))?(?P<kind>.)|$)", re.DOTALL)


def as_sent(step: str, sql: str, values: Sequence[Any] | Mapping[str, Any] | None) -> tuple[str, list[Any] | None]:
    """The text with `$1` … and the values in that order; without values `%` is only a character.

    So it is with a list or a mapping of none, unless each `%` is doubled. Raises UsageError, naming the step, when
    placeholders and values do not fit.
    """
    if values is None or (not values and not _psycopg_s(sql)):
        return sql, None
    names: dict[str, int] = {}
    places = 0

    def number(match: re.Match[str]) -> str:
        nonlocal places
        name, kind = match["name"], match["kind"]
        if name is None and kind == "%":
            return "%"
        if kind not in ("s", "b", "t"):
            raise _wrong(step, "a placeholder is %s or %(name)s, and %% is the character")
        if (name is not None) != isinstance(values, Mapping):
            raise _wrong(step, "a list of parameters goes with %s, a mapping with %(name)s")
        if name is None:
            places += 1
            return f"${places}"
        return f"${names.setdefault(name[1:-1], len(names) + 1)}"

    text = _PLACEHOLDER.sub(number, sql)
    if isinstance(values, Mapping):
        if missing := [name for name in names if name not in values]:
            raise _wrong(step, f"the parameter '{missing[0]}' is not given")
        return text, [values[name] for name in names]
    if places != len(values):
        raise _wrong(step, f"the statement has {places} placeholders, and there are {len(values)} parameters")
    return text, list(values)


def _psycopg_s(sql: str) -> bool:
    """Whether every `%` is doubled or a placeholder, so that a statement without parameters was written for psycopg."""
    marks = list(_PLACEHOLDER.finditer(sql))
    return any(mark["kind"] in ("s", "b", "t") for mark in marks) or all(mark["kind"] == "%" for mark in marks)


def _wrong(step: str, what: str) -> UsageError:
    return UsageError(f"the step '{step}' cannot be sent: {what}", hint=REMEDY)
