"""Statements of an agent in a branch: judged as a recording's are, run as a role that only reads, within bounds.

What reads runs as `pg_read_all_data`: that role reads every table and no setting that names a place of this machine.
What may write runs as the branch's login, and is one of a list of statements, none of which defines code or changes who
asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from envclone.errors import UnreachableError, UnsafeError, UsageError
from envclone.incidents.bundle import SqlStep
from envclone.incidents.terms import Terms
from envclone.models import StepResult
from envclone.protocols.asking import Answer, Bounds, Nearest
from envclone.stores.postgres.server import pinned
from envclone.stores.postgres.steps import nearby
from envclone.stores.postgres.steps.execute import change, execute, sent
from envclone.stores.postgres.steps.reading import writing
from envclone.stores.postgres.steps.reading.catalog import Catalog
from envclone.stores.postgres.steps.reading.grammar import Refused
from envclone.stores.postgres.steps.reading.statement import Uses, of_statement

if TYPE_CHECKING:
    import psycopg

    from envclone.models import Endpoint

__all__ = ["READER", "PostgresAsking"]

READER = "pg_read_all_data"
_CLOSED = re.compile(
    "pg_authid|pg_shadow|pg_user_mappings?|_pg_user_mappings|pg_subscription|pg_foreign_server|_pg_foreign_servers"
    "|foreign_server_options|user_mapping_options|pg_file_settings|pg_hba_file_rules|pg_ident_file_mappings|pg_config"
    "|pg_stat_wal_receiver|pg_stat_subscription|pg_db_role_setting"
)
"""Relations of the server that hold verifiers of passwords, or addresses and logins of other servers."""
_PLACES = re.compile("pg_tablespace_location|pg_show_all_(file_)?settings|pg_config|pg_stat_get_wal_receiver")
"""Functions that everybody may call and that name a place."""
_HIDDEN = re.compile(r".*(directory|directories|_file|_path|_dir|conninfo|command|_key|password.*|passphrase.*)|all")
"""Settings that name one, should the role see it."""
_ONLY_READS = "the statement is not run: it does more than read"


class PostgresAsking:
    """Each question has a session of its own, over the branch's own login."""

    def sql(self, endpoint: Endpoint, statement: str, parameters: Sequence[Any] | None, bounds: Bounds) -> Answer:
        """One statement; see `Asking`."""
        step = SqlStep(
            id="sql", store=endpoint.store, sql=statement, parameters=None if parameters is None else list(parameters)
        )
        text, _ = sent(step)
        try:
            uses = of_statement(text)
        except Refused as exc:
            if bounds.write:
                return self._written(endpoint, step, text, bounds)
            raise UnsafeError(f"{_ONLY_READS}: {exc}", hint="one SELECT, EXPLAIN, SHOW, VALUES or TABLE") from None
        require_open(uses, text)
        with closing(_connect(endpoint, bounds)) as conn:
            if problems := Catalog(conn).problems(uses):
                if bounds.write:
                    return self._written(endpoint, step, text, bounds)
                raise UnsafeError(f"{_ONLY_READS}: {problems[0]}", hint="read tables and views without such a function")
            conn.execute(f"SET ROLE {READER}")
            return Answer(execute(conn, step, _terms(bounds)))

    def nearest(self, endpoint: Endpoint, asked: Nearest, bounds: Bounds) -> Answer:
        """The rows nearest to a vector, by the operator of the column's index; see `Asking`."""
        with closing(_connect(endpoint, bounds)) as conn:
            conn.execute(f"SET ROLE {READER}")
            step = nearby.step(conn, endpoint.store, asked)
            found = execute(conn, step, _terms(bounds))
        columns, rows = found.columns[2:], tuple(row[2:] for row in found.rows)
        return Answer(
            StepResult(
                columns=columns, rows=rows, ids=found.ids, scores=found.scores, error=found.error, seconds=found.seconds
            )
        )

    def _written(self, endpoint: Endpoint, step: SqlStep, text: str, bounds: Bounds) -> Answer:
        try:
            uses = writing.of_statement(text)
        except Refused as exc:
            raise UnsafeError(f"the statement is not run: {exc}", hint=writing.REMEDY) from None
        require_open(uses, text)
        if acting := sorted(name for _, name in uses.functions if writing.acts(name)):
            raise UnsafeError(f"the statement is not run: {acting[0]} acts outside the branch's tables")
        with closing(_connect(endpoint, bounds)) as conn:
            if problems := writing.functions(Catalog(conn), uses):
                raise UnsafeError(
                    f"the statement is not run: {problems[0]}", hint="call no function of the application's that acts"
                )
        with closing(_connect(endpoint, bounds, read_only=False)) as conn:
            result, status = change(conn, step, _terms(bounds), alone=writing.alone(text))
            return Answer(result, status if not status.startswith("SELECT") else "")


def require_open(uses: Uses, text: str) -> None:
    """Raise UnsafeError for what tells of logins, of other servers or of places on this machine."""
    closed = [name for _, name in uses.relations if _CLOSED.fullmatch(name.lower())]
    closed += [name for _, name in uses.functions if _PLACES.fullmatch(name.lower())]
    shown = re.match(r"\s*show\s+([\w.\"]+)", text, re.IGNORECASE)
    if shown and _HIDDEN.fullmatch(shown[1].strip('"').lower()):
        closed.append(shown[1])
    if closed:
        raise UnsafeError(
            f"the statement is not run: {min(closed)} tells of logins or of the machine, not of the branch's data",
            hint="of settings those that matter to a query are told",
        )


def _terms(bounds: Bounds) -> Terms:
    return Terms(seconds=bounds.seconds, rows=bounds.rows, bytes=bounds.bytes)


def _connect(endpoint: Endpoint, bounds: Bounds, *, read_only: bool = True) -> psycopg.Connection[Any]:
    """A session of the branch's own login, whose statements end in time. Raises UnreachableError."""
    import psycopg

    from envclone.stores.postgres.server.server import reason

    if endpoint.user is None or endpoint.password is None:
        raise UsageError(f"the store '{endpoint.store}' has no login")
    patience = f"{int(bounds.seconds * 1000)}ms"
    pins = pinned.step(superuser=False) | {
        "statement_timeout": patience,
        "lock_timeout": patience,
        "idle_in_transaction_session_timeout": patience,
        "standard_conforming_strings": "on",  # what the statement was read by is what the server reads it by
        "client_min_messages": "warning",
    }
    if not read_only:
        pins["default_transaction_read_only"] = "off"
    try:
        return pinned.connect(
            pins=pins,
            host=endpoint.host,
            port=endpoint.port,
            dbname=endpoint.database,
            user=endpoint.user,
            password=endpoint.password.reveal(),
            autocommit=True,
            connect_timeout=10,
            application_name="envclone-agent",
        )
    except psycopg.OperationalError as exc:
        raise UnreachableError(
            f"the branch's store '{endpoint.store}' does not answer: {reason(exc)}", hint="reset the branch"
        ) from exc
