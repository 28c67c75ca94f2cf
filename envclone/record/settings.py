"""Which settings are in force in a database session: read out of the statements that set them, no question asked.

What a role or a database has by ALTER … SET, the branch has as well. What a function sets unseen is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Settings", "options"]

_SET = re.compile(
    r"set\s+(?:(?P<scope>session|local)\s+)?(?:(?P<zone>time\s+zone)|(?P<role>role)|(?P<name>[\w.\"]+)\s*(?:=|\bto\b))"
    r"\s*(?P<value>.+)",
    re.IGNORECASE | re.DOTALL,
)
_RESET = re.compile(r"reset\s+(?P<name>[\w.\"]+)", re.IGNORECASE)
_CONFIG = re.compile(
    r"set_config\s*\(\s*(?P<name>'[^']*'|%s|%\(\w+\)s)\s*,\s*(?P<value>'(?:[^']|'')*'|%s|%\(\w+\)s)(?:::\w+)?\s*,"
    r"\s*(?P<local>true|false|'t'|'f'|%s|%\(\w+\)s)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"%s|%\((\w+)\)s")
_OPTION = re.compile(r"(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)")
_STARTS = ("set", "reset", "discard", "rollback", "abort", "commit", "end")
_NOT_SETTINGS = ("transaction", "constraints", "session", "characteristics", "xml")
_LONGEST = 20_000

Parameters = Sequence[Any] | Mapping[str, Any] | None


def options(text: str) -> dict[str, str]:
    """The settings of libpq's `options`."""
    return {name.replace("-", "_"): re.sub(r"\\(.)", r"\1", value) for name, value in _OPTION.findall(text)}


class Settings:
    """A session's and its transaction's settings, as far as statements told."""

    def __init__(self, at_start: Mapping[str, str]) -> None:
        self.session: dict[str, str] = dict(at_start)
        self.local: dict[str, str] = {}
        self._start = dict(at_start)
        self._before: dict[str, str] | None = None

    def begins(self) -> None:
        """A statement begins outside of any transaction."""
        if self.local:
            self.local = {}
        self._before = None

    def ends(self, *, rolled_back: bool) -> None:
        """The transaction is over."""
        if rolled_back and self._before is not None:
            self.session = self._before
        self._before, self.local = None, {}

    def ran(self, sql: str, parameters: Parameters, *, within: bool) -> None:
        """A statement succeeded; `within`: a transaction is open behind it."""
        first = sql[:200].lstrip().lower()
        if not first.startswith(_STARTS) and "set_config" not in sql:
            return
        if len(sql) > _LONGEST:
            return
        before = dict(self.session)
        if "set_config" in sql:
            self._configured(sql, parameters)
        for piece in sql.split(";"):
            self._piece(piece.strip(), parameters)
        if within and self._before is None and before != self.session:
            self._before = before

    def _piece(self, piece: str, parameters: Parameters) -> None:
        low = piece[:40].lower()
        if low.startswith(("rollback", "abort")) and " to " not in low:
            self.ends(rolled_back=True)
        elif low.startswith(("commit", "end")):
            self.ends(rolled_back=False)
        elif low.startswith("discard all"):
            self.session, self.local = dict(self._start), {}
        elif match := _RESET.match(piece):
            self._reset(match["name"].strip('"').lower())
        elif match := _SET.match(piece):
            name = "timezone" if match["zone"] else "role" if match["role"] else match["name"].strip('"').lower()
            if name.split(" ")[0] in _NOT_SETTINGS:
                return
            value = _value(name, match["value"].strip(), parameters)
            into = self.local if (match["scope"] or "").lower() == "local" else self.session
            if value is None or (name == "role" and value.lower() == "none"):
                into.pop(name, None)
            else:
                into[name] = value

    def _reset(self, name: str) -> None:
        if name == "all":
            role = self.session.get("role")
            self.session, self.local = dict(self._start) | ({"role": role} if role else {}), {}
            return
        self.local.pop(name, None)
        if name in self._start:
            self.session[name] = self._start[name]
        else:
            self.session.pop(name, None)

    def _configured(self, sql: str, parameters: Parameters) -> None:
        for match in _CONFIG.finditer(sql):
            said = [_given(match[part], sql, match.start(part), parameters) for part in ("name", "value", "local")]
            name, value, local = said
            if isinstance(name, str) and value is not None:
                into = self.local if str(local).lower() in ("true", "t", "1") else self.session
                into[name.lower()] = str(value)


def _value(name: str, text: str, parameters: Parameters) -> str | None:
    """A value as `set_config` takes it; None for DEFAULT."""
    if text.lower() == "default":
        return None
    if _PLACE.fullmatch(text):
        found = _given(text, text, 0, parameters)
        return None if found is None else str(found)
    parts = re.findall(r"'(?:[^']|'')*'|[^,\s][^,]*", text)
    if name == "search_path":
        parts = ['"' + _unquoted(one) + '"' if one.startswith("'") else one.strip() for one in parts]
        return ", ".join(parts)
    return _unquoted(text) if len(parts) == 1 else ", ".join(_unquoted(one.strip()) for one in parts)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text


def _given(text: str, sql: str, start: int, parameters: Parameters) -> Any:
    """A literal's value, or the parameter's in its place."""
    match = _PLACE.fullmatch(text)
    if match is None:
        return _unquoted(text)
    if match[1]:
        return parameters.get(match[1]) if isinstance(parameters, Mapping) else None
    number = sum(1 for one in _PLACE.finditer(sql, 0, start) if one[1] is None)
    listed = parameters if isinstance(parameters, Sequence) else ()
    return listed[number] if number < len(listed) else None
