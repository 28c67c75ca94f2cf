"""What agents' and models' own libraries, gateways and tracers write of calls, each record one call.

OpenAI's Agents SDK, stored answers, batches and pairs of a request and its answer (OpenAI, Anthropic, Gemini), LiteLLM,
Braintrust, Mastra, AutoGen's log of events and LlamaIndex's events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envclone.incidents.traces.bodies import Record, model, rest_of
from envclone.incidents.traces.span import Span, loose, moment, parsed

__all__ = ["PRODUCTS", "merged"]

_ASKED = ("messages", "contents", "input", "prompt")
_ANSWERED = ("choices", "content", "candidates", "output", "completion", "embedding", "data", "message")
_SET = frozenset((
    "temperature", "top_p", "top_k", "seed", "max_tokens", "max_output_tokens", "max_completion_tokens",
    "presence_penalty", "frequency_penalty", "tool_choice", "parallel_tool_calls", "response_format", "text",
    "reasoning", "truncation", "stop", "service_tier", "n", "logprobs",
))  # fmt: skip
"""What a request is set to, as OpenAI's interface names it."""


def _counted(one: Record, **names: str) -> dict[str, Any]:
    return {name: one[key] for key, name in names.items() if one.get(key) is not None}


def _ends(one: Record) -> tuple[Any, Any]:
    return moment(one.get("started_at") or one.get("startedAt")), moment(one.get("ended_at") or one.get("endedAt"))


def _left(answer: Any) -> dict[str, Any]:
    """What an answer says beside what it answers."""
    spent = ("choices", "content", "candidates", "output", "usage", "usageMetadata", "model", "stop_reason", "data")
    return {f"response.{key}": value for key, value in loose(parsed(answer)).items() if key not in spent}


_AGENTS = {"agent": "agent", "generation": "llm", "response": "llm", "function": "tool", "mcp_tools": "other",
           "transcription": "llm", "speech": "llm"}  # fmt: skip


def _agents(one: Record, number: int) -> Span:
    """A trace of OpenAI's Agents SDK, or a span of it."""
    if one["object"] == "trace":
        said = {"kind": "chain", "conversation": one.get("group_id")}
        return Span(str(one.get("id")), None, str(one.get("workflow_name") or ""), {}, None, None, None, said,
                    rest_of(one, "id", "workflow_name", "group_id"))  # fmt: skip
    data = dict(loose(one.get("span_data")))
    kind, began_ended = str(data.pop("type", "")), _ends(one)
    said = {"kind": _AGENTS.get(kind, "other")}
    response = loose(data.get("response"))
    if response:
        said |= {**model({**response, "input": data.pop("input", None)}, response), "settings": _settings(response)}
        del data["response"]
    for key, name in (("input", "input"), ("output", "output"), ("model", "model"), ("usage", "usage")):
        if data.get(key) is not None:
            said[name] = parsed(data.pop(key))
    said["settings"] = dict(loose(data.pop("model_config", None))) or said.get("settings", {})
    error = loose(one.get("error"))
    words = str(error.get("message") or "failed") if error else None
    cause = loose(error.get("data")).get("error")
    rest = {**rest_of(one, "id", "parent_id", "span_data", "started_at", "ended_at", "error"), "type": kind, **data}
    rest |= {"error.data": error["data"]} if error.get("data") else {}
    parent = one.get("parent_id") or one.get("trace_id")
    return Span(str(one.get("id") or number), str(parent) if parent else None, str(data.get("name") or kind), {},
                *began_ended, f"{words}: {cause}" if words and cause else words, said, rest)  # fmt: skip


def _settings(one: Record) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key in _SET and value is not None}


def _answer(one: Record, number: int) -> Span:
    """An answer as the service keeps it, with what it was asked with."""
    said = {**model({key: value for key, value in one.items() if key != "output"}, one), "settings": _settings(one)}
    said["provider"] = "anthropic" if one.get("type") == "message" else "openai"
    spent = ("id", "model", "output", "choices", "content", "usage", "input", "instructions", "tools", "messages",
             "created", "created_at", "stop_reason", *_SET)  # fmt: skip
    error = loose(one.get("error")).get("message")
    return Span(str(one.get("id") or number), None, str(one.get("object") or "message"), {},
                moment(one.get("created_at") or one.get("created")), None, str(error) if error else None, said,
                rest_of(one, *spent))  # fmt: skip


def _pair(one: Record) -> tuple[Record, Record] | None:
    """The request's and the answer's bodies of a record that has both."""
    asked, answer = loose(parsed(one.get("request"))), loose(parsed(one.get("response")))
    asked, answer = loose(parsed(asked.get("body"))) or asked, loose(parsed(answer.get("body"))) or answer
    return (asked, answer) if set(_ASKED) & asked.keys() and {*_ANSWERED, "error"} & answer.keys() else None


def _paired(one: Record, number: int) -> Span:
    asked, answer = _pair(one) or ({}, {})
    said = model(asked, answer)
    error = loose(answer.get("error") or one.get("error"))
    rest = {**rest_of(one, "request", "response"), **_left(answer)}
    for key in ("candidates", "choices"):  # what stands beside what was said and why it ended
        beside = [rest_of(loose(each), "content", "message", "text", "finishReason", "finish_reason", "index")
                  for each in answer.get(key) or ()]  # fmt: skip
        rest |= {f"response.{key}": beside} if any(beside) else {}
    rest |= {f"response.{key}": value for key, value in loose(one.get("response")).items()
             if key in ("status", "status_code", "headers", "request_id")}  # fmt: skip
    said["documents"] = _given(answer) or None
    rest |= {f"request.{key}": value for key, value in loose(one.get("request")).items()
             if key in ("url", "method", "headers", "custom_id")}  # fmt: skip
    ident = one.get("id") or answer.get("id") or answer.get("responseId") or number
    return Span(str(ident), None, str(one.get("name") or loose(one.get("request")).get("url") or "chat"), {},
                moment(one.get("timestamp") or one.get("started_at") or answer.get("created")), None,
                str(error.get("message") or error) if error else None, said, rest)  # fmt: skip


def _given(answer: Record) -> list[Any]:
    """The documents that a service retrieved itself: Azure's citations, Vertex AI's chunks."""
    found: list[Any] = []
    for choice in map(loose, answer.get("choices") or ()):
        found += loose(loose(choice.get("message")).get("context")).get("citations") or []
    for candidate in map(loose, answer.get("candidates") or ()):
        for chunk in map(loose, loose(candidate.get("groundingMetadata")).get("groundingChunks") or ()):
            found.append(loose(chunk.get("retrievedContext") or chunk.get("web")) or chunk)
    return [{"id": loose(one).get("chunk_id") or loose(one).get("uri"), **loose(one)} for one in found]


def _litellm(one: Record, number: int) -> Span:
    """A record of LiteLLM's loggers, or a row of its table of spend."""
    given = loose(parsed(one.get("model_parameters"))) or loose(parsed(one.get("proxy_server_request")))
    asked = {**given, "messages": parsed(one.get("messages")) or given.get("messages") or given.get("input")}
    said = model(asked, parsed(one.get("response")))
    said["model"] = one.get("model") or said["model"]
    said["provider"] = one.get("custom_llm_provider")
    said["conversation"] = one.get("session_id") or loose(one.get("metadata")).get("session_id")
    said["usage"] = _counted(one, prompt_tokens="prompt_tokens", completion_tokens="completion_tokens",
                             total_tokens="total_tokens") or said["usage"]  # fmt: skip
    error = one.get("error_str") or (one.get("status") if one.get("status") == "failure" else None)
    rest = rest_of(one, "id", "request_id", "messages", "response", "model", "model_parameters", "startTime", "endTime",
                   "prompt_tokens", "completion_tokens", "total_tokens", "session_id", "custom_llm_provider",
                   "error_str", "proxy_server_request", "call_type")  # fmt: skip
    rest |= _left(one.get("response"))
    ident = one.get("id") or one.get("request_id") or number
    return Span(str(ident), None, str(one.get("call_type") or "completion"), {}, moment(one.get("startTime")),
                moment(one.get("endTime")), str(error) if error else None, said, rest)  # fmt: skip


_BRAINTRUST = {"llm": "llm", "tool": "tool", "task": "chain", "function": "chain", "eval": "chain", "score": "other"}


def _braintrust(one: Record, number: int) -> Span:
    about, metrics = loose(one.get("span_attributes")), dict(loose(one.get("metrics")))
    kind = _BRAINTRUST.get(str(about.get("type")), "other")
    put, got, metadata = parsed(one.get("input")), parsed(one.get("output")), dict(loose(one.get("metadata")))
    said: dict[str, Any] = {"kind": kind, "input": put, "output": got}
    if kind == "llm":
        choices = isinstance(got, list) and any("message" in loose(each) for each in got)
        said |= {key: value for key, value in model({**metadata, "messages": put}, {"choices": got} if choices else {}
                                                    ).items() if key not in ("kind", "output") or choices}  # fmt: skip
        said["provider"], metadata = metadata.get("provider"), {}
        said["settings"] = {key: value for key, value in said["settings"].items() if key != "provider"}
    said["conversation"] = next((metadata[key] for key in ("session_id", "session", "thread_id", "conversation_id")
                                 if isinstance(metadata.get(key), str)), None)  # fmt: skip
    said["usage"] = {key: metrics.pop(key) for key in list(metrics) if key == "tokens" or key.endswith("_tokens")}
    began, ended = moment(metrics.pop("start", None) or one.get("created")), moment(metrics.pop("end", None))
    parents = one.get("span_parents") or ()
    rest = rest_of(one, "span_id", "span_parents", "input", "output", "metadata", "metrics", "span_attributes", "error")
    rest |= {"metadata": metadata, "metrics": metrics, "type": about.get("type")}
    return Span(str(one.get("span_id") or number), str(parents[0]) if parents else None, str(about.get("name") or ""),
                {}, began, ended, str(one["error"]) if one.get("error") else None, said, rest)  # fmt: skip


_MASTRA = {"agent_run": "agent", "llm_generation": "llm", "model_generation": "llm", "model_step": "other",
           "tool_call": "tool", "mcp_tool_call": "tool", "workflow_run": "chain", "workflow_step": "chain",
           "rag_embedding": "embedding", "rag_vector_operation": "retrieval"}  # fmt: skip


def _mastra(one: Record, number: int) -> Span:
    its = dict(loose(parsed(one.get("attributes"))))
    put, metadata = parsed(one.get("input")), loose(parsed(one.get("metadata")))
    said = {
        "kind": _MASTRA.get(str(one["spanType"]), "other"), "output": parsed(one.get("output")),
        "input": loose(put).get("messages") or put, "model": its.pop("model", None),
        "provider": its.pop("provider", None), "settings": dict(loose(its.pop("parameters", None))),
        "usage": dict(loose(its.pop("usage", None))), "finish": [its.pop("finishReason", None)],
        "system": its.pop("instructions", None), "tools": its.pop("availableTools", None),
        "conversation": metadata.get("threadId") or metadata.get("sessionId"),
    }  # fmt: skip
    said["finish"] = [each for each in said["finish"] if each]
    error = one.get("error") or one.get("errorInfo")
    parent = one.get("parentSpanId")
    rest = {**rest_of(one, "spanId", "parentSpanId", "name", "input", "output", "attributes", "startedAt", "endedAt",
                      "error"), **its}  # fmt: skip
    return Span(str(one.get("spanId") or number), str(parent) if parent else None, str(one.get("name") or ""), {},
                *_ends(one), str(loose(error).get("message") or error) if error else None, said, rest)  # fmt: skip


_AUTOGEN = ("LLMCall", "LLMStreamEnd", "LLMStreamStart", "ToolCall")


def _autogen(one: Record, number: int) -> Span:
    if one["type"] == "ToolCall":
        said = {"kind": "tool", "input": parsed(one.get("arguments")), "output": parsed(one.get("result"))}
        rest = rest_of(one, "type", "tool_name", "arguments", "result")
        return Span(str(number), None, str(one.get("tool_name") or "tool"), {}, None, None, None, said, rest)
    said = model({"messages": one.get("messages"), "tools": one.get("tools")}, one.get("response"))
    said["usage"] = _counted(one, prompt_tokens="prompt_tokens", completion_tokens="completion_tokens") or said["usage"]
    rest = rest_of(one, "type", "messages", "response", "tools", "prompt_tokens", "completion_tokens")
    rest |= _left(one.get("response"))
    return Span(str(number), None, str(one["type"]), {}, None, None, None, said, rest)


_EVENTS = "llamaindex events"


def merged(found: list[Record]) -> list[Record]:
    """Records as they are; events of LlamaIndex gathered by their span."""
    if not found or not all({"class_name", "span_id", "id_"} <= one.keys() for one in found):
        return found
    spans: dict[str, list[Record]] = {}
    for one in found:
        spans.setdefault(str(one["span_id"] or one["id_"]), []).append(one)
    return [{_EVENTS: events, "id": ident} for ident, events in spans.items()]


def _llamaindex(one: Record, number: int) -> Span:
    said: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    error: str | None = None
    events = [dict(each) for each in one[_EVENTS]]
    for event in events:
        name, response = str(event["class_name"]), loose(event.get("response"))
        asked, config = event.get("str_or_query_bundle"), loose(event.get("model_dict"))
        raw = loose(response.get("raw"))
        kind = (
            "llm"
            if name.startswith("LLM")
            else "retrieval"
            if name.startswith("Retrieval")
            else "embedding"
            if name.startswith("Embedding")
            else "rerank"
            if name.startswith("ReRank")
            else "chain"
        )
        said["kind"] = kind if said.get("kind", "chain") == "chain" else said["kind"]
        texts = event.get("messages") or event.get("prompt") or event.get("query") or event.get("chunks")
        bundle = loose(asked)
        for key, value in (
            ("input", texts or bundle.get("query_str") or asked), ("documents", event.get("nodes")),
            ("vectors", event.get("embeddings") or [bundle["embedding"]] if bundle.get("embedding") else None),
            ("output", response.get("message") or response.get("text") or response.get("response")),
            ("model", raw.get("model") or config.get("model") or config.get("model_name")),
            ("usage", dict(loose(raw.get("usage")))), ("settings", {k: v for k, v in config.items() if k in _SET}),
            ("finish", [loose(each)["finish_reason"] for each in raw.get("choices") or ()
                        if loose(each).get("finish_reason")]),
        ):  # fmt: skip
            if value and not said.get(key):
                said[key] = value
        error = str(event["exception"]) if event.get("exception") else error
        spent = ("messages", "prompt", "query", "chunks", "nodes", "str_or_query_bundle", "embeddings", "exception")
        rest[name] = rest_of(event, *spent, "class_name")
    times = sorted(at for at in (moment(each.get("timestamp")) for each in events) if at)
    documents = [{**loose(loose(each).get("node")), "score": loose(each).get("score")} if loose(each).get("node")
                 else each for each in said.get("documents") or ()]  # fmt: skip
    said["documents"] = [{"id": each.get("id_"), **each} if isinstance(each, dict) else each for each in documents]
    return Span(str(one["id"] or number), None, str(one["id"]).rpartition("-")[0] or str(one["id"]), {},
                times[0] if times else None, times[-1] if times else None, error, said, rest)  # fmt: skip


_STORED = ("response", "chat.completion")
PRODUCTS: tuple[tuple[str, Callable[[Record], bool], Callable[[Record, int], Span]], ...] = (
    ("agents sdk", lambda one: one.get("object") in ("trace", "trace.span"), _agents),
    ("litellm", lambda one: {"call_type", "messages", "response"} <= one.keys(), _litellm),
    ("braintrust", lambda one: {"span_attributes", "root_span_id"} <= one.keys(), _braintrust),
    ("mastra", lambda one: {"spanType", "spanId"} <= one.keys(), _mastra),
    ("autogen", lambda one: one.get("type") in _AUTOGEN and {"agent_id", "response", "messages"} & one.keys() != set(),
     _autogen),
    ("llamaindex", lambda one: _EVENTS in one, _llamaindex),
    ("model answers", lambda one: one.get("object") in _STORED or (
        one.get("type") == "message" and "stop_reason" in one), _answer),
    ("model calls", lambda one: _pair(one) is not None, _paired),
)  # fmt: skip
"""The dialect, whether a record is its, and its span."""
