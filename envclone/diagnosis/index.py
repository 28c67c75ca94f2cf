"""The layer of the index: an exact search finds it, and the approximate one does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from envclone.diagnosis.case import DEPTH, Case, Search
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.models import Asked, Hits

__all__ = ["Index", "wider"]


class Index:
    """Every expected record that is among the first by distance, and is not returned."""

    layer: ClassVar[Layer] = Layer.INDEX
    causes: ClassVar[tuple[str, ...]] = (
        "breadth_too_small", "unreachable", "scan_exhausted", "dead_rows", "probes_too_few", "not_indexed",
        "quantization_lossy",
    )  # fmt: skip

    def test(self, case: Case) -> Iterator[Finding]:
        """Compare ranks, then widen the search until it is found."""
        for search, ident in case.blamed():
            if ident in case.then(search.step.id):
                continue  # production's own index returned it: what differs is a drift, or chance
            retrieval = search.retrieval
            rank = _exact_rank(search, ident)
            if rank is None or rank > retrieval.last:
                continue
            if not search.returns(ident) and not search.tied(
                ident
            ):  # else what is around it drops it, or others are as near
                yield _cause(search, ident, rank)


def _exact_rank(search: Search, ident: str) -> int | None:
    """Its rank by distance alone; None where no index has a part in the search."""
    retrieval = search.retrieval
    if not (retrieval.index or retrieval.indexed_only or retrieval.compressed):
        return None
    rank = search.exact_rank(ident)
    if retrieval.compressed and (rank is None or rank > retrieval.last):
        rank = search.hits(Asked(exact=True, limit=DEPTH, unquantized=True)).rank(ident)
    return rank


def _cause(search: Search, ident: str, rank: int) -> Finding:
    retrieval = search.retrieval
    last, name = retrieval.last, retrieval.breadth_name
    base = search.hits(Asked(limit=last))
    full = min(last, len(search.exactly().ids))
    at, hits = wider(search, ident)
    beginning = f"{ident} is at rank {rank} of an exact search"
    if retrieval.indexed_only:
        all_of_them = search.hits(Asked(limit=last, unindexed=True))
        if all_of_them.rank(ident):
            text = f"{beginning}, and no index has it yet: indexed_only leaves it out, and without that it is found"
            return _found(search, "not_indexed", text, all_of_them, ident)
    if retrieval.compressed:
        whole = search.hits(Asked(limit=last, unquantized=True))
        if whole.rank(ident):
            text = f"{beginning}, and is not found by the compressed vectors ({retrieval.compressed}); by the vectors"
            text += " themselves it is"
            return _found(search, "quantization_lossy", text, whole, ident)
    short = len(base.ids) < full
    few = f"the index gave {len(base.ids)} of {last} results at {name} = {retrieval.breadth}"
    if retrieval.index == "ivfflat" and at:
        text = f"{beginning}, and is not found in {retrieval.breadth} lists; in {at} it is"
        return _found(search, "probes_too_few", text, hits, ident)
    if short and retrieval.late:
        going = search.hits(Asked(limit=last, unbounded=True))
        if going.rank(ident) or at:
            bound = f", bounded by {retrieval.bounded}" if retrieval.bounded else ", and does not go on"
            how = "with a scan that goes on" if going.rank(ident) else f"at {name} = {at}"
            text = f"{beginning}; {few}, for rows are left out behind it{bound}; {how} it is found"
            return _found(search, "scan_exhausted", text, going if going.rank(ident) else hits, ident)
    elif short:
        going = search.hits(Asked(limit=last, unbounded=True))
        if going.rank(ident) or at:
            text = f"{beginning}; {few}, though nothing is filtered: the others lead to rows that are dead; " + (
                f"at {name} = {at} it is found" if at else "with a scan that goes on it is found"
            )
            return _found(search, "dead_rows", text, hits if at else going, ident)
    if at:
        text = f"{beginning}, and is not found at {name} = {retrieval.breadth}; at {at} it is"
        return _found(search, "breadth_too_small", text, hits, ident)
    widest = max((*retrieval.breadths, retrieval.breadth))
    text = f"{beginning}, and is not found at any {name} up to {widest}: no path of the graph leads to it"
    return _found(search, "unreachable", text, search.hits(Asked(limit=last, breadth=widest)), ident)


def wider(search: Search, ident: str) -> tuple[int | None, Hits]:
    """The smallest breadth above the one in force at which an id is found, and what is found there."""
    retrieval = search.retrieval
    hits = Hits()
    for breadth in retrieval.breadths:
        if breadth > retrieval.breadth:
            hits = search.hits(Asked(limit=retrieval.last, breadth=breadth))
            if hits.rank(ident):
                return breadth, hits
    return None, hits


def _found(search: Search, cause: str, evidence: str, hits: Hits, ident: str) -> Finding:
    return Finding(Layer.INDEX, cause, evidence, hits.command, Certainty.SHOWN, search.step.id, (ident,))
