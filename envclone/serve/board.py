"""What the web page shows, read through the service's own calls: a page sees no more than the API gives its caller."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from envclone import records
from envclone.cow.sizes import format_size
from envclone.errors import EnvcloneError
from envclone.incidents import files
from envclone.incidents.completeness import completeness
from envclone.pages.attestation import exceptions
from envclone.pages.board.values import (
    BranchPage,
    BranchRow,
    EndpointRow,
    ImagePage,
    ImageRow,
    IncidentPage,
    IncidentRow,
    JobRow,
    Log,
    Overview,
    Usage,
    VariableRow,
)
from envclone.pages.report.values import Held, Report
from envclone.serve.api import PREFIX
from envclone.serve.asked import duration
from envclone.serve.jobs import ENDED
from envclone.serve.roles import Principal, Role
from envclone.serve.seen import BranchSeen, JobSeen
from envclone.serve.service import Service

__all__ = ["branch", "image", "images", "incident", "incidents", "job", "jobs", "overview"]

_NEWEST = 3
_BRANCHES = 100
_LIVE = 30
"""Running branches whose use of memory the first page asks for; of others it says the limits."""
_JOBS = 100
_LINES = 60


def overview(service: Service, who: Principal, page: int = 1, sought: str = "") -> Overview:
    """The first page: of many branches a page of those that have what is sought in a name of theirs."""
    states = {one.id: one.raw.created_at for one in service.stack.images()}
    every = service.branches(who)
    found = [one for one in every if sought.casefold() in _names(one)] if sought else every
    pages = max(1, -(-len(found) // _BRANCHES))
    page = min(max(page, 1), pages)
    seen = found[(page - 1) * _BRANCHES :][:_BRANCHES]
    asked = {one.name for one in [one for one in seen if one.state == "running"][:_LIVE]}
    usages = {one.name: _usages(service, one.name, live=one.name in asked) for one in seen}
    return Overview(
        _now(),
        tuple(_row(who, one, states, _total(usages[one.name])) for one in seen),
        tuple(_images(service, every, most=_NEWEST)),
        tuple(_job(who, one) for one in service.job_list(who) if one.state not in ENDED),
        tuple(one.name for one in service.environments(who)),
        tuple(service.incidents(who)),
        sought, len(found), len(every), page, pages,
    )  # fmt: skip


def _names(one: BranchSeen) -> str:
    return "\n".join((one.name, one.owner or "", one.environment, one.incident or "", one.state)).casefold()


def branch(service: Service, who: Principal, name: str) -> BranchPage:
    """One branch. What cannot be had (it does not run, or the role may not see it) is said in its place."""
    one = service.branch(who, name)
    states = {image.id: image.raw.created_at for image in service.stack.images()}
    usages = _usages(service, name)
    held, lacking = None, ""
    if one.state == "running":
        try:
            held = tuple(
                Held(row.store, row.what, row.production or "", row.branch or "", row.parity)
                for row in service.parity(who, name)
            )
        except EnvcloneError as exc:
            lacking = service.outgoing.text(exc.message)
    return BranchPage(
        _row(who, one, states, _total(usages)),
        one.image,
        one.runtime,
        _now(),
        tuple(
            EndpointRow(
                end.store, end.kind, f"{end.host}:{end.port}" if end.host else "its files", end.database or "",
                end.user or "", end.note,
            )
            for end in one.endpoints.values()
        ),
        tuple((service_name, "") for service_name in one.services),
        tuple(one.allow),
        (*one.degraded, *one.warnings),
        tuple(map(service.outgoing.text, _moment(service, name))),
        tuple(usages.items()),
        held,
        lacking,
        tuple(_logs(service, who, one)) if who.role.may(Role.ENGINEER) else (),
        one.login,
        tuple(_lives(service, who)),
        _live(one, tuple(_lives(service, who))),
    )  # fmt: skip


def images(service: Service, who: Principal) -> tuple[Sequence[ImageRow], dt.datetime, Sequence[str]]:
    """The images with the state of their proof, the time, and the environments that one can be made of."""
    sizes = {one.id: one.bytes for one in service.images(who)}
    made_of = [one.name for one in service.environments(who)]
    return _images(service, service.branches(who), sizes), _now(), made_of


def image(service: Service, who: Principal, ident: str) -> ImagePage | None:
    """One image with its attestation; None without one of that name."""
    found = next(iter(_images(service, service.branches(who), only=ident)), None)
    if found is None:
        return None
    statement = None if found.flaw else service.attestation(who, ident)
    return ImagePage(found, statement, _now())


def incidents(service: Service, who: Principal) -> Sequence[IncidentRow]:
    """The incidents, with the branches that were made for them and what the newest replay there came to."""
    seen = service.branches(who)
    return [_incident(service, ident, seen) for ident in service.incidents(who)]


def incident(service: Service, who: Principal, ident: str) -> IncidentPage:
    """One incident, masked, with the newest report that was made of it. Raises NotFound."""
    there = service.incidents(who)
    row = _incident(service, ident, service.branches(who))
    try:
        shown = service.incident(who, ident, _environment(service, ident) if ident in there else None)
    except EnvcloneError as exc:
        if ident not in there:
            raise
        return IncidentPage(row, lacking=service.outgoing.text(f"{exc.message}. {exc.hint or ''}"))
    return IncidentPage(
        row,
        shown["environment"],
        None if shown["happened_at"] is None else dt.datetime.fromisoformat(shown["happened_at"]),
        shown["note"],
        tuple(_step(one) for one in shown["steps"]),
        tuple(_variables(service, ident)),
        _report(service, who, ident),
    )


def jobs(service: Service, who: Principal) -> tuple[Sequence[JobRow], dt.datetime]:
    """The newest jobs, and the time."""
    return [_job(who, one) for one in service.job_list(who)[:_JOBS]], _now()


def job(service: Service, who: Principal, ident: str) -> tuple[JobRow, dt.datetime]:
    """One job with what it told, and the time. Raises NotFound."""
    told = [one.data for one in service.job_events(who, ident)]
    return _job(who, service.job(who, ident), told), _now()


def _lives(service: Service, who: Principal) -> Iterator[str]:
    """Times that a branch may be told to live, as they are written."""
    operator = who.role is Role.OPERATOR
    for text in ("1h", "8h", "1d", "3d", "7d", "30d"):
        if operator or duration(text) <= service.options.ttl:
            yield text
    if operator:
        yield "none"


def _live(one: BranchSeen, lives: Sequence[str]) -> str:
    """The shortest of times that takes none from a branch; the longest where each would."""
    if one.expires_at is None:
        return "none" if "none" in lives else (lives[-1] if lives else "")
    left = dt.datetime.fromisoformat(one.expires_at) - _now()
    timed = [text for text in lives if text != "none"]
    return next((text for text in timed if duration(text) >= left), timed[-1] if timed else "")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _row(who: Principal, one: BranchSeen, states: Mapping[str, dt.datetime], usage: Usage) -> BranchRow:
    return BranchRow(
        one.name,
        one.environment,
        one.state,
        dt.datetime.fromisoformat(one.created_at),
        None if one.expires_at is None else dt.datetime.fromisoformat(one.expires_at),
        one.owner or "",
        states.get(one.image),
        one.incident or "",
        usage,
        one.protected,
        who.role.may(Role.ENGINEER),
    )


def _usages(service: Service, name: str, *, live: bool = True) -> dict[str, Usage]:
    """What each part uses when that is asked `live`, and what its profile allows; the caller was shown the branch."""
    found: dict[str, Usage] = {}
    with suppress(EnvcloneError):
        one = service.stack.show(name)
        for part, profile in one.profiles.items():
            found[part] = Usage(limit=profile.get("memory"), cpus=profile.get("cpus"))
        if live and str(one.state) == "running":
            for part, told in service.stack.insight(name).stats().items():
                known = found.get(part, Usage())
                limit = told.get("memory_limit") or known.limit
                found[part] = Usage(told.get("memory"), limit, known.cpus, told.get("cpu_seconds"))
    return found


def _total(parts: Mapping[str, Usage]) -> Usage:
    """All parts together; a limit only where each has one."""

    def summed(values: Sequence[float | None], *, every: bool = False) -> float | None:
        known = [one for one in values if one is not None]
        return sum(known) if known and (not every or len(known) == len(values)) else None

    return Usage(
        summed([one.memory for one in parts.values()]),
        summed([one.limit for one in parts.values()], every=True),
        summed([one.cpus for one in parts.values()], every=True),
        summed([one.seconds for one in parts.values()]),
    )


def _moment(service: Service, name: str) -> Sequence[str]:
    with suppress(EnvcloneError):
        return service.stack.moment_of(service.stack.show(name))
    return ()


def _logs(service: Service, who: Principal, one: BranchSeen) -> Iterator[Log]:
    for part in (*one.stores, *one.services):
        try:
            yield Log(part, service.logs(who, one.name, part, _LINES).text)
        except EnvcloneError as exc:
            yield Log(part, lacking=service.outgoing.text(exc.message))


def _images(
    service: Service,
    branches: Sequence[BranchSeen],
    sizes: Mapping[str, int] | None = None,
    *,
    most: int | None = None,
    only: str = "",
) -> list[ImageRow]:
    """The newest first, each with the state of its proof; `only` that of an id, or at `most` so many."""
    from envclone import rebuilt

    rows = []
    newest = sorted(service.stack.images(), key=lambda one: one.created_at, reverse=True)
    for one in [one for one in newest if only in ("", one.id)][:most]:
        flaw, count = "", 0
        try:
            count = sum(1 for _ in exceptions(service.stack.attestation(one.id)))
        except EnvcloneError as exc:
            flaw = service.outgoing.text(exc.message)
        rows.append(
            ImageRow(
                one.id, one.environment, one.raw.created_at, tuple(one.raw.stores), one.fidelity,
                bool(rebuilt.stores_of(one.raw.stores)), (sizes or {}).get(one.id), flaw, count,
                tuple(made.name for made in branches if made.image == one.id),
            )
        )  # fmt: skip
    return rows


def _incident(service: Service, ident: str, branches: Sequence[BranchSeen]) -> IncidentRow:
    made_for = [one for one in branches if one.incident == ident]
    verdicts: list[tuple[str, bool]] = []
    for one in made_for:
        with suppress(EnvcloneError):
            kept = service.stack.last_replay(one.name)
            if kept is not None and kept.get("incident") == ident:
                verdicts.append((str(kept.get("at", "")), bool(kept.get("reproduced"))))
    verdict = "" if not verdicts else "reproduced" if max(verdicts)[1] else "not reproduced"
    return IncidentRow(ident, tuple(one.name for one in made_for), verdict)


def _environment(service: Service, ident: str) -> str | None:
    """Of which environment an incident is, as its bundle says; None where that cannot be read or is not declared."""
    with suppress(EnvcloneError):
        said = files.load(files.find(service.stack.project.loaded.stack.incidents, ident)).environment
        return said if said in service.stack.project.loaded.stack.environments else None
    return None


def _step(one: Mapping[str, Any]) -> tuple[str, str, str]:
    count = one["results"]
    gave = f"error {one['failed']}" if one["failed"] else f"{count} result{'s' * (count != 1)}"
    return str(one["id"]), f"{one['kind']} of {one['store']}", gave


def _variables(service: Service, ident: str) -> Iterator[VariableRow]:
    """How complete the bundle is; it tells names of variables, and no value of them."""
    with suppress(EnvcloneError):
        bundle = files.load(files.find(service.stack.project.loaded.stack.incidents, ident))
        for one in completeness(bundle):
            gap = one.state == "unknown"
            yield VariableRow(one.name, one.state, one.hides if gap else "", one.fill if gap else "")


def _report(service: Service, who: Principal, ident: str) -> Report | None:
    """The newest report of an incident that the caller may see."""
    for one in service.job_list(who):
        if one.verb == "report" and one.state == "done" and one.arguments.get("incident") == ident:
            with suppress(EnvcloneError):
                result = service.job(who, one.id).result
                return records.load(Report, result["page"], what="the report") if "page" in result else None
    return None


def _job(who: Principal, one: JobSeen, told: Sequence[Mapping[str, Any]] = ()) -> JobRow:
    steps = [line for line in told if line.get("event") == "progress"]
    last = steps[-1] if steps else {}
    given = one.arguments
    of = " ".join(str(given[key]) for key in ("environment", "incident") if given.get(key))
    where = given.get("name") or given.get("branch")
    error = one.error or {}
    began, ended = one.started_at or one.created_at, one.ended_at
    return JobRow(
        one.id,
        f"{one.verb} {of}".strip()
        + (f" in {where}" if where and one.verb != "branch" else f" as {where}" if where else ""),
        one.state,
        one.owner,
        dt.datetime.fromisoformat(began),
        None if ended is None else dt.datetime.fromisoformat(ended),
        str(last.get("said", "")),
        last.get("share"),
        tuple(str(line.get("said", "")) for line in steps if line.get("stage")),
        str(error.get("message") or ""),
        str(error.get("hint") or ""),
        _result(one),
        tuple(_came(one)),
        one.verb == "gc" and one.state == "done" and bool(given.get("dry_run")),
        f"{PREFIX}/jobs/{one.id}/events",
        who.role.may(Role.ENGINEER),
    )


def _came(one: JobSeen) -> Iterator[str]:
    """What came of a job that has no page for it, in lines."""
    found = one.result if one.state == "done" and isinstance(one.result, Mapping) else {}
    if one.verb == "snapshot" and "id" in found:
        yield f"{found['id']}: {', '.join(found['stores'])}, {format_size(int(found['bytes']))}, {found['consistency']}"
    if one.verb == "gc":
        listed = found.get("collected", ())
        yield from (f"{row['kind']} {row['name']}: {row['error'] or row['reason']}" for row in listed)
        if found and not listed:
            yield "There is nothing that nobody needs."


def _result(one: JobSeen) -> str:
    """The page that shows what came of a job."""
    from envclone.pages.board.frame import place

    if one.state != "done":
        return ""
    given = one.arguments
    if one.verb in ("report", "replay", "diagnose") and given.get("incident"):
        return place("incidents", str(given["incident"]))
    if one.verb == "branch":
        return place("branches", str(given.get("name", "")))
    if one.verb == "image":
        return place("images")
    return ""
