"""Faults that a test has the stand-in make."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Fault", "Faults"]


@dataclass
class Fault:
    """What the next `times` requests that match get instead of an answer.

    `status` 0 cuts the connection; `after` does what was asked for first, and then loses the answer.
    """

    method: str
    part: str
    status: int = 0
    times: int = 1
    retry_after: int | None = None
    after: bool = False
    message: str = "injected"
    reason: str = "InternalError"


@dataclass
class Faults:
    """The faults that are still to happen."""

    waiting: list[Fault] = field(default_factory=list)
    happened: int = 0

    def add(self, fault: Fault) -> None:
        """Have a fault happen."""
        self.waiting.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault of a request."""
        for one in self.waiting:
            if one.times > 0 and one.method in (method, "*") and one.part in path:
                one.times -= 1
                self.happened += 1
                return one
        return None
