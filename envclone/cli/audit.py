"""`audit`: who did what to this pool, and whether that was changed afterwards."""

from __future__ import annotations

import click

from envclone.cli.context import Settings, emit, json_option, print_table

__all__ = ["audit"]


@click.group()
def audit() -> None:
    """The pool's log: show it, check that nobody changed it."""


@audit.command("log")
@click.option("-n", "--lines", default=20, show_default=True, help="How many of the newest events.")
@json_option
@click.pass_obj
def log(settings: Settings, lines: int, as_json: bool) -> None:
    """Show the newest events."""
    with settings.stack() as stack:
        found = stack.events()[-lines:]
    rows = [
        [
            str(event.get("at", ""))[:19].replace("T", " "),
            str(event.get("by", "")),
            str(event.get("action", "")),
            ", ".join(f"{key} {value}" for key, value in (event.get("details") or {}).items()),
        ]
        for event in found
    ]
    emit(
        as_json,
        found,
        lambda: print_table("", ["AT (UTC)", "BY", "ACTION", "DETAILS"], rows) if rows else click.echo("nothing yet"),
    )


@audit.command("verify", short_help="Check the chain of the log and its signed head.")
@json_option
@click.pass_obj
def verify(settings: Settings, as_json: bool) -> None:
    """Check the chain of the log and its signed head; exit code 4 names the first line that is not as written."""
    from envclone.errors import UnsafeError

    with settings.stack() as stack:
        count, problem = len(stack.events()), stack.audit()
    if problem is not None:
        raise UnsafeError(f"the audit log was changed: {problem}", hint="compare it with a copy kept elsewhere")
    emit(as_json, {"events": count, "intact": True}, lambda: click.echo(f"{count} events, each as it was written"))
