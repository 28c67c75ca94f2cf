"""Why a Job made no image: what its program said, or what the cluster says of its pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envclone import errors
from envclone.errors import EnvcloneError, ResourceError
from envclone.runtimes.kubernetes import diagnosis
from envclone.runtimes.kubernetes.client import Object
from envclone.runtimes.kubernetes.names import RAW, Site

__all__ = ["of", "raised", "said"]


def raised(told: Mapping[str, Any]) -> EnvcloneError:
    """The error of the Job's program as this process would have raised it."""
    kind = getattr(errors, str(told.get("type")), EnvcloneError)
    message, hint = str(told.get("message")), told.get("hint")
    if kind in (errors.ConfigError, errors.UnsafeError):
        found: EnvcloneError = kind(message, problems=list(map(str, told.get("problems") or ())), hint=hint)
        return found
    plain = isinstance(kind, type) and issubclass(kind, EnvcloneError) and kind is not errors.CommandError
    return kind(message, hint=hint) if plain else EnvcloneError(message, hint=hint)


def said(job: Object) -> str:
    """The reason that a Job's newest condition gives."""
    found = [one for one in (job.get("status") or {}).get("conditions") or () if one.get("message")]
    return " ".join(str(found[-1]["message"]).split())[:300] if found else ""


def of(site: Site, job: Object, pods: Sequence[Object]) -> EnvcloneError:
    """Why a Job failed whose program said nothing: its wall, its memory, its node."""
    for one in pods:
        try:
            diagnosis.require_alive(one)
        except EnvcloneError as exc:
            return exc
        for status in diagnosis.statuses(one):
            ended = diagnosis.last_end(status)
            if ended and ended.get("reason") == "OOMKilled":
                return ResourceError(
                    "the Job needs more memory than it has: the kernel killed it",
                    hint="kubernetes.job.memory in the stack file",
                )
    return ResourceError(
        f"the Job failed: {said(job) or 'it says no reason'}",
        hint=f"kubectl get pods -n {site.namespace} -l {RAW}={site.labels[RAW]}; envclone image ENV begins another",
    )
