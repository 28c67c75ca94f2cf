"""The layer of assembly: it was retrieved, and did not reach the model, or stood where it was not read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import Turn, documents_of, turns_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.placed import Prompt
from envclone.diagnosis.words import held, shingles, text_field, text_of, words

__all__ = ["Assembly", "texts_of"]

_WHOLE = 0.9
_ABSENT = 0.5
_FEWEST = 5
"""Documents in a prompt from which one of them can be lost among the others."""


class Assembly:
    """Looks for the text of each expected record in the prompt, and for its words in the answer."""

    layer: ClassVar[Layer] = Layer.ASSEMBLY
    causes: ClassVar[tuple[str, ...]] = ("cut_off", "lost_in_the_middle")

    def test(self, case: Case) -> Iterator[Finding]:
        """Only what was retrieved can be lost on the way."""
        turns = [turn for turn in turns_of(case.incident) if turn.prompt]
        if not turns:
            return
        documents = texts_of(case)
        if len(documents) < 2:
            return
        turn = turns[-1]
        prompt = shingles(turn.prompt)
        there = {ident: held(text, prompt) for ident, text in documents.items()}
        if max(there.values()) < _WHOLE:
            return  # the prompt holds documents in another form
        command = f"envclone incident show {case.incident.incident}"
        for ident in case.expected:
            if ident not in documents:
                continue
            place = list(documents).index(ident) + 1
            if there[ident] < _WHOLE and _gone(turn.prompt, documents, ident, there[ident]):
                how = "not at all" if there[ident] < _ABSENT else "in part"
                whole = sum(share >= _WHOLE for share in there.values())
                text = f"{ident} was retrieved at place {place}, and stands {how} in the prompt of {turn.name}, which"
                text += f" holds {whole} of {len(documents)} documents whole ({len(turn.prompt)} characters)"
                yield Finding(Layer.ASSEMBLY, "cut_off", text, command, Certainty.SHOWN, "", (ident,))
            elif (found := _unread(turn, documents, ident)) is not None:
                yield Finding(Layer.ASSEMBLY, "lost_in_the_middle", found, command, Certainty.LIKELY, "", (ident,))


def _gone(prompt: str, documents: dict[str, str], ident: str, share: float) -> bool:
    """Whether words are gone, and not only others in their place: a mask can see a name in one text, not in another."""
    lacking = Prompt(prompt, documents).lacks(ident)
    return share < _ABSENT or lacking > max(1, (1 - _WHOLE) * len(words(documents[ident])))


def _unread(turn: Turn, documents: dict[str, str], ident: str) -> str | None:
    """Whether the answer has nothing of a document that stands between others; what shows it, or None."""
    order = Prompt(turn.prompt, documents).order()
    if ident not in order or len(order) < _FEWEST or not turn.answer.strip():
        return None
    position = order.index(ident)
    if position in (0, len(order) - 1) or _cited(turn.answer, ident, position + 1):
        return None
    if set(words(turn.answer)) <= _ASSENT or _foreign(turn.answer, documents.values()):
        return None  # it says too little, or in another language: nobody can tell of what
    asked = _pieces(turn.question) if len(turn.question) < len(turn.prompt) / 2 else set()
    others = {word for one, text in documents.items() if one != ident for word in _pieces(text)}
    own = {word for word in _pieces(documents[ident]) if word not in others and word not in asked and len(word) > 3}
    own |= {word for word in _pieces(documents[ident]) if word not in others and any(c.isdigit() for c in word)}
    answered = {
        word for word in _pieces(turn.answer) if word not in asked and (len(word) > 3 or any(c.isdigit() for c in word))
    }
    if not own or own & answered:
        return None
    support = {one: len(answered & _pieces(text)) for one, text in documents.items()}
    if support[ident] and support[ident] >= max(support.values()):
        return None  # nothing else says more of the answer
    return (
        f"{ident} stands at place {position + 1} of {len(order)} in the prompt of {turn.name}, and the answer has"
        f" none of the {len(own)} words that it alone says"
    )


def _pieces(text: str) -> set[str]:
    """The words of a text, and the parts of those that are put together: of `l'envoi` also `envoi`."""
    return {part for word in words(text) for part in (word, *re.split("['’-]", word))}


def _cited(answer: str, ident: str, place: int) -> bool:
    """Whether an answer names a document, by its id or its place in the prompt."""
    named = rf"(?<![\w-]){re.escape(ident)}(?![\w-])" if len(ident) > 2 else r"(?!)"
    return re.search(rf"{named}|[\[(【]\^?(?:[A-Za-z]+[ :#]{{1,2}})?(?:\d{{1,3}}, ?)*{place}(?:, ?\d{{1,3}})*[†\])】]",
                     answer) is not None  # fmt: skip


def _foreign(answer: str, documents: Iterable[str]) -> bool:
    """Whether an answer is in another language than the documents."""
    own, theirs = _language(answer), _language(" ".join(documents))
    return bool(own and theirs) and own != theirs


def _language(text: str) -> str:
    """The language whose small words a text has most of; '' where it has too few, or nearly as many of another's."""
    said = words(text)
    counts = sorted(((sum(word in small for word in said), name) for name, small in _SMALL.items()), reverse=True)
    (most, name), (next_, _) = counts[:2]
    return name if most >= _SOME and most > 2 * next_ else ""


_SOME = 3
_ASSENT = frozenset(("yes", "no", "true", "false", "ja", "nein", "oui", "non", "si", "sí", "correct"))
_SMALL = {name: frozenset(small.split()) for name, small in {
    "english": "the is are was and of to for with that this it you your not can from have has by be will which",
    "german": "der die das und ist sind nicht ein eine mit für auf den dem des im zu von wird sie es auch als bei nach",
    "french": "le la les des et est sont une dans pour avec que qui pas sur vous votre au aux du ce cette par ne",
    "spanish": "el los las y es son una para con que no por su al como se lo más esta este pero del usted puede",
    "italian": "il gli di e è sono una per con che non si da del della nel questo più come alla le anche può",
    "portuguese": "os as e é são uma para com que não por seu ao como se mais esta este mas do da no na você pode",
    "dutch": "de het een en is zijn niet met voor op van dat die u uw aan wordt door bij naar ook als kan om",
}.items()}  # fmt: skip


def texts_of(case: Case) -> dict[str, str]:
    """The retrieved texts by id, in their order: as the trace has them, else as the branch's records do."""
    told = {one.id: one.text for one in documents_of(case.incident) if one.id and one.text}
    if told:
        return told
    found: dict[str, str] = {}
    for search in case.searches:
        records = search.records(case.returned(search.step.id))
        name = text_field(records)
        found |= {record.id: text for record in records if (text := text_of(record, name))}
    return found
