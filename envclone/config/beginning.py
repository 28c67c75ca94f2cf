"""The stack file that `envclone init --from` begins with: where production is, and no secret of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from envclone.config.template import starter
from envclone.errors import UsageError

__all__ = ["VARIABLE", "Beginning", "beginning"]

VARIABLE = "PROD_PG_DSN"
"""What the stack file reads the DSN from, when it holds a password and came from no variable."""
_NAME = re.compile(r"\$?\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_SECRETS = ("password", "sslpassword")
_WHY = "the DSN of production, of a role with REPLICATION"


@dataclass(frozen=True)
class Beginning:
    """The text of a stack file without rules; `env` is what has to be set besides, to read production by it now."""

    text: str
    stores: tuple[str, ...]
    variable: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


def beginning(
    project: str, environment: str, postgres: str | None, qdrant: str | None, env: Mapping[str, str]
) -> Beginning:
    """Write down where production's stores are.

    `postgres` is a DSN, or the name of a variable that holds one; `qdrant` is a storage directory. A password is never
    written: the variable that holds the DSN is named instead. Raises UsageError for what cannot be read.
    """
    starter(project)  # refuses what cannot be a project's name
    stores: dict[str, object] = {}
    variable = ""
    extra: dict[str, str] = {}
    if postgres is not None:
        written, variable, extra = _postgres(postgres, env)
        stores["main"] = {"kind": "postgres", "source": {"method": "physical", "dsn": written}}
    if qdrant is not None:
        if re.match(r"https?://", qdrant):
            raise UsageError(
                "--qdrant: a running server cannot be copied yet, only its storage directory",
                hint="stop it or freeze its file system, and name its storage.storage_path: "
                "--qdrant /srv/qdrant/storage",
            )
        path = Path(os.path.normpath(Path(qdrant).expanduser().absolute()))
        if not path.is_dir():
            raise UsageError(f"--qdrant: {path} is not a directory", hint="name Qdrant's storage directory")
        stores["kb"] = {"kind": "qdrant", "source": {"method": "directory", "path": str(path).replace("$", "$$")}}
    if not stores:
        raise UsageError("there is no store to begin with", hint="--from DSN, --qdrant DIRECTORY, or both")
    document = {"environments": {environment: {"stores": stores}}}
    text = (
        "# Written by `envclone init`. Every key: docs/stack-file.md. Check it with `envclone config check`.\n"
        f"version: 1\nproject: {project}\n\n"
        f"{yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)}\n"
        "sanitize:\n"
        "  undeclared: fail                   # a field without a rule: no image\n"
        "  rules:\n"
        "\n"
        "incidents: incidents/                # the bundles that `envclone replay` runs\n"
        "branches: {ttl: 8h, max: 20}\n"
        "quarantine: {keep: 1, max_age: 24h}  # raw snapshots go after this\n"
    )
    return Beginning(text, tuple(stores), variable, extra)


def _postgres(given: str, env: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
    """What to write as the DSN, the variable that it is read from ('' for none), and what to set for now."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    named = _NAME.fullmatch(given)
    if named is not None:
        if named[1] not in env:
            raise UsageError(f"--from: the variable {named[1]} is not set", hint="give a DSN, or a variable's name")
        return f"${{{named[1]}?{_WHY}}}", named[1], {}
    try:
        parameters = conninfo_to_dict(given)
    except ProgrammingError:
        raise UsageError(
            "--from: this is not a DSN", hint="postgresql://user@host:5432/database, service=prod, or a variable's name"
        ) from None
    holding = sorted(name for name, value in env.items() if value == given)
    if holding:
        name = VARIABLE if VARIABLE in holding else holding[0]
        return f"${{{name}?{_WHY}}}", name, {}
    if any(parameters.get(key) for key in _SECRETS):
        return f"${{{VARIABLE}?{_WHY}}}", VARIABLE, {VARIABLE: given}
    return given.replace("$", "$$"), "", {}
