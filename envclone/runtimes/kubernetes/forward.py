"""A process beside a branch on a cluster: what connects to its ports on 127.0.0.1 is carried into the branch's pod.

Each connection is a port-forward of its own through the cluster's API. The time of the last one is kept, so that an
idle branch can be told from one that is used.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from envclone.errors import EnvcloneError
from envclone.runtimes.kubernetes import relay
from envclone.runtimes.kubernetes.client import Cluster, connect

__all__ = ["Doors", "dial"]

USED = "used"


def dial(cluster: Cluster, namespace: str, pod: str, port: int) -> Any:
    """A connection to a port of a pod, and what carries it."""
    from kubernetes.client import CoreV1Api
    from kubernetes.stream import portforward

    made = portforward(CoreV1Api(cluster.api).connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
    return made, made.socket(port)


class Doors:
    """The listening ports of a branch, each with the pod's port that it leads to."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str, used: Path | None = None) -> None:
        self._cluster, self._namespace, self._pod, self._used = cluster, namespace, pod, used
        self._waiting = selectors.DefaultSelector()
        self.ports: list[int] = []

    def open(self, inside: int, outside: int | None, *, wish: bool = True) -> int:
        """Listen on 127.0.0.1 for a port of the pod; a port that is only wished for may become another."""
        try:
            sock = socket.create_server(("127.0.0.1", outside or 0))
        except OSError:
            if not wish:
                raise
            sock = socket.create_server(("127.0.0.1", 0))
        self._waiting.register(sock, selectors.EVENT_READ, (inside, b""))
        self.ports.append(sock.getsockname()[1])
        return self.ports[-1]

    def open_socket(self, store: str, path: Path, token: str) -> None:
        """Listen on a Unix socket of this machine, which leads to a store's own through the pod's relay."""
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen()
        self._waiting.register(sock, selectors.EVENT_READ, (relay.PORT, relay.greeting(token, store)))

    def serve(self) -> None:
        """Take connections until the process ends."""
        while True:
            for key, _ in self._waiting.select():
                with contextlib.suppress(OSError):
                    one, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    threading.Thread(target=self._carry, args=(one, *key.data), daemon=True).start()

    def _carry(self, outside: socket.socket, port: int, first: bytes) -> None:
        if self._used is not None and not first:  # the operator's own way is no use of the branch
            with contextlib.suppress(OSError):
                os.utime(self._used)
        with outside:
            try:
                made, inside = dial(self._cluster, self._namespace, self._pod, port)
            except Exception:  # noqa: BLE001 - the library's own kinds: the caller sees its connection end
                return
            back = threading.Thread(target=relay.carry, args=(inside, outside), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                inside.sendall(first)
            relay.carry(outside, inside)
            made.close()
            back.join()


def main(file: str) -> int:
    """Open what the configuration says, tell the ports in one line of JSON, and carry."""
    config = json.loads(Path(file).read_text())
    try:
        cluster = connect(config["context"])
        doors = Doors(cluster, config["namespace"], config["pod"], Path(file).parent / USED)
        for way in config["ways"]:
            doors.open(way["to"], way["listen"], wish=way["wish"])
        for store, path in config["sockets"].items():
            doors.open_socket(store, Path(path), config["token"])
    except (EnvcloneError, OSError) as exc:
        sys.stdout.write(f"{exc}\n")
        return 1
    sys.stdout.write(json.dumps({"ports": doors.ports}) + "\n")
    sys.stdout.flush()
    doors.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
