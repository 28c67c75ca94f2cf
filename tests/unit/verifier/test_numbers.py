"""Numbers of masked fields in kept columns: a repeated column leaks; keys, dates and amounts do not."""

from __future__ import annotations

import random

import pytest

from envclone.verifier.numbers import Numbers, NumberTally
from envclone.verifier.originals import Originals

DRAW = random.Random(4)
PHONES = sorted({f"+49 30 {DRAW.randrange(10**6, 10**7)}" for _ in range(300)})
CARDS = ["4111 1111 1111 1111", "5500-0055-5555-5559"]
SSNS = [f"{DRAW.randrange(100, 700)}-{DRAW.randrange(10, 99)}-{DRAW.randrange(1000, 9999)}" for _ in range(300)]


def numbers(**kinds: list[str]) -> Numbers:
    originals = Originals()
    for kind, values in kinds.items():
        originals.add(f"people.{kind}", kind, values)
    originals.seal()
    return Numbers(originals)


def digits(values: list[str]) -> list[str]:
    return ["".join(char for char in value if char.isdigit()) for value in values]


KNOWN = numbers(phone=PHONES, card=CARDS, national_id=SSNS, person=["Jane Doe 5551234"])


@pytest.mark.parametrize(
    ("column", "leaks"),
    [
        (digits(PHONES), True),
        (["30" + d[4:] for d in digits(PHONES)], True),  # without the country code
        ([int(d) for d in digits(SSNS)], True),
        ([float(d) for d in digits(SSNS)], True),
        ([None, "17", *digits(SSNS[:1]), "999"], True),  # one number of nine digits among three hundred
        (digits(CARDS[:1]), True),
        ([*map(str, range(10**8, 10**8 + 3000)), *digits(SSNS[:2])], True),
        ([str(i) for i in range(10**6, 10**6 + 50_000)], False),
        ([str(DRAW.randrange(10**8, 10**9)) for _ in range(100_000)], False),
        (["5551234"], False),  # of no kind that is made of digits
        ([None, "", "12", "-5", "1.5", "NaN", True, float("nan"), float("inf"), 10**30], False),
        ([], False),
    ],
)
def test_what_is_more_than_chance(column: list[object], leaks: bool) -> None:
    tally, other = NumberTally(), NumberTally()
    KNOWN.count(column[::2], tally)
    KNOWN.count(column[1::2], other)
    tally.merge(other)
    assert tally.leaks() is leaks


def test_keys_beside_a_block_of_telephone_numbers_are_chance() -> None:
    known = numbers(phone=[str(number) for number in range(5_550_000, 5_559_999, 3)])
    tally = NumberTally()
    known.count([str(number) for number in range(5_550_000, 5_560_000)], tally)
    assert len(tally.seen) == 3333 and not tally.leaks()
    repeated = NumberTally()
    known.count([str(number) for number in range(5_550_000, 5_559_999, 3)], repeated)
    assert repeated.leaks()


def test_an_example_says_which_and_where() -> None:
    found = KNOWN.count(["1", "7", *digits(SSNS[:1])], NumberTally())
    assert found is not None and found[1] == 2
    assert Numbers(Originals()).count(["1234567"], NumberTally()) is None
