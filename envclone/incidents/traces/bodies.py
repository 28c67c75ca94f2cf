"""A request to a model's service and its answer, whichever service they are of: what they say as a call's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envclone.incidents.traces.span import loose

__all__ = ["Record", "model", "rest_of", "whole_of_stream"]

Record = Mapping[str, Any]
_EMBEDS = ("inputText", "texts", "inputs")
_CONTENT = ("choices", "content", "candidates", "output", "completion", "generation", "outputText", "results")


def model(asked: Any, answer: Any) -> dict[str, Any]:
    """What a request to a model and its answer say, whichever service they are of."""
    body, got = loose(asked), loose(answer)
    config = {**loose(body.get("generationConfig")), **loose(body.get("inferenceConfig")),
              **loose(body.get("textGenerationConfig"))}  # fmt: skip
    texts = next((body[key] for key in _EMBEDS if body.get(key)), None)
    vectors = got.get("embedding") or got.get("embeddings")
    listed = got.get("data")
    if vectors is None and isinstance(listed, list) and listed and isinstance(loose(listed[0]).get("embedding"), list):
        vectors, texts = [one["embedding"] for one in listed], body.get("input")
    messages = next((body[key] for key in ("messages", "contents", "input", "prompt") if body.get(key)), None)
    spent = ("messages", "contents", "input", "prompt", "system", "systemInstruction", "instructions", "tools",
             "toolConfig", "generationConfig", "inferenceConfig", "textGenerationConfig", "model", "modelId",
             *_EMBEDS)  # fmt: skip
    choices = [loose(one) for key in ("choices", "candidates") for one in got.get(key) or ()]
    output: Any = [one.get("message") or one.get("content") or one.get("text") for one in choices] or [
        got[key] for key in _CONTENT if got.get(key)
    ][0:1]
    if not choices:
        output = output[0] if output else None
    message = loose(output).get("message") if isinstance(output, Mapping) else None
    finish = [one.get("finish_reason") or one.get("finishReason") for one in choices]
    finish += [got[key] for key in ("stop_reason", "stopReason") if got.get(key)]
    finish += [loose(got.get("incomplete_details")).get("reason")]
    return {
        "kind": "embedding" if vectors is not None else "llm",
        "input": texts if vectors is not None else messages,
        "vectors": vectors,
        "output": None if vectors is not None else (message or output),
        "model": got.get("model") or body.get("model") or got.get("modelVersion") or body.get("modelId"),
        "system": body.get("system") or body.get("systemInstruction") or body.get("instructions"),
        "tools": body.get("tools") or loose(body.get("toolConfig")).get("tools"),
        "settings": {**{key: value for key, value in body.items() if key not in spent}, **config},
        "usage": dict(loose(got.get("usage")) or loose(got.get("usageMetadata"))),
        "finish": [one for one in finish if one],
    }


def rest_of(one: Record, *spent: str) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key not in spent}


def whole_of_stream(answer: Any) -> Any:
    """The answer that the events of Bedrock's ConverseStream or of a model's stream make; any other as it is."""
    if not isinstance(answer, list):
        return answer
    text = ""
    asked: dict[str, Any] = {}
    done: dict[str, Any] = {}
    for event in map(loose, answer):
        delta = loose(loose(event.get("contentBlockDelta")).get("delta"))
        text += str(delta.get("text") or loose(event.get("delta")).get("text") or event.get("generation") or "")
        begun = loose(loose(event.get("contentBlockStart")).get("start"))
        if loose(begun.get("toolUse")).get("name"):
            asked = {"toolUse": {**begun["toolUse"], "input": ""}}
        if asked and loose(delta.get("toolUse")).get("input"):
            asked["toolUse"]["input"] += str(delta["toolUse"]["input"])
        done |= loose(event.get("messageStop"))
        done |= {key: value for key, value in loose(event.get("delta")).items() if key == "stop_reason"}
        usage = loose(event.get("metadata")).get("usage") or event.get("usage")
        done |= {"usage": usage} if usage else {}
    content = [*([{"text": text}] if text else []), *([asked] if asked else [])]
    return {"output": {"message": {"role": "assistant", "content": content}}, **done}
