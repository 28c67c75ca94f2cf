"""Lets a caged server be reached that knows no Unix sockets: `doorway.py CAGE -- SOCKET=PORT … -- PROGRAM …`.

Run by root as `python -I -S`. In the cage, whose only network is a loopback of its own, it makes each Unix socket,
leaves a copy of itself there that passes connections on to 127.0.0.1:PORT, and becomes the program. The copy ends with
it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import selectors
import signal
import socket
import sys
from functools import partial

if __name__ == "__main__":  # run by its path, with the standard library only
    sys.path.insert(0, __file__.rpartition("/envclone/")[0])

from envclone.cage.gate import Passage
from envclone.cage.launcher import become

__all__ = ["NAME", "Doorway", "main"]

NAME = "doorway"
"""What the copy calls itself in the list of processes."""
_SET_NAME, _DEATH_SIGNAL = 15, 1


class Doorway(Passage):
    """Unix sockets, each with the port that its connections go to."""

    def __init__(self, doors: dict[str, int]) -> None:
        super().__init__()
        umask = os.umask(0)  # the directory is the wall
        for path, port in doors.items():
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(128)
            listener.setblocking(False)
            self.watch(listener, selectors.EVENT_READ, partial(self._came, port=port))
        os.umask(umask)

    def _came(self, listener: socket.socket, _: int, port: int) -> None:
        try:
            client = listener.accept()[0]
        except OSError:
            return
        server = socket.socket(socket.AF_INET)
        server.setblocking(False)
        if server.connect_ex(("127.0.0.1", port)) in (0, errno.EINPROGRESS):
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.join(str(port), client, server)
        else:
            client.close()
            server.close()


def _open(doors: dict[str, int]) -> None:
    """Make the sockets, and leave a copy of this process behind them."""
    doorway = Doorway(doors)
    program = os.getpid()
    if os.fork():
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        return
    try:
        libc = ctypes.CDLL(None)
        libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_SET_NAME, NAME.encode(), 0, 0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends when the server has ended, and not before
        while os.getppid() == program:
            doorway.turn()
    finally:
        os._exit(0)


def main(arguments: list[str]) -> int:
    """Enter the cage, open the doors, and become the program."""
    end = arguments.index("--")
    then = arguments.index("--", end + 1)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    doors = {path: int(port) for path, _, port in (word.rpartition("=") for word in arguments[end + 1 : then])}
    return become(arguments[:end], arguments[then + 1 :], dict(os.environ), lambda: _open(doors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
