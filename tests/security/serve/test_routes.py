"""Every route, by every role, without a token, with a forged, an ended and a revoked one; names of others; forms."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.routing import Route

from envclone.api import Stack
from envclone.serve.api import OPERATIONS, PREFIX, Operation
from envclone.serve.door import Door
from envclone.serve.jobs import Jobs
from envclone.serve.options import Options
from envclone.serve.refusals import Forbidden
from envclone.serve.roles import Principal, Role
from tests.support.served import PASSWORD, Served, served

LEAST = {
    "whoami": "viewer", "environments": "viewer", "branches": "viewer", "branch_create": "engineer", "branch": "viewer",
    "branch_remove": "engineer", "branch_login": "engineer", "branch_start": "engineer", "branch_stop": "engineer",
    "branch_reset": "engineer", "branch_extend": "engineer", "branch_parity": "viewer", "branch_replay": "viewer",
    "branch_logs": "engineer", "images": "viewer", "image_build": "operator", "image": "viewer",
    "snapshot": "operator", "incidents": "viewer", "incident": "viewer", "replay": "engineer", "diagnose": "engineer",
    "report": "engineer", "gc": "operator", "audit": "operator", "jobs": "viewer", "job": "viewer",
    "incident_import": "engineer", "held": "operator", "release": "operator", "held_remove": "operator",
    "job_cancel": "engineer", "job_events": "viewer",
}  # fmt: skip
"""The role that each route takes at least, said a second time: a route that is missing here fails."""
OPEN = {
    "health",
    "openapi",
    "metrics",
    "login_send",
    "login_leave",
    "login_return",
    "page /login",
    "page style",
    "page script",
}
"""Routes that look at no token first, each with a test of its own or without anything to tell."""
BODIES: dict[str, Any] = {
    "branch_create": {"environment": "prod"}, "image_build": {"environment": "prod"},
    "snapshot": {"environment": "prod"}, "replay": {"branch": "adas"}, "diagnose": {"branch": "adas"},
    "report": {"branch": "adas"}, "gc": {"dry_run": True}, "release": {},
    "incident_import": {"incident": "new", "environment": "prod", "content": "x"},
}  # fmt: skip
TRAVERSAL = (
    "..", "%2e%2e", "..%2f..%2fkeys", "%2fetc%2fpasswd", "a%00b", "a%0d%0aX: y", "A", "-a", "a" * 200, "*", "{name}",
    "\u202eadas", "adas%2f..%2fbobs", "adas%20", "adas\n",
)  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[Served]:
    """A service whose jobs only wait, and whose branches are records."""
    patched = pytest.MonkeyPatch()
    patched.setattr(Jobs, "_start", lambda self: None)
    for name in ("start", "stop", "reset"):
        patched.setattr(Stack, name, lambda self, name, **_: self.show(name))
    patched.setattr(Stack, "parity", lambda self, name: [])
    with served(Options(calls_per_minute=10**6, strangers_per_minute=10**6, branches=10**6)) as made:
        (made.service.stack.project.loaded.stack.incidents / "77.json").write_text("{}")
        yield made
    patched.undo()


@pytest.fixture(scope="module")
def tokens(here: Served) -> dict[str, str]:
    return {str(role): here.token("ada" if role is Role.ENGINEER else str(role), role) for role in Role}


def _path(here: Served, operation: Operation, **places: str) -> str:
    """The path of an operation, with a branch of ada's and a job of hers that are there."""
    pool = here.service.state.pool
    if not (pool.path_of("branches", "adas") / "branch.json").exists():
        here.branch("adas", "ada")
    given = {"name": "adas", "part": "main", "image": "img-none", "incident": "77", "job": _job(here), **places}
    return operation.path.format(**given)


def _job(here: Served) -> str:
    """A job of ada's that was cancelled."""
    for job in here.service.jobs.all():
        if job.owner == "token:ada" and job.ended:
            return job.id
    made = here.service.jobs.submit(Principal("token:ada", "ada", Role.ENGINEER), "gc", {"dry_run": True})
    return here.service.jobs.cancel(made.id).id


def test_the_table_has_every_route(here: Served) -> None:
    routes = [one for one in here.app.routes if isinstance(one, Route)]
    assert len(routes) == len(here.app.routes), "a mount or a websocket: say who may what there"
    for one in routes:
        known = one.name in LEAST or one.name in OPEN or "least" in vars(one.endpoint)
        assert known, f"{one.name}: say in LEAST which role it takes"
    assert {one.name for one in OPERATIONS} == set(LEAST)
    assert {one.name: str(one.least) for one in OPERATIONS} == LEAST


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_each_role_may_what_the_table_says(here: Served, tokens: dict[str, str], operation: Operation) -> None:
    for role, token in tokens.items():
        path = _path(here, operation)
        answer = here.call(token, operation.method, path, json=BODIES.get(operation.name))
        allowed = Role(role).may(Role(LEAST[operation.name]))
        if operation.name == "branch_login" and role == "operator":
            allowed = False  # it is its owner's alone
        assert (answer.status_code == 403) is not allowed, (role, answer.text)
        assert answer.status_code not in (401, 405, 500), (role, answer.text)
        assert PASSWORD not in answer.text or (operation.name == "branch_login" and role == "engineer")


@pytest.fixture(scope="module")
def wrong(here: Served) -> tuple[str | None, ...]:
    """What lets nobody in; the last one is live, and is for other ways than the right header."""
    ended = here.token("ada", Role.OPERATOR, dt.timedelta(seconds=-1))
    made, revoked = here.service.tokens.create("ada", Role.OPERATOR, None)
    here.service.tokens.revoke(made.id)
    live, text = here.service.tokens.create("ada", Role.OPERATOR, None)
    other = here.token("bob", Role.OPERATOR)
    forged = f"envc_{live.id}_{other.split('_', 2)[2]}"
    return (None, "", "x", ended, revoked, forged, text[:-1], text + "x", text.upper(), f"envc_{'0' * 12}_{'A' * 43}",
            live.digest, "e30.e30.", "é" * 60, text)  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_nobody_gets_in_without_a_live_token(here: Served, wrong: tuple[str | None, ...], operation: Operation) -> None:
    path, text = _path(here, operation), wrong[-1]
    for token in wrong[:-1]:
        header = {} if token is None else {"authorization": f"Bearer {token}".encode()}
        answer = here.client.request(operation.method, PREFIX + path, headers=header, json=BODIES.get(operation.name))
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer", (token, answer.text)
        _one_line(answer.text)
    for header in ({"authorization": f"Basic {text}"}, {"cookie": f"envclone={text}"}, {"x-token": text}):
        assert here.client.request(operation.method, PREFIX + path, headers=header).status_code == 401
    assert here.client.request(operation.method, f"{PREFIX}{path}?token={text}").status_code == 401


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "{" in one.path], ids=lambda one: one.name)
def test_what_is_somebody_elses_is_not_there(here: Served, operation: Operation) -> None:
    """By its right name it gives the same answer as what does not exist at all."""
    eve, body = here.token("eve", Role.ENGINEER), BODIES.get(operation.name)
    there = _path(here, operation)
    nowhere = operation.path.format(
        name="zzzz", part="main", image="img-none", incident="77", job="20200101t000000-000000000000"
    )
    if operation.name in ("image", "incident") or LEAST[operation.name] == "operator":
        return  # everybody's, or no engineer's
    found = here.call(eve, operation.method, there, json=body)
    none = here.call(eve, operation.method, nowhere, json=body and {**body, "branch": "zzzz"})
    assert found.status_code == none.status_code == 404, (found.text, none.text)
    assert found.text.replace("adas", "zzzz") == none.text


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "{" in one.path], ids=lambda one: one.name)
def test_no_path_leads_elsewhere(here: Served, tokens: dict[str, str], operation: Operation) -> None:
    names = [word[1:-1] for word in operation.path.split("/") if word.startswith("{")]
    for name in names:
        for word in TRAVERSAL:
            path = _path(here, operation, **{name: word.replace("\n", "%0a")})
            status, text = here.raw(tokens["operator"], operation.method, PREFIX + path)
            assert status in (404, 405), (word, text)
            _one_line(text)


def test_a_branch_that_is_named_in_a_body_has_to_be_ones_own(here: Served) -> None:
    here.service.ledger.drop("adas")
    _remove(here, "adas")
    here.branch("adas", "ada")
    eve = here.token("eve", Role.ENGINEER)
    for verb in ("replay", "diagnose", "report"):
        answer = here.call(eve, "POST", f"/incidents/77/{verb}", json={"branch": "adas"})
        assert answer.status_code == 404, answer.text


def test_a_viewer_and_a_metrics_token_change_nothing(here: Served, tokens: dict[str, str]) -> None:
    for operation in OPERATIONS:
        if operation.method != "GET":
            answer = here.call(tokens["viewer"], operation.method, _path(here, operation), json={})
            assert answer.status_code in (400, 403), answer.text
    assert here.client.get("/metrics", headers={"authorization": f"Bearer {tokens['metrics']}"}).status_code == 200


def test_metrics_are_for_this_machine_or_a_token(here: Served) -> None:
    assert here.client.get("/metrics").status_code == 401  # the test's client has no address
    assert "ada" not in here.call(None, "GET", "/../../metrics").text


def test_a_cookie_alone_changes_nothing(here: Served, tokens: dict[str, str]) -> None:
    """A browser sends the cookie along with whatever another site asks of it."""
    answer = here.client.post("/login", data={"token": tokens["operator"]})
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303 and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert tokens["operator"] not in cookie
    value = cookie.split(";")[0].split("=", 1)[1]
    here.client.cookies.clear()  # it is sent where the test says so
    (session,) = [one for one in here.app.state.door._sessions.values() if one.who.role is Role.OPERATOR]
    mine = {"cookie": f"envclone={value}"}
    for operation in OPERATIONS:
        if operation.method == "GET":
            continue
        path = PREFIX + _path(here, operation)
        for header in ({}, {"x-csrf-token": "x"}, {"x-csrf-token": session.csrf, "origin": "https://evil.example"}):
            refused = here.client.request(operation.method, path, headers={**mine, **header}, json={})
            assert refused.status_code == 403, (operation.name, refused.text)
        good = {**mine, "x-csrf-token": session.csrf, "origin": "http://testserver"}
        assert here.client.request(operation.method, path, headers=good, json={}).status_code != 403 or (
            operation.name == "branch_login"
        )
    for route in here.app.routes:
        assert isinstance(route, Route)
        if "least" in vars(route.endpoint) and "POST" in (route.methods or ()):
            page = route.path.format(name="adas", incident="77", job=_job(here), image="x", part="main")
            assert here.client.post(page, headers=mine).status_code == 403, page
            assert here.client.post(page, headers=mine, data={"csrf": "x"}).status_code == 403, page
            assert here.client.post(page, data={"csrf": session.csrf}).status_code in (401, 303), page
    answer = here.client.post("/login", data={"token": tokens["viewer"]}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    here.client.cookies.clear()


def test_a_session_ends_with_its_token(here: Served) -> None:
    made, text = here.service.tokens.create("tim", Role.VIEWER, None)
    value = here.client.post("/login", data={"token": text}).headers["set-cookie"].split(";")[0]
    here.client.cookies.clear()
    assert here.client.get(f"{PREFIX}/whoami", headers={"cookie": value}).status_code == 200
    here.service.tokens.revoke(made.id)
    assert here.client.get(f"{PREFIX}/whoami", headers={"cookie": value}).status_code == 401


def test_too_much_and_what_is_no_json_is_refused(here: Served, tokens: dict[str, str]) -> None:
    token = tokens["operator"]
    large = here.call(token, "POST", "/branches", content=b"x" * (1 << 17))
    assert large.status_code == 413
    chunked = here.call(token, "POST", "/branches", content=iter([b"x" * 1000] * 200))
    assert chunked.status_code == 413
    wrong = ("", "[]", "{", '{"environment": NaN}', "[" * 50_000, '{"environment": "prod", "x": 1}', "null", '"x"',
             '{"environment": 1}', '{"environment": "prod", "ttl": "8 parsecs"}', "\xff")  # fmt: skip
    for text in wrong:
        answer = here.call(token, "POST", "/branches", content=text.encode("latin-1"))
        assert answer.status_code == 400, (text[:40], answer.text)
        _one_line(answer.text)
    assert here.call(token, "GET", "/audit?last=x").status_code == 400
    assert here.call(token, "GET", "/branches?color=red").status_code == 400
    assert here.call(token, "PATCH", "/branches").status_code == 405


def test_a_bug_is_one_line_that_quotes_nothing(here: Served, tokens: dict[str, str]) -> None:
    def broken(self: Stack) -> Any:
        raise RuntimeError(f"a value: {PASSWORD}")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Stack, "branches", broken)
        answer = here.call(tokens["operator"], "GET", "/branches")
    assert answer.status_code == 500 and "RuntimeError" in answer.text
    assert PASSWORD not in answer.text and "Traceback" not in answer.text
    _one_line(answer.text)


def test_nothing_leads_to_where_the_caller_says(here: Served) -> None:
    """Neither the header Host nor a path with two slashes is an address that a browser is sent to."""
    host = {"host": "evil.example"}
    for path in ("/login/", "/branches/", "/jobs/", "//evil.example", "//evil.example/", "/api/v1/jobs/", "/branches"):
        answer = here.client.get(f"http://testserver{path}", headers=host)
        assert "evil" not in answer.headers.get("location", ""), (path, answer.headers)


def test_where_a_form_comes_from_is_read_as_it_is(here: Served, tokens: dict[str, str]) -> None:
    wrong = ("http://[::1", "null", "", "testserver", "//testserver", "http://testserver:80@evil.example", "file://",
             "http://testserver.evil.example", "ftp://testserver", "http://testserver\xff")  # fmt: skip
    for origin in wrong:
        answer = here.client.post(
            "/login", data={"token": tokens["viewer"]}, headers={"origin": origin.encode("latin-1")}
        )
        assert answer.status_code == 403 and "set-cookie" not in answer.headers, (origin, answer.text)
    request = Request({"type": "http", "headers": [(b"host", b"a.example"), (b"origin", b"http://a.example")]})
    Door(here.service.tokens).require_here(request)
    with pytest.raises(Forbidden):  # somebody on the way can have made that page
        Door(here.service.tokens, secure=True).require_here(request)


def test_headers_keep_a_browser_strict(here: Served, tokens: dict[str, str]) -> None:
    for path in ("/healthz", f"{PREFIX}/openapi.json", f"{PREFIX}/nope", f"{PREFIX}/whoami"):
        found = here.client.get(path).headers
        assert found["x-content-type-options"] == "nosniff" and found["x-frame-options"] == "DENY"
        assert "no-store" in found["cache-control"]


def _remove(here: Served, name: str) -> None:
    place = here.service.state.pool.path_of("branches", name)
    for file in place.iterdir() if place.exists() else ():
        file.unlink()
    if place.exists():
        place.rmdir()


def _one_line(text: str) -> None:
    """An error: one line of JSON, with the remedy."""
    assert text.count("\n") == 1 and text.endswith("\n"), text
    error = json.loads(text)["error"]
    assert error["message"] and "\n" not in error["message"] and error["hint"] and error["status"], text
