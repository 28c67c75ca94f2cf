"""Steps, calls and exchanges name each other, each truth stands once, and a replay says what it does not run."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from envclone.incidents.bundle import Expected, Incident, SqlStep
from envclone.incidents.calls import Call
from envclone.incidents.exchanges import Exchange
from envclone.incidents.links import not_run, parts
from envclone.incidents.replay import replay
from envclone.incidents.report import explain
from envclone.models import StepResult

AT = dt.datetime(2026, 5, 1, 10, tzinfo=dt.UTC)


def bundle(**more: Any) -> Incident:
    calls = [
        {"id": "r", "kind": "request", "began": AT, "name": "ask"},
        {"id": "e", "kind": "embedding", "parent": "r", "began": AT + dt.timedelta(seconds=1)},
        {"id": "q", "kind": "sql", "parent": "r", "began": AT + dt.timedelta(seconds=2), "seconds": 0.5},
        {"id": "m", "kind": "llm", "parent": "r", "began": AT + dt.timedelta(seconds=3)},
    ]
    step = {"id": "sql-1", "kind": "sql", "store": "main", "sql": "SELECT 1", "call": "q", "expect": {"ids": [1]}}
    exchange = {"id": "x", "kind": "llm", "call": "m", "url": "https://models.example/v1/chat/completions"}
    return Incident.model_validate(
        {"incident": "1", "environment": "prod", "steps": [step], "calls": calls, "exchanges": [exchange], **more}
    )


def test_the_request_in_its_order() -> None:
    later = {"id": "own", "kind": "sql", "store": "main", "sql": "SELECT 2", "began": AT, "seconds": 0.25}
    found = parts(bundle(steps=[later]))
    assert [(one.id, one.how) for one in found] == [
        ("r", "not run"), ("own", "step"), ("e", "not run"), ("q", "not run"), ("m", "cassette")
    ]  # fmt: skip
    assert [(one.how, one.why) for one in parts(bundle()) if one.id == "q"] == [("step", "sql-1")]
    assert found[1].seconds == 0.25 and found[3].seconds == 0.5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps": [{"id": "a", "kind": "sql", "store": "m", "sql": "SELECT 1", "call": "z"}]}, "'z', which is not"),
        ({"steps": [{"id": "a", "kind": "sql", "store": "m", "sql": "SELECT 1", "call": "m"}]}, "'m' of the kind llm"),
        (
            {"steps": [{"id": "a", "kind": "sql", "store": "m", "sql": "SELECT 1", "call": "q", "seconds": 1}]},
            "leave them out",
        ),
        ({"exchanges": [{"id": "x", "call": "z", "url": "https://m.example/"}]}, "'z', which is not there"),
        ({"exchanges": [{"id": "x", "kind": "rerank", "call": "m", "url": "https://m.example/"}]}, "kind llm"),
        ({"calls": [{"id": "q", "kind": "sql"}, {"id": "q", "kind": "sql"}]}, "two calls have the id 'q'"),
        ({"calls": [{"id": "q", "kind": "thought"}]}, "Input should be"),
    ],
)
def test_links_that_do_not_hold(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        bundle(**change)


def test_a_replay_says_what_it_does_not_run() -> None:
    class Runner:
        def run(self, step: Any) -> StepResult:
            return StepResult(columns=("id",), rows=((1,),))

    incident = bundle(calls=[{"id": "q", "kind": "sql"}, {"id": "m", "kind": "llm"}, {"id": "t", "kind": "tool"}])
    report = replay(incident.model_copy(update={"masked": "k1"}), {"main": Runner()})  # type: ignore[dict-item]
    said = explain(report).splitlines()
    assert report.reproduced and report.to_json()["not_run"] == list(report.not_run) == not_run(incident)
    assert "  not run: 1 llm: a replay of the whole application has its answers from the cassette" in said
    assert "  not run: 1 tool: it lies outside the stores, and no exchange of it was recorded" in said
    plain = Incident(
        incident="1", environment="p", masked="k1",
        steps=(SqlStep(id="a", store="main", sql="SELECT 1", expect=Expected(ids=(1,))),),
    )  # fmt: skip
    assert replay(plain, {"main": Runner()}).not_run == ()  # type: ignore[dict-item]


def test_a_call_and_an_exchange_alone() -> None:
    incident = Incident(
        incident="1", environment="p", calls=(Call(id="m", kind="llm"), Call(id="v", kind="vector")),
        exchanges=(Exchange(id="x", url="http://m.example/"),),
    )  # fmt: skip
    assert [one.how for one in parts(incident)] == ["not run", "not run"]
    assert len(not_run(incident)) == 2
