"""Batches are masked by compiled loops: the same pseudonyms as value by value, in Python."""

from __future__ import annotations

import calendar
import random
import uuid
from collections.abc import Callable, Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone import compiled
from envclone.errors import UnsafeError
from envclone.masking.dates import DateMask
from envclone.masking.makers import Makers
from envclone.masking.memo import BATCH
from envclone.masking.names import classes
from tests.unit.masking.conftest import KEY

ODD = "ABCXYZabcdefghijklmnopqrstuvwxyz0123456789 .-'@+_,()/#\u00e9\u00df\u5c71\x00\n"


def both(kind: str, values: Sequence[str]) -> tuple[list[str], list[str]]:
    """A batch's pseudonyms from the loop, and from the mask in Python under the same key."""
    assert compiled.available()
    assert len(set(values)) >= BATCH
    loop = Makers(KEY).mask(kind).mask(list(values))
    one = Makers(KEY).mask(kind)
    return loop, [one.mask([value])[0] for value in values]


@cache
def known() -> list[str]:
    return [name for names in classes() for name in names if name.isascii()]


def names(draw: random.Random) -> str:
    name = draw.choice(known()), draw.choice(known()), draw.choice("abcdefghijklmnop")
    parts = (
        *(f"{name[0]} {name[1]}".title(), f"{name[1].upper()}, {name[0].title()}", name[0] + name[1]),
        *(
            name[2] + name[1],
            f"{name[0][:-1]}x {name[1]}q",
            f"Dr. {name[0]} O'{name[1]}-{name[2]}",
            f"{name[0]}{name[2]}9",
        ),
    )
    return draw.choice(parts)


def noise(draw: random.Random) -> str:
    return "".join(draw.choice(ODD) for _ in range(draw.randrange(0, 40)))


@pytest.mark.parametrize("kind", ["person", "username"])
def test_names(kind: str) -> None:
    draw = random.Random(kind)
    values = [*(names(draw) for _ in range(6000)), *(noise(draw) for _ in range(400)), *known()[::7]]
    loop, one = both(kind, values)
    assert loop == one


def test_short_tokens_and_digits() -> None:
    letters = "aexzAX19"
    values = [a + b + c + d for a in letters for b in letters for c in letters for d in ("", *letters)]
    loop, one = both("person", [*values, *("7" * n for n in range(1, 70)), *("b" * n for n in range(1, 70))])
    assert loop == one
    assert len(set(loop)) == len({*values, *(c * n for c in "7b" for n in range(1, 70))})


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=BATCH, unique=True))
def test_any_names(values: list[str]) -> None:
    loop, one = both("person", values)
    assert loop == one


def test_equal_values_of_a_batch_are_masked_once() -> None:
    asked: list[int] = []
    from envclone.masking.memo import Memo

    def many(values: Sequence[str]) -> list[str]:
        asked.append(len(values))
        return [value.upper() for value in values]

    memo = Memo(str.upper, many)
    values = [f"v{i % 40}" for i in range(1000)]
    assert memo(values) == [value.upper() for value in values]
    assert asked == [40]


def test_remembering_is_bounded() -> None:
    from envclone.masking import memo

    calls: list[str] = []

    def one(value: str) -> str:
        calls.append(value)
        return value

    remembering = memo.Memo(one)
    for i in range(3 * memo.GENERATION):
        remembering.one(str(i))
        remembering.one("often")
    assert len(remembering._known._younger) + len(remembering._known._older) <= 2 * memo.GENERATION
    assert calls.count("often") == 1
    assert len(calls) == 3 * memo.GENERATION + 1


def hosts(draw: random.Random) -> str:
    labels = ("acme", "co", "com", "x", "corp-1", "9", "de", "uk", "org", "ac", "Mail", "gov", "ab", "", "-")
    host = ".".join(draw.choice(labels) for _ in range(draw.randrange(1, 5)))
    local = names(draw).replace(" ", draw.choice((".", "_", "+", " ")))
    return draw.choice((f"{local}@{host}", f"{local} <{local}@{host}>", f"{host}@{local}, x", f"{local}@{host}."))


def phones(draw: random.Random) -> str:
    digits = [str(draw.randrange(10)) for _ in range(draw.randrange(1, 16))]
    prefix = draw.choice(("", "+", "00", "+49 ", "+1 (", "0", "1-", "8 ", "(0", "+800 ", " +", "(+44) "))
    text = prefix + "".join(draw.choice(("", "", "", " ", "-", ")", ".", "/", " / ")) + digit for digit in digits)
    return draw.choice((text, text, text, text, text + " x12", text + ", " + text, "tel. " + text))


def uuids(draw: random.Random) -> str:
    value = uuid.UUID(int=draw.getrandbits(128))
    if draw.random() < 0.7:
        value = uuid.UUID(int=value.int, version=draw.choice((1, 4, 5)))
    text = str(value)
    forms = (
        text,
        text.upper(),
        value.hex,
        value.hex.title(),
        f"{{{text}}}",
        value.urn,
        text[:-1],
        text[:8] + "x" + text[9:],
    )
    return draw.choice((text, text, text, *forms))


def integers(draw: random.Random) -> str:
    number = str(draw.randrange(10 ** draw.randrange(1, 21)))
    return draw.choice(("", "", "", "-", "+", "00", " ")) + number + draw.choice(("", "", "", ".0", " "))


def dates(draw: random.Random) -> str:
    year = draw.choice((draw.randrange(1900, 2100), draw.randrange(1, 10_000), 2000, 2024, 1))
    month = draw.randrange(1, 13)
    date = f"{year:04d}-{month:02d}-{draw.randrange(1, calendar.monthrange(year, month)[1] + 1):02d}"
    zone = draw.choice(("", "Z", "+00", " +01:30", "-0530", "+05:30:15", " UTC"))
    time = draw.choice(("", " 12:30", "T09:05:07", " 23:59:59.123456", " 7:00", "T00:00:00.5")) + zone
    return draw.choice(
        (date, date, date + (time if time != zone else ""), f"[{date},{date})", date.replace("-", ""), "0044-03-15 BC")
    )


@pytest.mark.parametrize(
    ("kind", "made"),
    [("email", hosts), ("phone", phones), ("uuid", uuids), ("integer", integers), ("date", dates)],
    ids=["email", "phone", "uuid", "integer", "date"],
)
def test_kinds(kind: str, made: Callable[[random.Random], str]) -> None:
    draw = random.Random(kind)
    values = list(dict.fromkeys(made(draw) for _ in range(10_000)))
    loop, one = both(kind, values)
    wrong = [(value, a, b) for value, a, b in zip(values, loop, one, strict=True) if a != b]
    assert wrong == []
    if kind != "date":  # two days of two years may have one offset, and BC is another spelling
        assert len(set(loop)) == len(values)


@pytest.mark.parametrize("kind", ["email", "phone", "uuid"])
def test_noise(kind: str) -> None:
    draw = random.Random(kind)
    alphabets = {"email": "ab.@-é<> ,co", "phone": "0123456789+() -/x,;é\n", "uuid": "0123456789abcdefABCDEF-"}
    values = ["".join(draw.choice(alphabets[kind]) for _ in range(draw.randrange(0, 40))) for _ in range(3000)]
    values += ["0" * 32, "f" * 32, "00000000-0000-0000-0000-000000000000", "+", "@", "a@", "@b.co.uk", "a@b.co.uk@c"]
    loop, one = both(kind, values)
    assert loop == one


def test_what_is_no_date_or_number_is_refused_in_a_batch_too() -> None:
    for kind, bad in (("date", "2023-02-29"), ("date", "2024-13-01"), ("date", "soon"), ("integer", "1e5")):
        good = [f"2024-01-{day:02d}" if kind == "date" else str(day) for day in range(1, 32)]
        with pytest.raises(UnsafeError):
            Makers(KEY).mask(kind).mask([*good, "", bad, *good, "7", "8", "2020-12-12"][: 2 * len(good) + 2])


def test_dates_by_subject() -> None:
    draw = random.Random("subjects")
    values = [dates(draw) for _ in range(3000)] + ["0001-01-01", "0002-01-01", "0003-01-01"]
    subjects = [draw.choice((None, "1", str(draw.randrange(500)))) for _ in values]
    loop, one = DateMask(KEY), DateMask(KEY)
    whole = loop.mask_by(values, subjects)
    assert whole == [one.mask_by([v], [s])[0] for v, s in zip(values, subjects, strict=True)]
