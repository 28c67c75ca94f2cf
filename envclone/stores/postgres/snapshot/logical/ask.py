"""What must be known of production before its data is asked for, and what of it a dump could not bring."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError, EnvcloneError, UnreachableError, UnsafeError
from envclone.stores.postgres.server import settings
from envclone.stores.postgres.server.engine import Engine, find
from envclone.stores.postgres.snapshot import describe
from envclone.stores.postgres.snapshot.logical import roles

if TYPE_CHECKING:
    import psycopg

    from envclone.config.schema import StoreConfig

__all__ = ["Production", "Shape", "View", "ask", "hidden_settings", "obstacles"]

_NAMED = 5
"""Objects that a refusal names; of more it says how many."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the cluster and the database were made; `locale` is ICU's or the builtin provider's."""

    checksums: bool
    block_size: int
    segment_size: int
    locale: str | None
    rules: str | None
    owner: str
    rights: Sequence[tuple[str, str, bool]]


@dataclass(frozen=True, slots=True)
class View:
    """A materialized view whose rows are taken as they are; none are taken of one that was never filled."""

    schema: str
    name: str
    filled: bool


@dataclass(frozen=True, slots=True)
class Production:
    """What was asked; `standby` is whether it follows another server."""

    engine: Engine
    version: str
    database: describe.Database
    shape: Shape
    roles: roles.Roles
    extensions: dict[str, str]
    views: Sequence[View]
    unlogged: Sequence[str]
    subscriptions: Sequence[str]
    user: str
    standby: bool
    bytes: int
    warnings: list[str]
    without: frozenset[str]


def ask(conn: psycopg.Connection[Any], config: StoreConfig, database: describe.Database) -> Production:
    """Everything that can be wrong is asked on a connection to the database itself, before any data.

    Raises the first of `obstacles`.
    """
    without = frozenset(config.source.without_extensions or ())
    for problem in obstacles(conn, database, without):
        raise problem
    extensions = {name: version for name, version in _extensions(conn).items() if name not in without}
    engine = find(conn.info.server_version // 10000, extensions=list(extensions))
    row = conn.execute(
        """SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(),
                  current_user::pg_catalog.text,
                  pg_catalog.pg_database_size(pg_catalog.current_database())::pg_catalog.int8,
                  pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')"""
    ).fetchone()
    assert row is not None
    version, standby, user, size, all_settings = row
    shape = _shape(conn)
    unlogged = _names(conn, _UNLOGGED) if standby else []
    subscriptions = _names(conn, _SUBSCRIPTIONS)
    warnings = describe.require_runnable(engine, database, [], list(extensions))
    if not all_settings:
        warnings.append(f"production's role '{user}' does not see protected settings: GRANT pg_read_all_settings")
    if shape.block_size != 8192:
        warnings.append(f"production's pages have {shape.block_size} bytes, the ones here 8192: plans can differ")
    if here := describe.other_collation(database):
        warnings.append(
            f"texts sort by collation version {here} here and {database.collation_version} in production:"
            " the order of rows can differ"
        )
    if without:
        warnings.append(f"extensions are left out, as the stack file says: {_listed(sorted(without))}")
    if unlogged:
        warnings.append(f"a standby has no rows of unlogged tables: {_listed(unlogged)} are empty here")
    if subscriptions:
        warnings.append(f"subscriptions are not restored: {_listed(subscriptions)}")
    return Production(
        engine=engine,
        version=version.split()[0],
        database=database,
        shape=shape,
        roles=roles.ask(conn),
        extensions=extensions,
        views=[View(*found) for found in conn.execute(_VIEWS).fetchall()],
        unlogged=unlogged,
        subscriptions=subscriptions,
        user=user,
        standby=standby,
        bytes=size,
        warnings=warnings,
        without=without,
    )


def obstacles(
    conn: psycopg.Connection[Any], database: describe.Database, without: Collection[str] = ()
) -> list[EnvcloneError]:
    """What would make the copy partial, or keep it from running here; nothing of a table is read."""
    found: list[EnvcloneError] = []
    user = conn.info.user
    unseen = [*_names(conn, _UNREADABLE), *_names(conn, _CLOSED_SCHEMAS)]
    objects = _names(conn, _OBJECTS)
    hidden = _names(conn, _HIDDEN)
    if unseen:
        found.append(
            UnreachableError(
                f"production's role '{user}' may not read {_listed(unseen)}: a copy would lack them",
                hint=f"GRANT pg_read_all_data TO {user}",
            )
        )
    if objects:
        found.append(
            UnreachableError(
                f"production's role '{user}' may not read {_listed(objects)}: a copy would lack them",
                hint="read with the role that owns them, or let it GRANT SELECT ON LARGE OBJECT to this one",
            )
        )
    if hidden:
        found.append(
            UnreachableError(
                f"production's role '{user}' does not see all rows of {_listed(hidden)}: row security filters them,"
                " and a copy would be partial",
                hint=f"ALTER ROLE {user} BYPASSRLS",
            )
        )
    foreign = _names(conn, _CODE)
    if foreign:
        found.append(
            UnsafeError(
                f"a dump cannot bring {_listed(foreign)}: only a superuser makes such an object, and none takes part in"
                " the restore",
                hint="take the server's files (method: physical or directory), or make an extension of them",
            )
        )
    try:
        there = _extensions(conn)
        if unknown := [name for name in without if name not in there]:
            raise ConfigError(
                f"the database '{database.name}' has no extension {_listed(unknown)}; there are: {', '.join(there)}",
                hint="correct source.without_extensions",
            )
        extensions = [name for name in there if name not in without]
        describe.require_runnable(
            find(conn.info.server_version // 10000, extensions=extensions), database, [], extensions
        )
    except EnvcloneError as exc:
        found.append(exc)
    return found


def hidden_settings(conn: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> dict[str, str]:
    """What production's configuration says where our own sessions say otherwise, asked on one that does not.

    Settings of the role or the database hide it there: these are left out.
    """
    names = settings.hidden(conn)
    rows = other.execute(
        "SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings"
        " WHERE name OPERATOR(pg_catalog.=) ANY (%s) AND source OPERATOR(pg_catalog.=) ANY (%s)",
        [names, ["configuration file", "command line", "environment variable", "global"]],
    ).fetchall()
    return dict(rows)


_OURS = """c.relnamespace::pg_catalog.int8 OPERATOR(pg_catalog.<>) 11
    AND n.nspname OPERATOR(pg_catalog.!~) '^pg_(toast|temp|toast_temp)' AND n.nspname OPERATOR(pg_catalog.<>)
    'information_schema' AND n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'"""
_RELATION = "pg_catalog.concat(n.nspname, '.', c.relname)"
_NOT_OF_AN_EXTENSION = """NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid OPERATOR(pg_catalog.=) '{catalog}'::pg_catalog.regclass AND e.objid OPERATOR(pg_catalog.=) {oid}
      AND e.deptype OPERATOR(pg_catalog.=) ANY ('{{e,i}}'::pg_catalog."char"[]))"""


def _outside(catalog: str, oid: str) -> str:
    return _NOT_OF_AN_EXTENSION.format(catalog=f"pg_catalog.{catalog}", oid=oid)


_UNREADABLE = f"""
    SELECT {_RELATION} FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    LEFT JOIN pg_catalog.pg_extension x ON c.oid OPERATOR(pg_catalog.=) ANY (x.extconfig)
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{{r,p,m,S}}'::pg_catalog."char"[]) AND {_OURS}
      AND (x.oid IS NOT NULL OR {_outside("pg_class", "c.oid")})
      AND NOT (CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'S'::pg_catalog."char"
                    THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                    ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END) ORDER BY 1
"""  # noqa: S608
_CLOSED_SCHEMAS = f"""
    SELECT pg_catalog.concat('the schema ', n.nspname) FROM pg_catalog.pg_namespace n
    WHERE NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) n.oid
                  AND c.relkind OPERATOR(pg_catalog.=) ANY ('{{r,p,m,S}}'::pg_catalog."char"[]) AND {_OURS}) ORDER BY 1
"""  # noqa: S608
_OBJECTS = """
    SELECT pg_catalog.concat('the large object ', l.oid) FROM pg_catalog.pg_largeobject_metadata l
    WHERE NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user)
      AND NOT pg_catalog.pg_has_role(l.lomowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(l.lomacl) AS a
                      WHERE a.privilege_type OPERATOR(pg_catalog.=) 'SELECT'
                        AND CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN true
                                 ELSE pg_catalog.pg_has_role(a.grantee, 'USAGE') END) ORDER BY l.oid
"""
_HIDDEN = f"""
    SELECT {_RELATION} FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relrowsecurity AND pg_catalog.row_security_active(c.oid) ORDER BY 1
"""  # noqa: S608
_CODE = f"""
    SELECT pg_catalog.concat('the function ', p.oid::pg_catalog.regprocedure) FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE NOT l.lanpltrusted AND p.prokind OPERATOR(pg_catalog.<>) 'a'::pg_catalog."char"
      AND p.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND {_outside("pg_proc", "p.oid")}
    UNION ALL SELECT pg_catalog.concat('the language ', l.lanname) FROM pg_catalog.pg_language l
    WHERE l.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND {_outside("pg_language", "l.oid")}
    UNION ALL SELECT pg_catalog.concat('the foreign-data wrapper ', w.fdwname)
    FROM pg_catalog.pg_foreign_data_wrapper w WHERE {_outside("pg_foreign_data_wrapper", "w.oid")}
    UNION ALL SELECT pg_catalog.concat('the access method ', a.amname) FROM pg_catalog.pg_am a
    WHERE a.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND {_outside("pg_am", "a.oid")}
    ORDER BY 1
"""  # noqa: S608
_VIEWS = f"""
    SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relispopulated FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) 'm'::pg_catalog."char" AND {_OURS}
      AND {_outside("pg_class", "c.oid")} ORDER BY 1, 2
"""  # noqa: S608
_UNLOGGED = f"""
    SELECT {_RELATION} FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relpersistence OPERATOR(pg_catalog.=) 'u'::pg_catalog."char"
      AND c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char" ORDER BY 1
"""  # noqa: S608
_SUBSCRIPTIONS = """
    SELECT s.subname::pg_catalog.text FROM pg_catalog.pg_subscription s
    JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.subdbid
    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() ORDER BY 1
"""


def _shape(conn: psycopg.Connection[Any]) -> Shape:
    major = conn.info.server_version // 10000
    locale = "datlocale" if major >= 17 else "daticulocale" if major >= 15 else "NULL::pg_catalog.text"
    rules = "daticurules" if major >= 16 else "NULL::pg_catalog.text"
    row = conn.execute(
        f"""SELECT pg_catalog.current_setting('data_checksums') OPERATOR(pg_catalog.<>) 'off',
                   pg_catalog.current_setting('block_size')::int,
                   (SELECT setting::int FROM pg_catalog.pg_settings
                    WHERE name OPERATOR(pg_catalog.=) 'wal_segment_size'),
                   {locale}::pg_catalog.text, {rules}::pg_catalog.text,
                   pg_catalog.pg_get_userbyid(datdba)::pg_catalog.text
            FROM pg_catalog.pg_database
            WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()""".encode()  # noqa: S608
    ).fetchone()
    assert row is not None
    rights = conn.execute(
        """SELECT CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN ''
                       ELSE pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text END, a.privilege_type,
                  a.is_grantable
           FROM pg_catalog.pg_database d CROSS JOIN LATERAL pg_catalog.aclexplode(
             coalesce(d.datacl, pg_catalog.acldefault('d'::pg_catalog."char", d.datdba))) AS a
           WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
             AND a.grantee OPERATOR(pg_catalog.<>) d.datdba ORDER BY 1, 2"""
    ).fetchall()
    checksums, block, segment, icu, icu_rules, owner = row
    return Shape(checksums, block, segment, icu, icu_rules, owner, [(who, what, more) for who, what, more in rights])


def _extensions(conn: psycopg.Connection[Any]) -> dict[str, str]:
    return dict(
        conn.execute(
            "SELECT extname::pg_catalog.text, extversion FROM pg_catalog.pg_extension ORDER BY extname"
        ).fetchall()
    )


def _names(conn: psycopg.Connection[Any], query: str) -> list[str]:
    return [str(row[0]) for row in conn.execute(query.encode()).fetchall()]


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
