"""Tables of spans or runs: CSV, as tools offer it for download and as pandas writes it, and pandas' forms of JSON."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.errors import ConfigError
from envclone.incidents.traces.span import DEEPEST, MOST, VALUES, parsed, too_deep

__all__ = ["columns", "rows"]

_KEYS = frozenset(
    ("id", "span_id", "spanId", "SpanId", "context.span_id", "trace_id", "traceId", "TraceId", "run_type", "span_kind",
     "parent_id", "observation_id", "start_time", "startTime", "Timestamp", "timestamp", "sessionId", "session_id")
)  # fmt: skip
"""A table of spans has two of these at least among its columns."""
_FEWEST = 2
_DELIMITERS = (",", ";", "\t")
_CELL = 16 << 20
_REPR = 1 << 20


def rows(text: str, name: str) -> list[dict[str, Any]] | None:
    """The rows of a table in CSV as objects; None when it is none of spans. Raises ConfigError for a damaged one."""
    head = text[:65536].partition("\n")[0].rstrip("\r")
    if head.startswith(("{", "[")):
        return None
    for delimiter in _DELIMITERS:
        try:
            names = [one.strip() for one in next(csv.reader([head], delimiter=delimiter), [])]
        except csv.Error:
            continue
        if len(_KEYS.intersection(names)) >= _FEWEST:
            break
    else:
        return None
    if text.count(delimiter) > VALUES:
        raise ConfigError(f"{name} holds more than {VALUES:,} values", hint="export the failing request alone")
    before = csv.field_size_limit(_CELL)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        next(reader)
        found = []
        for row in reader:
            if 0 < len(row) < len(names):
                raise ConfigError(
                    f"{name}:{reader.line_num} is cut off: it has {len(row)} of {len(names)} columns",
                    hint="export it again, or take that row out",
                )
            if row:
                found.append(_row(names, row))
            if len(found) > MOST:
                break  # whoever reads the spans says how many there may be
    except csv.Error as exc:
        raise ConfigError(f"{name} is damaged: its columns cannot be told apart ({exc})") from None
    finally:
        csv.field_size_limit(before)
    return found


def _row(names: Sequence[str], row: Sequence[str]) -> dict[str, Any]:
    more = {f"column {number}": value for number, value in enumerate(row[len(names) :], len(names) + 1) if value}
    pairs = zip(names, row, strict=False)
    return {name or f"column {at}": _cell(value) for at, (name, value) in enumerate(pairs, 1) if value != ""} | more


def _cell(text: str) -> Any:
    """A cell with an object or a list in it, as JSON or as Python writes it; any other text as it stands."""
    if text[:1] not in ("{", "[") or text[-1:] not in ("}", "]"):
        return text
    value = parsed(text)
    if not isinstance(value, str) or len(text) > _REPR or _levels(text) > DEEPEST:
        return value
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return text
    return found if _is_json(found) and not too_deep(found) else text


def _levels(text: str) -> int:
    depth = most = 0
    for one in text:
        depth += (one in "{[(") - (one in "}])")
        most = max(most, depth)
    return most


def _is_json(value: Any) -> bool:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            if not all(isinstance(key, str) for key in one):
                return False
            pending += one.values()
        elif isinstance(one, list):
            pending += one
        elif one is not None and not isinstance(one, str | int | float):
            return False
    return True


def columns(documents: Sequence[Any]) -> list[dict[str, Any]] | None:
    """The rows of a table that pandas wrote by columns, by rows or apart from its columns; None for something else."""
    if len(documents) != 1 or not isinstance(documents[0], Mapping):
        return None
    (one,) = documents
    names, data = one.get("columns"), one.get("data")
    if isinstance(names, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        if len(_KEYS.intersection(map(str, names))) < _FEWEST:
            return None
        index = one.get("index") if isinstance(one.get("index"), list) else []
        return [_indexed(dict(zip(map(str, names), row, strict=False)), index[at] if at < len(index) else None)
                for at, row in enumerate(data)]  # fmt: skip
    if not one or not all(isinstance(value, Mapping) and value for value in one.values()):
        return None
    if len(_KEYS.intersection(one)) >= _FEWEST:
        return list(_turned(one))
    if all(len(_KEYS.intersection(value)) >= _FEWEST for value in one.values()):
        return [_indexed(dict(value), key) for key, value in one.items()]
    return None


def _turned(one: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    keys = dict.fromkeys(key for column in one.values() for key in column)
    for key in keys:
        yield _indexed({name: column[key] for name, column in one.items() if key in column}, key)


def _indexed(row: dict[str, Any], key: Any) -> dict[str, Any]:
    """A row with its index, which is a span's id where no column has it."""
    if key is None:
        return row
    known = any(name in row for name in ("context.span_id", "span_id", "id", "spanId"))
    return {**row, "index": key} if known else {**row, "context.span_id": str(key)}
