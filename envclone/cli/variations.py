"""What a replay has other than production, from a command's options; its verdicts as JUnit's XML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envclone.cli.context import Settings, absolute, emit, print_table
from envclone.cli.visible import visible
from envclone.errors import UsageError

if TYPE_CHECKING:
    from envclone.incidents.variation import Variation
    from envclone.incidents.verdicts import ReplayReport
    from envclone.pages.junit import Checked, Outcome

__all__ = ["one_of", "side_by_side", "variation", "write_junit"]

_LARGEST = 4 << 20


def variation(begin: str | None, sets: Sequence[str]) -> Variation:
    """What `--from` and `--set NAME=VALUE` ask for; of `prompt=FILE` the file's text. Raises UsageError."""
    from envclone.incidents.variation import Variation

    changes: dict[str, str] = {}
    for one in sets:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"--set takes NAME=VALUE, not '{one}'")
        if name in changes:
            raise UsageError(f"--set {name} is given twice")
        changes[name] = _text(absolute(value)) if name == "prompt" else value
    return Variation(begin, changes)


def one_of(**options: object) -> None:
    """Raises UsageError when more than one of these options is given."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} do not go together", hint="one after the other")


def side_by_side(
    settings: Settings,
    ident: str,
    branch: str | None,
    first: Variation,
    second: Variation,
    repeat: int,
    as_json: bool,
) -> None:
    """Replay in two ways, and show both: layer by layer against production, then step by step against each other."""
    from envclone.incidents.compare import side_by_side as differing

    with settings.stack() as stack:
        made = stack.replay_beside(ident, branch, first=first, second=second, repeat=repeat)
    names = [_named(one.changes) for one in (made.first, made.second)]

    def text() -> None:
        both = zip(made.first.layers, made.second.layers, strict=True)
        rows = [[a.layer, visible(a.words), visible(b.words)] for a, b in both]
        print_table(f"incident {ident}: held against production", ["LAYER", *names], rows)
        for one in made.between:
            word = "the same in both" if one.reproduced else "; ".join(one.reasons) or "differs"
            click.echo(visible(f"{one.step}: {word}"))
            if not one.reproduced:
                cells = [[str(cell) for cell in row] for row in differing(one)]
                print_table(f"{one.step}: side by side", ["", *names], cells)

    emit(as_json, made.to_json(), text)


def _named(changes: Mapping[str, str]) -> str:
    return visible(", ".join(f"{name}={value}" for name, value in changes.items())[:60] or "as it was")


def write_junit(path: Path, report: ReplayReport) -> None:
    """Write a test per layer and per step."""
    from envclone.pages.junit import junit
    from envclone.private import write_public

    write_public(path, junit(f"envclone replay {report.incident}", list(_tests(report))))


def _tests(report: ReplayReport) -> Iterator[Checked]:
    from envclone.pages.junit import Checked

    outcome: dict[str, Outcome] = {"diverged": "failure", "cannot tell": "skipped"}
    group = f"envclone.{report.incident}"
    for one in report.layers:
        yield Checked(one.layer, f"{group}.layers", 0.0, outcome.get(one.verdict, "passed"), one.words)
    for step in report.steps:
        kind: Outcome = "passed" if step.reproduced else "failure"
        yield Checked(step.step, f"{group}.steps", 0.0, kind, "; ".join(step.reasons[:1]), "\n".join(step.reasons))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"{path} is larger than {_LARGEST >> 20} MB")
        return content.decode("utf-8").rstrip("\n")
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from None
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path}: byte {exc.start} is not UTF-8") from None
