"""`envclone track`: follow production, so that a branch can be had of any moment."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envclone import records
from envclone.cli import completion
from envclone.cli.context import Settings, absolute, emit, json_option
from envclone.errors import UsageError

if TYPE_CHECKING:
    from envclone.lifecycle.trackstatus import Status

__all__ = ["track"]


class _Track(click.Group):
    """`envclone track ENVIRONMENT` is `envclone track run ENVIRONMENT`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=_Track)
def track() -> None:
    """Follow an environment: `envclone track ENVIRONMENT`, as a service manager runs it.

    Its log comes into the pool's quarantine, base backups are taken on a schedule, and `envclone branch` gives any
    moment of the window.
    """


@track.command(short_help="Follow an environment until a signal ends it.")
@click.argument("environment", shell_complete=completion.environments)
@json_option
@click.pass_obj
def run(settings: Settings, environment: str, as_json: bool) -> None:
    """Follow ENVIRONMENT until a signal ends it; the next run goes on where this one stopped."""

    def tell(text: str) -> None:
        moment = dt.datetime.now(dt.UTC)
        if as_json:
            click.echo(json.dumps({"at": moment.isoformat(), "event": "track", "said": text}))
        else:
            click.echo(f"{moment:%Y-%m-%d %H:%M:%S} UTC  {text}")
        sys.stdout.flush()

    with settings.stack(show_progress=False) as stack:
        stack.track(environment, tell)


@track.command(short_help="Show which moments can be had.")
@click.argument("environment", shell_complete=completion.environments)
@json_option
@click.pass_obj
def status(settings: Settings, environment: str, as_json: bool) -> None:
    """Show which moments of ENVIRONMENT can be had, and what its track takes here and in production."""
    with settings.stack(show_progress=False) as stack:
        said = stack.track_status(environment)
    emit(as_json, records.dump(said), lambda: _show(said))


@track.command(short_help="Give up a track and its slot in production.")
@click.argument("environment", shell_complete=completion.environments)
@click.option("--drop", is_flag=True, help="Drop the slots in production, and remove base backups and log.")
@json_option
@click.pass_obj
def stop(settings: Settings, environment: str, drop: bool, as_json: bool) -> None:
    """Give up ENVIRONMENT's track: its slots in production, its base backups, its log.

    The process that follows must have ended, by its service manager or by Ctrl-C.
    """
    if not drop:
        raise UsageError(
            "the process that follows is ended by its service manager, or by Ctrl-C, and its slot then waits for it",
            hint=f"envclone track stop {environment} --drop gives up the track and its slot",
        )
    with settings.stack(show_progress=False) as stack:
        done = stack.track_drop(environment)
    emit(as_json, {"removed": list(done)}, lambda: click.echo("\n".join(f"removed: {one}" for one in done)))


@track.command(short_help="Print or write its systemd unit.")
@click.argument("environment", shell_complete=completion.environments)
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Write the unit there, such as /etc/systemd/system.  [default: print it]",
)
@json_option
@click.pass_obj
def install(settings: Settings, environment: str, directory: Path | None, as_json: bool) -> None:
    """Print or write the systemd unit that follows ENVIRONMENT; nothing is enabled or started."""
    from envclone.pages.units import following

    with settings.stack(show_progress=False) as stack:
        loaded = stack.project.loaded
        stack.track_declared(environment)
    words = [sys.executable, "-m", "envclone", "--file", str(loaded.path.absolute())]
    words += ["--pool", str(absolute(settings.pool))] if settings.pool else []
    name = f"envclone-track-{loaded.stack.project}-{environment}.service"
    text = following([*words, "track", "run", environment], loaded.stack.project, environment)
    if directory is None:
        emit(as_json, {"name": name, "text": text}, lambda: click.echo(text, nl=False))
        return
    path = directory / name
    path.write_text(text, encoding="utf-8")
    emit(
        as_json,
        {"name": name, "text": text, "path": str(path)},
        lambda: click.echo(f"{path}\nnext: systemctl daemon-reload && systemctl enable --now {name}"),
    )


def _show(said: Status) -> None:
    from envclone.cow.loop import format_size

    if not said.stores:
        click.echo(f"{said.environment}: no track; envclone track {said.environment} begins one")
        return
    state = "followed now" if said.running else "nobody follows"
    click.echo(f"{said.environment}: {state}, {len(said.bases)} base backups, log of {format_size(said.log)}")
    for name, part in said.stores.items():
        for window in part.windows:
            click.echo(f"  {name}: {window}  (LSN {window.start} to {window.end})")
        if not part.windows:
            click.echo(f"  {name}: no moment yet")
        held = "nothing" if part.held is None else format_size(part.held)
        click.echo(f"  {name}: production holds back {part.unasked or held} for the slot {part.slot}")
