"""The layer of assembly: a prompt whose template got nothing for what was retrieved or asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from envclone.diagnosis.assembly import texts_of
from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import documents_of, question_of, turns_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.words import held, shingles

__all__ = ["Filled"]

_CONTEXT = re.compile(
    r"(?:^|_)(?:context|documents?|docs?|chunks?|passages?|sources?|knowledge|results?|articles?)$", re.I
)
_QUESTION = re.compile(r"(?:^|_)(?:question|query|user_?input|user_?message)$", re.I)
_PLACE = re.compile(r"\{\{\s?([A-Za-z_]\w{0,40})\s?\}\}|(?<![\w{$])\{([A-Za-z_]\w{0,40})\}(?![\w}])")
_SHOWN = 3


class Filled:
    """Looks at the variables of each prompt, and for places in it that nothing was put into."""

    layer: ClassVar[Layer] = Layer.ASSEMBLY
    causes: ClassVar[tuple[str, ...]] = ("variable_empty",)

    def test(self, case: Case) -> Iterator[Finding]:
        """Only what should hold something can be empty: documents that were retrieved, a question that was asked."""
        wanted = _wanted(case)
        command = f"envclone incident show {case.incident.incident}"
        for call in case.incident.calls:
            empty = [name for name, value in _variables(call.prompt).items() if value in _NOTHING and wanted(name)]
            if empty:
                text = f"the prompt of {call.name or call.id} got nothing for {', '.join(empty[:_SHOWN])}"
                yield Finding(Layer.ASSEMBLY, "variable_empty", f"{text}, which was there", command, Certainty.SHOWN)
                return
        told = "\n".join(one.text for one in documents_of(case.incident))
        for turn in turns_of(case.incident):
            said = {match[0]: match[1] or match[2] for match in _PLACE.finditer(turn.prompt)}
            left = [name for place, name in said.items()
                    if wanted(name) and place not in told and place not in turn.question]  # fmt: skip
            if left:
                text = (
                    f"the prompt of {turn.name} still has the place of {', '.join(left[:_SHOWN])}: nothing was put in"
                )
                yield Finding(Layer.ASSEMBLY, "variable_empty", text, command, Certainty.SHOWN)
                return
        yield from _headings(case, wanted, command)


def _headings(case: Case, wanted: Any, command: str) -> Iterator[Finding]:
    """A heading or a tag of the prompt with nothing below it, where what belongs there stands nowhere in the prompt."""
    found = [text for _, text in texts_of(case).items()]
    for turn in turns_of(case.incident)[-1:]:
        prompt = shingles(turn.prompt)
        if not found or any(held(text, prompt) > _SOME for text in found):
            return
        for match in _EMPTY.finditer(turn.prompt):
            name = match["tag"] or match["heading"]
            if wanted(name.strip().lower().replace(" ", "_")):
                text = f"the prompt of {turn.name} has nothing under '{name.strip()}', and {len(found)} documents were"
                text += " retrieved, of which none stands in it"
                yield Finding(Layer.ASSEMBLY, "variable_empty", text, command, Certainty.SHOWN)
                return


_SOME = 0.2
"""The part of a document that stands in a prompt by chance."""
_EMPTY = re.compile(
    r"<(?P<tag>\w{3,30})>\s*(?:None|null|undefined|\[\]|nan)?\s*</(?P=tag)>"
    r"|^[#*\s]*(?P<heading>[A-Za-z][A-Za-z ]{2,30}?)[*\s]*:[*\s]*(?:None|null|undefined|\[\]|nan)?[ \t]*"
    r"(?=\n\s*(?:\n|[#*]*[A-Z][A-Za-z ]{2,30}:|<)|\s*\Z)",
    re.MULTILINE,
)
_NOTHING: tuple[Any, ...] = (None, "", [], {}, "[]", "None", "null", "undefined")


def _wanted(case: Case) -> Any:
    """Whether a variable should hold something: what it would have held is in the trace."""
    retrieved = bool(documents_of(case.incident)) or any(case.returned(one.step.id) for one in case.searches)
    asked = bool(question_of(case.incident).strip())
    return lambda name: bool((retrieved and _CONTEXT.search(name)) or (asked and _QUESTION.search(name)))


def _variables(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of a template, as conventions and applications note them."""
    for key in ("variables", "prompt_variables", "inputs", "prompt.variables"):
        value = prompt.get(key)
        if isinstance(value, str) and value[:1] == "{":
            try:
                value = json.loads(value)
            except ValueError:
                continue
        if isinstance(value, Mapping):
            return {str(name): one.strip() if isinstance(one, str) else one for name, one in value.items()}
    return {}
