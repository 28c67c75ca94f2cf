"""Count, in kept fields, what rows' own subjects are called and numbers of persons: more often than chance it leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, groupby
from typing import Any

from envclone.address import Address
from envclone.masking.kinds import DATES, NUMBERS
from envclone.models import FieldKind, FieldRule, Rows, StorePlan
from envclone.packed import TextBlock
from envclone.verifier.beside import Beside, Weak
from envclone.verifier.births import BirthTally, dated
from envclone.verifier.documents import Documents
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import outline
from envclone.verifier.kept import Tally
from envclone.verifier.loose import Found
from envclone.verifier.numbers import Numbers, NumberTally, numbers_in
from envclone.verifier.originals import Originals
from envclone.verifier.otherwise import BITS, numbers_in_disguise, numbers_within
from envclone.verifier.people import People
from envclone.verifier.reports import Reports, Seen
from envclone.verifier.wordhits import WordHits

__all__ = ["NUMERIC", "Counted", "Counts"]

_SAMPLED = 64
"""Rows of a batch whose subjects are looked at to tell how often chance names them."""
NUMERIC = NUMBERS | {"money"}
_OF_NUMBERS = frozenset(
    ("int4range", "int8range", "numrange", "point", "line", "lseg", "box", "path", "polygon", "circle")
)
"""Types whose values are made of numbers and nothing else."""
_WITH_NUMBERS = frozenset(("bytea", "int4", "int8"))
"""Types beside texts whose values can hold a number in a form of its own: bytes, and negative ones."""
_IN_DISGUISE = frozenset(("interval", "pg_lsn")) | BITS
"""Types whose values are a number that is written otherwise."""

Counted = tuple[
    dict[tuple[str, str], Tally], dict[str, NumberTally], dict[tuple[str, str], Beside], dict[str, BirthTally]
]
"""By field and path, by column of numbers, by pair of columns, by field with dates."""
_DATED = (FieldKind.TEXT, FieldKind.JSON, FieldKind.ARRAY)


class Counts:
    """The counts of one store. Copies of the process hand theirs back."""

    def __init__(self, store: str, plan: StorePlan, people: People, reports: Reports, findings: FieldFindings) -> None:
        self._store, self._people, self._subjects = store, people, people.subjects
        self._reports, self._findings = reports, findings
        keeps = any(not rule.masked or rule.json for rule in plan.rules.values())
        self._numbers = Numbers(findings.originals if keeps else Originals())
        self._documents: dict[str, Documents] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._columns: dict[str, NumberTally] = {}
        self._beside: dict[tuple[str, str], Beside] = {}
        self._births: dict[str, BirthTally] = {}
        self._clear()

    def _clear(self) -> None:
        self._counted: dict[tuple[str, str], Tally] = {}
        self._counted_numbers: dict[str, NumberTally] = {}
        self._counted_beside: dict[tuple[str, str], Beside] = {}
        self._counted_births: dict[str, BirthTally] = {}

    def found(self) -> Counted:
        """What was counted since the last call."""
        found = self._counted, self._counted_numbers, self._counted_beside, self._counted_births
        self._clear()
        return found

    def take(self, found: Counted) -> None:
        """Add what a process counted."""
        counted, numbers, beside, births = found
        for address, dates in births.items():
            self._births.setdefault(address, BirthTally()).merge(dates)
        for field_and_path, tally in counted.items():
            self._tallies.setdefault(field_and_path, Tally()).merge(tally)
        for address, column in numbers.items():
            self._columns.setdefault(address, NumberTally()).merge(column)
        for columns, rows in beside.items():
            self._beside.setdefault(columns, Beside()).merge(rows)

    def in_two_columns(self, weak: Mapping[str, WordHits], rows: Rows) -> None:
        """Count the rows in which two columns hold what one person is called."""
        for (left, these), (right, those) in combinations(((a, hits) for a, hits in weak.items() if hits), 2):
            tally = self._counted_beside.setdefault((left, right), Beside())
            for value in these.keys() & those.keys():
                own = tally.add(self._subjects, _weak(these[value]), _weak(those[value]))
                if own is not None and tally.example is None:
                    tally.example = own, self._reports.row(rows, value)

    def numbers(self, address: str, rule: FieldRule | None, values: Sequence[Any], rows: Rows) -> None:
        """Count numbers of persons in a kept column of numbers."""
        if rule is None or not _keeps_numbers(rule):
            return
        places: Sequence[int] | None = None
        if rule.base.removesuffix("[]") in _IN_DISGUISE:
            values, places = numbers_in_disguise(rule.base, values)
        elif _holds_numbers(rule):
            values, places = numbers_within(values, whole=rule.base.startswith("int"))
        tally = self._counted_numbers.setdefault(address, NumberTally())
        found = self._numbers.count(values, tally)
        if found is not None and tally.example is None:
            place = found[1] if places is None else places[found[1]]
            tally.example = found[0], self._reports.row(rows, place)

    def in_texts(
        self, address: str, rule: FieldRule | None, before: Sequence[Any], after: Sequence[Any], rows: Rows
    ) -> None:
        """Count numbers of persons in kept texts, documents, lists and short bytes."""
        if rule is None or not (rule.kind in _DATED or rule.base.removesuffix("[]") in _WITH_NUMBERS):
            return
        if rule.base in NUMERIC and not (isinstance(after, TextBlock) and b"-" in after.block):
            return  # what is not negative was counted
        expected, found = self._numbers.in_texts(after)
        tally = self._counted_numbers.setdefault(address, NumberTally())
        tally.expected += expected
        for number, place in found:
            if after is before or number in numbers_in([before[place]])[0]:
                tally.seen.add(number)
                if tally.example is None:
                    tally.example = number, self._reports.row(rows, place)

    def births(self, address: str, rule: FieldRule | None, values: Sequence[Any], rows: Rows) -> None:
        """Count the rows of a kept field that hold the masked date of birth of their own subject."""
        known = self._people.births
        if not len(known) or rule is None or (rule.masked and not rule.json):
            return
        if rule.kind not in _DATED and rule.base not in DATES | NUMERIC:
            return
        held = [
            (i, days) for i, its in dated(values, numbers=rule.base in NUMERIC) if (days := known.anybodys(sorted(its)))
        ]
        if not held:
            return
        tally = self._counted_births.setdefault(address, BirthTally())
        for (i, days), persons in zip(held, self._people.of_rows(self._store, rows, [i for i, _ in held]), strict=True):
            for person in persons[:1]:
                first, end = self._subjects.bounds_of(person)
                tally.expected += sum(known.among(day, first, end) for day in days) / max(1, end - first)
            own = next((person for person in persons if any(known.has(person, day) for day in days)), None)
            if own is not None:
                tally.seen += 1
                tally.example = tally.example or (known.source(own), self._reports.row(rows, i))

    def beside_rows(self, address: str, values: Sequence[Any], places: Sequence[str]) -> None:
        """Count numbers of persons among those of one kind in the catalogs."""
        if not len(self._numbers):  # no column of numbers is kept
            self._numbers = Numbers(self._findings.originals)
        tally = self._counted_numbers.setdefault(address, NumberTally())
        found = self._numbers.count(values, tally)
        if found is not None and tally.example is None:
            tally.example = found[0], places[found[1]]

    def same_subject(self, address: str, hits: WordHits, rows: Rows) -> None:
        """Count the values that hold what their row's own subject is called."""
        if not hits:
            return
        tally = self._counted.setdefault((address, ""), Tally())
        some = range(0, len(rows.places), max(1, len(rows.places) // _SAMPLED))
        for its in self._people.of_rows(self._store, rows, some):
            tally.sample(its)
        meant = self._people.of_rows(self._store, rows, list(hits))
        value = hits.own(self._subjects, meant, tally)
        if value is not None and tally.example is None:
            persons = meant[list(hits).index(value)]
            self._count((address, ""), persons, hits[value], rows, value, Tally())

    def same_subject_below(
        self, address: str, rule: FieldRule, values: Sequence[Any], hits: WordHits, rows: Rows
    ) -> None:
        """The same for each kept path of documents: what other paths hold is not a chance of this one."""
        documents = self._documents.setdefault(address, Documents(rule))
        for value, persons in zip(hits, self._people.of_rows(self._store, rows, list(hits)), strict=True):
            if not persons:
                continue
            those = hits[value]
            for path, text, found in documents.places(values[value], [one.hit for one in those], those[0].text):
                its = [Found(value, hit, text, True) for hit in found]
                self._count((address, path), persons, its, rows, value)

    def _count(
        self,
        place: tuple[str, str],
        persons: Sequence[int],
        those: Sequence[Found],
        rows: Rows,
        value: int,
        counted: Tally | None = None,
    ) -> None:
        """Count one value, in another tally where one is given; the first with an own subject's is the example."""
        tally = self._counted.setdefault(place, Tally())
        own = (counted or tally).add(self._subjects, persons, [one.hit for one in those])
        if own is not None and tally.example is None:
            tally.example = own.original, self._reports.row(rows, value), outline(those[0].text, own.start, own.end)

    def judge(self) -> None:
        """When everything was looked at: which fields repeat what their rows' own subjects are called, and hold what no
        other one holds by chance."""
        for (address, path), tally in self._tallies.items():
            if tally.leaks(self._subjects) and tally.example is not None:
                number, row, context = tally.example
                source, kind = self._subjects.source(number)
                one = Seen(sum(tally.seen), False, [row] if row else [], path, context)
                expected = sum(tally.expected)
                what = f"what the row's own subject is called ({expected:.3g} times by chance)"
                self._reports.report(address, source, kind, what, one)
        for address, column in self._columns.items():
            if column.leaks() and column.example is not None:
                number, row = column.example
                known = self._findings.originals[self._numbers.original(number)]
                if self._reports.told(address, known.kind):
                    continue  # as it is written, with its rows
                one = Seen(len(column.seen), True, [row] if row else [])
                what = f"different numbers of the kind {known.kind} ({column.expected:.3g} by chance)"
                self._reports.report(address, known.address, known.kind, what, one)
        for address, dates in self._births.items():
            if dates.leaks() and dates.example is not None:
                source, row = dates.example
                one = Seen(dates.seen, False, [row] if row else [])
                what = f"the date of birth of the row's own subject ({dates.expected:.3g} times by chance)"
                self._reports.report(address, source, "date", what, one)
        for (left, right), rows in self._beside.items():
            if rows.leaks() and rows.example is not None:
                number, row = rows.example
                source, kind = self._subjects.source(number)
                one = Seen(sum(rows.seen), True, [row] if row else [])
                expected = sum(rows.expected)
                what = f"parts of one person's identity, in {Address.parse(right).name} too ({expected:.3g} by chance)"
                self._reports.report(left, source, kind, what, one)
        self._tallies, self._columns, self._beside, self._births = {}, {}, {}, {}


def _weak(hits: Sequence[Found]) -> list[Weak]:
    return [
        Weak(number, any(one.hit.start == 0 and one.hit.end == len(one.text) for one in its))
        for number, its in groupby(sorted(hits, key=lambda one: one.hit.original), lambda one: one.hit.original)
    ]


def _keeps_numbers(rule: FieldRule) -> bool:
    return not rule.masked and (
        rule.base in NUMERIC or rule.base.removesuffix("[]") in _IN_DISGUISE or _holds_numbers(rule)
    )


def _holds_numbers(rule: FieldRule) -> bool:
    """Whether the values of a field are ranges or points, or arrays of them: numbers in brackets."""
    return rule.base.removesuffix("[]") in _OF_NUMBERS
