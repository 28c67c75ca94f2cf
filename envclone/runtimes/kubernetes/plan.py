"""What `prepare` decides and `start` carries out: a branch's manifests, in the order in which they are made."""

from __future__ import annotations

import graphlib
import ipaddress
import json
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from envclone import records, registry
from envclone.config.cluster import KubernetesConfig
from envclone.errors import ConfigError, UnreachableError, UnsafeError, UsageError
from envclone.models import Branch, Container, Credentials, Preview
from envclone.private import write_private
from envclone.profiles.profile import Profile, parse
from envclone.runtimes.kubernetes import objects, pod
from envclone.runtimes.kubernetes.names import Place
from envclone.runtimes.kubernetes.objects import Destination, Object, Volume
from envclone.runtimes.kubernetes.pod import HOME, Part

if TYPE_CHECKING:
    from envclone.config.services import ServiceConfig

__all__ = ["LISTENER_IP", "Plan", "containers_of", "destinations", "load", "made_of", "parts_of", "save"]

FILE = "kubernetes.yaml"
LISTENER_IP = "203.0.113.1"
"""Stands in the manifests for the listener's address, which is known once it runs (RFC 5737: nobody's)."""
_HEAD = """\
# The objects of the branch '{name}' on its cluster, written by envclone. They hold the branch's own password.
# `envclone stop` and `envclone start` keep what is edited here; `reset` and another profile write it from scratch.
"""
_NEVER = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10", "0.0.0.0/8")))


@dataclass(frozen=True, slots=True)
class Plan:
    """Manifests, and every port of the pod that leads out, with the part that it is of."""

    manifests: Sequence[Object]
    ways: Sequence[tuple[str, int]]
    stores: Sequence[str]

    @property
    def token(self) -> str:
        """What the pod's relay lets its operator in by."""
        (secret,) = self.of("Secret")
        return str(secret["stringData"][pod.TOKEN])

    @property
    def service(self) -> str:
        """The host name of the branch's Service; '' without one."""
        return next((f"{one['metadata']['name']}.{one['metadata']['namespace']}.svc" for one in self.of("Service")), "")

    def of(self, *kinds: str, name: str | None = None) -> list[Object]:
        """The manifests of some kinds."""
        return [one for one in self.manifests if one["kind"] in kinds and name in (None, one["metadata"]["name"])]


def containers_of(branch: Branch, credentials: Credentials) -> dict[str, Container]:
    """How each store runs in the pod. Raises UsageError for one that only an image of its own can run."""
    made: dict[str, Container] = {}
    taken: set[int] = set()
    for name, snapshot in branch.stores.items():
        adapter = registry.contained(snapshot.kind)
        if name not in branch.images and snapshot.kind != "postgres":
            raise UsageError(
                f"the store '{name}' names no image, and a pod of envclone's has no server for it",
                hint=f"stores.{name}.image in the stack file, by digest",
            )
        port = adapter.base_port()
        while port in taken:
            port += 1
        taken.add(port)
        profile = branch.profiles.get(name)
        settings = parse(profile, name).settings if profile is not None else {}
        made[name] = adapter.container(HOME / name, snapshot, credentials, port=port, overrides=settings)
    return made


def parts_of(
    branch: Branch, containers: Mapping[str, Container], preview: Preview, settings: KubernetesConfig
) -> list[Part]:
    """The parts of a pod in the order of their start: the stores, then each service after what it needs."""
    parts = []
    for name, container in containers.items():
        profile = _profile(branch, name)
        image = branch.images.get(name) or settings.image
        part = Part(name, image, *_size(profile, settings), container=container, ports=(container.endpoint.port or 0,))
        parts.append(replace(part, shm=profile.shm if profile else None))
    for name in _order(preview.services, preview):
        service, profile = preview.services[name], _profile(branch, name)
        part = Part(
            name,
            branch.images.get(name) or preview.images.get(name) or service.image,
            *_size(profile, settings),
            service=service,
            environment=tuple(preview.environment.get(name, {})),
            ports=tuple(service.ports),
        )
        parts.append(replace(part, shm=profile.shm if profile else None))
    for part in parts:
        require_pinned(part.name, part.image)
        if part.name in pod.RESERVED or part.name.endswith("-"):
            why = "a container of envclone's own has it" if part.name in pod.RESERVED else "it ends with a hyphen"
            raise ConfigError(
                f"no container of a cluster can be called '{part.name}': {why}",
                hint="give it another name in the stack file",
            )
    return parts


def require_pinned(name: str, image: str) -> None:
    """Check that an image is named by what it contains. Raises ConfigError."""
    if "@sha256:" not in image:
        raise ConfigError(
            f"the image of '{name}' is named by a tag ({image}), and a node may have another under it",
            hint="name it by its digest: NAME@sha256:…; docker buildx imagetools inspect shows it",
        )


def _order(services: Mapping[str, ServiceConfig], preview: Preview) -> list[str]:
    graph = {name: [one for one in preview.after(name) if one in services] for name in services}
    return list(graphlib.TopologicalSorter(graph).static_order())


def _profile(branch: Branch, name: str) -> Profile | None:
    return parse(branch.profiles[name], name) if name in branch.profiles else None


def _size(profile: Profile | None, settings: KubernetesConfig) -> tuple[float, int]:
    return (profile and profile.cpus) or settings.cpus, (profile and profile.memory) or settings.memory


def destinations(allow: Sequence[str]) -> list[Destination]:
    """What `allow` names, by address: a network policy knows no names, so they are looked up now, and kept.

    Raises ConfigError for a name that stands for many, UnreachableError for one that nobody knows.
    """
    found = []
    for text in allow:
        host, _, port = text.rpartition(":") if text.rpartition(":")[2].isdigit() else (text, "", "443")
        host = host.strip("[]")
        if host.startswith("*."):
            raise ConfigError(
                f"allow: {text}: a network policy knows addresses, and a name with * has none",
                hint="name each host; or --runtime docker, whose proxy knows names",
            )
        try:
            addresses = sorted({str(one[4][0]) for one in socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)})
        except OSError as exc:
            raise UnreachableError(f"allow: nobody knows an address of {host}", hint="is the name right?") from exc
        if any(ipaddress.ip_address(one) in network for one in addresses for network in _NEVER):
            raise ConfigError(f"allow: {host} is an address of every host's own, not one of another machine")
        found.append(Destination(host, tuple(addresses), int(port)))
    return found


def made_of(
    branch: Branch,
    place: Place,
    settings: KubernetesConfig,
    containers: Mapping[str, Container],
    preview: Preview,
    credentials: Credentials,
    volumes: Sequence[Volume],
) -> Plan:
    """All of a branch's manifests."""
    parts = parts_of(branch, containers, preview, settings)
    # each part's processors are rounded up to thousandths, and so their sum is
    cores, size = sum(objects.thousandths(part.cores) for part in parts) / 1000, sum(part.size for part in parts)
    open_ = destinations(branch.allow)
    environment: dict[str, dict[str, str]] = {}
    for name, container in containers.items():
        environment[name] = {key: value.reveal() for key, value in container.environment.items()}
    for name, values in preview.environment.items():
        environment[name] = {key: value.reveal() for key, value in values.items()}
    # the branch's record as the pod needs it: no endpoint, for a login stands there
    record = records.dump(replace(branch, endpoints={}, settings={}))
    login = {"branch": record, "user": credentials.user, "password": credentials.password.reveal()}
    expires = branch.expires_at.isoformat() if branch.expires_at else ""
    ways = [(part.name, port) for part in parts for port in part.ports]
    served = settings.endpoints == "service"
    beside = 3 if served else 2
    some: list[Object] = [
        objects.namespace(place, image=branch.image, expires=expires),
        # the listener of the test is there beside the pod, for a while
        # and so is the relay, for good
        objects.quota(place, cores=cores + 0.1 * beside, size=size + beside * (128 << 20),
                      storage=objects.sizes(volumes), claims=len(volumes)),
        objects.limit_range(place, cores=cores, size=size),
        objects.denied(place),
        *([objects.allowed(place, open_)] if open_ else []),
        *objects.probe_policies(place),
        objects.secret(place, pod.LOGINS, pod.secrets_of(login, environment, secrets.token_urlsafe(32))),
    ]  # fmt: skip
    for volume in volumes:
        some += [
            objects.content(place, volume, snapshot_class=settings.snapshot_class),
            objects.snapshot(place, volume, snapshot_class=settings.snapshot_class),
            objects.claim(place, volume, storage_class=settings.storage_class),
        ]
    some += [
        pod.listener(place, settings.image, settings.user),
        pod.branch(
            place,
            parts,
            volumes,
            image=settings.image,
            uid=settings.user,
            listener_ip=LISTENER_IP,
            destinations=open_,
            door=served,
        ),
        *([objects.service(place, ways), objects.connectable(place, ways, settings.reached_by)] if served else []),
    ]
    return Plan(some, ways, list(containers))


def save(plan: Plan, directory: Path, name: str) -> None:
    """Write a plan beside the branch's record (mode 0600)."""
    head = {"ways": [list(way) for way in plan.ways], "stores": list(plan.stores)}
    text = yaml.safe_dump_all([head, *plan.manifests], sort_keys=False, allow_unicode=True, width=120)
    write_private(directory / FILE, _HEAD.format(name=name) + text)


def load(directory: Path) -> Plan:
    """Read a branch's plan. Raises UnsafeError when it is not there or not whole."""
    try:
        head, *manifests = yaml.safe_load_all((directory / FILE).read_text())
        ways = [(str(name), int(port)) for name, port in head["ways"]]
        return Plan([dict(one) for one in manifests], ways, [str(one) for one in head["stores"]])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as exc:
        raise UnsafeError(
            "the branch has no readable plan of its objects", hint="envclone reset makes it again"
        ) from exc


def with_listener(document: Object, address: str) -> Object:
    """A pod's manifest with the listener's real address."""
    made: Any = json.loads(json.dumps(document).replace(LISTENER_IP, address))
    return dict(made)
