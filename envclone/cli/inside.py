"""`logs`, `exec`, `stats`, `protect`, `ttl`: a look into a running branch, and a hand on it."""

from __future__ import annotations

import datetime as dt
import sys

import click

from envclone.cli import completion
from envclone.cli.context import DURATION, Settings, emit, json_option, print_table

__all__ = ["exec_", "logs", "protect", "stats", "ttl"]


@click.command()
@click.argument("name", metavar="BRANCH", shell_complete=completion.branches)
@click.argument("part", metavar="STORE|SERVICE")
@click.option("--lines", "-n", default=100, show_default=True, type=click.IntRange(1, 1_000_000), help="How many.")
@click.option("--follow", "-f", is_flag=True, help="Go on as more comes.")
@click.pass_obj
def logs(settings: Settings, name: str, part: str, lines: int, follow: bool) -> None:
    """Show what a store or service of BRANCH wrote."""
    from envclone import process

    if settings.server:
        from envclone.cli import remote

        remote.refuse(follow=follow)
        remote.logs(settings, name, part, lines)
        return
    with settings.stack(show_progress=False) as stack:
        insight = stack.insight(name)
        if not follow:
            click.echo(insight.logs(part, lines), nl=False)
            return
        argv = insight.following(part)
    process.replace(argv)


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="BRANCH", shell_complete=completion.branches)
@click.argument("part", metavar="STORE|SERVICE")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_(settings: Settings, name: str, part: str, command: tuple[str, ...]) -> None:
    """Run COMMAND inside a store's or service's container."""
    from envclone import process

    with settings.stack(show_progress=False) as stack:
        stack.touch(name)
        argv = stack.insight(name).command(part, command, terminal=sys.stdin.isatty() and sys.stdout.isatty())
    process.replace(argv)


@click.command()
@click.argument("name", metavar="BRANCH", shell_complete=completion.branches)
@json_option
@click.pass_obj
def stats(settings: Settings, name: str, as_json: bool) -> None:
    """Show what each part of BRANCH uses now: memory, processor time, processes."""
    from envclone.cow.loop import format_size

    with settings.stack(show_progress=False) as stack:
        found = stack.insight(name).stats()
    rows = [
        [
            part,
            format_size(int(use["memory"])),
            format_size(int(use["memory_limit"])) if use["memory_limit"] else "-",
            f"{use['cpu_seconds']:.1f} s",
            f"{use['pids']:.0f}",
        ]
        for part, use in found.items()
    ]
    emit(
        as_json,
        {"branch": name, "parts": found},
        lambda: (
            print_table("", ["OF", "MEMORY", "LIMIT", "CPU", "PROCESSES"], rows)
            if rows
            else click.echo(f"nothing of {name} runs; envclone start {name}")
        ),
    )


@click.command()
@click.argument("name", metavar="BRANCH", shell_complete=completion.branches)
@click.option("--off", is_flag=True, help="Protect it no longer.")
@json_option
@click.pass_obj
def protect(settings: Settings, name: str, off: bool, as_json: bool) -> None:
    """Keep BRANCH from `gc`, and from `rm` without --force."""
    with settings.stack(show_progress=False) as stack:
        one = stack.protect(name, on=not off)
    emit(
        as_json,
        {"branch": name, "protected": one.protected},
        lambda: click.echo(f"{name} is {'protected' if one.protected else 'no longer protected'}"),
    )


@click.command()
@click.argument("name", metavar="BRANCH", shell_complete=completion.branches)
@click.argument("time", metavar="TIME", type=DURATION)
@json_option
@click.pass_obj
def ttl(settings: Settings, name: str, time: dt.timedelta, as_json: bool) -> None:
    """Have BRANCH live TIME from now on, such as 90m, 8h, 2d; with none until it is removed."""
    if settings.server:
        from envclone.cli import remote

        remote.ttl(settings, name, time, as_json)
        return
    with settings.stack(show_progress=False) as stack:
        branch = stack.extend(name, time or None)
    until = None if branch.expires_at is None else branch.expires_at.isoformat()
    said = f"until {until[:16].replace('T', ' ')} UTC" if until else "until it is removed"
    emit(as_json, {"name": name, "expires_at": until}, lambda: click.echo(f"{name} lives {said}"))
