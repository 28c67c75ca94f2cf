"""Look at every value of a store while it is compared, and collect what leaks in it."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, groupby, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from envclone.address import Address
from envclone.masking.jsonscan import render
from envclone.masking.kinds import DATES, NUMBERS
from envclone.masking.shown import shown_path
from envclone.models import FieldKind, FieldRule, Rows, StorePlan
from envclone.packed import TextBlock, absent
from envclone.verifier.beside import Beside, Weak
from envclone.verifier.compounds import Compounds
from envclone.verifier.documents import Documents
from envclone.verifier.findings import outline
from envclone.verifier.kept import Tally, pairs_of_one_person
from envclone.verifier.loose import Found, LooseSearch, Texts, text_of
from envclone.verifier.nested import holds
from envclone.verifier.numbers import Numbers, NumberTally
from envclone.verifier.originals import Originals
from envclone.verifier.otherwise import backwards, put_together, without_cents
from envclone.verifier.people import People
from envclone.verifier.pieces import large, one_row, pieces
from envclone.verifier.remedies import remedy
from envclone.verifier.search import Hit
from envclone.verifier.wordhits import WordHits, weak_words

if TYPE_CHECKING:
    from envclone.verifier.fields import FieldFindings

__all__ = ["Looker"]

_KEY = re.compile(r"-?\d{1,18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Keys that may be shown where a rule keeps them: numbers and uuids."""
_EXAMPLES = 3
_SAMPLED = 64
"""Rows of a batch whose subjects are looked at to tell how often chance names them."""
_TOGETHER = 4096
"""Addresses with few values each that are searched together."""
_TEXTS = (FieldKind.TEXT, FieldKind.JSON, FieldKind.ARRAY)

_NO_WORDS = DATES | {
    "bool", "time", "timetz", "interval", "uuid", "inet", "cidr", "macaddr", "macaddr8", "point", "line", "lseg", "box",
    "path", "polygon", "circle", "int4range", "int8range", "numrange",
}  # fmt: skip
"""Types whose values cannot hold a word or a number of persons."""

_NUMERIC = NUMBERS | {"money"}

Where = tuple[str, str, str, str]
"""Address, source, kind, what."""


@dataclass(slots=True)
class _Seen:
    times: int = 0
    whole: bool = True
    examples: list[str] = field(default_factory=list)
    path: str = ""
    context: str = ""

    def add(self, other: _Seen) -> None:
        self.times += other.times
        self.whole &= other.whole
        self.examples = (self.examples + other.examples)[:_EXAMPLES]
        self.path, self.context = self.path or other.path, self.context or other.context


@dataclass(slots=True)
class _Late:
    """An original in values that a mask made by others: how often, where in one of them, and all of them as hashes."""

    hit: Hit
    text: bytes
    times: int = 0
    values: set[tuple[str, int, bytes]] = field(default_factory=set)

    def add(self, other: _Late) -> None:
        self.times += other.times
        self.values |= other.values


class Looker:
    """Searches the values of one store; see `protocols.Look`. Copies of the process hand their findings back."""

    def __init__(
        self,
        store: str,
        plan: StorePlan,
        search: LooseSearch,
        weak: LooseSearch,
        compounds: Compounds,
        people: People,
        findings: FieldFindings,
    ) -> None:
        self._store, self._plan, self._search, self._weak = store, plan, search, weak
        self._compounds = compounds
        self._people, self._subjects, self._findings = people, people.subjects, findings
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._documents: dict[str, Documents] = {}
        self._columns: dict[str, NumberTally] = {}
        self._beside: dict[tuple[str, str], Beside] = {}
        self._later: dict[tuple[str, int], _Late] = {}
        self.looked_at: set[str] = set()
        """The fields of which `by_others` was shown the values."""
        self._numbers = Numbers(findings.originals if any(map(_keeps_numbers, plan.rules.values())) else Originals())
        self._clear()

    def _clear(self) -> None:
        self._values = 0
        self._chances: set[tuple[str, int, bytes]] = set()
        self._by_field: Counter[str] = Counter()
        self._seen: dict[Where, _Seen] = {}
        self._counted: dict[tuple[str, str], Tally] = {}
        self._counted_numbers: dict[str, NumberTally] = {}
        self._counted_beside: dict[tuple[str, str], Beside] = {}
        self._late: dict[tuple[str, int], _Late] = {}
        self._shown: set[str] = set()

    def _seek(self, data: bytes) -> Iterator[int]:
        """Where anything begins that is looked for."""
        return chain(self._search.places(data), self._weak.places(data), self._compounds.places(data))

    def batch(self, address: str, before: Sequence[Any], after: Sequence[Any], places: Sequence[str] = ()) -> None:
        """Search values beside any row: definitions, large objects."""
        self._values += len(after)
        rows = Rows(address, {}, {}, places) if places else None
        before = after if list(before) == list(after) else before
        texts = Texts(after, decoded=after is before, seek=self._seek)
        told = self._strong(address, None, before, after, texts, rows)
        self._pairs(address, after, weak_words(self._weak, texts).outside(told), rows)
        self._joined(address, before, after, texts, rows)

    def batches(self, many: Iterable[tuple[str, Sequence[Any], Sequence[str]]]) -> None:
        """The same of many addresses: looked at one by one is only what holds anything at all."""
        left = iter(many)
        while some := list(islice(left, _TOGETHER)):
            holding = self._holding([value for _, values, _ in some for value in values])
            first = 0
            for address, values, places in some:
                first, before = first + len(values), first
                if holding.isdisjoint(range(before, first)):
                    self._values += len(values)
                else:
                    self.batch(address, values, values, places)

    def _holding(self, values: Sequence[Any]) -> set[int]:
        """The numbers of the values of which `batch` could have anything to tell."""
        texts = Texts(values, decoded=True, seek=self._seek)
        holding = {one.value for one in self._search.find(texts)} | {one.value for one in self._compounds.find(texts)}
        return holding.union(weak_words(self._weak, texts).many())

    def rows(self, rows: Rows, made: Mapping[str, Sequence[Any]]) -> None:
        """Search whole rows: `made` is what the masks made of some of their fields."""
        weak: dict[str, WordHits] = {}
        for address, before in rows.fields.items():
            after = made.get(address, before)
            self._values += len(after) - absent(after)
            if numbers := large(after):
                for number in numbers:
                    row = one_row(rows, number)
                    for old, new in pieces(before[number], after[number]):
                        one = [new]
                        self._field(address, one if old is new else [old], one, row, whole=False)
                same = after is before
                after = [None if i in numbers else value for i, value in enumerate(after)]
                before = after if same else before
            weak[address] = self._field(address, before, after, rows)
        self._side_by_side(rows, made)
        self._in_two_columns(weak, rows)

    def _field(
        self, address: str, before: Sequence[Any], after: Sequence[Any], rows: Rows, *, whole: bool = True
    ) -> WordHits:
        """Search a field's values, or a piece of one (not `whole`); returns the weak identities in kept texts."""
        rule = self._plan.rules.get(address)
        if rule is not None and rule.base == "money" and after is before:
            before = after = [without_cents(value) if isinstance(value, str) else value for value in after]
        texts = Texts(after, decoded=after is before, seek=self._seek)
        told = self._strong(address, rule, before, after, texts, rows)
        if rule is not None and rule.masked and rule.kind is not FieldKind.JSON:
            return _NOTHING
        hits = _NOTHING
        if rule is None or rule.kind in _TEXTS or rule.base.removesuffix("[]") not in _NO_WORDS:
            hits = weak_words(self._weak, texts, None if after is before else before).outside(told)
            if rule is None or rule.base not in _NUMERIC:
                self._pairs(address, after, hits, rows)
                self._joined(address, before, after, texts, rows)
            if rule is not None and rule.kind is FieldKind.JSON and rule.json and whole:
                self._same_subject_below(address, rule, after, hits, rows)
            elif rule is None or not rule.masked or rule.json:
                self._same_subject(address, hits, rows)
            if after is before and (rule is None or rule.base not in _NUMERIC):
                self._otherwise(address, rule, after, rows)
        if rule is not None and _keeps_numbers(rule):
            self._number_column(address, after, rows)
        return hits

    def _otherwise(self, address: str, rule: FieldRule | None, values: Sequence[Any], rows: Rows) -> None:
        """Report identities whose letters are apart or in bits, and values that are one backwards."""
        words = list(put_together(values))
        for at in sorted(self._holding([word for _, word in words])) if words else ():
            number, word = words[at]
            one = [word]
            texts = Texts(one, decoded=True, seek=self._seek)
            row = one_row(rows, number)
            told = self._strong(address, rule, one, one, texts, row)
            self._pairs(address, one, weak_words(self._weak, texts).outside(told), row)
            self._joined(address, one, one, texts, row)
        turned = backwards(values)
        numbers = list(turned.values())
        for found in self._search.find(Texts(list(turned), decoded=False)) if turned else ():
            known = self._findings.originals[found.hit.original]
            if known.strong and _is_it(found):
                what = f"a value of the kind {known.kind}, backwards"
                number = numbers[found.value]
                self._leak(address, found.hit, found.text, known.address, known.kind, what, rows, number)

    def _in_two_columns(self, weak: Mapping[str, WordHits], rows: Rows) -> None:
        """Count the rows in which two columns hold what one person is called."""
        for (left, these), (right, those) in combinations(((a, hits) for a, hits in weak.items() if hits), 2):
            tally = self._counted_beside.setdefault((left, right), Beside())
            for value in these.keys() & those.keys():
                own = tally.add(self._subjects, _weak(these[value]), _weak(those[value]))
                if own is not None and tally.example is None:
                    tally.example = own, self._row(rows, value)

    def _side_by_side(self, rows: Rows, made: Mapping[str, Sequence[Any]]) -> None:
        """Note full names that pseudonyms of one row make by chance: views and expressions put them side by side."""
        names = [a for a in self._people.names(self._store, rows.table) if a in rows.fields]
        for left, right in combinations(names, 2):
            pairs = zip(made.get(left, rows.fields[left]), made.get(right, rows.fields[right]), strict=True)
            joined = [f"{one} {other} {one}, {other}, {one}" if one and other else "" for one, other in pairs]
            for found in self._search.find(Texts(joined, decoded=False)):
                for address in (left, right):
                    if self._findings.originals[found.hit.original].strong:
                        one = self._findings.coincidences.seen(
                            f"{self._store}.{address}", found.hit.original, found.text
                        )
                        self._chances.update(one)

    def by_others(self, address: str, made: Sequence[Any]) -> None:
        """Search what a mask made by another field's values; whether an original stands there by chance is told when
        every value of the store was looked at."""
        self._values += len(made) - absent(made)
        self._shown.add(address)
        for found in self._search.find(Texts(made, decoded=True, seek=self._search.places)):
            number = found.hit.original
            late = self._late.setdefault((address, number), _Late(found.hit, found.text))
            late.times += 1
            if self._findings.originals[number].strong:
                late.values.update(self._findings.coincidences.seen(f"{self._store}.{address}", number, found.text))

    def computed(self, address: str, values: Sequence[Any], before: Sequence[Any] | None = None) -> None:
        """Search what the store computed itself, in the sanitized store.

        An original is a leak where the same row had it `before`. Where rows are not known to be the same, it is one
        unless it stands by chance in a proven value of the store.
        """
        self._values += len(values)
        for found in self._search.find(Texts(values, decoded=True)):
            known, hit = self._findings.originals[found.hit.original], found.hit
            if before is None:
                left = not self._findings.coincidences.anywhere(self._store, hit.original)
            else:
                left = found.text[hit.start : hit.end] in Texts([before[found.value]], decoded=True).data
            if known.strong and left:
                self._leak(address, found.hit, found.text, known.address, known.kind, "an original value", None, 0)
            else:
                self._coincidence(address, found.hit.original, found.text)

    def _strong(
        self,
        address: str,
        rule: FieldRule | None,
        before: Sequence[Any],
        after: Sequence[Any],
        texts: Texts,
        rows: Rows | None,
    ) -> dict[int, list[Found]]:
        """Report what is an identity by itself; what it holds, such as the name in an address, is not told again.

        Returns what was reported, by value.
        """
        number_column = rule is not None and rule.base in _NUMERIC
        found = self._search.find(texts) if after is before else self._search.compare(before, texts)
        leaking: dict[int, list[Found]] = defaultdict(list)
        for one in found:
            value, hit, text, unchanged = one
            if not (unchanged and self._findings.originals[hit.original].strong) or (
                number_column and hit.end - hit.start < _LONG_NUMBER
            ):
                # a pseudonym may equal somebody else's original; a number's few digits are nobody's
                self._coincidence(address, hit.original, b"" if number_column else text)
            else:
                leaking[value].append(one)
        for value, those in leaking.items():
            for _, hit, text, _ in those:
                if any(holds(other.hit, hit) for other in those):
                    continue
                known = self._findings.originals[hit.original]
                what = "a full name" if known.kind == "person" else f"a value of the kind {known.kind}"
                self._leak(address, hit, text, known.address, known.kind, what, rows, value, after)
        return leaking

    def _number_column(self, address: str, values: Sequence[Any], rows: Rows) -> None:
        tally = self._counted_numbers.setdefault(address, NumberTally())
        found = self._numbers.count(values, tally)
        if found is not None and tally.example is None:
            tally.example = found[0], self._row(rows, found[1])

    def _pairs(self, address: str, values: Sequence[Any], hits: WordHits, rows: Rows | None) -> None:
        for value in hits.near(self._subjects):
            those = hits[value]
            pair = pairs_of_one_person(self._subjects, [one.hit for one in those], those[0].text)
            if pair is not None:
                whole = Hit(pair[0].original, pair[0].start, pair[1].end)
                source, kind = self._subjects.source(pair[0].original)
                self._leak(
                    address,
                    whole,
                    those[0].text,
                    source,
                    kind,
                    "two parts of one person's identity",
                    rows,
                    value,
                    values,
                )

    def _joined(
        self, address: str, before: Sequence[Any], after: Sequence[Any], texts: Texts, rows: Rows | None
    ) -> None:
        """Names of one person in one word, and numbers of persons in other groups; what the masks made is none."""
        for value, hit, text, source, kind, number in self._compounds.find(texts):
            if after is not before and text[hit.start : hit.end] not in text_of(before[value]):
                continue
            what = f"a value of the kind {kind}" if number else "two parts of one person's identity"
            self._leak(address, hit, text, source, kind, what, rows, value, after)

    def _same_subject(self, address: str, hits: WordHits, rows: Rows) -> None:
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

    def _same_subject_below(
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
            tally.example = own.original, self._row(rows, value), outline(those[0].text, own.start, own.end)

    def _coincidence(self, address: str, number: int, text: bytes) -> None:
        if text and self._findings.originals[number].strong:
            self._chances.update(self._findings.coincidences.seen(f"{self._store}.{address}", number, text))
        self._by_field[f"{self._store}.{address}"] += 1

    def _leak(
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
        seen = self._seen.setdefault((address, source, kind, what), _Seen())
        seen.times += 1
        seen.whole &= hit.start == 0 and hit.end == len(text)
        if seen.context and len(seen.examples) >= _EXAMPLES:
            return
        seen.context = seen.context or outline(text, hit.start, hit.end)
        if values is not None and not seen.path:
            seen.path = _path(_one(values, value), text[hit.start : hit.end])
        if rows is not None and len(seen.examples) < _EXAMPLES and (row := self._row(rows, value)):
            seen.examples.append(row)

    def _row(self, rows: Rows, i: int) -> str:
        """A row by its key, where a rule keeps that, and by its address."""
        named = [
            f"{Address.parse(address).name}={values[i]}"
            for address, values in rows.keys.items()
            if (rule := self._plan.rules.get(address)) is not None
            and not rule.masked
            and _KEY.fullmatch(str(values[i]))
        ]
        return ", ".join([*named, rows.places[i]] if rows.places[i] else named)

    def found(self) -> tuple[Any, ...]:
        """Counts, numbers of originals, and what leaks."""
        found = (
            self._values,
            self._chances,
            self._by_field,
            self._seen,
            self._counted,
            self._counted_numbers,
            self._counted_beside,
            self._late,
            self._shown,
        )
        self._clear()
        return found

    def take(self, found: Any) -> None:
        """Add to the findings."""
        values, chances, by_field, seen, counted, numbers, beside, late, shown = found
        self._findings.values += values
        self._findings.coincidences.add(chances)
        self._findings.by_field.update(by_field)
        for (address, source, kind, what), one in seen.items():
            self._report(address, source, kind, what, one)
        for field_and_path, tally in counted.items():
            self._tallies.setdefault(field_and_path, Tally()).merge(tally)
        for address, column in numbers.items():
            self._columns.setdefault(address, NumberTally()).merge(column)
        for columns, rows in beside.items():
            self._beside.setdefault(columns, Beside()).merge(rows)
        for place, those in late.items():
            self._later.setdefault(place, _Late(those.hit, those.text)).add(those)
        self.looked_at |= shown

    def judge(self) -> None:
        """When everything was looked at: which fields repeat what their rows' own subjects are called, and hold what no
        other one holds by chance."""
        self._judge_late()
        for (address, path), tally in self._tallies.items():
            if tally.leaks(self._subjects) and tally.example is not None:
                number, row, context = tally.example
                source, kind = self._subjects.source(number)
                one = _Seen(sum(tally.seen), False, [row] if row else [], path, context)
                expected = sum(tally.expected)
                what = f"what the row's own subject is called ({expected:.3g} times by chance)"
                self._report(address, source, kind, what, one)
        for address, column in self._columns.items():
            if column.leaks() and column.example is not None:
                number, row = column.example
                known = self._findings.originals[self._numbers.original(number)]
                one = _Seen(len(column.seen), True, [row] if row else [])
                what = f"different numbers of the kind {known.kind} ({column.expected:.3g} by chance)"
                self._report(address, known.address, known.kind, what, one)
        for (left, right), rows in self._beside.items():
            if rows.leaks() and rows.example is not None:
                number, row = rows.example
                source, kind = self._subjects.source(number)
                one = _Seen(sum(rows.seen), True, [row] if row else [])
                expected = sum(rows.expected)
                what = f"parts of one person's identity, in {Address.parse(right).name} too ({expected:.3g} by chance)"
                self._report(left, source, kind, what, one)
        self._tallies, self._columns, self._beside = {}, {}, {}

    def _judge_late(self) -> None:
        left: dict[Where, _Seen] = {}
        by_chance: list[tuple[str, _Late]] = []
        for (address, number), late in self._later.items():
            known = self._findings.originals[number]
            if not known.strong or self._findings.coincidences.anywhere(self._store, number):
                by_chance.append((address, late))
                continue
            whole = late.hit.start == 0 and late.hit.end == len(late.text)
            one = _Seen(late.times, whole, [], "", outline(late.text, late.hit.start, late.hit.end))
            left.setdefault((address, known.address, known.kind, "an original value"), _Seen()).add(one)
        for address, late in by_chance:
            self._findings.coincidences.add(late.values)
            self._findings.by_field[f"{self._store}.{address}"] += late.times
        for (address, source, kind, what), one in left.items():
            self._report(address, source, kind, what, one)
        self._later = {}

    def _report(self, address: str, source: str, kind: str, what: str, one: _Seen) -> None:
        place = f"{self._store}.{address}"
        if self._findings.leaks.accepts(place, kind, one.times):
            return
        rule = self._plan.rules.get(address)
        self._findings.leaks.add(
            "definitions" if rule is None else "fields",
            self._public(place),
            self._public(source),
            kind,
            what=what,
            remedy=remedy(place, address, rule, self._public(source), kind, one.path, whole=one.whole),
            times=one.times,
            examples=[f"{example} at {one.path}" if one.path else example for example in one.examples],
            context=one.context,
        )

    def _public(self, place: str) -> str:
        """A place as it may be shown: the name of a table can be somebody's."""
        if any(self._findings.originals[one.hit.original].strong for one in self._search.find([place])):
            return "".join("a" if c.isalpha() else "9" if c.isdigit() else c for c in place)
        return place


_NOTHING = WordHits(b"", [np.zeros(0, np.int64)] * 6)
_LONG_NUMBER = 12
"""Digits of an identity that a column of numbers does not hold by chance."""


def _weak(hits: Sequence[Found]) -> list[Weak]:
    return [
        Weak(number, any(one.hit.start == 0 and one.hit.end == len(one.text) for one in its))
        for number, its in groupby(sorted(hits, key=lambda one: one.hit.original), lambda one: one.hit.original)
    ]


def _keeps_numbers(rule: FieldRule) -> bool:
    return not rule.masked and rule.base in _NUMERIC


def _is_it(found: Found) -> bool:
    """Whether a value is an identity as a whole, and no short word."""
    return found.hit.start == 0 and found.hit.end == len(found.text) and (len(found.text) >= 9 or b"@" in found.text)


def _one(values: Sequence[Any], number: int) -> Any:
    """One value; of a block no other text is made."""
    return values.text(number) if isinstance(values, TextBlock) else values[number]


def _path(value: Any, wanted: bytes) -> str:
    """The path in a JSON document that holds a text, as it may be shown; '' when the value is not a document."""
    if not isinstance(value, str) or value[:1] not in "{[":
        return ""
    try:
        document = json.loads(value)
    except ValueError:
        return ""
    for path, text, end in _leaves(document, ()):
        if wanted in text_of(text):
            return shown_path(render(path)) + end
    return ""


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
