"""What is looked for in free text is the same however many identities are read together."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.masking import lexicon
from envclone.masking.corpus import Corpus
from envclone.masking.lexicon import Lexicon
from envclone.masking.runs import cut

_CORPUS = {
    "person": ["Wolfhard Quenzelmann", "Núñez, José", "Dr. Ana de la Ó", "Ünal Öz", "佐藤 健", "김 민준", "Jo"],
    "email": ["ünal.öz7@corp.example", "jörg@corp.example", "jörg.jo@corp.example", "no address"],
    "address": ["Lindenweg 4", "Straße des 17. Juni 135", "\u0301accent first", "12-345-678", "Νέα Οδός 3"],
    "username": ["wquenzelmann", "may", "jörg.west", "anna.west", "jörg.jo"],
    "company": ["Quenzel GmbH", "Öl", "GmbH"],
    "iban": ["DE89 3704 0044 0532 0130 00"],
    "card": ["4111 1111 1111 1111", "12"],
    "uuid": [f"{7 * i:x}" for i in range(1, 9)],
}


def _told(corpus: Corpus) -> tuple[Any, ...]:
    made = Lexicon(corpus)
    numbers = (made.pairs.sorted, made.numbers.sorted, made.codes.numbers.sorted, made.uuids.sorted)
    return made.words, made.inside, made.spelled, made.plain, made.codes.shapes, *(one.tolist() for one in numbers)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_it_is_the_same_however_many_are_read_together(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus(_CORPUS)
    wanted = _told(corpus)
    assert wanted[-1] == [7 * i for i in range(1, 9)] and len(wanted[-2]) == 2
    monkeypatch.setattr(lexicon, "_AT_ONCE", at_once)
    assert _told(corpus) == wanted


def test_texts_are_cut_together_as_one_by_one() -> None:
    texts = ["", "12-345", "\u0301x y", "straße 4", "jo", " jo", "νέα οδός", "佐藤 健", "a\u0301b c", ""]
    for text, (same, words, starts) in zip(texts, lexicon._cuts(texts), strict=True):
        alone = cut(text, text)
        assert (same, list(words), list(starts)) == (text, list(alone.words), list(alone.starts))


def test_a_spelling_stands_under_the_word_that_the_fewest_have() -> None:
    held = Lexicon(Corpus(_CORPUS)).spelled
    assert [(one.text, one.offset, one.kind) for one in held["lindenweg"]] == [("lindenweg 4", 0, "address")]
    assert [(one.text, one.offset) for one in held["anna"]] == [("anna west", 0)]
