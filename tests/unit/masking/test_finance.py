"""Numbers with check digits."""

from __future__ import annotations

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.errors import UnsafeError
from envclone.masking.finance import CardMask, IbanMask, NationalIdMask, iban_valid, luhn_valid
from tests.unit.masking.conftest import KEY

IBAN, CARD, NATIONAL = IbanMask(KEY), CardMask(KEY), NationalIdMask(KEY)


@pytest.mark.parametrize(
    "iban",
    [
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NL91 ABNA 0417 1643 00",
        "gb29 nwbk 6016 1331 9268 19",
    ],
)
def test_an_iban_stays_one(iban: str) -> None:
    assert iban_valid(iban)
    masked = IBAN.mask([iban])[0]
    assert iban_valid(masked)
    assert masked[:2] == iban[:2]
    assert [c for c in masked if c == " "] == [c for c in iban if c == " "]
    assert masked[4:] != iban[4:]


def test_a_wrong_iban_never_becomes_right() -> None:
    wrong = [f"DE{i:02d}370400440532013000" for i in range(100) if i != 89]
    masked = IBAN.mask(wrong)
    assert not any(map(iban_valid, masked))
    assert len({*masked, *IBAN.mask(["DE89370400440532013000"])}) == 100


@given(st.integers(0, 10**14 - 1), st.sampled_from(["4", "51", "37", "2221", "6011", "9"]))
def test_a_card_keeps_scheme_and_check_digit(body: int, scheme: str) -> None:
    plain = f"{scheme}{body:014d}"[:15]
    number = plain + next(str(d) for d in range(10) if luhn_valid(f"{plain}{d}"))
    masked = CARD.mask([number])[0]
    assert luhn_valid(masked)
    assert masked.startswith(scheme)
    grouped = " ".join(number[i : i + 4] for i in range(0, 16, 4))
    assert CARD.mask([grouped])[0].replace(" ", "") == masked
    wrong = number[:-1] + str((int(number[-1]) + 5) % 10)
    assert not luhn_valid(CARD.mask([wrong])[0])


def test_cards_are_permuted() -> None:
    numbers = [f"40000000000{n:05d}" for n in range(20_000)]
    masked = CARD.mask(numbers)
    assert len(set(masked)) == len(numbers)
    assert sum(map(luhn_valid, masked)) == sum(map(luhn_valid, numbers))


def test_a_card_as_a_number() -> None:
    assert luhn_valid(CARD.mask_numbers(["4111111111111111"])[0])
    with pytest.raises(UnsafeError):
        CARD.mask_numbers(["4.5"])


@pytest.mark.parametrize(
    ("number", "module"),
    [
        ("536-90-4399", "us.ssn"),
        ("943 476 5870", "gb.nhs"),
        ("54362315K", "es.dni"),
        ("x-2482300w", "es.nie"),
        ("RCCMNL83S18D969H", "it.codicefiscale"),
        ("36 574 261 809", "de.idnr"),
        ("2 95 10 99 126 111 93", "fr.nir"),
        ("390.533.447-05", "br.cpf"),
        ("880320-0016", "se.personnummer"),
        ("2341 2341 2346", "in_.aadhaar"),
        ("756.9217.0769.85", "ch.ssn"),
        ("44051401359", "pl.pesel"),
        ("111222333", "nl.bsn"),
    ],
)
def test_a_national_number_stays_valid_where_it_is(number: str, module: str) -> None:
    valid = importlib.import_module(f"stdnum.{module}").is_valid
    assert valid(number)
    masked = NATIONAL.mask([number])[0]
    assert valid(masked), masked
    assert masked != number
    assert len(masked) == len(number)


def test_an_impossible_social_security_number_stays_one() -> None:
    ssn = importlib.import_module("stdnum.us.ssn").is_valid
    impossible = ["000-12-3456", "666-12-3456", "912-12-3456", "536-00-4399", "536-90-0000"]
    masked = NATIONAL.mask(impossible)
    assert not any(map(ssn, masked))
    assert len(set(masked)) == len(impossible)
