"""Lines of a log as a program wrote them, apart from what runtimes and collectors put before or around each.

A container's runtime, `kubectl logs`, Docker Compose, syslog and journald write something in front of a line; log
collectors make it a member of an object. None of that is dropped: it is given beside what the program wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces.span import MOST, decoder

__all__ = ["islands", "parted", "records"]

_AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_PREFIX = re.compile(
    "|".join(
        (
            r"\[pod/[^\]\n]{1,300}\] ",  # kubectl logs --prefix
            rf"{_AT} (?:stdout|stderr) (?P<part>[FP])(?::\S{{0,100}})? ?",  # a container's runtime; P goes on
            r"(?:\d{1,6} )?<\d{1,3}>1 (?:\S{1,255} ){5}(?:-|\[[^\n]{0,2000}?\]) ?",  # RFC 5424
            rf"(?:<\d{{1,3}}>)?(?:[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d|{_AT}) [\w.:-]{{1,255}} "
            r"[A-Za-z_][\w./@-]{0,100}(?:\[\d{1,9}\])?:(?: |$)",  # syslog as it was before, and journald
            r"[A-Za-z0-9][\w.-]{0,100} {0,40}\| ?",  # Docker Compose
            rf"{_AT} ",  # kubectl logs --timestamps
        )
    )
)
_SEVERAL = 3

_LINES = ("textPayload", "jsonPayload", "message", "log", "@message", "MESSAGE", "line", "_raw", "record", "msg",
          "body")  # fmt: skip
_LISTS = ("events", "entries", "hits", "logs", "results", "result", "data", "values")
_HOLDERS = ("_source", "attributes", "result")
_DEEP = 6
_CANDIDATES = 8
_WINDOW = 1 << 16
_WORK = 8
"""Times that a text may be read in search of documents in it."""


def parted(text: str) -> list[tuple[str, str]] | None:
    """Each line with what stands before it; None when nothing known stands before the first one."""
    first = text.lstrip("\n\r")
    if _PREFIX.match(first) is None:
        return None
    found: list[tuple[str, str]] = []
    goes_on = False
    for line in text.split("\n"):
        before, behind, part = _apart(line.removesuffix("\r"))
        if goes_on and found:
            found[-1] = found[-1][0], found[-1][1] + behind
        else:
            found.append((before, behind))
        goes_on = part == "P"
    return found


def _apart(line: str) -> tuple[str, str, str | None]:
    at, part = 0, None
    for _ in range(_SEVERAL):
        match = _PREFIX.match(line, at)
        if match is None:
            break
        at, part = match.end(), match["part"] or part
    return line[:at], line[at:], part


def records(documents: Sequence[Any]) -> tuple[list[Any], list[Any]] | None:
    """What a program wrote, a text or an object each, and what a collector put around it; None for something else."""
    around: list[Any] = []
    written: list[Any] = []
    rows = list(_rows(documents, around))
    if not rows or len(rows) > MOST * 10:
        return None
    for row in rows:
        found = _line_of(row)
        if found is None:
            return None
        written.append(found[0])
        around += [found[1]] if found[1] else []
    if all(isinstance(row, Mapping) and "log" in row for row in rows):
        written = _joined(written)
    return written, around


def _rows(documents: Sequence[Any], beside: list[Any]) -> Iterator[Any]:
    """The records in some documents; what is said of the lists that they stand in goes to `beside`."""
    pending = [(one, 0) for one in reversed(documents)]
    while pending:
        one, depth = pending.pop()
        if isinstance(one, list) and 2 <= len(one) <= 3 and all(isinstance(each, str) for each in one[:2]):
            yield {"timestamp": one[0], "line": one[1], **({"metadata": one[2]} if one[2:] else {})}  # Loki's
        elif isinstance(one, list) and depth < _DEEP:
            pending += [(each, depth + 1) for each in reversed(one)]
        elif (name := _list_of(one)) is not None and depth < _DEEP:
            said = {key: value for key, value in one.items() if key != name}
            beside += [said] if said else []
            pending.append((one[name], depth + 1))
        else:
            yield one


def _list_of(one: Any) -> str | None:
    """The member of an object in which its records stand, or another that has them."""
    for name in _LISTS if isinstance(one, Mapping) else ():
        value = one.get(name)
        inner = [value.get(each) for each in _LISTS] if isinstance(value, Mapping) else [value]
        if any(isinstance(each, list) for each in inner):
            return name
    return None


def _line_of(row: Any) -> tuple[Any, dict[str, Any]] | None:
    """What a program wrote in a record, and the rest of it."""
    if not isinstance(row, Mapping):
        return None
    for holder in (None, *_HOLDERS):
        inner = row if holder is None else row.get(holder)
        if not isinstance(inner, Mapping):
            continue
        for name in _LINES:
            if name in inner and _is_line(name, inner[name]):
                rest = {key: one for key, one in inner.items() if key != name}
                others = {} if holder is None else {key: one for key, one in row.items() if key != holder}
                return _text_of(inner[name]), {**others, **rest}
    return None


def _text_of(value: Any) -> Any:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, list) else value


def _is_line(name: str, value: Any) -> bool:
    if name == "MESSAGE" and isinstance(value, list):  # journald's way with what is no text
        return all(isinstance(one, int) and 0 <= one < 256 for one in value)
    return isinstance(value, str | Mapping)


def _joined(written: list[Any]) -> list[Any]:
    """Docker cuts a long line; its last piece alone ends with a line's end."""
    if not all(isinstance(one, str) for one in written) or not any(one.endswith("\n") for one in written):
        return written
    return "".join(written).removesuffix("\n").split("\n")


def islands(text: str) -> tuple[list[Any], list[str], list[str], int | None] | None:
    """The documents of a text in which lines stand before and between them: these, what stands before each document
    on its line, the other lines, and the number of the last line when a document begins there and does not end.

    None when there are none, or when it would take too long to say.
    """
    read, over = decoder(), len(text.rstrip())
    found: list[Any] = []
    before: list[str] = []
    others: list[str] = []
    at, number, work = 0, 0, 0
    while at < len(text):
        number += 1
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end]
        for start in _starts(line):
            try:
                one, behind = _decoded(read, text, line, at, start)
            except json.JSONDecodeError as exc:
                work += exc.pos
                if exc.doc is text and (exc.pos >= over or exc.msg.startswith("Unterminated")):
                    return (found, before, others, number) if found and not text[end:].strip() else None
                continue
            except (ValueError, RecursionError):
                return None
            last = text.find("\n", behind)
            last = len(text) if last < 0 else last
            if isinstance(one, Mapping | list) and not text[behind:last].strip(" \t\r,"):
                found.append(one)
                before += [line[:start]] if line[:start].strip() else []
                number += text.count("\n", at, last)
                end = last
                break
            work += behind - at - start
        else:
            others += [line] if line.strip() else []
        if work > _WORK * len(text) or len(found) > MOST * 10:
            return None
        at = end + 1
    return (found, before, others, None) if found else None


def _decoded(read: json.JSONDecoder, text: str, line: str, at: int, start: int) -> tuple[Any, int]:
    """The document that begins there, and where it ends; one that its line does not end is looked for in the text."""
    for held, first in ((line, 0), (text[at : at + _WINDOW], 0), (text, at)):  # what fails costs what it was given
        try:
            one, behind = read.raw_decode(held, first + start)
            return one, at + behind - first
        except json.JSONDecodeError as exc:
            whole = held is text or (exc.pos < len(held.rstrip()) and not exc.msg.startswith("Unterminated"))
            if whole:
                raise
    raise AssertionError("the whole text was looked at")


def _starts(line: str) -> Iterator[int]:
    """Where a document may begin on a line."""
    at = 0
    for _ in range(_CANDIDATES):
        match = _BEGINS.search(line, at)
        if match is None:
            return
        yield match.start()
        at = match.start() + 1


_BEGINS = re.compile(r"\{(?=\s*[\"}]|\s*$)|\[(?=\s*[\[{]|\s*$)")
