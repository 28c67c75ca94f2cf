"""What stands in a provider's own request and answer is not said to be absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envclone.incidents.bundle import Incident, VectorStep
from envclone.incidents.completeness import completeness
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.incidents.traces.samples import otlp
from tests.unit.incidents.traces.test_shapes import calls_of


def har(url: str, asked: Any, answer: Any) -> dict[str, Any]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    request = {"method": "POST", "url": url, "headers": [], "postData": {"text": json.dumps(asked)}}
    entry = {"startedDateTime": "2026-05-01T10:00:00Z", "time": 5, "request": request,
             "response": {"status": 200, "content": {"text": text}}}  # fmt: skip
    return {"log": {"version": "1.2", "entries": [entry]}}


def stream(*events: dict[str, Any], named: bool = False) -> str:
    heads = (f"event: {one.get('type')}\n" if named else "" for one in events)
    return "".join(f"{head}data: {json.dumps(one)}\n\n" for head, one in zip(heads, events, strict=True))


OPENAI = har(
    "https://api.openai.com/v1/chat/completions",
    {"model": "m", "messages": [{"role": "system", "content": "S"}], "temperature": 0.5, "seed": 9, "max_tokens": 4,
     "tools": [{"type": "function"}]},
    stream({"model": "m-1", "choices": [{"delta": {"content": "In "}, "finish_reason": None}]},
           {"model": "m-1", "choices": [{"delta": {"content": "Bremen"}, "finish_reason": "length"}]},
           {"choices": [], "usage": {"total_tokens": 7}}) + "data: [DONE]\n\n",
)  # fmt: skip
ANTHROPIC = har(
    "https://api.anthropic.com/v1/messages",
    {"model": "m", "max_tokens": 4, "temperature": 0.5, "seed": 1, "system": "S", "messages": [],
     "tools": [{"name": 1}]},
    stream({"type": "message_start", "message": {"model": "m-1", "content": [], "usage": {"input_tokens": 5}}},
           {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "In Bremen"}},
           {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}},
           named=True),
)  # fmt: skip
GEMINI = har(
    "https://g.example/v1beta/models/m-1:generateContent",
    {"contents": [{"parts": [{"text": "U"}]}], "systemInstruction": {"parts": [{"text": "S"}]},
     "tools": [{"functionDeclarations": []}],
     "generationConfig": {"temperature": 0.5, "seed": 1, "maxOutputTokens": 4}},
    {"candidates": [{"content": {"parts": [{"text": "In Bremen"}]}, "finishReason": "MAX_TOKENS"}],
     "usageMetadata": {"totalTokenCount": 4}},
)  # fmt: skip
OLLAMA = har(
    "http://127.0.0.1:11434/api/chat",
    {"model": "m-1", "messages": [{"role": "system", "content": "S"}], "tools": [{"type": "function"}],
     "options": {"temperature": 0.5, "seed": 4, "num_predict": 4}},
    '{"model":"m-1","message":{"content":"In "}}\n'
    '{"model":"m-1","message":{"content":"Bremen"},"done":true,"done_reason":"length","eval_count":3}\n',
)  # fmt: skip
LANGSMITH = [{
    "id": "r", "run_type": "llm", "inputs": {"messages": [{"role": "system", "content": "S"}]}, "total_tokens": 9,
    "outputs": {"generations": [[{"text": "In Bremen", "generation_info": {"finish_reason": "length"}}]]},
    "extra": {"metadata": {"ls_provider": "p", "ls_model_name": "m-1"}, "invocation_params": {
        "temperature": 0.5, "seed": 1, "max_tokens": 4, "tools": [{"type": "function"}]}},
}]  # fmt: skip
MLFLOW = {
    "info": {"trace_id": "t", "trace_metadata": {"mlflow.trace.session": "c-1"},
             "tags": {"mlflow.source.git.commit": "a"}},
    "data": {"spans": [{"span_id": "1", "name": "n", "attributes": {
        "mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tools": '[{"type": "function"}]', "gen_ai.system": "p",
        "mlflow.spanInputs": json.dumps({"model": "m-1", "messages": [{"role": "system", "content": "S"}], "seed": 1,
                                         "temperature": 0.5, "max_tokens": 4}),
        "mlflow.spanOutputs": json.dumps({"choices": [{"finish_reason": "length"}], "usage": {"total_tokens": 7}})}}]},
}  # fmt: skip
DATADOG = {"data": {"attributes": {"ml_app": "a", "session_id": "c-1", "tags": ["version:1.2"], "spans": [{
    "span_id": "1", "name": "n", "metrics": {"input_tokens": 1}, "meta": {
        "kind": "llm", "model_name": "m-1", "model_provider": "p", "tool_definitions": [{"name": "f"}],
        "metadata": {"temperature": 0.5, "seed": 1, "max_tokens": 4},
        "input": {"messages": [{"role": "system", "content": "S"}], "prompt": {"id": "p", "version": "2"}},
        "output": {"messages": [{"role": "assistant", "content": "In Bremen", "finish_reason": "length"}]}}}]}}
}  # fmt: skip
OPENLLMETRY = otlp({"attributes": {
    "gen_ai.system": "p", "gen_ai.request.model": "m-1", "gen_ai.request.temperature": 0.5, "gen_ai.request.seed": 1,
    "gen_ai.request.max_tokens": 4, "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "S",
    "gen_ai.completion.0.content": "In Bremen", "gen_ai.completion.0.finish_reason": "length",
    "llm.request.functions.0.name": "f", "gen_ai.usage.prompt_tokens": 3}})  # fmt: skip
GENAI = otlp({"attributes": {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "p", "gen_ai.request.model": "m-1",
    "gen_ai.request.temperature": 0.5, "gen_ai.request.seed": 1, "gen_ai.request.max_tokens": 4,
    "gen_ai.system_instructions": '[{"type": "text", "content": "S"}]', "gen_ai.tool.definitions": '[{"name": "f"}]',
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "q"}]}]',
    "gen_ai.output.messages": '[{"role": "assistant", "parts": [], "finish_reason": "length"}]',
    "gen_ai.usage.input_tokens": 1}})  # fmt: skip
TOLD: dict[str, tuple[Any, str]] = {
    "OpenAI's stream in a HAR": (OPENAI, "length"), "Anthropic's stream": (ANTHROPIC, "max_tokens"),
    "Gemini's answer": (GEMINI, "MAX_TOKENS"), "Ollama's lines": (OLLAMA, "length"),
    "a run of LangSmith's": (LANGSMITH, "length"), "a span of MLflow's": (MLFLOW, "length"),
    "a span of Datadog's": (DATADOG, "length"), "OpenLLMetry": (OPENLLMETRY, "length"),
    "messages with a reason": (GENAI, "length"),
}  # fmt: skip
OF_A_MODEL = {"model", "provider", "temperature", "seed", "length limit", "messages", "answer", "system prompt",
              "tool definitions", "token counts", "finish reason"}  # fmt: skip


@pytest.mark.parametrize(("document", "finish"), TOLD.values(), ids=TOLD)
def test_what_a_body_says_is_not_unknown(tmp_path: Path, document: Any, finish: str) -> None:
    calls, origin = calls_of(tmp_path, document)
    told = completeness(Incident(incident="1", environment="p", calls=tuple(calls), origin=origin))
    assert not OF_A_MODEL & {one.name for one in told if not one.recorded}
    (call,) = calls
    assert call.model == "m-1" and call.finish == [finish] and call.usage and call.tools


@pytest.mark.parametrize("document", [OPENAI, ANTHROPIC, OLLAMA], ids=["OpenAI", "Anthropic", "Ollama"])
def test_a_stream_is_the_answer_that_it_makes_and_is_kept(tmp_path: Path, document: Any) -> None:
    ((call,), _) = calls_of(tmp_path, document)
    sent = document["log"]["entries"][0]["response"]["content"]["text"]
    assert call.output == "In Bremen" and call.other["stream"] == sent


def test_what_a_model_wrote_says_nothing_of_its_call(tmp_path: Path) -> None:
    wrote = {"finish_reason": "length", "usage": {"total_tokens": 1}, "model": "other"}
    answer = {
        "choices": [{"message": {"content": wrote, "tool_calls": [{"arguments": wrote}]}, "finish_reason": "stop"}]
    }
    ((call,), _) = calls_of(tmp_path, har("https://h.example/v1/chat/completions", {"model": "m"}, answer))
    assert call.finish == ["stop"] and call.model == "m" and call.usage == {}


def test_what_is_absent_stays_unknown(tmp_path: Path) -> None:
    calls, origin = calls_of(tmp_path, har("https://h.example/v1/chat/completions", {"messages": ["U"]}, "plain words"))
    told = completeness(Incident(incident="1", environment="p", calls=tuple(calls), origin=origin))
    unknown = {one.name for one in told if not one.recorded}
    assert OF_A_MODEL - unknown == {"provider", "messages", "answer"} and calls[0].output == "plain words"


def test_a_conversation_that_is_named_once_is_that_of_all_calls(tmp_path: Path) -> None:
    for document in (MLFLOW, DATADOG):
        ((call,), _) = calls_of(tmp_path, document)
        assert call.conversation == "c-1"


def test_the_version_of_a_prompt_and_of_the_build_are_told(tmp_path: Path) -> None:
    from envclone.incidents.traces.about import application_of

    calls, origin = calls_of(tmp_path, DATADOG)
    assert calls[0].prompt == {"id": "p", "version": "2"} and application_of(calls, origin)["version"] == "1.2"


ASKED = {"query": [0.25, 1], "limit": 3, "filter": {"must": [{"key": "a", "match": {"value": 1}}]}}
SEARCHES: dict[str, Any] = {
    "HAR": har("http://kb.example:6333/collections/a%20b/points/query", ASKED, {"result": {"points": []}}),
    "HAR, as it was": har("http://kb.example:6333/collections/a%20b/points/search",
                          {**{key: one for key, one in ASKED.items() if key != "query"}, "vector": [0.25, 1]}, {}),
    "curl": f"curl -X POST http://kb.example:6333/collections/a%20b/points/query --json '{json.dumps(ASKED)}'",
    "OpenLIT, with a whole number": otlp({"attributes": {"db.system.name": "qdrant", "db.collection.name": "a b",
                                                         "db.query.text": "[0.25, 1]", "db.vector.query.top_k": 3}}),
}  # fmt: skip


@pytest.mark.parametrize("document", SEARCHES.values(), ids=SEARCHES)
def test_a_request_to_qdrant_is_a_search(tmp_path: Path, document: Any) -> None:
    calls, _ = calls_of(tmp_path, document)
    (step,) = steps_of(calls, Stores(qdrant="kb", service="api"))
    assert isinstance(step, VectorStep) and (step.collection, step.vector, step.limit) == ("a b", [0.25, 1], 3)
    assert [call.kind for call in calls] == ["vector"]


def test_embeddings_of_every_provider_are_embeddings(tmp_path: Path) -> None:
    for path in ("/v1/embeddings", "/v2/embed", "/api/embed", "/v1beta/models/m:embedContent"):
        ((call,), _) = calls_of(tmp_path, har(f"https://h.example{path}", {"model": "m", "input": "q"}, {}))
        assert (call.kind, call.model) == ("embedding", "m")
