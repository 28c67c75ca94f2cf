"""`incident recordings`, and a recording as the parts of a bundle: what `envclone.record` wrote in an application."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envclone.cli.context import absolute, emit, json_option, print_table
from envclone.cli.visible import visible

if TYPE_CHECKING:
    from envclone.incidents.traces.steps import Stores

__all__ = ["parts_of", "recordings"]


@click.command(short_help="List the requests that envclone.record wrote.")
@click.argument("recording", type=click.Path(exists=True))
@click.option("--all", "every", is_flag=True, help="Also those that neither failed nor were flagged.")
@json_option
def recordings(recording: str, every: bool, as_json: bool) -> None:
    """List the requests in RECORDING, a directory that `envclone.record` writes, or a file of it: the newest first.

    Shown are those that failed, were flagged, or did not end. `incident import RECORDING --request ID` makes a bundle
    of one.
    """
    from envclone.incidents.traces.recording import listed

    there = listed(absolute(recording))
    shown = [one for one in there if every or one.told]

    def text() -> None:
        rows = [
            [f"{one.at:%Y-%m-%d %H:%M:%S}" if one.at else "-", one.id[:12], one.name, str(one.calls), one.outcome,
             "; ".join(one.flags) or "-"]
            for one in shown
        ]  # fmt: skip
        cells = [[visible(cell) for cell in row] for row in rows]
        print_table("", ["TIME (UTC)", "REQUEST", "NAME", "CALLS", "OUTCOME", "FLAGS"], cells)
        if len(there) > len(shown):
            click.echo(f"{len(there) - len(shown)} more neither failed nor were flagged: --all")

    emit(as_json, [asdict(one) | {"outcome": one.outcome} for one in shown], text)


def parts_of(path: Path, request: str | None, stores: Stores) -> dict[str, Any]:
    """What a recording gives a bundle, by the bundle's names."""
    from envclone.incidents.traces import recorded, recording
    from envclone.incidents.traces.about import application_of

    one = recording.chosen(path, request)
    made = recorded.parts(path, one, stores)
    if made.damaged:
        click.echo(f"warning: {made.damaged} records of the request are damaged, and left out", err=True)
    return {
        "calls": tuple(made.calls), "steps": tuple(made.steps), "exchanges": tuple(made.exchanges),
        "application": application_of(made.calls, made.origin) | made.application, "origin": made.origin,
        "clock": made.clock, "note": "; ".join(one.flags),
    }  # fmt: skip
