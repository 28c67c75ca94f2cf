"""`incident new`, `show`, `edit`: bundles written, looked at and changed by a person."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envclone.cli import completion
from envclone.cli.context import Settings, absolute, emit, json_option
from envclone.cli.visible import visible
from envclone.errors import UsageError

if TYPE_CHECKING:
    from envclone.config.stack import LoadedStack
    from envclone.incidents.bundle import Incident

__all__ = ["chosen_environment", "edit", "embedded", "new", "one_store", "short", "show", "stores_of"]


@click.command(short_help="Write a bundle: the statements and the search of an incident.")
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--env", "environment", metavar="NAME", help="Where it happened.  [default: the only one]")
@click.option("--note", default="", metavar="TEXT", help="What was seen.")
@click.option("--sql", "statements", multiple=True, metavar="SQL|@FILE", help="A statement that failed; repeatable.")
@click.option("--role", metavar="NAME", help="The role that production ran the statements as.")
@click.option("--collection", metavar="NAME", help="The collection that was searched.")
@click.option("--vector-file", metavar="FILE", help="The query vector: JSON, or an embeddings API's answer.")
@click.option("--embedding-of", metavar="TEXT", help="The text that was searched for; --with makes its vector.")
@click.option("--with", "command", metavar="CMD", help="A command: text on its input, a vector on its output.")
@click.option("--using", default="", metavar="NAME", help="The named vector that was searched.")
@click.option("--filter", "filter_", metavar="JSON|@FILE", help="The search's filter, in Qdrant's JSON.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many results.")
@click.option("--store", "stores", multiple=True, metavar="NAME", help="The store, when there are several of a kind.")
@json_option
@click.pass_obj
def new(settings: Settings, /, incident_id: str, as_json: bool, **given: Any) -> None:
    """Write the bundle of INCIDENT: the statements and the search that failed. Without options it asks.

    \b
    envclone incident new 1234 --sql @slow.sql --role app
    envclone incident new 1234 --collection articles --vector-file query.json
    envclone incident new 1234 --collection articles --embedding-of "how do I get a refund" --with ./embed.py
    """
    from envclone.incidents import files

    loaded = settings.loaded()
    place = files.free(loaded.stack.incidents, incident_id)
    environment = chosen_environment(loaded, given["environment"])
    stores = stores_of(loaded, environment)
    if not (given["statements"] or given["collection"]):
        given |= _asked(stores)
    incident = _drafted(stores, incident_id, environment, given)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.save(incident, place)
    shown = place if as_json else short(place)
    bare = _without_values(incident)
    first = f"write the `parameters:` of {' and '.join(bare)} into it, then: " if bare else ""
    emit(
        as_json,
        {"incident": incident_id, "file": str(place), "steps": [step.id for step in incident.steps]},
        lambda: click.echo(f"written to {shown} (mode 0600)\nnext: {first}envclone incident record {shown}"),
    )


@click.command("ls")
@json_option
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the incidents whose bundles are there."""
    if settings.server:
        from envclone.cli import remote

        remote.incidents(settings, as_json)
        return
    from envclone.incidents.files import SUFFIXES

    folder = settings.loaded().stack.incidents
    there = folder.iterdir() if folder.is_dir() else ()
    found = sorted({one.stem for one in there if one.suffix in SUFFIXES and one.is_file()})
    emit(as_json, found, lambda: click.echo("\n".join(map(visible, found)) if found else "no incidents"))


@click.command()
@click.argument("incident_id", metavar="INCIDENT", shell_complete=completion.incidents)
@json_option
@click.pass_obj
def show(settings: Settings, incident_id: str, as_json: bool) -> None:
    """Show what the bundle of INCIDENT holds and what it lacks. No value of it is shown."""
    if settings.server:
        from envclone.cli import remote

        remote.incident(settings, incident_id, as_json)
        return
    from dataclasses import asdict

    from envclone.incidents import files
    from envclone.incidents.completeness import completeness, counted, lacking
    from envclone.incidents.drafting import held

    loaded = settings.loaded()
    path = files.find(loaded.stack.incidents, incident_id)
    incident = files.load(path)
    found = held(incident, stores_of(loaded, incident.environment), short(path))

    def text() -> None:
        state = f"masked with the key {incident.masked}" if incident.masked else "raw: for the operator alone"
        click.echo(visible(f"incident {incident.incident} of {incident.environment}, {state}"))
        if incident.recorded_at:
            click.echo(f"recorded {incident.recorded_at:%Y-%m-%d %H:%M %Z}")
        if incident.calls:
            click.echo(visible(counted(incident)))
        for one in found:
            click.echo(visible(f"  {one.step} ({one.kind}, {one.store}): {one.asks}; recorded: {one.recorded}"))
            for line in one.lacks:
                click.echo(visible(f"    lacks {line}"))
        for line in lacking(incident):
            click.echo(visible(f"  {line}"))
        if not found:
            click.echo(f"next: envclone incident edit {incident_id}   # add the query that failed")
        elif not any(one.lacks for one in found):
            click.echo(f"next: envclone branch {incident.environment} --incident {incident.incident}")

    document = {
        "incident": incident.incident,
        "environment": incident.environment,
        "file": str(path),
        "masked": incident.masked,
        "recorded_at": incident.recorded_at,
        "steps": [asdict(one) for one in found],
        "calls": len(incident.calls),
        "variables": [asdict(one) for one in completeness(incident)],
    }
    emit(as_json, document, text)


@click.command(short_help="Open a bundle in $EDITOR; only a valid change is kept.")
@click.argument("incident_id", metavar="INCIDENT", shell_complete=completion.incidents)
@click.pass_obj
def edit(settings: Settings, incident_id: str) -> None:
    """Open the bundle of INCIDENT in $EDITOR, and keep the change only when it is a bundle.

    What production returned is no longer proven once the bundle was changed: record it again.
    """
    from envclone.errors import ConfigError
    from envclone.incidents import files
    from envclone.private import write_private

    path = files.find(settings.loaded().stack.incidents, incident_id)
    draft = path.with_name(f".{path.stem}.edited{path.suffix}")
    before = path.read_text(encoding="utf-8")
    if not draft.exists():
        write_private(draft, before)
    click.edit(filename=str(draft), editor=os.environ.get("VISUAL") or os.environ.get("EDITOR") or _editor())
    if draft.read_text(encoding="utf-8") == before:
        draft.unlink()
        click.echo("nothing was changed")
        return
    try:
        files.load(draft)
    except ConfigError as exc:
        raise ConfigError(
            f"{path} is as it was; the change is kept beside it", problems=exc.problems or (exc.message,),
            hint=f"envclone incident edit {incident_id} goes on with it; rm {draft} gives it up",
        ) from None  # fmt: skip
    write_private(path, draft.read_text(encoding="utf-8"), durable=True)
    draft.unlink()
    click.echo(f"changed {short(path)}\nnext: envclone incident record {short(path)}")


def _editor() -> str:
    found = next((name for name in ("sensible-editor", "nano", "vi") if shutil.which(name)), None)
    if found is None:
        raise UsageError("there is no editor", hint="set EDITOR, for example: EDITOR=nano envclone incident edit ID")
    return found


def short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def chosen_environment(loaded: LoadedStack, named: str | None) -> str:
    there = sorted(loaded.stack.environments)
    if named is None and len(there) > 1:
        raise UsageError(f"in which environment? There are: {', '.join(there)}", hint="--env NAME")
    return named or there[0]


def stores_of(loaded: LoadedStack, environment: str) -> dict[str, str]:
    """The kind of each store of an environment."""
    environments = loaded.stack.environments
    if environment not in environments:
        raise UsageError(f"there is no environment '{environment}'; there are: {', '.join(sorted(environments))}")
    return {name: one.kind for name, one in environments[environment].stores.items()}


def one_store(stores: Mapping[str, str], kind: str, named: tuple[str, ...]) -> str:
    """The one store of a kind, or the one of them that was named."""
    found = sorted(name for name, its in stores.items() if its == kind)
    chosen = [name for name in found if name in named] or found
    if len(chosen) != 1:
        there = f"There are: {', '.join(found)}" if found else "There is none"
        raise UsageError(f"which {kind} store? {there}", hint="--store NAME")
    return chosen[0]


def _drafted(stores: Mapping[str, str], ident: str, environment: str, given: dict[str, Any]) -> Incident:
    from pydantic import ValidationError

    from envclone.incidents.bundle import Incident
    from envclone.incidents.drafting import vector_step

    steps: list[dict[str, Any]] = []
    if given["collection"]:
        store = one_store(stores, "qdrant", given["stores"])
        chosen = _filter(_text(given["filter_"], "--filter")) if given["filter_"] else None
        vector = _vector(given)
        steps.append(
            vector_step(
                "search", store, given["collection"], vector, using=given["using"], limit=given["limit"], filter=chosen
            )
        )
    for number, written in enumerate(given["statements"], 1):
        name = "query" if len(given["statements"]) == 1 else f"query-{number}"
        step = {"id": name, "kind": "sql", "store": one_store(stores, "postgres", given["stores"])}
        steps.append(step | ({"role": given["role"]} if given["role"] else {}) | {"sql": _statement(written)})
    try:
        return Incident.model_validate(
            {"version": 2, "incident": ident, "environment": environment, "note": given["note"], "steps": steps}
        )
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"that makes no bundle: {place}: {first['msg']}") from None


def _statement(written: str) -> str:
    text = _text(written, "--sql")
    if not text.strip() or "\0" in text:
        raise UsageError("--sql: there is no statement in it")
    return text


def _filter(text: str) -> dict[str, Any]:
    try:
        chosen = json.loads(text)
    except (ValueError, RecursionError):
        chosen = None
    if not isinstance(chosen, dict):
        raise UsageError(
            "--filter holds no filter", hint='the JSON that Qdrant takes: {"must": [{"key": K, "match": {"value": V}}]}'
        )
    return chosen


def _without_values(incident: Incident) -> list[str]:
    """The SQL steps that name parameters; a bundle that was just written gives them no values."""
    from envclone.incidents.bundle import SqlStep
    from envclone.incidents.placeholders import standard

    found = []
    for step in incident.steps:
        try:
            if isinstance(step, SqlStep):
                standard(step.id, step.sql, step.parameters)
        except UsageError:
            found.append(step.id)
    return found


def _vector(given: dict[str, Any]) -> list[float]:
    from envclone.incidents.drafting import vector_of

    if given["vector_file"] and given["embedding_of"]:
        raise UsageError("--vector-file and --embedding-of exclude each other")
    if given["vector_file"]:
        return vector_of(_text(f"@{given['vector_file']}", "--vector-file"), given["vector_file"])
    if not given["embedding_of"]:
        raise UsageError("a search needs its vector", hint="--vector-file FILE, or --embedding-of TEXT --with COMMAND")
    if not given["command"]:
        raise UsageError("--embedding-of needs a command that makes the vector", hint="--with './embed.py'")
    return embedded(given["embedding_of"], given["command"])


def embedded(text: str, command: str) -> list[float]:
    """The vector that a person's command makes of a text: the text on its input, the vector on its output."""
    from envclone import process
    from envclone.incidents.drafting import vector_of

    try:
        argv = shlex.split(command)
    except ValueError:
        argv = []
    if not argv:
        raise UsageError("--with names no command that can be run", hint="--with './embed.py'")
    # the command is the user's own, and needs the keys of the user's environment
    done = process.run(argv, input=text, env=dict(os.environ), cwd=Path.cwd(), timeout=120)
    return vector_of(done.stdout, f"the output of {argv[0]}")


def _text(written: str, option: str) -> str:
    if not written.startswith("@"):
        return written
    try:
        return absolute(written[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(
            f"{option}: {written[1:]} cannot be read: {getattr(exc, 'strerror', 'it is not text')}"
        ) from None


def _asked(stores: Mapping[str, str]) -> dict[str, Any]:
    """What somebody answers at a terminal."""
    import sys

    kinds = set(stores.values())
    if not sys.stdin.isatty():
        raise UsageError(
            "what failed? There is no terminal to ask", hint="--sql SQL, or --collection NAME --vector-file FILE"
        )
    answers: dict[str, Any] = {"note": click.prompt("What was seen", default="", show_default=False)}
    if "postgres" in kinds:
        written = click.prompt("The SQL statement, or @FILE (empty: none)", default="", show_default=False)
        answers["statements"] = (written,) if written else ()
        if written:
            answers["role"] = click.prompt("Run as which role", default="", show_default=False) or None
    if "qdrant" in kinds:
        answers["collection"] = click.prompt("The collection (empty: none)", default="", show_default=False) or None
        if answers["collection"]:
            answers["vector_file"] = click.prompt("The file with the query vector")
    if not answers.get("statements") and not answers.get("collection"):
        raise UsageError("a bundle needs a statement or a search")
    return answers
