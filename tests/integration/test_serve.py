"""The service on a real production: two engineers by the usual commands, what they never read, a restart."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone import process, wait
from envclone.remote import Remote, connect
from envclone.serve.api import OPERATIONS, PREFIX
from tests.support.agent import Agents, agents
from tests.support.stack import ROOT


@dataclass
class Team:
    """The production, the service's process, its URL, and all that it ever answered."""

    agents: Agents
    url: str = ""
    process: subprocess.Popen[str] | None = None
    said: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def start(self, *options: str) -> None:
        """Start the service and wait until it answers."""
        words = [
            sys.executable,
            "-m",
            "envclone",
            "--file",
            str(self.agents.here.file),
            "serve",
            "--port",
            "0",
            *options,
        ]
        env = {**os.environ, "PYTHONPATH": str(ROOT), **self.agents.here.env}
        self.process = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told.append(line.strip())
            if found := re.search(r"serving \S+ at (\S+)", line):
                self.url = found[1]
                break
        assert self.url, self.told

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """End the service; what it still said is kept."""
        assert self.process is not None and self.process.stderr is not None
        self.process.send_signal(signum)
        self.told += self.process.stderr.read().splitlines()
        self.process.stderr.close()
        self.process.wait(60)

    def token(self, name: str, role: str) -> str:
        """A token."""
        return str(self.agents.here.json("serve", "token", "create", name, "--role", role)["token"])

    def client(self, token: str) -> Remote:
        """The library's client, whose answers are written down."""
        team = self

        class Heard(Remote):
            def request(self, method: str, path: str, body: Any = None) -> Any:
                found = super().request(method, path, body)
                if not path.endswith("/login"):
                    team.said.append(json.dumps(found, ensure_ascii=False))
                return found

        made = connect(self.url, token, tell=lambda event: self.said.append(json.dumps(event, ensure_ascii=False)))
        return Heard(made.url, made.token, made.tell)

    def command(self, token: str, *words: str) -> process.Completed:
        """A command of an engineer's, on a machine without stack file and pool."""
        done = process.run(
            [sys.executable, "-m", "envclone", *words],
            env={"PYTHONPATH": str(ROOT), "ENVCLONE_SERVER": self.url, "ENVCLONE_TOKEN": token},
            check=False,
        )
        if "branch" not in words:
            self.said += [done.stdout, done.stderr]
        return done

    def asked(self, token: str, method: str, path: str, body: Any = None) -> int:
        """A call whose answer is written down, whatever it is."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                self.said.append(answer.read().decode())
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            with exc:
                self.said.append(exc.read().decode())
                return exc.code


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with agents() as made:
        here = Team(made)
        here.start()
        try:
            yield here
        finally:
            with contextlib.suppress(ProcessLookupError):
                here.stop()


def test_two_engineers_work_and_see_nothing_of_each_other(team: Team, tmp_path: Path) -> None:
    ada, bob, vic, op = (
        team.token(name, role)
        for name, role in (("ada", "engineer"), ("bob", "engineer"), ("vic", "viewer"), ("op", "operator"))
    )
    done = team.command(ada, "branch", "prod", "--incident", "77", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    name, dsn = made["name"], made["urls"]["main"]
    assert '"event": "progress"' in done.stderr
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (300,)
    team.agents.remember()

    # the login was handed out with the branch, and is not handed out again
    assert team.asked(ada, "POST", f"{PREFIX}/branches/{name}/login") == 410
    shown = json.loads(team.command(ada, "show", name, "--json").stdout)
    local = team.agents.here.json("show", name)
    assert {"name", "environment", "image", "state", "incident", "runtime", "urls", "warnings", "endpoints"} <= set(
        shown
    ) & set(local)
    assert shown["urls"]["main"] == re.sub(r":[^:@/]+@", "@", dsn) and shown["login"] == "handed out"

    # bob has none of it, by any way
    assert json.loads(team.command(bob, "ls", "--json").stdout) == []
    assert team.command(bob, "show", name).returncode == 2
    assert team.command(bob, "rm", name, "--json").stdout and team.agents.here.json("show", name)["name"] == name
    assert team.command(bob, "replay", "77", "--branch", name).returncode == 2
    assert [one["name"] for one in json.loads(team.command(vic, "ls", "--json").stdout)] == [name]

    replayed = team.command(ada, "replay", "77", "--json")
    report = json.loads(replayed.stdout)
    assert replayed.returncode == (0 if report["reproduced"] else 5) and [s["step"] for s in report["steps"]] == [
        "who",
        "search",
    ]
    assert report["steps"][1]["reproduced"]
    found = team.command(ada, "diagnose", "77", "--expect", "1", "--sweep", "--json")
    assert found.returncode in (0, 5) and json.loads(found.stdout)["sweeps"], found.stderr
    page = tmp_path / "77.html"
    told = team.command(ada, "report", "77", "-o", str(page), "--json")
    assert told.returncode == 0 and json.loads(told.stdout)["branch"] == name, told.stderr
    team.said.append(page.read_text())  # made here, of what the service gave
    assert page.stat().st_mode & 0o777 == 0o600 and "hnsw.ef_search" in team.said[-1]
    alike = json.loads(team.command(ada, "parity", name, "--json").stdout)
    assert alike["rows"] == team.agents.here.json("parity", name)["rows"]
    assert team.command(ada, "logs", name, "main").stdout
    lives = json.loads(team.command(ada, "ttl", name, "2h", "--json").stdout)["expires_at"]
    assert lives[:16] == team.agents.here.json("show", name)["expires_at"][:16]
    assert team.command(bob, "ttl", name, "1h").returncode == 2
    assert team.command(ada, "stop", name).returncode == 0
    assert team.command(ada, "start", name).returncode == 0
    assert team.command(ada, "reset", name).returncode == 0
    assert json.loads(team.command(ada, "images", "--json").stdout)[0]["environment"] == "prod"
    assert "77" in team.command(ada, "incident", "ls").stdout
    assert team.command(ada, "incident", "show", "77").returncode == 0

    # an operator's, on every route; and an engineer's: originals, logins, keys and places stand in no answer
    job = team.client(ada).get("/jobs")[0]["id"]
    places = {"name": name, "part": "main", "image": made["image"], "incident": "77", "job": job}
    for token in (ada, vic, op):
        for one in OPERATIONS:
            if one.method == "GET":
                assert team.asked(token, "GET", PREFIX + one.path.format(**places)) in (200, 403), one.name
    for page in (
        "/",
        f"/branches/{name}",
        "/images",
        f"/images/{made['image']}",
        "/incidents",
        "/incidents/77",
        "/jobs",
    ):
        team.asked(ada, "GET", page)
    team.agents.said[:] = team.said
    assert len(team.said) > 80
    assert [found for found in team.agents.leaks() if found[0] != "postgresql://"] == []  # addresses have no password
    assert json.loads(team.command(ada, "rm", name, "--json").stdout) == {"removed": {name: True}}
    lines = [one["details"] for one in team.agents.here.open().events() if one["action"] == "serve"]
    assert {("ada", "branch.create"), ("ada", "job.replay"), ("bob", "branch.show")} <= {
        (one["who"], one["verb"]) for one in lines
    }
    assert "SELECT" not in json.dumps(lines) and "corp.example" not in json.dumps(lines)


def test_an_engineer_who_attacks_reads_no_original(team: Team) -> None:
    """By statements, bundles, parameters and what they plant in their own branch; and what they plant runs nowhere."""
    ada, vic, op = (team.token(n, r) for n, r in (("ada", "engineer"), ("vic", "viewer"), ("op", "operator")))
    api, before = f"{PREFIX}", len(team.said)
    made = json.loads(team.command(ada, "branch", "prod", "--incident", "77", "--name", "mine", "--json").stdout)
    team.agents.remember()

    # in a branch of their own: as their login they read no file, run no program and become nobody
    image = "<img src=x onerror=alert(1)>"
    with psycopg.connect(made["urls"]["main"], autocommit=True) as mine:
        refused = [_refused(mine, one) for one in STATEMENTS]
        assert all(refused), list(zip(STATEMENTS, refused, strict=True))
        known = mine.execute("SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL").fetchall()
        assert known == mine.execute("SELECT CURRENT_USER::text").fetchall()  # none of production's passwords
        mine.execute("UPDATE people SET name = %s", [image])
        mine.execute("SELECT set_config('application_name', %s, false)", [image])
        assert _refused(mine, f"SELECT no_such_function('{image}\x1b[31m')")

    # bundles: statements that act or reach out, a role of the operator's, answers and pseudonyms of their own choice
    raw = "zoe.quux3@corp.example"
    steps = {
        "file": "SELECT pg_read_file('/etc/passwd')",
        "program": "COPY people TO PROGRAM 'id'",
        "acts": "SELECT exec_sql('UPDATE people SET note = name')",
        "reads": "SELECT name, email FROM people ORDER BY id",
    }
    for name, sql in steps.items():
        step = {"id": name, "kind": "sql", "store": "main", "sql": sql, "role": "postgres"}
        sent = {"version": 1, "incident": f"x-{name}", "environment": "prod", "note": image, "steps": [step]}
        body = {"incident": f"x-{name}", "environment": "prod", "content": json.dumps(sent), "bundle": True}
        assert team.asked(ada, "POST", f"{api}/incidents", body) == 201
        assert team.asked(ada, "POST", f"{api}/incidents/x-{name}/replay", {"branch": "mine"}) == 404
        assert team.asked(op, "POST", f"{api}/held/x-{name}/release", {}) == 200
        assert team.asked(ada, "GET", f"{api}/incidents/x-{name}") >= 400  # not recorded: nobody vouches for it
    chosen = {
        "version": 1, "incident": "oracle", "environment": "prod",
        "steps": [{"id": "s", "kind": "sql", "store": "main", "sql": "SELECT 1 AS id", "parameters": {"e": raw},
                   "domains": {"e": "email"}, "expect": {"columns": ["email"], "origins": ["public.people.email"],
                                                          "rows": [[raw]]}}],
    }  # fmt: skip
    body = {"incident": "oracle", "environment": "prod", "content": json.dumps(chosen), "bundle": True}
    assert team.asked(ada, "POST", f"{api}/incidents", body) == 201
    assert team.asked(op, "POST", f"{api}/held/oracle/release", {}) == 409  # an operator has to say it
    forged = {**chosen, "incident": "forged", "masked": "0" * 16, "signature": "00" * 64}
    body |= {"incident": "forged", "content": json.dumps(forged)}
    assert team.asked(ada, "POST", f"{api}/incidents", body) == 201
    assert team.asked(op, "POST", f"{api}/held/forged/release", {}) == 200
    assert team.asked(ada, "GET", f"{api}/incidents/forged") == 409
    client = team.client(ada)
    jobs = [client.post(f"/incidents/{one}/replay", {"branch": "mine"})["id"] for one in ("x-reads", "forged")]

    # parameters: files, addresses and other environments by name
    aliases = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'}, x]\n" for n in range(40))
    for given in ("http://169.254.169.254/latest/meta-data", "../../keys/masking.key", "/etc/passwd", aliases, "{}"):
        body = {"incident": "y", "environment": "prod", "content": given, "bundle": True}
        assert team.asked(ada, "POST", f"{api}/incidents", body) == 400
        assert team.asked(ada, "POST", f"{api}/incidents", {**body, "bundle": False}) == 400
    for wanted in ({"profile": "envclone.yaml"}, {"runtime": "nowhere"}):
        jobs.append(client.post("/branches", {"environment": "prod", **wanted})["id"])
    for query in ("?environment=nowhere", "?environment=../prod", "?environment=prod&x=1"):
        assert team.asked(ada, "GET", f"{api}/incidents/77{query}") == 400
    for more in ({"ttl": "-1h"}, {"fresh": True}, {"port": 1}, {"set": {"model": "http://evil"}}, {"name": "../x"}):
        assert team.asked(ada, "POST", f"{api}/branches", {"environment": "prod", **more}) in (400, 403)

    # what they planted is text wherever somebody else looks at it
    client.report("77", "mine")
    assert [client.get(f"/jobs/{one}", {"wait": 30})["state"] for one in jobs] == ["failed"] * 4
    team.asked(ada, "GET", f"{api}/branches/mine/logs/main")
    for token in (ada, vic, op):
        for page in ("/", "/incidents/77", "/incidents/x-file", "/branches/mine", "/jobs", "/incidents", "/audit"):
            team.asked(token, "GET", page)
            assert "<img" not in team.said[-1] and "\x1b" not in team.said[-1], page
    team.agents.said[:] = [one for one in team.said[before:] if raw not in one or "quux" in one.replace(raw, "")]
    assert [found for found in team.agents.leaks() if found[0] != "postgresql://"] == []
    assert "root:" not in "".join(team.said[before:])
    assert team.command(ada, "rm", "mine").returncode == 0


STATEMENTS = (
    "SELECT pg_read_file('/etc/passwd')", "COPY (SELECT 1) TO PROGRAM 'id'", "SET ROLE postgres",
    "ALTER ROLE CURRENT_USER SUPERUSER", "SELECT lo_import('/etc/passwd')", "UPDATE pg_authid SET rolsuper = true",
    "CREATE EXTENSION dblink", "COPY people FROM '/proc/self/environ'",
)  # fmt: skip
"""What the login of a branch may not do."""


def _refused(connection: psycopg.Connection[Any], statement: str) -> str:
    try:
        connection.execute(statement.encode())
    except psycopg.Error as exc:
        return type(exc).__name__
    return ""


def test_a_service_that_is_killed_takes_its_jobs_along_and_says_what_became_of_them(team: Team) -> None:
    ada = team.token("ada", "engineer")
    client = team.client(ada)
    with _held(team):
        first = client.post("/branches", {"environment": "prod", "name": "never"})["id"]
        _until(client, first, "running")
        others = [client.post("/branches", {"environment": "prod", "name": f"later-{i}"})["id"] for i in range(2)]
        assert client.get(f"/jobs/{others[1]}")["state"] == "queued"
        pids = [one for one in _workers(team) if one]
        assert pids
        team.stop(signal.SIGKILL)
    gone = lambda: True if not any(process.alive(one) for one in pids) else None  # noqa: E731
    wait.until(gone, what="the jobs' programs ended", timeout=60)
    team.told.clear()
    team.start("--jobs", "1")
    assert any(first in line and "failed" in line for line in team.told), team.told
    assert any(others[1] in line and "goes on" in line for line in team.told), team.told
    client = team.client(ada)
    ended = client.get(f"/jobs/{first}")
    assert ended["state"] == "failed" and "ended while it ran" in ended["error"]["message"]
    done = client.finished({"id": others[1]})
    assert done["branch"]["name"] == "later-1"
    names = [one["name"] for one in client.branches()]
    assert "never" not in names and "later-1" in names
    for name in names:
        assert client.remove(name)
    assert team.agents.here.json("ls") == []


@contextlib.contextmanager
def _held(team: Team) -> Iterator[None]:
    """Meanwhile no branch gets on: somebody counts the branches."""
    pool = team.agents.here.open().project.pool
    with pool.lock("room.agents", what="a test"):
        yield


def _until(client: Remote, job: str, state: str) -> None:
    wait.until(lambda: client.get(f"/jobs/{job}")["state"] == state or None, what=f"the job is {state}", timeout=60)


def _workers(team: Team) -> list[int]:
    """The programs of the jobs that run."""
    place = team.agents.here.pool / "serve" / "agents" / "jobs"
    return [json.loads(one.read_text())["pid"] for one in place.glob("*/job.json")]
