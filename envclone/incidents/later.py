"""What an incident met in production and an older image cannot have: named as that, and not as another answer."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

from envclone.incidents.verdicts import DifferenceKind, ReplayReport, StepVerdict

__all__ = ["explained"]

_ABSENT = {
    "42P01": "a table or view",
    "42703": "a column",
    "42883": "a function or operator",
    "42704": "a type, role or other object",
    "3F000": "a schema",
    "3D000": "a database",
    "42501": "a right (GRANT)",
    "28000": "a role",
}
"""What the server lacks when it fails so (appendix A of PostgreSQL's documentation)."""
_ROLE = re.compile(r'role "[^"]*" (does not exist|is not permitted to log in)')


def explained(report: ReplayReport, state: dt.datetime, recorded: dt.datetime | None, environment: str) -> ReplayReport:
    """The report, with the reason at each step that failed for want of something newer than the image's `state`.

    Only where production answered, and was recorded later than the state was copied.
    """
    if recorded is None or recorded <= state:
        return report
    return replace(report, steps=tuple(_step(one, state, recorded, environment) for one in report.steps))


def _step(step: StepVerdict, state: dt.datetime, recorded: dt.datetime, environment: str) -> StepVerdict:
    errors = [one for one in step.differences if one.kind is DifferenceKind.ERROR and not one.expected and one.actual]
    what = next((found for one in errors if (found := _absent(str(one.actual)))), "")
    if not what:
        return step
    reason = (
        f"{what} is missing that production had when it was recorded ({recorded:%Y-%m-%d %H:%M} UTC): the image holds"
        f" the state of {state:%Y-%m-%d %H:%M} UTC, which is older; envclone branch {environment} --fresh"
    )
    return replace(step, reasons=(*step.reasons, reason))


def _absent(error: str) -> str:
    return "a role" if _ROLE.search(error) else _ABSENT.get(error[:5], "")
