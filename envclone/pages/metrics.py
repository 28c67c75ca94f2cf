"""How images are kept, as Prometheus reads it from a file.

Format: Prometheus' text exposition format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping

from envclone.pool.kept import Kept

__all__ = ["metrics"]


def _moment(moment: dt.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


_OF: Mapping[str, tuple[str, str, Callable[[Kept], float | None]]] = {
    "image_state_timestamp_seconds": (
        "gauge",
        "When production was in the state that the newest image holds.",
        lambda one: _moment(one.state_of),
    ),
    "image_bytes": ("gauge", "What the newest image occupies.", lambda one: one.bytes if one.image else None),
    "image_own_bytes": (
        "gauge",
        "What of it is shared with no other file.",
        lambda one: one.own_bytes if one.image else None,
    ),
    "keep_duration_seconds": (
        "gauge",
        "How long the newest image took, from production's copy to the seal.",
        lambda one: one.seconds if one.image else None,
    ),
    "keep_runs_total": ("counter", "Runs that had to make an image.", lambda one: one.runs),
    "keep_failures_total": ("counter", "Those of them that failed or were killed.", lambda one: one.failures),
    "keep_failing": ("gauge", "Failures since the last success.", lambda one: one.failing),
    "keep_last_success_timestamp_seconds": (
        "gauge",
        "When an image was made last.",
        lambda one: _moment(one.succeeded),
    ),
}


def metrics(records: Iterable[Kept], now: dt.datetime, free: int) -> str:
    """The whole file: every figure of every environment that is kept, and the `free` bytes of the pool.

    `envclone_image_age_seconds` is the age at `now`; the file grows old, so alarms are better made of the timestamp.
    """

    def age(one: Kept) -> float | None:
        return None if one.state_of is None else (now - one.state_of).total_seconds()

    those = list(records)
    lines = []
    aged = ("gauge", "How old that state was when this was written.", age)
    for name, (kind, says, value) in (*_OF.items(), ("image_age_seconds", aged)):
        lines += [f"# HELP envclone_{name} {says}", f"# TYPE envclone_{name} {kind}"]
        for one in those:
            if (figure := value(one)) is not None:
                labels = f'project="{_escaped(one.project)}",environment="{_escaped(one.environment)}"'
                lines.append(f"envclone_{name}{{{labels}}} {figure:.3f}".removesuffix(".000"))
    lines += ["# HELP envclone_pool_free_bytes What the pool's file system has left."]
    lines += ["# TYPE envclone_pool_free_bytes gauge", f"envclone_pool_free_bytes {free}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
