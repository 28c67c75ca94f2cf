"""What commands share: the stack they work on, progress on a terminal, text or JSON on standard output."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from envclone.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from envclone.api import Stack
    from envclone.config.stack import LoadedStack
    from envclone.models import ProgressEvent, StoreSnapshot
    from envclone.pool import Pool
    from envclone.pool.catalog import Flaw
    from envclone.protocols import Progress

__all__ = [
    "DURATION", "SIZE", "Settings", "absolute", "emit", "json_option", "print_table", "warn", "warnings_of",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Settings:
    """The options before the command."""

    stack_file: str | None
    pool: str | None
    debug: bool
    quiet: bool
    server: str | None = None

    @contextmanager
    def progress(self, wanted: bool = True) -> Iterator[Progress]:
        """What shows on standard error how far the command has come: for scripts as events, when it got `--json`."""
        from envclone.cli.progress import reporting

        context = click.get_current_context()
        command = _called(context)
        with reporting(command, wanted and not self.quiet, as_json=bool(context.params.get("as_json"))) as progress:
            yield progress

    @contextmanager
    def recorded(self, pool: Pool, progress: Progress) -> Iterator[Progress]:
        """A log of this run in the pool; what is told of its progress goes on to `progress`, and into the log."""
        context = click.get_current_context()
        command = _called(context)
        if command in _LOOKING:
            yield progress
            return
        from envclone.pool.runs import recorded

        with recorded(pool.path_of("logs", ""), command, " ".join([command, *_shown(context)])) as logger:
            last = ""

            def tell(event: ProgressEvent) -> None:
                nonlocal last
                if event.stage or event.step != last:
                    number = f"step {event.number} of {event.of}: " if event.of else ""
                    logger.info("%s", f"{number}{event.step}" if event.stage else f"  {event.step}")
                    last = event.step
                progress(event)

            yield tell

    @contextmanager
    def stack(self, *, show_progress: bool = True) -> Iterator[Stack]:
        """The stack file and its pool, and progress on standard error."""
        from envclone.api import open_stack

        if self.server is not None:
            raise UsageError(
                "this is done on the pool's host alone, and --server or ENVCLONE_SERVER names a service",
                hint="call it there, or leave out the option that a service does not have",
            )
        with self.progress(show_progress) as progress, ExitStack() as held:
            stack = open_stack(self.stack_file, pool=self.pool, progress=progress)
            if show_progress:
                told = held.enter_context(self.recorded(stack.project.pool, progress))
                stack = replace(stack, project=replace(stack.project, progress=told))
            try:
                yield stack
            finally:
                if (said := stack.audit_suspicion()) is not None:
                    click.echo(f"warning: the audit log was changed: {said}; envclone audit verify", err=True)

    def loaded(self) -> LoadedStack:
        """The stack file alone; no pool is opened."""
        from envclone.config.find import find
        from envclone.config.load import load

        return load(Path(self.stack_file) if self.stack_file else find(Path.cwd()))


_LOOKING = frozenset(("ls", "show", "env", "images", "attestation", "audit log", "audit verify", "hooks list", "cases"))
"""Commands that change nothing and have no log."""
_NAMES = frozenset(("environment", "name", "names", "image", "incident_id", "branch_name", "runtime"))
"""Parameters whose values a log may hold: names of things in the stack file and in the pool."""


def _called(context: click.Context) -> str:
    """The command's name, with its group's before it."""
    words: list[str] = []
    one: click.Context | None = context
    while one is not None and one.parent is not None:
        words.insert(0, one.info_name or "")
        one = one.parent
    return " ".join(words)


def _shown(context: click.Context) -> Iterator[str]:
    """The command line as a log may hold it: of other options than names only that they were given."""
    from click.core import ParameterSource

    for one in context.command.params:
        value = context.params.get(one.name or "")
        if context.get_parameter_source(one.name or "") is not ParameterSource.COMMANDLINE:
            continue
        said = list(value) if isinstance(value, tuple) else [value]
        if isinstance(one, click.Option):
            yield max(one.opts, key=len)
            said = said if one.name in _NAMES else []
        yield from (str(word) if one.name in _NAMES else "…" for word in said)


def json_option(command: F) -> F:
    """Adds `--json`: one JSON document on standard output and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")(command)


def emit(as_json: bool, document: Any, render: Callable[[], None]) -> None:
    """Print the document as JSON, or let `render` print it for a person."""
    if as_json:
        click.echo(json.dumps(document, indent=2, default=str))
    else:
        render()


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table as wide as the terminal; without a terminal, plain columns of full width."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from envclone.cli.visible import visible

    table: Table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=position == 0)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))  # a text's brackets are not markup
    Console(width=None if sys.stdout.isatty() else 200, soft_wrap=not sys.stdout.isatty()).print(table)


def warn(flaws: Sequence[Flaw], kind: str = "") -> None:
    """Name what has no usable record (of one kind), on standard error: it is left alone, and stops nobody."""
    from envclone.pool.catalog import KINDS

    for one in flaws:
        if kind in ("", one.kind):
            click.echo(f"warning: {KINDS[one.kind]} {one.id}: {one.reason}; {one.remedy}", err=True)


def warnings_of(stores: Mapping[str, StoreSnapshot]) -> list[str]:
    """Every warning of a snapshot, with the store that it is about."""
    return [f"{name}: {warning}" for name, store in stores.items() for warning in store.warnings]


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from envclone.cow.loop import parse_size

        return value if isinstance(value, int) else parse_size(str(value))


class _Duration(click.ParamType[dt.timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.timedelta:
        from envclone.config.durations import parse_duration

        if isinstance(value, dt.timedelta):
            return value
        if str(value) in ("none", "never", "0"):
            return dt.timedelta(0)
        try:
            return parse_duration(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


SIZE = _Size()
DURATION = _Duration()


def absolute(path: str | Path) -> Path:
    """A path as the user means it, from where the command was called."""
    return Path(path).expanduser().absolute()
