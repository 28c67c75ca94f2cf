"""What a test gets: a branch to connect to, and a pinned incident that was replayed in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envclone.endpoints import url, variables
from envclone.models import Branch, StepResult

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.cases.outcome import CaseOutcome
    from envclone.incidents.verdicts import ReplayReport

__all__ = ["BranchHandle", "Replayed"]


@dataclass(frozen=True, slots=True)
class BranchHandle:
    """A running branch."""

    stack: Stack
    branch: Branch

    @property
    def name(self) -> str:
        """The branch's name."""
        return self.branch.name

    @property
    def dsn(self) -> str:
        """The URL of its first PostgreSQL, for any driver. Raises LookupError when it has none."""
        for store, endpoint in self.branch.endpoints.items():
            if endpoint.kind == "postgres":
                return self.url(store)
        raise LookupError(f"the branch {self.name} has no PostgreSQL; it has: {', '.join(self.branch.endpoints)}")

    def url(self, part: str) -> str:
        """The URL of a store or service."""
        return url(self.branch.endpoints[part])

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables of `envclone env`: DATABASE_URL, PGHOST, one for each store."""
        return variables(self.branch.endpoints)

    def reset(self) -> BranchHandle:
        """Throw away what was changed in it; the login stays."""
        return BranchHandle(self.stack, self.stack.reset(self.name))


@dataclass(frozen=True, slots=True)
class Replayed:
    """A pinned incident, replayed: its verdict as a case, and what each step returned."""

    outcome: CaseOutcome
    report: ReplayReport

    @property
    def results(self) -> Mapping[str, StepResult]:
        """What each step returned, by its id."""
        return self.report.results

    @property
    def reproduced(self) -> bool:
        """Whether it gave what production gave when it was recorded."""
        return self.report.reproduced

    @property
    def fixed(self) -> bool:
        """Whether all holds that it was pinned with."""
        return str(self.outcome.status) == "fixed"

    def ids(self, step: str) -> list[Any]:
        """The ids that a step returned; of a query's rows the first column."""
        result = self.results[step]
        return list(result.ids) or [row[0] for row in result.rows]

    def rows(self, step: str) -> list[dict[str, Any]]:
        """The rows that a step returned, by column."""
        result = self.results[step]
        return [dict(zip(result.columns, row, strict=False)) for row in result.rows]

    def assert_passed(self) -> None:
        """Fail, and say why, unless the case is as the gate wants it."""
        self._require(self.outcome.passed, f"it is {self.outcome.status}")

    def assert_fixed(self) -> None:
        """Fail, and say why, unless all holds that fixed means."""
        self._require(self.fixed, f"it is {self.outcome.status}")

    def assert_reproduced(self) -> None:
        """Fail, and say what differs, unless it gave what production gave."""
        differs = [f"{step.step}: {reason}" for step in self.report.steps for reason in step.reasons]
        self._require(self.reproduced, "it is not reproduced", *differs)

    def _require(self, holds: bool, why: str, *more: str) -> None:
        __tracebackhide__ = True
        if not holds:
            reasons = "".join(f"\n  {reason}" for reason in (more or self.outcome.reasons))
            raise AssertionError(f"incident {self.outcome.case}: {why}{reasons}")
