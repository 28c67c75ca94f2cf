"""What lies inside what is told once, however much there is."""

from __future__ import annotations

import random
import time

from envclone.verifier.loose import Found
from envclone.verifier.nested import outermost
from envclone.verifier.search import Hit


def _found(value: int, original: int, start: int, end: int) -> Found:
    return Found(value, Hit(original, start, end), b"", True)


def _holds(outer: Hit, inner: Hit) -> bool:
    if (outer.start, outer.end) == (inner.start, inner.end):
        return outer.original < inner.original
    return outer.start <= inner.start and inner.end <= outer.end


def test_it_is_what_comparing_each_with_each_gives() -> None:
    chance = random.Random(11)
    for _ in range(300):
        found = []
        for _ in range(chance.randrange(1, 25)):
            start = chance.randrange(12)
            found.append(_found(chance.randrange(2), chance.randrange(4), start, start + chance.randrange(1, 8)))
        expected = [one for one in found if not any(o.value == one.value and _holds(o.hit, one.hit) for o in found)]
        assert outermost(found) == expected


def test_a_long_text_that_was_not_masked_takes_no_time() -> None:
    found = [_found(0, number, number * 8, number * 8 + 7) for number in range(50_000)]
    began = time.process_time()
    assert len(outermost(found)) == 50_000
    assert time.process_time() - began < 10  # each with each takes minutes
