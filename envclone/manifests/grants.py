"""What each actor asks of a cluster's API: verb by verb, with the reason. A test records the calls, and compares.

What can be told by its name is granted by its name only: of the Secrets of a branch the one that the runtime makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["GRANTS", "WITHOUT", "Actor", "Grant", "Where"]

_SNAPSHOTS = "snapshot.storage.k8s.io"
_NETWORK = "networking.k8s.io"


class Actor(StrEnum):
    """Who asks: the maker of branches (the service, a person, CI), and the removal by the clock."""

    BRANCH = "branch"
    GC = "gc"


class Where(StrEnum):
    """Where a right holds: everywhere, for a branch's namespace has no name yet; or with the images only."""

    CLUSTER = "cluster"
    IMAGES = "images"


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
