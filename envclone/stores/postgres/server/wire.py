"""The few statements of a branch's start, over the server's Unix socket, in as little of protocol 3 as they need.

psycopg does all of this and more, and to import it takes as long as a server takes to start. Here a session logs in
without a password, sends one statement after the other, its values as parameters, and reads text.
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

from envclone.errors import EnvcloneError, UnreachableError

__all__ = ["Refused", "Session", "identifier", "literal"]

Row = tuple[str | None, ...]

_VERSION = 3 << 16
_PATIENCE = 60.0
"""Seconds that any one answer is waited for."""


class Refused(EnvcloneError):
    """The server refused a statement; says its own words."""


class Session:
    """A session that is logged in; `major` is the server's version.

    Raises UnreachableError when nobody answers or the login is refused, Refused when a statement is.
    """

    def __init__(self, sockets: Path, port: int, *, dbname: str, user: str, settings: Mapping[str, str]) -> None:
        self._kept = b""
        self._told: dict[str, str] = {}
        self._socket = socket.socket(socket.AF_UNIX)
        self._what = f"the database '{dbname}' as '{user}'"
        try:
            self._socket.settimeout(_PATIENCE)
            self._socket.connect(f"{sockets}/.s.PGSQL.{port}")
            self._log_in({"user": user, "database": dbname, "client_encoding": "UTF8", **settings})
        except OSError as exc:
            self._socket.close()
            raise UnreachableError(f"cannot connect to {self._what}: {exc.strerror or exc}") from exc
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def major(self) -> int:
        """The server's major version."""
        return int(re.split(r"\D", self._told["server_version"])[0])

    def execute(self, text: str, *values: str) -> list[Row]:
        """Run one statement, `values` as its parameters `$1` and so on; its rows as text."""
        bound = b"".join(struct.pack("!i", len(raw)) + raw for raw in (value.encode() for value in values))
        self._socket.sendall(
            _message(b"P", _string("") + _string(text) + struct.pack("!h", 0))
            + _message(b"B", bytes(2) + struct.pack("!hh", 0, len(values)) + bound + struct.pack("!h", 0))
            + _message(b"E", _string("") + struct.pack("!i", 0))
            + _message(b"S", b"")
        )
        rows: list[Row] = []
        said = ""
        for kind, body in self._messages():
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                said = said or _words(body)
        if said:
            raise Refused(f"the server of {self._what} refused a statement: {said}")
        return rows

    def close(self) -> None:
        """End the session; what was not committed is undone."""
        try:
            self._socket.sendall(_message(b"X", b""))
        except OSError:
            pass  # the server went first
        finally:
            self._socket.close()

    def _log_in(self, parameters: Mapping[str, str]) -> None:
        pairs = b"".join(_string(name) + _string(value) for name, value in parameters.items())
        body = struct.pack("!i", _VERSION) + pairs + b"\0"
        self._socket.sendall(struct.pack("!i", len(body) + 4) + body)
        for kind, answer in self._messages():
            if kind == b"E":
                raise UnreachableError(f"cannot connect to {self._what}: {_words(answer)}")
            if kind == b"R" and struct.unpack_from("!i", answer)[0] != 0:
                raise UnreachableError(f"cannot connect to {self._what}: it asks for a password on its own socket")
            if kind == b"S":
                name, value, _ = answer.split(b"\0", 2)
                self._told[name.decode()] = value.decode(errors="replace")

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        """What the server sends until it waits for the next statement."""
        while True:
            kind, length = struct.unpack("!ci", self._read(5))
            body = self._read(length - 4)
            if kind == b"Z":
                return
            yield kind, body

    def _read(self, size: int) -> bytes:
        while len(self._kept) < size:
            try:
                piece = self._socket.recv(1 << 16)
            except TimeoutError as exc:
                raise UnreachableError(f"the server of {self._what} does not answer within {_PATIENCE:g} s") from exc
            if not piece:
                raise UnreachableError(f"the server of {self._what} ended the connection")
            self._kept += piece
        taken, self._kept = self._kept[:size], self._kept[size:]
        return taken


def identifier(name: str) -> str:
    """A name as SQL writes it, whatever it holds. Raises ValueError for one that no server can hold."""
    if "\0" in name or not name:
        raise ValueError("a name of PostgreSQL is not empty and holds no NUL")
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as SQL writes it, under `standard_conforming_strings`; for statements that take no parameters."""
    if "\0" in value:
        raise ValueError("a text of PostgreSQL holds no NUL")
    return "'" + value.replace("'", "''") + "'"


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _string(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("a text of PostgreSQL holds no NUL")
    return text.encode() + b"\0"


def _row(body: bytes) -> Row:
    (count,) = struct.unpack_from("!h", body)
    at, cells = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        cells.append(None if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return tuple(cells)


def _words(body: bytes) -> str:
    """The primary message of an error."""
    fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
    return fields.get(b"M", "it says nothing")
