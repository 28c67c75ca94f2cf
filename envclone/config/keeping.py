"""The schema of how images are made ahead: how fresh they stay, and who is told when that fails."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

from pydantic import Field

from envclone.config.base import Duration, Model

__all__ = ["KeepConfig"]


class KeepConfig(Model):
    """How `envclone keep` makes images ahead, so that a branch waits for none."""

    fresh: Duration = Field(
        default=dt.timedelta(hours=1),
        description="How old the state of the newest image may become. A new one is begun so early that it is there "
        "by then, as far as the last ones tell how long one takes.",
        examples=["1h"],
    )
    textfile: Path | None = Field(
        default=None,
        description="A file for Prometheus (the textfile collector of its node exporter), written after every run: "
        "ages, durations, sizes and failures, of every environment that the pool keeps. Readable by everybody; "
        "relative to the stack file.",
        examples=["/var/lib/prometheus/node-exporter/envclone.prom"],
    )
    on_failure: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="A program with its arguments that is run when no image could be made; what failed is in "
        "ENVCLONE_PROJECT, ENVCLONE_ENVIRONMENT, ENVCLONE_ERROR, ENVCLONE_EXIT_CODE and ENVCLONE_FAILING (how many "
        "runs in a row) of its environment.",
        examples=[["/usr/local/bin/page-somebody", "--service", "envclone"]],
    )
