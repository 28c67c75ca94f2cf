"""Logs of the stores: PostgreSQL's of slow statements and of `auto_explain`, and Qdrant's slow requests.

Sources: PostgreSQL's documentation (error reporting, auto_explain); Qdrant ≥ 1.16, `GET /profiler/slow_requests`, which
cuts arrays at 64 elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces import pglogs
from envclone.incidents.traces.pglogs import Message
from envclone.incidents.traces.span import Span, Trace, bounded, loads, moment

__all__ = ["is_slow_requests", "postgres", "postgres_json", "slow_requests"]

_LINE = re.compile(
    r"(?P<head>.*?)(?P<level>LOG|ERROR|FATAL|DETAIL|STATEMENT|CONTEXT|HINT|WARNING|NOTICE):  (?P<text>.*)"
)
_DURATION = re.compile(
    r"duration: (?P<ms>[\d.]+) ms(?:  (?P<how>statement|parse [^:]*|bind [^:]*|execute [^:]*|plan):\s?(?P<sql>.*))?",
    re.S,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?(?:UTC|GMT|Z|[+-]\d\d(?::?\d\d)?))?")
_PARAMETERS = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
_QUERY = re.compile(r"Query Text: (?P<sql>.*?)(?=\n(?:Query Parameters: |\S[^\n]*  \(cost=|\{)|\Z)", re.S)


def postgres(text: str) -> Trace | None:
    """The statements whose duration a log tells, with their parameters and plans; None when it tells of none."""
    left: list[str] = []
    found = pglogs.columns(text) if pglogs.is_columns(text) else ((*one, {}) for one in _entries(text, left))
    return _told(found, left)


def postgres_json(documents: Sequence[Any]) -> Trace | None:
    """The same of a log that is written in JSON."""
    return _told(pglogs.documents(documents), [])


def _told(messages: Iterable[Message], left: list[str]) -> Trace | None:
    spans = list(bounded(_statements(messages, left)))
    if not spans:
        return None
    return Trace("postgres log", spans, {"lines": left} if left else {})


def _statements(messages: Iterable[Message], left: list[str]) -> Iterator[Span]:
    """The statements of a log; the lines that tell of none go to `left`."""
    number = 1
    for head, entries, beside in messages:
        span = _statement(head, entries, number, beside)
        if span is None:
            left += [f"{level}: {said}" for level, said in entries]
        else:
            number += 1
            yield span


def _entries(text: str, left: list[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What belongs together: a message and its details, each with the lines that go on."""
    head = ""
    entries: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        match = _LINE.fullmatch(line)
        if match is None:
            if entries:
                entries[-1][1].append(line.removeprefix("\t"))
            elif line.strip():
                left.append(line)
            continue
        if match["level"] in ("LOG", "ERROR", "FATAL", "WARNING", "NOTICE") and entries:
            yield head, _joined(entries)
            entries = []
        if not entries:
            head = match["head"]
        entries.append((match["level"], [match["text"]]))
    if entries:
        yield head, _joined(entries)


def _joined(entries: Sequence[tuple[str, list[str]]]) -> list[tuple[str, str]]:
    return [(level, "\n".join(lines).rstrip("\n")) for level, lines in entries]


def _statement(head: str, entries: Sequence[tuple[str, str]], number: int, beside: Mapping[str, Any]) -> Span | None:
    level, said = entries[0]
    details = dict(entries[1:])
    time = _TIME.search(head)
    began = moment(time[0]) if time else None
    rest: dict[str, Any] = {**beside, "prefix": head.strip()}
    if level in ("ERROR", "FATAL") and "STATEMENT" in details:
        rest |= {key.lower(): value for key, value in details.items() if key not in ("STATEMENT", "DETAIL")}
        return Span(str(number), None, level, {"db.system": "postgresql", "db.query.text": details["STATEMENT"]}, began,
                    None, said, {"settings": _parameters(details.get("DETAIL", ""))}, rest)  # fmt: skip
    match = _DURATION.fullmatch(said) if level == "LOG" else None
    if match is None or not match["sql"]:
        return None
    sql, plan = match["sql"].strip(), None
    if match["how"] == "plan":
        plan = sql
        sql, parameters = _explained(plan)
    else:
        parameters = _parameters(details.get("DETAIL", ""))
    rest |= {key.lower(): value for key, value in details.items() if key != "DETAIL" or not parameters}
    ended = moment(began.timestamp() + float(match["ms"]) / 1000) if began else None
    attributes = {"db.system": "postgresql", "db.query.text": sql}
    return Span(str(number), None, (match["how"] or "").split(" ")[0], attributes, began, ended, None,
                {"settings": parameters, "output": plan}, {**rest, "duration_ms": float(match["ms"])})  # fmt: skip


def _explained(plan: str) -> tuple[str, dict[str, Any]]:
    """The statement and the parameters of a plan, as text or as JSON."""
    if plan.lstrip().startswith("{"):
        try:
            document = loads(plan)
        except (ValueError, RecursionError):
            return "", {}
        return str(document.get("Query Text") or ""), _parameters(str(document.get("Query Parameters") or ""))
    match = _QUERY.search(plan)
    line = re.search(r"^Query Parameters: (.*)$", plan, re.M)
    return (match["sql"].strip() if match else ""), _parameters(line[1] if line else "")


def _parameters(text: str) -> dict[str, Any]:
    """`$1 = 'a', $2 = NULL` as values by position."""
    found = {}
    for number, value in _PARAMETERS.findall(text):
        found[f"${number}"] = None if value == "NULL" else value[1:-1].replace("''", "'")
    return found


def is_slow_requests(document: Any) -> bool:
    """Whether a parsed document is Qdrant's list of slow requests."""
    found = _requests(document)
    return any(isinstance(one, Mapping) and "request_body" in one for one in found)


def slow_requests(document: Any) -> Trace:
    """Qdrant's slow requests, the queries whose vectors were cut told apart."""
    spans = []
    odd = []
    for number, one in enumerate(bounded(_requests(document)), 1):
        if not isinstance(one, Mapping) or "request_body" not in one:
            odd.append(one)
            continue
        attributes = {"db.system": "qdrant", "db.collection.name": one.get("collection_name")}
        rest = {
            key: value for key, value in one.items() if key not in ("collection_name", "request_name", "request_body")
        }
        spans.append(Span(str(number), None, str(one.get("request_name") or ""), attributes,
                          moment(one.get("datetime") or one.get("timestamp")), None, None,
                          {"input": one["request_body"]}, rest))  # fmt: skip
    beside = {key: value for key, value in document.items() if key != "result"} if isinstance(document, Mapping) else {}
    return Trace("qdrant slow requests", spans, {**beside, "other requests": odd} if spans else {})


def _requests(document: Any) -> list[Any]:
    result = document.get("result", document) if isinstance(document, Mapping) else document
    if isinstance(result, Mapping):
        result = result.get("requests", result.get("slow_requests"))
    return list(result) if isinstance(result, list) else []
