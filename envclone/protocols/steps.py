"""Who runs an incident's steps, in a branch and in production."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from envclone.models import Endpoint, StepResult

if TYPE_CHECKING:
    from envclone.incidents.bundle import Step
    from envclone.incidents.terms import Terms

__all__ = ["ServiceClient", "SourceRunner", "StepRunner"]


class StepRunner(Protocol):
    """Runs an incident's steps, read-only."""

    def run(self, step: Step) -> StepResult:
        """Run one step; a failure of the step itself is a result, not an exception."""
        ...


class SourceRunner(StepRunner, Protocol):
    """Runs steps in production, on terms: those that only read, and that are short."""

    def settled(self, step: Step) -> Step:
        """The step as it is asked, there and in a branch; the same but for who asks."""
        ...

    def examine(self, step: Step) -> Sequence[str]:
        """Why the step may not run there, in words; nothing of it runs for that."""
        ...


class ServiceClient(Protocol):
    """How an incident's steps ask application services."""

    def connect(self, endpoint: Endpoint) -> AbstractContextManager[StepRunner]:
        """Connect to a branch's service."""
        ...

    def connect_source(self, name: str, url: str, terms: Terms) -> AbstractContextManager[SourceRunner]:
        """Connect to production's own service to record steps that only read."""
        ...
