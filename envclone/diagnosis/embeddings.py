"""The layer of the state, of vectors: one that is of another text, another model or another length."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from envclone.diagnosis.case import Case, Search
from envclone.diagnosis.conversation import later_worked
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.state import referred
from envclone.diagnosis.vectors import Crowd
from envclone.diagnosis.wired import calls_of
from envclone.diagnosis.words import flat, text_field, text_of, words
from envclone.models import Asked, Record

__all__ = ["Embeddings"]

_MODEL = re.compile(r"(^|[_.])(embedding_?)?(model|embedder|encoder)(_?(name|id|version))?$", re.IGNORECASE)
_WRITTEN = re.compile(r"(^|[_.])(updated|modified|changed|edited)(_?(at|on|time))?$", re.IGNORECASE)
_EMBEDDED = re.compile(r"(^|[_.])(embedded|indexed|vectori[sz]ed|synced|encoded)(_?(at|on|time))?$", re.IGNORECASE)
_DIMENSIONS = re.compile(r"different vector dimensions (\d+) and (\d+)|expected dim: (\d+), got (\d+)")
_MOST = 0.8
"""Which part of the records has to agree for the rest to differ."""
_NEAR = 0.98
_FAR_OUT = 12.0
"""Deviations outside of the others from which a vector is of another model, though a little nearer to texts like it."""
_ASKED_AGAIN = 4


class Embeddings:
    """Vectors of what is expected, when even an exact search does not bring it in."""

    layer: ClassVar[Layer] = Layer.STATE
    causes: ClassVar[tuple[str, ...]] = ("wrong_dimension", "wrong_model", "stale_embedding")

    def test(self, case: Case) -> Iterator[Finding]:
        """Dimensions that do not fit; then the model, the age and the copies of what ranks too low."""
        for name, results in case.results.items():
            match = _DIMENSIONS.search(results[0].error or "") if results else None
            if match:
                yield Finding(Layer.STATE, "wrong_dimension", f"the step fails: {results[0].error}", _replay(case),
                              Certainty.SHOWN, name)  # fmt: skip
        calls = calls_of(case.incident)
        for number, call in enumerate(calls):
            if call.error and _DIMENSIONS.search(call.error) and not later_worked(calls, number):
                text = f"the {call.kind} call {call.name or call.id} failed in production: {call.error[:200]}"
                command = f"envclone incident show {case.incident.incident}"
                yield Finding(Layer.STATE, "wrong_dimension", text, command, Certainty.SHOWN)
        for search, ident in case.blamed():
            record = search.record(ident)
            if record is None or not record.vector or search.retrieval.composed:
                continue
            dimensions = search.retrieval.dimensions
            if dimensions is not None and len(record.vector) != dimensions:
                text = f"{ident} has {len(record.vector)} dimensions, and the query {dimensions}"
                yield _finding(case, search, "wrong_dimension", text, Certainty.SHOWN, ident)
            elif _far_down(search, ident):
                yield from _of_vector(case, search, record)


def _far_down(search: Search, ident: str) -> bool:
    """Whether distance alone keeps it out: an exact search finds it too low, with and without its conditions."""
    ranks = (search.exactly().rank(ident), search.exactly(search.everything).rank(ident))
    return all(rank is None or rank > search.retrieval.last for rank in ranks)


def _of_vector(case: Case, search: Search, record: Record) -> Iterator[Finding]:
    sample = [one for one in search.sample() if one.id != record.id and one.vector is not None]
    sample = [one for one in sample if len(one.vector or ()) == len(record.vector or ())]
    name = text_field(sample)
    if found := _other_model(sample, record):
        yield _finding(case, search, "wrong_model", found, Certainty.SHOWN, record.id)
        return
    if found := _older(case, search, record, name, sample):
        yield _finding(case, search, "stale_embedding", found, Certainty.SHOWN, record.id)
        return
    text = text_of(record, name)
    asked = _asked_again(case, record, text, sample, name)
    if asked is not None:
        if asked:
            yield _finding(case, search, "stale_embedding", asked, Certainty.SHOWN, record.id)
        return
    if not text:
        return
    crowd = Crowd([one.vector or () for one in sample], [text_of(one, name) for one in sample])
    vector = record.vector or ()
    if length := crowd.odd_length(vector):
        said = f"{record.id} has a vector of length {length[0]:.3g}; the others have {length[1]:.3g}"
        yield _finding(case, search, "wrong_model", said, Certainty.LIKELY, record.id)
        return
    agreement = crowd.agreement(vector, text)
    if agreement is None or not (agreement.broken or agreement.weak):
        return
    place = crowd.odd_place(vector)
    if not agreement.broken and (place or 0.0) < _FAR_OUT:
        return
    usual = f"its vector is {agreement.own:.1f} deviations nearer to texts like it than to any; {agreement.usual:.1f}"
    if place:
        said = f"{record.id} does not lie where the others do ({place:.1f} deviations outside); {usual} is usual"
        yield _finding(case, search, "wrong_model", said, Certainty.LIKELY, record.id)
    else:
        said = f"{record.id} lies among texts that are not like its own: {usual} is usual, so it is of another text"
        yield _finding(case, search, "stale_embedding", said, Certainty.LIKELY, record.id)


def _other_model(sample: Sequence[Record], record: Record) -> str:
    """What a field says of the model that made the vector, where most others say something else."""
    for name, value in flat(record.fields).items():
        if _MODEL.search(name) and isinstance(value, str | int):
            counts = Counter(str(flat(one.fields).get(name)) for one in sample)
            usual, many = counts.most_common(1)[0] if counts else ("", 0)
            if usual not in ("None", str(value)) and many >= _MOST * len(sample):
                return f"{record.id} has {name} = {value}; {many} of {len(sample)} others have {usual}"
    return ""


def _older(case: Case, search: Search, record: Record, name: str | None, sample: Sequence[Record]) -> str:
    """Whether the text is newer than its vector: by the times that are written down, or by the row's own text."""
    rows = referred(case, search, record)
    own = flat(record.fields)
    embedded = _time(own, _EMBEDDED)
    for source, fields in (("it", own), *((one.target, flat(row.fields)) for one, row in rows)):
        written = _time(fields, _WRITTEN)
        if written is not None and embedded is not None and written > embedded:
            return f"{record.id} was embedded at {embedded:%Y-%m-%d %H:%M} UTC, and {source} was written at " + (
                f"{written:%Y-%m-%d %H:%M} UTC"
            )
    text = text_of(record, name)
    if not text or not rows:
        return ""
    for one, row in rows:
        field = _copied(case, search, sample, name)
        theirs = flat(row.fields).get(field) if field else None
        if isinstance(theirs, str) and words(theirs) != words(text):
            return (
                f"{record.id} holds another text than the row {row.id} of {one.target}; other points hold their row's"
            )
    return ""


def _copied(case: Case, search: Search, sample: Sequence[Record], name: str | None) -> str | None:
    """The field of the rows that nearly all points have a copy of; None when there is none."""
    counts: Counter[str] = Counter()
    looked = 0
    for one in sample[:: max(1, len(sample) // 20)]:
        text = text_of(one, name)
        for _, row in referred(case, search, one)[:1]:
            looked += 1
            counts.update(field for field, value in flat(row.fields).items() if text and value == text)
    best = counts.most_common(1)
    return best[0][0] if best and best[0][1] >= _MOST * looked else None


def _time(fields: Mapping[str, Any], named: re.Pattern[str]) -> dt.datetime | None:
    for name, value in fields.items():
        if named.search(name) and isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                made = dt.datetime.fromisoformat(value) if isinstance(value, str) else (
                    dt.datetime.fromtimestamp(value, dt.UTC))  # fmt: skip
            except (ValueError, OverflowError, OSError):
                continue
            return made if made.tzinfo else made.replace(tzinfo=dt.UTC)
    return None


def _asked_again(case: Case, record: Record, text: str, sample: Sequence[Record], name: str | None) -> str | None:
    """What the application's own embedder says of the vector; '' that it is right, None without an embedder."""
    if case.embed is None or not text or not record.vector:
        return None
    others = [one for one in sample if text_of(one, name)][:: max(1, len(sample) // _ASKED_AGAIN)][:_ASKED_AGAIN]
    right = [_cosine(case.embed(text_of(one, name)), one.vector or ()) for one in others]
    own = _cosine(case.embed(text), record.vector)
    if not right or sorted(right)[len(right) // 2] < _NEAR:
        return None  # it is not the model that made these vectors
    if own >= _NEAR:
        return ""
    return f"{record.id}: the embedder's vector of its text and the one that is stored have a cosine of {own:.2f}"


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    if len(left) != len(right):
        return 0.0
    lengths = math.hypot(*left) * math.hypot(*right)
    return sum(a * b for a, b in zip(left, right, strict=True)) / lengths if lengths else 0.0


def _finding(case: Case, search: Search, cause: str, text: str, certainty: Certainty, ident: str) -> Finding:
    rank = search.exactly().rank(ident)
    text += f"; an exact search has it at rank {rank}" if rank else ""
    command = search.hits(Asked(exact=True, limit=max(rank or 0, search.retrieval.last))).command
    return Finding(Layer.STATE, cause, text, command, certainty, search.step.id, (ident,))


def _replay(case: Case) -> str:
    return f"envclone replay {case.incident.incident} --branch {case.branch}"
