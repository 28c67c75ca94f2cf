"""The layer of form: an answer that does not have the schema that was asked for, or ends too early."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import Turn, asked_again, later_worked, turns_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.schema import Misfit, misfits
from envclone.diagnosis.wired import calls_of

__all__ = ["Formatting"]

_TOO_LONG = frozenset((
    "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length", "token_limit", "limit",
    "max_length", "pause_turn", "insufficient_system_resource",
))  # fmt: skip
"""Why models' vendors say that an answer ended before its end; `pause_turn` where it was never gone on with."""
_BLOCKED = frozenset((
    "content_filter", "safety", "refusal", "recitation", "blocklist", "prohibited_content", "spii", "language",
    "guardrail_intervened", "content_filtered", "image_safety", "model_armor", "error_toxic", "sensitive", "toxicity",
))  # fmt: skip
"""Why models' vendors say that an answer was kept back."""
_KEPT_BACK = re.compile(
    r"content[_ ]filter|content management policy|ResponsibleAIPolicyViolation|content[_ ]policy|"
    r"data_inspection_failed|"
    r"(?:blocked|filtered|flagged) (?:by|due to|for|as)\b[^.]{0,60}\b(?:safety|guardrail|filter|moderation|polic)|"
    r"block_?reason|prompt was blocked|moderation_blocked",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?```\s*$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


class Formatting:
    """Each answer of a model against the schema that it was given."""

    layer: ClassVar[Layer] = Layer.FORMATTING
    causes: ClassVar[tuple[str, ...]] = ("answer_cut", "answer_blocked", "field_renamed", "invalid_format")

    def test(self, case: Case) -> Iterator[Finding]:
        """What stopped too early is not also judged by its form."""
        command = f"envclone incident show {case.incident.incident}"
        turns = turns_of(case.incident)
        calls = calls_of(case.incident)
        for number, call in enumerate(calls):
            if call.error and call.kind == "llm" and _KEPT_BACK.search(call.error) and not later_worked(calls, number):
                text = f"{call.name or call.id} was kept back by a filter: {call.error[:300]}"
                yield Finding(Layer.FORMATTING, "answer_blocked", text, command, Certainty.SHOWN)
        for number, turn in enumerate(turns):
            if asked_again(turns, number) is not None:
                continue
            before = next((f" (it was asked again, {one})" for one in _otherwise(turns, number)), "")
            if ended := [why for why in turn.finish if _reason(why) in _TOO_LONG]:
                text = f"the answer of {turn.name} ended at the most tokens that it may have (finish_reason:"
                text += f" {ended[0]}){before}"
                yield Finding(Layer.FORMATTING, "answer_cut", text, command, Certainty.SHOWN)
                continue
            if blocked := [why for why in turn.finish if _reason(why) in _BLOCKED]:
                text = f"the answer of {turn.name} was kept back by a filter (finish_reason: {blocked[0]}){before}"
                yield Finding(Layer.FORMATTING, "answer_blocked", text, command, Certainty.SHOWN)
                continue
            if turn.schema is None or turn.failed or (not turn.answer.strip() and not turn.said_nothing):
                continue
            try:
                value = json.loads(turn.answer)
            except ValueError:
                fenced = " (it stands between ``` marks)" if _FENCE.match(turn.answer) else ""
                text = f"the answer of {turn.name} is no JSON{fenced}, and a schema was asked for{before}"
                yield Finding(Layer.FORMATTING, "invalid_format", text, command, Certainty.SHOWN)
                continue
            wrong = misfits(value, turn.schema)
            if renamed := _renamed(value, turn.schema, wrong):
                was, now = renamed
                text = f"the answer of {turn.name} calls {was} '{now}'{before}"
                yield Finding(Layer.FORMATTING, "field_renamed", text, command, Certainty.SHOWN)
            elif wrong:
                said = "; ".join(m.text for m in wrong[:3])
                text = f"the answer of {turn.name} does not have its schema: {said}{before}"
                yield Finding(Layer.FORMATTING, "invalid_format", text, command, Certainty.SHOWN)


def _reason(why: str) -> str:
    """Why an answer ended, without what libraries write around it: `FinishReason.MAX_TOKENS`, `['length']`."""
    plain = re.sub(r"[\s-]+", "_", why.strip("[]\"' ").lower())
    return re.sub(r"^[a-z_]*(?:reason|status)(?:\.|_(?=[a-z]))", "", plain)


def _otherwise(turns: Sequence[Turn], number: int) -> Iterator[str]:
    """With which other settings a turn asks what an earlier one asked."""
    for other in range(number):
        if asked_again(turns[: number + 1], other) is turns[number]:
            was, now = turns[other].sampling, turns[number].sampling
            changed = [f"{name} {was.get(name)} then {now.get(name)}" for name in sorted({*was, *now})
                       if was.get(name) != now.get(name)]  # fmt: skip
            yield f"with {', '.join(changed)}" if changed else "with the same settings"


def _renamed(value: Any, schema: Mapping[str, Any], wrong: Sequence[Misfit]) -> tuple[str, str] | None:
    """A field that is missing somewhere, and one beside it that nobody asked for whose value would fit it."""
    for misfit in wrong:
        if misfit.rule == "required":
            at, there = _below(value, schema, misfit.place)
            known = there.get("properties") if isinstance(there, Mapping) else None
            if not isinstance(at, Mapping) or not isinstance(known, Mapping) or misfit.name not in known:
                continue
            for name in at:
                if name not in known and not misfits(at[name], known[misfit.name]):
                    return misfit.name, str(name)
    return None


def _below(value: Any, schema: Any, place: str) -> tuple[Any, Any]:
    """What stands at a place of an answer, and its schema; (None, None) where the way there is not plain."""
    for name, number in _STEP.findall(place.removeprefix("$")):
        if not isinstance(schema, Mapping):
            return None, None
        if number:
            inside = isinstance(value, list) and int(number) < len(value)
            value, schema = (value[int(number)], schema.get("items")) if inside else (None, None)
        else:
            properties = schema.get("properties")
            schema = properties.get(name) if isinstance(properties, Mapping) else None
            value = value.get(name) if isinstance(value, Mapping) else None
    return value, schema
