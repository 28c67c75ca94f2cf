"""What a comparison found: values only, ready to be shown or written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from envclone.models import Counters, Egress, StepResult

__all__ = ["LAYERS", "Difference", "DifferenceKind", "LayerVerdict", "Played", "ReplayReport", "StepVerdict"]


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


LAYERS = ("state", "retrieval", "rows", "plan", "context", "tools", "answer", "resources")
"""What an answer rests on, from the bottom up: what differs below explains what differs above."""


@dataclass(frozen=True, slots=True)
class LayerVerdict:
    """One layer: `match`, `within noise`, `diverged` or `cannot tell`; `why` says where, or for want of what."""

    layer: str
    verdict: str
    why: str = ""

    @property
    def words(self) -> str:
        """The verdict as it is shown."""
        if self.verdict == "diverged":
            return f"diverged at {self.why}"
        if self.verdict == "within noise":
            return f"within noise: {self.why}"
        return f"cannot tell: {self.why}" if self.verdict == "cannot tell" else self.verdict


@dataclass(frozen=True, slots=True)
class Played:
    """What a replayed application asked of the incident's cassette.

    `recorded` exchanges there are; `matched` of them were asked for, `again` counts repeats of an answer that depends
    on its input alone. `unmatched` are calls that nothing recorded answers, with the nearest and what differs;
    `unplayed` the exchanges that nobody asked for. `refused` are connections that came to no call, such as of a client
    that does not trust the branch's authority. `why_not` says why nothing was played although something is there.
    `live` calls were answered by the real address, not by the cassette; `withheld` did not get past the guard.
    """

    recorded: int
    asked: int = 0
    matched: int = 0
    again: int = 0
    unmatched: tuple[Mapping[str, Any], ...] = ()
    unplayed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    why_not: str = ""
    egress: Egress | None = None
    live: int = 0
    withheld: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether every recorded call was made again, and no other."""
        return not self.why_not and not self.unmatched and not self.unplayed


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The verdict on a whole incident.

    `evidence` is what the limits of each store did during the replay, `limits` what they are, `profile` the resource
    profile that it ran under, `degraded` what of production's this host could not give, `timeouts` the stores whose
    statements ran into one, `changed` what in the branch was written, vacuumed or analysed before, `rebuilt` the stores
    whose vector indexes are not production's, but built again from a dump, `not_run` what of the request lies outside
    the stores or is not known whole. `results` is what each step returned here; it is not written down. `played` is
    what the application asked of models and tools, where it was replayed whole; `layers` the verdict on each layer;
    `changes` what was set otherwise than in production; of `runs` times it was reproduced `reproduced_runs` times.
    `notes` are what else to know.
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
    played: Played | None = None
    layers: tuple[LayerVerdict, ...] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    runs: int = 1
    reproduced_runs: int = 0
    notes: tuple[str, ...] = ()

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
