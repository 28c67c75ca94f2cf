"""Objects of production's superuser go to an ordinary owner, with what their access lists say of him.

Through the catalogs: ALTER … OWNER for ten thousand objects takes as many locks, and REASSIGN OWNED refuses the first
superuser's. Rows of pg_shdepend, which the server keeps for ordinary owners only, are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from envclone.stores.postgres.rights.logins import Connection
from envclone.stores.postgres.rights.roles import DANGEROUS, Demoted

__all__ = ["move"]


@dataclass(frozen=True, slots=True)
class _Catalog:
    """A catalog of objects with owners; `recorded` says for which of them pg_shdepend has a row."""

    name: str
    owner: str
    acl: str | None = None
    recorded: str = "true"
    shared: bool = False


_CATALOGS = (
    _Catalog(
        "pg_class", "relowner", "relacl",
        "relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,S,f}'::pg_catalog.\"char\"[])",
    ),
    _Catalog("pg_proc", "proowner", "proacl"),
    _Catalog(
        "pg_type", "typowner", "typacl",
        "typrelid OPERATOR(pg_catalog.=) 0::pg_catalog.oid AND typtype OPERATOR(pg_catalog.<>) 'm'::pg_catalog.\"char\""
        " AND typcategory OPERATOR(pg_catalog.<>) 'A'::pg_catalog.\"char\"",
    ),
    _Catalog("pg_namespace", "nspowner", "nspacl"),
    _Catalog("pg_operator", "oprowner"),
    _Catalog("pg_opclass", "opcowner"),
    _Catalog("pg_opfamily", "opfowner"),
    _Catalog("pg_collation", "collowner"),
    _Catalog("pg_conversion", "conowner"),
    _Catalog("pg_ts_dict", "dictowner"),
    _Catalog("pg_ts_config", "cfgowner"),
    _Catalog("pg_statistic_ext", "stxowner"),
    _Catalog("pg_extension", "extowner"),
    _Catalog("pg_language", "lanowner", "lanacl"),
    _Catalog("pg_publication", "pubowner"),
    _Catalog("pg_subscription", "subowner", shared=True),
    _Catalog("pg_largeobject_metadata", "lomowner", "lomacl"),
    _Catalog("pg_tablespace", "spcowner", "spcacl", shared=True),
    _Catalog("pg_database", "datdba", "datacl", shared=True),
)  # fmt: skip

_NUMBERED = "oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
_WHOSE = {
    "pg_namespace": f"({_NUMBERED} OR nspname OPERATOR(pg_catalog.=) 'public'::pg_catalog.name)",
    "pg_database": f"({_NUMBERED} OR datname OPERATOR(pg_catalog.=) pg_catalog.current_database())",
}
"""Which of a catalog's objects are production's own; initdb gives numbers below 16384."""


def move(conn: Connection, demoted: Demoted, kept: Sequence[int]) -> int:
    """Give everything that the first superuser, or a dangerous predefined role, owns to the heir; returns how much.

    `kept` are oids of functions and languages that stay the operator's.
    """
    rows = conn.execute(
        """SELECT oid::pg_catalog.int8, rolname::pg_catalog.text FROM pg_catalog.pg_authid
           WHERE oid OPERATOR(pg_catalog.=) 10::pg_catalog.oid
              OR rolname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[])""",
        [list(DANGEROUS)],
    ).fetchall()
    owners = [oid for oid, _ in rows]
    moved = sum(_owners(conn, catalog, owners, demoted.heir, kept) for catalog in _CATALOGS)
    for oid, name in rows:
        for catalog in _CATALOGS:
            if catalog.acl is not None:
                where = sql.SQL(_WHOSE.get(catalog.name, _NUMBERED))
                _list(conn, catalog.name, catalog.acl, where, (oid, name), demoted.name, kept)
        _list(
            conn, "pg_attribute", "attacl", sql.SQL("attrelid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"),
            (oid, name), demoted.name,
        )  # fmt: skip
        _list(conn, "pg_default_acl", "defaclacl", sql.SQL("true"), (oid, name), demoted.name)
    conn.execute(
        "UPDATE pg_catalog.pg_default_acl SET defaclrole = %s"
        " WHERE defaclrole OPERATOR(pg_catalog.=) 10::pg_catalog.oid",
        [demoted.heir],
    )
    return moved


def _owners(conn: Connection, catalog: _Catalog, owners: Sequence[int], heir: int, kept: Sequence[int]) -> int:
    kept_here = kept if catalog.name in ("pg_proc", "pg_language") else []
    database = (
        sql.SQL("0::pg_catalog.oid")
        if catalog.shared
        else sql.SQL(
            "(SELECT d.oid FROM pg_catalog.pg_database d"
            " WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())"
        )
    )
    statement = sql.SQL(
        """WITH moved AS (
             UPDATE pg_catalog.{catalog} SET {owner} = {heir}::pg_catalog.oid
             WHERE {owner} OPERATOR(pg_catalog.=) ANY ({owners}::pg_catalog.oid[]) AND {whose}
               AND oid OPERATOR(pg_catalog.<>) ALL ({kept}::pg_catalog.oid[])
             RETURNING oid, {recorded} AS recorded)
           INSERT INTO pg_catalog.pg_shdepend (dbid, classid, objid, objsubid, refclassid, refobjid, deptype)
           SELECT {database}, {name}::pg_catalog.regclass, m.oid, 0, 'pg_catalog.pg_authid'::pg_catalog.regclass,
                  {heir}::pg_catalog.oid, 'o'::pg_catalog."char" FROM moved m WHERE m.recorded"""
    ).format(
        catalog=sql.Identifier(catalog.name),
        owner=sql.Identifier(catalog.owner),
        heir=sql.Literal(heir),
        owners=_array(owners),
        whose=sql.SQL(_WHOSE.get(catalog.name, _NUMBERED)),
        kept=_array(kept_here),
        recorded=sql.SQL(catalog.recorded),
        database=database,
        name=sql.Literal(f"pg_catalog.{catalog.name}"),
    )
    return conn.execute(statement).rowcount


def _array(oids: Sequence[int]) -> sql.Literal:
    """The numbers as an array's text, for a list's literal would come with a type that has no schema."""
    return sql.Literal("{" + ",".join(map(str, oids)) + "}")


def _list(
    conn: Connection,
    catalog: str,
    column: str,
    whose: sql.Composable,
    old: tuple[int, str],
    new: str,
    kept: Sequence[int] = (),
) -> None:
    """Put the new name where an access list has the old one, as who gave a right or as who has it.

    An item's text is `grantee=rights/grantor`; a name of letters, digits and underscores stands there without quotes,
    and any other one in quotes, so the old names, which are such, can be told at both ends.
    """
    oid, name = old
    if kept and catalog in ("pg_proc", "pg_language"):
        whose = sql.SQL("{} AND oid OPERATOR(pg_catalog.<>) ALL ({}::pg_catalog.oid[])").format(whose, _array(kept))
    quoted = '"' + new.replace('"', '""') + '"'
    conn.execute(
        sql.SQL(
            """UPDATE pg_catalog.{catalog} SET {column} = ARRAY(
                 SELECT (CASE WHEN pg_catalog.right(h.head, {length}) OPERATOR(pg_catalog.=) {slash}
                              THEN pg_catalog.left(h.head, OPERATOR(pg_catalog.-){length}) OPERATOR(pg_catalog.||) '/'
                                   OPERATOR(pg_catalog.||) {quoted}
                              ELSE h.head END)::pg_catalog.aclitem
                 FROM pg_catalog.unnest({column}) WITH ORDINALITY AS u (item, n)
                 CROSS JOIN LATERAL (
                   SELECT CASE WHEN pg_catalog.left(u.item::pg_catalog.text, {length}) OPERATOR(pg_catalog.=) {equals}
                               THEN {quoted} OPERATOR(pg_catalog.||) '=' OPERATOR(pg_catalog.||)
                                    pg_catalog.substr(u.item::pg_catalog.text, {length} OPERATOR(pg_catalog.+) 1)
                               ELSE u.item::pg_catalog.text END AS head) h
                 ORDER BY u.n)
               WHERE {whose} AND EXISTS (
                 SELECT FROM pg_catalog.aclexplode({column}) AS e
                 WHERE e.grantee OPERATOR(pg_catalog.=) {oid}::pg_catalog.oid
                    OR e.grantor OPERATOR(pg_catalog.=) {oid}::pg_catalog.oid)"""
        ).format(
            catalog=sql.Identifier(catalog),
            column=sql.Identifier(column),
            length=sql.SQL(str(len(name) + 1)),
            slash=sql.Literal(f"/{name}"),
            equals=sql.Literal(f"{name}="),
            quoted=sql.Literal(quoted),
            whose=whose,
            oid=sql.Literal(oid),
        )
    )
