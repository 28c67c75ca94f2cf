"""`envclone branch`: from production's state to a running sandbox."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from envclone import rebuilt
from envclone.cli import completion
from envclone.cli.context import DURATION, Settings, emit, json_option, warnings_of
from envclone.cli.moments import moment_options
from envclone.interrupts import announcing

if TYPE_CHECKING:
    from envclone.models import Branch
    from envclone.models.moments import Target

__all__ = ["branch", "describe", "document"]


@click.command()
@click.argument("environment", shell_complete=completion.environments)
@click.option("--incident", metavar="ID", help="The incident to branch for; its bundle is masked for the branch.")
@click.option("--name", metavar="NAME", help="The branch's name.  [default: ENVIRONMENT-ID]")
@click.option("--ttl", type=DURATION, help="How long it may live, such as 90m, 8h, 2d or none.  [default: stack file]")
@click.option("--fresh", is_flag=True, help="Take a new snapshot, even when there is an image.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port on 127.0.0.1.  [default: a free one]")
@click.option(
    "--profile", metavar="NAME", help="A resource profile for all of it, or PART=NAME.  [default: the stack file's]"
)
@click.option("--allow-degraded", is_flag=True, help="Take what this host has, and say so on every report.")
@click.option(
    "--runtime",
    metavar="NAME",
    help="`local` processes or `docker` containers.  [default: docker when there are services, else local]",
)
@click.option("--newest", is_flag=True, help="Of the newest snapshot, also where the incident's moment can be had.")
@moment_options
@json_option
@click.pass_obj
def branch(
    settings: Settings,
    environment: str,
    incident: str | None,
    name: str | None,
    ttl: dt.timedelta | None,
    fresh: bool,
    port: int | None,
    profile: str | None,
    allow_degraded: bool,
    runtime: str | None,
    newest: bool,
    target: Target | None,
    as_json: bool,
) -> None:
    """Make a sanitized, isolated, running copy of ENVIRONMENT.

    Where `envclone track` follows it, an incident's branch is of the incident's moment. The first time this takes a
    snapshot, sanitizes and verifies it; after that a branch takes about a second.
    """
    if settings.server:
        from envclone.cli import remote

        remote.refuse(port=port, newest=newest, moment=target)
        given: dict[str, Any] = {
            "incident": incident,
            "name": name,
            "fresh": fresh,
            "profile": profile,
            "runtime": runtime,
        }
        remote.branch(settings, environment, as_json, ttl, allow_degraded=allow_degraded, **given)
        return
    from envclone.lifecycle.branches import directory

    with announcing():
        began = dt.datetime.now(dt.UTC)
        with settings.stack() as stack:
            made = stack.branch(
                environment,
                incident=incident,
                name=name,
                ttl=ttl,
                fresh=fresh,
                port=port,
                profile=profile,
                allow_degraded=allow_degraded,
                runtime=runtime,
                target=target,
                newest=newest,
            )
            cow, place = stack.project.cow, directory(stack.project.pool, made.name)
            state = stack.state_of(made, began)
            answers = stack.recorded_answers(environment) if rebuilt.stores_of(made.stores) else None
            moment = list(stack.moment_of(made))

        def text() -> None:
            describe(made, answers)
            for line in [*moment, *([state] if state else [])]:
                click.echo(f"  {line}")
            if cow.name == "copy":
                from envclone.cow.loop import format_size

                click.echo(
                    f"warning: this pool's file system shares no blocks, so the branch is a full copy of"
                    f" {format_size(cow.usage(place)[0])}; envclone doctor says what would share them",
                    err=True,
                )
            if incident:
                click.echo(f"next: envclone replay {incident}")
            else:
                click.echo(f'next: envclone psql {made.name}    or: eval "$(envclone env {made.name})"')

        emit(as_json, {**document(made), "driver": cow.name, "freshness": state, "moment": moment}, text)


def document(made: Branch) -> dict[str, Any]:
    """A branch for a script: its record, with a URL per store. The password in it is the branch's own."""
    from envclone import records
    from envclone.endpoints import public, url

    record: dict[str, Any] = records.dump(made)
    record["urls"] = {name: url(endpoint) for name, endpoint in made.endpoints.items()}
    inside = {name: url(public(endpoint)) for name, endpoint in made.endpoints.items() if endpoint.public}
    record |= {"cluster_urls": inside} if inside else {}
    record.pop("stores")
    record["warnings"] = warnings_of(made.stores)
    return record


def describe(made: Branch, answers: tuple[int, int] | None = None) -> None:
    """A branch for a person; `answers` are recorded answers that changed, and all that were compared."""
    from envclone.endpoints import public, url

    if first := rebuilt.line(rebuilt.stores_of(made.stores), answers):
        click.echo(first)
    until = f", until {made.expires_at:%Y-%m-%d %H:%M} UTC" if made.expires_at else ""
    took = f" in {made.seconds:.2f} s" if made.seconds else ""
    where = f", {made.runtime}" if made.runtime != "local" else ""
    kept = ", protected" if made.protected else ""
    click.echo(f"branch {made.name} of {made.environment}: {made.state}{took} (image {made.image}{where}{until}{kept})")
    for name, endpoint in made.endpoints.items():
        click.echo(f"  {name}: {url(endpoint)}{f' ({endpoint.note})' if endpoint.note else ''}")
        if endpoint.public:
            click.echo(f"  {name}, in the cluster: {url(public(endpoint))}")
    for name in made.services:
        if name not in made.endpoints:
            click.echo(f"  {name}: no port; envclone logs {made.name} {name}")
    for destination in made.allow:
        click.echo(f"  may reach: {destination}")
    for line in made.degraded:
        click.echo(f"  degraded: {line}")
    for line in warnings_of(made.stores):
        click.echo(f"  warning: {line}")
    if made.fidelity is not None and made.fidelity < 1:
        click.echo(
            f"  fidelity: {made.fidelity:.1%} of sampled vector searches answer as production's do;"
            f" envclone attestation {made.image} has the figures"
        )
