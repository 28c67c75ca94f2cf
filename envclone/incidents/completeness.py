"""How much of what could differ a bundle knows: each variable is recorded, pinned or unknown, and what that can hide.

Recorded: the bundle holds it. Pinned: the branch or the cassette fixes it, known or not: a replay has production's own
state of the stores, and a model whose answer is recorded gives that answer. Unknown: it can differ unseen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from envclone.incidents.bundle import HttpStep, Incident, SqlStep, VectorStep
from envclone.incidents.calls import Call

__all__ = ["VARIABLES", "Variable", "completeness", "counted", "lacking"]


State = Literal["recorded", "pinned", "unknown"]


@dataclass(frozen=True, slots=True)
class Variable:
    """Something that could differ between production and a branch; `hides` and `fill` are for one that is unknown."""

    name: str
    recorded: bool
    hides: str
    fill: str
    state: State = "unknown"


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


def _prompt(incident: Incident) -> bool | None:
    """A version that the call tells, or the request that it is a part of."""
    kinds = {call.kind for call in incident.calls if call.prompt}
    return bool(kinds & {"llm", "request"}) if any(call.kind == "llm" for call in incident.calls) else None


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
    inside = [one.get("document", one) if isinstance(one, dict) else one for one in call.documents]
    return bool(inside) and all(isinstance(one, dict) and any("score" in key for key in one) for one in inside)


def _role(incident: Incident) -> bool | None:
    steps = [step for step in incident.steps if isinstance(step, SqlStep)]
    return all(step.role for step in steps) if steps else None


def _system(call: Call) -> bool:
    return bool(call.system) or _instructs(call.input, 4)


def _instructs(value: Any, levels: int) -> bool:
    """Whether there is a message of the system, or a member that is named as its instructions."""
    if levels == 0:
        return False
    if isinstance(value, dict):
        said = [one for key, one in value.items() if key.rpartition(".")[2] in ("role", "type", "author")]
        if any(one in ("system", "developer") for one in said):
            return True
        if any(value.get(key) for key in ("system", "system_instruction", "system_instructions", "instructions")):
            return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_instructs(one, levels - 1) for one in inner)


def _version(incident: Incident) -> bool | None:
    """The bundle or the resources of its trace say which build answered."""
    if not _applies(incident):
        return None
    if any(incident.application.get(name) for name in ("image", "commit", "version")):
        return True
    about = incident.origin.about if incident.origin is not None else {}
    said = [key for one in about.get("resources", ()) if isinstance(one, dict) for key in one]
    return any(key in ("service.version", "container.image.tags", "vcs.ref.head.revision") for key in said) or any(
        call.other.get("release") or call.other.get("version") for call in incident.calls
    )


def _part(name: str, kinds: Sequence[str]) -> _Told:
    """The version of a part of the application, where it has calls that the part worked for."""

    def asked(incident: Incident) -> bool | None:
        those = [call for call in incident.calls if call.kind in kinds]
        if not those:
            return None
        made = {"embedder": "embedding", "reranker": "rerank"}.get(name)
        return bool(incident.application.get(name)) or any(call.model for call in those if call.kind == made)

    return asked


def _zone(incident: Incident) -> bool | None:
    return incident.clock is not None and incident.clock.zone is not None if _applies(incident) else None


def _answered(incident: Incident) -> bool:
    """Whether a cassette answers for every call of a model, so that none is asked again."""
    played = {one.call for one in incident.exchanges if one.call is not None}
    asked = [call.id for call in incident.calls if call.kind in _ASKED]
    return bool(asked) and all(one in played for one in asked)


_LLM, _ASKED, _SEARCHED = ("llm",), ("llm", "embedding", "rerank"), ("embedding", "retrieval", "vector")
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
                                        "maxOutputTokens", "num_output", "num_predict", "max_new_tokens",
                                        "max_tokens_to_sample")), "an answer that was cut off", ""),
    ("messages", _of(_LLM, lambda call: call.input), "what the model was told", ""),
    ("answer", _of(_LLM, lambda call: call.output or call.error), "what went wrong with it", ""),
    ("system prompt", _any(_LLM, _system), "the instructions that the model followed", ""),
    ("tool definitions", _any(_LLM, lambda call: call.tools) , "which tools it could choose", ""),
    ("tool arguments and results", _of(("tool",), lambda call: call.input is not None and call.output is not None),
     "what a tool was given, and what it gave", ""),
    ("token counts", _of(_LLM, lambda call: call.usage), "a context that was too long", ""),
    ("finish reason", _of(_LLM, lambda call: call.finish), "whether the model ended, or was cut off", ""),
    ("prompt version", _prompt, "a prompt that was changed since", ""),
    ("conversation", _conversation, "what was said before", ""),
    ("clock", lambda incident: all(call.began for call in incident.calls) if incident.calls else None,
     "what depends on the time of day, and the order of calls", ""),
    ("zone of the clock", _zone, "what is said of today and tomorrow", "`clock: {zone: …}` in the bundle"),
    ("version of the application", _version, "code that was changed since",
     "`application: {image: …, commit: …}` in the bundle"),
    ("version of the chunker", _part("chunker", _SEARCHED), "documents that were cut in another way",
     "`application: {chunker: …}` in the bundle"),
    ("version of the embedder", _part("embedder", _SEARCHED), "vectors of another model, or another version of it",
     "`application: {embedder: …}` in the bundle"),
    ("version of the reranker", _part("reranker", ("rerank",)), "another order of what was found",
     "`application: {reranker: …}` in the bundle"),
    ("version of the tokenizer", _part("tokenizer", _LLM), "a context that was counted and cut in another way",
     "`application: {tokenizer: …}` in the bundle"),
    ("moment of the stores", lambda incident: incident.at is not None or incident.recorded_at is not None,
     "rows and points that were written since", "`at:` in the bundle, with a track"),
    ("schema, indexes and settings of the stores", lambda incident: False, "", ""),
)  # fmt: skip
_PINNED: dict[str, Callable[[Incident], bool]] = {
    **dict.fromkeys(("model", "provider", "temperature", "seed", "length limit", "finish reason", "token counts",
                     "version of the tokenizer", "version of the reranker"), _answered),
    "schema, indexes and settings of the stores": lambda incident: True,  # they are production's own files
}  # fmt: skip
"""Variables that need not be known when the branch or the cassette fixes them."""
"""Names in the order of a request's way, whether a bundle has them, what their absence hides, and what fills it."""


def completeness(incident: Incident) -> list[Variable]:
    """Every variable that has a place in this incident."""
    return list(_asked(incident))


def _asked(incident: Incident) -> Iterator[Variable]:
    answers = all(isinstance(step, HttpStep) for step in incident.steps) and not incident.calls
    for name, told, hides, fill in () if answers else VARIABLES:
        recorded = told(incident)
        if recorded is not None:
            pinned = not recorded and name in _PINNED and _PINNED[name](incident)
            yield Variable(name, recorded, hides, fill, "recorded" if recorded else "pinned" if pinned else "unknown")


def counted(incident: Incident) -> str:
    """How many calls of which kinds a bundle holds, and from what."""
    kinds = Counter(call.kind for call in incident.calls)
    dialect = f" of a trace ({incident.origin.dialect})" if incident.origin is not None else ""
    return f"{len(incident.calls)} calls{dialect}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def lacking(incident: Incident) -> list[str]:
    """How complete a bundle with the calls of a trace is, and one line for each variable that it does not have."""
    found = completeness(incident) if incident.calls else []
    if not found:
        return []
    states = Counter(one.state for one in found)
    lines = [f"{states['recorded']} of {len(found)} variables are recorded"]
    if states["pinned"]:
        names = ", ".join(one.name for one in found if one.state == "pinned")
        lines[0] += f", {states['pinned']} pinned by the branch or the cassette: {names}"
    for one in found:
        if one.state == "unknown":
            fill = f"; fill it with {one.fill}" if one.fill else ""
            lines.append(f"unknown: {one.name}; that can hide {one.hides}{fill}")
    return lines
