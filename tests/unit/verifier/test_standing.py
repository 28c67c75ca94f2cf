"""What a mask left is told from a pseudonym that stands elsewhere in the raw text."""

from __future__ import annotations

import random

import pytest

from envclone.verifier.search import Hit
from envclone.verifier.standing import Standing, Standings

RAW = b"hi ann, this is michaela keller  please look  ask my parent jennifer keller, 1 503 880  regards michaela"


@pytest.mark.parametrize(
    ("masked", "word", "left"),
    [
        (
            b"hi eve, this is isabella gillen  please look  ask my parent michaela gillen, 1 890 776  regards isabella",
            b"michaela",
            False,
        ),
        (
            b"hi eve, this is isabella gillen  please look  ask my parent rosa gillen, 1 890 776  regards michaela",
            b"michaela",
            True,
        ),
        (
            b"hi eve, this is michaela gillen  please look  ask my parent rosalinde gillen, 1 890 776  regards olga",
            b"michaela",
            True,
        ),
        (
            b"hi michaela, this is isabella gillen  please look  ask my parent jo gillen, 1 890 776  regards isabella",
            b"michaela",
            False,
        ),
    ],
)
def test_a_word_is_left_where_the_place_that_belongs_to_it_has_it(masked: bytes, word: bytes, left: bool) -> None:
    start = masked.index(word)
    assert Standing(RAW, masked).left(start, start + len(word)) is left


def test_a_word_between_two_pseudonyms_is_found_and_so_is_a_part_of_a_word() -> None:
    raw, masked = b"from wolfhard janedoe2024 quenzelmann to him", b"from otto janedoe7193 bergmann to him"
    start = masked.index(b"janedoe")
    assert Standing(raw, masked).left(start, start + 7)


def test_whatever_is_left_is_found_beside_pseudonyms_of_every_length() -> None:
    rng = random.Random(7)
    words = [f"w{i}" for i in range(40)] + ["the", "to", "and", "of"] * 10
    for _ in range(300):
        raw, masked, left = [], [], []
        for _ in range(rng.randrange(3, 120)):
            word = rng.choice(words)
            raw.append(word)
            if rng.random() < 0.3:
                masked += [f"p{rng.randrange(10**6)}" for _ in range(rng.randrange(1, 4))]
            else:
                start = len(" ".join([*masked, ""]))
                left.append((start, start + len(word)))
                masked.append(word)
        before, after = " ".join(raw).encode(), " ".join(masked).encode()
        standing = Standing(before, after)
        assert all(standing.left(start, end) for start, end in left)


def test_a_text_of_no_end_counts_what_is_in_both_as_left() -> None:
    raw = b"michaela " + b"word " * 30_000
    assert Standing(raw, raw[9:] + b"x michaela").left(len(raw) - 7, len(raw) + 1)


def test_values_that_are_kept_are_left_as_they_are() -> None:
    assert Standings(None).left(0, b"anything", Hit(0, 0, 3))
    assert not Standings(["michaela, please ask the parents"]).left(
        0, b"rosalinde, please ask the parents michaela", Hit(0, 34, 42)
    )
