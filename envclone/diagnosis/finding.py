"""What a hypothesis finds: the layer that failed, by which cause, and what shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from envclone.diagnosis.case import Case

__all__ = ["Certainty", "Finding", "Hypothesis", "Layer"]


class Layer(StrEnum):
    """The layers of an answer, the one that fails first before those that fail with it."""

    INFRASTRUCTURE = "infrastructure"
    STATE = "state"
    INDEX = "index"
    FILTER = "filter"
    SEMANTIC = "semantic"
    RANKING = "ranking"
    ASSEMBLY = "assembly"
    TOOLS = "tools"
    FORMATTING = "formatting"
    GROUNDING = "grounding"
    CHANCE = "chance"
    DRIFT = "drift"


class Certainty(StrEnum):
    """How sure a finding is: shown by an experiment, likely by a measurement, or only possible."""

    SHOWN = "shown"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, with its evidence in words, the command that shows it, and the records that it is about."""

    layer: Layer
    cause: str
    evidence: str
    command: str
    certainty: Certainty
    step: str = ""
    records: tuple[str, ...] = ()


class Hypothesis(Protocol):
    """What may have failed in one layer."""

    layer: ClassVar[Layer]
    causes: ClassVar[tuple[str, ...]]

    def test(self, case: Case) -> Iterator[Finding]:
        """Every cause of this layer that is there."""
        ...
