"""Addresses: every name can be written, and is read as it was written."""

from __future__ import annotations

import random

import pytest

from envclone.address import Address, items, joined, pieces, written

ODD = [
    "e.mail",
    "last, first",
    'say "hi"',
    '"',
    '""',
    "% complete",
    "discount_%s",
    "a*",
    "x[]",
    " ",
    ".",
    "naïve–col",
    "A",
]


def test_plain_names_stay_as_they_are() -> None:
    assert written(["public", "orders", "total_2"]) == "public.orders.total_2"
    assert written(["public", "% complete"]) == 'public."% complete"' and written(["discount_%s"]) == "discount_%s"


def test_every_name_comes_back() -> None:
    rng = random.Random(5)
    for _ in range(3000):
        parts = tuple(
            rng.choice(ODD) if rng.random() < 0.5 else "".join(rng.choices('ab." *,[]', k=rng.randint(1, 6)))
            for _ in range(rng.randint(1, 4))
        )
        text = written(parts)
        assert Address.parse(text).parts == parts, text
        assert str(Address.parse(text)) == text
        assert items(f"{text}, {text}") == [text, text]
        if len(parts) > 1:
            assert joined(Address.parse(text).holder, Address.parse(text).name) == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('public.t.say "hi"', ["public", "t", 'say "hi"']),
        ('a."b.c"[]', ["a", "b.c[]"]),
        ('a."b', ["a", '"b']),
        ("a..b", ["a", "", "b"]),
        ("", [""]),
    ],
)
def test_what_is_not_wholly_quoted_stands_for_itself(text: str, parts: list[str]) -> None:
    assert list(Address.parse(text).parts) == parts
    assert "".join(piece.text + piece.lists for piece in pieces(text)) == "".join(parts)
