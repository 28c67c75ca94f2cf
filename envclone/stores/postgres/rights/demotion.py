"""The first thing that happens on a clone of production: nobody of production keeps rights over the server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg

from envclone.models import Cleaned
from envclone.stores.postgres.rights import owners, powers, roles
from envclone.stores.postgres.rights.logins import Logins, save
from envclone.stores.postgres.rights.taken import Taken

__all__ = ["acting", "take_rights"]

Connection = psycopg.Connection[tuple[Any, ...]]


def take_rights(
    connect: Callable[..., AbstractContextManager[Connection]], directory: Path
) -> tuple[Logins, list[Taken], list[Cleaned]]:
    """Do it, in one transaction, and write the names of the new logins beside the data directory.

    `connect(autocommit=…)` opens the first superuser's session under his name in production, on the store's database.
    Nothing of production's is evaluated on the way: catalogs are read and written, and event triggers are off. Returns
    the names, what was taken, and what else was put out of action.
    """
    with connect(autocommit=False) as conn:
        cleaned = [event_triggers(conn), settings(conn)]
        kept, taken = powers.close(conn)
        demoted, of_roles = roles.demote(conn)
        owners.move(conn, demoted, kept)
        roles.make_ours(conn, demoted)
        conn.commit()
    save(demoted.logins, directory)
    return demoted.logins, [*of_roles, *taken], [item for item in cleaned if item.count]


def event_triggers(conn: Connection) -> Cleaned:
    """Disable every event trigger, before a session's own statements could fire one."""
    found = conn.execute(
        """UPDATE pg_catalog.pg_event_trigger SET evtenabled = 'D'::pg_catalog."char"
           WHERE evtenabled OPERATOR(pg_catalog.<>) 'D'::pg_catalog."char" RETURNING evtname::pg_catalog.text"""
    ).fetchall()
    return Cleaned("event triggers disabled", len(found), ", ".join(sorted(name for (name,) in found)))


_ACTING = (
    "^(session_preload_libraries|local_preload_libraries|dynamic_library_path|extension_control_path|jit_provider)="
)
_SECRET = "(pass|secret|token|api_?key)"  # noqa: S105 - part of a setting's text


def settings(conn: Connection) -> Cleaned:
    """Remove settings of roles and databases that load libraries or hold secrets."""
    found = conn.execute(
        """UPDATE pg_catalog.pg_db_role_setting SET setconfig = ARRAY(
             SELECT s FROM pg_catalog.unnest(setconfig) AS u (s)
             WHERE s OPERATOR(pg_catalog.!~*) %(acting)s AND s OPERATOR(pg_catalog.!~*) %(secret)s)
           WHERE EXISTS (SELECT FROM pg_catalog.unnest(setconfig) AS u (s)
             WHERE s OPERATOR(pg_catalog.~*) %(acting)s OR s OPERATOR(pg_catalog.~*) %(secret)s)""",
        {"acting": _ACTING, "secret": _SECRET},
    ).rowcount
    conn.execute(
        "DELETE FROM pg_catalog.pg_db_role_setting WHERE setconfig OPERATOR(pg_catalog.=) '{}'::pg_catalog.text[]"
    )
    return Cleaned("settings of roles and databases removed", found)


def acting(conn: Connection) -> int:
    """How many roles' or databases' settings do that."""
    row = conn.execute(
        """SELECT pg_catalog.count(*) FROM pg_catalog.pg_db_role_setting CROSS JOIN LATERAL
             pg_catalog.unnest(setconfig) AS u (s)
           WHERE s OPERATOR(pg_catalog.~*) %(acting)s OR s OPERATOR(pg_catalog.~*) %(secret)s""",
        {"acting": _ACTING, "secret": _SECRET},
    ).fetchone()
    return int(row[0]) if row else 0
