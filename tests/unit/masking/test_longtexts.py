"""Long texts in pieces say what they say as a whole, wherever a border is."""

from __future__ import annotations

import base64
import random

import pytest

from envclone.masking import longtexts
from tests.unit.masking.test_freetext import MASKS

WORDS = ("the", "invoice", "was", "wrong", "and", "Grace", "saw it;", "please", "call", "back on Friday,")


def _text(seed: int) -> str:
    rng = random.Random(seed)
    parts = rng.choices(
        [*WORDS, "Jane Doe", "jane.doe@corp.com", "+49 30 901820", "<b>José</b> Núñez", "jane%2Edoe%40corp.com", "\n"],
        k=900,
    )
    return " ".join(parts)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longtexts, "CONTEXT", 300)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [997, 1000, 1003, 1011, 1024])
def test_pieces_say_what_the_whole_says(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for seed in range(4):
        text = _text(seed)
        whole = MASKS.text([text])[0]
        monkeypatch.setattr(longtexts, "LONG", size)
        assert MASKS.text(["short", text]) == [MASKS.text(["short"])[0], whole]
        monkeypatch.setattr(longtexts, "LONG", 1 << 20)
        assert whole != text and "Jane" not in whole


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("at", range(0, 2000, 97))
def test_a_name_in_a_block_longer_than_a_piece_is_masked(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    monkeypatch.setattr(longtexts, "LONG", 1000)
    filler = "lorem ipsum dolor sit amet " * 80
    inner = filler[:at] + " Jane Doe " + filler[at:]
    text = "x: " + base64.b64encode(inner.encode()).decode()
    masked = MASKS.text([text])[0]
    assert len(masked) == len(text)
    assert b"Jane Doe" not in base64.b64decode(masked[3:])


def test_a_long_text_among_short_ones_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longtexts, "LONG", 4000)
    short, long = "It was Jane Doe who called.", "the amount was wrong " * 400 + "for Jane Doe"
    texts = [short, long, short, "", long]
    assert MASKS.text(texts) == [MASKS.text([one])[0] for one in texts]
    assert "Jane Doe" not in "".join(MASKS.text(texts))
