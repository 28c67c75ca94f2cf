"""What tools gave back: by calls of their own, or in the messages that a model was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envclone.diagnosis.conversation import turns_of
from envclone.diagnosis.parsed import parsed
from envclone.diagnosis.toolcalls import failed, paired
from envclone.diagnosis.wired import calls_of
from envclone.incidents.bundle import Incident

__all__ = ["Given", "given_by_tools"]


@dataclass(frozen=True, slots=True)
class Given:
    """What a tool gave: its name ('' where the trace has none), what came back, and why it failed, if it did."""

    tool: str
    value: Any
    error: str = ""


def given_by_tools(incident: Incident) -> tuple[Given, ...]:
    """The results of tools: of their own calls, else of the messages that a model was given."""
    own = tuple(Given(one.name or one.id, parsed(one.output), one.error or failed(parsed(one.output)))
                for one in calls_of(incident) if one.kind == "tool")  # fmt: skip
    if own:
        return own
    messages = next((turn.messages for turn in reversed(turns_of(incident))), None)
    return tuple(Given(one.name, one.value, one.error) for one in paired(messages) if one.answered)
