"""Batches are masked by compiled loops: the same pseudonyms as value by value, in Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone import compiled
from envclone.masking.makers import Makers
from envclone.masking.memo import BATCH
from envclone.masking.names import classes
from tests.unit.masking.conftest import KEY

ODD = "ABCXYZabcdefghijklmnopqrstuvwxyz0123456789 .-'@+_,()/#\u00e9\u00df\u5c71\x00\n"


def both(kind: str, values: Sequence[str]) -> tuple[list[str], list[str]]:
    """A batch's pseudonyms from the loop, and from the mask in Python under the same key."""
    assert compiled.available()
    assert len(set(values)) >= BATCH
    loop = Makers(KEY).mask(kind).mask(list(values))
    one = Makers(KEY).mask(kind)
    return loop, [one.mask([value])[0] for value in values]


@cache
def known() -> list[str]:
    return [name for names in classes() for name in names if name.isascii()]


def names(draw: random.Random) -> str:
    name = draw.choice(known()), draw.choice(known()), draw.choice("abcdefghijklmnop")
    parts = (
        *(f"{name[0]} {name[1]}".title(), f"{name[1].upper()}, {name[0].title()}", name[0] + name[1]),
        *(
            name[2] + name[1],
            f"{name[0][:-1]}x {name[1]}q",
            f"Dr. {name[0]} O'{name[1]}-{name[2]}",
            f"{name[0]}{name[2]}9",
        ),
    )
    return draw.choice(parts)


def noise(draw: random.Random) -> str:
    return "".join(draw.choice(ODD) for _ in range(draw.randrange(0, 40)))


@pytest.mark.parametrize("kind", ["person", "username"])
def test_names(kind: str) -> None:
    draw = random.Random(kind)
    values = [*(names(draw) for _ in range(6000)), *(noise(draw) for _ in range(400)), *known()[::7]]
    loop, one = both(kind, values)
    assert loop == one


def test_short_tokens_and_digits() -> None:
    letters = "aexzAX19"
    values = [a + b + c + d for a in letters for b in letters for c in letters for d in ("", *letters)]
    loop, one = both("person", [*values, *("7" * n for n in range(1, 70)), *("b" * n for n in range(1, 70))])
    assert loop == one
    assert len(set(loop)) == len({*values, *(c * n for c in "7b" for n in range(1, 70))})


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=BATCH, unique=True))
def test_any_names(values: list[str]) -> None:
    loop, one = both("person", values)
    assert loop == one


def test_equal_values_of_a_batch_are_masked_once() -> None:
    asked: list[int] = []
    from envclone.masking.memo import Memo

    def many(values: Sequence[str]) -> list[str]:
        asked.append(len(values))
        return [value.upper() for value in values]

    memo = Memo(str.upper, many)
    values = [f"v{i % 40}" for i in range(1000)]
    assert memo(values) == [value.upper() for value in values]
    assert asked == [40]


def test_remembering_is_bounded() -> None:
    from envclone.masking import memo

    calls: list[str] = []

    def one(value: str) -> str:
        calls.append(value)
        return value

    remembering = memo.Memo(one)
    for i in range(3 * memo.GENERATION):
        remembering.one(str(i))
        remembering.one("often")
    assert len(remembering._known._younger) + len(remembering._known._older) <= 2 * memo.GENERATION
    assert calls.count("often") == 1
    assert len(calls) == 3 * memo.GENERATION + 1
