"""`diagnose`: why an incident failed, by experiments in its branch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option, print_table
from envclone.cli.visible import visible
from envclone.errors import NotReproducedError, UsageError

if TYPE_CHECKING:
    from envclone.diagnosis.diagnose import Diagnosis

__all__ = ["diagnose", "render"]


@click.command()
@click.argument("incident_id", metavar="INCIDENT", shell_complete=completion.incidents)
@click.option("--branch", "branch_name", metavar="NAME", help="The branch.  [default: the one made for the incident]")
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="ID",
    help="A record that should have come. May be given several times.",
)
@click.option("--sweep", is_flag=True, help="Also ask each search under other settings, and show them side by side.")
@click.option("--embed-with", "command", metavar="CMD", help="The application's embedder: text in, vector out.")
@click.option(
    "--judge", metavar="CMD", help="Judges grounding: question, documents, answer in (JSON), claims without ground out."
)
@json_option
@click.pass_obj
def diagnose(
    settings: Settings,
    incident_id: str,
    branch_name: str | None,
    expected: tuple[str, ...],
    sweep: bool,
    command: str | None,
    judge: str | None,
    as_json: bool,
) -> None:
    """Find out why INCIDENT failed: the first failing layer, its evidence, and what shows it.

    Everything is asked in the incident's branch, read-only. Exit code 5 when a cause is found, 0 when none is.
    """
    if settings.server:
        from envclone.cli import remote

        remote.refuse(embed_with=command, judge=judge)
        remote.diagnose(settings, incident_id, branch_name, expected, sweep, as_json)
        return
    from envclone.cli.drafts import embedded

    with settings.stack() as stack:
        found = stack.diagnose(
            incident_id,
            branch_name,
            expected=expected,
            sweeps=sweep,
            embed=(lambda text: embedded(text, command)) if command else None,
            judge=(lambda asked: _judged(asked, judge)) if judge else None,
        )
    emit(as_json, found.to_json(), lambda: render(found))
    if found.first is not None:
        if as_json:
            raise click.exceptions.Exit(NotReproducedError.exit_code)
        raise NotReproducedError(f"incident {incident_id}: {found.first.layer}: {found.first.cause}")


def _judged(asked: Mapping[str, str], command: str) -> list[str]:
    """What a person's command says stands in no document: a line for each, or a JSON list. Raises UsageError."""
    import json
    import os
    import shlex
    from pathlib import Path

    from envclone import process

    # the command is the user's own, and needs the keys of the user's environment
    argv = shlex.split(command)
    said = process.run(argv, input=json.dumps(dict(asked)), env=dict(os.environ), cwd=Path.cwd(), timeout=120).stdout
    try:
        found = json.loads(said)
    except ValueError:
        found = said.splitlines()
    if not isinstance(found, list):
        raise UsageError(f"the output of {argv[0]} is no list", hint="a JSON list of texts, or a text a line")
    return [str(one).strip() for one in found if str(one).strip()]


def render(found: Diagnosis) -> None:
    """A diagnosis for a person."""
    from envclone.diagnosis.report import explain, table

    click.echo(visible(explain(found)))
    if found.sweeps:
        columns = ["STEP", "ASKED", "RECALL", "RESULTS", *(f"RANK OF {one}" for one in found.expected), "MS"]
        print_table("sweep (* as production asked)", columns, table(found.sweeps, found.expected))
