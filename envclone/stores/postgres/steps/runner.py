"""Runs an incident's SQL steps in a branch, read-only, as the session that failed: role, database, settings."""

from __future__ import annotations

from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING, Any

from envclone.errors import UnreachableError, UnsafeError, UsageError
from envclone.incidents.bundle import SqlStep, Step
from envclone.models import Endpoint, StepResult
from envclone.stores.postgres.server import pinned
from envclone.stores.postgres.steps.execute import execute
from envclone.stores.postgres.steps.reading import roles

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresRunner"]


class PostgresRunner:
    """Runs each step in a session of its own: what one sets, the next does not see.

    Over a branch's socket a step runs as the role that production ran it as, so that the settings and rights of that
    role count. Without a socket it runs as the user of the endpoint. It never runs as a superuser, nor as somebody who
    may become one.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> PostgresRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is kept open between steps."""

    def run(self, step: Step) -> StepResult:
        """Run one SQL step in a read-only transaction and roll it back; its own failure is a result.

        Raises UsageError for a step of another kind or of a role that this connection cannot have, UnsafeError for a
        role that is a superuser, UnreachableError when the server cannot be reached.
        """
        if not isinstance(step, SqlStep):
            raise UsageError(f"the step '{step.id}' is not an SQL step, but names the store '{step.store}'")
        with closing(self._connect(step)) as conn:
            role = step.role or self._endpoint.user or ""
            if found := roles.superusers_of(conn, role):
                what = "is a superuser" if found == role else f"may become the superuser '{found}'"
                raise UnsafeError(
                    f"the step '{step.id}' is to run as '{role}', which {what} in the branch",
                    hint="name the role that the application has in production: `role: app`",
                )
            return execute(conn, step)

    def _connect(self, step: SqlStep) -> psycopg.Connection[Any]:
        import psycopg

        from envclone.stores.postgres.server.server import reason

        endpoint = self._endpoint
        role = step.role or endpoint.user
        local = endpoint.socket is not None
        if not local and role != endpoint.user:
            raise UsageError(
                f"the step '{step.id}' ran as '{role}', and this connection is '{endpoint.user}': another role"
                " has other rights and settings",
                hint="leave the step's `role` out",
            )
        try:
            return pinned.connect(
                pins=pinned.step(superuser=False),
                host=str(endpoint.socket) if local else endpoint.host,
                port=(endpoint.socket_port if local else None) or endpoint.port,
                dbname=step.database or endpoint.database,
                user=role,
                password=endpoint.password.reveal() if endpoint.password and role == endpoint.user else None,
                autocommit=True,
                connect_timeout=10,
                application_name="envclone",
            )
        except psycopg.OperationalError as exc:
            raise UnreachableError(
                f"the step '{step.id}' cannot log in to '{endpoint.store}' as '{role}': {reason(exc)}",
                hint="envclone show says whether the branch runs; the step's `role` must exist in it",
            ) from exc
