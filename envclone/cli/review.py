"""`scan --review`: the decisions that were made on weak evidence, one after the other, at a terminal."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envclone.cli.visible import visible
from envclone.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from envclone.scan.review import Decision

__all__ = ["review"]


def review(path: Path) -> None:
    """Ask about each decision that nobody has looked at; what is answered is in the stack file at once.

    Raises UsageError where there is no terminal to ask at.
    """
    from envclone.scan.review import pending

    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask at",
            hint=f"the decisions stand in {path}, under the heading 'decided on weak evidence'",
        )
    later: set[tuple[str, str]] = set()
    with _by_keys(True):
        while left := [one for one in pending(_text(path)) if (one.store, one.field) not in later]:
            answer = _asked(left[0], len(left))
            if answer is None:
                break
            if not answer or not _settle(path, left[0], answer):
                later.add((left[0].store, left[0].field))
    many = len(pending(_text(path)))
    click.echo()
    click.echo(f"{many} are left: envclone scan --review goes on here" if many else "all decisions were looked at")


@contextmanager
def _by_keys(wanted: bool) -> Iterator[None]:
    """Within the block the terminal gives key by key, or line by line; what was typed ahead stays."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    if wanted:
        tty.setcbreak(descriptor, termios.TCSADRAIN)
    else:
        lines = list(before)
        lines[3] |= termios.ICANON | termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSADRAIN, lines)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _asked(one: Decision, left: int) -> str | None:
    """The rule that somebody chose; '' for later, None to stop."""
    click.echo()
    click.echo(visible(f"{one.store}: {one.field}: ") + click.style(one.rule or "no rule yet", bold=True))
    click.echo(visible(f"  {one.why}"))
    keys = "y right, n wrong" if one.rule else "k keep"
    while True:
        click.echo(f"  {keys}, e another rule, s later, q stop  ({left} left) ", nl=False)
        key = os.read(sys.stdin.fileno(), 1).decode(errors="replace").lower() or "q"  # the terminal was closed
        click.echo(key if key.isprintable() else "")
        if key == "q":
            return None
        if key == "s":
            return ""
        if key == "y" and one.rule:
            return one.rule
        if key == "k" and not one.rule:
            return "keep"
        if key == "e" or (key == "n" and one.rule):
            other = one.rule if key == "e" else "text" if one.rule == "keep" else "keep"
            with _by_keys(False):
                return str(click.prompt("  the rule", default=other or "keep"))


def _settle(path: Path, one: Decision, rule: str) -> bool:
    """Write a rule; False when the stack file would not be one any more, which is said."""
    from envclone.lifecycle.scan import rewrite
    from envclone.scan.review import settled

    try:
        rewrite(path, settled(_text(path), one, rule))
    except ConfigError as exc:
        problem = next(iter(exc.problems), exc.message)
        click.echo(visible(f"  {rule} cannot be a rule here: {problem}"))
        return False
    except ValueError as exc:
        click.echo(f"  {exc}")
        return False
    return True


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
