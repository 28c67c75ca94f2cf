"""The application without an engine: who gets in, what they see, and that every error is one line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envclone.serve.roles import Role
from tests.support.served import PASSWORD, Served, served


@pytest.fixture
def here() -> Iterator[Served]:
    with served() as made:
        yield made


def test_an_engineer_sees_their_own_branches_and_a_viewer_all(here: Served) -> None:
    here.branch("adas", "ada")
    here.branch("bobs", "bob")
    here.branch("hosts")
    names = {
        name: [one["name"] for one in here.call(here.token(name, role), "GET", "/branches").json()]
        for name, role in (("ada", Role.ENGINEER), ("eve", Role.ENGINEER), ("vic", Role.VIEWER), ("op", Role.OPERATOR))
    }
    everything = ["adas", "bobs", "hosts"]
    assert names == {"ada": ["adas"], "eve": [], "vic": everything, "op": everything}


def test_a_login_is_handed_out_once_to_its_owner(here: Served) -> None:
    here.branch("adas", "ada")
    ada, bob, op = (
        here.token(n, r) for n, r in (("ada", Role.ENGINEER), ("bob", Role.ENGINEER), ("op", Role.OPERATOR))
    )
    assert here.call(bob, "POST", "/branches/adas/login").status_code == 404
    assert here.call(op, "POST", "/branches/adas/login").status_code == 403
    first = here.call(ada, "POST", "/branches/adas/login")
    assert PASSWORD in first.json()["urls"]["main"] and first.json()["variables"]["PGPASSWORD"] == PASSWORD
    again = here.call(ada, "POST", "/branches/adas/login")
    assert again.status_code == 410 and "handed out before" in again.json()["error"]["message"]
    assert again.json()["error"]["hint"] and PASSWORD not in again.text
    assert PASSWORD not in here.call(ada, "GET", "/branches/adas").text


def test_a_branch_that_was_made_again_on_the_host_is_nobodys(here: Served) -> None:
    here.branch("adas", "ada")
    (here.service.state.pool.path_of("branches", "adas") / "branch.json").unlink()
    here.service.state.pool.path_of("branches", "adas").rmdir()
    here.branch("adas")
    ada = here.token("ada", Role.ENGINEER)
    assert here.call(ada, "GET", "/branches/adas").status_code == 404
    assert here.call(ada, "POST", "/branches/adas/login").status_code == 404


def test_a_job_that_fails_says_why_and_lets_go_of_the_name(here: Served) -> None:
    ada = here.token("ada", Role.ENGINEER)
    made = here.call(ada, "POST", "/branches", json={"environment": "prod", "name": "mine"})
    assert made.status_code == 202
    events = here.call(ada, "GET", f"/jobs/{made.json()['id']}/events").text
    assert [line for line in events.splitlines() if line.startswith("event")][-1] == "event: failed"
    job = here.call(ada, "GET", f"/jobs/{made.json()['id']}?wait=30").json()
    assert job["state"] == "failed" and "no image of 'prod'" in job["error"]["message"] and job["error"]["hint"]
    assert here.service.ledger.reserved("mine") is None
    resumed = here.call(ada, "GET", f"/jobs/{job['id']}/events", headers={"last-event-id": "2"}).text
    assert "id: 3" in resumed and "id: 2\n" not in resumed
    bob = here.token("bob", Role.ENGINEER)
    assert here.call(bob, "GET", f"/jobs/{job['id']}").status_code == 404
    assert here.call(bob, "GET", "/jobs").json() == []


def test_every_call_stands_in_the_log(here: Served) -> None:
    ada = here.token("ada", Role.ENGINEER)
    here.call(ada, "GET", "/branches/none")
    here.call("envc_000000000000_" + "x" * 43, "GET", "/branches/none")
    lines = [one["details"] for one in here.service.stack.events() if one["action"] == "serve"]
    assert [(one["who"], one["role"], one["verb"], one["outcome"]) for one in lines] == [
        ("ada", "engineer", "branch.show", "NotFound"),
        ("-", "viewer", "branch", "Unauthenticated"),
    ]
    assert lines[0]["object"] == "none"
