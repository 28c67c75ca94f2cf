"""How much of what could differ a bundle knows: each variable, whether it is recorded, what its absence can hide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.incidents.bundle import HttpStep, Incident, SqlStep, VectorStep
from envclone.incidents.calls import Call

__all__ = ["VARIABLES", "Variable", "completeness", "counted", "lacking"]


@dataclass(frozen=True, slots=True)
class Variable:
    """Something that could differ between production and a branch; `hides` and `fill` are for one that is absent."""

    name: str
    recorded: bool
    hides: str
    fill: str


_Told = Callable[[Incident], bool | None]
"""Whether a bundle has a variable; None where it has no place in this incident."""


def _of(kinds: Sequence[str], told: Callable[[Call], Any]) -> _Told:
    """Of every call of some kinds; None without such a call."""

    def asked(incident: Incident) -> bool | None:
        those = [call for call in incident.calls if call.kind in kinds]
        return all(bool(told(call)) for call in those) if those else None

    return asked


def _any(kinds: Sequence[str], told: Callable[[Call], Any]) -> _Told:
    """Of any call of some kinds: it holds for the whole conversation; None without such a call."""

    def asked(incident: Incident) -> bool | None:
        those = [call for call in incident.calls if call.kind in kinds]
        return any(bool(told(call)) for call in those) if those else None

    return asked


def _setting(*names: str) -> Callable[[Call], bool]:
    def told(call: Call) -> bool:
        return any(key.rpartition(".")[2] in names and value is not None for key, value in call.settings.items())

    return told


def _applies(incident: Incident) -> bool:
    """Whether the calls are an application's, which may have searched without a word of it in its trace."""
    return any(call.kind in ("request", "llm", "agent", "chain", "tool") for call in incident.calls)


def _conversation(incident: Incident) -> bool | None:
    return any(call.conversation for call in incident.calls) if _applies(incident) else None


def _vector(incident: Incident) -> bool | None:
    searches = [step for step in incident.steps if isinstance(step, VectorStep)]
    calls = [call for call in incident.calls if call.kind in ("retrieval", "vector")]
    if not searches and not calls:
        return False if _applies(incident) else None
    return len(searches) >= len(calls) or all(call.vectors for call in calls)


def _results(incident: Incident) -> bool | None:
    calls = [call for call in incident.calls if call.kind in ("retrieval", "vector", "rerank")]
    steps = [step for step in incident.steps if isinstance(step, VectorStep)]
    if not calls and not steps:
        return False if _applies(incident) else None
    return all(step.expect is not None for step in steps) and all(_scored(call) for call in calls if not steps)


def _scored(call: Call) -> bool:
    return bool(call.documents) and all(
        isinstance(one, dict) and any("score" in key for key in one) for one in call.documents
    )


def _role(incident: Incident) -> bool | None:
    steps = [step for step in incident.steps if isinstance(step, SqlStep)]
    return all(step.role for step in steps) if steps else None


def _system(call: Call) -> bool:
    if call.system:
        return True
    messages = call.input if isinstance(call.input, list) else []
    if isinstance(call.input, dict):
        messages = next((one for one in call.input.values() if isinstance(one, list)), [])
    return any(isinstance(one, dict) and "system" in (str(value) for value in one.values()) for one in messages)


def _version(incident: Incident) -> bool | None:
    """Resources say which build answered."""
    if not _applies(incident):
        return None
    about = incident.origin.about if incident.origin is not None else {}
    said = [key for one in about.get("resources", ()) if isinstance(one, dict) for key in one]
    return any(key in ("service.version", "container.image.tags", "vcs.ref.head.revision") for key in said) or any(
        call.other.get("release") or call.other.get("version") for call in incident.calls
    )


_LLM, _ASKED = ("llm",), ("llm", "embedding", "rerank")
VARIABLES: tuple[tuple[str, _Told, str, str], ...] = (
    ("query vector", _vector, "which neighbours the index was asked for: the search itself cannot be run again",
     "--embed-with COMMAND with --collection NAME, or `vector:` in a step"),
    ("results and scores", _results, "whether the branch finds what production found", "envclone incident record"),
    ("role of statements", _role, "rights, row security and settings of the role that asked",
     "--role NAME, or `role:` in a step"),
    ("model", _of(_ASKED, lambda call: call.model), "another model, or another version of it, answered", ""),
    ("provider", _any(_ASKED, lambda call: call.provider), "the same name is served by several", ""),
    ("temperature", _of(_LLM, _setting("temperature")), "chance: the same messages can be answered otherwise", ""),
    ("seed", _of(_LLM, _setting("seed")), "chance, also at temperature 0", ""),
    ("length limit", _of(_LLM, _setting("max_tokens", "max_output_tokens", "maxTokens", "max_completion_tokens",
                                        "maxOutputTokens", "num_output")), "an answer that was cut off", ""),
    ("messages", _of(_LLM, lambda call: call.input), "what the model was told", ""),
    ("answer", _of(_LLM, lambda call: call.output or call.error), "what went wrong with it", ""),
    ("system prompt", _any(_LLM, _system), "the instructions that the model followed", ""),
    ("tool definitions", _any(_LLM, lambda call: call.tools) , "which tools it could choose", ""),
    ("tool arguments and results", _of(("tool",), lambda call: call.input is not None and call.output is not None),
     "what a tool was given, and what it gave", ""),
    ("token counts", _of(_LLM, lambda call: call.usage), "a context that was too long", ""),
    ("finish reason", _of(_LLM, lambda call: call.finish), "whether the model ended, or was cut off", ""),
    ("prompt version", _any(_LLM, lambda call: call.prompt), "a prompt that was changed since", ""),
    ("conversation", _conversation, "what was said before", ""),
    ("clock", lambda incident: all(call.began for call in incident.calls) if incident.calls else None,
     "what depends on the time of day, and the order of calls", ""),
    ("version of the application", _version, "code that was changed since", ""),
)  # fmt: skip
"""Names in the order of a request's way, whether a bundle has them, what their absence hides, and what fills it."""


def completeness(incident: Incident) -> list[Variable]:
    """Every variable that has a place in this incident."""
    return list(_asked(incident))


def _asked(incident: Incident) -> Iterator[Variable]:
    answers = all(isinstance(step, HttpStep) for step in incident.steps) and not incident.calls
    for name, told, hides, fill in () if answers else VARIABLES:
        recorded = told(incident)
        if recorded is not None:
            yield Variable(name, recorded, hides, fill)


def counted(incident: Incident) -> str:
    """How many calls of which kinds a bundle holds, and from what."""
    kinds = Counter(call.kind for call in incident.calls)
    dialect = f" of a trace ({incident.origin.dialect})" if incident.origin is not None else ""
    return f"{len(incident.calls)} calls{dialect}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def lacking(incident: Incident) -> list[str]:
    """How complete a bundle with the calls of a trace is, and one line for each variable that it does not have."""
    found = completeness(incident) if incident.calls else []
    absent = [one for one in found if not one.recorded]
    if not found:
        return []
    lines = [f"{len(found) - len(absent)} of {len(found)} variables are recorded"]
    for one in absent:
        fill = f"; fill it with {one.fill}" if one.fill else ""
        lines.append(f"unknown: {one.name}; that can hide {one.hides}{fill}")
    return lines
