"""The server that a dump is restored into: made as production's was, in quarantine, reached by nobody else."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from envclone import process
from envclone.accounts import account_of, hand_over, service_account, take_back
from envclone.errors import CommandError, EnvcloneError, ResourceError, UnsafeError
from envclone.stores.postgres.server import private, server, settings
from envclone.stores.postgres.snapshot.describe import Database
from envclone.stores.postgres.snapshot.logical import roles
from envclone.stores.postgres.snapshot.logical.ask import Production, Shape, View
from envclone.stores.postgres.snapshot.logical.contents import Entry

__all__ = ["Cluster", "initdb", "started"]

_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
_MEMORY = "512MB"
"""For building indexes: a graph that does not fit into it is built on disk, many times slower."""


@dataclass(frozen=True, slots=True)
class _Names:
    """Logins of our own for the restore, of names that production has not given: gone at its end but for the first."""

    superuser: str
    restorer: str
    makers: str


class Cluster:
    """A running server of ours; everything of production's that can run in it runs as `restorer`, without rights."""

    def __init__(self, found: Production, data: Path, running: server.Running, names: _Names) -> None:
        self._found = found
        self._data = data
        self._running = running
        self._names = names
        self.superuser = names.superuser

    @contextmanager
    def connect(self, *, superuser: bool, database: str | None = None) -> Iterator[psycopg.Connection[Any]]:
        """A connection as the first superuser, or as the restorer."""
        user = self._names.superuser if superuser else self._names.restorer
        with closing(
            server.connect(self._running, database or self._found.database.name, user, maintenance=superuser)
        ) as conn:
            yield conn

    def prepare(self) -> None:
        """Make the database, production's roles and the restorer, who may act for each of them."""
        names, shape, database = self._names, self._found.shape, self._found.database
        with self.connect(superuser=True, database="template1") as conn:
            roles.make(conn, self._found.roles)
            conn.execute(sql.SQL("CREATE ROLE {} NOSUPERUSER NOLOGIN").format(sql.Identifier(names.makers)))
            conn.execute(
                sql.SQL("CREATE ROLE {} NOSUPERUSER LOGIN BYPASSRLS INHERIT").format(sql.Identifier(names.restorer))
            )
            everybody = [*self._found.roles.names, names.makers]
            conn.execute(
                sql.SQL("GRANT {} TO {}").format(
                    sql.SQL(", ").join(map(sql.Identifier, everybody)), sql.Identifier(names.restorer)
                )
            )
            for name in self._found.roles.names:  # who owns an object must be allowed to make one beside it
                conn.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(names.makers), sql.Identifier(name)))
            if database.name not in ("postgres", "template1"):
                conn.execute(_create(database, shape, conn.info.server_version // 10000))
            conn.execute(
                sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO {}").format(
                    sql.Identifier(database.name), sql.Identifier(names.makers)
                )
            )
        self.open_schemas()

    def open_schemas(self) -> None:
        """Let every owner make objects in every schema until the end, and the restorer use what extensions brought."""
        makers = sql.Identifier(self._names.makers)
        with self.connect(superuser=True) as conn:
            for (name,) in conn.execute(
                "SELECT nspname::pg_catalog.text FROM pg_catalog.pg_namespace"
                " WHERE nspname OPERATOR(pg_catalog.!~) '^pg_' AND nspname OPERATOR(pg_catalog.<>) 'information_schema'"
            ).fetchall():
                conn.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(sql.Identifier(name), makers))
            for (name,) in conn.execute(
                "SELECT fdwname::pg_catalog.text FROM pg_catalog.pg_foreign_data_wrapper"
            ).fetchall():
                conn.execute(
                    sql.SQL("GRANT USAGE ON FOREIGN DATA WRAPPER {} TO {}").format(sql.Identifier(name), makers)
                )
            for schema, name in conn.execute(
                """SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text FROM pg_catalog.pg_extension x
                   JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) ANY (x.extconfig)
                   JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                   WHERE c.relkind OPERATOR(pg_catalog.<>) 'S'::pg_catalog."char" """
            ).fetchall():
                conn.execute(sql.SQL("GRANT INSERT, SELECT ON {} TO {}").format(sql.Identifier(schema, name), makers))

    def listing(self, dump: Path, section: str) -> str:
        """What of the dump belongs to a section, as pg_restore lists it."""
        program = self._found.engine.program("pg_restore")
        return process.run([program, "--list", f"--section={section}", dump]).stdout

    def restore(self, dump: Path, entries: Sequence[Entry], *, superuser: bool, jobs: int, owners: bool = True) -> None:
        """Restore these entries in one run of pg_restore. Raises UnsafeError naming the one that fails, no value."""
        user = self._names.superuser if superuser else self._names.restorer
        with tempfile.NamedTemporaryFile("w", prefix="envclone-list-", suffix=".txt", encoding="utf-8") as wanted:
            wanted.write("".join(f"{entry.line}\n" for entry in entries))
            wanted.flush()
            argv: list[str | Path] = [
                self._found.engine.program("pg_restore"),
                "--host", self._running.socket_dir, "--port", str(self._running.port), "--username", user,
                "--dbname", self._found.database.name, "--exit-on-error", "--no-password", "--no-tablespaces",
                f"--jobs={jobs}", f"--use-list={wanted.name}", dump,
            ]  # fmt: skip
            if not owners:
                argv.insert(1, "--no-owner")
            guard = "-c event_triggers=off " if superuser and self._found.engine.major >= 17 else ""
            try:
                process.run(argv, env={"PGOPTIONS": f"{guard}-c maintenance_work_mem={_MEMORY}"}, timeout=None)
            except CommandError as exc:
                raise _explained(exc) from None  # its last words can quote a row

    def fill(self, views: dict[View, Path]) -> None:
        """Put production's rows into the materialized views, tables for the time of it; none is refreshed."""
        for view, path in views.items():
            name = sql.Identifier(view.schema, view.name)
            self._call(view, "r", rules=False)
            with (
                self.connect(superuser=False) as conn,
                path.open("rb") as file,
                conn.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(name)) as rows,
            ):
                while block := file.read(1 << 20):
                    rows.write(block)
            self._call(view, "m", rules=True)

    def _call(self, view: View, kind: str, *, rules: bool) -> None:
        with self.connect(superuser=True) as conn:
            conn.execute(
                """UPDATE pg_catalog.pg_class c SET relkind = %s, relhasrules = %s, relispopulated = true
                   FROM pg_catalog.pg_namespace n WHERE n.oid OPERATOR(pg_catalog.=) c.relnamespace
                     AND n.nspname OPERATOR(pg_catalog.=) %s::pg_catalog.name
                     AND c.relname OPERATOR(pg_catalog.=) %s::pg_catalog.name""",
                [kind, rules, view.schema, view.name],
            )

    def settle(self) -> None:
        """Hints, statistics and the visibility map, which a dump does not bring."""
        with self.connect(superuser=False) as conn:
            conn.execute("VACUUM (ANALYZE)")

    def give_rights(self) -> None:
        """Remove the logins of the restore and give production's roles what was held back: nothing may run after it."""
        names, database, shape = self._names, self._found.database.name, self._found.shape
        ours = sql.SQL("{}, {}").format(sql.Identifier(names.restorer), sql.Identifier(names.makers))
        with self.connect(superuser=True) as conn:
            conn.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(ours, sql.Identifier(names.superuser)))
            conn.execute(sql.SQL("DROP OWNED BY {}").format(ours))
            conn.execute(sql.SQL("DROP ROLE {}").format(ours))
            if shape.owner in self._found.roles.names:
                conn.execute(
                    sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                        sql.Identifier(database), sql.Identifier(shape.owner)
                    )
                )
            conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            for grantee, right, grantable in shape.rights:
                grant = (
                    "GRANT {} ON DATABASE {} TO {} WITH GRANT OPTION" if grantable else "GRANT {} ON DATABASE {} TO {}"
                )
                conn.execute(
                    sql.SQL(grant).format(
                        sql.SQL({"CREATE": "CREATE", "CONNECT": "CONNECT"}.get(right, "TEMPORARY")),
                        sql.Identifier(database),
                        sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC"),
                    )
                )
            roles.restore_rights(conn, self._found.roles)


@contextmanager
def started(found: Production, into: Path) -> Iterator[Cluster]:
    """A server on a new cluster in `into/data`, with production's database and roles; stopped cleanly at the end.

    What it wrote besides is removed then, and the files are given back. Raises ResourceError, UnsafeError.
    """
    data, log = into / "data", into / "restore.log"
    names = _Names(*(
        roles.free_name(base, found.roles.names)
        for base in ("envclone_restored", "envclone_restorer", "envclone_makers")
    ))  # fmt: skip
    initdb(found, data, names.superuser)
    settings.write_configuration(data, found.engine, ())
    running = server.start(
        found.engine,
        data,
        socket_dir=server.socket_dir_for(data),
        log=log,
        options={**private.options(found.engine.major), "maintenance_work_mem": _MEMORY},
        timeout=600.0,
    )
    clean = False
    try:
        cluster = Cluster(found, data, running, names)
        cluster.prepare()
        yield cluster
        clean = True
    except psycopg.Error as exc:  # its message can quote a row
        raise UnsafeError(
            f"restoring the dump failed (SQLSTATE {exc.sqlstate or 'unknown'})", hint="take the snapshot again"
        ) from None
    finally:
        stopped = server.stop(data, timeout=600.0)
        take_back(into)
    if clean and not stopped.clean:
        raise UnsafeError(f"the server on {data} did not stop cleanly", hint="take the snapshot again")
    log.unlink(missing_ok=True)
    (data / "postmaster.opts").unlink(missing_ok=True)


def initdb(found: Production, data: Path, superuser: str) -> None:
    """Make a cluster like production's. Raises ResourceError with initdb's own words."""
    engine, database, shape = found.engine, found.database, found.shape
    argv: list[str | Path] = [
        engine.program("initdb"), "--username", superuser, "--no-sync", "--auth=reject", "--encoding=UTF8",
        f"--lc-collate={database.collate}", f"--lc-ctype={database.ctype}",
        "--lc-messages=C", "--lc-monetary=C", "--lc-numeric=C", "--lc-time=C",
        f"--wal-segsize={max(1, shape.segment_size >> 20)}",
    ]  # fmt: skip
    if engine.major >= 15:
        argv.append(f"--locale-provider={_PROVIDERS[database.provider]}")
    if database.provider == "i" and shape.locale:
        argv.append(f"--icu-locale={shape.locale}")
    if database.provider == "i" and shape.rules:
        argv.append(f"--icu-rules={shape.rules}")
    if database.provider == "b" and shape.locale:
        argv.append(f"--builtin-locale={shape.locale}")
    if shape.checksums:
        argv.append("--data-checksums")
    elif engine.major >= 18:
        argv.append("--no-data-checksums")
    account = service_account()
    # it starts shells, of which a cage has none, and needs nothing of production's but these words
    place = Path(tempfile.mkdtemp(prefix="envclone-initdb-"))
    try:
        place.chmod(0o711)
        (place / "data").mkdir(mode=0o700)
        hand_over(place / "data", account)
        try:
            process.run([*argv, "-D", place / "data"], account=account)
        except CommandError as exc:
            said = [line for line in exc.stderr.splitlines() if "error:" in line or "FATAL" in line]
            raise ResourceError(
                f"a cluster like production's cannot be made here: {said[-1] if said else exc.message}",
                hint="set ENVCLONE_PG_BIN_<major> to an engine that can",
            ) from exc
        shutil.move(place / "data", data)
        if os.geteuid() == 0:
            hand_over(data, account_of(data.parent))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _create(database: Database, shape: Shape, major: int) -> sql.Composed:
    """The statement that makes the database; a name in its text is quoted."""
    words = [
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE {} LC_CTYPE {}").format(
            sql.Identifier(database.name), sql.Literal(database.collate), sql.Literal(database.ctype)
        )
    ]
    if major >= 15:
        words.append(sql.SQL("LOCALE_PROVIDER {}").format(sql.SQL(_PROVIDERS[database.provider])))
    if database.provider == "i" and shape.locale:
        words.append(sql.SQL("ICU_LOCALE {}").format(sql.Literal(shape.locale)))
    if database.provider == "i" and shape.rules:
        words.append(sql.SQL("ICU_RULES {}").format(sql.Literal(shape.rules)))
    if database.provider == "b" and shape.locale:
        words.append(sql.SQL("BUILTIN_LOCALE {}").format(sql.Literal(shape.locale)))
    return sql.SQL(" ").join(words)


_COMMAND = re.compile(
    r"Command was: ((?:CREATE|ALTER|GRANT|REVOKE|COMMENT ON)(?: [A-Z]+)* "
    r"(?:\"[^\"]+\"|[\w$]+)(?:\.(?:\"[^\"]+\"|[\w$]+))?)"
)
"""The beginning of the statement that failed: what is made, and its name."""
_COPIED = re.compile(r'error: COPY failed for table "([^"]+)":')
_SAID = re.compile(
    r"(permission denied .*|must be (?:superuser|owner|able) .*|only superuser can .*|.* does not exist.*"
    r"|could not create unique index .*|.* violates (?:check|foreign key|unique) constraint \"[^\"]*\".*"
    r"|ICU is not supported .*|.*is not (?:available|supported).*|collation .*|column .* is of type .*)"
)
"""What the server says that names objects alone; other messages can quote a value and are left out."""


def _explained(exc: CommandError) -> EnvcloneError:
    lines = exc.stderr.splitlines()
    entry = next((match[1] for line in reversed(lines) if (match := _COMMAND.search(line))), "an entry of the dump")
    if copied := next((match[1] for line in lines if (match := _COPIED.search(line))), None):
        entry = f"the rows of {copied}"
    message = next((line.rpartition("ERROR:")[2].strip() for line in lines if "ERROR:" in line), "")
    why = f": {message}" if _SAID.fullmatch(message) and "value" not in message else ""
    if "No space left on device" in exc.stderr:
        return ResourceError("restoring the dump failed: the disk is full", hint="envclone gc, or a larger pool")
    return UnsafeError(
        f"restoring failed at {entry}{why}",
        hint="what a superuser alone may make does not come by a dump: method physical or directory brings it; else"
        " correct it in production",
    )
