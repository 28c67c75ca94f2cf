"""Why a pod does not come, or a namespace does not go: one line of what the cluster says of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from envclone.errors import EnvcloneError, ResourceError, UnreachableError, UnsafeError
from envclone.runtimes.kubernetes.client import Cluster, Object
from envclone.runtimes.kubernetes.seal import OPEN

__all__ = ["held", "last_end", "require_alive", "statuses", "waiting"]

_PULLS = frozenset((
    "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "SignatureValidationFailed",
))  # fmt: skip
"""What a kubelet says of an image that it cannot have. Behind ErrImagePull it tries again by itself."""
_NO_IMAGE = re.compile(
    r"not found|manifest unknown|no match for platform|unauthori[sz]ed|denied|forbidden", re.IGNORECASE
)


def statuses(document: Object) -> Iterator[Object]:
    """What the kubelet says of each container of a pod."""
    status = document.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def last_end(status: Object) -> Object | None:
    """How a container ended last; None when it never did."""
    for key in ("state", "lastState"):
        if ended := (status.get(key) or {}).get("terminated"):
            return dict(ended)
    return None


def require_alive(document: Object) -> None:
    """Check that a pod can still become ready.

    Raises UnsafeError when its walls do not hold, ResourceError when it was evicted, its memory was too little or its
    image cannot be had, UnreachableError when what makes it ready failed.
    """
    status = document.get("status") or {}
    ended_itself = any(last_end(one) for one in statuses(document))
    if status.get("phase") == "Failed" and (status.get("reason") or _disruption(status) or not ended_itself):
        raise ResourceError(
            f"the cluster ended the pod: {_ended(status)}",
            hint="a smaller profile, or a node with more room; envclone start makes the pod again",
        )
    if document["metadata"].get("deletionTimestamp"):
        raise ResourceError(
            f"the pod is being removed before it was ready: {_ended(status)}",
            hint="its node may be drained or lost; envclone start makes the pod again",
        )
    for one in statuses(document):
        name, ended = one["name"], last_end(one)
        if name == "seal" and ended and ended.get("exitCode"):
            said = str(ended.get("message") or f"exit code {ended['exitCode']}").strip()[:300]
            if ended["exitCode"] == OPEN:
                raise UnsafeError(
                    f"the cluster does not enforce network policies: from inside, the branch {said}",
                    hint="install a network plugin that does (Cilium, Calico, Antrea …); no branch starts without",
                )
            raise UnsafeError(
                f"that the branch is walled in could not be proved: {said}",
                hint="envclone start tries again; kubectl logs shows what the container seal wrote",
            )
        if name == "ready" and ended and ended.get("exitCode"):
            said = str(ended.get("message") or f"exit code {ended['exitCode']}").strip()[:400]
            raise UnreachableError(
                f"the branch's stores could not be made ready: {said}", hint="envclone logs NAME ready"
            )
        held = (one.get("state") or {}).get("waiting") or {}
        said = str(held.get("message") or "")
        if held.get("reason") in _PULLS or (held.get("reason") == "ErrImagePull" and _NO_IMAGE.search(said)):
            raise ResourceError(
                f"the image of {name} cannot be had: {str(held.get('message') or held['reason']).strip()[:300]}",
                hint="is its digest right, and may the nodes pull it?",
            )
        if held.get("reason") == "CreateContainerConfigError":
            raise ResourceError(
                f"the container {name} cannot be made: {str(held.get('message') or '').strip()[:300]}",
                hint="a restricted pod runs as an ordinary user: user: '1000:1000' in the stack file",
            )
        if ended and ended.get("reason") == "OOMKilled" and int(one.get("restartCount") or 0) >= 2:
            raise ResourceError(
                f"{name} needs more memory than it has: the kernel killed it {one['restartCount']} times",
                hint="a profile with more (envclone profile capture ENV), or kubernetes.memory",
            )


def _ended(status: Object) -> str:
    """Why a pod ended: its own reason, or the condition that says what disrupted it."""
    said = [str(status.get("reason") or ""), str(status.get("message") or "")]
    if (one := _disruption(status)) is not None:
        said += [str(one.get("reason") or ""), str(one.get("message") or "")]
    return " ".join(": ".join(dict.fromkeys(filter(None, said))).split())[:300] or "it says no reason"


def _disruption(status: Object) -> Object | None:
    """The condition that says who ended a pod: an eviction, a preemption, a node that is lost."""
    conditions = status.get("conditions") or ()
    return next((one for one in conditions if one.get("type") == "DisruptionTarget" and one["status"] == "True"), None)


def waiting(cluster: Cluster, document: Object | None, namespace: str) -> str:
    """What a pod waits for: its conditions, its containers, the newest warnings about it and its volumes."""
    if document is None:
        return "it was never made"
    said = []
    for one in (document.get("status") or {}).get("conditions") or ():
        if one["type"] == "PodScheduled" and one["status"] == "False":
            said.append(f"{one.get('reason')}: {one.get('message')}")
    for one in statuses(document):
        held = (one.get("state") or {}).get("waiting") or {}
        if held.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            said.append(f"{one['name']}: {held['reason']}: {held.get('message') or ''}")
        elif not one.get("ready") and (one.get("state") or {}).get("running"):
            said.append(f"{one['name']} runs, and is not ready")
    with contextlib.suppress(EnvcloneError):
        events = [one for one in cluster.list("Event", namespace) if one.get("type") == "Warning"]
        for event in sorted(events, key=lambda one: str(one.get("lastTimestamp") or ""))[-2:]:
            said.append(f"{event.get('reason')}: {event.get('message')}")
    return " / ".join(" ".join(one.split()) for one in dict.fromkeys(said))[:500]


def held(document: Object) -> str:
    """What keeps an object that is being removed."""
    said = []
    for one in (document.get("status") or {}).get("conditions") or ():
        if one.get("status") == "True" and str(one.get("type", "")).startswith("Namespace"):
            said.append(str(one.get("message") or one["type"]))
    finalizers = [*(document.get("metadata", {}).get("finalizers") or ())]
    if finalizers:
        said.append(f"finalizers {', '.join(finalizers)}")
    return " / ".join(" ".join(one.split()) for one in said)[:500]
