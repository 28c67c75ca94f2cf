"""Roles and bindings, no verb without its reason, and the fence that keeps writing to namespaces of branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from envclone.manifests.grants import GRANTS, SERVICES, VOLUMES, Actor, Grant, Where
from envclone.manifests.plan import Plan
from envclone.manifests.pods import SYSTEM, Names, metadata
from envclone.manifests.text import Join, Why

__all__ = ["accounts", "roles"]

_GROUP = "rbac.authorization.k8s.io"
_MANAGED = "app.kubernetes.io/managed-by"
_OBJECTS = "[object, oldObject].filter(one, one != null)"
_ENFORCE = "pod-security.kubernetes.io/enforce"


def roles(plan: Plan) -> Iterator[dict[str, Any]]:
    """What the actors may do that ask the cluster's API at all; nothing where none does."""
    if plan.api:
        yield from _actor(plan, Actor.GC)
        yield from _actor(plan, Actor.BRANCH)
        if plan.volumes:
            yield from _actor(plan, Actor.IMAGE)
        yield from _fence(plan)


def accounts(plan: Plan, actor: Actor) -> list[str]:
    """The accounts that are an actor: the service makes branches, and so does the holder of the other one's token."""
    if actor is Actor.GC:
        return [Names().gc]
    if actor is Actor.IMAGE:
        return [*(Names.keep(one) for one in plan.volumes), *([Names().serve] if plan.serve else [])]
    return [Names().branch, *([Names().serve] if plan.serve else [])]


def _actor(plan: Plan, actor: Actor) -> Iterator[dict[str, Any]]:
    name = f"envclone-{plan.project}-{actor.value}"
    places = [(Where.CLUSTER, "ClusterRole", None), *((Where.IMAGES, "Role", images) for images in plan.images)]
    places += [(Where.QUARANTINE, "Role", one) for one in plan.quarantine]
    places += [(Where.PRODUCTION, "Role", one) for one in plan.sources]
    granted = [*GRANTS, *(SERVICES if plan.services else ()), *(VOLUMES if plan.volumes else ())]
    for where, kind, namespace in places:
        rules = [_rule(one) for one in granted if one.actor == actor and one.where == where]
        if not rules:
            continue
        yield {
            "apiVersion": f"{_GROUP}/v1",
            "kind": kind,
            "metadata": metadata(plan, name, "rights", namespace),
            "rules": rules,
        }
        yield {
            "apiVersion": f"{_GROUP}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata(plan, name, "rights", namespace),
            "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": one, "namespace": SYSTEM} for one in accounts(plan, actor)],
        }


def _fence(plan: Plan) -> Iterator[dict[str, Any]]:
    """Rights cannot be of namespaces that have no name yet: so what these accounts write is looked at once more."""
    name = f"envclone-{plan.project}-fence"
    users: list[str | Any] = []
    for one in [*accounts(plan, Actor.BRANCH), *accounts(plan, Actor.GC)]:
        users += ["'system:serviceaccount:" if not users else ", 'system:serviceaccount:", SYSTEM, f":{one}'"]
    whole = "request.resource.resource == 'namespaces' || request.namespace == ''"
    yield {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata(plan, name, "rights", None),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": sorted({one.group for one in (*GRANTS, *(VOLUMES if plan.volumes else ()))}),
                        "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE", "DELETE", "CONNECT"],
                        "resources": ["*/*"],
                        "scope": "*",
                    }
                ]
            },
            "matchConditions": [
                {"name": "accounts", "expression": Join(("request.userInfo.username in [", *users, "]"))}
            ],
            "validations": [
                Why(
                    {
                        "expression": f"{whole} || {_ours('namespaceObject')}{_named(plan)}",
                        "message": "envclone writes in the namespaces of branches only",
                    },
                    "a right to make pods is one to make them anywhere, but for this",
                ),
                {
                    "expression": f"!({whole}) || {_others(plan)}{_OBJECTS}.all(one, {_ours('one')})",
                    "message": "envclone makes, changes and removes what is labelled as its own only",
                },
                Why(
                    {
                        "expression": "request.resource.resource != 'namespaces' || object == null || "
                        f"{_label('object', _ENFORCE)} == 'restricted'",
                        "message": "a branch's namespace enforces pod security `restricted`",
                    },
                    "who makes the namespace would choose what its pods may do",
                ),
            ],
        },
    }
    yield {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata(plan, name, "rights", None),
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }


def _named(plan: Plan) -> str:
    """What who makes images may write where a namespace has a name: the same accounts make branches, with pods.

    In production that is snapshots of its own and a label of a claim, among the images their records and snapshots.
    """
    if not plan.volumes:
        return ""
    snapshots = "request.resource.group in ['snapshot.storage.k8s.io', 'groupsnapshot.storage.k8s.io']"
    labelled = "request.resource.resource == 'persistentvolumeclaims' && request.operation == 'UPDATE'"
    kept = "request.resource.resource in ['configmaps', 'volumesnapshots']"
    ours = f"{_OBJECTS}.all(one, {_ours('one')})"
    return (
        f" || {_in('request.namespace', plan.quarantine)}"
        f" || ({_in('request.namespace', plan.sources)} && ({snapshots} && {ours} || {labelled}))"
        f" || ({_in('request.namespace', plan.images)} && {kept} && {ours})"
    )


def _others(plan: Plan) -> str:
    """Contents of snapshots that a snapshotter made, in those namespaces: whether they take the storage's along."""
    if not plan.volumes:
        return ""
    known = [*plan.images, *plan.quarantine, *plan.sources]
    parts = [
        f"request.resource.resource == '{plural}' && request.operation != 'CREATE' && "
        f"{_OBJECTS}.all(one, {_in(f'one.spec.{ref}.namespace', known)})"
        for plural, ref in (
            ("volumesnapshotcontents", "volumeSnapshotRef"), ("volumegroupsnapshotcontents", "volumeGroupSnapshotRef"),
        )
    ]  # fmt: skip
    return "".join(f"({one}) || " for one in parts)


def _in(what: str, names: Sequence[str]) -> str:
    listed = ", ".join(f"'{one}'" for one in sorted(set(names)))
    return f"{what} in [{listed}]"


def _ours(what: str) -> str:
    return f"{_label(what, _MANAGED)} == 'envclone'"


def _label(what: str, label: str) -> str:
    return f"{what}.metadata.?labels[?'{label}'].orValue('')"


def _rule(grant: Grant) -> dict[str, Any]:
    names = {"resourceNames": list(grant.names)} if grant.names else {}
    return {
        "apiGroups": [grant.group],
        "resources": [grant.resource],
        **names,
        "verbs": [Why(verb, f"{verb}: {why}") for verb, why in grant.verbs.items()],
    }
