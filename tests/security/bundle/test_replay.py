"""A replay runs a stranger's statements in a branch: as no superuser, and as nobody who may become one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envclone.errors import UnreachableError, UnsafeError
from envclone.incidents.bundle import SqlStep
from envclone.models import Endpoint, Secret
from envclone.stores.postgres.steps.runner import PostgresRunner
from tests.support.postgres import Production, production

SCHEMA = """
CREATE TABLE people (id int); INSERT INTO people VALUES (1);
CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE owner NOLOGIN; GRANT owner TO app; GRANT ALL ON people TO app, owner;
CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE heir LOGIN; GRANT boss TO heir; CREATE ROLE grandchild LOGIN;
GRANT heir TO grandchild; CREATE ROLE reluctant LOGIN NOINHERIT; GRANT boss TO reluctant;
"""


@pytest.fixture(scope="module", params=[16, 18], ids=["pg16", "pg18"])
def branch(request: pytest.FixtureRequest) -> Iterator[Production]:
    with production(request.param) as server:
        server.execute(SCHEMA)
        yield server


def runner(branch: Production, user: str = "app", *, socket: bool = True) -> PostgresRunner:
    return PostgresRunner(
        Endpoint(
            store="main", kind="postgres", host="127.0.0.1", port=branch.port, database="postgres", user=user,
            password=Secret("app"), socket=branch.socket_dir if socket else None,
        )
    )  # fmt: skip


def step(sql: str, **more: object) -> SqlStep:
    return SqlStep.model_validate({"id": "s", "store": "main", "sql": sql, **more})


@pytest.mark.parametrize("role", ["postgres", "boss", "heir", "grandchild", "reluctant"])
def test_no_step_runs_as_a_superuser_or_an_heir_of_one(branch: Production, role: str) -> None:
    with pytest.raises(UnsafeError, match="superuser") as caught:
        runner(branch).run(step("CREATE TABLE made ()", role=role))
    assert caught.value.exit_code == 4
    with pytest.raises(UnsafeError, match="superuser"):  # the branch's own login neither
        runner(branch, role).run(step("SELECT 1"))


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY people TO '/tmp/envclone-pwned'",
        "SET SESSION AUTHORIZATION postgres",
        "SET ROLE boss",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT set_config('session_authorization', 'postgres', false)",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER SYSTEM SET work_mem = '5MB'",
        "DO $$ BEGIN SET ROLE postgres; END $$",
        "COMMIT; SET ROLE postgres",
        "DELETE FROM people",
    ],
)
def test_an_ordinary_role_stays_one(branch: Production, sql: str) -> None:
    result = runner(branch).run(step(sql))
    assert result.error, sql
    assert branch.execute("SELECT count(*) FROM people") == [(1,)]


@pytest.mark.parametrize("where", ["settings", "local"])
@pytest.mark.parametrize("setting", [{"role": "postgres"}, {"session_authorization": "boss"}])
def test_settings_make_nobody_a_superuser(branch: Production, where: str, setting: dict[str, str]) -> None:
    assert runner(branch).run(step("SELECT 1", **{where: setting})).error


def test_an_ordinary_role_may_be_taken_on(branch: Production) -> None:
    shown = runner(branch).run(step("SELECT current_user, session_user", settings={"role": "owner"}))
    assert shown.rows == (("owner", "app"),)
    assert runner(branch, socket=False).run(step("SELECT current_user")).rows == (("app",),)
    with pytest.raises(UnreachableError):
        runner(branch).run(step("SELECT 1", role="owner"))  # it cannot log in, in production neither
