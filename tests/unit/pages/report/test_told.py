"""What a bundle tells, as values of its page."""

from __future__ import annotations

from typing import Any

from envclone.incidents.bundle import COMPUTED, Expected, Incident
from envclone.pages.report import told
from envclone.pages.report.compared import causes
from envclone.pages.report.values import Answer, Hit, Point, Retrieval, Sweep

QUERY: dict[str, Any] = {
    "id": "q", "kind": "sql", "store": "main", "role": "app", "sql": "SELECT id, d, t FROM c ORDER BY d",
    "parameters": {"v": [0.5] * 64}, "score": "d", "key": "id", "settings": {"hnsw.ef_search": 40},
    "expect": {"columns": ["id", "d", "t"], "rows": [[7, 0.0625, "a"], [9, 0.5, None]]},
}  # fmt: skip
SEARCH: dict[str, Any] = {
    "id": "s", "kind": "vector", "store": "kb", "collection": "articles", "vector": [0.1] * 64,
    "params": {"hnsw_ef": 8},
    "expect": {"columns": ["payload"], "ids": [3], "scores": [0.25], "rows": [[{"a": {"b": "x"}, "c": [1, 2]}]]},
}  # fmt: skip
HTTP: dict[str, Any] = {
    "id": "h", "kind": "http", "service": "web", "path": "/ask",
    "expect": {"columns": ["status", "body"], "rows": [[502, {"error": "bad"}]]},
}  # fmt: skip


def _incident(steps: list[dict[str, Any]], **more: Any) -> Incident:
    return Incident.model_validate({"incident": "1", "environment": "prod", "steps": steps, **more})


def test_answers_are_named_by_their_key_and_scored() -> None:
    query, search, http = _incident([QUERY, SEARCH, HTTP]).steps
    assert query.expect and search.expect and http.expect
    assert told.answer(query, query.expect).hits == (Hit("7", "0.0625", "t: a"), Hit("9", "0.5", "t: null"))
    assert told.answer(search, search.expect).hits == (Hit("3", "0.25", "a.b: x; c: [1, 2]"),)
    assert told.answer(http, http.expect).hits == (Hit("status 502", "", '{"error": "bad"}'),)
    assert told.answer(query, Expected(error="22012 division by zero")) == Answer(error="22012 division by zero")
    assert told.answer(query, Expected(ids=("a", "b"))).hits == (Hit("a"), Hit("b"))
    left_out = Expected(columns=("id", "t"), rows=((1, COMPUTED),))
    assert told.answer(query, left_out).hits == (Hit("1", "", "t: (left out)"),)
    assert len(told.answer(query, Expected(ids=tuple(range(9999)))).hits) == told.HITS


def test_what_was_asked_is_shown_with_vectors_shortened() -> None:
    query, search, http = _incident([QUERY, SEARCH, HTTP]).steps
    assert told.query(query).endswith('-- parameters: {"v": [0.5, 0.5, 0.5, "… 64 numbers"]}')
    assert 'vector: [0.1, 0.1, 0.1, "… 64 numbers"]' in told.query(search) and "expect" not in told.query(search)
    assert told.settings(query) == (("hnsw.ef_search", "40"),) and told.settings(search) == (("hnsw_ef", "8"),)
    assert [told.title(one) for one in (query, search, http)] == [
        "SQL on main as app", "search in articles of kb", "GET /ask of web",
    ]  # fmt: skip


def test_what_happened_is_told_by_calls_and_steps() -> None:
    calls = [
        {"id": "a", "kind": "request", "input": "where is it?", "began": "2026-05-01T10:00:00Z", "seconds": 3.0},
        {"id": "b", "kind": "tool", "name": "find", "parent": "a", "error": "timeout", "began": "2026-05-01T10:00:01Z"},
        {"id": "c", "kind": "llm", "parent": "b", "output": {"text": "no idea"}, "finish": ["length"]},
    ]
    incident = _incident([QUERY, HTTP], calls=calls, origin={"dialect": "otlp"})
    assert told.asked(incident) == "where is it?"
    assert list(told.happened(incident)) == [
        "tool find failed: timeout", 'answered (length): {"text": "no idea"}', "q: 2 results", "h: status 502",
    ]  # fmt: skip
    line = told.timeline(incident, {"q": 0.5, "h": 0.25})
    assert [(one.name, one.began, one.seconds, one.depth) for one in line.calls] == [
        ("a", 0.0, 3.0, 0), ("find", 1.0, None, 1), ("c", None, None, 2),
    ]  # fmt: skip
    assert [(one.name, one.began, one.seconds) for one in line.steps] == [("q", 0.0, 0.5), ("h", 0.5, 0.25)]
    assert line.dialect == "otlp" and not line.left_out
    missing, variables = told.missing(incident)
    assert "seed" in [one.name for one in missing] and len(missing) < variables


def test_exchanges_stand_in_for_calls() -> None:
    exchange = {
        "id": "x",
        "kind": "llm",
        "url": "https://models.example/v1",
        "answer": "no",
        "status": 500,
        "seconds": 2,
    }
    incident = _incident([QUERY], version=2, exchanges=[exchange])
    (one,) = told.timeline(incident, {}).calls
    assert (one.kind, one.name, one.seconds) == ("llm", "POST https://models.example/v1", 2.0)
    assert ("output", "no") in one.about and ("finish", "status 500") in one.about


def test_what_was_left_out_is_called_so() -> None:
    calls = [{"id": "a", "kind": "tool", "name": "find", "error": COMPUTED}]
    incident = _incident([], calls=calls)
    assert list(told.happened(incident)) == ["tool find failed: (left out)"]
    assert told.timeline(incident, {}).calls[0].error == "(left out)"


def test_a_ring_of_parents_and_too_many_calls_end() -> None:
    ring = [{"id": "a", "kind": "other", "parent": "b"}, {"id": "b", "kind": "other", "parent": "a"}]
    many = [{"id": str(number), "kind": "other", "parent": str(number - 1)} for number in range(1000)]
    line = told.timeline(_incident([], calls=[*ring, *many]), {})
    assert len(line.calls) == told.CALLS and line.left_out == 1002 - told.CALLS
    assert max(one.depth for one in line.calls) <= 64


def test_an_index_that_gives_nothing_of_the_nearest_is_the_cause() -> None:
    def step(found: tuple[str, ...], exact: tuple[str, ...] | None) -> Retrieval:
        sides = [None if ids is None else Answer(tuple(Hit(one, "0.5") for one in ids)) for ids in (found, exact)]
        return Retrieval("s", "", "", sides[0] or Answer(), Answer(), sides[1])

    none, some, all_of_them = step(("1",), ("8", "9")), step(("1", "9"), ("8", "9")), step(("8", "9"), ("8", "9"))
    assert [(one.layer, one.certain) for one in causes([some, none])] == [("index", True), ("index", False)]
    assert (
        "none of the 2 nearest" in causes([none])[0].says and "8 at place 1 (0.5)" in causes([none])[0].evidence[0].says
    )
    (wanted,) = causes([some], ["8"])
    assert wanted.certain and "does not give 8" in wanted.says
    found = Sweep("s", "ef", (Point("9", 0.0), Point("40", 0.0, None, True), Point("80", 0.5, 2)), wanted="8")
    lost = Sweep("s", "ef", (Point("40", 0.0, None, True), Point("80", 0.5)), wanted="8")
    open_ended = Sweep("s", "ef", (Point("40", 0.25, None, True), Point("80", 0.5)))
    said = [causes([some], ["8"], [one])[0].evidence[1].says for one in (found, lost, open_ended)]
    assert said == [
        "s: 8 is not found at ef 40, at 80 it is at place 2", "s: 8 is not found at ef 40, nor at any above",
        "s: ef 40 gives 25% of the exact search's results, 80 50%",
    ]  # fmt: skip
    assert not causes([some], ["9"])[0].certain, "it is there"
    assert causes([all_of_them, step(("1",), None), step(("1",), ())]) == ()
