"""Station 7: rerun its steps in a branch, compare with what production gave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from envclone import rebuilt, registry
from envclone.errors import EnvcloneError, UnsafeError, UsageError
from envclone.lifecycle import branches, clock, since, tenure
from envclone.lifecycle.incidents import accepted, masked_incident
from envclone.models import Branch, BranchState, Counters
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.bundle import Incident
    from envclone.incidents.compare import ReplayReport
    from envclone.incidents.variation import Variation

__all__ = ["branch_for", "kept", "last", "repeated", "replay", "runs"]


def replay(
    project: Project,
    ident: str,
    branch: Branch,
    *,
    bundle: Incident | None = None,
    variation: Variation | None = None,
    repeat: int = 1,
) -> ReplayReport:
    """Rerun an incident in a running branch and compare; the report is kept with the branch.

    `bundle` is a masked one, in place of the incident's own; `variation` what is other than in production. Run
    `repeat` times, what only some of the runs give is told from what none gives. Raises UnsafeError when the branch
    does not run.
    """
    from envclone.incidents.layers import within_noise

    found = runs(project, ident, branch, bundle=bundle, variation=variation, repeat=repeat)
    return kept(project, branch, within_noise(found))


def runs(
    project: Project,
    ident: str,
    branch: Branch,
    *,
    bundle: Incident | None = None,
    variation: Variation | None = None,
    repeat: int = 1,
) -> list[ReplayReport]:
    """The report of each run of a replay; none is kept."""
    from envclone.incidents.variation import AS_IT_WAS, applied
    from envclone.lifecycle.checked import check
    from envclone.lifecycle.lend import taken_back

    wanted = variation or AS_IT_WAS
    taken_back(project, branch.name)
    with project.pool.using("branches", branch.name), project.pool.using("images", branch.image):
        branch = branches.load(project, branch.name)
        if branch.state is not BranchState.RUNNING:
            raise UnsafeError(f"the branch '{branch.name}' is {branch.state}", hint=f"envclone start {branch.name}")
        image = check(project, branch.image)
        incident = (
            masked_incident(project, ident, image) if bundle is None else accepted(project, bundle, image, trusted=True)
        )
        incident = applied(incident, wanted)
        return repeated(
            lambda: _rerun(project, incident, branch, image.raw.created_at, wanted),
            lambda: since.changed(project, branch),
            repeat,
        )


def repeated(run: Callable[[], ReplayReport], changed: Callable[[], Sequence[str]], times: int) -> list[ReplayReport]:
    """The reports of so many runs that all begin in one state: behind one that writes there is none, and they say so.

    `changed` gives a line for each thing that is otherwise than at the branch's birth.
    """
    found = [run()]
    while len(found) < times:
        if wrote := [*_written(found[-1]), *(line for line in changed() if line not in found[0].changed)]:
            told = (
                f"{len(found)} of {times} runs were made: it writes ({wrote[0]}), and the next would begin in another"
                f" state; envclone reset, or --branches {times} for a fresh branch each"
            )
            return [replace(one, notes=(*one.notes, told)) for one in found]
        found.append(run())
    return found


def _written(report: ReplayReport) -> list[str]:
    """Which stores a run wrote to: their rows are counted later, when an application keeps its connections."""
    return [
        f"{store}: {seen.writing} {'transaction' if seen.writing == 1 else 'transactions'} that wrote"
        for store, seen in report.evidence.items()
        if seen.writing
    ]


def _rerun(project: Project, incident: Incident, branch: Branch, state: dt.datetime, wanted: Variation) -> ReplayReport:
    """Rerun a masked incident in a running branch that nobody changes meanwhile; `state` is when it was copied."""
    from envclone.incidents import later
    from envclone.incidents import replay as rerun
    from envclone.incidents.layers import judged
    from envclone.incidents.links import not_run
    from envclone.incidents.plans import planned
    from envclone.lifecycle import whole

    tape, why_not = whole.cassette(incident, branch, wanted.on_the_way)
    observer, place = registry.observer(branch.runtime), branches.directory(project.pool, branch.name)
    tenure.touch(project, branch.name)
    with observer.evidence(branch, place) as witness, observer.playing(branch, place, tape) as playing:
        before, changed = _of_servers(branch), since.changed(project, branch)
        with ExitStack() as stack:
            runners = {
                name: stack.enter_context(registry.connect(endpoint)) for name, endpoint in branch.endpoints.items()
            }
            report = later.explained(rerun.replay(incident, runners), state, incident.recorded_at, incident.environment)
            plans = {
                step.id: planned(step, runners[step.store]) for step in incident.steps if getattr(step, "plan", ())
            }
        heard, seen = playing.heard(), witness.testify()
    own = _of_servers(branch)
    evidence = {name: _with(seen.get(name, Counters()), own, before, name, report) for name in {**seen, **own}}
    report = replace(
        report,
        changed=changed,
        fidelity=branch.fidelity,
        rebuilt=rebuilt.stores_of(branch.stores),
        profile=branch.profile or (branch.environment if branch.profiles else None),
        evidence={name: one for name, one in evidence.items() if name in seen or one != Counters()},
        limits={name: one for name, one in branch.profiles.items() if name in seen},
        degraded=branch.degraded,
        played=whole.played(incident, branch, heard, why_not),
        changes=wanted.shown,
        notes=(
            *(() if wanted.begin is None else (f"only the steps from '{wanted.begin}' on were run",)),
            *clock.notes(project, branch, heard),
        ),
    )
    if tape is not None:
        report = replace(report, not_run=tuple(not_run(incident, whole=True)))
    return judged(report, incident, state, plans)


def kept(project: Project, branch: Branch, report: ReplayReport) -> ReplayReport:
    """The report, written down with its branch and in the pool's log."""
    now = dt.datetime.now(dt.UTC)
    folder = branches.directory(project.pool, branch.name) / "replays"
    folder.mkdir(mode=0o700, exist_ok=True)
    project.pool.write_json(folder / f"{report.incident}-{now:%Y%m%dT%H%M%S%f}.json", report.to_json())
    project.log(
        "replay",
        {
            "incident": report.incident,
            "branch": branch.name,
            "reproduced": report.reproduced,
        },
    )
    return report


def last(project: Project, branch: Branch) -> dict[str, Any] | None:
    """The newest report that was kept with a branch; None when there is none."""
    folder = branches.directory(project.pool, branch.name) / "replays"
    reports = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []
    return project.pool.read_json(reports[-1]) if reports else None


def _of_servers(branch: Branch) -> dict[str, Counters]:
    """What the branch's database servers count themselves; one that does not answer says nothing."""
    found = {}
    for name in branch.stores:
        with suppress(EnvcloneError):
            found[name] = registry.server(branch.endpoints[name].kind).counted(branch.endpoints[name])
    return found


def _with(
    seen: Counters, after: Mapping[str, Counters], before: Mapping[str, Counters], name: str, report: ReplayReport
) -> Counters:
    """The kernel's counters of a part with those of its server, and with the statements that ran into a timeout."""
    own = after.get(name, Counters()).since(before.get(name, Counters())) if name in before else Counters()
    timeouts = sum(store == name for store in report.timeouts)
    return replace(seen, temp_files=own.temp_files, temp_bytes=own.temp_bytes, writing=own.writing, timeouts=timeouts)


def _only_environment(project: Project) -> str:
    """What to type for the environment: its name where the stack file has one."""
    names = list(project.loaded.stack.environments)
    return names[0] if len(names) == 1 else "ENVIRONMENT"


def branch_for(project: Project, ident: str) -> Branch:
    """The newest branch that was made for an incident. Raises UsageError when there is none."""
    mine = [branch for branch in branches.branches(project) if branch.incident == ident]
    if not mine:
        raise UsageError(
            f"no branch was made for incident {ident}",
            hint=f"envclone branch {_only_environment(project)} --incident {ident}, or name one with --branch",
        )
    return max(mine, key=lambda branch: branch.created_at)
