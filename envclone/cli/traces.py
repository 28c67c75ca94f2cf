"""`incident import`: a trace of another tool as the bundle of an incident."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from envclone.cli import completion, threads
from envclone.cli.context import Settings, absolute, emit, json_option
from envclone.cli.drafts import chosen_environment, embedded, one_store, short, stores_of
from envclone.cli.visible import visible
from envclone.errors import UsageError

if TYPE_CHECKING:
    from envclone.incidents.traces.steps import Stores

__all__ = ["import_"]


class _Trace(click.Path):
    """A file, or a trace of a tool that is asked for it: `langfuse:ID`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from envclone.incidents.traces.fetch import named

        return value if isinstance(value, str) and named(value) else super().convert(value, param, ctx)


@click.command("import", short_help="Read a trace, a log or a HAR as the bundle of an incident.")
@click.argument("trace", type=_Trace(exists=True), required=False)
@click.option("--id", "incident_id", required=True, metavar="INCIDENT", help="The incident's id.")
@click.option("--thread", metavar="ID", help="A conversation of LangGraph, instead of TRACE.")
@click.option("--branch", metavar="NAME", shell_complete=completion.branches, help="The branch of --thread.")
@click.option("--env", "environment", metavar="NAME", help="Where it happened.  [default: the only one]")
@click.option("--note", default="", metavar="TEXT", help="What was seen.")
@click.option("--role", metavar="NAME", help="The role that production ran the statements as.")
@click.option("--collection", metavar="NAME", help="The collection of searches that name none.")
@click.option("--embed-with", "command", metavar="CMD", help="Makes the vectors of searches: text in, vector out.")
@click.option("--request", metavar="ID", help="Which request of a recording.  [default: the only one that failed]")
@click.option(
    "--service",
    metavar="NAME[@HOST]",
    help="The service that requests of a HAR or of curl go to; of several hosts the one that failed.",
)
@click.option("--store", "stores", multiple=True, metavar="NAME", help="The store, when there are several of a kind.")
@json_option
@click.pass_obj
def import_(settings: Settings, /, trace: str | None, incident_id: str, as_json: bool, **given: Any) -> None:
    """Read TRACE as the bundle of an incident: OTLP with any of today's conventions, exports of Langfuse,
    LangSmith, MLflow, Phoenix or Datadog, a HAR, a command line of curl, PostgreSQL's log of slow statements, or
    Qdrant's slow requests. The format is found by what the file holds. langfuse:ID, langsmith:ID and phoenix:ID ask
    the tool itself; its address and keys are read from the environment. What `envclone.record` wrote in the application
    is given as its directory, or a file of it. --thread ID reads a conversation of LangGraph out of the
    newest image, or with --branch NAME out of a branch; there it is masked already.

    Everything of the trace is kept. What can be run again (a statement with its parameters, a search with its vector)
    becomes a step; what is unknown is named, with what that can hide.
    """
    if settings.server:
        from envclone.cli import remote

        remote.send(settings, trace, incident_id, given.pop("environment"), as_json, **given)
        return
    from pydantic import ValidationError

    from envclone.incidents import files
    from envclone.incidents.bundle import Incident
    from envclone.incidents.completeness import completeness, counted, lacking

    loaded = settings.loaded()
    place = files.free(loaded.stack.incidents, incident_id)
    environment = chosen_environment(loaded, given["environment"])
    services = loaded.stack.environments[environment].services if environment in loaded.stack.environments else {}
    chosen = _stores(stores_of(loaded, environment), services, given)
    if [trace is None, given["thread"] is None, given["branch"] is None] not in _SOURCES:
        raise UsageError("give a TRACE, or --thread ID, with --branch NAME or of the newest image")
    if trace is None:
        read = threads.parts_of(settings, given["branch"], given["thread"], environment=environment, role=given["role"])
    else:
        read = _read(trace, given["request"], chosen)
    if given["note"]:
        read["note"] = given["note"]
    at = min((call.began for call in read["calls"] if call.began is not None), default=None)
    try:
        incident = Incident(incident=incident_id, environment=environment, at=at, **read)
    except ValidationError as exc:
        raise UsageError(f"that makes no bundle: {exc.errors(include_input=False)[0]['msg']}") from None
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.save(incident, place)
    shown = place if as_json else short(place)

    def text() -> None:
        click.echo(visible(counted(incident)))
        if incident.at is not None:
            click.echo(f"began at {incident.at:%Y-%m-%d %H:%M:%S} UTC: with a track, its branch is of that moment")
        steps = ", ".join(step.id for step in incident.steps)
        click.echo(f"steps that can be run again: {steps or 'none'}")
        if incident.exchanges:
            click.echo(f"exchanges with models and tools: {len(incident.exchanges)}")
        for line in lacking(incident):
            click.echo(visible(f"  {line}"))
        click.echo(f"written to {shown} (mode 0600: it holds raw data)")
        if incident.steps and all(step.expect is not None for step in incident.steps):
            click.echo(f"next: envclone branch {environment} --incident {incident_id}")
        elif incident.steps:
            click.echo(f"next: envclone incident record {shown}")
        else:
            click.echo(f"next: envclone incident edit {incident_id}   # add the query that failed")

    document = {
        "incident": incident_id,
        "file": str(place),
        "dialect": incident.origin.dialect if incident.origin is not None else None,
        "at": incident.at,
        "calls": len(incident.calls),
        "exchanges": len(incident.exchanges),
        "steps": [step.id for step in incident.steps],
        "variables": [asdict(one) for one in completeness(incident)],
    }
    emit(as_json, document, text)


_SOURCES = ([False, True, True], [True, False, False], [True, False, True])
"""What is not given: a trace is, or a thread and its branch are, or a thread of the newest image."""


def _read(trace: str, request: str | None, stores: Stores) -> dict[str, Any]:
    """What a trace gives a bundle, by the bundle's names."""
    from envclone.cli.recordings import parts_of
    from envclone.incidents.traces import fetch, recording
    from envclone.incidents.traces.about import application_of, clock_of
    from envclone.incidents.traces.played import exchanges_of
    from envclone.incidents.traces.read import calls, calls_of
    from envclone.incidents.traces.steps import steps_of

    if source := fetch.named(trace):
        found, origin = calls_of(fetch.documents_of(*source, os.environ), trace)
    elif recording.is_recording(path := absolute(trace)):
        return parts_of(path, request, stores)
    elif request is not None:
        raise UsageError(f"{path.name} is no recording: --request names a request of what envclone.record wrote")
    else:
        found, origin = calls(path)
    steps = tuple(steps_of(found, stores))
    return {"calls": tuple(found), "steps": steps, "exchanges": exchanges_of(found, steps), "origin": origin,
            "application": application_of(found, origin), "clock": clock_of(found, origin)}  # fmt: skip


def _stores(stores: dict[str, str], services: Any, given: dict[str, Any]) -> Stores:
    from envclone.incidents.traces.steps import Stores

    def only(kind: str) -> str | None:
        return one_store(stores, kind, given["stores"]) if kind in stores.values() else None

    service, _, host = given["service"].partition("@") if given["service"] else (None, "", "")
    if service is not None and service not in services:
        there = ", ".join(sorted(services)) or "none"
        raise UsageError(f"there is no service '{service}'; there are: {there}")
    command = given["command"]
    return Stores(
        postgres=only("postgres"), qdrant=only("qdrant"), service=service, host=host or None, role=given["role"],
        collection=given["collection"], embed=(lambda text: embedded(text, command)) if command else None,
    )  # fmt: skip
