"""What may be asked: exact models of bodies, queries and of what stands in a path."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = [
    "PLACES",
    "Again",
    "Asked",
    "AuditAsked",
    "BranchAsked",
    "CollectAsked",
    "DiagnoseAsked",
    "EventsAsked",
    "ExtendAsked",
    "ImageAsked",
    "ImportAsked",
    "IncidentAsked",
    "JobAsked",
    "LogsAsked",
    "Nothing",
    "ReleaseAsked",
    "ReplayAsked",
]

PLACES = {
    "name": r"^[a-z0-9][a-z0-9-]{0,40}$",
    "image": r"^[a-z0-9][a-z0-9-]{0,79}$",
    "environment": r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
    "incident": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
    "part": r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
    "job": r"^[0-9]{8}t[0-9]{6}-[0-9a-f]{12}$",
}
"""What stands in a path, and its form."""


def _duration(text: str) -> str:
    duration(text)
    return text


def duration(text: str) -> dt.timedelta:
    """A time to live; `none` is as long as it may. Raises ValueError."""
    from envclone.config.durations import parse_duration

    return dt.timedelta(0) if text == "none" else parse_duration(text)


Branch = Annotated[str, Field(pattern=PLACES["name"], description="A branch.")]
Environment = Annotated[str, Field(pattern=PLACES["environment"], description="An environment.")]
Incident = Annotated[str, Field(pattern=PLACES["incident"], description="An incident's id.")]


class Asked(BaseModel):
    """What is asked: nothing else is taken."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Nothing(Asked):
    """No argument."""


class BranchAsked(Asked):
    """A branch that is wanted."""

    environment: Environment
    incident: Incident | None = None
    name: Branch | None = None
    ttl: Annotated[str, Field(max_length=20), AfterValidator(_duration)] | None = Field(
        default=None, description="Such as 90m, 8h, 2d or none."
    )
    fresh: bool = Field(default=False, description="Copy production first; an operator's.")
    profile: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=-]{0,120}$")] | None = None
    allow_degraded: bool = False
    runtime: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")] | None = None


class ExtendAsked(Asked):
    """How long a branch is to live from now on."""

    ttl: Annotated[str, Field(max_length=20), AfterValidator(_duration)] | None = Field(
        default=None, description="Such as 90m, 8h, 2d; `none` is as long as it may. By default the time that it has."
    )


class ReplayAsked(Asked):
    """Where to replay."""

    branch: Branch | None = Field(default=None, description="By default the newest of yours made for the incident.")


class DiagnoseAsked(ReplayAsked):
    """Where and how to diagnose."""

    expected: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default_factory=list, max_length=50)
    sweeps: bool = False


class ImageAsked(Asked):
    """An image that is wanted."""

    environment: Environment
    fresh: bool = False
    again: bool = False


class Again(Asked):
    """Of which environment."""

    environment: Environment


class CollectAsked(Asked):
    """Whether only to say what would be removed."""

    dry_run: bool = False


class LogsAsked(Asked):
    """How many lines."""

    lines: int = Field(default=100, ge=1, le=2000)


class AuditAsked(Asked):
    """How many events."""

    last: int = Field(default=200, ge=1, le=2000)


class IncidentAsked(Asked):
    """By which environment's rules."""

    environment: Environment | None = None


class ImportAsked(Asked):
    """An incident that is sent: a trace, or with `bundle` a bundle of envclone's, as its file's text."""

    incident: Incident
    environment: Environment
    content: str = Field(min_length=1)
    bundle: bool = False
    allow_chosen: bool = Field(
        default=False, description="An operator's: also make pseudonyms of values that production did not give."
    )


class ReleaseAsked(Asked):
    """Whether also to make pseudonyms of values that the bundle gives and production did not."""

    allow_chosen: bool = False


class JobAsked(Asked):
    """How long to wait for its end."""

    wait: float = Field(default=0, ge=0, le=30, allow_inf_nan=False, description="Seconds.")


class EventsAsked(Asked):
    """From where on; the header Last-Event-ID says the same."""

    after: int = Field(default=0, ge=0, le=10**9)


def fields_of(model: type[BaseModel]) -> dict[str, Any]:
    """The types of a model's fields."""
    return get_type_hints(model)
