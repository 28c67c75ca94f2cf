"""What a trace tells of prompts, tools, forms and answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from envclone.diagnosis.claims import claims
from envclone.diagnosis.diagnose import diagnose
from envclone.diagnosis.infrastructure import Infrastructure
from envclone.diagnosis.schema import misfits
from envclone.incidents.exchanges import Exchange
from envclone.incidents.verdicts import ReplayReport
from envclone.models import Counters
from tests.unit.diagnosis.fakes import Line, case

TEXTS = [
    "returns are taken for thirty days after a parcel came, by every shop of ours",
    "shipping abroad takes a week, and is paid by the customer before it leaves",
    "gift cards are not paid out in cash, but can be used in all our shops",
    "the warehouse is closed on public holidays, orders are sent a day later then",
    "an account is deleted on request, with all addresses that are kept in it",
    "invoices are sent by mail, a copy of each stands in the account for a year",
]
SCHEMA = {
    "type": "object",
    "properties": {"urgency": {"enum": ["low", "high"]}, "text": {"type": "string"}},
    "required": ["urgency", "text"],
}
TOOL = {"name": "find", "input_schema": {"type": "object", "properties": {"order": {"type": "integer"}},
                                         "required": ["order"]}}  # fmt: skip


def _llm(said: str, answer: Any, **given: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": said}, {"role": "user", "content": "what now?"}]
    return {"id": "l", "kind": "llm", "name": "chat", "input": messages, "output": answer, "finish": ["stop"], **given}


def _retrieved(*texts: str) -> dict[str, Any]:
    return {"id": "r", "kind": "retrieval", "documents": [{"id": n + 1, "text": one} for n, one in enumerate(texts)]}


def _cause(*calls: dict[str, Any], expected: str = "1") -> str | None:
    line = Line({str(n): float(n) for n in range(1, 7)}, limit=6)
    first = diagnose(case(line, expected, calls=calls)).first
    return first.cause if first else None


def test_a_whole_prompt_and_an_answer_of_it_accuse_nobody() -> None:
    calls = (_retrieved(*TEXTS), _llm("\n".join(TEXTS), "Orders are sent a day later, on holidays."))
    assert _cause(*calls, expected="4") is None


def test_a_template_that_got_nothing_for_what_was_there() -> None:
    found = _retrieved(*TEXTS)
    empty = {
        "template": "Use: {context}\n{question}",
        "variables": json.dumps({"context": " ", "question": "what now?"}),
    }
    assert _cause(found, _llm("Use:", "I do not know.", prompt=empty)) == "variable_empty"
    assert _cause(found, _llm("Use: {{ context }}", "I do not know.")) == "variable_empty"
    assert _cause(found, _llm("Use: {retrieved_docs}", "I do not know.")) == "variable_empty"
    whole = "\n".join(TEXTS)
    for prompt in (
        {"variables": {"context": whole, "question": "what now?", "history": ""}},
        {"variables": {"context": whole, "language": None}},
        {"template": "{context}"},
    ):
        assert (
            _cause(found, _llm(f'{whole} answer as {{"text": …}} to {{name}}', "I do not know.", prompt=prompt)) is None
        )
    about = [*TEXTS[:5], "a template has a place, {context}, that is filled with what was found for the question asked"]
    assert _cause(_retrieved(*about), _llm("\n".join(about), "I do not know.")) is None, "a document says so"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("Returns are taken for thirty days [doc-1].", None),
        ("Returns are taken for thirty days [1], [2].", None),
        ("Returns are taken for thirty days [doc-9].", "ungrounded"),
        ("Returns are taken for thirty days [source: doc-1; doc-8].", "ungrounded"),
        ("Returns are taken for thirty days 【doc-7†source】.", "ungrounded"),
        ("Returns are taken [as every year] for thirty days [doc-2](https://shop.example/doc-8).", "ungrounded"),
        ("Returns are taken [sic] for thirty days.", None),
    ],
)
def test_a_citation_of_what_was_not_given(answer: str, cause: str | None) -> None:
    documents = [{"id": f"doc-{n}", "text": one} for n, one in enumerate(TEXTS, 1)]
    calls = ({"id": "r", "kind": "retrieval", "documents": documents}, _llm("\n".join(TEXTS), answer))
    assert _cause(*calls) == cause


def test_cut_at_the_end_of_the_prompt() -> None:
    calls = (_retrieved(*TEXTS), _llm("\n".join(TEXTS)[:280], "I do not know."))
    assert _cause(*calls, expected="5") == "cut_off"
    assert _cause(*calls, expected="1") is None, "what is in the prompt was not cut off"


def test_a_name_that_is_another_in_the_prompt_is_not_cut_off() -> None:
    """What is masked by what stands around it can be masked in one text and not in the other."""
    fifth = "Refunds are paid back by Jane Doe of the Lisbon office within nine days"
    others = [f"[{number}] {text}" for number, text in enumerate(TEXTS[:4], 1)]
    for said in (fifth, fifth.replace("Jane Doe", "Tara Put"), fifth.replace("Lisbon office within nine days", "Porto"),
                 "Nina " + fifth.replace("Refunds", "").strip()):  # fmt: skip
        prompt = "\n\n".join([*others, f"[5] {said}"])
        cause = _cause(_retrieved(*TEXTS[:4], fifth), _llm(prompt, "I do not know."), expected="5")
        assert cause == ("cut_off" if "Porto" in said else None), said
    lines = " ".join([*others[:2], f"[5] {fifth[:40]}", *others[2:]])
    assert _cause(_retrieved(*TEXTS[:4], fifth), _llm(lines, "I do not know."), expected="5") == "cut_off"


def test_lost_in_the_middle() -> None:
    calls = (_retrieved(*TEXTS), _llm("\n".join(TEXTS), "Returns are taken by every shop."))
    assert _cause(*calls, expected="4") == "lost_in_the_middle"
    assert _cause(*calls, expected="1") is None


def test_tools() -> None:
    def used(arguments: Any) -> dict[str, Any]:
        asked = [{"role": "assistant", "content": [{"type": "tool_use", "name": "find", "input": arguments}]}]
        return _llm("find it", asked, tools=[TOOL])

    assert _cause(used({"order": 7})) is None
    assert _cause(used({"order": "seven"})) == "tool_arguments"
    assert _cause(used({})) == "tool_arguments"
    again = [{"id": f"t{n}", "kind": "tool", "name": "find", "input": {"order": 7}, "output": "-"} for n in range(3)]
    assert _cause(*again) == "tool_loop"
    assert _cause(*again[:2]) is None


@pytest.mark.parametrize(
    ("answer", "finish", "cause"),
    [
        ({"urgency": "low", "text": "x"}, "stop", None),
        ({"priority": "low", "text": "x"}, "stop", "field_renamed"),
        ({"urgency": "soon", "text": "x"}, "stop", "invalid_format"),
        ("Sure: {}", "stop", "invalid_format"),
        ('{"urgency": "lo', "length", "answer_cut"),
    ],
)
def test_forms(answer: Any, finish: str, cause: str | None) -> None:
    settings = {"response_format": {"json_schema": {"schema": SCHEMA}}}
    said = answer if isinstance(answer, str) else json.dumps(answer)
    assert _cause(_llm("say it", said, settings=settings, finish=[finish])) == cause


def test_grounding() -> None:
    given = _retrieved("Returns are taken for 30 days by Marlow Trading, for 12.50 € each.")
    assert _cause(given, _llm("read", "You have 30 days, and Marlow Trading takes 12,50 €.")) is None
    assert _cause(given, _llm("read", "You have 45 days.")) == "ungrounded"
    assert _cause(given, _llm("read", "It is handled by Quenzel Logistics.")) == "ungrounded"
    assert claims("1. First. See A-17 or https://x.example/y.") == ("https://x.example/y", "A-17")


def test_a_judge_s_word_counts_instead() -> None:
    given = (_retrieved("Returns are taken for 30 days."), _llm("read", "You have 45 days."))
    line = Line({"1": 1.0})
    asked: list[Any] = []

    def judge(what: Any) -> list[str]:
        asked.append(what)
        return []

    assert diagnose(case(line, "1", calls=given, judge=judge)).first is None
    assert asked[0]["answer"] == "You have 45 days." and "30 days" in asked[0]["documents"]
    found = diagnose(case(line, "1", calls=given, judge=lambda what: ["45 days"])).first
    assert found is not None and found.cause == "ungrounded" and "judge" in found.evidence


def test_misfits_are_words() -> None:
    schema = {"$defs": {"n": {"type": "integer", "minimum": 3}}, "properties": {"a": {"$ref": "#/$defs/n"}},
              "additionalProperties": False}  # fmt: skip
    assert misfits({"a": 4}, schema) == ()
    assert [one.text for one in misfits({"a": 1, "b": 2}, schema)] == ["$.a is less than minimum 3", "$.b is not known"]
    assert misfits(True, {"type": "integer"})[0].rule == "type"
    assert misfits("x", {"anyOf": [{"type": "null"}, {"const": "y"}]})[0].rule == "anyOf"


def test_counters_of_the_machine() -> None:
    line = Line({"1": 1.0})
    seen = {"main": Counters(oom_kills=2), "api": Counters(throttled_seconds=5.0)}
    report = ReplayReport("7", "prod", False, (), seconds=8.0, evidence=seen, limits={"main": {"memory": 1 << 20}})
    found = list(Infrastructure().test(case(line, "1", replayed=report)))
    assert [one.cause for one in found] == ["throttled", "out_of_memory"]


def test_a_cassette_tells_the_same() -> None:
    line = Line({str(n): float(n) for n in range(1, 7)}, limit=6, fields={str(n): {"body": t} for n, t in
                enumerate(TEXTS, 1)})  # fmt: skip
    messages = [{"role": "system", "content": "\n".join(TEXTS[:3])}, {"role": "user", "content": "and now?"}]
    tool = {"type": "function", "function": {"name": "find", "parameters": TOOL["input_schema"]}}
    body = {"messages": messages, "tools": [tool]}
    message = {"role": "assistant", "content": "I do not know.", "tool_calls": [
        {"function": {"name": "find", "arguments": '{"order": "x"}'}}]}  # fmt: skip
    answer = {"choices": [{"message": message, "finish_reason": "length"}]}
    one = case(line, "5")
    exchange = Exchange(id="e", kind="llm", url="https://api.example/v1/chat", body=body, answer=answer)
    found = diagnose(replace(one, incident=one.incident.model_copy(update={"exchanges": (exchange,)})))
    assert [finding.cause for finding in found.findings] == ["cut_off", "tool_arguments", "answer_cut"]


def _exchanged(url: str, body: Any, **given: Any) -> str | None:
    one = Exchange.model_validate({"id": "x", "kind": "llm", "url": url, "body": body, **given})
    made = case(Line({"1": 1.0}))
    first = diagnose(replace(made, incident=made.incident.model_copy(update={"exchanges": (one,)}))).first
    return first.cause if first else None


def test_every_form_of_an_answer_that_ended_too_early() -> None:
    asked = {"messages": [{"role": "user", "content": "say it"}]}
    openai = "https://models.example/v1/chat/completions"
    for wrong, right, url, form in (
        ("MAX_TOKENS", "STOP", "https://g.example/v1/models/g:generateContent", lambda why: {"answer": {"candidates": [
            {"content": {"parts": [{"text": "it is"}]}, "finishReason": why}]}}),
        ("length", "stop", "http://127.0.0.1:11434/api/chat", lambda why: {"answer": {
            "message": {"role": "assistant", "content": "it is"}, "done_reason": why}}),
        ("max_output_tokens", "", "https://models.example/v1/responses", lambda why: {"answer": {
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "it is"}]}],
            "incomplete_details": {"reason": why} if why else None}}),
        ("length", "stop", openai, lambda why: {"answer_encoding": "text", "chunks": [
            {"data": 'data: {"choices": [{"delta": {"content": "it "}}]}\n'},
            {"data": f'\ndata: {{"choices": [{{"delta": {{"content": "is"}}, "finish_reason": "{why}"}}]}}\n\n'},
            {"data": "data: [DONE]\n\n"}]}),
    ):  # fmt: skip
        assert _exchanged(url, asked, **form(wrong)) == "answer_cut", url
        assert _exchanged(url, asked, **form(right)) is None, url


def test_a_stream_s_tool_call_is_read_as_one() -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": TOOL["input_schema"]}}
    pieces = [{"index": 0, "function": {"name": "find", "arguments": ""}}, {"index": 0, "function": {
        "arguments": '{"order": '}}, {"index": 0, "function": {"arguments": '"seven"}'}}]  # fmt: skip
    chunks = [{"data": f"data: {json.dumps({'choices': [{'delta': {'tool_calls': [one]}}]})}\n\n"} for one in pieces]
    body = {"messages": [{"role": "user", "content": "find it"}], "tools": [tool]}
    said = _exchanged("https://models.example/v1/chat/completions", body, answer_encoding="text", chunks=chunks)
    assert said == "tool_arguments"


def test_a_field_is_renamed_further_down() -> None:
    inner = {"type": "object", "properties": {"items": {"type": "array", "items": SCHEMA}}}
    settings = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": inner}}}
    good, other = {"urgency": "low", "text": "a"}, {"priority": "low", "text": "a"}
    assert _cause(_llm("p", json.dumps({"items": [good, other]}), settings=settings)) == "field_renamed"
    assert _cause(_llm("p", json.dumps({"items": [good, {"text": "a"}]}), settings=settings)) == "invalid_format"
    assert _cause(_llm("p", json.dumps({"items": [good]}), settings=settings)) is None
