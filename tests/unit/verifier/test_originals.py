"""What is told of all originals at once is what is told of each of them."""

from __future__ import annotations

import random

import pytest

from envclone.compiled import available
from envclone.packed import pack
from envclone.verifier import compoundplain, compounds
from envclone.verifier.originals import Originals, spellings

VALUES = ["Jane Doe", "jane@doe.example", "a%b", "c:d", "back\\slash", "Jürgen", "x", "tab\there", "DE89 3704 0044"]
VALUES += ["12345678-1234-1234-1234-1234567890ab", "plain text of some length", "\x7f delete"]
PHONES = ["+49 30 1234567", "0301234567", "(212) 555-0123", "123456789012", "12345", "1-800-FLOWERS99", "٠٣٠١٢٣٤٥٦٧"]
IBANS = ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NL91ABNA0417164300"]


def _originals(extra: int = 0) -> Originals:
    rng = random.Random(5)
    made = Originals()
    made.add("t.v", "person", VALUES)
    made.add("t.p", "phone", PHONES + [f"+1 {rng.randrange(10**6, 10**10)}" for _ in range(extra)])
    made.add("t.i", "iban", IBANS)
    made.add("t.c", "card", ["4111 1111 1111 1111", "4111"])
    made.seal()
    return made


def test_plain_values_have_no_other_spelling() -> None:
    held = _originals(50)
    for least in (1, 9):
        taken = {number: held.value(number) for number in held.plain(least).tolist()}
        odd = set("%\\:")
        assert set(taken) == {
            number
            for number, value, _ in held.items()
            if len(value.encode()) >= least
            and len(value) != 36
            and all(" " <= char <= "~" and char not in odd for char in value)
        }
        for value in taken.values():
            assert set(spellings(value)) == {value.encode(), value.lower().encode()}


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
@pytest.mark.parametrize("at_once", [3, 1 << 16])
def test_digits_of_all_are_the_digits_of_each(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(compounds, "_AT_ONCE", at_once)
    held = _originals(30)
    found = {}
    for owners, sizes, signs, hashed in compounds._all_digits(held):
        its = zip(owners.tolist(), sizes.tolist(), signs.tolist(), hashed.tolist(), strict=True)
        found.update({number: (size, sign, one) for number, size, sign, one in its})
    assert found == {
        number: (len(digits), not value.isdigit(), compoundplain._hash(digits))
        for number, value, known in held.items()
        if known.kind in ("phone", "iban", "card", "national_id")
        and known.strong
        and len(digits := compounds._digits_of(value)) >= 7
    }
    assert len(found) > 30


@pytest.mark.parametrize("packed", [False, True])
def test_an_address_is_an_original_in_each_notation(packed: bool) -> None:
    """A column of type `inet` prints the length of the network, which no log and no text does."""
    made = Originals()
    for kind, values in {
        "ip": ["81.20.1.77/32", "2a01:4f8::7/128", "10.0.0.1/32"],
        "mac": ["a4:5e:60:d1:25:95"],
    }.items():
        if packed:
            made.take(f"t.{kind}", kind, pack(values))
        else:
            made.add(f"t.{kind}", kind, values)
    made.seal()
    held = {value: made[number] for number, value, _ in made.items()}
    assert {"81.20.1.77/32", "81.20.1.77", "81-20-1-77", "2a01:4f8::7", "A4-5E-60-D1-25-95".lower()} <= held.keys()
    assert held["81.20.1.77"].strong and held["2a01:4f8::7"].strong and not held["10.0.0.1"].strong
    assert {one.address for one in held.values()} == {"t.ip", "t.mac"}


def test_nobody_at_all() -> None:
    held = Originals()
    held.seal()
    assert not list(compounds._all_digits(held))
    assert len(held.plain(1)) == 0
