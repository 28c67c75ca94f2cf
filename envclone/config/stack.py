"""A stack file as it was loaded: its values, and where each stands in which file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.config.problems import WORD, Finding, Keys, dotted, printable
from envclone.errors import ConfigError, Problem

if TYPE_CHECKING:
    from envclone.config.document import Line
    from envclone.config.schema import StackFile

__all__ = ["HINT", "LoadedStack", "error", "report"]

HINT = "docs/stack-file.md describes every key"
SHOWN = 100
"""So many problems are listed; a person who has more begins with these."""


@dataclass(frozen=True, slots=True)
class LoadedStack:
    """A valid stack file.

    Fields below a store's `source` and a service's `environment` hold the text as written, their variables unread:
    `resolve_source` and `resolve_environment` read them. All other paths and variables are resolved.
    """

    stack: StackFile
    path: Path
    env: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False, compare=False)
    lines: Mapping[Keys, Line] = field(default_factory=dict, repr=False, compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The data as read, includes merged, before any variable was expanded."""
    sanitizing: str = field(default="", repr=False, compare=False)
    """A digest of the rules and all else under `sanitize`; '' where variables decide and nothing is remembered."""

    @property
    def directory(self) -> Path:
        """What relative paths in the stack file are relative to; absolute."""
        return self.path.expanduser().absolute().parent

    def where(self, *keys: str | int) -> str:
        """`path:line` of a key, or of the nearest one above it: `loaded.where("sanitize", "rules", "main")`."""
        file, line = _line(self.lines, keys, self.path)
        return f"{file}:{line}" if line else f"{file}"

    def problem(self, keys: Keys, what: str) -> Problem:
        """One line of a ConfigError about this place of the file."""
        return report(self.path, self.lines, [(keys, what)])[0]


def report(path: Path, lines: Mapping[Keys, Line], findings: Iterable[Finding]) -> list[Problem]:
    """Findings as `path:line: keys: what`, in the order of the file, each once."""
    placed = []
    for keys, what in dict.fromkeys(findings):
        file, line = _line(lines, keys, path)
        place = dotted(_public(keys))
        placed.append((file != path, str(file), line, printable(f"{place}: {what}" if place else what)))
    placed.sort(key=lambda entry: entry[:3])
    problems = [Problem(f"{file}:{line or 1}: {what}") for _, file, line, what in placed[:SHOWN]]
    if len(placed) > SHOWN:
        problems.append(Problem(f"{path}: and {len(placed) - SHOWN} more"))
    return problems


def error(path: Path, problems: Iterable[str], *, hint: str | None = HINT) -> ConfigError:
    """The error that carries these problems."""
    listed = tuple(problems)
    count = f"{len(listed)} problems" if len(listed) != 1 else "a problem"
    return ConfigError(f"the stack file {path} has {count}", problems=listed, hint=hint)


def _line(lines: Mapping[Keys, Line], keys: Keys, path: Path) -> Line:
    for length in range(len(keys), -1, -1):
        found = lines.get(keys[:length])
        if found is not None:
            return found
    return path, 0


def _public(keys: Keys) -> Keys:
    """The keys as they may be shown: a key of a `source` that is not a plain word may be a secret in the wrong place.

    A rule's address or path can name a person's key of a document; the line says which it is.
    """
    if keys[:2] == ("sanitize", "rules") and len(keys) > _RULE:
        from envclone.masking.shown import shown_address, shown_path  # only when something is wrong

        shown = [shown_path(str(key)) if str(key).startswith("$") else shown_address(str(key)) for key in keys[_RULE:]]
        return (*keys[:_RULE], *shown)
    return tuple(
        "…" if index >= 5 and keys[4] == "source" and isinstance(key, str) and not WORD.fullmatch(key) else key
        for index, key in enumerate(keys)
    )


_RULE = 3
"""How deep a rule's address stands: below `sanitize.rules.STORE`."""
