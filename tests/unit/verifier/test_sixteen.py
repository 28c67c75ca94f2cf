"""A UUID's sixteen bytes are found as a value, in either order, and in base64; other bytes say nothing."""

from __future__ import annotations

import base64
import random
from uuid import UUID

import pytest

from envclone.packed import block_of
from envclone.verifier.originals import Originals
from envclone.verifier.rare import rare
from envclone.verifier.sixteen import Sixteen

DRAW = random.Random(5)
KNOWN = [str(UUID(int=DRAW.getrandbits(128), version=4)) for _ in range(500)]


@pytest.fixture(scope="module")
def sixteen() -> Sixteen:
    originals = Originals()
    originals.add("main.t.c", "uuid", [*KNOWN[:-1], KNOWN[-1].upper()])
    originals.add("main.t.d", "person", ["Jane Doe"])
    originals.seal()
    return Sixteen(originals)


@pytest.mark.parametrize("known", [KNOWN[0], KNOWN[250], KNOWN[-1]])
def test_it_is_told(sixteen: Sixteen, known: str) -> None:
    one = UUID(known)
    written = base64.b64encode(one.bytes).decode()
    for value in (one.bytes, one.bytes_le, [b"x", one.bytes], written, f"see /u/{written.rstrip('=')}?a=1",
                  base64.urlsafe_b64encode(one.bytes).decode().rstrip("="), f"a {written}", f"{written}\nand more",
                  f"/u/{base64.urlsafe_b64encode(one.bytes).decode().rstrip('=')}/x"):  # fmt: skip
        assert (1, known) in list(rare([b"a", value], sixteen=sixteen)), value


def test_others_are_not(sixteen: Sixteen) -> None:
    values = [DRAW.randbytes(16) for _ in range(1000)]
    values += [UUID(KNOWN[0]).bytes[:15], UUID(KNOWN[0]).bytes[1:] + b"x" * 9]
    assert list(sixteen.those(list(enumerate(values)))) == []
    nobody = Originals()
    nobody.seal()
    assert len(Sixteen(nobody)) == 0
    assert list(Sixteen(nobody).those([(0, UUID(KNOWN[0]).bytes)])) == []


@pytest.mark.parametrize(
    "cut",
    [slice(0, 18), slice(19, 36), slice(0, 30), slice(9, 36), slice(3, 36), slice(0, 23), slice(0, 35), slice(1, 36)],
)
def test_a_half_is_told(sixteen: Sixteen, cut: slice) -> None:
    for known in KNOWN[3:9]:
        assert (1, known) in list(rare(["x", f"see {known[cut]}"], sixteen=sixteen))
        assert (0, known) in list(rare([known.replace("-", "")[:16].upper()], sixteen=sixteen))


def test_a_quarter_and_other_halves_are_not(sixteen: Sixteen) -> None:
    others = [str(UUID(int=DRAW.getrandbits(128))) for _ in range(200)]
    texts = [
        KNOWN[0][:13],
        "00000000-0000-0000",
        "2026-11-29",
        *[one[:18] for one in others],
        *[one[9:] for one in others],
    ]
    assert list(sixteen.halves(block_of(texts))) == []
    assert list(sixteen.halves(block_of([KNOWN[0], others[0]]))) == []


def test_an_address_of_ipv6_is_told_in_bytes_and_digits() -> None:
    originals = Originals()
    originals.add("main.t.ip", "ip", ["2a02:8109:9c40:1bd0:e5d4:7c1a:33f0:9a12"])
    originals.seal()
    raw = bytes.fromhex("2a0281099c401bd0e5d47c1a33f09a12")
    held = Sixteen(originals)
    for value in (raw, b"\x01" + raw + b"\0P", raw.hex(), f"ip={raw.hex().upper()}", str(int.from_bytes(raw, "big")),
                  base64.b64encode(raw).decode()):  # fmt: skip
        told = [*rare([value], sixteen=held), *held.in_column([value])]
        assert any("9a12" in text for _, text in told), value
    assert list(rare([raw[::-1], "2a0281099c401bd0e5d47c1a33f09a13"], sixteen=held)) == []


def test_it_is_told_within_other_bytes_and_as_numbers(sixteen: Sixteen) -> None:
    one = UUID(KNOWN[7])
    high, low = (int.from_bytes(half, "big", signed=True) for half in (one.bytes[:8], one.bytes[8:]))
    written = f'{{"hi": {high}, "lo": {low}}}'
    for value in (b"\x0fhead" + one.bytes + b"\0tail", b"a" * 3 + one.bytes_le, [b"x" * 99 + one.bytes], str(one.int),
                  f'{{"id": {one.int}}}', [high, low], [str(high), str(low)], written):  # fmt: skip
        assert (1, KNOWN[7]) in list(rare([b"a" * 40, value], sixteen=sixteen)), value
    many = [(i, DRAW.randbytes(DRAW.randint(17, 99))) for i in range(5000)]
    assert list(sixteen.those(many)) == []
    assert list(sixteen.those([*many, (9, b"b" * 20 + one.bytes)])) == [(9, KNOWN[7])]
    assert list(sixteen.of_half(0)) == list(sixteen.of_half(1 << 63)) == list(sixteen.as_number(5)) == []


@pytest.mark.parametrize("packed", [True, False])
def test_a_column_of_numbers_holds_it_whole_or_by_halves(sixteen: Sixteen, packed: bool) -> None:
    one = UUID(KNOWN[9])
    numbers = [5, one.int, int.from_bytes(one.bytes[:8], "big", signed=True), 1 << 62, None, DRAW.getrandbits(127)]
    values = block_of([None if number is None else str(number) for number in numbers]) if packed else numbers
    assert list(sixteen.in_column(values)) == [(1, KNOWN[9]), (2, KNOWN[9])]
