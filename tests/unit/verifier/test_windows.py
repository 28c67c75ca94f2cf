"""Searching by windows: compiled and by numpy the same hits, in any data; many originals at once as one by one."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from envclone.compiled import available
from envclone.verifier import search, windows
from envclone.verifier.originals import Originals, spellings
from envclone.verifier.windows import Patterns, Seen, WindowSearch

WAYS = [False, pytest.param(True, marks=pytest.mark.skipif(not available(), reason="numba is not installed"))]


def _hits(texts: list[bytes], data: bytes, compiled: bool) -> list[tuple[int, ...]]:
    found = WindowSearch(Patterns.of(texts), compiled=compiled).find(data)
    return sorted(map(tuple, found.tolist()))


def _expected(texts: list[bytes], data: bytes) -> list[tuple[int, int, int]]:
    return sorted(
        (number, at, at + len(text))
        for number, text in enumerate(texts)
        for at in range(len(data) - len(text) + 1)
        if data[at : at + len(text)] == text
    )


@pytest.mark.parametrize("compiled", WAYS)
def test_every_occurrence_and_nothing_else(compiled: bool) -> None:
    rng = random.Random(7)
    for _ in range(60):
        alphabet = rng.choice([b"ab", b"abc ", bytes(range(256))])
        data = bytes(rng.choices(alphabet, k=rng.randrange(400)))
        texts = [bytes(rng.choices(alphabet, k=rng.randrange(8, 24))) for _ in range(20)]
        texts += [data[at : at + rng.randrange(8, 40)] for at in range(0, max(0, len(data) - 40), 11)]
        assert _hits(texts, data, compiled) == _expected(texts, data)


@pytest.mark.parametrize("compiled", WAYS)
@pytest.mark.parametrize("noise", [b"0123456789abcdef", b"janedoe ", bytes(range(256))])
def test_nothing_is_passed_over_in_noise(compiled: bool, noise: bytes) -> None:
    """Wherever a pattern begins among bytes of which most windows are part of none, and at either end."""
    rng = random.Random(11)
    texts = [b"jane doe", b"joan doe-miller", b"doe jane", b"abcdef01", b"12345678 jane", rng.randbytes(9)]
    for size in (0, 1, 5, 7, 8, 300, 5000):
        for text in texts:
            head = bytes(rng.choices(noise, k=size + rng.randrange(9)))
            data = head + text + bytes(rng.choices(noise, k=rng.randrange(40))) + text
            found = _hits(texts, data, compiled)
            assert found == _expected(texts, data)
            assert len(found) >= 2


@pytest.mark.parametrize("compiled", WAYS)
def test_what_a_search_must_not_stumble_over(compiled: bool) -> None:
    assert _hits([b"x" * 8], b"", compiled) == []
    assert _hits([b"x" * 8], b"x" * 7, compiled) == []
    assert _hits([b"12345678", b"12345678"], b"_12345678", compiled) == [(0, 1, 9), (1, 1, 9)]
    long = bytes(70_000) + b"the rarest window is farther than an offset can say"
    assert _hits([long], b"?" + long, compiled) == [(0, 1, len(long) + 1)]
    assert len(_hits([b"a" * 8], b"a" * 10_007, compiled)) == 10_000  # more than have room at first
    assert _hits([], b"anything at all", compiled) == []


@pytest.mark.parametrize("compiled", WAYS)
@pytest.mark.parametrize("size", [8, 9, 16, 17, 64, 253, 254, 255, 256, 300])
def test_one_other_byte_anywhere_is_another_value(compiled: bool, size: int) -> None:
    rng = random.Random(size)
    text = bytes(rng.randrange(1, 256) for _ in range(size))
    places = {0, 1, 7, 8, size // 2, size - 9, size - 8, size - 1} & set(range(size))
    others = [text[:at] + bytes((text[at] ^ 1,)) + text[at + 1 :] for at in sorted(places)]
    data = b"\0".join([*others, text, text[:-1], text[1:], text])
    assert _hits([text], data, compiled) == _expected([text], data)
    assert len(_hits([text, *others], data, compiled)) == len(others) + 2


@pytest.mark.parametrize("compiled", WAYS)
def test_chosen_patterns_are_folded_where_they_lie(compiled: bool) -> None:
    texts = [b"Jane Doe", b"short", b"JANE DOE", b"other.one@x", b"Other.One@X"]
    held = Patterns.of(texts)
    fold = bytes(range(256)).lower().translate(bytes.maketrans(b".", b" "))
    some = Patterns(held.block, held.bounds, np.array([0, 3, 4]), fold)
    found = WindowSearch(some, compiled=compiled).find(b"- jane doe JANE DOE other one@x other.one@x")
    assert sorted(map(tuple, found.tolist())) == [(0, 2, 10), (3, 20, 31), (4, 20, 31)]
    assert (len(some), some.longest()) == (3, 11)
    with pytest.raises(ValueError, match="shorter"):
        WindowSearch(held, compiled=True)


@pytest.mark.parametrize("compiled", WAYS)
def test_what_begins_in_little_data_is_told_before_it_is_indexed(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(windows, "available", lambda: False)
    texts = [f"person number {i} of many".encode() for i in range(2_000)]
    data = b"\0\1" + texts[7] + b"\2\0PERSON NUMBER" + texts[1_999] + texts[40][:10]
    left = Seen(data).beginning(Patterns.of(texts))
    assert (len(left) < 2_000) is compiled or len(left) == 2_000
    assert sorted(WindowSearch(left, compiled=compiled).find(data)[:, 0].tolist()) == [7, 1_999]
    other = [bytes([65 + i % 26]) * 9 + str(i).encode() for i in range(2_000)]
    assert len(Seen(data).beginning(Patterns.of(other))) == (0 if compiled else 2_000)
    assert len(Seen(b"").beginning(Patterns.of(other))) == (0 if compiled else 2_000)


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
@pytest.mark.parametrize(("part", "places", "fewest"), [(64, 1 << 18, 1), (512, 5, 1), (4096, 40, 8)])
def test_long_lists_are_looked_up_a_part_at_a_time(
    part: int, places: int, fewest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(part)
    texts = [bytes(rng.choices(b"abc ", k=rng.randrange(8, 14))) for _ in range(400)]
    more = [bytes(rng.choices(b"abc ", k=rng.randrange(8, 14))) for _ in range(90)]
    data = bytes(rng.choices(b"abc ", k=40_000))
    for name, value in (("_PART", part), ("_PLACES", places), ("_FEWEST", fewest), ("_LOOKED", 999)):
        monkeypatch.setattr(windows, name, value)
    looked: list[int] = []
    real = WindowSearch._look

    def look(self: WindowSearch, seen: Any, some: Any, *rest: Any) -> None:
        looked.append(len(some))
        real(self, seen, some, *rest)

    monkeypatch.setattr(WindowSearch, "_look", look)
    search = WindowSearch(Patterns.of(texts))
    search.also(WindowSearch(Patterns.of(more)))
    found = [sorted(map(tuple, one.tolist())) for one in search.find_all(data)]
    assert found == [_expected(texts, data), _expected(more, data)]
    assert len(looked) > 10 and sum(found != [] for found in found) == 2


def test_a_frequent_window_is_no_anchor_though_it_is_liked() -> None:
    texts = [b"same beginning, and the same end %06d of it" % (i * 7919 % 999_983) for i in range(3_000)]
    data = b" ".join(texts[::-1])
    found = WindowSearch(Patterns.of(texts)).find(data)
    assert sorted(found[:, 0].tolist()) == list(range(3_000))


VALUES = [
    *("Jane Doe", "JANE DOE", "jane doe of old", "a b", "José Núñez", "a:b:c:d:e:f:1:2", "fe80::1:2:3:4", "100 % sure"),
    *("6f1c6f4e-2f7c-4d8e-9d61-0f6c5a0f2fxx", "a.long.name.of.36.bytes@corp.example", "-" * 36),
    *("back\\slash", "\\x0102030405060708", "6f1c6f4e-2f7c-4d8e-9d61-0f6c5a0f2f11", "x" * 36, "tab\there too", "Ann"),
    *("user.name@corp.example", "+49 30 1234567", "@[`{ZAza", "\u0130stanbul office"),
]


def test_many_originals_are_spelled_as_each_of_them_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FEW", 0)
    originals = Originals()
    originals.add("main.t.c", "email", VALUES)
    searcher = search.ByteSearch(originals, minimum=3)
    for number, value in enumerate(VALUES):
        for spelling in spellings(value):
            assert number in {hit.original for hit in searcher.find(b"\0" + spelling + b"\0")}, spelling
    assert (searcher.searched, searcher.skipped) == (len(VALUES), 0)
    assert not list(search.ByteSearch(originals, minimum=3, fold=bytes(range(256)).lower()).find(b"JANE DOE OF OLD"))
