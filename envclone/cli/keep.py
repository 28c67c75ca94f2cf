"""`keep`: images made ahead, once or for ever."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path

import click

from envclone import records
from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option
from envclone.errors import ConfigError, EnvcloneError

__all__ = ["keep"]

_PAUSE = 60.0
"""Seconds until the next look at what is due; after a run that failed at least so long."""


@click.command()
@click.argument("environment", shell_complete=completion.environments)
@click.option("--once", is_flag=True, help="Make an image if one is due, and end.")
@click.option("--unit", is_flag=True, help="Print a systemd unit that keeps ENVIRONMENT, and end.")
@json_option
@click.pass_obj
def keep(settings: Settings, environment: str, once: bool, unit: bool, as_json: bool) -> None:
    """Make images of ENVIRONMENT ahead, so that a branch takes a second and holds a state that is at most as old as
    `environments.NAME.keep.fresh` says (1h without it).

    It goes on until it is ended; a run that fails is told, and tried again. With --once it makes an image if one is
    due, for a scheduler, and its exit code says how that went.
    """
    if unit:
        from envclone.pages.units import keeping

        loaded = settings.loaded()
        if environment not in loaded.stack.environments:
            raise ConfigError(
                f"the stack file has no environment '{environment}'",
                hint=f"there are: {', '.join(sorted(loaded.stack.environments))}",
            )
        click.echo(keeping(_words(settings, loaded.path.absolute(), environment), loaded.stack.project, environment))
        return
    if once:
        _once(settings, environment, as_json=as_json)
        return
    from envclone import process

    with settings.stack(show_progress=False) as stack:  # a wrong file, or name, ends it at once
        stack.project.environment(environment)
        file = stack.project.loaded.path.absolute()
    words = [*_words(settings, file, environment), "--once", *(["--json"] if as_json else [])]
    failed = 0
    while True:
        wait = max(_wait(settings, file, environment), _PAUSE if failed else 0.0)
        failed = 0
        if wait > 0:
            time.sleep(min(wait, _PAUSE))  # no longer: rules can change meanwhile, and clocks
        else:
            failed = process.accompany(words)


def _wait(settings: Settings, file: Path, environment: str) -> float:
    """Seconds until the next run; 0 when that cannot be told, which the run then says."""
    from envclone.api import open_stack
    from envclone.lifecycle.keep import next_try

    try:
        then = next_try(open_stack(file, pool=settings.pool).project, environment)
    except EnvcloneError:
        return 0.0
    return max(0.0, (then - dt.datetime.now(dt.UTC)).total_seconds())


def _words(settings: Settings, file: Path, environment: str) -> list[str]:
    """The command line that does the same elsewhere."""
    pool = [] if settings.pool is None else ["--pool", str(Path(settings.pool).absolute())]
    options = ["--file", str(file), *pool, *(["--quiet"] if settings.quiet else [])]
    return [sys.executable, "-m", "envclone", *options, "keep", environment]


def _once(settings: Settings, environment: str, *, as_json: bool) -> None:
    with settings.stack() as stack:
        run = stack.keep(environment)

    def text() -> None:
        image, until = run.image, f"the next one is due at {run.due:%Y-%m-%d %H:%M:%S} UTC"
        state = f"state of {image.raw.created_at:%Y-%m-%d %H:%M:%S} UTC"
        made = f"made in {run.seconds:.0f} s" if run.made else "fresh enough, nothing was made"
        click.echo(f"image {image.id} of {environment}, {state}: {made}; {until}")

    emit(as_json, records.dump(run), text)
    for line in run.warnings:
        click.echo(f"warning: {line}", err=True)
