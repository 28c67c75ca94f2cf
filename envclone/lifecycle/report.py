"""After station 7: what is known of an incident, brought together for its page. Only masked data gets here."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import __version__, attestation, rebuilt, registry
from envclone.errors import EnvcloneError, ResourceError
from envclone.lifecycle import branches, moment
from envclone.lifecycle.incidents import masked_incident
from envclone.lifecycle.replay import replay
from envclone.models import Branch, BranchState, Image, StepResult
from envclone.private import write_private
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.diagnosis.diagnose import Diagnosis
    from envclone.incidents.bundle import Incident, Step
    from envclone.incidents.verdicts import ReplayReport
    from envclone.pages.report.values import Answer, Attested, Cause, Held, Report, Retrieval, State, Story

__all__ = ["gather", "write"]

_DISTANCE = re.compile(r"<(?:->|=>|#>|\+>|~>|%>)")
"""pgvector's operators: a statement with one of them may be answered by a vector index."""


def write(
    project: Project,
    ident: str,
    branch: Branch,
    into: Path,
    *,
    expected: Sequence[str] = (),
    allow_computed: bool = False,
) -> Report:
    """Write the page of an incident (mode 0600); what is there under that name is replaced, whole or not at all."""
    from envclone.pages.report.page import html

    report = gather(project, ident, branch, expected=expected, allow_computed=allow_computed)
    try:
        write_private(into, html(report))
    except OSError as exc:
        raise ResourceError(f"the page cannot be written to {into}: {exc.strerror}") from exc
    project.log("report", {"incident": ident, "branch": branch.name})
    return report


def gather(
    project: Project, ident: str, branch: Branch, *, expected: Sequence[str] = (), allow_computed: bool = False
) -> Report:
    """What the page shows. In a running branch the incident is replayed, and its searches are asked without an index.

    `expected` are ids of what should have come.

    A page goes into other hands: without `allow_computed` it has no text that production's statements computed, and
    none that models and people wrote. Raises UsageError when there is no bundle, UnsafeError when it cannot be masked.
    """
    from envclone.diagnosis.finding import Layer
    from envclone.incidents.handed import handed
    from envclone.lifecycle.checked import check
    from envclone.lifecycle.sanitize import load_plans
    from envclone.pages.report import diagnosed, told
    from envclone.pages.report.values import Report

    with project.pool.using("branches", branch.name), project.pool.using("images", branch.image):
        now = branches.load(project, branch.name)
        branches.require_born(now, branch.created_at)
        branch = now
        image = check(project, branch.image)
        incident = masked_incident(project, ident, image)
        runs = branch.state is BranchState.RUNNING
        replayed = replay(project, ident, branch) if runs and incident.steps else None
        found = dict(replayed.results) if replayed is not None else {}
        exact = _exact(incident, branch) if replayed is not None else {}
        found_out, untested = _diagnosed(project, ident, branch, expected, replayed) if runs else (None, ())
        if not allow_computed:
            incident = handed(incident, load_plans(project, image))
        retrievals = _retrievals(incident, replayed, found, exact)
        missing, variables = told.missing(incident)
        return Report(
            replace(
                _story(incident, branch, replayed, retrievals, expected),
                causes=_causes(found_out, retrievals, expected, quoting=allow_computed),
                layers=() if found_out is None else tuple(map(str, Layer)),
            ),
            dt.datetime.now(dt.UTC),
            __version__,
            told.timeline(incident, {name: result.seconds for name, result in found.items()}),
            retrievals,
            () if found_out is None else diagnosed.sweeps(found_out),
            state=_state(incident, branch, image, replayed),
            parity=_parity(project, branch) if runs else None,
            missing=missing,
            variables=variables,
            untested=untested,
            attested=_attested(project, image),
        )


def _diagnosed(
    project: Project, ident: str, branch: Branch, expected: Sequence[str], replayed: ReplayReport | None
) -> tuple[Diagnosis | None, tuple[str, ...]]:
    """What was found by experiments, and what could not be tried; a page without them is still a page."""
    from envclone.lifecycle.diagnose import diagnose

    try:
        found = diagnose(project, ident, branch, expected=expected, sweeps=True, replayed=replayed)
    except EnvcloneError as exc:
        return None, (f"the diagnosis: {exc.message}",)
    return found, found.unknown


def _causes(
    found: Diagnosis | None, retrievals: tuple[Retrieval, ...], expected: Sequence[str], *, quoting: bool
) -> tuple[Cause, ...]:
    """The diagnosis' causes; while none of them is settled, what the sides show beside each other, too."""
    from envclone.pages.report import compared, diagnosed

    told = () if found is None else diagnosed.causes(found, quoting=quoting)
    tried = () if found is None else diagnosed.sweeps(found)
    if found is not None and found.first is not None:
        return told
    return tuple(sorted((*told, *compared.causes(retrievals, expected, tried)), key=lambda one: not one.certain))


def _exact(incident: Incident, branch: Branch) -> dict[str, StepResult]:
    """What each search returns in the branch without its index, where that has a meaning."""
    exact: dict[str, StepResult] = {}
    others = {step.id: other for step in incident.steps if (other := _without_index(step)) is not None}
    with ExitStack() as stack:
        wanted = {other.store for other in others.values()}
        runners = {
            name: stack.enter_context(registry.connect(endpoint))
            for name, endpoint in branch.endpoints.items()
            if name in wanted
        }
        for name, other in others.items():
            with suppress(EnvcloneError):
                exact[name] = runners[other.store].run(other)
    return exact


def _without_index(step: Step) -> Step | None:
    """The same search over every row; None for what is no search of nearest ones, or is one already."""
    from envclone.incidents.bundle import SqlStep, VectorStep

    if isinstance(step, VectorStep):
        exact = step.plain and not step.params.get("exact")
        return step.model_copy(update={"params": {**step.params, "exact": True}}) if exact else None
    if isinstance(step, SqlStep) and _DISTANCE.search(step.sql):
        return step.model_copy(update={"local": {**step.local, "enable_indexscan": "off"}})
    return None


def _retrievals(
    incident: Incident,
    replayed: ReplayReport | None,
    found: Mapping[str, StepResult],
    exact: Mapping[str, StepResult],
) -> tuple[Retrieval, ...]:
    from envclone.incidents.bundle import Expected
    from envclone.incidents.compare import compare
    from envclone.pages.report import told
    from envclone.pages.report.values import Answer, Retrieval

    def shown(step: Step, results: Mapping[str, StepResult], absent: str) -> Answer:
        got = results.get(step.id)
        return Answer(absent=absent) if got is None else told.answer(step, Expected.of(step, got))

    # judged again by what the page shows: a reason names values, and the whole bundle has some that it leaves out
    verdicts = {
        step.id: compare(step, step.expect, found[step.id])
        for step in incident.steps
        if step.expect is not None and step.id in found
    }
    return tuple(
        Retrieval(
            step.id,
            told.title(step),
            told.query(step),
            told.answer(step, step.expect) if step.expect is not None else Answer(absent="not recorded"),
            shown(step, found, "not run: the branch does not run" if replayed is None else "not run"),
            shown(step, exact, "") if step.id in exact else None,
            step.note,
            told.settings(step),
            verdicts[step.id].reproduced if step.id in verdicts else None,
            verdicts[step.id].reasons if step.id in verdicts else (),
        )
        for step in incident.steps
    )


def _story(
    incident: Incident,
    branch: Branch,
    replayed: ReplayReport | None,
    retrievals: tuple[Retrieval, ...],
    expected: Sequence[str],
) -> Story:
    from envclone.pages.report import told
    from envclone.pages.report.values import Outcome, Story

    why = ""
    if replayed is not None:
        outcome = Outcome.REPRODUCED if replayed.reproduced else Outcome.OTHERWISE
    elif incident.steps:
        outcome, why = Outcome.STOPPED, f"the branch is {branch.state}: envclone start {branch.name}"
    else:
        outcome = Outcome.NOTHING
        why = f"envclone incident show {incident.incident} says what would fill the gaps"
    steps = () if replayed is None else replayed.steps
    return Story(
        incident.incident,
        incident.environment,
        branch.name,
        told.asked(incident),
        tuple(told.happened(incident)),
        outcome,
        incident.at,
        incident.recorded_at,
        (sum(one.reproduced for one in steps), len(steps)),
        why_not=why,
        wanted=tuple(expected),
    )


def _state(incident: Incident, branch: Branch, image: Image, replayed: ReplayReport | None) -> State:
    from envclone.incidents.report import evidence_lines
    from envclone.pages.report.values import State

    at = incident.at or incident.recorded_at
    if image.raw.moment is not None:
        said = moment.lines(image.raw.moment)
    else:
        said = [f"the state of {image.raw.created_at:%Y-%m-%d %H:%M:%S} UTC, as production was copied"]
        if at is not None:
            said.append(moment.far(image.raw, at if at.tzinfo else at.replace(tzinfo=dt.UTC)))
    first = rebuilt.line(rebuilt.stores_of(branch.stores), None)
    doubts = [*([first] if first else []), *(f"degraded: {line}" for line in branch.degraded)]
    doubts += [f"{name}: {warning}" for name, store in branch.stores.items() for warning in store.warnings]
    return State(
        tuple(said),
        () if replayed is None else replayed.changed,
        () if replayed is None else tuple(evidence_lines(replayed.evidence, replayed.limits)),
        tuple(doubts),
    )


def _parity(project: Project, branch: Branch) -> tuple[Held, ...] | None:
    from envclone.lifecycle.parity import parity
    from envclone.pages.report.values import Held

    try:
        rows = parity(project, branch)
    except EnvcloneError:
        return None
    return tuple(Held(one.store, one.what, one.production or "", one.branch or "", str(one.parity)) for one in rows)


def _attested(project: Project, image: Image) -> Attested:
    """The verdict of the image's attestation and its exceptions."""
    from envclone.pages.attestation import sections
    from envclone.pages.report.values import Attested

    statement: dict[str, Any] = attestation.read(
        project.pool.path_of("images", image.id), project.pool.path_of("keys", "")
    )
    verdict, second, *_ = sections(statement)
    exceptions = second.rows if second.title == "Exceptions" else ()
    return Attested(
        image.id,
        verdict.text,
        tuple((str(what), str(result)) for what, result in verdict.rows),
        tuple((str(what), str(why)) for what, why in exceptions),
        f"envclone attestation {image.id} --html attestation.html",
    )
