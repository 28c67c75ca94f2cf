"""Runs an incident's SQL steps in production: what only reads, as an ordinary role, within limits of time and size."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING, Any

from envclone.errors import BusyError, UnsafeError, UsageError
from envclone.incidents.bundle import SqlStep, Step
from envclone.incidents.placeholders import REMEDY
from envclone.incidents.terms import Terms
from envclone.models import StepResult
from envclone.stores.postgres.server import pinned
from envclone.stores.postgres.steps.execute import execute, sent
from envclone.stores.postgres.steps.reading import known, roles
from envclone.stores.postgres.steps.reading.catalog import Catalog
from envclone.stores.postgres.steps.reading.grammar import NoSql, Refused
from envclone.stores.postgres.steps.reading.statement import of_statement
from envclone.stores.postgres.steps.waiting import watched

if TYPE_CHECKING:
    import psycopg

__all__ = ["ProductionRunner"]

_LARGEST = {"work_mem": 1 << 20, "temp_buffers": 1 << 20, "hash_mem_multiplier": 8}
"""The most memory that a step may ask for, in kB, and how often; production's own settings stay."""
_NO_SQL = (
    f"placeholders: {REMEDY};\nwhen production refused the statement, write that by hand: "
    'expect: {error: "42601 syntax error"}'
)
_LOCKED = "55P03"
_CURRENT = """
    SELECT s.name, s.setting::pg_catalog.float8, s.unit FROM pg_catalog.pg_settings s
    WHERE s.name OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.text[])
"""


class ProductionRunner:
    """Runs each step in a session of its own, as the role that it names.

    Before a statement is sent it is parsed by PostgreSQL's own grammar, and what it calls is looked up in the catalog:
    `examine` says what speaks against it, and `run` refuses then.
    """

    def __init__(self, dsn: str, database: str | None = None, terms: Terms | None = None) -> None:
        self._dsn = dsn
        self._database = database
        self._terms = terms or Terms()
        self._takers: dict[str, list[str]] = {}

    def __enter__(self) -> ProductionRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is kept open between steps."""

    def settled(self, step: Step) -> Step:
        """The step of a role that may not log in, as the one ordinary login that may take it on begins it.

        A replay logs in as that, too. Where several may, or none, the step stays as it is, and is refused.
        """
        if not isinstance(step, SqlStep) or step.role is None or roles.taken_on({**step.settings, **step.local}):
            return step
        if step.role not in self._takers:
            with closing(self._open(step)) as conn:
                self._takers[step.role] = roles.takers_of(conn, step.role)
        logins = self._takers[step.role]
        if len(logins) != 1:
            return step
        return step.model_copy(update={"role": logins[0], "local": {"role": step.role, **step.local}})

    def examine(self, step: Step) -> list[str]:
        """Why the step may not run in production, in words; nothing of it runs for that.

        Raises UsageError for a step of another kind, UnsafeError for its role, UnreachableError.
        """
        sql_step = _sql(step)
        both = {**sql_step.settings, **sql_step.local}
        problems = [f"it sets '{name}'" for name in both if name.lower() != "role" and not known.may_be_set(name)]
        text, _ = sent(sql_step)
        try:
            uses = of_statement(text)
        except NoSql as exc:
            raise UnsafeError(
                f"it is not SQL that PostgreSQL reads: {exc}", problems=[*problems, str(exc)], hint=_NO_SQL
            ) from None
        except Refused as exc:
            return [*problems, str(exc)]
        with closing(self._open(sql_step)) as conn:
            roles.require_ordinary(conn, sql_step)
            for settings in (sql_step.settings, sql_step.local):
                if (taken := roles.taken_on(settings)) is not None:
                    problems += roles.why_not(conn, sql_step, taken)
            return problems + Catalog(conn, self._terms.allowed).problems(uses)

    def run(self, step: Step) -> StepResult:
        """Run one SQL step in a read-only transaction and roll it back; its own failure is a result.

        Raises UnsafeError when it does more than read, or would run with rights over the server; UsageError for a
        step of another kind, of a role that this login cannot have, or that returns too much; BusyError when it waited
        for a lock longer than it may, which says nothing of what failed in production; UnreachableError.
        """
        sql_step = _sql(step)
        if problems := self.examine(sql_step):
            raise UnsafeError(f"the step '{step.id}' does more than read", problems=problems)
        with closing(self._open(sql_step, pinned.step())) as conn:
            role = roles.become(conn, sql_step)
            # what the statement was read by is what the server reads it by
            conn.execute("SET standard_conforming_strings = on")
            roles.still(conn, sql_step, role)

            ours = False

            def before(session: psycopg.Connection[Any]) -> None:
                nonlocal ours
                ours = self._bounded(session, sql_step)

            def after(session: psycopg.Connection[Any]) -> None:
                roles.still(session, sql_step, roles.taken_on(sql_step.settings) or role)

            most = self._terms.lock_seconds
            with watched(
                conn.info.backend_pid, lambda: self._open(sql_step), self._terms.waiting, min(1.0, most / 4)
            ) as wait:
                result = execute(conn, sql_step, self._terms, before=before, after=after)
        if ours and (result.error or "").startswith(_LOCKED):
            raise BusyError(
                f"the step '{step.id}' waited {most:g} s for a lock that {wait.holder or 'somebody'} holds in"
                " production: nothing was recorded",
                hint="let that transaction end, then record again; --lock-timeout waits longer",
            )
        return result

    def _open(self, step: SqlStep, pins: Mapping[str, str] | None = None) -> psycopg.Connection[Any]:
        from envclone.stores.postgres.snapshot.source import open_source

        database = step.database or self._database
        return open_source(self._dsn, pins=pins, **({"dbname": database} if database else {}))

    def _bounded(self, conn: psycopg.Connection[Any], step: SqlStep) -> bool:
        """Limits for this transaction; shorter ones of production's or the step's own stay.

        Returns whether the limit of waiting for a lock is ours.
        """
        ours = False
        most = {
            "statement_timeout": int(self._terms.seconds * 1000),
            "lock_timeout": int(self._terms.lock_seconds * 1000),
            "idle_in_transaction_session_timeout": int(self._terms.seconds * 1000),
            "idle_session_timeout": int(self._terms.seconds * 1000),
            "transaction_timeout": int(self._terms.seconds * 2000),
        }
        for name, value, _ in conn.execute(_CURRENT, [list(most)]).fetchall():
            if not 0 < value <= most[name]:
                ours = ours or name == "lock_timeout"
                conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", [name, f"{most[name]}ms"])
        asked = [name for name in _LARGEST if name in {one.lower() for one in (*step.settings, *step.local)}]
        for name, value, unit in conn.execute(_CURRENT, [asked]).fetchall():
            if value * (8 if unit == "8kB" else 1) > _LARGEST[name]:
                most_of_it = f"{_LARGEST[name]}{'kB' if unit else ''}"
                conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", [name, most_of_it])
        return ours


def _sql(step: Step) -> SqlStep:
    if not isinstance(step, SqlStep):
        raise UsageError(f"the step '{step.id}' is not an SQL step, but names the store '{step.store}'")
    return step
