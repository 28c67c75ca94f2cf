"""After station 7: why an incident failed, by experiments in its branch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from envclone import registry
from envclone.diagnosis.case import Case, Search
from envclone.diagnosis.chance import unstable
from envclone.diagnosis.diagnose import Diagnosis
from envclone.diagnosis.diagnose import diagnose as test
from envclone.diagnosis.state import pointing
from envclone.errors import EnvcloneError
from envclone.incidents import files
from envclone.incidents.bundle import HttpStep, Incident, SqlStep
from envclone.lifecycle import branches
from envclone.lifecycle.checked import check
from envclone.lifecycle.incidents import masked_incident
from envclone.lifecycle.replay import replay
from envclone.masking.references import parse
from envclone.models import Branch, Record, StepResult
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.verdicts import ReplayReport
    from envclone.protocols import Examiner

__all__ = ["diagnose", "last"]

_TWICE = 2


@dataclass(frozen=True, slots=True)
class _Lookup:
    examiners: Mapping[str, Examiner]

    def __call__(self, store: str, address: str, values: Sequence[str]) -> Sequence[Record]:
        examiner = self.examiners.get(store)
        return () if examiner is None else examiner.having(address, values)


def diagnose(
    project: Project,
    ident: str,
    branch: Branch,
    *,
    expected: Sequence[str] = (),
    sweeps: bool = False,
    embed: Callable[[str], Sequence[float]] | None = None,
    judge: Callable[[Mapping[str, str]], Sequence[str]] | None = None,
    for_others: bool = False,
    replayed: ReplayReport | None = None,
) -> Diagnosis:
    """Replay an incident in a running branch, ask its searches otherwise, and say which layer failed first.

    With `replayed` it was replayed just now, and is not asked again: a request may do something.
    The newest diagnosis of an incident is kept with the branch. With `for_others` it sees the bundle as it is handed
    over, and no reason that quotes another. Raises UnsafeError when the branch does not run.
    """
    incident, state = _masked(project, ident, branch, for_others=for_others)
    if replayed is None and incident.steps:
        replayed = replay(project, ident, branch)
    if for_others and replayed is not None:
        replayed = replace(replayed, steps=tuple(replace(step, reasons=()) for step in replayed.steps))
    with project.pool.using("branches", branch.name), ExitStack() as stack:
        branch = branches.load(project, branch.name)
        results = _twice(incident, branch)
        examiners = {
            name: stack.enter_context(one)
            for name in {step.store for step in incident.steps} | _referred(project)
            if name in branch.endpoints and (one := registry.examiner(branch.endpoints[name])) is not None
        }
        case = _case(project, incident, branch.name, results, examiners, expected, replayed, embed, state)
        found = test(replace(case, judge=judge, altered=_altered(project, ident, incident)), sweeps=sweeps)
        folder = branches.directory(project.pool, branch.name) / "diagnoses"
        folder.mkdir(mode=0o700, exist_ok=True)
        project.pool.write_json(folder / f"{ident}.json", found.to_json())
    first = found.first
    project.log(
        "diagnose",
        {"incident": ident, "branch": branch.name, "layer": first and str(first.layer), "cause": first and first.cause},
    )
    return found


def last(project: Project, ident: str, branch: Branch) -> dict[str, Any] | None:
    """The newest diagnosis of an incident that was kept with a branch, as plain values; None when there is none."""
    place = branches.directory(project.pool, branch.name) / "diagnoses" / f"{ident}.json"
    return project.pool.read_json(place) if place.is_file() else None


def _masked(project: Project, ident: str, branch: Branch, *, for_others: bool) -> tuple[Incident, dt.datetime]:
    from envclone.incidents.handed import handed
    from envclone.lifecycle.sanitize import load_plans

    with project.pool.using("images", branch.image):
        image = check(project, branch.image)
        incident = masked_incident(project, ident, image)
        return handed(incident, load_plans(project, image)) if for_others else incident, image.raw.created_at


def _altered(project: Project, ident: str, masked: Incident) -> dict[str, tuple[str, ...]]:
    """What masks made of statements' parameters and literals that no domain names, where the raw bundle can be read."""
    try:
        raw = files.load(files.find(project.loaded.stack.incidents, ident))
    except (EnvcloneError, OSError):
        return {}
    if raw.masked is not None:
        return {}
    now = {step.id: step for step in masked.steps if isinstance(step, SqlStep)}
    found = {step.id: tuple(_otherwise(step, now[step.id])) for step in raw.steps
             if isinstance(step, SqlStep) and step.id in now}  # fmt: skip
    return {name: changed for name, changed in found.items() if changed}


def _otherwise(raw: SqlStep, masked: SqlStep) -> Iterator[str]:
    """What of a statement a mask changed without being told what it is."""
    before, after = (_named(one.parameters) for one in (raw, masked))
    for name, value in before.items():
        if name not in raw.domains and name in after and after[name] != value:
            yield f"the parameter {name}"
    if masked.sql != raw.sql:
        yield "a literal or comment"


def _named(parameters: list[Any] | dict[str, Any] | None) -> dict[str, Any]:
    listed = parameters if isinstance(parameters, dict) else {
        str(place): one for place, one in enumerate(parameters or (), 1)}  # fmt: skip
    return listed


def _twice(incident: Incident, branch: Branch) -> dict[str, tuple[StepResult, ...]]:
    """What each search and statement gives, two times; requests are not sent again, for they may do something."""
    found: dict[str, tuple[StepResult, ...]] = {}
    with ExitStack() as stack:
        wanted = {step.store for step in incident.steps if not isinstance(step, HttpStep)}
        runners = {name: stack.enter_context(registry.connect(branch.endpoints[name]))
                   for name in sorted(wanted) if name in branch.endpoints}  # fmt: skip
        for step in incident.steps:
            if step.store in runners:
                results = []
                for _ in range(_TWICE):
                    try:
                        results.append(runners[step.store].run(step))
                    except EnvcloneError as exc:
                        results.append(StepResult(error=exc.message))
                found[step.id] = tuple(results)
    return found


def _referred(project: Project) -> set[str]:
    return {name for one in map(parse, project.loaded.stack.sanitize.references) for name in (
        one.store, one.target_store)}  # fmt: skip


def _case(
    project: Project,
    incident: Incident,
    branch: str,
    results: Mapping[str, tuple[StepResult, ...]],
    examiners: Mapping[str, Examiner],
    expected: Sequence[str],
    replayed: ReplayReport | None,
    embed: Callable[[str], Sequence[float]] | None,
    state: dt.datetime,
) -> Case:
    searches = tuple(
        Search(step, examiners[step.store].retrieval(step), examiners[step.store])
        for step in incident.steps
        if step.store in examiners
    )
    case = Case(
        incident=incident,
        branch=branch,
        results=results,
        searches=searches,
        expected=tuple(dict.fromkeys(expected)),
        replayed=replayed,
        references=tuple(map(parse, project.loaded.stack.sanitize.references)),
        lookup=_Lookup(examiners),
        embed=embed,
        unstable=unstable(incident, results),
        state=state,
    )
    return replace(case, expected=tuple(_as_found(case, one) for one in case.expected))


def _as_found(case: Case, ident: str) -> str:
    """The id of the record that is meant: who expects a row of another store means the point that refers to it."""
    for search in case.searches:
        if search.record(ident) is not None:
            return ident
    for search in case.searches:
        for one, names in pointing(case, search):
            points = case.lookup(one.store, one.source, [ident]) if names != ("point_ids",) else ()
            if points:
                return points[0].id
    return ident
