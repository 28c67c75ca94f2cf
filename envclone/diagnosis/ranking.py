"""The layers of meaning and rank: the right vector is not near enough, or others stand before it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

from envclone.diagnosis.case import DEPTH, Case, Search
from envclone.diagnosis.conversation import question_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.words import flat, shared, text_field, text_of, words
from envclone.models import Asked, Hits, Record

__all__ = ["Ranking", "copies"]

_BELOW = 3
"""How many times the last rank is still below it, and not far away."""
_ALIKE = 0.6
"""The part of their shingles that two texts share which say the same."""
_MANY = 4
"""How many are returned at least for nearly all of them to be of one document."""
_RARE = 0.2
"""The part of all records that are of one document at most."""
_SOURCE = re.compile(
    r"(^|[_.])(docs?|documents?|article|page|file|filename|source|parent|thread|ticket|conversation|book|manual|url|uri|"
    r"path|post|transcript)([_.]?(id|key|uuid|url|uri|name|path|slug))?$",
    re.IGNORECASE,
)
_SEEN = 200
"""How many records before it are compared."""


class Ranking:
    """Records that an exact search finds below the last rank."""

    layer: ClassVar[Layer] = Layer.RANKING
    causes: ClassVar[tuple[str, ...]] = ("duplicates", "crowded_out", "below_k", "semantic_gap", "offset_skips",
                                        "fusion_weights")  # fmt: skip

    def test(self, case: Case) -> Iterator[Finding]:
        """What stands before it: copies of one text, others, or nearly everything."""
        for search, ident in case.blamed():
            if ident in case.then(search.step.id):
                continue  # production's own index returned it: what differs is a drift, or chance
            record = search.record(ident)
            if search.retrieval.why_not or (record is None and not search.retrieval.composed):
                continue
            if record is not None and record.vector is None and search.retrieval.vector:
                continue
            if not search.hits(Asked(only=(ident,), limit=1)).ids and not _apart(search, ident):
                continue  # a condition leaves it out
            rank = search.exact_rank(ident)
            if rank is not None and search.tied(ident):
                yield _as_near(search, ident)
            elif rank is None or rank > search.retrieval.last:
                yield _ranked(case, search, record or Record(ident), rank)
            elif rank <= search.retrieval.offset:
                yield _skipped(search, ident, rank)


def _apart(search: Search, ident: str) -> bool:
    """Whether a search of sparse vectors has nothing to compare: no condition keeps it out, and yet it is not there."""
    retrieval = search.retrieval
    if retrieval.composed or not retrieval.sparse:
        return False
    return not search.hits(Asked(only=(ident,), limit=1, without=search.everything)).ids


def _as_near(search: Search, ident: str) -> Finding:
    last = search.retrieval.last
    hits = search.hits(Asked(exact=True, limit=last + 1))
    text = f"{ident} is as near as the last of the {last} that are returned: which of those comes is arbitrary, and a"
    return Finding(Layer.RANKING, "below_k", f"{text} greater limit brings it in", hits.command, Certainty.SHOWN,
                   search.step.id, (ident,))  # fmt: skip


def _ranked(case: Case, search: Search, record: Record, rank: int | None) -> Finding:
    last = search.retrieval.last
    exact = search.exactly()
    ident = record.id
    where = f"{ident} is at rank {rank} of an exact search" if rank else f"{ident} is beyond rank {DEPTH}"
    command = search.hits(Asked(exact=True, limit=rank or DEPTH)).command
    if rank is not None and rank <= _SEEN + last:
        before = search.records(exact.ids[: rank - 1])
        for exactly, layer, cause in ((True, Layer.STATE, "duplicates"), (False, Layer.RANKING, "crowded_out")):
            extra = copies(before, exactly=exactly)
            if rank - len(extra) <= last and extra:
                what = "are copies of another" if exactly else "say nearly what another says"
                text = (
                    f"{where}, and {last} are returned; {len(extra)} of those before it {what}: without them it is at "
                    f"rank {rank - len(extra)}"
                )
                return Finding(layer, cause, text, command, Certainty.SHOWN, search.step.id, (ident, *extra[:20]))
        if rank - len(extra := _of_one_source(search, before, record)) <= last and extra:
            text = f"{where}, and nearly all of the {last} that are returned are parts of one; without the {len(extra)}"
            text += f" others of it that stand before it, it is at rank {rank - len(extra)}"
            return Finding(Layer.RANKING, "crowded_out", text, command, Certainty.SHOWN, search.step.id,
                           (ident, *extra[:20]))  # fmt: skip
    if search.retrieval.composed:
        own = {part.step.id.partition("/")[2]: part.hits(Asked(limit=part.retrieval.last)).rank(ident)
               for part in search.parts(ident)}  # fmt: skip
        said = ", ".join(f"{name}: {f'rank {at}' if at else 'not there'}" for name, at in own.items())
        evenly = search.hits(Asked(limit=last, evenly=True)) if search.retrieval.weighted else Hits()
        place = f"at rank {rank}" if rank else "not among all"
        text = f"{ident} is {place} when its searches are put together, and {last} are returned"
        text += f" ({said})" if said else ""
        if at := evenly.rank(ident):
            text += f"; weighed alike they have it at rank {at}"
            return Finding(Layer.RANKING, "fusion_weights", text, evenly.command, Certainty.SHOWN, search.step.id,
                           (ident,))  # fmt: skip
        return Finding(Layer.RANKING, "below_k", text, command, Certainty.SHOWN, search.step.id, (ident,))
    if rank is not None and rank <= _BELOW * last:
        text = f"{where}, and {last} are returned: a limit of {rank} brings it in"
        return Finding(Layer.RANKING, "below_k", text, command, Certainty.SHOWN, search.step.id, (ident,))
    text = f"{where}, and {last} are returned: query and text are far apart{_in_common(case, record)}"
    return Finding(Layer.SEMANTIC, "semantic_gap", text, command, Certainty.LIKELY, search.step.id, (ident,))


def _skipped(search: Search, ident: str, rank: int) -> Finding:
    first = search.retrieval.offset
    text = f"{ident} is at rank {rank} of an exact search, and the first {first} are left out (offset)"
    command = search.hits(Asked(exact=True, limit=search.retrieval.last)).command
    return Finding(Layer.RANKING, "offset_skips", text, command, Certainty.SHOWN, search.step.id, (ident,))


def copies(records: Sequence[Record], *, exactly: bool) -> tuple[str, ...]:
    """The records that repeat one before them, by their text or their vector: word for word, or nearly."""
    name = text_field(records)
    kept: list[Record] = []
    repeated: list[str] = []
    for record in records:
        text = text_of(record, name)
        same = any(
            (exactly and bool(record.vector) and record.vector == other.vector)
            or (bool(text) and (words(text) == words(text_of(other, name)) if exactly else (
                shared(text, text_of(other, name)) >= _ALIKE)))
            for other in kept
        )  # fmt: skip
        if same:
            repeated.append(record.id)
        else:
            kept.append(record)
    return tuple(repeated)


def _of_one_source(search: Search, before: Sequence[Record], record: Record) -> tuple[str, ...]:
    """Of the records before one those that are of the same document as nearly all that are returned, but the first."""
    returned = before[: search.retrieval.last]
    if len(returned) < _MANY:
        return ()
    for name, value in flat(record.fields).items():
        if not _SOURCE.search(name):
            continue
        ((most, count),) = Counter(str(flat(one.fields).get(name)) for one in returned).most_common(1)
        if count < len(returned) - 1 or most in ("None", str(value)):
            continue
        sample = search.sample()
        if sum(str(flat(one.fields).get(name)) == most for one in sample) > _RARE * len(sample):
            continue  # it is a kind, and no document
        return tuple(one.id for one in before if str(flat(one.fields).get(name)) == most)[1:]
    return ()


def _in_common(case: Case, record: Record) -> str:
    """The query's words that the text has, when a trace tells the query."""
    question = question_of(case.incident)
    if not question:
        return ""
    asked, there = dict.fromkeys(words(question)), set(words(text_of(record, text_field([record]))))
    both = [word for word in asked if word in there and len(word) > 3]
    if not both:
        return "; no word of the question stands in it"
    return f"; {len(both)} words of the question stand in it ({', '.join(both[:5])})"
