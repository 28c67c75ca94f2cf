"""Tools that look: what there is, an incident, the report of a replay."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import Field

from envclone.errors import EnvcloneError, UsageError
from envclone.mcp.session import expires
from envclone.mcp.tools.base import Arguments, Data, Done, Environment, Incident, Result, Tell, Tool

if TYPE_CHECKING:
    from envclone.mcp.session import Session

__all__ = ["INCIDENT_SHOW", "STATUS", "BranchSeen", "incident_ids", "require_incident", "seen"]


class _Nothing(Arguments):
    pass


class EnvironmentSeen(Result):
    """An environment that can be branched."""

    name: str
    stores: dict[str, str] = Field(description="Stores and their kinds.")
    services: list[str]
    image: str | None = Field(description="The newest image, which a branch is made from; null when there is none.")
    state_from: str | None = Field(description="When production was copied for it (UTC).")


class BranchSeen(Result):
    """A branch of this session."""

    name: str
    environment: str
    state: str
    stores: dict[str, str] = Field(description="Stores and their kinds.")
    incident: str | None
    expires_at: str | None = Field(description="When it goes if nobody uses it (UTC).")
    warnings: list[str]


class Status(Result):
    """What there is."""

    environments: list[EnvironmentSeen]
    incidents: list[str]
    branches: list[BranchSeen]
    may_write: bool
    may_make_images: bool
    branches_left: int


def seen(session: Session, name: str) -> BranchSeen:
    """A branch of the session as an agent may see it: no address, no login, no place."""
    one = session.branch(name)
    return BranchSeen(
        name=one.name,
        environment=one.environment,
        state=str(one.state),
        stores={store: one.stores[store].kind for store in one.stores},
        incident=one.incident,
        expires_at=expires(one),
        warnings=[*one.degraded, *(f"{store}: {line}" for store, made in one.stores.items() for line in made.warnings)],
    )


def _status(session: Session, _: _Nothing, tell: Tell) -> Done:
    from envclone.lifecycle import images

    project = session.stack.project
    environments = []
    for name in session.environments():
        config = project.environment(name)
        image = images.find(project, name)
        environments.append(
            EnvironmentSeen(
                name=name,
                stores={store: one.kind for store, one in config.stores.items()},
                services=sorted(config.services),
                image=None if image is None else image.id,
                state_from=None if image is None else _time(image.raw.created_at),
            )
        )
    branches = [seen(session, name) for name in session.names]
    result = Status(
        environments=environments,
        incidents=incident_ids(session),
        branches=branches,
        may_write=session.powers.writes,
        may_make_images=session.powers.images,
        branches_left=max(0, session.limits.branches - len(branches)),
    )
    return Done(
        result, f"{len(environments)} environments, {len(result.incidents)} incidents, {len(branches)} branches"
    )


STATUS = Tool(
    name="status",
    title="What there is",
    description="List the environments that can be branched, the incidents that can be replayed, this session's "
    "branches, and what it may do. Call it first.",
    arguments=_Nothing,
    result=Status,
    run=_status,
    read_only=True,
    idempotent=True,
)


class IncidentArguments(Arguments):
    """Which incident."""

    incident: Incident
    environment: Environment | None = Field(
        default=None, description="Whose image's rules it is masked by; without it that of the branch, or the only one."
    )


class StepSeen(Result):
    """A step of an incident, masked; the rows that production returned are compared by `replay`, not shown."""

    id: str
    kind: str
    store: str
    note: str
    asked: dict[str, Any] = Field(description="The statement or search with its parameters and settings.")
    columns: list[str] = Field(description="The columns that production returned.")
    results: int = Field(description="How many rows or hits production returned.")
    ids: list[int | str] = Field(description="Their ids, in order, at most 50.")
    failed: str | None = Field(description="The error, when it failed in production.")


class IncidentSeen(Data):
    """An incident, masked."""

    incident: str
    environment: str
    happened_at: str | None
    note: str
    steps: list[StepSeen]
    calls: list[str] = Field(description="What else its trace tells, by kind and name: kept, and not run again.")


def _incident(session: Session, given: IncidentArguments, tell: Tell) -> Done:
    from envclone.incidents.bundle import HttpStep, SqlStep
    from envclone.incidents.handed import handed
    from envclone.lifecycle import images
    from envclone.lifecycle.incidents import masked_incident
    from envclone.lifecycle.sanitize import load_plans

    project = session.stack.project
    require_incident(session, given.incident)
    environment = given.environment or _only(session)
    if environment not in session.environments():
        raise UsageError("there is no such environment", hint=f"environments: {', '.join(session.environments())}")
    image = images.find(project, environment)
    if image is None:
        raise UsageError(
            f"there is no image of '{environment}', by whose rules the incident is masked",
            hint=f"the operator's command: envclone image {environment}",
        )
    with images.using(project, image.id) as held:
        incident = handed(masked_incident(project, given.incident, held), load_plans(project, held))
    steps = []
    for step in incident.steps:
        hidden = {"id", "kind", "store", "note", "expect", "tolerance", "domains", "ignore"}
        asked = step.model_dump(mode="json", exclude=hidden, exclude_defaults=True)
        if isinstance(step, HttpStep):
            asked = {key: asked[key] for key in ("method", "path") if key in asked}
        expect = step.expect
        steps.append(
            StepSeen(
                id=step.id,
                kind=step.kind,
                store=step.store,
                note=step.note,
                asked=asked,
                columns=list(expect.columns) if expect else [],
                results=max(len(expect.rows), len(expect.ids)) if expect else 0,
                ids=list(expect.ids[:50]) if expect and not isinstance(step, SqlStep) else [],
                failed=expect.error if expect else None,
            )
        )
    moment = incident.at or incident.recorded_at
    result = IncidentSeen(
        incident=incident.incident,
        environment=incident.environment,
        happened_at=None if moment is None else _time(moment),
        note=incident.note,
        steps=steps,
        calls=[call.kind for call in incident.calls],
    )
    return Done(result, f"incident {incident.incident} of {incident.environment}: {len(steps)} steps")


INCIDENT_SHOW = Tool(
    name="incident_show",
    title="Show an incident",
    description="Show the masked bundle of an incident: what the failing request asked, step by step, and how much "
    "production answered.",
    arguments=IncidentArguments,
    result=IncidentSeen,
    run=_incident,
    read_only=True,
    idempotent=True,
)


def incident_ids(session: Session) -> list[str]:
    """The ids of the bundles that there are."""
    from envclone.incidents.files import SUFFIXES

    folder = session.stack.project.loaded.stack.incidents
    if not folder.is_dir():
        return []
    return sorted({one.stem for one in folder.iterdir() if one.suffix in SUFFIXES and one.is_file()})


def require_incident(session: Session, ident: str) -> None:
    """Raise UsageError, naming those there are, when there is no such incident."""
    there = incident_ids(session)
    if ident not in there:
        raise UsageError("there is no such incident", hint=f"incidents: {', '.join(there[:50]) or 'none'}")


def _only(session: Session) -> str:
    """The environment that is meant when none is said."""
    names = session.names
    try:
        if len(names) == 1:
            return session.branch(names[0]).environment
    except EnvcloneError:
        pass
    there = session.environments()
    if len(there) == 1:
        return there[0]
    raise UsageError("say which environment", hint=f"environments: {', '.join(there) or 'none'}")


def _time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds")
