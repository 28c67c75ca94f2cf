"""The layer of the state: a record that is not there, or points to nothing, or is there several times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from envclone.address import Address
from envclone.diagnosis.case import Case, Search
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.masking.references import Reference
from envclone.models import Asked, Record

__all__ = ["State", "pointing", "referred", "values_at"]

_SHOWN = 5


class State:
    """Looks up what is expected, and what what is returned refers to."""

    layer: ClassVar[Layer] = Layer.STATE
    causes: ClassVar[tuple[str, ...]] = (
        "row_without_point",
        "row_without_vector",
        "missing_chunk",
        "other_table",
        "point_without_row",
    )

    def test(self, case: Case) -> Iterator[Finding]:
        """What is expected and is not there; what is returned and should not be."""
        told: set[str] = set()
        for search, ident in case.blamed():
            record = search.record(ident)
            if record is None and ident not in told:
                told.add(ident)
                yield _absent(case, search, ident)
            elif record is not None and record.vector is None and search.retrieval.vector:
                text = f"{ident} is in {search.retrieval.place}, and has no vector in {search.retrieval.vector}"
                yield Finding(Layer.STATE, "row_without_vector", text, search.look(ident), Certainty.SHOWN,
                              search.step.id, (ident,))  # fmt: skip
            elif record is not None and (found := _elsewhere(search, ident)) is not None:
                yield found
        for search in case.searches:
            yield from _orphans(case, search)


def pointing(case: Case, search: Search) -> tuple[tuple[Reference, tuple[str, ...]], ...]:
    """The references of what a search searches, with the names below its place; those that hold for some rows only
    are left out."""
    place = Address.parse(search.retrieval.place).parts if search.retrieval.place else ()
    found = []
    for one in case.references:
        parts = Address.parse(one.source).parts
        if one.store == search.step.store and place and parts[: len(place)] == place and one.where is None:
            found.append((one, parts[len(place) :]))
    return tuple(found)


def values_at(record: Record, names: Sequence[str]) -> tuple[str, ...]:
    """What a record says at a path, as text; its id at `point_ids`."""
    if tuple(names) == ("point_ids",):
        return (record.id,)
    value: Any = record.fields
    for name in names:
        value = value.get(name.removesuffix("[]").removesuffix("[*]")) if isinstance(value, Mapping) else None
    listed = value if isinstance(value, list) else [value]
    return tuple(str(one) for one in listed if one is not None)


def referred(case: Case, search: Search, record: Record) -> tuple[tuple[Reference, Record], ...]:
    """The rows of other stores that a record refers to."""
    found = []
    for one, names in pointing(case, search):
        if values := values_at(record, names):
            found += [(one, row) for row in case.lookup(one.target_store, one.target, values)]
    return tuple(found)


def _absent(case: Case, search: Search, ident: str) -> Finding:
    place = search.retrieval.place or search.step.store
    for one, names in pointing(case, search):
        if not case.lookup(one.target_store, one.target, [ident]):
            continue
        if names == ("point_ids",) or not case.lookup(one.store, one.source, [ident]):
            text = f"{one.target_store} has the row {ident} ({one.target}), and nothing in {place} refers to it"
            return Finding(Layer.STATE, "row_without_point", text, search.look(ident), Certainty.SHOWN,
                           search.step.id, (ident,))  # fmt: skip
    if others := search.namesakes(ident):
        if (found := _elsewhere(search, ident)) is not None:
            return found
        text = (
            f"{ident} is not in {place}, which the session's search_path leads to; {' and '.join(others)} of the same"
        )
        text += f" name {'have' if len(others) > 1 else 'has'} it"
        return Finding(Layer.STATE, "other_table", text, search.look(ident), Certainty.LIKELY, search.step.id, (ident,))
    beside = search.near(ident)
    gap = f"; {' and '.join(beside)} beside it {'are' if len(beside) > 1 else 'is'} there" if beside else ""
    return Finding(Layer.STATE, "missing_chunk", f"{ident} is not in {place}{gap}", search.look(ident),
                   Certainty.SHOWN, search.step.id, (ident,))  # fmt: skip


def _elsewhere(search: Search, ident: str) -> Finding | None:
    """The table of the same name whose record of this id the search gives, when it looks there."""
    retrieval = search.retrieval
    rank = search.exact_rank(ident) if search.record(ident) is not None else None
    if rank is not None and rank <= retrieval.last:
        return None
    for other in search.namesakes(ident):
        hits = search.hits(Asked(place=other, limit=retrieval.last))
        if place := hits.rank(ident):
            here = f"at rank {rank}" if rank else "not there"
            text = f"{ident} is {here} in {retrieval.place}, which the session's search_path leads to; the same search"
            text += f" in {other}, a table of the same name, has another record of that id at rank {place}"
            return Finding(Layer.STATE, "other_table", text, hits.command, Certainty.SHOWN, search.step.id, (ident,))
    return None


def _orphans(case: Case, search: Search) -> Iterator[Finding]:
    returned = case.returned(search.step.id)
    if not returned or search.step.id in case.unstable:
        return
    for one, names in pointing(case, search):
        refers = {record.id: values_at(record, names) for record in search.records(returned)}
        wanted = sorted({value for values in refers.values() for value in values})
        if not wanted:
            continue
        target = Address.parse(one.target).parts[-1:]
        rows = case.lookup(one.target_store, one.target, wanted)
        there = {row.id for row in rows} | {value for row in rows for value in values_at(row, target)}
        lost = tuple(ident for ident, values in refers.items() if values and not set(values) & there)
        if lost:
            some = ", ".join(lost[:_SHOWN]) + (f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else "")
            text = f"{some} {'is' if len(lost) == 1 else 'are'} returned, and refer{'s' if len(lost) == 1 else ''} to"
            text += f" no row of {one.target_store}.{one.target}"
            yield Finding(Layer.STATE, "point_without_row", text, search.look(lost[0]), Certainty.SHOWN,
                          search.step.id, lost)  # fmt: skip
