"""`profile`: what production's stores and services may use, written down and held against this host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option, print_table

if TYPE_CHECKING:
    from envclone.profiles.profile import Profile

__all__ = ["profile"]

_HINT = "branch where there is as much, or compare with less: what is missing decides what you will see"


@click.group()
def profile() -> None:
    """Resource profiles: production's CPU, memory and settings."""


@profile.command(short_help="Write down what production's parts may use.")
@click.argument("environment", shell_complete=completion.environments)
@click.option("--only", metavar="NAME", help="One store or service.  [default: all]")
@click.option(
    "--from",
    "files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="`docker inspect`, a compose file, a Kubernetes manifest, Qdrant's telemetry, or a control group's directory.",
)
@click.option("--container", metavar="NAME", help="Its name in the compose file or pod, when that is another.")
@click.option("--offline", is_flag=True, help="Do not ask the running servers.")
@click.option("--force", is_flag=True, help="Replace profiles that are there.")
@json_option
@click.pass_obj
def capture(
    settings: Settings,
    environment: str,
    only: str | None,
    files: tuple[Path, ...],
    container: str | None,
    offline: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Read what ENVIRONMENT's stores and services may use, and write profiles/NAME.yaml for each.

    Name what describes production with --from, as often as needed; running servers are asked for their settings.
    """
    with settings.stack() as stack:
        made = stack.capture_profiles(
            environment, only=only, files=files, container=container, offline=offline, force=force
        )

    def text() -> None:
        for one in made:
            click.echo(f"{one.of}: {one.path} ({summary(one.profile)}; from {', '.join(one.profile.sources)})")
        click.echo(f"next: name them in the stack file (profile: {made[0].name}), then: envclone profile check")

    document = [
        {"of": one.of, "name": one.name, "path": str(one.path), "profile": one.profile.model_dump(exclude_none=True)}
        for one in made
    ]
    emit(as_json, document, text)


@profile.command()
@click.argument("environment", shell_complete=completion.environments)
@json_option
@click.pass_obj
def check(settings: Settings, environment: str, as_json: bool) -> None:
    """Whether this host can give what ENVIRONMENT's profiles ask for. Exit code 6 when it cannot."""
    from envclone.errors import ResourceError
    from envclone.profiles.machine import here, shortfalls

    with settings.stack() as stack:
        found = stack.profiles(environment)
    missing, machine = shortfalls(found), here()
    rows = [[name, summary(one), ", ".join(one.sources) or "-"] for name, one in sorted(found.items())]

    def text() -> None:
        if not rows:
            click.echo(f"no store or service of {environment} names a profile; envclone profile capture {environment}")
            return
        print_table("", ["OF", "MAY USE", "READ FROM"], rows)
        click.echo(f"this host: {machine['cpus']} processors, {machine['memory'] >> 20} MiB, {machine['architecture']}")

    document = {
        "profiles": {name: one.model_dump(exclude_none=True) for name, one in found.items()},
        "host": machine,
        "missing": missing,
    }
    emit(as_json, document, text)
    if missing:
        if as_json:
            raise click.exceptions.Exit(ResourceError.exit_code)
        raise ResourceError("this host is too small for production's profiles: " + "; ".join(missing), hint=_HINT)


def summary(one: Profile) -> str:
    """A profile in a few words."""
    from envclone.profiles.profile import size_text

    parts = [f"{one.cpus:g} cpus"] if one.cpus else []
    parts += [f"{size_text(one.memory)} memory"] if one.memory else []
    parts += [f"{len(one.settings)} settings"] if one.settings else []
    return ", ".join(parts) or "no limits"
