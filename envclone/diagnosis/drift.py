"""The layer of drift: the branch's state is not the one in which it happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.models import Asked

__all__ = ["Drift"]


_DEEPER = 50
"""How far below the last rank what is equally near is looked for."""


class Drift:
    """What production returned then, and the branch does not now."""

    layer: ClassVar[Layer] = Layer.DRIFT
    causes: ClassVar[tuple[str, ...]] = ("drift",)

    def test(self, case: Case) -> Iterator[Finding]:
        """Steps that stay the same here, and differ from what was recorded."""
        report = case.replayed
        if report is None:
            return
        moment = case.incident.at or case.incident.recorded_at
        moved = _apart(case.state, moment)
        why = [*(f"changed since the branch's birth: {line}" for line in report.changed)]
        why += [f"vector indexes were built again in {', '.join(report.rebuilt)}"] if report.rebuilt else []
        for step in report.steps:
            if step.reproduced or step.step in case.unstable:
                continue
            then = case.then(step.step)
            now = case.returned(step.step)
            come, gone = [one for one in now if one not in then], [one for one in then if one not in now]
            said = "; ".join(step.reasons[:2]) or "it differs"
            text = f"the step {step.step} gives another answer than production gave: {said}{moved}"
            text += f"; {'; '.join(why)}" if why else ""
            records = tuple(dict.fromkeys((*gone, *come)))[:20]
            command = f"envclone replay {report.incident} --branch {case.branch}"
            command += f"\nenvclone diff {case.branch}..now --content"
            came = bool(case.expected) and set(case.expected) <= set(then) & set(now)
            text += "; what is expected came then, and comes now" if came else ""
            tied = bool(gone) and not came and _tied(case, step.step, gone, come)
            text += "; what went and what came are equally near: which comes is arbitrary" if tied else ""
            if other := case.altered.get(step.step, ()):
                text += f"; the step is not asked as production asked it: a mask changed {', '.join(other)}"
            certainty = Certainty.POSSIBLE if came or tied or other else Certainty.LIKELY
            yield Finding(Layer.DRIFT, "drift", text, command, certainty, step.step, records)


def _tied(case: Case, name: str, gone: Sequence[str], come: Sequence[str]) -> bool:
    """Whether what production returned, and the branch does not, has the score of what the branch returns instead."""
    search = next((one for one in case.searches if one.step.id == name and not one.retrieval.why_not), None)
    if search is None:
        return False
    hits = search.hits(Asked(limit=2 * search.retrieval.last + _DEEPER))
    scores = dict(zip(hits.ids, hits.scores, strict=False))
    there = {scores.get(one) for one in (*gone, *come)}
    return len(there) == 1 and None not in there and not any(score != score for score in there)


def _apart(state: dt.datetime | None, moment: dt.datetime | None) -> str:
    if state is None or moment is None:
        return ""
    seconds = (state - moment.astimezone(dt.UTC)).total_seconds()
    if abs(seconds) < 1:
        return ""
    size = f"{abs(seconds) / 3600:.1f} h" if abs(seconds) >= 3600 else f"{abs(seconds) / 60:.0f} min"
    return f"; the branch's state is {size} {'newer' if seconds > 0 else 'older'} than the incident"
