"""The kinds of objects that a branch on a cluster is made of, and where the API has them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from envclone.errors import EnvcloneError

__all__ = ["KINDS", "Kind", "path_of"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind by its group and version, its name in a path, and whether it lives in a namespace."""

    version: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; '' is the core's."""
        return self.version.rpartition("/")[0]


_SNAPSHOTS = "snapshot.storage.k8s.io/v1"
_GROUPS = "groupsnapshot.storage.k8s.io/v1"
KINDS = {
    "Namespace": Kind("v1", "namespaces", namespaced=False),
    "Node": Kind("v1", "nodes", namespaced=False),
    "ConfigMap": Kind("v1", "configmaps"),
    "Event": Kind("v1", "events"),
    "LimitRange": Kind("v1", "limitranges"),
    "PersistentVolumeClaim": Kind("v1", "persistentvolumeclaims"),
    "Pod": Kind("v1", "pods"),
    "ResourceQuota": Kind("v1", "resourcequotas"),
    "Secret": Kind("v1", "secrets"),
    "Service": Kind("v1", "services"),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "Deployment": Kind("apps/v1", "deployments"),
    "StatefulSet": Kind("apps/v1", "statefulsets"),
    "HorizontalPodAutoscaler": Kind("autoscaling/v2", "horizontalpodautoscalers"),
    "CronJob": Kind("batch/v1", "cronjobs"),
    "Job": Kind("batch/v1", "jobs"),
    "NetworkPolicy": Kind("networking.k8s.io/v1", "networkpolicies"),
    "SelfSubjectAccessReview": Kind("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False),
    "StorageClass": Kind("storage.k8s.io/v1", "storageclasses", namespaced=False),
    "VolumeSnapshot": Kind(_SNAPSHOTS, "volumesnapshots"),
    "VolumeSnapshotClass": Kind(_SNAPSHOTS, "volumesnapshotclasses", namespaced=False),
    "VolumeSnapshotContent": Kind(_SNAPSHOTS, "volumesnapshotcontents", namespaced=False),
    "PersistentVolume": Kind("v1", "persistentvolumes", namespaced=False),
    "Cluster": Kind("postgresql.cnpg.io/v1", "clusters"),
    "VolumeGroupSnapshotClass": Kind(_GROUPS, "volumegroupsnapshotclasses", namespaced=False),
    "VolumeGroupSnapshot": Kind(_GROUPS, "volumegroupsnapshots"),
    "VolumeGroupSnapshotContent": Kind(_GROUPS, "volumegroupsnapshotcontents", namespaced=False),
}


def path_of(kind: str, namespace: str | None = None, name: str | None = None, part: str = "") -> str:
    """Where the API has an object, or all of a kind; `part` is a part of it, such as `log`."""
    found = KINDS.get(kind)
    if found is None:
        raise EnvcloneError(f"no branch is made of a {kind}")
    pieces = ["", *(("apis", found.version) if found.group else ("api", found.version))]
    if found.namespaced and namespace:
        pieces += ["namespaces", quote(namespace, safe="")]
    pieces.append(found.plural)
    if name:
        pieces.append(quote(name, safe=""))
    return "/".join([*pieces, *([part] if part else [])])
