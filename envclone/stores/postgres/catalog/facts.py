"""Versions and settings of a server, in production and in a branch, under the same names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from envclone.errors import UnreachableError
from envclone.models import Counters, Endpoint, StoreSnapshot
from envclone.profiles.servers import SETTINGS
from envclone.stores.postgres.catalog.planner import planner
from envclone.stores.postgres.server import pinned

__all__ = ["counted", "facts", "held", "in_use", "production"]


def production(snapshot: StoreSnapshot) -> dict[str, str]:
    """What the snapshot recorded: the server's version, the extensions', and that of the database's collation."""
    details: Mapping[str, Any] = snapshot.details
    found = {"server version": snapshot.engine_version}
    extensions = details.get("extensions") or {}
    if isinstance(extensions, Mapping):
        found |= {f"extension {name}": str(version) for name, version in extensions.items()}
    for database in details.get("databases") or ():
        if database.get("name") == details.get("database") and database.get("collation_version"):
            found["collation version"] = str(database["collation_version"])
    return found


def facts(endpoint: Endpoint, kept: Collection[str]) -> dict[str, str]:
    """What a branch's server says: its version, those of the extensions installed beside it, its C library's collation.

    Raises UnreachableError.
    """
    with _connected(endpoint, keep=SETTINGS) as conn:  # these as the branch's user has them
        found = _ask(conn)
        (operator,) = conn.execute(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) 10"
        ).fetchone()
    with _connected(endpoint, operator) as conn:
        return {**found, **planner(conn, kept)}


def held(endpoint: Endpoint, *, whole: bool) -> dict[str, str]:
    """What the branch's database holds, as its login sees it: schema and rows. Raises UnreachableError."""
    from envclone.stores.postgres.catalog.content import content

    with _connected(endpoint) as conn:
        return content(conn, whole=whole)


def counted(endpoint: Endpoint) -> Counters:
    """Temporary files of the branch's database since its server keeps count, and its writing transactions.

    These have a number at once; the rows that they wrote are counted when their session ends or has been idle for ten
    seconds, which one of an application's pool may never be. Raises UnreachableError.
    """
    with _connected(endpoint) as conn:
        row = conn.execute(
            "SELECT temp_files, temp_bytes,"
            " pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) FROM pg_catalog.pg_stat_database"
            " WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
        ).fetchone()
    return Counters(temp_files=int(row[0]), temp_bytes=int(row[1]), writing=int(row[2])) if row else Counters()


def changed(endpoint: Endpoint) -> list[str]:
    """The tables that were written, vacuumed or analysed since the branch's birth, and how. Raises UnreachableError.

    An image's counters are zero.
    """
    with _connected(endpoint) as conn:
        rows = conn.execute(
            """SELECT pg_catalog.concat(schemaname, '.', relname),
                 n_tup_ins, n_tup_upd, n_tup_del,
                 vacuum_count OPERATOR(pg_catalog.+) autovacuum_count,
                 analyze_count OPERATOR(pg_catalog.+) autoanalyze_count
               FROM pg_catalog.pg_stat_user_tables
               WHERE schemaname OPERATOR(pg_catalog.!~) '^pg_(toast_)?temp_' ORDER BY 1"""
        ).fetchall()
    found = []
    for table, *written, vacuumed, analysed in rows:
        how = [(count, word) for count, word in zip(written, ("inserted", "updated", "deleted"), strict=True) if count]
        said = [f"{count} {'row' if count == 1 else 'rows'} {word}" for count, word in how]
        said += ["vacuumed"] if vacuumed else []
        said += ["analysed"] if analysed else []
        if said:
            found.append(f"{table}: {', '.join(said)}")
    return found


def in_use(endpoint: Endpoint) -> bool:
    """Whether anybody else is connected to the branch's server. Raises UnreachableError."""
    with _connected(endpoint) as conn:
        row = conn.execute(
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity"
            " WHERE backend_type OPERATOR(pg_catalog.=) 'client backend'"
            " AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()"
        ).fetchone()
    return bool(row and row[0])


@contextmanager
def _connected(endpoint: Endpoint, operator: str | None = None, keep: Collection[str] = ()) -> Iterator[Any]:
    """A connection as the branch's login, or over the operator's socket as the superuser `operator`.

    Settings of roles and databases do not apply, save for those that `keep` names.
    """
    import psycopg

    local = endpoint.socket is not None  # the operator's own way in: what goes through a gate counts as use
    pins = pinned.operator(None) if local and operator else pinned.ordinary(None, keep)
    try:
        conn = pinned.connect(
            pins=pins,
            host=str(endpoint.socket) if local else endpoint.host,
            port=(endpoint.socket_port if local else None) or endpoint.port,
            dbname=endpoint.database,
            user=(operator if local else None) or endpoint.user,
            password=endpoint.password.reveal() if endpoint.password and not (local and operator) else None,
            connect_timeout=10,
            autocommit=True,
        )
    except psycopg.OperationalError as exc:
        raise UnreachableError(f"the branch's server {endpoint.store} does not answer") from exc
    with closing(conn):
        yield conn


def _ask(conn: Any) -> dict[str, str]:
    found = {"server version": str(conn.execute("SHOW server_version").fetchone()[0]).split()[0]}
    for name, version in conn.execute(
        """SELECT e.extname, coalesce(a.default_version, '') FROM pg_catalog.pg_extension e
           LEFT JOIN pg_catalog.pg_available_extensions a ON a.name OPERATOR(pg_catalog.=) e.extname"""
    ):
        found[f"extension {name}"] = version
    if conn.info.server_version >= 150000:
        row = conn.execute(
            """SELECT pg_catalog.pg_database_collation_actual_version(oid) FROM pg_catalog.pg_database
               WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"""
        ).fetchone()
        if row and row[0]:
            found["collation version"] = row[0]
    for name, value in conn.execute(
        "SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings"
        " WHERE name OPERATOR(pg_catalog.=) ANY (%s)",
        [list(SETTINGS)],
    ):
        found[f"setting {name}"] = value
    return found
