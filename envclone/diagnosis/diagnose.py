"""All hypotheses, tested: what was found, in the order of the layers, and what could not be tested."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from envclone.diagnosis.assembly import Assembly
from envclone.diagnosis.case import DEPTH, Case, Search
from envclone.diagnosis.chance import Chance
from envclone.diagnosis.compared import Compared
from envclone.diagnosis.conversation import left_out
from envclone.diagnosis.drift import Drift
from envclone.diagnosis.embeddings import Embeddings
from envclone.diagnosis.filled import Filled
from envclone.diagnosis.filters import Filter
from envclone.diagnosis.finding import Certainty, Finding, Hypothesis, Layer
from envclone.diagnosis.formatting import Formatting
from envclone.diagnosis.grounding import Grounding
from envclone.diagnosis.index import Index
from envclone.diagnosis.infrastructure import Infrastructure
from envclone.diagnosis.ranking import Ranking
from envclone.diagnosis.state import State
from envclone.diagnosis.sweep import Point, sweep
from envclone.diagnosis.tools import Tools
from envclone.diagnosis.window import Window
from envclone.models import Asked

__all__ = ["HYPOTHESES", "Candidate", "Diagnosis", "diagnose"]

HYPOTHESES: tuple[Hypothesis, ...] = (
    Infrastructure(), State(), Embeddings(), Index(), Filter(), Compared(), Ranking(), Filled(), Window(), Assembly(),
    Tools(), Formatting(), Grounding(), Chance(), Drift(),
)  # fmt: skip
"""Every hypothesis; each that says something says it of a layer."""

_LAYERS = list(Layer)
_CERTAIN = list(Certainty)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that an exact search gives and the step does not: something that may have been expected."""

    step: str
    record: str
    rank: int
    why: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found of an incident in a branch.

    `findings` are sorted by layer; `missing` are those of the expected ids that no step returned; `candidates` are what
    may have been expected when nobody said it; `unknown` what could not be tested, and why.
    """

    incident: str
    branch: str
    findings: tuple[Finding, ...]
    expected: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    unknown: tuple[str, ...] = ()
    sweeps: tuple[Point, ...] = ()
    seconds: float = 0.0

    @property
    def first(self) -> Finding | None:
        """The first failing layer's finding, which is shown or likely; None when there is none."""
        return next((one for one in self.findings if one.certainty is not Certainty.POSSIBLE), None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        first = self.first
        return {
            "incident": self.incident,
            "branch": self.branch,
            "layer": str(first.layer) if first else None,
            "cause": first.cause if first else None,
            **{name: value for name, value in asdict(self).items() if name not in ("incident", "branch")},
        }


def diagnose(case: Case, *, sweeps: bool = False) -> Diagnosis:
    """Test every hypothesis."""
    began = time.monotonic()
    findings = [finding for hypothesis in HYPOTHESES for finding in hypothesis.test(case)]
    findings = [_beside(_of_its_step(one), findings, case) for one in findings]
    findings.sort(key=lambda one: (_LAYERS.index(one.layer), _CERTAIN.index(one.certainty)))
    points = tuple(point for search in _all(case) for point in sweep(search, case.expected)) if sweeps else ()
    return Diagnosis(
        incident=case.incident.incident,
        branch=case.branch,
        findings=tuple(findings),
        expected=case.expected,
        missing=case.missing,
        candidates=() if case.expected else tuple(_candidates(case.searches)),
        unknown=tuple(_unknown(case)),
        sweeps=points,
        seconds=round(time.monotonic() - began, 3),
    )


def _all(case: Case) -> Iterator[Search]:
    """Each search, and those that it puts together."""
    for search in case.searches:
        yield search
        parts = [part for ident in case.expected or ("",) for part in search.parts(ident)]
        yield from {part.step.id: part for part in parts}.values()


def _beside(finding: Finding, findings: Sequence[Finding], case: Case) -> Finding:
    """A point without a row that is returned explains nothing of a missing record for which another cause was shown."""
    if finding.cause != "point_without_row" or set(finding.records) & set(case.missing):
        return finding
    shown = {ident for one in findings if one is not finding and one.certainty is Certainty.SHOWN and one.cause not in (
        "point_without_row", "below_k") for ident in one.records}  # fmt: skip
    explained = bool(case.missing) and set(case.missing) <= shown
    return replace(finding, certainty=Certainty.POSSIBLE) if explained else finding


def _of_its_step(finding: Finding) -> Finding:
    """A finding of a search that a step puts together with others is the step's."""
    step, _, part = finding.step.partition("/")
    return replace(finding, step=step, evidence=f"{part}: {finding.evidence}") if part else finding


def _candidates(searches: Sequence[Search]) -> Iterator[Candidate]:
    """What an exact search gives among the first and the step's own does not, and what conditions keep out."""
    for search in searches:
        retrieval = search.retrieval
        if retrieval.why_not or not retrieval.limit:
            continue
        own = set(search.hits(Asked(limit=retrieval.last)).ids)
        exact = search.exactly().ids[: retrieval.last]
        for rank, ident in enumerate(exact, 1):
            if ident not in own:
                yield Candidate(retrieval.step, ident, rank, "an exact search gives it, and the index does not")
        for number, condition in enumerate(retrieval.conditions):
            other = search.exactly(frozenset({number})).ids[: retrieval.last]
            for rank, ident in enumerate(other, 1):
                if ident not in own and ident not in exact:
                    yield Candidate(retrieval.step, ident, rank, f"without {condition.text} it is among the first")


def _unknown(case: Case) -> Iterator[str]:
    if not case.expected:
        yield "nothing says what should have been returned: --expect ID; what may be meant is listed as candidates"
    for search in case.searches:
        if search.retrieval.why_not and not search.parts():
            yield f"the step {search.step.id} cannot be asked otherwise: {search.retrieval.why_not}"
    for name, other in case.altered.items():
        text = f"a mask changed {', '.join(other)} of the step {name}: where it is compared with a column, name that"
        yield f"{text} column's domain under `domains` (`keep` for a kept one), or it finds nothing here"
    if not case.incident.calls and not case.incident.exchanges:
        yield "the bundle holds no calls of a model: prompt, tools, form and grounding are not tested"
    elif left_out(case.incident):
        yield "what was said to models is left out of this bundle: prompt, tools, form and grounding are not tested"
    deep = [ident for search, ident in case.blamed() if not search.retrieval.why_not
            and search.exactly().rank(ident) is None and len(search.exactly().ids) >= DEPTH]  # fmt: skip
    if deep:
        yield f"ranks beyond {DEPTH} are not counted"
