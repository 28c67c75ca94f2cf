"""Starting and stopping the process that leads from 127.0.0.1 into a branch's pod."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from envclone.errors import UnsafeError
from envclone.private import write_private
from envclone.runtimes.doors import Door

__all__ = ["open_doors", "shut", "stands"]

_DOOR = Door("envclone.runtimes.kubernetes.forward", "forward", "the way into the branch's pod")
CONFIG, USED = _DOOR.config, "used"
_PASSED = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HTTPS_PROXY", "NO_PROXY")


def open_doors(
    directory: Path,
    context: str | None,
    namespace: str,
    pod: str,
    ways: Sequence[tuple[int, int | None]],
    port: int | None = None,
    *,
    sockets: Mapping[str, Path] | None = None,
    token: str = "",
) -> list[int]:
    """Start the process of a branch; `ways` are ports of the pod, and the ports outside that are wished for.

    `sockets` are Unix sockets of this machine, by store, in directories that only this user enters; the pod's relay
    takes `token` for them. Returns the ports on 127.0.0.1 that it took, in order; `port`, of the first one, is a must.
    Raises BusyError when that is taken.
    """
    shut(directory)
    config = {
        "context": context,
        "namespace": namespace,
        "pod": pod,
        "ways": Door.ways(ways, port),
        "sockets": {store: str(path) for store, path in (sockets or {}).items()},
        "token": token,
    }
    for path in (sockets or {}).values():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (there := path.parent.stat()).st_uid != os.geteuid() or there.st_mode & 0o077:
            raise UnsafeError(f"{path.parent} is not this user's alone", hint="remove it")
        path.unlink(missing_ok=True)
    write_private(directory / CONFIG, json.dumps(config))
    (directory / USED).touch(mode=0o600)
    return _DOOR.start(directory, port=port, env={name: os.environ[name] for name in _PASSED if name in os.environ})


def shut(directory: Path) -> bool:
    """End the process of a branch; False when none ran."""
    return _DOOR.shut(directory)


def stands(directory: Path) -> bool:
    """Whether the process runs."""
    return _DOOR.pid(directory) is not None
