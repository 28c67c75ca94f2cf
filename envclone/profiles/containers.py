"""Limits as container engines write them down: `docker inspect`, compose files, Kubernetes manifests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from envclone.errors import ConfigError
from envclone.profiles.profile import bytes_of

__all__ = ["Absent", "Differing", "from_compose", "from_docker", "from_kubernetes"]

_LISTED = 6


class Absent(ConfigError):
    """What is described is something else."""


class Differing(ConfigError):
    """Several pods are described, and they differ; `pods` are their names."""

    def __init__(self, message: str, *, pods: Sequence[str]) -> None:
        super().__init__(message)
        self.pods = tuple(pods)


_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_RATES = {
    "BlkioDeviceReadBps": "read_bytes",
    "BlkioDeviceWriteBps": "write_bytes",
    "BlkioDeviceReadIOps": "read_ops",
    "BlkioDeviceWriteIOps": "write_ops",
}
_COMPOSE_RATES = {
    "device_read_bps": "read_bytes",
    "device_write_bps": "write_bytes",
    "device_read_iops": "read_ops",
    "device_write_iops": "write_ops",
}


def from_docker(document: Any) -> dict[str, Any]:
    """A profile's values from `docker inspect CONTAINER` (Engine API, ContainerInspect).

    Raises ConfigError unless it describes exactly one container.
    """
    containers = [document] if isinstance(document, Mapping) else list(document)
    if len(containers) != 1 or not isinstance(containers[0], Mapping) or "HostConfig" not in containers[0]:
        raise ConfigError("this is not what `docker inspect` says of one container")
    container = containers[0]
    host = container["HostConfig"]
    found: dict[str, Any] = {}
    if host.get("NanoCpus"):
        found["cpus"] = host["NanoCpus"] / 1e9
    elif host.get("CpuQuota", 0) > 0:
        found["cpus"] = host["CpuQuota"] / (host.get("CpuPeriod") or 100_000)
    elif host.get("CpusetCpus"):
        found["cpus"] = float(_cpuset(host["CpusetCpus"]))
    if host.get("Memory"):
        found["memory"] = host["Memory"]
        both = host.get("MemorySwap") or 0
        if both > 0:
            found["swap"] = both - host["Memory"]
        elif both == 0:
            found["swap"] = host["Memory"]  # Docker gives as much swap as memory when nothing is said
    if host.get("ShmSize"):
        found["shm"] = host["ShmSize"]
    if (host.get("PidsLimit") or 0) > 0:
        found["pids"] = host["PidsLimit"]
    ulimits = {one["Name"]: one["Soft"] for one in host.get("Ulimits") or () if one.get("Soft", -1) >= 0}
    if ulimits:
        found["ulimits"] = ulimits
    rates = {ours: min(one["Rate"] for one in host[theirs]) for theirs, ours in _RATES.items() if host.get(theirs)}
    if rates:
        found["io"] = rates
    config = container.get("Config") or {}
    if config.get("Image"):
        found["image"] = config["Image"] if "@" in config["Image"] else container.get("Image") or config["Image"]
    settings = _flags([*(container.get("Args") or ()), *(config.get("Cmd") or ())])
    if settings:
        found["settings"] = settings
    return found


def from_compose(document: Any, service: str) -> dict[str, Any]:
    """A profile's values from a service of a compose file (compose-spec, `deploy.resources` and the older keys).

    Raises ConfigError naming the services when it is not there.
    """
    services = document.get("services") if isinstance(document, Mapping) else None
    if not isinstance(services, Mapping) or not isinstance(services.get(service), Mapping):
        known = ", ".join(sorted(map(str, services))) if isinstance(services, Mapping) else "none"
        raise Absent(f"the compose file has no service '{service}'; it has: {known}")
    one = services[service]
    limits = ((one.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    found: dict[str, Any] = {}
    if (cpus := limits.get("cpus", one.get("cpus"))) is not None:
        found["cpus"] = float(cpus)
    elif one.get("cpuset"):
        found["cpus"] = float(_cpuset(str(one["cpuset"])))
    if (memory := limits.get("memory", one.get("mem_limit"))) is not None:
        found["memory"] = bytes_of(memory)
        both = one.get("memswap_limit")
        if both is not None and str(both) != "-1":
            found["swap"] = max(0, bytes_of(both) - found["memory"])
    if one.get("shm_size") is not None:
        found["shm"] = bytes_of(one["shm_size"])
    if (pids := limits.get("pids", one.get("pids_limit"))) is not None and int(pids) > 0:
        found["pids"] = int(pids)
    ulimits = {
        name: int(value["soft"] if isinstance(value, Mapping) else value)
        for name, value in (one.get("ulimits") or {}).items()
    }
    if ulimits:
        found["ulimits"] = ulimits
    blkio = one.get("blkio_config") or {}
    rates = {
        ours: min(bytes_of(device["rate"]) for device in blkio[theirs])
        for theirs, ours in _COMPOSE_RATES.items()
        if blkio.get(theirs)
    }
    if rates:
        found["io"] = rates
    if one.get("image"):
        found["image"] = str(one["image"])
    settings = _flags(_words(one.get("command")))
    if settings:
        found["settings"] = settings
    return found


def from_kubernetes(documents: Sequence[Any], container: str | None) -> dict[str, Any]:
    """A profile's values from a manifest, or `kubectl get -o yaml`: the limits of one container of its pods.

    An autoscaler beside them (`kubectl get hpa,deployment -o yaml`) says how many of its target there are. Raises
    ConfigError naming the containers when `container` is not there, or not said where there are several.
    """
    objects = [one for document in documents for one in _objects(document)]
    scalers = [one for one in objects if one.get("kind") == "HorizontalPodAutoscaler"]
    pods = [(pod, one) for one in objects for pod in _pods(one)]
    if scalers and not pods:
        target = (scalers[0].get("spec") or {}).get("scaleTargetRef") or {}
        raise ConfigError(
            "an autoscaler says how many pods there are, not what one may use",
            hint=f"kubectl get hpa,{str(target.get('kind') or 'deployment').lower()} -o yaml has both",
        )
    found: dict[str, dict[str, Any]] = {}
    there = {one["name"] for pod, _ in pods for one in pod.get("containers") or ()}
    name = container if container is not None else next(iter(there)) if len(there) == 1 else None
    if name not in there:
        what = f"has no container '{container}'" if container else "has not exactly one container"
        raise Absent(f"the manifest {what}; it has: {', '.join(sorted(there)) or 'none'}", hint="--container NAME")
    for number, (pod, document) in enumerate(pods):
        for one in pod.get("containers") or ():
            if one["name"] == name:
                found[_called(document, number)] = _container(one, pod) | _replicas(scalers, _owner(document))
    first = next(iter(found.values()))
    if any(one != first for one in found.values()):
        keys = sorted({key for one in found.values() for key in one if not _alike(key, found.values())})
        said = [
            f"{pod} ({', '.join(f'{key} {one.get(key)}' for key in keys if key in one)})" for pod, one in found.items()
        ]
        more = f" and {len(said) - _LISTED} more" if len(said) > _LISTED else ""
        raise Differing(
            f"several pods have a container '{name}', and what they may use differs: {', '.join(said[:_LISTED])}{more}",
            pods=tuple(found),
        )
    return first


def _alike(key: str, every: Iterable[Mapping[str, Any]]) -> bool:
    first, *others = every
    return all(one.get(key) == first.get(key) for one in others)


def _called(document: Mapping[str, Any], number: int) -> str:
    """An object by its kind and name, as kubectl takes it."""
    name = (document.get("metadata") or {}).get("name") or f"number {number + 1}"
    return f"{document.get('kind') or 'object'}/{name}"


def _container(one: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, Any]:
    limits = (one.get("resources") or {}).get("limits") or {}
    found: dict[str, Any] = {}
    if "cpu" in limits:
        found["cpus"] = _quantity(limits["cpu"])
    if "memory" in limits:
        found["memory"] = int(_quantity(limits["memory"]))
        found["swap"] = 0  # a kubelet gives none unless it is told to
    for mount in one.get("volumeMounts") or ():
        if mount.get("mountPath") == "/dev/shm":  # noqa: S108 - a name in a manifest
            found |= _shared_memory(pod, mount["name"])
    if one.get("image"):
        found["image"] = str(one["image"])
    settings = _flags([*(one.get("command") or ()), *(one.get("args") or ())])
    if settings:
        found["settings"] = settings
    return found


def _replicas(scalers: Sequence[Mapping[str, Any]], owner: tuple[str, str]) -> dict[str, Any]:
    """How many there are of what an autoscaler's target is; without a `minReplicas` it is one at least."""
    for one in scalers:
        spec = one.get("spec") or {}
        target = spec.get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == owner:
            least = spec.get("minReplicas")
            return {"replicas": {"minimum": 1 if least is None else int(least), "maximum": int(spec["maxReplicas"])}}
    return {}


def _owner(one: Mapping[str, Any]) -> tuple[str, str]:
    """The object that an autoscaler would name: of a pod what made it, of a ReplicaSet's pod the Deployment."""
    meta = one.get("metadata") or {}
    for above in meta.get("ownerReferences") or ():
        kind, name = str(above.get("kind")), str(above.get("name"))
        digest = (meta.get("labels") or {}).get("pod-template-hash")
        if kind == "ReplicaSet" and digest and name.endswith(f"-{digest}"):
            return "Deployment", name.removesuffix(f"-{digest}")
        return kind, name
    return str(one.get("kind", "")), str(meta.get("name", ""))


def _shared_memory(pod: Mapping[str, Any], volume: str) -> dict[str, int]:
    for one in pod.get("volumes") or ():
        empty = one.get("emptyDir")
        if one.get("name") == volume and isinstance(empty, Mapping) and empty.get("sizeLimit"):
            return {"shm": int(_quantity(empty["sizeLimit"]))}
    return {}


def _objects(document: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a document: one, or those of a list."""
    if not isinstance(document, Mapping):
        return
    if isinstance(document.get("items"), Sequence):
        for item in document["items"]:
            yield from _objects(item)
    else:
        yield document


def _pods(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The pod specification of an object: a pod, or what has a template of one."""
    spec = document.get("spec")
    while isinstance(spec, Mapping):
        if "containers" in spec:
            yield spec
            return
        spec = (spec.get("jobTemplate") or spec.get("template") or {}).get("spec")


def _quantity(value: Any) -> float:
    """A Kubernetes quantity (`500m`, `2Gi`, `1G`)."""
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ConfigError(f"{value!r} is not a quantity as Kubernetes writes them")
    number, unit = float(match.group(1)), match.group(2)
    return number / 1000 if unit == "m" else number * ({**_DECIMAL, **_BINARY}[unit] if unit else 1)


def _cpuset(text: str) -> int:
    """How many processors `0-3,8` names."""
    count = 0
    for part in text.split(","):
        low, _, high = part.partition("-")
        count += int(high or low) - int(low) + 1
    return count


def _words(command: Any) -> list[str]:
    return command.split() if isinstance(command, str) else [str(word) for word in command or ()]


def _flags(words: Sequence[Any]) -> dict[str, str]:
    """The settings that a PostgreSQL server is started with: `-c name=value`, `--name=value`."""
    found: dict[str, str] = {}
    texts = [str(word) for word in words]
    if not any(word.rsplit("/", 1)[-1] in ("postgres", "docker-entrypoint.sh") or word == "-c" for word in texts):
        return found
    for i, word in enumerate(texts):
        text = (
            texts[i + 1] if word == "-c" and i + 1 < len(texts) else word[2:] if word.startswith(("--", "-c")) else ""
        )
        name, equals, value = text.partition("=")
        if equals and re.fullmatch(r"[a-z_.]+", name.replace("-", "_")):
            found[name.replace("-", "_")] = value
    return found
