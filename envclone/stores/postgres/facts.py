"""Versions and settings of a server, in production and in a branch, under the same names."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from envclone.errors import UnreachableError
from envclone.models import Endpoint, StoreSnapshot
from envclone.profiles.servers import SETTINGS

__all__ = ["facts", "production"]


def production(snapshot: StoreSnapshot) -> dict[str, str]:
    """What the snapshot recorded: the server's version, the extensions', and that of the database's collation."""
    details: Mapping[str, Any] = snapshot.details
    found = {"server version": snapshot.engine_version}
    extensions = details.get("extensions") or {}
    if isinstance(extensions, Mapping):
        found |= {f"extension {name}": str(version) for name, version in extensions.items()}
    for database in details.get("databases") or ():
        if database.get("name") == details.get("database") and database.get("collation_version"):
            found["collation version"] = str(database["collation_version"])
    return found


def facts(endpoint: Endpoint) -> dict[str, str]:
    """What a branch's server says: its version, those of the extensions installed beside it, its C library's collation.

    Raises UnreachableError.
    """
    import psycopg

    try:
        with closing(
            psycopg.connect(
                host=endpoint.host,
                port=endpoint.port,
                dbname=endpoint.database,
                user=endpoint.user,
                password=endpoint.password.reveal() if endpoint.password else None,
                connect_timeout=10,
                autocommit=True,
            )
        ) as conn:
            return _ask(conn)
    except psycopg.OperationalError as exc:
        raise UnreachableError(f"the branch's server {endpoint.store} does not answer") from exc


def _ask(conn: Any) -> dict[str, str]:
    found = {"server version": str(conn.execute("SHOW server_version").fetchone()[0]).split()[0]}
    for name, version in conn.execute(
        """SELECT e.extname, coalesce(a.default_version, '') FROM pg_catalog.pg_extension e
           LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname"""
    ):
        found[f"extension {name}"] = version
    if conn.info.server_version >= 150000:
        row = conn.execute(
            """SELECT pg_catalog.pg_database_collation_actual_version(oid) FROM pg_catalog.pg_database
               WHERE datname = pg_catalog.current_database()"""
        ).fetchone()
        if row and row[0]:
            found["collation version"] = row[0]
    for name, value in conn.execute(
        "SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings WHERE name = ANY (%s)",
        [list(SETTINGS)],
    ):
        found[f"setting {name}"] = value
    return found
