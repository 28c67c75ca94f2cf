"""The verdict per layer names where an answer began to be another, or says why that cannot be told."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from envclone.incidents.bundle import Incident
from envclone.incidents.layers import judged, within_noise
from envclone.incidents.report import explain
from envclone.incidents.verdicts import LAYERS, Played, ReplayReport, StepVerdict
from envclone.models import Counters, Egress

WHEN = dt.datetime(2026, 5, 1, 10, tzinfo=dt.UTC)
INCIDENT = Incident.model_validate(
    {
        "version": 2,
        "incident": "7",
        "environment": "prod",
        "at": WHEN,
        "steps": [
            {"id": "near", "store": "main", "kind": "sql", "sql": "SELECT id FROM t ORDER BY e <-> '[1]' LIMIT 1"},
            {"id": "who", "store": "main", "kind": "sql", "sql": "SELECT 1"},
            {"id": "asked", "service": "api", "kind": "http", "path": "/"},
        ],
        "exchanges": [
            {"id": "e", "kind": "embedding", "url": "https://m/v1/embeddings"},
            {"id": "c", "kind": "llm", "url": "https://m/v1/chat/completions"},
            {"id": "t", "kind": "tool", "url": "https://t/x"},
        ],
    }
)
MISSED = {
    "operation": "openai chat/completions", "outcome": "unmatched", "exchange": "c", "more": 0,
    "changes": [{"place": "model", "recorded": "m-1", "asked": "m-2"}],
}  # fmt: skip


def _report(*wrong: str, **more: Any) -> ReplayReport:
    steps = tuple(
        StepVerdict(id, id not in wrong, ("id 7 is missing",) if id in wrong else ()) for id in ("near", "who", "asked")
    )
    played = more.pop("played", Played(3, 3, 3, egress=Egress()))
    return ReplayReport("7", "prod", not wrong, steps, played=played, **more)


def _words(report: ReplayReport, state: dt.datetime = WHEN) -> dict[str, str]:
    made = judged(report, INCIDENT, state)
    assert tuple(one.layer for one in made.layers) == LAYERS
    return {one.layer: one.words for one in made.layers}


def test_what_is_the_same_matches_and_what_was_not_recorded_cannot_be_told() -> None:
    assert _words(_report()) == {
        "state": "match", "retrieval": "match", "rows": "match", "plan": "cannot tell: no plan was recorded",
        "context": "match", "tools": "match", "answer": "match",
        "resources": "cannot tell: production's limits are not applied",
    }  # fmt: skip
    assert judged(_report(), INCIDENT, WHEN).reproduced


@pytest.mark.parametrize(
    ("report", "layer", "words"),
    [
        (_report("near"), "retrieval", "diverged at near: id 7 is missing"),
        (_report("who"), "rows", "diverged at who: id 7 is missing"),
        (_report("asked"), "answer", "diverged at asked: id 7 is missing"),
        (_report(changed=("main.t: 1 rows", "main.u")), "state", "diverged at main.t: 1 rows, and 1 more"),
        (_report(played=Played(3, 3, 2, unmatched=(MISSED,), unplayed=("c",))), "context",
         "diverged at c: model (recorded 'm-1', asked 'm-2'), and 1 more"),
        (_report(played=Played(3, 2, 2, unplayed=("t",))), "tools", "diverged at t, which was not asked"),
        (_report(played=Played(3, 2, 2, unplayed=("e",))), "retrieval", "diverged at e, which was not asked"),
        (_report(played=Played(3, 4, 3, unmatched=({**MISSED, "outcome": "surplus"},))), "context",
         "diverged at c, asked more often than it was recorded"),
        (_report(played=Played(3, 4, 3, unmatched=({"operation": "http GET /y", "exchange": None},))), "tools",
         "diverged at a call that nothing recorded comes near: http GET /y"),
        (_report(played=Played(3, why_not="no step asks")), "context", "cannot tell: nothing was played: no step asks"),
        (_report(played=None), "tools", "cannot tell: the bundle holds no exchanges with models and tools"),
        (_report(evidence={"api": Counters(oom_kills=1)}, limits={"api": {"memory": 1}}), "resources",
         "diverged at api: killed for memory"),
        (_report(limits={"api": {"memory": 1}}), "resources", "match"),
    ],
)  # fmt: skip
def test_the_layer_where_it_differs_says_where(report: ReplayReport, layer: str, words: str) -> None:
    assert _words(report)[layer] == words
    assert layer in explain(judged(report, INCIDENT, WHEN)) or "diverged" not in words


def test_a_call_that_nothing_answers_is_no_reproduction() -> None:
    assert not judged(_report(played=Played(3, 4, 3, unmatched=(MISSED,))), INCIDENT, WHEN).reproduced
    assert judged(_report(played=Played(3, why_not="not declared")), INCIDENT, WHEN).reproduced


def test_a_copy_of_another_time_is_named_when_what_it_holds_differs() -> None:
    words = _words(_report("near"), WHEN + dt.timedelta(hours=5))["state"]
    assert words.startswith("cannot tell: copied 5 h after it happened")


def test_what_some_runs_give_and_others_do_not_is_noise() -> None:
    good, bad = (judged(one, INCIDENT, WHEN) for one in (_report(), _report("near")))
    made = within_noise([good, bad, good])
    layers = {one.layer: one for one in made.layers}
    assert (made.runs, made.reproduced_runs, made.reproduced) == (3, 2, False)
    assert layers["retrieval"].words == "within noise: 2 of 3 runs match, others differ at near: id 7 is missing"
    assert layers["answer"].verdict == "match"
    assert "2 of 3 runs gave what production gave" in explain(made)
    other = replace(
        bad, layers=tuple(replace(one, why="elsewhere") if one.layer == "retrieval" else one for one in bad.layers)
    )
    apart = {one.layer: one for one in within_noise([bad, other]).layers}["retrieval"]
    assert apart.verdict == "diverged" and "2 runs differ among themselves" in apart.why
    assert within_noise([bad]) == bad
    assert within_noise([good, bad], ["a: 1 of 1 runs", "b: 0 of 1 runs"]).notes[-1] == "b: 0 of 1 runs"


def test_the_report_says_what_was_asked_and_what_left() -> None:
    text = explain(judged(_report(), INCIDENT, WHEN))
    assert "3 of 3 recorded calls asked again, 0 unmatched" in text and "0 packets out" in text
    out = Played(3, 3, 3, egress=Egress(("eth0",), 4, 2, 99, 1, 1))
    said = explain(judged(_report(played=out), INCIDENT, WHEN))
    assert "4 packets out, 2 connections through the gate (99 bytes); 2 attempts failed" in said
    refused = explain(judged(_report(played=Played(3, 0, 0, refused=("https://m: unknown ca",))), INCIDENT, WHEN))
    assert "came to no call: https://m: unknown ca" in refused
    assert "not played: no step asks" in explain(
        judged(_report(played=Played(3, why_not="no step asks")), INCIDENT, WHEN)
    )
