"""`init` and `config`: the stack file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from envclone.cli.context import Settings, absolute, emit, json_option
from envclone.errors import BusyError

__all__ = ["config", "init"]


@click.command()
@click.option("--from", "source", metavar="DSN", help="Look at this production, and propose a rule for every field.")
@click.option(
    "--qdrant",
    metavar="URL|DIRECTORY",
    help="A running Qdrant (its key in PROD_QDRANT_KEY), or a stopped one's storage directory, looked at, too.",
)
@click.option(
    "--method",
    type=click.Choice(["physical", "logical"]),
    default="physical",
    show_default=True,
    help="How PostgreSQL is copied: `logical` for a managed server.",
)
@click.option("--env", "environment", default="prod", show_default=True, help="What the environment is called.")
@click.option("--project", help="The project's name.  [default: this directory's]")
@click.option("--force", is_flag=True, help="Overwrite a stack file that is there.")
@json_option
@click.pass_obj
def init(
    settings: Settings,
    source: str | None,
    qdrant: str | None,
    method: str,
    environment: str,
    project: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write the stack file: from production with --from, or a commented one to start from.

    Production is only read. DSN and URL can be the name of a variable; a password or key is never written.
    """
    from envclone.config.template import project_name, starter

    path = absolute(settings.stack_file or "envclone.yaml")
    if path.exists() and not force:
        raise BusyError(f"{path} exists already", hint="--force overwrites it")
    name = project or project_name(Path.cwd())
    if source is None and qdrant is None:
        path.write_text(starter(name))
        emit(
            as_json,
            {"path": str(path), "project": name},
            lambda: click.echo(f"wrote {path}\nnext: fill in the stores, then: envclone config check"),
        )
        return
    _from_production(settings, path, name, source, qdrant, method, environment, as_json)


def _from_production(
    settings: Settings,
    path: Path,
    project: str,
    source: str | None,
    qdrant: str | None,
    method: str,
    environment: str,
    as_json: bool,
) -> None:
    from envclone.api import begin
    from envclone.config.beginning import beginning
    from envclone.pool import Pool, default_path

    start = beginning(project, environment, source, qdrant, os.environ, method=method)
    place = absolute(settings.pool) if settings.pool else default_path()
    with settings.progress() as progress, settings.recorded(Pool.open(place), progress) as told:
        done = begin(path, start, environment, pool=place, progress=told)
    undecided = list(done.undecided)
    document = {
        "path": str(path),
        "project": project,
        "variable": start.variable,
        "undecided": [f"{one.address} {one.path}".strip() for one in undecided],
        "stores": {
            store: {"masked": sum(one.personal for one in its), "kept": sum(not one.personal for one in its),
                    "weak": sum(one.weak for one in its)}
            for store, its in done.proposals.items()
        },
    }  # fmt: skip

    def text() -> None:
        click.echo(f"wrote {path}")
        for store, its in done.proposals.items():
            decided = [one for one in its if one not in undecided]
            masked, weak = sum(one.personal for one in decided), sum(one.weak for one in decided)
            click.echo(
                f"  {store}: {len(decided)} rules, {masked} of them mask; {weak} stand on weak evidence: look at those"
            )
        for one in undecided:
            click.echo(f"  to be decided: {one.address} {one.path}".rstrip() + f" ({one.type}): {one.why}")
        if done.variable:
            click.echo(f"the password is not in it; the next snapshot wants: export {done.variable}=…")
        if undecided:
            click.echo(f"next: decide these in {path.name}, then: envclone branch {environment}")
        else:
            click.echo(f"next: read the rules, then: envclone branch {environment}")

    emit(as_json, document, text)


@click.group()
def config() -> None:
    """Check the stack file, print its schema."""


@config.command(short_help="Check the stack file: every error, with its line.")
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
