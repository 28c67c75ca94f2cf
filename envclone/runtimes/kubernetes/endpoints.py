"""Starting and stopping the process that leads from 127.0.0.1 into a branch's pod."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from envclone import process, wait
from envclone.errors import BusyError, EnvcloneError, ResourceError, UnsafeError
from envclone.private import write_private

__all__ = ["open_doors", "shut", "stands"]

CONFIG, PID, OUTPUT, USED = "forward.json", "forward.pid", "forward.out", "used"
_MODULE = "envclone.runtimes.kubernetes.forward"
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
        "ways": [
            {"to": inside, "listen": port if port and number == 0 else outside, "wish": not (port and number == 0)}
            for number, (inside, outside) in enumerate(ways)
        ],
        "sockets": {store: str(path) for store, path in (sockets or {}).items()},
        "token": token,
    }
    for path in (sockets or {}).values():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (there := path.parent.stat()).st_uid != os.geteuid() or there.st_mode & 0o077:
            raise UnsafeError(f"{path.parent} is not this user's alone", hint="remove it")
        path.unlink(missing_ok=True)
    write_private(directory / CONFIG, json.dumps(config))
    output = directory / OUTPUT
    output.unlink(missing_ok=True)
    (directory / USED).touch(mode=0o600)
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    pid = process.spawn(
        [sys.executable, "-m", _MODULE, directory / CONFIG],
        log=output,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1", **passed},
    )
    (directory / PID).write_text(f"{pid}\n")

    def ports() -> list[int] | None:
        text = output.read_text() if output.exists() else ""
        first = text.partition("\n")[0]
        if first.startswith('{"ports"'):
            return [int(one) for one in json.loads(first)["ports"]]
        if not process.alive(pid):
            said = text.strip().splitlines()
            if said and "Address already in use" in said[-1] and port:
                raise BusyError(
                    f"the port {port} of 127.0.0.1 is taken", hint="choose another with --port, or leave it out"
                )
            raise ResourceError(
                f"the way into the branch's pod did not open: {said[-1] if said else 'it wrote nothing'}",
                hint=f"see {output}",
            )
        return None

    try:
        return wait.until(ports, what="the way into the branch's pod did not open", timeout=30, error=EnvcloneError)
    except BaseException:
        shut(directory)
        raise


def shut(directory: Path) -> bool:
    """End the process of a branch; False when none ran."""
    pid = _pid(directory)
    if pid is None:
        return False
    process.terminate(pid, signal.SIGKILL)  # it keeps nothing
    wait.until(lambda: None if process.alive(pid) else True, what="the way into the pod did not close", timeout=10)
    (directory / PID).unlink(missing_ok=True)
    return True


def stands(directory: Path) -> bool:
    """Whether the process runs."""
    return _pid(directory) is not None


def _pid(directory: Path) -> int | None:
    """The process of a branch; a number that is somebody else's now counts for nothing."""
    try:
        pid = int((directory / PID).read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(directory / CONFIG) in words and process.alive(pid) else None
