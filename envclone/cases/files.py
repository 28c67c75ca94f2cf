"""Cases on disk: a directory each, with the case and its masked bundle, there whole or not at all."""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envclone.cases.case import Case
from envclone.errors import ConfigError, Problem, UsageError
from envclone.incidents import files as bundles
from envclone.incidents.bundle import NAME, Incident
from envclone.incidents.document import Malformed, dump, parse
from envclone.private import write_public

__all__ = ["BUNDLE", "CASE", "Kept", "case_of", "find", "load", "load_case", "names", "place", "save"]

CASE, BUNDLE = "case.yaml", "bundle.json"
_MOST = 8 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """A case with its bundle, and the directory that they are in."""

    case: Case
    bundle: Incident
    directory: Path


def names(directory: Path) -> list[str]:
    """The cases that there are, those that cannot be read with them."""
    if not directory.is_dir():
        return []
    return sorted(one.name for one in directory.iterdir() if (one / CASE).is_file() and re.fullmatch(NAME, one.name))


def find(directory: Path, name: str) -> Path:
    """The directory of a case. Raises UsageError, saying what there is, when there is none."""
    if not re.fullmatch(NAME, name):
        raise UsageError(f"'{name}' cannot be the name of a case", hint="letters, digits, '.', '_' and '-'")
    if not (directory / name / CASE).is_file():
        there = ", ".join(names(directory)) or "none"
        raise UsageError(
            f"there is no case {name} in {directory}; there are: {there}", hint=f"pin it with: envclone pin {name}"
        )
    return directory / name


def load(directory: Path, name: str) -> Kept:
    """Read a case and its bundle. Raises ConfigError with every problem of the case, UsageError when there is none."""
    folder = find(directory, name)
    case = load_case(folder / CASE)
    bundle = bundles.load(folder / BUNDLE)
    if case.case != name or bundle.incident != name:
        raise ConfigError(f"{folder} holds the case {case.case} of the incident {bundle.incident}, and not {name}")
    if bundle.masked is None:
        raise ConfigError(
            f"{folder / BUNDLE} is raw: a case holds a masked bundle", hint=f"envclone pin {name} --again"
        )
    return Kept(case, bundle, folder)


def load_case(path: Path) -> Case:
    """Read a case's file. Raises ConfigError with every problem, UsageError when it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
        text = content.decode()
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: byte {exc.start} is not UTF-8") from None
    if len(content) > _MOST:
        raise ConfigError(f"{path} is larger than {_MOST >> 20} MB")
    return case_of(text, str(path))


def case_of(text: str, path: str) -> Case:
    """A case from its text; `path` is what messages call it. Raises ConfigError with every problem."""
    try:
        data: Any = parse(text)
    except Malformed as exc:
        raise ConfigError(f"{path}: {exc.what}") from None
    try:
        return Case.model_validate(data)
    except ValidationError as exc:
        problems = [Problem(f"{path}: {_said(one)}") for one in exc.errors(include_url=False, include_input=False)]
        raise ConfigError(f"{path} is no case: {len(problems)} problems", problems=problems) from None


def save(directory: Path, case: Case, bundle: Incident, *, again: bool = False) -> Path:
    """Write a case's directory whole. Raises UsageError when there is one and `again` is not said."""
    folder = place(directory, case.case, again=again)
    directory.mkdir(parents=True, exist_ok=True)
    making = directory / f".{case.case}.{secrets.token_hex(4)}"
    making.mkdir()
    try:
        bundles.save(bundle, making / BUNDLE)
        (making / BUNDLE).chmod(0o644)  # masked: it is committed, and read by whoever may read the code
        write_public(making / CASE, dump(case.model_dump(mode="json", exclude_defaults=False, exclude_none=True)))
        if folder.exists():
            folder.rename(making.with_name(f"{making.name}.old"))
        making.rename(folder)
    finally:
        for left in (making, making.with_name(f"{making.name}.old")):
            shutil.rmtree(left, ignore_errors=True)
    return folder


def place(directory: Path, name: str, *, again: bool = False) -> Path:
    """Where a new case goes. Raises UsageError when the name is none, or taken and `again` is not said."""
    if not re.fullmatch(NAME, name):
        raise UsageError(f"'{name}' cannot be the name of a case", hint="letters, digits, '.', '_' and '-'")
    if (directory / name).exists() and not again:
        raise UsageError(f"{directory / name} is there already", hint=f"envclone pin {name} --again, or unpin it")
    return directory / name


def _said(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {str(error['msg']).removeprefix('Value error, ')}"
