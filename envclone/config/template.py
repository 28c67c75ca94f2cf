"""The commented stack file that `envclone init` writes."""

from __future__ import annotations

import re
from pathlib import Path

from envclone.config.base import NAME
from envclone.errors import ConfigError

__all__ = ["project_name", "starter"]

_LINE = re.compile(r"^project: my-project *", re.MULTILINE)


def starter(project: str) -> str:
    """The starter file for a project, ready to be written. Raises ConfigError when the name cannot be one."""
    if not re.fullmatch(NAME.strip("^$"), project):
        raise ConfigError(
            f"'{project}' cannot be a project's name",
            hint="lower-case letters, digits and hyphens, 41 at most, a letter or digit first",
        )
    text = Path(__file__).with_name("starter.yaml").read_text(encoding="utf-8")

    def line(match: re.Match[str]) -> str:
        return f"project: {project} ".ljust(len(match.group()))

    return _LINE.sub(line, text, count=1)


def project_name(directory: Path) -> str:
    """A project's name made from a directory's: `My Shop_2` gives `my-shop-2`; `project` when nothing is left."""
    words = re.sub(r"[^a-z0-9]+", "-", directory.absolute().name.lower()).strip("-")
    return words[:41].rstrip("-") or "project"
