"""The decisions in a stack file that a person should look at: found by the headings that `scan` writes, and settled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from envclone.scan.arrange import DECIDE, LOOK

__all__ = ["SEEN", "Decision", "pending", "settled"]

SEEN = "looked at"
"""The remark of a rule that somebody has looked at."""

_KEY = r'(?:"(?:[^"\\]|\\.)*"|[^\s"#:][^\s:]*)'
_RULE = re.compile(rf"(\s*)({_KEY}): (\S+?)  # (.*)")
_PARENT = re.compile(rf"(\s*)({_KEY}):")
_UNDECIDED = ": keep, a constant or a hook  # "
_OPEN = re.compile(rf"(\s*)# ({_KEY}){re.escape(_UNDECIDED)}(.*)")
_HEADING = re.compile(r"\s*# \S")


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule that was proposed on weak evidence, or a field that has none yet (`rule` is '' then).

    `line` counts from 0; `field` is the address, with the path behind it when the rule is of a part of a document.
    """

    line: int
    store: str
    field: str
    rule: str
    why: str


def pending(text: str) -> list[Decision]:
    """What nobody has looked at yet, in the file's order."""
    return list(_pending(text.splitlines()))


def settled(text: str, decision: Decision, rule: str) -> str:
    """The text with this rule for what was to be decided, marked as looked at.

    `rule` may be a domain, or a mapping in one line. Raises ValueError when the file has changed there.
    """
    rows = text.splitlines()
    if decision not in _pending(rows):
        raise ValueError("the line is no longer what it was")
    row = rows[decision.line]
    match = _RULE.fullmatch(row) or _OPEN.fullmatch(row)
    assert match is not None
    rows[decision.line] = f"{match[1]}{match[2]}: {_written(rule)}  # {SEEN}: {decision.why}"
    return "\n".join(rows) + "\n"


def _pending(rows: list[str]) -> Iterator[Decision]:
    heading, depth, parent = "", 0, ""
    for number, row in enumerate(rows):
        stripped = row.strip()
        if stripped in (f"# {LOOK}", f"# {DECIDE}"):
            heading, depth, parent = stripped[2:], len(row) - len(row.lstrip()), ""
            continue
        if not heading or not stripped:
            continue
        if heading == DECIDE and _UNDECIDED in row:
            if match := _OPEN.fullmatch(row):  # a path in a document has no line of its own to become
                yield Decision(number, _store(rows, number, depth), _plain(match[2]), "", match[3])
            continue
        if len(row) - len(row.lstrip()) < depth or _HEADING.match(row):
            heading = ""
            continue
        match = _RULE.fullmatch(row)
        if match is None:
            if above := _PARENT.fullmatch(row):
                parent = _plain(above[2])
            continue
        nested = len(match[1]) > depth
        if heading == LOOK and not match[4].startswith(SEEN):
            field = f"{parent} {_plain(match[2])}" if nested else _plain(match[2])
            yield Decision(number, _store(rows, number, depth), field, match[3].strip('"'), match[4])


def _store(rows: list[str], number: int, depth: int) -> str:
    """The key that the block stands under."""
    for row in reversed(rows[:number]):
        match = _PARENT.fullmatch(row.split("  #")[0].rstrip())
        if match is not None and len(match[1]) < depth:
            return _plain(match[2])
    return ""


def _plain(key: str) -> str:
    return str(json.loads(key)) if key.startswith('"') else key


def _written(rule: str) -> str:
    return '"null"' if rule == "null" else rule
