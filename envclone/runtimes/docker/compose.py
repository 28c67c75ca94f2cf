"""The compose file of a branch: rendered from the template, with limits, mounts and secrets; to read and to edit."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from envclone.config import preview as templates
from envclone.errors import ResourceError
from envclone.models import Branch, Container
from envclone.profiles import disks
from envclone.profiles.profile import Profile
from envclone.runtimes.docker.playing import AUTHORITY, led_out, played_variables
from envclone.runtimes.docker.ports import PROXY_PORT

if TYPE_CHECKING:
    from envclone.config.schema import ServiceConfig
    from envclone.models import Preview

__all__ = ["BRANCH", "POOL", "SANDBOX", "render", "template"]

SANDBOX = "sandbox"
POOL, BRANCH = "io.envclone.pool", "io.envclone.branch"
"""Labels of every container: which pool, which branch."""

_SHM = 1 << 30
_PIDS = 4096
"""Processes and threads that a container may have when neither a profile nor the template says how many."""
_HEAD = """\
# The preview stack of the branch '{name}', written by envclone. It holds the branch's own password.
# `envclone stop` and `envclone start` keep what is edited here; `reset` and another profile write it from scratch.
"""


def template(beside: Path | None) -> dict[str, dict[str, Any]]:
    """What the containers have in common: from `compose/preview.yaml` beside a stack file, or the one that comes along.

    Raises ConfigError when it says what a template may not say, ResourceError when there is none.
    """
    places = [beside / "compose"] if beside else []
    for place in (*places, Path(__file__).parent):
        path = place / templates.FILE.name
        if not os.path.lexists(path):
            continue
        return templates.read(path)
    raise ResourceError("preview.yaml did not come along with this installation", hint="install envclone again")


def render(
    branch: Branch,
    directory: Path,
    containers: Mapping[str, Container],
    preview: Preview,
    images: Mapping[str, str],
    profiles: Mapping[str, Profile],
    *,
    pool: Path,
    account: str,
    parts: Mapping[str, Mapping[str, Any]],
) -> str:
    """The text of the compose file; `images` are pinned, `account` is the `uid:gid` that reads the branch's files."""
    disk = disks.path_of(directory)
    device = str(disk) if disk else None
    labels = {POOL: str(pool), BRANCH: branch.name}
    names = [*branch.stores, *preview.services]
    services: dict[str, Any] = {
        SANDBOX: {
            "image": images[SANDBOX],
            **parts["sandbox"],
            "labels": labels,
            "extra_hosts": [f"{name}:127.0.0.1" for name in names],
        }
    }
    for name, container in containers.items():
        services[name] = {
            "image": images[name],
            "pids_limit": _PIDS,
            **parts["store"],
            "labels": labels,
            **_limits(profiles.get(name), device),
            **_store(container),
        }
    embedded = {name: end.path for name, end in preview.embedded.items() if end.path is not None}
    for name, service in preview.services.items():
        services[name] = {
            "image": images[name],
            "pids_limit": _PIDS,
            **parts["service"],
            "labels": labels,
            **_limits(profiles.get(name), device),
            **_service(name, service, preview, containers, embedded, account, directory),
        }
        common = parts["service"]
        services[name]["environment"] = {**common.get("environment", {}), **services[name]["environment"]}
        services[name]["tmpfs"] = [*common.get("tmpfs", []), *service.tmpfs]
    document = {"services": {name: _escaped(one) for name, one in services.items()}}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return _HEAD.format(name=branch.name) + text


def _store(container: Container) -> dict[str, Any]:
    made: dict[str, Any] = {
        "entrypoint": list(container.command),
        "command": [],
        "user": container.user,
        "stop_signal": container.stop_signal,
        "depends_on": {SANDBOX: {"condition": "service_started"}},
        "volumes": [_bind(path, str(path)) for path in container.mounts]
        + [_bind(path, target, read_only=True) for target, path in container.files.items()],
    }
    if container.environment:
        made["environment"] = {name: value.reveal() for name, value in container.environment.items()}
    if container.health:
        made["healthcheck"] = {
            "test": ["CMD", *container.health],
            "interval": "10s",
            "timeout": "5s",
            "retries": 6,
        }
    return made


def _service(
    name: str,
    service: ServiceConfig,
    preview: Preview,
    containers: Mapping[str, Container],
    embedded: Mapping[str, Path],
    account: str,
    directory: Path,
) -> dict[str, Any]:
    environment = {key: value.reveal() for key, value in preview.environment.get(name, {}).items()}
    around = ",".join(["localhost", "127.0.0.1", *containers, *preview.services])
    guarded = any(one.model == "live" for one in preview.services.values())
    played = service.model == "cassette" or guarded
    if played:
        for key, value in (led_out if guarded else played_variables)(around).items():
            environment.setdefault(key, value)
    elif preview.allow:
        for key, value in (("HTTP_PROXY", f"http://127.0.0.1:{PROXY_PORT}"), ("NO_PROXY", around)):
            both = (key, "HTTPS_PROXY") if key == "HTTP_PROXY" else (key,)
            for one in both:  # programs read either spelling
                environment.setdefault(one, value)
                environment.setdefault(one.lower(), value)
    made: dict[str, Any] = {
        "environment": environment,
        "depends_on": {
            SANDBOX: {"condition": "service_started"},
            **{other: {"condition": _condition(other, preview, containers)} for other in preview.after(name)
               if other in containers or other in preview.services},
        },
    }  # fmt: skip
    if service.command:
        made["command"] = list(service.command)
    if service.user or embedded:
        made["user"] = service.user or account
    if not service.read_only:
        made["read_only"] = False
    if service.capabilities:
        made["cap_add"] = list(service.capabilities)
    volumes = [_bind(path, str(path)) for path in embedded.values()]
    if played:
        volumes.append(_bind(directory / AUTHORITY.name, str(AUTHORITY), read_only=True))
    if volumes:
        made["volumes"] = volumes
    check = service.healthcheck
    if check is not None and check.command:
        interval = max(check.interval, dt.timedelta(seconds=1)).total_seconds()
        retries = max(1, int(check.timeout.total_seconds() // interval))
        made["healthcheck"] = {"test": ["CMD", *check.command], "interval": f"{interval:g}s", "retries": retries}
    return made


def _condition(other: str, preview: Preview, containers: Mapping[str, Container]) -> str:
    if other in containers:
        return "service_healthy" if containers[other].health else "service_started"
    check = preview.services[other].healthcheck
    return "service_healthy" if check is not None and check.command else "service_started"


def _limits(profile: Profile | None, device: str | None) -> dict[str, Any]:
    """A profile in compose's words; swap is what may be used beside the memory, in compose it is the sum."""
    made: dict[str, Any] = {"shm_size": (profile.shm if profile else None) or _SHM}
    if profile is None:
        return made
    if profile.cpus:
        made["cpus"] = profile.cpus
    if profile.memory:
        made["mem_limit"] = profile.memory
        made["memswap_limit"] = profile.memory + (profile.swap or 0)
    if profile.pids:
        made["pids_limit"] = profile.pids
    if profile.ulimits:
        made["ulimits"] = {name: {"soft": value, "hard": value} for name, value in profile.ulimits.items()}
    rates = {
        "device_read_bps": profile.io.read_bytes,
        "device_write_bps": profile.io.write_bytes,
        "device_read_iops": profile.io.read_ops,
        "device_write_iops": profile.io.write_ops,
    }
    if device is not None and any(rates.values()):
        made["blkio_config"] = {key: [{"path": device, "rate": rate}] for key, rate in rates.items() if rate}
    return made


def _bind(source: Path, target: str, *, read_only: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "bind", "source": str(source), "target": target}
    return {**made, "read_only": True} if read_only else made


def _escaped(value: Any) -> Any:
    """Compose reads `$` as the beginning of a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {str(key): _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value
