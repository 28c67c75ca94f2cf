"""Documents that stand in a prompt in another form, and answers of which nobody can tell what they are of."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Callable

import pytest

from tests.unit.diagnosis.test_talk import TEXTS, _cause, _llm, _retrieved

SAID = [
    "Rückgaben nimmt jede Filiale dreißig Tage lang an, auch ohne Karton & Beleg",
    "L'expédition à l'étranger dure une semaine, et coûte « douze » euros",
    'Gift cards > 50 € aren\'t paid out in cash, "never" says the house',
    "Das Lager ist an Feiertagen geschlossen – Bestellungen gehen später raus",
    "Konten löscht man auf Wunsch; Adressen, Telefon <b>und</b> Rechnungen gehen mit",
    "Rechnungen kommen per Post,\neine Kopie steht im Konto bereit",
]
ANSWER = "Rechnungen per Post, Rückgaben, Gift cards, Feiertagen, expédition, Adressen löscht."
FORMS: dict[str, Callable[[list[str]], str]] = {
    "json": lambda said: json.dumps([{"text": one} for one in said]),
    "json in json": lambda said: json.dumps(json.dumps([{"text": one} for one in said])),
    "html": lambda said: "".join(f"<p class='doc'>{html.escape(one)}</p>" for one in said),
    "accents apart": lambda said: unicodedata.normalize("NFD", "\n".join(said)),
    "without tags": lambda said: "\n".join(said).replace("<b>", "").replace("</b>", ""),
    "wrapped": lambda said: "\n".join(one.replace(" ", "\n    ", 3) for one in said),
    "a table": lambda said: "\n".join(f"| {number} | {one} |" for number, one in enumerate(said)),
    "quoted": lambda said: "> " + "\n> ".join(said),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_document_in_another_form_is_there(form: str) -> None:
    for place in range(1, 7):
        assert _cause(_retrieved(*SAID), _llm(FORMS[form](SAID), ANSWER), expected=str(place)) is None
    cut = FORMS[form](SAID[:4])
    assert _cause(_retrieved(*SAID), _llm(cut, ANSWER), expected="5") == "cut_off"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("I do not know.", "lost_in_the_middle"), ("Returns are taken by every shop.", "lost_in_the_middle"),
        ("It is as [4] says.", None), ("That is in the rules (3, 4).", None), ("Yes.", None),
        ("Das ist an den Tagen nicht möglich, und es wird auf die Woche verschoben.", None),
        ("It is as [2] says.", "lost_in_the_middle"),
    ],
)  # fmt: skip
def test_what_an_answer_shows_of_a_document_between_others(answer: str, cause: str | None) -> None:
    assert _cause(_retrieved(*TEXTS), _llm("\n".join(TEXTS), answer), expected="4") == cause
