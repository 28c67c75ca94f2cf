"""How to reach a branch's stores: URLs and environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from envclone.models import Endpoint

__all__ = ["attributes", "place", "public", "url", "variables"]


def place(endpoint: Endpoint) -> tuple[str | None, int | None]:
    """Host and port that others than this machine reach a store by: a cluster's Service, where there is one."""
    if not endpoint.public:
        return endpoint.host, endpoint.port
    host, _, port = endpoint.public.rpartition(":")
    return host, int(port)


def public(endpoint: Endpoint) -> Endpoint:
    """A store as others than this machine reach it: without what only this machine has."""
    host, port = place(endpoint)
    return replace(endpoint, host=host, port=port)


def url(endpoint: Endpoint, *, reveal: bool = True) -> str:
    """The URL of a store; without `reveal` the password is `***`."""
    if endpoint.host is None or endpoint.port is None:
        return f"file://{endpoint.path}"
    scheme = "postgresql" if endpoint.kind == "postgres" else "http"
    login = ""
    if endpoint.user:
        password = endpoint.password.reveal() if endpoint.password and reveal else "***"
        login = f"{quote(endpoint.user, safe='')}:{quote(password, safe='*')}@"
    database = f"/{quote(endpoint.database, safe='')}" if endpoint.database else ""
    return f"{scheme}://{login}{endpoint.host}:{endpoint.port}{database}"


def attributes(endpoint: Endpoint) -> dict[str, str]:
    """What a service's variables can ask of a store: `url`, `host`, `port`, `user`, `password`, `database`, `path`."""
    found = {
        "url": url(endpoint),
        "host": endpoint.host,
        "port": str(endpoint.port) if endpoint.port else None,
        "user": endpoint.user,
        "password": endpoint.password.reveal() if endpoint.password else None,
        "database": endpoint.database,
        "path": str(endpoint.path) if endpoint.path else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def variables(endpoints: Mapping[str, Endpoint]) -> dict[str, str]:
    """Environment variables that point tools and applications at a branch.

    `<STORE>_URL` for each store, `<STORE>_API_KEY` for one whose URL has no login; libpq's own variables and
    DATABASE_URL for the first Postgres.
    """
    found: dict[str, str] = {}
    for name, endpoint in endpoints.items():
        prefix = name.upper().replace("-", "_").replace(":", "_")
        found[f"{prefix}_URL"] = url(endpoint)
        if endpoint.password is not None and not endpoint.user:
            found[f"{prefix}_API_KEY"] = endpoint.password.reveal()
        if endpoint.path is not None and endpoint.host is None:
            found[f"{prefix}_PATH"] = str(endpoint.path)
        if endpoint.kind == "postgres" and "DATABASE_URL" not in found:
            found["DATABASE_URL"] = url(endpoint)
            found["PGHOST"] = endpoint.host or ""
            found["PGPORT"] = str(endpoint.port)
            found["PGUSER"] = endpoint.user or ""
            found["PGPASSWORD"] = endpoint.password.reveal() if endpoint.password else ""
            found["PGDATABASE"] = endpoint.database or ""
    return found
