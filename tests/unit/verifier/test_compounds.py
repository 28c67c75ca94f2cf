"""Names of one person in one word, and numbers of persons in other groups."""

from __future__ import annotations

import random

import numpy as np
import pytest

from envclone.compiled import available
from envclone.verifier import compoundkernels, compoundplain, compounds
from envclone.verifier.compounds import Compounds
from envclone.verifier.loose import Texts
from envclone.verifier.originals import Originals
from envclone.verifier.subjects import Subjects

PEOPLE = [("Wolfhard", "Quenzelmann"), ("Brunhilda", "Drachslera"), ("Grace", "Hunter"), ("Uwe", "Bo"),
          ("Jörn", "Großkreuz"), ("Ada", "Michael"), ("Vera", "Market"), ("Ines", "Robbins")]  # fmt: skip
NUMBERS = {"phone": "+49 30 50017634", "national_id": "536-22-8741", "card": "4929 7134 1440 0174",
           "iban": "DE07 3704 0044 0369 4001 74"}  # fmt: skip


def _compounds() -> Compounds:
    subjects, originals = Subjects(), Originals()
    subjects.begin("main.public.people")
    for number, (first, last) in enumerate(PEOPLE):
        subjects.count += 1
        subjects.add([number], "person", [first], "first")
        subjects.add([number], "person", [last], "last")
    for kind, value in NUMBERS.items():
        originals.add(f"main.public.people.{kind}", kind, [value])
    parts = Originals.parts(subjects.seal())
    originals.seal()
    return Compounds(subjects, parts, originals)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("login wquenzelmann", "person"),
        ("@WolfhardQuenzelmann!", "person"),
        ("QuenzelmannWolfhard17", "person"),
        ("bquenzelmann", ""),
        ("login quenzelmannw", "person"),
        ("quenzelmannb", ""),
        ("@jörngroßkreuz", "person"),
        ("jgrosskreuz", "person"),
        ("login großkreuzj", "person"),
        ("yours, Michaela", ""),
        ("adamichael", "person"),
        ("irobbins", "person"),
        ("WolfhardDrachslera", ""),
        ("gracehunter", ""),
        ("uwebo", ""),
        ("quenzelmann", ""),
        ("call 4930-5001-7634", "phone"),
        ("call 030 50017634", "phone"),
        ("call 03050017634", "phone"),
        ("call (0)30/50017634", "phone"),
        ("call 0049 (0) 30 50017634", "phone"),
        ("call 00493050017634", "phone"),
        ("call 030 50017635", ""),
        ("no. 536 228 741", "national_id"),
        ("no. 536'228'741", "national_id"),
        ("no. 0536228741", ""),
        ("no. 536228741", "national_id"),
        ("no. 536-22-8741", ""),
        ("no. 1536228741", ""),
        ("4929713 414400174", "card"),
        ("DE.07/37040044/0369400174", "iban"),
        ("2024-05-06 07:08:09", ""),
        ("0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9", ""),
    ],
)
@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_written_in_one_or_apart_is_told(
    text: str, found: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compounds, "available", lambda: compiled and available())
    told = list(_compounds().find(Texts(["nothing", text], decoded=True)))
    assert {one.kind for one in told} == ({found} if found else set())
    assert all(one.value == 1 for one in told)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("stored", "text", "found"),
    [
        ("491711234567", "call 0171 1234567", True),
        ("491711234567", "call 0171/123.4567 x12", True),
        ("0171 7654321", "call +49 171 7654321", True),
        ("0171 7654321", "https://wa.me/491717654321", True),
        ("030/5557788", "tel:+49305557788;ext=12", True),
        ("(415) 555-0198", "call +1 415 555 0198", True),
        ("491711234567", "order 1711234568", False),
        ("0171 7654321", "order 991717654321", False),
        ("4155552671", "order 55552671", False),
    ],
)
def test_a_telephone_number_is_told_with_the_code_of_its_country_and_without(
    stored: str, text: str, found: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compounds, "available", lambda: compiled and available())
    subjects, originals = Subjects(), Originals()
    originals.add("main.public.people.phone", "phone", [stored])
    parts = Originals.parts(subjects.seal())
    originals.seal()
    assert bool(list(Compounds(subjects, parts, originals).find(Texts([text], decoded=True)))) is found


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
def test_both_loops_find_the_same() -> None:
    draw = random.Random(3)
    everything, lengths = np.full(16, 2**64 - 1, np.uint64), np.array([draw.random() < 0.5 for _ in range(12)])
    for _ in range(300):
        data = np.frombuffer(bytes(draw.choices(b"abcz00012 /'()-\x80\xfe\xff", k=draw.randint(0, 60))), np.uint8)
        for name, how in (("words", (2, 9)), ("digits", (lengths,))):
            told = []
            for loops in (compoundkernels, compoundplain):
                out = np.zeros((64, 3), np.uint64)
                told.append(out[: getattr(loops, name)(data, *how, everything, 10, out)].tolist())
            assert told[0] == told[1]


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
def test_letters_in_a_row_are_found_among_noise() -> None:
    draw, everything, found = random.Random(5), np.full(16, 2**64 - 1, np.uint64), 0
    for _ in range(200):
        signs = draw.choice([b"0123456789abcdef", b"0123456789abcdefghijklm", b"abc1"])
        parts = [bytes(draw.choices(signs, k=draw.randrange(600))) for _ in range(3)]
        data = np.frombuffer(draw.choice([b"", b"janedoe", b"janedoex", b"\x80" * 9]).join(parts), np.uint8)
        told = []
        for loops in (compoundkernels, compoundplain):
            out = np.zeros((2000, 3), np.uint64)
            told.append(out[: loops.words(data, 8, 64, everything, 10, out)].tolist())
        assert told[0] == told[1]
        found += len(told[0])
    assert found > 200


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
def test_both_loops_read_the_same_numbers() -> None:
    draw = random.Random(4)
    texts = [bytes(draw.choices(b"0123456789 -+()ax\xc3", k=draw.randint(0, 20))) for _ in range(400)]
    block = np.frombuffer(b"".join(texts), np.uint8)
    bounds = np.cumsum([0, *map(len, texts)]).astype(np.uint32)
    which = np.arange(0, 400, 3)
    told = []
    for loops in (compoundkernels, compoundplain):
        sizes, signs, hashed = np.zeros(134, np.int64), np.zeros(134, np.bool_), np.zeros(134, np.uint64)
        loops.numbers(block, bounds, which, sizes, signs, hashed)
        wanted = np.zeros(1 << 4, np.uint64)
        loops.enter(hashed, wanted, 10)
        whole = sizes >= 0
        told.append((sizes.tolist(), signs[whole].tolist(), hashed[whole].tolist()))
        assert wanted.any()
    assert told[0] == told[1]
