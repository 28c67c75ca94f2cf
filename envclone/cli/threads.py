"""`incident threads`: the conversations of LangGraph that a branch holds."""

from __future__ import annotations

from typing import Any

import click

from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option, print_table
from envclone.cli.drafts import chosen_environment
from envclone.cli.visible import visible
from envclone.errors import UsageError

__all__ = ["parts_of", "threads"]


@click.command(short_help="List the conversations of LangGraph in a branch.")
@click.option("--branch", metavar="NAME", shell_complete=completion.branches, help="The branch.")
@click.option("--env", "environment", metavar="NAME", help="Instead of a branch the environment's newest image.")
@click.option("--role", metavar="NAME", help="The role that reads them.  [default: the branch's own]")
@json_option
@click.pass_obj
def threads(settings: Settings, branch: str | None, environment: str | None, role: str | None, as_json: bool) -> None:
    """List the conversations of LangGraph in a branch: its checkpoints, masked as all of the branch is.

    With --env, or without either, a branch of the newest image is made for it and removed again.
    """
    if branch and environment:
        raise UsageError("--branch and --env exclude each other")
    named = chosen_environment(settings.loaded(), environment) if branch is None else None
    with settings.stack() as stack:
        found = list(stack.threads(branch, environment=named, role=role))
    where = f"--branch {branch}" if branch else f"--env {named}"

    def text() -> None:
        rows = [[visible(str(one["thread"])), str(one["checkpoints"]), visible(str(one["to"] or ""))] for one in found]
        print_table(f"threads in {branch or named}", ["THREAD", "CHECKPOINTS", "LAST"], rows)
        if found:
            click.echo(f"next: envclone incident import --thread ID {where} --id INCIDENT")

    emit(as_json, found, text)


def parts_of(
    settings: Settings, branch: str | None, thread: str, *, environment: str, role: str | None
) -> dict[str, Any]:
    """What a conversation gives a bundle, by the bundle's names."""
    from envclone.incidents.traces.read import calls_of_trace

    with settings.stack() as stack:
        told = stack.thread(branch, thread, environment=environment, role=role)
    calls, origin = calls_of_trace(told, f"the thread {thread}")
    return {"calls": tuple(calls), "origin": origin}
