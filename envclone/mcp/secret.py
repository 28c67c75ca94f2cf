"""What this process could tell by mistake: keys, production's logins and addresses, places on this machine."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import EnvcloneError

if TYPE_CHECKING:
    from envclone.models import Branch
    from envclone.project import Project

__all__ = ["of_branch", "of_project", "places"]

_OURS = ("127.0.0.1", "localhost", "::1", "")
_VARIABLES = ("ENVCLONE_MASKING_KEY", "PGPASSWORD", "DATABASE_URL")


def of_project(project: Project) -> Iterator[str]:
    """Keys of the pool, and every login and address of production that the stack file gives."""
    from envclone.config.load import resolve_source
    from envclone.config.resolve import resolve_url

    for path in sorted(project.keys.iterdir()) if project.keys.is_dir() else ():
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if path.suffix == ".key":
                yield path.read_text().strip()
    yield from (os.environ[name] for name in _VARIABLES if os.environ.get(name))
    loaded = project.loaded
    for environment, config in loaded.stack.environments.items():
        for store in config.stores:
            with contextlib.suppress(EnvcloneError):  # a variable that is not set tells nobody anything
                yield from _of_source(resolve_source(loaded, environment, store).model_dump())
        for service in config.services:
            with contextlib.suppress(EnvcloneError):
                yield from _of_address(resolve_url(loaded, environment, service) or "")


def of_branch(branch: Branch) -> Iterator[str]:
    """The passwords of a branch."""
    for endpoint in branch.endpoints.values():
        if endpoint.password is not None:
            yield endpoint.password.reveal()


def places(project: Project) -> Iterator[str]:
    """Directories whose names no result holds."""
    loaded = project.loaded
    own = (project.pool.path, loaded.directory, loaded.stack.incidents, Path.home(), Path(__file__).parents[2])
    yield from map(str, own)
    yield from ("/run/envclone", tempfile.gettempdir())
    if sys.prefix != sys.base_prefix:
        yield sys.prefix
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield runtime
    for path in (project.pool.path, loaded.directory):
        with contextlib.suppress(OSError):
            yield str(path.resolve())


def _of_source(given: Any) -> Iterator[str]:
    """What of a source is a secret, or says where production is."""
    for name, value in given.items() if isinstance(given, dict) else ():
        if isinstance(value, dict):
            yield from _of_source(value)
            continue
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if isinstance(plain, str) and name in ("dsn", "url"):
            yield from _of_address(plain)
        elif isinstance(plain, str) and (plain is not value or "key" in name or "password" in name):
            yield plain
        elif isinstance(plain, Path):
            yield str(plain)


def _of_address(text: str) -> Iterator[str]:
    """An address, its password and its host."""
    from urllib.parse import unquote, urlsplit

    yield text
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        yield from (one for one in (parts.password, parts.password and unquote(parts.password)) if one)
        if parts.hostname not in (None, *_OURS):
            yield str(parts.hostname)
    if "://" not in text and "=" in text:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        with contextlib.suppress(psycopg.Error):
            given = conninfo_to_dict(text)
            yield from (str(given[key]) for key in ("password", "sslpassword") if given.get(key))
            yield from (one for one in str(given.get("host") or "").split(",") if one not in _OURS)
