"""Browsers that sign in through an identity provider: a small one made in the test, and what an attacker sends back."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import uvicorn

from envclone import wait
from envclone.errors import UsageError
from envclone.serve.app import create
from envclone.serve.oidc import Oidc, Provider
from envclone.serve.roles import Role
from envclone.serve.signin import BACK, Client, SignIn, redirect_of
from tests.support.browser import Browser, Screen, browser, program
from tests.support.provider import IdentityProvider, back_of, provider
from tests.support.served import Served, served


@dataclass
class Doors:
    """A service, the provider that it trusts, and the clock of sign-ins."""

    here: Served
    idp: IdentityProvider
    now: list[float]

    def leave(self) -> tuple[str, dict[str, str]]:
        """Begin: the cookie of the browser, and what the provider sends back to it."""
        self.here.client.cookies.clear()
        gone = self.here.client.get("/login/oidc")
        assert gone.status_code == 303, gone.text
        cookie = gone.headers["set-cookie"]
        assert "HttpOnly" in cookie and "samesite=lax" in cookie.lower() and "Max-Age=600" in cookie
        self.here.client.cookies.clear()
        return cookie.split(";")[0], back_of(_location(gone.headers["location"]))

    def back(self, cookie: str | None, given: Any) -> Any:
        """Come back with a cookie and parameters."""
        self.here.client.cookies.clear()
        found = self.here.client.get(f"{BACK}?{urlencode(given)}", headers={"cookie": cookie} if cookie else {})
        self.here.client.cookies.clear()
        return found


def _location(url: str) -> str:
    """Where the provider sends a browser on to."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return str(answer.headers["location"])


@pytest.fixture(scope="module")
def made() -> Iterator[Doors]:
    with provider() as idp, served() as here:
        now = [0.0]
        idp.redirect = redirect_of("http://127.0.0.1:8750")
        oidc = Oidc(Provider(idp.url, "envclone-api", {"dev": Role.ENGINEER}))
        signin = SignIn(oidc, Client(idp.client, idp.redirect, idp.secret), clock=lambda: now[0])
        app = create(here.service, verifier=oidc, signin=signin)
        from starlette.testclient import TestClient

        client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
        yield Doors(Served(here.service, app, client), idp, now)


@pytest.fixture
def doors(made: Doors) -> Iterator[Doors]:
    yield made
    made.idp.claims, made.idp.answer, made.idp.codes = {}, None, {}


def test_somebody_comes_in_and_is_who_the_provider_says(doors: Doors) -> None:
    cookie, given = doors.leave()
    page = doors.back(cookie, given)
    assert page.status_code == 200 and "You are signed in" in page.text
    assert 'http-equiv="refresh"' in page.text and given["code"] not in page.text
    cookies = page.headers.get_list("set-cookie")
    (session,) = [one.split(";")[0] for one in cookies if one.startswith("envclone=")]
    assert any("samesite=strict" in one.lower() and "HttpOnly" in one for one in cookies if one.startswith("envclone="))
    assert any(one.startswith("envclone-away=") and "Max-Age=0" in one for one in cookies)
    who = doors.here.client.get("/api/v1/whoami", headers={"cookie": session}).json()
    assert (who["name"], who["role"]) == ("ada", "engineer")
    line = doors.here.service.stack.events()[-1]["details"]
    assert [line[key] for key in ("who", "as", "role", "verb", "outcome")] == [
        "ada", "oidc", "engineer", "login", "done",
    ]  # fmt: skip


def test_what_comes_back_has_to_be_of_this_browser_once_and_soon(doors: Doors) -> None:
    mine, given = doors.leave()
    other, theirs = doors.leave()
    refused = [
        doors.back(None, given), doors.back("envclone-away=x", given), doors.back(other, given),
        doors.back(mine, {"code": given["code"]}),
    ]  # fmt: skip
    assert [one.status_code for one in refused] == [401] * 4
    assert doors.back(mine, given).status_code == 401  # what came with a wrong state has ended that sign-in
    again, given = doors.leave()
    assert doors.back(again, given).status_code == 200 and doors.back(again, given).status_code == 401
    late, given = doors.leave()
    doors.now[0] += 601
    assert doors.back(late, given).status_code == 401
    twice, given = doors.leave()
    assert doors.back(twice, [*given.items(), ("state", given["state"])]).status_code == 401
    for one in refused:
        assert "envclone=" not in one.headers.get("set-cookie", "") and "Sign in" in one.text
        assert theirs["code"] not in one.text


def test_a_code_of_another_sign_in_is_worth_nothing(doors: Doors) -> None:
    """Stolen on its way, and put behind the attacker's own state: the provider wants the verifier (PKCE)."""
    _, victim = doors.leave()
    cookie, attacker = doors.leave()
    page = doors.back(cookie, {**attacker, "code": victim["code"]})
    assert page.status_code == 401 and "<script>" not in page.text and "alert(1)" not in page.text


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "envclone-api"}, {"aud": ["envclone-web", "x"]},
        {"azp": "x"}, {"iss": "https://evil.example"}, {"exp": 1}, {"sub": None}, {"sub": ""}, {"groups": ["guests"]},
        {"groups": None}, {"iat": None},
    ],
    ids=str,
)  # fmt: skip
def test_an_id_token_that_is_not_of_this_sign_in_lets_nobody_in(doors: Doors, claims: dict[str, Any]) -> None:
    doors.idp.claims = claims
    cookie, given = doors.leave()
    page = doors.back(cookie, given)
    assert page.status_code == 401 and "envclone=" not in page.headers.get("set-cookie", "")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((200, {}), 502), ((200, []), 502), ((200, {"id_token": 1}), 502), ((200, {"id_token": "e30.e30."}), 401),
        ((400, {"error": "invalid_grant"}), 401), ((302, {}), 401), ((503, {}), 502),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_answer_of_a_provider_lets_nobody_in(doors: Doors, answer: tuple[int, Any], status: int) -> None:
    doors.idp.answer = answer
    cookie, given = doors.leave()
    page = doors.back(cookie, given)
    assert page.status_code == status and "envclone=" not in page.headers.get("set-cookie", "")


def test_an_answer_of_another_provider_or_a_refusal_is_no_way_in(doors: Doors) -> None:
    for more in ({"iss": "https://evil.example"}, {"error": "access_denied", "error_description": "<img src=x>"}):
        cookie, given = doors.leave()
        page = doors.back(cookie, {**given, **more})
        assert page.status_code == 401 and "<img" not in page.text
        assert given["code"] in doors.idp.codes  # it was not even tried


def test_an_id_token_is_no_token_for_the_api(doors: Doors) -> None:
    """It is made for the client that browsers sign in by, which the browser's other pages can hold, too."""
    assert doors.here.call(doors.idp.token("x"), "GET", "/whoami").status_code == 401


def test_a_browser_that_never_comes_back_takes_no_room_for_ever(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envclone.serve.signin._MOST", 3)
    first, given = doors.leave()
    for _ in range(3):
        doors.leave()
    assert doors.back(first, given).status_code == 401


@pytest.mark.parametrize("url", ["http://envclone.example", "https://x/path", "https://u:p@x", "x", "https://x?y=1"])
def test_browsers_are_sent_back_to_an_address_of_the_service_alone(url: str) -> None:
    with pytest.raises(UsageError):
        redirect_of(url)


def test_without_a_provider_there_is_no_such_way() -> None:
    with served() as here:
        assert (
            here.client.get("/login/oidc").status_code == 404 and "organisation" not in here.client.get("/login").text
        )


@pytest.mark.real
@pytest.mark.skipif(program() is None and not os.environ.get("CI"), reason="no Chromium here: sh .ci/chromium")
def test_a_real_browser_keeps_the_cookies_as_they_are_meant() -> None:
    """The provider is another site for it (localhost, not 127.0.0.1): `Strict` and `Lax` are its own to enforce."""
    with provider() as idp, served() as here, socket.create_server(("127.0.0.1", 0)) as door:
        address = f"http://127.0.0.1:{door.getsockname()[1]}"
        idp.redirect, idp.asks = redirect_of(address), True
        oidc = Oidc(Provider(idp.url, "envclone-api", {"dev": Role.ENGINEER}))
        app = create(here.service, signin=SignIn(oidc, Client(idp.client, idp.redirect, idp.secret)))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        running = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        running.start()
        try:
            with browser() as tab:
                tab.show(f"{address}/login", Screen("wide", 1280, 800))
                tab.run("[...document.querySelectorAll('a')].find(a => a.textContent.includes('organisation')).click()")
                _shows(tab, "Yes, it is me")  # the provider's own page
                assert tab.run("location.host") == idp.url.partition("//")[2]
                tab.run("document.querySelector('#yes').click()")
                page = _shows(tab, "There is no branch", "Sign in")
                assert "ada" in page and tab.run("location.pathname") == "/", page
        finally:
            server.should_exit = True
            running.join(30)


def _shows(tab: Browser, *texts: str) -> str:
    """The text of the page once it is one that has one of these in it."""

    def found() -> str | None:
        try:
            page = str(tab.run("document.readyState === 'complete' ? document.body.innerText : ''"))
        except AssertionError:  # a page is just being loaded
            return None
        return page if any(text in page for text in texts) else None

    return wait.until(found, what=f"the browser shows {texts[0]!r}", timeout=30)
