"""What the page of an incident shows: values only, filled by others and rendered by the modules beside."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Answer", "Attested", "Cause", "Evidence", "Held", "Hit", "Missing", "Outcome", "Point", "Report", "Retrieval",
    "Span", "State", "Story", "Sweep", "Timeline",
]  # fmt: skip


class Outcome(StrEnum):
    """What came of running the incident again."""

    REPRODUCED = "reproduced"
    OTHERWISE = "not reproduced"
    NOTHING = "nothing to run again"
    STOPPED = "not run again"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact that was seen, and the command that shows it."""

    says: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why it failed: the layer that failed first, in a sentence, with what shows it.

    `layer` is one word or two ("index", "filter"); one that is not `certain` is a candidate.
    """

    layer: str
    says: str
    evidence: tuple[Evidence, ...] = ()
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Story:
    """What was asked, what happened, what came of it here, and why.

    `steps` are how many gave what production gave, and how many there are. `why_not` says why it was not run again.
    `layers` are those that were looked at, the one that would fail first before the others; `wanted` are the ids of
    what should have come.
    """

    incident: str
    environment: str
    branch: str
    asked: str
    happened: tuple[str, ...]
    outcome: Outcome
    at: dt.datetime | None = None
    recorded_at: dt.datetime | None = None
    steps: tuple[int, int] = (0, 0)
    causes: tuple[Cause, ...] = ()
    why_not: str = ""
    layers: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One result: what names it, its score as text, and what else it holds."""

    id: str
    score: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side gave: hits in order, or an error; `absent` says why there is no answer of this side."""

    hits: tuple[Hit, ...] = ()
    error: str = ""
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One step, side by side. `exact` is what it gives without its index; None where that has no meaning.

    `of` says what was asked in a few words, `query` in full; `same` is whether the branch gave what production gave.
    """

    step: str
    of: str
    query: str
    production: Answer
    branch: Answer
    exact: Answer | None = None
    note: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    same: bool | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """One call of the trace, or one step: when it began after the first (s), how long it took, how deep it is."""

    kind: str
    name: str
    began: float | None = None
    seconds: float | None = None
    depth: int = 0
    error: str = ""
    about: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """The calls in production by its trace, and the steps here; `left_out` counts the calls that are not shown."""

    calls: tuple[Span, ...] = ()
    steps: tuple[Span, ...] = ()
    dialect: str = ""
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """One try of a sweep: the setting's value, how many of the exact search's results it gave (0 to 1).

    `rank` is where what was looked for stands (from 1); None where it is not among the results. `used` marks
    production's value.
    """

    value: str
    recall: float
    rank: int | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """One setting of one step tried with several values; `wanted` is what was looked for, when that is known.

    One that is not `numeric` has ways of asking instead of values, and is a table alone.
    """

    step: str
    setting: str
    points: tuple[Point, ...]
    says: str = ""
    wanted: str = ""
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """How the branch's state stands to production's: lines about its moment, and about what changed in the branch."""

    moment: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A thing of production's, and what the branch has of it; `parity` is "match", "differs" or "unknown"."""

    of: str
    what: str
    production: str
    branch: str
    parity: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that could differ and is not recorded: what its absence hides, and what fills it."""

    name: str
    hides: str
    fill: str = ""


@dataclass(frozen=True, slots=True)
class Attested:
    """What stands behind the data: the image, its verdict in a sentence, the exceptions, and the command for more."""

    image: str
    says: str
    figures: tuple[tuple[str, str], ...]
    exceptions: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole page. `parity` is None where it could not be compared; `missing` are those of the `variables` that are
    not recorded, `untested` says in words what could not be tried, and why."""

    story: Story
    made_at: dt.datetime
    version: str
    timeline: Timeline = Timeline()
    retrievals: tuple[Retrieval, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    state: State = State()
    parity: tuple[Held, ...] | None = None
    missing: tuple[Missing, ...] = ()
    variables: int = 0
    untested: tuple[str, ...] = ()
    attested: Attested | None = None
