"""Dates of birth in kept fields: every spelling is read, and rows that hold their own subject's leak."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from envclone.errors import UnsafeError
from envclone.models import FieldKind, FieldRule, JsonRule, Rows, StorePlan
from envclone.packed import Columns, block_of, pack
from envclone.verifier.births import dated, days_in
from envclone.verifier.compounds import Compounds
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.looker import Looker
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.people import People

BORN = date(1977, 3, 9)
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
SPELLINGS: dict[str, Callable[[date], str]] = {
    "iso": lambda d: d.isoformat(),
    "of a timestamp": lambda d: f"{d.isoformat()}T00:00:00Z",
    "slashes": lambda d: f"{d:%Y/%m/%d}",
    "in one": lambda d: f"{d:%Y%m%d}",
    "german": lambda d: f"geb. {d.day}.{d.month}.{d.year}",
    "german, two digits": lambda d: f"{d:%d.%m.%y}",
    "american": lambda d: f"{d:%m/%d/%Y}",
    "british": lambda d: f"{d:%d/%m/%Y}",
    "dashes": lambda d: f"{d:%d-%m-%Y}",
    "blanks": lambda d: f"{d:%d %m %Y}",
    "words": lambda d: f"born on {d.day} {d:%B} {d.year}",
    "short words": lambda d: f"{d:%d-%b-%y}",
    "words, american": lambda d: f"{d:%b} {d.day}, {d.year}",
    "ordinal": lambda d: f"the {d.day}th of {d:%B} {d.year}",
    "german words": lambda d: f"{d.day}. März {d.year}" if d.month == 3 else f"{d.isoformat()}",
    "chinese": lambda d: f"生于{d.year}年{d.month}月{d.day}日",
    "korean": lambda d: f"{d.year}년 {d.month}월 {d.day}일",
    "russian": lambda d: f"{d.day} марта {d.year} г." if d.month == 3 else f"{d.isoformat()}",
    "polish": lambda d: f"ur. {d.day} marca {d.year}" if d.month == 3 else f"{d.isoformat()}",
    "seconds": lambda d: str((d.toordinal() - date(1970, 1, 1).toordinal()) * 86_400),
    "milliseconds": lambda d: str((d.toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000),
    "days since 1970": lambda d: str(d.toordinal() - date(1970, 1, 1).toordinal()),
    "Excel's days": lambda d: str(d.toordinal() - date(1899, 12, 30).toordinal()),
    "roman month": lambda d: f"ur. {d.day} {ROMAN[d.month - 1]} {d.year}",
    "members": lambda d: f'{{"y":{d.year},"m":{d.month},"d":{d.day}}}',
    "members as jsonb has them": lambda d: (
        f'{{"id": 7, "dob": {{"day": {d.day}, "year": {d.year}, "month": {d.month}}}}}'
    ),
    "members among others": lambda d: (
        f'{{"id": 7, "b_day": {d.day}, "b_year": {d.year}, "b_month": {d.month}, "x": 10}}'
    ),
    "list": lambda d: f"[{d.year}, {d.month}, {d.day}]",
    "elements": lambda d: f"<b><y>{d.year}</y><m>{d.month}</m><d>{d.day}</d></b>",
    "document": lambda d: f'{{"born": "{d.isoformat()}"}}',
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_a_date_is_read_in_every_spelling(how: str) -> None:
    assert BORN.toordinal() in days_in(SPELLINGS[how](BORN))


def test_of_a_column_of_short_numbers_some_tell() -> None:
    values = block_of([str(20_000 + i) for i in range(5000)] + ["2629", "226713600", "x"])
    told = dict(dated(values, numbers=True))
    assert 500 < len(told) < 1200 and 5001 in told
    assert len(dict(dated(values))) == 5002


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "1.2.3",
        "10:15:30",
        "version 3.9.77b",
        "202",
        "the 9th",
        "5 IIII 1977",
        "[1977, 3]",
        "[1977, 300, 9]",
        "may 9",
        "9/3",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert days_in(text) == set()


def _born(count: int) -> list[date]:
    draw = random.Random(4)
    return [date(1940, 1, 1) + timedelta(draw.randrange(24_000)) for _ in range(count)]


def _findings(
    born: list[date], kept: dict[str, list[str]], rules: dict[str, FieldRule], *, packed: bool = True
) -> list[Any]:
    names = [f"Xa{i} Zu{i}" for i in range(len(born))]
    places = [f"ctid (0,{i})" for i in range(len(born))]
    held = {"public.people.name": pack(names), "public.people.born": pack([day.isoformat() for day in born])}
    columns = Columns("public.people", pack(places), held)
    session = cast(Any, SimpleNamespace(links=lambda: [], columns=lambda wanted: [columns]))
    rules = {
        "public.people.name": FieldRule("public.people.name", FieldKind.TEXT, "person"),
        "public.people.born": FieldRule("public.people.born", FieldKind.OTHER, "date", base="date"),
        **rules,
    }
    plan, findings = StorePlan("main", rules), FieldFindings()
    people = People({"main": session}, {"main": plan}, {}, [], findings.originals)
    parts = Originals.parts(people.collect())
    findings.originals.seal()
    compounds = Compounds(people.subjects, parts, findings.originals)
    looker = Looker("main", plan, LooseSearch(findings.originals), LooseSearch(parts), compounds, people, findings)
    fields = {a: cast(Any, block_of(values) if packed else values) for a, values in kept.items()}
    looker.rows(Rows("public.people", fields, {}, places), {})
    looker.take(looker.found())
    looker.judge()
    try:
        findings.leaks.refuse()
    except UnsafeError as refused:
        return list(cast(Any, refused.context["findings"]))
    return []


@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("packed", [True, False])
def test_a_kept_column_of_dates_of_birth_leaks(how: str, packed: bool) -> None:
    born = _born(200)
    address = "public.people.note"
    base = "int8" if how in ("seconds", "milliseconds") else "text"
    rules = {address: FieldRule(address, FieldKind.OTHER if base == "int8" else FieldKind.TEXT, "keep", base=base)}
    values = [SPELLINGS[how](day) if i % 50 == 7 else "x" for i, day in enumerate(born)]
    (found,) = _findings(born, {address: values}, rules, packed=packed)
    assert found["kind"] == "date" and "date of birth" in found["what"] and found["times"] == 4


def test_a_column_of_other_dates_does_not() -> None:
    born = _born(400)
    address = "public.people.since"
    rules = {address: FieldRule(address, FieldKind.OTHER, "keep", base="date")}
    others = [day.isoformat() for day in random.Random(5).sample(born, len(born))]
    assert _findings(born, {address: others}, rules) == []
    later = [(date(2020, 1, 1) + timedelta(i)).isoformat() for i in range(400)]
    assert _findings(born, {address: later}, rules) == []


def test_the_masked_column_and_masked_paths_do_not_and_kept_paths_do() -> None:
    born = _born(60)
    address = "public.people.doc"
    documents = [f'{{"born": "{day.isoformat()}"}}' for day in born]
    kept = (JsonRule("$.born", "keep"), JsonRule("$.name", "person"))
    rules = {address: FieldRule(address, FieldKind.JSON, "keep", json=kept)}
    assert len(_findings(born, {address: documents}, rules)) == 1
    masked = {address: FieldRule(address, FieldKind.TEXT, "text", base="text")}
    assert _findings(born, {address: ["x"] * 60}, masked) == []
