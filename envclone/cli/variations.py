"""What a replay has other than production, from a command's options; its verdicts as JUnit's XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.cli.context import absolute
from envclone.errors import UsageError

if TYPE_CHECKING:
    from envclone.incidents.variation import Variation
    from envclone.incidents.verdicts import ReplayReport
    from envclone.pages.junit import Checked, Outcome

__all__ = ["variation", "write_junit"]

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
