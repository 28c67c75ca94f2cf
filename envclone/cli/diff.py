"""`diff`: what differs between two branches or images, or between an incident and now."""

from __future__ import annotations

from dataclasses import asdict

import click

from envclone.cli.context import Settings, emit, json_option, print_table
from envclone.cli.visible import visible
from envclone.errors import UsageError

__all__ = ["diff"]

_WIDTH = 100


@click.command()
@click.argument("states", metavar="A..B")
@click.option("--content", is_flag=True, help="Read every table's rows, too: finds one that was changed.")
@json_option
@click.pass_obj
def diff(settings: Settings, states: str, content: bool, as_json: bool) -> None:
    """Show what differs between A and B: schema, rows, indexes, statistics, settings.

    Each is a branch, an image, an incident that has a branch, or `now`, which is the newest image:
    `envclone diff 1234..now` says what changed since the incident. Statistics are those of fields that no mask changes.
    """
    left, dots, right = states.partition("..")
    if not dots or not left or not right:
        raise UsageError("two states are compared", hint="envclone diff A..B, such as: envclone diff 1234..now")
    with settings.stack() as stack:
        rows = stack.diff(left, right, content=content)

    def text() -> None:
        cells = [[row.store, visible(row.what), _short(row.left), _short(row.right)] for row in rows]
        if cells:
            print_table("", ["OF", "WHAT", left, right], cells)
        unread = "" if content else "; --content also compares what the rows hold"
        click.echo(f"{len(rows)} differences{unread}" if rows else f"no difference{unread}")

    emit(as_json, {"left": left, "right": right, "content": content, "rows": [asdict(row) for row in rows]}, text)


def _short(value: str | None) -> str:
    if value is None:
        return "–"
    return visible(value if len(value) <= _WIDTH else f"{value[: _WIDTH - 1]}…")
