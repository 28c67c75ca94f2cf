"""Dates, and numbers that measure."""

from __future__ import annotations

import calendar
import datetime as dt
import statistics
from collections import Counter

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


@pytest.mark.parametrize("year", [1, 1900, 1969, 1970, 2000, 2023, 2024, 9999])
def test_the_days_of_a_year_are_permuted(year: int) -> None:
    first = dt.date(year, 1, 1).toordinal()
    days = [dt.date.fromordinal(first + i) for i in range(366 if calendar.isleap(year) else 365)]
    masked = [dt.date.fromisoformat(value) for value in DATE.mask([day.isoformat() for day in days])]
    assert sorted(masked) == days
    assert not any(old == new for old, new in zip(days, masked, strict=True))


def test_no_offset_tells_of_another() -> None:
    """Birthdays of 1,000 people: their offsets are spread over the year, and two years have different ones."""
    days = [dt.date(1940, 1, 1) + dt.timedelta(days=29 * i) for i in range(1000)]
    masked = [dt.date.fromisoformat(value) for value in DATE.mask([str(day) for day in days])]
    offsets = Counter((new - old).days for old, new in zip(days, masked, strict=True))
    assert offsets.most_common(1)[0][1] < 12
    assert len(offsets) > 350
    assert min(offsets) < -250 < 250 < max(offsets)
    one, two = ([value[5:] for value in DATE.mask([f"{y}-05-{d:02d}" for d in range(1, 32)])] for y in (2021, 2022))
    assert sum(a == b for a, b in zip(one, two, strict=True)) < 3


def test_years_keep_their_order() -> None:
    days = [f"{year}-{month:02d}-15" for year in range(1950, 2030) for month in (1, 12)]
    assert [value[:4] for value in DATE.mask(days)] == [day[:4] for day in days]


def test_a_range_moves_as_a_whole() -> None:
    for days in range(1, 800, 7):
        first = dt.date(2023, 12, 20) + dt.timedelta(days=days)
        last = first + dt.timedelta(days=days)
        (masked,) = DATE.mask([f"[{first},{last})"])
        low, high = (dt.date.fromisoformat(part) for part in masked[1:-1].split(","))
        assert high - low == last - first
        assert DATE.mask([str(first)]) == [str(low)]


def test_the_first_and_the_last_days_of_postgresql() -> None:
    first = [f"4714-11-{day} BC" for day in range(24, 31)] + [f"4714-12-{day:02d} BC" for day in range(1, 32)]
    assert sorted(DATE.mask(first)) == first
    assert all(value[:8] == "5874897-" for value in DATE.mask(["5874897-01-01", "5874897-12-31"]))
    assert DATE.mask(["294276-12-31 23:59:59.999999"])[0].startswith("294276-")


@pytest.mark.parametrize("value", ["4714-11-24 BC", "4714-11-24 00:00:00+00 BC", "[4714-11-24 BC,2024-01-01)"])
def test_there_is_no_day_before_the_first(value: str) -> None:
    with pytest.raises(UnsafeError, match="before PostgreSQL's first day"):
        DATE.mask_by([value], ["subject"])
    assert DATE.mask_by(["5000-01-01 BC"], ["subject"]) != ["5000-01-01 BC"]  # in a document, where any year may stand


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
    assert before[0].startswith("0001-")
    assert DATE.mask_by(["0001-01-01"], ["somebody"])[0].endswith(" BC")
    assert before[1].endswith(" 12:00:00 BC")
    assert len(before[2]) == 11


@pytest.mark.parametrize("moment", ["2024-03-01 12:30:15", "1973-03-04 00:00:00", "1960-12-31 23:59:59"])
def test_seconds_since_1970(moment: str) -> None:
    """Seconds, milliseconds and microseconds move as the date does."""
    before, after = (dt.datetime.fromisoformat(f"{value}+00:00") for value in (moment, DATE.mask([moment])[0]))
    old, new = int(before.timestamp()), int(after.timestamp())
    assert DATE.mask_numbers([str(old), f"{old}000", f"{old}000000"]) == [str(new), f"{new}000", f"{new}000000"]


def test_a_fraction_before_1970_belongs_to_the_day_before() -> None:
    day, first = 86_400, dt.date(1970, 1, 1)
    moved = dt.date.fromisoformat(DATE.mask([str(first - dt.timedelta(days=2001))])[0])
    offset = (moved - first).days + 2001
    assert DATE.mask_numbers([f"-{2000 * day}.5"]) == [f"-{(2000 - offset) * day}.5"]
    assert DATE.mask_numbers([f"-{2000 * day}.0"]) != [f"-{(2000 - offset) * day}.0"]


@pytest.mark.parametrize("value", ["yesterday", "03/04/2024", "2024-02-30", "2024-13-01", "born 2024-01-01"])
def test_what_is_no_date_is_refused_without_being_named(value: str) -> None:
    with pytest.raises(UnsafeError, match="not a date") as caught:
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
    with pytest.raises(UnsafeError, match="not a number"):
        NUMBER.mask(["about 5"])
