"""`ci`: the template of a CI service that runs the gate of pinned incidents."""

from __future__ import annotations

import click

from envclone.ci import SERVICES, template
from envclone.cli.context import emit, json_option

__all__ = ["ci"]


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
@json_option
def ci(service: str, as_json: bool) -> None:
    """Print what makes SERVICE replay the pinned incidents, and fail on fields that have no rule.

    \b
    envclone ci github > .github/actions/envclone/action.yml
    envclone ci gitlab > ci/envclone.yml
    """
    text = template(service)
    emit(as_json, {"service": service, "template": text}, lambda: click.echo(text, nl=False))
