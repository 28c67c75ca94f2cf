"""An agent with the official client: what it can do, what it is refused, what it never reads, and what it leaves."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from envclone import wait
from envclone.mcp.calls import TOOLS
from tests.support.agent import Agent, Agents, agents, connected, talk

Q = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]


@pytest.fixture(scope="module")
def prod() -> Iterator[Agents]:
    with agents() as made:
        yield made
        assert made.branches() == []
        assert made.passwords
        assert made.leaks() == [], "in what any tool of this file's sessions ever said"


def test_an_agent_reproduces_an_incident_and_looks_around(prod: Agents) -> None:
    async def work(agent: Agent) -> None:
        assert [one.name for one in (await agent.client.list_tools()).tools] == list(TOOLS)
        status = await agent.get("status")
        assert status["incidents"] == ["77"] and status["branches"] == [] and not status["may_write"]
        made = await agent.get("branch", environment="prod", incident="77")
        (name,) = prod.branches()
        assert made["branch"]["name"] == name and made["branch"]["stores"] == {"main": "postgres", "kb": "qdrant"}
        assert agent.progress == ["masking the incident", "starting the branch"]
        shown = await agent.get("incident_show", incident="77")
        assert [step["results"] for step in shown["steps"]] == [1, 10]
        replayed = await agent.get("replay")
        assert replayed["steps"][1]["reproduced"] and "untrusted" in replayed
        who = replayed["steps"][0]
        assert [(one["column"], "not comparable" in str(one["production"])) for one in who["differences"]] == [
            ("backwards", True)
        ]
        diagnosed = await agent.get("diagnose", expected=["1", "2000"], sweeps=True)
        assert diagnosed["expected"] == ["1", "2000"] and diagnosed["sweeps"] and diagnosed["findings"]
        story = await agent.get("report")
        assert [one["step"] for one in story["retrievals"]] == ["who", "search"]
        assert story["retrievals"][1]["exact"]["hits"] and story["retrievals"][1]["same"]
        rows = await agent.get("sql", sql="SELECT id, name, email FROM people WHERE id = $1", parameters=[3])
        assert rows["rows"][0][0] == 3 and rows["columns"] == ["id", "name", "email"]
        near = await agent.get("vector_search", store="main", place="chunks", vector=Q, exact=True, limit=5)
        assert near["ids"] == [row[0] for row in (await _nearest(agent))["rows"]]
        like = await agent.get("vector_search", store="main", place="public.chunks", like=7, limit=1, ef=100)
        assert like["ids"] == [7] and like["scores"] == [0.0]
        found = await agent.get(
            "vector_search", store="kb", place="articles", like=5, show=["lang"], limit=4,
            filter={"must": [{"key": "lang", "match": {"value": "de"}}]},
        )  # fmt: skip
        assert [row[0] for row in found["rows"]] == [{"lang": "de"}] * 4
        assert (await agent.get("remove"))["removed"] == name
        assert prod.branches() == []
        assert "no branch yet" in await agent.refused("sql", sql="SELECT 1")

    before = len(prod.here.open().events())
    talk(prod, work)
    calls = [one["details"] for one in prod.here.open().events()[before:] if one["action"] == "agent"]
    assert [one["tool"] for one in calls][:3] == ["status", "branch", "incident_show"]
    assert len(calls) == 13 and {one["outcome"] for one in calls} == {"done", "UsageError"}
    assert len({one["session"] for one in calls}) == 1 and "SELECT" not in json.dumps(calls)


async def _nearest(agent: Agent) -> dict[str, Any]:
    # A sum is no key of the index: whatever the planner thinks of the table, every row is compared.
    return await agent.get("sql", sql=f"SELECT id FROM chunks ORDER BY (embedding <-> '{Q}') + 0 LIMIT 5")


def test_a_hundred_calls_at_once(prod: Agents) -> None:
    async def work(agent: Agent) -> None:
        await agent.get("branch", environment="prod")
        asked = [agent.get("sql", sql="SELECT $1::int, count(*) FROM people", parameters=[i]) for i in range(60)]
        asked += [agent.get("vector_search", store="main", place="chunks", like=i, limit=1) for i in range(1, 21)]
        asked += [agent.get("vector_search", store="kb", place="articles", like=i, limit=1) for i in range(10)]
        asked += [agent.get("status") for _ in range(10)]
        found = await asyncio.gather(*asked)
        assert [one["rows"] for one in found[:60]] == [[[i, 300]] for i in range(60)]
        assert [one["ids"] for one in found[60:80]] == [[i] for i in range(1, 21)]

    talk(prod, work)


READS = (
    "DELETE FROM people", "UPDATE people SET name = ''", "INSERT INTO people VALUES (9999)", "TRUNCATE people",
    "WITH x AS (DELETE FROM people RETURNING id) SELECT * FROM x", "CREATE TABLE x (a int)", "DROP TABLE people",
    "SELECT 1 INTO x", "SELECT * FROM people FOR UPDATE", "VACUUM people", "EXPLAIN ANALYZE DELETE FROM people",
    "WITH x AS (UPDATE people SET name = '' RETURNING id) SELECT count(*) FROM x", "CREATE TABLE x AS SELECT 1 AS a",
    "WITH x AS (INSERT INTO people (id) VALUES (9999) RETURNING id) TABLE x", "REINDEX TABLE people", "ANALYZE people",
    "MERGE INTO people p USING (SELECT 1 AS id) s ON p.id = s.id WHEN MATCHED THEN DELETE",
    "CREATE INDEX ON people (id)", "EXPLAIN (ANALYZE, FORMAT JSON) UPDATE people SET name = ''",
    "CREATE TEMP TABLE x (a int)",
)  # fmt: skip
NEVER = (
    "COPY (SELECT 1) TO PROGRAM 'id'", "COPY people TO '/tmp/envclone-agent'", "COPY people FROM '/etc/passwd'",
    "COPY people TO STDOUT", "SELECT 1; SELECT 2", "COMMIT; DELETE FROM people", "SET ROLE app", "RESET ROLE",
    "SET SESSION AUTHORIZATION postgres", "SELECT set_config('role', 'envclone', false)",
    "SELECT set_config('statement_timeout', '0', false)", "SELECT lo_export(1, '/tmp/envclone-agent')",
    "SELECT lo_import('/etc/passwd')", "SELECT pg_read_file('/etc/passwd')", "SELECT pg_ls_dir('.')",
    "SELECT * FROM dblink('host=127.0.0.1', 'SELECT 1') AS t (a int)", "DO $$ BEGIN END $$", "CALL p()",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE EXTENSION dblink",
    "ALTER ROLE app SUPERUSER", "ALTER SYSTEM SET work_mem = '1GB'", "GRANT app TO PUBLIC", "LOAD 'x'",
    "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT pg_sleep(60)", "SELECT pg_advisory_lock(1)",
    "SELECT rolpassword FROM pg_authid", "SELECT * FROM pg_shadow", "TABLE pg_catalog.pg_user_mappings",
    "SELECT query_to_xml('SELECT 1', true, true, '')", "SHOW data_directory", "SHOW hba_file", "SHOW ALL",
    "SELECT current_setting('unix_socket_directories')", "SELECT reverse(current_setting('data_directory'))",
    "SELECT exec_sql('SELECT reverse(current_setting(''data_directory''))')", "SELECT ('SELECT 1'::text).exec_sql",
    "UPDATE people SET note = exec_sql('SELECT current_setting(''data_directory'')')",
    "SELECT pg_tablespace_location(1663)", "SELECT" + " (" * 3000, "\0", "",
    "SELECT pg_read_binary_file('/etc/passwd')", "SELECT * FROM pg_stat_file('/etc/passwd')", "SELECT pg_ls_tmpdir()",
    "SELECT lo_create(7)", "SELECT lo_from_bytea(0, 'x')", "SELECT nextval('s')", "SELECT setval('s', 1)",
    "SELECT pg_notify('a', 'b')", "SELECT pg_logical_emit_message(false, 'a', 'b')", "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('a')", "SELECT pg_export_snapshot()", "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()", "SELECT pg_cancel_backend(1)", "SELECT pg_stat_reset()", "SELECT pg_promote()",
    "SELECT table_to_xml('people', true, true, '')", "SELECT * FROM ts_stat('SELECT 1')", "SELECT dblink_connect('x')",
    'SELECT U&"pg_read\\005ffile"(\'/etc/passwd\')', "SELECT pg_catalog . pg_read_file ('/etc/passwd')",
    "PREPARE p AS DELETE FROM people", "EXECUTE p", "DECLARE c CURSOR FOR SELECT 1", "CREATE TEMP VIEW v AS SELECT 1",
    "SECURITY LABEL ON ROLE app IS 'x'", "COMMENT ON TABLE people IS 'x'", "ALTER TABLE people OWNER TO app",
    "CREATE TRIGGER t BEFORE INSERT ON people EXECUTE FUNCTION f()", "CREATE RULE r AS ON INSERT TO people DO NOTHING",
    "CREATE POLICY p ON people", "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw", "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO public",
    "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p", "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE TABLESPACE t LOCATION '/tmp'", "CREATE DATABASE d", "DROP DATABASE app", "REASSIGN OWNED BY app TO PUBLIC",
    "SET search_path = pg_temp", "CHECKPOINT", "EXPLAIN ANALYZE SELECT pg_read_file('/etc/passwd')",
    "SELECT '" + "x" * 60_000 + "'", "SELECT 1; SELECT 2; --", "LISTEN x", "BEGIN", "not SQL at all",
)  # fmt: skip


def test_hostile_statements_are_refused(prod: Agents) -> None:
    async def work(agent: Agent) -> None:
        await agent.get("branch", environment="prod")
        for statement in (*READS, *NEVER):
            assert len(await agent.refused("sql", sql=statement)) < 1000, statement
        hidden = await agent.get("sql", sql="SELECT name, setting FROM pg_settings WHERE setting ~ '/(run|tmp|var)/'")
        assert [row for row in hidden["rows"] if "/" in str(row)] == []
        count = await agent.get("sql", sql="SELECT count(*), current_user::text FROM people")
        assert count["rows"] == [[300, "pg_read_all_data"]]

    talk(prod, work)


def test_hostile_arguments_are_refused(prod: Agents) -> None:
    deep: dict[str, Any] = {"key": "lang", "match": {"value": "de"}}
    for _ in range(60):
        deep = {"must": [deep]}
    prod.here.call("branch", "prod", "--name", "somebodys")

    async def work(agent: Agent) -> None:
        await agent.get("branch", environment="prod")
        for name in (
            "../../etc",
            "somebodys",
            "agent-00000000-1",
            "\x1b[2J",
            "a b",
            "x" * 500,
            "",
            "prod-77",
            7,
            ["a"],
        ):
            for tool in ("sql", "replay", "report", "reset", "remove", "vector_search"):
                more = {"sql": "SELECT 1"} if tool == "sql" else {}
                more |= {"place": "articles", "like": 1} if tool == "vector_search" else {}
                said = await agent.refused(tool, branch=name, **more)
                assert "\x1b" not in said and "somebodys" not in said, said
        for name in ("../../../etc/passwd", "staging", "", "prod\n", {"a": 1}):
            await agent.refused("branch", environment=name)
            await agent.refused("incident_show", incident=name)
        assert "limit" in await agent.refused("branch", environment="prod")
        await agent.refused("vector_search", store="kb", place="articles", like=1, filter=deep)
        await agent.refused("vector_search", store="kb", place="../articles", like=1)
        await agent.refused("vector_search", store="main", place='chunks"; DROP TABLE people; --', like=1)
        await agent.refused("vector_search", store="main", place="chunks", key='id"; --', like=1)
        await agent.refused("vector_search", store="main", place="chunks", vector=[1.0])
        await agent.refused("vector_search", store="kb", place="articles", like=1, limit=10_000)
        await agent.refused("vector_search", store="kb", place="articles", vector=[float(1)] * 30_000)
        await agent.refused("sql", sql="SELECT 1", unknown=True)
        await agent.refused("sql", sql="SELECT * FROM people, chunks")
        await agent.refused("sql", sql="SELECT repeat('x', 3000000)")
        await agent.refused("shell", command="id")
        cut = await agent.get("sql", sql="SELECT repeat('x', 100000), E'\\x1b[2J\\u202e'")
        assert cut["rows"][0] == ["x" * 4000 + "… [cut: 100000 characters]", "\\x1b[2J\\u202e"]

    talk(prod, work)
    assert "somebodys" in [one.name for one in prod.here.open().branches()]
    prod.here.call("rm", "somebodys")


def test_with_writes_the_branch_changes_and_nothing_else(prod: Agents) -> None:
    async def work(agent: Agent) -> None:
        (tool,) = [one for one in (await agent.client.list_tools()).tools if one.name == "sql"]
        assert tool.annotations is not None and tool.annotations.destructive_hint
        await agent.get("branch", environment="prod", incident="77")
        assert (await agent.get("sql", sql="DELETE FROM people WHERE id > 10"))["status"] == "DELETE 290"
        returned = await agent.get("sql", sql="UPDATE people SET note = '' WHERE id < 3 RETURNING id")
        assert returned["rows"] == [[1], [2]] and returned["status"] == "UPDATE 2"
        for statement in (
            "VACUUM people",
            "CREATE INDEX CONCURRENTLY ON people (note)",
            "DROP INDEX chunks_embedding_idx",
        ):
            await agent.get("sql", sql=statement)
        await agent.refused("sql", sql="INSERT INTO people VALUES (1)")  # the key is there: an error, nothing changed
        settings = "SELECT reverse(setting) FROM pg_settings WHERE name = 'data_directory'"
        for statement in (*NEVER, f"CREATE TABLE x AS {settings}", f"{settings} FOR UPDATE"):
            await agent.refused("sql", sql=statement)
        assert (await agent.get("sql", sql="SELECT count(*) FROM people"))["rows"] == [[10]]
        changed = (await agent.get("replay"))["changed"]
        assert any("people" in line for line in changed)
        await agent.get("reset")
        assert (await agent.get("sql", sql="SELECT count(*) FROM people"))["rows"] == [[300]]

    talk(prod, work, "--allow-writes")
    assert prod.server.execute("SELECT count(*) FROM people", "app") == [(300,)]


def test_two_sessions_see_nothing_of_each_other(prod: Agents) -> None:
    async def run() -> None:
        async with connected(prod) as one, connected(prod, "--calls", "12") as other:
            mine = (await one.get("branch", environment="prod"))["branch"]["name"]
            theirs = (await other.get("branch", environment="prod"))["branch"]["name"]
            assert mine != theirs
            said = await one.refused("sql", branch=theirs, sql="SELECT 1")
            assert theirs not in said
            assert theirs not in await one.refused("remove", branch=theirs)
            assert [branch["name"] for branch in (await one.get("status"))["branches"]] == [mine]
            for _ in range(11):
                await other.get("status")
            assert "more than 12 calls in a minute" in await other.refused("status")

    asyncio.run(run())


def _by_hand(prod: Agents) -> subprocess.Popen[bytes]:
    """A server with a branch, and no client that ends it."""
    given = prod.parameters()
    process = subprocess.Popen(
        [given.command, *given.args], env={**(given.env or {}), "PATH": "/usr/bin:/bin"}, cwd=given.cwd,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "hand", "version": "1"}}
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "branch", "arguments": {"environment": "prod"}}},
    ):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()
    while json.loads(process.stdout.readline()).get("id") != 2:
        pass
    assert len(prod.branches()) == 1
    return process


def _ended(process: subprocess.Popen[bytes]) -> int:
    code = process.wait(30)
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    return code


@pytest.mark.parametrize("how", ["the pipe is closed", "SIGTERM", "SIGINT"])
def test_the_branch_goes_with_its_session(prod: Agents, how: str) -> None:
    process = _by_hand(prod)
    began = time.monotonic()
    if how.startswith("SIG"):
        process.send_signal(getattr(signal, how))
        process.send_signal(getattr(signal, how))  # a second one changes nothing
        assert _ended(process) == 128 + getattr(signal, how)
    else:
        assert process.stdin is not None
        process.stdin.close()
        assert _ended(process) == 0
    assert prod.branches() == [] and time.monotonic() - began < 10


def test_a_killed_server_s_branch_goes_with_the_next_one(prod: Agents) -> None:
    process = _by_hand(prod)
    (name,) = prod.branches()
    process.kill()
    assert _ended(process) == -signal.SIGKILL
    (left,) = prod.here.open().branches()
    assert left.name == name and left.ttl == 3600 and left.expires_at is not None
    (found,) = prod.here.json("gc", "--dry-run")
    assert (found["name"], "session" in found["reason"]) == (name, True)
    assert _by_hand_after(prod, name) == []


def _by_hand_after(prod: Agents, name: str) -> list[str]:
    async def work(agent: Agent) -> None:
        assert (await agent.get("status"))["branches"] == []
        await agent.refused("sql", branch=name, sql="SELECT 1")

    talk(prod, work)
    return prod.branches()


def test_a_call_that_hangs_ends_and_so_does_the_session(prod: Agents) -> None:
    async def work(agent: Agent) -> None:
        made = (await agent.get("branch", environment="prod"))["branch"]["name"]
        endpoint = prod.here.json("show", made)["urls"]["main"]
        with psycopg.connect(endpoint) as conn:
            conn.execute("LOCK TABLE people IN ACCESS EXCLUSIVE MODE")
            assert "timeout" in await agent.refused("sql", sql="SELECT count(*) FROM people")

    talk(prod, work, "--seconds", "1")
    wait.until(lambda: prod.branches() == [] or None, what="the branch stayed", timeout=10)
