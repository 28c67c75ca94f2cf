"""The gate of a pool's local branches: passes connections on 127.0.0.1 to the branches' Unix sockets, nowhere else.

One process for all branches of a pool, started by root as `python -I -S gate.py DIRECTORY UID GID NAME POOL`. It has an
account of its own, no network of its own and no file but its directory: its listening sockets are made by root outside
and handed in, so it cannot make one. Root asks it over `DIRECTORY/control`, one message and one answer a connection:

- `add NAME PATH`, with a listening socket: connections to it go to the socket PATH
- `drop NAME`: that route and its connections end; without routes the gate ends, too
- `routes`: the names of all routes
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import socket
import stat
import struct
import sys
from collections.abc import Callable

if __name__ == "__main__":  # run by its path, with the standard library only
    sys.path.insert(0, __file__.rpartition("/envclone/")[0])

__all__ = ["CONTROL", "Gate", "Passage", "main"]

CONTROL = "control"
_MESSAGE = 4096
_CHUNK = 1 << 16
_HELD = 1 << 18
"""Bytes that are held for a side that reads slowly, before the other is no longer read."""
_FIRST = 10.0
"""Seconds that the first route is waited for."""


class _Pair:
    """Two connected sockets; what comes from one goes to the other, and an end of either direction is passed on."""

    def __init__(self, gate: Passage, route: str, client: socket.socket, server: socket.socket) -> None:
        self.route = route
        self._gate = gate
        self._ends = (client, server)
        self._held = {client: bytearray(), server: bytearray()}  # what is to be written to each
        self._open = {client: True, server: True}  # whether each may still be read
        for end in self._ends:
            end.setblocking(False)
            gate.watch(end, selectors.EVENT_READ, self._turn)

    def _turn(self, end: socket.socket, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._read(end)
            if events & selectors.EVENT_WRITE:
                self._write(end)
            self._settle()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()

    def _read(self, end: socket.socket) -> None:
        piece = end.recv(_CHUNK)
        other = self._other(end)
        if piece:
            self._held[other] += piece
        else:
            self._open[end] = False
        self._write(other)

    def _write(self, end: socket.socket) -> None:
        held = self._held[end]
        with contextlib.suppress(BlockingIOError):
            while held:
                del held[: end.send(held)]
        if not held and not self._open[self._other(end)]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR)

    def _settle(self) -> None:
        if not any(self._open.values()) and not any(self._held.values()):
            self.close()
            return
        for end in self._ends:
            events = selectors.EVENT_WRITE if self._held[end] else 0
            if self._open[end] and len(self._held[self._other(end)]) < _HELD:
                events |= selectors.EVENT_READ
            self._gate.watch(end, events, self._turn)

    def _other(self, end: socket.socket) -> socket.socket:
        return self._ends[1] if end is self._ends[0] else self._ends[0]

    def close(self) -> None:
        """End both."""
        self._gate.pairs.discard(self)
        for end in self._ends:
            self._gate.watch(end, 0, self._turn)
            end.close()


class Passage:
    """Pairs of sockets, and the one loop that serves them."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.pairs: set[_Pair] = set()

    def join(self, route: str, client: socket.socket, server: socket.socket) -> None:
        """Pass on what comes from each to the other."""
        self.pairs.add(_Pair(self, route, client, server))

    def watch(self, sock: socket.socket, events: int, turn: Callable[[socket.socket, int], None]) -> None:
        """Have `turn` called for these events of a socket; for none of them with 0."""
        known = self._selector.get_map().get(sock)
        if known is not None and known.events == events:
            return
        if known is not None:
            self._selector.unregister(sock)
        if events:
            self._selector.register(sock, events, turn)

    def turn(self, timeout: float | None = None) -> bool:
        """Wait for something to happen, and do what follows; False when nothing did in time."""
        ready = self._selector.select(timeout)
        for key, events in ready:
            sock: socket.socket = key.fileobj  # type: ignore[assignment]
            if sock.fileno() != -1 and self._selector.get_map().get(sock) is key:  # not ended by one before it
                key.data(sock, events)
        return bool(ready)


class Gate(Passage):
    """The routes and what goes over them, until the last route is gone."""

    def __init__(self, control: socket.socket) -> None:
        super().__init__()
        self._routes: dict[str, socket.socket] = {}
        self._had = False
        control.setblocking(False)
        self._control = control
        self.watch(control, selectors.EVENT_READ, self._asked)

    def run(self) -> None:
        """Go on until the last route is dropped, or none comes."""
        while self._routes or not self._had:
            if not self.turn(None if self._had else _FIRST) and not self._had:
                return

    def _asked(self, control: socket.socket, _: int) -> None:
        connection, _address = control.accept()
        with connection:
            connection.settimeout(2)
            try:
                uid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
                text, descriptors, *_more = socket.recv_fds(connection, _MESSAGE, 1)
                given = [socket.socket(fileno=descriptor) for descriptor in descriptors]
                answer = self._answer(text.decode(errors="surrogateescape").split("\0"), given) if uid == 0 else "no"
                connection.sendall(answer.encode(errors="surrogateescape"))
            except OSError:
                return

    def _answer(self, words: list[str], given: list[socket.socket]) -> str:
        if words[0] == "add" and len(words) == 3 and given:
            self._drop(words[1])
            listener = given[0]
            listener.setblocking(False)
            listener.listen(128)
            self._routes[words[1]] = listener
            self._had = True
            self.watch(listener, selectors.EVENT_READ, lambda sock, _: self._came(sock, words[1], words[2]))
            return "done"
        if words[0] == "drop" and len(words) == 2:
            self._drop(words[1])
            self._had = True  # the start that it was summoned for has failed
            return "done"
        return "\0".join(self._routes) if words[0] == "routes" else "no"

    def _drop(self, name: str) -> None:
        listener = self._routes.pop(name, None)
        if listener is not None:
            self._selector.unregister(listener)
            listener.close()
        for pair in [pair for pair in self.pairs if pair.route == name]:
            pair.close()

    def _came(self, listener: socket.socket, name: str, path: str) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.socket(socket.AF_UNIX)
        server.setblocking(False)  # one whose queue is full must not hold up the others
        try:
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise OSError(path)
            server.connect(path)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.join(name, client, server)
        except OSError:  # its server is gone, or full: the client sees its connection end
            client.close()
            server.close()


def main(arguments: list[str]) -> int:
    """Listen for root's questions, enter the cage, and run."""
    from envclone.cage.launcher import enter

    directory, uid, gid, name = arguments[0], int(arguments[1]), int(arguments[2]), arguments[3]
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    os.umask(0o177)
    control.bind(f"{directory}/{CONTROL}")
    control.listen(16)
    os.umask(0o077)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    enter(uid, gid, name, [("ro", directory)])
    Gate(control).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
