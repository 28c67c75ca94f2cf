"""Who is nobody cannot call as often as they like: without a token, with wrong ones, with sign-ins that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient

from envclone.serve.app import create
from envclone.serve.options import Options
from envclone.serve.roles import Role
from envclone.serve.signin import BACK
from tests.support.served import Served, served

MOST = 5


@dataclass
class _From:
    """A client at an address."""

    here: Served

    def __call__(self, address: str, method: str, path: str, **more: Any) -> Any:
        client = TestClient(
            self.here.app, raise_server_exceptions=False, follow_redirects=False, client=(address, 40000)
        )
        return client.request(method, path, **more)


class _SignIn:
    def begin(self) -> tuple[str, str]:
        return "https://sso.acme.example/authorize", "binding"

    def end(self, binding: str, given: Any) -> Any:
        from envclone.serve.refusals import Unauthenticated

        raise Unauthenticated("no answer of ours", hint="sign in again")


WAYS: dict[str, Callable[[Any, str], Any]] = {
    "no token": lambda call, at: call(at, "GET", "/api/v1/branches"),
    "a wrong token": lambda call, at: call(at, "GET", "/api/v1/jobs", headers={"authorization": "Bearer x"}),
    "a forged token": lambda call, at: call(
        at, "POST", "/api/v1/gc", json={}, headers={"authorization": f"Bearer envc_{'0' * 12}_{'A' * 43}"}
    ),
    "a wrong login": lambda call, at: call(at, "POST", "/login", data={"token": "x"}),
    "a made up session": lambda call, at: call(at, "GET", "/jobs", headers={"cookie": "envclone=x"}),
    "the login page": lambda call, at: call(at, "GET", "/login"),
    "nowhere": lambda call, at: call(at, "GET", "/api/v1/nope"),
    "the description": lambda call, at: call(at, "GET", "/api/v1/openapi.json"),
    "metrics": lambda call, at: call(at, "GET", "/metrics"),
    "away to the provider": lambda call, at: call(at, "GET", "/login/oidc"),
    "back from the provider": lambda call, at: call(at, "GET", f"{BACK}?state=x&code=y"),
    "another method": lambda call, at: call(at, "PROPFIND", "/api/v1/branches"),
}


@pytest.fixture
def here() -> Any:
    with served(Options(strangers_per_minute=MOST, branches=10**6)) as made:
        app = create(made.service, signin=_SignIn())  # type: ignore[arg-type]
        yield Served(made.service, app, made.client)


@pytest.mark.parametrize("way", WAYS)
def test_a_stranger_is_refused_after_so_many_calls(here: Served, way: str) -> None:
    call = _From(here)
    answers = [WAYS[way](call, "192.0.2.1") for _ in range(MOST + 3)]
    assert all(one.status_code != 429 for one in answers[:MOST]), [one.status_code for one in answers]
    for one in answers[MOST:]:
        assert one.status_code == 429 and 1 <= int(one.headers["retry-after"]) <= 60, one.text
        assert "no-store" in one.headers["cache-control"] and "set-cookie" not in one.headers
        assert one.json()["error"]["hint"]
    assert WAYS[way](call, "192.0.2.2").status_code != 429, "another address is another's"


def test_the_log_is_not_for_strangers_to_fill(here: Served) -> None:
    call = _From(here)
    for _ in range(40):
        WAYS["a wrong token"](call, "192.0.2.1")
    lines = [one["details"] for one in here.service.stack.events() if one["action"] == "serve"]
    assert len(lines) <= MOST + 1
    assert lines[-1]["verb"] == "stranger" and lines[-1]["object"] == "192.0.2.1"
    assert 'verb="stranger",outcome="TooMany"' in "\n".join(here.service.counts.lines())


def test_who_is_known_is_let_in_from_the_same_address(here: Served) -> None:
    call = _From(here)
    header = {"authorization": f"Bearer {here.token('ada', Role.ENGINEER)}"}
    for _ in range(MOST * 3):  # and is no stranger by calling often
        assert call("192.0.2.1", "GET", "/api/v1/whoami", headers=header).status_code == 200
    logged = call("192.0.2.1", "POST", "/login", data={"token": header["authorization"][7:]})
    cookie = {"cookie": logged.headers["set-cookie"].split(";")[0]}
    for _ in range(MOST * 3):
        WAYS["no token"](call, "192.0.2.1")
    assert WAYS["no token"](call, "192.0.2.1").status_code == 429
    assert call("192.0.2.1", "GET", "/api/v1/whoami", headers=header).status_code == 200
    assert call("192.0.2.1", "GET", "/jobs", headers=cookie).status_code == 200
    page = call("192.0.2.1", "GET", "/login", headers={"accept": "text/html"})
    assert page.status_code == 429 and "<h1" in page.text and "retry-after" in page.headers


def test_health_is_asked_as_often_as_one_likes(here: Served) -> None:
    call = _From(here)
    assert {call("192.0.2.1", "GET", "/healthz").status_code for _ in range(MOST * 4)} == {200}
    assert WAYS["no token"](call, "192.0.2.1").status_code == 401, "and it takes nothing"


def test_prometheus_on_this_machine_is_no_stranger(here: Served) -> None:
    call = _From(here)
    for host in ("127.0.0.1:8087", "[::1]:8087", "localhost"):
        headers = {"host": host}
        assert {call("127.0.0.1", "GET", "/metrics", headers=headers).status_code for _ in range(MOST * 3)} == {200}


@pytest.mark.parametrize("host", ["evil.example:8087", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.7"])
def test_a_page_whose_name_leads_to_this_machine_reads_no_counters(here: Served, host: str) -> None:
    assert _From(here)("127.0.0.1", "GET", "/metrics", headers={"host": host}).status_code == 401


def test_a_header_does_not_choose_the_address(here: Served) -> None:
    """Without a proxy nobody believes it; behind one the last is the proxy's own word."""
    call = _From(here)
    for one in range(MOST + 1):
        answer = call("192.0.2.1", "GET", "/api/v1/jobs", headers={"x-forwarded-for": f"198.51.100.{one}"})
    assert answer.status_code == 429
    with served(Options(strangers_per_minute=MOST, behind_proxy=True)) as behind:
        call = _From(behind)
        for one in range(MOST + 1):
            said = {"x-forwarded-for": f"198.51.100.{one}, 203.0.113.5"}
            answer = call("10.0.0.1", "GET", "/api/v1/jobs", headers=said)
        assert answer.status_code == 429
        other = call("10.0.0.1", "GET", "/api/v1/jobs", headers={"x-forwarded-for": "203.0.113.6"})
        assert other.status_code == 401
