"""Which resources the fake API knows, and whether an object is of its kind's schema."""

from __future__ import annotations

import functools
import json
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

__all__ = ["RESOURCES", "VERSIONS", "Resource", "by_path", "definition", "flaws"]

VERSIONS = ("1.34", "1.35", "1.36", "1.37")
_SNAPSHOTS = "snapshot.storage.k8s.io/v1"
_GROUPS = "groupsnapshot.storage.k8s.io/v1"


@dataclass(frozen=True)
class Resource:
    """One kind of object, and where it is."""

    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def root(self) -> str:
        """The path of its group."""
        return f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"


RESOURCES = tuple(
    Resource(version, kind, plural, namespaced)
    for version, kind, plural, namespaced in (
        ("v1", "Namespace", "namespaces", False),
        ("v1", "Node", "nodes", False),
        ("v1", "PersistentVolume", "persistentvolumes", False),
        ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", True),
        ("v1", "Pod", "pods", True),
        ("v1", "Service", "services", True),
        ("v1", "ServiceAccount", "serviceaccounts", True),
        ("v1", "Secret", "secrets", True),
        ("v1", "ConfigMap", "configmaps", True),
        ("v1", "ResourceQuota", "resourcequotas", True),
        ("v1", "LimitRange", "limitranges", True),
        ("v1", "Event", "events", True),
        ("apps/v1", "Deployment", "deployments", True),
        ("apps/v1", "StatefulSet", "statefulsets", True),
        ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", True),
        ("batch/v1", "Job", "jobs", True),
        ("batch/v1", "CronJob", "cronjobs", True),
        ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", True),
        ("rbac.authorization.k8s.io/v1", "Role", "roles", True),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", True),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", False),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", False),
        ("storage.k8s.io/v1", "StorageClass", "storageclasses", False),
        (_SNAPSHOTS, "VolumeSnapshot", "volumesnapshots", True),
        (_SNAPSHOTS, "VolumeSnapshotContent", "volumesnapshotcontents", False),
        (_SNAPSHOTS, "VolumeSnapshotClass", "volumesnapshotclasses", False),
        ("postgresql.cnpg.io/v1", "Cluster", "clusters", True),
        (_GROUPS, "VolumeGroupSnapshotClass", "volumegroupsnapshotclasses", False),
        (_GROUPS, "VolumeGroupSnapshot", "volumegroupsnapshots", True),
        (_GROUPS, "VolumeGroupSnapshotContent", "volumegroupsnapshotcontents", False),
    )
)


_TEXT = {"type": "string"}
_BY_HAND: dict[str, dict[str, Any]] = {
    "VolumeGroupSnapshotClass": {
        "type": "object",
        "required": ["driver", "deletionPolicy"],
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": {"type": "object"},
            "driver": _TEXT,
            "deletionPolicy": {"type": "string", "enum": ["Delete", "Retain"]},
            "parameters": {"type": "object", "additionalProperties": _TEXT},
        },
    },
    "Cluster": {
        "type": "object",
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": {"type": "object"},
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    },
}
"""Kinds of others that are only read."""


def by_path(root: str, plural: str) -> Resource | None:
    """The resource at a place of the API."""
    return next((one for one in RESOURCES if one.root == root and one.plural == plural), None)


def of_object(document: dict[str, Any]) -> Resource | None:
    """The resource that an object says it is."""
    version, kind = document.get("apiVersion"), document.get("kind")
    return next((one for one in RESOURCES if (one.version, one.kind) == (version, kind)), None)


def definition(kind: str) -> dict[str, Any]:
    """The schema of a kind of external-snapshotter, as its CRD has it."""
    made: dict[str, Any] = _gathered()["snapshots"].get(kind) or _BY_HAND[kind]
    return made


def flaws(version: str, document: dict[str, Any]) -> list[str]:
    """What is wrong with an object by the schema of its kind, fields that it does not know included."""
    found = []
    for error in _validator(version, document["apiVersion"], document["kind"]).iter_errors(document):
        found.append(f"{'.'.join(map(str, error.absolute_path)) or document['kind']}: {error.message[:300]}")
    return found


@functools.cache
def _gathered() -> dict[str, Any]:
    with lzma.open(Path(__file__).parent / "openapi.json.xz") as file:
        made: dict[str, Any] = json.load(file)
    return made


@functools.cache
def _validator(version: str, api_version: str, kind: str) -> Any:
    own = _gathered()["kubernetes"][version]
    schemas = {name: _strict(schema) for name, schema in own.items()}
    if kind in {**_gathered()["snapshots"], **_BY_HAND}:
        schema = _strict(definition(kind))
        schema["properties"]["metadata"] = {
            "$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        }
    else:
        group, _, number = api_version.rpartition("/")
        wanted = {"group": group, "kind": kind, "version": number}
        name = next(name for name, one in own.items() if wanted in (one.get("x-kubernetes-group-version-kind") or ()))
        schema = schemas[name]
    return jsonschema.Draft202012Validator({**schema, "components": {"schemas": schemas}})


def _strict(node: Any) -> Any:
    """Unknown fields are mistakes, as with `fieldValidation=Strict`; null is the same as nothing."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in node.items()}
    own = isinstance(made.get("properties"), dict) and made.get("type") == "object" and "oneOf" not in made
    if own and "additionalProperties" not in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    if made.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    return made
