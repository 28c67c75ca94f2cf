"""`report`: the page of an incident."""

from __future__ import annotations

import click

from envclone.cli import completion
from envclone.cli.context import Settings, absolute, emit, json_option

__all__ = ["report"]


@click.command()
@click.argument("incident_id", metavar="INCIDENT", shell_complete=completion.incidents)
@click.option("--branch", "branch_name", metavar="NAME", help="The branch.  [default: the one made for the incident]")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="[default: incident-INCIDENT.html, here]"
)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="ID",
    help="A record that should have come. May be given several times.",
)
@click.option(
    "--allow-computed",
    is_flag=True,
    help="Also show texts that production computed, or that models and people wrote, masked as free text.",
)
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
@json_option
@click.pass_obj
def report(
    settings: Settings, incident_id: str, branch_name: str | None, output: str | None, expected: tuple[str, ...],
    allow_computed: bool, show: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write the page of an incident: what was asked, what happened, why, and what shows it.

    One HTML file without script that fetches nothing, with masked data alone: for a ticket, a chat, a printer. The
    incident is replayed in its branch for it, and each search is asked without its index too.
    """
    file = absolute(output or f"incident-{incident_id}.html")
    if settings.server:
        from envclone.cli import remote

        remote.refuse(expect=expected, allow_computed=allow_computed)
        remote.report(settings, incident_id, branch_name, file, as_json)
        if show:
            click.launch(file.as_uri())
        return
    with settings.stack() as stack:
        made = stack.report(incident_id, branch_name, into=file, expected=expected, allow_computed=allow_computed)
    story = made.story

    def text() -> None:
        click.echo(f"{file} (mode 0600): incident {incident_id} is {story.outcome} in {story.branch}")

    document = {
        "incident": incident_id,
        "branch": story.branch,
        "file": str(file),
        "outcome": str(story.outcome),
        "causes": [{"layer": one.layer, "says": one.says, "certain": one.certain} for one in story.causes],
    }
    emit(as_json, document, text)
    if show:
        click.launch(file.as_uri())
