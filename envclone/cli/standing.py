"""`envclone` alone: where you stand in this directory, and what is next."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envclone.cli.visible import visible
from envclone.config.find import find
from envclone.errors import ConfigError

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.cli.context import Settings
    from envclone.models import Branch, Image

__all__ = ["stand"]


def stand(settings: Settings, help: str) -> None:
    """Say which stack file is meant, what there is of it, and the next command; without a stack file print the help."""
    try:
        file = Path(settings.stack_file) if settings.stack_file else find(Path.cwd())
    except ConfigError:
        click.echo(help)
        return
    with settings.stack(show_progress=False) as stack:
        lines = _lines(stack, file, dt.datetime.now(dt.UTC))
    for line in lines:
        click.echo(visible(line))


def _lines(stack: Stack, file: Path, now: dt.datetime) -> list[str]:
    images, branches = stack.images(), stack.branches()
    lines = [f"{stack.project.name}: {file}"]
    for environment in stack.project.loaded.stack.environments:
        of = [one for one in images if one.environment == environment]
        lines.append(f"  {environment}: {_of_images(of, now)}")
    for branch in branches:
        lines.append(f"  {branch.name}: {_of_branch(stack, branch, now)}")
    lines.append(f"next: {_next(stack, images, branches)}")
    lines.append("envclone --help shows every command")
    return lines


def _of_images(images: list[Image], now: dt.datetime) -> str:
    from envclone.span import span

    if not images:
        return "no image yet"
    newest = max(images, key=lambda one: one.created_at)
    many = "1 image" if len(images) == 1 else f"{len(images)} images, the newest"
    return f"{many} {span(now - newest.created_at)} old"


def _of_branch(stack: Stack, branch: Branch, now: dt.datetime) -> str:
    from envclone.span import span

    words = [f"{branch.state}, of {branch.environment}"]
    if branch.expires_at is not None:
        words.append("expired" if branch.expires_at < now else f"{span(branch.expires_at - now)} left")
    if branch.incident:
        report = _verdict(stack.last_replay(branch.name))
        words.append(f"incident {branch.incident}{report}")
    return ", ".join(words)


def _verdict(report: Any) -> str:
    if report is None:
        return " not replayed yet"
    return " reproduced" if report.get("reproduced") else " NOT reproduced"


def _next(stack: Stack, images: Any, branches: Any) -> str:
    """The command that somebody here most likely wants."""
    for branch in branches:
        if branch.incident and branch.state == "running" and stack.last_replay(branch.name) is None:
            return f"envclone replay {branch.incident}"
    if branches:
        newest = max(branches, key=lambda one: one.created_at)
        verb = "show" if newest.state == "running" else "start"
        return f"envclone {verb} {newest.name}"
    environment = images[-1].environment if images else next(iter(stack.project.loaded.stack.environments))
    return f"envclone branch {environment}" if images else f"envclone scan {environment}"
