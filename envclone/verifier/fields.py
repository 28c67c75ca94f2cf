"""Search every field for originals: what the masks made, and what the rules keep."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from envclone.address import Address
from envclone.forked import together
from envclone.memory import give_back
from envclone.models import Compared, ProgressEvent, StorePlan
from envclone.protocols import Masks, Progress, StoreSession
from envclone.shelf import Shelf
from envclone.verifier.coincidences import Coincidences
from envclone.verifier.compounds import Compounds
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import Accepted, Findings
from envclone.verifier.looker import Looker
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.people import People

if TYPE_CHECKING:
    from envclone.masking.kinds import DomainSpec

__all__ = ["examine_fields"]


def examine_fields(
    sessions: Mapping[str, StoreSession],
    cleans: Mapping[str, StoreSession],
    plans: Mapping[str, StorePlan],
    placed: Mapping[str, Collection[str]],
    domains: Mapping[str, DomainSpec],
    masks: Masks,
    progress: Progress,
    *,
    references: Sequence[str] = (),
    accepted: Iterable[Accepted] = (),
    shelf: Shelf | None = None,
    apart: Collection[str] = (),
) -> FieldFindings:
    """Compare the sanitized stores (`cleans`) with what the masks make of the raw ones, and search that for originals.

    One pass does both: what is searched is what was compared. Fields that the store computes itself are read in the
    sanitized one. What was found is in the `leaks` of the result. The originals, and what finds them, lie on the
    `shelf`. Stores that are `apart` are compared by copies of this process, beside the others.
    """
    shelf = shelf or Shelf()
    findings = FieldFindings(
        Originals(shelf), Coincidences(shelf), leaks=Findings(accepted), spared=getattr(masks, "nobody", None)
    )
    progress(ProgressEvent("collecting the originals", 0))
    people = People(sessions, plans, domains, references, findings.originals, findings.spared, findings.nobody)
    parts = Originals.parts(people.collect())
    findings.originals.seal()
    give_back()
    with ThreadPoolExecutor(1) as pool:  # compiled loops for the most part, which let other threads run
        made = pool.submit(LooseSearch, findings.originals)
        weak = findings.weak = LooseSearch(parts)
        compounds = findings.compounds = Compounds(people.subjects, parts, findings.originals)
        search = findings.search = made.result()
    findings.subjects = people.subjects
    lookers = {one: Looker(one, plans[one], search, weak, compounds, people, findings) for one in sessions}
    shelf.laid()
    give_back()

    here = os.getpid()

    def work(store: str) -> Callable[[Progress], tuple[Compared, Sequence[Any]]]:
        def run(progress: Progress) -> tuple[Compared, Sequence[Any]]:
            progress(ProgressEvent(store, 0))
            looker, taken = lookers[store], list[Any]()
            look = looker if os.getpid() == here else _Kept(looker, taken)
            compared = sessions[store].compare(
                cleans[store], plans[store], masks, placed.get(store, ()), look, progress
            )
            return compared, [*taken, looker.found()]

        return run

    for store, (compared, found) in together({one: work(one) for one in sessions}, apart, progress).items():
        looker, session = lookers[store], sessions[store]
        for one in found:
            looker.take(one)
        findings.rows[store] = compared.rows
        findings.differences += [f"{store}: {problem}" for problem in compared.problems]
        derived = {address for address, rule in plans[store].rules.items() if rule.derived}
        there = {one for one in derived if Address.parse(one).holder in placed.get(store, ())}
        for address in sorted(there):
            _in_their_rows(address, session, cleans[store], looker)
        by_others = {address for address, rule in plans[store].rules.items() if rule.by}
        computed = (derived - there) | by_others - looker.looked_at
        for address, batch in cleans[store].read(computed) if computed else ():
            looker.computed(address, batch)
        looker.take(looker.found())
        looker.judge()
    shelf.put_away()
    return findings


class _Kept:
    """Looks at values as a looker does; what copies of this process found is kept for the process that adds it up."""

    def __init__(self, looker: Looker, taken: list[Any]) -> None:
        self.batch, self.batches, self.rows = looker.batch, looker.batches, looker.rows
        self.numbers = looker.numbers
        self.by_others, self.found, self.take = looker.by_others, looker.found, taken.append


def _in_their_rows(address: str, raw: StoreSession, clean: StoreSession, looker: Looker) -> None:
    """Look at a field that the store computes, beside production's values of the same rows."""
    for ours, theirs in zip_longest(raw.rows({address}), clean.rows({address})):
        if theirs is None:
            continue
        same = ours is not None and list(ours.places) == list(theirs.places)
        looker.computed(address, theirs.fields[address], ours.fields[address] if same and ours is not None else None)
