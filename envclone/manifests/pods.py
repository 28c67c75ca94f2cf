"""Pods as they all are here: an ordinary user without rights, whose root is read-only, with what it needs mounted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.manifests.plan import Plan, Variable
from envclone.manifests.text import Of, Why

__all__ = ["HOME", "POOL", "STACK", "SYSTEM", "Names", "environment", "labels", "metadata", "pod", "selector"]

USER = 10001
STACK = "/etc/envclone"
POOL = "/var/lib/envclone/pool"
HOME = "/home/envclone"
_VOLUME = "/volume"


@dataclass(frozen=True, slots=True)
class Names:
    """What the objects are called, each in one place."""

    stack: str = "envclone-stack"
    pool: str = "envclone-pool"
    serve: str = "envclone-serve"
    gc: str = "envclone-gc"
    branch: str = "envclone-branch"

    @staticmethod
    def keep(environment: str) -> str:
        """The CronJob and the account of an environment that is kept."""
        return f"keep-{environment}"


SYSTEM = Of(("namespaces", "system"))


def labels(plan: Plan, component: str) -> dict[str, Any]:
    """What an object is part of. None of these is what `gc` looks for: it never takes what was applied here."""
    return {
        "app.kubernetes.io/name": "envclone",
        "app.kubernetes.io/instance": plan.project,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "envclone",
    }


def selector(plan: Plan, component: str) -> dict[str, Any]:
    """The labels that tell the pods of one component."""
    return {
        "app.kubernetes.io/instance": plan.project,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "envclone",
    }


def metadata(plan: Plan, name: str, component: str, namespace: Any = SYSTEM) -> dict[str, Any]:
    """The metadata of an object; a namespace of None is that of an object of the whole cluster."""
    return {
        "name": name,
        **({} if namespace is None else {"namespace": namespace}),
        "labels": labels(plan, component),
    }


def environment(plan: Plan, component: str, variables: Iterable[Variable]) -> list[Any]:
    """The variables of a container: each secret by reference to its key in a Secret."""
    merged = {one.name: one for one in sorted({*variables, *plan.shared})}
    given: list[Any] = [
        {"name": "HOME", "value": HOME},
        Why({"name": "LOGNAME", "value": component}, "who the audit log says it was"),
    ]
    if plan.masking_key:
        secret = {"name": Of(("secrets", "maskingKey")), "key": "masking.key"}
        given.append({"name": "ENVCLONE_MASKING_KEY", "valueFrom": {"secretKeyRef": secret}})
    for one in merged.values():
        key = {"name": Of(("secrets", "production")), "key": one.name, **({} if one.needed else {"optional": True})}
        given.append({"name": one.name, "valueFrom": {"secretKeyRef": key}})
    return given


def pod(
    plan: Plan,
    component: str,
    account: str,
    arguments: Sequence[Any],
    variables: Iterable[Variable],
    settings: tuple[str, ...],
    *,
    api: bool,
    restart: str = "Never",
    more: Mapping[str, Any] | None = None,
    mounts: Sequence[Any] = (),
    volumes: Sequence[Any] = (),
) -> dict[str, Any]:
    """A pod's template. `settings` are the keys below which its resources stand; `api` whether it asks the cluster."""
    walls = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    image = {"image": Of(("image",), include="envclone.image")}
    folders = ["pool", "home", *plan.written]
    container: dict[str, Any] = {
        "name": component,
        **image,
        "command": ["envclone"],
        "args": ["--file", f"{STACK}/{plan.stack_file}", "--pool", POOL, *arguments],
        "env": environment(plan, component, variables),
        "resources": Of((*settings, "resources")),
        "securityContext": walls,
        "volumeMounts": [
            {"name": "pool", "mountPath": POOL, "subPath": "pool"},
            {"name": "pool", "mountPath": HOME, "subPath": "home"},
            *({"name": "pool", "mountPath": f"{STACK}/{path}", "subPath": path} for path in plan.written),
            *(
                {"name": "stack", "mountPath": f"{STACK}/{path}", "subPath": key, "readOnly": True}
                for path, key in keys(plan.files).items()
            ),
            {"name": "memory", "mountPath": "/dev/shm"},  # noqa: S108
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (a directory of the pod's own)
            *mounts,
        ],
        **(more or {}),
    }
    prepare = {
        "name": "prepare",
        **image,
        "command": ["mkdir", "-p", "-m", "0700", *(f"{_VOLUME}/{folder}" for folder in folders)],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"},
        },
        "securityContext": walls,
        "volumeMounts": [{"name": "pool", "mountPath": _VOLUME}],
    }  # fmt: skip
    token = "it asks the cluster's API" if api else "it asks nothing of the cluster's API"
    return {
        "metadata": {"labels": labels(plan, component)},
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": Why(api, token),
            "enableServiceLinks": False,
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": Why(120, "a command that is ended cleans up first"),
            "imagePullSecrets": Of(("imagePullSecrets",)),
            "nodeSelector": Of(("nodeSelector",)),
            "tolerations": Of(("tolerations",)),
            "affinity": Why(_beside(plan, component), "a volume of ReadWriteOnce is there for the pods of one node"),
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": [
                Why(prepare, "directories that nobody else can read, which the volume's own is not"),
            ],
            "containers": [container],
            "volumes": [
                {"name": "pool", "persistentVolumeClaim": {"claimName": Names().pool}},
                {"name": "stack", "configMap": {"name": Names().stack}},
                Why(
                    {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
                    "PostgreSQL shares memory there, and 64 MB are too little to build an index",
                ),
                {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
                *volumes,
            ],
        },
    }  # fmt: skip


def keys(files: Iterable[str]) -> dict[str, str]:
    """The key of each file in the ConfigMap, which knows no directories."""
    found: dict[str, str] = {}
    for path in files:
        key = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "-" for one in path)
        while key in found.values():
            key = f"x{key}"
        found[path] = key
    return found


def _beside(plan: Plan, component: str) -> dict[str, Any]:
    term = {
        "labelSelector": {
            "matchLabels": {
                "app.kubernetes.io/instance": plan.project,
                "app.kubernetes.io/part-of": "envclone",
            }
        },
        "topologyKey": "kubernetes.io/hostname",
    }
    return {
        "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    }
