"""PostgreSQL's log of slow statements and of `auto_explain`, as the server writes it and as collectors keep it.

Source: PostgreSQL's documentation (error reporting, auto_explain).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import unescape
from typing import Any

from envclone.incidents.traces import lines, pglogs
from envclone.incidents.traces.pglogs import Message
from envclone.incidents.traces.span import Span, Trace, bounded, loads, moment

__all__ = ["collected", "postgres", "postgres_json"]

_LINE = re.compile(
    r"(?P<head>.*?)(?P<level>LOG|ERROR|FATAL|PANIC|DETAIL|STATEMENT|CONTEXT|HINT|WARNING|NOTICE|INFO|DEBUG[1-5]?"
    r"|LOCATION|QUERY|BACKTRACE):  (?P<text>.*)"
)
_BEGINS = ("LOG", "ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "DEBUG")
_DURATION = re.compile(
    r"duration: (?P<ms>[\d.]+) ms"
    r"(?: {1,2}(?P<how>statement|parse [^:]*|bind [^:]*|execute [^:]*|plan):\s?(?P<sql>.*))?",
    re.S,
)
_SAID = re.compile(r"(?P<how>statement|execute [^:]*): (?P<sql>.*)", re.S)
"""A statement that is logged before it runs (`log_statement`); how long it took is a message of its own behind it."""
_STATE = re.compile(r"(?P<state>[0-9A-Z]{5}): (?P<said>.*)", re.S)
"""How a message begins that is logged with `log_error_verbosity = verbose`."""
_IN_PREFIX = re.compile(r"(?<![^\s:(])(?P<state>[0-9A-Z]{5})(?![^\s:)])")
_NUMBERED = re.compile(r"\[\d+-(?P<part>\d+)\] ?")
"""How the server numbers a message and its lines for syslog."""
_TWO = re.compile(r"(?:LOG|ERROR|FATAL|DETAIL|STATEMENT):  ")
_ONE = re.compile(r"(?:LOG: duration: \d|STATEMENT: )")
_LEVEL = re.compile(
    r"^([^\n]{0,300}?(?:(?<=[\s:\])>|,])|^)(?:LOG|ERROR|FATAL|PANIC|DETAIL|STATEMENT|CONTEXT|HINT|WARNING)): (?! )",
    re.M,
)
_MARK = "\0"
"""Between what a runtime put before a line and the line; no log has it."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?(?:UTC|GMT|Z|[+-]\d\d(?::?\d\d)?))?")
_PARAMETERS = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
_QUERY = re.compile(r"Query Text: (?P<sql>.*?)(?=\n(?:Query Parameters: |\S[^\n]*  \(cost=|\{)|\Z)", re.S)


def postgres(text: str) -> Trace | None:
    """The statements whose duration a log tells, with their parameters and plans; None when it tells of none."""
    left: list[str] = []
    text = _apart(_spaced(text))
    found = pglogs.columns(text) if pglogs.is_columns(text) else ((*one, {}) for one in _entries(text, left))
    return _told(found, left)


def _spaced(text: str) -> str:
    """A log with two spaces behind each level, as the server writes it: a page may have made one of them."""
    if _TWO.search(text) or not _ONE.search(text):
        return text
    return _LEVEL.sub(r"\1:  ", text)


def _apart(text: str) -> str:
    """A log as the server wrote it, with what stands before each message apart from it.

    Before a line that goes on there is nothing to tell: it is a part of its message.
    """
    parted = lines.parted(text)
    if parted is None:
        return text
    found = []
    for before, line in parted:
        numbered = _NUMBERED.match(line)
        behind = line[numbered.end() :].replace("#011", "\t") if numbered else line
        if _LINE.fullmatch(behind):
            found.append(f"{before}{numbered[0] if numbered else ''}{_MARK}{behind}")
        elif numbered is not None and numbered["part"] != "1":
            found.append("\t" + behind.removeprefix("\t"))
        else:
            found.append(behind)
    return "\n".join(found)


def postgres_json(documents: Sequence[Any]) -> Trace | None:
    """The same of a log that is written in JSON."""
    return _told(pglogs.documents(documents), [])


def collected(documents: Sequence[Any]) -> Trace | None:
    """The same of records that CloudNativePG makes of the server's columns."""
    found = pglogs.of_collector(documents)
    if found is None:
        return None
    records, beside = found
    trace = _told(pglogs.documents(records), [])
    return trace and Trace(trace.dialect, trace.spans, {**trace.about, **({"collector": beside} if beside else {})})


def _told(messages: Iterable[Message], left: list[str]) -> Trace | None:
    spans = list(bounded(_statements(messages, left)))
    if not spans:
        return None
    return Trace("postgres log", spans, {"lines": left} if left else {})


def _statements(messages: Iterable[Message], left: list[str]) -> Iterator[Span]:
    """The statements of a log; the lines that tell of none go to `left`."""
    number = 1
    before: tuple[str, Span] | None = None  # logged without its duration, and by whom
    for head, entries, beside in messages:
        span = _statement(head, entries, number, beside)
        took = _DURATION.fullmatch(entries[0][1]) if span is None else None
        if before is not None and took is not None and not took["sql"] and _by_whom(head) == before[0]:
            ended = moment(before[1].began.timestamp() + float(took["ms"]) / 1000) if before[1].began else None
            yield replace(before[1], ended=ended, rest={**before[1].rest, "duration_ms": float(took["ms"])})
            before = None
            continue
        if before is not None:
            yield before[1]
            before = None
        if span is None:
            before_it = f"{head.replace(_MARK, '').strip()} ".lstrip()
            left += [f"{before_it}{level}: {said}" for level, said in entries]
            left += [f"{key}: {value}" for key, value in beside.items()]
            continue
        number += 1
        if span.error is None and "duration_ms" not in span.rest:
            before = _by_whom(head), span
        else:
            yield span
    if before is not None:
        yield before[1]


def _by_whom(head: str) -> str:
    """What stands before a message but its time."""
    return _TIME.sub("", head.rpartition(_MARK)[2]).strip()


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
        if match["level"].startswith(_BEGINS) and entries:
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
    around, _, head = head.rpartition(_MARK)
    time = _TIME.search(head) or _TIME.search(around)
    began = moment(time[0]) if time else None
    rest: dict[str, Any] = {**beside, "prefix": head.strip(), **({"line": around.strip()} if around.strip() else {})}
    verbose = _STATE.fullmatch(said)
    if verbose is not None:
        said = verbose["said"]
    if level in ("ERROR", "FATAL") and "STATEMENT" in details:
        parameters = _parameters(details.get("DETAIL", ""), details.get("CONTEXT", ""))
        rest |= {key.lower(): value for key, value in details.items() if key != "STATEMENT"}
        state = verbose["state"] if verbose else _state(head)
        if state is not None and not re.match(r"[0-9A-Z]{5} ", said):
            said = f"{state} {said}"
        return Span(str(number), None, level, {"db.system": "postgresql", "db.query.text": details["STATEMENT"]}, began,
                    None, said, {"settings": parameters}, rest)  # fmt: skip
    asked = _SAID.fullmatch(said) if level == "LOG" else None
    if asked is not None:
        parameters = _parameters(details.get("DETAIL", ""))
        rest |= {key.lower(): value for key, value in details.items() if key != "DETAIL" or not parameters}
        return Span(str(number), None, asked["how"].split(" ")[0],
                    {"db.system": "postgresql", "db.query.text": asked["sql"].strip()}, began, None, None,
                    {"settings": parameters}, rest)  # fmt: skip
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


def _state(head: str) -> str | None:
    """The SQLSTATE that `log_line_prefix` wrote before a message: a process has numbers, too, so only a known one."""
    from psycopg.errors import lookup

    for one in _IN_PREFIX.finditer(_TIME.sub("", head)):
        with contextlib.suppress(KeyError):
            lookup(one["state"])
            return one["state"]
    return None


def _explained(plan: str) -> tuple[str, dict[str, Any]]:
    """The statement and the parameters of a plan, as text, JSON, XML or YAML."""
    plan = plan.strip()
    if plan.startswith("{"):
        try:
            document = loads(plan)
        except (ValueError, RecursionError):
            return "", {}
        return str(document.get("Query Text") or ""), _parameters(str(document.get("Query Parameters") or ""))
    if plan.startswith("<"):
        sql, parameters = (
            unescape(plan.partition(f"<Query-{one}>")[2].partition(f"</Query-{one}>")[0])
            for one in ("Text", "Parameters")
        )
        return sql.strip(), _parameters(parameters)
    lines = [re.search(rf'^Query {one}: ("(?:[^"\\\n]|\\.)*")$', plan, re.M) for one in ("Text", "Parameters")]
    if lines[0] is not None and re.search(r"^Plan:[ ]*$", plan, re.M):
        sql, parameters = (str(loads(one[1])) if one else "" for one in lines)
        return sql.strip(), _parameters(parameters)
    match = _QUERY.search(plan)
    line = re.search(r"^Query Parameters: (.*)$", plan, re.M)
    return (match["sql"].strip() if match else ""), _parameters(line[1] if line else "")


def _parameters(*texts: str) -> dict[str, Any]:
    """`$1 = 'a', $2 = NULL` as values by position."""
    found = {}
    for text in texts:
        for number, value in _PARAMETERS.findall(text):
            found[f"${number}"] = None if value == "NULL" else value[1:-1].replace("''", "'")
    return found
