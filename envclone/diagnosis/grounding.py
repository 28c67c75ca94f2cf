"""The layer of grounding: an answer that says what stands in no document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import documents_of, turns_of, used_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.parsed import texts
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
        answer = clocked(_said(turns[-1].answer))
        given = f"{given}\n{clocked(given)}"
        lost = [claim for claim in claims(answer) if not _stands(claim, given) and not _reckoned(claim, answer, given)]
        if lost:
            text = (
                f"the answer of {turns[-1].name} says {', '.join(lost[:5])}, which stands in nothing that it was given"
            )
            yield Finding(Layer.GROUNDING, "ungrounded", text, command, Certainty.LIKELY)


def _reckoned(claim: str, answer: str, given: str) -> bool:
    """Whether a number follows from two others of the same answer, of which one was given: 2 x 84.50 is 169."""
    total = _amount(claim)
    if total is None:
        return False
    others = [one for one in _ANY_NUMBER.findall(answer) if one != claim]
    known = [value for one in others if (value := _amount(one)) is not None and _stands(one, given)]
    more = [value for one in others if (value := _amount(one)) is not None and value <= _COUNTED]
    more += [float(value) for word, value in _COUNTS.items() if re.search(rf"\b{word}\b", answer, re.IGNORECASE)]
    pairs = [(a, b) for a in known for b in (*known, *more)]
    made = (made for a, b in pairs for made in (a * b, a + b, a - b, b - a, a / b if b else 0.0, a * b / 100,
                                                a + a * b / 100, a - a * b / 100))  # fmt: skip
    return any(abs(one - total) < _ROUNDED for one in (*made, sum(known)))


_COUNTED = 31
"""The most of something that an answer counts without having been given the number."""
_ROUNDED = 0.006
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
           "twelve": 12, "half": 0.5, "double": 2, "twice": 2}  # fmt: skip


def _amount(number: str) -> float | None:
    plain = number.rstrip(".,:-/")
    plain = (
        re.sub(r",(?=\d{1,2}$)", ".", plain) if plain.count(",") == 1 and "." not in plain else plain.replace(",", "")
    )
    try:
        return float(plain)
    except ValueError:
        return None


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


def claims(answer: str) -> tuple[str, ...]:
    """What an answer says that can be looked up: links, codes, numbers, and names within a sentence."""
    links = _LINK.findall(answer)
    rest = _ENUMERATED.sub(" ", _LINK.sub(" ", answer))
    codes = _CODE.findall(rest)
    rest = _CODE.sub(" ", rest)
    names = [one for one in _NAME.findall(rest) if " " in one or not _nouns_are_capital(rest)]
    found = [*links, *codes, *_NUMBER.findall(rest), *names]
    return tuple(dict.fromkeys(one.rstrip(".,:-/") for one in found))


def _nouns_are_capital(answer: str) -> bool:
    """Whether it is in a language that writes every noun so, as German does."""
    said = words(answer)
    return sum(word in _GERMAN for word in said) * 8 >= len(said) > 0


_GERMAN = frozenset((
    "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "und", "oder", "nicht", "ist",
    "sind", "wird", "werden", "mit", "von", "zu", "zum", "zur", "im", "am", "auf", "für", "aus", "bei", "nach", "über",
    "kann", "kostet", "gibt", "es", "sie", "ihr", "ihre", "wir", "uns", "auch", "nur", "bis", "um", "haben", "hat",
))  # fmt: skip


def clocked(text: str) -> str:
    """A text whose times of day are written by twenty-four hours: 9:30 pm is 21:30, 9 Uhr is 09:00."""
    return _CLOCK.sub(_by_day, text)


_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.h](\d{2}))?\s?(a\.?m\b\.?|p\.?m\b\.?|Uhr\b|o.clock\b)", re.IGNORECASE)


def _by_day(match: re.Match[str]) -> str:
    hour, half = int(match[1]), match[3][0].lower()
    if hour > 12 or half not in "ap":
        return f"{hour:02d}:{match[2] or '00'}"
    return f"{hour % 12 + (12 if half == 'p' else 0):02d}:{match[2] or '00'}"


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
