"""`log`: what each run of a command did in this pool."""

from __future__ import annotations

from dataclasses import asdict

import click

from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option, print_table
from envclone.cli.visible import visible

__all__ = ["log"]


@click.command()
@click.argument("run", required=False, shell_complete=completion.runs)
@json_option
@click.pass_obj
def log(settings: Settings, run: str | None, as_json: bool) -> None:
    """List the runs of commands in this pool, or show what RUN did, step by step.

    No log holds a value of production's, a password or a statement. The newest 200 are kept, each readable by the
    pool's owner alone.
    """
    from envclone.pool import runs

    with settings.stack(show_progress=False) as stack:
        folder = stack.project.pool.path_of("logs", "")
    if run is not None:
        text = runs.read(folder, run)
        emit(as_json, {"run": run, "lines": text.splitlines()}, lambda: click.echo(visible(text), nl=False))
        return
    found = runs.listed(folder)
    rows = [[one.id, one.command, one.began[:19].replace("T", " "), one.ended or "did not end"] for one in found]
    emit(
        as_json,
        [asdict(one) for one in found],
        lambda: print_table("", ["RUN", "COMMAND", "BEGAN (UTC)", "ENDED"], rows) if rows else click.echo("no runs"),
    )
