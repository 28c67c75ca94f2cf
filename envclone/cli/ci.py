"""`ci`: the template of a CI service that runs the gate of pinned incidents."""

from __future__ import annotations

import click

from envclone.ci import SERVICES, template

__all__ = ["ci"]


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
def ci(service: str) -> None:
    """Print what makes SERVICE replay the pinned incidents, and fail on fields that have no rule.

    \b
    envclone ci github > .github/actions/envclone/action.yml
    envclone ci gitlab > ci/envclone.yml
    """
    click.echo(template(service), nl=False)
