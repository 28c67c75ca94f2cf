"""The test of the walls, on sockets of this machine: which ends in a sealed branch, and which does not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from envclone.runtimes.kubernetes import seal


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Two ports that something listens on."""
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        yield both[0].getsockname()[1], both[1].getsockname()[1]


def _closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def test_a_wall_that_stands(ports: tuple[int, int]) -> None:
    assert seal.dial(f"127.0.0.1:{ports[0]}", [f"127.0.0.1:{_closed()}"], up=1, closes=1) == (seal.SEALED, "")


def test_no_wall(ports: tuple[int, int]) -> None:
    code, said = seal.dial(f"127.0.0.1:{ports[0]}", [f"127.0.0.1:{ports[1]}"], up=1, closes=0.2)
    assert (code, said) == (seal.OPEN, f"reached 127.0.0.1:{ports[1]}")


def test_no_network_proves_nothing() -> None:
    code, said = seal.dial(f"127.0.0.1:{_closed()}", [f"127.0.0.1:{_closed()}"], up=0.2, closes=0.2)
    assert code == seal.UNPROVED and "was not reached" in said


def test_what_must_not_be_reached() -> None:
    env = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    assert seal.targets("10.0.0.2:8472", env) == ["10.0.0.2:8472", "169.254.169.254:80", "[fd00::1]:443"]
    assert not seal.reaches(f"[::1]:{_closed()}")


def test_the_listener_has_both_ports() -> None:
    first, second = _closed(), _closed()
    sockets = seal.listen([first, second], forever=False)
    try:
        assert seal.reaches(f"127.0.0.1:{first}") and seal.reaches(f"127.0.0.1:{second}")
    finally:
        for sock in sockets:
            sock.close()
