"""PostgreSQL's log in columns (`csvlog`) and in JSON (`jsonlog`), as messages with their details.

Source: PostgreSQL's documentation, error reporting and logging, 19.8.5 and 19.8.6.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Message", "columns", "documents", "is_columns", "is_documents", "of_collector"]

Message = tuple[str, list[tuple[str, str]], dict[str, Any]]
"""The time, what was said with its details, and what else stands there."""
_NAMES = (
    *("timestamp", "user", "dbname", "pid", "connection_from", "session_id", "line_num", "ps", "session_start", "vxid"),
    *("txid", "error_severity", "state_code", "message", "detail", "hint", "internal_query", "internal_position"),
    *("context", "statement", "cursor_position", "location", "application_name", "backend_type", "leader_pid"),
    "query_id",
)
"""The columns, by the names that the JSON has."""
_FEWEST = 22
_LEVELS = ("LOG", "ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "DEBUG", *(f"DEBUG{n}" for n in range(1, 6)))
_DETAILS = {"detail": "DETAIL", "hint": "HINT", "context": "CONTEXT", "statement": "STATEMENT"}
_MOST = 1 << 24


def is_columns(text: str) -> bool:
    """Whether a text is a log in columns."""
    parts = text[:4096].partition("\n")[0].split(",")
    return len(parts) >= 12 and any(part in _LEVELS for part in parts[10:14])


def columns(text: str) -> Iterator[Message]:
    """The messages of a log in columns. Raises ValueError for one that is cut off."""
    before = csv.field_size_limit(_MOST)
    try:
        for row in csv.reader(io.StringIO(text), strict=True):
            if len(row) >= _FEWEST:
                yield _message(dict(zip(_NAMES, row, strict=False)) | _more(row))
            elif row:
                yield "", [("", ",".join(row))], {}
    except csv.Error as exc:
        raise ValueError(f"its columns cannot be told apart: {exc}") from None
    finally:
        csv.field_size_limit(before)


def _more(row: Sequence[str]) -> dict[str, Any]:
    return {f"column {number}": value for number, value in enumerate(row[len(_NAMES) :], len(_NAMES) + 1) if value}


def is_documents(found: Sequence[Any]) -> bool:
    """Whether parsed documents are a log in JSON."""
    return bool(found) and all(
        isinstance(one, Mapping) and one.get("error_severity") in _LEVELS and "pid" in one for one in found
    )  # fmt: skip


def documents(found: Sequence[Mapping[str, Any]]) -> Iterator[Message]:
    """The messages of a log in JSON."""
    return map(_message, found)


def _message(one: Mapping[str, Any]) -> Message:
    level, said = str(one.get("error_severity") or ""), str(one.get("message") or "")
    if level not in ("LOG", "") and one.get("state_code"):
        said = f"{one['state_code']} {said}"
    details = [(name, str(one[key])) for key, name in _DETAILS.items() if one.get(key)]
    spent = ("timestamp", "error_severity", "message", *_DETAILS)
    rest = {key: value for key, value in one.items() if key not in spent and value not in ("", None)}
    return str(one.get("timestamp") or ""), [(level, said), *details], rest


_RENAMED = {"log_time": "timestamp", "user_name": "user", "database_name": "dbname", "process_id": "pid",
            "sql_state_code": "state_code", "query": "statement"}  # fmt: skip
"""What CloudNativePG calls a column that the server's own JSON has another name for."""


def of_collector(found: Sequence[Any]) -> tuple[list[dict[str, Any]], list[Any]] | None:
    """The records of a log, and what a collector put around each; None for something else."""
    rows = [one for each in found for one in (each if isinstance(each, list) else [each])]
    if not rows or not all(isinstance(one, Mapping) for one in rows):
        return None
    records = [one["record"] for one in rows if isinstance(one.get("record"), Mapping)]
    if not records or not all("error_severity" in one for one in records):
        return None
    beside = [{key: one for key, one in row.items() if key != "record"} for row in rows]
    return [{_RENAMED.get(key, key): one for key, one in record.items()} for record in records], beside
