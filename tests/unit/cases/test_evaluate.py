"""What an answer has to be: each kind of expectation holds and fails where it should, and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from envclone.cases.case import Case, texts_of
from envclone.cases.evaluate import Tools, unmet
from envclone.cases.expect import expectations
from envclone.errors import UsageError
from envclone.incidents.bundle import Expected, HttpStep, Incident, SqlStep, VectorStep
from envclone.models import StepResult

ANSWER = {"answer": "Refunds take 14 days.", "sources": [{"id": 3}, {"id": 5}], "urgency": "high"}
BUNDLE = Incident(
    incident="1", environment="prod",
    steps=(
        SqlStep(id="rows", store="main", sql="SELECT id, name FROM t", key="id"),
        SqlStep(id="sorted", store="main", sql="SELECT id FROM t ORDER BY id", key="id"),
        VectorStep(id="search", store="kb", collection="c", vector=[1.0]),
        SqlStep(id="fails", store="main", sql="SELECT 1 / 0"),
        HttpStep(id="ask", store="api", path="/ask", expect=Expected(columns=("status", "body"), rows=((200, "no"),))),
    ),
)  # fmt: skip
RESULTS: Mapping[str, StepResult] = {
    "rows": StepResult(("id", "name"), ("", ""), ((2, "b"), (1, "a")), seconds=0.25),
    "sorted": StepResult(("id",), ("",), ((1,), (2,))),
    "search": StepResult(("payload",), ("",), (({"t": "x"},),) * 4, (7, 8, 9, "u"), (0.9, 0.8, 0.7, 0.6)),
    "fails": StepResult(error="22012 division by zero"),
    "ask": StepResult(("status", "body"), ("", ""), ((200, ANSWER),), seconds=0.5),
}


def _vector(program: str, text: str) -> Sequence[float]:
    return [1.0, 0.0] if "Refund" in text else [0.0, 1.0] if program == "embed.py" else [1.0]


TOOLS = Tools(_vector, lambda hook, answer: answer["answer"].startswith("Refunds") and answer["recorded"] == "no")


def _said(word: str) -> str | None:
    (one,), _ = expectations([word], Path())
    return unmet(one, BUNDLE, RESULTS, TOOLS)


@pytest.mark.parametrize(
    "word",
    [
        "search:top-2=8", "search:top-10=u,7", "search:ids=7,8,9,u", "rows:ids=2,1",
        'rows:rows=[[1, "a"], [2, "b"]]',
        "sorted:rows=[[1], [2]]", "contains=14 days", "lacks=30 days", "regex=take \\d+ days", "seconds=0.75",
        "ask:seconds=0.5", "{kind: judge, at: $.answer, hook: 'hooks/j.py:right'}",
        "fails:contains=22012", "search:contains=\"t\"",
        "{kind: contains, at: $.answer, text: Refunds}", "{kind: lacks, at: $.urgency, text: low}",
        "{kind: regex, at: '$.sources[*].id', pattern: '^3\\n5$'}", "{kind: regex, at: $..id, pattern: '5'}",
        "{kind: similar, at: $.answer, text: Refunds come back, program: embed.py}",
    ],
)  # fmt: skip
def test_what_holds(word: str) -> None:
    assert _said(word) is None


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("search:top-2=9,8,4", "search: of the first 2, 9 is #3, 4 is not among them"),
        ("search:ids=7,8", "search: the ids are 7, 8, 9, u, and 7, 8 are wanted"),
        ("search:ids=7,8,9,10", "search: the ids are 7, 8, 9, u, and 7, 8, 9, 10 are wanted"),
        ("sorted:rows=[[2], [1]]", "sorted: row 1 is not the one that is wanted"),
        ("rows:rows=[[1, \"a\"]]", "rows: 2 rows, and 1 are wanted"),
        ("fails:ids=1", "fails failed: 22012 division by zero"),
        ("seconds=0.7", "all steps took 0.750 s, and at most 0.7 s are wanted"),
        ("lacks=14 days", "ask: contains '14 days'"),
        ("{kind: contains, at: $.answer, text: 30 days}",
         "ask at $.answer: does not contain '30 days': 'Refunds take 14 days.'"),
        ("{kind: regex, at: $.no, pattern: x}", "ask: there is nothing at $.no"),
        ("{kind: similar, at: $.urgency, text: Refunds, program: embed.py}",
         "ask at $.urgency: the similarity is 0.000, and 0.8 is wanted: 'high'"),
        ("judge=hooks/j.py:right", "ask: hooks/j.py:right says no"),
    ],
)  # fmt: skip
def test_what_does_not(word: str, why: str) -> None:
    assert _said(word) == why


def test_a_schema() -> None:
    good = {"type": "object", "required": ["answer"], "properties": {"urgency": {"enum": ["low", "high"]}}}
    assert _said(f"schema={_json(good)}") is None
    wrong = {"type": "object", "properties": {"urgency": {"enum": ["low"]}}}
    assert _said(f"schema={_json(wrong)}") == "ask: $.urgency \"'high' is not one of ['low']\""
    assert _said(f"schema={_json({'required': ['priority']})}") == "ask: $ \"'priority' is a required property\""
    text = _said("{kind: schema, at: $.answer, json_schema: {type: object}}")
    assert text is not None and text.startswith("ask at $.answer: is not JSON")
    fetched = _said(f"schema={_json({'$ref': 'https://schemas.example/answer.json'})}")
    assert fetched == "ask: the schema refers to https://schemas.example/answer.json, which is not in it: " + (
        "nothing is fetched"
    )


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


@pytest.mark.parametrize(
    "word",
    [
        "nonsense", "ids", "contains=", "regex=(", "{kind: regex, pattern: '(?=x)'}", "[1, 2]", "schema={", "@missing",
        "judge=../../etc/x.py:f", "judge=/x.py:f", "{kind: similar, text: a, program: /bin/sh}", "{kind: what}",
        "{kind: contains, text: a, at: answer}", "{kind: ids, ids: [1], top: 0}", "seconds=-1", "seconds=nan",
        "{kind: similar, text: a, program: 'x/../../y'}", "{kind: ids, ids: [1], extra: 1}",
    ],
)  # fmt: skip
def test_what_cannot_be_meant(word: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        expectations([word], tmp_path)


def test_a_step_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="has no step 'none'; it has: rows"):
        _said("none:ids=1")


def test_a_file_of_several(tmp_path: Path) -> None:
    (tmp_path / "fixed.yaml").write_text("- {kind: contains, text: a}\n- {kind: latency, seconds: 2}\n")
    found, failing = expectations(["@fixed.yaml", "reproduces", "rows:ids=1"], tmp_path)
    assert ([one.kind for one in found], failing) == (["contains", "latency", "ids"], True)


def test_texts_that_may_name_somebody() -> None:
    found, _ = expectations(
        ["contains=Jane", "{kind: schema, json_schema: {enum: [Ruth]}}", "ids=jo@x.example",
         'rows=[[1, {"a": "Max"}]]',
         "judge=hooks/j.py:f", "{kind: similar, text: Zoë, program: e.py, at: $.a}"], Path(),
    )  # fmt: skip
    assert {"Jane", "Ruth", "Max", "jo@x.example", "Zoë"} <= set(texts_of(found))
    assert not {"hooks/j.py:f", "e.py", "$.a", "contains"} & set(texts_of(found))


def test_a_case_that_has_to_be_fixed_says_what_that_means() -> None:
    pinned = {"at": "2026-01-01T00:00:00Z", "image": "i", "attestation": "a", "key": "k", "rules": "r",
              "state_of": "2026-01-01T00:00:00Z"}  # fmt: skip
    assert Case(case="1", environment="prod", wants="failing", pinned=pinned).fixed == ()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="what that means"):
        Case(case="1", environment="prod", pinned=pinned)  # type: ignore[arg-type]
