"""Fields that a store computes: an original in one is a leak where the same row had it in production."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from envclone.models import Rows, StorePlan
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.fields import _in_their_rows
from envclone.verifier.looker import Looker
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals

WHOLE = "public.people.whole"
NAME = "public.people.name"


def _looker() -> tuple[Looker, FieldFindings]:
    originals, parts = Originals(), Originals()
    originals.add("main.public.orders.name", "person", ["Wolfhard Quenzelmann"])
    originals.seal()
    parts.seal()
    findings = FieldFindings(originals=originals)
    people = cast(Any, SimpleNamespace(subjects=None))
    compounds = cast(Any, SimpleNamespace())
    plan = StorePlan("main", {})
    return Looker("main", plan, LooseSearch(originals), LooseSearch(parts), compounds, people, findings), findings


class Session:
    """Rows of one field."""

    def __init__(self, values: Sequence[str | None], first: int = 0) -> None:
        self._values, self._first = values, first

    def rows(self, addresses: Any) -> Iterator[Rows]:
        places = [f"ctid (0,{i + self._first})" for i in range(len(self._values))]
        yield Rows("public.people", {WHOLE: list(self._values)}, {}, places)


@pytest.mark.parametrize(
    ("raw", "clean", "left"),
    [
        (Session(["Jane Doe", None]), Session(["Wolfhard Quenzelmann", None]), 0),  # of two masked parts, by chance
        (Session(["Wolfhard Quenzelmann"]), Session(["Wolfhard Quenzelmann"]), 1),  # not computed again
        (Session(["WOLFHARD QUENZELMANN 7"]), Session(["7 Wolfhard Quenzelmann"]), 1),
        (Session(["Jane Doe"]), Session(["Wolfhard Quenzelmann"], first=5), 1),  # nothing says that it is the same row
    ],
)
def test_what_is_computed_is_held_against_its_own_row(raw: Session, clean: Session, left: int) -> None:
    looker, findings = _looker()
    _in_their_rows(WHOLE, cast(Any, raw), cast(Any, clean), looker)
    looker.take(looker.found())
    assert len(findings.leaks) == left


def test_what_came_about_by_chance_is_known_of_its_copies() -> None:
    looker, findings = _looker()
    name = ["Wolfhard Quenzelmann"]
    _in_their_rows(WHOLE, cast(Any, Session(["Jane Doe"])), cast(Any, Session(name)), looker)
    looker.take(looker.found())
    assert findings.coincidences.copied([f"main.{WHOLE}"], b"wolfhard quenzelmann")


@pytest.mark.parametrize("by_chance", [False, True])
def test_what_another_field_decides_is_judged_when_all_was_looked_at(by_chance: bool) -> None:
    looker, findings = _looker()
    for value in ("Wolfhard Quenzelmann", "Jane Doe", None):
        looker.by_others(WHOLE, [value])
        looker.take(looker.found())  # as a copy of the process sends it
    if by_chance:
        name = [(f"main.{NAME}", 0, 0)]
        findings.coincidences.add(name)
    assert looker.looked_at == {WHOLE}
    looker.judge()
    assert len(findings.leaks) == (not by_chance)
    assert findings.coincidences.copied([f"main.{WHOLE}"], b"wolfhard quenzelmann") == by_chance
    assert findings.values == 2
