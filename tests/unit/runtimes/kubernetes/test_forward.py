"""The ways from 127.0.0.1 and from a Unix socket into a pod, through a port-forward of the API."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from envclone.errors import BusyError, UnsafeError
from envclone.runtimes.kubernetes import endpoints, relay
from tests.support.cluster.server import Api


def _inside(seen: list[int]) -> socket.socket:
    """A server that says back what it is told, at the far end of a port-forward."""
    ours, theirs = socket.socketpair()

    def echo() -> None:
        with ours:
            while data := ours.recv(1 << 16):
                ours.sendall(data)

    threading.Thread(target=echo, daemon=True).start()
    seen.append(1)
    return theirs


def _echoed(one: socket.socket, data: bytes) -> bytes:
    one.settimeout(20)
    threading.Thread(target=one.sendall, args=(data,), daemon=True).start()
    found = b""
    while len(found) < len(data):
        found += one.recv(1 << 16)
    return found


def test_bytes_go_in_and_come_back(api: Api, tmp_path: Path) -> None:
    asked: list[tuple[str, str, int]] = []
    seen: list[int] = []

    def connect(namespace: str, pod: str, port: int) -> socket.socket:
        asked.append((namespace, pod, port))
        return _inside(seen)

    api.connect = connect
    place = tmp_path / "s" / "sock"
    (port,) = endpoints.open_doors(
        tmp_path, None, "ns", "branch", [(5432, None)], sockets={"main": place}, token="secret"
    )
    try:
        assert endpoints.stands(tmp_path) and place.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / endpoints.CONFIG).stat().st_mode & 0o777 == 0o600
        data = bytes(range(256)) * 4096
        with socket.create_connection(("127.0.0.1", port)) as one:
            assert _echoed(one, data) == data
        until = time.monotonic() + 10
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(place))
            greeting = relay.greeting("secret", "main")
            one.settimeout(20)
            first = b""
            while len(first) < len(greeting) and time.monotonic() < until:
                first += one.recv(100)
            assert first == greeting  # which the pod's relay reads, and does not say back
        assert asked == [("ns", "branch", 5432), ("ns", "branch", relay.PORT)]
        with pytest.raises(BusyError, match="is taken"):
            (tmp_path / "other").mkdir()
            endpoints.open_doors(tmp_path / "other", None, "ns", "branch", [(5432, None)], port=port)
    finally:
        assert endpoints.shut(tmp_path)
    assert not endpoints.stands(tmp_path) and not endpoints.shut(tmp_path)


def test_a_socket_in_a_directory_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(UnsafeError, match="not this user's alone"):
        endpoints.open_doors(tmp_path, None, "ns", "branch", [], sockets={"main": tmp_path / "open" / "sock"})
