"""The layer of grounding: an answer that says what stands in no document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.claims import claims, clocked, grounded
from envclone.diagnosis.conversation import documents_of, turns_of, used_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.parsed import texts
from envclone.diagnosis.words import words

__all__ = ["Grounding"]


class Grounding:
    """The numbers, names, codes and links of the last answer, looked for in all that the model was given."""

    layer: ClassVar[Layer] = Layer.GROUNDING
    causes: ClassVar[tuple[str, ...]] = ("ungrounded",)

    def test(self, case: Case) -> Iterator[Finding]:
        """Nothing is said of an answer without documents."""
        turns = turns_of(case.incident)
        documents = documents_of(case.incident)
        if not turns or not (documents or turns[-1].prompt):
            return
        given = "\n".join([turn.prompt for turn in turns] + [one.text for one in documents]
                          + [one.said for one in used_of(case.incident)])  # fmt: skip
        if not documents and len(words(given)) < 50:
            return
        command = f"envclone incident show {case.incident.incident}"
        if case.judge is not None:
            asked = {"question": turns[-1].question, "documents": given, "answer": turns[-1].answer}
            if said := list(case.judge(asked)):
                text = f"by the judge this of the answer of {turns[-1].name} has no ground: {'; '.join(said[:5])}"
                yield Finding(Layer.GROUNDING, "ungrounded", text, command, Certainty.LIKELY)
            return
        if elsewhere := _cited(turns[-1].answer, [one.id for one in documents], given):
            text = (
                f"the answer of {turns[-1].name} cites {', '.join(elsewhere[:5])}, which is none of the documents that"
            )
            text += f" it was given ({', '.join([one.id for one in documents][:5])})"
            yield Finding(Layer.GROUNDING, "ungrounded", text, command, Certainty.LIKELY)
            return
        answer = clocked(_said(turns[-1].answer))
        given = f"{given}\n{clocked(given)}"
        lost = [claim for claim in claims(answer) if not grounded(claim, answer, given)]
        if lost:
            text = (
                f"the answer of {turns[-1].name} says {', '.join(lost[:5])}, which stands in nothing that it was given"
            )
            yield Finding(Layer.GROUNDING, "ungrounded", text, command, Certainty.LIKELY)


def _cited(answer: str, ids: Sequence[str], given: str) -> list[str]:
    """What an answer cites as one cites these documents, and is neither one of them nor a place among them."""
    if not ids or not all(ids):
        return []
    if {"1", "2"} <= (shown := set(_PLACE.findall(given))):  # documents are numbered in the prompt
        beyond = [one for one in _PLACE.findall(answer) if one not in shown and int(one) > len(ids)]
        if beyond:
            return [f"[{one}]" for one in dict.fromkeys(beyond)]
    forms = {_form(one) for one in ids}
    there = {one.lower() for one in ids} | {str(place) for place in range(len(ids) + 1)}
    found = [one for inside in _CITED.findall(answer) for one in re.split(r"[,;]\s*", _KIND.sub("", inside))]
    return list(dict.fromkeys(
        one for one in map(str.strip, found)
        if one and _form(one) in forms and one.lower() not in there and not re.search(rf"\b{re.escape(one)}\b", given)
    ))  # fmt: skip


_CITED = re.compile(r"[\[【]\^?([\w#:;,. -]{1,80})(?:†[^\]】]{0,40})?[\]】](?!\()")
_PLACE = re.compile(r"\[(\d{1,3})\](?!\()")
_KIND = re.compile(r"\b(?:sources?|documents?|docs?|chunks?|refs?|ids?)\b[\s:#]*(?=[\w])(?![-_])", re.IGNORECASE)


def _form(one: str) -> str:
    """An id by its letters and how many digits it has: `doc-017` and `doc-018` are of one form."""
    return re.sub(r"\d", "0", one.lower())


def _said(answer: str) -> str:
    """Of a JSON answer what is in it."""
    try:
        value = json.loads(answer)
    except ValueError:
        return answer
    return "\n".join(texts(value)) if isinstance(value, dict | list) else answer
