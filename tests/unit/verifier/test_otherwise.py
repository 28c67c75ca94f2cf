"""Identities whose letters are apart, in bits, backwards or amounts of money."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envclone.packed import TextBlock, block_of
from envclone.verifier.otherwise import backwards, numbers_within, put_together, without_cents

NAME = "Wolfhard Quenzelmann"
BITS = "".join(f"{byte:08b}" for byte in NAME.encode())


def _block(*values: str) -> TextBlock:
    return TextBlock("\0".join(values).encode(), np.zeros(len(values), np.bool_))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        BITS,
        BITS + "01",
        '["a", ' + ", ".join(f'"{c}"' for c in NAME) + "]",
        str(list(NAME)).replace("'", '"'),
        str(list(NAME)).replace("'", '"').replace(", ", ","),
    ],
)
def test_bits_and_letters_in_json_are_put_together(value: str, packed: bool) -> None:
    values: Any = _block("x", value, "") if packed else ["x", value, ""]
    (found,) = put_together(values)
    assert found[0] == 1 and NAME in found[1]


def test_elements_of_one_letter_are_put_together() -> None:
    assert list(put_together([["x"], list(NAME), None, [list("Wolf"), list("hard")], ["Wolf", "hard"]])) == [
        (1, NAME),
        (3, "Wolf"),
        (3, "hard"),
    ]
    assert list(put_together([[*"Wolfhard", None, *"Quenzelmann"]])) == [(0, NAME)]


def test_what_is_no_text_in_bits_or_letters_is_left() -> None:
    assert list(put_together(["0101", "an 0110 and 0100", '["a", "b"]', ["ab", "c", "d", "e"], 5])) == []
    assert list(put_together(_block("0101", "an 0110 and 0100", '["a", "b"]'))) == []


def test_short_texts_are_read_backwards_and_numbers_are_not() -> None:
    values = [NAME[::-1], None, "4711471147", "x", "a" * 65, NAME[::-1]]
    assert backwards(values) == {NAME: 5}
    assert backwards(_block(*(value or "" for value in values))) == {NAME: 5}


@pytest.mark.parametrize(
    ("amount", "digits"),
    [
        ("$4,929,123,456,789,012.00", "4929123456789012"),
        ("-$415,550,199.00", "415550199"),
        ("4.155.501,00 €", "4155501"),
        ("$12.50", "$12.50"),
        ("", ""),
        ("x", "x"),
    ],
)
def test_an_amount_is_read_as_its_digits(amount: str, digits: str) -> None:
    assert without_cents(amount) == digits


@pytest.mark.parametrize("others", [0, 50])
def test_few_short_texts_among_long_ones_are_read_backwards_too(others: int) -> None:
    texts = ["x" * 300] * others + ["drahflow", None, "12345678", "x" * 65, "ümläut", "short", "é" * 64]
    wanted = {"wolfhard": others, "tuälmü": others + 4, "é" * 64: others + 6}
    assert backwards(block_of(texts)) == backwards(texts) == wanted


def test_bits_are_read_where_they_are_a_whole_text_of_a_block() -> None:
    bits = "".join(f"{byte:08b}" for byte in NAME.encode())
    texts = ["0" * 31, f"x{bits}", bits, None, f"{bits} ", "", bits, "[]"]
    assert list(put_together(block_of(texts))) == list(put_together(texts)) == [(2, NAME), (6, NAME)]


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_of_ranges_and_points_are_read_one_by_one(packed: bool) -> None:
    values = ["[536228741,536228742)", "[5,)", "(1.5,4170000000)", "empty"]
    given: Any = block_of(values) if packed else values
    assert numbers_within(given) == (["536228741", "536228742", "5", "1.5", "4170000000"], [0, 0, 1, 2, 2])
    assert numbers_within(given, whole=True)[0] == ["536228741", "536228741", "5", "1.5", "4169999999"]
    assert numbers_within(block_of(["[1,2)", None])) == ([], [])
    assert numbers_within([["[1,2)"], None, [["(3,9.5e+17)"]]]) == (["1", "2", "3", "9.5e+17"], [0, 0, 2, 2])


def test_the_last_number_of_a_range_of_fractions_is_as_it_stands() -> None:
    assert numbers_within(["[1.5,2.25)", "(,7)", "(,)"]) == (["1.5", "2.25", "7"], [0, 0, 1])


@pytest.mark.parametrize("place", range(0, 34))
def test_a_text_of_a_block_is_bits_only_when_all_of_it_is(place: int) -> None:
    other = BITS[:place] + "2" + BITS[place + 1 :]
    texts = [other, BITS[:32], "0" * 31, BITS, "1" + other[1:] if place else "x" + BITS, "01"]
    assert list(put_together(block_of(texts))) == list(put_together(texts)) == [(1, NAME[:4]), (3, NAME)]
