"""The table of commands: by task, each with one line and the module that it is loaded from.

It imports nothing of the commands: `envclone --help` waits for none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import click

__all__ = ["COMMANDS", "TASKS", "Lazy", "Listed"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A command: where it is (`module:attribute`), and what it does in so few words that 80 columns hold them."""

    target: str
    line: str


TASKS: Mapping[str, Mapping[str, Listed]] = {
    "Set up": {
        "init": Listed("stack:init", "Write a commented stack file to start from."),
        "config": Listed("stack:config", "Check the stack file, print its schema."),
        "doctor": Listed("doctor:doctor", "Report what this host can do, and what it lacks."),
        "pool": Listed("pool:pool", "Make, mount and grow a pool that shares blocks."),
        "scan": Listed("scan:scan", "Propose a rule for every field that has none."),
        "hooks": Listed("hooks:hooks", "List sanitization hooks, try one on a sample."),
        "manifests": Listed("manifests:manifests", "Write what runs envclone in a cluster, as YAML or chart."),
        "profile": Listed("profile:profile", "Take, show and compare production's CPU and memory."),
    },
    "An incident": {
        "track": Listed("track:track", "Follow production, so that any moment can be had."),
        "branch": Listed("branch:branch", "Make a sanitized, running copy of an environment."),
        "incident": Listed("incident:incident", "Write, record and mask the bundle of an incident."),
        "replay": Listed("incident:replay", "Rerun an incident in its branch and compare."),
        "diagnose": Listed("diagnose:diagnose", "Say why an incident failed, and what shows it."),
        "diff": Listed("diff:diff", "Compare two branches or images, or an incident and now."),
        "pin": Listed("cases:pin", "Keep an incident as a regression test."),
        "cases": Listed("cases:cases", "List the pinned incidents."),
        "regress": Listed("cases:regress", "Replay all pinned incidents: a gate for CI."),
        "case": Listed("carry:case", "Take a pinned incident to another pool, in one file."),
        "ci": Listed("ci:ci", "Print a CI template that replays pinned incidents."),
        "unpin": Listed("cases:unpin", "Remove a pinned incident, let go of its image."),
        "parity": Listed("parity:parity", "Compare a branch with production, row by row."),
        "report": Listed("report:report", "Write the page of an incident, for a ticket."),
        "mcp": Listed("mcp:mcp", "Serve an agent: branch, replay, ask (MCP)."),
    },
    "Branches": {
        "ls": Listed("branches:ls", "List this project's branches."),
        "show": Listed("branches:show", "Show one branch: state, image, URLs, size."),
        "env": Listed("branches:env", "Print shell exports that point tools at a branch."),
        "psql": Listed("branches:psql", "Open psql on a branch."),
        "logs": Listed("inside:logs", "Show what a store or service wrote."),
        "exec": Listed("inside:exec_", "Run a command inside a store's or service's container."),
        "stats": Listed("inside:stats", "Show the memory and processor time of each part."),
        "reset": Listed("branches:reset", "Throw away what was changed in a branch."),
        "start": Listed("branches:start", "Start a stopped branch, also in another runtime."),
        "stop": Listed("branches:stop", "Stop a branch's servers; its data stays."),
        "ttl": Listed("inside:ttl", "Have a branch live longer, or shorter."),
        "protect": Listed("inside:protect", "Keep a branch from gc, and from rm without --force."),
        "rm": Listed("branches:rm", "Stop branches and remove all that belongs to them."),
    },
    "Images and the pool": {
        "snapshot": Listed("images:snapshot", "Copy production's stores into quarantine."),
        "image": Listed("images:image", "Sanitize, verify and publish the newest snapshot."),
        "keep": Listed("keep:keep", "Make images ahead, so that a branch waits for none."),
        "images": Listed("images:images", "List this project's images."),
        "verify": Listed("images:verify", "Make every check of an image again."),
        "attestation": Listed("images:attestation", "Show what is attested of an image, and what is not."),
        "audit": Listed("audit:audit", "Show the pool's log, check that nobody changed it."),
        "log": Listed("log:log", "List what ran in the pool, show what one run did."),
        "gc": Listed("branches:gc", "Remove expired branches and what nobody needs."),
        "serve": Listed("serve:serve", "Serve a team over HTTP; its tokens."),
    },
    "Help": {
        "demo": Listed("demo:demo", "Build a production with a bug, branch it, find the bug."),
        "completion": Listed("completion:completion", "Print the completion script of a shell."),
    },
}
"""Tasks in the order of a first day, and their commands."""

COMMANDS: Mapping[str, Listed] = {name: one for commands in TASKS.values() for name, one in commands.items()}

_CLOSE = 0.6


class Lazy(click.Group):
    """Imports a command's module when the command is called: a branch is not to wait for the demo's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None when there is none of the name."""
        listed = COMMANDS.get(cmd_name)
        if listed is None:
            return None
        module, _, attribute = listed.target.partition(":")
        command: click.Command = getattr(importlib.import_module(f"envclone.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; of a wrong name the nearest is said."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            import difflib  # here, for what is meant is written right as a rule

            near = difflib.get_close_matches(args[0], COMMANDS, n=1, cutoff=_CLOSE)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by task; nothing of them is imported."""
        width = max(map(len, COMMANDS))
        for task, commands in TASKS.items():
            with formatter.section(task):
                formatter.write_dl([(name.ljust(width), one.line) for name, one in commands.items()])
