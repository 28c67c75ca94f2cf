"""Read the people of all stores: their original values, their weak identities, and what refers to them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from envclone.address import Address, joined
from envclone.distinct import Distinct
from envclone.masking.crowd import whole_names
from envclone.masking.identities import owned
from envclone.masking.kinds import flat, kind_of
from envclone.masking.references import parse
from envclone.masking.words import NAMES_TOO, WORDS_FIRST
from envclone.models import FieldKind, FieldRule, Rows, StorePlan
from envclone.packed import Columns, Packed, merged, pack
from envclone.verifier.births import Births
from envclone.verifier.originals import Originals
from envclone.verifier.references import Place, below, place_of
from envclone.verifier.subjects import WITHOUT_PARTS, Keys, Subjects

if TYPE_CHECKING:
    from envclone.masking.kinds import DomainSpec
    from envclone.masking.nobody import Nobody

__all__ = ["People", "Read"]

UNTELLING = frozenset(("text", "json", "date", "integer", "number", "setting", "hook", "sql"))
"""Kinds whose values are no identity: a whole text is none (the identities in it are), and '2024-01-01' is nobody's."""
_TELLING_TYPES = frozenset(("uuid", "ip", "mac", "bytes", "phone", "card"))
"""Kinds that tell of a person though their values are not texts."""
_MOST_NAMES = 4
"""Columns of names of one table that are read side by side."""
_HOPS = 3
"""How many references away from a person a row may be: a line of an order of a customer."""


class Read(Protocol):
    """What people are read from: a store's session, or some of its rows."""

    def columns(self, addresses: Set[str]) -> Iterator[Columns]:
        """The values of fields by column."""
        ...

    def links(self) -> Sequence[tuple[str, str]]:
        """Which field refers to which."""
        ...


Reference = tuple[Place, Place, tuple[str, str] | None]
"""What refers, to what, and under which condition on a column of the row."""


class People:
    """Every person of every store, and which rows are or mean whom."""

    def __init__(
        self,
        sessions: Mapping[str, Read],
        plans: Mapping[str, StorePlan],
        domains: Mapping[str, DomainSpec],
        references: Sequence[str],
        originals: Originals,
        nobody: Nobody | None = None,
        spared: defaultdict[str, Counter[tuple[str, str]]] | None = None,
    ) -> None:
        self._sessions, self._plans, self._domains = sessions, plans, domains
        self.subjects = Subjects(originals.shelf)
        self.births = Births(originals.shelf)
        self._originals, self._shelf = originals, originals.shelf
        self._nobody = nobody
        self._spared = defaultdict(Counter) if spared is None else spared
        self._own: dict[tuple[str, str], Keys] = {}
        self._keys: dict[Place, Keys] = {}
        self._names: dict[tuple[str, str], tuple[str, ...]] = {}
        self._references: list[Reference] = []
        for store, session in sessions.items():
            for source, target in session.links():
                if source in plans[store].rules and target in plans[store].rules:
                    self._references.append(((store, source, ()), (store, target, ()), None))
        for text in references:
            one = parse(text)
            self._references.append(
                (place_of(one.store, one.source, plans), place_of(one.target_store, one.target, plans), one.where)
            )

    def collect(self) -> Distinct:
        """Read the identity fields of every store; returns the weak identities by their numbers."""
        for store, session in self._sessions.items():
            rules = {a: r for a, r in self._plans[store].masked.items() if not r.derived and self._telling(r)}
            tables = {_holder(address) for address in rules} | set(rules)
            births = {a for a, r in self._plans[store].masked.items() if self._dated(r) and _holder(a) in tables}
            targets = {
                place[1]
                for _, place, _ in self._references
                if place[0] == store and (_holder(place[1]) in tables or place[1] in tables)
            }
            table = ""
            for rows in merged(session.columns(rules.keys() | targets | births)) if rules else ():
                if rows.table != table:
                    table = rows.table
                    self.subjects.begin(f"{store}.{table}")
                self._take(store, rows, rules)
                for address in births.intersection((*rows.packed, *rows.others)):
                    first = self.subjects.count - len(rows)
                    its = rows.packed[address] if address in rows.packed else rows.others[address]
                    self.births.take(first, its, f"{store}.{address}")
        self._follow()
        self.births.sort()
        with ThreadPoolExecutor(1) as pool:  # what sorts lets other threads run
            sealed = pool.submit(self.subjects.seal)
            for keys in (*self._own.values(), *self._keys.values()):
                keys.sort()
            return sealed.result()

    def _telling(self, rule: FieldRule) -> bool:
        """Whether a field's values are searched for: a number or a date is nobody's, and is compared only."""
        kind = kind_of(rule.domain, self._domains)
        if rule.kind is FieldKind.JSON:
            return True
        return kind not in UNTELLING and (rule.kind is not FieldKind.OTHER or kind in _TELLING_TYPES)

    def _dated(self, rule: FieldRule) -> bool:
        """Whether a field holds dates, such as of birth: moments are many rows' own."""
        of_texts = rule.kind is FieldKind.TEXT and kind_of(rule.domain, self._domains) == "date"
        return not rule.derived and (rule.base == "date" or of_texts)

    def _take(self, store: str, rows: Columns, rules: Mapping[str, FieldRule]) -> None:
        first = self.subjects.count
        self.subjects.count += len(rows)
        persons = np.arange(first, first + len(rows))
        self._own.setdefault((store, rows.table), Keys(self._shelf)).take(_places(rows), persons)
        self._take_packed(
            [
                (f"{store}.{address}", rules[address], packed)
                for address, packed in rows.packed.items()
                if address in rules
            ],
            first,
        )
        self._take_whole_names(store, rows, rules)
        for address, values in rows.others.items():
            rule = rules.get(address)
            if rule is None:
                continue
            source = f"{store}.{address}"
            for kind, texts, whose in self._identities(rule, values, source):
                if kind in UNTELLING:
                    continue
                self._originals.add(source, kind, texts)
                if rule.kind is FieldKind.JSON:
                    self.subjects.add([first + i for i in whose], kind, texts, source)
                else:
                    self._add_parts(kind, source, values, first)
        for target in {place for _, place, _ in self._references if place[0] == store}:
            if target[1] in rows.packed and not target[2]:
                self._keys.setdefault(target, Keys(self._shelf)).take(rows.packed[target[1]], persons)
            elif target[1] in rows.packed or target[1] in rows.others:
                _enter(self._keys.setdefault(target, Keys(self._shelf)), _values(rows, target[1]), target, first)

    def _take_whole_names(self, store: str, rows: Columns, rules: Mapping[str, FieldRule]) -> None:
        """What two columns of names of a row say side by side is a full name, in either order."""
        addresses = tuple(a for a in rows.packed if a in rules and kind_of(rules[a].domain, self._domains) == "person")
        if len(addresses) < 2:
            return
        self._names[store, rows.table] = addresses = addresses[:_MOST_NAMES]
        for left, right in combinations(addresses, 2):
            one, other = self._somebodys(rows.packed[left]), self._somebodys(rows.packed[right])
            turned = (name for name in whole_names(other, one) if not _all_words(name))
            whole = [*whole_names(one, other), *turned]
            self._originals.add(f"{store}.{left}", "person", whole)

    def _somebodys(self, names: Packed) -> Packed:
        """Names without those that are nobody's, which stay as they are."""
        return names if self._nobody is None else names.without(self._nobody.among("person", names))

    def names(self, store: str, table: str) -> tuple[str, ...]:
        """The columns of names of a table that has several."""
        return self._names.get((store, table), ())

    def _take_packed(self, fields: Sequence[tuple[str, FieldRule, Packed]], first: int) -> None:
        """Take in packed values of the same rows: whole values by one thread, weak identities by another one."""
        taken: list[tuple[str, str, Packed]] = []
        for source, rule, values in fields:
            kind = kind_of(rule.domain, self._domains)
            if kind == "keep" or kind in UNTELLING:
                continue
            if self._nobody is not None:
                nobodys = self._nobody.among(kind, values)
                self._spared[source].update((kind, values.text(place)) for place in nobodys)
                values = values.without(nobodys)
            taken.append((source, kind, values))
        with ThreadPoolExecutor(1) as pool:
            whole = pool.submit(self._take_whole, taken)
            for source, kind, values in taken:
                self.subjects.take(first, kind, values, source)
            whole.result()

    def _take_whole(self, taken: Sequence[tuple[str, str, Packed]]) -> None:
        for source, kind, values in taken:
            self._originals.take(source, kind, values)

    def _identities(
        self, rule: FieldRule, values: Sequence[Any], source: str
    ) -> Iterator[tuple[str, list[str], list[int]]]:
        return owned(rule, self._domains, values, every=True, nobody=self._nobody, spared=self._spared[source])

    def _add_parts(self, kind: str, source: str, values: Sequence[Any], first: int) -> None:
        if kind in WITHOUT_PARTS:
            return
        persons: list[int] = []
        texts: list[str] = []
        for person, value in enumerate(values, first):
            if self._nobody is not None and isinstance(value, str) and self._nobody.holds(kind, value):
                continue
            if value is not None:
                its = list(flat(value)) if isinstance(value, str | list) else [str(value)]
                texts += its
                persons += [person] * len(its)
        self.subjects.add(persons, kind, texts, source)

    def _follow(self) -> None:
        """Let what refers to what refers to a person mean that person."""
        for _ in range(_HOPS - 1):
            reached = {
                (source, target)
                for source, target, where in self._references
                if where is None and target in self._keys and len(self._keys[target])
            }
            wanted: dict[tuple[str, str], tuple[set[tuple[Place, Place]], set[Place]]] = {}
            for _, further, _ in self._references:
                if further in self._keys or further[2]:
                    continue
                store, table = further[0], _holder(further[1])
                steps = {(s, t) for s, t in reached if s[0] == store and _holder(s[1]) == table and not s[2]}
                if steps:
                    held = wanted.setdefault((store, table), (set(), set()))
                    held[0].update(steps)
                    held[1].add(further)
            if not wanted:
                return
            for (store, _), (steps, ends) in wanted.items():
                made = {end: Keys(self._shelf) for end in ends}
                fields = {s[1] for s, _ in steps} | {end[1] for end in ends}
                for rows in self._sessions[store].columns(fields):
                    read = {address: _values(rows, address) for address in fields}
                    meant: dict[Place, tuple[list[str], list[int]]] = {end: ([], []) for end in ends}
                    met = self._met(steps, read, len(rows))
                    for i, persons in enumerate(met):
                        for end in ends:
                            for text in _of(read[end[1]][i], end) if persons else ():
                                meant[end][0].extend([text] * len(persons))
                                meant[end][1].extend(persons)
                    for end, (texts, whose) in meant.items():
                        made[end].take(pack(texts), np.array(whose, np.int64))
                self._keys.update(made)

    def _met(
        self, steps: Iterable[tuple[Place, Place]], read: Mapping[str, Sequence[Any]], count: int
    ) -> list[set[int]]:
        """The persons that each of some rows refers to."""
        met: list[set[int]] = [set() for _ in range(count)]
        for source, target in steps:
            held = [(one, i) for i, value in enumerate(read[source[1]]) for one in _of(value, source)]
            for (_, i), persons in zip(held, self._keys[target].find_many([one for one, _ in held]), strict=True):
                met[i].update(persons)
        return met

    def of_rows(self, store: str, rows: Rows, numbers: Sequence[int]) -> list[list[int]]:
        """The persons that each of some rows is, or refers to."""
        found: list[set[int]] = [set() for _ in numbers]
        own = self._own.get((store, rows.table))
        if own is not None:
            for its, persons in zip(found, own.find_many([_place(rows, i) for i in numbers]), strict=True):
                its.update(persons)
        for source, target, where in self._references:
            if source[0] != store or source[1] not in rows.fields or target not in self._keys:
                continue
            texts: list[str] = []
            whose: list[int] = []
            for at, i in enumerate(numbers):
                if where is None or _holds(rows, where, i):
                    some = list(_of(rows.fields[source[1]][i], source))
                    texts += some
                    whose += [at] * len(some)
            for at, persons in zip(whose, self._keys[target].find_many(texts), strict=True):
                found[at].update(persons)
        return [sorted(its) for its in found]


def _all_words(name: str) -> bool:
    """'May Will': turned round it would be said of nobody."""
    return all(word in NAMES_TOO or word in WORDS_FIRST for word in name.lower().split())


@lru_cache(maxsize=4096)
def _holder(address: str) -> str:
    return Address.parse(address).holder


def _places(rows: Columns) -> Packed:
    """What tells each row: its address, or what it holds."""
    if not len(rows) or rows.places.stops[0] > rows.places.starts[0]:
        return rows.places
    return pack([str(value) for value in next(iter(rows.others.values()))])


def _place(rows: Rows, i: int) -> str:
    """The same of one row."""
    return rows.places[i] or str(next(iter(rows.fields.values()))[i])


def _values(rows: Columns, address: str) -> Sequence[Any]:
    return rows.packed[address].texts() if address in rows.packed else rows.others[address]


def _enter(keys: Keys, values: Sequence[Any], target: Place, first: int) -> None:
    texts, persons = [], []
    for person, value in enumerate(values, first):
        its = list(_of(value, target))
        texts += its
        persons += [person] * len(its)
    keys.take(pack(texts), np.array(persons, np.int64))


def _of(value: Any, place: Place) -> Iterator[str]:
    if value is None:
        return iter(())
    if place[2]:
        return below(json.loads(value), place[2])
    return below(value, ())


def _holds(rows: Rows, where: tuple[str, str], i: int) -> bool:
    column = rows.fields.get(joined(rows.table, where[0]))
    return column is not None and column[i] == where[1]
