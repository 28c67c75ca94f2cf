"""The settings of one plan, with its defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envclone.manifests.plan import LABEL, Plan
from envclone.manifests.pods import Names
from envclone.manifests.settings import Setting

__all__ = ["settings"]

_NAME = {"type": "string", "pattern": f"^{LABEL}$"}
_SUBDOMAIN = {"type": "string", "pattern": rf"^{LABEL}(\.{LABEL})*$"}
_QUANTITY = {"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"}
_OBJECT = {"type": "object"}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
_FEW = {**_OBJECTS, "minItems": 1}
_CRON = {"type": "string", "pattern": r"^(\S+\s+){4}\S+$|^@(hourly|daily|weekly|monthly|yearly)$"}
_SECONDS = {"type": "integer", "minimum": 60, "maximum": 7 * 86400}
_AMOUNTS = {"type": "object", "additionalProperties": _QUANTITY}
_RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["requests", "limits"],
    "properties": {"requests": _AMOUNTS, "limits": {**_AMOUNTS, "required": ["memory"]}},
}


def settings(plan: Plan) -> Iterator[Setting]:
    """Each in the order of `values.yaml`."""
    yield Setting(
        ("image",), plan.image, {"type": "string", "minLength": 1},
        "The image with envclone, by its digest: it is given production's data and the key.",
    )  # fmt: skip
    yield Setting(("imagePullSecrets",), [], _OBJECTS, "Secrets with a registry's login, as pods name them.")
    yield Setting(("nodeSelector",), {}, _OBJECT, "The nodes that the pods may run on.")
    yield Setting(("tolerations",), [], _OBJECTS, "Taints that they put up with.")
    yield Setting(
        ("namespaces", "create"), True, {"type": "boolean"},
        "Whether the chart makes its namespaces; who makes them gives them the pod security `restricted`.",
    )  # fmt: skip
    yield Setting(("namespaces", "system"), plan.namespace, _NAME, "Where envclone itself runs.")
    yield Setting(
        ("secrets", "production"), "envclone-production", _SUBDOMAIN,
        "The Secret with the variables of the stack file, each under its name.",
    )  # fmt: skip
    if plan.masking_key:
        yield Setting(
            ("secrets", "maskingKey"), plan.masking_key, _SUBDOMAIN,
            "The Secret with the masking key, 64 hex digits under `masking.key`.",
        )  # fmt: skip
    if plan.serve:
        yield Setting(
            ("secrets", "tls"), f"{Names().serve}-tls", _SUBDOMAIN,
            "The Secret with the service's certificate and key (`tls.crt`, `tls.key`).",
        )  # fmt: skip
    yield Setting(("pool", "size"), "100Gi", _QUANTITY, "How large the pool's volume is.")
    yield Setting(
        ("pool", "storageClass"),
        None,
        {"type": ["string", "null"]},
        "Its storage class; null is the cluster's default.",
    )
    yield Setting(
        ("pool", "accessMode"), "ReadWriteOnce",
        {"enum": ["ReadWriteOnce", "ReadWriteMany"]},
        "ReadWriteMany lets the pods run on several nodes at once, where the storage can.",
    )  # fmt: skip
    for one in plan.kept:
        yield from _clock(("keep", one.environment), one.schedule, 6 * 3600, "2", "4Gi",
                          f"How images of {one.environment} are made ahead.")  # fmt: skip
    yield from _clock(("gc",), "*/10 * * * *", 1800, "100m", "512Mi", "How what nobody needs is removed.")
    if plan.serve:
        yield Setting(("serve", "resources"), _sized("500m", "1Gi"), _RESOURCES, "What the service may use.")
        yield Setting(
            ("serve", "from"),
            [{"namespaceSelector": {"matchLabels": {"envclone.io/reaches-serve": "true"}}}],
            _FEW, "Who may connect to the service, as a NetworkPolicy names them; Prometheus included.",
        )  # fmt: skip
    yield Setting(
        ("network", "production"), [_rule(block, port) for block, port in plan.production], _OBJECTS,
        "Where production answers, as egress rules of a NetworkPolicy. An empty list reaches nothing.",
    )  # fmt: skip
    yield Setting(
        ("network", "nameServers"),
        [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        _FEW, "Where names are looked up, as a NetworkPolicy names it.",
    )  # fmt: skip
    if plan.api:
        yield Setting(
            ("network", "apiServer"),
            [{"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]}],
            _OBJECTS, "Where the cluster's API answers, as egress rules. Add `to` with its addresses.",
        )  # fmt: skip
    if plan.csi_driver:
        yield Setting(("snapshots", "driver"), plan.csi_driver, _SUBDOMAIN, "The CSI driver of the volumes.")


def _clock(path: tuple[str, ...], schedule: str, deadline: int, cpu: str, memory: str, said: str) -> Iterator[Setting]:
    yield Setting((*path, "schedule"), schedule, _CRON, f"{said} When it is looked whether something is due.")
    yield Setting((*path, "suspend"), False, {"type": "boolean"}, "Do not, for now.")
    yield Setting((*path, "deadlineSeconds"), deadline, _SECONDS, "After how long a run is ended.")
    yield Setting((*path, "resources"), _sized(cpu, memory), _RESOURCES, "What a run may use.")


def _sized(cpu: str, memory: str) -> dict[str, Any]:
    """Memory is asked for as it is limited, so that a node that is short of it takes others first."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


def _rule(block: str, port: int) -> dict[str, Any]:
    return {"to": [{"ipBlock": {"cidr": block}}], "ports": [{"port": port, "protocol": "TCP"}]}
