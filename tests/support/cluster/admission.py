"""What the stand-in lets in: names, namespaces that end, pod security `restricted`, limit ranges and quotas."""

from __future__ import annotations

import re
from typing import Any

from tests.support.cluster.schemas import Resource
from tests.support.cluster.store import Key, Object, Refused, Store

__all__ = ["admit", "quantity", "unchanged", "used_by"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(text: Any) -> float:
    """A quantity as a number."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)([a-zA-Z]*)", str(text))
    if match is None or match[2] not in _UNITS:
        raise Refused(400, "BadRequest", f"quantities must match the regular expression: {text!r}")
    return float(match[1]) * _UNITS[match[2]]


def admit(store: Store, resource: Resource, namespace: str, document: Object) -> None:
    """Let a new object in, with what it gets by default, or refuse it."""
    name = str(document["metadata"].get("name") or document["metadata"].get("generateName", "") + "x")
    strict = resource.plural in ("namespaces", "services")
    if not (_LABEL if strict else _NAME).fullmatch(name):
        raise Refused(422, "Invalid", f'{resource.kind} "{name}" is invalid: metadata.name: Invalid value: "{name}"')
    for key, value in (document["metadata"].get("labels") or {}).items():
        if len(value) > 63 or not re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", value):
            raise Refused(422, "Invalid", f'metadata.labels: Invalid value: "{value}" ({key})')
    if resource.namespaced:
        there = store.objects.get(Key("/api/v1", "namespaces", "", namespace))
        if there is None:
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found')
        if there["metadata"].get("deletionTimestamp"):
            raise Refused(
                403,
                "Forbidden",
                f'{resource.plural} "{name}" is forbidden: unable to create new content in namespace {namespace} '
                "because it is being terminated",
            )
        if resource.plural == "pods":
            _limit_ranges(store, namespace, document)
            _pod(document)
            level = (there["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce")
            if level == "restricted" and (why := _unrestricted(document["spec"])):
                raise Refused(
                    403,
                    "Forbidden",
                    f'pods "{name}" is forbidden: violates PodSecurity "restricted:latest": {", ".join(why)}',
                )
        _quotas(store, resource, namespace, name, document)
    if resource.plural == "volumesnapshotcontents":
        _content(document)


def unchanged(resource: Resource, before: Object, after: Object) -> None:
    """Refuse changes of what cannot be changed."""
    if resource.plural in ("pods", "persistentvolumeclaims", "volumesnapshots", "jobs"):
        left, right = dict(before.get("spec") or {}), dict(after.get("spec") or {})
        for key in ("resources", "volumeName", "nodeName", "suspend", "activeDeadlineSeconds"):
            left.pop(key, None)
            right.pop(key, None)
        if left != right:
            raise Refused(422, "Invalid", f"{resource.kind} is invalid: spec: Forbidden: field is immutable")


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All containers of a pod."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _pod(document: Object) -> None:
    classes = set()
    for one in containers(document["spec"]):
        limits, requests = (one.get("resources", {}).get(key) or {} for key in ("limits", "requests"))
        both = {key: (limits.get(key), requests.get(key, limits.get(key))) for key in ("cpu", "memory")}
        if all(a is not None and quantity(a) == quantity(b) for a, b in both.values()):
            classes.add("Guaranteed")
        else:
            classes.add("Burstable" if limits or requests else "BestEffort")
    one = classes.pop() if len(classes) == 1 else "Burstable"
    document["status"] = {"phase": "Pending", "qosClass": one, "conditions": []}


def _unrestricted(spec: dict[str, Any]) -> list[str]:
    """Why a pod is not `restricted` (Kubernetes' Pod Security Standards)."""
    why = [f"{key}=true" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    kinds = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    why += [f"volume {one['name']}" for one in spec.get("volumes") or () if not (set(one) - {"name"}) <= kinds]
    whole = spec.get("securityContext") or {}
    for one in containers(spec):
        own, name = one.get("securityContext") or {}, one["name"]
        if own.get("allowPrivilegeEscalation") is not False:
            why.append(f"allowPrivilegeEscalation != false ({name})")
        if "ALL" not in (own.get("capabilities") or {}).get("drop", ()):
            why.append(f"unrestricted capabilities ({name})")
        if set((own.get("capabilities") or {}).get("add", ())) - {"NET_BIND_SERVICE"}:
            why.append(f"added capabilities ({name})")
        if (own.get("runAsNonRoot", whole.get("runAsNonRoot"))) is not True:
            why.append(f"runAsNonRoot != true ({name})")
        if own.get("runAsUser", whole.get("runAsUser")) == 0:
            why.append(f"runAsUser=0 ({name})")
        profile = (own.get("seccompProfile") or whole.get("seccompProfile") or {}).get("type")
        if profile not in ("RuntimeDefault", "Localhost"):
            why.append(f"seccompProfile ({name})")
        if own.get("privileged"):
            why.append(f"privileged ({name})")
        if any("hostPort" in port for port in one.get("ports") or ()):
            why.append(f"hostPort ({name})")
    return why


def _limit_ranges(store: Store, namespace: str, document: Object) -> None:
    for _, one in store.each("limitranges", namespace):
        for limit in one["spec"]["limits"]:
            if limit["type"] != "Container":
                continue
            for container in containers(document["spec"]):
                resources = container.setdefault("resources", {})
                for key, given in (("limits", "default"), ("requests", "defaultRequest")):
                    resources[key] = {**(limit.get(given) or {}), **(resources.get(key) or {})}
                for name, most in (limit.get("max") or {}).items():
                    if name in resources["limits"] and quantity(resources["limits"][name]) > quantity(most):
                        raise Refused(
                            403,
                            "Forbidden",
                            f"maximum {name} usage per Container is {most}, but limit is {resources['limits'][name]}",
                        )


def used_by(resource: Resource, document: Object) -> dict[str, float]:
    """What a quota counts of an object."""
    if resource.plural == "persistentvolumeclaims":
        size = document["spec"]["resources"]["requests"]["storage"]
        return {"persistentvolumeclaims": 1, "requests.storage": quantity(size)}
    if resource.plural != "pods":
        return {resource.plural: 1}
    if (document.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return {}
    found: dict[str, float] = {"pods": 1}
    spec = document["spec"]
    for key in ("requests", "limits"):
        for name in ("cpu", "memory"):

            def of(one: dict[str, Any], key: str = key, name: str = name) -> float:
                given = one.get("resources", {})
                return quantity((given.get(key) or given.get("limits") or {}).get(name, 0))

            first = spec.get("initContainers") or ()
            beside = sum(of(one) for one in first if one.get("restartPolicy") == "Always")
            most = max([of(one) for one in first if one.get("restartPolicy") != "Always"], default=0.0)
            found[f"{key}.{name}"] = max(sum(map(of, spec["containers"])) + beside, most)
    return found


def _quotas(store: Store, resource: Resource, namespace: str, name: str, document: Object) -> None:
    wanted = used_by(resource, document)
    for _, quota in store.each("resourcequotas", namespace):
        hard = quota["spec"].get("hard") or {}
        for key, most in hard.items():
            plain = key.removeprefix("count/").partition(".")[0] if key.startswith("count/") else key
            if plain in ("cpu", "memory"):
                plain = f"requests.{plain}"
            if plain not in wanted:
                continue
            if resource.plural == "pods" and plain.startswith("limits.") and not wanted[plain]:
                raise Refused(
                    403,
                    "Forbidden",
                    f'pods "{name}" is forbidden: failed quota: {quota["metadata"]["name"]}: must specify {key}',
                )
            used = sum(used_by(resource, one).get(plain, 0) for _, one in store.each(resource.plural, namespace))
            if round(used + wanted[plain], 6) > quantity(most):
                raise Refused(
                    403,
                    "Forbidden",
                    f'{resource.plural} "{name}" is forbidden: exceeded quota: {quota["metadata"]["name"]}, requested: '
                    f"{key}={wanted[plain]:g}, used: {key}={used:g}, limited: {key}={most}",
                )


def _content(document: Object) -> None:
    """The CEL rules of the CRD that a client can break."""
    source, ref = document["spec"]["source"], document["spec"]["volumeSnapshotRef"]
    if ("volumeHandle" in source) == ("snapshotHandle" in source):
        raise Refused(422, "Invalid", "spec.source: exactly one of volumeHandle and snapshotHandle must be set")
    if not (ref.get("name") and ref.get("namespace")):
        raise Refused(
            422, "Invalid", "both spec.volumeSnapshotRef.name and spec.volumeSnapshotRef.namespace must be set"
        )
