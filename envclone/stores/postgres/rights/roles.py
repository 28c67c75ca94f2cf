"""Roles: production's superusers become ordinary owners, and ours come into being."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from envclone.errors import UnsafeError
from envclone.stores.postgres.rights.logins import Connection, Logins, choose
from envclone.stores.postgres.rights.taken import Taken

__all__ = ["DANGEROUS", "Demoted", "demote", "make_ours"]

BOOTSTRAP = 10
"""The oid of the superuser that initdb makes (BOOTSTRAP_SUPERUSERID in catalog/pg_authid.dat)."""

DANGEROUS = (
    "pg_execute_server_program", "pg_read_server_files", "pg_write_server_files", "pg_create_subscription",
    "pg_signal_backend", "pg_signal_autovacuum_worker", "pg_checkpoint", "pg_use_reserved_connections",
)  # fmt: skip
"""Predefined roles that reach this machine's files and programs, other machines, or the server as a whole."""

_DATA = ("pg_read_all_data", "pg_write_all_data")
_ATTRIBUTES = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication")


class Demoted:
    """`heir` took over the first superuser's name and everything that is his; `all` lists it and the others (oids)."""

    def __init__(self, logins: Logins, name: str, heir: int, others: Sequence[int]) -> None:
        self.logins = logins
        self.name = name
        self.heir = heir
        self.all = (heir, *others)


def demote(conn: Connection) -> tuple[Demoted, list[Taken]]:
    """Give the session's own user another name, and his old one to a new role without his rights; the same for others.

    The operator keeps what initdb made, and the oid that the server itself takes for the superuser's. Everybody else
    loses SUPERUSER, CREATEROLE, CREATEDB and REPLICATION, and the memberships of DANGEROUS; who was a superuser reads
    and writes all data as before, under no policy. Raises UnsafeError when the session is not the first superuser's.
    """
    rows = conn.execute(
        """SELECT oid::pg_catalog.int8, rolname::pg_catalog.text, rolcanlogin, rolconnlimit,
                  rolname OPERATOR(pg_catalog.=) session_user FROM pg_catalog.pg_authid"""
    ).fetchall()
    first = next(row for row in rows if row[0] == BOOTSTRAP)
    if not first[4]:
        raise UnsafeError(
            f"the first superuser of this cluster is '{first[1]}', not the one whom its snapshot's record names",
            hint="take another snapshot: envclone snapshot",
        )
    _, name, can_login, limit, _ = first
    logins = choose({row[1] for row in rows})
    taken = [*_attributes(conn), *_memberships(conn)]
    others = [
        row[0]
        for row in conn.execute(
            """SELECT oid::pg_catalog.int8 FROM pg_catalog.pg_authid
               WHERE rolsuper AND oid OPERATOR(pg_catalog.<>) 10::pg_catalog.oid"""
        )
    ]
    conn.execute(
        "UPDATE pg_catalog.pg_authid SET rolname = %s, rolcanlogin = true, rolinherit = true"
        " WHERE oid OPERATOR(pg_catalog.=) 10::pg_catalog.oid",
        [logins.operator],
    )
    conn.execute(
        sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION {} CONNECTION LIMIT {}").format(
            sql.Identifier(name), sql.SQL("LOGIN" if can_login else "NOLOGIN"), sql.Literal(limit)
        )
    )
    heir = _oid(conn, name)
    conn.execute(
        """UPDATE pg_catalog.pg_authid SET rolbypassrls = rolbypassrls OR rolsuper, rolinherit = rolinherit OR rolsuper,
                  rolsuper = false, rolcreaterole = false, rolcreatedb = false, rolreplication = false
           WHERE oid OPERATOR(pg_catalog.<>) 10::pg_catalog.oid"""
    )
    # the password goes along, to be removed with the others'
    conn.execute(
        """UPDATE pg_catalog.pg_authid h SET rolbypassrls = true, rolpassword = o.rolpassword,
                  rolvaliduntil = o.rolvaliduntil FROM pg_catalog.pg_authid o
           WHERE h.oid OPERATOR(pg_catalog.=) %s::pg_catalog.oid AND o.oid OPERATOR(pg_catalog.=) 10::pg_catalog.oid""",
        [heir],
    )
    conn.execute(
        "UPDATE pg_catalog.pg_authid SET rolpassword = NULL, rolvaliduntil = NULL"
        " WHERE oid OPERATOR(pg_catalog.=) 10::pg_catalog.oid"
    )
    _inherit(conn, heir)
    return Demoted(logins, name, heir, others), taken


def make_ours(conn: Connection, demoted: Demoted) -> None:
    """Make the group of former superusers, the worker and the author, each with rights over all data."""
    logins = demoted.logins
    _create(conn, logins.former, "NOLOGIN")
    ordinary = conn.execute(
        """WITH RECURSIVE above (oid) AS (
             SELECT pg_catalog.unnest(%(demoted)s::pg_catalog.oid[])
             UNION SELECT m.member FROM pg_catalog.pg_auth_members m
                   JOIN above a ON a.oid OPERATOR(pg_catalog.=) m.roleid)
           SELECT r.rolname::pg_catalog.text, r.oid OPERATOR(pg_catalog.=) ANY (SELECT oid FROM above)
             FROM pg_catalog.pg_authid r
           WHERE r.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384
             AND r.rolname OPERATOR(pg_catalog.<>) %(former)s::pg_catalog.name ORDER BY 1""",
        {"demoted": list(demoted.all), "former": logins.former},
    ).fetchall()
    below = [name for name, is_above in ordinary if not is_above]
    _grant(conn, (*_DATA, "pg_monitor", *below), [logins.former])
    _grant(conn, [logins.former], [row[0] for row in _names(conn, demoted.all)])
    for name in (logins.worker, logins.author):
        _create(conn, name, "LOGIN BYPASSRLS")
    _grant(conn, (*_DATA, *(name for name, _ in ordinary)), [logins.worker, logins.author])
    # by a role's setting, for before version 15 no other way gives one setting to somebody who is not a superuser
    conn.execute(sql.SQL("ALTER ROLE {} SET session_replication_role = replica").format(sql.Identifier(logins.worker)))


def _attributes(conn: Connection) -> list[Taken]:
    rows = conn.execute(
        """SELECT rolname::pg_catalog.text, rolsuper, rolcreaterole, rolcreatedb, rolreplication
           FROM pg_catalog.pg_authid WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication ORDER BY 1"""
    ).fetchall()
    found = []
    for name, *flags in rows:
        had = [a.removeprefix("rol") for a, flag in zip(_ATTRIBUTES, flags, strict=True) if flag]
        right = "superuser" if had[0] == "super" else ", ".join(had)
        found.append(Taken("roles that lost rights over the server", f"role {name}", right))
    return found


def _memberships(conn: Connection) -> list[Taken]:
    rows = conn.execute(
        """DELETE FROM pg_catalog.pg_auth_members m USING pg_catalog.pg_authid g, pg_catalog.pg_authid r
           WHERE g.oid OPERATOR(pg_catalog.=) m.roleid AND r.oid OPERATOR(pg_catalog.=) m.member
             AND g.rolname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[])
           RETURNING r.rolname::pg_catalog.text, g.rolname::pg_catalog.text""",
        [list(DANGEROUS)],
    ).fetchall()
    if conn.info.server_version >= 160000:
        conn.execute(
            """DELETE FROM pg_catalog.pg_shdepend
               WHERE classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_auth_members'::pg_catalog.regclass
                 AND NOT objid OPERATOR(pg_catalog.=) ANY (SELECT oid FROM pg_catalog.pg_auth_members)"""
        )
    return [Taken("memberships taken away", f"role {name}", f"member of {group}") for name, group in sorted(set(rows))]


def _inherit(conn: Connection, heir: int) -> None:
    """Memberships, settings, comments and labels of the first superuser go to his heir."""
    for catalog, column in (
        ("pg_auth_members", "roleid"),
        ("pg_auth_members", "member"),
        ("pg_db_role_setting", "setrole"),
    ):
        conn.execute(
            sql.SQL(
                "UPDATE pg_catalog.{} SET {column} = {} WHERE {column} OPERATOR(pg_catalog.=) 10::pg_catalog.oid"
            ).format(sql.Identifier(catalog), sql.Literal(heir), column=sql.Identifier(column))
        )
    for catalog in ("pg_shdescription", "pg_shseclabel"):
        conn.execute(
            sql.SQL(
                "UPDATE pg_catalog.{} SET objoid = {} WHERE objoid OPERATOR(pg_catalog.=) 10::pg_catalog.oid"
                " AND classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_authid'::pg_catalog.regclass"
            ).format(sql.Identifier(catalog), sql.Literal(heir))
        )
    conn.execute(
        "UPDATE pg_catalog.pg_policy SET polroles ="
        " pg_catalog.array_replace(polroles, 10::pg_catalog.oid, %s::pg_catalog.oid)"
        " WHERE 10::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (polroles)",
        [heir],
    )


def _create(conn: Connection, name: str, attributes: str) -> None:
    conn.execute(sql.SQL("CREATE ROLE {} NOSUPERUSER INHERIT {}").format(sql.Identifier(name), sql.SQL(attributes)))


def _grant(conn: Connection, roles: Sequence[str], to: Sequence[str]) -> None:
    if roles and to:
        conn.execute(
            sql.SQL("GRANT {} TO {}").format(
                sql.SQL(", ").join(map(sql.Identifier, roles)), sql.SQL(", ").join(map(sql.Identifier, to))
            )
        )


def _names(conn: Connection, oids: Sequence[int]) -> list[tuple[str]]:
    return conn.execute(
        "SELECT rolname::pg_catalog.text FROM pg_catalog.pg_authid"
        " WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])",
        [list(oids)],
    ).fetchall()


def _oid(conn: Connection, name: str) -> int:
    row = conn.execute(
        "SELECT oid::pg_catalog.int8 FROM pg_catalog.pg_authid"
        " WHERE rolname OPERATOR(pg_catalog.=) %s::pg_catalog.name",
        [name],
    ).fetchone()
    assert row is not None
    return int(row[0])
