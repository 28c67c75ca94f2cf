"""What lasts: streams and waits behind a revoked token, branches that are others by the time their lock is had."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from envclone import registry, wait
from envclone.api import Stack
from envclone.errors import EnvcloneError
from envclone.serve import intake
from envclone.serve import jobs as jobs_module
from envclone.serve.door import Door
from envclone.serve.jobs import Job, Jobs, tell
from envclone.serve.refusals import Unauthenticated
from envclone.serve.roles import Principal, Role
from tests.support.served import Served, served

ADA = Principal("token:ada", "ada", Role.ENGINEER)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A service whose jobs only wait."""
    monkeypatch.setattr(Jobs, "_start", lambda self: None)
    with served() as made:
        yield made


class _Reader:
    """Somebody who reads a stream and never goes away."""

    def __init__(self, here: Served, path: str, *headers: tuple[bytes, bytes]) -> None:
        self.text = ""
        self.status = 0
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path.partition("?")[0], "raw_path": path.encode(), "query_string": path.partition("?")[2].encode(),
            "root_path": "", "headers": [(b"host", b"testserver"), *headers], "client": ("192.0.2.1", 1),
            "server": ("testserver", 80),
        }  # fmt: skip
        self._app = here.app
        self.thread = threading.Thread(target=lambda: asyncio.run(self._read()))
        self.thread.start()

    async def _read(self) -> None:
        given, never = False, asyncio.Event()

        async def receive() -> Any:
            nonlocal given
            if given:
                await never.wait()
            given = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            self.status = message.get("status", self.status)
            self.text += message.get("body", b"").decode()

        await self._app(self._scope, receive, send)

    def ended(self) -> bool:
        self.thread.join(20)
        return not self.thread.is_alive()


def test_a_stream_ends_with_its_token_and_tells_nothing_behind_the_revocation(here: Served) -> None:
    job = here.service.jobs.submit(ADA, "gc", {"dry_run": True})
    place = here.service.jobs.place(job.id)
    for by_cookie in (False, True):
        made, text = here.service.tokens.create("ada", Role.ENGINEER, None)
        header = (b"authorization", f"Bearer {text}".encode())
        if by_cookie:
            value = here.client.post("/login", data={"token": text}).headers["set-cookie"].split(";")[0]
            here.client.cookies.clear()
            header = (b"cookie", value.encode())
        reader = _Reader(here, f"/api/v1/jobs/{job.id}/events", header)
        wait.until(lambda one=reader: "event: queued" in one.text or None, what="the stream began", timeout=20)
        tell(place, {"event": "progress", "said": "seen"})
        wait.until(lambda one=reader: "seen" in one.text or None, what="the stream goes on", timeout=20)
        here.service.tokens.revoke(made.id)
        tell(place, {"event": "progress", "said": "hidden"})
        assert reader.ended() and "hidden" not in reader.text
        (place / "events.jsonl").write_text('{"event": "queued"}\n')


def test_a_quiet_stream_ends_with_its_token_too(here: Served) -> None:
    job = here.service.jobs.submit(ADA, "gc", {"dry_run": True})
    made, text = here.service.tokens.create("ada", Role.ENGINEER, None)
    reader = _Reader(here, f"/api/v1/jobs/{job.id}/events", (b"authorization", f"Bearer {text}".encode()))
    wait.until(lambda: "event: queued" in reader.text or None, what="the stream began", timeout=20)
    here.service.tokens.revoke(made.id)
    assert reader.ended()


def test_who_waits_for_a_job_is_told_nothing_once_the_token_is_revoked(here: Served) -> None:
    job = here.service.jobs.submit(ADA, "gc", {"dry_run": True})
    made, text = here.service.tokens.create("ada", Role.ENGINEER, None)
    asked = threading.Event()
    over = here.service.over
    here.service.over = lambda ident: (asked.set(), over(ident))[1]  # type: ignore[method-assign]
    reader = _Reader(here, f"/api/v1/jobs/{job.id}?wait=30", (b"authorization", f"Bearer {text}".encode()))
    assert asked.wait(20)
    here.service.tokens.revoke(made.id)
    here.service.jobs.cancel(job.id)
    assert reader.ended() and reader.status == 401 and job.id not in reader.text


def test_a_stream_does_not_keep_a_session_alive(here: Served) -> None:
    now = [0.0]
    door = Door(here.service.tokens, clock=lambda: now[0])
    value, session = door.login(here.token("ada", Role.ENGINEER))
    request = Request({"type": "http", "headers": [(b"cookie", f"{door.cookie}={value}".encode())]})
    now[0] = 3000.0
    door.require_still(request, session.who)
    now[0] = 3700.0
    with pytest.raises(Unauthenticated):
        door.require_still(request, session.who)


def test_a_session_ends_at_a_restart_and_leads_to_the_login(here: Served) -> None:
    from starlette.testclient import TestClient

    from envclone.serve.app import create

    value = here.client.post("/login", data={"token": here.token("ada", Role.ENGINEER)}).headers["set-cookie"]
    mine = {"cookie": value.split(";")[0], "accept": "text/html"}
    here.client.cookies.clear()
    assert here.client.get("/", headers=mine).status_code == 200
    client = TestClient(create(here.service), raise_server_exceptions=False, follow_redirects=False)
    page = client.get("/", headers=mine)
    assert page.status_code == 303 and page.headers["location"] == "/login"
    sent = client.post("/branches", headers=mine, data={"environment": "prod", "csrf": "x"})
    assert sent.status_code == 401 and "Sign in" in sent.text
    assert client.get("/api/v1/whoami", headers=mine).status_code == 401


def test_somebody_elses_branch_is_neither_asked_nor_waited_for(here: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    here.branch("adas", "ada")
    eve = here.token("eve", Role.ENGINEER)

    def touched(*_: Any, **__: Any) -> Any:
        raise AssertionError("the branch was looked at")

    for name in ("show", "remove", "stop", "start", "reset", "touch", "parity", "insight", "last_replay"):
        monkeypatch.setattr(Stack, name, touched)
    monkeypatch.setattr(registry, "runtime", touched)
    with here.service.state.pool.owning("branches", "adas"):
        for method, path in (
            ("GET", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/stop"), ("POST", "/reset"), ("POST", "/extend"),
            ("POST", "/login"), ("GET", "/parity"), ("GET", "/replay"), ("GET", "/logs/main"),
        ):  # fmt: skip
            answer = here.call(eve, method, f"/branches/adas{path}")
            assert answer.status_code == 404, (path, answer.text)


@pytest.mark.parametrize("verb", ["remove", "stop", "start", "reset", "extend"])
def test_a_branch_that_was_made_again_while_its_lock_was_waited_for_is_left_alone(
    here: Served, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    here.branch("adas", "ada")
    name = {"extend": "touch"}.get(verb, verb)
    original = getattr(Stack, name)

    def late(self: Stack, one: str, **more: Any) -> Any:
        place = here.service.state.pool.path_of("branches", "adas")
        (place / "branch.json").unlink()
        place.rmdir()
        here.branch("adas", "bob")
        return original(self, one, **more)

    monkeypatch.setattr(Stack, name, late)
    ada = here.token("ada", Role.ENGINEER)
    method, path = ("DELETE", "/branches/adas") if verb == "remove" else ("POST", f"/branches/adas/{verb}")
    answer = here.call(ada, method, path)
    assert answer.status_code == 400 and "made again" in answer.text, answer.text
    entry = here.service.ledger.of(here.service.stack.show("adas"))
    assert entry is not None and entry.owner_name == "bob"
    assert not (here.service.state.pool.path_of("branches", "adas") / "used").exists()


def test_a_name_that_is_reserved_again_meanwhile_stays_reserved(here: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    here.branch("adas", "ada")

    def gone(self: Stack, name: str, **_: Any) -> bool:
        place = here.service.state.pool.path_of("branches", "adas")
        (place / "branch.json").unlink()
        place.rmdir()
        here.service.ledger.reserve("adas", Principal("token:bob", "bob", Role.ENGINEER), "another")
        return True

    monkeypatch.setattr(Stack, "remove", gone)
    assert here.call(here.token("ada", Role.ENGINEER), "DELETE", "/branches/adas").status_code == 200
    kept = here.service.ledger.reserved("adas")
    assert kept is not None and kept.owner_name == "bob"


def test_an_end_that_nobody_was_told_of_is_told_by_the_next_service(here: Served) -> None:
    """The service was killed between the end of a job and what waits for it: a webhook, a reserved name."""
    jobs = here.service.jobs
    job = jobs.submit(ADA, "gc", {"dry_run": True})

    def killed(job: Job) -> None:
        raise EnvcloneError("killed")

    told: list[str] = []
    first = Jobs(here.service.state, lambda job, place: [], after=killed)
    first._queue.append(job.id)
    with pytest.raises(EnvcloneError):
        first.cancel(job.id)
    assert first.get(job.id).state == "cancelled" and not first.get(job.id).settled
    second = Jobs(here.service.state, _never, after=lambda one: told.append(one.id))
    assert second.recover(lambda one: None) == [] and told == [job.id] and second.get(job.id).settled
    third = Jobs(here.service.state, _never, after=lambda one: told.append(one.id))
    assert third.recover(lambda one: None) == [] and told == [job.id]


def _never(job: Job, place: Path) -> list[str]:
    raise AssertionError("no job is to run")


def test_nobody_fills_the_line_for_the_others(here: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "_WAITING_EACH", 2)
    monkeypatch.setattr(intake, "_EACH", 1)
    ada, bob = here.token("ada", Role.ENGINEER), here.token("bob", Role.ENGINEER)

    def sent(token: str, name: str) -> int:
        content = (
            f'version: 1\nincident: "{name}"\nenvironment: prod\nsteps: [{{id: a, kind: sql, store: main, sql: x}}]'
        )
        given = {"incident": name, "environment": "prod", "content": content, "bundle": True}
        return int(here.call(token, "POST", "/incidents", json=given).status_code)

    assert [sent(ada, "1"), sent(ada, "2"), sent(bob, "3")] == [201, 409, 201]
    made = [here.call(ada, "POST", "/branches", json={"environment": "prod"}).status_code for _ in range(3)]
    assert made == [202, 202, 429] and len(list(here.service.state.folder("branches").iterdir())) == 2
    assert here.call(bob, "POST", "/branches", json={"environment": "prod"}).status_code == 202
