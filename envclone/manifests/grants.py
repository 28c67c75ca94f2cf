"""What each actor asks of a cluster's API: verb by verb, with the reason. A test records the calls, and compares.

What can be told by its name is granted by its name only: of the Secrets of a branch the one that the runtime makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["GRANTS", "SERVICES", "VOLUMES", "WITHOUT", "Actor", "Grant", "Where"]

_SNAPSHOTS = "snapshot.storage.k8s.io"
_NETWORK = "networking.k8s.io"


class Actor(StrEnum):
    """Who asks: the maker of branches (the service, a person, CI), of images of volumes, the removal by the clock."""

    BRANCH = "branch"
    IMAGE = "image"
    GC = "gc"


class Where(StrEnum):
    """Where a right holds: everywhere, for a branch's namespace has no name yet; or in namespaces that have one."""

    CLUSTER = "cluster"
    IMAGES = "images"
    QUARANTINE = "quarantine"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Grant:
    """Verbs of one actor on one resource, each with why; `names` are all that they hold for, where they say so."""

    actor: Actor
    where: Where
    group: str
    resource: str
    verbs: Mapping[str, str]
    names: tuple[str, ...] = ()


def _branch(group: str, resource: str, verbs: Mapping[str, str], names: tuple[str, ...] = ()) -> Grant:
    return Grant(Actor.BRANCH, Where.CLUSTER, group, resource, verbs, names)


def _gc(group: str, resource: str, verbs: Mapping[str, str], names: tuple[str, ...] = ()) -> Grant:
    return Grant(Actor.GC, Where.CLUSTER, group, resource, verbs, names)


_AGAIN = "what is there already is compared: it may be of a start whose answer was lost"
_PODS = ("branch", "listener")
_LIST = "an object is waited for by listing it by its name"
_WATCH = "and by watching it"

GRANTS = (
    _branch("", "namespaces", {
        "get": "whether the branch's namespace is there, and whose it is",
        "list": "how many branches a user has; which are left of branches that are gone",
        "watch": "until a namespace is gone",
        "create": "one for each branch",
        "patch": "walls that somebody took away are put back at a start",
        "delete": "with the branch",
    }),
    _branch("", "resourcequotas", {"create": "the most that a branch takes"}),
    _branch("", "resourcequotas", {"get": _AGAIN}, ("branch",)),
    _branch("", "limitranges", {"create": "requests that are limits"}),
    _branch("", "limitranges", {"get": _AGAIN}, ("branch",)),
    _branch(_NETWORK, "networkpolicies", {"create": "the walls of a branch, and its doors"}),
    _branch(_NETWORK, "networkpolicies", {"get": _AGAIN}, ("allow", "deny", "probe-in", "probe-out")),
    _branch(_NETWORK, "networkpolicies", {"delete": "the hole that the test of the walls needs"},
            ("probe-in", "probe-out")),
    _branch("", "secrets", {"create": "the branch's login"}),
    _branch("", "secrets", {
        "get": _AGAIN, "list": _LIST, "watch": _WATCH, "delete": "it cannot be changed: each start makes it again",
    }, ("logins",)),
    _branch("", "persistentvolumeclaims", {
        "create": "the branch's volume, cloned from the image's snapshot", "get": _AGAIN,
    }),
    _branch(_SNAPSHOTS, "volumesnapshots", {
        "create": "the image's snapshot in the branch's namespace", "get": _AGAIN, "list": _LIST, "watch": _WATCH,
    }),
    _branch(_SNAPSHOTS, "volumesnapshotcontents", {
        "create": "the image's snapshot by its handle", "get": _AGAIN, "list": "which are left of branches",
        "patch": "`Retain` is put back before one is removed: else the image goes with it", "delete": "with the branch",
    }),
    _branch("", "pods", {"create": "the branch's, and the one that its walls are tested with"}),
    _branch("", "pods", {
        "get": "whether it is ready, and how its containers ended", "list": _LIST, "watch": _WATCH,
        "delete": "a branch that is stopped has none",
    }, _PODS),
    _branch("", "pods/portforward", {
        "get": "the way from 127.0.0.1 into the branch", "create": "the same, as newer versions ask for it",
    }, ("branch",)),
    _branch("", "pods/log", {"get": "envclone logs"}, ("branch",)),
    _branch("", "events", {"list": "why a pod does not come, and whether the cluster ended it"}),
    Grant(Actor.BRANCH, Where.IMAGES, "", "configmaps", {"get": "which snapshots an image is in, and its attestation"}),
    _gc("", "namespaces", {
        "list": "which are left of branches, and which are past their time", "watch": "until one is gone",
        "delete": "with the branch",
    }),
    _gc("", "pods", {
        "get": "whether a branch runs", "list": _LIST, "watch": _WATCH, "delete": "a branch that is idle is stopped",
    }, _PODS),
    _gc(_SNAPSHOTS, "volumesnapshotcontents", {
        "list": "which are left of branches", "delete": "with the branch",
        "patch": "`Retain` is put back before one is removed: else the image goes with it",
    }),
)  # fmt: skip

SERVICES = (
    _branch("", "services", {"create": "the name by which a branch is reached in the cluster"}),
    _branch("", "services", {"get": _AGAIN}, ("branch",)),
    _branch(_NETWORK, "networkpolicies", {
        "get": _AGAIN, "delete": "nobody comes in before the walls are proved once more",
    }, ("connect",)),
)  # fmt: skip
"""What `endpoints: service` takes more: granted where a stack file has it."""

_GROUPS = "groupsnapshot.storage.k8s.io"
_CONTENT = "the storage's handle of a snapshot"
_STRAYS = "which are left of snapshots and images that are gone"


def _image(where: Where, group: str, resource: str, verbs: Mapping[str, str]) -> Grant:
    return Grant(Actor.IMAGE, where, group, resource, verbs)


def _swept(where: Where, group: str, resource: str, verbs: Mapping[str, str]) -> Grant:
    return Grant(Actor.GC, where, group, resource, verbs)


VOLUMES = (
    _image(Where.CLUSTER, "", "namespaces", {"get": "that where raw data are, pods are restricted"}),
    _image(Where.CLUSTER, "", "persistentvolumes", {"get": "which driver a volume is of, and its name there"}),
    _image(Where.CLUSTER, _SNAPSHOTS, "volumesnapshotclasses", {
        "list": "which class makes snapshots of a driver's volumes", "get": "whether the one that is named does",
    }),
    _image(Where.CLUSTER, _GROUPS, "volumegroupsnapshotclasses", {"list": "whether a driver takes several at once"}),
    _image(Where.CLUSTER, _SNAPSHOTS, "volumesnapshotcontents", {
        "create": "a snapshot in another namespace than the one that it was made in", "get": _CONTENT,
        "list": "what of a Job has no namespace", "delete": "with the Job, and with what it came from",
        "patch": "what is only passed on goes without the storage's snapshot, the rest with it",
    }),
    _image(Where.CLUSTER, _GROUPS, "volumegroupsnapshotcontents", {
        "get": _CONTENT, "patch": "a raw snapshot goes with the storage's",
    }),
    _image(Where.PRODUCTION, "", "pods", {"get": "which volumes a pod has", "list": "which pod has a volume"}),
    _image(Where.PRODUCTION, "apps", "statefulsets", {"get": "which pods a StatefulSet has"}),
    _image(Where.PRODUCTION, "postgresql.cnpg.io", "clusters", {"get": "which instance is the primary"}),
    _image(Where.PRODUCTION, "", "persistentvolumeclaims", {
        "get": "which volume a claim is of", "list": "which claims have the labels",
        "patch": "a label while several are snapshotted at once; nothing else of them is changed",
    }),
    _image(Where.PRODUCTION, _SNAPSHOTS, "volumesnapshots", {
        "create": "a snapshot lies in its claim's namespace", "get": _AGAIN, "list": _LIST, "watch": _WATCH,
        "delete": "what was made of a snapshot that failed",
    }),
    _image(Where.PRODUCTION, _GROUPS, "volumegroupsnapshots", {
        "create": "several volumes at one moment", "get": _AGAIN, "list": _LIST, "watch": _WATCH,
        "delete": "what was made of a snapshot that failed",
    }),
    _image(Where.QUARANTINE, "batch", "jobs", {
        "create": "what makes an image", "get": "how far it is", "list": _LIST, "watch": _WATCH,
        "patch": "it begins when all that it mounts is there", "delete": "when it is done",
    }),
    _image(Where.QUARANTINE, "", "pods", {
        "create": "the one that the walls are tested with", "get": _AGAIN, "list": "the Job's", "watch": _WATCH,
        "delete": "the one that the walls are tested with",
    }),
    _image(Where.QUARANTINE, "", "pods/log", {"get": "how far the Job is, in the terminal"}),
    _image(Where.QUARANTINE, "", "pods/portforward", {
        "get": "what the Job hands over, which no log and no object holds", "create": "the same, as newer versions ask",
    }),
    _image(Where.QUARANTINE, "", "events", {"list": "why a pod does not come"}),
    _image(Where.QUARANTINE, "", "secrets", {
        "create": "the project's masking key, as long as the Job is there", "get": _AGAIN,
    }),
    _image(Where.QUARANTINE, "", "persistentvolumeclaims", {
        "create": "the volumes of the Job, which go with it", "get": _AGAIN,
    }),
    _image(Where.QUARANTINE, _NETWORK, "networkpolicies", {"create": "the walls", "get": _AGAIN}),
    _image(Where.QUARANTINE, _SNAPSHOTS, "volumesnapshots", {
        "create": "the raw snapshot there, and the clean volume's", "get": _AGAIN, "list": _LIST, "watch": _WATCH,
        "delete": "when it is passed on",
    }),
    _image(Where.IMAGES, "", "configmaps", {"create": "the record of an image", "get": _AGAIN}),
    _image(Where.IMAGES, _SNAPSHOTS, "volumesnapshots", {"create": "the image's own snapshot", "get": _AGAIN}),
    _swept(Where.CLUSTER, _SNAPSHOTS, "volumesnapshotcontents", {
        "get": "whether it is there still", "watch": "until an image's is gone",
    }),
    _swept(Where.CLUSTER, _GROUPS, "volumegroupsnapshotcontents", {
        "get": "whether it is there still", "patch": "a raw snapshot goes with the storage's",
    }),
    _swept(Where.PRODUCTION, _SNAPSHOTS, "volumesnapshots", {
        "list": _STRAYS, "watch": "until one is gone", "delete": "by quarantine.keep and max_age",
    }),
    _swept(Where.PRODUCTION, _GROUPS, "volumegroupsnapshots", {
        "list": _STRAYS, "watch": "until one is gone", "delete": "by quarantine.keep and max_age",
    }),
    _swept(Where.QUARANTINE, "batch", "jobs", {
        "list": _STRAYS, "watch": "until one is gone", "delete": "with its raw snapshot",
    }),
    _swept(Where.QUARANTINE, "", "pods", {"delete": "the one that the walls were tested with"}),
    _swept(Where.QUARANTINE, _SNAPSHOTS, "volumesnapshots", {"list": _STRAYS, "delete": "with the Job"}),
    _swept(Where.QUARANTINE, _GROUPS, "volumegroupsnapshots", {"list": _STRAYS}),
    _swept(Where.QUARANTINE, "", "configmaps", {"list": _STRAYS}),
    _swept(Where.PRODUCTION, "batch", "jobs", {"list": _STRAYS}),
    _swept(Where.PRODUCTION, "", "configmaps", {"list": _STRAYS}),
    _swept(Where.IMAGES, "", "configmaps", {"list": _STRAYS, "delete": "with its image"}),
    _swept(Where.IMAGES, "batch", "jobs", {"list": _STRAYS}),
    _swept(Where.IMAGES, _GROUPS, "volumegroupsnapshots", {"list": _STRAYS}),
    _swept(Where.IMAGES, _SNAPSHOTS, "volumesnapshots", {
        "list": _STRAYS, "get": "whether it is there still", "delete": "with its image",
    }),
)  # fmt: skip
"""What sources with `method: volume` take more: granted where a stack file has one."""

WITHOUT = {
    (
        "get",
        "",
        "nodes/proxy",
    ): "a node's counters tell how often a branch was throttled; the same right "
    "reads every pod of the node, so it is not given, and the report says `unknown`",
    ("create", "authorization.k8s.io", "selfsubjectaccessreviews"): "everybody may ask what they may",
}
"""What is asked for and not granted, and why it can be done without."""
