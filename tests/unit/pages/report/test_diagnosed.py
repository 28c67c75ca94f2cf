"""A diagnosis as the page shows it."""

from __future__ import annotations

from envclone.diagnosis.diagnose import HYPOTHESES, Diagnosis
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.sweep import Point
from envclone.pages.report.diagnosed import HEADLINES, causes, sweeps

DRIFT = Finding(Layer.DRIFT, "drift", "production said ëoZ", "envclone replay 1", Certainty.LIKELY, "s", ("ëoZ",))
INDEX = Finding(Layer.INDEX, "unreachable", "at rank 1, not found", "SELECT 1", Certainty.SHOWN, "s", ("18000",))
MAYBE = Finding(Layer.STATE, "point_without_row", "perhaps", "", Certainty.POSSIBLE, "s", ("3",))


def test_every_cause_has_its_sentence() -> None:
    assert {cause for one in HYPOTHESES for cause in one.causes} == set(HEADLINES)


def test_the_first_that_failed_leads_and_nothing_said_is_quoted() -> None:
    found = Diagnosis("1", "b", (MAYBE, INDEX, INDEX, DRIFT))
    told = causes(found, quoting=False)
    assert [(one.layer, one.certain) for one in told] == [("index", True), ("state", False), ("drift", True)]
    assert told[0].says == "No path of the index's graph leads to 18000."
    assert [(one.says, one.command) for one in told[0].evidence] == [("s: at rank 1, not found", "SELECT 1")] * 2
    assert "ëoZ" not in repr(told)
    assert "ëoZ" in repr(causes(found, quoting=True))


def test_sweeps_are_grouped_by_what_was_varied() -> None:
    points = (
        Point("s", "as recorded", "", 0.0, 10, (None,), own=True),
        Point("s", "exact", "", 1.0, 10, (1,)),
        Point("s", "hnsw.ef_search", "40", 0.0, 10, (None,), own=True),
        Point("s", "hnsw.ef_search", "200", 1.0, 10, (1,)),
        Point("s", "without", "tags = 'a'", 0.5, 10, (None,)),
        Point("t", "exact", "", 1.0, 10, (None,)),
    )
    made = sweeps(Diagnosis("1", "b", (), expected=("18000",), sweeps=points))
    assert [(one.step, one.setting, one.numeric) for one in made] == [
        ("s", "hnsw.ef_search", True), ("s", "way of asking", False), ("t", "way of asking", False),
    ]  # fmt: skip
    assert [(one.value, one.recall, one.rank, one.used) for one in made[0].points] == [
        ("40", 0.0, None, True), ("200", 1.0, 1, False),
    ]  # fmt: skip
    assert [one.value for one in made[1].points] == ["as recorded", "exact", "without tags = 'a'"]
    assert made[0].wanted == "18000"
