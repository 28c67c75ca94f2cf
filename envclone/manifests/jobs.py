"""The commands that run by the clock: images made ahead, and what nobody needs removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envclone.manifests.plan import Kept, Plan
from envclone.manifests.pods import Names, metadata, pod
from envclone.manifests.text import Of, Why

__all__ = ["gc", "keep"]


def keep(plan: Plan, kept: Kept) -> Iterator[dict[str, Any]]:
    """Images of one environment."""
    name = Names.keep(kept.environment)
    settings = ("keep", kept.environment)
    template = pod(plan, name, name, ["keep", kept.environment, "--once", "--json"], kept.variables, settings,
                   api=kept.environment in plan.volumes)  # fmt: skip
    yield _cron(plan, name, name, settings, template)


def gc(plan: Plan) -> Iterator[dict[str, Any]]:
    """Branches past their time, raw copies past theirs, images that nothing uses, what a killed command left."""
    template = pod(plan, "gc", Names().gc, ["gc", "--json"], plan.lent, ("gc",), api=plan.api)
    yield _cron(plan, Names().gc, "gc", ("gc",), template)


def _cron(plan: Plan, name: str, component: str, settings: tuple[str, ...], template: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(plan, name, component),
        "spec": {
            "schedule": Of((*settings, "schedule")),
            "suspend": Of((*settings, "suspend")),
            "concurrencyPolicy": Why("Forbid", "one at a time: a second one would wait for the first one's lock"),
            "startingDeadlineSeconds": Why(300, "a cluster that was away does not make up for what it missed"),
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {
                    "activeDeadlineSeconds": Of((*settings, "deadlineSeconds")),
                    "backoffLimit": Why(0, "the next time is the next try"),
                    "template": template,
                }
            },
        },
    }
