"""Sockets that are passed on: what one end does must not end the loop that serves all of them."""

from __future__ import annotations

import socket

import pytest

from envclone.cage.doorway import Doorway
from envclone.cage.gate import Passage


def test_both_ends_of_a_pair_that_end_at_once_end_it_alone() -> None:
    passage = Passage()
    (client, theirs), (server, ours) = socket.socketpair(), socket.socketpair()
    passage.join("x", client, server)
    client.send(b"unread")
    theirs.close()  # which the other side learns as a reset
    ours.send(b"more")
    while passage.pairs:
        assert passage.turn(1.0)
    assert client.fileno() == server.fileno() == -1
    ours.close()


def test_a_door_leads_to_its_port_and_to_nothing_when_nobody_listens(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("d")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as gone:
        open_port, closed_port = listener.getsockname()[1], gone.getsockname()[1]
        gone.close()
        doorway = Doorway({str(place / "a"): open_port, str(place / "b"): closed_port})
        for name in ("a", "b"):
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(5)
                asking.connect(str(place / name))
                asking.sendall(b"hello")
                if name == "a":
                    while doorway.turn(0.2):
                        pass
                    served = listener.accept()[0]
                    assert served.recv(64) == b"hello"
                    served.sendall(b"back")
                    served.close()
                while doorway.turn(0.2):
                    pass
                assert asking.recv(64) == (b"back" if name == "a" else b"")
    assert not [pair for pair in doorway.pairs if pair.route == str(closed_port)]
