"""What is newer than the image is named as that."""

from __future__ import annotations

import datetime as dt

import pytest

from envclone.incidents.later import explained
from envclone.incidents.report import explain
from envclone.incidents.verdicts import Difference, DifferenceKind, ReplayReport, StepVerdict

STATE = dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC)
LATER = STATE + dt.timedelta(hours=3)


def _report(actual: str | None, expected: str | None = None) -> ReplayReport:
    difference = Difference(DifferenceKind.ERROR, "", None, "", expected, actual)
    return ReplayReport("88", "prod", False, (StepVerdict("a", False, ("it failed",), (difference,)),))


@pytest.mark.parametrize(
    ("error", "what"),
    [
        ('42P01 relation "notes" does not exist', "a table or view"),
        ("42501 permission denied for table notes", "a right (GRANT)"),
        ("the step 'a' cannot log in to 'main' as 'app': role \"app\" does not exist", "a role"),
    ],
)
def test_what_production_had_later_is_named(error: str, what: str) -> None:
    (step,) = explained(_report(error), STATE, LATER, "prod").steps
    assert step.reasons[0] == "it failed"
    assert step.reasons[1].startswith(f"{what} is missing") and step.reasons[1].endswith("envclone branch prod --fresh")


@pytest.mark.parametrize(
    ("report", "recorded"),
    [
        (_report("42P01 no table"), STATE - dt.timedelta(hours=1)),  # it was there before the image's state
        (_report("42P01 no table"), None),
        (_report("42P01 no table", "42P01 no table"), LATER),  # production failed as well
        (_report("57014 canceling statement due to statement timeout"), LATER),
        (_report(None, "42P01 no table"), LATER),
    ],
)
def test_other_failures_stay_as_they_are(report: ReplayReport, recorded: dt.datetime | None) -> None:
    assert explained(report, STATE, recorded, "prod") == report


def test_a_report_names_what_was_changed_in_the_branch() -> None:
    report = ReplayReport("88", "prod", True, (), changed=("main.public.notes: 7 rows written, analysed",))
    assert "changed since the branch's birth: main.public.notes: 7 rows written, analysed" in explain(report)
    assert report.to_json()["changed"] == ["main.public.notes: 7 rows written, analysed"]
