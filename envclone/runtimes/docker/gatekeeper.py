"""Starting and stopping a branch's gate."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from envclone import process, wait
from envclone.accounts import hand_over, service_account
from envclone.errors import BusyError, EnvcloneError, ResourceError

__all__ = ["LOG", "USED", "open_gate", "shut", "stands"]

CONFIG, PID, OUTPUT, LOG, USED = "gate.json", "gate.pid", "gate.out", "gate.log", "used"
_MODULE = "envclone.runtimes.docker.gate"


def open_gate(
    directory: Path,
    sandbox: int,
    ways: Sequence[tuple[int, int | None]],
    allow: Sequence[str],
    port: int | None = None,
) -> list[int]:
    """Start the gate of a branch; `sandbox` is the process whose network it enters, `ways` ports inside and outside.

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
        "ways": [
            {"to": inside, "listen": port if port and number == 0 else outside, "wish": not (port and number == 0)}
            for number, (inside, outside) in enumerate(ways)
        ],
        "allow": list(allow),
        "uid": account.uid,
        "gid": account.gid,
    }
    (directory / CONFIG).write_text(json.dumps(config))
    output, used = directory / OUTPUT, directory / USED
    output.unlink(missing_ok=True)
    used.touch(mode=0o600)
    hand_over(used, account)
    pid = process.spawn(
        [sys.executable, "-m", _MODULE, directory / CONFIG],
        log=output,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    (directory / PID).write_text(f"{pid}\n")

    def ports() -> list[int] | None:
        text = output.read_text() if output.exists() else ""
        first = text.partition("\n")[0]
        if first.startswith('{"ports"'):
            return [int(port) for port in json.loads(first)["ports"]]
        if not process.alive(pid):
            said = text.strip().splitlines()
            if said and "Address already in use" in said[-1] and port:
                raise BusyError(
                    f"the port {port} of 127.0.0.1 is taken", hint="choose another with --port, or leave it out"
                )
            raise ResourceError(
                f"the gate of the sandbox did not start: {said[-1] if said else 'it wrote nothing'}",
                hint=f"see {output}",
            )
        return None

    try:
        return wait.until(ports, what="the gate of the sandbox did not open", timeout=30, error=EnvcloneError)
    except BaseException:
        shut(directory)
        raise


def shut(directory: Path) -> bool:
    """Stop the gate of a branch; False when none ran."""
    pid = _pid(directory)
    if pid is None:
        return False
    process.terminate(pid, signal.SIGKILL)  # it keeps nothing
    wait.until(lambda: None if process.alive(pid) else True, what="the gate of the sandbox did not end", timeout=10)
    (directory / PID).unlink(missing_ok=True)
    return True


def stands(directory: Path, sandbox: int) -> bool:
    """Whether the gate runs, and leads to the network that the sandbox has now."""
    if _pid(directory) is None:
        return False
    try:
        return int(json.loads((directory / CONFIG).read_text())["sandbox"]) == sandbox
    except (OSError, ValueError, KeyError):
        return False


def _pid(directory: Path) -> int | None:
    """The gate's process; a number that is somebody else's now counts for nothing."""
    try:
        pid = int((directory / PID).read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(directory / CONFIG) in words and process.alive(pid) else None
