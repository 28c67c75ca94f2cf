"""How prompts are put together and asked again, as a trace tells it: windows, tools, headings, second tries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envclone.diagnosis.diagnose import diagnose
from tests.unit.diagnosis.fakes import Line, case
from tests.unit.diagnosis.test_talk import SCHEMA, TEXTS, _cause, _llm, _retrieved

GOOD, BAD = json.dumps({"urgency": "low", "text": "it"}), '{"urgency": "low"}'
FORM = {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}
OVER = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9113 tokens."


def test_an_answer_that_was_asked_for_again_is_not_judged() -> None:
    tries = [
        _llm("\n".join(TEXTS), said, id=f"l{n}", settings={**FORM, "temperature": n})
        for n, said in enumerate((BAD, GOOD))
    ]
    assert _cause(*tries) is None
    assert _cause(*reversed(tries)) == "invalid_format"
    first = diagnose(case(Line({"1": 1.0}), "1", calls=list(reversed(tries)))).first
    assert first is not None and "temperature 1 then 0" in first.evidence


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Context: None\n\nQuestion: what now?", "variable_empty"),
        ("<documents>\n</documents>\nBe brief.", "variable_empty"),
        ("## Sources:\n\n## Task:\nBe brief.", "variable_empty"),
        ("Notes:\n\nTask: be brief.", None),
        (f"Context: {TEXTS[0]}\n\nSources:\n\nTask: be brief.", None),
    ],
)
def test_a_heading_with_nothing_under_it(said: str, cause: str | None) -> None:
    assert _cause(_retrieved(*TEXTS), _llm(said, "I do not know.")) == cause


def test_what_is_longer_than_the_window() -> None:
    refused = _llm("\n".join(TEXTS), None, id="first", error=OVER, finish=[])
    assert _cause(refused) == "window_exceeded"
    assert _cause(refused, _llm("\n".join(TEXTS), "Orders are sent a day later.")) is None
    long = "\n".join(TEXTS * 20)
    assert _cause(_llm(long, "Yes.", usage={"prompt_tokens": 300})) == "window_exceeded"
    assert _cause(_llm(long, "Yes.", usage={"prompt_tokens": 2000})) is None
    assert _cause(_llm(long, "Yes.", usage={"input_tokens": 9, "cache_read_input_tokens": 2000})) is None
    assert _cause(_llm(f"data:image/png;base64,{long}", "Yes.", usage={"prompt_tokens": 300})) is None


def _tool(output: Any, **given: Any) -> dict[str, Any]:
    return {"id": "t", "kind": "tool", "name": "find", "input": {"q": 1}, "output": output, **given}


def test_what_tools_gave_back() -> None:
    answer = _llm("Be brief.", "I do not know.")
    assert _cause(_tool(None, error="KeyError: 'order'"), answer) == "tool_failed"
    assert _cause(_tool({"error": "permission denied"}), answer) == "tool_failed"
    assert _cause(_tool({"error": "permission denied"}), _tool({"state": "sent"}, id="u"), answer) is None
    assert _cause(_tool({"results": [], "total": 3}), answer) is None


def test_what_tools_gave_back_in_messages() -> None:
    asked = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "find", "arguments": "{}"}}]}
    for content, cause in (("Error: no such order", "tool_failed"), ('{"n": 1}', None)):
        messages = [{"role": "user", "content": "x"}, asked, {"role": "tool", "tool_call_id": "a", "content": content}]
        assert _cause(_llm("", "I do not know.", input=messages)) == cause
    used = {"role": "assistant", "content": [{"type": "tool_use", "id": "b", "name": "find", "input": {}}]}
    block = {"type": "tool_result", "tool_use_id": "b", "content": "it broke", "is_error": True}
    assert _cause(_llm("", "Sorry.", input=[used, {"role": "user", "content": [block]}])) == "tool_failed"


NOTHING: list[Any] = [
    [], {"results": [], "total": 0}, "No results found.", "[]", {"query": "parcel", "results": [], "took_ms": 4},
    {"hits": {"total": 0, "hits": []}, "status": "ok"}, "No matching documents were found for your query.",
    "I couldn't find any information about that.", [{"type": "text", "text": '{"documents": []}'}], "0 results",
    {"content": [{"type": "text", "text": "No documents found"}], "isError": False}, "Nothing found",
]  # fmt: skip
SOMETHING: list[Any] = [
    {"query": "parcel", "results": [{"id": 1}]},
    "There is no charge for a return.",
    {"found": 2, "items": []},
    "No, the parcel arrives on Monday.",
    {"answer": "It is open.", "sources": []},
    {"rows": [], "count": 3},
]


@pytest.mark.parametrize("something", SOMETHING)
def test_a_tool_that_gave_something(something: Any) -> None:
    fields = {str(n): {"body": text} for n, text in enumerate(TEXTS, 1)}
    line = Line({str(n): float(n) for n in range(1, 7)}, limit=6, fields=fields)
    assert diagnose(case(line, calls=(_tool(something), _llm("Be brief.", "I do not know.")))).first is None


@pytest.mark.parametrize("nothing", NOTHING)
def test_a_tool_that_gave_nothing_of_what_its_search_found(nothing: Any) -> None:
    fields = {str(n): {"body": text} for n, text in enumerate(TEXTS, 1)}
    line = Line({str(n): float(n) for n in range(1, 7)}, limit=6, fields=fields)

    def cause(*calls: dict[str, Any]) -> str | None:
        first = diagnose(case(line, calls=calls)).first
        return first.cause if first else None

    assert cause(_tool(nothing), _llm("Be brief.", "I do not know.")) == "tool_result_empty"
    assert cause(_tool(nothing), _llm("\n".join(TEXTS), "I do not know.")) is None
    assert cause(_tool(nothing), _tool([{"id": 1}], id="u"), _llm("Be brief.", "I do not know.")) is None


def test_what_a_filter_kept_back() -> None:
    for why in ("content_filter", "SAFETY", "refusal", "guardrail_intervened"):
        assert _cause(_llm("\n".join(TEXTS), "", finish=[why])) == "answer_blocked"
