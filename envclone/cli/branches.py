"""`ls`, `show`, `env`, `psql`, `reset`, `start`, `stop`, `rm`, `gc`: living with branches."""

from __future__ import annotations

import datetime as dt
import shlex
from typing import TYPE_CHECKING

import click

from envclone.cli import completion
from envclone.cli.branch import describe, document
from envclone.cli.context import Settings, emit, json_option, print_table, warn
from envclone.errors import UsageError
from envclone.span import span

if TYPE_CHECKING:
    from envclone.lifecycle.collect import Garbage

__all__ = ["env", "gc", "ls", "psql", "reset", "rm", "show", "start", "stop"]


@click.command()
@json_option
@click.pass_obj
def ls(settings: Settings, as_json: bool) -> None:
    """List this project's branches."""
    if settings.server:
        from envclone.cli import remote

        remote.ls(settings, as_json)
        return
    with settings.stack() as stack:
        found = stack.branches()
        flaws = stack.flaws()
    now = dt.datetime.now(dt.UTC)
    rows = [
        [
            one.name,
            one.environment,
            str(one.state),
            ", ".join(f"{name}:{end.port}" if end.port else name for name, end in one.endpoints.items()) or "-",
            span(now - one.created_at),
            "expired"
            if one.expires_at and one.expires_at < now
            else span(one.expires_at - now)
            if one.expires_at
            else "-",
            one.incident or "-",
        ]
        for one in found
    ]
    emit(
        as_json,
        [document(one) for one in found],
        lambda: (
            print_table("", ["BRANCH", "OF", "STATE", "STORES", "AGE", "LEFT", "INCIDENT"], rows)
            if rows
            else click.echo("no branches; `envclone branch ENVIRONMENT` makes one")
        ),
    )
    warn(flaws, "branches")


@click.command()
@click.argument("name", shell_complete=completion.branches)
@json_option
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show one branch: state, image, URLs, and what it occupies."""
    if settings.server:
        from envclone.cli import remote

        remote.verb(settings, "show", name, as_json)
        return
    from envclone.cow.loop import format_size
    from envclone.incidents.report import evidence_lines, evidence_of
    from envclone.lifecycle.branches import directory

    with settings.stack() as stack:
        one = stack.show(name)
        place = directory(stack.project.pool, name)
        referenced, own = stack.project.cow.usage(place)
        replayed = stack.last_replay(name)
        answers = stack.recorded_answers(one.environment, name)

    def text() -> None:
        describe(one, answers)
        if replayed is not None:
            word = "reproduced" if replayed["reproduced"] else "NOT reproduced"
            click.echo(f"  last replay: incident {replayed['incident']} {word}")
            for line in evidence_lines(evidence_of(replayed["evidence"]), replayed["limits"]):
                click.echo(f"  {line}")
        click.echo(f"  size: {format_size(referenced)}, of which {format_size(own)} its own")
        click.echo(f"  files: {place}")

    found = {"bytes": referenced, "own_bytes": own, "path": str(place), "last_replay": replayed}
    emit(as_json, {**document(one), **found}, text)


@click.command()
@click.argument("name", shell_complete=completion.branches)
@json_option
@click.pass_obj
def env(settings: Settings, name: str, as_json: bool) -> None:
    """Print shell exports that point tools at a branch: eval "$(envclone env NAME)"."""
    from envclone.endpoints import variables

    with settings.stack(show_progress=False) as stack:
        found = variables(stack.show(name).endpoints)
        stack.touch(name)
    emit(
        as_json,
        found,
        lambda: click.echo("\n".join(f"export {key}={shlex.quote(value)}" for key, value in found.items())),
    )


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", shell_complete=completion.branches)
@click.option("--store", help="The store, when the branch has several Postgres stores.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(settings: Settings, name: str, store: str | None, arguments: tuple[str, ...]) -> None:
    """Open psql on a branch; ARGUMENTS go to psql."""
    from envclone import process
    from envclone.endpoints import variables
    from envclone.stores.postgres.server import engine

    with settings.stack() as stack:
        one = stack.start(name)
        stack.touch(name)
    candidates = {key: end for key, end in one.endpoints.items() if end.kind == "postgres" and store in (None, key)}
    if not candidates:
        raise UsageError(f"the branch '{name}' has no Postgres store" + (f" '{store}'" if store else ""))
    chosen, endpoint = next(iter(candidates.items()))
    major = int(one.stores[chosen].engine_version.split(".")[0])
    process.replace(
        [engine.find(major).bindir / "psql", "-X" if arguments else "-q", *arguments], env=variables({chosen: endpoint})
    )


@click.command()
@click.argument("name", shell_complete=completion.branches)
@json_option
@click.pass_obj
def reset(settings: Settings, name: str, as_json: bool) -> None:
    """Throw away what was changed in a branch."""
    if settings.server:
        from envclone.cli import remote

        remote.verb(settings, "reset", name, as_json)
        return
    with settings.stack() as stack:
        one = stack.reset(name)
    emit(as_json, document(one), lambda: describe(one))


@click.command()
@click.argument("name", shell_complete=completion.branches)
@click.option("--runtime", metavar="NAME", help="Go on as `local` processes or as `docker` containers.")
@json_option
@click.pass_obj
def start(settings: Settings, name: str, runtime: str | None, as_json: bool) -> None:
    """Start a stopped branch, or have it go on in another runtime; its data and its login stay."""
    if settings.server:
        from envclone.cli import remote

        remote.refuse(runtime=runtime)
        remote.verb(settings, "start", name, as_json)
        return
    with settings.stack() as stack:
        one = stack.start(name, runtime=runtime)
    emit(as_json, document(one), lambda: describe(one))


@click.command()
@click.argument("name", shell_complete=completion.branches)
@json_option
@click.pass_obj
def stop(settings: Settings, name: str, as_json: bool) -> None:
    """Stop a branch's servers; its data stays."""
    if settings.server:
        from envclone.cli import remote

        remote.verb(settings, "stop", name, as_json)
        return
    with settings.stack() as stack:
        one = stack.stop(name)
    emit(as_json, document(one), lambda: describe(one))


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=completion.branches)
@click.option("--force", is_flag=True, help="Also a protected one, and one whose record cannot be read.")
@json_option
@click.pass_obj
def rm(settings: Settings, names: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Stop branches and remove all that belongs to them. One that is not there is no error."""
    if settings.server:
        from envclone.cli import remote

        remote.refuse(force=force)
        remote.rm(settings, names, as_json)
        return
    with settings.stack() as stack:
        removed = {name: stack.remove(name, force=force) for name in names}

    def text() -> None:
        for name, was in removed.items():
            click.echo(f"{name}: {'removed' if was else 'there was none'}")

    emit(as_json, {"removed": removed}, text)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--older", is_flag=True, help="Also snapshots and images of an envclone that wrote down no project.")
@json_option
@click.pass_obj
def gc(settings: Settings, dry_run: bool, older: bool, as_json: bool) -> None:
    """Remove what nobody needs: expired branches, half-made work, quarantine over its limits, superseded images.

    Only this project's objects are looked at, and what somebody uses is left for the next time. Branches that nobody
    used for `branches.idle` are stopped, and containers of branches that are gone removed.
    """
    with settings.stack() as stack:
        found = stack.collect(dry_run=dry_run, older=older)
        flaws = stack.flaws()
    rows = [[one.kind, one.name, one.reason, one.error or _done(one, dry_run)] for one in found]
    emit(
        as_json,
        [
            {"kind": one.kind, "name": one.name, "reason": one.reason, "error": one.error, "left": one.left}
            for one in found
        ],
        lambda: print_table("", ["KIND", "NAME", "WHY", ""], rows) if rows else click.echo("nothing to collect"),
    )
    warn(flaws)
    if any(one.error for one in found):
        raise click.exceptions.Exit(6)


def _done(one: Garbage, dry_run: bool) -> str:
    if one.left:
        return "left: when the process has ended, run it again"
    what = "stopped" if one.kind == "idle" else "removed"
    return f"would be {what}" if dry_run else what
