"""The layer of form: an answer that does not have the schema that was asked for, or ends too early."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import turns_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.schema import Misfit, misfits

__all__ = ["Formatting"]

_TOO_LONG = frozenset(("length", "max_tokens", "max_output_tokens", "model_length"))
"""Why OpenAI, Anthropic, Gemini and others say that an answer ended before its end."""
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?```\s*$", re.DOTALL)


class Formatting:
    """Each answer of a model against the schema that it was given."""

    layer: ClassVar[Layer] = Layer.FORMATTING
    causes: ClassVar[tuple[str, ...]] = ("answer_cut", "field_renamed", "invalid_format")

    def test(self, case: Case) -> Iterator[Finding]:
        """What stopped too early is not also judged by its form."""
        command = f"envclone incident show {case.incident.incident}"
        for turn in turns_of(case.incident):
            if ended := [why for why in turn.finish if why.lower() in _TOO_LONG]:
                text = (
                    f"the answer of {turn.name} ended at the most tokens that it may have (finish_reason: {ended[0]})"
                )
                yield Finding(Layer.FORMATTING, "answer_cut", text, command, Certainty.SHOWN)
                continue
            if turn.schema is None or not turn.answer.strip():
                continue
            try:
                value = json.loads(turn.answer)
            except ValueError:
                fenced = " (it stands between ``` marks)" if _FENCE.match(turn.answer) else ""
                text = f"the answer of {turn.name} is no JSON{fenced}, and a schema was asked for"
                yield Finding(Layer.FORMATTING, "invalid_format", text, command, Certainty.SHOWN)
                continue
            wrong = misfits(value, turn.schema)
            if renamed := _renamed(value, turn.schema, wrong):
                was, now = renamed
                text = f"the answer of {turn.name} calls {was} '{now}'"
                yield Finding(Layer.FORMATTING, "field_renamed", text, command, Certainty.SHOWN)
            elif wrong:
                text = f"the answer of {turn.name} does not have its schema: {'; '.join(m.text for m in wrong[:3])}"
                yield Finding(Layer.FORMATTING, "invalid_format", text, command, Certainty.SHOWN)


def _renamed(value: Any, schema: Mapping[str, Any], wrong: Sequence[Misfit]) -> tuple[str, str] | None:
    """A field that is missing, and one that nobody asked for whose value would fit it."""
    if not isinstance(value, Mapping):
        return None
    known = schema.get("properties")
    known = known if isinstance(known, Mapping) else {}
    unknown = [name for name in value if name not in known]
    for misfit in wrong:
        if misfit.rule == "required" and misfit.place == "$" and misfit.name in known:
            for name in unknown:
                if not misfits(value[name], known[misfit.name]):
                    return misfit.name, str(name)
    return None
