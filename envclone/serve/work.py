"""What a job's program does, verb by verb; each gives plain values that may leave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from envclone.errors import UnsafeError, UsageError

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.mcp.outgoing import Outgoing
    from envclone.models import Branch
    from envclone.serve.jobs import Job
    from envclone.serve.ledger import Ledger

__all__ = ["VERBS", "Work"]

Work = Callable[["Stack", "Job", "Ledger", "Outgoing"], Mapping[str, Any]]
"""Does a job in its own program."""


def _branch(stack: Stack, job: Job, ledger: Ledger, outgoing: Outgoing) -> Mapping[str, Any]:
    from envclone.mcp import secret
    from envclone.serve.seen import branch_seen

    given, began = dict(job.arguments), dt.datetime.now(dt.UTC)
    ttl = given.pop("ttl")
    makes = given.pop("makes")
    if not makes:
        given |= _of_what_is_there(stack, given["environment"], given["incident"])
    try:
        made = stack.branch(**given, ttl=None if ttl is None else dt.timedelta(seconds=ttl))
        ledger.born(made, job.id)
    except BaseException:
        ledger.drop(given["name"], job.id)
        raise
    outgoing.learn(*secret.of_branch(made))
    state = [line for line in (*stack.moment_of(made), stack.state_of(made, began)) if line]
    return {
        "branch": branch_seen(made, owner=job.owner_name, mine=True, login="once").model_dump(mode="json"),
        "freshness": state,
    }


def _of_what_is_there(stack: Stack, environment: str, incident: str | None) -> dict[str, Any]:
    """What has a branch made of an image that is there, of the incident's moment where there is one of it."""
    from envclone.lifecycle import images

    target = None if incident is None else stack.moment(environment, incident)
    if target is not None and images.find(stack.project, environment, target) is not None:
        return {"target": target}
    if images.find(stack.project, environment) is None:
        raise UnsafeError(
            f"there is no image of '{environment}' to branch from",
            hint=f"an operator makes one: envclone image {environment}",
        )
    return {"newest": True}


def _tool(name: str) -> Work:
    """One of the tools for agents, in a seat at the job's branch."""

    def work(stack: Stack, job: Job, ledger: Ledger, outgoing: Outgoing) -> Mapping[str, Any]:
        from envclone.mcp.calls import TOOLS
        from envclone.models import ProgressEvent
        from envclone.serve.seat import Seat

        one = _own(stack, job, ledger)
        tool = TOOLS[name]
        seat = Seat(stack, [one.name], outgoing, born=one.created_at)
        wanted = {key: value for key, value in job.arguments.items() if value is not None}

        def told(text: str) -> None:
            stack.project.progress(ProgressEvent(text, 0, stage=True))

        done = tool.run(seat, tool.arguments.model_validate(wanted), told)
        return {**done.result.model_dump(mode="json"), "said": done.said}

    return work


def _report(stack: Stack, job: Job, ledger: Ledger, outgoing: Outgoing) -> Mapping[str, Any]:
    """What is known of an incident, in short and as the values of its page."""
    from envclone import records
    from envclone.lifecycle.report import gather
    from envclone.mcp.tools.rerun import incident_of
    from envclone.mcp.tools.story import TELLS, shown
    from envclone.models import ProgressEvent
    from envclone.serve.seat import Seat

    one = _own(stack, job, ledger)
    name = one.name
    seat = Seat(stack, [name], outgoing, born=one.created_at)
    ident = incident_of(seat, name, job.arguments.get("incident"))
    stack.project.progress(ProgressEvent(TELLS, 0, stage=True))
    found = gather(stack.project, ident, seat.branch(name))
    done = shown(found, name)
    return {**done.result.model_dump(mode="json"), "said": done.said, "page": records.dump(found)}


def _own(stack: Stack, job: Job, ledger: Ledger) -> Branch:
    """The branch that a job is about. It may have waited: the one of that name can be somebody else's by now."""
    from envclone.serve.roles import Role

    name = str(job.arguments["branch"])
    if job.role != Role.OPERATOR and not ledger.owns(job.owner, name):
        raise UsageError("the branch was removed while the job waited", hint="envclone ls")
    one = stack.show(name)
    entry = ledger.of(one)
    if job.role == Role.OPERATOR or (entry is not None and entry.owner == job.owner):
        return one
    raise UsageError("the branch was removed while the job waited", hint="envclone ls")


def _image(stack: Stack, job: Job, ledger: Ledger, outgoing: Outgoing) -> Mapping[str, Any]:
    from envclone.serve.seen import image_seen

    made = stack.image(job.arguments["environment"], fresh=job.arguments["fresh"], again=job.arguments["again"])
    place = stack.project.pool.path_of("images", made.id)
    return image_seen(made, stack.project.cow.usage(place)).model_dump(mode="json")


def _snapshot(stack: Stack, job: Job, ledger: Ledger, outgoing: Outgoing) -> Mapping[str, Any]:
    made = stack.snapshot(job.arguments["environment"])
    return {
        "id": made.id,
        "environment": made.environment,
        "created_at": made.created_at.isoformat(),
        "consistency": str(made.consistency),
        "stores": {name: one.kind for name, one in made.stores.items()},
        "bytes": sum(one.bytes for one in made.stores.values()),
    }


def _collect(stack: Stack, job: Job, ledger: Ledger, outgoing: Outgoing) -> Mapping[str, Any]:
    found = stack.collect(dry_run=job.arguments["dry_run"])
    return {
        "collected": [
            {"kind": one.kind, "name": one.name, "reason": one.reason, "error": one.error or ""} for one in found
        ]
    }


VERBS: Mapping[str, Work] = {
    "branch": _branch,
    "replay": _tool("replay"),
    "diagnose": _tool("diagnose"),
    "report": _report,
    "image": _image,
    "snapshot": _snapshot,
    "gc": _collect,
}
"""The verbs of jobs."""


def work_of(verb: str) -> Work:
    """What does a verb. Raises UsageError."""
    if verb not in VERBS:
        raise UsageError(f"no job does '{verb}'", hint=f"jobs do: {', '.join(VERBS)}")
    return VERBS[verb]
