"""Production's roles, their memberships and settings, from the catalogs that everybody may read; passwords are not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from envclone.stores.postgres.rights.roles import DANGEROUS

if TYPE_CHECKING:
    import psycopg

__all__ = ["Membership", "Role", "Roles", "ask", "free_name", "make", "restore_rights"]

_ATTRIBUTES = ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION")
"""What a role gets back only when nothing of production's runs any more."""


@dataclass(frozen=True, slots=True)
class Role:
    """One role; `rights` are those of _ATTRIBUTES that it has."""

    name: str
    login: bool
    inherit: bool
    bypasses: bool
    connections: int
    rights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Membership:
    """`member` is in `group`; before version 16 `inherits` and `sets` are None: the role's own INHERIT decides."""

    group: str
    member: str
    admin: bool
    inherits: bool | None
    sets: bool | None


@dataclass(frozen=True, slots=True)
class Roles:
    """All roles but those that every server has; `settings` are (role or None, of this database alone, assignments)."""

    roles: Sequence[Role]
    memberships: Sequence[Membership]
    settings: Sequence[tuple[str | None, bool, list[str]]]

    @property
    def names(self) -> list[str]:
        """The roles' names."""
        return [role.name for role in self.roles]


def ask(conn: psycopg.Connection[Any]) -> Roles:
    """Read them; it needs no right. Names that begin with pg_ are the server's own."""
    major = conn.info.server_version // 10000
    roles = conn.execute(
        """SELECT rolname::pg_catalog.text, rolcanlogin, rolinherit, rolbypassrls, rolconnlimit,
                  rolsuper, rolcreaterole, rolcreatedb, rolreplication
           FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.!~) '^pg_' ORDER BY 1"""
    ).fetchall()
    options = "pg_catalog.bool_or(m.inherit_option), pg_catalog.bool_or(m.set_option)" if major >= 16 else "NULL, NULL"
    members = conn.execute(
        f"""SELECT g.rolname::pg_catalog.text, r.rolname::pg_catalog.text, pg_catalog.bool_or(m.admin_option),
                   {options}
            FROM pg_catalog.pg_auth_members m
            JOIN pg_catalog.pg_roles g ON g.oid OPERATOR(pg_catalog.=) m.roleid
            JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) m.member
            WHERE r.rolname OPERATOR(pg_catalog.!~) '^pg_'
            GROUP BY 1, 2 ORDER BY 1, 2""".encode()  # noqa: S608
    ).fetchall()
    settings = conn.execute(
        """SELECT r.rolname::pg_catalog.text, s.setdatabase OPERATOR(pg_catalog.<>) 0::pg_catalog.oid, s.setconfig
           FROM pg_catalog.pg_db_role_setting s
           LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.setrole
           LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.setdatabase
           WHERE (s.setdatabase OPERATOR(pg_catalog.=) 0::pg_catalog.oid
                  OR d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
             AND (s.setrole OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR r.oid IS NOT NULL) ORDER BY 1, 2"""
    ).fetchall()
    return Roles(
        [
            Role(name, login, inherit, bypasses, limit, _had(flags))
            for name, login, inherit, bypasses, limit, *flags in roles
        ],
        [Membership(*row) for row in members],
        [(name, here, list(config or ())) for name, here, config in settings],
    )


def _had(flags: Sequence[bool]) -> tuple[str, ...]:
    return tuple(attribute for attribute, flag in zip(_ATTRIBUTES, flags, strict=True) if flag)


def free_name(base: str, taken: Collection[str]) -> str:
    """A name that production has not given to a role."""
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def make(conn: psycopg.Connection[Any], roles: Roles) -> None:
    """Make the roles without rights over the server, and their memberships but those that reach this machine."""
    for role in roles.roles:
        words = [
            "LOGIN" if role.login else "NOLOGIN",
            "INHERIT" if role.inherit else "NOINHERIT",
            "BYPASSRLS" if role.bypasses else "NOBYPASSRLS",
        ]
        conn.execute(
            sql.SQL("CREATE ROLE {} {} CONNECTION LIMIT {}").format(
                sql.Identifier(role.name), sql.SQL(" ".join(words)), sql.Literal(role.connections)
            )
        )
    _join(conn, roles, [one for one in roles.memberships if one.group not in DANGEROUS])


def restore_rights(conn: psycopg.Connection[Any], roles: Roles) -> None:
    """Give what `make` held back, and settings of roles and of the database; nothing of production's may run later."""
    for role in roles.roles:
        if role.rights:
            conn.execute(
                sql.SQL("ALTER ROLE {} {}").format(
                    sql.Identifier(role.name), sql.SQL(" ").join(sql.SQL(right) for right in role.rights)
                )
            )
    _join(conn, roles, [one for one in roles.memberships if one.group in DANGEROUS])
    for name, here, config in roles.settings:
        conn.execute(
            """INSERT INTO pg_catalog.pg_db_role_setting (setdatabase, setrole, setconfig)
               SELECT CASE WHEN %(here)s THEN d.oid ELSE 0::pg_catalog.oid END,
                      coalesce((SELECT r.oid FROM pg_catalog.pg_authid r
                                WHERE r.rolname OPERATOR(pg_catalog.=) %(name)s::pg_catalog.name), 0::pg_catalog.oid),
                      %(config)s::pg_catalog.text[]
               FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()""",
            {"here": here, "name": name, "config": config},
        )


def _join(conn: psycopg.Connection[Any], roles: Roles, memberships: Sequence[Membership]) -> None:
    present = {name for (name,) in conn.execute("SELECT rolname::pg_catalog.text FROM pg_catalog.pg_authid").fetchall()}
    modern = conn.info.server_version >= 160000
    for one in memberships:
        if not {one.group, one.member} <= present:
            continue  # a predefined role that another version of the server has
        names = [sql.Identifier(one.group), sql.Identifier(one.member)]
        conn.execute(sql.SQL("GRANT {} TO {}").format(*names))
        if one.admin:
            conn.execute(sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(*names))
        if modern and one.inherits is not None:
            inherit = "GRANT {} TO {} WITH INHERIT TRUE" if one.inherits else "GRANT {} TO {} WITH INHERIT FALSE"
            conn.execute(sql.SQL(inherit).format(*names))
        if modern and one.sets is False:
            conn.execute(sql.SQL("GRANT {} TO {} WITH SET FALSE").format(*names))
