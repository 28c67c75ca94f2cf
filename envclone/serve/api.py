"""The routes of `/api/v1`: one table, which the application, OpenAPI and the tests are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from envclone.serve import asked, seen
from envclone.serve.roles import Principal, Role
from envclone.serve.service import Service

__all__ = ["OPERATIONS", "PREFIX", "Given", "Operation"]

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Given:
    """What a call brought: what stands in its path, its query and its body, each checked."""

    path: Mapping[str, str]
    query: Any
    body: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """A route: `least` is the role that it takes, `run` what it calls, in a thread."""

    method: str
    path: str
    name: str
    summary: str
    least: Role
    run: Callable[[Service, Principal, Given], Any]
    result: Any
    body: type[asked.Asked] | None = None
    query: type[asked.Asked] = asked.Nothing
    status: int = 200
    stream: bool = False
    large: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def _get(path: str, name: str, summary: str, least: Role, run: Any, result: Any, **more: Any) -> Operation:
    return Operation("GET", path, name, summary, least, run, result, **more)


def _post(path: str, name: str, summary: str, least: Role, run: Any, result: Any, **more: Any) -> Operation:
    return Operation("POST", path, name, summary, least, run, result, **more)


def _create(service: Service, who: Principal, given: Given) -> Any:
    body: asked.BranchAsked = given.body
    ttl = None if body.ttl is None else asked.duration(body.ttl)
    rest = body.model_dump(exclude={"environment", "ttl"})
    return service.create(who, body.environment, ttl=ttl, **rest)


def _extend(service: Service, who: Principal, given: Given) -> Any:
    body: asked.ExtendAsked = given.body
    return service.extend(who, given.path["name"], None if body.ttl is None else asked.duration(body.ttl))


def _import(service: Service, who: Principal, given: Given) -> Any:
    body: asked.ImportAsked = given.body
    more = {"bundle": body.bundle, "allow_chosen": body.allow_chosen}
    return service.send(who, body.incident, body.environment, body.content, **more)


_V, _E, _O = Role.VIEWER, Role.ENGINEER, Role.OPERATOR

OPERATIONS: tuple[Operation, ...] = (
    _get("/whoami", "whoami", "Who the caller is", _V, lambda s, w, g: s.whoami(w), seen.WhoSeen),
    _get("/environments", "environments", "The environments", _V, lambda s, w, g: s.environments(w),
         list[seen.EnvironmentSeen]),
    _get("/branches", "branches", "The branches that the caller may see", _V, lambda s, w, g: s.branches(w),
         list[seen.BranchSeen]),
    _post("/branches", "branch_create", "Have a branch made", _E, _create, seen.JobSeen, body=asked.BranchAsked,
          status=202),
    _get("/branches/{name}", "branch", "One branch", _V, lambda s, w, g: s.branch(w, g.path["name"]), seen.BranchSeen),
    Operation("DELETE", "/branches/{name}", "branch_remove", "Remove a branch", _E,
              lambda s, w, g: s.remove(w, g.path["name"]), dict[str, Any]),
    _post("/branches/{name}/login", "branch_login", "The login of a branch, once", _E,
          lambda s, w, g: s.login(w, g.path["name"]), seen.LoginSeen),
    _post("/branches/{name}/start", "branch_start", "Start a stopped branch", _E,
          lambda s, w, g: s.start(w, g.path["name"]), seen.BranchSeen),
    _post("/branches/{name}/stop", "branch_stop", "Stop a branch, its data kept", _E,
          lambda s, w, g: s.stop(w, g.path["name"]), seen.BranchSeen),
    _post("/branches/{name}/reset", "branch_reset", "Throw away what was changed in a branch", _E,
          lambda s, w, g: s.reset(w, g.path["name"]), seen.BranchSeen),
    _post("/branches/{name}/extend", "branch_extend", "Have a branch live its time from now on", _E,
          _extend, seen.BranchSeen, body=asked.ExtendAsked),
    _get("/branches/{name}/parity", "branch_parity", "Production and branch, row by row", _V,
         lambda s, w, g: s.parity(w, g.path["name"]), list[seen.ParitySeen]),
    _get("/branches/{name}/replay", "branch_replay", "The newest replay in a branch; null when there was none", _V,
         lambda s, w, g: s.last_replay(w, g.path["name"]), dict[str, Any] | None),
    _get("/branches/{name}/logs/{part}", "branch_logs", "What a store or service wrote", _E,
         lambda s, w, g: s.logs(w, g.path["name"], g.path["part"], g.query.lines), seen.LogsSeen,
         query=asked.LogsAsked),
    _get("/images", "images", "The images", _V, lambda s, w, g: s.images(w), list[seen.ImageSeen]),
    _post("/images", "image_build", "Have an image made", _O,
          lambda s, w, g: s.build_image(w, g.body.environment, fresh=g.body.fresh, again=g.body.again), seen.JobSeen,
          body=asked.ImageAsked, status=202),
    _get("/images/{image}", "image", "What is attested of an image", _V,
         lambda s, w, g: s.attestation(w, g.path["image"]), dict[str, Any]),
    _post("/snapshots", "snapshot", "Have production copied into quarantine", _O,
          lambda s, w, g: s.snapshot(w, g.body.environment), seen.JobSeen, body=asked.Again, status=202),
    _get("/incidents", "incidents", "The ids of the incidents", _V, lambda s, w, g: s.incidents(w), list[str]),
    _get("/incidents/{incident}", "incident", "An incident, masked", _V,
         lambda s, w, g: s.incident(w, g.path["incident"], g.query.environment), dict[str, Any],
         query=asked.IncidentAsked),
    _post("/incidents", "incident_import", "Send an incident; an engineer's is held until an operator releases it", _E,
          _import, seen.ImportSeen, body=asked.ImportAsked, status=201, large=True),
    _get("/held", "held", "The incidents that wait for an operator", _O, lambda s, w, g: s.held(w),
         list[seen.HeldSeen]),
    _post("/held/{incident}/release", "release", "Let an incident in that waits", _O,
          lambda s, w, g: s.release(w, g.path["incident"], allow_chosen=g.body.allow_chosen), seen.ImportSeen,
          body=asked.ReleaseAsked),
    Operation("DELETE", "/held/{incident}", "held_remove", "Throw away an incident that waits", _O,
              lambda s, w, g: s.refuse(w, g.path["incident"]), dict[str, Any]),
    _post("/incidents/{incident}/replay", "replay", "Have an incident replayed", _E,
          lambda s, w, g: s.replay(w, g.path["incident"], g.body.branch), seen.JobSeen, body=asked.ReplayAsked,
          status=202),
    _post("/incidents/{incident}/diagnose", "diagnose", "Have it found out why an incident failed", _E,
          lambda s, w, g: s.diagnose(w, g.path["incident"], g.body.branch, expected=g.body.expected,
                                     sweeps=g.body.sweeps),
          seen.JobSeen, body=asked.DiagnoseAsked, status=202),
    _post("/incidents/{incident}/report", "report", "Have brought together what is known of an incident", _E,
          lambda s, w, g: s.report(w, g.path["incident"], g.body.branch), seen.JobSeen, body=asked.ReplayAsked,
          status=202),
    _post("/gc", "gc", "Have removed what nobody needs", _O, lambda s, w, g: s.collect(w, dry_run=g.body.dry_run),
          seen.JobSeen, body=asked.CollectAsked, status=202),
    _get("/audit", "audit", "The newest lines of the audit log", _O, lambda s, w, g: s.events(w, last=g.query.last),
         list[dict[str, Any]], query=asked.AuditAsked),
    _get("/jobs", "jobs", "The jobs that the caller may see", _V, lambda s, w, g: s.job_list(w), list[seen.JobSeen]),
    _get("/jobs/{job}", "job", "A job with its result", _V,
         lambda s, w, g: s.job(w, g.path["job"]), seen.JobSeen, query=asked.JobAsked),
    _post("/jobs/{job}/cancel", "job_cancel", "End a job", _E, lambda s, w, g: s.cancel(w, g.path["job"]),
          seen.JobSeen),
    _get("/jobs/{job}/events", "job_events", "What a job tells, as server-sent events", _V,
         lambda s, w, g: s.job_events(w, g.path["job"], g.query.after), None, query=asked.EventsAsked, stream=True),
)  # fmt: skip
"""Every route, in the order of a first day."""


def model_of(result: Any) -> type[BaseModel] | None:
    """The model of a result that is one."""
    return result if isinstance(result, type) and issubclass(result, BaseModel) else None
