"""The layer of assembly: a prompt that is longer than what the model reads of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import later_worked
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.parsed import texts
from envclone.diagnosis.wired import calls_of

__all__ = ["Window"]

_OVER = re.compile(
    r"context[ _]length|context[ _]window|prompt is too long|input is too long|too many (?:input )?tokens|"
    r"exceeds? the (?:maximum )?(?:number of )?tokens|reduce the length of the messages|token limit",
    re.IGNORECASE,
)
_ENDED = ("model_context_window_exceeded", "context_length_exceeded", "error_limit")
_GIVEN = re.compile(r"input|prompt|cache", re.IGNORECASE)
_DATA = re.compile(r"base64,|data:[a-z]+/")
_FEWEST = 4000
"""Characters of a prompt from which what was counted of it is held against its length."""
_CHARACTERS = 12
"""More characters than any text has for each token, in the middle of a few thousand."""
_WINDOWS = ("num_ctx", "n_ctx", "max_input_tokens", "truncate_prompt_tokens", "max_model_len")
"""How Ollama, llama.cpp and vLLM call the most that they read."""


class Window:
    """What a service refused for its length, and what it counted of a prompt that it cut without a word."""

    layer: ClassVar[Layer] = Layer.ASSEMBLY
    causes: ClassVar[tuple[str, ...]] = ("window_exceeded",)

    def test(self, case: Case) -> Iterator[Finding]:
        """The first call of a model that it happened to."""
        command = f"envclone incident show {case.incident.incident}"
        calls = calls_of(case.incident)
        for number, call in enumerate(calls):
            if call.kind not in ("llm", "embedding", "rerank"):
                continue
            named = f"the {call.kind} call {call.name or call.id}"
            ended = [one for one in call.finish if one.lower() in _ENDED]
            if (ended or (call.error and _OVER.search(call.error))) and not later_worked(calls, number):
                said = ended[0] if ended else str(call.error)[:300]
                text = f"{named} was longer than what the model reads: {said}"
                yield Finding(Layer.ASSEMBLY, "window_exceeded", text, command, Certainty.SHOWN)
                return
            prompt = "\n".join([*texts(call.system), *texts(call.input)])
            counted = _counted(call.usage)
            if (
                counted
                and not call.error
                and len(prompt) > max(_FEWEST, _CHARACTERS * counted)
                and not _DATA.search(prompt)
            ):
                bound = next((f" ({name} = {call.settings[name]})" for name in _WINDOWS if name in call.settings), "")
                text = (
                    f"{named} has a prompt of {len(prompt)} characters, and the service counted {counted} tokens of it"
                )
                text += f"{bound}: it read only a part"
                yield Finding(Layer.ASSEMBLY, "window_exceeded", text, command, Certainty.LIKELY)
                return


def _counted(usage: Mapping[str, Any]) -> int:
    """The tokens of a prompt, those that a cache had, too."""
    numbers = [value for name, value in usage.items() if _GIVEN.search(name) and isinstance(value, int | float)
               and not isinstance(value, bool)]  # fmt: skip
    return int(sum(numbers))
