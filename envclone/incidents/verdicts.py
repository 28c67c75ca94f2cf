"""What a comparison found: values only, ready to be shown or written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from envclone.models import Counters, StepResult

__all__ = ["Difference", "DifferenceKind", "ReplayReport", "StepVerdict"]


class DifferenceKind(StrEnum):
    """In what two results differ."""

    ERROR = "error"
    COLUMNS = "columns"
    MISSING = "missing"
    """production returned it, the branch did not"""
    EXTRA = "extra"
    """the branch returned it, production did not"""
    MOVED = "moved"
    """another place, although its score differs from its neighbours'"""
    SCORE = "score"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: of which row or hit (`key`, in words), at which place from 1, in which column."""

    kind: DifferenceKind
    key: str
    position: int | None = None
    column: str = ""
    expected: Any = None
    actual: Any = None


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """Whether a step gave again what production gave; `reasons` say in words why not, and are empty when it did."""

    step: str
    reproduced: bool
    reasons: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    identical_ids: bool = True
    identical_order: bool = True
    identical_scores: bool = True
    identical_rows: bool = True
    results: int = 0
    """how many hits or rows production returned"""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The verdict on a whole incident.

    `evidence` is what the limits of each store did during the replay, `limits` what they are, `profile` the resource
    profile that it ran under, `degraded` what of production's this host could not give, `timeouts` the stores whose
    statements ran into one, `changed` what in the branch was written, vacuumed or analysed before, `rebuilt` the stores
    whose vector indexes are not production's, but built again from a dump, `not_run` what of the request lies outside
    the stores or is not known whole. `results` is what each step returned here; it is not written down.
    """

    incident: str
    environment: str
    reproduced: bool
    steps: tuple[StepVerdict, ...]
    masked: str | None = None
    seconds: float = 0.0
    fidelity: float | None = None
    profile: str | None = None
    evidence: Mapping[str, Counters] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    timeouts: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    rebuilt: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    results: Mapping[str, StepResult] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; NaN and infinities, which JSON lacks, as text."""
        plain: dict[str, Any] = _plain(asdict(replace(self, results={})))
        del plain["results"]
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, StrEnum) else value
