"""What the API's refusals mean: one line for who reads it, and what to do."""

from __future__ import annotations

import json
import re
from typing import Any

from envclone.errors import EnvcloneError

__all__ = ["Refusal", "judged"]


class Refusal(EnvcloneError):
    """The API will not do it; `code` and `reason` are its own."""

    exit_code = 6

    def __init__(self, message: str, *, code: int, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.reason = reason


_REMEDIES = (
    (
        r"exceeded quota",
        "a quota of the cluster is used up",
        "envclone ls, then envclone rm NAME or envclone gc; or have the quota raised",
    ),
    (
        r"must specify|failed quota",
        "a quota of the cluster wants limits that were not given",
        "give the store a profile: envclone profile capture ENV",
    ),
    (
        r"(maximum|minimum) \S+ usage per",
        "a LimitRange of the cluster does not allow the profile",
        "another profile (--profile), or have the LimitRange changed",
    ),
    (
        r"violates PodSecurity",
        "the cluster's pod security refuses the pod",
        "the service's image must run as an ordinary user (user: in the stack file) without capabilities",
    ),
    (
        r"is being terminated",
        "the namespace is still being removed",
        "wait until it is gone (kubectl get namespaces), or choose another name with --name",
    ),
    (
        r"admission webhook|denied the request",
        "an admission policy of the cluster refuses it",
        "its message names the policy; ask who runs the cluster",
    ),
    (
        r"strict decoding error|is invalid|Invalid value",
        "the API does not take the object",
        "envclone doctor says which versions of Kubernetes are known",
    ),
)


def judged(code: int, data: bytes, what: str, host: str) -> Refusal:
    """The error for an answer of the API that is not a success."""
    try:
        status: Any = json.loads(data)
    except ValueError:
        status = {}
    status = status if isinstance(status, dict) else {}
    said = str(status.get("message") or data.decode(errors="replace").strip() or f"HTTP {code}").splitlines()[0][:400]
    reason = str(status.get("reason") or "")
    if code == 401:
        return Refusal(
            f"the cluster at {host} does not know this login",
            code=code,
            reason=reason,
            hint="log in again (the kubeconfig's user): kubectl auth whoami",
        )
    for pattern, words, hint in _REMEDIES:
        if code in (400, 403, 422) and re.search(pattern, said):
            return Refusal(f"{words}: {said}", code=code, reason=reason, hint=hint)
    if code == 403:
        return Refusal(
            f"this login may not: {said}",
            code=code,
            reason=reason,
            hint="envclone doctor lists the rights that are missing; docs/kubernetes.md the role that has them",
        )
    if code == 404:
        return Refusal(f"the cluster has no such thing: {said}", code=code, reason=reason, hint="envclone doctor")
    if code == 409:
        return Refusal(f"somebody else changed it meanwhile: {said}", code=code, reason=reason, hint="try again")
    if code == 429:
        return Refusal(
            f"the cluster's API is asked too much: {said}", code=code, reason=reason, hint="try again in a minute"
        )
    return Refusal(
        f"the cluster's API failed at {what}: {said}",
        code=code,
        reason=reason,
        hint="kubectl get --raw /readyz?verbose",
    )
