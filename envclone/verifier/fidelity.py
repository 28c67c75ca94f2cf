"""Whether the vector indexes answer as production's do: the same questions to raw and sanitized, side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from envclone.forked import together
from envclone.models import Questions, Unanswered
from envclone.protocols import Progress, StoreSession

__all__ = ["QUERIES", "fidelity", "lowest", "unfaithful"]

QUERIES = 100
"""Questions per vector index."""


def fidelity(
    raws: Mapping[str, StoreSession],
    cleans: Mapping[str, StoreSession],
    placed: Mapping[str, Collection[str]],
    progress: Progress = lambda event: None,
    *,
    apart: Collection[str] = (),
) -> dict[str, Any]:
    """Per store and index: how many questions were asked, and how many had the same ids, order and scores.

    `fraction` is None for an index that was not asked: `empty` says why there is nothing to ask it, `unasked` why it
    could not be, which is a finding. `placed` are the tables and collections of each store whose records are at their
    addresses, and are known by them. Stores that are `apart` are asked by copies of this process, beside the others.
    """

    def work(store: str) -> Callable[[Progress], dict[str, Any]]:
        return lambda progress: _asked(raws[store], cleans[store], placed[store])

    found = together({store: work(store) for store in raws}, apart, progress)
    return {store: one for store, one in found.items() if one}


def _asked(raw: StoreSession, clean: StoreSession, placed: Collection[str]) -> dict[str, Any]:
    """The same of one store."""
    questions = raw.probes(QUERIES)
    asked = [probe for one in questions for probe in one.probes]
    before, after = (side.answers(asked, placed) if questions else [] for side in (raw, clean))
    its: dict[str, list[tuple[Any, Any]]] = {}
    for probe, one, other in zip(asked, before, after, strict=True):
        its.setdefault(probe.index, []).append((one, other))
    return {one.index: _compared(one, its.get(one.index, [])) for one in questions}


def unfaithful(
    found: Mapping[str, Any],
    minimum: float,
    accepted: Mapping[str, str],
    masked: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """What keeps an image from being made: indexes below the minimum, indexes that could not be asked.

    `masked` are the fields of each store whose values are other ones: an index that is built on one is told apart.

    Those that the stack file accepts by name (`store.index`) are marked with its reason; a name without an index is a
    problem as well.
    """
    problems, names = [], set()
    for store, indexes in found.items():
        for index, one in indexes.items():
            name = f"{store}.{index}"
            names.add(name)
            if name in accepted:
                one["accepted"] = accepted[name]
            elif one.get("unasked"):
                problems.append(f"{store}: the vector index {index} could not be asked: {one['unasked']}")
            elif one["fraction"] is not None and one["fraction"] < minimum:
                problems.append(
                    f"{store}: {index} answers {one['identical']} of {one['queries']} questions as production's does "
                    f"({one['fraction']:.1%}), {minimum:.1%} is asked for (sanitize.fidelity.minimum)"
                    + _because(one.get("reads", ()), (masked or {}).get(store, ()))
                )
    problems += [
        f"sanitize.fidelity.accept names {name}, but there is no such vector index"
        + (f"; there are: {', '.join(sorted(names))}" if names else "")
        for name in accepted
        if name not in names
    ]
    return problems


def _because(reads: Sequence[str], masked: Collection[str]) -> str:
    """That an index is made of values that are masked."""
    its = [field for field in reads if field in masked]
    return f"; it is built on {' and '.join(its)}, whose pseudonyms make another index of it" if its else ""


def lowest(found: Mapping[str, Any]) -> float | None:
    """The least fraction of any index; None when none was asked."""
    fractions = [one["fraction"] for its in found.values() for one in its.values() if one["fraction"] is not None]
    return min(fractions, default=None)


def _compared(questions: Questions, pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    why = questions.unasked
    for side, place in (("in production's copy", 0), ("in the clone", 1)):
        why = why or next((f"{side}, {one.why}" for pair in pairs if isinstance(one := pair[place], Unanswered)), "")
    if why or not pairs:
        said = {"unasked": why} if why else {"empty": questions.empty or "there is nothing to ask"}
        return {"queries": 0, "identical": 0, "fraction": None, **said}
    same = sum(one == other for one, other in pairs)
    reads = {"reads": list(questions.reads)} if questions.reads and same < len(pairs) else {}
    return {"queries": len(pairs), "identical": same, "fraction": same / len(pairs), **reads}
