"""Addresses in the notations in which other columns, logs and texts have them."""

from __future__ import annotations

import pytest

from envclone.masking.notations import notations


@pytest.mark.parametrize(
    ("value", "ways"),
    [
        ("81.20.1.77", {"81-20-1-77"}),
        ("81.20.1.77/32", {"81.20.1.77", "81-20-1-77"}),
        ("81.20.1.77/24", {"81.20.1.77", "81-20-1-77"}),
        ("81.20.1.0/24", set()),
        (
            "2a01:4f8:c17:b8f::7/128",
            {
                "2a01:4f8:c17:b8f::7",
                "2a01:04f8:0c17:0b8f:0000:0000:0000:0007",
                "2a01:4f8:c17:b8f:0:0:0:7",
            },
        ),
        ("2a01:4f8::/64", set()),
        ("unknown", set()),
        ("", set()),
    ],
)
def test_an_address_of_a_network(value: str, ways: set[str]) -> None:
    assert set(notations("ip", value)) == ways


def test_an_address_of_the_older_protocol_in_the_newer_one() -> None:
    assert "81.20.1.77" in notations("ip", "::ffff:81.20.1.77")


@pytest.mark.parametrize("value", ["A4:5E:60:D1:25:95", "a4-5e-60-d1-25-95", "a45e.60d1.2595", "a45e60d12595"])
def test_an_address_of_hardware(value: str) -> None:
    ways = {"a4:5e:60:d1:25:95", "a4-5e-60-d1-25-95", "a45e.60d1.2595", "a45e60d12595", "a4:5e:60:ff:fe:d1:25:95"}
    assert {value, *notations("mac", value)} == {value, *ways}
    assert notations("mac", "printer") == () and notations("email", value) == ()


def test_bytes_as_a_column_prints_them_and_as_programs_do() -> None:
    assert set(notations("bytes", "\\xfbff00aa")) == {"fbff00aa", "+/8Aqg", "-_8Aqg"}
    assert notations("secret", "sk-live-abcdef") == () and notations("bytes", "\\x" + "ab" * 65) == ()
