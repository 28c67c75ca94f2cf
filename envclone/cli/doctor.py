"""`envclone doctor`: what this host can do, and what to install."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from envclone.cli.context import Settings, absolute, emit, json_option

__all__ = ["doctor"]


@click.command()
@click.option("--env", "environment", help="Also ask what an image of this environment needs; nothing is copied.")
@json_option
@click.pass_obj
def doctor(settings: Settings, environment: str | None, as_json: bool) -> None:
    """Report what this host can do: copy-on-write, engines, accounts, containers.

    With --env also whether production answers, gives a base backup and fits here, and whether keys and hooks load.
    """
    from envclone.config.load import find, load
    from envclone.doctor import examine
    from envclone.errors import ConfigError
    from envclone.pool import default_path

    path = absolute(settings.pool) if settings.pool else None
    if path is None:
        try:
            path = load(absolute(settings.stack_file) if settings.stack_file else find(Path.cwd())).stack.pool.path
        except ConfigError:
            path = None
    with settings.progress():
        findings = examine(path or default_path())
    if environment is not None:
        with settings.stack() as stack:
            findings += stack.preflight(environment)

    def text() -> None:
        marks = {True: click.style("ok  ", fg="green"), False: click.style("no  ", fg="red"), None: "-   "}
        for one in findings:
            click.echo(f"{marks[one.ok]}{one.name}: {one.detail}")
            if one.remedy and one.ok is not True:
                click.echo(f"    {click.style('remedy', fg='cyan')}: {one.remedy}")

    emit(as_json, [asdict(one) for one in findings], text)
