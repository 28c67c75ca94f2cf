"""A store that is a list of records on a line: the nearest are those whose number is nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from envclone.diagnosis.case import Case, Search
from envclone.incidents.bundle import Incident, SqlStep, Step
from envclone.masking.references import parse
from envclone.models import Asked, Condition, Hits, Record, Retrieval, StepResult


@dataclass
class Line:
    """An examiner of records at places on a line, asked from 0.

    `seen` says at which breadth each record is found by the index; `keeps` which records each condition lets through.
    """

    places: Mapping[str, float]
    index: str = ""
    limit: int = 2
    breadth: int = 10
    seen: Mapping[str, int] = field(default_factory=dict)
    keeps: tuple[tuple[Condition, frozenset[str]], ...] = ()
    late: bool = False
    dead: int = 0
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    vectors: Mapping[str, tuple[float, ...] | None] = field(default_factory=dict)
    dimensions: int | None = None
    rows: Mapping[str, Mapping[str, Record]] = field(default_factory=dict)
    offset: int = 0
    compressed: str = ""
    indexed_only: bool = False
    lost: frozenset[str] = frozenset()
    """Records that compressed vectors lose, or that no index has yet."""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Places of the same name that have a record."""
    more: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Where the records are by another vector (its name), by a distance, evenly (`evenly`), in another place."""
    way: Mapping[str, Any] = field(default_factory=dict)
    """More of what the search is: see `Retrieval`."""
    arms: Mapping[str, Line] = field(default_factory=dict)
    """Lines that this one puts together: a record is as near as in the nearest of them, where one returns it."""

    def parts(self, step: Step, ident: str) -> Sequence[Step]:
        return [step.model_copy(update={"id": f"{step.id}/{name}"}) for name in self.arms if "/" not in step.id]

    def retrieval(self, step: Step) -> Retrieval:
        if arm := self.arms.get(step.id.partition("/")[2]):
            return replace(arm.retrieval(step), step=step.id)
        return Retrieval(
            step.id, "main", "public.chunks", limit=self.limit, key="id", vector="embedding", index=self.index,
            breadth=self.breadth, breadths=(10, 100, 1000), breadth_name="ef", late=self.late,
            conditions=tuple(one for one, _ in self.keeps), dimensions=self.dimensions, offset=self.offset,
            compressed=self.compressed, indexed_only=self.indexed_only, composed=bool(self.arms),
            **self.way,
        )  # fmt: skip

    def search(self, step: Step, asked: Asked) -> Hits:
        if arm := self.arms.get(step.id.partition("/")[2]):
            return arm.search(step, asked)
        if other := asked.using or asked.distance or asked.place or ("evenly" if asked.evenly else ""):
            return replace(self, places=self.more.get(other, {}), arms={}).search(step, Asked(True, limit=asked.limit))
        left = [keeps for number, (_, keeps) in enumerate(self.keeps) if number not in asked.without]
        kept = [one for one in sorted(self.places, key=self.places.__getitem__) if all(one in keeps for keeps in left)]
        kept = [one for one in kept if one != asked.excluded]
        breadth = 10**6 if asked.unbounded else asked.breadth or self.breadth
        if asked.only is not None:
            kept = [one for one in kept if one in asked.only]
        elif self.lost and not (asked.exact or asked.unquantized or asked.unindexed):
            kept = [one for one in kept if one not in self.lost]
        elif self.arms:
            given = [arm.search(step, replace(asked, limit=arm.limit)).ids for arm in self.arms.values()]
            kept = [one for one in kept if any(one in ids for ids in given)]
        elif self.index and not asked.exact:
            kept = [one for one in kept if self.seen.get(one, 0) <= breadth]
            kept = kept[: max(0, breadth - self.dead)]
        ids = tuple(kept[: asked.limit] if asked.limit else kept[self.offset :][: self.limit])
        return Hits(ids, tuple(self.places[one] for one in ids), command=f"asked {asked}")

    def records(self, step: Step, ids: Sequence[str]) -> Sequence[Record]:
        return [self._record(one) for one in ids if one in self.places]

    def sample(self, step: Step, most: int) -> Sequence[Record]:
        return [self._record(one) for one in list(self.places)[:most]]

    def having(self, address: str, values: Sequence[str]) -> Sequence[Record]:
        return [row for one in values if (row := self.rows.get(address, {}).get(one)) is not None]

    def near(self, step: Step, ident: str) -> Sequence[str]:
        return [one for one in (str(int(ident) - 1), str(int(ident) + 1)) if one in self.places]

    def namesakes(self, step: Step, ident: str) -> Sequence[str]:
        return self.others.get(ident, ())

    def look(self, step: Step, ident: str) -> str:
        return f"look at {ident}"

    def _record(self, ident: str) -> Record:
        return Record(ident, self.fields.get(ident, {}), self.vectors.get(ident, (self.places[ident], 1.0)))


def case(line: Line, *expected: str, calls: Sequence[Any] = (), references: Sequence[str] = (), **given: Any) -> Case:
    """An incident of one search of a line."""
    step = SqlStep(id="search", store="main", sql="SELECT 1", key="id")
    results = line.search(step, Asked())
    result = StepResult(columns=("id",), rows=tuple((one,) for one in results.ids), ids=results.ids)
    search = Search(step, line.retrieval(step), line)
    incident = Incident.model_validate(
        {"incident": "7", "environment": "prod", "steps": [step.model_dump()], "calls": list(calls)}
    )
    return Case(
        incident, "prod-7", **{"results": {"search": (result, result)}, "searches": (search,), "expected": expected,
        "references": tuple(map(parse, references)), "lookup": lambda _, address, values: line.having(address, values),
        **given},
    )  # fmt: skip
