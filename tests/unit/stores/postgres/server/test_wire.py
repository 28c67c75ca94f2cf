"""A session without a driver, against a server that plays its part of the protocol."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envclone.errors import UnreachableError
from envclone.stores.postgres.server import wire

GREETING = b"R" + struct.pack("!ii", 8, 0) + b"S" + struct.pack("!i", 24) + b"server_version\x0018.4\x00"
READY = b"Z" + struct.pack("!i", 5) + b"I"


@contextmanager
def serving(place: Path, play: Callable[[socket.socket], None]) -> Iterator[Path]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / ".s.PGSQL.5432"))
        listener.listen(1)

        def serve() -> None:
            end, _ = listener.accept()
            with end:
                play(end)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield place
        finally:
            thread.join()


def opened(place: Path) -> wire.Session:
    return wire.Session(place, 5432, dbname="app", user="op", settings={"search_path": "pg_catalog, pg_temp"})


def _error(text: str) -> bytes:
    body = b"SERROR\0VERROR\0C42501\0M" + text.encode() + b"\0\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


def test_values_go_as_parameters_and_rows_come_as_text(tmp_path: Path) -> None:
    seen: list[bytes] = []
    row = struct.pack("!hi", 2, 3) + "ä1".encode() + struct.pack("!i", -1)

    def play(end: socket.socket) -> None:
        seen.append(end.recv(9999))
        end.sendall(GREETING[:7])
        end.sendall(GREETING[7:] + READY)
        seen.append(end.recv(9999))
        end.sendall(b"1" + struct.pack("!i", 4) + b"D" + struct.pack("!i", len(row) + 4) + row + READY)
        seen.append(end.recv(9999))

    with serving(tmp_path, play), opened(tmp_path) as session:
        assert session.major == 18
        assert session.execute("SELECT $1", "it's") == [("ä1", None)]
    assert b"search_path\0pg_catalog, pg_temp\0" in seen[0]
    assert b"SELECT $1\0" in seen[1] and struct.pack("!i", 4) + b"it's" in seen[1]
    assert seen[2] == b"X\0\0\0\x04"


def test_what_the_server_refuses_is_said_and_the_session_goes_on(tmp_path: Path) -> None:
    def play(end: socket.socket) -> None:
        end.recv(9999)
        end.sendall(GREETING + READY)
        end.recv(9999)
        end.sendall(_error("permission denied for schema x") + READY)
        end.recv(9999)
        end.sendall(READY)

    with serving(tmp_path, play), opened(tmp_path) as session:
        with pytest.raises(wire.Refused, match="permission denied for schema x"):
            session.execute("DROP SCHEMA x")
        assert session.execute("SELECT") == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_error('role "op" does not exist'), 'role "op" does not exist'),
        (b"R" + struct.pack("!ii", 8, 3), "asks for a password"),
        (b"", "ended the connection"),
    ],
)
def test_a_login_that_fails_says_why(tmp_path: Path, answer: bytes, said: str) -> None:
    def play(end: socket.socket) -> None:
        end.recv(9999)
        end.sendall(answer)

    with serving(tmp_path, play), pytest.raises(UnreachableError, match=said):
        opened(tmp_path)


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="No such file"):
        opened(tmp_path)


def test_names_and_texts_are_quoted() -> None:
    assert wire.identifier('a"; DROP ROLE b; --') == '"a""; DROP ROLE b; --"'
    assert wire.literal("it's \\ here") == "'it''s \\ here'"
    for wrong in ("", "a\0b"):
        with pytest.raises(ValueError, match="NUL"):
            wire.identifier(wrong)
    with pytest.raises(ValueError, match="NUL"):
        wire.literal("a\0b")
