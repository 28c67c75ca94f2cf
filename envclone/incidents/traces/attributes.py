"""Spans into calls: what the names of attributes mean, in the conventions that applications write today.

Read here: OpenTelemetry's GenAI conventions (v0.1.0 of their own repository, and the names before), OpenInference,
OpenLLMetry (`traceloop.*`), OpenLIT, and Vercel's AI SDK (`ai.*`). A span may mix them. Whatever no name below claims
stays in the call's `other`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from envclone.incidents.calls import Call, Kind
from envclone.incidents.traces.embedded import numbers
from envclone.incidents.traces.numbered import counted, scored, set_to
from envclone.incidents.traces.span import Span, parsed

__all__ = ["call_of"]

_KINDS: Mapping[str, Kind] = {
    # OpenInference, Langfuse, LangSmith, MLflow, Datadog
    "llm": "llm", "generation": "llm", "chat_model": "llm", "chat": "llm", "completion": "llm",
    "embedding": "embedding", "embeddings": "embedding", "retriever": "retrieval", "retrieval": "retrieval",
    "reranker": "rerank", "rerank": "rerank", "tool": "tool", "agent": "agent", "workflow": "chain", "chain": "chain",
    "task": "chain", "parser": "chain", "prompt": "chain", "guardrail": "other", "evaluator": "other", "event": "other",
    # OpenTelemetry GenAI
    "text_completion": "llm", "generate_content": "llm", "execute_tool": "tool", "invoke_agent": "agent",
    "create_agent": "agent", "invoke_workflow": "chain", "plan": "chain", "agent_step": "chain",
    "search_memory": "retrieval",
    # Vercel's AI SDK
    "ai.generatetext": "llm", "ai.streamtext": "llm", "ai.generateobject": "llm", "ai.streamobject": "llm",
    "http": "http", "chat.completions": "llm", "text.completions": "llm",  # Semantic Kernel
    "ai.embed": "embedding", "ai.embedmany": "embedding", "ai.rerank": "rerank", "ai.toolcall": "tool",
}  # fmt: skip
_KIND_NAMES = ("openinference.span.kind", "gen_ai.operation.name", "traceloop.span.kind", "ai.operationId",
               "langsmith.span.kind", "mlflow.spanType", "langfuse.observation.type", "operation.name")  # fmt: skip
_VECTOR_STORES = frozenset(
    [
        "qdrant",
        "chroma",
        "chromadb",
        "milvus",
        "weaviate",
        "pinecone",
        "lancedb",
        "marqo",
        "pgvector",
        "pg_vector",
        "astra",
    ]
)
_ONE: Mapping[str, tuple[str, ...]] = {
    "model": ("gen_ai.response.model", "llm.response.model_name", "ai.response.model", "gen_ai.request.model",
              "llm.model_name", "llm.request.model_name", "ai.model.id", "embedding.model_name", "reranker.model_name",
              "mlflow.llm.model", "langfuse.observation.model.name", "model_name"),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "revision": ("gen_ai.openai.response.system_fingerprint", "openai.response.system_fingerprint",
                "gen_ai.response.system_fingerprint", "gen_ai.response.model_version", "gen_ai.tool.version"),
    "conversation": ("gen_ai.conversation.id", "session.id", "thread_id", "langfuse.session.id",
                     "traceloop.association.properties.session_id", "ai.telemetry.metadata.sessionId",
                     "ai.telemetry.metadata.threadId", "ai.telemetry.metadata.conversationId",
                     "ai.telemetry.metadata.chatId"),
    "system": ("gen_ai.system_instructions", "ai.prompt.system", "llm.system_prompt"),
    "tools": ("gen_ai.tool.definitions", "ai.prompt.tools", "llm.tools", "gen_ai.request.tools", "mlflow.chat.tools",
              "llm.request.functions", "tools"),
    "input": ("gen_ai.input.messages", "ai.prompt.messages", "llm.input_messages", "gen_ai.tool.call.arguments",
              "ai.toolCall.args", "gen_ai.retrieval.query.text", "reranker.query", "embedding.text", "ai.value",
              "ai.values", "traceloop.entity.input", "gen_ai.prompt", "gen_ai.content.prompt", "llm.prompts",
              "ai.prompt", "input.value",
              "langfuse.observation.input", "langfuse.trace.input", "db.vector.query.content",
              "pydantic_ai.all_messages", "all_messages_events", "mlflow.spanInputs", "tool.parameters",
              "tool_arguments"),
    "output": ("gen_ai.output.messages", "llm.output_messages", "ai.response.text", "ai.response.object",
               "ai.response.toolCalls", "gen_ai.tool.call.result", "ai.toolCall.result", "traceloop.entity.output",
               "gen_ai.completion", "gen_ai.content.completion",
               "llm.completions", "output.value", "langfuse.observation.output", "langfuse.trace.output",
               "mlflow.spanOutputs", "tool_response", "final_result"),
    "documents": ("gen_ai.retrieval.documents", "retrieval.documents", "reranker.output_documents", "ai.ranking",
                  "db.vector.query.response.documents"),
    "vectors": ("ai.embedding", "ai.embeddings", "embedding.embeddings", "db.query.embeddings.vector",
                "embedding.vector"),
    "statement": ("db.query.text", "db.statement"),
    "finish": ("gen_ai.response.finish_reasons", "llm.finish_reason", "ai.response.finishReason",
               "gen_ai.response.finish_reason"),
}  # fmt: skip
"""The attributes that say a field of a call, the best first; what a worse one says beside a better stays in `other`."""
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "settings": ("gen_ai.request.", "ai.settings.", "llm.invocation_parameters.", "db.vector.query."),
    "prompt": ("llm.prompt_template.", "gen_ai.prompt_template.", "langfuse.prompt.", "langfuse.observation.prompt.",
               "traceloop.prompt.", "gen_ai.prompt.name",
               "gen_ai.prompt.version"),
    "usage": ("gen_ai.usage.", "llm.token_count.", "ai.usage.", "llm.usage.", "gen_ai.response.prompt_tokens",
              "gen_ai.response.completion_tokens"),
}  # fmt: skip
"""Prefixes of attributes that are gathered in one field, by what stands behind the prefix."""
_DOCUMENTS: Mapping[str, str] = {
    "llm.invocation_parameters": "settings", "langfuse.observation.model.parameters": "settings",
    "langfuse.observation.usage_details": "usage",
}  # fmt: skip
"""Attributes that hold a whole field as a document."""
_AS_NUMBERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"settings": set_to, "usage": counted}
_WORDS = ("model", "revision", "provider", "conversation", "statement")
"""Fields that are a text as it stands."""
_INDEXED = re.compile(r"([^\n]{1,200}?)\.(\d{1,6})(?:\.(.{1,500}))?", re.S)


def call_of(span: Span) -> Call:
    """A span as a call of a bundle."""
    left = _gathered(span.attributes)
    fields: dict[str, Any] = {name: value for name, value in span.said.items() if value not in (None, "", [], {})}
    kind = _kind(span, left, fields)
    groups = {name: _AS_NUMBERS.get(name, dict)(dict(fields.pop(name, {}) or {})) for name in _GROUPS}
    for attribute, name in _DOCUMENTS.items():
        said = parsed(left.get(attribute))
        if isinstance(said, Mapping):
            groups[name] |= _AS_NUMBERS.get(name, dict)(said)
            del left[attribute]
    _of_events(left, fields)
    for name, names in _ONE.items():
        for attribute in names:
            if attribute in left and name not in fields:
                fields[name] = left.pop(attribute) if name in _WORDS else parsed(left.pop(attribute))
            elif attribute in left and name in fields and parsed(left[attribute]) == fields[name]:
                del left[attribute]  # said twice, in two conventions
    for name, prefixes in _GROUPS.items():
        for attribute in sorted(left):
            prefix = next((one for one in prefixes if attribute.startswith(one)), None)
            if prefix is not None:
                rest = attribute.removeprefix(prefix) or attribute.rpartition(".")[2]
                value = _AS_NUMBERS.get(name, dict)({rest: left[attribute]})[rest]
                if groups[name].setdefault(rest, value) == value:
                    del left[attribute]
    fields |= {name: values for name, values in groups.items() if values}
    found = fields.get("output")
    if kind == "retrieval" and "documents" not in fields and isinstance(found, list) and all(
        isinstance(one, Mapping) for one in found):  # fmt: skip
        fields["documents"] = fields.pop("output")
    fields["documents"] = scored(_list(fields.get("documents")))
    fields["vectors"] = [parsed(one) for one in _list(fields.get("vectors"))]
    if kind == "vector" and not fields["vectors"]:  # OpenLIT writes the vector as the query's text
        asked = parsed(fields.get("statement"))
        fields["vectors"] = asked if numbers(asked) else []
    fields["finish"] = [str(one) for one in _list(fields.get("finish"))]
    for name in _WORDS:
        if name in fields and not isinstance(fields[name], str):
            left[name] = fields.pop(name)
    seconds = (span.ended - span.began).total_seconds() if span.began and span.ended else None
    for name, value in span.rest.items():
        if value not in (None, "", [], {}):
            left[name if left.get(name, value) == value else f"span.{name}"] = value
    return Call(id=span.id, parent=span.parent, name=span.name, kind=kind, began=span.began, seconds=seconds,
                error=span.error, other=left, **fields)  # fmt: skip


def _of_events(left: dict[str, Any], fields: dict[str, Any]) -> None:
    """Messages that an attribute holds as the events that they were (Logfire's `events`); tools among parameters."""
    events = parsed(left.get("events"))
    if isinstance(events, list) and events and all(isinstance(one, Mapping) and str(one.get("event.name")).startswith(
        "gen_ai.") for one in events):  # fmt: skip
        own = [{key: value for key, value in one.items() if key not in _OF_EVENT} for one in events]
        chosen = [str(one["event.name"]) in ("gen_ai.choice", "gen_ai.assistant.choice") for one in events]
        fields.setdefault("input", [one for one, last in zip(own, chosen, strict=True) if not last])
        fields.setdefault("output", [one.get("message", one) for one, last in zip(own, chosen, strict=True) if last])
        fields.setdefault("finish", [one["finish_reason"] for one in events if one.get("finish_reason")])
        del left["events"]
    asked = parsed(left.get("model_request_parameters"))
    if isinstance(asked, Mapping) and asked.get("function_tools"):
        fields.setdefault("tools", asked["function_tools"])


_OF_EVENT = ("event.name", "gen_ai.message.index", "finish_reason")


def _kind(span: Span, left: dict[str, Any], fields: dict[str, Any]) -> Kind:
    """What was called; the attributes that say so are spent, when they say no more than that."""
    said = [fields.pop("kind", None), *(left.get(name) for name in _KIND_NAMES)]
    found: Kind | None = "request" if said[0] == "request" else None
    for word in said:
        if not isinstance(word, str):
            continue
        low = word.lower()
        its = _KINDS.get(low) or _KINDS.get(low.rpartition(".")[0])
        if (
            its is not None
            and found != "request"
            and (found is None or (found in ("other", "chain") and its not in ("other", "chain")))
        ):
            found = its
    system = str(left.get("db.system.name") or left.get("db.system") or "").lower()
    if system and found != "request":
        return "vector" if system in _VECTOR_STORES else "sql"
    if found is None and ("http.request.method" in left or "http.method" in left):
        return "http"
    if found is None and "gen_ai.tool.name" in left:
        return "tool"
    if found is None and ("agent_name" in left or "gen_ai.agent.name" in left):
        return "agent"
    if found is None and ("gen_ai.request.model" in left or "llm.model_name" in left):
        return "llm"
    if found is None:
        words = [word for word in said if isinstance(word, str) and word.lower() not in ("span", "")]
        left |= {"kind": words[0]} if words else {}
    return found or "other"


def _gathered(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with a number in their names (`llm.input_messages.0.message.role`) as the lists that they are."""
    out: dict[str, Any] = {}
    lists: dict[str, dict[int, Any]] = {}
    for name, value in attributes.items():
        match = _INDEXED.fullmatch(name)
        if match is None:
            out[name] = value
            continue
        items = lists.setdefault(match[1], {})
        if match[3] is None:
            items[int(match[2])] = value
        else:
            one = items.setdefault(int(match[2]), {})
            if isinstance(one, dict):
                one[match[3]] = value
            else:
                out[name] = value
    for name, items in lists.items():
        values = [_gathered(one) if isinstance(one, dict) else one for _, one in sorted(items.items())]
        if name in out:
            out[f"{name}.*"] = values
        else:
            out[name] = values
    return out


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
