"""A branch's store that somebody else asks, within bounds: an agent, whose statements nobody has read before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from envclone.models import Endpoint, StepResult

__all__ = ["Answer", "Asking", "Bounds", "Nearest"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one question may take: seconds, rows and bytes of its answer; `write` lets it change the branch."""

    seconds: float
    rows: int
    bytes: int
    write: bool = False


@dataclass(frozen=True, slots=True)
class Nearest:
    """What is nearest to a vector, or to the vector of the row or point `like`.

    `place` is a table or a collection, `using` a vector column or a named vector; `key` and `show` are columns or
    payload keys. `exact` reads everything, `ef` is how far an HNSW search looks. `metric` is for columns without an
    index.
    """

    place: str
    vector: Sequence[float] | None = None
    like: int | str | None = None
    using: str = ""
    key: str = "id"
    show: Sequence[str] = ()
    filter: Mapping[str, Any] = field(default_factory=dict)
    limit: int = 10
    ef: int | None = None
    exact: bool = False
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `status` is what a statement did (`UPDATE 3`), '' for one that only reads."""

    result: StepResult
    status: str = ""


class Asking(Protocol):
    """How a kind of store is asked; a store's adapter that has no such way has no method `asking`."""

    def sql(self, endpoint: Endpoint, statement: str, parameters: Sequence[Any] | None, bounds: Bounds) -> Answer:
        """Run one statement, which only reads unless the bounds say otherwise; its own failure is a result.

        Raises UnsafeError, saying why, for one that may not run, UsageError when it cannot be sent or returns too much.
        """
        ...

    def nearest(self, endpoint: Endpoint, asked: Nearest, bounds: Bounds) -> Answer:
        """Search by a vector. Raises UsageError naming what there is when place, column or row are not there."""
        ...
