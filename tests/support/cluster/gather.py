"""Makes `openapi.json.xz`: the schemas that the fake API validates against, cut out of Kubernetes' own.

    python -m tests.support.cluster.gather SNAPSHOTTER 1.34=DIRECTORY 1.35=DIRECTORY …

DIRECTORY is an unpacked k8s.io/kubernetes of that version (as `go mod download` leaves it), SNAPSHOTTER a directory
with the CRDs of kubernetes-csi/external-snapshotter (`client/config/crd`). Descriptions are left out, and what no kept
kind refers to. Both are under the Apache License 2.0; `openapi.md` says which versions were taken.
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path
from typing import Any

import yaml

KINDS = {
    "api__v1": ("ConfigMap", "Event", "LimitRange", "Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim",
                "Pod", "ResourceQuota", "Secret", "Service", "ServiceAccount"),
    "apis__admissionregistration.k8s.io__v1": ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    "apis__apps__v1": ("Deployment", "StatefulSet"),
    "apis__authorization.k8s.io__v1": ("SelfSubjectAccessReview",),
    "apis__autoscaling__v2": ("HorizontalPodAutoscaler",),
    "apis__batch__v1": ("CronJob", "Job"),
    "apis__networking.k8s.io__v1": ("NetworkPolicy",),
    "apis__policy__v1": ("PodDisruptionBudget",),
    "apis__rbac.authorization.k8s.io__v1": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    "apis__storage.k8s.io__v1": ("StorageClass",),
}  # fmt: skip
CRDS = ("volumegroupsnapshotcontents", "volumegroupsnapshots", "volumesnapshotclasses", "volumesnapshotcontents",
        "volumesnapshots")  # fmt: skip
_WORDS = ("description", "default", "example", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
          "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy", "x-kubernetes-map-type",
          "x-kubernetes-unions", "x-kubernetes-selectable-fields")  # fmt: skip


def plain(node: Any, *, named: bool = False) -> Any:
    """A schema without words; one that only stands for another (`allOf` of one) is that one."""
    if isinstance(node, dict):
        if not named and len(node.get("allOf", ())) == 1:
            return plain(node["allOf"][0])
        kept = {key: value for key, value in node.items() if named or key not in _WORDS}
        return {key: plain(value, named=key == "properties" and not named) for key, value in kept.items()}
    return [plain(one) for one in node] if isinstance(node, list) else node


def closed(schemas: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Those schemas and all that they refer to."""
    found: dict[str, Any] = {}
    while names:
        name = names.pop()
        if name not in found:
            found[name] = plain(schemas[name])
            names += [ref.rpartition("/")[2] for ref in _references(found[name])]
    return found


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in _references(value)]
    return [ref for one in node for ref in _references(one)] if isinstance(node, list) else []


def gather(directory: Path) -> dict[str, Any]:
    """The schemas of one version of Kubernetes."""
    found: dict[str, Any] = {}
    for group, kinds in KINDS.items():
        document = json.loads((directory / f"api/openapi-spec/v3/{group}_openapi.json").read_text())
        schemas = document["components"]["schemas"]
        wanted = []
        for name, schema in schemas.items():
            for one in schema.get("x-kubernetes-group-version-kind", ()):
                if one["kind"] in kinds and name.endswith(f".{one['kind']}"):
                    wanted.append(name)
        found.update(closed(schemas, wanted))
    return found


def main(snapshotter: str, *versions: str) -> None:
    made: dict[str, Any] = {"kubernetes": {}, "snapshots": {}}
    for one in versions:
        version, _, directory = one.partition("=")
        made["kubernetes"][version] = gather(Path(directory))
    for path in sorted(Path(snapshotter).glob("*.yaml")):
        if path.stem.partition("_")[2] in CRDS:
            crd = yaml.safe_load(path.read_text())["spec"]
            for version in crd["versions"]:
                if version["served"] and version["name"] == "v1":
                    made["snapshots"][crd["names"]["kind"]] = plain(version["schema"]["openAPIV3Schema"])
    text = json.dumps(made, sort_keys=True, separators=(",", ":")).encode()
    (Path(__file__).parent / "openapi.json.xz").write_bytes(lzma.compress(text, preset=9))


if __name__ == "__main__":
    main(*sys.argv[1:])
