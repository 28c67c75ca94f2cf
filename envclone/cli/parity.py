"""`parity`: what of production a branch has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option, print_table, warnings_of

__all__ = ["parity", "show"]


@click.command()
@click.argument("name", metavar="BRANCH", shell_complete=completion.branches)
@click.option("--all", "everything", is_flag=True, help="Show the rows that match, too.")
@json_option
@click.pass_obj
def parity(settings: Settings, name: str, everything: bool, as_json: bool) -> None:
    """Compare BRANCH with production, row by row: match, differs, or unknown.

    Production's side is what the snapshot and the captured profiles say; `envclone profile capture` makes it complete.
    """
    if settings.server:
        from envclone.cli import remote

        remote.parity(settings, name, as_json, everything=everything)
        return
    with settings.stack() as stack:
        branch = stack.show(name)
        rows = stack.parity(name)
    show(name, [asdict(row) for row in rows], branch.degraded, warnings_of(branch.stores), as_json, everything)


def show(
    name: str, rows: Sequence[Mapping[str, Any]], degraded: Sequence[str], warnings: Sequence[str], as_json: bool,
    everything: bool,
) -> None:  # fmt: skip
    """Print the rows, wherever they come from."""
    totals = {kind: sum(row["parity"] == kind for row in rows) for kind in ("match", "differs", "unknown")}

    def text() -> None:
        shown = [row for row in rows if everything or row["parity"] != "match"]
        cells = [
            [row["store"], row["what"], row["production"] or "?", row["branch"] or "?", str(row["parity"])]
            for row in shown
        ]
        if cells:
            print_table("", ["OF", "WHAT", "PRODUCTION", "BRANCH", ""], cells)
        for line in degraded:
            click.echo(f"degraded: {line}")
        for line in warnings:
            click.echo(f"warning: {line}")
        click.echo(
            ", ".join(f"{count} {kind}" for kind, count in totals.items()) + ("" if everything else "; --all shows all")
        )

    document = {
        "branch": name,
        "rows": list(rows),
        "degraded": list(degraded),
        "warnings": list(warnings),
        **totals,
    }
    emit(as_json, document, text)
