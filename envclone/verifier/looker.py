"""Look at every value of a store while it is compared, and collect what leaks in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations, islice
from typing import Any

import numpy as np

from envclone.masking.kinds import DATES
from envclone.models import FieldKind, FieldRule, Rows, StorePlan
from envclone.packed import absent
from envclone.verifier.beside import FEW
from envclone.verifier.by_others import ByOthers
from envclone.verifier.charsets import encodings_of
from envclone.verifier.coincidences import Chance, by_address
from envclone.verifier.compounds import Compounds
from envclone.verifier.counts import NUMERIC, Counts
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.kept import pairs_of_one_person
from envclone.verifier.loose import Found, LooseSearch, Texts, text_of
from envclone.verifier.nested import outermost
from envclone.verifier.otherwise import backwards, put_together, without_cents
from envclone.verifier.people import People
from envclone.verifier.pieces import large, one_row, pieces
from envclone.verifier.rare import rare
from envclone.verifier.reports import Reports
from envclone.verifier.search import Hit
from envclone.verifier.sixteen import Sixteen
from envclone.verifier.standing import Standings
from envclone.verifier.wordhits import WordHits, weak_words

__all__ = ["Looker"]

_TOGETHER = 4096
"""Addresses with few values each that are searched together."""
_TEXTS = (FieldKind.TEXT, FieldKind.JSON, FieldKind.ARRAY)
_WIDE_NUMBERS = frozenset(("int8", "numeric"))
"""Types of numbers that hold a UUID, or half of one."""
_NO_WORDS = DATES | {
    "bool", "time", "timetz", "interval", "uuid", "inet", "cidr", "macaddr", "macaddr8", "point", "line", "lseg", "box",
    "path", "polygon", "circle", "int4range", "int8range", "numrange",
}  # fmt: skip
"""Types whose values cannot hold a word; what is made of numbers is counted."""


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
        reports: Reports | None = None,
    ) -> None:
        self._store, self._plan, self._search, self._weak = store, plan, search, weak
        self._compounds = compounds
        self._people, self._subjects, self._findings = people, people.subjects, findings
        self._reports = reports or Reports(store, plan, search, findings)
        self._counts = Counts(store, plan, people, self._reports, findings)
        self._encodings, self._sixteen = encodings_of(findings.originals), Sixteen(findings.originals)
        self._others = ByOthers(store, search, self._reports, findings)
        self._clear()

    def _clear(self) -> None:
        self._values = 0
        self._chances: set[Chance] = set()
        self._by_field: Counter[str] = Counter()

    @property
    def looked_at(self) -> set[str]:
        """The fields of which `by_others` was shown the values."""
        return self._others.looked_at

    def found(self) -> tuple[Any, ...]:
        """Counts, numbers of originals, and what leaks, since the last call."""
        found = (
            self._values,
            by_address(self._chances),
            self._by_field,
            self._reports.found(),
            self._counts.found(),
            self._others.found(),
        )
        self._clear()
        return found

    def take(self, found: Any) -> None:
        """Add to the findings."""
        values, chances, by_field, seen, counted, others = found
        self._findings.values += values
        for address, some in chances.items():
            self._findings.coincidences.take(address, *some)
        self._findings.by_field.update(by_field)
        self._reports.take(seen)
        self._counts.take(counted)
        self._others.take(others)

    def judge(self) -> None:
        """When everything was looked at: which fields repeat what their rows' own subjects are called, and hold what no
        other one holds by chance."""
        self._others.judge()
        self._counts.judge()

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
        self._pairs(address, before, after, weak_words(self._weak, texts).outside(told), rows)
        self._joined(address, before, after, texts, rows, told)
        self._put_together(address, None, after, rows)

    def batches(self, many: Iterable[tuple[str, Sequence[Any], Sequence[str]]]) -> None:
        """The same of many addresses: looked at one by one is only what holds anything at all."""
        left = iter(many)
        while some := list(islice(left, _TOGETHER)):
            holding = self._perhaps([value for _, values, _ in some for value in values])
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

    def _perhaps(self, values: Sequence[Any]) -> set[int]:
        """The numbers of the values of which `batch` could have anything to tell, in a form of their own too."""
        shut: list[tuple[int, str]] = []
        rare_ones = self._in_forms(values, shut)
        return self._holding(values).union(number for number, _ in chain(rare_ones, shut))

    def numbers(self, address: str, values: Sequence[Any], places: Sequence[str]) -> None:
        """Count numbers of one kind that stand beside any row."""
        self._counts.beside_rows(address, values, places)

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
        self._counts.in_two_columns(weak, rows)

    def _field(
        self, address: str, before: Sequence[Any], after: Sequence[Any], rows: Rows, *, whole: bool = True
    ) -> WordHits:
        """Search a field's values, or a piece of one (not `whole`); returns the weak identities in kept texts."""
        rule = self._plan.rules.get(address)
        if rule is not None and rule.base == "money" and after is before:
            before = after = [without_cents(value) if isinstance(value, str) else value for value in after]
        texts = Texts(after, decoded=after is before, seek=self._seek)
        told = self._strong(address, rule, before, after, texts, rows)
        if after is not before and rule is not None and rule.kind in _TEXTS:
            self._left(address, before, after, rows)
            if rule.kind is not FieldKind.JSON:
                self._joined(address, before, after, texts, rows, told, least=_LONG_NUMBER)
        if rule is not None and rule.masked and rule.kind is not FieldKind.JSON:
            return _NOTHING
        hits = _NOTHING
        if rule is None or rule.kind in _TEXTS or rule.base.removesuffix("[]") not in _NO_WORDS:
            hits = weak_words(self._weak, texts, None if after is before else before).outside(told)
            if rule is None or rule.base not in NUMERIC:
                self._pairs(address, before, after, hits, rows)
                self._joined(address, before, after, texts, rows, told)
            if rule is not None and rule.kind is FieldKind.JSON and rule.json and whole:
                self._counts.same_subject_below(address, rule, after, hits, rows)
            elif rule is None or not rule.masked or rule.json:
                self._counts.same_subject(address, hits, rows)
            if after is before and (rule is None or rule.base not in NUMERIC):
                self._otherwise(address, rule, after, rows)
        if rule is not None and rule.base in _WIDE_NUMBERS and after is before:
            self._report_said(address, rule, list(self._sixteen.in_column(after)), rows)
        self._counts.numbers(address, rule, after, rows)
        self._counts.in_texts(address, rule, before, after, rows)
        if whole:
            self._counts.births(address, rule, after, rows)
        return hits

    def _rare(self, values: Sequence[Any], shut: list[tuple[int, str]] | None = None) -> Iterator[tuple[int, str]]:
        few = self._subjects.count <= FEW
        return rare(values, few=few, encodings=self._encodings, sixteen=self._sixteen, shut=shut)

    def _in_forms(self, values: Sequence[Any], shut: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """What is said in a form of its own, with the numbers of the values."""
        found = list(put_together(values))
        within = self._rare([text for _, text in found]) if found else ()
        return [*found, *((found[i][0], text) for i, text in within), *self._rare(values, shut)]

    def _put_together(self, address: str, rule: FieldRule | None, values: Sequence[Any], rows: Rows | None) -> None:
        """Report identities whose letters are apart or in bits, and what is said in a rare form."""
        shut: list[tuple[int, str]] = []
        words = self._in_forms(values, shut)
        for number, what in shut:
            self._reports.shut(address, what, rows, number)
        self._report_said(address, rule, words, rows)

    def _report_said(
        self, address: str, rule: FieldRule | None, words: Sequence[tuple[int, str]], rows: Rows | None
    ) -> None:
        """Report identities in what some values say, each with the value's number."""
        for at in sorted(self._holding([word for _, word in words])) if words else ():
            number, word = words[at]
            one = [word]
            texts = Texts(one, decoded=True, seek=self._seek)
            row = one_row(rows, number) if rows is not None else None
            told = self._strong(address, rule, one, one, texts, row)
            self._pairs(address, one, one, weak_words(self._weak, texts).outside(told), row)
            self._joined(address, one, one, texts, row, told)

    def _left(self, address: str, before: Sequence[Any], after: Sequence[Any], rows: Rows) -> None:
        """Report what a mask left in a rare form: it reads none."""
        shut: list[tuple[int, str]] = []
        words = list(self._rare(after, shut))
        for number, what in shut:
            if after[number] == before[number]:
                self._reports.shut(address, what, rows, number)
        for at in sorted(self._holding([word for _, word in words])) if words else ():
            number, word = words[at]
            said = [text_of(one) for _, one in self._rare([before[number]])]
            texts = Texts([word], decoded=False)
            strong = (
                (one.hit, one.text, self._findings.originals[one.hit.original]) for one in self._search.find(texts)
            )
            found = [(hit, text, known.address, known.kind) for hit, text, known in strong if known.strong]
            found += [(one.hit, one.text, one.source, one.kind) for one in self._compounds.find(texts)]
            for hit, text, source, kind in found:
                if any(text[hit.start : hit.end] in one for one in said):
                    what = f"a value of the kind {kind}, which its mask does not read"
                    self._reports.leak(address, hit, text, source, kind, what, rows, number)

    def _otherwise(self, address: str, rule: FieldRule | None, values: Sequence[Any], rows: Rows) -> None:
        """Report identities in forms of their own, and values that are one backwards."""
        self._put_together(address, rule, values, rows)
        turned = backwards(values)
        numbers = list(turned.values())
        for found in self._search.find(Texts(list(turned), decoded=False)) if turned else ():
            known = self._findings.originals[found.hit.original]
            if known.strong and _is_it(found):
                what = f"a value of the kind {known.kind}, backwards"
                number = numbers[found.value]
                self._reports.leak(address, found.hit, found.text, known.address, known.kind, what, rows, number)

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
        self._values += self._others.look(address, made)

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
                self._reports.leak(
                    address, found.hit, found.text, known.address, known.kind, "an original value", None, 0
                )
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
        number_column = rule is not None and rule.base in NUMERIC
        found = self._search.find(texts) if after is before else self._search.compare(before, texts)
        leaking: dict[int, list[Found]] = defaultdict(list)
        standings = Standings(None if after is before else before)
        for one in found:
            value, hit, text, unchanged = one
            left = unchanged and self._findings.originals[hit.original].strong
            if not (left and standings.left(value, text, hit)) or (
                number_column and hit.end - hit.start < _LONG_NUMBER
            ):
                # a pseudonym may equal somebody else's original; a number's few digits are nobody's
                self._coincidence(address, hit.original, b"" if number_column else text)
            else:
                leaking[value].append(one)
        for value, those in leaking.items():
            for _, hit, text, _ in outermost(those):
                known = self._findings.originals[hit.original]
                what = "a full name" if known.kind == "person" else f"a value of the kind {known.kind}"
                self._reports.leak(address, hit, text, known.address, known.kind, what, rows, value, after)
        return leaking

    def _pairs(
        self, address: str, before: Sequence[Any], after: Sequence[Any], hits: WordHits, rows: Rows | None
    ) -> None:
        standings = Standings(None if after is before else before)
        for value in hits.near(self._subjects):
            found = hits[value]
            those, text = [one.hit for one in found], found[0].text
            pair = pairs_of_one_person(self._subjects, those, text)
            if pair is not None and after is not before:
                those = [hit for hit in those if standings.left(value, text, hit)]
                pair = pairs_of_one_person(self._subjects, those, text)
            if pair is not None:
                whole = Hit(pair[0].original, pair[0].start, pair[1].end)
                source, kind = self._subjects.source(pair[0].original)
                self._reports.leak(
                    address,
                    whole,
                    text,
                    source,
                    kind,
                    "two parts of one person's identity",
                    rows,
                    value,
                    after,
                )

    def _joined(
        self,
        address: str,
        before: Sequence[Any],
        after: Sequence[Any],
        texts: Texts,
        rows: Rows | None,
        told: Mapping[int, Sequence[Found]],
        *,
        least: int = 0,
    ) -> None:
        """Names of one person in one word, and numbers of persons of at least so many digits in other groups; what the
        masks made is none, and what was told is not told again."""
        standings = Standings(None if after is before else before)
        last = (-1, _NO_HIT)
        for value, hit, text, source, kind, number in self._compounds.find(texts):
            if any(_within(hit, one.hit) for one in told.get(value, ())) or (
                last[0] == value and _within(hit, last[1])
            ):
                continue
            digits = sum(map(bytes.isdigit, (text[i : i + 1] for i in range(hit.start, hit.end)))) if number else least
            if digits < least or not standings.left(value, text, hit):
                continue
            last = (value, hit)
            what = f"a value of the kind {kind}" if number else "two parts of one person's identity"
            self._reports.leak(address, hit, text, source, kind, what, rows, value, after)

    def _coincidence(self, address: str, number: int, text: bytes) -> None:
        if text and self._findings.originals[number].strong:
            self._chances.update(self._findings.coincidences.seen(f"{self._store}.{address}", number, text))
        self._by_field[f"{self._store}.{address}"] += 1


_NOTHING = WordHits(b"", [np.zeros(0, np.int64)] * 6)
_NO_HIT = Hit(-1, -1, -1)
_LONG_NUMBER = 12
"""Digits of an identity that a column of numbers does not hold by chance."""


def _within(one: Hit, other: Hit) -> bool:
    return other.start <= one.start and one.end <= other.end


def _is_it(found: Found) -> bool:
    """Whether a value is an identity as a whole, and no short word."""
    return found.hit.start == 0 and found.hit.end == len(found.text) and (len(found.text) >= 9 or b"@" in found.text)
