"""Report what leaks in the values of a store: where, what, how often, in which rows, and what helps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from envclone.address import Address
from envclone.masking.jsonscan import render
from envclone.masking.shown import general, shown_path
from envclone.models import Rows, StorePlan
from envclone.packed import TextBlock
from envclone.refused import named
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import outline
from envclone.verifier.loose import LooseSearch, text_of
from envclone.verifier.remedies import remedy, remedy_unread
from envclone.verifier.search import Hit

__all__ = ["Reports", "Seen", "Where"]

_EXAMPLES = 3
_PATHS = 12
"""Paths of one document that a remedy names."""

_UNREAD = "bytes"
"""The kind under which the stack file accepts a value that nobody has read."""
Where = tuple[str, str, str, str]
"""Address, source, kind, what."""


@dataclass(slots=True)
class Seen:
    """How often something was seen in one place, whether as whole values, and where."""

    times: int = 0
    whole: bool = True
    examples: list[str] = field(default_factory=list)
    path: str = ""
    context: str = ""
    wide: list[str] = field(default_factory=list)
    """Paths that cover it, for rules: they name no key that is somebody's."""

    def add(self, other: Seen) -> None:
        self.times += other.times
        self.whole &= other.whole
        self.examples = (self.examples + other.examples)[:_EXAMPLES]
        self.path = self.path or other.path
        self.wide = list(dict.fromkeys(self.wide + other.wide))[:_PATHS]
        self.context = self.context or other.context


class Reports:
    """The leaks of one store. Copies of the process hand theirs back."""

    def __init__(self, store: str, plan: StorePlan, search: LooseSearch, findings: FieldFindings) -> None:
        self._store, self._plan, self._search, self._findings = store, plan, search, findings
        self._seen: dict[Where, Seen] = {}

    def found(self) -> dict[Where, Seen]:
        """What leaks since the last call."""
        found, self._seen = self._seen, {}
        return found

    def take(self, found: dict[Where, Seen]) -> None:
        """Add to the findings."""
        for place, one in found.items():
            self.report(*place, one)

    def leak(
        self,
        address: str,
        hit: Hit,
        text: bytes,
        source: str,
        kind: str,
        what: str,
        rows: Rows | None,
        value: int,
        values: Sequence[Any] | None = None,
    ) -> None:
        """Note one hit in one value; `values` is given where the path in a document is to be told."""
        seen = self._seen.setdefault((address, source, kind, what), Seen())
        seen.times += 1
        seen.whole &= hit.start == 0 and hit.end == len(text)
        if seen.context and len(seen.examples) >= _EXAMPLES:
            return
        seen.context = seen.context or outline(text, hit.start, hit.end)
        if values is not None and not seen.path:
            seen.path, seen.wide = _path(_one(values, value), text[hit.start : hit.end])
        if rows is not None and len(seen.examples) < _EXAMPLES and (row := self.row(rows, value)):
            seen.examples.append(row)

    def shut(self, address: str, what: str, rows: Rows | None, value: int) -> None:
        """Note one value that cannot be looked into."""
        seen = self._seen.setdefault(
            (address, "", _UNREAD, f"values that cannot be looked into, such as {what}"), Seen()
        )
        seen.times += 1
        if rows is not None and len(seen.examples) < _EXAMPLES and (row := self.row(rows, value)):
            seen.examples.append(row)

    def told(self, address: str, kind: str) -> bool:
        """Whether an identity of a kind is reported of a field."""
        return self._findings.leaks.has(f"{self._store}.{address}", kind)

    def row(self, rows: Rows, i: int) -> str:
        """A row by its key, where a rule keeps that, and by its address."""
        keys = [
            (Address.parse(address).name, values[i])
            for address, values in rows.keys.items()
            if (rule := self._plan.rules.get(address)) is not None and not rule.masked
        ]
        return named(keys, rows.places[i])

    def report(self, address: str, source: str, kind: str, what: str, one: Seen) -> None:
        """Add to the findings what the stack file does not accept."""
        place = f"{self._store}.{address}"
        if self._findings.leaks.accepts(place, kind, one.times):
            return
        rule = self._plan.rules.get(address)
        if not source:
            told = remedy_unread(place, address, rule)
            self._findings.leaks.add(
                "closed", self._public(place), "", kind, what=what, remedy=told, times=one.times, examples=one.examples
            )
            return
        paths = one.wide or ([general(one.path)] if one.path else [])
        self._findings.leaks.add(
            "definitions" if rule is None else "fields",
            self._public(place),
            self._public(source),
            kind,
            what=what,
            remedy=remedy(
                place,
                address,
                rule,
                self._public(source),
                kind,
                "".join(paths[:1]),
                whole=one.whole,
                also=paths[1:],
            ),
            times=one.times,
            examples=[f"{example} at {one.path}" if one.path else example for example in one.examples],
            context=one.context,
        )

    def _public(self, place: str) -> str:
        """A place as it may be shown: the name of a table can be somebody's."""
        if any(self._findings.originals[one.hit.original].strong for one in self._search.find([place])):
            return "".join("a" if c.isalpha() else "9" if c.isdigit() else c for c in place)
        return place


def _one(values: Sequence[Any], number: int) -> Any:
    """One value; of a block no other text is made."""
    return values.text(number) if isinstance(values, TextBlock) else values[number]


def _path(value: Any, wanted: bytes) -> tuple[str, list[str]]:
    """The path in a JSON document that holds a text, as it may be shown, and all for rules; none for no document."""
    if not isinstance(value, str) or value[:1] not in "{[":
        return "", []
    try:
        document = json.loads(value)
    except ValueError:
        return "", []
    shown = ""
    wide: dict[str, None] = {}
    for path, text, end in _leaves(document, ()):
        if wanted in text_of(text):
            whole = render(path)
            shown = shown or shown_path(whole) + end
            wide[general(whole) + end] = None
            if len(wide) == _PATHS:
                break
    return shown, list(wide)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The keys and scalars of a document: where each stands, and how its path ends for a rule."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield path, key, ".*~"
            yield from _leaves(item, (*path, f".{key}"))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, (*path, "[*]"))
    elif value is not None:
        yield path, str(value), ""
