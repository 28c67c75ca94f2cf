"""The Docker Engine of this machine and its compose: found, spoken to, and said plainly when they are not there."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import process
from envclone.errors import EnvcloneError, ResourceError, UnreachableError
from envclone.extras import need

if TYPE_CHECKING:
    import docker

__all__ = ["compose", "connect", "explained", "unavailable"]

_OLDEST = (20, 10)
_COMPOSE = "install compose v2 (Debian: docker-compose or docker-compose-plugin), or use --runtime local"


def connect(timeout: float = 120) -> docker.DockerClient:
    """The engine on this machine. Raises UnreachableError when none answers, ResourceError for one that is no use."""
    need("docker", "docker", "a branch in containers")
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=timeout)
        version = str(client.version()["Version"])
    except DockerException as exc:
        raise UnreachableError(
            "no Docker Engine answers on this machine",
            hint="start it (systemctl start docker), add yourself to the group docker, or use --runtime local",
        ) from exc
    if not client.api.base_url.startswith("http+docker"):
        client.close()
        raise ResourceError(
            f"the Docker Engine at {client.api.base_url} is not on this machine, and branches are directories here",
            hint="unset DOCKER_HOST, or use --runtime local",
        )
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        client.close()
        raise ResourceError(f"the Docker Engine {version} is older than 20.10", hint="update it")
    return client


def unavailable() -> str | None:
    """Why there is no engine to use here; None when there is one."""
    try:
        connect(timeout=5).close()
        _compose_program()
    except EnvcloneError as exc:
        return exc.message
    return None


@functools.cache
def _compose_program() -> tuple[str, ...]:
    """How compose v2 is called here. Raises ResourceError when it is not."""
    for argv in (("docker", "compose"), ("docker-compose",)):
        with contextlib.suppress(ResourceError):
            done = process.run([*argv, "version", "--short"], check=False, timeout=30)
            if done.returncode == 0 and not done.stdout.strip().lstrip("v").startswith("1."):
                return argv
    raise ResourceError("there is no docker compose v2 on this machine", hint=_COMPOSE)


def compose(file: Path, project: str, *arguments: str, timeout: float = 600) -> process.Completed:
    """Run compose on a file, under a project's name; without the build of images and without pulling any."""
    own = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    argv = [*_compose_program(), "--project-name", project, "--file", str(file), *arguments]
    return process.run(argv, env=own, timeout=timeout)


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the engine's own complaint into an error of ours. Raises ResourceError, UnreachableError."""
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as exc:
        raise ResourceError(f"{what}: {_words(exc)}", hint="docker logs and dmesg may say more") from exc
    except (DockerException, OSError) as exc:
        raise UnreachableError(f"{what}: the Docker Engine does not answer", hint="systemctl status docker") from exc


def _words(exc: Any) -> str:
    text = str(exc.explanation or exc).strip()
    return text.splitlines()[-1][:300] if text else type(exc).__name__
