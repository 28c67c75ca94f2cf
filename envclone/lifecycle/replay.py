"""Station 7: mask the recorded incident, rerun its steps in a branch, compare with what production gave."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import registry
from envclone.errors import EnvcloneError, UnsafeError, UsageError
from envclone.lifecycle import branches, keep
from envclone.models import Branch, BranchState, Counters, Image
from envclone.project import Project
from envclone.protocols import SourceRunner

if TYPE_CHECKING:
    from envclone.incidents.bundle import Incident
    from envclone.incidents.compare import ReplayReport
    from envclone.incidents.terms import Terms

__all__ = ["branch_for", "last", "masked_incident", "record", "replay"]


def masked_incident(project: Project, ident: str, image: Image) -> Incident:
    """The incident's bundle under the key and the rules of an image, masked now or taken from the pool.

    Raises UsageError when there is no such bundle, UnsafeError when the identities to mask it with are gone.
    """
    from envclone.incidents import files
    from envclone.incidents.mask import mask_incident
    from envclone.lifecycle.sanitize import load_masks, load_plans

    source = files.find(project.loaded.stack.incidents, ident)
    content = hashlib.blake2b(source.read_bytes() + image.id.encode(), digest_size=8).hexdigest()
    place = project.pool.path_of("incidents", "") / f"{ident}-{content}.json"
    if place.exists():
        return files.load(place)
    incident = files.load(source)
    if incident.environment != image.environment:
        raise UsageError(f"incident {ident} happened in '{incident.environment}', not in '{image.environment}'")
    if incident.masked is None and any(step.expect is None for step in incident.steps):
        raise UsageError(
            f"incident {ident} was not recorded yet: it does not say what production returned",
            hint=f"envclone incident record {source}",
        )
    with project.pool.using("raw", image.raw.id):
        masked = mask_incident(incident, load_masks(project, image.raw), load_plans(project, image))
    files.save(masked, place)
    return masked


def replay(project: Project, ident: str, branch: Branch, *, profile: str | None = None) -> ReplayReport:
    """Rerun an incident in a running branch and compare; the report is kept with the branch.

    Raises UnsafeError when the branch does not run.
    """
    from envclone.lifecycle.images import check

    with project.pool.using("branches", branch.name), project.pool.using("images", branch.image):
        branch = branches.load(project, branch.name)
        if branch.state is not BranchState.RUNNING:
            raise UnsafeError(f"the branch '{branch.name}' is {branch.state}", hint=f"envclone start {branch.name}")
        incident = masked_incident(project, ident, check(project, branch.image))
        return _rerun(project, incident, branch, profile)


def _rerun(project: Project, incident: Incident, branch: Branch, profile: str | None) -> ReplayReport:
    """Rerun a masked incident in a running branch that nobody changes meanwhile."""
    from envclone.incidents import replay as rerun

    observer, place = registry.observer(branch.runtime), branches.directory(project.pool, branch.name)
    keep.touch(project, branch.name)
    with observer.evidence(branch, place) as witness:
        before = _of_servers(branch)
        with ExitStack() as stack:
            runners = {
                name: stack.enter_context(registry.connect(endpoint)) for name, endpoint in branch.endpoints.items()
            }
            report = rerun.replay(incident, runners)
        seen = witness.testify()
    own = _of_servers(branch)
    evidence = {name: _with(seen.get(name, Counters()), own, before, name, report) for name in {**seen, **own}}
    report = replace(
        report,
        fidelity=branch.fidelity,
        profile=profile,
        evidence={name: one for name, one in evidence.items() if name in seen or one != Counters()},
        limits={name: one for name, one in branch.profiles.items() if name in seen},
        degraded=branch.degraded,
    )
    now = dt.datetime.now(dt.UTC)
    folder = branches.directory(project.pool, branch.name) / "replays"
    folder.mkdir(mode=0o700, exist_ok=True)
    project.pool.write_json(folder / f"{incident.incident}-{now:%Y%m%dT%H%M%S%f}.json", report.to_json())
    project.log(
        "replay",
        {
            "incident": incident.incident,
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
    return replace(seen, temp_files=own.temp_files, temp_bytes=own.temp_bytes, timeouts=timeouts)


def branch_for(project: Project, ident: str) -> Branch:
    """The newest branch that was made for an incident. Raises UsageError when there is none."""
    mine = [branch for branch in branches.branches(project) if branch.incident == ident]
    if not mine:
        raise UsageError(
            f"no branch was made for incident {ident}",
            hint=f"envclone branch ENVIRONMENT --incident {ident}, or name one with --branch",
        )
    return max(mine, key=lambda branch: branch.created_at)


def record(project: Project, path: Path, terms: Terms | None = None, *, role: str | None = None) -> Incident:
    """Run a bundle's steps against production, in read-only transactions, and write what it returned into the bundle.

    `role` is for the SQL steps that name none. The file becomes mode 0600: it holds raw data. Raises UnsafeError when a
    step does more than read, UnreachableError when production cannot be reached.
    """
    from envclone.incidents import files
    from envclone.incidents.bundle import with_role
    from envclone.incidents.record import record as run
    from envclone.incidents.terms import Terms

    incident = files.load(path)
    if incident.masked is not None:
        raise UsageError(f"{path} is a masked bundle; record the raw one")
    if role is not None:
        incident = with_role(incident, role)
    with _production(project, incident, terms or Terms()) as runners:
        recorded = run(incident, runners)
    files.save(recorded, path)
    project.log("record", {"incident": incident.incident})
    return recorded


@contextmanager
def _production(project: Project, incident: Incident, terms: Terms) -> Iterator[Mapping[str, SourceRunner]]:
    """Runners on production's own stores and services, for those that the incident's steps name."""
    from envclone.config.load import resolve_source
    from envclone.config.resolve import resolve_url

    config = project.environment(incident.environment)
    wanted = {step.store for step in incident.steps}
    if unknown := wanted - config.stores.keys() - config.services.keys():
        raise UsageError(
            f"incident {incident.incident} names '{min(unknown)}'; '{incident.environment}' has: "
            f"{', '.join(sorted([*config.stores, *config.services]))}"
        )
    with ExitStack() as stack:
        runners: dict[str, SourceRunner] = {}
        for name in sorted(wanted & config.services.keys()):
            url = resolve_url(project.loaded, incident.environment, name)
            if url is None:
                raise UsageError(
                    f"the stack file does not say where production's '{name}' answers",
                    hint=f"services.{name}.url, or write what it answered into the step's `expect` by hand",
                )
            runners[name] = stack.enter_context(registry.service("http").connect_source(name, url, terms))
        for name in sorted(wanted & config.stores.keys()):
            source = resolve_source(project.loaded, incident.environment, name)
            runners[name] = stack.enter_context(
                registry.server(config.stores[name].kind).connect_source(name, config.stores[name], source, terms)
            )
        yield runners
