"""Numbers of masked fields in kept columns: a repeated column leaks; keys, dates and amounts do not."""

from __future__ import annotations

import random

import numpy as np
import pytest

from envclone.packed import TextBlock, block_of
from envclone.verifier import numbers as module
from envclone.verifier.numbers import Numbers, NumberTally, numbers_in
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
        ([f"{d[0]}.{d[1:]}e+15" for d in digits(CARDS[:1])], True),  # as float8 prints it
        (["1e+300", "4.5e+15", "1.25e+20"], False),
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


ODD = [
    *(
        "+49 (0) 30 1234567",
        "0049 30 1234567",
        "001 555 123 4567",
        "1-555-123-4567",
        "8 (495) 123-45-67",
        "555-0100 x 22",
    ),
    *("555-0100 22 Durchwahl 7", "tel +49 30 1234567", "+tel 49 30 1234567", "#5551234", "5551234#12", "Ext 5551234"),
    *("AB1234567", "DE 12-345-678", "12 345 678 Z", "000000000001234567", "123456789012345678", "1234567890123456789"),
    *(
        "12345678901234567890123456789012",
        "0" * 40 + "1234567",
        "٠١٢٣٤٥٦٧٨",
        "tél 030 1234567",
        "+",
        "",
        "none",
        "+1234567",
    ),
    *(
        "00",
        "0",
        "0 0",
        "999999",
        "1000000",
        "1,234,567",
        "555-0100; 555-0101",
        "01 2345 678\n",
        "18005550100",
        "(+)1 555 0100",
    ),
]


def test_loops_read_numbers_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ODD + ["".join(DRAW.choices("0123456789 +-()/x#,aZ.", k=DRAW.randrange(1, 24))) for _ in range(3000)]
    originals = Originals()
    originals.add("people.phone", "phone", texts)
    originals.seal()
    every = list(module.every_number(originals))
    monkeypatch.setattr(module, "available", lambda: False)
    ((known, found),) = module.every_number(originals)
    assert np.concatenate([one for one, _ in every]).tolist() == known.tolist()
    assert np.concatenate([one for _, one in every]).tolist() == found.tolist()


def test_a_telephone_number_is_counted_without_the_code_of_its_country() -> None:
    known = numbers(phone=["491711234567", "4155552671", "+49 30 50017634"])
    for column, seen in ((["1711234567", "7"], 1), (["491711234567"], 1), (["3050017634"], 1), (["55552671"], 0)):
        tally = NumberTally()
        known.count(column, tally)
        assert len(tally.seen) == seen, column
    assert known.original(1711234567) == 0
    ids = numbers(national_id=["491711234567"])
    tally = NumberTally()
    ids.count(["1711234567"], tally)
    assert not tally.seen


def test_a_packed_column_is_counted_as_a_list() -> None:
    texts = ["", "1234567", "1234567.0", "1234567.00", "1234567.05", ".0", "7", "01234567", "123456789012345678"]
    texts += ["1234567890123456789", "99999999999999999999", "-1234567", "1234567.", "x1234567", "7654321", "1000000"]
    block = TextBlock("\0".join(texts).encode(), np.zeros(len(texts), np.bool_))
    for one, other in zip(module._column(block), module._column(texts), strict=True):
        assert one.tolist() == other.tolist()
    assert not len(module._column(TextBlock(b"", np.zeros(0, np.bool_)))[0])


def test_an_original_is_found_by_its_number() -> None:
    for value in (PHONES[7], SSNS[9], CARDS[1]):
        number = int(digits([value])[0])
        assert KNOWN._held.value(KNOWN.original(number)) == value


@pytest.mark.parametrize(
    ("column", "leaks"),
    [
        ([1745904436], True),  # 104.16.99.52
        (["1571947364"], True),  # 93.178.3.100, as a column of type inet prints it
        ([3232235777, 2130706433, 167772161], False),  # 192.168.1.1, 127.0.0.1 and 10.0.0.1 are everybody's
        ([104169952], False),  # its digits are no number
        ([1_700_000_000 + i for i in range(5000)], False),
    ],
)
def test_an_address_as_a_number(column: list[object], leaks: bool) -> None:
    known = numbers(ip=["104.16.99.52", "93.178.3.100/32", "192.168.1.1", "127.0.0.1", "10.0.0.1", "2001:db8::1"])
    tally = NumberTally()
    found = known.count(column, tally)
    assert tally.leaks() is leaks
    if leaks:
        assert found is not None
        assert known.original(found[0]) >= 0


IPS = [
    f"{DRAW.randrange(1, 224)}.{DRAW.randrange(256)}.{DRAW.randrange(256)}.{DRAW.randrange(1, 255)}" for _ in range(400)
]
IN_TEXTS = numbers(phone=PHONES, national_id=SSNS, ip=[*IPS, "104.16.99.52", "203.0.114.9"])
SSN = int(digits(SSNS[:1])[0])


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (f'{{"n": {SSN}}}', SSN), (f"no. {SSN}.", SSN), (f"0{SSN}", SSN), (f"id={SSN:x};", SSN), (f"{SSN:#X}", SSN),
        ("http://1745904436/x", 1745904436), ("from 68106334", 1745904436), ("0x68106334", 1745904436),
        ("cb007209", 3405804041), ("at -889163255", 3405804041), ('{"a": [-889163255]}', 3405804041),
        ("x1745904436", 0), ("0.1745904436", 0), ("12-889163255", 0), (f"{SSN}0", 0), (f"{SSN:x}g", 0), ("", 0),
        ("0x", 0), ("0xx68106334", 0), ("x" * 30, 0), ("9" * 24, 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [True, False])
def test_numbers_in_texts(value: str, seen: int, packed: bool) -> None:
    values = ["a", value, "1.5 of 12345678"]
    expected, found = IN_TEXTS.in_texts(block_of(values) if packed else values)
    assert [one for one in found if one[1] == 1] == ([(seen, 1)] if seen else [])
    assert expected < 1e-3 and len(found) == bool(seen)


def test_numbers_in_bytes_and_lists() -> None:
    four = (1745904436).to_bytes(4, "big")
    values = [four, SSN.to_bytes(8, "little"), [["x", str(SSN)], [four]], b"12345", None]
    expected, found = IN_TEXTS.in_texts(values)
    assert sorted(found, key=lambda one: one[1]) == [(1745904436, 0), (SSN, 1), (SSN, 2), (1745904436, 2)]
    assert expected < 1e-3


def test_numbers_of_texts_are_held_to_chance() -> None:
    tally = NumberTally()
    texts = [
        f"order {DRAW.randrange(10**9, 10**10)} at {1_700_000_000 + i * 37}, {DRAW.getrandbits(32):08x}"
        for i in range(40_000)
    ]
    expected, found = IN_TEXTS.in_texts(block_of(texts))
    tally.expected, tally.seen = expected, {number for number, _ in found}
    assert not tally.leaks() and 0.001 < expected < 1
    assert len(numbers_in([f"{10**9 + i}" for i in range(40_000)])[0]) == 40_000
