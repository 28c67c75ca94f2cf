"""Ways out of the data: functions, wrappers, languages and parameters that reach files, programs or other machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envclone.stores.postgres.rights.logins import Connection
from envclone.stores.postgres.rights.roles import DANGEROUS
from envclone.stores.postgres.rights.taken import Taken

__all__ = ["OUTGOING", "close"]

OUTGOING = (
    "dblink", "pg_net", "http", "pgsql-http", "aws_lambda", "aws_s3", "plsh", "plpython3u", "plperlu", "pltclu",
    "adminpack", "file_fdw", "postgres_fdw", "oracle_fdw", "mysql_fdw", "tds_fdw", "multicorn", "pg_curl",
)  # fmt: skip
"""Extensions whose functions open connections, files or programs."""

_LIBRARIES = (
    "dblink", "pg_net", "http", "pgsql-http", "plsh", "plpython3", "plpython2", "adminpack", "file_fdw", "postgres_fdw",
    "oracle_fdw", "mysql_fdw", "tds_fdw", "multicorn", "pg_curl",
)  # fmt: skip
_TRUSTED_LANGUAGES = ("plpgsql", "plperl", "pltcl", "plv8", "plrust", "pllua", "plcoffee", "plls")
"""Libraries of languages that PostgreSQL or their authors keep away from the machine."""

_FILES = (
    "^(pg_read_(binary_)?file|pg_ls_.*|pg_stat_file|pg_file_.*|pg_logdir_ls|lo_import|lo_export|pg_reload_conf"
    "|pg_rotate_logfile.*|pg_hba_file_rules|pg_ident_file_mappings|pg_show_all_file_settings|pg_promote"
    "|pg_(start|stop)_backup|pg_backup_(start|stop)|pg_create_restore_point|pg_switch_wal|pg_wal_replay_.*"
    "|pg_replication_(origin|slot)_.*|pg_(create|drop)_.*replication_slot|pg_config|pg_read_file_.*|pg_current_logfile)"
)
"""Functions of the server that reach its files or processes, whatever pg_init_privs says of them."""

_PUBLIC_MAY = (
    "EXISTS (SELECT FROM pg_catalog.aclexplode(i.initprivs) AS e"
    " WHERE e.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid)"
)
_SIGNATURE = (
    "n.nspname::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) p.proname::pg_catalog.text"
    " OPERATOR(pg_catalog.||) '(' OPERATOR(pg_catalog.||) pg_catalog.pg_get_function_identity_arguments(p.oid)"
    " OPERATOR(pg_catalog.||) ')'"
)
_GENERIC = (
    "aggregate_dummy", "range_constructor2", "range_constructor3", "multirange_constructor0", "multirange_constructor1",
    "multirange_constructor2",
)  # fmt: skip
"""What CREATE AGGREGATE and CREATE TYPE … AS RANGE make: internal functions that look at their own signature."""

_REFUSES = "language_handler_in"
"""A function of the server that does nothing but raise an error, whatever it is given."""


def close(conn: Connection) -> tuple[list[int], list[Taken]]:
    """Take these ways away, and put back what production changed of the server's own objects.

    Returns the oids of the functions and languages that nobody but the operator may use, and what was taken from whom.
    """
    taken = [*_functions(conn), *_relations(conn), *_definers(conn)]
    if conn.info.server_version >= 150000:
        taken += _parameters(conn)
    languages, of_languages = _languages(conn)
    members, of_members = _members(conn)
    strangers, by_hand = _made_by_hand(conn)
    taken += [*of_languages, *of_members, *by_hand, *_wrappers(conn), *_in_pg_catalog(conn)]
    kept = [*languages, *members, *strangers]
    return kept, [*taken, *_security_definers(conn, kept)]


def _functions(conn: Connection) -> list[Taken]:
    """The server's own functions that PUBLIC may not call get the rights back that initdb gave."""
    return _reset(
        conn,
        f"""SELECT p.oid, {_SIGNATURE} AS name, p.proacl AS acl,
                   COALESCE(i.initprivs, ARRAY[pg_catalog.makeaclitem(10, 10, 'EXECUTE', false)]) AS wanted
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
            LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid OPERATOR(pg_catalog.=) p.oid
              AND i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            WHERE p.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384
              AND NOT coalesce(p.proacl OPERATOR(pg_catalog.=) i.initprivs, p.proacl IS NULL AND i.initprivs IS NULL)
              AND (i.initprivs IS NOT NULL AND NOT {_PUBLIC_MAY}
                   OR i.initprivs IS NULL AND p.proname::pg_catalog.text OPERATOR(pg_catalog.~) %(files)s)""",  # noqa: S608
        "UPDATE pg_catalog.pg_proc x SET proacl = f.wanted",
        "functions of the server closed again",
        "function",
        {"files": _FILES},
    )


def _relations(conn: Connection) -> list[Taken]:
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
          AND (i.initprivs IS NULL OR NOT {_PUBLIC_MAY})"""  # noqa: S608
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


def _definers(conn: Connection) -> list[Taken]:
    """No function that initdb makes runs with its owner's rights or with settings of its own."""
    rows = conn.execute(
        f"""UPDATE pg_catalog.pg_proc p SET prosecdef = false, proconfig = NULL FROM pg_catalog.pg_namespace n
            WHERE n.oid OPERATOR(pg_catalog.=) p.pronamespace AND p.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384
              AND (p.prosecdef OR p.proconfig IS NOT NULL) RETURNING {_SIGNATURE}"""  # noqa: S608
    ).fetchall()
    return [Taken("functions of the server put back", f"function {name}", "SECURITY DEFINER") for (name,) in rows]


def _parameters(conn: Connection) -> list[Taken]:
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


def _languages(conn: Connection) -> tuple[list[int], list[Taken]]:
    """Languages that can do all that the server's process can: calling one of their functions is an error."""
    rows = conn.execute(
        """SELECT l.oid::pg_catalog.int8, l.lanname::pg_catalog.text FROM pg_catalog.pg_language l
           LEFT JOIN pg_catalog.pg_proc h ON h.oid OPERATOR(pg_catalog.=) l.lanplcallfoid
           WHERE l.oid::pg_catalog.int8 OPERATOR(pg_catalog.>) 14 AND NOT (l.lanpltrusted
             AND h.prolang OPERATOR(pg_catalog.=) 13::pg_catalog.oid AND pg_catalog.regexp_replace(
               h.probin, '^(.*/)?(.*?)(-[0-9.]+)?([.]so)?$', '\\2') OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.text[]))
           ORDER BY 2""",
        [list(_TRUSTED_LANGUAGES)],
    ).fetchall()
    oids = [oid for oid, _ in rows]
    conn.execute(
        """UPDATE pg_catalog.pg_language SET lanpltrusted = false, lanacl = NULL, lanowner = 10, laninline = 0,
                  lanplcallfoid = (SELECT p.oid FROM pg_catalog.pg_proc p
                                   WHERE p.proname OPERATOR(pg_catalog.=) %s::pg_catalog.name
                                     AND p.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384)
           WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])""",
        [_REFUSES, oids],
    )
    conn.execute(
        "UPDATE pg_catalog.pg_language SET lanpltrusted = false"
        " WHERE oid OPERATOR(pg_catalog.=) ANY ('{12,13}'::pg_catalog.oid[]) AND lanpltrusted"
    )
    return oids, [Taken("languages closed", f"language {name}", "untrusted") for _, name in rows]


def _members(conn: Connection) -> tuple[list[int], list[Taken]]:
    """Functions of extensions that reach out, or that their extension did not give to everybody.

    They stay the operator's. Of those that everybody was refused, harmless predefined roles keep the right.
    """
    rows = conn.execute(
        f"""SELECT p.oid::pg_catalog.int8, {_SIGNATURE}, x.extname::pg_catalog.text,
                   x.extname OPERATOR(pg_catalog.=) ANY (%(outgoing)s::pg_catalog.name[]) OR
                   p.prolang OPERATOR(pg_catalog.=) 13::pg_catalog.oid AND pg_catalog.regexp_replace(
                     p.probin, '^(.*/)?(.*?)(-[0-9.]+)?([.]so)?$', '\\2')
                     OPERATOR(pg_catalog.=) ANY (%(libraries)s::pg_catalog.text[]) AS outgoing,
                   ARRAY(SELECT DISTINCT CASE WHEN e.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
                                ELSE pg_catalog.pg_get_userbyid(e.grantee)::pg_catalog.text END
                         FROM pg_catalog.aclexplode(p.proacl) AS e
                         WHERE e.grantee OPERATOR(pg_catalog.<>) p.proowner
                           AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(i.initprivs) AS w
                                           WHERE w.grantee OPERATOR(pg_catalog.=) e.grantee) ORDER BY 1)
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
            LEFT JOIN pg_catalog.pg_depend d ON d.objid OPERATOR(pg_catalog.=) p.oid
              AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
              AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char"
            LEFT JOIN pg_catalog.pg_extension x ON x.oid OPERATOR(pg_catalog.=) d.refobjid
            LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid OPERATOR(pg_catalog.=) p.oid
              AND i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            WHERE p.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND (
              x.extname OPERATOR(pg_catalog.=) ANY (%(outgoing)s::pg_catalog.name[])
              OR p.prolang OPERATOR(pg_catalog.=) 13::pg_catalog.oid AND pg_catalog.regexp_replace(
                   p.probin, '^(.*/)?(.*?)(-[0-9.]+)?([.]so)?$', '\\2')
                   OPERATOR(pg_catalog.=) ANY (%(libraries)s::pg_catalog.text[])
              OR x.oid IS NOT NULL AND i.initprivs IS NOT NULL AND NOT {_PUBLIC_MAY}) ORDER BY 2""",  # noqa: S608
        {"outgoing": list(OUTGOING), "libraries": list(_LIBRARIES)},
    ).fetchall()
    oids = [row[0] for row in rows]
    conn.execute(
        """UPDATE pg_catalog.pg_proc p SET proowner = 10, prosecdef = false, proacl =
             ARRAY[pg_catalog.makeaclitem(10, 10, 'EXECUTE', false)] OPERATOR(pg_catalog.||) ARRAY(
               SELECT DISTINCT pg_catalog.makeaclitem(e.grantee, 10, 'EXECUTE', false)
               FROM pg_catalog.pg_init_privs i CROSS JOIN LATERAL pg_catalog.aclexplode(i.initprivs) AS e
               JOIN pg_catalog.pg_authid r ON r.oid OPERATOR(pg_catalog.=) e.grantee
               WHERE i.objoid OPERATOR(pg_catalog.=) p.oid
                 AND r.rolname OPERATOR(pg_catalog.<>) ALL (%s::pg_catalog.name[])
                 AND i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                 AND r.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384
                 AND r.oid OPERATOR(pg_catalog.<>) 10::pg_catalog.oid
                 AND p.oid OPERATOR(pg_catalog.<>) ALL (%s::pg_catalog.oid[]))
           WHERE p.oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])""",
        [list(DANGEROUS), [row[0] for row in rows if row[3]], oids],
    )
    _forget_owner(conn, oids)
    found = [
        Taken("functions of extensions closed", f"function {name}", f"EXECUTE to {', '.join(who)}")
        for _, name, _, outgoing, who in rows
        if who and not outgoing
    ]
    extensions = sorted({str(row[2] or row[1]) for row in rows if row[3]})
    return oids, found + [
        Taken("extensions that reach out closed to everybody", f"extension {name}", "its functions")
        for name in extensions
    ]


def _made_by_hand(conn: Connection) -> tuple[list[int], list[Taken]]:
    """Functions in C, or of the server's inside, that a superuser declared himself: each of them raises an error.

    Only another declaration of what everybody may call anyway stays, with arguments and result of the same form.
    """
    form = """ARRAY(SELECT CASE WHEN t.typtype OPERATOR(pg_catalog.=) 'p'::pg_catalog."char" THEN t.oid::pg_catalog.text
                     ELSE pg_catalog.concat(t.typlen, ' ', t.typbyval, ' ', t.typalign) END
              FROM pg_catalog.unnest(pg_catalog.array_prepend({0}.prorettype, {0}.proargtypes::pg_catalog.oid[]))
                   WITH ORDINALITY AS u (type, n)
              JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) u.type ORDER BY u.n)"""
    rows = conn.execute(
        f"""SELECT p.oid::pg_catalog.int8, {_SIGNATURE}
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
            WHERE p.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384
              AND p.prolang OPERATOR(pg_catalog.=) ANY ('{{12,13}}'::pg_catalog.oid[])
              AND p.prosrc OPERATOR(pg_catalog.<>) ALL (%s::pg_catalog.text[])
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid OPERATOR(pg_catalog.=) p.oid
                              AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                              AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char")
              AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_proc k
                LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid OPERATOR(pg_catalog.=) k.oid
                  AND i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                WHERE k.prolang OPERATOR(pg_catalog.=) p.prolang AND k.prosrc OPERATOR(pg_catalog.=) p.prosrc
                  AND coalesce(k.probin OPERATOR(pg_catalog.=) p.probin, k.probin IS NULL AND p.probin IS NULL)
                    AND k.proretset OPERATOR(pg_catalog.=) p.proretset
                  AND (i.initprivs IS NULL OR {_PUBLIC_MAY})
                  AND k.proname::pg_catalog.text OPERATOR(pg_catalog.!~) %s
                  AND (k.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384 OR EXISTS (
                       SELECT FROM pg_catalog.pg_depend d WHERE d.objid OPERATOR(pg_catalog.=) k.oid
                         AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                         AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char"))
                  AND {form.format("k")} OPERATOR(pg_catalog.=) {form.format("p")}) ORDER BY 2""",  # noqa: S608
        [list(_GENERIC), _FILES],
    ).fetchall()
    oids = [oid for oid, _ in rows]
    conn.execute(
        """UPDATE pg_catalog.pg_proc SET proowner = 10, prosecdef = false, prolang = 12, prosrc = %s, probin = NULL,
                  proacl = ARRAY[pg_catalog.makeaclitem(10, 10, 'EXECUTE', false)]
           WHERE oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])""",
        [_REFUSES, oids],
    )
    _forget_owner(conn, oids)
    return oids, [
        Taken("functions in C made by hand closed", f"function {name}", "code of the server's process")
        for _, name in rows
    ]


def _wrappers(conn: Connection) -> list[Taken]:
    """Foreign-data wrappers have no handler, and nobody but the operator makes or changes a server."""
    rows = conn.execute(
        """SELECT w.fdwname::pg_catalog.text, ARRAY(
             SELECT DISTINCT CASE WHEN e.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
                             ELSE pg_catalog.pg_get_userbyid(e.grantee)::pg_catalog.text END
             FROM pg_catalog.aclexplode(w.fdwacl) AS e
             WHERE e.grantee OPERATOR(pg_catalog.<>) w.fdwowner ORDER BY 1)
           FROM pg_catalog.pg_foreign_data_wrapper w ORDER BY 1"""
    ).fetchall()
    conn.execute("UPDATE pg_catalog.pg_foreign_data_wrapper SET fdwhandler = 0, fdwowner = 10, fdwacl = NULL")
    conn.execute("UPDATE pg_catalog.pg_foreign_server SET srvowner = 10, srvacl = NULL")
    conn.execute("UPDATE pg_catalog.pg_event_trigger SET evtowner = 10")
    conn.execute(
        """DELETE FROM pg_catalog.pg_shdepend WHERE classid OPERATOR(pg_catalog.=) ANY (ARRAY[
             'pg_catalog.pg_foreign_data_wrapper', 'pg_catalog.pg_foreign_server', 'pg_catalog.pg_event_trigger'
           ]::pg_catalog.regclass[]::pg_catalog.oid[]) AND dbid OPERATOR(pg_catalog.=) (
             SELECT d.oid FROM pg_catalog.pg_database d
             WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())"""
    )
    return [
        Taken(
            "foreign-data wrappers closed",
            f"foreign-data wrapper {name}",
            f"USAGE to {', '.join(who)}" if who else "reads other machines and files",
        )
        for name, who in rows
    ]


def _in_pg_catalog(conn: Connection) -> list[Taken]:
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


def _security_definers(conn: Connection, kept: Sequence[int]) -> list[Taken]:
    rows = conn.execute(
        f"""SELECT {_SIGNATURE}, r.rolname::pg_catalog.text
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
            JOIN pg_catalog.pg_authid r ON r.oid OPERATOR(pg_catalog.=) p.proowner
            WHERE p.prosecdef AND (r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[]))
              AND p.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384
              AND p.oid OPERATOR(pg_catalog.<>) ALL (%s::pg_catalog.oid[]) ORDER BY 1""",  # noqa: S608
        [list(DANGEROUS), list(kept)],
    ).fetchall()
    return [
        Taken("SECURITY DEFINER functions of superusers given an owner without those rights", f"function {name}",
              f"owner {owner}, a superuser")
        for name, owner in rows
    ]  # fmt: skip


def _forget_owner(conn: Connection, oids: Sequence[int]) -> None:
    """The server keeps no record of what the first superuser owns."""
    conn.execute(
        """DELETE FROM pg_catalog.pg_shdepend
           WHERE classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
             AND objid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[]) AND dbid OPERATOR(pg_catalog.=) (
               SELECT d.oid FROM pg_catalog.pg_database d
               WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())""",
        [list(oids)],
    )
