"""A short list names every text of a block that is nobody's, and hardly another one."""

from __future__ import annotations

import random

import pytest

from envclone.masking.nobody import KINDS_OF_NOBODY
from envclone.packed import block_of
from tests.unit.masking.test_sieve import NOBODY, SPELLED


@pytest.mark.parametrize("kind", sorted(KINDS_OF_NOBODY))
def test_every_text_of_nobody_is_found(kind: str) -> None:
    draw = random.Random(kind)
    words = [*sorted(NOBODY._words[kind]), *SPELLED, "x@y.invalid", "x@invalid"]
    values = [f"Jane Doe{i}" for i in range(1000)]
    for _ in range(2000):
        word = draw.choice(words)
        word = word.upper() if draw.random() < 0.3 else word
        word = f" {word}" + draw.choice("\t \x1f\v\u00a0") if draw.random() < 0.3 else word
        values.append(word.replace(" ", "  ").replace("*", "foo") if draw.random() < 0.3 else word)
    draw.shuffle(values)
    held = [i for i, value in enumerate(values) if NOBODY.holds(kind, value)]
    assert NOBODY.within(kind, block_of(values)) == held
    assert bool(held) == bool(NOBODY._words[kind])
    if held:
        assert len(NOBODY._lists[kind].among(block_of(values))) < len(held) + 1000


@pytest.mark.parametrize("kind", ["person", "email", "phone", "uuid", "date"])
def test_somebody_is_not_named(kind: str) -> None:
    values = ["Jane Doe", "jane@corp.com", "+49 30 1234567", "123e4567-e89b-12d3-a456-426614174000", "1981-02-03", ""]
    NOBODY.within(kind, block_of(values))
    assert NOBODY._lists[kind].among(block_of(values)) == []
