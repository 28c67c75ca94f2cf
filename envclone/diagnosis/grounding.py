"""The layer of grounding: an answer that says what stands in no document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import documents_of, texts, turns_of, used_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.words import words

__all__ = ["Grounding", "claims"]

_NUMBER = re.compile(
    r"(?<![\w.])\d[\d.,:/-]*\d|(?<![\w.])\d(?=\s*(?:%|€|\$|£|years?|days?|hours?|minutes?|weeks?|months?))"
)
_ANY_NUMBER = re.compile(r"(?<![\w.])\d(?:[\d.,:/-]*\d)?")
_NAME = re.compile(r"(?<![.!?:;\n»“\"'(*#-] )(?<=[a-z,] )([A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*)")
_LINK = re.compile(r"https?://[^\s)>\]]+|[\w.+-]+@[\w-]+\.[\w.-]+")
_CODE = re.compile(r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9][A-Z0-9-]{2,}\b")
_ENUMERATED = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)


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
        lost = [claim for claim in claims(_said(turns[-1].answer)) if not _stands(claim, given)]
        if lost:
            text = (
                f"the answer of {turns[-1].name} says {', '.join(lost[:5])}, which stands in nothing that it was given"
            )
            yield Finding(Layer.GROUNDING, "ungrounded", text, command, Certainty.LIKELY)


def _cited(answer: str, ids: Sequence[str], given: str) -> list[str]:
    """What an answer cites as one cites these documents, and is neither one of them nor a place among them."""
    if not ids or not all(ids):
        return []
    forms = {_form(one) for one in ids}
    there = {one.lower() for one in ids} | {str(place) for place in range(len(ids) + 1)}
    found = [one for inside in _CITED.findall(answer) for one in re.split(r"[,;]\s*", _KIND.sub("", inside))]
    return list(dict.fromkeys(
        one for one in map(str.strip, found)
        if one and _form(one) in forms and one.lower() not in there and not re.search(rf"\b{re.escape(one)}\b", given)
    ))  # fmt: skip


_CITED = re.compile(r"[\[【]\^?([\w#:;,. -]{1,80})(?:†[^\]】]{0,40})?[\]】](?!\()")
_KIND = re.compile(r"\b(?:sources?|documents?|docs?|chunks?|refs?|ids?)\b[\s:#]*(?=[\w])(?![-_])", re.IGNORECASE)


def _form(one: str) -> str:
    """An id by its letters and how many digits it has: `doc-017` and `doc-018` are of one form."""
    return re.sub(r"\d", "0", one.lower())


def claims(answer: str) -> tuple[str, ...]:
    """What an answer says that can be looked up: links, codes, numbers, and names within a sentence."""
    links = _LINK.findall(answer)
    rest = _ENUMERATED.sub(" ", _LINK.sub(" ", answer))
    codes = _CODE.findall(rest)
    rest = _CODE.sub(" ", rest)
    found = [*links, *codes, *_NUMBER.findall(rest), *_NAME.findall(rest)]
    return tuple(dict.fromkeys(one.rstrip(".,:-/") for one in found))


def _said(answer: str) -> str:
    """Of a JSON answer what is in it."""
    try:
        value = json.loads(answer)
    except ValueError:
        return answer
    return "\n".join(texts(value)) if isinstance(value, dict | list) else answer


def _plain(number: str) -> str:
    """An amount without the zeros behind its point: 35.00 is 35."""
    return re.sub(r"[.,]0{1,2}$", "", number).replace(",", "")


def _stands(claim: str, given: str) -> bool:
    low = given.lower()
    if claim.lower() in low:
        return True
    digits = re.sub(r"[^\d]", "", claim)
    if digits and not re.search(r"[A-Za-z]", claim):
        return any(re.sub(r"[^\d]", "", other) == digits or _plain(other) == _plain(claim)
                   for other in _ANY_NUMBER.findall(given))  # fmt: skip
    there = set(words(given))
    return all(word in there or word.removesuffix("s") in there for word in words(claim))
