"""What the clock of the application showed: answers depend on the day, the hour and the zone."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["Clock"]

Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z+-][A-Za-z0-9_+:/-]{0,63}$")]


class Clock(BaseModel):
    """The application's clock, where it is known; without `time` it showed what `at` says."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    time: AwareDatetime | None = Field(default=None, description="What it showed at `at`, when that was another time.")
    zone: Zone | None = Field(
        default=None,
        description="The zone it was read in: a name (`Europe/Berlin`) or what it is ahead of UTC (`+02:00`).",
    )
