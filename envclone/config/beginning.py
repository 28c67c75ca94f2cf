"""The stack file that `envclone init --from` begins with: where production is, and no secret of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from envclone.config.template import starter
from envclone.errors import UsageError

__all__ = ["KEYS", "VARIABLE", "Beginning", "beginning"]

VARIABLE = "PROD_PG_DSN"
"""What the stack file reads the DSN from, when it holds a password and came from no variable."""
KEYS = ("PROD_QDRANT_KEY", "QDRANT_API_KEY", "QDRANT__SERVICE__API_KEY")
"""Variables in which the key of a Qdrant server is looked for; it is never given on a command line."""
_NAME = re.compile(r"\$?\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_SECRETS = ("password", "sslpassword")
_WHY = {
    "physical": "the DSN of production, of a role with REPLICATION",
    "logical": "the DSN of production, of a role that reads everything",
}


@dataclass(frozen=True)
class Beginning:
    """The text of a stack file without rules; `env` is what has to be set besides, to read production by it now."""

    text: str
    stores: tuple[str, ...]
    variable: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


def beginning(
    project: str,
    environment: str,
    postgres: str | None,
    qdrant: str | None,
    env: Mapping[str, str],
    *,
    method: str = "physical",
) -> Beginning:
    """Write down where production's stores are.

    `postgres` is a DSN, `qdrant` a server's address or a storage directory; either can be the name of a variable that
    holds it; `method` is PostgreSQL's. A secret is never written: the variable that holds it is named instead (of a
    Qdrant's key one of KEYS).
    Raises UsageError for what cannot be read.
    """
    starter(project)  # refuses what cannot be a project's name
    stores: dict[str, object] = {}
    variable = ""
    extra: dict[str, str] = {}
    if postgres is not None:
        written, variable, extra = _postgres(postgres, env, _WHY[method])
        stores["main"] = {"kind": "postgres", "source": {"method": method, "dsn": written}}
    if qdrant is not None:
        stores["kb"] = {"kind": "qdrant", "source": _qdrant(qdrant, env)}
    if not stores:
        raise UsageError("there is no store to begin with", hint="--from DSN, --qdrant URL|DIRECTORY, or both")
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


def _qdrant(given: str, env: Mapping[str, str]) -> dict[str, object]:
    """The source that a running server's address, a variable that holds one, or a storage directory stands for."""
    named = _NAME.fullmatch(given)
    address = env.get(named[1], "") if named is not None else given
    if re.match(r"https?://", address):
        if urlsplit(address).username is not None:
            raise UsageError(
                "--qdrant: the address holds a password", hint=f"put the API key into the variable {KEYS[0]}"
            )
        url = f"${{{named[1]}?the address of production's Qdrant}}" if named is not None else given.replace("$", "$$")
        key = next((name for name in KEYS if env.get(name)), None)
        held = {"api_key": f"${{{key}?the API key of production's Qdrant}}"} if key else {}
        return {"method": "snapshot", "url": url, **held}
    path = Path(os.path.normpath(Path(given).expanduser().absolute()))
    if not path.is_dir():
        raise UsageError(
            f"--qdrant: {path} is not a directory",
            hint="name a running server (https://qdrant.example:6333), or a stopped one's storage directory",
        )
    return {"method": "directory", "path": str(path).replace("$", "$$")}


def _postgres(given: str, env: Mapping[str, str], why: str) -> tuple[str, str, dict[str, str]]:
    """What to write as the DSN, the variable that it is read from ('' for none), and what to set for now."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    named = _NAME.fullmatch(given)
    if named is not None:
        if named[1] not in env:
            raise UsageError(f"--from: the variable {named[1]} is not set", hint="give a DSN, or a variable's name")
        return f"${{{named[1]}?{why}}}", named[1], {}
    try:
        parameters = conninfo_to_dict(given)
    except ProgrammingError:
        raise UsageError(
            "--from: this is not a DSN", hint="postgresql://user@host:5432/database, service=prod, or a variable's name"
        ) from None
    holding = sorted(name for name, value in env.items() if value == given)
    if holding:
        name = VARIABLE if VARIABLE in holding else holding[0]
        return f"${{{name}?{why}}}", name, {}
    if any(parameters.get(key) for key in _SECRETS):
        return f"${{{VARIABLE}?{why}}}", VARIABLE, {VARIABLE: given}
    return given.replace("$", "$$"), "", {}
