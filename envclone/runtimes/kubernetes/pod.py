"""The pod of a branch: its parts share one network, in which each reaches the others at 127.0.0.1 and nobody else.

The parts start one after another: a wall that is tested from inside first (`seal`), then the login and what the servers
read (`ready`), then each store, and each service when what it needs is ready.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError
from envclone.models import Container
from envclone.runtimes.kubernetes.names import PART, Place
from envclone.runtimes.kubernetes.objects import (
    CONTROL_PORT,
    DENIED_PORT,
    Destination,
    Object,
    Volume,
    memory,
    resources,
)

if TYPE_CHECKING:
    from envclone.config.services import HealthcheckConfig, ServiceConfig

__all__ = ["HOME", "LOCKED", "LOGINS", "POD", "RESERVED", "Part", "branch", "listener", "spec_of"]

HOME = Path("/var/lib/envclone/branch")
"""Where a branch's stores are in its pod."""
LOGINS = "logins"
"""The Secret with what the parts must know."""
POD, LISTENER = "branch", "listener"
RESERVED = frozenset(("seal", "ready", "relay", "door"))
"""Containers of a branch's pod that are envclone's own."""
TOKEN = "relay.token"  # noqa: S105 - a file's name
_ROOM = Path("/run/secrets/envclone")
_SHM = 1 << 30
_SMALL = resources(0.1, 128 << 20)
_GRACE = 60
LOCKED: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Part:
    """A store or a service as the pod runs it: `container` is a store's, `service` a service's."""

    name: str
    image: str
    cores: float
    size: int
    container: Container | None = None
    service: ServiceConfig | None = None
    environment: Sequence[str] = ()
    shm: int | None = None
    ports: Sequence[int] = field(default=())


def spec_of(uid: int, **more: Any) -> Object:
    """What every pod of ours is: an ordinary user without a token, who asks nobody for a name."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Always",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": uid,
            "runAsGroup": uid,
            "fsGroup": uid,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # no names from anywhere: a question for a name tells it to others
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "terminationGracePeriodSeconds": _GRACE,
        **more,
    }


def _pod(place: Place, name: str, spec: Object, part: str = "") -> Object:
    labels = {**place.labels, PART: part or name}
    meta = {"name": name, "namespace": place.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def listener(place: Place, image: str, uid: int, name: str = LISTENER) -> Object:
    """What a branch's pod tries to reach: at one port it may, at the other it must not."""
    own = {
        "name": LISTENER,
        "image": image,
        "command": [
            "python3",
            "-m",
            "envclone.runtimes.kubernetes.seal",
            "listen",
            str(CONTROL_PORT),
            str(DENIED_PORT),
        ],
        "resources": _SMALL,
        "securityContext": LOCKED,
        "readinessProbe": {
            "exec": {"command": ["python3", "-m", "envclone.runtimes.kubernetes.seal", "listens", str(DENIED_PORT)]},
            "periodSeconds": 1,
        },
    }
    return _pod(place, name, spec_of(uid, containers=[own], terminationGracePeriodSeconds=0), LISTENER)


def branch(
    place: Place,
    parts: Sequence[Part],
    volumes: Sequence[Volume],
    *,
    image: str,
    uid: int,
    listener_ip: str,
    destinations: Sequence[Destination] = (),
    door: bool = False,
) -> Object:
    """The pod; `parts` are in the order of their start, `image` is envclone's own; with a `door` others than the pod
    reach its stores.

    Raises ConfigError for a service that a restricted pod cannot have.
    """
    stores = [part for part in parts if part.container is not None]
    disks = {store: (volume.name, folder) for volume in volumes for store, folder in volume.stores.items()}
    mounts = [_disk(HOME / part.name, *disks[part.name]) for part in stores]
    cores, size = sum(part.cores for part in parts), sum(part.size for part in parts)
    seal = {
        "name": "seal",
        "image": image,
        "command": [
            "python3", "-m", "envclone.runtimes.kubernetes.seal", "dial", f"{listener_ip}:{CONTROL_PORT}",
            f"{listener_ip}:{DENIED_PORT}",
        ],
        "resources": _SMALL,
        "securityContext": LOCKED,
    }  # fmt: skip
    ready = {
        "name": "ready",
        "image": image,
        "command": ["python3", "-m", "envclone.runtimes.kubernetes.ready", str(_ROOM / "branch.json"), str(HOME)],
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108
        "resources": resources(cores, size),  # no more than the parts have together
        "securityContext": LOCKED,
        "volumeMounts": [
            {"name": "home", "mountPath": str(HOME)},
            *mounts,
            {"name": "tmp", "mountPath": "/tmp", "subPath": "ready"},  # noqa: S108
            {"name": LOGINS, "mountPath": str(_ROOM), "readOnly": True},
        ],
    }
    made = [_store(part, disks[part.name]) if part.container else _service(part) for part in parts]
    sockets = {part.name: path for part in stores if (path := socket_of(part)) is not None}
    for one in made[:-1]:
        one["restartPolicy"] = "Always"  # started in order, each when the one before it is ready
    relays = [_relay(image, sockets)] if sockets else []
    relays += [_door(image, [port for part in stores for port in part.ports])] if door else []
    used: list[Object] = [
        *(
            [
                {
                    "name": "token",
                    "secret": {"secretName": LOGINS, "defaultMode": 0o440, "items": [{"key": TOKEN, "path": TOKEN}]},
                }
            ]
            if sockets
            else []
        ),
        {"name": "home", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        {"name": LOGINS, "secret": {"secretName": LOGINS, "defaultMode": 0o440}},
    ]
    used += [{"name": volume.name, "persistentVolumeClaim": {"claimName": volume.name}} for volume in volumes]
    for part in parts:
        used.append({"name": f"shm-{part.name}", "emptyDir": {"medium": "Memory", "sizeLimit": memory(_shm(part))}})
    aliases = [{"ip": "127.0.0.1", "hostnames": [part.name for part in parts]}]
    for destination in destinations:
        aliases += [{"ip": address, "hostnames": [destination.name]} for address in destination.addresses[:1]]
    spec = spec_of(
        uid,
        initContainers=[seal, ready, *relays, *made[:-1]],
        containers=made[-1:],
        volumes=used,
        hostAliases=aliases,
    )
    return _pod(place, POD, spec)


def socket_of(part: Part) -> Path | None:
    """Where a store's server has its socket in the pod; None for one that has none."""
    if part.container is None:
        return None
    found = [path for path in part.container.mounts if path != HOME / part.name]
    return found[0] / f".s.PGSQL.{part.container.endpoint.port}" if found else None


def _relay(image: str, sockets: Mapping[str, Path]) -> Object:
    """The operator's way to the servers' sockets; it starts before them, and takes next to nothing."""
    ways = [f"{store}={path}" for store, path in sockets.items()]
    return {
        "name": "relay",
        "image": image,
        "restartPolicy": "Always",
        "command": ["python3", "-m", "envclone.runtimes.kubernetes.relay", str(_ROOM / TOKEN), *ways],
        "resources": _SMALL,
        "securityContext": LOCKED,
        "volumeMounts": [
            {"name": "token", "mountPath": str(_ROOM), "readOnly": True},
            *(
                {"name": "tmp", "mountPath": str(path.parent), "subPath": f"run-{store}"}
                for store, path in sockets.items()
            ),
        ],
    }


def _door(image: str, ports: Sequence[int]) -> Object:
    """The way from the pod's own address to the stores, which listen at 127.0.0.1."""
    return {
        "name": "door",
        "image": image,
        "restartPolicy": "Always",
        "command": ["python3", "-m", "envclone.runtimes.kubernetes.doorway", *map(str, ports)],
        "env": [{"name": "POD_IPS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}}],
        "resources": _SMALL,
        "securityContext": LOCKED,
    }


def _shm(part: Part) -> int:
    return min(part.shm or _SHM, part.size)


def _disk(at: Path, volume: str, folder: str) -> Object:
    made = {"name": volume, "mountPath": str(at)}
    return {**made, "subPath": folder} if folder else made


def _common(part: Part) -> Object:
    return {
        "name": part.name,
        "image": part.image,
        "resources": resources(part.cores, part.size),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp", "subPath": f"of-{part.name}"},  # noqa: S108
            {"name": f"shm-{part.name}", "mountPath": "/dev/shm"},  # noqa: S108
        ],
    }


def _store(part: Part, disk: tuple[str, str]) -> Object:
    container = part.container
    assert container is not None
    made = _common(part)
    made["command"] = list(container.command)
    made["securityContext"] = LOCKED
    made["ports"] = [{"containerPort": port, "protocol": "TCP"} for port in part.ports]
    mounts = made["volumeMounts"]
    for path in container.mounts:
        if path == HOME / part.name:
            mounts.append(_disk(path, *disk))
        else:
            mounts.append({"name": "tmp", "mountPath": str(path), "subPath": f"run-{part.name}"})
    for inside, path in container.files.items():
        mounts.append({"name": "home", "mountPath": inside, "subPath": path.name, "readOnly": True})
    if container.environment:
        made["env"] = [_from_secret(part.name, name) for name in container.environment]
    if container.health:
        made["startupProbe"] = _probe({"exec": {"command": list(container.health)}}, 1, 300)
    if container.stop_signal != "SIGTERM":
        kill = f"kill -s {container.stop_signal.removeprefix('SIG')} 1"
        made["lifecycle"] = {"preStop": {"exec": {"command": ["/bin/sh", "-c", kill]}}}
    return made


def _service(part: Part) -> Object:
    service = part.service
    assert service is not None
    made = _common(part)
    made["securityContext"] = dict(LOCKED)
    if service.capabilities and set(service.capabilities) - {"NET_BIND_SERVICE"}:
        raise ConfigError(
            f"the service {part.name} asks for capabilities that no restricted pod may have",
            hint="an image that runs as an ordinary user needs none; --runtime docker lends them",
        )
    if service.capabilities:
        made["securityContext"]["capabilities"] = {"drop": ["ALL"], "add": list(service.capabilities)}
    if service.user:
        made["securityContext"].update(_user(part.name, service.user))
    if not service.read_only:
        made["securityContext"]["readOnlyRootFilesystem"] = False
    if service.command:
        # in place of the image's own command; its entry point stays
        made["args"] = list(service.command)
    made["env"] = [_from_secret(part.name, name) for name in part.environment]
    made["ports"] = [{"containerPort": port, "protocol": "TCP"} for port in part.ports]
    for number, path in enumerate(service.tmpfs):
        made["volumeMounts"].append({"name": f"shm-{part.name}", "mountPath": path, "subPath": f"tmpfs-{number}"})
    if service.healthcheck is not None and (check := _check(service.healthcheck, part.ports)):
        made["startupProbe"] = check
    return made


def _user(name: str, text: str) -> Object:
    user, _, group = text.partition(":")
    if not user.isdigit() or (group and not group.isdigit()):
        raise ConfigError(
            f"the service {name} names its user '{text}' by name, which a restricted pod cannot check",
            hint="write its number: user: '1000:1000'",
        )
    return {"runAsUser": int(user), **({"runAsGroup": int(group)} if group else {})}


def _check(check: HealthcheckConfig, ports: Sequence[int]) -> Object | None:
    every = max(1, round(check.interval.total_seconds()))
    most = max(1, round(check.timeout.total_seconds()))
    if check.command:
        return _probe({"exec": {"command": list(check.command)}}, every, most)
    if check.path and ports:
        return _probe({"httpGet": {"path": check.path, "port": ports[0]}}, every, most)
    return None


def _probe(what: Object, every: int, most: int) -> Object:
    return {**what, "periodSeconds": every, "timeoutSeconds": 5, "failureThreshold": max(1, most // every)}


def _from_secret(part: str, name: str) -> Object:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": LOGINS, "key": f"{part}.{name}"}}}


def secrets_of(document: Mapping[str, Any], environment: Mapping[str, Mapping[str, str]], token: str) -> dict[str, str]:
    """What the Secret holds: the record that `ready` reads, the relay's token, every variable of every part."""
    values = {f"{part}.{name}": value for part, each in environment.items() for name, value in each.items()}
    return {**values, "branch.json": json.dumps(document), TOKEN: token}
