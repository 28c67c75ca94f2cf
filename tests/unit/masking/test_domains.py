"""Persons, e-mail addresses, telephone numbers, and what needs no key."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.errors import UnsafeError
from envclone.masking.email import EmailMask
from envclone.masking.person import PersonMask
from envclone.masking.phone import PhoneMask, national_number
from envclone.masking.simple import KeepMask, RedactMask
from envclone.masking.tokens import NameTokens
from tests.unit.masking.conftest import KEY, OTHER_KEY
from tests.unit.masking.shapes import check_shape, maskable

EMAILS = st.from_regex(r"\A[A-Za-z0-9.+_'-]{1,12}@([a-z0-9é][a-z0-9é-]{0,7}\.){1,3}(com|uk|org|co\.uk|ac)\Z")
PHONES = st.from_regex(r"\A(\+|00|0|\(|)[0-9]{1,4}([ ()./-]{0,2}[0-9]{1,4}){0,4}( ?(x|ext\. ?|#)[0-9]{1,4})?\Z")
PIECES = st.lists(
    st.sampled_from(
        ["+", "00", "0", "1", "44", "8", "999", "5551234", " ", "(", ")", "-", "x", "ext. ", "#", "Tel ", "é", ","]
    ),
    max_size=8,
).map("".join)


def every(pieces: list[str], length: int) -> list[str]:
    return sorted({"".join(t) for n in range(1, length + 1) for t in itertools.product(pieces, repeat=n)})


# --- person and e-mail ---------------------------------------------------------------------------------------------


def test_identity_is_one_across_kinds(person: PersonMask, email: EmailMask) -> None:
    first, last = person.mask(["Jane Doe"])[0].split()
    assert person.mask(["DOE, Jane"])[0] == f"{last.upper()}, {first}"
    assert email.mask(["jane.doe@corp.com"])[0].startswith(f"{first.lower()}.{last.lower()}@")
    assert email.mask(["JANE_DOE82@corp.com"])[0].startswith(f"{first.upper()}_{last.upper()}")


@given(EMAILS)
def test_email_shape(email: EmailMask, address: str) -> None:
    masked = email.mask([address])[0]
    check_shape(address, masked)
    assert masked != address
    assert masked.rpartition(".")[2] == address.rpartition(".")[2]


@given(EMAILS)
def test_email_ignores_case(email: EmailMask, address: str) -> None:
    assert email.mask([address.upper()])[0].lower() == email.mask([address.lower()])[0].lower()


@given(st.text(max_size=30))
def test_email_takes_any_text(email: EmailMask, text: str) -> None:
    check_shape(text, email.mask([text])[0])


@pytest.mark.parametrize(
    ("pieces", "length"),
    [(["a", "b", ".", "@", "co", "com", "uk"], 5), (["a@b.", ".uk", "ac", "ad", "co", "ca", "do"], 4)],
)
def test_email_is_injective_and_never_identical(email: EmailMask, pieces: list[str], length: int) -> None:
    texts = every(pieces, length)
    masked = email.mask(texts)
    assert len(set(masked)) == len(texts)
    assert all(old != new for old, new in zip(texts, masked, strict=True) if maskable(old))


def test_every_second_level_under_a_country(email: EmailMask) -> None:
    texts = [f"a@b.{x}{y}.uk" for x in "abcdefghijklmnopqrstuvwxyz" for y in "abcdefghijklmnopqrstuvwxyz"]
    masked = email.mask(texts)
    assert len(set(masked)) == len(texts)
    assert email.mask(["a@b.co.uk"])[0].endswith(".co.uk")


def test_email_parts(email: EmailMask) -> None:
    masked = email.mask(["Jane Doe <jane.doe+tag@Corp.CO.UK>, bob@corp.co.uk."])[0]
    found = re.fullmatch(r"(\w+) (\w+) <(\w+)\.(\w+)\+(\w+)@(\w+)\.CO\.UK>, (\w+)@(\w+)\.co\.uk\.", masked)
    assert found is not None
    assert found[1].lower() == found[3]
    assert found[6].lower() == found[8]


def test_another_key(person: PersonMask, email: EmailMask, phone: PhoneMask) -> None:
    other = NameTokens(OTHER_KEY)
    assert person.mask(["Jane Doe"]) != PersonMask(other).mask(["Jane Doe"])
    assert email.mask(["jane@doe.org"]) != EmailMask(other).mask(["jane@doe.org"])
    assert phone.mask(["555-123-4567"]) != PhoneMask(OTHER_KEY, other).mask(["555-123-4567"])
    # the two families of pseudonyms do not share a sub-key
    assert phone.mask(["5551234567"]) != PhoneMask(KEY, other).mask(["5551234567 "])


# --- phone ---------------------------------------------------------------------------------------------------------


@given(st.one_of(PHONES, PIECES, st.text(max_size=20)))
def test_phone_shape(phone: PhoneMask, number: str) -> None:
    masked = phone.mask([number])[0]
    check_shape(number, masked)


@given(
    st.one_of(PHONES, PIECES, st.integers(10**6, 10**12).map("+{}".format), st.integers(0, 10**9).map("0088{}".format))
)
def test_a_pseudonym_is_read_as_its_original(phone: PhoneMask, number: str) -> None:
    number = number.replace(",", "")  # a comma begins another number
    assert len(national_number(phone.mask([number])[0])) == len(national_number(number))


def test_no_word_becomes_an_extension_mark(phone: PhoneMask) -> None:
    for letter in "abcdefghijklmnopqrstuvwyz":
        assert " x " not in phone.mask([f"555 {letter} 12"])[0]


@given(st.one_of(PHONES, PIECES))
def test_phone_never_identical_and_deterministic(phone: PhoneMask, number: str) -> None:
    masked = phone.mask([number])[0]
    assert (masked != number) == maskable(number)
    assert PhoneMask(KEY, NameTokens(KEY)).mask([number])[0] == masked


def test_formatting_does_not_matter(phone: PhoneMask) -> None:
    spellings = [
        "+1 (555) 123-4567",
        "555-123-4567",
        "1-555-123-4567",
        "001 555 123 4567",
        "5551234567",
        "(555)123.4567",
    ]
    assert len({national_number(masked) for masked in phone.mask(spellings)}) == 1
    british = ["+44 (0)20 7946 0958", "020 7946 0958", "0044 20 79460958"]
    assert len({national_number(masked) for masked in phone.mask(british)}) == 1


def test_what_phone_keeps(phone: PhoneMask) -> None:
    assert phone.mask(["+44 20 7946 0958"])[0].startswith("+44 ")
    assert phone.mask(["0044 20 7946 0958"])[0].startswith("0044 ")
    assert phone.mask(["020 7946 0958"])[0].startswith("0")
    assert re.fullmatch(r"\d{3}-\d{4} ext\. \d\d", phone.mask(["555-1234 ext. 12"])[0])
    assert phone.mask(["555-1234 ext. 12"])[0][:8] == phone.mask(["555-1234"])[0]


@pytest.mark.parametrize(
    ("pieces", "length"),
    [
        ([*"0123456789+"], 4),
        (["0", "1", "8", "9", "7", "+", "x", "ext", " "], 5),
        (["00", "+", "999", "1", "81", "44", "0"], 5),
        (["8", "1", "0", "5550000000", "5559999999"], 3),
        (["1", "x", "y", "tel", "#", "é", "2"], 5),
    ],
)
def test_phone_is_injective(phone: PhoneMask, pieces: list[str], length: int) -> None:
    texts = every(pieces, length)
    masked = phone.mask(texts)
    assert len(set(masked)) == len(texts)
    assert all(old != new for old, new in zip(texts, masked, strict=True) if maskable(old))


@given(st.lists(PHONES, unique=True, max_size=30))
def test_phone_is_injective_on_samples(phone: PhoneMask, numbers: list[str]) -> None:
    assert len(set(phone.mask(numbers))) == len(numbers)


@given(st.integers(-(10**15), 10**15))
def test_phone_as_a_json_number(phone: PhoneMask, number: int) -> None:
    masked = phone.mask_numbers([str(number)])[0]
    assert json.loads(masked) != number
    assert len(masked) == len(str(number))


def test_phone_refuses_other_json_numbers(phone: PhoneMask) -> None:
    with pytest.raises(UnsafeError, match="fraction") as caught:
        phone.mask_numbers(["5.5e9"])
    assert "5.5" not in str(caught.value)


# --- without a key -------------------------------------------------------------------------------------------------


@given(st.text(max_size=30))
def test_redact(text: str) -> None:
    masked = RedactMask().mask([text])[0]
    assert len(masked) == len(text)
    assert len(masked.encode()) == len(text.encode())
    assert (masked != text) == any(c.isalpha() or c.isdecimal() for c in text)
    for old, new in zip(text, masked, strict=True):
        assert (old.isupper(), old.islower(), old.isdecimal()) == (new.isupper(), new.islower(), new.isdecimal())


def test_redact_leaves_only_the_shape() -> None:
    assert RedactMask().mask(["Jane 82, Xé", "Xxxx 00", ""]) == ["Xxxx 00, Xø", "Yyyy 11", ""]


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_redact_json_numbers(number: float) -> None:
    text = json.dumps(number)
    masked = RedactMask().mask_numbers([text])[0]
    json.loads(masked)
    assert masked != text
    assert len(masked) == len(text)


def test_keep() -> None:
    assert KeepMask().mask(["Jane", ""]) == ["Jane", ""]
