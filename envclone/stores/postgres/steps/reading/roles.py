"""As whom a step runs: an ordinary role, with that role's settings, under any login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from envclone.errors import UnsafeError, UsageError
from envclone.stores.postgres.steps.reading import known

if TYPE_CHECKING:
    import psycopg

    from envclone.incidents.bundle import SqlStep

__all__ = ["POWERS", "become", "powers_of", "require_ordinary", "still", "superusers_of", "taken_on", "why_not"]

POWERS = (
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_signal_backend",
    "pg_signal_autovacuum_worker",
    "pg_checkpoint",
    "pg_create_subscription",
)
"""Predefined roles whose members act on the server itself."""

_POWERS_OF = """
    SELECT r.rolname::pg_catalog.text, r.rolsuper FROM pg_catalog.pg_roles r
    WHERE (r.rolsuper OR r.rolreplication OR r.rolname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[]))
      AND pg_catalog.pg_has_role(%s::pg_catalog.name, r.oid, 'MEMBER')
    ORDER BY r.rolsuper DESC, r.rolname
"""
_BECOMES = """
    SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r
    WHERE r.rolsuper AND (r.rolname OPERATOR(pg_catalog.=) current_user OR r.rolname OPERATOR(pg_catalog.=) session_user
                          OR pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
                          OR pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER'))
    ORDER BY r.rolname OPERATOR(pg_catalog.=) %s::pg_catalog.name DESC LIMIT 1
"""
_TAKERS = """
    SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r
    WHERE r.rolcanlogin AND pg_catalog.pg_has_role(r.rolname, %s::pg_catalog.name, %s)
      AND NOT (SELECT o.rolcanlogin FROM pg_catalog.pg_roles o
               WHERE o.rolname OPERATOR(pg_catalog.=) %s::pg_catalog.name)
    ORDER BY r.rolname
"""
_LOGINS = """
    SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r
    WHERE r.rolcanlogin AND NOT (r.rolsuper OR r.rolreplication) ORDER BY r.rolname LIMIT 20
"""
_SUPERUSER = """
    SELECT r.rolsuper FROM pg_catalog.pg_roles r
    WHERE r.rolname OPERATOR(pg_catalog.=) %s::pg_catalog.name
"""
_MAY_BECOME = "SELECT pg_catalog.pg_has_role(%s::pg_catalog.name, %s::pg_catalog.name, %s)"
_SETTINGS = """
    SELECT pg_catalog.unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s
    JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.setrole
    WHERE r.rolname OPERATOR(pg_catalog.=) %s::pg_catalog.name
      AND (s.setdatabase OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR s.setdatabase OPERATOR(pg_catalog.=)
           (SELECT d.oid FROM pg_catalog.pg_database d
            WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()))
    ORDER BY s.setdatabase USING OPERATOR(pg_catalog.<)
"""

_SHOWN = 5
"""Names in a hint."""
_MAY_LOG_IN = (
    "SELECT r.rolcanlogin FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) %s::pg_catalog.name"
)


def _who_took_it(role: str, logins: Sequence[str]) -> str:
    took = f"in the step, with the login that took it on: `role: LOGIN` and `local: {{role: {role}}}`"
    return f"{took}; {', '.join(logins)} may" if logins else f"{took}; no ordinary login may"


def _whom_to_name(conn: psycopg.Connection[Any]) -> str:
    """What to do about a step that names no role, with the ordinary logins that are there."""
    found = [name for (name,) in conn.execute(_LOGINS).fetchall() if not powers_of(conn, name)]
    if not found:
        return (
            "production has no ordinary login: let an operator make one there that only reads, and name it:\n"
            "CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader;\n"
            "envclone incident record --role reader BUNDLE"
        )
    many = f"{', '.join(found[:_SHOWN])}{' and others' if len(found) > _SHOWN else ''}"
    return (
        f"name the role that production ran it as: `role: {found[0]}` in the step, or envclone incident record"
        f" --role {found[0]} BUNDLE; ordinary logins there: {many}"
    )


def powers_of(conn: psycopg.Connection[Any], role: str) -> list[str]:
    """The roles with rights over the server itself that this role is or may become, superusers first.

    Raises UsageError when there is no such role.
    """
    import psycopg

    try:
        return [name for name, _ in conn.execute(_POWERS_OF, [list(POWERS), role]).fetchall()]
    except psycopg.errors.UndefinedObject:
        raise UsageError(f'the role "{role}" does not exist there') from None


def takers_of(conn: psycopg.Connection[Any], role: str) -> list[str]:
    """The ordinary logins that may take on a role which may not log in itself; none where it may.

    Raises UsageError when there is no such role.
    """
    powers_of(conn, role)
    right = "SET" if conn.info.server_version >= 160000 else "MEMBER"
    found = conn.execute(_TAKERS, [role, right, role]).fetchall()
    return [name for (name,) in found if not powers_of(conn, name)]


def superusers_of(conn: psycopg.Connection[Any], role: str) -> str | None:
    """A superuser that this session is, or may become by SET ROLE; `role` itself first."""
    row = conn.execute(_BECOMES, [role]).fetchone()
    return None if row is None else str(row[0])


def require_ordinary(conn: psycopg.Connection[Any], step: SqlStep) -> None:
    """Raises UnsafeError unless the step runs as a role that is not a superuser and may not become one, nor act on the
    server's files, programs, backends or slots; UsageError for a role that no session can begin as."""
    login = conn.info.user
    role = step.role or login
    found = powers_of(conn, role)
    if not found:
        row = conn.execute(_MAY_LOG_IN, [role]).fetchone()
        if row and not row[0]:  # a replay logs in as it
            raise UsageError(
                f"the step '{step.id}' is to run as '{role}', which may not log in in production",
                hint=_who_took_it(role, takers_of(conn, role)),
            )
        return
    what = "has rights over the server itself" if found[0] == role else f"may become '{found[0]}'"
    if step.role is None:
        raise UnsafeError(
            f"the step '{step.id}' names no role, and the login '{login}' {what}",
            hint=_whom_to_name(conn),
        )
    raise UnsafeError(
        f"the step '{step.id}' is to run as '{role}', which {what}",
        hint="name the application's own role",
    )


def taken_on(settings: Mapping[str, str]) -> str | None:
    """The role that settings take on, as PostgREST does for each request; None when they take on none."""
    return next((value for name, value in settings.items() if name.lower() == "role"), None)


def why_not(conn: psycopg.Connection[Any], step: SqlStep, role: str) -> list[str]:
    """What speaks against a step's taking on this role by `role` in its settings; nothing for a member of an ordinary
    one.

    Raises UsageError when there is no such role.
    """
    if found := powers_of(conn, role):
        what = "has rights over the server itself" if found[0] == role else f"may become '{found[0]}'"
        return [f"it sets 'role' to '{role}', which {what}"]
    own = step.role or conn.info.user
    right = "SET" if conn.info.server_version >= 160000 else "MEMBER"
    may = conn.execute(_MAY_BECOME, [own, role, right]).fetchone()
    return [] if may and may[0] else [f"it sets 'role' to '{role}', which '{own}' may not"]


def become(conn: psycopg.Connection[Any], step: SqlStep) -> str:
    """Make the session that of the step's role, with the settings that a login would give it; returns the role.

    A superuser's session is given away, so that nothing in it has his rights any more; a member's takes the role on.
    Raises UsageError when this login cannot have the role.
    """
    import psycopg
    from psycopg import sql

    login = conn.info.user
    role = step.role
    if role is None or role == login:
        return login
    row = conn.execute(_SUPERUSER, [login]).fetchone()
    whole = sql.SQL("SET SESSION AUTHORIZATION {}") if row and row[0] else sql.SQL("SET ROLE {}")
    try:
        if not (row and row[0]):
            right = "SET" if conn.info.server_version >= 160000 else "MEMBER"
            may = conn.execute(_MAY_BECOME, [login, role, right]).fetchone()
            if not (may and may[0]):
                raise UsageError(
                    f"the step '{step.id}' ran as '{role}', and this connection is '{login}': another role"
                    " has other rights and settings",
                    hint=f"give the DSN of '{role}', or of a login that may SET ROLE to it",
                )
        settings = conn.execute(_SETTINGS, [role]).fetchall()
        conn.execute(whole.format(sql.Identifier(role)))
    except psycopg.Error as exc:
        raise UsageError(f"the step '{step.id}' cannot run as '{role}': {exc.diag.message_primary or exc}") from exc
    for (setting,) in settings:
        name, _, value = setting.partition("=")
        if known.may_be_set(name):
            with suppress(psycopg.Error):  # what only a login, or only a superuser can set
                conn.execute("SELECT pg_catalog.set_config(%s, %s, false)", [name, value])
    return role


def still(conn: psycopg.Connection[Any], step: SqlStep, role: str) -> None:
    """Raises UnsafeError when a statement has changed who the session is."""
    row = conn.execute("SELECT current_user::pg_catalog.text").fetchone()
    if row != (role,):
        raise UnsafeError(f"the step '{step.id}' left the role '{role}'; nothing was recorded")
