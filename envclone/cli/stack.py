"""`init` and `config`: the stack file."""

from __future__ import annotations

import re
from pathlib import Path

import click

from envclone.cli.context import Settings, absolute, emit, json_option
from envclone.errors import BusyError

__all__ = ["config", "init"]


@click.command()
@click.option("--project", help="The project's name.  [default: this directory's]")
@click.option("--force", is_flag=True, help="Overwrite a stack file that is there.")
@json_option
@click.pass_obj
def init(settings: Settings, project: str | None, force: bool, as_json: bool) -> None:
    """Write a commented stack file to start from."""
    from envclone.config.template import starter

    path = absolute(settings.stack_file or "envclone.yaml")
    if path.exists() and not force:
        raise BusyError(f"{path} exists already", hint="--force overwrites it")
    name = project or re.sub(r"[^a-z0-9]+", "-", Path.cwd().name.lower()).strip("-")[:41] or "project"
    path.write_text(starter(name))
    emit(
        as_json,
        {"path": str(path), "project": name},
        lambda: click.echo(f"wrote {path}\nnext: fill in the stores, then: envclone config check"),
    )


@click.group()
def config() -> None:
    """Check the stack file, print its schema."""


@config.command()
@json_option
@click.pass_obj
def check(settings: Settings, as_json: bool) -> None:
    """Check the stack file: every error at once, each with its path and line."""
    from envclone.config.load import check as check_file
    from envclone.config.load import find

    path = absolute(settings.stack_file) if settings.stack_file else find(Path.cwd())
    loaded = check_file(path)
    environments = loaded.stack.environments
    emit(
        as_json,
        {"path": str(path), "project": loaded.stack.project, "environments": sorted(environments)},
        lambda: click.echo(
            f"{path}: valid; "
            + "; ".join(f"{name}: {', '.join(env.stores) or 'no stores'}" for name, env in environments.items())
        ),
    )


@config.command()
def schema() -> None:
    """Print the JSON Schema of the stack file, for editors."""
    import json

    from envclone.config.jsonschema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
