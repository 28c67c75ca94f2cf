"""A store that is a list of records on a line: the nearest are those whose number is nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

    def retrieval(self, step: Step) -> Retrieval:
        return Retrieval(
            step.id, "main", "public.chunks", limit=self.limit, key="id", vector="embedding", index=self.index,
            breadth=self.breadth, breadths=(10, 100, 1000), breadth_name="ef", late=self.late,
            conditions=tuple(one for one, _ in self.keeps), dimensions=self.dimensions,
        )  # fmt: skip

    def search(self, step: Step, asked: Asked) -> Hits:
        left = [keeps for number, (_, keeps) in enumerate(self.keeps) if number not in asked.without]
        kept = [one for one in sorted(self.places, key=self.places.__getitem__) if all(one in keeps for keeps in left)]
        breadth = 10**6 if asked.unbounded else asked.breadth or self.breadth
        if asked.only is not None:
            kept = [one for one in kept if one in asked.only]
        elif self.index and not asked.exact:
            kept = [one for one in kept if self.seen.get(one, 0) <= breadth]
            kept = kept[: max(0, breadth - self.dead)]
        ids = tuple(kept[: asked.limit or self.limit])
        return Hits(ids, tuple(self.places[one] for one in ids), command=f"asked {asked}")

    def records(self, step: Step, ids: Sequence[str]) -> Sequence[Record]:
        return [self._record(one) for one in ids if one in self.places]

    def sample(self, step: Step, most: int) -> Sequence[Record]:
        return [self._record(one) for one in list(self.places)[:most]]

    def having(self, address: str, values: Sequence[str]) -> Sequence[Record]:
        return [row for one in values if (row := self.rows.get(address, {}).get(one)) is not None]

    def near(self, step: Step, ident: str) -> Sequence[str]:
        return [one for one in (str(int(ident) - 1), str(int(ident) + 1)) if one in self.places]

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
