"""An incident in a branch, as hypotheses see it: what its steps gave, and searches that can be asked otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from envclone.incidents.bundle import Incident, SqlStep, Step
from envclone.incidents.verdicts import ReplayReport
from envclone.masking.references import Reference
from envclone.models import Asked, Hits, Record, Retrieval, StepResult
from envclone.protocols import Examiner

__all__ = ["DEPTH", "Case", "Search", "ids_of"]

DEPTH = 1000
"""How far down an exact search is read."""
SAMPLED = 800
"""Records that a search's place is described by."""

Lookup = Callable[[str, str, Sequence[str]], Sequence[Record]]
"""Records of a store whose field at an address has one of these values."""


def ids_of(step: Step, result: StepResult) -> tuple[str, ...]:
    """The ids of a result as text: a query's are its `key` column, or the first."""
    if result.ids:
        return tuple(map(str, result.ids))
    key = step.key if isinstance(step, SqlStep) else None
    place = result.columns.index(key) if key in result.columns else 0
    return tuple(str(row[place]) for row in result.rows) if isinstance(step, SqlStep) else ()


class Search:
    """A step that searches, and its examiner; every question is asked once."""

    def __init__(self, step: Step, retrieval: Retrieval, examiner: Examiner) -> None:
        self.step = step
        self.retrieval = retrieval
        self._examiner = examiner
        self._hits: dict[Asked, Hits] = {}
        self._records: dict[str, Record | None] = {}
        self._sample: tuple[Record, ...] | None = None
        self._parts: dict[str, Search] = {}

    def parts(self, ident: str = "") -> tuple[Search, ...]:
        """The searches that it puts together, and that can be asked otherwise: of groups those that an id is in."""
        for step in self._examiner.parts(self.step, ident):
            if step.id not in self._parts:
                self._parts[step.id] = Search(step, self._examiner.retrieval(step), self._examiner)
        found = [self._parts[step.id] for step in self._examiner.parts(self.step, ident)]
        return tuple(one for one in found if not one.retrieval.why_not)

    def returns(self, ident: str) -> bool:
        """Whether it gives an id when it is asked as it was."""
        return self.hits(Asked(limit=self.retrieval.last)).rank(ident) is not None

    def hits(self, asked: Asked) -> Hits:
        """What it gives when it is asked so."""
        if asked not in self._hits:
            self._hits[asked] = self._examiner.search(self.step, asked)
        return self._hits[asked]

    def exactly(self, without: frozenset[int] = frozenset()) -> Hits:
        """The exact order under its conditions, or without some of them."""
        return self.hits(Asked(exact=True, limit=DEPTH, without=without))

    def exact_rank(self, ident: str) -> int | None:
        """The rank of an id by distance alone; beyond the last one where it is not returned so.

        In groups that are not full an id stands further up than it would if they were.
        """
        rank, last = self.exactly().rank(ident), self.retrieval.last
        if rank is not None and rank <= last and self.retrieval.composed:
            return rank if self.hits(Asked(exact=True, limit=last)).rank(ident) else last + 1
        return rank

    def tied(self, ident: str) -> bool:
        """Whether it is exactly as near as the last that is returned, and others are in its place."""
        last = self.retrieval.last
        own, exact = self.hits(Asked(limit=last)), self.exactly()
        rank = exact.rank(ident)
        if own.rank(ident) or rank is None or len(own.ids) < last or len(own.scores) < last or self.retrieval.composed:
            return False
        return bool(exact.scores[rank - 1] == own.scores[last - 1])

    def records(self, ids: Sequence[str]) -> tuple[Record, ...]:
        """Those of the ids that are there."""
        if asked := [one for one in ids if one not in self._records]:
            there = {record.id: record for record in self._examiner.records(self.step, asked)}
            self._records.update({one: there.get(one) for one in asked})
        return tuple(record for one in ids if (record := self._records[one]) is not None)

    def record(self, ident: str) -> Record | None:
        """The record of an id; None when there is none."""
        return next(iter(self.records([ident])), None)

    def sample(self) -> tuple[Record, ...]:
        """Some of the records that it searches."""
        if self._sample is None:
            self._sample = tuple(one for one in self._examiner.sample(self.step, SAMPLED) if one.vector)
        return self._sample

    def near(self, ident: str) -> tuple[str, ...]:
        """Ids beside one that is not there."""
        return tuple(self._examiner.near(self.step, ident))

    def namesakes(self, ident: str) -> tuple[str, ...]:
        """Other places of the same name that have an id."""
        return tuple(self._examiner.namesakes(self.step, ident))

    def look(self, ident: str) -> str:
        """What somebody types to see a record."""
        return self._examiner.look(self.step, ident)

    @property
    def everything(self) -> frozenset[int]:
        """The numbers of all its conditions."""
        return frozenset(range(len(self.retrieval.conditions)))


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of an incident.

    `results` are what its steps gave in this branch, twice; `expected` the ids that should have come; `unstable` the
    steps whose two results differ; `altered` what a step was asked otherwise than in production, because a mask took
    it for a person; `state` when the branch's state was copied, `embed` makes a text's vector, `judge` says what of an
    answer stands in no document, given `question`, `documents` and `answer`.
    """

    incident: Incident
    branch: str
    results: Mapping[str, tuple[StepResult, ...]] = field(default_factory=dict)
    searches: tuple[Search, ...] = ()
    expected: tuple[str, ...] = ()
    replayed: ReplayReport | None = None
    references: tuple[Reference, ...] = ()
    lookup: Lookup = lambda store, address, values: ()
    embed: Callable[[str], Sequence[float]] | None = None
    judge: Callable[[Mapping[str, str]], Sequence[str]] | None = None
    unstable: frozenset[str] = frozenset()
    altered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    state: dt.datetime | None = None

    def step(self, name: str) -> Step:
        """A step by its id."""
        return next(step for step in self.incident.steps if step.id == name)

    def returned(self, name: str) -> tuple[str, ...]:
        """The ids that a step gave here."""
        results = self.results.get(name, ())
        return ids_of(self.step(name), results[0]) if results else ()

    def given(self, name: str) -> tuple[tuple[str, ...], ...]:
        """The ids of each of the answers that a step, or the one that it is a part of, gave here."""
        name = name.partition("/")[0]
        return tuple(ids_of(self.step(name), one) for one in self.results.get(name, ()))

    def then(self, name: str) -> tuple[str, ...]:
        """The ids that production returned to a step, or to the one that it is a part of, as it was recorded."""
        step = self.step(name.partition("/")[0])
        if step.expect is None:
            return ()
        return ids_of(step, StepResult(columns=step.expect.columns, rows=step.expect.rows, ids=step.expect.ids))

    @property
    def found(self) -> frozenset[str]:
        """Every id that any step gave here."""
        return frozenset(one for name in self.results for one in self.returned(name))

    @property
    def missing(self) -> tuple[str, ...]:
        """The expected ids that no step gave here."""
        return tuple(one for one in self.expected if one not in self.found)

    def blamed(self, *, steady: bool = True) -> tuple[tuple[Search, str], ...]:
        """Each missing id with the searches that could have found it: where its record is, else all of them.

        With `steady` only those that gave one answer twice.

        Of a search that puts others together it is those others when none of them has it, and itself when one does.
        """
        usable = [one for one in self.searches if not self._failed(one)]
        usable = [one for one in usable if not steady or one.step.id not in self.unstable]
        usable = [one for one in usable if not one.retrieval.why_not or one.parts()]
        pairs: list[tuple[Search, str]] = []
        for ident in self.missing:
            there = [one for one in usable if one.record(ident) is not None]
            pairs += [pair for one in there or usable for pair in _within(one, ident)]
        return tuple(pairs)

    def _failed(self, search: Search) -> bool:
        return any(result.error for result in self.results.get(search.step.id, ()))


def _within(search: Search, ident: str) -> tuple[tuple[Search, str], ...]:
    parts = search.parts(ident)
    own = () if search.retrieval.why_not else ((search, ident),)
    if not parts or (own and any(one.returns(ident) for one in parts)):
        return own
    below = tuple(pair for one in parts for pair in _within(one, ident))
    return (*own, *below) if search.retrieval.compressed else below
