"""Dates, and numbers that measure."""

from __future__ import annotations

import datetime as dt
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.errors import UnsafeError
from envclone.masking.dates import DateMask
from envclone.masking.noise import NumberMask
from tests.unit.masking.conftest import KEY

DATE, NUMBER = DateMask(KEY), NumberMask(KEY)
DAYS = st.dates(min_value=dt.date(2, 1, 1))


@given(st.lists(DAYS, min_size=2, max_size=5), st.text(max_size=5))
def test_distances_hold_within_one_subject(days: list[dt.date], subject: str) -> None:
    masked = [dt.date.fromisoformat(v) for v in DATE.mask_by([str(d) for d in days], [subject] * len(days))]
    shifts = {(old - new).days for old, new in zip(days, masked, strict=True)}
    assert len(shifts) == 1
    assert 1 <= shifts.pop() <= 365


def test_subjects_move_apart() -> None:
    masked = DATE.mask_by(["2024-06-01"] * 400, [str(i) for i in range(400)])
    assert len(set(masked)) > 200
    assert DATE.mask_by(["2024-06-01", "2024-06-01"], [None, None])[0] == DATE.mask_by(["2024-06-01"], [None])[0]


def test_every_notation_moves_alike() -> None:
    day = DATE.mask(["2024-03-01"])[0]
    year, month, date = day.split("-")
    for value, expected in {
        "2024-03-01 23:59:59.25+00": f"{day} 23:59:59.25+00",
        "2024-03-01T23:59:59Z": f"{day}T23:59:59Z",
        "2024/03/01": day.replace("-", "/"),
        "20240301": day.replace("-", ""),
        "01.03.2024": f"{date}.{month}.{year}",
        "[2024-03-01,2024-03-01)": f"[{day},{day})",
        '["2024-03-01 10:00:00+00",infinity)': f'["{day} 10:00:00+00",infinity)',
        '{["2024-03-01 10:00:00",),[,2024-03-01]}': f'{{["{day} 10:00:00",),[,{day}]}}',
        "infinity": "infinity",
        "-infinity": "-infinity",
        "empty": "empty",
        "": "",
    }.items():
        assert DATE.mask([value]) == [expected]


def test_the_first_years() -> None:
    before = DATE.mask(["0001-01-01", "0044-03-15 12:00:00 BC", "12024-05-06"])
    assert before[0].endswith(" BC")
    assert before[1].endswith(" 12:00:00 BC")
    assert len(before[2]) == 11


def test_seconds_since_1970() -> None:
    day = (dt.date(2024, 3, 1) - dt.date.fromisoformat(DATE.mask(["2024-03-01"])[0])).days * 86400
    assert DATE.mask_numbers(["1709251200", "1709251200000", "1709251200.25"]) == [
        str(1709251200 - day),
        str((1709251200 - day) * 1000),
        f"{1709251200 - day}.25",
    ]


@pytest.mark.parametrize("value", ["yesterday", "03/04/2024", "2024-02-30", "2024-13-01", "born 2024-01-01"])
def test_what_is_no_date_is_refused_without_being_named(value: str) -> None:
    with pytest.raises(UnsafeError, match="no date") as caught:
        DATE.mask([value])
    assert value not in str(caught.value)
    with pytest.raises(UnsafeError, match="1970"):
        DATE.mask_numbers(["1985"])


# --- numbers -------------------------------------------------------------------------------------------------------


@given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=2))
def test_a_number_moves_by_a_tenth_at_most(value: object) -> None:
    text = f"{value:f}"
    masked = NUMBER.mask([text])[0]
    assert len(masked) == len(text)
    assert masked.partition(".")[0].count("-") == text.count("-")
    assert abs(float(masked) - float(text)) <= max(abs(float(text)) / 10, 0.01) + 1e-9
    assert (masked == text) == (float(text) == 0)


@given(st.integers(1, 2**63 - 1))
def test_a_whole_number_stays_within_its_type(number: int) -> None:
    masked = int(NUMBER.mask_numbers([str(number)])[0])
    for bound in (2**15 - 1, 2**31 - 1, 2**63 - 1):
        if number <= bound:
            assert masked <= bound
            break


def test_the_distribution_is_kept() -> None:
    values = [str(1000 + 37 * i % 9000) for i in range(5000)]
    masked = NUMBER.mask(values)
    before, after = ([float(v) for v in column] for column in (values, masked))
    assert abs(statistics.mean(after) / statistics.mean(before) - 1) < 0.01
    assert abs(statistics.stdev(after) / statistics.stdev(before) - 1) < 0.02
    assert statistics.correlation(before, after) > 0.98


@pytest.mark.parametrize("value", ["0", "0.00", "-0", "NaN", "Infinity", "", " "])
def test_what_measures_nothing_stays(value: str) -> None:
    assert NUMBER.mask([value]) == [value]


def test_exponents_and_small_numbers() -> None:
    assert NUMBER.mask(["1e+20"])[0] != "1e+20"
    assert NUMBER.mask(["1e+20"])[0].endswith("e+20")
    assert NUMBER.mask(["0.00012"])[0].startswith("0.0001")
    with pytest.raises(UnsafeError, match="no number"):
        NUMBER.mask(["about 5"])
