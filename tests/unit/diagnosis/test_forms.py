"""What models ask tools for, answer and end with, in the forms in which libraries and services write it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from envclone.diagnosis.diagnose import diagnose
from tests.unit.diagnosis.fakes import Line, case

PLACES = {str(number): float(number) for number in range(1, 9)}
SCHEMA = {"type": "object", "properties": {"order": {"type": "string"}, "urgency": {"type": "string"}},
          "required": ["order"], "additionalProperties": False}  # fmt: skip
BOTH = {**SCHEMA, "required": ["order", "urgency"]}
GEMINI = {"type": "OBJECT", "properties": {"order": {"type": "STRING"}}, "required": ["order"]}
FUNCTION = {"type": "function", "function": {"name": "refund", "parameters": SCHEMA}}
ASKED: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "OpenAI's Responses": ({"type": "function", "name": "refund", "parameters": SCHEMA}, lambda given: [
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "name": "refund", "arguments": json.dumps(given)}]),
    "Gemini": ({"functionDeclarations": [{"name": "refund", "parameters": GEMINI}]}, lambda given: [
        {"role": "model", "parts": [{"functionCall": {"name": "refund", "args": given}}]}]),
    "Pydantic AI": ({"name": "refund", "parameters_json_schema": SCHEMA}, lambda given: [
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "refund", "arguments": given}]}]),
    "Bedrock": ({"toolSpec": {"name": "refund", "inputSchema": {"json": SCHEMA}}}, lambda given: {
        "role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "refund", "input": given}}]}),
    "OpenInference": ({"tool.json_schema": json.dumps(FUNCTION)}, lambda given: [{
        "message.role": "assistant", "message.tool_calls": [{
            "tool_call.function.name": "refund", "tool_call.function.arguments": json.dumps(given)}]}]),
    "OpenLLMetry": ({"name": "refund", "parameters": json.dumps(SCHEMA)}, lambda given: [
        {"role": "assistant", "tool_calls": [{"id": "c", "name": "refund", "arguments": json.dumps(given)}]}]),
    "Vercel": (json.dumps({"type": "function", "name": "refund", "inputSchema": SCHEMA}), lambda given: [
        {"toolCallId": "c", "toolName": "refund", "input": json.dumps(given)}]),
    "Mastra": ({"name": "refund", "parameters": SCHEMA}, lambda given: {
        "text": "", "toolCalls": [{"toolCallId": "c", "toolName": "refund", "args": given}]}),
    "LangChain": (FUNCTION, lambda given: {"generations": [[{"message": {"kwargs": {
        "content": "", "tool_calls": [{"name": "refund", "args": given}]}}}]]}),
    "LlamaIndex": (FUNCTION, lambda given: {"role": "assistant", "blocks": [
        {"block_type": "tool_call", "tool_name": "refund", "tool_kwargs": given}]}),
}  # fmt: skip
SAID: dict[str, Callable[[str], Any]] = {
    "Responses": lambda text: [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}],
    "parts": lambda text: [{"role": "model", "parts": [{"text": text}]}],
    "blocks": lambda text: {"role": "assistant", "blocks": [{"block_type": "text", "text": text}]},
    "OpenInference": lambda text: [{"message.role": "assistant", "message.contents": [
        {"message_content.type": "text", "message_content.text": text}]}],
    "Mastra": lambda text: {"text": text},
}  # fmt: skip
WHY = {
    "['length']": "answer_cut", "FinishReason.MAX_TOKENS": "answer_cut", "finish_reason_max_tokens": "answer_cut",
    "FinishReason.SAFETY": "answer_blocked", "end_turn": None, "FinishReason.STOP": None,
}  # fmt: skip
ERRORS = {
    "exit code 137": "out_of_memory", "std::bad_alloc": "out_of_memory", "MemoryError": "out_of_memory",
    "java.lang.OutOfMemoryError: Java heap space": "out_of_memory", "ENOSPC: write": "disk_full",
    "ThrottlingException: Too many tokens": "refused", "connect ECONNREFUSED 127.0.0.1:6333": "unavailable",
    "read ECONNRESET": "unavailable", "socket hang up": "unavailable", "getaddrinfo ENOTFOUND api": "unavailable",
    "connect ETIMEDOUT 10.0.0.3": "timeout",
}  # fmt: skip


def _cause(**said: Any) -> str | None:
    asked = [{"role": "user", "content": "refund order 1234"}]
    call = {"id": "l", "kind": "llm", "name": "chat", "input": asked, **said}
    first = diagnose(case(Line(PLACES), calls=[call])).first
    return first.cause if first else None


@pytest.mark.parametrize("form", ASKED)
def test_arguments_of_tools(form: str) -> None:
    tool, asked = ASKED[form]
    assert _cause(tools=[tool], output=asked({"ordr": 1234})) == "tool_arguments"
    assert _cause(tools=[tool], output=asked({"order": "1234"})) is None


@pytest.mark.parametrize("form", SAID)
@pytest.mark.parametrize("key", ["guided_json", "output_format"])
def test_forms_of_answers(form: str, key: str) -> None:
    schema = {"guided_json": BOTH, "output_format": {"type": "json_schema", "schema": BOTH}}
    settings = {key: schema[key]}
    renamed, right = ({"order": "1234", name: "high"} for name in ("priority", "urgency"))
    assert _cause(output=SAID[form](json.dumps(renamed)), settings=settings) == "field_renamed"
    assert _cause(output=SAID[form](json.dumps(right)), settings=settings) is None


@pytest.mark.parametrize(("why", "cause"), WHY.items())
def test_ends_of_answers(why: str, cause: str | None) -> None:
    assert _cause(output="Fine", finish=[why]) == cause


@pytest.mark.parametrize(("error", "cause"), ERRORS.items())
def test_errors_of_machines(error: str, cause: str) -> None:
    assert _cause(error=error) == cause
