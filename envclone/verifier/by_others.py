"""Originals in values that a mask made by another field's: whether one stands there by chance is told at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from envclone.packed import absent
from envclone.verifier.coincidences import Chance
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import outline
from envclone.verifier.loose import LooseSearch, Texts
from envclone.verifier.reports import Reports, Seen, Where
from envclone.verifier.search import Hit

__all__ = ["ByOthers"]


@dataclass(slots=True)
class _Late:
    """An original in values that a mask made by others: how often, where in one of them, and all of them as hashes."""

    hit: Hit
    text: bytes
    times: int = 0
    values: set[Chance] = field(default_factory=set)

    def add(self, other: _Late) -> None:
        self.times += other.times
        self.values |= other.values


class ByOthers:
    """The fields of one store that are masked by others. Copies of the process hand back what they saw."""

    def __init__(self, store: str, search: LooseSearch, reports: Reports, findings: FieldFindings) -> None:
        self._store, self._search, self._reports, self._findings = store, search, reports, findings
        self._late: dict[tuple[str, int], _Late] = {}
        self._later: dict[tuple[str, int], _Late] = {}
        self._shown: set[str] = set()
        self.looked_at: set[str] = set()
        """The fields of which values were shown."""

    def look(self, address: str, made: Sequence[Any]) -> int:
        """Search a batch of one field; returns how many values it had."""
        self._shown.add(address)
        for found in self._search.find(Texts(made, decoded=True, seek=self._search.places)):
            number = found.hit.original
            late = self._late.setdefault((address, number), _Late(found.hit, found.text))
            late.times += 1
            if self._findings.originals[number].strong:
                late.values.update(self._findings.coincidences.seen(f"{self._store}.{address}", number, found.text))
        return len(made) - absent(made)

    def found(self) -> tuple[dict[tuple[str, int], _Late], set[str]]:
        """What was seen since the last call, and in which fields."""
        found = self._late, self._shown
        self._late, self._shown = {}, set()
        return found

    def take(self, found: tuple[dict[tuple[str, int], _Late], set[str]]) -> None:
        """Add what a process saw."""
        late, shown = found
        for place, those in late.items():
            self._later.setdefault(place, _Late(those.hit, those.text)).add(those)
        self.looked_at |= shown

    def judge(self) -> None:
        """Report originals that no proven value of the store holds by chance."""
        left: dict[Where, Seen] = {}
        by_chance: list[tuple[str, _Late]] = []
        for (address, number), late in self._later.items():
            known = self._findings.originals[number]
            if not known.strong or self._findings.coincidences.anywhere(self._store, number):
                by_chance.append((address, late))
                continue
            whole = late.hit.start == 0 and late.hit.end == len(late.text)
            one = Seen(late.times, whole, [], "", outline(late.text, late.hit.start, late.hit.end))
            left.setdefault((address, known.address, known.kind, "an original value"), Seen()).add(one)
        for address, late in by_chance:
            self._findings.coincidences.add(late.values)
            self._findings.by_field[f"{self._store}.{address}"] += late.times
        for (address, source, kind, what), one in left.items():
            self._reports.report(address, source, kind, what, one)
        self._later = {}
