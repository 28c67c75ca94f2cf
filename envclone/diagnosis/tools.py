"""The layer of tools: arguments that do not fit their schema, the same call again and again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import documents_of, turns_of, used_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.given import given_by_tools
from envclone.diagnosis.parsed import parsed, texts
from envclone.diagnosis.schema import misfits
from envclone.diagnosis.wired import calls_of
from envclone.diagnosis.words import shingles, text_field, text_of

__all__ = ["Tools"]

_NONE = ("", "null", "none", "[]", "{}", "no results", "no results found", "nothing found", "no documents found")
_MALFORMED = re.compile(r"(?:malformed|unexpected|invalid)_?(?:function|tool)_?(?:call|use)", re.IGNORECASE)
_UNREAD = re.compile(r"tool_use_failed|tool call validation failed|failed to call a function|invalid_tool_call", re.I)
"""How Gemini, Bedrock and Groq say that a model asked for a tool wrongly."""
_ENDLESS = re.compile(
    r"recursion limit of \d+ reached|GraphRecursionError|"
    r"stopped due to (?:iteration|max(?:imum)? iterations|time) limit|"
    r"\b\w+(?: number of)?[ _](?:turns|iterations|steps)(?: \(?\d+\)?)?[ :]*(?:\w+ )?(?:exceeded|reached)\b|"
    r"MaxTurnsExceeded|UsageLimitExceeded|too_many_tool_calls|reached max(?:imum)? (?:iterations|turns|steps)",
    re.IGNORECASE,
)
"""How LangGraph, LangChain, LlamaIndex, OpenAI's agents, Pydantic AI and Gemini say that an agent went on and on.

A mask takes the `Max` of `Max turns (10) exceeded` for somebody.
"""
_SHORT = 1000
_AGAIN = 3
"""How often the same call is made for it to be a loop."""


class Tools:
    """What models asked tools for."""

    layer: ClassVar[Layer] = Layer.TOOLS
    causes: ClassVar[tuple[str, ...]] = ("tool_arguments", "tool_loop", "tool_failed", "tool_result_empty")

    def test(self, case: Case) -> Iterator[Finding]:
        """Each call against its tool's schema; all calls against each other."""
        schemas = {name: schema for turn in turns_of(case.incident) for name, schema in turn.tools.items()}
        calls = used_of(case.incident)
        command = f"envclone incident show {case.incident.incident}"
        told: set[str] = set()
        for one in calls:
            if one.name in told:
                continue
            if schemas and one.name not in schemas:
                wrong = ["there is no such tool"]
            elif isinstance(one.arguments, str) and one.name in schemas:
                wrong = ["its arguments are no JSON"]
            else:
                wrong = [misfit.text for misfit in misfits(one.arguments or {}, schemas.get(one.name))]
            if wrong:
                told.add(one.name)
                text = f"the call of {one.name} does not fit its schema: {'; '.join(wrong[:3])}"
                yield Finding(Layer.TOOLS, "tool_arguments", text, command, Certainty.SHOWN)
        for turn in turns_of(case.incident):
            if broken := [why for why in turn.finish if _MALFORMED.search(why)]:
                text = f"{turn.name} asked for a tool in a form that its vendor could not read ({broken[0]})"
                yield Finding(Layer.TOOLS, "tool_arguments", text, command, Certainty.SHOWN)
        for call in calls_of(case.incident):
            if call.kind == "llm" and call.error and _UNREAD.search(call.error):
                text = f"{call.name or call.id} asked for a tool in a form that does not fit: {call.error[:300]}"
                yield Finding(Layer.TOOLS, "tool_arguments", text, command, Certainty.SHOWN)
        same = Counter((one.name, json.dumps(one.arguments, sort_keys=True, default=str), one.said) for one in calls)
        for (name, _, _), many in same.items():
            if many >= _AGAIN:
                text = f"{name} was called {many} times with the same arguments, and answered the same"
                yield Finding(Layer.TOOLS, "tool_loop", text, command, Certainty.SHOWN)
        yield from _stopped(case, command)
        yield from _came_back(case, command)


def _stopped(case: Case, command: str) -> Iterator[Finding]:
    """An agent that its library ended because it went on and on."""
    for call in calls_of(case.incident):
        said = [call.error or "", *(texts(call.output) if call.kind in ("agent", "chain", "llm") else ()), *call.finish]
        if ended := next((one for one in said if len(one) < _SHORT and _ENDLESS.search(one)), None):
            text = f"{call.name or call.id} was ended after too many turns: {ended[:200]}"
            yield Finding(Layer.TOOLS, "tool_loop", text, command, Certainty.SHOWN)
            return


def _came_back(case: Case, command: str) -> Iterator[Finding]:
    """The last that tools gave: an error, or nothing where the searches behind it found something."""
    given = given_by_tools(case.incident)
    if not given:
        return
    last = given[-1]
    name = last.tool or "a tool"
    if last.error:
        text = f"{name} failed, and no other tool was asked after it: {last.error[:300]}"
        yield Finding(Layer.TOOLS, "tool_failed", text, command, Certainty.SHOWN)
        return
    if not _nothing(last.value) or any(not _nothing(one.value) and one.tool == last.tool for one in given):
        return
    found = {ident: len(ids) for one in case.searches if (ids := case.returned(ident := one.step.id))}
    if not found or documents_of(case.incident):
        return
    said = ", ".join(f"the step {ident} returns {count}" for ident, count in found.items())
    shown = {one for search in case.searches for record in search.records(case.returned(search.step.id)[:3])
             for one in shingles(text_of(record, text_field([record])))}  # fmt: skip
    prompts = shingles("\n".join(turn.prompt for turn in turns_of(case.incident)))
    if shown & prompts:
        return
    text = f"{name} gave nothing ({json.dumps(last.value)[:60]}), and {said} here: it was lost between them"
    yield Finding(Layer.TOOLS, "tool_result_empty", text, command, Certainty.LIKELY)


def _nothing(value: Any) -> bool:
    """Whether what came back holds no result: no item in any of its lists, or words that say so."""
    if isinstance(value, Mapping):
        if lists := list(_lists(value)):
            said = [value[key] for key in _SAID if isinstance(value.get(key), str)]
            counted = any(value[key] for key in value if _COUNT.search(str(key)) and isinstance(value[key], int))
            return all(map(_nothing, [*lists, *said])) and not counted
        kept = [one for one in value.values() if isinstance(one, Mapping | str)]
        return all(_nothing(one) for one in kept) and not any(
            isinstance(one, int | float) and one for one in value.values())  # fmt: skip
    if isinstance(value, str):
        bare = value.strip().strip('"').rstrip(".!")
        return bare.lower() in _NONE or (len(bare) < _WORDS and _EMPTY.match(bare) is not None)
    if (
        isinstance(value, list)
        and value
        and all(isinstance(one, Mapping) and one.get("type") == "text" for one in value)
    ):
        return all(_nothing(parsed(one.get("text"))) for one in value)
    return value is None or (isinstance(value, list) and all(_nothing(one) for one in value))


def _lists(value: Any, depth: int = 0) -> Iterator[list[Any]]:
    for one in value.values():
        if isinstance(one, list):
            yield one
        elif isinstance(one, Mapping) and depth < _DEEPEST:
            yield from _lists(one, depth + 1)


_DEEPEST = 3
_WORDS = 160
_SAID = ("content", "text", "result", "output", "answer", "data", "body", "page_content")
_COUNT = re.compile(r"(^|_)(total|count|found|hits|matches|num|n)(_|$)", re.IGNORECASE)
_EMPTY = re.compile(
    r"(?:sorry,? )?(?:(?:there (?:are|were) )?(?:no|0|zero) (?:\w+ ){0,2}"
    r"(?:results?|documents?|match(?:es)?|hits?|records?|rows?|items?|entries|passages?|chunks?|information)\b|"
    r"nothing (?:was |could be )?found|none found|not found$|"
    r"(?:i |we )?(?:could ?n[o']t|could not|did ?n[o']t|did not|unable to) find (?:any|anything))",
    re.IGNORECASE,
)
