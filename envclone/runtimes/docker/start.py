"""The order of a start: the sandbox, its gate, the stores at once, then each service when what it needs is ready."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from envclone import registry, wait
from envclone.errors import UnreachableError
from envclone.models import Branch, Container, Credentials, Endpoint
from envclone.runtimes.docker import gatekeeper
from envclone.runtimes.docker.compose import SANDBOX
from envclone.runtimes.docker.containers import Containers
from envclone.runtimes.docker.engine import explained
from envclone.runtimes.docker.plan import Part, Plan

__all__ = ["start"]


def start(
    there: Containers,
    branch: Branch,
    directory: Path,
    credentials: Credentials,
    containers: Mapping[str, Container],
    plan: Plan,
    port: int | None,
) -> dict[str, Endpoint]:
    """Start a branch's containers, which compose has made, and wait until each answers; where this host reaches them.

    `port` is for the first of them on 127.0.0.1; where the others were before they stay when that is free.
    """
    sandbox = there.start(SANDBOX)
    ways = [(inside, _before(branch, name, inside)) for name, inside in plan.ways]
    taken = gatekeeper.open_gate(directory, sandbox.pid, ways, plan.allow, port, guarded=plan.guarded)
    outside = dict(zip(plan.ways, taken, strict=True))
    endpoints: dict[str, Endpoint] = {}
    for name in containers:
        there.start(name)
    for name, snapshot in branch.stores.items():
        if name not in containers:
            server = registry.server(snapshot.kind)
            log = directory / f"{name}.log"
            endpoints[name] = server.serve(directory / name, snapshot, credentials, port=None, log=log)
            continue
        adapter, inside = registry.contained(snapshot.kind), containers[name].endpoint
        endpoint = adapter.outside(directory / name, inside, outside[name, plan.stores[name]])
        adapter.settle(directory / name, snapshot, credentials, endpoint, inside, ended=_ended(there, name))
        endpoints[name] = replace(endpoint, pid=there.states()[name].pid)
    for name in plan.order:
        part = plan.services[name]
        there.start(name)
        ports = {inside: outside[name, inside] for inside in part.ports}
        _wait_for(there, name, part, ports)
        for number, (inside_port, outside_port) in enumerate(ports.items()):
            key = name if number == 0 else f"{name}:{inside_port}"
            endpoints[key] = Endpoint(store=key, kind="http", host="127.0.0.1", port=outside_port)
    return endpoints


def _before(branch: Branch, name: str, inside: int) -> int | None:
    """The port that a part had outside when it ran last."""
    endpoint = branch.endpoints.get(name) or branch.endpoints.get(f"{name}:{inside}")
    return endpoint.port if endpoint else None


def _ended(there: Containers, part: str) -> Callable[[], str | None]:
    """What says a container's last words once it has ended; the engine is not asked at every turn of a short wait."""
    asked = time.monotonic()

    def ended() -> str | None:
        nonlocal asked
        if time.monotonic() - asked < 0.25:
            return None
        asked = time.monotonic()
        state = there.states().get(part)
        if state is not None and state.running:
            return None
        return there.last_words(part) or f"FATAL:  exit code {state.exit_code if state else '?'}"

    return ended


def _wait_for(there: Containers, name: str, part: Part, ports: Mapping[int, int]) -> None:
    """Wait until a service is ready. Raises UnreachableError with its last words when it ends or takes too long."""
    ended = _ended(there, name)
    seen = "it did not answer yet"

    def ready() -> bool | None:
        nonlocal seen
        if part.command:
            good, seen = _runs(there, name, part.command)
        elif part.path is not None and ports:
            good, seen = _answers(next(iter(ports.values())), part.path)
        elif ports:
            good, seen = _takes_connections(next(iter(ports.values()))), "its port takes no connection"
        else:
            state = there.states().get(name)
            good = state is not None and state.running
        if good:
            return True
        if (words := ended()) is not None:
            lines = [line.strip() for line in words.splitlines() if line.strip()]
            raise UnreachableError(
                f"the service {name} ended: {' / '.join(lines[-3:])[:500]}",
                hint="does it need a writable file system (read_only: false, tmpfs), a user or a capability?",
            )
        return None

    wait.until(
        ready,
        what=f"the service {name} was not ready",
        timeout=part.timeout,
        interval=0.02,
        diagnosis=lambda: seen,
        hint="its healthcheck in the stack file says when it is; a longer timeout can stand there, too",
    )


def _runs(there: Containers, name: str, command: tuple[str, ...]) -> tuple[bool, str]:
    with explained(f"the healthcheck of {name} cannot be run"):
        made = there.client.api.exec_create(there.ids()[name], list(command))
        output = bytes(there.client.api.exec_start(made["Id"]))
        code = there.client.api.exec_inspect(made["Id"])["ExitCode"]
    return code == 0, f"exit code {code}: {output.decode(errors='replace').strip()[-200:]}"


def _answers(port: int, path: str) -> tuple[bool, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as exc:
            return False, f"GET {path}: {type(exc).__name__}"
    return status < 400, f"GET {path}: {status}"


def _takes_connections(port: int) -> bool:
    """Whether something listens behind the gate: what nobody takes there, the gate ends at once."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            probe.settimeout(0.1)
            return probe.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False
