"""Texts in Markdown are read as they are read piece by piece."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from envclone.masking import markup
from envclone.masking.escapes import spelled_parts

PARTS = (
    "`", "**", "*", "~~", "***", "****", "\n| ", "\n\n", "\n> ", "  ", "\t", "\r\n", "-\n", "word", "Jane", " at ",
    " dot ", "@ example.com", "%41", "&amp;", "<b>", "\u00a0", "\u2003", "\u3000", "é", "а", "\u0301", "|", ">", "=",
)  # fmt: skip


def _piece_by_piece(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    for number, text in enumerate(texts):
        for _, _, found in spelled_parts(text):
            out, position = "", 0
            for piece in found:
                out += text[position : piece.start] + piece.plain
                position = piece.end
            yield number, out + text[position:]


def test_markup_is_read_as_its_pieces_are() -> None:
    chance = random.Random(1)
    for _ in range(500):
        texts = ["".join(chance.choices(PARTS, k=chance.randrange(12))) for _ in range(5)]
        slowly = dict(_piece_by_piece(texts))
        for number, plain in markup.readings(texts):
            assert plain is None or plain == slowly.get(number), texts[number]
        assert slowly.keys() <= dict(markup.readings(texts)).keys(), texts


def test_what_markup_says() -> None:
    texts = [
        "see `Jane` **Doe**",
        "plain text, 3 - 4",
        "a\n> b",
        "J%41ne `x`",
        "two  blanks",
        "jane at example dot org",
    ]
    assert dict(markup.readings(texts)) == {0: "see Jane Doe", 2: "a b", 3: None, 5: None}
