"""Ways out of the data: functions, wrappers, languages and parameters that reach files, programs or other machines."""

from __future__ import annotations

from collections.abc import Sequence

from envclone.stores.postgres.rights import own
from envclone.stores.postgres.rights.logins import Connection
from envclone.stores.postgres.rights.own import FILES, PUBLIC_MAY, SIGNATURE
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
    taken = [*own.functions(conn), *own.relations(conn), *own.definers(conn)]
    if conn.info.server_version >= 150000:
        taken += own.parameters(conn)
    languages, of_languages = _languages(conn)
    members, of_members = _members(conn)
    strangers, by_hand = _made_by_hand(conn)
    taken += [*of_languages, *of_members, *by_hand, *_wrappers(conn), *own.in_pg_catalog(conn)]
    kept = [*languages, *members, *strangers]
    return kept, [*taken, *_security_definers(conn, kept)]


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
        f"""SELECT p.oid::pg_catalog.int8, {SIGNATURE}, x.extname::pg_catalog.text,
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
              OR x.oid IS NOT NULL AND i.initprivs IS NOT NULL AND NOT {PUBLIC_MAY}) ORDER BY 2""",  # noqa: S608
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
    # candidates first: mostly there are none, and the forms of 3,000 functions of the server take 0.15 s
    rows = conn.execute(
        f"""WITH p AS MATERIALIZED (
              SELECT p.* FROM pg_catalog.pg_proc p
              WHERE p.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384
                AND p.prolang OPERATOR(pg_catalog.=) ANY ('{{12,13}}'::pg_catalog.oid[])
                AND p.prosrc OPERATOR(pg_catalog.<>) ALL (%s::pg_catalog.text[])
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid OPERATOR(pg_catalog.=) p.oid
                                AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                                AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char"))
            SELECT p.oid::pg_catalog.int8, {SIGNATURE}
            FROM p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
            WHERE NOT EXISTS (
                SELECT FROM pg_catalog.pg_proc k
                LEFT JOIN pg_catalog.pg_init_privs i ON i.objoid OPERATOR(pg_catalog.=) k.oid
                  AND i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                WHERE k.prolang OPERATOR(pg_catalog.=) p.prolang AND k.prosrc OPERATOR(pg_catalog.=) p.prosrc
                  AND coalesce(k.probin OPERATOR(pg_catalog.=) p.probin, k.probin IS NULL AND p.probin IS NULL)
                    AND k.proretset OPERATOR(pg_catalog.=) p.proretset
                  AND (i.initprivs IS NULL OR {PUBLIC_MAY})
                  AND k.proname::pg_catalog.text OPERATOR(pg_catalog.!~) %s
                  AND (k.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384 OR EXISTS (
                       SELECT FROM pg_catalog.pg_depend d WHERE d.objid OPERATOR(pg_catalog.=) k.oid
                         AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                         AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char"))
                  AND {form.format("k")} OPERATOR(pg_catalog.=) {form.format("p")}) ORDER BY 2""",  # noqa: S608
        [list(_GENERIC), FILES],
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


def _security_definers(conn: Connection, kept: Sequence[int]) -> list[Taken]:
    rows = conn.execute(
        f"""SELECT {SIGNATURE}, r.rolname::pg_catalog.text
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
