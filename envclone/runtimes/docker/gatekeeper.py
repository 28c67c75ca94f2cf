"""Starting and stopping a branch's gate."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from envclone.accounts import hand_over, service_account
from envclone.errors import ResourceError, UnsafeError
from envclone.private import write_private
from envclone.runtimes.doors import Door

__all__ = ["LOG", "USED", "open_gate", "shut", "stands", "token"]

_DOOR = Door("envclone.runtimes.docker.gate", "gate", "the gate of the sandbox")
LOG, USED = "gate.log", "used"


def open_gate(
    directory: Path,
    sandbox: int,
    ways: Sequence[tuple[int, int | None]],
    allow: Sequence[str],
    port: int | None = None,
    *,
    guarded: bool = False,
) -> list[int]:
    """Start the gate of a branch; `sandbox` is the process whose network it enters, `ways` ports inside and outside.

    With `guarded` only who has the branch's token gets out.

    Returns the ports on 127.0.0.1 that it took, in order: the outside of a way is a wish, and `port`, of the first one,
    a must. Raises BusyError when that is taken, ResourceError without the right to enter the sandbox's network.
    """
    if os.geteuid() != 0:
        raise ResourceError(
            "the docker runtime needs root: its gate enters the sandbox's network",
            hint="run envclone with sudo, or use --runtime local",
        )
    shut(directory)
    account = service_account()
    config = {
        "sandbox": sandbox,
        "ways": Door.ways(ways, port),
        "allow": list(allow),
        "token": secrets.token_hex(32) if guarded else None,
        "uid": account.uid,
        "gid": account.gid,
    }
    (directory / _DOOR.config).unlink(missing_ok=True)
    write_private(directory / _DOOR.config, json.dumps(config))
    used = directory / USED
    used.touch(mode=0o600)
    hand_over(used, account)
    return _DOOR.start(directory, port=port)


def token(directory: Path) -> str:
    """What lets through a guarded gate. Raises UnsafeError when the gate is none."""
    try:
        found = json.loads((directory / _DOOR.config).read_text()).get("token")
    except (OSError, ValueError):
        found = None
    if not isinstance(found, str):
        raise UnsafeError("the gate of this branch has no guard before it", hint=f"envclone reset {directory.name}")
    return found


def shut(directory: Path) -> bool:
    """Stop the gate of a branch; False when none ran."""
    return _DOOR.shut(directory)


def stands(directory: Path, sandbox: int) -> bool:
    """Whether the gate runs, and leads to the network that the sandbox has now."""
    if _DOOR.pid(directory) is None:
        return False
    try:
        return int(json.loads((directory / _DOOR.config).read_text())["sandbox"]) == sandbox
    except (OSError, ValueError, KeyError):
        return False
