"""What production changed of the server's own objects is put back, and rights on parameters are taken away."""

from __future__ import annotations

from typing import Any

from envclone.stores.postgres.rights.logins import Connection
from envclone.stores.postgres.rights.taken import Taken

__all__ = ["FILES", "PUBLIC_MAY", "SIGNATURE", "definers", "functions", "in_pg_catalog", "parameters", "relations"]

FILES = (
    "^(pg_read_(binary_)?file|pg_ls_.*|pg_stat_file|pg_file_.*|pg_logdir_ls|lo_import|lo_export|pg_reload_conf"
    "|pg_rotate_logfile.*|pg_hba_file_rules|pg_ident_file_mappings|pg_show_all_file_settings|pg_promote"
    "|pg_(start|stop)_backup|pg_backup_(start|stop)|pg_create_restore_point|pg_switch_wal|pg_wal_replay_.*"
    "|pg_replication_(origin|slot)_.*|pg_(create|drop)_.*replication_slot|pg_config|pg_read_file_.*|pg_current_logfile)"
)
"""Functions of the server that reach its files or processes, whatever pg_init_privs says of them."""

PUBLIC_MAY = (
    "EXISTS (SELECT FROM pg_catalog.aclexplode(i.initprivs) AS e"
    " WHERE e.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid)"
)
SIGNATURE = (
    "n.nspname::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) p.proname::pg_catalog.text"
    " OPERATOR(pg_catalog.||) '(' OPERATOR(pg_catalog.||) pg_catalog.pg_get_function_identity_arguments(p.oid)"
    " OPERATOR(pg_catalog.||) ')'"
)


def functions(conn: Connection) -> list[Taken]:
    """The server's own functions that PUBLIC may not call get the rights back that initdb gave."""
    return _reset(
        conn,
        f"""SELECT p.oid, {SIGNATURE} AS name, p.proacl AS acl,
                   COALESCE(i.initprivs, ARRAY[pg_catalog.makeaclitem(10, 10, 'EXECUTE', false)]) AS wanted
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
            LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid OPERATOR(pg_catalog.=) p.oid
              AND i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            WHERE p.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384
              AND NOT coalesce(p.proacl OPERATOR(pg_catalog.=) i.initprivs, p.proacl IS NULL AND i.initprivs IS NULL)
              AND (i.initprivs IS NOT NULL AND NOT {PUBLIC_MAY}
                   OR i.initprivs IS NULL AND p.proname::pg_catalog.text OPERATOR(pg_catalog.~) %(files)s)""",  # noqa: S608
        "UPDATE pg_catalog.pg_proc x SET proacl = f.wanted",
        "functions of the server closed again",
        "function",
        {"files": FILES},
    )


def relations(conn: Connection) -> list[Taken]:
    """The same for catalogs and views that PUBLIC may not read, and for the schemas of the server."""
    tables = f"""
        SELECT p.oid, n.nspname::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||)
               p.relname::pg_catalog.text AS name, p.relacl AS acl, i.initprivs AS wanted
        FROM pg_catalog.pg_class p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.relnamespace
        LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid OPERATOR(pg_catalog.=) p.oid
          AND i.objsubid OPERATOR(pg_catalog.=) 0
          AND i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
        WHERE p.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384
          AND NOT coalesce(p.relacl OPERATOR(pg_catalog.=) i.initprivs, p.relacl IS NULL AND i.initprivs IS NULL)
          AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'::pg_catalog.name  -- initdb notes nothing of it
          AND (i.initprivs IS NULL OR NOT {PUBLIC_MAY})"""  # noqa: S608
    schemas = """
        SELECT p.oid, p.nspname::pg_catalog.text AS name, p.nspacl AS acl, i.initprivs AS wanted
        FROM pg_catalog.pg_namespace p
        LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid OPERATOR(pg_catalog.=) p.oid
          AND i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
        WHERE p.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384
          AND NOT coalesce(p.nspacl OPERATOR(pg_catalog.=) i.initprivs, p.nspacl IS NULL AND i.initprivs IS NULL)
          AND p.nspname OPERATOR(pg_catalog.=) ANY ('{pg_catalog,pg_toast}'::pg_catalog.name[])"""
    found = _reset(
        conn, tables, "UPDATE pg_catalog.pg_class x SET relacl = f.wanted", "catalogs closed again", "relation"
    )
    found += _reset(
        conn, schemas, "UPDATE pg_catalog.pg_namespace x SET nspacl = f.wanted", "catalogs closed again", "schema"
    )
    conn.execute(
        """UPDATE pg_catalog.pg_attribute a SET attacl = (
             SELECT i.initprivs FROM pg_catalog.pg_init_privs i
             WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
               AND i.objoid OPERATOR(pg_catalog.=) a.attrelid AND i.objsubid OPERATOR(pg_catalog.=) a.attnum)
           WHERE a.attrelid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384 AND a.attacl IS NOT NULL"""
    )
    return found


def definers(conn: Connection) -> list[Taken]:
    """No function that initdb makes runs with its owner's rights or with settings of its own."""
    rows = conn.execute(
        f"""UPDATE pg_catalog.pg_proc p SET prosecdef = false, proconfig = NULL FROM pg_catalog.pg_namespace n
            WHERE n.oid OPERATOR(pg_catalog.=) p.pronamespace AND p.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384
              AND (p.prosecdef OR p.proconfig IS NOT NULL) RETURNING {SIGNATURE}"""  # noqa: S608
    ).fetchall()
    return [Taken("functions of the server put back", f"function {name}", "SECURITY DEFINER") for (name,) in rows]


def parameters(conn: Connection) -> list[Taken]:
    rows = conn.execute(
        """SELECT p.parname, e.privilege_type, CASE WHEN e.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid
                  THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(e.grantee)::pg_catalog.text END
           FROM pg_catalog.pg_parameter_acl p CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) AS e
           WHERE e.grantee OPERATOR(pg_catalog.<>) 10::pg_catalog.oid ORDER BY 1, 3, 2"""
    ).fetchall()
    conn.execute("DELETE FROM pg_catalog.pg_parameter_acl")
    conn.execute(
        "DELETE FROM pg_catalog.pg_shdepend WHERE classid OPERATOR(pg_catalog.=)"
        " 'pg_catalog.pg_parameter_acl'::pg_catalog.regclass"
    )
    return [
        Taken("rights on parameters taken away", f"parameter {name}", f"{right} to {who}") for name, right, who in rows
    ]


def in_pg_catalog(conn: Connection) -> list[Taken]:
    """Functions and operators that somebody put beside the server's own, where our statements could mean them."""
    taken: list[Taken] = []
    for catalog, schema, name in (("pg_proc", "pronamespace", "proname"), ("pg_operator", "oprnamespace", "oprname")):
        rows = conn.execute(
            f"""SELECT o.oid::pg_catalog.int8, o.{name}::pg_catalog.text FROM pg_catalog.{catalog} o
                WHERE o.{schema} OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
                  AND o.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384
                  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid OPERATOR(pg_catalog.=) o.oid
                                  AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char"
                                  AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.{catalog}'::pg_catalog.regclass)"""  # noqa: S608
        ).fetchall()
        if not rows:
            continue
        conn.execute("CREATE SCHEMA IF NOT EXISTS envclone_from_pg_catalog")
        conn.execute("GRANT USAGE ON SCHEMA envclone_from_pg_catalog TO PUBLIC")
        conn.execute(
            f"UPDATE pg_catalog.{catalog} SET {schema} = 'envclone_from_pg_catalog'::pg_catalog.regnamespace"  # noqa: S608
            " WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])",
            [[oid for oid, _ in rows]],
        )
        taken += [
            Taken("objects moved out of pg_catalog", f"{catalog.removeprefix('pg_')} {what}", "in pg_catalog")
            for _, what in rows
        ]
    return taken


def _reset(
    conn: Connection, select: str, update: str, group: str, kind: str, parameters: dict[str, Any] | None = None
) -> list[Taken]:
    """Give objects the access lists that `select` wants (oid, name, acl, wanted); says who had more."""
    rows = conn.execute(
        f"""WITH f AS MATERIALIZED ({select}), done AS (
              {update} FROM f WHERE x.oid OPERATOR(pg_catalog.=) f.oid)
            SELECT f.name, e.privilege_type, CASE WHEN e.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
                   ELSE pg_catalog.pg_get_userbyid(e.grantee)::pg_catalog.text END
            FROM f CROSS JOIN LATERAL pg_catalog.aclexplode(f.acl) AS e
            WHERE e.grantee OPERATOR(pg_catalog.<>) 10::pg_catalog.oid AND NOT EXISTS (
              SELECT FROM pg_catalog.aclexplode(f.wanted) AS w
              WHERE w.grantee OPERATOR(pg_catalog.=) e.grantee
                AND w.privilege_type OPERATOR(pg_catalog.=) e.privilege_type) ORDER BY 1, 3, 2""",  # noqa: S608
        parameters,
    ).fetchall()
    return [Taken(group, f"{kind} {name}", f"{right} to {who}") for name, right, who in rows]
