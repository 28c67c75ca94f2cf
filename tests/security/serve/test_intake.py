"""Incidents that are sent: an engineer's is held, nothing of it comes back, and only an operator lets it in."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from envclone.serve.roles import Role
from tests.support.served import Served, served

HAR = {
    "log": {
        "entries": [
            {
                "startedDateTime": "2026-11-20T21:04:00Z", "time": 12,
                "request": {"method": "POST", "url": "http://api/ask?who=zoe.quux@corp.example", "headers": [],
                            "postData": {"text": '{"name": "Zoe Quuxington"}'}},
                "response": {"status": 500, "headers": [], "content": {"text": "no answer for Zoe Quuxington"}},
            }
        ]
    }
}  # fmt: skip
BUNDLE = """\
version: 1
incident: "78"
environment: prod
note: Zoe Quuxington got nothing
steps:
  - {id: who, kind: sql, store: main, sql: "SELECT 'zoe.quux@corp.example'"}
"""


@pytest.fixture
def here() -> Iterator[Served]:
    with served() as made:
        yield made


def test_an_engineer_s_is_held_and_an_operator_lets_it_in(here: Served) -> None:
    ada, op = here.token("ada", Role.ENGINEER), here.token("op", Role.OPERATOR)
    sent = here.call(
        ada, "POST", "/incidents", json={"incident": "77", "environment": "prod", "content": json.dumps(HAR)}
    )
    assert sent.status_code == 201 and sent.json()["state"] == "held", sent.text
    folder = here.service.stack.project.loaded.stack.incidents
    assert list(folder.iterdir()) == [] and here.call(ada, "GET", "/incidents").json() == []
    assert here.call(ada, "GET", "/incidents/77").status_code == 404
    assert here.call(ada, "POST", "/incidents/77/replay", json={}).status_code == 404
    assert here.call(ada, "GET", "/held").status_code == 403
    assert here.call(ada, "POST", "/held/77/release", json={}).status_code == 403
    again = here.call(
        ada, "POST", "/incidents", json={"incident": "77", "environment": "prod", "content": json.dumps(HAR)}
    )
    assert again.status_code == 409
    listed = here.call(op, "GET", "/held")
    assert [(one["incident"], one["by"]) for one in listed.json()] == [("77", "ada")]
    released = here.call(op, "POST", "/held/77/release", json={})
    assert released.status_code == 200 and released.json()["state"] == "taken"
    assert here.call(ada, "GET", "/incidents").json() == ["77"] and here.call(op, "GET", "/held").json() == []
    for answer in (sent, again, listed, released):
        assert "quux" not in answer.text.lower()
    (bundle,) = folder.iterdir()
    assert bundle.stat().st_mode & 0o777 == 0o600 and "Quuxington" in bundle.read_text()
    assert list(here.service.state.folder("incoming").iterdir()) == []


def test_a_bundle_is_taken_under_its_own_name_alone(here: Served) -> None:
    op = here.token("op", Role.OPERATOR)
    given = {"incident": "78", "environment": "prod", "content": BUNDLE, "bundle": True}
    for wrong in ({"incident": "79"}, {"content": BUNDLE + "extra: Zoe Quuxington\n"}, {"content": "{"}):
        answer = here.call(op, "POST", "/incidents", json={**given, **wrong})
        assert answer.status_code == 400 and "quux" not in answer.text.lower(), answer.text
    assert here.call(op, "POST", "/incidents", json=given).json() == {"incident": "78", "state": "taken", "steps": 1}
    taken = here.call(op, "POST", "/incidents", json=given)
    assert taken.status_code == 400 and str(here.service.stack.project.loaded.directory) not in taken.text


def test_which_values_become_pseudonyms_is_an_operator_s_to_decide(here: Served) -> None:
    ada = here.token("ada", Role.ENGINEER)
    given = {"incident": "78", "environment": "prod", "content": BUNDLE, "bundle": True, "allow_chosen": True}
    assert here.call(ada, "POST", "/incidents", json=given).status_code == 403
    assert (
        here.call(ada, "POST", "/incidents", json={**given, "allow_chosen": False, "incident": "../78"}).status_code
        == 400
    )


def test_one_that_was_thrown_away_is_gone(here: Served) -> None:
    ada, op = here.token("ada", Role.ENGINEER), here.token("op", Role.OPERATOR)
    given = {"incident": "78", "environment": "prod", "content": BUNDLE, "bundle": True}
    assert here.call(ada, "POST", "/incidents", json=given).status_code == 201
    assert here.call(op, "DELETE", "/held/78").json() == {"removed": {"78": True}}
    assert here.call(op, "POST", "/held/78/release", json={}).status_code == 404
