"""What in a cluster could reach out or let somebody in: neutralized before anything else may start on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import UnsafeError
from envclone.models import Cleaned
from envclone.stores.postgres.rights.demotion import settings
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.scrub.quiesce import release_horizon

__all__ = ["MAINTENANCE", "NOWHERE", "defang", "leading_out", "sampled", "scheduled", "used"]

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[..., AbstractContextManager[Connection]]

NOWHERE = "disabled.invalid"
"""The host that foreign servers point to afterwards; names under .invalid never resolve (RFC 2606)."""

_TEMPLATES = ("template0", "template1")
MAINTENANCE = (*_TEMPLATES, "postgres")
"""The databases of every cluster, whatever it is for."""
_REMARKS = """
    SELECT (SELECT pg_catalog.md5(pg_catalog.string_agg(d::pg_catalog.text, '' ORDER BY d::pg_catalog.text))
            FROM pg_catalog.pg_description d),
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_seclabel),
           (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(
                     ' ', p.oid, p.proacl, p.prosecdef, p.proconfig, p.prosrc), '' ORDER BY p.oid))
            FROM pg_catalog.pg_proc p),
           (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', c.oid, c.relacl), '' ORDER BY c.oid))
            FROM pg_catalog.pg_class c),
           (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(
                     ' ', l.oid, l.lanpltrusted, l.lanacl), '' ORDER BY l.oid)) FROM pg_catalog.pg_language l),
           (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', n.oid, n.nspacl), '' ORDER BY n.oid))
            FROM pg_catalog.pg_namespace n)
"""
"""What can be done to initdb's own objects: comments and labels, access lists, other definitions."""
_TELLING_CATALOGS = (
    "pg_authid", "pg_database", "pg_db_role_setting", "pg_description", "pg_foreign_server", "pg_foreign_table",
    "pg_largeobject", "pg_replication_origin", "pg_subscription", "pg_user_mapping",
)  # fmt: skip
"""Catalogs that hold secrets or data, whose values ANALYZE copies into the statistics of each database."""
_ADDRESSES = ("host", "hostaddr", "port", "dbname", "service", "servername", "address", "dsn", "url", "server")


def defang(connect: Connect, database: str) -> list[Cleaned]:
    """Neutralize roles' passwords, subscriptions, origins, foreign servers, jobs, and what sessions had for themselves.

    The cluster's other databases are dropped; `postgres` and `template1` are made again when they hold anything.
    `connect(dbname=…, autocommit=True, login=…)` opens a connection. Raises UnsafeError when template0 was filled.
    """
    slots, prepared = release_horizon(connect)
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        cleaned = [
            Cleaned("replication slots dropped", slots),
            Cleaned("prepared transactions rolled back", prepared),
            _temporary(conn),
            _collations(conn),
            *_subscriptions(conn),
            *_foreign(conn),
        ]
    cleaned.append(_jobs(connect))
    cleaned += _databases(connect, database)
    cleaned.append(_statistics(connect))
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        cleaned += [_origins(conn), _passwords(conn), _settings(conn)]
    return [item for item in cleaned if item.count]


def _temporary(conn: Connection) -> Cleaned:
    """Drop what production's sessions made for themselves: with a session it ends, and its rows were not copied."""
    found = conn.execute(
        """SELECT nspname FROM pg_catalog.pg_namespace
           WHERE nspname OPERATOR(pg_catalog.~) '^pg_temp_[0-9]+$' ORDER BY 1"""
    ).fetchall()
    for (name,) in found:
        conn.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
    return Cleaned("temporary schemas dropped", len(found))


def _collations(conn: Connection) -> Cleaned:
    """Remove what is said of the server's own collations: initdb names the places of each (`English (Diego Garcia)`),
    and people and towns are called so, too."""
    found = conn.execute(
        """DELETE FROM pg_catalog.pg_description
           WHERE classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_collation'::pg_catalog.regclass
             AND objoid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384"""
    ).rowcount
    if found:
        conn.execute("VACUUM FULL pg_catalog.pg_description")
    return Cleaned("comments on the server's own collations removed", found)


def _subscriptions(conn: Connection) -> list[Cleaned]:
    own = conn.execute(
        """SELECT s.subname FROM pg_catalog.pg_subscription s
           JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.subdbid
             WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"""
    ).fetchall()
    for (name,) in own:
        subscription = sql.Identifier(name)
        # with a slot name left, DROP would go to production and drop its slot
        conn.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(subscription))
        conn.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(subscription))
        conn.execute(sql.SQL("DROP SUBSCRIPTION {}").format(subscription))
    # those of other databases go with their database, which cannot be dropped while it has any
    others = conn.execute("DELETE FROM pg_catalog.pg_subscription RETURNING subname").fetchall()
    conn.execute("VACUUM FULL pg_catalog.pg_subscription")
    return [
        Cleaned("subscriptions dropped", len(own), _names(own)),
        Cleaned("subscriptions of other databases removed", len(others), _names(others)),
    ]


def _origins(conn: Connection) -> Cleaned:
    found = conn.execute("SELECT roname FROM pg_catalog.pg_replication_origin").fetchall()
    for (name,) in found:
        conn.execute("SELECT pg_catalog.pg_replication_origin_drop(%s)", [name])
    return Cleaned("replication origins dropped", len(found), _names(found))


def _foreign(conn: Connection) -> list[Cleaned]:
    mappings = conn.execute(
        """SELECT CASE WHEN umuser OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(umuser) END,
             srvname, umuser OPERATOR(pg_catalog.=) 0
           FROM pg_catalog.pg_user_mappings"""
    ).fetchall()
    for user, server, public in mappings:
        who: sql.Composable = sql.SQL("PUBLIC") if public else sql.Identifier(user)
        conn.execute(sql.SQL("DROP USER MAPPING FOR {} SERVER {}").format(who, sql.Identifier(server)))
    servers = conn.execute(
        """SELECT srvname, ARRAY(SELECT pg_catalog.split_part(o, '=', 1)
                                 FROM pg_catalog.unnest(srvoptions) AS u (o)) FROM pg_catalog.pg_foreign_server"""
    ).fetchall()
    for server, options in servers:
        # not by ALTER SERVER: a wrapper's validator may refuse, and its library may be missing here
        kept = [f"host={NOWHERE}"] if "host" in options or not options else []
        conn.execute(
            """UPDATE pg_catalog.pg_foreign_server SET srvoptions = %s::pg_catalog.text[] OPERATOR(pg_catalog.||) ARRAY(
                 SELECT o FROM pg_catalog.unnest(srvoptions) AS u (o)
                 WHERE NOT pg_catalog.split_part(o, '=', 1) OPERATOR(pg_catalog.=) ANY (%s)
                   AND pg_catalog.split_part(o, '=', 1) OPERATOR(pg_catalog.!~*) '(pass|secret|token|key|user)')
               WHERE srvname OPERATOR(pg_catalog.=) %s""",
            [kept, list(_ADDRESSES), server],
        )
    conn.execute(
        "UPDATE pg_catalog.pg_foreign_server SET srvoptions = NULL WHERE srvoptions OPERATOR(pg_catalog.=) '{}'"
    )
    for catalog in ("pg_user_mapping", "pg_foreign_server"):
        conn.execute(sql.SQL("VACUUM FULL pg_catalog.{}").format(sql.Identifier(catalog)))
    return [
        Cleaned("user mappings dropped", len(mappings), ", ".join(f"{m[0]}@{m[1]}" for m in mappings)),
        Cleaned("foreign servers pointed nowhere", len(servers), _names(servers)),
    ]


def leading_out(conn: Connection) -> int:
    """How many foreign servers have an option that names a machine or holds a secret."""
    row = conn.execute(
        """SELECT pg_catalog.count(*) FROM pg_catalog.pg_foreign_server WHERE EXISTS (
             SELECT FROM pg_catalog.unnest(srvoptions) AS u (o)
             WHERE (pg_catalog.split_part(o, '=', 1) OPERATOR(pg_catalog.=) ANY (%s)
                 AND o OPERATOR(pg_catalog.<>) %s)
               OR pg_catalog.split_part(o, '=', 1) OPERATOR(pg_catalog.~*) '(pass|secret|token|key|user)')""",
        [list(_ADDRESSES), f"host={NOWHERE}"],
    ).fetchone()
    return int(row[0]) if row else 0


def scheduled(connect: Connect) -> int:
    """How many rows pg_cron's tables have, of jobs and of their runs."""
    with connect(autocommit=True) as conn:  # what is called so can be a view of production's
        return sum(_count(conn, sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(one)) for one in _of_cron(conn))


def _of_cron(conn: Connection) -> list[sql.Identifier]:
    """The tables of jobs and runs that pg_cron has here."""
    found = conn.execute(
        """SELECT c.relname FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
           WHERE n.nspname OPERATOR(pg_catalog.=) 'cron'
             AND c.relname OPERATOR(pg_catalog.=) ANY ('{job,job_run_details}')
             AND EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'pg_cron')
           ORDER BY 1"""
    ).fetchall()
    return [sql.Identifier("cron", name) for (name,) in found]


def _count(conn: Connection, query: sql.Composed) -> int:
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0


def _jobs(connect: Connect) -> Cleaned:
    """Jobs, what their runs said, and samples of both."""
    with connect(autocommit=True) as conn:  # its tables can have triggers and indexes of production's
        jobs = [conn.execute(sql.SQL("DELETE FROM {}").format(one)).rowcount for one in _of_cron(conn)]
    if jobs:
        with connect(autocommit=True, login=Login.OPERATOR) as conn:
            conn.execute(
                """DELETE FROM pg_catalog.pg_statistic WHERE starelid OPERATOR(pg_catalog.=) ANY (
                       SELECT c.oid FROM pg_catalog.pg_class c
                       JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                       WHERE n.nspname OPERATOR(pg_catalog.=) 'cron')"""
            )
    return Cleaned("scheduled jobs removed", sum(jobs), "pg_cron, with what their runs said")


def _databases(connect: Connect, own: str) -> list[Cleaned]:
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        rows = conn.execute("SELECT datname FROM pg_catalog.pg_database ORDER BY 1").fetchall()
    names = [row[0] for row in rows]
    dropped = [name for name in names if name not in (*MAINTENANCE, own)]
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        conn.execute(
            "UPDATE pg_catalog.pg_database SET datallowconn = true WHERE datname OPERATOR(pg_catalog.=) 'template0'"
        )
        for name in dropped:
            _drop(conn, name)
    filled = _filled(connect, [name for name in MAINTENANCE if name in names and name != own])
    if "template0" in filled:
        raise UnsafeError(
            "template0 of the cluster holds tables, which nothing but a mistake puts there",
            hint="drop them in production, and take a new snapshot",
        )
    for name in MAINTENANCE:  # template0 first: what is made again is made of it
        if name in names and name != own and name not in filled:
            with connect(dbname=name, autocommit=True, login=Login.OPERATOR) as conn:
                _collations(conn)
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        conn.execute(
            "UPDATE pg_catalog.pg_database SET datallowconn = false WHERE datname OPERATOR(pg_catalog.=) 'template0'"
        )
        for name in filled:
            _drop(conn, name)
            conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            if name == "template1":
                conn.execute("ALTER DATABASE template1 IS_TEMPLATE true")
        conn.execute("VACUUM FULL pg_catalog.pg_database")
    return [
        Cleaned("other databases dropped", len(dropped), ", ".join(dropped)),
        Cleaned("maintenance databases made again", len(filled), ", ".join(filled)),
    ]


def _drop(conn: Connection, name: str) -> None:
    # through the catalog: ALTER refuses a database that is marked invalid
    conn.execute(
        "UPDATE pg_catalog.pg_database SET datistemplate = false WHERE datname OPERATOR(pg_catalog.=) %s", [name]
    )
    conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _filled(connect: Connect, names: Sequence[str]) -> list[str]:
    """Those of some databases into which anything was ever put, or into initdb's own objects there."""

    def look(name: str) -> tuple[bool, object]:
        with connect(dbname=name, autocommit=True, login=Login.OPERATOR) as conn:
            return name in names and used(conn), conn.execute(_REMARKS).fetchone()

    every = {*names, "template0"}
    with ThreadPoolExecutor(len(every)) as pool:
        found = dict(zip(every, pool.map(look, every), strict=True))
    untouched = found["template0"][1]
    return [name for name in names if found[name][0] or found[name][1] != untouched]


def used(conn: Connection) -> bool:
    """Whether anything was ever put into a database: whatever was has a number that initdb gives to nothing."""
    catalogs = conn.execute(
        """SELECT c.relname, a.attname FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
           WHERE c.relnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
             AND c.relkind OPERATOR(pg_catalog.=) 'r' AND NOT c.relisshared
             AND a.attname OPERATOR(pg_catalog.=) ANY ('{oid,attrelid}') AND a.attnum OPERATOR(pg_catalog.>) 0
               AND c.oid::pg_catalog.int8 OPERATOR(pg_catalog.<) 16384"""
    ).fetchall()
    held = [
        sql.SQL("EXISTS (SELECT 1 FROM pg_catalog.{} WHERE {}::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384)").format(
            sql.Identifier(catalog), sql.Identifier(column)
        )
        for catalog, column in catalogs
    ]
    row = conn.execute(sql.SQL("SELECT {}").format(sql.SQL(" OR ").join(held))).fetchone()
    return bool(row and row[0])


def _statistics(connect: Connect) -> Cleaned:
    """Samples of catalogs that hold secrets, such as of the roles' password hashes."""
    with connect(autocommit=True, login=Login.OPERATOR) as conn:
        names = [row[0] for row in conn.execute("SELECT datname FROM pg_catalog.pg_database WHERE datallowconn")]
    removed = 0
    for name in names:
        with connect(dbname=name, autocommit=True, login=Login.OPERATOR) as conn:
            if sampled(conn):
                removed += conn.execute(
                    sql.SQL("DELETE FROM pg_catalog.pg_statistic s WHERE {}").format(_SAMPLES), [_telling()]
                ).rowcount
                conn.execute("VACUUM FULL pg_catalog.pg_statistic")
    return Cleaned("statistics of catalogs that hold secrets removed", removed)


def sampled(conn: Connection) -> int:
    """How many samples of such catalogs the statistics of a database hold."""
    query = sql.SQL("SELECT pg_catalog.count(*) FROM pg_catalog.pg_statistic s WHERE {}").format(_SAMPLES)
    row = conn.execute(query, [_telling()]).fetchone()
    return int(row[0]) if row else 0


_SAMPLES = sql.SQL(
    """s.starelid OPERATOR(pg_catalog.=) ANY (
        SELECT c.oid FROM pg_catalog.pg_class c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
          AND c.relname OPERATOR(pg_catalog.=) ANY (%s))
      AND COALESCE(stavalues1::pg_catalog.text, stavalues2::pg_catalog.text, stavalues3::pg_catalog.text,
                   stavalues4::pg_catalog.text, stavalues5::pg_catalog.text) IS NOT NULL"""
)


def _telling() -> list[str]:
    return list(_TELLING_CATALOGS)


def _passwords(conn: Connection) -> Cleaned:
    found = conn.execute(
        """UPDATE pg_catalog.pg_authid SET rolpassword = NULL, rolvaliduntil = NULL
           WHERE rolpassword IS NOT NULL RETURNING rolname"""
    ).fetchall()
    conn.execute("VACUUM FULL pg_catalog.pg_authid")  # old hashes live on in the old file's dead rows
    return Cleaned("role passwords removed", len(found), _names(found))


def _settings(conn: Connection) -> Cleaned:
    """Settings of roles and databases that load libraries or name other machines."""
    found = settings(conn)
    conn.execute("VACUUM FULL pg_catalog.pg_db_role_setting")  # also what was removed at the start
    return found


def _names(rows: list[tuple[Any, ...]]) -> str:
    return ", ".join(sorted(str(row[0]) for row in rows))
