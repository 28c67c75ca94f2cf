"""The web page without an engine: who gets which page, forms that are the session's own, and strict headers."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator
from typing import Any

import pytest

from envclone.pages.board.frame import SCRIPT_AT, STYLE_AT
from envclone.serve.roles import Role
from envclone.serve.web import routes
from tests.support.served import PASSWORD, Served, served

BUNDLE = """\
version: 1
incident: "77"
environment: prod
note: Zoë Quuxington got nothing.
steps: [{id: who, kind: sql, store: main, sql: SELECT 1}]
"""
EVIL = "x<script>alert(1)</script>"


@pytest.fixture
def here() -> Iterator[Served]:
    with served() as made:
        (made.service.stack.project.loaded.stack.incidents / "77.yaml").write_text(BUNDLE)
        yield made


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    """One service for the tests that change nothing in it."""
    with served() as made:
        made.branch("adas", "ada")
        (made.service.stack.project.loaded.stack.incidents / "77.yaml").write_text(BUNDLE)
        yield made


def enter(here: Served, name: str, role: Role) -> str:
    """Sign in, and give the token of the session's forms."""
    here.client.cookies.clear()
    done = here.client.post("/login", data={"token": here.token(name, role)})
    assert done.status_code == 303 and done.headers["location"] == "/"
    found = re.search(r'name="csrf" value="([^"]+)"', here.client.get("/").text)
    assert found is not None
    return found[1]


def forms(text: str) -> list[str]:
    """Where the forms of a page go."""
    return re.findall(r'<form[^>]*action="([^"]*)"', text)


GETS = [route.path for route in routes(None) if "GET" in (route.methods or ())]  # type: ignore[arg-type]
POSTS = [route.path for route in routes(None) if "POST" in (route.methods or ())]  # type: ignore[arg-type]
GIVEN = {"name": "adas", "incident": "77", "image": "img-000000000000", "job": "20260501t125500-0123456789ab"}


def least(path: str) -> Role:
    """The role that a page takes."""
    return Role.OPERATOR if path == "/audit" else Role.ENGINEER if path.count("/") == 3 else Role.VIEWER


def filled(path: str) -> str:
    return path.format(**GIVEN)


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("role", [None, *Role])
def test_every_page_for_every_role(site: Served, path: str, role: Role | None) -> None:
    """Nobody is led to the door, a role sees what is for it, and each answer has the strict headers."""
    site.client.cookies.clear()
    if role is not None:
        enter(site, "ada", role)
    answer = site.client.get(filled(path))
    headers = answer.headers
    opened = path == "/login" or path.startswith("/static/")
    if opened:
        assert answer.status_code == 200
    elif role is None:
        assert (answer.status_code, headers["location"]) == (303, "/login")
    elif not role.may(least(path)):
        assert answer.status_code == 403 and "Not for you" in answer.text
    elif "{image}" in path or "{job}" in path:
        assert answer.status_code == 404
    elif path == "/branches":
        assert headers["location"] == "/"
    else:
        assert answer.status_code == 200, answer.text
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert ("immutable" if path.startswith("/static/") else "no-store") in headers["cache-control"]
    if "text/html" in headers.get("content-type", ""):
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert "<script>" not in answer.text and PASSWORD not in answer.text


@pytest.mark.parametrize("path", POSTS)
def test_every_form_without_the_sessions_token_is_refused(site: Served, path: str) -> None:
    here = site
    here.client.cookies.clear()
    assert here.client.post(filled(path)).status_code == 401
    token = enter(here, "ada", Role.ENGINEER)
    for given in ({}, {"csrf": ""}, {"csrf": token[:-1] + ("a" if token[-1] != "a" else "b")}):
        answer = here.client.post(filled(path), data=given)
        assert answer.status_code == 403 and "not this session" in html.unescape(answer.text)
    elsewhere = here.client.post(filled(path), data={"csrf": token}, headers={"origin": "https://evil.example"})
    assert elsewhere.status_code == 403 and "another site" in elsewhere.text
    assert here.service.stack.show("adas").state == "stopped" and here.service.jobs.all() == []
    viewer = enter(here, "vic", Role.VIEWER)
    assert here.client.post(filled(path), data={"csrf": viewer}).status_code == 403


def test_a_page_offers_what_its_reader_may_do(here: Served) -> None:
    here.branch("adas", "ada")
    enter(here, "vic", Role.VIEWER)
    assert forms(here.client.get("/branches/adas").text) == ["/logout"]
    assert forms(here.client.get("/").text) == ["/logout"]
    enter(here, "ada", Role.ENGINEER)
    page = here.client.get("/branches/adas").text
    assert forms(page) == [
        "/logout", "/branches/adas/start", "/branches/adas/extend", "/branches/adas/login",
    ] and "/audit" not in page  # fmt: skip
    assert forms(here.client.get("/images").text) == ["/logout"]
    assert "/branches" in forms(here.client.get("/").text)
    enter(here, "eve", Role.ENGINEER)
    assert here.client.get("/branches/adas").status_code == 404 and "adas" not in here.client.get("/").text
    enter(here, "op", Role.OPERATOR)
    assert forms(here.client.get("/images").text) == ["/logout", "/images", "/snapshots", "/gc"]
    assert 'href="/audit"' in here.client.get("/").text and here.client.get("/audit").status_code == 200


def test_a_login_is_shown_once_and_a_branch_is_removed_after_it_was_asked_about(here: Served) -> None:
    here.branch("adas", "ada")
    given = {"csrf": enter(here, "ada", Role.ENGINEER)}
    first, second = (here.client.post("/branches/adas/login", data=given) for _ in range(2))
    assert PASSWORD in first.text and first.headers["cache-control"] == "no-store"
    assert second.status_code == 410 and PASSWORD not in second.text and "Not again" in second.text
    assert "Its login was handed out" in here.client.get("/branches/adas").text
    asked = here.client.get("/branches/adas/remove").text
    assert forms(asked) == ["/logout", "/branches/adas/remove"]
    done = here.client.post("/branches/adas/remove", data=given)
    assert (done.status_code, done.headers["location"]) == (303, "/?did=remove")
    assert "The branch is removed." in here.client.get("/?did=remove").text
    assert here.client.get("/branches/adas").status_code == 404


def test_a_branch_is_made_by_a_job_that_has_a_page(here: Served) -> None:
    given = {"csrf": enter(here, "ada", Role.ENGINEER), "environment": "prod", "incident": "", "name": "mine"}
    made = here.client.post("/branches", data=given)
    place = made.headers["location"]
    assert made.status_code == 303 and place.startswith("/jobs/")
    here.service.jobs.wait(place.rpartition("/")[2], 60)
    page = html.unescape(here.client.get(place).text)
    assert "branch prod as mine" in page and "there is no image of 'prod'" in page and "data-events" not in page
    assert "failed" in here.client.get("/jobs").text
    enter(here, "bob", Role.ENGINEER)
    assert here.client.get(place).status_code == 404


def test_an_operator_looks_after_production_by_forms(here: Served) -> None:
    """Each is a job with its page; what `gc` would remove is said before it is removed."""
    given = {"csrf": enter(here, "op", Role.OPERATOR), "environment": "prod"}
    for path, more, said in (
        ("/images", {"fresh": "on"}, "image prod"), ("/snapshots", {}, "snapshot prod"), ("/gc", {"dry": "on"}, "gc"),
    ):  # fmt: skip
        made = here.client.post(path, data=given | more)
        assert made.status_code == 303 and made.headers["location"].startswith("/jobs/"), made.text
        job = here.service.jobs.get(made.headers["location"].rpartition("/")[2])
        assert said in here.client.get(made.headers["location"]).text
        if path == "/images":
            assert job.arguments == {"environment": "prod", "fresh": True, "again": False}
    assert here.service.jobs.wait(job.id, 60).state == "done" and job.arguments == {"dry_run": True}
    page = here.client.get(f"/jobs/{job.id}").text
    assert "There is nothing that nobody needs." in page and "/gc" in forms(page)
    assert here.client.post("/images", data=given | {"environment": EVIL}).status_code == 422
    eve = {"csrf": enter(here, "eve", Role.ENGINEER), "environment": "prod"}
    assert [here.client.post(path, data=eve).status_code for path in ("/images", "/snapshots", "/gc")] == [403] * 3


def test_a_branch_lives_longer_but_an_engineer_s_no_longer_than_the_longest(here: Served) -> None:
    here.branch("adas", "ada")
    given = {"csrf": enter(here, "ada", Role.ENGINEER)}

    def left() -> float:
        one = here.service.stack.show("adas")
        now = dt.datetime.now(dt.UTC)
        return float("inf") if one.expires_at is None else (one.expires_at - now).total_seconds() / 3600

    for ttl, hours in (("3d", 72), ("1h", 1), ("30d", 168), ("none", 168)):
        done = here.client.post("/branches/adas/extend", data=given | {"ttl": ttl})
        assert done.headers["location"] == "/branches/adas?did=extend" and abs(left() - hours) < 0.1, (ttl, left())
    for ttl in ("", "-1h", "8 parsecs", EVIL):
        refused = here.client.post("/branches/adas/extend", data=given | {"ttl": ttl})
        assert refused.status_code == 400 and "<script>" not in refused.text
    ada, op = here.token("ada", Role.ENGINEER), here.token("op", Role.OPERATOR)
    assert here.call(ada, "POST", "/branches/adas/extend", json={"ttl": "2h"}).json()["expires_at"] and left() < 2.1
    assert here.call(ada, "POST", "/branches/adas/extend").status_code == 200 and left() < 2.1  # its own time again
    assert here.call(op, "POST", "/branches/adas/extend", json={"ttl": "none"}).json()["expires_at"] is None
    assert here.call(ada, "POST", "/branches/adas/extend", json={"ttl": "x"}).status_code == 400


def test_what_is_asked_for_is_said_back_as_text_alone(here: Served) -> None:
    token = enter(here, "ada", Role.ENGINEER)
    for path in (f"/branches/{EVIL}", f"/incidents/{EVIL}", f"/images/{EVIL}", f"/jobs/{EVIL}", "/?did=<script>",
                 f"/branches/{EVIL}/remove", "/audit?page=<script>", "/login?wrong=<script>"):  # fmt: skip
        assert "<script>" not in here.client.get(path).text, path
    for data in (
        {"environment": EVIL},
        {"environment": "prod", "name": EVIL},
        {"environment": "prod", "incident": EVIL},
    ):
        answer = here.client.post("/branches", data={"csrf": token, **data})
        assert answer.status_code >= 400 and "<script>" not in answer.text
    for name in ("a%2f..%2fb", "%00", "ADAS", "a" * 999):
        assert here.client.get(f"/branches/{name}").status_code in (400, 404), name


def test_an_incident_is_listed_and_what_cannot_be_masked_is_not_shown(here: Served) -> None:
    enter(here, "vic", Role.VIEWER)
    assert 'href="/incidents/77"' in here.client.get("/incidents").text
    page = here.client.get("/incidents/77").text
    assert "Quuxington" not in page and "no image of" in page and forms(page) == ["/logout"]


def test_the_files_of_a_page_are_named_by_what_is_in_them(here: Served) -> None:
    for path, kind in ((STYLE_AT, "text/css"), (SCRIPT_AT, "text/javascript")):
        answer = here.client.get(path)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
    assert here.client.get("/static/other.js").status_code == 404


def test_a_wrong_token_is_told_at_the_door(here: Served) -> None:
    answer = here.client.post("/login", data={"token": "no"}, headers={"accept": "text/html"})
    assert answer.headers["location"] == "/login?wrong=1"
    page = here.client.get("/login?wrong=1").text
    assert 'role="alert"' in page and 'type="password"' in page and "Sign out" not in page


def test_a_session_that_ended_leads_to_the_door(here: Served) -> None:
    given = {"csrf": enter(here, "ada", Role.ENGINEER)}
    assert here.client.post("/logout", data=given).headers["location"] == "/login"
    assert here.client.get("/").headers["location"] == "/login"
    answer: Any = here.client.post("/branches", data=given)
    assert answer.status_code == 401 and "Sign in" in answer.text


def test_a_browser_gets_a_page_where_nothing_is_and_a_program_a_line(here: Served) -> None:
    enter(here, "ada", Role.ENGINEER)
    browser = {"accept": "text/html,application/xhtml+xml"}
    found = here.client.get(f"/nowhere/{EVIL}", headers=browser)
    assert found.status_code == 404 and "<h1>Not there</h1>" in found.text and "<script>" not in found.text
    assert found.headers["content-security-policy"].startswith("default-src 'none'")
    assert here.client.get("/nowhere").json()["error"]["type"] == "NotFound"
    assert here.client.get("/api/v1/nowhere", headers=browser).json()["error"]["type"] == "NotFound"


BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAM = {"accept": "application/json"}


@pytest.mark.parametrize("signed_in", [False, True])
def test_every_refusal_is_a_page_for_who_accepts_html_and_a_line_for_who_does_not(
    here: Served, signed_in: bool
) -> None:
    enter(here, "ada", Role.ENGINEER)
    if not signed_in:
        here.client.cookies.clear()
    asked = [("GET", "/logout", {}, 405), ("POST", "/", {}, 405), ("DELETE", "/branches/adas", {}, 405),
             ("GET", "/branches/adas/login", {}, 405), ("POST", "/audit", {}, 405), ("GET", "/nowhere", {}, 404),
             ("PUT", "/static/x.css", {}, 404), ("POST", "/login", {"origin": "https://evil.example"}, 403),
             ("POST", "/branches/adas/stop", {"content-length": "99999999"}, 413 if signed_in else 401),
             ("POST", "/logout", {}, 403 if signed_in else 401)]  # fmt: skip
    if signed_in:
        asked += [("GET", "/branches/none", {}, 404), ("GET", "/audit", {}, 403), ("GET", "/images/none", {}, 404)]
    for method, path, more, status in asked:
        page = here.client.request(method, path, headers=BROWSER | more)
        line = here.client.request(method, path, headers=PROGRAM | more)
        assert (page.status_code, line.status_code) == (status, status), (method, path)
        assert page.headers["content-type"].startswith("text/html") and "<h1>" in page.text, (method, path)
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert line.json()["error"]["status"] == status, (method, path)
        for one in (page, line):
            assert one.headers["cache-control"] == "no-store" and one.headers["x-frame-options"] == "DENY"
            assert ("allow" in one.headers) == (status == 405) and ("www-authenticate" in one.headers) == (
                status == 401
            )
    for path in ("/api/v1/branches", "/api/v1/nowhere", "/metrics", "/healthz"):
        refused = here.client.request("PATCH", path, headers=BROWSER)
        assert refused.json()["error"]["status"] in (404, 405), path
    assert here.client.get("/logout").json()["error"]["type"] == "NotAllowed"  # who says nothing is a program


@pytest.mark.parametrize(
    ("accept", "page"),
    [("text/html", True), ("TEXT/HTML;q=0.5", True), ("text/*", True), ("application/json, text/html;q=0.5", False),
     ("text/html;q=0", False), ("text/html;q=x", False), ("application/json", False), ("*/*", False), ("", False),
     ("text/html;level=1, application/json;q=0.9", True), ("application/xhtml+xml", True), ("text/htmlx", False)],
)  # fmt: skip
def test_who_accepts_html(here: Served, accept: str, page: bool) -> None:
    answer = here.client.get("/nowhere", headers={"accept": accept})
    assert answer.headers["content-type"].startswith("text/html" if page else "application/json")


def test_a_bug_is_a_page_that_quotes_nothing(here: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(here, "op", Role.OPERATOR)

    def broken(*_: Any) -> Any:
        raise RuntimeError(f"a value: {PASSWORD}")

    monkeypatch.setattr(type(here.service.stack), "branches", broken)
    answer = here.client.get("/", headers=BROWSER)
    assert answer.status_code == 500 and "<h1>An error of envclone</h1>" in answer.text and PASSWORD not in answer.text
    assert here.client.get("/", headers=PROGRAM).json()["error"]["status"] == 500


def test_who_comes_back_to_an_ended_session_is_told_so(here: Served) -> None:
    """And nothing that is sent from such a page is done; a program is not led to a page."""
    given = {"csrf": enter(here, "ada", Role.ENGINEER)}
    here.branch("adas", "ada")
    assert "has ended" not in here.client.get("/login").text
    here.app.state.door._sessions.clear()  # as a restart does
    led = here.client.get("/branches/adas", headers=BROWSER)
    assert (led.status_code, led.headers["location"]) == (303, "/login")
    assert "Your session has ended" in here.client.get("/login", headers=BROWSER).text
    sent = here.client.post("/branches/adas/remove", data=given, headers=BROWSER)
    assert sent.status_code == 401 and "Your session has ended" in sent.text and "Nothing was done" in sent.text
    assert here.service.stack.show("adas").name == "adas"
    assert here.client.get("/branches/adas", headers=PROGRAM).json()["error"]["status"] == 401


def test_hundreds_of_branches_are_in_pages_and_one_is_found(here: Served) -> None:
    for number in range(205):
        here.branch(f"b{number:03}", "ada" if number % 2 else "zoe")
    enter(here, "op", Role.OPERATOR)
    first, last = here.client.get("/").text, here.client.get("/?page=3").text
    assert first.count('href="/branches/b') == 200 and "Page 1 of 3, 205 branches" in first  # its name, and its start
    assert "/branches/b204" in last and "/branches/b199" not in last and "Further" not in last and "Before" in last
    assert 'href="#make"' in first and 'id="make"' in first
    found = here.client.get("/?q=B20").text
    assert [f"/branches/b{number}" in found for number in (199, 200, 204)] == [False, True, True]
    pages = here.client.get("/?q=zoe&page=2").text
    assert "Page 2 of 2, 103 branches" in pages and "?page=1&amp;q=zoe" in pages
    for odd in ("/?page=99", "/?page=-1", "/?page=x", "/?page=%00", "/?q=" + "a" * 5000, f"/?q={EVIL}"):
        answer = here.client.get(odd)
        assert answer.status_code == 200 and "<script>alert" not in answer.text, odd
    assert "No branch has" in here.client.get("/?q=nothing-like-it").text


@pytest.mark.parametrize(("hours", "proposed"), [(0.5, "1h"), (7.9, "8h"), (8.1, "1d"), (10_000, "7d"), (None, "7d")])
def test_no_time_is_proposed_that_would_take_some(here: Served, hours: float | None, proposed: str) -> None:
    here.branch("adas", "ada")
    ttl = None if hours is None else dt.timedelta(hours=hours)
    here.service.stack.extend("adas", ttl)
    enter(here, "ada", Role.ENGINEER)
    assert f'<option value="{proposed}" selected>' in here.client.get("/branches/adas").text
