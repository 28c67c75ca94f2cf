"""Keys: whole numbers, texts, UUIDs, secrets, bytes."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.errors import UnsafeError
from envclone.masking.binary import BytesMask
from envclone.masking.keys import IntegerKeyMask, TextKeyMask
from envclone.masking.secret import SecretMask
from envclone.masking.uuids import UuidMask
from tests.unit.masking.conftest import KEY

INTEGER = IntegerKeyMask(KEY)
BOUNDS = (2**15 - 1, 2**31 - 1, 2**63 - 1)


@given(st.integers(1, 2**63 - 1))
def test_a_number_stays_within_its_type_and_digits(number: int) -> None:
    masked = int(INTEGER.mask([str(number)])[0])
    assert len(str(masked)) == len(str(number))
    assert all((masked <= bound) == (number <= bound) for bound in BOUNDS)
    assert INTEGER.mask([f"-{number}", f"00{number}", f" {number}", f"{number}.00"]) == [
        f"-{masked}",
        f"00{masked}",
        f" {masked}",
        f"{masked}.00",
    ]


def test_no_two_of_a_hundred_thousand_are_one() -> None:
    numbers = [str(n) for n in range(100_000)]
    masked = INTEGER.mask(numbers)
    assert sorted(masked, key=int) == numbers
    assert [n for n, m in zip(numbers, masked, strict=True) if n == m] == ["0"]


@pytest.mark.parametrize("bound", BOUNDS)
def test_around_the_bounds_of_types(bound: int) -> None:
    near = [str(n) for n in range(bound - 200, bound + 200)]
    assert len(set(INTEGER.mask(near))) == len(near)


@pytest.mark.parametrize("value", ["1.5", "abc", "1e3", "12a"])
def test_what_is_no_whole_number_is_refused_without_being_named(value: str) -> None:
    with pytest.raises(UnsafeError, match="not a whole number") as caught:
        INTEGER.mask([value])
    assert value not in str(caught.value)


def test_text_keys_hide_what_they_share() -> None:
    masked = TextKeyMask(KEY).mask([f"ORD-2024-{n:05d}" for n in range(2000)])
    assert len(set(masked)) == 2000
    assert len({text[:8] for text in masked}) > 1900
    assert all(text[3] == text[8] == "-" and text[:3].isupper() and text[4:8].isdecimal() for text in masked)


@given(st.uuids())
def test_uuids_keep_version_and_variant_in_every_spelling(value: uuid.UUID) -> None:
    mask = UuidMask(KEY)
    masked = uuid.UUID(mask.mask([str(value)])[0])
    assert (masked.version, masked.variant) == (value.version, value.variant)
    spellings = [value.hex, str(value).upper(), f"{{{value}}}", value.urn, f"  {value}"]
    assert [uuid.UUID(text.strip()) for text in mask.mask(spellings)] == [masked] * len(spellings)


@pytest.mark.parametrize("text", ["no uuid", "123e4567-e89b-12d3-a456-42661417400g", "x" * 36])
def test_no_other_text_becomes_a_uuid(text: str) -> None:
    masked = UuidMask(KEY).mask([text])[0]
    with pytest.raises(ValueError, match=r"badly formed|invalid literal"):
        uuid.UUID(masked)


@pytest.mark.parametrize(
    ("secret", "kept"),
    [
        ("sk-proj-abcDEF1234567890", "sk-proj-"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_"),
        ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW", "$2b$12$"),
        (
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
            "$argon2id$v=19$m=65536,t=3,p=4$",
        ),
        ("pbkdf2_sha256$600000$salt$hash", "pbkdf2_sha256$600000$"),
        ("5f4dcc3b5aa765d61d8327deb882cf99", ""),
        ("5F4DCC3B5AA765D61D8327DEB882CF99", ""),
    ],
)
def test_a_secret_keeps_its_scheme_and_alphabet(secret: str, kept: str) -> None:
    masked = SecretMask(KEY).mask([secret])[0]
    assert masked.startswith(kept)
    assert masked[len(kept) :] != secret[len(kept) :]
    assert not any(a == b for a, b in zip(_windows(secret[len(kept) :]), _windows(masked[len(kept) :]), strict=True))
    if not kept:
        assert set(masked.lower()) <= set("0123456789abcdef")
        assert masked.isupper() == secret.isupper()


def _windows(text: str) -> list[str]:
    return [text[i : i + 8] for i in range(len(text) - 7)]


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 64, 1000, 100_000])
def test_bytes_of_any_length(length: int) -> None:
    mask = BytesMask(KEY)
    data = bytes(i % 251 for i in range(length))
    other = data[:-1] + bytes([data[-1] ^ 1])
    first, second = mask.data(data), mask.data(other)
    assert len(first) == length
    assert first not in (data, second)
    assert mask.mask(["\\x" + data.hex()]) == ["\\x" + first.hex()]
    if length >= 32:  # one bit less, and nothing is alike
        assert sum(a == b for a, b in zip(first, second, strict=True)) < length / 8


def test_bytes_of_one_byte_are_permuted() -> None:
    mask = BytesMask(KEY)
    assert sorted(mask.data(bytes([i])) for i in range(256)) == [bytes([i]) for i in range(256)]
