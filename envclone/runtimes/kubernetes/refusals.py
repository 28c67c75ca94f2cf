"""What the API's refusals mean: one line for who reads it, and what to do."""

from __future__ import annotations

import json
import re
import ssl
from typing import Any

from envclone.errors import EnvcloneError, UnsafeError

__all__ = ["Refusal", "distrusted", "judged"]


_PASS = frozenset((408, 429, 500, 502, 503, 504))


class Refusal(EnvcloneError):
    """The API will not do it; `code` and `reason` are its own."""

    exit_code = 6

    def __init__(self, message: str, *, code: int, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.reason = reason

    @property
    def passes(self) -> bool:
        """Whether it can pass by itself."""
        return self.code in _PASS


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
        r"failed calling webhook|failed to call webhook",
        "an admission webhook of the cluster does not answer",
        "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations shows it; ask who runs the cluster",
    ),
    (
        r"[Aa]dmission ?[Ww]ebhook|AdmissionPolicy|denied (the )?request",
        "an admission policy of the cluster refuses it",
        "its message names the policy; ask who runs the cluster",
    ),
    (
        r"strict decoding error|is invalid|Invalid value",
        "the API does not take the object",
        "envclone doctor says which versions of Kubernetes are known",
    ),
)


def distrusted(exc: BaseException, host: str) -> EnvcloneError | None:
    """The error for a connection that TLS refused, which no other try mends; None for another failure."""
    seen: set[int] = set()
    found: BaseException | None = exc
    while found is not None and id(found) not in seen:
        if isinstance(found, ssl.SSLCertVerificationError):
            why = str(found.verify_message or found.reason or "its certificate is not known")
            clock = "is this machine's clock right? " if re.search(r"expired|not yet valid", why) else ""
            return UnsafeError(
                f"the API of the cluster at {host} cannot prove who it is: {why}",
                hint=f"{clock}certificate-authority in the kubeconfig says whom to trust",
            )
        seen.add(id(found))
        # the library wraps it in an argument, in a reason, or raises from it
        inner = (getattr(found, "reason", None), *found.args, found.__cause__, found.__context__)
        found = next((one for one in inner if isinstance(one, BaseException)), None)
    return None


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
        # a webhook answers with the code that it likes, and one that is away is an internal error
        if (code in (400, 403, 422) or "dmission" in words) and re.search(pattern, said):
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
