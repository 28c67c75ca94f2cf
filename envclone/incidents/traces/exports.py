"""What tracers, gateways and libraries export of several calls in one document, taken apart into records.

PromptLayer's requests, Opik's spans, Helicone's mapped bodies, CrewAI's output and events, Pydantic AI's messages,
Haystack's results, the state of a LangGraph thread, steps of OpenAI's assistants, streams of its responses, Bedrock's
knowledge bases and pgBadger's report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from envclone.incidents.traces.bodies import Record, model, rest_of
from envclone.incidents.traces.span import Span, loose, moment, parsed

__all__ = ["PRODUCTS", "apart"]

_OF = "\0"
"""The key under which a record that was taken apart says what it is; no document has it."""


def apart(found: list[Record]) -> list[Record]:
    """Records as they are; a document that tells of several calls as a record for each."""
    if found and all("sequence_number" in one and str(one.get("type")).startswith("response.") for one in found):
        return [_streamed(found)]
    if found and all(
        isinstance(one.get("parts"), list) and one.get("kind") in ("request", "response") for one in found
    ):
        return list(_turns(found))
    return [part for one in found for part in _parts(one)]


def _parts(one: Record) -> Iterator[Record]:
    if isinstance(one.get("tasks_output"), list):
        yield {_OF: "crew", **rest_of(one, "tasks_output")}
        yield from ({_OF: "task", **loose(task)} for task in one["tasks_output"])
    elif "normalyzed_info" in one:
        yield from _reported(one)
    elif isinstance(loose(one.get("values")).get("messages"), list) and {"checkpoint", "next"} & one.keys():
        yield {_OF: "thread", **one}
    elif one and all(isinstance(each, Mapping) and _COMPONENT & each.keys() for each in one.values()):
        yield from ({_OF: "component", "component": name, **loose(each)} for name, each in one.items())
    else:
        yield one


_COMPONENT = {"replies", "documents", "prompt", "embedding", "answers"}


def _streamed(events: list[Record]) -> Record:
    """A stream of OpenAI's responses: the response of its last event, or what the pieces make."""
    last = next((loose(one["response"]) for one in reversed(events) if one.get("response")), {})
    text = "".join(str(one.get("delta")) for one in events if one.get("type") == "response.output_text.delta")
    output = last.get("output") or [{"type": "message", "role": "assistant", "content": text}]
    kinds: dict[str, int] = {}
    for one in events:
        kinds[str(one["type"])] = kinds.get(str(one["type"]), 0) + 1
    others = [dict(one) for one in events if not one.get("response") and "delta" not in one]
    return {"object": "response", **last, "output": output, "events": kinds, **({"stream": others} if others else {})}


def _turns(messages: list[Record]) -> Iterator[Record]:
    """Pydantic AI's messages: each answer of the model with all that was said before it."""
    answers = [place for place, one in enumerate(messages) if one["kind"] == "response"]
    for place in answers:
        yield {_OF: "answer", "before": messages[:place], **messages[place]}
    if not answers or answers[-1] < len(messages) - 1:
        yield {_OF: "answer", "before": messages, "parts": []}


def _ended(one: Record) -> list[Any]:
    return [one["finish_reason"]] if one.get("finish_reason") else []


def _answered(one: Record, number: int) -> Span:
    said = {"kind": "llm", "input": one["before"], "output": one["parts"], "model": one.get("model_name"),
            "usage": dict(loose(one.get("usage"))), "provider": one.get("provider_name"),
            "finish": _ended(one)}  # fmt: skip
    rest = rest_of(one, _OF, "before", "parts", "model_name", "usage", "timestamp", "kind")
    return Span(f"turn-{number}", None, "model request", {}, moment(one.get("timestamp")), None, None, said, rest)


def _component(one: Record, number: int) -> Span:
    """What a component of a Haystack pipeline gave."""
    replies = one.get("replies")
    metas = [loose(loose(each).get("meta") or loose(each).get("_meta")) for each in replies or ()]
    meta = next((each for each in [*metas, loose(one.get("meta"))] if each), {})
    kind = "llm" if replies else "retrieval" if "documents" in one else "embedding" if "embedding" in one else "chain"
    said = {
        "kind": kind, "documents": one.get("documents"), "output": replies or one.get("prompt") or one.get("answers"),
        "vectors": [one["embedding"]] if one.get("embedding") else None, "model": meta.get("model"),
        "usage": dict(loose(meta.get("usage"))), "finish": _ended(meta),
    }  # fmt: skip
    rest = rest_of(one, _OF, "component", "replies", "documents", "prompt", "embedding", "answers")
    return Span(str(number), None, str(one["component"]), {}, None, None, None, said, rest)


def _thread(one: Record, number: int) -> Span:
    """The state of a LangGraph thread: its last answer, and what was said before it."""
    values = loose(one["values"])
    messages = values["messages"]
    place = next((n for n in reversed(range(len(messages))) if loose(messages[n]).get("type") == "ai"), len(messages))
    last = loose(messages[place]) if place < len(messages) else {}
    meta = loose(last.get("response_metadata"))
    said = {
        "kind": "llm", "input": messages[:place], "output": [last] if last else None, "finish": _ended(meta),
        "model": meta.get("model_name"), "usage": dict(loose(last.get("usage_metadata"))),
        "conversation": _thread_of(one),
    }  # fmt: skip
    rest = {**rest_of(one, _OF, "values"), "values": rest_of(values, "messages"), "after": messages[place + 1 :]}
    return Span(
        str(last.get("id") or number), None, "thread", {}, moment(one.get("created_at")), None, None, said, rest
    )


def _thread_of(one: Record) -> Any:
    config = loose(loose(one.get("config")).get("configurable"))
    return loose(one.get("checkpoint")).get("thread_id") or config.get("thread_id")


def _promptlayer(one: Record, number: int) -> Span:
    asked = loose(parsed(one.get("request_kwargs") or one.get("kwargs")))
    said = model(asked, parsed(one["request_response"]))
    said["provider"] = one.get("request_provider") or one.get("provider_type")
    said["prompt"] = {key: one[name] for key, name in (("name", "prompt_name"), ("version", "prompt_version"),
                      ("variables", "prompt_input_variables")) if one.get(name) is not None}  # fmt: skip
    said["conversation"] = loose(one.get("metadata")).get("session_id")
    rest = rest_of(one, "request_kwargs", "kwargs", "request_response", "request_start_time", "request_end_time",
                   "prompt_name", "prompt_version", "prompt_input_variables", "request_id",
                   "request_provider")  # fmt: skip
    rest |= {f"response.{key}": value for key, value in loose(parsed(one["request_response"])).items() if key == "id"}
    name = str(one.get("request_function") or one.get("function_name") or "chat")
    return Span(str(one.get("request_id") or number), None, name, {}, moment(one.get("request_start_time")),
                moment(one.get("request_end_time")), None, said, rest)  # fmt: skip


_OPIK = {"llm": "llm", "tool": "tool", "general": "chain", "guardrail": "other"}


def _opik(one: Record, number: int) -> Span:
    put, got, kind = parsed(one.get("input")), parsed(one.get("output")), _OPIK.get(str(one.get("type")), "chain")
    said: dict[str, Any] = {"kind": kind, "input": put, "output": got}
    if kind == "llm":
        made = model(put if isinstance(put, Mapping) else {"messages": put}, got)
        said = {**made, "output": made["output"] or got, "input": made["input"] or put}
        said["model"] = one.get("model") or said["model"]
        said["provider"] = one.get("provider")
        said["usage"] = dict(loose(one.get("usage"))) or said["usage"]
    error = loose(one.get("error_info"))
    said["conversation"] = one.get("thread_id")
    rest = rest_of(one, "id", "parent_span_id", "name", "input", "output", "start_time", "end_time", "usage", "model",
                   "provider", "thread_id", "error_info", "type")  # fmt: skip
    rest |= {"error_info": error} if error else {}
    parent = one.get("parent_span_id") or one.get("trace_id")
    return Span(str(one.get("id") or number), str(parent) if parent else None, str(one.get("name") or ""), {},
                moment(one.get("start_time")), moment(one.get("end_time")),
                str(error.get("message") or error.get("exception_type") or "failed") if error else None, said,
                rest)  # fmt: skip


def _mapped(one: Record, number: int) -> Span:
    """Helicone's requests with their bodies as it maps them."""
    schema = loose(one["llmSchema"])
    asked, answer = loose(schema.get("request")), loose(schema.get("response"))
    said = model(asked, {})
    said["output"] = answer.get("messages") or answer.get("message") or answer.get("text")
    said |= {"model": one.get("model") or answer.get("model") or said["model"], "provider": one.get("provider")}
    said["conversation"] = loose(one.get("properties")).get("Helicone-Session-Id")
    error = loose(answer.get("error"))
    rest = {**rest_of(one, "llmSchema", "request_id", "request_created_at", "response_created_at", "provider", "model"),
            "response": rest_of(answer, "messages", "message", "text")}  # fmt: skip
    return Span(str(one.get("request_id") or number), None, str(asked.get("llm_type") or "chat"), {},
                moment(one.get("request_created_at")), moment(one.get("response_created_at")),
                str(error.get("heliconeMessage") or error) if error else None, said, rest)  # fmt: skip


def _crew(one: Record, number: int) -> Span:
    task = one[_OF] == "task"
    said = {"kind": "agent" if task else "chain", "input": one.get("messages") or one.get("description"),
            "output": one.get("raw"), "usage": dict(loose(one.get("token_usage")))}  # fmt: skip
    rest = rest_of(one, _OF, "raw", "messages", "token_usage", *(() if one.get("messages") else ("description",)))
    name = str(one.get("agent") or one.get("name") or "crew")
    return Span(f"task-{number}" if task else "crew", "crew" if task else None, name, {}, None, None, None, said, rest)


_EVENTS = {"llm_call_completed": "llm", "llm_call_failed": "llm", "tool_usage_finished": "tool",
           "tool_usage_error": "tool", "agent_execution_completed": "agent", "crew_kickoff_completed": "chain",
           "knowledge_query_completed": "retrieval", "task_completed": "chain"}  # fmt: skip
_BEGUN = ("crew_kickoff_", "llm_call_", "tool_usage_", "agent_execution_", "task_", "flow_", "method_execution_",
          "memory_", "knowledge_", "agent_reasoning_")  # fmt: skip


def _event(one: Record, number: int) -> Span:
    """An event of CrewAI's bus."""
    kind = _EVENTS.get(str(one["type"]), "other")
    said = {"kind": kind, "model": one.get("model"), "tools": one.get("tools")}
    said["input"] = one.get("messages") or one.get("tool_args") or one.get("inputs") or one.get("query")
    said["output"] = one.get("response") or one.get("output")
    spent = ("type", "timestamp", "model", "tools", "response", "output", "messages", "tool_args", "inputs", "query")
    left = {key: one[key] for key in spent[5:] if one.get(key) and one[key] is not said["input"]
            and one[key] is not said["output"]}  # fmt: skip
    ended, began = moment(one.get("finished_at") or one.get("timestamp")), moment(one.get("started_at"))
    error = one.get("error") if str(one["type"]).endswith(("_failed", "_error")) else None
    name = str(one.get("tool_name") or one["type"])
    return Span(str(one.get("event_id") or number), str(one["parent_event_id"]) if one.get("parent_event_id") else None,
                name, {}, began or ended, ended if began else None, str(error) if error else None, said,
                {**rest_of(one, *spent), **left, "type": one["type"]})  # fmt: skip


def _step(one: Record, number: int) -> Span:
    """A step of a run of OpenAI's assistants."""
    details = loose(one.get("step_details"))
    calls = [loose(each) for each in details.get("tool_calls") or ()]
    found = [hit for call in calls for hit in loose(call.get("file_search")).get("results") or ()]
    said = {"kind": "retrieval" if found else "tool" if calls else "llm", "conversation": one.get("thread_id"),
            "documents": [{"id": loose(hit).get("file_id"), **loose(hit)} for hit in found] or None,
            "output": details, "usage": dict(loose(one.get("usage")))}  # fmt: skip
    error = loose(one.get("last_error"))
    rest = rest_of(one, "id", "step_details", "usage", "created_at", "completed_at", "thread_id")
    return Span(str(one.get("id") or number), str(one["run_id"]) if one.get("run_id") else None,
                str(one.get("type") or "step"), {}, moment(one.get("created_at")), moment(one.get("completed_at")),
                str(error.get("message") or error) if error else None, said, rest)  # fmt: skip


def _retrieves(one: Record) -> bool:
    return {"retrievalQuery", "retrievalConfiguration"} & loose(one.get("request")).keys() != set() or (
        "retrievalResults" in loose(one.get("response"))
    )


def _knowledge(one: Record, number: int) -> Span:
    """A search of Bedrock's knowledge bases."""
    asked, answer = loose(one.get("request")), loose(one.get("response"))
    config = loose(loose(asked.get("retrievalConfiguration")).get("vectorSearchConfiguration"))
    found = [loose(each) for each in answer.get("retrievalResults") or ()]
    documents = [{"id": loose(each.get("metadata")).get("x-amz-bedrock-kb-chunk-id"), "text": loose(each.get(
                 "content")).get("text"), **each} for each in found]  # fmt: skip
    said = {"kind": "retrieval", "input": loose(asked.get("retrievalQuery")).get("text"), "documents": documents,
            "settings": dict(config), "provider": "aws.bedrock"}  # fmt: skip
    rest = {**rest_of(one, "request", "response"), "request": rest_of(asked, "retrievalQuery"),
            "response": rest_of(answer, "retrievalResults")}  # fmt: skip
    return Span(str(one.get("id") or number), None, str(asked.get("knowledgeBaseId") or "retrieve"), {}, None, None,
                None, said, rest)  # fmt: skip


def _reported(one: Record) -> Iterator[Record]:
    """The statements of which pgBadger kept samples, each once, and the slowest; figures are kept with the first."""
    told: set[tuple[str, str]] = set()
    figures = rest_of(one, "normalyzed_info", "top_slowest")
    for database, queries in loose(one["normalyzed_info"]).items():
        for normal, about in loose(queries).items():
            for took, sample in loose(loose(about).get("samples")).items():
                each = loose(sample)
                told.add((str(each.get("query")), str(each.get("date"))))
                yield {_OF: "sample", "ms": took, "normalized": normal, "of": rest_of(loose(about), "samples"),
                       "kept": database, **each, **({"report": figures} if figures else {})}  # fmt: skip
                figures = {}
    for rows in loose(one.get("top_slowest")).values():
        for took, date, query, *more in rows if isinstance(rows, list) else ():
            if (str(query), str(date)) not in told:
                yield {_OF: "sample", "ms": took, "date": date, "query": query, "more": more}


def _sample(one: Record, number: int) -> Span:
    began = moment(str(one.get("date") or ""))
    ms = float(one["ms"]) if str(one.get("ms") or "").replace(".", "", 1).isdigit() else None
    ended = moment(began.timestamp() + ms / 1000) if began and ms is not None else None
    attributes = {"db.system": "postgresql", "db.query.text": one.get("query"), "db.namespace": one.get("db")}
    attributes = {key: value for key, value in attributes.items() if value}
    return Span(str(number), None, "statement", attributes, began, ended, None, {}, rest_of(one, _OF, "query", "db"))


PRODUCTS: tuple[tuple[str, Callable[[Record], bool], Callable[[Record, int], Span]], ...] = (
    ("pydantic ai", lambda one: one.get(_OF) == "answer", _answered),
    ("haystack", lambda one: one.get(_OF) == "component", _component),
    ("langgraph", lambda one: one.get(_OF) == "thread", _thread),
    ("crewai", lambda one: one.get(_OF) in ("crew", "task"), _crew),
    ("pgbadger", lambda one: one.get(_OF) == "sample", _sample),
    ("crewai", lambda one: str(one.get("type")).startswith(_BEGUN) and "timestamp" in one, _event),
    ("promptlayer", lambda one: "request_response" in one, _promptlayer),
    ("opik", lambda one: {"project_id", "input", "start_time"} <= one.keys() and (
        "span_count" in one or (one.get("type") in _OPIK and "trace_id" in one)), _opik),
    ("helicone", lambda one: isinstance(one.get("llmSchema"), Mapping), _mapped),
    ("assistants", lambda one: one.get("object") == "thread.run.step", _step),
    ("bedrock", _retrieves, _knowledge),
)  # fmt: skip
"""The dialect, whether a record is its, and its span."""
