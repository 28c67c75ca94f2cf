"""Recorded exchanges, and a player that is asked over a real socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from envclone.cassette.changes import Changed
from envclone.cassette.match import Tape
from envclone.cassette.play import Player, player
from envclone.incidents.exchanges import Exchange

CHAT = "https://api.openai.com/v1/chat/completions"


def chat(text: str, *, id: str = "chat-1", answer: str = "Yes.", **more: Any) -> Exchange:
    """A call of a chat model."""
    body = {"model": "m-1", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]}
    said = {"choices": [{"message": {"role": "assistant", "content": answer}}]}
    return Exchange(**{"id": id, "kind": "llm", "url": CHAT, "body": body, "answer": said, **more})


@dataclass
class Playing:
    """A running player: its address and what it told."""

    host: str
    port: int
    told: list[Mapping[str, Any]] = field(default_factory=list)

    def ask(self, path: str, body: Any = None, *, method: str = "POST", **headers: str) -> tuple[int, bytes]:
        """One request; status and content."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        with contextlib.closing(connection):
            content = json.dumps(body).encode() if body is not None and not isinstance(body, bytes) else body
            connection.request(method, path, content, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def raw(self, data: bytes) -> bytes:
        """Bytes as they are, and all that comes back."""
        with socket.create_connection((self.host, self.port), timeout=10) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b""))


@contextlib.contextmanager
def playing(
    *exchanges: Exchange,
    timing: bool = False,
    change: Changed | None = None,
    authority: tuple[bytes, bytes] | None = None,
) -> Iterator[Playing]:
    """A player of these exchanges on 127.0.0.1."""
    told: list[Mapping[str, Any]] = []
    made = Player(Tape(exchanges), told.append, timing, change or Changed(), authority)
    listening = socket.create_server(("127.0.0.1", 0))
    with player(made, listening) as (host, port):
        yield Playing(host, port, told)
