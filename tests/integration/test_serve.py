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


def test_two_engineers_work_and_see_nothing_of_each_other(team: Team) -> None:
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
    story = team.client(ada).report("77")
    assert [one["step"] for one in story["retrievals"]] == ["who", "search"]
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
